"""The simulator in somebody's test: started when it is asked for, seen from any framework or from none.

Two ways, decided by what is asked for first: `host` and `port` start it on a thread of its own behind a real socket,
for any ESME in any language; `linked` serves a link in memory in the test's own trio loop, where a mock clock may jump.
"""

import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, TypeVar

import attrs
import trio

from connector.smpp.pdu import DataSm, SubmitSm
from simulator.ledger import Entry
from simulator.scenario import Listen, Scenario, scenario_of
from simulator.smsc import Smsc
from simulator.statistics import Statistics
from simulator.texts import text_of
from simulator.trace.record import LinkEvent, Packet, Recent
from simulator.trace.shown import line_of

T = TypeVar("T")

STARTS_WITHIN_S: Final = 10.0
COUNTED: Final[dict[str, Callable[[Statistics], int]]] = {
    "links": lambda numbers: numbers.links,
    "binds": lambda numbers: numbers.binds,
    "submits": lambda numbers: numbers.accepted,
    "refused": lambda numbers: sum(numbers.submits.values()) - numbers.accepted,
    "receipts": lambda numbers: numbers.receipts_acknowledged,
    "mo": lambda numbers: numbers.mo_acknowledged,
    "penalties": lambda numbers: numbers.penalties,
}
"""What `TestSmsc.wait_for` can wait for."""


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
        self._smsc: Smsc | None = None
        self._thread: threading.Thread | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope: trio.CancelScope | None = None
        self._failure: BaseException | None = None
        self._told = False
        """Whether the test has heard of the failure."""

    # --- where it is

    @property
    def port(self) -> int:
        """Its TCP port; the first look starts it.  RuntimeError in virtual time, which no socket knows."""
        return self._listening().port

    @asynccontextmanager
    async def linked(self) -> AsyncIterator[trio.abc.Stream]:
        """Yield the ESME's end of a link in memory, served in the trio loop of the test.

        What is raised inside comes out as it is; with an ExceptionGroup the carrier had something to raise as well.
        """
        from trio.testing import memory_stream_pair

        if self._thread is not None:
            raise RuntimeError("it listens on a port already: a test has it on a socket or in memory, not both")
        smsc = self._smsc = self._smsc or Smsc(self._scenario, clock=_trio_time, trace=(self._recent,))
        ours, theirs = memory_stream_pair()
        with _one_by_itself():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(smsc.serve_stream, theirs)
                try:
                    yield ours
                finally:
                    await trio.aclose_forcefully(ours)

    def _listening(self) -> Smsc:
        if self._thread is None:
            if self._virtual_time:
                raise RuntimeError(
                    "a socket knows no virtual time: use smsc.linked(), or take the mark virtual_time away"
                )
            if self._smsc is not None:
                raise RuntimeError("it is linked in memory already: a test has it on a socket or in memory, not both")
            smsc = self._smsc = Smsc(self._scenario, trace=(self._recent,))
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
        with self._told_if_it_ended():
            return trio.from_thread.run_sync(work, trio_token=self._token)

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

    def script(self, scenario: str | Scenario) -> None:
        """Behave from now on as a scenario says: TOML text that changes the one before, or a whole one.

        A text that ``extends`` another scenario changes that one.  Raises ConfigError with every problem of the text
        and its line.  Accounts and versions count for binds still to come.
        """
        if isinstance(scenario, str):
            scenario = scenario_of(scenario, source="<script>", base=self._scenario)
        made = self._scenario = attrs.evolve(scenario, listen=self._scenario.listen)
        smsc = self._smsc
        if smsc is not None:
            self._do(lambda: smsc.change(made))

    def mo(self, source: str, destination: str, text: str, *, account: str | None = None) -> None:
        """Send a message from a subscriber.

        Raises LookupError where nobody is or was bound to take it, and EncodeError where an address does not fit.
        """
        smsc = self._running()
        self._do(lambda: smsc.deliver(source, destination, text, account=account))

    def drop_links(self) -> int:
        """Cut all links without a word; return how many there were."""
        return self._do(self._running().drop_links)

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
        """The latest PDUs as lines of text."""
        events: deque[Packet | LinkEvent] = self._recent.events
        started_at = events[0].at if events else 0.0
        return "\n".join(line_of(event, started_at) for event in list(events))

    def wait(self, *, within_s: float = 10.0, **counts: int) -> Statistics:
        """Return the numbers once there are so many: ``wait(submits=3)``; AssertionError if not within this time.

        Counts: links, binds, submits (accepted), refused, receipts and mo (answered by the ESME), penalties.
        """
        smsc = self._listening()
        assert self._token is not None, "it runs"
        with self._told_if_it_ended():
            return trio.from_thread.run(self._reached, smsc, within_s, counts, trio_token=self._token)

    async def wait_for(self, *, within_s: float = 10.0, **counts: int) -> Statistics:
        """Do what `wait` does in an async test, be it trio's or asyncio's."""
        if self._thread is None and self._smsc is not None:
            return await self._reached(self._smsc, within_s, counts)
        import anyio.to_thread

        return await anyio.to_thread.run_sync(lambda: self.wait(within_s=within_s, **counts), abandon_on_cancel=True)

    async def _reached(self, smsc: Smsc, within_s: float, counts: dict[str, int]) -> Statistics:
        unknown = sorted(set(counts) - set(COUNTED))
        if unknown or not counts:
            raise TypeError(f"can wait for {', '.join(COUNTED)}, not for {', '.join(unknown) or 'nothing'}")
        with trio.move_on_after(within_s):
            return await smsc.wait_until(lambda numbers: _are(numbers, counts))
        numbers = smsc.statistics()
        missed = [f"{COUNTED[name](numbers)} of {wanted} {name}" for name, wanted in counts.items()]
        raise AssertionError(f"after {within_s:g} s there are {', '.join(missed)}")

    def _running(self) -> Smsc:
        return self._listening() if self._smsc is None else self._smsc


def _are(numbers: Statistics, counts: dict[str, int]) -> bool:
    return all(COUNTED[name](numbers) >= wanted for name, wanted in counts.items())


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


def _trio_time() -> float:
    return 1_700_000_000.0 + trio.current_time()
