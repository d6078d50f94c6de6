"""kill -9 at every named step and at any moment: nothing accepted is lost, nothing is sent twice without a doubt that
was on record before, every receipt and every subscriber's message that was acknowledged is kept, and the books balance.

The carrier's own ledger is the judge.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from tests.crash.bench import bench, judged
from tests.crash.matrix import DEATHS_AT_STEPS, at_any_moment, at_every_step

KILLS = int(os.environ.get("CARRIERLINE_KILLS", "20"))
SEED = int(os.environ.get("CARRIERLINE_SEED", "7"))


@pytest.mark.slow
async def test_a_kill_at_every_named_step_loses_nothing_and_doubles_nothing_unseen(tmp_path: Path) -> None:
    figures = await at_every_step(tmp_path, seed=SEED)
    assert figures.is_clean, figures
    assert figures.deaths == DEATHS_AT_STEPS
    assert figures.doubts
    assert figures.resent


@pytest.mark.slow
async def test_kills_at_any_moment_lose_nothing_and_double_nothing_unseen(tmp_path: Path) -> None:
    figures = await at_any_moment(tmp_path, kills=KILLS, seed=SEED)
    assert figures.is_clean, figures
    assert figures.deaths == KILLS
    assert figures.acknowledged
    assert figures.doubts


async def test_the_judge_misses_what_is_gone(tmp_path: Path) -> None:
    """The figures above are worth something only if a loss shows in them."""
    async with bench(tmp_path, SEED) as it:
        await it.die_at("after the write of deliver_sm_resp", at=10)
        await it.settle()
        assert judged(it).is_clean
        with closing(sqlite3.connect(tmp_path / "store.db")) as db, db:
            calm = _never_in_doubt(db)
            acknowledged = [entry for entry in it.smsc.ledger if entry.receipt_acknowledged_at is not None]
            told = [entry for entry in acknowledged if entry.destination_addr in calm][-1]
            _forget(db, told.destination_addr)
        it.smsc.ledger.accept([attrs.evolve(told, number=told.number + 1_000_000, message_id="again")])
        figures = judged(it)
    assert (figures.lost, figures.doubled, figures.unclaimed) == (1, 1, 2)
    assert figures.receipts_lost >= 1
    assert figures.subscribers_lost == 1
    assert (figures.told_twice, figures.never_told, figures.untold_parts) == (1, 1, 1)
    assert figures.problems


async def test_the_judge_sees_a_part_that_nobody_was_told_of(tmp_path: Path) -> None:
    async with bench(tmp_path, SEED) as it:
        await it.die_at("after the write of deliver_sm_resp", at=3)
        await it.settle()
        with closing(sqlite3.connect(tmp_path / "store.db")) as db, db:
            db.execute("UPDATE inbound SET message = NULL WHERE id = (SELECT max(id) FROM inbound)")
        figures = judged(it)
    assert (figures.told_twice, figures.never_told, figures.untold_parts) == (0, 0, 1)
    assert not figures.is_clean


def _never_in_doubt(db: sqlite3.Connection) -> set[str]:
    """Return the numbers of delivered messages of one part that the kill did not touch: twice is a double there."""
    found = db.execute(
        "SELECT to_addr FROM message JOIN part ON part.id >> 8 = message.id"
        " WHERE part.id & 255 = 0 AND part.status = 'delivered' AND history NOT LIKE '%lost%'"
    )
    return {number for (number,) in found}


def _forget(db: sqlite3.Connection, number: str) -> None:
    """Take away the receipt of the message to this number, one other message, and one subscriber's.

    Of two more from subscribers, the one is told in the place of the other, and a part of one is told no more.
    """
    [(message,)] = db.execute("SELECT id FROM message WHERE to_addr = ?", (number,))
    db.execute("UPDATE part SET history = replace(history, 'delivered', 'nothing') WHERE id >> 8 = ?", (message,))
    db.execute(
        "DELETE FROM message WHERE id = (SELECT id >> 8 FROM part WHERE status = 'delivered' AND doubts = 0"
        " AND id & 255 = 0 AND id >> 8 <> ? LIMIT 1)",
        (message,),
    )
    db.execute("DELETE FROM inbound WHERE text = 'mo 0'")
    db.execute("UPDATE inbound_message SET text = 'mo 1' WHERE id = (SELECT max(id) FROM inbound_message)")
    db.execute("UPDATE inbound SET message = NULL WHERE id = (SELECT max(id) FROM inbound)")
