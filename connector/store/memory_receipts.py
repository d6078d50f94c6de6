"""Receipts in memory: the same answers as `connector.store.sqlite_receipts`, on dicts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from connector.lifecycle import Event, Status, move
from connector.model import Answer, DoubtPolicy, Message, Moved, Receipt
from connector.store.earlier import NO_CARRIER, Earlier, Word, is_only_noted, is_repeated, part_key, word_line
from connector.store.history import Settled, is_said
from connector.store.joining import (
    MOST_HELD,
    Doubted,
    Held,
    Settle,
    Why,
    aliases_of,
    as_kept,
    look,
    match,
    spelled_in_rows,
)
from connector.store.memory_privacy import KEY
from connector.store.memory_rows import OtherId, ParkedRow, PartRow, Rows
from connector.store.parking import Places, keys_of, number_key
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
        self._places = Places()

    def as_kept(self, result: Settled) -> Settled:
        message = self._rows.messages.working.rows.get(result.part >> 8)
        return as_kept(result, () if message is None else (message.to, message.sender), lambda: KEY)

    def keep_id(self, late: Answer) -> None:
        if late.key is not None and late.event is Event.ACKNOWLEDGED:
            row = OtherId(late.carrier, late.key, late.part, late.carrier_message_id or late.key, late.at)
            self._rows.other_ids.set((late.carrier, late.key, late.part), row)

    # --- matching ---

    def match(
        self,
        parked: Sequence[Receipt],
        fresh: Sequence[Receipt],
        settle: Settle,
        earlier: Earlier,
        policies: Mapping[str, DoubtPolicy],
    ) -> list[Moved]:
        moved = [change for word in earlier.in_order() if (change := self._finish(word))]
        settled, matched = match(parked, fresh, self, settle, policies)
        moved += settled
        for word in matched:
            if word.receipt.event is None:
                self._hope(word)
        words = [word for word in matched if word.receipt.event is not None]
        moved += [change for word in words if (change := self._finish(word))]
        self._places.clear()
        return moved

    def look(self, receipt: Receipt, *, is_fresh: bool) -> tuple[Held | Why, Receipt]:
        return look(receipt, lambda key: self._held(receipt.carrier, key), lambda: KEY, is_fresh=is_fresh)

    def _held(self, carrier: str, key: str) -> list[Held]:
        parts = sorted(self._rows.parts.working.at((carrier, key)), reverse=True)[:MOST_HELD]
        rows = [self._row(part) for part in parts]
        found = [
            Held(row.id, self._to(row.id), row.sent_at or 0, row.carrier_message_id or key, row.fence) for row in rows
        ]
        late = sorted(self._rows.other_ids.working.at((carrier, key)), key=lambda it: it[2], reverse=True)[:MOST_HELD]
        known = self._rows.messages.working.rows
        others = [it for name in late if (it := self._rows.other_ids.working.rows[name]).part >> 8 in known]
        return found + [
            Held(it.part, self._to(it.part), it.sent_at, it.carrier_message_id, fence, is_earlier=True)
            for it in others
            for fence in [self._row(it.part).fence]
        ]

    def open_to(self, receipt: Receipt) -> Iterable[Doubted]:
        for kept_as, to in aliases_of(receipt, lambda: KEY).items():
            for doubted in self._open_to(kept_as, receipt.carrier):
                yield doubted._replace(to=to, is_erased=kept_as != to)

    def _open_to(self, to: str, carrier: str) -> Iterable[Doubted]:
        for identity in sorted(self._rows.messages.working.at(("to", to)), reverse=True)[:MOST_HELD]:
            message = self._rows.messages.working.rows[identity]
            for part in message.parts():
                row = self._row(part.id)
                is_open = row.status in _OPEN or (row.status is Status.UNKNOWN and row.key is None)
                is_here = is_open and row.carrier == carrier
                if is_here or row.doubts:
                    doubted = is_here and row.status is not Status.SENDING
                    yield Doubted(part.id, message.to, message.sender, part.text, message.created_at, doubted)

    def without_ids(self, to: str) -> Iterable[tuple[int, str]]:
        for kept_as in spelled_in_rows(to, lambda: KEY):
            for identity in sorted(self._rows.messages.working.at(("to", kept_as)), reverse=True)[:MOST_HELD]:
                rows = (self._row(part.id) for part in self._rows.messages.working.rows[identity].parts())
                yield from ((row.id, row.history) for row in rows if _may_lack_an_id(row))

    def told(self, part: int) -> tuple[int, str]:
        row = self._row(part)
        return row.attempt, self._rows.queues.working.rows[row.queue].lane

    def joined(self, answer: Answer) -> list[Receipt]:
        return self.unpark(answer)

    # --- words ---

    def _hope(self, word: Word) -> None:
        row, line = self._row(word.part), word_line(word)
        if not is_said(row.history, row.carrier, row.attempt, line):
            self._note(row, line)
        row = self._row(word.part)
        if row.hopeful != word.receipt.hopeful:
            self._rows.parts.set(word.part, row.with_hope(word.receipt.hopeful))

    def _finish(self, word: Word) -> Moved | None:
        receipt, row = word.receipt, self._row(word.part)
        assert receipt.event is not None
        is_noted = is_only_noted(word, sent_at=row.sent_at, is_lost=row.lost == row.attempt)
        new = None if is_noted else move(row.status, receipt.event)
        if new is None:
            if row.status is Status.SENDING:
                self._park(ParkedRow(receipt, Why.EARLIER_ATTEMPT, word.part))
                return None
            is_end = row.status is move(Status.SENT, receipt.event)
            if not is_repeated(word, row.history, row.carrier, row.attempt, is_end=is_end):
                self._note(row, word_line(word))
            return None
        why: dict[str, Any] = {"reason": receipt.reason, "temporary": receipt.temporary}
        if new is Status.DELIVERED:
            why = {"reason": None, "temporary": None}
        end = {"due_at": None, "finished_at": receipt.at, "done_at": receipt.done_at}
        return self._change(row, new, word_line(word, moves=True), **end, **why)

    # --- parking ---

    def park(self, receipt: Receipt, why: Why, also: Sequence[tuple[str, str]] = ()) -> None:
        self._park(ParkedRow(receipt, why, also=tuple(also)))

    def _park(self, row: ParkedRow) -> None:
        self._tally.counters["parked"] += 1
        place = self._places.back(row.receipt) or self._places.after(max(self._rows.parked.working.rows, default=0))
        self._rows.parked.set(place, row)

    def unpark(self, result: Settled) -> list[Receipt]:
        """Return the parked receipts that this answer, or its absence, was missing for, taken out of parking."""
        message = self._rows.messages.working.rows.get(result.part >> 8)
        keys = keys_of(result, lambda: None if message is None else message.to)
        return [receipt for key in keys for receipt in self._take_parked(result.carrier, key)]

    def unpark_told(self, parts: Sequence[int]) -> list[Receipt]:
        """Return the parked receipts that may tell these parts, which are in doubt now, taken out of parking."""
        found: list[Receipt] = []
        for part in parts:
            found += self._take_parked(str(self._row(part).carrier), number_key(self._to(part)))
        return found

    def unpark_earlier(self, parts: Iterable[int]) -> Earlier:
        """Return what was said of earlier attempts of these parts, whose newest ones are settled now."""
        words = {part: self._take_parked(NO_CARRIER, part_key(part)) for part in dict.fromkeys(parts)}
        return Earlier({part: found for part, found in words.items() if found})

    def _take_parked(self, carrier: str, key: str) -> list[Receipt]:
        found = []
        for number in sorted(self._rows.parked.working.at((carrier, key)))[-MOST_HELD:]:
            receipt = self._rows.parked.working.rows[number].receipt
            found.append(receipt)
            self._places.take(receipt, number)
            self._rows.parked.set(number, None)
            self._tally.counters["parked"] -= 1
        return found

    # --- rows ---

    def _row(self, part: int) -> PartRow:
        return self._rows.parts.working.rows[part]

    def _message(self, part: int) -> Message:
        return self._rows.messages.working.rows[part >> 8]

    def _to(self, part: int) -> str:
        return self._message(part).to


def _may_lack_an_id(row: PartRow) -> bool:
    return row.status is Status.SENDING or row.doubts > 0 or (row.key is None and row.sent_at is not None)
