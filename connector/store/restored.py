"""A backup put in place of a store: what of it may have been sent since it was taken.

The rows of a backup are behind the carrier: a message that waits in it may have left an hour later.  So each such part
counts as attempted once more, by a carrier that nobody can name and with no answer: it is in doubt, and its lane
decides.
"""

import sqlite3
from collections.abc import Mapping
from typing import Final

from connector.lifecycle import Event, Status
from connector.model import DoubtPolicy, Moved
from connector.store.history import line
from connector.store.rules import policy_of
from connector.store.tally import Tally

BACKUP: Final = "backup_at"
"""The row of ``meta`` by which a file knows that it is a backup: the second at which it was taken."""
UNNAMED: Final = "?"
"""Carrier of the attempt that a later life of the original may have made."""

# what has its time still before it cannot have been sent
_WAITING = """
    SELECT part.id, part.status, attempt, deadline, doubts + 1, queue.lane
    FROM part JOIN queue ON queue.id = part.queue WHERE part.id IN (
        SELECT id FROM part INDEXED BY part_waiting WHERE status IN ('accepted', 'in_doubt') AND due_at IS NULL
            AND status = 'accepted'
        UNION ALL SELECT id FROM part INDEXED BY part_due WHERE due_at IS NOT NULL AND (status = 'accepted'
            OR status = 'scheduled' AND due_at <= :now)
        LIMIT :limit
    ) ORDER BY part.id
"""
_DOUBT = """
    UPDATE part SET status = 'in_doubt', due_at = ?, attempt = ?, doubts = ?, lost = ?, history = history || ?
    WHERE id = ?
"""


def was_due(status: Status, due_at: float | None, now: float) -> bool:
    """Tell whether a part that a backup has as waiting may have been sent since."""
    return status is Status.ACCEPTED or (status is Status.SCHEDULED and due_at is not None and due_at <= now)


def unsure_lines(status: Status, attempt: int, now: float) -> str:
    """Return what is added to the history of such a part: the attempt that may have been made, and its loss."""
    due = line(now, Event.DUE, None, attempt - 1, None) if status is Status.SCHEDULED else ""
    claimed = line(now, Event.CLAIMED, UNNAMED, attempt, None)
    return due + claimed + line(now, Event.LOST, UNNAMED, attempt, "restored from a backup")


def backup_at(db: sqlite3.Connection) -> float | None:
    """Return when the backup was taken that this file is; None if it is none."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (BACKUP,)).fetchone()
    return None if row is None else float(row[0])


def distrust(
    db: sqlite3.Connection, tally: Tally, limit: int, *, now: float, policies: Mapping[str, DoubtPolicy]
) -> list[Moved]:
    """Put up to ``limit`` parts that wait in doubt.  When there are none, the file is no backup any more."""
    rows = db.execute(_WAITING, {"now": now, "limit": limit}).fetchall()
    if not rows:
        db.execute("DELETE FROM meta WHERE name = ?", (BACKUP,))
    changes = []
    for part, status, attempt, deadline, doubts, lane in rows:
        due_at = policy_of(lane, policies).due_at(now, deadline, doubts)
        note = unsure_lines(Status(status), attempt + 1, now)
        changes.append((due_at, attempt + 1, doubts, attempt + 1, note, part))
        tally.moved([part], status, Status.IN_DOUBT)
        tally.attempted(submitted=1, doubted=1)
    db.executemany(_DOUBT, changes)
    return [Moved(row[0], Status.IN_DOUBT) for row in rows]
