"""A carrier's pace: how many parts may leave now, over all its binds.  Pure; time is an argument."""

import math

PAUSE_S = 1.0
"""After ESME_RTHROTTLED; Kannel's own pause.  Doubles while it goes on."""
LONGEST_PAUSE_S = 30.0
QUIET_S = 10.0
"""So long without a throttle and the next pause is a short one again."""


class Throttle:
    """Paces by the generic cell rate algorithm, just under the carrier's limit.

    Parts are due at even intervals of 1 / (rate × margin); they may run ahead of that by half of what the margin
    leaves of a second, and the other half is for jitter on the way.  So no sliding second holds more than the limit,
    where a bucket of depth b would pass rate + b.
    """

    def __init__(self, rate_per_s: float | None, margin: float = 0.98) -> None:
        self._interval_s = 1 / (rate_per_s * margin) if rate_per_s else 0.0
        self._ahead_s = (1 - margin) / 2
        self._due = -math.inf
        """When the next part is due by the even pace."""
        self._paused_until = -math.inf
        self._pause_s = PAUSE_S
        self.throttled = 0
        """How often the carrier asked us to slow down."""

    def available(self, now: float) -> int | None:
        """Return how many parts may leave now; None means any number."""
        if now < self._paused_until:
            return 0
        if not self._interval_s:
            return None
        late_s = now + self._ahead_s - max(self._due, now)
        return int(late_s / self._interval_s + 1e-9) + 1 if late_s >= 0 else 0

    def take(self, count: int, now: float) -> None:
        """Count parts that will leave now."""
        self._due = max(self._due, now) + count * self._interval_s

    def give_back(self, count: int) -> None:
        """Uncount parts that did not leave after all."""
        self._due -= count * self._interval_s

    def next_at(self, now: float) -> float | None:
        """Return when time alone will let more leave; None if some may leave now."""
        if self.available(now) != 0:
            return None
        return max(self._paused_until, self._due - self._ahead_s) if self._interval_s else self._paused_until

    def slow_down(self, now: float) -> None:
        """Take note that the carrier said it is too much: pause, longer each time it goes on."""
        self.throttled += 1
        if now < self._paused_until:
            return  # answers to what was in flight already
        again = now - self._paused_until < QUIET_S
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S) if again else PAUSE_S
        self._paused_until = now + self._pause_s
