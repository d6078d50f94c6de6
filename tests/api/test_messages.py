"""POST /v1/messages: what is taken, what is refused, and what the answer says."""

from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from connector.config import ApiConfig, StoreConfig
from connector.errors import StoreError
from connector.reader import open_reader
from tests.api.world import NUMBER, OTHER, SECRETS, SHOP, World, config, world

HELLO = {"to": NUMBER, "text": "Hello"}


async def test_a_message_is_accepted_with_its_id_number_and_parts(door: World) -> None:
    answer = await door.post({"to": "07911 123456", "text": "x" * 200})
    assert answer.status_code == 202
    assert answer.json() == {
        "id": answer.json()["id"],
        "status": "accepted",
        "to": NUMBER[1:],
        "parts": 2,
        "replayed": False,
    }


async def test_what_is_answered_202_is_on_disk_already(door: World, tmp_path: Path) -> None:
    answer = await door.post(HELLO)
    with open_reader(tmp_path / "store.db") as beside:
        assert beside.message(answer.json()["id"])["to"] == NUMBER[1:]


async def test_no_answer_comes_before_the_commit(door: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, gate = trio.Event(), trio.Event()
    append = door.store.append

    async def held(*arguments: Any, **more: Any) -> Any:
        reached.set()
        await gate.wait()
        return await append(*arguments, **more)

    monkeypatch.setattr(door.store, "append", held)
    answers = []

    async def post() -> None:
        answers.append((await door.post(HELLO)).status_code)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(post)
        await reached.wait()
        for _ in range(100):
            await trio.lowlevel.checkpoint()
        assert answers == []
        gate.set()
    assert answers == [202]


async def test_a_list_gets_a_verdict_for_each_row_in_order(door: World) -> None:
    answer = await door.post([HELLO, {"to": "12"}, {"text": "no number"}, "a string", {**HELLO, "text": "Bye"}])
    assert answer.status_code == 202
    body = answer.json()
    assert (body["accepted"], body["replayed"], body["refused"]) == (2, 0, 3)
    assert [verdict["row"] for verdict in body["verdicts"]] == [0, 1, 2, 3, 4]
    assert [verdict.get("reason") for verdict in body["verdicts"]] == [
        None,
        "number_invalid",
        "bad_request",
        "bad_request",
        None,
    ]
    assert body["verdicts"][2]["field"] == "to"
    assert await door.accepted() == 2


async def test_a_thousand_rows_are_taken_and_one_more_is_too_many(door: World) -> None:
    answer = await door.post([HELLO] * 1_000)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1_000)
    answer = await door.post([HELLO] * 1_001)
    assert (answer.status_code, answer.json()["reason"]) == (413, "too_many_rows")
    assert await door.accepted() == 1_000


async def test_a_list_of_which_nothing_is_accepted_is_422_and_says_why_row_by_row(door: World) -> None:
    answer = await door.post([{"to": "12", "text": "x"}, 7])
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [verdict["detail"] for verdict in answer.json()["verdicts"]] == [
        "the number is too short for GB",
        "a message must be an object, not a whole number",
    ]


REFUSALS = [
    ({"to": "12"}, 422, "number_invalid", "to"),
    ({"to": ""}, 422, "number_missing", "to"),
    ({"to": "07911123456", "country": "XX"}, 422, "country_unknown", "country"),
    ({"text": ""}, 422, "text_missing", "text"),
    ({"text": None}, 422, "text_missing", "text"),
    ({"text": "x" * 5_000}, 422, "text_too_long", "text"),
    ({"from": "twelve chars"}, 422, "sender_invalid", "from"),
    ({"lane": "express"}, 422, "lane_unknown", "lane"),
    ({"template": "welcome", "text": None}, 422, "template_unknown", "template"),
    ({"variables": {"name": "Ann"}}, 400, "bad_request", "variables"),
    ({"locale": "en"}, 400, "bad_request", "locale"),
    ({"send_at": "tomorrow"}, 422, "time_invalid", "send_at"),
    ({"send_at": "2026-01-31T09:00:00"}, 422, "time_invalid", "send_at"),
    ({"send_at": "2036-01-31T09:00:00Z"}, 422, "time_invalid", "send_at"),
    ({"deadline": "2026-01-01T09:00:00Z"}, 422, "time_invalid", "deadline"),
    ({"deadline": "2h"}, 422, "time_invalid", "deadline"),
    ({"deadline": "0s"}, 422, "time_invalid", "deadline"),
    ({"metadata": {"note": "x" * 1_024}}, 422, "metadata_too_large", "metadata"),
    ({"client_ref": ""}, 400, "bad_request", "client_ref"),
    ({"client_ref": "x" * 129}, 400, "bad_request", "client_ref"),
    ({"options": {"esm_class": 64}}, 403, "option_not_allowed", "options.esm_class"),
    ({"options": {"priority_flag": 900}}, 422, "option_invalid", "options.priority_flag"),
    ({"to": 447911123456}, 400, "bad_request", "to"),
    ({"receipt": "yes"}, 400, "bad_request", "receipt"),
    ({"metadata": [1]}, 400, "bad_request", "metadata"),
    ({"options": {"priority_flag": 1.5}}, 400, "bad_request", "options[...]"),
]


@pytest.mark.parametrize(("wrong", "status", "reason", "field"), REFUSALS, ids=lambda value: str(value)[:40])
async def test_a_refusal_names_the_reason_and_the_field(
    door: World, wrong: dict[str, Any], status: int, reason: str, field: str
) -> None:
    answer = await door.post({**HELLO, **wrong})
    problem = answer.json()
    assert (answer.status_code, problem["reason"], problem["field"]) == (status, reason, field)
    assert problem["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert await door.accepted() == 0


async def test_a_key_may_use_its_own_lanes_and_senders_only(door: World) -> None:
    answer = await door.post({**HELLO, "lane": "otp", "from": "Other"}, secret=SECRETS["OTHER"])
    assert (answer.status_code, answer.json()["reason"]) == (403, "lane_not_allowed")
    answer = await door.post({**HELLO, "from": "Shop"}, secret=SECRETS["OTHER"])
    assert (answer.status_code, answer.json()["field"]) == (422, "from")


async def test_the_defaults_are_the_keys_first_lane_sender_and_country(door: World) -> None:
    answer = await door.post({"to": "07911123456", "text": "Hello"})
    message = (await door.get(f"/v1/messages/{answer.json()['id']}")).json()
    assert (message["lane"], message["from"], message["to"]) == ("transactional", "Shop", NUMBER[1:])


async def test_everything_a_request_may_hold_comes_back_with_the_message(door: World) -> None:
    request = {
        **HELLO,
        "from": "Bakery",
        "lane": "promotional",
        "client_ref": "order-1",
        "send_at": "2026-02-02T10:00:00+01:00",
        "deadline": "90s",
        "metadata": {"order": 1, "note": "naïve 😀"},
        "receipt": False,
        "options": {"priority_flag": 1},
    }
    answer = await door.post(request)
    assert answer.status_code == 202
    message = (await door.get(f"/v1/messages/{answer.json()['id']}")).json()
    assert {name: message[name] for name in ("from", "lane", "client_ref", "status", "metadata")} == {
        "from": "Bakery",
        "lane": "promotional",
        "client_ref": "order-1",
        "status": "scheduled",
        "metadata": request["metadata"],
    }
    assert message["send_at"] == "2026-02-02T09:00:00.000Z"
    assert message["deadline"] == "2026-02-02T09:01:30.000Z"
    assert [event["event"] for event in message["events"]] == ["scheduled"]


async def test_the_text_of_a_message_is_not_shown_again(door: World) -> None:
    answer = await door.post({**HELLO, "text": "Your code is 482913"})
    shown = await door.get(f"/v1/messages/{answer.json()['id']}")
    assert "482913" not in shown.text
    assert "482913" not in (await door.get("/v1/messages")).text


async def test_the_text_is_shown_to_who_asks_for_it_and_may_read_it(door: World) -> None:
    sent = {"to": NUMBER, "from": "Other", "text": "Your code is 482913"}
    path = f"/v1/messages/{(await door.post(sent, secret=SECRETS['OTHER'])).json()['id']}?text=true"
    mine = await door.get(path, secret=SECRETS["OTHER"])
    assert (mine.json()["text"], mine.json()["text_gone"]) == ("Your code is 482913", None)
    assert (await door.get(path)).json()["text"] == "Your code is 482913"  # to an operator
    own = (await door.post(HELLO)).json()["id"]
    assert (await door.get(f"/v1/messages/{own}?text=true", secret=SECRETS["OTHER"])).status_code == 404
    assert (await door.get(f"/v1/messages/{own}?text=please")).status_code == 400


# --- back-pressure ---


async def test_a_full_lane_is_429_with_retry_after_and_other_lanes_are_open(tmp_path: Path) -> None:
    api = ApiConfig(listen="127.0.0.1:0", key=(attrs.evolve(SHOP, max_waiting=2), OTHER))
    async with world(config(tmp_path, api=api)) as door:
        assert (await door.post([HELLO, HELLO])).status_code == 202
        answer = await door.post(HELLO)
        assert (answer.status_code, answer.json()["reason"]) == (429, "queue_full")
        assert int(answer.headers["retry-after"]) >= 1
        assert "transactional" in answer.json()["detail"]
        assert (await door.post({**HELLO, "lane": "promotional"})).status_code == 202
        assert (await door.post({**HELLO, "from": "Other"}, secret=SECRETS["OTHER"])).status_code == 202


async def test_while_draining_nothing_new_is_taken_and_reading_goes_on(door: World) -> None:
    kept = (await door.post(HELLO)).json()["id"]
    door.connector.intake.draining = True
    answer = await door.post(HELLO)
    assert (answer.status_code, answer.json()["reason"]) == (503, "draining")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await door.get(f"/v1/messages/{kept}")).status_code == 200


async def test_on_a_nearly_full_disk_nothing_new_is_taken(tmp_path: Path) -> None:
    store = StoreConfig(path=str(tmp_path / "store.db"), min_free_mb=10**9)
    async with world(config(tmp_path, store=store)) as door:
        answer = await door.post(HELLO)
        assert (answer.status_code, answer.json()["reason"]) == (507, "disk_low")
        assert int(answer.headers["retry-after"]) >= 1
        assert (await door.get("/v1/messages")).status_code == 200


async def test_a_transaction_that_failed_is_503_and_promises_nothing(
    door: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: Any, **__: Any) -> Any:
        raise StoreError("the store refused: of /secret/path")

    monkeypatch.setattr(door.store, "append", failing)
    answer = await door.post(HELLO)
    assert (answer.status_code, answer.json()["reason"]) == (503, "store_failed")
    assert "/secret/path" not in answer.text
    monkeypatch.undo()
    assert await door.accepted() == 0
