"""The same request again: the same message, and no second one."""

from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.api.world import NUMBER, OTHER, SECRETS, Clock, World, config, world
from tests.stories.processes import until

HELLO = {"to": NUMBER, "text": "Hello"}
DAY_S = 86_400.0


def ids(answer: Any) -> list[str]:
    return [verdict.get("id") for verdict in answer.json()["verdicts"]]


def batch(count: int) -> list[dict[str, str]]:
    return [{"to": NUMBER, "text": f"Hello {number}"} for number in range(count)]


async def test_a_new_request_is_202_and_its_replay_is_200_with_the_same_id(door: World) -> None:
    first, second = await door.post(HELLO, key="k1"), await door.post(HELLO, key="k1")
    assert (first.status_code, first.json()["replayed"]) == (202, False)
    assert (second.status_code, second.json()["replayed"]) == (200, True)
    assert second.json()["id"] == first.json()["id"]
    assert await door.accepted() == 1


async def test_without_a_key_or_reference_the_same_text_is_two_messages(door: World) -> None:
    assert (await door.post(HELLO)).json()["id"] != (await door.post(HELLO)).json()["id"]


async def test_a_replay_after_a_restart_finds_the_message(tmp_path: Path) -> None:
    clock = Clock()
    async with world(config(tmp_path), clock) as door:
        first = await door.post(HELLO, key="k1")
        many = await door.post(batch(300), key="k2")
    async with world(config(tmp_path), clock) as door:
        again = await door.post(HELLO, key="k1")
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
        assert ids(await door.post(batch(300), key="k2")) == ids(many)
        assert await door.accepted() == 301


async def test_a_batch_replayed_gives_the_same_ids_in_order(door: World) -> None:
    first, second = await door.post(batch(600), key="k1"), await door.post(batch(600), key="k1")
    assert (first.status_code, second.status_code) == (202, 200)
    assert ids(second) == ids(first)
    assert len(set(ids(first))) == 600
    assert (second.json()["accepted"], second.json()["replayed"]) == (0, 600)


async def test_a_batch_that_comes_again_with_one_more_row_is_422_and_nothing_is_stored(door: World) -> None:
    await door.post(batch(300), key="k1")
    answer = await door.post(batch(301), key="k1")
    assert (answer.status_code, answer.json()["reason"]) == (422, "key_reused")
    assert answer.json()["field"] == "Idempotency-Key"
    assert await door.accepted() == 300


async def test_the_same_key_with_another_body_is_422(door: World) -> None:
    await door.post(HELLO, key="k1")
    for other in (
        {**HELLO, "text": "Bye"},
        {**HELLO, "to": "+447911123457"},
        {**HELLO, "receipt": False},
        {**HELLO, "metadata": {}},
        [HELLO, HELLO],
    ):
        answer = await door.post(other, key="k1")
        assert (answer.status_code, answer.json()["reason"]) == (422, "key_reused"), other
    assert await door.accepted() == 1


async def test_equality_is_of_the_decoded_request_not_of_its_spelling(door: World) -> None:
    first = await door.post({**HELLO, "metadata": {"a": 1, "b": 2}}, key="k1")
    spelling = f'{{"receipt": true, "metadata": {{"b": 2, "a": 1}}, "text": "H\\u0065llo",  "to": "{NUMBER}"}}'
    async with door.caller() as caller:
        again = await caller.post("/v1/messages", content=spelling, headers={"Idempotency-Key": "k1"})
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])


async def test_a_key_that_is_still_running_is_409_with_retry_after(
    door: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, gate = trio.Event(), trio.Event()
    append = door.store.append

    async def held(*arguments: Any, **more: Any) -> Any:
        reached.set()
        await gate.wait()
        return await append(*arguments, **more)

    monkeypatch.setattr(door.store, "append", held)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: door.post(HELLO, key="k1"))
        await reached.wait()
        answer = await door.post(HELLO, key="k1")
        assert (answer.status_code, answer.json()["reason"]) == (409, "still_running")
        assert int(answer.headers["retry-after"]) >= 1
        gate.set()
    assert (await door.post(HELLO, key="k1")).status_code == 200
    assert await door.accepted() == 1


async def test_of_many_at_once_with_one_key_exactly_one_message_comes(door: World) -> None:
    answers: list[Any] = []

    async def post() -> None:
        answers.append(await door.post(HELLO, key="k1"))

    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(post)
    assert {answer.status_code for answer in answers} <= {200, 202, 409}
    assert [answer.status_code for answer in answers].count(202) == 1
    assert await door.accepted() == 1


async def test_keys_and_references_of_two_api_keys_do_not_meet(door: World) -> None:
    request = {**HELLO, "lane": "promotional", "from": "Other", "client_ref": "order-1"}
    first = await door.post(request, key="k1")
    second = await door.post({**request, "text": "Bye"}, key="k1", secret=SECRETS["OTHER"])
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] != second.json()["id"]
    assert OTHER.name == "other"


async def _new(door: World) -> Any:
    """Post again; return the answer once it is no replay any more."""
    answer = await door.post({**HELLO, "deadline": "60s"}, key="k1")
    return None if answer.status_code == 200 else answer


async def test_a_key_is_forgotten_after_its_day(tmp_path: Path) -> None:
    async with world(config(tmp_path)) as door:
        first = await door.post({**HELLO, "deadline": "60s"}, key="k1")
        door.clock.ahead_s += DAY_S - 120
        assert (await door.post({**HELLO, "deadline": "60s"}, key="k1")).status_code == 200
        door.clock.ahead_s += 180
        again = await until(lambda: _new(door))
        assert (again.status_code, again.json()["id"] == first.json()["id"]) == (202, False)


async def test_a_key_is_remembered_longer_while_its_message_is_live(tmp_path: Path) -> None:
    async with world(config(tmp_path)) as door:
        request = {**HELLO, "send_at": "2026-02-20T09:00:00Z", "client_ref": "order-1"}
        first = await door.post(request, key="k1")
        door.clock.ahead_s += 3 * DAY_S
        await door.store.sweep(1_000, before=door.clock() - DAY_S)
        again = await door.post(request, key="k1")
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
        assert (await door.post({**request, "text": "Bye"}, key="k1")).status_code == 422


# --- client_ref ---


async def test_a_client_ref_again_is_the_same_message(door: World) -> None:
    first = await door.post({**HELLO, "client_ref": "order-1"})
    second = await door.post({**HELLO, "client_ref": "order-1"}, key="another")
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["id"] == second.json()["id"]


async def test_a_client_ref_with_another_body_is_422(door: World) -> None:
    await door.post({**HELLO, "client_ref": "order-1"})
    answer = await door.post({**HELLO, "client_ref": "order-1", "text": "Bye"})
    assert answer.status_code == 422
    assert (answer.json()["reason"], answer.json()["field"]) == ("client_ref_reused", "client_ref")
    assert await door.accepted() == 1


async def test_a_mixed_batch_tells_new_replayed_and_conflicting_rows_apart(door: World) -> None:
    old = (await door.post({**HELLO, "client_ref": "old"})).json()["id"]
    answer = await door.post(
        [
            {**HELLO, "client_ref": "new"},
            {**HELLO, "client_ref": "old"},
            {**HELLO, "client_ref": "old", "text": "Bye"},
            {**HELLO, "client_ref": "new"},
        ]
    )
    body = answer.json()
    assert answer.status_code == 202
    assert (body["accepted"], body["replayed"], body["refused"]) == (1, 2, 1)
    assert [verdict.get("replayed") for verdict in body["verdicts"]] == [False, True, None, True]
    assert body["verdicts"][1]["id"] == old
    assert body["verdicts"][2]["reason"] == "client_ref_reused"
    assert body["verdicts"][3]["id"] == body["verdicts"][0]["id"]
    assert await door.accepted() == 2


async def test_a_batch_with_bad_rows_replays_as_it_was(door: World) -> None:
    rows = [{"to": "12", "text": "x"}, HELLO, {"nonsense": 1}]
    first, second = await door.post(rows, key="k1"), await door.post(rows, key="k1")
    assert (first.status_code, second.status_code) == (202, 200)
    assert [v.get("id") for v in first.json()["verdicts"]] == [v.get("id") for v in second.json()["verdicts"]]


async def test_a_refused_request_leaves_its_key_free(door: World) -> None:
    assert (await door.post({**HELLO, "to": "12"}, key="k1")).status_code == 422
    assert (await door.post(HELLO, key="k1")).status_code == 202


async def test_a_replay_is_found_after_the_deadline_it_asked_for(door: World) -> None:
    request = {**HELLO, "deadline": "2026-01-31T09:10:00Z"}
    first = await door.post(request, key="k1")
    assert first.status_code == 202
    door.clock.ahead_s += 900
    again = await door.post(request, key="k1")
    assert (again.status_code, again.json().get("id")) == (200, first.json()["id"])


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_an_idempotency_key_has_1_to_255_characters(door: World, key: str) -> None:
    answer = await door.post(HELLO, key=key)
    assert (answer.status_code, answer.json()["field"]) == (400, "Idempotency-Key")


async def test_how_long_keys_are_remembered_is_configured(tmp_path: Path) -> None:
    settings = config(tmp_path)
    settings = attrs.evolve(settings, store=attrs.evolve(settings.store, idempotency_s=600.0))
    async with world(settings) as door:
        await door.post({**HELLO, "deadline": "60s"}, key="k1")
        door.clock.ahead_s += 700
        assert (await until(lambda: _new(door))).status_code == 202
