"""A backup put in place of a store: what of it may have been sent since it was taken.

The rows of a backup are behind the carrier: a message that waits in it may have left an hour later.  So each such part
counts as attempted once more, by a carrier that nobody can name and with no answer: it is in doubt, and its lane
decides.  That holds for what was in doubt already and was to be sent again, too: the original may have done so.

What was in doubt comes first, in the order of ids, and how far one has come is kept: afterwards it is in doubt as
before, and only so it is looked at once.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from connector.lifecycle import Event, Status
from connector.model import DoubtPolicy, Moved
from connector.store.history import line
from connector.store.rules import policy_of
from connector.store.tally import Tally

BACKUP: Final = "backup_at"
"""The row of ``meta`` by which a file knows that it is a backup: the second at which it was taken."""
DOUBTED_TO: Final = "doubted_to"
"""The row of ``meta`` that says up to which part what was in doubt when it was taken has been looked at."""
ALL_DOUBTED: Final = 2**63 - 1
"""Larger than any part's id."""
UNNAMED: Final = "?"
"""Carrier of the attempt that a later life of the original may have made."""

_Row = tuple[int, str, int, float, int, float | None, str]
"""Id, status, attempt, deadline, doubts, due_at and lane of a part."""

# what has its time still before it cannot have been sent
_WAITING = """
    SELECT part.id, part.status, attempt, deadline, doubts, due_at, queue.lane
    FROM part JOIN queue ON queue.id = part.queue WHERE part.id IN (
        SELECT id FROM part INDEXED BY part_waiting WHERE status IN ('accepted', 'in_doubt') AND due_at IS NULL
            AND status = 'accepted'
        UNION ALL SELECT id FROM part INDEXED BY part_due WHERE due_at IS NOT NULL AND (status = 'accepted'
            OR status = 'scheduled' AND due_at <= :now)
        LIMIT :limit
    ) ORDER BY part.id
"""
_UNANSWERED = """
    SELECT part.id, part.status, attempt, deadline, doubts, due_at, queue.lane
    FROM part INDEXED BY part_doubt JOIN queue ON queue.id = part.queue
    WHERE part.status = 'in_doubt' AND part.id > ? AND (due_at IS NULL OR due_at <= ?) ORDER BY part.id
"""
_DOUBT = """
    UPDATE part SET status = 'in_doubt', due_at = ?, attempt = ?, doubts = ?, lost = ?, history = history || ?
    WHERE id = ?
"""


def was_due(status: Status, due_at: float | None, now: float) -> bool:
    """Tell whether a part that a backup has as waiting may have been sent since."""
    return status is Status.ACCEPTED or (status is Status.SCHEDULED and due_at is not None and due_at <= now)


def was_resent(policy: DoubtPolicy, due_at: float | None, deadline: float, doubts: int, now: float) -> bool:
    """Tell whether a part that a backup has as in doubt may have been sent again since: it waited for that, or its time
    for that has come.  The end of patience sends nothing."""
    return due_at is None or (due_at <= now and policy.is_pending(due_at, deadline, doubts))


def unsure_lines(status: Status, due_at: float | None, attempt: int, now: float) -> str:
    """Return what is added to the history of such a part: the attempt that may have been made, and its loss."""
    was_put_off = status is Status.SCHEDULED or (status is Status.IN_DOUBT and due_at is not None)
    due = line(now, Event.DUE, None, attempt - 1, None) if was_put_off else ""
    claimed = line(now, Event.CLAIMED, UNNAMED, attempt, None)
    return due + claimed + line(now, Event.LOST, UNNAMED, attempt, "restored from a backup")


def backup_at(db: sqlite3.Connection) -> float | None:
    """Return when the backup was taken that this file is; None if it is none."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (BACKUP,)).fetchone()
    return None if row is None else float(row[0])


def distrust(
    db: sqlite3.Connection, tally: Tally, limit: int, *, now: float, policies: Mapping[str, DoubtPolicy]
) -> list[Moved]:
    """Put up to ``limit`` parts that wait in doubt, or in doubt once more.  When there are none, the file is no backup
    any more."""
    rows = _doubted(db, limit, now, policies)
    if len(rows) < limit:
        rows += db.execute(_WAITING, {"now": now, "limit": limit - len(rows)}).fetchall()
    if not rows:
        db.execute("DELETE FROM meta WHERE name IN (?, ?)", (BACKUP, DOUBTED_TO))
    changes = []
    for part, status, attempt, deadline, doubts, was_due_at, lane in rows:
        due_at = policy_of(lane, policies).due_at(now, deadline, doubts + 1)
        note = unsure_lines(Status(status), was_due_at, attempt + 1, now)
        changes.append((due_at, attempt + 1, doubts + 1, attempt + 1, note, part))
        tally.moved([part], status, Status.IN_DOUBT)
        tally.attempted(submitted=1, doubted=1)
    db.executemany(_DOUBT, changes)
    return [Moved(row[0], Status.IN_DOUBT) for row in rows]


def _doubted(db: sqlite3.Connection, limit: int, now: float, policies: Mapping[str, DoubtPolicy]) -> list[_Row]:
    """Return what was in doubt and may have been sent again, after what was returned before."""
    kept = db.execute("SELECT value FROM meta WHERE name = ?", (DOUBTED_TO,)).fetchone()
    rows: Iterator[_Row] = db.execute(_UNANSWERED, (0 if kept is None else kept[0], now))
    found = list(islice((row for row in rows if _resent(row, now, policies)), limit))
    doubted_to = found[-1][0] if len(found) == limit else ALL_DOUBTED
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (DOUBTED_TO, doubted_to))
    return found


def _resent(row: _Row, now: float, policies: Mapping[str, DoubtPolicy]) -> bool:
    _, _, _, deadline, doubts, due_at, lane = row
    return was_resent(policy_of(lane, policies), due_at, deadline, doubts, now)
