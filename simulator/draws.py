"""Randomness by name: every draw is a function of the seed, its purpose and the ordinal of the message.

One draw never shifts another, whatever order the scheduler picks, so adding a rule or a bind leaves the rest of a run
as it was.
"""

from bisect import bisect
from collections.abc import Callable, Mapping
from hashlib import blake2b
from itertools import accumulate
from statistics import NormalDist
from typing import Final

Draw = Callable[[int], float]
"""From an ordinal to a number in [0, 1)."""

_WORD: Final = (1 << 64) - 1
_UNIT: Final = 2.0**-53

P99: Final = NormalDist().inv_cdf(0.99)
"""Standard deviations from the median to the 99th percentile."""


def stream(seed: int, purpose: str) -> Draw:
    """Return the stream of draws for one purpose, the same in every process and on every run of this seed.

    Each draw is one output of SplitMix64 (Steele, Lea and Flood, 2014), which can be asked for any place of its
    sequence: 0.3 us, where a `random.Random` made per ordinal costs 5.
    """
    start = int.from_bytes(blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest(), "big")

    def draw(ordinal: int) -> float:
        word = (ordinal * 0x9E3779B97F4A7C15 + start) & _WORD
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & _WORD
        word = (word ^ word >> 27) * 0x94D049BB133111EB & _WORD
        return ((word ^ word >> 31) >> 11) * _UNIT

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
