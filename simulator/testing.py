"""The simulator in somebody's test: started when it is asked for, seen from any framework or from none.

Two ways, decided by what is asked for first: `host` and `port` start it on a thread of its own behind a real socket,
for any ESME in any language; `linked` serves a link in memory in the test's own trio loop, where a mock clock may jump.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, TypeVar

import attrs
import trio

from connector.errors import ConfigError, EncodeError
from connector.smpp.pdu import DataSm, SubmitSm
from simulator.ledger import Entry
from simulator.mo import Split
from simulator.process import EsmeProcess
from simulator.scenario import Listen, Scenario
from simulator.scripting import TIMED, from_then_on, script_of
from simulator.smsc import Smsc
from simulator.statistics import Statistics
from simulator.texts import text_of
from simulator.trace.record import Recent
from simulator.trace.shown import line_of
from simulator.waiting import CountingSmsc, check

T = TypeVar("T")

STARTS_WITHIN_S: Final = 10.0
ANSWERS_WITHIN_S: Final = 10.0
"""How long a trio test is blocked for an answer of the simulator's thread, on top of what it asked to wait."""
VIRTUAL_EPOCH_S: Final = 1_700_000_000.0
"""The time of day at which a mock clock begins: the same in every run, so that dates in receipts are too."""
LOOKS_EVERY_S: Final = 0.1
"""How often a wait looks whether there is still an ESME that could bring it about."""
GIVES_UP_AFTER_S: Final = 0.5
"""So long no process of the test's has been there and no link up: what was under way has come by then."""


@attrs.frozen(kw_only=True)
class Received:
    """A message that the carrier has accepted."""

    source: str
    destination: str
    text: str
    account: str
    message_id: str
    pdu: SubmitSm | DataSm = attrs.field(repr=False)

    @classmethod
    def of(cls, entry: Entry) -> "Received":
        """Return what the ledger knows of it."""
        return cls(
            source=entry.source_addr,
            destination=entry.destination_addr,
            text=text_of(entry.pdu),
            account=entry.account,
            message_id=entry.message_id,
            pdu=entry.pdu,
        )


class TestSmsc:
    """A simulated carrier for one test.

    ``smsc.port`` is where it listens (any credentials bind); `script` makes it behave otherwise, before or while it
    runs.  ``virtual_time``: the test's clock jumps over every wait, so that there is no port.
    """

    __test__ = False

    def __init__(self, *, trace: int = 1_000, virtual_time: bool = False) -> None:
        self.host = "127.0.0.1"
        self._virtual_time = virtual_time
        self._scenario = Scenario(listen=Listen(smpp="127.0.0.1:0"))
        self._recent = Recent(trace)
        self._smsc: CountingSmsc | None = None
        self._thread: threading.Thread | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope: trio.CancelScope | None = None
        self._failure: BaseException | None = None
        self._told = False
        """Whether the test has heard of the failure."""
        self._processes: list[EsmeProcess] = []

    # --- where it is

    @property
    def port(self) -> int:
        """Its TCP port; the first look starts it.  RuntimeError in virtual time, which no socket knows."""
        return self._listening().port

    @asynccontextmanager
    async def linked(self) -> AsyncIterator[trio.abc.Stream]:
        """Yield the ESME's end of a link in memory, served in the trio loop of the test.

        What is raised inside comes out as it is; with an ExceptionGroup the carrier had something to raise as well.
        Receipts carry the time of day; on a mock clock, what it shows since a day that is always the same.
        RuntimeError outside trio, and once it listens on a port.
        """
        from trio.testing import memory_stream_pair

        if not trio.lowlevel.in_trio_task():
            raise RuntimeError("linked() is trio's; use smsc.port")
        if self._thread is not None:
            raise RuntimeError("it listens on a port already: a test has it on a socket or in memory, not both")
        smsc = self._smsc = self._smsc or CountingSmsc(self._scenario, clock=_time_of_day(), trace=(self._recent,))
        ours, theirs = memory_stream_pair()
        with _one_by_itself():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(smsc.serve_stream, theirs)
                try:
                    yield ours
                finally:
                    await trio.aclose_forcefully(ours)

    def _listening(self) -> CountingSmsc:
        if self._thread is None:
            if self._virtual_time:
                raise RuntimeError(
                    "a socket knows no virtual time: use smsc.linked(), or take the mark virtual_time away"
                )
            if self._smsc is not None:
                raise RuntimeError("it is linked in memory already: a test has it on a socket or in memory, not both")
            smsc = self._smsc = CountingSmsc(self._scenario, trace=(self._recent,))
            ready = threading.Event()
            self._thread = threading.Thread(target=self._serve, args=(smsc, ready), name="smsc", daemon=True)
            self._thread.start()
            if not ready.wait(STARTS_WITHIN_S) or self._failure is not None:
                self._told = True
                raise RuntimeError("the simulator could not start") from self._failure
        assert self._smsc is not None, "the thread was given it"
        return self._smsc

    def _serve(self, smsc: Smsc, ready: threading.Event) -> None:
        async def serve() -> None:
            with trio.CancelScope() as self._scope:
                async with trio.open_nursery() as nursery:
                    await nursery.start(smsc.run)
                    self._token = trio.lowlevel.current_trio_token()
                    ready.set()

        try:
            trio.run(serve)
        except (OSError, ExceptionGroup, trio.TrioInternalError) as error:
            self._failure = error
        finally:
            ready.set()

    def _do(self, work: Callable[[], T]) -> T:
        """Do something where the simulator runs."""
        if self._thread is None:
            return work()
        return self._there(lambda: trio.from_thread.run_sync(work, trio_token=self._token))

    def _there(self, call: Callable[[], T], within_s: float = 0.0) -> T:
        """Return what comes of a call into the simulator's thread, from a thread that may run a trio loop itself."""
        with self._told_if_it_ended():
            return _beside_trio(call, within_s + ANSWERS_WITHIN_S)

    @contextmanager
    def _told_if_it_ended(self) -> Iterator[None]:
        """Say why, where the simulator's own thread runs no more: it broke, or it was closed."""
        try:
            yield
        except (trio.RunFinishedError, trio.Cancelled) as error:
            assert self._thread is not None, "it had a thread"
            self._thread.join(STARTS_WITHIN_S)
            failure, self._told = self._failure, True
            if failure is None:
                raise RuntimeError("the simulator has been closed") from error
            raise RuntimeError(f"the simulator broke: {_words_of(failure)}") from failure

    def close(self) -> None:
        """End it; RuntimeError if it broke and nobody has been told yet."""
        if self._thread is None:
            return
        if self._token is not None and self._scope is not None:
            with suppress(trio.RunFinishedError):  # it has ended already
                self._token.run_sync_soon(self._scope.cancel)
        self._thread.join(STARTS_WITHIN_S)
        if self._failure is not None and not self._told:
            self._told = True
            raise RuntimeError(f"the simulator broke: {_words_of(self._failure)}") from self._failure

    # --- what it does

    def script(self, scenario: str | Scenario | None = None) -> None:
        """Behave from now on as a scenario says; its times, ``at`` and the like, count from this call.

        TOML text is added to what was before: its tables merge into those, its arrays (``[[rule]]``) take their place,
        so that ``rule = []`` takes all rules away.  A text that ``extends`` another scenario, and a whole Scenario,
        take the place of everything; ``script()`` makes the carrier plain again, as it was at first.  Of a scenario
        that is extended or whole the load, the expectations and where it listens do not count; in the text itself
        they are refused.  Counters of rules that stay go on.  Accounts and versions count for binds still to come,
        rules of the wire for links.  Before the carrier has started, times count from its start.

        Raises ConfigError with every problem of the text and its line.
        """
        __tracebackhide__ = True  # a wrong text is the test's own, and so is the line to show
        smsc, said = self._smsc, frozenset(TIMED)
        if isinstance(scenario, str):
            try:
                scenario, said = script_of(scenario, self._scenario, started=smsc is not None)
            except ConfigError as error:
                raise error.with_traceback(None) from None
        made = attrs.evolve(scenario or Scenario(), listen=self._scenario.listen)
        self._scenario = made if smsc is None else self._do(lambda: _told(smsc, made, said))

    def mo(
        self, source: str, destination: str, text: str, *, account: str | None = None, split: Split = "udh8"
    ) -> None:
        """Send a message from a subscriber; a long text in parts, joined as ``split`` says, as that of ``[[mo]]`` is.

        Raises LookupError where nobody is or was bound to take it, EncodeError where an address or the text does not
        fit, and ValueError for a ``split`` that is none.
        """
        __tracebackhide__ = True
        smsc = self._running()
        try:
            self._do(lambda: smsc.deliver(source, destination, text, account=account, split=split))
        except EncodeError as error:
            raise error.with_traceback(None) from None
        except LookupError as error:
            if smsc.bound:
                raise error.with_traceback(None) from None
            raise LookupError("nobody has bound yet: smsc.wait(binds=1) first") from None

    def drop_links(self) -> int:
        """Cut all links without a word; return how many there were.

        On a port it returns when they have ended; linked in memory, await ``smsc.wait_for(open=0)`` for that.
        """
        smsc, token = self._running(), self._token
        if self._thread is None:
            return smsc.drop_links()
        return self._there(lambda: trio.from_thread.run(_dropped, smsc, trio_token=token))

    # --- what it saw

    @property
    def inbox(self) -> list[Received]:
        """The messages accepted so far, oldest first."""
        smsc = self._smsc
        return [] if smsc is None else self._do(lambda: [Received.of(entry) for entry in smsc.ledger])

    @property
    def statistics(self) -> Statistics:
        """The numbers of this moment."""
        return self._do(self._running().statistics)

    @property
    def trace(self) -> str:
        """The latest PDUs as lines of text, with their time since the first one of all."""
        events, gone = list(self._recent.events), self._recent.seen - len(self._recent.events)
        lines = [line_of(event, self._recent.started_at or 0.0) for event in events]
        return "\n".join([f"... {gone} earlier ones left out", *lines] if gone else lines)

    def wait(self, *, within_s: float = 10.0, **counts: int) -> Statistics:
        """Return the numbers once there are so many: ``wait(submits=3)``; AssertionError if not within this time.

        Counts of this moment: open (links that are up) and binds; 0 waits until none is left.  Counts that only grow:
        links and bound (all there ever were), submits (accepted), refused, receipts and mo (taken by the ESME), and
        penalties.  It fails at once when every process of ``esme_process`` has ended and no link is up: nobody is
        left to bring it about.  In an async test it holds the test's own loop up, where `wait_for` lets it run.
        TypeError for any other count and for none, ValueError for 0 of what only grows, RuntimeError where the carrier
        is linked in memory.
        """
        __tracebackhide__ = True  # a failed wait is shown where the test waits
        check(counts)
        if self._thread is None and self._smsc is not None:
            raise RuntimeError("it is linked in memory and runs in the loop of the test: await smsc.wait_for()")
        missed = self._waited(within_s, counts, self._processes)
        if isinstance(missed, Statistics):
            return missed
        held_up = "; nothing else in the test's loop ran meanwhile: await smsc.wait_for() lets it" if _in_loop() else ""
        raise AssertionError(missed + held_up)

    async def wait_for(self, *, within_s: float = 10.0, **counts: int) -> Statistics:
        """Do what `wait` does in an async test, be it trio's or asyncio's, while the test's other tasks go on."""
        __tracebackhide__ = True
        check(counts)
        if self._thread is None and self._smsc is not None:
            missed = await self._reached(self._smsc, within_s, counts, ())
        else:
            import anyio.to_thread

            missed = await anyio.to_thread.run_sync(lambda: self._waited(within_s, counts, ()), abandon_on_cancel=True)
        if isinstance(missed, Statistics):
            return missed
        raise AssertionError(missed)

    def _waited(self, within_s: float, counts: Mapping[str, int], processes: Sequence[EsmeProcess]) -> Statistics | str:
        """Return the numbers once there are so many, or in words what is missing after this time.

        With ``processes`` it ends earlier where nobody but they could bring it about, and they have gone.
        """
        smsc, token = self._listening(), self._token
        return self._there(
            lambda: trio.from_thread.run(self._reached, smsc, within_s, counts, processes, trio_token=token), within_s
        )

    async def _reached(
        self, smsc: CountingSmsc, within_s: float, counts: Mapping[str, int], processes: Sequence[EsmeProcess]
    ) -> Statistics | str:
        began_at = alone_since = now = trio.current_time()
        ends_at = began_at + within_s
        while True:
            with trio.move_on_at(min(ends_at, now + LOOKS_EVERY_S) if processes else ends_at):
                return await smsc.wait_until(lambda numbers: smsc.has(counts, numbers))
            now = trio.current_time()
            if not processes or smsc.may_yet_have(counts) or not all(process.is_gone for process in processes):
                alone_since = now
            if now >= ends_at or now >= alone_since + GIVES_UP_AFTER_S:
                break
        waited_s = within_s if now >= ends_at else round(now - began_at, 1)
        missed = f"after {waited_s:g} s there are {smsc.missing(counts, smsc.statistics())}"
        ended = [process.summary for process in self._processes if process.status is not None]
        return "; ".join([missed, *ended])

    def watch(self, process: EsmeProcess) -> None:
        """Have a failed wait tell of this process, should it have ended."""
        self._processes.append(process)

    def _running(self) -> CountingSmsc:
        return self._listening() if self._smsc is None else self._smsc


def _told(smsc: Smsc, scenario: Scenario, said: frozenset[str]) -> Scenario:
    """Have a carrier go by a scenario whose times in these tables count from now; return it with times of its own."""
    then_s = smsc.running_s
    scenario = attrs.evolve(from_then_on(scenario, said, then_s), seed=smsc.scenario.seed)
    smsc.change(scenario, since_s=then_s)
    return scenario


async def _dropped(smsc: Smsc) -> int:
    numbers = smsc.link_numbers
    smsc.drop_links()
    await smsc.wait_until(lambda _: numbers.isdisjoint(smsc.link_numbers))
    return len(numbers)


def _beside_trio(call: Callable[[], T], within_s: float) -> T:
    """Make a call that blocks; where this thread runs a trio loop, which trio.from_thread refuses, in another one."""
    if not trio.lowlevel.in_trio_task():
        return call()
    pool = ThreadPoolExecutor(1, "smsc hand-over")
    answer = pool.submit(call)
    pool.shutdown(wait=False)
    try:
        return answer.result(within_s)
    except TimeoutError:
        raise RuntimeError(f"the simulator has not answered within {within_s:g} s") from None


def _in_loop() -> bool:
    """Say whether this thread runs an event loop, which stands still while somebody blocks."""
    with suppress(RuntimeError):  # it has none
        asyncio.get_running_loop()
        return True
    return trio.lowlevel.in_trio_task()


@contextmanager
def _one_by_itself() -> Iterator[None]:
    """Let what a nursery raises in a group out by itself where it is the only one."""
    only: BaseException | None = None
    try:
        yield
    except BaseExceptionGroup as group:
        only = _only_one(group)
        if only is None:
            raise
    if only is not None:
        context = only.__context__
        try:
            raise only
        finally:  # otherwise the group it was in would be told once more, as what was handled meanwhile
            only.__context__ = context


def _only_one(error: BaseException) -> BaseException | None:
    while isinstance(error, BaseExceptionGroup):
        if len(error.exceptions) > 1:
            return None
        error = error.exceptions[0]
    return error


def _words_of(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def _time_of_day() -> Callable[[], float]:
    """Return the clock for what carries a date: the real one, unless a mock clock may jump away from it."""
    from trio.testing import MockClock

    if isinstance(trio.lowlevel.current_clock(), MockClock):
        return lambda: VIRTUAL_EPOCH_S + trio.current_time()
    return time.time
