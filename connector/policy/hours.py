"""When a lane may send: the hours in which it is quiet, by the clock of the recipient or of one time zone.  Pure.

Hours are what the clock on the wall shows, so a night in which it is put forward or back is an hour shorter or longer.
A number tells its country and not where in it somebody lives, or is: where a country has several time zones it is quiet
while it is quiet in any of them.  Two answers are `NEVER`, because the opposite would send in somebody's night: where
the zones lie so far apart that it is always quiet in one of them, and for numbers of no country, such as satellite
telephones.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from connector.config import LaneConfig, QuietHours
from connector.policy.zones import zones_of

NEVER: Final = math.inf
"""It is always quiet."""
DAY_S: Final = 86_400
SOUGHT_S: Final = 2 * DAY_S
"""How far ahead an hour that suits all zones is looked for: what no day and no changing of clocks brings, none will."""
STEADY_S: Final = 900
"""No clock of the world is put forward or back within such a quarter of an hour."""


@attrs.frozen
class _Window:
    """Quiet hours, in whole seconds after midnight."""

    start_s: int
    end_s: int
    zone: ZoneInfo | None
    """None for the recipient's."""

    @classmethod
    def of(cls, hours: QuietHours) -> "_Window":
        zone = None if hours.zone == "recipient" else ZoneInfo(hours.zone)
        return cls(_seconds(hours.start), _seconds(hours.end), zone)

    def zones(self, country: str | None) -> tuple[ZoneInfo, ...]:
        return zones_of(country) if self.zone is None else (self.zone,)

    def is_quiet(self, zone: ZoneInfo, at: int) -> bool:
        return (at + _offset_s(zone, at) - self.start_s) % DAY_S < (self.end_s - self.start_s) % DAY_S

    def opening(self, zones: Sequence[ZoneInfo], at: int) -> float:
        """Return the first moment from ``at`` on at which it is quiet in none of these zones."""
        latest = at + SOUGHT_S
        while zones and at <= latest:
            end = max(self._end(zone, at) for zone in zones)
            if end == at:
                return float(at)
            at = end
        return NEVER

    def _end(self, zone: ZoneInfo, at: int) -> int:
        """Return the first moment from ``at`` on at which it is not quiet in one zone."""
        while self.is_quiet(zone, at):
            offset_s = _offset_s(zone, at)
            end = at + (self.end_s - at - offset_s) % DAY_S
            skipped_s = _offset_s(zone, end) - offset_s
            at = end if skipped_s <= 0 else self._end_within(zone, max(at, end - skipped_s), end)
        return at

    def _end_within(self, zone: ZoneInfo, first: int, last: int) -> int:
        """Return the end where the clock is put forward before it, maybe over the very end."""
        if not self.is_quiet(zone, first):
            return first
        while last - first > 1:
            middle = (first + last) // 2
            first, last = (middle, last) if self.is_quiet(zone, middle) else (first, middle)
        return last

    def closing(self, zones: Sequence[ZoneInfo], at: int) -> int:
        """Return a moment before which it is not quiet, where it is not at ``at``: the next start, or earlier."""
        starts = [at + (self.start_s - at - _offset_s(zone, at)) % DAY_S for zone in zones]
        return min((at // STEADY_S + 1) * STEADY_S, *starts)


@attrs.frozen
class _Answer:
    """What holds from ``since`` until before ``until``."""

    since: float
    until: float
    opens_at: float | None


class Hours:
    """The quiet hours of all lanes of one configuration.  An answer is kept until it changes: a look-up for each part
    costs well under a microsecond."""

    def __init__(self, lanes: Mapping[str, LaneConfig]) -> None:
        self._windows = {name: _Window.of(lane.quiet_hours) for name, lane in lanes.items() if lane.quiet_hours}
        self._answers: dict[tuple[str, str | None], _Answer] = {}

    def depends_on_recipient(self, lane: str) -> bool:
        """Tell whether of one lane some may leave while others may not."""
        window = self._windows.get(lane)
        return window is not None and window.zone is None

    def is_shut(self, lane: str, now: float) -> bool:
        """Tell whether nothing of a lane may leave now, whoever it is for: its hours are those of one zone."""
        window = self._windows.get(lane)
        return window is not None and window.zone is not None and self.opens_at(lane, None, now) is not None

    def opens_at(self, lane: str, country: str | None, now: float) -> float | None:
        """Return when a message to this country may leave: None if now, `NEVER` if at no time of the day."""
        window = self._windows.get(lane)
        if window is None:
            return None
        key = lane, country if window.zone is None else None
        answer = self._answers.get(key)
        if answer is None or not answer.since <= now < answer.until:
            answer = self._answers[key] = _answer(window, window.zones(country), now)
        return answer.opens_at

    def next_change(self, now: float) -> float | None:
        """Return when by time alone more may leave than now: of lanes with one zone, and of what was asked about."""
        for lane, window in self._windows.items():
            if window.zone is not None:
                self.opens_at(lane, None, now)
        ends = (answer.opens_at for answer in self._answers.values() if answer.opens_at is not None)
        return min((end for end in ends if now < end < NEVER), default=None)


def _answer(window: _Window, zones: Sequence[ZoneInfo], now: float) -> _Answer:
    at = math.floor(now)  # hours begin and end with whole seconds
    opening = window.opening(zones, at)
    if opening == at:
        return _Answer(at, window.closing(zones, at), None)
    return _Answer(at, min(opening, at + SOUGHT_S), opening)


def _offset_s(zone: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _seconds(time_of_day: str) -> int:
    hour, minute = time_of_day.split(":")
    return 3_600 * int(hour) + 60 * int(minute)
