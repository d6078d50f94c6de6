"""Runs worlds so that a seed gives the same life in any process."""

import gc
import logging
import re
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, Final

import attrs
import trio
from trio.testing import MockClock

from tests.simulation.drawing import PASSWORD, SHORT, draw
from tests.simulation.habits import HABITS
from tests.simulation.judge import Judge, Violation
from tests.simulation.plan import Plan
from tests.simulation.world import World

LONGEST_S: Final = 5_000.0
"""Beyond its span; a world in which nobody waits for a moment any more ends there."""
SECRETS: Final = re.compile(rf"4479111\d{{5}}|44770\d{{7,}}|{PASSWORD}|{SHORT}|as long as it takes")
"""What must be in no log: numbers, the password, texts."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of a world."""

    plan: Plan
    trace: str
    """Hash of everything that happened, with its times."""
    virtual_s: float
    real_s: float
    violations: tuple[Violation, ...]
    looked: Counter[int]
    faults: Counter[int]
    happened: tuple[tuple[float, str], ...]
    timelines: dict[int, list[str]] = attrs.field(repr=False)
    """Of messages that a violation names."""

    @property
    def seed(self) -> int:
        return self.plan.seed


class _Secrets(logging.Handler):
    """Reads every line of the log."""

    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self._judge = judge

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self._judge.holds(24, not SECRETS.search(text), f"the log has: {text[:60]}")


def run_seed(seed: int, *, hours: float | None = None) -> Outcome:
    """Live through the world of a seed, or a long one of as many ``hours``."""
    return run_plan(draw(seed, hours=hours))


def run_plan(plan: Plan) -> Outcome:
    """Live through a plan."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        mock = MockClock(autojump_threshold=0)
        _make_trio_repeatable(plan.seed)
        found = trio.run(_live, plan, mock, Path(folder), clock=mock)
    return attrs.evolve(found, real_s=time.perf_counter() - began)


def _make_trio_repeatable(seed: int) -> None:
    """Let trio choose by this seed among tasks that are ready at once: what pytest-trio does for its tests, too."""
    chosen: Any = trio._core._run
    chosen._ALLOW_DETERMINISTIC_SCHEDULING = True
    chosen._r.seed(seed)


async def _live(plan: Plan, mock: MockClock, folder: Path) -> Outcome:
    worlds: list[World] = []
    try:
        async with trio.open_nursery() as nursery:
            worlds.append(World(plan, nursery, mock, folder))
            await _watched(worlds[0])
            nursery.cancel_scope.cancel()
    except Exception as error:
        if not worlds:
            raise
        worlds[0].judge.broke(0, _where(error))  # whatever fell, and however, is what this world has found
    worlds[0].judge.looked[0] += 1
    worlds[0].disk.close()
    gc.collect(0)
    return _outcome(worlds[0])


async def _watched(world: World) -> None:
    """Live through a world, and read its log meanwhile."""
    log, watch = logging.getLogger("carrierline"), _Secrets(world.judge)
    level = log.level
    log.addHandler(watch)
    log.setLevel(logging.DEBUG)
    try:
        with trio.move_on_after(world.plan.span_s + LONGEST_S) as scope:
            await world.run()
        world.judge.holds(26, not scope.cancelled_caught, "everybody waits, and nobody for a moment: it hangs")
    finally:
        log.removeHandler(watch)
        log.setLevel(level)


def _where(error: BaseException) -> str:
    """Return what fell, and the lines of ours it fell through."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    way = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-6:]))
    return f"{type(error).__name__}: {error} at {way}"


def _outcome(world: World) -> Outcome:
    faults = world.faults
    for carrier in world.plan.carriers:
        numbers = world.smsc[carrier.name].statistics()
        for each in carrier.habits:
            if HABITS[each.name].is_met(numbers):
                faults.update(HABITS[each.name].faults)
    for fault, count in (
        (7, world.network.failures),
        (12, world.disk.refusals),
        (13, world.disk.breaks),
        (28, world.network.tears),
        (33, world.network.refusals),
    ):
        faults[fault] += count
    if world.plan.weather.fragments or world.plan.weather.latency_s[1] > 0.3:
        faults[29] += 1
    return Outcome(
        plan=world.plan,
        trace=world.trace.hexdigest(),
        virtual_s=trio.current_time(),
        real_s=0.0,
        violations=tuple(world.judge.violations),
        looked=world.judge.looked,
        faults=+faults,
        happened=tuple(world.happened),
        timelines=world.book.timelines(),
    )
