"""What does not stay, on SQLite: bodies after the end of their message, and rows by age.  Every step is small.

No index is kept for it, for that would cost every message.  Whose end is how long ago stands in the event log, in the
order in which it happened: a cursor for each lane walks along it.  Message ids grow with time, and so do those of
parked receipts, inbound messages and events: what is old is at the front.  So a step costs what it erases.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from connector.lifecycle import FINAL
from connector.model import Aged, Step, is_whole
from connector.store.tally import Tally, unpack_parts

EVENTS_LOOKED_AT: Final = 200
"""Rows of the event log read in a step, those of no interest included."""

_PLACE_BITS: Final = 20
"""A cursor is the number of an event row << 20 | how many of its parts were looked after."""

_FINAL_WORDS = frozenset(str(status) for status in FINAL)
_ERASE_BODY = """
    UPDATE message SET text = NULL WHERE id = ? AND text IS NOT NULL
        AND queue IN (SELECT id FROM queue WHERE lane IN (SELECT value FROM json_each(?)))
        AND NOT EXISTS (SELECT 1 FROM part WHERE part.id BETWEEN message.id << 8 AND message.id << 8 | 255
            AND (part.finished_at IS NULL OR part.finished_at >= ?))
"""
_OF_MESSAGES = "SELECT id, status, finished_at, carrier, key FROM part WHERE id BETWEEN ? AND ?"
_OLD_IDS = """
    DELETE FROM other_id WHERE (carrier, key, part) IN
        (SELECT carrier, key, part FROM other_id WHERE sent_at < ? LIMIT ?)
"""


class Retention:
    """The verbs that erase by age on one connection, inside a transaction that the caller opens and closes."""

    def __init__(self, db: sqlite3.Connection, tally: Tally) -> None:
        self._db = db
        self._tally = tally
        self.ids_gone: list[tuple[str | None, str | None]] = []
        """(carrier, key) of the parts that the last step erased."""

    # --- bodies ---

    def erase_bodies(self, limit: int, before: Mapping[str, float]) -> Step:
        """Erase texts of messages whose last part came to its end before the moment of their lane."""
        gone, more, left = 0, False, limit
        for (cursor, moment), lanes in self._walks(before).items():
            if left <= 0:
                more = True
                break
            parts, next_cursor, unfinished = self._page(cursor, left, moment)
            messages = dict.fromkeys(part >> 8 for part in parts)
            rows = [(message, json.dumps(lanes), moment) for message in messages]
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

    def _page(self, cursor: int, limit: int, before: float) -> tuple[list[int], int, bool]:
        """Return up to ``limit`` parts that came to an end, the cursor behind them, and whether there may be more."""
        seq, place = cursor >> _PLACE_BITS, cursor & (1 << _PLACE_BITS) - 1
        rows = self._db.execute(
            "SELECT seq, at, status, parts FROM event WHERE seq >= ? ORDER BY seq LIMIT ?", (seq, EVENTS_LOOKED_AT)
        )
        found: list[int] = []
        looked = 0
        for number, at, status, packed in rows.fetchall():
            if at >= before:
                return found, cursor, False
            place = place if number == seq else 0
            if status in _FINAL_WORDS:
                parts = unpack_parts(packed)[place : place + limit - len(found)]
                found += parts
                if len(found) >= limit:
                    return found, number << _PLACE_BITS | place + len(parts), True
            cursor, looked = number + 1 << _PLACE_BITS, looked + 1
        return found, cursor, looked == EVENTS_LOOKED_AT

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
        parts = self._db.execute(_OF_MESSAGES, (rows[0][0] << 8, rows[-1][0] << 8 | 255)).fetchall()
        stay = {part >> 8 for part, _, finished_at, *_ in parts if finished_at is None or finished_at >= before}
        old = [(message, status) for message, status in rows if message not in stay]
        gone = [part for part in parts if part[0] >> 8 not in stay]
        self._db.executemany("DELETE FROM message WHERE id = ?", [(message,) for message, _ in old])
        self._db.executemany("DELETE FROM part WHERE id = ?", [(part[0],) for part in gone])
        self._count_gone([status for _, status in old], gone)
        self.ids_gone = [(carrier, key) for *_, carrier, key in gone]
        return Step(len(old), len(rows) == limit, rows[-1][0])

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
        """Erase events that every lane's cursor has passed: the bodies are found by them."""
        floor = min(self._cursors().values(), default=0) >> _PLACE_BITS
        rows = self._db.execute(
            "SELECT seq, at FROM event WHERE seq < ? ORDER BY seq LIMIT ?", (floor, limit)
        ).fetchall()
        old = [(seq,) for seq, at in rows if at < before]
        self._db.executemany("DELETE FROM event WHERE seq = ?", old)
        return len(old)

    def _other_ids(self, limit: int, before: float) -> int:
        return self._db.execute(_OLD_IDS, (before, limit)).rowcount


_FORGET: Final = {
    Aged.RECEIPTS: Retention._receipts,
    Aged.INBOUND_PARTS: Retention._inbound_parts,
    Aged.INBOUND: Retention._inbound,
    Aged.EVENTS: Retention._events,
    Aged.OTHER_IDS: Retention._other_ids,
}
