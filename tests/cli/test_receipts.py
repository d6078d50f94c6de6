"""``carrierline receipts``: what is kept without a message, and why."""

import json
from pathlib import Path

from connector.lifecycle import Event
from connector.model import Receipt
from connector.store.sqlite import SqliteEngine
from tests.cli.calls import Caller


def kept(folder: Path, count: int = 3) -> Path:
    path = folder / "store.db"
    engine = SqliteEngine(path)
    engine.begin()
    said = [Receipt("north", (f"{n}",), 1_000.0, Event.DELIVERED, "447911123456", "DELIVRD") for n in range(count)]
    engine.results(said, owner=engine.owner, now=1_000.0)
    engine.commit()
    engine.close()
    return path


def test_each_receipt_without_a_message_is_listed_with_its_reason(carrierline: Caller, tmp_path: Path) -> None:
    found = carrierline("receipts", "--store", str(kept(tmp_path)), "--json")
    assert found.status == 0, found.err
    rows = [json.loads(line) for line in found.out.splitlines()]
    rows = rows[0] if isinstance(rows[0], list) else rows
    assert [(row["carrier"], row["carrier_message_ids"], row["reason"]) for row in rows] == [
        ("north", [f"{n}"], "unknown_id") for n in range(3)
    ]
    assert rows[0]["numbers"] == ["447911123456"]


def test_list_may_be_said_as_of_other_lists(carrierline: Caller, tmp_path: Path) -> None:
    store = str(kept(tmp_path))
    plain = carrierline("receipts", "--store", store)
    assert plain.status == 0
    assert carrierline("receipts", "list", "--store", store) == plain
    assert carrierline("receipts", "--store", store, "list") == plain
    assert carrierline("receipts", "show", "--store", store).status == 2


def test_the_next_page_begins_behind_the_last_one(carrierline: Caller, tmp_path: Path) -> None:
    store = str(kept(tmp_path))
    first = carrierline("receipts", "--store", store, "--limit", "2")
    assert "--after 2" in first.out + first.err
    second = carrierline("receipts", "--store", store, "--after", "2")
    assert "unknown_id" in second.out
    assert len(second.out.splitlines()) < len(first.out.splitlines())
