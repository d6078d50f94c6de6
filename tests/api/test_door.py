"""Who may come in, where there is something, and what the door says of itself."""

import logging
from typing import Any

import pytest
import trio
from httpx2 import Response

from connector.api.auth import Keys
from connector.config import KeyConfig
from tests.api.world import NUMBER, SECRETS, World

HELLO = {"to": NUMBER, "text": "Hello"}


@pytest.mark.parametrize(
    "shown", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic c2hvcDp4", "shop-secret-4711", "Bearer é"]
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/messages"), ("GET", "/v1/messages"), ("GET", "/v1/verify")])
async def test_without_a_good_key_nothing_is_told(door: World, shown: str | None, method: str, path: str) -> None:
    async with door.caller(None) as caller:
        headers = {} if shown is None else {"Authorization": shown.encode("latin-1")}
        answer = await caller.request(method, path, headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["reason"]) == (401, "not_authenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_keys_are_held_as_hashes_only() -> None:
    keys = Keys([(KeyConfig(name="shop", secret_env="SHOP"), "very-secret")])
    assert "very-secret" not in repr(vars(keys))
    found = keys.find("bearer very-secret")
    assert found is not None
    assert found.name == "shop"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/messages", {"GET", "HEAD", "POST"}),
        ("PUT", "/v1/messages/00000000000", {"GET", "HEAD"}),
        ("POST", "/health", {"GET", "HEAD"}),
    ],
)
async def test_a_method_that_does_not_fit_is_405_and_says_which_do(
    door: World, method: str, path: str, allowed: set[str]
) -> None:
    async with door.caller() as caller:
        answer = await caller.request(method, path)
    assert (answer.status_code, answer.json()["reason"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/messages", "/v1/message", "/v1/messages/a/b", "/%00", "/../etc"])
async def test_where_there_is_nothing_it_is_404(door: World, path: str) -> None:
    answer = await door.get(path)
    assert (answer.status_code, answer.json()["reason"]) == (404, "not_found")


async def test_health_and_readiness_need_no_key(door: World) -> None:
    assert (await door.get("/health", secret=None)).json() == {"status": "ok"}
    assert (await door.get("/ready", secret=None)).status_code == 200


async def test_it_is_ready_while_it_can_commit_whatever_the_carriers_do(door: World) -> None:
    answer = await door.get("/ready")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["ready"], body["problem"]) == (True, None)
    (carrier,) = body["carriers"]
    assert (carrier["name"], carrier["bound"]) == ("north", 0)
    assert carrier["binds"][0]["state"] != "bound"


async def test_it_is_not_ready_while_draining_and_healthy_still(door: World) -> None:
    door.connector.intake.draining = True
    answer = await door.get("/ready")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert answer.json()["problem"]
    assert (await door.get("/health")).status_code == 200


async def test_metrics_tell_the_ledger_in_prometheus_words(door: World) -> None:
    await door.post([HELLO, HELLO, {"to": "12"}])
    answer = await door.get("/metrics", secret=None)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'carrierline_messages{status="accepted"} 2.0' in answer.text.splitlines()
    assert 'carrierline_rows_total{verdict="refused"} 1.0' in answer.text.splitlines()


async def test_verify_recounts_the_store(door: World) -> None:
    await door.post(HELLO)
    found = (await door.get("/v1/verify")).json()
    assert found["ok"] is True
    assert found["messages"] == {"accepted": 1}


async def test_a_full_door_still_answers_those_who_watch(door: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, waiting = trio.Event(), []
    append = door.store.append

    async def held(*arguments: Any, **more: Any) -> Any:
        waiting.append(1)
        await gate.wait()
        return await append(*arguments, **more)

    monkeypatch.setattr(door.store, "append", held)
    answers: list[Response] = []

    async def post() -> None:
        answers.append(await door.post(HELLO))

    at_once = door.connector.config.api.max_concurrent
    async with trio.open_nursery() as nursery:
        for _ in range(at_once + 5):
            nursery.start_soon(post)
        while len(waiting) < at_once:
            await trio.lowlevel.checkpoint()
        for path in ("/health", "/ready", "/metrics"):
            with trio.fail_after(5):
                assert (await door.get(path)).status_code == 200
        assert len(waiting) == at_once
        gate.set()
    assert [answer.status_code for answer in answers] == [202] * (at_once + 5)


async def test_neither_secret_nor_text_nor_number_gets_into_the_log(
    door: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    text = "Your code is 482913"
    answer = await door.post({"to": NUMBER, "text": text, "client_ref": "ref-77"}, key="idem-88")
    await door.post([{"to": NUMBER, "text": text, "lane": "nope"}, {"to": NUMBER + "00000", "text": text}, 3])
    await door.post({"to": NUMBER, "text": text, "client_ref": "ref-77", "receipt": False})
    await door.post({"to": NUMBER, "text": text}, secret="a-wrong-secret")
    await door.get(f"/v1/messages/{answer.json()['id']}")
    await door.get(f"/v1/messages?to={NUMBER[1:]}")

    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(door.store, "append", broken)
    assert (await door.post({"to": NUMBER, "text": text})).status_code == 500
    # the caller of this test keeps a log too, with the addresses it asks for
    ours = [record for record in caplog.records if not record.name.startswith("httpx2")]
    logged = "\n".join(f"{record.getMessage()} {record.exc_text or ''}" for record in ours)
    for secret in (*SECRETS.values(), "a-wrong-secret", text, "482913", NUMBER[1:], "7911123456"):
        assert secret not in logged
