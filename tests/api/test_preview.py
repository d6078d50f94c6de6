"""POST /v1/messages/preview: the same body as sending, an answer for each row, and nothing kept."""

from pathlib import Path
from typing import Any

import attrs
import httpx2
import trio

from connector.api import app as api
from connector.app import Connector
from connector.config import RouteConfig
from connector.pipeline.door import Door
from connector.pipeline.preview import CarrierOutlook, Present
from connector.reload import read_secrets
from tests.api.world import NUMBER, SECRETS, World, config, world

HELLO = {"to": NUMBER, "text": "Hello"}


async def ask(door: World, content: Any, *, secret: str | None = SECRETS["SHOP"]) -> httpx2.Response:
    async with door.caller(secret) as caller:
        return await caller.post("/v1/messages/preview", json=content)


async def test_one_message_gets_one_answer(door: World) -> None:
    answer = await ask(door, {"to": "07911 123456", "text": "x" * 200})
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["status"], shown["reason"], shown["to"], shown["parts"]) == ("accepted", None, NUMBER[1:], 2)
    assert (shown["from"], shown["from_given_by"], shown["lane"]) == ("Shop", "key", "transactional")
    assert shown["leaves_at"].startswith("2026-01-31T09:00:")
    assert shown["deadline"] == shown["leaves_at"].replace("T09", "T10")
    assert shown["route"] == "default"
    (north,) = shown["carriers"]
    assert (north["name"], north["price"], north["cost"]) == ("north", None, None)
    assert shown["rules"] == [{"rule": "default", "fits": True, "why_not": None}]
    assert all(check["passed"] for check in shown["checks"])


async def test_a_refusal_is_an_answer_too(door: World) -> None:
    answer = await ask(door, {**HELLO, "to": "12"})
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["status"], shown["reason"], shown["field"]) == ("refused", "number_invalid", "to")
    assert shown["checks"][-1] == {"name": "number", "passed": False, "detail": shown["detail"]}


async def test_a_list_gets_an_answer_for_each_row_even_for_one_that_is_no_message(door: World) -> None:
    answer = await ask(door, [HELLO, {"text": "no number"}, "a string", {**HELLO, "lane": "express"}])
    assert answer.status_code == 200
    body = answer.json()
    assert (body["accepted"], body["refused"]) == (1, 3)
    assert [(each["row"], each["reason"]) for each in body["previews"]] == [
        (0, None),
        (1, "bad_request"),
        (2, "bad_request"),
        (3, "lane_unknown"),
    ]


async def test_what_sending_answers_a_preview_said_before(door: World) -> None:
    rows = [HELLO, {"to": "12", "text": "x"}, {**HELLO, "from": "much too long a name"}, {**HELLO, "options": {"x": 1}}]
    said = (await ask(door, rows)).json()["previews"]
    done = (await door.post(rows)).json()["verdicts"]
    names = ("status", "reason", "field", "detail")
    assert [[row.get(name) for name in names] for row in said] == [[row.get(name) for name in names] for row in done]


async def _at_rest(connector: Connector) -> None:
    """Wait until the start has written what it writes."""
    with trio.fail_after(10):
        while not (await connector._store.facts()).get("routes") or connector.statistics().store.waiting:  # noqa: ASYNC110 - the store tells nobody
            await trio.sleep(0.01)


async def test_nothing_is_written(door: World) -> None:
    connector = door.connector
    await _at_rest(connector)
    before = (
        await connector.queries.ledger(),
        dict(connector.intake.counts),
        {queue.id: queue.waiting for queue in connector._routing.lanes.queues()},
        dict(connector._routing.queue_ids),
        dict(connector._references._newest),
        attrs.evolve(connector.statistics().store, last_commit_s=0.0),
    )
    await ask(door, [{**HELLO, "text": "x" * 200, "client_ref": "order-1"}] * 100)
    await ask(door, {**HELLO, "to": "12"})
    after = (
        await connector.queries.ledger(),
        dict(connector.intake.counts),
        {queue.id: queue.waiting for queue in connector._routing.lanes.queues()},
        dict(connector._routing.queue_ids),
        dict(connector._references._newest),
        attrs.evolve(connector.statistics().store, last_commit_s=0.0),
    )
    assert after == before
    assert (await door.post({**HELLO, "client_ref": "order-1"})).status_code == 202


async def test_a_thousand_rows_are_previewed_and_one_more_is_too_many(door: World) -> None:
    assert (await ask(door, [HELLO] * 1_000)).json()["accepted"] == 1_000
    answer = await ask(door, [HELLO] * 1_001)
    assert (answer.status_code, answer.json()["reason"]) == (413, "too_many_rows")


async def test_it_wants_a_key_and_knows_what_that_may_do(door: World) -> None:
    assert (await ask(door, HELLO, secret=None)).status_code == 401
    shown = (await ask(door, {**HELLO, "lane": "otp"}, secret=SECRETS["OTHER"])).json()
    assert (shown["status"], shown["reason"]) == ("refused", "lane_not_allowed")


async def test_a_list_without_a_row_is_refused(door: World) -> None:
    answer = await ask(door, [])
    assert (answer.status_code, answer.json()["reason"]) == (400, "bad_request")


async def test_broken_json_is_no_row(door: World) -> None:
    async with door.caller() as caller:
        answer = await caller.post("/v1/messages/preview", content=b'{"to": ')
    assert answer.status_code == 400


async def test_only_posting_previews(door: World) -> None:
    assert (await door.get("/v1/messages/preview")).status_code in (404, 405)


async def test_how_the_carriers_fare_now_is_shown(tmp_path: Path) -> None:
    settings = config(tmp_path)
    outlook = CarrierOutlook(bound=True, suspended=True, state="reduced", share=0.5, text="an operator")
    async with world(settings) as opened:
        door: Door = attrs.evolve(opened.connector.door(), present=Present(outlook=lambda *_: outlook))
        keys = [(key, key.read_secret(SECRETS)) for key in settings.api.key]
        shown = (await ask(attrs.evolve(opened, asgi=api.Application(door, settings.api, keys)), HELLO)).json()
    assert shown["carriers"] == [
        {
            "name": "north",
            "price": None,
            "cost": None,
            "passed_over": "it is suspended",
            "present": {"bound": True, "suspended": True, "state": "reduced", "share": 0.5, "text": "an operator"},
        }
    ]


async def test_a_reload_changes_what_is_previewed(tmp_path: Path) -> None:
    settings = config(tmp_path)
    async with world(settings) as opened:
        assert (await ask(opened, HELLO)).json()["route"] == "default"
        route = RouteConfig(name="abroad", carriers=("north",), countries=("FR",))
        connector = opened.connector
        await connector.apply(attrs.evolve(settings, route=(route,)), read_secrets(settings, SECRETS))
        assert (await ask(opened, HELLO)).json()["reason"] == "no_route"
