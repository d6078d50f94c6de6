"""How long something takes: a distribution as it stands in a scenario, made into a function of the ordinal."""

import math
from collections.abc import Callable
from statistics import NormalDist

from simulator.draws import P99, choice, stream
from simulator.scenario import Delay

Sampler = Callable[[int], float | None]
"""From an ordinal to seconds; None means never."""


def sampler(delay: Delay, seed: int, purpose: str) -> Sampler:
    """Return the function that says how long it takes for each ordinal; a fixed delay draws nothing."""
    draw = stream(seed, purpose)
    if delay.never:
        return lambda _ordinal: None
    if delay.dist == "uniform":
        low, width = delay.min_s, delay.max_s - delay.min_s
        return lambda ordinal: low + draw(ordinal) * width
    if delay.dist == "lognormal":
        return _lognormal(delay, draw)
    if delay.dist == "mix":
        return _mix(delay, seed, purpose)
    value = delay.value_s
    return lambda _ordinal: value


def certain_sampler(delay: Delay, seed: int, purpose: str) -> Callable[[int], float]:
    """Return how long it takes for each ordinal where nothing may take for ever: never is left out of a mix.

    Only what may be never draws otherwise than `sampler` does.
    """
    sample = sampler(delay.certain, seed, f"{purpose}/certain" if delay.may_be_never else purpose)
    return lambda ordinal: sample(ordinal) or 0.0


def fixed(delay: Delay) -> float | None:
    """Return the seconds of a delay that is always the same, or None."""
    return delay.value_s if delay.dist == "fixed" and not delay.never else None


def _lognormal(delay: Delay, draw: Callable[[int], float]) -> Sampler:
    centre = math.log(delay.median_s)
    spread = math.log(delay.p99_s / delay.median_s) / P99
    quantile = NormalDist(centre, spread or 1e-12).inv_cdf
    # inv_cdf wants the open interval; 2**-54 is half of the smallest step a draw can take
    return lambda ordinal: math.exp(quantile(draw(ordinal) + 2.0**-54))


def _mix(delay: Delay, seed: int, purpose: str) -> Sampler:
    members = {str(number): sampler(member, seed, f"{purpose}/{number}") for number, member in enumerate(delay.of)}
    weights = {str(number): member.weight for number, member in enumerate(delay.of)}
    pick = choice(weights, stream(seed, f"{purpose}/which"))
    return lambda ordinal: members[pick(ordinal)](ordinal)
