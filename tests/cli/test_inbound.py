"""carrierline inbound, from a connector and straight from a store."""

import json
from pathlib import Path
from typing import Any

import pytest

from connector.client import Client
from connector.errors import ApiError
from connector.model import Inbound, InboundMessage, format_id
from connector.store.sqlite import SqliteEngine
from tests.cli.calls import Caller
from tests.store.world import NUMBER, World


def message(identity: int, part: int, **changes: Any) -> InboundMessage:
    given: dict[str, Any] = {"carrier": "north", "at": 1_020.0, "sender": NUMBER, "to": "60300", "text": "STOP"}
    return InboundMessage(id=identity, parts=(part,), **given | changes)


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store with a message of the shop, one of nobody that lacks parts, and octets."""
    world = World(SqliteEngine(tmp_path / "store.db"), lambda engine: engine)
    said = Inbound("north", 1_020.0, NUMBER, "60300", "STOP", b"STOP", 0, 0)
    world.results(said, said, said)
    told = [
        message(70, 1, api_key="shop", matched="rule stop"),
        message(71, 2, text="hel\x1blo", total=3, missing=(2, 3)),
        message(72, 3, text="", data=b"\0\1", alphabet="binary", sender="447700900456"),
    ]
    world.transaction(lambda: world.engine.tell(told, []))
    world.engine.close()
    return str(tmp_path / "store.db")


def test_the_list_says_whose_a_message_is_and_what_it_lacks(carrierline: Caller, store: str) -> None:
    lines = carrierline("inbound", "list", "--store", store).out.splitlines()
    assert lines[0].split() == ["id", "at", "from", "to", "carrier", "parts", "api_key", "matched", "text"]
    assert [line.split()[0] for line in lines[1:]] == [format_id(72), format_id(71), format_id(70)]
    assert lines[1].endswith("(2 octets)")
    assert "1 of 3" in lines[2]
    assert lines[2].endswith("hel\ufffdlo")
    assert lines[3].endswith("1       shop     rule stop  STOP")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--unmatched"], [72, 71]),
        (["--from", "+447700900456"], [72]),
        (["--to", "60301"], []),
        (["--after", "0", "--limit", "2"], [70, 71]),
        (["--before", format_id(71)], [70]),
    ],
)
def test_the_list_is_narrowed(options: list[str], found: list[int], carrierline: Caller, store: str) -> None:
    told = json.loads(carrierline("inbound", "list", "--json", "--store", store, *options).out)
    assert [message["id"] for message in told] == [format_id(identity) for identity in found]


def test_a_full_page_says_how_to_turn_it(carrierline: Caller, store: str) -> None:
    assert f"--before {format_id(71)}" in carrierline("inbound", "list", "--store", store, "--limit", "2").err
    ended = carrierline("inbound", "list", "--store", store, "--limit", "2", "--after", "0")
    assert f"--after {format_id(71)}" in ended.err


def test_one_message_is_shown_whole(carrierline: Caller, store: str) -> None:
    out = carrierline("inbound", "show", format_id(71), "--store", store).out
    assert "missing              [2, 3]\n" in out
    assert "partial              true\n" in out
    assert "api_key" not in out
    assert json.loads(carrierline("inbound", "show", format_id(72), "--store", store, "--json").out)["data"] == "0001"


def test_what_is_not_there_is_said_in_a_line(carrierline: Caller, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = carrierline("inbound", "show", "xyz", "--store", store)
    assert (ended.status, ended.err) == (1, "carrierline: there is no inbound message xyz\n")

    async def refuse(self: Client, message_id: str) -> dict[str, Any]:
        raise ApiError(404, "id: there is no message with this id")

    monkeypatch.setattr(Client, "inbound_message", refuse)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")
    ended = carrierline("inbound", "show", "xyz")
    assert (ended.status, ended.err) == (1, "carrierline: there is no inbound message xyz\n")


def test_a_filter_that_makes_no_sense_is_a_wrong_call(
    carrierline: Caller, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert carrierline("inbound", "list", "--store", store, "--before", "yesterday").status == 2

    async def refuse(self: Client, **filters: str) -> dict[str, Any]:
        assert filters == {"limit": "100", "before": "yesterday"}
        raise ApiError(400, "before: before is the id of an inbound message")

    monkeypatch.setattr(Client, "inbound", refuse)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")
    assert carrierline("inbound", "list", "--before", "yesterday").status == 2


def test_a_connector_is_asked_with_the_same_filters(carrierline: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(self: Client, **filters: str) -> dict[str, Any]:
        return {"inbound": [{"asked": filters}], "next": None}

    monkeypatch.setattr(Client, "inbound", answer)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")
    told = json.loads(carrierline("inbound", "list", "--json", "--from", "1", "--to", "2", "--unmatched").out)
    assert told == [{"asked": {"to": "2", "from": "1", "limit": "100", "unmatched": "true"}}]
