"""The store in memory: the same verbs on dicts, for worlds under a virtual clock and as the judge of the other engine.

Nothing survives the process.  `MemoryEngine.snapshot` is what a disk would hold at this moment, and a new life begins
with `MemoryEngine.restored`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from connector.errors import StoreBroken, StoreError
from connector.lifecycle import FINAL, Event, Status, message_status, move
from connector.model import (
    Answer,
    Claim,
    Conflict,
    DoubtPolicy,
    Due,
    Duplicate,
    EventBatch,
    Inbound,
    Kept,
    Ledger,
    Lost,
    Message,
    MessageQuery,
    MessageView,
    Move,
    Moved,
    NotSent,
    Owner,
    ParkedReceipt,
    Part,
    QueueName,
    QueueState,
    Reason,
    Receipt,
    Refile,
    Refiled,
    Result,
    Unsettled,
    Verification,
    Wanted,
    is_whole,
)
from connector.store import memory_reads as reads
from connector.store.earlier import Earlier
from connector.store.history import Settled, line, settled_line
from connector.store.memory_inbound import InboundVerbs
from connector.store.memory_privacy import PrivacyVerbs
from connector.store.memory_receipts import Receipts
from connector.store.memory_retention import LAST_GONE, RetentionVerbs
from connector.store.memory_rows import PartRow, RefRow, Rows, Snapshot, append_row
from connector.store.rules import (
    NO_POLICIES,
    REROUTE_LOOK_S,
    UNSETTLED,
    accepted_only,
    after_wish,
    attempts_of,
    due_after,
    is_free,
    is_turned_away,
    kin_of,
    names_the_unknown,
    onward,
    policy_of,
    union_of,
    with_refused,
)
from connector.store.tally import Tally


class MemoryEngine(InboundVerbs, RetentionVerbs, PrivacyVerbs):
    """The verbs of the store on dicts, synchronous; see `connector.store.store.Store` for what each one does.

    Writing verbs run inside `begin` … `commit`; reading verbs see what is committed.  Not for threads.
    """

    def __init__(self, *, node: str = "one", life: Snapshot | None = None) -> None:
        self.owner = Owner(node, 1 if life is None else life.fence + 1)
        self._rows = Rows({} if life is None else life.rows)
        self._tally = Tally()
        self._receipts = Receipts(self._rows, self._tally, self._move, self._note)
        self._now = 0.0
        self._open = False
        self._closed = False

    @classmethod
    def restored(cls, snapshot: Snapshot) -> "MemoryEngine":
        """Return the engine that a start on this snapshot gives, with the next fence."""
        return cls(node=snapshot.node, life=snapshot)

    def snapshot(self) -> Snapshot:
        """Return what is committed now; what an open transaction has done is not in it."""
        return Snapshot(self.owner.node, self.owner.fence, self._rows.kept())

    def close(self) -> None:
        """Refuse everything from now on."""
        self._closed = True

    # --- transactions ---

    def begin(self) -> None:
        if self._closed:
            raise StoreBroken("the store is closed")
        if self._open:
            raise StoreError("a transaction is open already")
        self._open = True
        self._now = 0.0
        self._tally.clear()

    def commit(self) -> None:
        self._write_tally()
        self._rows.commit()
        self._open = False

    def rollback(self) -> None:
        self._rows.rollback()
        self._open = False

    def start_copying(self, ring: Callable[[], None]) -> None:
        """Do nothing: there is no log."""

    def tidy(self) -> None: ...
    def stop_copying(self) -> None: ...
    def interrupt(self) -> None: ...

    def _write_tally(self) -> None:
        for message in sorted(self._tally.split_messages):
            self._refresh_message(message)
        for name, n in self._tally.counters.items():
            self._rows.counters.set(name, (self._rows.counters.get(name) or 0) + n)
        for status, parts in self._tally.events:
            seq = max(next(reversed(self._rows.events.working.rows), 0), self._rows.counters.get(LAST_GONE) or 0) + 1
            self._rows.events.set(seq, EventBatch(seq, self._now, Status(status), tuple(parts)))

    def _refresh_message(self, message: int) -> None:
        new = message_status(row.status for row in self._rows_of(message))
        old = self._rows.statuses.get(message)
        if new != old:
            self._rows.statuses.set(message, new)
            self._tally.message_moved(old, new)

    def _row(self, part: int) -> PartRow:
        return self._rows.parts.working.rows[part]

    def _rows_of(self, message: int) -> list[PartRow]:
        ids = (part.id for part in self._rows.messages.working.rows[message].parts())
        return [self._row(part) for part in ids]

    def _move(self, row: PartRow, new: Status, note: str, **changes: Any) -> Moved:
        """Write a part's next status with its line of history, and remember the move."""
        moved = attrs.evolve(row, status=new, history=row.history + note, **changes)
        self._rows.parts.set(row.id, moved)
        self._tally.moved([row.id], row.status, new)
        return Moved(row.id, new, row.queue if row.waits else None, row.queue)

    def _note(self, row: PartRow, note: str) -> None:
        self._rows.parts.set(row.id, attrs.evolve(row, history=row.history + note))

    # --- what comes in ---

    def queues(self, names: Sequence[QueueName]) -> list[QueueState]:
        self.open(names)
        return [
            QueueState(queue, name, len(self._rows.parts.working.at(("waiting", queue))))
            for queue, name in sorted(self._rows.queues.working.rows.items())
        ]

    def open(self, names: Sequence[QueueName]) -> dict[QueueName, int]:
        known = {name: queue for queue, name in self._rows.queues.working.rows.items()}
        for name in names:
            if name not in known:
                known[name] = append_row(self._rows.queues, name)
        return {name: known[name] for name in names}

    def record(self, facts: Mapping[str, str]) -> None:
        for name, value in facts.items():
            self._rows.facts.set(name, value or None)

    def append(
        self, messages: Sequence[Message], claims: Sequence[Claim], *, owner: Owner, now: float
    ) -> list[Kept | Duplicate | Conflict]:
        self._now = max(self._now, now)
        claimed = {claim.part: claim for claim in claims}
        verdicts = []
        for message in messages:
            verdict = self._check_refs(message, now)
            verdicts.append(verdict)
            if isinstance(verdict, Kept):
                self._keep(message, claimed, owner, now)
        return verdicts

    def _check_refs(self, message: Message, now: float) -> Kept | Duplicate | Conflict:
        marks = [mark for mark in (message.guard, *message.refs) if mark is not None]
        found = [(ref, print_, self._rows.refs.get((message.api_key, ref))) for ref, print_ in marks]
        for ref, print_, row in found:
            if row is not None and row.fingerprint != print_:
                return Conflict(row.message, ref)
        known = next((row.message for _, _, row in found if row is not None and row.message), None)
        for ref, print_, row in found:
            if row is None:
                target = 0 if (ref, print_) == message.guard else known or message.id
                self._rows.refs.set((message.api_key, ref), RefRow(print_, target, now))
        return Kept(message.id) if known is None else Duplicate(known)

    def _keep(self, message: Message, claimed: Mapping[int, Claim], owner: Owner, now: float) -> None:
        if self._rows.messages.get(message.id) is not None:
            raise StoreError(f"message {message.id} is kept already: ids must be new")
        self._rows.messages.set(message.id, message)
        parts = message.parts()
        self._tally.accepted(1, len(parts))
        for part in parts:
            row = PartRow.new(part, message.send_at, now)
            claim = claimed.get(part.id) if message.send_at is None else None
            if claim is not None:
                row = row.claimed(claim, owner, now)
            self._rows.parts.set(part.id, row)
            self._tally.entered(part.id, row.status)
        for part in parts:
            if part.id in claimed and message.send_at is None:
                self._pin(claimed[part.id])

    # --- what goes out ---

    def claim(self, claims: Sequence[Claim], *, owner: Owner, now: float) -> list[Claim]:
        self._now = max(self._now, now)
        won = []
        for claim in claims:
            row = self._rows.parts.get(claim.part)
            waiting = Status.IN_DOUBT if claim.doubts else Status.ACCEPTED
            if row is None or not row.waits or row.status is not waiting or row.attempt != claim.attempt - 1:
                continue
            if row.pinned != claim.carrier and not is_free(row.pinned, claim):
                continue  # its message was begun on another one meanwhile
            self._rows.parts.set(row.id, row.claimed(claim, owner, now))
            self._tally.moved([row.id], waiting, Status.SENDING)
            self._pin(claim)
            self._tally.attempted(1)
            won.append(claim)
        return won

    def _pin(self, claim: Claim) -> None:
        """Tie all parts of the message to the first carrier that claims one, or the first that its rule still names."""
        if is_whole(claim.part):
            return
        for row in self._rows_of(claim.part >> 8):
            if is_free(row.pinned, claim):
                self._rows.parts.set(row.id, attrs.evolve(row, pinned=claim.carrier))

    # --- what comes back ---

    def results(
        self, results: Sequence[Result], *, owner: Owner, now: float, policies: Mapping[str, DoubtPolicy] = NO_POLICIES
    ) -> list[Moved]:
        self._now = max(self._now, now)
        settled = [result for result in results if isinstance(result, Settled)]
        earlier = self._receipts.unpark_earlier(result.part for result in settled)
        earlier.read(settled)
        moved = [change for result in settled if (change := self._settle(result, owner, earlier))]
        moved = [self._untied(change) for change in moved]
        parked = [receipt for result in settled for receipt in self._receipts.unpark(result)]
        fresh = [result for result in results if isinstance(result, Receipt)]
        moved += self._receipts.match(parked, fresh, lambda answer: self._settle(answer, owner), earlier, policies)
        for result in results:
            if isinstance(result, Inbound):
                self._keep_inbound(result, owner)
        return moved

    def _untied(self, change: Moved) -> Moved:
        """Free the message of a part of several that waits again, if no carrier has or may have any of it."""
        if change.status is not Status.ACCEPTED or is_whole(change.part):
            return change
        rows = self._rows_of(change.part >> 8)
        if onward((row.status, row.sent_at, row.doubts) for row in rows) is not Event.DUE:
            return change
        refused = union_of(row.refused for row in rows)
        for row in rows:
            if row.status not in FINAL:
                self._rows.parts.set(row.id, attrs.evolve(row, pinned=None, refused=refused))
        return attrs.evolve(change, freed=refused)

    def _settle(self, result: Settled, owner: Owner, earlier: Earlier | None = None) -> Moved | None:
        row = self._rows.parts.get(result.part)
        if row is None:
            return None
        ours = row.attempt == result.attempt and (row.status is not Status.SENDING or row.fence == owner.fence)
        meant, note, new, doubts = result, "", None, row.doubts
        was_lost = row.lost == row.attempt
        if ours:
            standing = earlier or Earlier()
            meant, note, new, doubts = standing.settle(result, row.status, doubts=doubts, was_lost=was_lost)
        if new is None:
            self._keep_late(self._receipts.as_kept(result), row, ours)
            return None
        self._tally.attempted(*attempts_of(result, row.status, was_lost=was_lost))
        return self._move(
            row.set_back(result) if isinstance(result, Answer) else row,
            new,
            note,
            carrier=result.carrier,
            doubts=doubts,
            lost=row.attempt if isinstance(result, Lost) else 0,
            **_settled(meant, new, row),
        )

    def _keep_late(self, late: Settled, row: PartRow, ours: bool) -> None:
        """Write down a result that moves nothing; ``ours``: it is of the part's newest attempt."""
        if ours and names_the_unknown(late, row.status, row.key):
            row = row.named(late)
        elif isinstance(late, Answer) and late.key != row.key:
            self._receipts.keep_id(late)
        self._note(row, settled_line(late))

    # --- what else moves ---

    def change(self, moves: Sequence[Move], *, now: float) -> list[Moved]:
        self._now = max(self._now, now)
        return [moved for wish in moves if (moved := self._change(wish))]

    def _change(self, wish: Move) -> Moved | None:
        row = self._rows.parts.get(wish.part)
        new = None if row is None else after_wish(row.status, row.due_at, wish)
        if row is None or new is None:
            return None
        if is_turned_away(row.id, wish, row.pinned, row.refused):
            event = self._onward(row)
            if event is None:
                return None
            if event is Event.REFUSED:
                wish = Move(row.id, event, Reason.REFUSED_BY_CARRIER)
                new = move(row.status, event, doubts=row.doubts)
                assert new is not None  # whatever may be due may be refused
            row = self._row(row.id)
        if wish.event is Event.SILENCE and row.hopeful:
            wish, new = accepted_only(wish.part)
        note = line(self._now, wish.event, None, row.attempt, wish.reason)
        finished = self._now if new in FINAL else None
        return self._move(row, new, note, due_at=due_after(wish), finished_at=finished, reason=wish.reason)

    def _onward(self, row: PartRow) -> Event | None:
        """Decide what becomes of a part whose carrier does not take it, and do to its message what that needs."""
        parts = self._rows_of(row.id >> 8)
        event = onward((part.status, part.sent_at, part.doubts) for part in parts if part.id != row.id)
        if event is None:
            self._rows.parts.set(row.id, attrs.evolve(row, due_at=self._now + REROUTE_LOOK_S))
        elif event is Event.DUE:
            for part in parts:
                live = part.status not in FINAL
                refused = with_refused(part.refused, row.refused) if live else part.refused
                self._rows.parts.set(part.id, attrs.evolve(part, pinned=None, refused=refused))
        return event

    def refile(self, moves: Sequence[Refile]) -> list[Refiled]:
        refiled = []
        for wish in moves:
            row = self._rows.parts.get(wish.part)
            if row is not None and row.queue == wish.old and row.status in UNSETTLED:
                self._rows.parts.set(row.id, attrs.evolve(row, queue=wish.new))
                refiled.append(Refiled(row.id, wish.old, wish.new, row.waits))
        return refiled

    def recover(self, owner: Owner, *, limit: int, now: float, policies: Mapping[str, DoubtPolicy]) -> list[Moved]:
        self._now = max(self._now, now)
        rows = [self._row(part) for part in sorted(self._rows.parts.working.at("sending"))]
        moved = []
        for row in [row for row in rows if row.fence < owner.fence][:limit]:
            policy = policy_of(self._rows.queues.working.rows[row.queue].lane, policies)
            due_at = policy.due_at(now, row.deadline, row.doubts + 1)
            note = line(now, Event.LOST, row.carrier, row.attempt, "restarted")
            doubt = {"doubts": row.doubts + 1, "lost": row.attempt}
            moved.append(self._move(row, Status.IN_DOUBT, note, due_at=due_at, **doubt))
            self._tally.attempted(doubted=1)
        parts = [change.part for change in moved]
        earlier, receipts = self._receipts.unpark_earlier(parts), self._receipts.unpark_told(parts)
        return moved + self._receipts.match(receipts, (), lambda answer: self._settle(answer, owner), earlier, policies)

    def sweep(self, limit: int, *, before: float) -> int:
        old = sorted((row.at, *ref) for ref, row in self._rows.refs.working.rows.items() if row.at < before)
        live = {
            (api_key, kin_of(ref))
            for (api_key, ref), row in self._rows.refs.working.rows.items()
            if self._is_live(row.message)
        }
        swept = [ref for _, *ref in old if (ref[0], kin_of(ref[1])) not in live]
        for api_key, ref in swept[:limit]:
            self._rows.refs.set((api_key, ref), None)
        return len(swept[:limit])

    def _is_live(self, message: int) -> bool:
        return message in self._rows.messages.working.rows and any(
            row.finished_at is None for row in self._rows_of(message)
        )

    def probe(self, *, now: float) -> None:
        self._now = max(self._now, now)

    # --- reading verbs ---

    def heads(self, wanted: Sequence[Wanted]) -> dict[int, list[Part]]:
        return reads.heads(self._rows, wanted)

    def due(self, limit: int, *, now: float) -> list[Due]:
        return reads.due(self._rows, limit, now)

    def unsettled(self, after: int, limit: int, *, queues: Sequence[int]) -> list[Unsettled]:
        return reads.unsettled(self._rows, after, limit, queues)

    def messages(self, query: MessageQuery) -> list[MessageView]:
        return reads.messages(self._rows, self._widened(query))

    def events(self, after: int, limit: int) -> list[EventBatch]:
        return reads.events(self._rows, after, limit)

    def known(self, api_key: str, refs: Sequence[tuple[str, bytes]]) -> list[int | None]:
        rows = [(self._rows.refs.committed.rows.get((api_key, ref)), fingerprint) for ref, fingerprint in refs]
        return [row.message if row and row.fingerprint == fingerprint else None for row, fingerprint in rows]

    def facts(self) -> dict[str, str]:
        return dict(self._rows.facts.committed.rows)

    def last_id(self) -> int:
        return max(max(self._rows.messages.committed.rows, default=0), self._last_inbound())

    def parked(self, after: int, limit: int) -> list[ParkedReceipt]:
        return reads.parked(self._rows, after, limit)

    def ledger(self) -> Ledger:
        return reads.ledger(self._rows)

    def verify(self) -> Verification:
        return reads.verify(self._rows, self.owner.fence)


def _settled(result: Settled, new: Status, row: PartRow) -> dict[str, Any]:
    """Return what an answer that leads to this status writes into a part's row."""
    answer = result if isinstance(result, Answer) else None
    return {
        "key": answer and answer.key,
        "carrier_message_id": answer and answer.carrier_message_id,
        "sent_at": result.at if new is Status.SENT else row.sent_at,
        "due_at": None if isinstance(result, NotSent) or new in FINAL else result.due_at,
        "tries": row.tries + (answer.burned if answer else 0),
        "reason": None if isinstance(result, NotSent) else result.reason,
        "finished_at": result.at if new in FINAL else None,
    }
