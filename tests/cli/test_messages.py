"""carrierline messages, straight from a store."""

import json
from pathlib import Path
from typing import Any

import pytest

from connector.client import Client
from connector.errors import ApiError
from connector.lifecycle import Event
from connector.model import format_id
from connector.store.sqlite import SqliteEngine
from tests.cli.calls import Caller
from tests.store.world import World, receipt


def filled(path: Path) -> Path:
    """A store with a message that failed for now, one that failed for good, and one that was delivered."""
    world = World(SqliteEngine(path), lambda engine: engine)
    for number in (5, 6, 7):
        world.sent(number, str(number))
    world.results(
        receipt("5", event=Event.UNDELIVERED, detail="UNDELIV 027", reason="absent_subscriber", temporary=True),
        receipt("6", event=Event.UNDELIVERED, detail="UNDELIV 001", reason="unknown_subscriber", temporary=False),
        receipt("7", done_at=1_015.0),
    )
    world.engine.close()
    return path


def test_the_list_says_why_a_message_failed_and_whether_it_may_pass_later(carrierline: Caller, tmp_path: Path) -> None:
    store = filled(tmp_path / "store.db")
    lines = carrierline("messages", "list", "--store", str(store)).out.splitlines()
    by_id = {line.split()[0]: line for line in lines[1:]}
    assert by_id[format_id(5)].rstrip().endswith("absent_subscriber (temporary)")
    assert by_id[format_id(6)].rstrip().endswith("unknown_subscriber")
    assert by_id[format_id(7)].rstrip().endswith("north")


def test_one_message_shows_the_reason_and_the_carrier_s_own_words(carrierline: Caller, tmp_path: Path) -> None:
    store = filled(tmp_path / "store.db")
    out = carrierline("messages", "show", format_id(5), "--store", str(store)).out
    assert "absent_subscriber\n" in out
    assert "temporary            true\n" in out
    assert "UNDELIV 027: absent_subscriber, temporary" in out


def test_json_has_the_reason_as_one_word(carrierline: Caller, tmp_path: Path) -> None:
    store = filled(tmp_path / "store.db")
    found = json.loads(carrierline("messages", "list", "--json", "--store", str(store)).out)
    said = [(message["reason"], message["temporary"], message["done_at"]) for message in found]
    assert said == [
        (None, None, "1970-01-01T00:16:55.000Z"),
        ("unknown_subscriber", False, None),
        ("absent_subscriber", True, None),
    ]


def cancelled(monkeypatch: pytest.MonkeyPatch, **told: Any) -> None:
    """Let a connector answer this to a cancel."""
    answer = {"id": "abc", "status": "cancelled", "parts": 1, "cancelled": 1, "already_out": 0, "recalled": 0}

    async def cancel(self: Client, message_id: str) -> dict[str, Any]:
        assert message_id == "abc"
        return {**answer, "carriers": [], **told}

    monkeypatch.setattr(Client, "cancel", cancel)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")


def test_a_cancel_says_how_much_was_taken_back(carrierline: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled(monkeypatch)
    assert carrierline("messages", "cancel", "abc").out == "abc is cancelled: 1 of 1 part cancelled\n"
    heard = [{"part": 1, "carrier": "north", "said": "ESME_ROK"}, {"part": 2, "carrier": "north", "said": "no_answer"}]
    cancelled(monkeypatch, status="sent", parts=3, cancelled=2, already_out=1, recalled=1, carriers=heard)
    assert carrierline("messages", "cancel", "abc").out.splitlines() == [
        "abc is sent: 2 of 3 parts cancelled, 1 given back by the carrier, 1 had left",
        "  part 1, carrier north: ESME_ROK",
        "  part 2, carrier north: no_answer",
    ]
    assert json.loads(carrierline("messages", "cancel", "abc", "--json").out)["recalled"] == 1


def test_a_cancel_that_comes_too_late_is_exit_status_1(carrierline: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cancel(self: Client, message_id: str) -> dict[str, Any]:
        raise ApiError(409, "nothing of it can be taken back: it is delivered")

    monkeypatch.setattr(Client, "cancel", cancel)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")
    ended = carrierline("messages", "cancel", "abc")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.count("\n") == 1
    assert "it is delivered" in ended.err
