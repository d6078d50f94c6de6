"""The store as the event loop sees it: every verb takes many, and returns when its commit is on disk."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import trio

from connector.errors import StoreFull
from connector.model import (
    Claim,
    Conflict,
    DoubtPolicy,
    Due,
    Duplicate,
    EventBatch,
    Kept,
    Ledger,
    Message,
    MessageQuery,
    MessageView,
    Move,
    Moved,
    Owner,
    Part,
    QueueName,
    QueueState,
    Refile,
    Refiled,
    Result,
    Unsettled,
    Verification,
    Wanted,
)
from connector.store.batcher import BatcherStatistics, Urgency, Writer

log = logging.getLogger("carrierline.store")

T = TypeVar("T")

FULL_DISK_PAUSE_S = 1.0


class Engine(Protocol):
    """What keeps the rows: the same verbs, synchronous.  Writing verbs run between `begin` and `commit`."""

    owner: Owner

    def begin(self) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...

    def queues(self, names: Sequence[QueueName]) -> list[QueueState]: ...

    def open(self, names: Sequence[QueueName]) -> dict[QueueName, int]: ...
    def append(
        self, messages: Sequence[Message], claims: Sequence[Claim], *, owner: Owner, now: float
    ) -> list[Kept | Duplicate | Conflict]: ...
    def claim(self, claims: Sequence[Claim], *, owner: Owner, now: float) -> list[Claim]: ...
    def results(self, results: Sequence[Result], *, owner: Owner, now: float) -> list[Moved]: ...
    def change(self, moves: Sequence[Move], *, now: float) -> list[Moved]: ...
    def recover(self, owner: Owner, *, limit: int, now: float, policies: Mapping[str, DoubtPolicy]) -> list[Moved]: ...
    def refile(self, moves: Sequence[Refile], *, now: float) -> list[Refiled]: ...
    def sweep(self, limit: int, *, before: float) -> int: ...
    def probe(self, *, now: float) -> None: ...
    def record(self, facts: Mapping[str, str]) -> None: ...

    def heads(self, wanted: Sequence[Wanted], *, now: float) -> dict[int, list[Part]]: ...
    def due(self, limit: int, *, now: float) -> list[Due]: ...
    def unsettled(self, after: int, limit: int, *, queues: Sequence[int]) -> list[Unsettled]: ...
    def messages(self, query: MessageQuery) -> list[MessageView]: ...
    def known(self, api_key: str, refs: Sequence[tuple[str, bytes]]) -> list[int | None]: ...
    def events(self, after: int, limit: int) -> list[EventBatch]: ...
    def facts(self) -> dict[str, str]: ...
    def last_id(self) -> int: ...
    def ledger(self) -> Ledger: ...
    def verify(self) -> Verification: ...


class Store:
    """The verbs of an engine, run by a writer.

    On a full disk only `append` refuses, with StoreFull; what was begun already waits for room.  Every verb raises
    StoreError where its transaction failed, StoreBroken where the store can promise nothing more.
    """

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer
        self.owner = engine.owner

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Run the writer until cancelled."""
        await self._writer.run(task_status=task_status)

    def statistics(self) -> BatcherStatistics:
        return self._writer.statistics()

    async def queues(self, names: Sequence[QueueName]) -> list[QueueState]:
        """Open these queues and return all there are, with what waits in each."""
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
        """Move waiting parts to `sending`; return the claims that won (the others moved meanwhile)."""
        return await self._insist(
            Urgency.CLAIM, len(claims), lambda: self._engine.claim(claims, owner=self.owner, now=now)
        )

    async def results(self, results: Sequence[Result], *, now: float) -> list[Moved]:
        """Settle answers, match or park receipts, keep inbound messages: one list, in read order, one commit."""
        return await self._insist(
            Urgency.RESULTS, len(results), lambda: self._engine.results(results, owner=self.owner, now=now)
        )

    async def change(self, moves: Sequence[Move], *, now: float) -> list[Moved]:
        """Cancel, expire, make due, put off, give up: compare-and-set on the table of moves; return what really moved.

        A part of several that is due, but tied to a carrier that does not take it, goes where its siblings let it: see
        `connector.store.rules.onward`.
        """
        return await self._insist(Urgency.REST, len(moves), lambda: self._engine.change(moves, now=now))

    async def recover(self, *, limit: int, now: float, policies: Mapping[str, DoubtPolicy]) -> list[Moved]:
        """Put up to ``limit`` parts left in `sending` by an earlier life in doubt."""
        return await self._insist(
            Urgency.REST, limit, lambda: self._engine.recover(self.owner, limit=limit, now=now, policies=policies)
        )

    async def refile(self, moves: Sequence[Refile], *, now: float) -> list[Refiled]:
        """Put parts that have not left into other queues: compare-and-set on the queue; return those that moved."""
        return await self._insist(Urgency.REST, len(moves), lambda: self._engine.refile(moves, now=now))

    async def sweep(self, limit: int, *, before: float) -> int:
        """Forget up to ``limit`` references older than ``before`` whose message is not live; return how many."""
        return await self._insist(Urgency.REST, limit, lambda: self._engine.sweep(limit, before=before))

    async def _insist(self, urgency: Urgency, rows: int, work: Callable[[], T]) -> T:
        """Run work that must not be lost for want of room: while the disk is full it waits, and asks again.

        Each try is shielded, for a commit cannot be undone; between two tries a cancellation ends the waiting.
        """
        while True:
            try:
                with trio.CancelScope(shield=True):
                    done = await self._writer.put(urgency, rows, work)
                return done
            except StoreFull:
                log.error("the disk is full: %d rows wait for room", rows)
                await trio.sleep(FULL_DISK_PAUSE_S)

    async def probe(self, *, now: float) -> None:
        """Commit something small, to learn whether the store can."""
        await self._writer.put(Urgency.REST, 1, lambda: self._engine.probe(now=now))

    async def heads(self, wanted: Sequence[Wanted], *, now: float) -> dict[int, list[Part]]:
        """Return the next waiting parts of each queue, earliest deadline first; nothing is locked."""
        return await self._writer.peek(lambda: self._engine.heads(wanted, now=now))

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

    async def last_id(self) -> int:
        """Return the largest message id kept, 0 if there is none."""
        return await self._writer.read(self._engine.last_id)

    async def ledger(self) -> Ledger:
        """Return the counters."""
        return await self._writer.read(self._engine.ledger)

    async def verify(self) -> Verification:
        """Recount the whole store against its counters."""
        return await self._writer.audit(self._engine.verify)
