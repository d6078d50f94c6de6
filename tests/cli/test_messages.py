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
from tests.store.world import NUMBER, World, receipt


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


def test_the_text_is_printed_only_where_it_is_asked_for(carrierline: Caller, tmp_path: Path) -> None:
    store = str(filled(tmp_path / "store.db"))
    show = ("messages", "show", format_id(5), "--store", store)
    assert "1234" not in carrierline(*show).out
    assert "text                 your code is 1234\n" in carrierline(*show, "--text").out
    assert json.loads(carrierline(*show, "--text", "--json").out)["text"] == "your code is 1234"


def test_a_text_that_is_gone_is_said_to_be_and_why(carrierline: Caller, tmp_path: Path) -> None:
    path = filled(tmp_path / "store.db")
    show = ("messages", "show", format_id(5), "--text", "--store", str(path))
    engine = SqliteEngine(path)
    engine.begin()
    engine.erase_bodies(100, before={"otp": 9e9, "transactional": 9e9})
    engine.commit()
    engine.close()
    assert "text                 (not kept: keep_body of its lane is over)\n" in carrierline(*show).out
    carrierline("erase", NUMBER, "--store", str(path))
    assert "text                 (erased)\n" in carrierline(*show).out


def test_json_has_the_reason_as_one_word(carrierline: Caller, tmp_path: Path) -> None:
    store = filled(tmp_path / "store.db")
    found = json.loads(carrierline("messages", "list", "--json", "--store", str(store)).out)
    said = [(message["reason"], message["temporary"], message["done_at"]) for message in found]
    assert said == [
        (None, None, "1970-01-01T00:16:55.000Z"),
        ("unknown_subscriber", False, None),
        ("absent_subscriber", True, None),
    ]


def test_the_list_is_narrowed_to_an_api_key_at_either_door(
    carrierline: Caller, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = str(filled(tmp_path / "store.db"))
    found = json.loads(carrierline("messages", "list", "--json", "--api-key", "shop", "--store", store).out)
    assert [message["api_key"] for message in found] == ["shop"] * 3
    assert json.loads(carrierline("messages", "list", "--json", "--api-key", "other", "--store", store).out) == []

    async def answer(self: Client, **filters: str) -> dict[str, Any]:
        return {"messages": [{"asked": filters}], "next": None}

    monkeypatch.setattr(Client, "messages", answer)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")
    told = json.loads(carrierline("messages", "list", "--json", "--api-key", "other").out)
    assert told == [{"asked": {"api_key": "other", "limit": "100"}}]


def test_a_full_page_says_how_to_turn_it(carrierline: Caller, tmp_path: Path) -> None:
    store = str(filled(tmp_path / "store.db"))
    ended = carrierline("messages", "list", "--store", store, "--limit", "2")
    assert ended.err == f"there may be more: --before {format_id(6)} for the next page, or --limit 1000\n"
    assert carrierline("messages", "list", "--store", store).err == ""


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
        raise ApiError(409, "id: nothing of it can be taken back: it is delivered")

    monkeypatch.setattr(Client, "cancel", cancel)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")
    ended = carrierline("messages", "cancel", "abc")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == "carrierline: message abc: nothing of it can be taken back: it is delivered\n"


@pytest.mark.parametrize("verb", ["show", "cancel"])
def test_a_message_that_is_not_there_is_told_in_a_sentence(
    carrierline: Caller, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    async def unknown(self: Client, message_id: str, **_: object) -> dict[str, Any]:
        raise ApiError(404, "id: there is no message with this id")

    monkeypatch.setattr(Client, "message", unknown)
    monkeypatch.setattr(Client, "cancel", unknown)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")
    ended = carrierline("messages", verb, "abc")
    assert (ended.status, ended.out, ended.err) == (1, "", "carrierline: there is no message abc\n")


def test_a_store_without_the_message_says_the_same(carrierline: Caller, tmp_path: Path) -> None:
    ended = carrierline("messages", "show", "abc", "--store", str(filled(tmp_path / "store.db")))
    assert (ended.status, ended.out, ended.err) == (1, "", "carrierline: there is no message abc\n")


@pytest.mark.parametrize("verb", ["show", "cancel"])
def test_what_answers_and_is_no_connector_is_still_named(
    carrierline: Caller, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    async def other(self: Client, message_id: str, **_: object) -> dict[str, Any]:
        raise ApiError(404, "what answers at http://x is no connector (status 404)")

    monkeypatch.setattr(Client, "message", other)
    monkeypatch.setattr(Client, "cancel", other)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")
    ended = carrierline("messages", verb, "abc")
    assert (ended.status, "is no connector" in ended.err) == (1, True)


def test_a_filter_that_makes_no_sense_is_a_wrong_call_at_either_door(
    carrierline: Caller, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def refuse(self: Client, **filters: str) -> dict[str, Any]:
        raise ApiError(400, "status: there is no status 'x'")

    monkeypatch.setattr(Client, "messages", refuse)
    monkeypatch.setenv("CARRIERLINE_KEY", "key")
    store = str(filled(tmp_path / "store.db"))
    for door in ((), ("--store", store)):
        ended = carrierline("messages", "list", "--status", "x", *door)
        assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
