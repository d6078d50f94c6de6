"""Randomness by name: every draw is a function of the seed, its purpose and the ordinal of the message.

One draw never shifts another, whatever order the scheduler picks, so adding a rule or a bind leaves the rest of a run
as it was.
"""

import zlib
from bisect import bisect
from collections.abc import Callable, Mapping
from itertools import accumulate
from statistics import NormalDist
from typing import Final

Draw = Callable[[int], float]
"""From an ordinal to a number in [0, 1)."""

_UNIT: Final = 2.0**-53
_ODD: Final = 0x9E3779B97F4A7C15
_WORD: Final = (1 << 64) - 1

P99: Final = NormalDist().inv_cdf(0.99)
"""Standard deviations from the median to the 99th percentile."""


def stream(seed: int, purpose: str) -> Draw:
    """Return the stream of draws for one purpose, the same in every process and on every run of this seed."""
    key = zlib.crc32(purpose.encode())

    def draw(ordinal: int) -> float:
        # The hash of a tuple of integers is fixed (only that of text is salted) and costs a tenth of a `random.Random`
        # made per ordinal; one multiplication more spreads what it leaves correlated between neighbours.
        return ((hash((ordinal, key, seed)) * _ODD & _WORD) >> 11) * _UNIT

    return draw


def chance(share: float, draw: Draw) -> Callable[[int], bool]:
    """Return the question whether something of this share happens to an ordinal; 0 and 1 draw nothing."""
    if share <= 0:
        return lambda _ordinal: False
    if share >= 1:
        return lambda _ordinal: True
    return lambda ordinal: draw(ordinal) < share


def choice(weights: Mapping[str, float], draw: Draw) -> Callable[[int], str]:
    """Return the choice among names by weight; a single one draws nothing."""
    names = [name for name, weight in weights.items() if weight > 0]
    if len(names) == 1:
        return lambda _ordinal: names[0]
    sums = list(accumulate(weights[name] for name in names))
    total, last = sums[-1], len(names) - 1
    return lambda ordinal: names[min(bisect(sums, draw(ordinal) * total), last)]
