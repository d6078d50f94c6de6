"""Moments and periods as SMPP writes them, and the dates of receipts as moments (SMPP 3.4, 7.1.1)."""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from connector.config import DialectConfig
from connector.smpp.receipt import parse_date

LONGEST_S: Final = 99 * 365 * 86_400
_QUARTER_S: Final = 900
_DAY_S: Final = 86_400

Validity = Callable[[float, float], str]
"""(deadline, now) to the text of validity_period."""


def validity_of(config: DialectConfig) -> Validity:
    """Return how this carrier is told how long a message is of use."""
    cap_s = LONGEST_S if config.validity_cap_s is None else config.validity_cap_s
    zone = ZoneInfo(config.time_zone)
    match config.validity:
        case "none":
            return lambda deadline, now: ""
        case "absolute":
            # whole seconds, at least one ahead
            return lambda deadline, now: absolute_time(int(max(now + 1, min(deadline, now + cap_s))), zone)
        case "relative":
            return lambda deadline, now: relative_time(int(min(deadline - now, cap_s)))


@lru_cache(maxsize=10_000)
def relative_time(seconds: int) -> str:
    """Return SMPP's relative time string; a month stands for 30 days and a year for 12 of them (SMPP 3.4, 7.1.1.2)."""
    minutes, second = divmod(min(max(1, seconds), LONGEST_S), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    months, day = divmod(days, 30)
    year, month = divmod(months, 12)
    return f"{min(year, 99):02}{month:02}{day:02}{hour:02}{minute:02}{second:02}000R"


@lru_cache(maxsize=10_000)
def absolute_time(moment: int, zone: tzinfo) -> str:
    """Return SMPP's absolute time string on the clock of ``zone``, with its distance from UTC in quarter hours.

    In UTC it ends in "000+", which is right even where a carrier does not look at the distance.
    """
    local = datetime.fromtimestamp(moment, zone)
    offset = local.utcoffset()
    quarters = round(offset.total_seconds() / _QUARTER_S) if offset is not None else 0
    return f"{local:%y%m%d%H%M%S}0{abs(quarters):02}{'-' if quarters < 0 else '+'}"


def moment_of(date: str | None, zone: tzinfo, now: float) -> float | None:
    """Return the moment a receipt's date means on the carrier's clock; None where it is absent or unreadable.

    ``now`` settles dates that can be read two ways.
    """
    return _moment(date, zone, int(now / _DAY_S)) if date else None


@lru_cache(maxsize=10_000)
def _moment(date: str, zone: tzinfo, day: int) -> float | None:
    found = parse_date(date, datetime.fromtimestamp(day * _DAY_S, UTC))
    if found is None:
        return None
    # 13 digits are milliseconds since 1970, which no clock of a carrier has to say anything about
    return found.replace(tzinfo=UTC if len(date) == 13 else zone).timestamp()
