"""What does not stay, in memory: the same steps as `connector.store.sqlite_retention`, on dicts."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, takewhile
from math import inf
from typing import Any, Final, TypeVar

import attrs

from connector.lifecycle import FINAL, Status
from connector.model import Aged, EventBatch, Message, Step, is_whole
from connector.store.memory_rows import PartRow, Rows, Table
from connector.store.sqlite_retention import EVENTS_LOOKED_AT, PARTS_AT_ONCE, is_aged, wrong_from
from connector.store.tally import Tally

V = TypeVar("V")

LAST_GONE: Final = "last_event_gone"
"""The counter that says which event was erased last: no number comes again."""

_CURSOR: Final = "bodies:"


class RetentionVerbs:
    """The verbs of the memory engine that erase by age."""

    _rows: Rows
    _tally: Tally
    _rows_of: Callable[[int], list[PartRow]]

    # --- bodies ---

    def erase_bodies(self, limit: int, *, before: Mapping[str, float], now: float | None = None) -> Step:
        gone, more, left = 0, False, limit
        future = wrong_from(before, now)
        for (cursor, moment), lanes in self._walks(before).items():
            if left <= 0:
                more = True
                break
            young = moment, future
            parts, next_cursor, unfinished = self._page(cursor, left, young)
            gone += sum(self._erase_body(message, lanes, young) for message in dict.fromkeys(it >> 8 for it in parts))
            for lane in lanes:
                self._keep_cursor(lane, next_cursor)
            left -= len(parts)
            more = more or unfinished
        return Step(gone, more)

    def _walks(self, before: Mapping[str, float]) -> dict[tuple[tuple[int, int], float], list[str]]:
        cursors = self._cursors()
        start, last = min(cursors.values(), default=(0, 0)), min(before.values(), default=0.0)
        walks: dict[tuple[tuple[int, int], float], list[str]] = {}
        for lane in sorted({name.lane for name in self._rows.queues.working.rows.values()}):
            if lane not in cursors:
                self._keep_cursor(lane, start)
            walks.setdefault((cursors.get(lane, start), before.get(lane, last)), []).append(lane)
        return walks

    def _cursors(self) -> dict[str, tuple[int, int]]:
        rows = self._rows.counters.working.rows
        found = {name.removeprefix(_CURSOR): value for name, value in rows.items() if name.startswith(_CURSOR)}
        return {lane: divmod(value, 1 << 20) for lane, value in found.items()}

    def _keep_cursor(self, lane: str, cursor: tuple[int, int]) -> None:
        self._rows.counters.set(f"{_CURSOR}{lane}", cursor[0] << 20 | cursor[1])

    def _page(
        self, cursor: tuple[int, int], limit: int, young: tuple[float, float]
    ) -> tuple[list[int], tuple[int, int], bool]:
        found: list[int] = []
        looked = 0
        for batch in self._events_from(cursor[0]):
            if young[0] <= batch.at <= young[1]:
                return found, cursor, False
            place = cursor[1] if batch.seq == cursor[0] else 0
            if batch.status in FINAL:
                wanted = batch.parts[place : place + limit - len(found)]
                parts = self._old_enough(wanted, batch.status, young)
                found += parts
                if len(parts) < len(wanted):
                    return found, (batch.seq, place + len(parts)), False
                if len(found) >= limit:
                    return found, (batch.seq, place + len(parts)), True
            cursor, looked = (batch.seq + 1, 0), looked + 1
        return found, cursor, looked == EVENTS_LOOKED_AT

    def _old_enough(self, parts: Sequence[int], status: Status, young: tuple[float, float]) -> list[int]:
        def is_old(part: int) -> bool:
            row = self._rows.parts.get(part)
            return row is None or row.status is not status or _ended([row], *young)

        return list(takewhile(is_old, parts))

    def _events_from(self, seq: int) -> Iterator[EventBatch]:
        rows = self._rows.events.working.rows
        last = next(reversed(rows), 0)
        first = max(seq, next(iter(rows), 1))
        numbers = (number for number in range(first, last + 1) if number in rows)
        yield from (rows[number] for number, _ in zip(numbers, range(EVENTS_LOOKED_AT), strict=False))

    def _erase_body(self, identity: int, lanes: Sequence[str], young: tuple[float, float]) -> bool:
        message = self._rows.messages.get(identity)
        if message is None or not message.text or self._rows.queues.working.rows[message.queue].lane not in lanes:
            return False
        if not _ended(self._rows_of(identity), *young):
            return False
        self._rows.messages.set(identity, attrs.evolve(message, text=""))
        return True

    # --- rows ---

    def forget_messages(self, limit: int, *, after: int, until: int, before: float) -> Step:
        looked, cut = self._at_once(_lowest(self._rows.messages, limit, after, until))
        gone = [identity for identity in looked if _ended(self._rows_of(identity), before)]
        for identity in gone:
            self._forget_message(self._rows.messages.working.rows[identity])
        return Step(len(gone), cut or len(looked) == limit, looked[-1] if looked else after)

    def _at_once(self, messages: Sequence[int]) -> tuple[Sequence[int], bool]:
        """Return those of them whose parts are few enough for a step, and whether some were left out."""
        totals = accumulate(len(self._rows_of(identity)) for identity in messages)
        fit = sum(total <= PARTS_AT_ONCE for total in totals)
        return messages[:fit], fit < len(messages)

    def _forget_message(self, message: Message) -> None:
        counters = self._tally.counters
        for row in self._rows_of(message.id):
            counters["gone:parts"] += 1
            counters[f"gone:p:{row.status}"] += 1
            if is_whole(row.id):
                counters[f"gone:m:{row.status}"] += 1
            self._rows.parts.set(row.id, None)
        split = self._rows.statuses.get(message.id)
        if split is not None:
            counters[f"gone:m:{split}"] += 1
            self._rows.statuses.set(message.id, None)
        counters["gone:messages"] += 1
        self._rows.messages.set(message.id, None)

    def forget(self, kind: Aged, limit: int, *, before: float) -> Step:
        gone = _FORGET[kind](self, limit, before)
        return Step(gone, gone == limit)

    def _receipts_gone(self, limit: int, before: float) -> int:
        parked = self._rows.parked
        old = [number for number in _lowest(parked, limit) if parked.working.rows[number].receipt.at < before]
        self._drop(parked, old)
        self._tally.counters["parked"] -= len(old)
        self._tally.counters["parked_gone"] += len(old)
        return len(old)

    def _inbound_parts_gone(self, limit: int, before: float) -> int:
        rows = self._rows.inbound.working.rows
        found = [rows[part] for part in _lowest(self._rows.inbound, limit)]
        return self._drop(self._rows.inbound, [it.id for it in found if it.said.at < before and it.message is not None])

    def _inbound_gone(self, limit: int, before: float) -> int:
        table = self._rows.inbound_messages
        return self._drop(table, [it for it in _lowest(table, limit) if table.working.rows[it].at < before])

    def _events_gone(self, limit: int, before: float) -> int:
        floor, _ = min(self._cursors().values(), default=(0, 0))
        looked = _lowest(self._rows.events, limit, until=floor)
        rows = self._rows.events.working.rows
        newest = rows[next(reversed(rows))].at if rows else 0.0
        old = list(takewhile(lambda seq: is_aged(rows[seq].at, before, newest), looked))
        if old:
            self._rows.counters.set(LAST_GONE, old[-1])
        return self._drop(self._rows.events, old)

    def _other_ids_gone(self, limit: int, before: float) -> int:
        table, known = self._rows.other_ids, self._rows.messages.working.rows
        rows = table.working.rows.items()
        old = sorted(it for it, row in rows if row.sent_at < before and row.part >> 8 not in known)
        return self._drop(table, old[:limit])

    def _drop(self, table: Table[Any, Any], keys: Sequence[Any]) -> int:
        for key in keys:
            table.set(key, None)
        return len(keys)


def _ended(parts: Sequence[PartRow], before: float, future: float = inf) -> bool:
    """Tell whether all parts of a message came to their end before a moment, or so far ahead that it cannot be true."""
    return all(row.finished_at is not None and not before <= row.finished_at <= future for row in parts)


def _lowest(table: Table[int, V], limit: int, after: int = -1, until: int | None = None) -> list[int]:
    rows = table.working.rows
    first = next(iter(rows), None)
    if first is None or (until is not None and first >= until):
        return []  # nearly always, and then at no cost: rows are kept in the order of their ids, or nearly
    return heapq.nsmallest(limit, (it for it in rows if it > after and (until is None or it < until)))


_FORGET: Final = {
    Aged.RECEIPTS: RetentionVerbs._receipts_gone,
    Aged.INBOUND_PARTS: RetentionVerbs._inbound_parts_gone,
    Aged.INBOUND: RetentionVerbs._inbound_gone,
    Aged.EVENTS: RetentionVerbs._events_gone,
    Aged.OTHER_IDS: RetentionVerbs._other_ids_gone,
}
