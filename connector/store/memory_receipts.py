"""Receipts in memory: the same answers as `connector.store.sqlite_receipts`, on dicts."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from connector.lifecycle import Event, Status, move
from connector.model import Answer, Clue, Lost, Message, Moved, Receipt
from connector.store.history import Settled, receipt_line
from connector.store.joining import MOST_HELD, Doubted, Held, Why, answer_in, by_clue, find, number_key
from connector.store.memory_rows import OtherId, ParkedRow, PartRow, Rows, append_row
from connector.store.tally import Tally

_OPEN = frozenset({Status.IN_DOUBT, Status.SENDING})


class Receipts:
    """Matches, applies and parks, inside a transaction that the caller opens and closes."""

    def __init__(
        self,
        rows: Rows,
        tally: Tally,
        change: Callable[..., Moved],
        note: Callable[[PartRow, str], None],
    ) -> None:
        """``change`` moves a part's row to a status, ``note`` adds a line to its history."""
        self._rows = rows
        self._tally = tally
        self._change = change
        self._note = note
        self._places: dict[int, int] = {}
        """Numbers of receipts that were just taken out of parking, by object: one that goes back keeps its place."""

    def keep_id(self, late: Answer) -> None:
        if late.key is not None and late.event is Event.ACKNOWLEDGED:
            row = OtherId(late.carrier, late.key, late.part, late.carrier_message_id or late.key, late.at)
            self._rows.other_ids.set((late.carrier, late.key, late.part), row)

    # --- matching ---

    def match(self, receipts: Sequence[Receipt], settle: Callable[[Answer], Moved | None]) -> list[Moved]:
        moved: list[Moved] = []
        matched: list[tuple[Receipt, int]] = []
        todo = list(receipts)
        for receipt in todo:  # it grows: what tells of a part may bring others that were parked
            found = self._find(receipt)
            if isinstance(found, Why) and receipt.clue is not None:
                found = self._told(receipt, receipt.clue, found, settle, moved, todo) or found
            if isinstance(found, Why):
                self._park(ParkedRow(receipt, found))
                self._tally.counters["parked"] += 1
            else:
                matched.append((receipt, found))
        self._places.clear()
        for receipt, part in matched:
            if receipt.event is None:
                self._hope(part, receipt)
        words = [(receipt, part) for receipt, part in matched if receipt.event is not None]
        return moved + [change for receipt, part in words if (change := self._finish(receipt, part))]

    def _find(self, receipt: Receipt) -> int | Why:
        return find(receipt, lambda key: self._held(receipt.carrier, key))

    def _held(self, carrier: str, key: str) -> list[Held]:
        parts = sorted(self._rows.parts.working.at((carrier, key)), reverse=True)[:MOST_HELD]
        rows = [self._row(part) for part in parts]
        found = [Held(row.id, self._to(row.id), row.sent_at or 0, row.carrier_message_id or key) for row in rows]
        late = sorted(self._rows.other_ids.working.at((carrier, key)), key=lambda it: it[2], reverse=True)[:MOST_HELD]
        known = self._rows.messages.working.rows
        others = [it for name in late if (it := self._rows.other_ids.working.rows[name]).part >> 8 in known]
        return found + [Held(it.part, self._to(it.part), it.sent_at, it.carrier_message_id) for it in others]

    def _told(
        self,
        receipt: Receipt,
        clue: Clue,
        why: Why,
        settle: Callable[[Answer], Moved | None],
        moved: list[Moved],
        todo: list[Receipt],
    ) -> int | None:
        part = by_clue(receipt, clue, why, self._open_to(receipt))
        if part is None:
            return None
        answer = answer_in(receipt, part, self._row(part).attempt)
        change = settle(answer)
        moved += [] if change is None else [change]
        todo += self.unpark(answer)
        return part

    def _open_to(self, receipt: Receipt) -> Iterable[Doubted]:
        to = receipt.number.partition(" ")[0]
        for identity in sorted(self._rows.messages.working.at(("to", to)), reverse=True)[:MOST_HELD]:
            message = self._rows.messages.working.rows[identity]
            for part in message.parts():
                row = self._row(part.id)
                is_open = row.status in _OPEN or (row.status is Status.UNKNOWN and row.key is None)
                if is_open and row.carrier == receipt.carrier:
                    doubted = row.status is not Status.SENDING
                    yield Doubted(part.id, message.to, message.sender, part.text, message.created_at, doubted)

    # --- words ---

    def _hope(self, part: int, receipt: Receipt) -> None:
        self._note(self._row(part), receipt_line(receipt))
        row = self._row(part)
        if row.hopeful != receipt.hopeful:
            self._rows.parts.set(part, row.with_hope(receipt.hopeful))

    def _finish(self, receipt: Receipt, part: int) -> Moved | None:
        row = self._row(part)
        assert receipt.event is not None
        new = move(row.status, receipt.event)
        if new is None:
            if row.status is not move(Status.SENT, receipt.event):
                self._note(row, receipt_line(receipt))
            return None
        why: dict[str, Any] = {"reason": receipt.reason, "temporary": receipt.temporary}
        if new is Status.DELIVERED:
            why = {"reason": None, "temporary": None}
        end = {"due_at": None, "finished_at": receipt.at, "done_at": receipt.done_at}
        return self._change(row, new, receipt_line(receipt), **end, **why)

    # --- parking ---

    def _park(self, row: ParkedRow) -> None:
        place = self._places.pop(id(row.receipt), None)
        if place is None:
            append_row(self._rows.parked, row)
        else:
            self._rows.parked.set(place, row)

    def unpark(self, result: Settled) -> list[Receipt]:
        """Return the parked receipts that this answer, or its absence, was missing for, taken out of parking."""
        key = self._key_of(result)
        return [] if key is None else self._take_parked(result.carrier, key)

    def unpark_told(self, parts: Sequence[int]) -> list[Receipt]:
        """Return the parked receipts that may tell these parts, which are in doubt now, taken out of parking."""
        found: list[Receipt] = []
        for part in parts:
            found += self._take_parked(str(self._row(part).carrier), number_key(self._to(part)))
        return found

    def _take_parked(self, carrier: str, key: str) -> list[Receipt]:
        found = []
        for number in sorted(self._rows.parked.working.at((carrier, key)))[-MOST_HELD:]:
            receipt = self._rows.parked.working.rows[number].receipt
            found.append(receipt)
            self._places[id(receipt)] = number
            self._rows.parked.set(number, None)
            self._tally.counters["parked"] -= 1
        return found

    def _key_of(self, result: Settled) -> str | None:
        if isinstance(result, Answer):
            return result.key
        known = isinstance(result, Lost) and result.part >> 8 in self._rows.messages.working.rows
        return number_key(self._to(result.part)) if known else None

    # --- rows ---

    def _row(self, part: int) -> PartRow:
        return self._rows.parts.working.rows[part]

    def _message(self, part: int) -> Message:
        return self._rows.messages.working.rows[part >> 8]

    def _to(self, part: int) -> str:
        return self._message(part).to
