"""From the numbers of a carrier to its state: signs, levels and one table of what each state does about them.  Pure."""

import math
from collections.abc import Callable, Mapping
from enum import IntEnum, StrEnum
from typing import Final

import attrs

from connector.config import HealthConfig
from connector.pipeline.health_numbers import Numbers, share

SHARES: Final = (1.0, 0.5, 0.25, 0.1)
"""What a carrier gets of its traffic, step by step; the last is not left by being merely bad."""
STEP_S: Final = 5.0
"""The least time on one step."""
CALM: Final = 0.8
"""Times the limit: below it a sign that has no limit of its own for it is good again."""
SURE: Final = 1.64
"""Standard deviations by which a share must be above the limit for the worst: a carrier that fails three of ten would
otherwise be cut by chance, sooner or later, on its twenty samples."""
SETTLED: Final = 5.0
"""So many times its pause a carrier has to be well before its past counts less."""
RECEIPT_WINDOW: Final = 5.0
"""Receipts are judged over the window of answers, or over so many parts of the time a receipt may take if longer."""


class State(StrEnum):
    """How a carrier, or one of its countries, stands."""

    WELL = "well"
    """Gets everything."""
    REDUCED = "reduced"
    """Gets a share, less or more as it goes on."""
    PROBING = "probing"
    """Gets a few parts, by which it is judged."""
    SICK = "sick"
    """Gets nothing until its pause is over."""


class SickBecause(StrEnum):
    """Why a share changed.  Metrics and events carry these words: they never change."""

    SILENT = "silent"
    """Requests are in flight and nothing is answered."""
    ERRORS = "errors"
    """Too many answers blame the carrier, or never come."""
    THROTTLED = "throttled"
    """It says to nearly everything that it is too much."""
    REFUSED = "refused"
    """It refuses nearly everything for what it is."""
    SLOW = "slow"
    LINKS = "links"
    """Its links keep ending."""
    NO_RECEIPTS = "no_receipts"
    UNDELIVERED = "undelivered"
    """Its receipts say that hardly anything arrives."""
    PROBES_FAILED = "probes_failed"
    PAUSE_OVER = "pause_over"
    """It is time to try it again."""
    RECOVERED = "recovered"


class Level(IntEnum):
    """How bad a sign is."""

    GOOD = 0
    FAIR = 1
    """Neither bad enough for less nor good enough for more."""
    BAD = 2
    WORST = 3


# --- signs: each returns its level, or None where it cannot be known from these numbers -------------------------------


def _level(value: float, good: float, bad: float, worst: float = float("inf")) -> Level:
    if value > worst:
        return Level.WORST
    if value > bad:
        return Level.BAD
    return Level.GOOD if value <= good else Level.FAIR


def _surely_above(count: int, of: int, limit: float) -> bool:
    """Tell whether a share is above a limit by more than chance explains; all of it always is."""
    part = share(count, of)
    return part > limit and part - SURE * math.sqrt(part * (1 - part) / of) > limit


def _silent(numbers: Numbers, config: HealthConfig, least: int) -> Level | None:
    return Level.WORST if numbers.silent_s >= answer_within_s(config) else None


def _errors(numbers: Numbers, config: HealthConfig, least: int) -> Level | None:
    if numbers.answers < least:
        return None
    if numbers.failures and _surely_above(numbers.failures + numbers.throttled, numbers.answers, config.worst):
        return Level.WORST
    return _level(share(numbers.failures, numbers.answers), config.good, config.bad)


def _throttled(numbers: Numbers, config: HealthConfig, least: int) -> Level | None:
    """Less than the worst is no sickness: the throttle sees to it."""
    return _worst_or_good(numbers.throttled, numbers, config, least)


def _refused(numbers: Numbers, config: HealthConfig, least: int) -> Level | None:
    """Less than the worst is a list of dead numbers."""
    return _worst_or_good(numbers.refused, numbers, config, least)


def _worst_or_good(count: int, numbers: Numbers, config: HealthConfig, least: int) -> Level | None:
    if numbers.answers < least:
        return None
    return Level.WORST if _surely_above(count, numbers.answers, config.worst) else Level.GOOD


def _slow(numbers: Numbers, config: HealthConfig, least: int) -> Level | None:
    if numbers.taken < least or numbers.response_p50_s is None:
        return None
    limit_s = config.slow_response_s
    return _level(numbers.response_p50_s, limit_s * CALM, limit_s, answer_within_s(config))


def _links(numbers: Numbers, config: HealthConfig, least: int) -> Level | None:
    if numbers.link_ends >= config.link_ends:
        return Level.BAD
    return Level.GOOD if numbers.link_ends <= config.link_ends // 2 else Level.FAIR


def _no_receipts(numbers: Numbers, config: HealthConfig, least: int) -> Level | None:
    if numbers.receipts < least:
        return None
    return _level(share(numbers.silent, numbers.receipts), config.silent * CALM, config.silent)


def _undelivered(numbers: Numbers, config: HealthConfig, least: int) -> Level | None:
    if numbers.finals < least:
        return None
    return _level(share(numbers.undelivered, numbers.finals), config.undelivered * CALM, config.undelivered)


SIGNS: Final[Mapping[SickBecause, Callable[[Numbers, HealthConfig, int], Level | None]]] = {
    SickBecause.SILENT: _silent,
    SickBecause.THROTTLED: _throttled,
    SickBecause.REFUSED: _refused,
    SickBecause.ERRORS: _errors,
    SickBecause.SLOW: _slow,
    SickBecause.LINKS: _links,
    SickBecause.NO_RECEIPTS: _no_receipts,
    SickBecause.UNDELIVERED: _undelivered,
}
"""In the order of what is told where several are equally bad."""
_RECEIPT_SIGNS: Final = frozenset({SickBecause.NO_RECEIPTS, SickBecause.UNDELIVERED})


def worst_sign(numbers: Numbers, config: HealthConfig) -> tuple[Level, SickBecause | None]:
    """Return the worst of all signs that can be known; ``(GOOD, None)`` where none is bad."""
    worst: tuple[Level, SickBecause | None] = (Level.GOOD, None)
    for because, sign in SIGNS.items():
        level = sign(numbers, config, config.min_samples)
        if level is not None and level > worst[0]:
            worst = (level, because)
    return worst


def samples(because: SickBecause, numbers: Numbers) -> int:
    """Return how many samples there are of what this sign is about."""
    return numbers.receipts if because in _RECEIPT_SIGNS else numbers.answers


def answer_within_s(config: HealthConfig) -> float:
    """Return how long an answer may take before a carrier is of no use."""
    return 2 * config.slow_response_s


def receipt_window_s(config: HealthConfig) -> float:
    """Return how far back receipts count."""
    return max(config.window_s, config.receipts_within_s / RECEIPT_WINDOW)


# --- states -----------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Standing:
    """How a carrier, or one of its countries, stands, and what it has been through."""

    state: State = State.WELL
    step: int = 0
    """Index of `SHARES` while well or reduced."""
    since: float = float("-inf")
    """Of the last change of its share or state."""
    reason: SickBecause | None = None
    """Of the last change."""
    cause: SickBecause | None = None
    """What brought it down: it has to be good for a share to grow."""
    rising: bool = False
    """Whether it has got more since it was last brought down, and not settled since: trouble now is a relapse."""
    failures: int = 0
    """How often probes failed: each doubles the pause."""
    relapses: int = 0
    """How often it fell again: each doubles the pause, and the time on each step up."""
    settled_at: float = float("-inf")
    """When it became well, or when its past last counted less."""

    @property
    def share(self) -> float:
        """What it gets of its traffic."""
        return SHARES[self.step] if self.state in (State.WELL, State.REDUCED) else 0.0


def pause_s(standing: Standing, config: HealthConfig) -> float:
    """Return how long a sick carrier gets nothing before it is probed."""
    return min(config.probe_at_most_s, config.probe_after_s * 2.0 ** (standing.failures + standing.relapses))


def step_s(standing: Standing, config: HealthConfig) -> float:
    """Return how long a carrier stays good on one step before it gets more."""
    return min(max(STEP_S, config.probe_at_most_s), STEP_S * 2.0**standing.relapses)


def judge(numbers: Numbers, standing: Standing, config: HealthConfig, now: float) -> Standing:
    """Return the standing that follows from these numbers: the same one where nothing changes.

    The numbers are those since the last change: what was judged once is not judged again.
    """
    return _JUDGES[standing.state](numbers, standing, config, now)


def _well(numbers: Numbers, standing: Standing, config: HealthConfig, now: float) -> Standing:
    level, because = worst_sign(numbers, config)
    if level >= Level.BAD:
        return _lower(standing, config, now, level, because)
    return _settle(standing, config, now)


def _settle(standing: Standing, config: HealthConfig, now: float) -> Standing:
    """Let the past count less, if it was well for long enough."""
    if not standing.rising or now - standing.settled_at < SETTLED * pause_s(standing, config):
        return standing
    failures, relapses = max(0, standing.failures - 1), max(0, standing.relapses - 1)
    return attrs.evolve(
        standing,
        failures=failures,
        relapses=relapses,
        settled_at=now,
        rising=bool(standing.failures or standing.relapses),
    )


def _reduced(numbers: Numbers, standing: Standing, config: HealthConfig, now: float) -> Standing:
    level, because = worst_sign(numbers, config)
    waited_s = now - standing.since
    lowest = standing.step == len(SHARES) - 1
    if level is Level.WORST or (level is Level.BAD and waited_s >= STEP_S and not lowest):
        return _lower(standing, config, now, level, because)
    if level < Level.BAD and waited_s >= step_s(standing, config) and _is_good(numbers, standing, config, waited_s):
        return _raise(standing, now)
    return standing


def _is_good(numbers: Numbers, standing: Standing, config: HealthConfig, waited_s: float) -> bool:
    """Tell whether what brought it down is good again.

    With little traffic there may never be enough samples in a window: after a whole one the few there are will do.
    """
    cause = standing.cause if standing.cause in SIGNS and standing.cause is not SickBecause.SILENT else None
    cause = cause or SickBecause.ERRORS
    waited_long = waited_s >= (receipt_window_s(config) if cause in _RECEIPT_SIGNS else config.window_s)
    if cause is SickBecause.LINKS and not waited_long:
        return False
    return SIGNS[cause](numbers, config, 1 if waited_long else config.min_samples) is Level.GOOD


def _sick(numbers: Numbers, standing: Standing, config: HealthConfig, now: float) -> Standing:
    if now - standing.since < pause_s(standing, config):
        return standing
    return attrs.evolve(standing, state=State.PROBING, since=now, reason=SickBecause.PAUSE_OVER)


def _probing(numbers: Numbers, standing: Standing, config: HealthConfig, now: float) -> Standing:
    if _probes_failed(numbers, config):
        more = pause_s(standing, config) < config.probe_at_most_s
        return attrs.evolve(
            standing,
            state=State.SICK,
            since=now,
            reason=SickBecause.PROBES_FAILED,
            failures=standing.failures + more,
        )
    if numbers.answers < config.probes:
        return standing
    return attrs.evolve(
        standing,
        state=State.REDUCED,
        step=len(SHARES) - 1,
        since=now,
        reason=SickBecause.RECOVERED,
        rising=True,
    )


def _probes_failed(numbers: Numbers, config: HealthConfig) -> bool:
    """Tell whether what came back of the probes is too bad, or nothing came back in time.

    No probe may blame the carrier, and one at least has to be taken: a refused number or a throttled part among them
    says little.  Where no other carrier is up everything is a probe, and then a few may fail.
    """
    if numbers.probes_out > 0 and numbers.probe_waited_s >= answer_within_s(config):
        return True
    if numbers.failures > (config.good * numbers.answers if numbers.answers > config.probes else 0):
        return True
    if numbers.answers >= config.probes and not numbers.taken:
        return True
    slow = _slow(numbers, config, min(config.probes, config.min_samples))
    levels = (slow, _throttled(numbers, config, config.min_samples), _refused(numbers, config, config.min_samples))
    return any(level is not None and level >= Level.BAD for level in levels)


_JUDGES: Final[Mapping[State, Callable[[Numbers, Standing, HealthConfig, float], Standing]]] = {
    State.WELL: _well,
    State.REDUCED: _reduced,
    State.SICK: _sick,
    State.PROBING: _probing,
}


def _lower(standing: Standing, config: HealthConfig, now: float, level: Level, because: SickBecause | None) -> Standing:
    """Return the standing one step down, or with nothing at all."""
    more = standing.rising and step_s(standing, config) < config.probe_at_most_s
    sick = level is Level.WORST
    return attrs.evolve(
        standing,
        state=State.SICK if sick else State.REDUCED,
        step=standing.step if sick else min(standing.step + 1, len(SHARES) - 1),
        since=now,
        reason=because,
        cause=because,
        rising=False,
        relapses=standing.relapses + more,
    )


def _raise(standing: Standing, now: float) -> Standing:
    """Return the standing one step up."""
    step = standing.step - 1
    return attrs.evolve(
        standing,
        state=State.REDUCED if step else State.WELL,
        step=step,
        since=now,
        reason=SickBecause.RECOVERED,
        rising=True,
        settled_at=now,
    )
