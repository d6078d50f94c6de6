"""What does not stay, on SQLite: bodies after the end of their message, and rows by age.  Every step is small.

No index is kept for it, for that would cost every message.  Whose end is how long ago stands in the event log, in the
order in which it happened: a cursor for each lane walks along it.  Message ids grow with time, and so do those of
parked receipts, inbound messages and events: what is old is at the front.  So a step costs what it erases.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final

from connector.lifecycle import FINAL
from connector.model import Aged, Step, is_whole
from connector.store.tally import Tally, unpack_parts

IDS_LOOKED_AT: Final = 1_000
"""Other ids of parts read in a step: they stand in no order of time."""

EVENTS_LOOKED_AT: Final = 200
"""Rows of the event log read in a step, those of no interest included."""

WRONG_CLOCK_S: Final = 3_600.0
"""An end that lies further in the future was dated by a clock that was wrong: it counts as long past.

Nobody knows when it was.  Waiting for it would keep its text, and every one behind it, as long as the clock was out.
"""
PARTS_AT_ONCE: Final = 1_000
"""Rows of parts that a step erases at most, so that messages of very many parts do not hold the writer."""

_PLACE_BITS: Final = 20
"""A cursor is the number of an event row << 20 | how many of its parts were looked after."""

_ERASE_BODY = """
    UPDATE message SET text = NULL WHERE id = ? AND text IS NOT NULL
        AND queue IN (SELECT id FROM queue WHERE lane IN (SELECT value FROM json_each(?)))
        AND NOT EXISTS (SELECT 1 FROM part WHERE part.id BETWEEN message.id << 8 AND message.id << 8 | 255
            AND (part.finished_at IS NULL OR part.finished_at BETWEEN ? AND ?))
"""
_YOUNG = "SELECT 1 FROM part WHERE id = ? AND status = ? AND finished_at BETWEEN ? AND ?"
_OF_MESSAGES = "SELECT id, status, finished_at, carrier, key FROM part WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
_IDS = """
    SELECT carrier, key, part, sent_at, EXISTS (SELECT 1 FROM message WHERE message.id = other_id.part >> 8)
    FROM other_id WHERE (carrier, key, part) > (?, ?, ?)
    ORDER BY carrier, key, part LIMIT ?
"""
_FIRST = ("", "", -1)


class Retention:
    """The verbs that erase by age on one connection, inside a transaction that the caller opens and closes."""

    def __init__(self, db: sqlite3.Connection, tally: Tally) -> None:
        self._db = db
        self._tally = tally
        self._ids_after: tuple[str, str, int] = _FIRST
        """Where the walk along the other ids is; a new life begins anew."""
        self.ids_gone: list[tuple[str | None, str | None]] = []
        """(carrier, key) of the parts that the last step erased."""

    # --- bodies ---

    def erase_bodies(self, limit: int, before: Mapping[str, float], now: float | None = None) -> Step:
        """Erase texts of messages whose last part came to its end before the moment of their lane."""
        gone, more, left = 0, False, limit
        future = wrong_from(before, now)
        for (cursor, moment), lanes in self._walks(before).items():
            if left <= 0:
                more = True
                break
            parts, next_cursor, unfinished = self._page(cursor, left, (moment, future))
            messages = dict.fromkeys(part >> 8 for part in parts)
            rows = [(message, json.dumps(lanes), moment, future) for message in messages]
            gone += self._db.executemany(_ERASE_BODY, rows).rowcount if rows else 0
            if next_cursor != cursor:
                self._keep_cursors(lanes, next_cursor)
            left -= len(parts)
            more = more or unfinished
        return Step(gone, more)

    def _walks(self, before: Mapping[str, float]) -> dict[tuple[int, float], list[str]]:
        """Return the lanes by where they are in the event log and how far they may go.

        A lane that is not named any more keeps its bodies as long as any other.  A new one begins where the others are.
        """
        cursors = self._cursors()
        start, last = min(cursors.values(), default=0), min(before.values(), default=0.0)
        walks: dict[tuple[int, float], list[str]] = {}
        for (lane,) in self._db.execute("SELECT DISTINCT lane FROM queue ORDER BY lane").fetchall():
            if lane not in cursors:
                self._keep_cursors([lane], start)
            walks.setdefault((cursors.get(lane, start), before.get(lane, last)), []).append(lane)
        return walks

    def _cursors(self) -> dict[str, int]:
        rows = self._db.execute("SELECT substr(name, 8), value FROM meta WHERE name GLOB 'bodies:*'")
        return dict(rows.fetchall())

    def _keep_cursors(self, lanes: Iterable[str], cursor: int) -> None:
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", [(f"bodies:{it}", cursor) for it in lanes])

    def _page(self, cursor: int, limit: int, young: tuple[float, float]) -> tuple[list[int], int, bool]:
        """Return up to ``limit`` parts that came to an end, the cursor behind them, and whether there may be more.

        It stops at the first that ended in the time ``young``, between these two moments.
        """
        seq, place = cursor >> _PLACE_BITS, cursor & (1 << _PLACE_BITS) - 1
        rows = self._db.execute(
            "SELECT seq, at, status, parts FROM event WHERE seq >= ? ORDER BY seq LIMIT ?", (seq, EVENTS_LOOKED_AT)
        )
        found: list[int] = []
        looked = 0
        for number, at, status, packed in rows.fetchall():
            if young[0] <= at <= young[1]:
                return found, cursor, False
            place = place if number == seq else 0
            if status in FINAL:
                wanted = unpack_parts(packed)[place : place + limit - len(found)]
                parts = self._old_enough(wanted, status, young)
                found += parts
                if len(parts) < len(wanted):
                    return found, number << _PLACE_BITS | place + len(parts), False
                if len(found) >= limit:
                    return found, number << _PLACE_BITS | place + len(parts), True
            cursor, looked = number + 1 << _PLACE_BITS, looked + 1
        return found, cursor, looked == EVENTS_LOOKED_AT

    def _old_enough(self, parts: Sequence[int], status: str, young: tuple[float, float]) -> list[int]:
        """Return these up to the first whose end, of which an event tells, is too young.

        A part that moved on since does not count: it has an event further on.
        """
        execute = self._db.execute
        return list(takewhile(lambda part: execute(_YOUNG, (part, status, *young)).fetchone() is None, parts))

    # --- messages ---

    def forget_messages(self, limit: int, after: int, until: int, before: float) -> Step:
        """Erase messages between these ids whose parts all came to their end before a moment.

        The counters of what was accepted and of what became of it stay; ``gone:`` counts what has no rows any more.
        """
        rows = self._db.execute(
            "SELECT id, status FROM message WHERE id > ? AND id < ? ORDER BY id LIMIT ?", (after, until, limit)
        ).fetchall()
        if not rows:
            return Step(0, more=False, after=after)
        span = rows[0][0] << 8, rows[-1][0] << 8 | 255
        parts = self._db.execute(_OF_MESSAGES, (*span, PARTS_AT_ONCE + 1)).fetchall()
        cut = len(parts) > PARTS_AT_ONCE
        if cut:
            last = parts[-1][0] >> 8  # not all of its parts are here: it is the next step's
            rows = [row for row in rows if row[0] < last]
            parts = [part for part in parts if part[0] >> 8 < last]
        stay = {part >> 8 for part, _, finished_at, *_ in parts if finished_at is None or finished_at >= before}
        old = [(message, status) for message, status in rows if message not in stay]
        gone = [part for part in parts if part[0] >> 8 not in stay]
        self._db.executemany("DELETE FROM message WHERE id = ?", [(message,) for message, _ in old])
        self._db.executemany("DELETE FROM part WHERE id = ?", [(part[0],) for part in gone])
        self._count_gone([status for _, status in old], gone)
        self.ids_gone = [(carrier, key) for *_, carrier, key in gone]
        return Step(len(old), cut or len(rows) == limit, rows[-1][0])

    def _count_gone(self, split: Sequence[str | None], parts: Sequence[Any]) -> None:
        counters = self._tally.counters
        counters["gone:messages"] += len(split)
        counters["gone:parts"] += len(parts)
        for status in split:
            if status is not None:
                counters[f"gone:m:{status}"] += 1
        for part, status, *_ in parts:
            counters[f"gone:p:{status}"] += 1
            if is_whole(part):
                counters[f"gone:m:{status}"] += 1

    # --- what goes by its age alone ---

    def forget(self, kind: Aged, limit: int, before: float) -> Step:
        """Erase the oldest rows of a kind, as far as they are older than ``before``."""
        if kind is Aged.OTHER_IDS:
            return self._other_ids(limit, before)
        gone = _FORGET[kind](self, limit, before)
        return Step(gone, gone == limit)

    def _receipts(self, limit: int, before: float) -> int:
        rows = self._db.execute("SELECT id, at FROM parked ORDER BY id LIMIT ?", (limit,)).fetchall()
        old = [parked for parked, at in rows if at < before]
        self.erase_receipts(old)
        self._tally.counters["parked_gone"] += len(old)
        return len(old)

    def erase_receipts(self, ids: Sequence[int]) -> None:
        """Erase these parked receipts, with all that they are found by."""
        rows = [(parked,) for parked in ids]
        self._db.executemany("DELETE FROM parked_key WHERE parked = ?", rows)
        self._tally.counters["parked"] -= self._db.executemany("DELETE FROM parked WHERE id = ?", rows).rowcount

    def _inbound_parts(self, limit: int, before: float) -> int:
        rows = self._db.execute("SELECT id, at, message FROM inbound ORDER BY id LIMIT ?", (limit,)).fetchall()
        return self._delete("inbound", [part for part, at, message in rows if at < before and message is not None])

    def _inbound(self, limit: int, before: float) -> int:
        rows = self._db.execute("SELECT id, at FROM inbound_message ORDER BY id LIMIT ?", (limit,)).fetchall()
        return self._delete("inbound_message", [message for message, at in rows if at < before])

    def _delete(self, table: str, ids: Sequence[int]) -> int:
        self._db.executemany(f"DELETE FROM {table} WHERE id = ?", [(identity,) for identity in ids])  # noqa: S608 - names of our own
        return len(ids)

    def _events(self, limit: int, before: float) -> int:
        """Erase events that every lane's cursor has passed: the bodies are found by them.

        Only the first ones, as far as they are old: a clock that was set between two lives dates them in disorder, and
        what is left must end as it ended.
        """
        floor = min(self._cursors().values(), default=0) >> _PLACE_BITS
        rows = self._db.execute(
            "SELECT seq, at FROM event WHERE seq < ? ORDER BY seq LIMIT ?", (floor, limit)
        ).fetchall()
        newest = self._db.execute("SELECT at FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        old = [(seq,) for seq, _ in takewhile(lambda row: is_aged(row[1], before, newest[0]), rows)]
        self._db.executemany("DELETE FROM event WHERE seq = ?", old)
        return len(old)

    def _other_ids(self, limit: int, before: float) -> Step:
        """Erase old ones of messages that are gone, among the next few.

        A look goes on as long as it finds some, and the next one from there.
        """
        rows = self._db.execute(_IDS, (*self._ids_after, IDS_LOOKED_AT)).fetchall()
        old = [row[:3] for row in rows if row[3] < before and not row[4]][:limit]
        self._db.executemany("DELETE FROM other_id WHERE (carrier, key, part) = (?, ?, ?)", old)
        if len(old) == limit:
            return Step(limit, more=True)
        page_is_full = len(rows) == IDS_LOOKED_AT
        self._ids_after = rows[-1][:3] if page_is_full else _FIRST
        return Step(len(old), more=page_is_full and bool(old))


def is_aged(at: float, before: float, newest: float) -> bool:
    """Tell whether an event is old: a date that lies so far ahead of the newest one's is a wrong clock's."""
    return at < before or at > newest + WRONG_CLOCK_S


def wrong_from(before: Mapping[str, float], now: float | None) -> float:
    """Return the moment behind which a time can only be wrong."""
    return WRONG_CLOCK_S + (max(before.values(), default=0.0) if now is None else now)


_FORGET: Final = {
    Aged.RECEIPTS: Retention._receipts,
    Aged.INBOUND_PARTS: Retention._inbound_parts,
    Aged.INBOUND: Retention._inbound,
    Aged.EVENTS: Retention._events,
}
