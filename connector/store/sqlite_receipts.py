"""Receipts on SQLite: the attempt each one means, what its word does to the part, and where those wait that mean none.

Every look-up is by an index and looks at a bounded number of rows, whatever is kept and whatever comes.
"""

import json
import logging
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from connector.errors import StoreError
from connector.lifecycle import TRANSITIONS, Event, Status, move
from connector.model import Answer, Clue, DoubtPolicy, Moved, ParkedReceipt, Receipt
from connector.store.earlier import NO_CARRIER, Earlier, Word, is_only_noted, is_repeated, part_key, word_line
from connector.store.history import Settled, said_in
from connector.store.joining import (
    MOST_HELD,
    Doubted,
    Held,
    Settle,
    Why,
    aliases_of,
    as_kept,
    is_plain,
    look,
    match,
    spelled_in_rows,
)
from connector.store.parking import Places, keys_of, number_key, parking_keys
from connector.store.privacy import read_key
from connector.store.rules import waits
from connector.store.tally import Tally

log = logging.getLogger("carrierline.store")

KNOWN_IDS: Final = 100_000
"""Newest carrier ids held in memory, so that a prompt receipt is matched without a look-up on disk."""
PARKED_KEYS: Final = 100_000
"""Keys of parked receipts held in memory; above it every answer asks the disk."""

_AFTER_SENT = {event: str(status) for event, status in TRANSITIONS[Status.SENT].items()}

_FINISH = """
    UPDATE part SET status = ?, due_at = NULL, finished_at = ?, reason = ?, temporary = ?, done_at = ?,
        history = history || ?
    WHERE id = ? AND status = 'sent'
"""
# the same where the part may be anything else that a word still moves
_FINISH_ANY = _FINISH.partition(" AND status")[0]
_HELD = """
    SELECT part.id, message.to_addr, coalesce(part.sent_at, 0), coalesce(part.carrier_message_id, part.key),
        part.fence
    FROM part JOIN message ON message.id = part.id >> 8
    WHERE part.carrier = ? AND part.key = ? ORDER BY part.id DESC LIMIT ?
"""
_HELD_LATE = """
    SELECT other_id.part, message.to_addr, other_id.sent_at, other_id.carrier_message_id, part.fence
    FROM other_id JOIN message ON message.id = other_id.part >> 8 JOIN part ON part.id = other_id.part
    WHERE other_id.carrier = ? AND other_id.key = ? ORDER BY other_id.part DESC LIMIT ?
"""
_DOUBTED = """
    SELECT part.id, message.to_addr, message.sender, message.text, message.bounds, message.created_at,
        part.carrier = ?3 AND (part.status = 'in_doubt' OR part.status = 'unknown' AND part.key IS NULL)
    FROM (SELECT * FROM message WHERE to_addr = ?1 ORDER BY id DESC LIMIT ?2) AS message
    JOIN part ON part.id BETWEEN message.id << 8 AND message.id << 8 | 255
    WHERE part.doubts > 0 OR part.carrier = ?3
        AND (part.status IN ('in_doubt', 'sending') OR part.status = 'unknown' AND part.key IS NULL)
"""
# on the wire, lost once, or taken without an id
_WITHOUT_IDS = """
    SELECT part.id, part.history
    FROM (SELECT id FROM message WHERE to_addr = ? ORDER BY id DESC LIMIT ?) AS message
    JOIN part ON part.id BETWEEN message.id << 8 AND message.id << 8 | 255
    WHERE part.status = 'sending' OR part.doubts > 0 OR part.key IS NULL AND part.sent_at IS NOT NULL
"""
_STANDING = """
    SELECT status, due_at, queue, sent_at, lost = attempt, history, carrier, attempt FROM part WHERE id = ?
"""
_SAY = "UPDATE part SET history = history || ? WHERE id = ?"
_SENT = "SELECT id FROM part WHERE status = 'sent' AND id IN (SELECT value FROM json_each(?))"
_PARK = """
    INSERT INTO parked (id, carrier, keys, at, event, number, detail, reason, temporary, done_at, why, more)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UNPARK = """
    SELECT id, carrier, keys, at, event, number, detail, reason, temporary, done_at, more FROM parked
    WHERE id IN (SELECT parked FROM parked_key WHERE carrier = ? AND key = ? ORDER BY parked DESC LIMIT ?) ORDER BY id
"""
_TOLD = "SELECT attempt, queue.lane FROM part JOIN queue ON queue.id = part.queue WHERE part.id = ?"
_WENT = "SELECT part.carrier, message.to_addr FROM part JOIN message ON message.id = part.id >> 8 WHERE part.id = ?"
_PARKED = """
    SELECT id, why, carrier, keys, at, event, number, detail, reason, temporary, done_at, more FROM parked
    WHERE id > ? ORDER BY id LIMIT ?
"""
_KEEP_ID = "INSERT OR REPLACE INTO other_id VALUES (?, ?, ?, ?, ?)"
# what was said before of the newest attempt is not said again (see history.is_said)
_NOTE = """
    UPDATE part SET history = history || iif(
        instr(substr(history, instr(history, '|claimed|' || coalesce(carrier, '') || '|' || attempt || '|')), ?), '', ?
    ), hopeful = ? WHERE id = ?
"""


class Receipts:
    """Matches, applies and parks, inside a transaction that the caller opens and closes.

    What it remembers between transactions are hints: they save look-ups and never say anything the rows would not.
    """

    def __init__(self, db: sqlite3.Connection, tally: Tally) -> None:
        self._db = db
        self._tally = tally
        self._known: dict[tuple[str, str], Held] = {}
        """The newest attempt of this life under a key; the id of a `sent` part never changes."""
        self._places = Places()
        self._parked = self._load_parked()
        self._has_other_ids = bool(db.execute("SELECT EXISTS (SELECT 1 FROM other_id)").fetchone()[0])

    def forget(self) -> None:
        """Drop the hints: the transaction they came from was rolled back."""
        self._known.clear()
        self._places.clear()
        self._parked = self._load_parked()

    def drop(self, ids: Iterable[tuple[str | None, str | None]]) -> None:
        """Forget these (carrier, key): their parts are no more."""
        for carrier, key in ids:
            if carrier is not None and key is not None:
                self._known.pop((carrier, key), None)

    def remember(self, settled: Iterable[Settled]) -> None:
        """Take note of the ids these answers gave to their parts, which were claimed in this life."""
        known = self._known
        for result in settled:
            if isinstance(result, Answer) and result.key is not None and result.event is Event.ACKNOWLEDGED:
                name = result.carrier, result.key
                newest = Held(result.part, result.to, result.at, result.carrier_message_id or result.key)
                known[name] = max(newest, known.get(name, newest), key=lambda held: (held.at, held.part))
        while len(known) > KNOWN_IDS:
            del known[next(iter(known))]

    def as_kept(self, result: Settled) -> Settled:
        """Return a result that does not move its part as it may be kept: see `connector.store.joining.as_kept`."""
        addresses = self._db.execute("SELECT to_addr, sender FROM message WHERE id = ?", (result.part >> 8,))
        return as_kept(result, addresses.fetchone() or (), self._key)

    def keep_id(self, late: Answer) -> None:
        """Keep the id of an attempt that is no longer its part's present one: its receipts mean the part too."""
        if late.key is not None and late.event is Event.ACKNOWLEDGED:
            written = late.carrier_message_id or late.key
            self._db.execute(_KEEP_ID, (late.carrier, late.key, late.part, written, late.at))
            self._known.pop((late.carrier, late.key), None)
            self._has_other_ids = True

    # --- matching ---

    def match(
        self,
        parked: Sequence[Receipt],
        fresh: Sequence[Receipt],
        settle: Settle,
        earlier: Earlier,
        policies: Mapping[str, DoubtPolicy],
    ) -> list[Moved]:
        """Apply each receipt to its part, or park it; before them the words about ``earlier`` attempts.

        The others are as `connector.store.joining.match` has them.
        """
        moved = [change for word in earlier.in_order() if (change := self._finish_one(word))]
        settled, matched = match(parked, fresh, self, settle, policies)
        notes = [
            (said_in(line), line, word.receipt.hopeful, word.part)
            for word in matched
            if word.receipt.event is None and (line := word_line(word))
        ]
        if notes:
            self._db.executemany(_NOTE, notes)
        final = [word for word in matched if word.receipt.event is not None]
        moved += settled + (self._finish(final) if final else [])
        self._places.clear()
        return moved

    def look(self, receipt: Receipt, *, is_fresh: bool) -> tuple[Held | Why, Receipt]:
        """Return the attempt a receipt means and what of it may be kept: see `connector.store.joining.look`."""
        if is_fresh and receipt.keys:
            known = self._known.get((receipt.carrier, receipt.keys[0]))
            if known is not None and is_plain(receipt, known):
                return known, receipt
        return look(receipt, lambda key: self._held(receipt.carrier, key), self._key, is_fresh=is_fresh)

    def _held(self, carrier: str, key: str) -> list[Held]:
        held = [Held(*row) for row in self._db.execute(_HELD, (carrier, key, MOST_HELD)).fetchall()]
        if self._has_other_ids:
            rows = self._db.execute(_HELD_LATE, (carrier, key, MOST_HELD)).fetchall()
            held += [Held(*row)._replace(is_earlier=True) for row in rows]
        return held

    def open_to(self, receipt: Receipt) -> Iterable[Doubted]:
        """Return the parts to the receipt's number that wait for a word of its carrier."""
        for kept_as, to in aliases_of(receipt, self._key).items():
            rows = self._db.execute(_DOUBTED, (kept_as, MOST_HELD, receipt.carrier)).fetchall()
            yield from (_doubted(*row)._replace(to=to, is_erased=kept_as != to) for row in rows)

    def without_ids(self, to: str) -> Iterable[tuple[int, str]]:
        """Return the parts to a number that may have attempts without an id, with their histories."""
        for kept_as in spelled_in_rows(to, self._key):
            yield from self._db.execute(_WITHOUT_IDS, (kept_as, MOST_HELD)).fetchall()

    def _key(self) -> bytes | None:
        """Return the key of erased numbers; None where there is none to be read: then nothing is told by it."""
        try:
            return read_key(Path(self._db.execute("PRAGMA database_list").fetchone()[2]))
        except StoreError as error:
            log.warning("receipts for erased numbers find no message: %s", error)
            return None

    def told(self, part: int) -> tuple[int, str]:
        """Return the number of a part's newest attempt, and its lane."""
        attempt, lane = self._db.execute(_TOLD, (part,)).fetchone()
        return attempt, lane

    def joined(self, answer: Answer) -> list[Receipt]:
        """Return the parked receipts that an answer was missing for, which a receipt has brought."""
        self._known.pop((answer.carrier, answer.key or ""), None)
        return self.unpark([answer])

    # --- final words ---

    def _finish(self, final: Sequence[Word]) -> list[Moved]:
        """Apply final words; those of parts that are `sent`, nearly all, at once."""
        if any(word.is_earlier for word in final):  # some of them may only be noted
            return [change for word in final if (change := self._finish_one(word))]
        self._db.execute("SAVEPOINT finish")
        moved = self._finish_sent(final)
        if len(moved) < len(final):
            self._db.execute("ROLLBACK TO finish")
            moved = self._finish_mixed(final)
        else:
            self._count(moved)
        self._db.execute("RELEASE finish")
        return moved

    def _finish_mixed(self, final: Sequence[Word]) -> list[Moved]:
        """Apply words some of which are second ones: for each part the first, then the others one by one."""
        ids = json.dumps([word.part for word in final])
        sent = {row[0] for row in self._db.execute(_SENT, (ids,))}
        first: dict[int, Word] = {}
        for word in final:
            if word.part in sent:
                first.setdefault(word.part, word)
        self._finish_sent(list(first.values()))
        moved: list[Moved] = []
        for word in final:
            if first.get(word.part) is word:
                moved.append(Moved(word.part, Status(_AFTER_SENT[word.receipt.event])))  # type: ignore[index]
                self._tally.moved([word.part], Status.SENT, moved[-1].status)  # in order: the event log is read in it
            elif change := self._finish_one(word):
                moved.append(change)
        return moved

    def _finish_sent(self, final: Sequence[Word]) -> list[Moved]:
        """Apply these to parts that are `sent`; return the moves if all of them were, else fewer."""
        rows = [
            _finish_row(_AFTER_SENT[word.receipt.event], word)  # type: ignore[index]
            for word in final
        ]
        if not rows or self._db.executemany(_FINISH, rows).rowcount < len(rows):
            return []
        return [Moved(row[-1], Status(row[0])) for row in rows]

    def _count(self, moved: Sequence[Moved]) -> None:
        by_status: dict[str, list[int]] = {}
        for change in moved:
            by_status.setdefault(change.status, []).append(change.part)
        for status, parts in by_status.items():
            self._tally.moved(parts, Status.SENT, status)

    def _finish_one(self, word: Word) -> Moved | None:
        """Apply one final word where the part may not be `sent`; the same word again changes nothing at all.

        A part on the wire has no id yet: the word is about an attempt before, and waits for what comes of this one.
        """
        event, part = word.receipt.event, word.part
        assert event is not None
        status, due_at, queue, sent_at, is_lost, *told = self._db.execute(_STANDING, (part,)).fetchone()
        old = Status(status)
        new = None if is_only_noted(word, sent_at=sent_at, is_lost=bool(is_lost)) else move(old, event)
        if new is None:
            if old is Status.SENDING:
                self.park(word.receipt, Why.EARLIER_ATTEMPT, [(NO_CARRIER, part_key(part))])
            elif not is_repeated(word, *told, is_end=status == _AFTER_SENT[event]):
                self._db.execute(_SAY, (word_line(word), part))
            return None
        self._db.execute(_FINISH_ANY, _finish_row(new.value, word))
        self._tally.moved([part], old, new)
        return Moved(part, new, queue if waits(old, due_at) else None)

    # --- parking ---

    def _load_parked(self) -> set[tuple[str, str]] | None:
        rows = self._db.execute("SELECT carrier, key FROM parked_key LIMIT ?", (PARKED_KEYS + 1,)).fetchall()
        return set(rows) if len(rows) <= PARKED_KEYS else None

    def park(self, receipt: Receipt, why: Why, also: Sequence[tuple[str, str]] = ()) -> None:
        """Keep a receipt that means no part, or not yet; it is found by what it says, and under ``also``."""
        last = self._db.execute("SELECT coalesce(max(id), 0) FROM parked").fetchone()[0]
        parked = self._places.back(receipt) or self._places.after(last)
        self._db.execute(_PARK, (parked, *_parked_row(receipt), why, _more(receipt)))
        keys = [*((receipt.carrier, key) for key in parking_keys(receipt)), *also]
        rows = [(carrier, key, parked) for carrier, key in keys]
        self._db.executemany("INSERT OR IGNORE INTO parked_key VALUES (?, ?, ?)", rows)
        self._tally.counters["parked"] += 1
        if self._parked is not None:
            self._parked.update(keys)
            if len(self._parked) > PARKED_KEYS:
                self._parked = None

    def unpark(self, settled: Iterable[Settled]) -> list[Receipt]:
        """Return the parked receipts that these answers, or their absence, were missing for, taken out of parking."""
        parked = self._parked
        if parked is not None and not parked:
            return []
        found: list[Receipt] = []
        for result in settled:
            for key in self._keys_of(result):
                if parked is None or (result.carrier, key) in parked:
                    found += self._take_parked(result.carrier, key)
        return found

    def unpark_told(self, parts: Sequence[int]) -> list[Receipt]:
        """Return the parked receipts that may tell these parts, which are in doubt now, taken out of parking."""
        if self._parked is not None and not self._parked:
            return []
        found: list[Receipt] = []
        for part in parts:
            carrier, to = self._db.execute(_WENT, (part,)).fetchone()
            found += self._take_parked(carrier, number_key(to))
        return found

    def unpark_earlier(self, parts: Iterable[int]) -> Earlier:
        """Return what was said of earlier attempts of these parts, whose newest ones are settled now."""
        earlier, parked = Earlier(), self._parked
        if parked is not None and not parked:
            return earlier
        for part in parts:
            name = NO_CARRIER, part_key(part)
            if (parked is None or name in parked) and (words := self._take_parked(*name)):
                earlier.words[part] = words
        return earlier

    def _keys_of(self, result: Settled) -> list[str]:
        return keys_of(result, lambda: self._number_of(result.part))

    def _number_of(self, part: int) -> str | None:
        row = self._db.execute("SELECT to_addr FROM message WHERE id = ?", (part >> 8,)).fetchone()
        return None if row is None else str(row[0])

    def _take_parked(self, carrier: str, key: str) -> list[Receipt]:
        rows = self._db.execute(_UNPARK, (carrier, key, MOST_HELD)).fetchall()
        found = []
        for parked, *row in rows:
            receipt = _parked_receipt(*row)
            self._db.execute("DELETE FROM parked_key WHERE parked = ?", (parked,))
            self._db.execute("DELETE FROM parked WHERE id = ?", (parked,))
            found.append(receipt)
            self._places.take(receipt, parked)
        self._tally.counters["parked"] -= len(rows)
        if self._parked is not None and len(rows) < MOST_HELD:
            self._parked.discard((carrier, key))
        return found


def parked(db: sqlite3.Connection, after: int, limit: int) -> list[ParkedReceipt]:
    """Return receipts that are kept without a part, behind this id, oldest first."""
    rows = db.execute(_PARKED, (after, limit)).fetchall()
    return [ParkedReceipt(identity, _parked_receipt(*row), why) for identity, why, *row in rows]


def _doubted(
    part: int, to: str, sender: str, text: str | None, bounds: str | None, created_at: float, is_doubted: int
) -> Doubted:
    start, end = (json.loads(bounds) if bounds else [(0, None)])[max(0, (part & 0xFF) - 1)]
    return Doubted(part, to, sender, (text or "")[start:end], created_at, bool(is_doubted))


def _finish_row(status: str, word: Word) -> tuple[Any, ...]:
    receipt = word.receipt
    why = receipt.reason, receipt.temporary
    if receipt.event is Event.DELIVERED:
        why = None, None
    return status, receipt.at, *why, receipt.done_at, word_line(word, moves=True), word.part


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


def _more(receipt: Receipt) -> str:
    clue = receipt.clue
    told = None if clue is None else [clue.sender, clue.text, clue.reference]
    return json.dumps([receipt.ids, receipt.numeric, receipt.lifetime_s, receipt.hopeful, told])


def _parked_receipt(
    carrier: str, keys: str, at: float, event: str | None, number: str, detail: str | None, reason: str | None,
    temporary: int | None, done_at: float | None, more: str,
) -> Receipt:  # fmt: skip
    """Return a receipt as it was parked, with every reading of its id: one that was unsure is unsure still."""
    word = Event(event) if event else None
    known = None if temporary is None else bool(temporary)
    ids, numeric, lifetime_s, hopeful, told = json.loads(more)
    clue = None if told is None else Clue(*told)
    return Receipt(
        carrier, tuple(json.loads(keys)), at, word, number, detail, reason, known, done_at, tuple(ids), numeric,
        lifetime_s, hopeful, clue,
    )  # fmt: skip
