"""What comes back from carriers, on SQLite: settle answers, match receipts, park what matches nothing, keep inbound.

One list in read order is one operation: answers are settled before receipts are matched, so a receipt that follows its
answer in the same read always finds its part.  The common case is one `executemany` per kind, guarded by
compare-and-set; only when a row did not move as expected is the kind done again row by row, reading first.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from connector.lifecycle import FINAL, TRANSITIONS, Event, Status, move
from connector.model import Answer, Inbound, Lost, Moved, NotSent, Owner, Receipt, Result, is_whole
from connector.store.history import Settled, event_of, receipt_line, settled_line
from connector.store.rules import (
    after_answer,
    fitting,
    names_the_unknown,
    onward,
    same_number,
    split_refused,
    union_of,
    waits,
)
from connector.store.tally import Tally

KNOWN_IDS = 100_000
"""Newest carrier ids held in memory, so that a prompt receipt is matched without a look-up on disk."""
PARKED_KEYS = 100_000
"""Ids of parked receipts held in memory; above it every answer asks the disk."""

_FINAL_WORDS = {str(status) for status in FINAL}
_AFTER_SENDING = {event: str(status) for event, status in TRANSITIONS[Status.SENDING].items()}
_AFTER_SENT = {event: str(status) for event, status in TRANSITIONS[Status.SENT].items()}

_SETTLE = """
    UPDATE part SET status = ?, key = ?, carrier_message_id = ?, sent_at = coalesce(?, sent_at), due_at = ?,
        tries = tries + ?, reason = ?, finished_at = ?, history = history || ?
    WHERE id = ? AND attempt = ? AND fence = ? AND status = 'sending' AND doubts = 0
"""
# the same where the part may be in doubt, of this attempt or of an earlier one
_SETTLE_ANY = """
    UPDATE part SET status = ?, key = ?, carrier_message_id = ?, sent_at = coalesce(?, sent_at), due_at = ?,
        tries = tries + ?, reason = ?, finished_at = ?, history = history || ?, doubts = ?, lost = ?
    WHERE id = ?
"""
_DOUBT = "UPDATE part SET doubts = doubts + 1, lost = attempt WHERE id = ?"
_SET_BACK = """
    UPDATE part SET first_at = coalesce(first_at, :first_at), harms = harms + :harms, refused = CASE
        WHEN :carrier IS NULL OR instr('|' || refused || '|', '|' || :carrier || '|') THEN refused
        ELSE coalesce(refused || '|', '') || :carrier END
    WHERE id = :part
"""
_FINISH = """
    UPDATE part SET status = ?, due_at = NULL, finished_at = ?, reason = ?, temporary = ?, done_at = ?,
        history = history || ?
    WHERE id = ? AND status = 'sent'
"""
# the same where the part may be anything else that a word still moves
_FINISH_ANY = _FINISH.partition(" AND status")[0]
_PARK = """
    INSERT INTO parked (carrier, keys, at, event, number, detail, reason, temporary, done_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UNPARK = """
    SELECT id, carrier, keys, at, event, number, detail, reason, temporary, done_at FROM parked
    WHERE id IN (SELECT parked FROM parked_key WHERE carrier = ? AND key = ?) ORDER BY id
"""
_KEEP_INBOUND = """
    INSERT INTO inbound (carrier, at, from_addr, to_addr, text, octets, data_coding, esm_class, alphabet, header_bytes,
        reference, wide, total, number, destination_port, source_port)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_NAME = """
    UPDATE part SET key = ?, carrier_message_id = ?, sent_at = ?, history = history || ? WHERE id = ?
"""
_MESSAGE_PARTS = "SELECT status, sent_at, doubts, refused FROM part WHERE id BETWEEN ? AND ?"
_UNTIE = "UPDATE part SET pinned = NULL, refused = ? WHERE id BETWEEN ? AND ? AND finished_at IS NULL"
_NOTE = "UPDATE part SET history = history || ? WHERE id = ?"


class Results:
    """The verb `results` on one connection, inside a transaction that the caller opens and closes.

    What it remembers between transactions are hints: they save look-ups and never say anything the rows would not.
    """

    def __init__(self, db: sqlite3.Connection, tally: Tally) -> None:
        self._db = db
        self._tally = tally
        self._known: dict[tuple[str, str], tuple[float, int, str]] = {}
        """(sent at, part, number) of the newest part under an id; a `sent` part's id never changes."""
        self._parked = self._load_parked()
        self.used = False
        """Whether the open transaction may have changed the hints."""

    def forget(self) -> None:
        """Drop the hints: the transaction they came from was rolled back."""
        self._known.clear()
        self._parked = self._load_parked()

    def apply(self, results: Sequence[Result], *, owner: Owner) -> list[Moved]:
        """Write what these mean; return the parts whose status really changed, answers' first."""
        self.used = True
        settled = [result for result in results if isinstance(result, Settled)]
        receipts = [result for result in results if isinstance(result, Receipt)]
        moved = self._settle(settled, owner) if settled else []
        if any(change.status is Status.ACCEPTED for change in moved):
            moved = [self._untied(change) for change in moved]
        receipts = self._unpark(settled) + receipts
        if receipts:
            moved += self._match(receipts)
        self._keep_inbound([result for result in results if isinstance(result, Inbound)])
        return moved

    def _untied(self, change: Moved) -> Moved:
        """Free the message of a part of several that waits again, if no carrier has or may have any of it."""
        if change.status is not Status.ACCEPTED or is_whole(change.part):
            return change
        span = change.part >> 8 << 8 | 1, change.part >> 8 << 8 | 255
        rows = self._db.execute(_MESSAGE_PARTS, span).fetchall()
        if onward((Status(status), sent_at, doubts) for status, sent_at, doubts, _ in rows) is not Event.DUE:
            return change
        refused = union_of(split_refused(row[3]) for row in rows)
        self._db.execute(_UNTIE, ("|".join(refused) or None, *span))
        return attrs.evolve(change, freed=refused)

    # --- answers ---

    def _settle(self, settled: Sequence[Settled], owner: Owner) -> list[Moved]:
        rows = [_settle_row(result, owner) for result in settled]
        won = settled
        self._db.execute("SAVEPOINT settle")
        if self._db.executemany(_SETTLE, rows).rowcount == len(rows):
            moved = [Moved(row[-3], Status(row[0])) for row in rows]  # type: ignore[arg-type]
            by_status: dict[str, list[int]] = {}
            for row in rows:
                by_status.setdefault(row[0], []).append(row[-3])  # type: ignore[arg-type]
            for status, parts in by_status.items():
                self._tally.moved(parts, Status.SENDING, status)
            self._db.executemany(_DOUBT, [(part,) for part in by_status.get(Status.IN_DOUBT, ())])
            if by_status.keys() - {Status.SENT}:
                self._set_back(won)
        else:
            self._db.execute("ROLLBACK TO settle")
            changes = [(result, change) for result in settled if (change := self._settle_one(result, owner))]
            won, moved = [result for result, _ in changes], [change for _, change in changes]
            self._set_back(won)
        self._db.execute("RELEASE settle")
        self._remember(won)
        return moved

    def _settle_one(self, result: Settled, owner: Owner) -> Moved | None:
        """Settle where the part may have moved meanwhile: a late answer, an attempt that is over, a doubt."""
        row = self._db.execute(
            "SELECT status, attempt, fence, key, queue, due_at, doubts, lost FROM part WHERE id = ?", (result.part,)
        ).fetchone()
        if row is None:
            return None
        status, attempt, fence, key, queue, due_at, doubts, lost = row
        old = Status(status)
        ours = attempt == result.attempt and (old is not Status.SENDING or fence == owner.fence)
        new = None
        if ours:
            new, doubts = after_answer(old, event_of(result), doubts=doubts, was_lost=lost == attempt)
        note = settled_line(result)
        if new is None:
            if ours and names_the_unknown(result, old, key):
                self._db.execute(_NAME, (result.key, result.carrier_message_id, result.at, note, result.part))
                self._remember([result])
            else:
                self._db.execute(_NOTE, (note, result.part))
            return None
        values = _settled_values(result, new)
        lost = attempt if isinstance(result, Lost) else 0
        self._db.execute(_SETTLE_ANY, (*values, note, doubts, lost, result.part))
        self._tally.moved([result.part], old, new)
        return Moved(result.part, new, queue if waits(old, due_at) else None, queue)

    def _set_back(self, settled: Iterable[Settled]) -> None:
        """Remember what attempts that came to nothing have taught of their parts."""
        rows = [
            {
                "part": result.part,
                "first_at": result.setback.first_at,
                "harms": int(result.setback.harmed),
                "carrier": result.carrier if result.setback.refused else None,
            }
            for result in settled
            if isinstance(result, Answer) and result.setback is not None
        ]
        self._db.executemany(_SET_BACK, rows)

    def _remember(self, settled: Iterable[Settled]) -> None:
        known = self._known
        for result in settled:
            if isinstance(result, Answer) and result.key is not None and result.event is Event.ACKNOWLEDGED:
                name, newest = (result.carrier, result.key), (result.at, result.part, result.to)
                known[name] = max(newest, known.get(name, newest))
        while len(known) > KNOWN_IDS:
            del known[next(iter(known))]

    # --- receipts ---

    def _match(self, receipts: Sequence[Receipt]) -> list[Moved]:
        found = [(receipt, self._find(receipt)) for receipt in receipts]
        matched = [(receipt, part) for receipt, part in found if part is not None]
        self._park([receipt for receipt, part in found if part is None])
        notes = [(receipt_line(receipt), part) for receipt, part in matched if receipt.event is None]
        if notes:
            self._db.executemany(_NOTE, notes)
        final = [(receipt, part) for receipt, part in matched if receipt.event is not None]
        return self._finish(final) if final else []

    def _finish(self, final: Sequence[tuple[Receipt, int]]) -> list[Moved]:
        rows = [
            _finish_row(_AFTER_SENT[receipt.event], receipt, part)  # type: ignore[index]
            for receipt, part in final
        ]
        self._db.execute("SAVEPOINT finish")
        if self._db.executemany(_FINISH, rows).rowcount == len(rows):
            moved = [Moved(row[-1], Status(row[0])) for row in rows]
            by_status: dict[str, list[int]] = {}
            for row in rows:
                by_status.setdefault(row[0], []).append(row[-1])
            for status, parts in by_status.items():
                self._tally.moved(parts, Status.SENT, status)
        else:
            self._db.execute("ROLLBACK TO finish")
            moved = [change for receipt, part in final if (change := self._finish_one(receipt, part))]
        self._db.execute("RELEASE finish")
        return moved

    def _finish_one(self, receipt: Receipt, part: int) -> Moved | None:
        """Apply one final word where the part may not be `sent`; the same word again changes nothing at all."""
        assert receipt.event is not None
        found = self._db.execute("SELECT status, due_at, queue FROM part WHERE id = ?", (part,)).fetchone()
        old = Status(found[0])
        new = move(old, receipt.event)
        if new is None:
            if str(old) != _AFTER_SENT[receipt.event]:
                self._db.execute(_NOTE, (receipt_line(receipt), part))
            return None
        self._db.execute(_FINISH_ANY, _finish_row(new.value, receipt, part))
        self._tally.moved([part], old, new)
        return Moved(part, new, found[2] if waits(old, found[1]) else None)

    def _find(self, receipt: Receipt) -> int | None:
        """Return the part a receipt belongs to.

        Several parts under one id (carriers reuse them), or several readings of the id: only one whose subscriber fits,
        the newest of them.  Never a guess.
        """
        sure = len(receipt.keys) == 1
        for key in receipt.keys:
            known = self._known.get((receipt.carrier, key))
            if known is not None and same_number(known[2], receipt.number):
                return known[1]
            rows = self._db.execute(
                "SELECT part.id, message.to_addr FROM part JOIN message ON message.id = part.id >> 8"
                " WHERE part.carrier = ? AND part.key = ? ORDER BY part.sent_at DESC, part.id DESC",
                (receipt.carrier, key),
            ).fetchall()
            part = fitting(rows, receipt.number, sure=sure)
            if part is not None:
                return part
        return None

    # --- parking ---

    def _load_parked(self) -> set[tuple[str, str]] | None:
        rows = self._db.execute("SELECT carrier, key FROM parked_key LIMIT ?", (PARKED_KEYS + 1,)).fetchall()
        return set(rows) if len(rows) <= PARKED_KEYS else None

    def _park(self, receipts: Sequence[Receipt]) -> None:
        for receipt in receipts:
            parked = self._db.execute(_PARK, _parked_row(receipt)).lastrowid
            keys = [(receipt.carrier, key, parked) for key in receipt.keys]
            self._db.executemany("INSERT OR IGNORE INTO parked_key VALUES (?, ?, ?)", keys)
            self._tally.counters["parked"] += 1
            if self._parked is not None:
                self._parked.update((receipt.carrier, key) for key in receipt.keys)
        if self._parked is not None and len(self._parked) > PARKED_KEYS:
            self._parked = None

    def _unpark(self, settled: Iterable[Settled]) -> list[Receipt]:
        """Return the parked receipts these answers were missing for, taken out of parking."""
        parked = self._parked
        if parked is not None and not parked:
            return []
        found: list[Receipt] = []
        for result in settled:
            if not isinstance(result, Answer) or result.key is None:
                continue
            if parked is None or (result.carrier, result.key) in parked:
                found += self._take_parked(result.carrier, result.key)
        return found

    def _take_parked(self, carrier: str, key: str) -> list[Receipt]:
        rows = self._db.execute(_UNPARK, (carrier, key)).fetchall()
        found = []
        for parked, *row in rows:
            receipt = _parked_receipt(*row)
            spellings = [(carrier, name, parked) for name in receipt.keys]
            self._db.executemany("DELETE FROM parked_key WHERE carrier = ? AND key = ? AND parked = ?", spellings)
            self._db.execute("DELETE FROM parked WHERE id = ?", (parked,))
            found.append(receipt)
        self._tally.counters["parked"] -= len(rows)
        if self._parked is not None:
            self._parked.discard((carrier, key))
        return found

    # --- inbound ---

    def _keep_inbound(self, inbound: Sequence[Inbound]) -> None:
        if inbound:
            self._db.executemany(_KEEP_INBOUND, [_inbound_row(mo) for mo in inbound])


def _inbound_row(mo: Inbound) -> tuple[object, ...]:
    return (
        mo.carrier,
        mo.at,
        mo.sender,
        mo.to,
        mo.text,
        mo.octets,
        mo.data_coding,
        mo.esm_class,
        mo.alphabet,
        mo.header_bytes,
        mo.reference,
        mo.wide,
        mo.total,
        mo.number,
        mo.destination_port,
        mo.source_port,
    )


def _finish_row(status: str, receipt: Receipt, part: int) -> tuple[Any, ...]:
    why = receipt.reason, receipt.temporary
    if receipt.event is Event.DELIVERED:
        why = None, None
    return status, receipt.at, *why, receipt.done_at, receipt_line(receipt), part


def _parked_row(receipt: Receipt) -> tuple[object, ...]:
    return (
        receipt.carrier,
        json.dumps(receipt.keys),
        receipt.at,
        receipt.event and receipt.event.value,
        receipt.number,
        receipt.detail,
        receipt.reason,
        receipt.temporary,
        receipt.done_at,
    )


def _parked_receipt(carrier: str, keys: str, at: float, event: str | None, number: str, *said: Any) -> Receipt:
    """Return a receipt as it was parked, with every reading of its id: one that was unsure is unsure still."""
    detail, reason, temporary, done_at = said
    word = Event(event) if event else None
    known = None if temporary is None else bool(temporary)
    return Receipt(carrier, tuple(json.loads(keys)), at, word, number, detail, reason, known, done_at)


_DUE_AT = 4


def _settled_values(result: Settled, new: Status) -> tuple[Any, ...]:
    """Return what an answer that leads to this status writes: the columns of `_SETTLE_ANY` up to finished_at."""
    answer = result if isinstance(result, Answer) else None
    return (
        new.value,
        answer and answer.key,
        answer and answer.carrier_message_id,
        result.at if new is Status.SENT else None,
        None if isinstance(result, NotSent) or new in FINAL else result.due_at,
        answer.burned if answer else 0,
        None if isinstance(result, NotSent) else result.reason,
        result.at if new in FINAL else None,
    )


def _settle_row(result: Settled, owner: Owner) -> tuple[object, ...]:
    event = event_of(result)
    status = _AFTER_SENDING[event]
    note = settled_line(result)
    tail = (result.at if status in _FINAL_WORDS else None, note, result.part, result.attempt, owner.fence)
    if isinstance(result, Answer):
        sent_at = result.at if event is Event.ACKNOWLEDGED else None
        due_at = None if status in _FINAL_WORDS else result.due_at
        middle = (sent_at, due_at, result.burned, result.reason)
        return (status, result.key, result.carrier_message_id, *middle, *tail)
    if isinstance(result, Lost):
        return (status, None, None, None, result.due_at, 0, result.reason, *tail)
    return (status, None, None, None, None, 0, None, *tail)
