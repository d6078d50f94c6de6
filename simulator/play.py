"""A scenario played to its end: the carrier, its load, and what must be true of them.

In virtual time waiting costs nothing, and a run is the same to the octet whenever it is repeated.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import trio
import trio.testing

from connector.errors import ConfigError
from connector.settings import KeyPath, key_text
from simulator.judge.expect import Value, parse
from simulator.judge.measures import Measures, Unknown
from simulator.judge.verdict import Book, Verdict
from simulator.judge.ways import Ways
from simulator.link.peer import Peer
from simulator.load.arrivals import most_messages
from simulator.load.esme import EsmeLoad
from simulator.load.tally import LoadStatistics, Traffic
from simulator.scenario import Expect, Load, Scenario
from simulator.scenario.play import QUIET
from simulator.smsc import Smsc
from simulator.statistics import Statistics
from simulator.trace.record import Sink

EPOCH: Final = 1_767_225_600.0
"""Time of day at which every virtual run starts: 2026-01-01 00:00:00 UTC."""
DROPPED: Final = "load.dropped_arrivals"
ASKING: Final = frozenset({DROPPED, "load.sent"})
"""Facts by which an expectation asks whether all was sent that was planned."""
LOOK_S: Final = 0.1
"""How often it is looked whether something that nobody announces has come."""


@attrs.frozen(kw_only=True)
class Checked:
    """An expectation with what became of it."""

    that: str
    ok: bool
    values: dict[str, Value]
    """The facts it asks for."""
    reason: str = ""
    """Why it could not be decided, which is a failure; empty when it could."""
    after: str | None = None


@attrs.frozen(kw_only=True)
class Outcome:
    """What a run came to."""

    scenario: str
    seed: int
    virtual: bool
    ran_s: float
    statistics: Statistics
    load: LoadStatistics | None
    verdict: Verdict | None
    """None when the scenario neither has a load nor expects anything, and nobody asked for it."""
    expectations: tuple[Checked, ...]

    @property
    def ok(self) -> bool:
        """Whether every expectation is true; where there is none, whether the load came to its end."""
        if not self.expectations:
            return self.load is None or not self.load.died_of
        return all(checked.ok for checked in self.expectations)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a good end hides, a sentence each: that less was sent than was planned, and nothing asks for it."""
        dropped = 0 if self.load is None else self.load.dropped_arrivals
        asked = any(not ASKING.isdisjoint(parse(checked.that).facts) for checked in self.expectations)
        if self.load is None or not dropped or asked:
            return ()
        return (
            f"{dropped:,} of {self.load.planned:,} planned messages were never sent (dropped arrivals), and no "
            f'expectation asks for it: add that = "{DROPPED} == 0"',
        )


def played(scenario: Scenario, *, virtual: bool = False, **options: Any) -> Outcome:
    """Play a scenario in a trio loop of its own, in virtual time with the clock and the order that go with it.

    Takes what `play` takes, returns and raises what that does.
    """

    async def run() -> Outcome:
        return await play(scenario, virtual=virtual, **options)

    if not virtual:
        return trio.run(run)
    with _same_order(scenario.seed):
        return trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))


async def play(
    scenario: Scenario,
    *,
    virtual: bool = False,
    duration_s: float | None = None,
    ended: trio.Event | None = None,
    keep: int | None = None,
    record: str | Path | None = None,
    trace: Sequence[Sink] = (),
    judged: bool = False,
    listening: Callable[[Smsc], None] = lambda _smsc: None,
) -> Outcome:
    """Play a scenario until its load has settled, the duration is over or ``ended`` is set; return what came of it.

    Then it goes on for what has ``within`` to become true, unless ``ended`` is set.
    ``keep``, ``record`` and ``trace`` are those of `Smsc`; ``judged`` keeps the book of messages even when nothing in
    the scenario asks for it; ``listening`` is called when ESMEs may come.  ``virtual`` needs a clock that jumps, which
    `played` provides.  Raises ConfigError for what cannot be played so, and OSError when the address cannot be had.
    """
    _refuse_what_cannot_be(scenario, virtual, duration_s, ended)
    run = _Run(scenario, virtual, keep, record, trace, judged)
    async with trio.open_nursery() as nursery:
        if not virtual:
            await nursery.start(run.smsc.run)
        listening(run.smsc)
        outcome = await run.to_its_end(duration_s, ended, nursery)
        nursery.cancel_scope.cancel()
    run.smsc.ledger.close()
    return outcome


def problems_of_playing(scenario: Scenario, *, virtual: bool) -> Iterator[tuple[KeyPath, str]]:
    """Say what keeps a scenario from being played here and now: the key, and a sentence."""
    load = scenario.load
    if load is None or load.target is None:
        return
    from simulator.load.http import problem_of_token, shown_target

    if virtual:
        shown = shown_target(load.target)
        yield ("load", "target"), f"{shown} does not live in virtual time: play it by the real clock"
    problem = problem_of_token(load)
    if problem:
        yield ("load", "token_env"), problem


def _refuse_what_cannot_be(
    scenario: Scenario, virtual: bool, duration_s: float | None, ended: trio.Event | None
) -> None:
    problems = [f"{key_text(path)}: {problem}" for path, problem in problems_of_playing(scenario, virtual=virtual)]
    if problems:
        raise ConfigError(problems)
    if virtual and scenario.load is None and duration_s is None and ended is None:
        raise ConfigError(["nothing ends a virtual run without a [load] but a duration"])


class _Run:
    """One run: builds the parts, and knows when it is over."""

    def __init__(
        self,
        scenario: Scenario,
        virtual: bool,
        keep: int | None,
        record: str | Path | None,
        trace: Sequence[Sink],
        judged: bool,
    ) -> None:
        self._scenario = scenario
        self._virtual = virtual
        self._began_at = trio.current_time()
        clock = _virtual_clock if virtual else time.time
        self._book: Book | None = None
        if judged or scenario.load or scenario.expect:
            self._book = Book(clock(), numbered=_most_messages(scenario), ways=Ways(scenario, self._peer_of))
            trace = (*trace, self._book)
        self.smsc = Smsc(scenario, clock=clock, keep=keep, record=record, trace=trace)
        self._carrier = self.smsc._carrier  # of the same house
        self._carrier.start(self._began_at)
        if self._book is not None:
            self._show_all_to(self._book)

    def _show_all_to(self, book: Book) -> None:
        self.smsc.ledger.watcher = book.take
        self._carrier.on_remark = book.blame
        if self._scenario.load is not None:
            self.smsc.set_judge(book.come)
            self._carrier.intake.on_refusal = book.refused

    def _peer_of(self, number: int) -> Peer | None:
        linked = self.smsc._director.links.get(number)  # of the same house
        return None if linked is None else linked.peer

    def _now_s(self) -> float:
        return trio.current_time() - self._began_at

    async def to_its_end(self, duration_s: float | None, ended: trio.Event | None, nursery: trio.Nursery) -> Outcome:
        load = self._load(nursery)
        self._measures = Measures(self._carrier, self.smsc.statistics, self._now_s, book=self._book, load=load)
        self._keep_marks(nursery)
        if load is not None:
            nursery.start_soon(load.run)
        with trio.move_on_after(math.inf if duration_s is None else duration_s):
            await self._wait(load, ended)
        await self._wait_within(trio.Event() if ended is None else ended)
        checked = tuple(_check(expect, self._measures) for expect in self._scenario.expect)
        ran_s, statistics = self._now_s(), self.smsc.statistics()
        outcome = Outcome(
            scenario=self._scenario.name,
            seed=self._scenario.seed,
            virtual=self._virtual,
            ran_s=ran_s,
            statistics=statistics,
            load=self._measures.load(),
            verdict=self._measures.verdict(),
            expectations=checked,
        )
        if load is not None:
            await load.leave()
        return outcome

    # --- the load

    def _load(self, nursery: trio.Nursery) -> Traffic | None:
        load = self._scenario.load
        if load is None:
            return None
        if load.target is not None:
            from simulator.load.http import HttpLoad

            return HttpLoad(load, load.target, seed=self._scenario.seed, started_at=self._began_at)

        async def connect() -> trio.abc.Stream:
            if not self._virtual:
                return await trio.open_tcp_stream(self._scenario.listen.host, self.smsc.port)
            ours, theirs = trio.testing.memory_stream_pair()
            nursery.start_soon(self.smsc.serve_stream, theirs)
            return ours

        return EsmeLoad(self._scenario, load, connect, started_at=self._began_at)

    async def _wait(self, load: Traffic | None, ended: trio.Event | None) -> None:
        """Return when the load has settled, or when somebody ends the run."""
        async with trio.open_nursery() as nursery:

            async def settle(traffic: Traffic, settings: Load) -> None:
                await traffic.finished()
                await self._settled(traffic, settings)
                nursery.cancel_scope.cancel()

            async def heed(event: trio.Event) -> None:
                await event.wait()
                nursery.cancel_scope.cancel()

            if load is not None and self._scenario.load is not None:
                nursery.start_soon(settle, load, self._scenario.load)
            if ended is not None:
                nursery.start_soon(heed, ended)
            if load is None and ended is None:
                await trio.sleep_forever()

    async def _settled(self, traffic: Traffic, settings: Load) -> None:
        """Return when all has come and the carrier has nothing more to deliver, or after the time given for it."""
        with trio.move_on_after(settings.settle_s):
            await self.smsc.wait_until(lambda numbers: not self._is_awaited(numbers, traffic, settings))

    def _is_awaited(self, numbers: Statistics, traffic: Traffic, settings: Load) -> bool:
        book = self._book
        if settings.target is not None and book is not None and book.brought < traffic.statistics().answered:
            return True  # the door has taken it, which brings it when it can
        return bool(numbers.deliveries_pending or numbers.deliveries_in_flight)

    # --- what is expected

    def _keep_marks(self, nursery: trio.Nursery) -> None:
        expected = self._scenario.expect
        for after, after_s in {each.after: each.after_s for each in expected}.items():
            if after is not None:
                nursery.start_soon(self._mark, after, after_s)
        if any(name.startswith("throughput.") for each in expected for name in each.expectation.facts):
            nursery.start_soon(self._notice_first_fault)

    async def _mark(self, after: str, after_s: float | None) -> None:
        if after_s is not None:
            await trio.sleep_until(self._began_at + after_s)
        if after == QUIET:
            quiet_s, faults = self._scenario.quiet_after_s, self._carrier.faults
            with trio.move_on_at(math.inf if quiet_s is None else self._began_at + quiet_s):
                await self.smsc.wait_until(lambda _numbers: faults.is_quiet(self._now_s()))
        self._measures.mark(after)

    async def _notice_first_fault(self) -> None:
        await self.smsc.wait_until(lambda numbers: bool(numbers.faults))
        self._measures.first_fault_s = math.floor(self._now_s())

    async def _wait_within(self, ended: trio.Event) -> None:
        """Return when all that may still become true has, or its time is over, or somebody ends the run.

        Nothing is decided here: all expectations are held against the same numbers, the last ones.
        """
        began_at = trio.current_time()
        waiting = [expect for expect in self._scenario.expect if expect.within_s]
        while not ended.is_set():
            now = trio.current_time()
            waiting = [each for each in waiting if now < began_at + each.within_s]
            waiting = [each for each in waiting if not _check(each, self._measures).ok]
            if not waiting:
                return
            with trio.move_on_after(LOOK_S):
                await ended.wait()


def _check(expect: Expect, measures: Measures) -> Checked:
    expectation = expect.expectation
    found = {name: measures.value(name, expect) for name in expectation.facts}
    values = {name: value for name, value in found.items() if not isinstance(value, Unknown)}
    reasons = dict.fromkeys(value.reason for value in found.values() if isinstance(value, Unknown))
    ok, reason = False, "; ".join(reasons)
    if not reason:
        try:
            ok = expectation.holds(values)
        except ZeroDivisionError:
            reason = "it divides by a fact that is 0"
    return Checked(that=expect.that, ok=ok, values=values, reason=reason, after=expect.after)


def _most_messages(scenario: Scenario) -> int:
    return most_messages(scenario.load) if scenario.load else 0


# --- virtual time


def _virtual_clock() -> float:
    return EPOCH + trio.current_time()


@contextmanager
def _same_order(seed: int) -> Iterator[None]:
    """Have trio run the tasks that are due together in an order that the seed decides.

    Trio takes them in an order of chance, on purpose, so that nobody relies on one.  Its own switch for tools that
    need the same run again (Hypothesis is one) sorts them before its generator shuffles; seeded, that repeats.
    """
    from trio._core import _run

    internals: Any = _run
    before, state = internals._ALLOW_DETERMINISTIC_SCHEDULING, internals._r.getstate()
    internals._ALLOW_DETERMINISTIC_SCHEDULING = True
    internals._r.seed(seed)
    try:
        yield
    finally:
        internals._ALLOW_DETERMINISTIC_SCHEDULING = before
        internals._r.setstate(state)
