"""The clock of a running connector: seconds since the epoch that nobody can set, and a watch over the one they can.

Every deadline, pause and schedule is kept by the steady clock.  It is read off the wall once, at the start, and then
counts seconds; a wall clock that is set moves it neither by a jump nor little by little, so that nothing scheduled
leaves early and no night's backlog falls due in one moment.  The difference is told, and a restart ends it.  What NTP
does without a jump (it makes seconds longer or shorter) the steady clock follows by itself.

A machine that is suspended is another matter: the time did pass.  The steady clock counts it, so nothing is sent past
its deadline afterwards; but sleeping tasks do not, so whoever sleeps for long has to be woken.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import trio

log = logging.getLogger("carrierline.clock")

LOOK_EVERY_S: Final = 1.0
TOLERANCE_S: Final = 2.0
"""What NTP does with a jump it calls a jump from 0.128 s on; a leap second is one second, and nobody's business."""


def since_boot() -> float:
    """Return seconds since the machine was started, with those it was suspended where the system counts them."""
    return time.clock_gettime(_SINCE_BOOT)


_SINCE_BOOT: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux has it; the monotonic clock of macOS counts suspension by itself."""


def steady_wall_clock(
    wall: Callable[[], float] = time.time, steady: Callable[[], float] = since_boot
) -> Callable[[], float]:
    """Return a clock of seconds since the epoch: ``wall`` as it stands now, and from then on ``steady``."""
    offset = wall() - steady()
    return lambda: steady() + offset


class ClockWatch:
    """Compares the steady clock with the wall clock and with the one that tasks sleep by, once a second."""

    def __init__(
        self,
        clock: Callable[[], float],
        tell: Callable[[str, float], None],
        wake: Callable[[], None],
        *,
        wall: Callable[[], float] = time.time,
        slept_by: Callable[[], float] = trio.current_time,
    ) -> None:
        """``tell`` takes a sentence and the moment by ``clock``; ``wake`` wakes who may sleep for more than a moment.

        ``slept_by`` is the clock that `trio.sleep` goes by.
        """
        self._clock = clock
        self._tell = tell
        self._wake = wake
        self._wall = wall
        self._slept_by = slept_by
        self._ahead_s = 0.0
        """How far the wall clock was ahead when it was last told."""
        self._missed_s: float | None = None
        """How far the clock is ahead of the one that tasks sleep by."""

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Watch until cancelled."""
        self.look()
        task_status.started()
        while True:
            await trio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Look once: tell of a wall clock that was set, once each time, and wake sleepers after a suspension."""
        now, wall = self._clock(), self._wall()
        ahead_s = wall - now
        if abs(ahead_s - self._ahead_s) > TOLERANCE_S:
            self._ahead_s = ahead_s
            self._tell(_set_to(now, wall), now)
        missed_s = now - self._slept_by()
        if self._missed_s is not None and missed_s - self._missed_s > TOLERANCE_S:
            log.warning("the machine was suspended for %.0f s", missed_s - self._missed_s)
            self._wake()
        self._missed_s = missed_s


def _set_to(now: float, wall: float) -> str:
    if abs(wall - now) <= TOLERANCE_S:
        return f"the wall clock shows the steady clock's time again: {_moment(now)}"
    return (
        f"the wall clock was set: it shows {_moment(wall)}, and the steady clock {_moment(now)};"
        " schedules and deadlines follow the steady one until a restart"
    )


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
