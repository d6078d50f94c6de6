"""The store as the event loop sees it: every verb takes many, and returns when its commit is on disk."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import trio

from connector.errors import StoreBroken, StoreFull
from connector.model import (
    Aged,
    Claim,
    Conflict,
    DoubtPolicy,
    Due,
    Duplicate,
    EventBatch,
    InboundMessage,
    InboundPart,
    InboundQuery,
    Kept,
    Ledger,
    Message,
    MessageQuery,
    MessageView,
    Move,
    Moved,
    Owner,
    ParkedReceipt,
    Part,
    QueueName,
    QueueState,
    Recipient,
    Refile,
    Refiled,
    Repeat,
    Result,
    Sent,
    Step,
    Traces,
    Unsettled,
    Verification,
    Wanted,
)
from connector.store.ballast import Ballast
from connector.store.batcher import BatcherStatistics, Urgency, Writer
from connector.store.rules import NO_POLICIES

log = logging.getLogger("carrierline.store")

T = TypeVar("T")

FULL_DISK_PAUSE_S = 1.0


class Engine(Protocol):
    """What keeps the rows: the same verbs, synchronous.  Writing verbs run between `begin` and `commit`."""

    owner: Owner

    def begin(self) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def start_copying(self, ring: Callable[[], None]) -> None: ...
    def tidy(self) -> None: ...
    def stop_copying(self) -> None: ...
    def interrupt(self) -> None: ...
    def close(self) -> None: ...

    def queues(self, names: Sequence[QueueName]) -> list[QueueState]: ...

    def open(self, names: Sequence[QueueName]) -> dict[QueueName, int]: ...
    def append(
        self, messages: Sequence[Message], claims: Sequence[Claim], *, owner: Owner, now: float
    ) -> list[Kept | Duplicate | Conflict]: ...
    def claim(self, claims: Sequence[Claim], *, owner: Owner, now: float) -> list[Claim]: ...
    def results(
        self, results: Sequence[Result], *, owner: Owner, now: float, policies: Mapping[str, DoubtPolicy] = NO_POLICIES
    ) -> list[Moved]: ...
    def change(self, moves: Sequence[Move], *, now: float) -> list[Moved]: ...
    def recover(self, owner: Owner, *, limit: int, now: float, policies: Mapping[str, DoubtPolicy]) -> list[Moved]: ...
    def refile(self, moves: Sequence[Refile]) -> list[Refiled]: ...
    def sweep(self, limit: int, *, before: float) -> int: ...
    def probe(self, *, now: float) -> None: ...
    def record(self, facts: Mapping[str, str]) -> None: ...
    def erase_bodies(self, limit: int, *, before: Mapping[str, float], now: float | None = None) -> Step: ...
    def forget_messages(self, limit: int, *, after: int, until: int, before: float) -> Step: ...
    def forget(self, kind: Aged, limit: int, *, before: float) -> Step: ...
    def erase(self, number: str, wish: Traces) -> None: ...
    def distrust(self, limit: int, *, now: float, policies: Mapping[str, DoubtPolicy]) -> list[Moved]: ...
    def tell(self, messages: Sequence[InboundMessage], repeats: Sequence[Repeat]) -> list[int]: ...

    def heads(self, wanted: Sequence[Wanted]) -> dict[int, list[Part]]: ...
    def due(self, limit: int, *, now: float) -> list[Due]: ...
    def unsettled(self, after: int, limit: int, *, queues: Sequence[int]) -> list[Unsettled]: ...
    def messages(self, query: MessageQuery) -> list[MessageView]: ...
    def known(self, api_key: str, refs: Sequence[tuple[str, bytes]]) -> list[int | None]: ...
    def events(self, after: int, limit: int) -> list[EventBatch]: ...
    def facts(self) -> dict[str, str]: ...
    def traces(self, number: str) -> Traces: ...
    def export(self, number: str) -> list[dict[str, Any]]: ...
    def scrub(self) -> bool: ...
    def remains(self, number: str) -> bool: ...
    def restored_from(self) -> float | None: ...
    def inbound_open(self, after: int, limit: int) -> list[InboundPart]: ...
    def inbound_told(self, limit: int, *, since: float) -> list[InboundPart]: ...
    def inbound_parts(self, ids: Sequence[int]) -> list[InboundPart]: ...
    def last_sent(self, recipients: Sequence[Recipient]) -> list[list[Sent]]: ...
    def inbound(self, query: InboundQuery) -> list[InboundMessage]: ...
    def parked(self, after: int, limit: int) -> list[ParkedReceipt]: ...
    def last_id(self) -> int: ...
    def ledger(self) -> Ledger: ...
    def verify(self) -> Verification: ...


class Store:
    """The verbs of an engine, run by a writer.

    On a full disk only `append` refuses, with StoreFull; what was begun already gets the ballast's room, and waits for
    more when that is used up.  Every verb raises
    StoreError where its transaction failed, StoreBroken where the store can promise nothing more.
    """

    def __init__(self, engine: Engine, writer: Writer, ballast: Ballast | None = None) -> None:
        self._engine = engine
        self._writer = writer
        self.ballast = ballast or Ballast()
        self.owner = engine.owner
        self._policies: Mapping[str, DoubtPolicy] = NO_POLICIES
        """By lane, what becomes of a part in doubt, and how long a carrier's word is awaited."""
        self.is_broken = False
        """Whether it can promise nothing more: nobody need wait for a commit."""

    def go_by(self, policies: Mapping[str, DoubtPolicy]) -> None:
        """Treat doubts by these from now on, by lane: whoever knows the configuration says so, before `recover`."""
        self._policies = policies

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Run the writer until cancelled."""
        try:
            await self._writer.run(task_status=task_status)
        except StoreBroken:
            self.is_broken = True
            raise

    def statistics(self) -> BatcherStatistics:
        return self._writer.statistics()

    async def queues(self, names: Sequence[QueueName], *, insist: bool = False) -> list[QueueState]:
        """Open these queues and return all there are, with what waits in each.

        ``insist``: whether to wait for room on a full disk; without it StoreFull is raised, and nothing is done.
        """
        if insist:
            return await self._insist(Urgency.REST, len(names), lambda: self._engine.queues(names))
        return await self._writer.put(Urgency.REST, len(names), lambda: self._engine.queues(names))

    async def open(self, names: Sequence[QueueName]) -> dict[QueueName, int]:
        """Return the ids of these queues, which are made if they are new; nothing is counted."""
        return await self._writer.put(Urgency.REST, len(names), lambda: self._engine.open(names))

    async def append(
        self, messages: Sequence[Message], claims: Sequence[Claim] = (), *, now: float, urgent: bool = False
    ) -> list[Kept | Duplicate | Conflict]:
        """Keep messages with their parts; parts named in ``claims`` are claimed in the same commit.

        Of a Conflict nothing is written; of a Duplicate only references it has that the first one had not.
        """
        urgency = Urgency.URGENT_APPEND if urgent else Urgency.APPEND
        return await self._writer.put(
            urgency, len(messages), lambda: self._engine.append(messages, claims, owner=self.owner, now=now)
        )

    async def claim(self, claims: Sequence[Claim], *, now: float) -> list[Claim]:
        """Move waiting parts to `sending`; return the claims that won (the others moved meanwhile).

        Waits while the disk is so full that the ballast is given up.
        """
        while not self.ballast.restore():  # noqa: ASYNC110 - the condition is on the disk
            await trio.sleep(FULL_DISK_PAUSE_S)
        return await self._insist(
            Urgency.CLAIM, len(claims), lambda: self._engine.claim(claims, owner=self.owner, now=now)
        )

    async def results(self, results: Sequence[Result], *, now: float, insist: bool = True) -> list[Moved]:
        """Settle answers, match or park receipts, keep inbound messages: one list, in read order, one commit.

        ``insist``: whether to wait for room on a full disk; without it StoreFull is raised, and nothing is done.
        """
        return await self._insist(
            Urgency.RESULTS,
            len(results),
            lambda: self._engine.results(results, owner=self.owner, now=now, policies=self._policies),
            waits=insist,
        )

    async def change(self, moves: Sequence[Move], *, now: float) -> list[Moved]:
        """Cancel, expire, make due, put off, give up: compare-and-set on the table of moves; return what really moved.

        A part of several that is due, but tied to a carrier that does not take it, goes where its siblings let it: see
        `connector.store.rules.onward`.
        """
        return await self._insist(Urgency.REST, len(moves), lambda: self._engine.change(moves, now=now))

    async def recover(self, *, limit: int, now: float) -> list[Moved]:
        """Put up to ``limit`` parts left in `sending` by an earlier life in doubt."""
        return await self._insist(
            Urgency.REST, limit, lambda: self._engine.recover(self.owner, limit=limit, now=now, policies=self._policies)
        )

    async def refile(self, moves: Sequence[Refile]) -> list[Refiled]:
        """Put parts that have not left into other queues: compare-and-set on the queue; return those that moved."""
        return await self._insist(Urgency.REST, len(moves), lambda: self._engine.refile(moves))

    async def sweep(self, limit: int, *, before: float) -> int:
        """Forget up to ``limit`` references older than ``before`` whose message is not live; return how many."""
        return await self._insist(Urgency.REST, limit, lambda: self._engine.sweep(limit, before=before))

    async def erase_bodies(self, limit: int, *, before: Mapping[str, float], now: float | None = None) -> Step:
        """Erase the texts of messages that came to their end before a moment of their lane, ``limit`` parts a step.

        A lane that is not named has the earliest moment of all.  ``now``: what lies an hour behind it was dated by a
        wrong clock; the latest moment of a lane by default.  See `connector.store.sqlite_retention`.
        """
        return await self._insist(Urgency.REST, limit, lambda: self._engine.erase_bodies(limit, before=before, now=now))

    async def forget_messages(self, limit: int, *, after: int, until: int, before: float) -> Step:
        """Erase messages with ids between these, looking at ``limit``, whose parts all came to their end by then."""
        return await self._insist(
            Urgency.REST, limit, lambda: self._engine.forget_messages(limit, after=after, until=until, before=before)
        )

    async def forget(self, kind: Aged, limit: int, *, before: float) -> Step:
        """Erase up to ``limit`` rows of a kind that are older than ``before``."""
        return await self._insist(Urgency.REST, limit, lambda: self._engine.forget(kind, limit, before=before))

    async def erase(self, number: str, wish: Traces) -> None:
        """Erase everything personal in these rows; of messages the keyed hash of the number stays."""
        await self._insist(Urgency.REST, wish.rows, lambda: self._engine.erase(number, wish))

    async def distrust(self, *, limit: int, now: float) -> list[Moved]:
        """Put up to ``limit`` parts that a backup has as waiting in doubt: they may have been sent since it was taken.

        When it returns none, the store counts as an original again.
        """
        return await self._insist(
            Urgency.REST, limit, lambda: self._engine.distrust(limit, now=now, policies=self._policies)
        )

    async def _insist(self, urgency: Urgency, rows: int, work: Callable[[], T], *, waits: bool = True) -> T:
        """Run work that must not be lost for want of room: while the disk is full it waits, and asks again.

        Each try is shielded, for a commit cannot be undone; between two tries a cancellation ends the waiting.
        """
        await trio.lowlevel.checkpoint_if_cancelled()  # who was cancelled in a commit begins no other one
        while True:
            try:
                with trio.CancelScope(shield=True):
                    done = await self._writer.put(urgency, rows, work)
                return done
            except StoreFull:
                # claims would only make more work: the ballast is for what is under way
                if urgency is not Urgency.CLAIM and self.ballast.release():
                    continue
                if not waits:
                    raise
                log.error("the disk is full: %d rows wait for room", rows)
                await trio.sleep(FULL_DISK_PAUSE_S)

    async def probe(self, *, now: float) -> None:
        """Commit something small, to learn whether the store can."""
        await self._writer.put(Urgency.REST, 1, lambda: self._engine.probe(now=now))

    async def heads(self, wanted: Sequence[Wanted]) -> dict[int, list[Part]]:
        """Return the next waiting parts of each queue, earliest deadline first; nothing is locked."""
        return await self._writer.peek(lambda: self._engine.heads(wanted))

    async def due(self, limit: int, *, now: float) -> list[Due]:
        """Return parts whose time has come."""
        return await self._writer.peek(lambda: self._engine.due(limit, now=now))

    async def unsettled(self, after: int, limit: int, *, queues: Sequence[int]) -> list[Unsettled]:
        """Return up to ``limit`` parts of these queues that have not left, with ids behind ``after``, by id.

        Each call looks at all that waits in these queues (0.1 s for a million parts), so ask for many at once.
        """
        return await self._writer.peek(lambda: self._engine.unsettled(after, limit, queues=queues))

    async def messages(self, query: MessageQuery) -> list[MessageView]:
        """Return messages with their timelines, newest first."""
        return await self._writer.read(lambda: self._engine.messages(query))

    async def known(self, api_key: str, refs: Sequence[tuple[str, bytes]]) -> list[int | None]:
        """Return the message each (reference, fingerprint) was kept as; None where it is new or differs."""
        return await self._writer.peek(lambda: self._engine.known(api_key, refs))

    async def events(self, after: int, limit: int) -> list[EventBatch]:
        """Return the event log behind a cursor."""
        return await self._writer.read(lambda: self._engine.events(after, limit))

    async def record(self, facts: Mapping[str, str]) -> None:
        """Keep these facts by name, in place of what was known under the same names; an empty text forgets one."""
        await self._writer.put(Urgency.REST, len(facts), lambda: self._engine.record(facts))

    async def facts(self) -> dict[str, str]:
        """Return every fact by name."""
        return await self._writer.read(self._engine.facts)

    async def tell(self, messages: Sequence[InboundMessage], repeats: Sequence[Repeat] = ()) -> list[int]:
        """Keep messages joined from inbound parts, and note which parts are repeats; all in one commit.

        Returns the ids of the messages really kept: one with a part that was told before is not kept again.
        """
        rows = len(repeats) + sum(1 + len(message.parts) for message in messages)
        return await self._insist(Urgency.REST, rows, lambda: self._engine.tell(messages, repeats))

    async def inbound_open(self, after: int, limit: int) -> list[InboundPart]:
        """Return inbound parts behind this id that no message has yet, in the order they were kept."""
        return await self._writer.peek(lambda: self._engine.inbound_open(after, limit))

    async def inbound_told(self, limit: int, *, since: float) -> list[InboundPart]:
        """Return the newest inbound parts that were told and came since then, newest first."""
        return await self._writer.peek(lambda: self._engine.inbound_told(limit, since=since))

    async def inbound_parts(self, ids: Sequence[int]) -> list[InboundPart]:
        """Return these inbound parts, in this order; ids that are not there are passed over."""
        return await self._writer.peek(lambda: self._engine.inbound_parts(ids))

    async def last_sent(self, recipients: Sequence[Recipient]) -> list[list[Sent]]:
        """Return, for each of these numbers, up to `SENT_LOOKED_AT` newest messages to it, newest first."""
        return await self._writer.peek(lambda: self._engine.last_sent(recipients))

    async def parked(self, after: int, limit: int) -> list[ParkedReceipt]:
        """Return receipts that are kept without a part, behind this id, oldest first."""
        return await self._writer.read(lambda: self._engine.parked(after, limit))

    async def inbound(self, query: InboundQuery) -> list[InboundMessage]:
        """Return inbound messages: newest first, or behind a cursor oldest first."""
        return await self._writer.read(lambda: self._engine.inbound(query))

    async def traces(self, number: str) -> Traces:
        """Return what is kept of a number (E.164 digits)."""
        return await self._writer.audit(lambda: self._engine.traces(number))

    async def export(self, number: str) -> list[dict[str, Any]]:
        """Return every row that holds something of a number, as plain values."""
        return await self._writer.audit(lambda: self._engine.export(number))

    async def scrub(self) -> bool:
        """Empty the write-ahead log, so that what was erased is gone; False if a reader was in the way."""
        return await self._writer.aside(self._engine.scrub)

    async def remains(self, number: str) -> bool:
        """Tell whether the bytes of the store's files hold these digits anywhere."""
        return await self._writer.audit(lambda: self._engine.remains(number))

    async def restored_from(self) -> float | None:
        """Return when the backup was taken that this store is, and None if it is none or was looked after."""
        return await self._writer.read(self._engine.restored_from)

    async def last_id(self) -> int:
        """Return the largest message id kept, inbound ones included; 0 if there is none."""
        return await self._writer.read(self._engine.last_id)

    async def ledger(self) -> Ledger:
        """Return the counters."""
        return await self._writer.read(self._engine.ledger)

    async def verify(self) -> Verification:
        """Recount the whole store against its counters."""
        return await self._writer.audit(self._engine.verify)
