"""The writing verbs on SQLite that are ours to start: append, claim, change, recover, sweep."""

import json
import sqlite3
from collections.abc import Mapping, Sequence

from connector.lifecycle import FINAL, Event, Status
from connector.model import (
    Claim,
    Conflict,
    Duplicate,
    Kept,
    Message,
    Move,
    Moved,
    Owner,
    QueueName,
    QueueState,
    is_whole,
)
from connector.store.history import line
from connector.store.rules import after_wish
from connector.store.tally import Tally

_INSERT_MESSAGE = "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_PART = """
    INSERT INTO part (id, queue, status, deadline, due_at, attempt, tries, fence, carrier, history)
    VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?)
"""
_CLAIM = """
    UPDATE part SET status = 'sending', attempt = ?, carrier = ?, fence = ?, due_at = NULL, history = history || ?
    WHERE id = ? AND attempt = ? AND status = 'accepted'
"""
# kin: the references of one keyed request, which begin alike up to the unit separator (see rules.kin_of)
_SWEPT = """
    WITH old AS (
        SELECT at, api_key, ref, instr(ref, char(31)) AS keyed, substr(ref, 1, instr(ref, char(31))) AS kin
        FROM ref WHERE at < ?
    )
    SELECT api_key, ref FROM old WHERE NOT EXISTS (
        SELECT 1 FROM ref JOIN part ON part.id BETWEEN ref.message << 8 AND ref.message << 8 | 255
        WHERE ref.api_key = old.api_key AND part.finished_at IS NULL
            AND ref.ref BETWEEN iif(keyed, kin, old.ref) AND iif(keyed, kin || ':', old.ref)
    ) ORDER BY at, api_key, ref LIMIT ?
"""
_PIN = "UPDATE part SET pinned = ? WHERE id BETWEEN ? AND ? AND pinned IS NULL"


class Writes:
    """Writing verbs on one connection, inside a transaction that the caller opens and closes."""

    def __init__(self, db: sqlite3.Connection, tally: Tally) -> None:
        self._db = db
        self._tally = tally
        self.now = 0.0
        """Time of the newest verb: what the event rows of this transaction are dated with."""

    def queues(self, names: Sequence[QueueName]) -> list[QueueState]:
        """Return these queues (made if they are new) and every other one on disk, with what waits in each."""
        self.open(names)
        rows = self._db.execute(
            "SELECT id, lane, rule, api_key, scope, (SELECT count(*) FROM part WHERE queue = queue.id"
            " AND status = 'accepted' AND due_at IS NULL) FROM queue ORDER BY id"
        )
        return [QueueState(row[0], QueueName(*row[1:5]), row[5]) for row in rows]

    def open(self, names: Sequence[QueueName]) -> dict[QueueName, int]:
        """Return the ids of these queues, which are made if they are new; what waits elsewhere is not looked at."""
        keys = [(name.lane, name.rule, name.api_key, name.scope) for name in names]
        self._db.executemany("INSERT OR IGNORE INTO queue (lane, rule, api_key, scope) VALUES (?, ?, ?, ?)", keys)
        find = "SELECT id FROM queue WHERE (lane, rule, api_key, scope) = (?, ?, ?, ?)"
        return {name: self._db.execute(find, key).fetchone()[0] for name, key in zip(names, keys, strict=True)}

    def record(self, facts: Mapping[str, str]) -> None:
        """Keep these facts by name; an empty text forgets one."""
        self._db.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", facts.items())
        self._db.execute("DELETE FROM fact WHERE value = ''")

    def append(
        self, messages: Sequence[Message], claims: Sequence[Claim], *, owner: Owner, now: float
    ) -> list[Kept | Duplicate | Conflict]:
        """Keep messages with their parts; those parts named in ``claims`` enter as claimed."""
        self.now = now
        claimed = {claim.part: claim for claim in claims}
        kept: list[Message] = []
        verdicts: list[Kept | Duplicate | Conflict] = []
        for message in messages:
            verdict = self._check_refs(message, now)
            verdicts.append(verdict)
            if isinstance(verdict, Kept):
                kept.append(message)
        self._db.executemany(_INSERT_MESSAGE, [_message_row(message) for message in kept])
        rows = [row for message in kept for row in self._part_rows(message, claimed, owner, now)]
        self._db.executemany(_INSERT_PART, rows)
        self._tally.accepted(len(kept), len(rows))
        sent = {message.id for message in kept if message.send_at is None}
        self._pin([claim for claim in claims if claim.part >> 8 in sent])
        return verdicts

    def _part_rows(
        self, message: Message, claimed: Mapping[int, Claim], owner: Owner, now: float
    ) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = []
        scheduled = message.send_at is not None
        for part in message.parts():
            claim = None if scheduled else claimed.get(part.id)
            status = "scheduled" if scheduled else "accepted" if claim is None else "sending"
            history = line(now, "scheduled" if scheduled else "accepted", None, 0, None)
            fence, carrier, attempt = 0, None, 0
            if claim is not None:
                fence, carrier, attempt = owner.fence, claim.carrier, claim.attempt
                history += line(now, Event.CLAIMED, carrier, attempt, None)
            due_at = message.send_at
            rows.append((part.id, part.queue, status, part.deadline, due_at, attempt, fence, carrier, history))
            self._tally.entered(part.id, status)
        return rows

    def _check_refs(self, message: Message, now: float) -> Kept | Duplicate | Conflict:
        """Look up, then write, what may not be accepted twice."""
        marks = message.refs if message.guard is None else (message.guard, *message.refs)
        known = 0
        for ref, fingerprint in marks:
            row = self._db.execute(
                "SELECT fingerprint, message FROM ref WHERE api_key = ? AND ref = ?", (message.api_key, ref)
            ).fetchone()
            if row is not None and row[0] != fingerprint:
                return Conflict(row[1], ref)
            if row is not None:
                known = known or row[1]
        new = known or message.id
        self._db.executemany(
            "INSERT OR IGNORE INTO ref VALUES (?, ?, ?, ?, ?)",
            [
                (message.api_key, ref, print_, 0 if (ref, print_) == message.guard else new, now)
                for ref, print_ in marks
            ],
        )
        return Duplicate(known) if known else Kept(message.id)

    def claim(self, claims: Sequence[Claim], *, owner: Owner, now: float) -> list[Claim]:
        """Move waiting parts to `sending`, each with its attempt; return the claims that won."""
        self.now = now
        rows = [
            (
                claim.attempt,
                claim.carrier,
                owner.fence,
                line(now, Event.CLAIMED, claim.carrier, claim.attempt, None),
                claim.part,
                claim.attempt - 1,
            )
            for claim in claims
        ]
        won = list(claims)
        self._db.execute("SAVEPOINT claim")
        if self._db.executemany(_CLAIM, rows).rowcount != len(rows):
            self._db.execute("ROLLBACK TO claim")
            won = [claim for claim, row in zip(claims, rows, strict=True) if self._db.execute(_CLAIM, row).rowcount]
        self._db.execute("RELEASE claim")
        self._pin(won)
        self._tally.moved((claim.part for claim in won), Status.ACCEPTED, Status.SENDING)
        return won

    def _pin(self, won: Sequence[Claim]) -> None:
        """Tie all parts of a message, these too, to the first carrier that claims one."""
        pins: dict[int, str] = {}
        for claim in won:
            if not is_whole(claim.part):
                pins.setdefault(claim.part >> 8, claim.carrier)
        self._db.executemany(
            _PIN, [(carrier, message << 8 | 1, message << 8 | 255) for message, carrier in pins.items()]
        )

    def change(self, moves: Sequence[Move], *, now: float) -> list[Moved]:
        """Apply moves that come from outside the carrier's word; those the table does not allow are left out."""
        self.now = now
        moved = []
        for wish in moves:
            row = self._db.execute("SELECT status, attempt, due_at FROM part WHERE id = ?", (wish.part,)).fetchone()
            if row is None:
                continue
            old = Status(row[0])
            new = after_wish(old, row[2], wish.event)
            if new is None:
                continue
            finished = now if new in FINAL else None
            self._db.execute(
                "UPDATE part SET status = ?, due_at = NULL, finished_at = ?, reason = ?, history = history || ?"
                " WHERE id = ?",
                (new.value, finished, wish.reason, line(now, wish.event, None, row[1], wish.reason), wish.part),
            )
            self._tally.moved([wish.part], old, new)
            moved.append(Moved(wish.part, new))
        return moved

    def recover(self, owner: Owner, *, limit: int, now: float, patience_s: Mapping[str, float]) -> list[Moved]:
        """Put what an earlier life left in `sending` in doubt: its bytes may be out."""
        self.now = now
        rows = self._db.execute(
            "SELECT part.id, part.attempt, part.carrier, queue.lane FROM part JOIN queue ON queue.id = part.queue"
            " WHERE part.status = 'sending' AND part.fence < ? ORDER BY part.id LIMIT ?",
            (owner.fence, limit),
        ).fetchall()
        longest = max(patience_s.values(), default=0.0)
        self._db.executemany(
            "UPDATE part SET status = 'in_doubt', due_at = ?, history = history || ? WHERE id = ?",
            [
                (now + patience_s.get(lane, longest), line(now, Event.LOST, carrier, attempt, "restarted"), part)
                for part, attempt, carrier, lane in rows
            ],
        )
        self._tally.moved([row[0] for row in rows], Status.SENDING, Status.IN_DOUBT)
        return [Moved(row[0], Status.IN_DOUBT) for row in rows]

    def probe(self, now: float) -> None:
        """Write a row that means nothing but that it could be written."""
        self.now = now
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('probed_at', ?)", (int(now),))

    def sweep(self, limit: int, *, before: float) -> int:
        """Forget references older than ``before`` of which no message is live any more; return how many.

        The references of one keyed request go together: half a memory would take half of a replay for new.
        """
        rows = self._db.execute(_SWEPT, (before, limit)).fetchall()
        self._db.executemany("DELETE FROM ref WHERE api_key = ? AND ref = ?", rows)
        return len(rows)


def _message_row(message: Message) -> tuple[object, ...]:
    return (
        message.id,
        message.api_key,
        message.queue,
        message.to,
        message.sender,
        message.text,
        message.alphabet,
        message.reference,
        json.dumps(message.bounds) if len(message.bounds) > 1 else None,
        message.created_at,
        message.deadline,
        message.send_at,
        message.country,
        message.client_ref,
        message.metadata,
        message.options,
        int(message.receipt),
        None,
    )
