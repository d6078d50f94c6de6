"""When the messages of a load are planned: pure, any number of them without a list."""

import math
from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import Final

from simulator import draws
from simulator.scenario import Load, Stage

PURPOSE: Final = "load.arrival"


def arrivals(load: Load, seed: int) -> Iterator[float]:
    """Return the planned time of each message in seconds from the load's start, in order.

    They end with the stages, or after ``messages``; without stages each is due at once.
    """
    times = iter(count(0, 0)) if not load.stages else _staged(load, seed)
    return islice(times, load.messages)


def most_messages(load: Load) -> int:
    """Return how many messages there may be at most."""
    if load.messages is not None:
        return load.messages
    area = sum(_areas(load.stages))
    # Poisson arrivals scatter by the root of their mean; ten of these never happen.
    return math.ceil(area + (10 * math.sqrt(area) + 10 if load.arrival == "poisson" else 0))


def length_s(stages: Sequence[Stage]) -> float:
    """Return how long stages last together."""
    return sum(stage.for_s for stage in stages)


def _staged(load: Load, seed: int) -> Iterator[float]:
    """Stretch arrivals that come one in a unit of time, or scatter about it, to the rate of the stages."""
    marks = _poisson(seed) if load.arrival == "poisson" else iter(count())
    mark = next(marks)
    begun_s = passed = rate = 0.0
    for stage, area in zip(load.stages, _areas(load.stages), strict=True):
        while mark < passed + area:
            yield begun_s + _time_of(mark - passed, rate, stage)
            mark = next(marks)
        begun_s, passed, rate = begun_s + stage.for_s, passed + area, stage.to


def _areas(stages: Sequence[Stage]) -> list[float]:
    """Return how many messages each stage has: its rate goes evenly from the last one's to its own."""
    rates = [0.0, *[stage.to for stage in stages]]
    return [(start + end) / 2 * stage.for_s for start, end, stage in zip(rates, rates[1:], stages, strict=False)]


def _time_of(area: float, rate: float, stage: Stage) -> float:
    """Return when a stage that begins at ``rate`` has brought so many messages."""
    gain = (stage.to - rate) / stage.for_s
    return 2 * area / (rate + math.sqrt(rate * rate + 2 * gain * area)) if area else 0.0


def _poisson(seed: int) -> Iterator[float]:
    draw, at = draws.stream(seed, PURPOSE), 0.0
    for ordinal in count():
        at -= math.log(1 - draw(ordinal))
        yield at
