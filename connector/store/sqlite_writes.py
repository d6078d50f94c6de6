"""The writing verbs on SQLite that are ours to start: append, claim, change, recover, sweep."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from itertools import groupby

from connector.lifecycle import FINAL, Event, Status, move
from connector.model import (
    Claim,
    Conflict,
    DoubtPolicy,
    Duplicate,
    Kept,
    Message,
    Move,
    Moved,
    Owner,
    QueueName,
    QueueState,
    Reason,
    Refile,
    Refiled,
    is_whole,
)
from connector.store.history import line
from connector.store.rules import (
    REROUTE_LOOK_S,
    accepted_only,
    after_wish,
    due_after,
    is_turned_away,
    onward,
    policy_of,
    split_refused,
    waits,
    with_refused,
)
from connector.store.tally import Tally

_INSERT_MESSAGE = "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_PART = """
    INSERT INTO part (id, queue, status, deadline, due_at, attempt, tries, fence, carrier, history)
    VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?)
"""
_CLAIM = """
    UPDATE part SET status = 'sending', attempt = ?, carrier = ?, fence = ?, history = history || ?
    WHERE id = ? AND attempt = ? AND status = 'accepted' AND due_at IS NULL
        AND (pinned IS NULL OR pinned = ? OR instr(?, '|' || pinned || '|') = 0)
"""
_CLAIM_AGAIN = _CLAIM.replace("'accepted'", "'in_doubt'")
_REFILE = """
    UPDATE part SET queue = ? WHERE id = ? AND queue = ? AND status IN ('scheduled', 'accepted', 'in_doubt')
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
_PIN = """
    UPDATE part SET pinned = ? WHERE id BETWEEN ? AND ? AND (pinned IS NULL OR instr(?, '|' || pinned || '|') = 0)
"""


class Writes:
    """Writing verbs on one connection, inside a transaction that the caller opens and closes."""

    def __init__(self, db: sqlite3.Connection, tally: Tally) -> None:
        self._db = db
        self._tally = tally
        self.now = 0.0
        """The newest time that a verb of this transaction was given: what its event rows are dated with."""

    def queues(self, names: Sequence[QueueName]) -> list[QueueState]:
        """Return these queues (made if they are new) and every other one on disk, with what waits in each."""
        self.open(names)
        rows = self._db.execute(
            "SELECT id, lane, rule, api_key, scope, (SELECT count(*) FROM part WHERE queue = queue.id"
            " AND status IN ('accepted', 'in_doubt') AND due_at IS NULL) FROM queue ORDER BY id"
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
        self.now = max(self.now, now)
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
        self.now = max(self.now, now)
        rows = [
            (
                claim.attempt,
                claim.carrier,
                owner.fence,
                line(now, Event.CLAIMED, claim.carrier, claim.attempt, None),
                claim.part,
                claim.attempt - 1,
                claim.carrier,
                _named(claim),
            )
            for claim in claims
        ]
        again = [claim for claim in claims if claim.doubts]
        won = list(claims)
        self._db.execute("SAVEPOINT claim")
        if _is_torn(claims) or not self._claim_all(claims, rows, mixed=bool(again)):
            self._db.execute("ROLLBACK TO claim")
            won = [claim for claim, row in zip(claims, rows, strict=True) if self._claim_one(claim, row)]
        else:
            self._pin(claims)
        self._db.execute("RELEASE claim")
        for doubted, group in groupby(won, _is_doubted) if again else [(False, won)]:
            old = Status.IN_DOUBT if doubted else Status.ACCEPTED
            self._tally.moved((claim.part for claim in group), old, Status.SENDING)
        self._tally.attempted(len(won))
        return won

    def _claim_all(self, claims: Sequence[Claim], rows: Sequence[tuple[object, ...]], *, mixed: bool) -> bool:
        """Claim these at once; return whether every one won."""
        if not mixed:
            return self._db.executemany(_CLAIM, rows).rowcount == len(rows)
        groups: dict[str, list[tuple[object, ...]]] = {}
        for claim, row in zip(claims, rows, strict=True):
            groups.setdefault(_claim_sql(claim), []).append(row)
        return sum(self._db.executemany(sql, group).rowcount for sql, group in groups.items()) == len(rows)

    def _claim_one(self, claim: Claim, row: tuple[object, ...]) -> bool:
        if not self._db.execute(_claim_sql(claim), row).rowcount:
            return False
        self._pin([claim])
        return True

    def _pin(self, won: Sequence[Claim]) -> None:
        """Tie all parts of a message, these too, to the first carrier that claims one; and once its rule does not name
        that one any more, to the first of the others."""
        pins: dict[int, tuple[str, int, int, str | None]] = {}
        for claim in won:
            if not is_whole(claim.part):
                message = claim.part >> 8
                pins.setdefault(message, (claim.carrier, message << 8 | 1, message << 8 | 255, _named(claim)))
        self._db.executemany(_PIN, pins.values())

    def change(self, moves: Sequence[Move], *, now: float) -> list[Moved]:
        """Apply moves that come from outside the carrier's word; those the table does not allow are left out."""
        self.now = max(self.now, now)
        return [moved for wish in moves if (moved := self._change(wish))]

    def _change(self, wish: Move) -> Moved | None:
        row = self._db.execute(
            "SELECT status, attempt, due_at, queue, pinned, refused, doubts, hopeful FROM part WHERE id = ?",
            (wish.part,),
        ).fetchone()
        if row is None:
            return None
        status, attempt, due_at, queue, pinned, refused, doubts, hopeful = row
        old = Status(status)
        new = after_wish(old, due_at, wish)
        if new is None:
            return None
        if wish.event is Event.SILENCE and hopeful:
            wish, new = accepted_only(wish.part)
        gone = split_refused(refused)
        if is_turned_away(wish.part, wish, pinned, gone):
            event = self._onward(wish.part, gone)
            if event is None:
                return None
            if event is Event.REFUSED:
                wish = Move(wish.part, event, Reason.REFUSED_BY_CARRIER)
                new = move(old, event, doubts=doubts)
                assert new is not None  # whatever may be due may be refused
        self._db.execute(
            "UPDATE part SET status = ?, due_at = ?, finished_at = ?, reason = ?, history = history || ? WHERE id = ?",
            (
                new.value,
                due_after(wish),
                self.now if new in FINAL else None,
                wish.reason,
                line(self.now, wish.event, None, attempt, wish.reason),
                wish.part,
            ),
        )
        self._tally.moved([wish.part], old, new)
        return Moved(wish.part, new, queue if waits(old, due_at) else None, queue)

    def _onward(self, part: int, refused: Sequence[str]) -> Event | None:
        """Decide what becomes of a part whose carrier does not take it, and do to its message what that needs."""
        message = part >> 8
        span = message << 8 | 1, message << 8 | 255
        siblings = self._db.execute(
            "SELECT status, sent_at, doubts FROM part WHERE id BETWEEN ? AND ? AND id <> ?", (*span, part)
        )
        event = onward((Status(status), sent_at, doubts) for status, sent_at, doubts in siblings)
        if event is None:
            self._db.execute("UPDATE part SET due_at = ? WHERE id = ?", (self.now + REROUTE_LOOK_S, part))
        elif event is Event.DUE:
            self._free(span, refused)
        return event

    def _free(self, span: tuple[int, int], refused: Sequence[str]) -> None:
        """Untie all parts of a message; those still to be sent are not to go to these carriers."""
        self._db.execute("UPDATE part SET pinned = NULL WHERE id BETWEEN ? AND ?", span)
        rows = self._db.execute(
            "SELECT id, refused FROM part WHERE id BETWEEN ? AND ? AND finished_at IS NULL", span
        ).fetchall()
        self._db.executemany(
            "UPDATE part SET refused = ? WHERE id = ?",
            [("|".join(with_refused(split_refused(theirs), refused)), part) for part, theirs in rows],
        )

    def refile(self, moves: Sequence[Refile]) -> list[Refiled]:
        """Put parts that have not left into other queues; return those that were where they were said to be."""
        refiled = []
        for wish in moves:
            row = self._db.execute("SELECT status, due_at FROM part WHERE id = ?", (wish.part,)).fetchone()
            if row is not None and self._db.execute(_REFILE, (wish.new, wish.part, wish.old)).rowcount:
                refiled.append(Refiled(wish.part, wish.old, wish.new, waits(Status(row[0]), row[1])))
        return refiled

    def recover(self, owner: Owner, *, limit: int, now: float, policies: Mapping[str, DoubtPolicy]) -> list[Moved]:
        """Put what an earlier life left in `sending` in doubt: its bytes may be out."""
        self.now = max(self.now, now)
        rows = self._db.execute(
            "SELECT part.id, attempt, carrier, deadline, doubts + 1, queue.lane"
            " FROM part JOIN queue ON queue.id = part.queue WHERE status = 'sending' AND fence < ?"
            " ORDER BY part.id LIMIT ?",
            (owner.fence, limit),
        ).fetchall()
        self._db.executemany(
            "UPDATE part SET status = 'in_doubt', due_at = ?, doubts = doubts + 1, lost = attempt,"
            " history = history || ? WHERE id = ?",
            [
                (
                    policy_of(lane, policies).due_at(now, deadline, doubts),
                    line(now, Event.LOST, carrier, attempt, "restarted"),
                    part,
                )
                for part, attempt, carrier, deadline, doubts, lane in rows
            ],
        )
        self._tally.moved([row[0] for row in rows], Status.SENDING, Status.IN_DOUBT)
        self._tally.attempted(doubted=len(rows))
        return [Moved(row[0], Status.IN_DOUBT) for row in rows]

    def probe(self, now: float) -> None:
        """Write a row that means nothing but that it could be written."""
        self.now = max(self.now, now)
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('probed_at', ?)", (int(now),))

    def sweep(self, limit: int, *, before: float) -> int:
        """Forget references older than ``before`` of which no message is live any more; return how many.

        The references of one keyed request go together: half a memory would take half of a replay for new.
        """
        rows = self._db.execute(_SWEPT, (before, limit)).fetchall()
        self._db.executemany("DELETE FROM ref WHERE api_key = ? AND ref = ?", rows)
        return len(rows)


def _named(claim: Claim) -> str | None:
    """Return the carriers that may keep the message of a claim, each between bars; None: whoever has it."""
    return None if claim.carriers is None else f"|{'|'.join(claim.carriers)}|"


def _is_doubted(claim: Claim) -> bool:
    return claim.doubts > 0


def _is_torn(claims: Sequence[Claim]) -> bool:
    """Tell whether parts of one message are claimed for two carriers: the first that is has the message."""
    carriers: dict[int, str] = {}
    return any(
        carriers.setdefault(claim.part >> 8, claim.carrier) != claim.carrier
        for claim in claims
        if not is_whole(claim.part)
    )


def _claim_sql(claim: Claim) -> str:
    return _CLAIM_AGAIN if _is_doubted(claim) else _CLAIM


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
