"""Group commit: while one transaction commits, the next one gathers.

A `Batcher` takes pieces of work of any size, and an executor runs what waits as one transaction: `ThreadWriter` on one
plain thread of its own (the real thing), `InlineWriter` in a task (for worlds under a virtual clock, where a thread
would let the clock run away).  There are no timers and no gathering delay: waiting makes the batch.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Generic, Protocol, TypeVar

import attrs
import outcome
import trio

from connector.errors import StoreBroken, StoreError

T = TypeVar("T")

ROWS_PER_COMMIT = 300
"""A transaction of 300 rows takes a few milliseconds: long enough that fsync costs little a row, short enough that an
OTP never waits long behind it."""


PASSED_OVER = 20
"""Transactions: some fifty milliseconds."""


INTERRUPT_EVERY_S = 0.01
"""An interruption is heard only while a statement runs; what goes on behind it is interrupted again."""


class Urgency(IntEnum):
    """The order in which waiting work is taken."""

    URGENT_APPEND = 0
    CLAIM = 1
    RESULTS = 2
    APPEND = 3
    REST = 4


class Transactions(Protocol):
    """What runs the work: a store engine."""

    def begin(self) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...


class Threaded(Transactions, Protocol):
    """What may be run by threads: a second one copies beside the one that commits, which calls `tidy` between two
    transactions; `interrupt` ends what `Writer.audit` runs."""

    def start_copying(self, ring: Callable[[], None]) -> None: ...
    def tidy(self) -> None: ...
    def stop_copying(self) -> None: ...
    def log_bytes(self) -> int: ...
    def interrupt(self) -> None: ...


@attrs.define(eq=False)
class _Ticket(Generic[T]):
    rows: int
    work: Callable[[], T]
    passed_over: int = 0
    """Transactions that began without it while it was the next of its urgency."""
    done: trio.Event = attrs.field(factory=trio.Event)
    result: "outcome.Outcome[T] | None" = None

    async def ended(self) -> T:
        """Wait for its transaction; return what the work returned, or raise what it raised."""
        await self.done.wait()
        assert self.result is not None
        return self.result.unwrap()


@attrs.frozen
class BatcherStatistics:
    """How the writer fares."""

    waiting: int
    """Pieces of work not yet taken."""
    commits: int
    rows: int
    last_commit_s: float
    """Duration of the newest transaction, its fsync included."""
    log_bytes: int = 0
    """Size of the engine's write-ahead log; 0 where it has none."""


class Batcher:
    """The queue before the writer: pieces of work by urgency, taken about `ROWS_PER_COMMIT` rows at a time."""

    def __init__(self) -> None:
        self._waiting: list[deque[_Ticket[Any]]] = [deque() for _ in Urgency]
        self.commits = 0
        self.rows = 0
        self.last_commit_s = 0.0

    def add(self, urgency: Urgency, rows: int, work: Callable[[], T]) -> _Ticket[T]:
        """Line a piece of work up; return what its caller waits for."""
        ticket = _Ticket(rows, work)
        self._waiting[urgency].append(ticket)
        return ticket

    def take(self) -> list[_Ticket[Any]]:
        """Return what goes into the next transaction: in order of urgency, at least one piece if any waits.

        A piece that was passed over often enough goes first: a large one of little urgency never fits beside others,
        and under steady load it would wait for ever.
        """
        taken = [line.popleft() for line in self._waiting if line and line[0].passed_over >= PASSED_OVER]
        rows = sum(ticket.rows for ticket in taken)
        for line in self._waiting:
            while line and (not taken or rows + line[0].rows <= ROWS_PER_COMMIT):
                ticket = line.popleft()
                rows += ticket.rows
                taken.append(ticket)
            if line and taken:
                line[0].passed_over += 1
        return taken

    def statistics(self) -> BatcherStatistics:
        waiting = sum(len(tickets) for tickets in self._waiting)
        return BatcherStatistics(waiting, self.commits, self.rows, self.last_commit_s)

    def commit(self, engine: Transactions, tickets: list[_Ticket[Any]], clock: Callable[[], float]) -> None:
        """Run these pieces in one transaction; if one fails, each in its own, so that the others do not suffer."""
        began = clock()
        try:
            engine.begin()
            results = [ticket.work() for ticket in tickets]
            engine.commit()
        except StoreBroken as broken:
            self._fail(tickets, broken)
            raise
        except StoreError as error:
            engine.rollback()
            if len(tickets) == 1:
                self._fail(tickets, error)
            else:
                for ticket in tickets:
                    self.commit(engine, [ticket], clock)
            return
        for ticket, result in zip(tickets, results, strict=True):
            ticket.result = outcome.Value(result)
        self.commits += 1
        self.rows += sum(ticket.rows for ticket in tickets)
        self.last_commit_s = clock() - began

    def fail_all(self, error: BaseException) -> list[_Ticket[Any]]:
        """Give every piece still waiting this error and return them."""
        tickets = [ticket for waiting in self._waiting for ticket in waiting]
        for waiting in self._waiting:
            waiting.clear()
        self._fail(tickets, error)
        return tickets

    def _fail(self, tickets: list[_Ticket[Any]], error: BaseException) -> None:
        for ticket in tickets:
            ticket.result = outcome.Error(type(error)(str(error)))  # shared, it would gather the tracebacks of all


class Writer(Protocol):
    """Runs pieces of work in transactions; `put` returns when the work's transaction is on disk."""

    async def put(self, urgency: Urgency, rows: int, work: Callable[[], T]) -> T: ...
    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None: ...
    async def peek(self, work: Callable[[], T]) -> T: ...
    async def read(self, work: Callable[[], T]) -> T: ...
    async def audit(self, work: Callable[[], T]) -> T: ...
    async def aside(self, work: Callable[[], T]) -> T: ...
    def statistics(self) -> BatcherStatistics: ...


class ThreadWriter:
    """One long-lived thread owns the writing connection; one wake-up of the event loop per commit."""

    def __init__(self, engine: Threaded, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        self._batcher = Batcher()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stopping = False
        self._failure: BaseException | None = None
        self._failed = trio.Event()
        # a connection each: a long look through the door must never hold dispatch up
        self._dispatch = trio.CapacityLimiter(1)
        self._door = trio.CapacityLimiter(1)
        self._auditor = trio.CapacityLimiter(1)
        self._aside = trio.CapacityLimiter(1)

    def statistics(self) -> BatcherStatistics:
        return attrs.evolve(self._batcher.statistics(), log_bytes=self._engine.log_bytes())

    async def put(self, urgency: Urgency, rows: int, work: Callable[[], T]) -> T:
        """Run ``work`` in a transaction and return its result once it is on disk.

        Cancelling the caller does not undo the commit.  Raises what the work raised, or StoreBroken.
        """
        if self._stopping:
            raise StoreBroken("the store is closed")
        ticket = self._batcher.add(urgency, rows, work)
        self._bell.put(None)
        return await ticket.ended()

    async def read(self, work: Callable[[], T]) -> T:
        """Run a door's question in a reader thread."""
        return await trio.to_thread.run_sync(work, limiter=self._door)

    async def audit(self, work: Callable[[], T]) -> T:
        """Run a look at everything in a reader thread of its own: it may take a minute, and nobody waits for it.

        Cancelling the caller ends it at once.
        """
        begun, ended = threading.Event(), trio.Event()

        def run() -> T:
            begun.set()
            return work()

        async def in_thread() -> T:
            return await trio.to_thread.run_sync(run, limiter=self._auditor)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._interrupt_if_cancelled, begun, ended)
            # the error of what was interrupted is not for one who has gone
            result = await outcome.acapture(in_thread)
            ended.set()
        return result.unwrap()

    async def _interrupt_if_cancelled(self, begun: threading.Event, ended: trio.Event) -> None:
        try:
            await ended.wait()
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                while not ended.is_set():
                    if begun.is_set():  # else it is another one's that would be ended
                        self._engine.interrupt()
                    await trio.sleep(INTERRUPT_EVERY_S)
            raise

    async def aside(self, work: Callable[[], T]) -> T:
        """Run what waits for the writer, in a thread of its own."""
        return await trio.to_thread.run_sync(work, limiter=self._aside)

    async def peek(self, work: Callable[[], T]) -> T:
        """Run a question of dispatch in a reader thread of its own."""
        return await trio.to_thread.run_sync(work, limiter=self._dispatch)

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Run the thread until cancelled, then let it finish what waits.  Raises StoreBroken when the disk fails."""
        token = trio.lowlevel.current_trio_token()
        thread = threading.Thread(target=self._thread, args=(token,), name="store-writer", daemon=True)
        self._engine.start_copying(lambda: self._bell.put(None))
        thread.start()
        task_status.started()
        try:
            await self._failed.wait()
            assert self._failure is not None
            raise self._failure
        finally:
            self._stopping = True
            self._bell.put(None)
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(thread.join)
                await trio.to_thread.run_sync(self._engine.stop_copying)
                _finish(self._batcher.fail_all(StoreBroken("the store is closed")))

    def _thread(self, token: trio.lowlevel.TrioToken) -> None:
        tickets: list[_Ticket[Any]] = []
        try:
            while True:
                self._bell.get()
                tickets = self._batcher.take()
                if tickets:
                    self._batcher.commit(self._engine, tickets, self._clock)
                    token.run_sync_soon(_finish, tickets)
                elif self._stopping:
                    return
                self._engine.tidy()
        except BaseException as failure:  # noqa: BLE001 - the edge of a thread: nobody above would hear of it
            for ticket in tickets:
                # an error of its own for each waiter: one shared by many would gather all their tracebacks
                ticket.result = ticket.result or outcome.Error(StoreBroken(f"the store failed: {failure}"))
            token.run_sync_soon(self._fall, failure, tickets)

    def _fall(self, failure: BaseException, tickets: list[_Ticket[Any]]) -> None:
        self._failure = failure
        self._stopping = True
        _finish(tickets + self._batcher.fail_all(StoreBroken(f"the store failed: {failure}")))
        self._failed.set()


def _finish(tickets: list[_Ticket[Any]]) -> None:
    for ticket in tickets:
        ticket.done.set()


class InlineWriter:
    """The same in a task: each transaction takes ``latency()`` of the clock the event loop runs under.

    ``faults()`` is asked before each transaction and may raise a StoreError to stand for the disk's failure.
    """

    def __init__(
        self,
        engine: Transactions,
        latency: Callable[[], float] = lambda: 0.0,
        faults: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._latency = latency
        self._faults = faults
        self._batcher = Batcher()
        self._wake = trio.Event()
        self._stopping = False

    def statistics(self) -> BatcherStatistics:
        return self._batcher.statistics()

    async def put(self, urgency: Urgency, rows: int, work: Callable[[], T]) -> T:
        """Run ``work`` in a transaction and return its result once it is committed.

        Cancelling the caller does not undo the commit.  Raises what the work raised, or StoreBroken.
        """
        if self._stopping:
            raise StoreBroken("the store is closed")
        ticket = self._batcher.add(urgency, rows, work)
        self._wake.set()
        return await ticket.ended()

    async def read(self, work: Callable[[], T]) -> T:
        """Run ``work`` at once."""
        await trio.lowlevel.checkpoint()
        return work()

    peek = audit = aside = read

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled, then finish what waits.  Raises StoreBroken when a transaction did."""
        task_status.started()
        try:
            while True:
                await self._wake.wait()
                self._wake = trio.Event()
                await self._commit_all()
        except trio.Cancelled:
            self._stopping = True
            with trio.CancelScope(shield=True):
                await self._commit_all()
            raise
        finally:
            # claims and results wait shielded: who still waits after a failure must hear of it, or nothing would end
            self._stopping = True
            _finish(self._batcher.fail_all(StoreBroken("the store failed")))

    async def _commit_all(self) -> None:
        while tickets := self._batcher.take():
            await self._commit(tickets)

    async def _commit(self, tickets: list[_Ticket[Any]]) -> None:
        try:
            with trio.CancelScope(shield=True):
                await trio.sleep(self._latency())
            self._faults()
            self._batcher.commit(self._engine, tickets, trio.current_time)
        except StoreError as error:
            for ticket in tickets:
                ticket.result = ticket.result or outcome.Error(error)
            if isinstance(error, StoreBroken):
                raise
        finally:
            _finish(tickets)
