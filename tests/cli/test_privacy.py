"""carrierline erase, export and backup, straight on a store's file."""

import json
from pathlib import Path

from connector.model import format_id
from connector.store.sqlite import SqliteEngine
from tests.cli.calls import Caller
from tests.store.world import NUMBER, World, message, receipt


def filled(path: Path, *, live: bool = False) -> Path:
    """A store with two messages to a number at their end."""
    world = World(SqliteEngine(path), lambda engine: engine)
    for number in (5, 6):
        world.sent(number, str(number))
        world.results(receipt(str(number)))
    if live:
        world.waiting(message(7))
    world.engine.close()
    return path


def test_a_number_is_shown_erased_and_still_traced(carrierline: Caller, tmp_path: Path) -> None:
    store = str(filled(tmp_path / "store.db"))
    shown = [json.loads(line) for line in carrierline("export", f"+{NUMBER}", "--store", store).out.splitlines()]
    assert [row["text"] for row in shown] == ["your code is 1234"] * 2
    done = carrierline("erase", f"+{NUMBER}", "--store", store)
    assert (done.status, done.out.splitlines()[0]) == (0, "erased: 2 messages, 0 parked receipts, 0 inbound rows")
    assert carrierline("export", f"+{NUMBER}", "--store", store).out == ""
    found = json.loads(carrierline("messages", "list", "--to", f"+{NUMBER}", "--json", "--store", store).out)
    assert [row["status"] for row in found] == ["delivered", "delivered"]
    assert NUMBER not in str(found)
    assert json.loads(carrierline("verify", "--json", "--store", store).out)["ok"]


def test_what_is_under_way_is_told_with_the_exit_status(carrierline: Caller, tmp_path: Path) -> None:
    store = str(filled(tmp_path / "store.db", live=True))
    done = carrierline("erase", NUMBER, "--store", store)
    assert done.status == 1
    assert "1 message under way: erase again when it has come to its end" in done.out
    assert done.out.splitlines()[2] == format_id(7)


def test_messages_under_way_are_many_and_ten_are_named(carrierline: Caller, tmp_path: Path) -> None:
    world = World(SqliteEngine(tmp_path / "store.db"), lambda engine: engine)
    world.waiting(*(message(number) for number in range(1, 13)))
    world.results(receipt("none"))
    world.engine.close()
    _, way, ids, left = carrierline("erase", NUMBER, "--store", str(tmp_path / "store.db")).out.splitlines()
    assert way == "12 messages under way: erase again when they have come to their end"
    assert ids.split() == [*(format_id(number) for number in range(1, 11)), "..."]
    assert left.startswith("1 parked receipt left")


def test_what_is_no_number_is_a_wrong_call(carrierline: Caller, tmp_path: Path) -> None:
    store = str(filled(tmp_path / "store.db"))
    assert carrierline("erase", "Ann", "--store", store).status == 2
    assert carrierline("export", "Ann", "--store", store).status == 2


def test_a_store_that_a_connector_has_is_erased_from_through_it(carrierline: Caller, tmp_path: Path) -> None:
    world = World(SqliteEngine(tmp_path / "store.db"), lambda engine: engine)
    done = carrierline("erase", NUMBER, "--store", str(tmp_path / "store.db"))
    world.engine.close()
    assert done.status == 1
    assert "another connector is running" in done.err


def test_a_backup_is_a_store_that_balances(carrierline: Caller, tmp_path: Path) -> None:
    store = str(filled(tmp_path / "store.db"))
    target = str(tmp_path / "copy.db")
    done = carrierline("backup", target, "--store", store)
    assert (done.status, done.out.splitlines()[-1]) == (0, "the copy is whole, its ledger balances")
    again = carrierline("backup", target, "--store", store)
    assert (again.status, "is there already" in again.err) == (1, True)
    found = json.loads(carrierline("verify", "--json", "--store", target).out)
    assert (found["ok"], found["accepted"]) == (True, 2)


def test_a_backup_of_two_paths_is_told_how_a_store_is_named(carrierline: Caller, tmp_path: Path) -> None:
    store, target = str(filled(tmp_path / "store.db")), str(tmp_path / "copy.db")
    done = carrierline("backup", store, target)
    assert done.status == 2
    assert f"backup {target} --store {store}" in done.err


def test_a_backup_needs_a_store(carrierline: Caller, tmp_path: Path) -> None:
    assert carrierline("backup", str(tmp_path / "copy.db")).status == 2
