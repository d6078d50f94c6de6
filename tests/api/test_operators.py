"""What only an operator's key may do: look at the whole connector, and steer it."""

from typing import Any

import attrs
import pytest

from connector.errors import ConfigError, StoreBroken
from connector.model import Ledger, SendRequest
from connector.pipeline.door import Reloaded
from connector.pipeline.notices import Kind
from tests.api.world import NUMBER, SECRETS, World

DOORS = [
    ("GET", "/v1/status"),
    ("GET", "/v1/verify"),
    ("GET", "/v1/receipts"),
    ("POST", "/v1/reload"),
    ("POST", "/v1/privacy/export"),
    ("POST", "/v1/privacy/erase"),
    ("POST", "/v1/carriers/north/suspend"),
    ("POST", "/v1/carriers/north/resume"),
]


async def ask(door: World, method: str, path: str, secret: str | None = SECRETS["SHOP"]) -> Any:
    async with door.caller(secret) as caller:
        return await caller.request(method, path)


@pytest.mark.parametrize(("method", "path"), DOORS)
async def test_a_key_that_is_not_an_operators_may_not(door: World, method: str, path: str) -> None:
    answer = await ask(door, method, path, SECRETS["OTHER"])
    assert (answer.status_code, answer.json()["reason"]) == (403, "not_an_operator")
    assert not door.connector.carriers["north"].suspended


@pytest.mark.parametrize(("method", "path"), DOORS)
async def test_without_a_key_nobody_may(door: World, method: str, path: str) -> None:
    answer = await ask(door, method, path, None)
    assert (answer.status_code, answer.json()["reason"]) == (401, "not_authenticated")


@pytest.mark.parametrize("path", [path for method, path in DOORS if method == "POST"])
async def test_what_changes_something_is_not_done_by_looking(door: World, path: str) -> None:
    assert (await ask(door, "GET", path)).status_code == 405


async def test_a_key_is_told_whether_it_is_an_operators(door: World) -> None:
    assert (await door.get("/v1/key")).json()["operator"] is True
    assert (await door.get("/v1/key", secret=SECRETS["OTHER"])).json()["operator"] is False


async def test_status_shows_carriers_binds_lanes_and_what_limits(door: World) -> None:
    await door.post({"to": NUMBER, "text": "Hello"})
    status = (await door.get("/v1/status")).json()
    (carrier,) = status["carriers"]
    assert (carrier["name"], carrier["state"], carrier["bound"]) == ("north", "down", 0)
    assert (carrier["rate_per_s"], carrier["contract_per_s"], carrier["waiting"]) == (None, None, 1)
    assert carrier["limited_by"]["cause"] == "unbound"
    assert carrier["limited_by"]["text"].startswith("no bind is up")
    (bind,) = carrier["binds"]
    assert (bind["name"], bind["host"], bind["window_used"]) == ("north/1", "127.0.0.1:1", 0)
    assert {lane["lane"]: lane["waiting"] for lane in status["lanes"]}["transactional"] == 1
    assert status["loop"].keys() == {"lag_s", "lag_max_s", "busy"}
    assert status["draining"] is False


async def test_status_counts_what_is_in_doubt_now(door: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await door.get("/v1/status")).json()["in_doubt"] == 0
    ledger = await door.store.ledger()

    async def doubting() -> Ledger:
        return attrs.evolve(ledger, parts={"in_doubt": 3, "sent": 9})

    monkeypatch.setattr(door.store, "ledger", doubting)
    assert (await door.get("/v1/status")).json()["in_doubt"] == 3


async def test_status_is_told_while_the_store_cannot_be_asked(door: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> Ledger:
        raise StoreBroken("the store cannot be read or written: disk I/O error")

    monkeypatch.setattr(door.store, "ledger", broken)
    answer = await door.get("/v1/status")
    assert (answer.status_code, answer.json()["in_doubt"], len(answer.json()["carriers"])) == (200, None, 1)


async def test_status_shows_how_healthy_each_carrier_is_and_each_country_that_differs(door: World) -> None:
    health = door.connector._routing.health
    at = door.connector._clock()
    (carrier,) = (await door.get("/v1/status")).json()["carriers"]
    assert (carrier["health"]["state"], carrier["health"]["share"], carrier["health"]["countries"]) == ("well", 1.0, [])
    for number in range(400):
        french = number % 2 == 0
        health.answered("north", "FR" if french else "GB", not french or number % 4 == 0, 0.2, at)
    for second in range(3):
        health.look(at + second)
    (carrier,) = (await door.get("/v1/status")).json()["carriers"]
    (french,) = carrier["health"]["countries"]
    assert french["country"] == "FR"
    assert 0 < french["share"] < 1
    assert french["text"].startswith("carrier north, country FR: ")
    assert french.keys() - {"country"} == carrier["health"].keys() - {"countries"}
    assert carrier["health"]["share"] == 1.0
    assert carrier["health"]["response_p50_s"] == pytest.approx(0.2, rel=0.1)


async def test_status_shows_the_latest_notices_as_many_as_are_asked_for(door: World) -> None:
    for number in range(30):
        door.connector.notices.give(Kind.HEALTH, f"it is {number}", 0.0, carrier="north", numbers={"samples": 1 / 3})
    notices = (await door.get("/v1/status")).json()["notices"]
    assert [notice["text"] for notice in notices] == [f"it is {number}" for number in range(10, 30)]
    assert notices[-1] == {
        "seq": 30,
        "at": "1970-01-01T00:00:00.000Z",
        "kind": "health",
        "carrier": "north",
        "country": None,
        "state": None,
        "reason": None,
        "text": "it is 29",
        "numbers": {"samples": 0.333333},
    }
    for count in (0, 1, 30):
        assert len((await door.get(f"/v1/status?notices={count}")).json()["notices"]) == count
    for bad in ("x", "-1", "501", "9" * 30, "%C2%B2"):
        answer = await door.get(f"/v1/status?notices={bad}")
        assert (answer.status_code, answer.json()["field"]) == (400, "notices")


async def test_no_secret_is_in_the_status(door: World) -> None:
    text = (await door.get("/v1/status")).text
    assert not any(secret in text for secret in SECRETS.values())


async def test_a_carrier_is_suspended_and_resumed(door: World) -> None:
    answer = await ask(door, "POST", "/v1/carriers/north/suspend")
    assert answer.json() == {"carrier": "north", "suspended": True, "already": False}
    again = await ask(door, "POST", "/v1/carriers/north/suspend")
    assert again.json() == {"carrier": "north", "suspended": True, "already": True}
    (ready,) = (await door.get("/ready")).json()["carriers"]
    assert (ready["state"], ready["suspended"], ready["draining"]) == ("suspended", True, False)
    status = (await door.get("/v1/status")).json()
    assert (status["carriers"][0]["state"], status["carriers"][0]["suspended"]) == ("suspended", True)
    answer = await ask(door, "POST", "/v1/carriers/north/resume")
    assert answer.json() == {"carrier": "north", "suspended": False, "already": False}
    assert not door.connector.carriers["north"].suspended


async def test_a_carrier_that_is_not_there_is_404_with_the_nearest_name(door: World) -> None:
    answer = await ask(door, "POST", "/v1/carriers/nort/suspend")
    assert (answer.status_code, answer.json()["field"]) == (404, "name")
    assert answer.json()["detail"] == 'there is no carrier "nort", did you mean "north"?'


async def test_a_reload_tells_what_changed(door: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def reload() -> Reloaded:
        return Reloaded(('carrier "south": added',), ("north",))

    monkeypatch.setattr(door.connector, "reload", reload)
    answer = await ask(door, "POST", "/v1/reload")
    assert answer.json() == {"changed": ['carrier "south": added'], "unchanged": ["north"]}


async def test_a_reload_that_cannot_be_is_422_with_every_problem(door: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def reload() -> Reloaded:
        raise ConfigError(["config.toml:3: one", "config.toml:9: two"])

    monkeypatch.setattr(door.connector, "reload", reload)
    answer = await ask(door, "POST", "/v1/reload")
    assert (answer.status_code, answer.json()["reason"]) == (422, "bad_configuration")
    assert answer.json()["problems"] == ["config.toml:3: one", "config.toml:9: two"]


async def test_keys_and_limits_change_while_the_door_is_open(door: World) -> None:
    settings = door.connector.config.api
    (shop, other) = settings.key
    secrets = [(shop, SECRETS["SHOP"]), (other, "rotated-secret")]
    assert door.asgi.rotated(secrets) == ["other"]
    door.asgi.change(attrs.evolve(settings, max_body_kb=1), secrets)
    assert (await door.get("/v1/key", secret=SECRETS["OTHER"])).status_code == 401
    assert (await door.get("/v1/key", secret="rotated-secret")).json()["name"] == "other"
    assert (await door.post({"to": NUMBER, "text": "x" * 2_000})).status_code == 413
    door.asgi.change(settings, secrets[1:])
    assert (await door.get("/v1/key")).status_code == 401


async def test_a_key_that_a_reload_took_away_while_its_request_was_read_is_refused_in_words(door: World) -> None:
    stranger = attrs.evolve(door.connector.config.api.key[0], name="stranger")
    [verdict] = await door.connector.send([SendRequest(to=NUMBER, text="x")], key=stranger)
    assert (verdict.accepted, verdict.reason, verdict.field) == (False, "no_route", "lane")


async def test_a_connector_without_a_file_says_so(door: World) -> None:
    answer = await ask(door, "POST", "/v1/reload")
    assert answer.json()["problems"] == ["this connector was not started from a file"]
