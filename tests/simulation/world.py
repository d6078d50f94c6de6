"""A world: carriers, the network between, a disk, and one connector after the other on it, under virtual time."""

import hashlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from math import inf
from pathlib import Path
from typing import Any, Final

import attrs
import trio
from trio.testing import MockClock

from connector.app import Connector
from connector.config import Config, Credentials
from connector.errors import ConfigError, StoreError
from connector.lifecycle import FINAL
from connector.reload import Secrets
from simulator import Smsc
from tests.simulation.book import Book
from tests.simulation.callers import Callers
from tests.simulation.disk import Disk
from tests.simulation.drawing import PASSWORD
from tests.simulation.faults import ACTS, SEEN_WHERE_IT_BITES
from tests.simulation.habits import HABITS, scenario_of
from tests.simulation.judge import Judge
from tests.simulation.network import Network, PlantedError
from tests.simulation.plan import Moment, Plan, Send
from tests.simulation.times import BEAT_S, Beats

EPOCH_S: Final = 1_800_000_000.0
"""08:00:00 UTC."""
REVIVED_S: Final = 1.0
"""After a life that ended by itself, as a supervisor does."""
LOOK_EVERY_S: Final = 5.0
END_WITHIN_S: Final = 600.0
"""Longer than every deadline, patience, pause and retry of a plan together."""
BOUND_WITHIN_S: Final = 400.0
"""After a refusal without a clear word a bind pauses for up to five minutes."""


@attrs.define
class Life:
    """One connector, from start to end."""

    connector: Connector
    scope: trio.CancelScope
    begun: trio.Event = attrs.field(factory=trio.Event)
    """Set when it runs, or has come to nothing."""
    ended: trio.Event = attrs.field(factory=trio.Event)


class World:
    """Lives through a plan.  `run` returns when the world is over; `judge` has what was found."""

    def __init__(self, plan: Plan, nursery: trio.Nursery, mock: MockClock, folder: Path | None) -> None:
        self.plan = plan
        self.epoch_s = EPOCH_S
        self.mock = mock
        self.settings = plan.settings
        self.hosts = tuple(carrier.name for carrier in plan.carriers)
        self.suspended_s = 0.0
        self.stood_still_s = 0.0
        self.wall_ahead_s = 0.0
        self.trace = hashlib.sha256()
        self.judge = Judge(trio.current_time)
        self.faults: Counter[int] = Counter()
        self.lives = 0
        self.begun_s = 0.0
        self.reloaded_s = -inf
        """When the configuration was changed last: carriers may drain since then."""
        """When the present life began."""
        self.beats = Beats()
        self.wrong_by_s = 0.0
        """How far a life's clock was ever off: what it dated comes to its end so much later."""
        self.happened: list[tuple[float, str]] = []
        """What was done to the world, with its time."""
        self._chance = random.Random(plan.seed + 1)
        self._nursery = nursery
        self._life: Life | None = None
        self._born = trio.Event()
        self._turn = trio.Lock()
        self._offset_s = 0.0
        self.smsc = {carrier.name: self._carrier(carrier.name) for carrier in plan.carriers}
        self.disk = Disk(random.Random(plan.seed + 2), plan.commit_s, folder if plan.engine == "sqlite" else None)
        self.book = Book(self)
        self.network = Network(plan.weather, random.Random(plan.seed + 3), self._serve, nursery, self.book)
        self.callers = Callers(self)

    # --- time ---

    def now(self) -> float:
        """Return the true time of day."""
        return EPOCH_S + trio.current_time() + self.suspended_s

    def wall(self) -> float:
        """Return what the wall clock shows."""
        return self.now() + self.wall_ahead_s

    def clock(self) -> float:
        """Return the time by the connector's own clock: read off the wall at its start, then counted."""
        return self.now() + self._offset_s

    def begun_at(self, send: Send) -> float:
        """Return when a caller means it by, whatever clocks say when he repeats it."""
        return EPOCH_S + send.at_s

    # --- carriers ---

    def _carrier(self, name: str, *, well: bool = False) -> Smsc:
        return Smsc(self._scenario(name, well=well), clock=self.now)

    def _scenario(self, name: str, *, well: bool) -> Any:
        plan = next(carrier for carrier in self.plan.carriers if carrier.name == name)
        base: dict[str, Any] = {
            "seed": plan.seed,
            "account": [{"system_id": "acme", "password": PASSWORD, "max_binds": 100}],
            "response": {"delay": "20ms"},
            "receipt": {"delay": f"{round(plan.receipt_s * 1000)}ms", "mix": {"DELIVRD": 8, "UNDELIV": 1}},
        }
        ids = [each for each in plan.habits if 43 in HABITS[each.name].faults]
        return scenario_of(ids if well else plan.habits, base)

    async def _serve(self, host: str, stream: trio.abc.Stream) -> None:
        await self.smsc[host].serve_stream(stream)

    # --- the trace ---

    def note(self, what: str, data: bytes = b"") -> None:
        """Add something that happened to the world's trace."""
        self.trace.update(f"{trio.current_time():.6f} {what} ".encode() + data)

    def met(self, *faults: int) -> None:
        self.faults.update(faults)

    # --- lives ---

    async def begin_life(self) -> None:
        """Start a connector on what the disk holds, and wait until it runs or has come to nothing."""
        self.lives += 1
        self.begun_s = trio.current_time()
        self._offset_s = self.wall_ahead_s
        self.wrong_by_s = max(self.wrong_by_s, abs(self._offset_s))
        self.note(f"life {self.lives}")
        connector = Connector(
            self.settings,
            self.disk.store(),
            clock=self.clock,
            wall=self.wall,
            random=random.Random(self.plan.seed + 1_000 * self.lives),
            connect=self.network.connect,
            secrets=self._secrets(self.settings),
            cpu_s=lambda: 0.0,
            look_every_s=10.0,
        )
        life = Life(connector, trio.CancelScope())
        self._nursery.start_soon(self._live, life)
        await life.begun.wait()

    async def _live(self, life: Life) -> None:
        fell, breaks = False, self.disk.breaks
        try:
            with life.scope:
                async with trio.open_nursery() as nursery:
                    await nursery.start(life.connector.run)
                    self._life = life
                    self._born.set()
                    life.begun.set()
        except* (StoreError, PlantedError) as errors:
            fell = True
            self.happen(f"the connector fell: {_words(errors)}")
            by_disk = errors.subgroup(StoreError) is None or self.disk.breaks > breaks
            self.judge.holds(0, by_disk, f"the connector fell on a disk that is well: {_words(errors)}")
        if self._life is life:
            self._dead()
        life.begun.set()
        life.ended.set()
        if fell:
            self._nursery.start_soon(self._revive)

    def _dead(self) -> None:
        """Nothing of the present life is to be heard or seen any more."""
        self._life = None
        if self._born.is_set():
            self._born = trio.Event()
        self.network.die()
        self.callers.hang_up()

    async def _revive(self) -> None:
        async with self._turn:
            if self._life is None:
                self.disk.engine = self.disk.reopened()
                await trio.sleep(REVIVED_S)
                await self.begin_life()

    async def alive(self) -> Life:
        """Wait until a connector runs, and return it."""
        while self._life is None:
            await self._born.wait()
        return self._life

    async def end_life(self, how: Callable[[Life], Awaitable[None]], *, pause_s: float) -> None:
        """End the present life, and begin another after a pause."""
        async with self._turn:
            with trio.move_on_after(REVIVED_S) as scope:
                life = await self.alive()
            if scope.cancelled_caught:  # it is about to be revived
                return
            await how(life)
            await trio.sleep(pause_s)
            await self.begin_life()

    async def kill(self, life: Life) -> None:
        """End it as kill -9 does: nothing is written any more, and what the kernel has still arrives."""
        self.met(*self.book.at_death())
        kept = self.disk.frozen()
        self._dead()
        life.scope.cancel()
        await life.ended.wait()
        self.disk.go_on_with(kept)
        self.book.look_at_what_is_left()

    async def cancel(self, life: Life) -> None:
        """End it as its owner's nursery would, without a drain."""
        life.scope.cancel()
        await life.ended.wait()
        self.disk.engine = self.disk.reopened()

    def rate_of(self, host: str) -> float | None:
        """Return the rate that a carrier goes by: while it drains for a reload, that of before."""
        running = None if self._life is None else self._life.connector.carriers.get(host)
        return None if running is None else running.config.rate_per_s

    async def stop(self, life: Life) -> None:
        """End it in order."""
        began = trio.current_time()
        self.book.draining_since = began
        if self.book.has_answers_due():
            self.met(4)
        stood_s, failures = self.stood_still_s, self.network.failures
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._until_ended, life, nursery.cancel_scope)
            await life.connector.drain()
            if self.network.failures == failures:  # else it has not stopped, it has fallen
                self.book.drained(trio.current_time() - began - (self.stood_still_s - stood_s))
            nursery.cancel_scope.cancel()
        self.book.draining_since = None
        await self.cancel(life)

    @staticmethod
    async def _until_ended(life: Life, scope: trio.CancelScope) -> None:
        """Let nobody wait for a connector that has fallen: its process takes everybody with it."""
        await life.ended.wait()
        scope.cancel()

    # --- operators ---

    def _secrets(self, settings: Config) -> Secrets:
        return Secrets(
            {carrier.name: tuple(Credentials(PASSWORD) for _ in carrier.bind) for carrier in settings.carrier}, ()
        )

    async def reload(self, settings: Config) -> bool:
        """Go on with another configuration, and say whether it was taken; a life that begins later has it too."""
        life = await self.alive()
        try:
            with trio.move_on_after(LOOK_EVERY_S) as scope:
                await life.connector.apply(settings, self._secrets(settings))
                self.settings, self.reloaded_s = settings, trio.current_time()
        except (StoreError, ConfigError):
            return False
        return not scope.cancelled_caught

    async def take_back(self, life: Life, message: int) -> None:
        try:
            with trio.move_on_after(LOOK_EVERY_S):
                done = await life.connector.canceller.cancel(message)
                if done is not None and self._life is life:  # nobody hears the dead
                    self.book.taken_back(done)
        except StoreError:
            return

    # --- its course ---

    async def run(self) -> None:
        self._nursery.start_soon(self._beat)
        await self.begin_life()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.callers.run)
            for moment in self.plan.moments:
                nursery.start_soon(self._happen, moment)
            nursery.start_soon(self._look)
            await trio.sleep(self.plan.span_s)
            async with self._turn:  # nobody is cut off in the middle of ending a life
                nursery.cancel_scope.cancel()
        await self._get_well()
        await self._end()

    async def _happen(self, moment: Moment) -> None:
        await trio.sleep(moment.at_s)
        act = ACTS[moment.act]
        self.happen(str(moment))
        self.met(*(fault for fault in act.faults if fault not in SEEN_WHERE_IT_BITES))
        await act.do(self, moment)

    def happen(self, what: str) -> None:
        self.happened.append((trio.current_time(), what))
        self.note(what)

    async def _look(self) -> None:
        while True:
            await trio.sleep(LOOK_EVERY_S)
            if self._life is not None:
                self.book.look(self._life.connector)

    async def _beat(self) -> None:
        while True:
            await trio.sleep(BEAT_S)
            self.beats.beat(self.now(), well=self._life is not None and self.disk.is_well)

    async def _get_well(self) -> None:
        """End every fault, and wait until all binds are up."""
        self.happen("all is well again, and every link is reset once more")
        self.disk.cure()
        self.wall_ahead_s = 0.0
        self.network.calm()
        for name in self.hosts:
            self.smsc[name].change(self._scenario(name, well=True))
            self.smsc[name].set_rate(None)
        for link in list(self.network.links.values()):
            link.cut("rst")
        self.callers.start_again(self._nursery)
        await trio.sleep(LOOK_EVERY_S)  # a commit that has begun on a broken disk may still be the life's last
        if self._life is None:
            async with self._turn:
                if self._life is None:
                    await self.begin_life()
        if self._offset_s:
            await self.end_life(self.stop, pause_s=0.0)  # only a restart takes over the wall clock
        life = await self.alive()
        await self.reload(self.plan.settings)
        for name in self.hosts:
            await life.connector.resume(name)
        with trio.move_on_after(BOUND_WITHIN_S):
            while not self._all_bound(life):  # noqa: ASYNC110 - what is looked at tells nobody
                await trio.sleep(1.0)
        self.judge.holds(26, self._all_bound(life), f"binds are not up {BOUND_WITHIN_S:g} s after the last fault")

    def _all_bound(self, life: Life) -> bool:
        carriers = life.connector.carriers
        return all(
            carrier.name in carriers
            and carriers[carrier.name].statistics().bound == sum(bind.count for bind in carrier.bind)
            for carrier in self.settings.carrier
        )

    async def _end(self) -> None:
        """Wait until everything has come to its end, and see that a message of each lane and key still leaves."""
        life = await self.alive()
        await self._until_over(life, END_WITHIN_S + self.wrong_by_s)
        self.callers.probe(self._nursery)
        await self._until_over(life, END_WITHIN_S)
        self.judge.looked[26] += len(self.settings.lane)
        for send in self.callers.unproven.values():
            self.judge.broke(26, f"all is well, and no carrier has a message sent then in {send.lane} for {send.key}")
        await self.book.judge_all(life.connector)

    async def _until_over(self, life: Life, within_s: float) -> None:
        with trio.move_on_after(within_s):
            while not await self._is_over(life):
                await trio.sleep(LOOK_EVERY_S)
                self.book.look(life.connector)
                self.callers.look_at_probes()

    async def _is_over(self, life: Life) -> bool:
        if not self.callers.all_said:
            return False
        numbers = await life.connector.queries.ledger()
        if any(numbers.messages.get(status, 0) for status in numbers.messages if status not in FINAL):
            return False
        return not any(self.smsc[name].statistics().deliveries_pending for name in self.hosts)


def _words(errors: BaseExceptionGroup[Exception]) -> str:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return f"{type(first).__name__}: {first}"
