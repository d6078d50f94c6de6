"""The demo's figures, held against the carrier's own count."""

import json
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path

import pytest
import trio

from cli import demo
from cli.samples import CONTACTS, CONTACTS_SEMICOLONS
from connector.lifecycle import FINAL, Status, message_status
from connector.smpp.parts import parse_udh
from simulator.ledger import Ledger
from tests.stories.processes import command

FIGURES = {
    *("rows", "refused", "duplicates", "accepted", "delivered", "failed", "expired", "rejected", "cancelled"),
    *("unknown", "live", "in_doubt", "parts", "seconds", "messages_per_second", "ledger_balanced"),
}
FATES = {
    "DELIVRD": Status.DELIVERED,
    "UNDELIV": Status.FAILED,
    "EXPIRED": Status.EXPIRED,
    "REJECTD": Status.REJECTED,
    "UNKNOWN": Status.UNKNOWN,
}


def _fates_of_messages(ledger: Ledger) -> Counter[Status]:
    """Return what the carrier's book says of whole messages: parts are joined by number, reference and total."""
    messages: dict[tuple[object, ...], list[Status]] = defaultdict(list)
    for number, entry in enumerate(ledger):
        udh = parse_udh(entry.octets) if entry.pdu.esm_class & 0x40 else None
        joined = (entry.destination_addr, udh.reference, udh.total) if udh else (entry.destination_addr, -1, number)
        messages[joined].append(FATES[entry.state])
    return Counter(message_status(fates) for fates in messages.values())


async def test_every_figure_is_what_the_carrier_counted(tmp_path: Path) -> None:
    async with demo.running(tmp_path) as stage:
        sent = await demo.send(stage, demo.rounds(None, one_per_number=False), 300, quiet=True)
        await demo.wait_for_the_end(stage, sent, quiet=True)
        outcome = await demo.outcome_of(stage, sent, 1.0)
        ledger = stage.smsc.ledger
        counted = _fates_of_messages(ledger)
        figures = outcome.figures
        assert set(figures) == FIGURES
        assert figures["accepted"] == 300 == counted.total()
        assert {status: figures[status] for status in FINAL} == {status: counted[status] for status in FINAL}
        assert figures["parts"] == len(ledger)
        assert figures["rows"] == figures["refused"] + figures["duplicates"] + figures["accepted"]
        assert (figures["live"], figures["in_doubt"], figures["ledger_balanced"]) == (0, 0, True)
        assert outcome.good


async def test_the_balance_is_computed_from_the_store_not_from_the_figures(tmp_path: Path) -> None:
    async with demo.running(tmp_path) as stage:
        sent = await demo.send(stage, demo.rounds(None, one_per_number=False), 20, quiet=True)
        await demo.wait_for_the_end(stage, sent, quiet=True)
        await trio.to_thread.run_sync(_miscount, stage.store)
        outcome = await demo.outcome_of(stage, sent, 1.0)
        assert outcome.figures["ledger_balanced"] is False
        assert not outcome.good


def _miscount(store: Path) -> None:
    """Make the ledger claim a message that no row bears out."""
    with closing(sqlite3.connect(store)) as db, db:
        db.execute("UPDATE ledger SET n = n + 1 WHERE name = 'm:delivered'")


@pytest.mark.slow
@pytest.mark.parametrize("file", [CONTACTS, CONTACTS_SEMICOLONS], ids=["commas", "semicolons"])
async def test_both_sample_lists_end_balanced(file: Path) -> None:
    done = await command("demo", "--csv", str(file), "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    final = sum(figures[status] for status in FINAL)
    assert figures["rows"] == figures["refused"] + figures["duplicates"] + figures["accepted"]
    assert figures["accepted"] == final + figures["live"]
    assert (figures["live"], figures["ledger_balanced"]) == (0, True)
