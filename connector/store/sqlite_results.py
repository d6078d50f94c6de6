"""What comes back from carriers, on SQLite: settle answers, hand over receipts, keep inbound.

One list in read order is one operation: answers are settled before receipts are matched, so a receipt that follows its
answer in the same read always finds its part.  The common case is one `executemany` per kind, guarded by
compare-and-set; only when a row did not move as expected is the kind done again row by row, reading first.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from connector.lifecycle import FINAL, TRANSITIONS, Event, Status
from connector.model import Answer, DoubtPolicy, Inbound, Lost, Moved, NotSent, Owner, Receipt, Result, is_whole
from connector.store.earlier import Earlier
from connector.store.history import Settled, event_of, settled_line
from connector.store.rules import (
    attempts_of,
    names_the_unknown,
    onward,
    split_refused,
    union_of,
    waits,
)
from connector.store.sqlite_receipts import Receipts
from connector.store.tally import Tally

_AFTER_SENDING = {event: str(status) for event, status in TRANSITIONS[Status.SENDING].items()}

_SETTLE = """
    UPDATE part SET status = ?, key = ?, carrier_message_id = ?, sent_at = coalesce(?, sent_at), due_at = ?,
        tries = tries + ?, reason = ?, finished_at = ?, history = history || ?
    WHERE id = ? AND attempt = ? AND fence = ? AND status = 'sending' AND doubts = 0
"""
# the same where the part may be in doubt, of this attempt or of an earlier one; of one that a restored backup only
# suspects, who answers for it is its carrier
_SETTLE_ANY = """
    UPDATE part SET carrier = ?, status = ?, key = ?, carrier_message_id = ?, sent_at = coalesce(?, sent_at),
        due_at = ?, tries = tries + ?, reason = ?, finished_at = ?, history = history || ?, doubts = ?, lost = ?
    WHERE id = ?
"""
_DOUBT = "UPDATE part SET doubts = doubts + 1, lost = attempt WHERE id = ?"
_SET_BACK = """
    UPDATE part SET first_at = coalesce(first_at, :first_at), harms = harms + :harms, refused = CASE
        WHEN :carrier IS NULL OR instr('|' || refused || '|', '|' || :carrier || '|') THEN refused
        ELSE coalesce(refused || '|', '') || :carrier END
    WHERE id = :part
"""
_KEEP_INBOUND = """
    INSERT INTO inbound (carrier, at, from_addr, to_addr, text, octets, data_coding, esm_class, alphabet, header_bytes,
        reference, wide, total, number, destination_port, source_port, bind, fence)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_NAME = """
    UPDATE part SET key = ?, carrier_message_id = ?, sent_at = ?, history = history || ? WHERE id = ?
"""
_MESSAGE_PARTS = "SELECT status, sent_at, doubts, refused FROM part WHERE id BETWEEN ? AND ?"
_UNTIE = "UPDATE part SET pinned = NULL, refused = ? WHERE id BETWEEN ? AND ? AND finished_at IS NULL"
_NOTE = "UPDATE part SET history = history || ? WHERE id = ?"


class Results:
    """The verb `results` on one connection, inside a transaction that the caller opens and closes."""

    def __init__(self, db: sqlite3.Connection, tally: Tally) -> None:
        self._db = db
        self._tally = tally
        self._receipts = Receipts(db, tally)
        self.used = False
        """Whether the open transaction may have changed what is remembered."""

    def forget(self) -> None:
        """Drop what is remembered: the transaction it came from was rolled back."""
        self._receipts.forget()

    def drop(self, ids: Iterable[tuple[str | None, str | None]]) -> None:
        """Forget what is remembered of these (carrier, key): their parts are no more."""
        self.used = True
        self._receipts.drop(ids)

    def apply(self, results: Sequence[Result], *, owner: Owner, policies: Mapping[str, DoubtPolicy]) -> list[Moved]:
        """Write what these mean; return the parts whose status really changed, answers' first."""
        self.used = True
        settled = [result for result in results if isinstance(result, Settled)]
        fresh = [result for result in results if isinstance(result, Receipt)]
        earlier = self._receipts.unpark_earlier(result.part for result in settled)
        earlier.read(settled)
        moved = self._settle(settled, owner, earlier) if settled else []
        if any(change.status is Status.ACCEPTED for change in moved):
            moved = [self._untied(change) for change in moved]
        parked = self._receipts.unpark(settled)
        if parked or fresh or earlier.words:
            moved += self._receipts.match(
                parked, fresh, lambda answer: self._settle_one(answer, owner), earlier, policies
            )
        self._keep_inbound([result for result in results if isinstance(result, Inbound)], owner)
        return moved

    def recovered(self, parts: Sequence[int], owner: Owner, policies: Mapping[str, DoubtPolicy]) -> list[Moved]:
        """Look again at the receipts that may tell parts which a restart has put in doubt; return what moved."""
        self.used = True
        earlier, receipts = self._receipts.unpark_earlier(parts), self._receipts.unpark_told(parts)
        if not receipts and not earlier.words:
            return []
        return self._receipts.match(receipts, (), lambda answer: self._settle_one(answer, owner), earlier, policies)

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

    def _settle(self, settled: Sequence[Settled], owner: Owner, earlier: Earlier) -> list[Moved]:
        rows = [_settle_row(result, owner) for result in settled]
        won = settled
        self._db.execute("SAVEPOINT settle")
        if not earlier.words and self._db.executemany(_SETTLE, rows).rowcount == len(rows):
            moved = [Moved(row[-3], Status(row[0])) for row in rows]  # type: ignore[arg-type]
            by_status: dict[str, list[int]] = {}
            for row in rows:
                by_status.setdefault(row[0], []).append(row[-3])  # type: ignore[arg-type]
            for status, parts in by_status.items():
                self._tally.moved(parts, Status.SENDING, status)
            kinds = Counter(map(type, settled))
            self._tally.attempted(-kinds[NotSent], kinds[Answer], kinds[Lost])
            self._db.executemany(_DOUBT, [(part,) for part in by_status.get(Status.IN_DOUBT, ())])
            if by_status.keys() - {Status.SENT}:
                self._set_back(won)
            self._receipts.remember(won)
        else:
            self._db.execute("ROLLBACK TO settle")
            changes = [(result, change) for result in settled if (change := self._settle_one(result, owner, earlier))]
            won, moved = [result for result, _ in changes], [change for _, change in changes]
            self._set_back(won)
        self._db.execute("RELEASE settle")
        return moved

    def _settle_one(self, result: Settled, owner: Owner, earlier: Earlier | None = None) -> Moved | None:
        """Settle where the part may have moved meanwhile: a late answer, an attempt that is over, a doubt."""
        row = self._db.execute(
            "SELECT status, attempt, fence, key, queue, due_at, doubts, lost FROM part WHERE id = ?", (result.part,)
        ).fetchone()
        if row is None:
            return None
        status, attempt, fence, key, queue, due_at, doubts, lost = row
        old = Status(status)
        ours = attempt == result.attempt and (old is not Status.SENDING or fence == owner.fence)
        meant, note, new, was_lost = result, "", None, lost == attempt
        if ours:
            meant, note, new, doubts = (earlier or Earlier()).settle(result, old, doubts=doubts, was_lost=was_lost)
        if new is None:
            self._keep_late(result, old if ours else None, key, is_of_this_life=fence == owner.fence)
            return None
        values = _settled_values(meant, new)
        lost = attempt if isinstance(result, Lost) else 0
        self._db.execute(_SETTLE_ANY, (result.carrier, *values, note, doubts, lost, result.part))
        self._tally.moved([result.part], old, new)
        self._tally.attempted(*attempts_of(result, old, was_lost=was_lost))
        if fence == owner.fence:
            self._receipts.remember([result])
        return Moved(result.part, new, queue if waits(old, due_at) else None, queue)

    def _keep_late(self, result: Settled, status: Status | None, key: str | None, *, is_of_this_life: bool) -> None:
        """Write down a result that moves nothing; ``status``: the part's, where its newest attempt is meant."""
        late = self._receipts.as_kept(result)
        note = settled_line(late)
        if status is not None and names_the_unknown(late, status, key):
            self._db.execute(_NAME, (late.key, late.carrier_message_id, late.at, note, late.part))
            if late is result and is_of_this_life:
                self._receipts.remember([late])
            return
        self._db.execute(_NOTE, (note, late.part))
        if isinstance(late, Answer) and late.key != key:
            self._receipts.keep_id(late)

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

    # --- inbound ---

    def _keep_inbound(self, inbound: Sequence[Inbound], owner: Owner) -> None:
        if inbound:
            self._db.executemany(_KEEP_INBOUND, [(*_inbound_row(mo), owner.fence) for mo in inbound])
            self._tally.kept_inbound(len(inbound))


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
        mo.bind,
    )


def _settled_values(result: Settled, new: Status) -> tuple[Any, ...]:
    """Return what an answer that leads to this status writes: columns of `_SETTLE_ANY`, status to finished_at."""
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
    tail = (result.at if status in FINAL else None, note, result.part, result.attempt, owner.fence)
    if isinstance(result, Answer):
        sent_at = result.at if event is Event.ACKNOWLEDGED else None
        due_at = None if status in FINAL else result.due_at
        middle = (sent_at, due_at, result.burned, result.reason)
        return (status, result.key, result.carrier_message_id, *middle, *tail)
    if isinstance(result, Lost):
        return (status, None, None, None, result.due_at, 0, result.reason, *tail)
    return (status, None, None, None, None, 0, None, *tail)
