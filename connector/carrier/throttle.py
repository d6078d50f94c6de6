"""One limit and how it gives way: the contract's ceiling, and below it what the carrier bears just now.  Pure."""

import math

from connector.carrier.pace import Pace

DECREASE = 0.5
"""What is left of the rate when the carrier says that it is too much."""
LOWEST_SHARE = 0.01
"""Of the ceiling: so much is tried even when the carrier refuses on and on."""
LOWEST_RATE_PER_S = 0.2
"""Where there is no ceiling to take a share of."""
INCREASE = 0.01
"""Share of the ceiling that each quiet second gives back at first."""
CALM_S = 4.0
"""So long after the last complaint the carrier is taken to bear more, and ..."""
RECOVERY = 0.05
"""... each further second gives back this share: 20 s from nothing to everything."""
LEAST_TAUGHT_PER_S = 10.0
"""Without a ceiling: a first complaint while hardly anything is sent does not teach that so little is the limit."""
GROWTH = 1.1
"""A second, beyond the rate that was refused."""
FORGOTTEN_AT = 2.0
"""Without a ceiling, the limit that a carrier has taught is forgotten when so many times of it may leave again."""
BUSY_SHARE, BUSY_PER_S = 0.5, 20.0
"""Of a known limit, or parts a second: a link that is closed while less leaves is not closed for its speed."""
PAUSE_S = 0.25
"""After a complaint nothing leaves for so long: what is in flight already is answered meanwhile."""
LONGEST_PAUSE_S = 5.0
"""The pause doubles while even the lowest rate is refused."""
METER_S = 1.0

# congestion_state (SMPP 5.0, 4.8.4.18) → factor on the rate; what is not listed is as it should be.
_CONGESTED_FROM, _FULL, _RESERVED_FROM = 90, 100, 101
EASE_OFF = 0.85


class Throttle:
    """Says how many parts may leave now: under the ceiling, and under what the carrier bears.

    Additive increase, multiplicative decrease.  A complaint halves the rate once for all that was in flight when it
    came; each quiet second gives a little back, and more when it has been quiet for some seconds.  Without a ceiling
    the rate measured at the first complaint stands for it, until several times as much passes unrefused.
    """

    def __init__(
        self,
        rate_per_s: float | None = None,
        margin: float = 0.98,
        *,
        within_per_s: float | None = None,
        keeps: bool = False,
    ) -> None:
        """``keeps``: whether some of it is only for urgent parts."""
        self._margin = margin
        self._keeps = keeps
        self._ceiling = rate_per_s
        self._within = within_per_s
        """The limit that this one nests in: without a ceiling of its own, recovery leads there and ends there."""
        self._pace = self._paced(rate_per_s) if rate_per_s else None
        self._meter: tuple[float, int, float] = (-math.inf, 0, 0.0)
        """Since when, how many have left, and the rate of the second before."""
        self._base_per_s = 0.0
        """The rate right after the last complaint; 0 while there is nothing to recover from."""
        self._full_per_s = 0.0
        """The rate that recovery leads to."""
        self._eased_at = -math.inf
        self._paused_until = -math.inf
        self._pause_s = PAUSE_S
        self.throttled = 0
        """How often the carrier's "too much" was charged to it."""

    # --- what may leave ---

    def _paced(self, rate_per_s: float) -> Pace:
        return Pace(rate_per_s, self._margin, keeps=self._keeps)

    def room(self, now: float, *, urgent: bool = False) -> int | None:
        """Return how many parts may leave now; None means any number."""
        if now < self._paused_until:
            return 0
        pace = self._present(now)
        return None if pace is None else pace.room(now, urgent=urgent)

    def coming(self, now: float, ahead_s: float) -> int | None:
        """Return how many may leave now and within so many seconds; None means any number."""
        if now + ahead_s < self._paused_until:
            return 0
        pace = self._present(now)
        return None if pace is None else pace.coming(now, ahead_s)

    def opens_at(self, now: float, *, urgent: bool = False) -> float:
        """Return when at least one part may leave."""
        pace = self._present(now)
        return max(now, self._paused_until, now if pace is None else pace.opens_at(now, urgent=urgent))

    def take(self, count: int, now: float) -> None:
        """Count parts that leave now."""
        since, passed, before = self._meter
        if now - since >= METER_S:
            self._meter = (now, count, passed / (now - since) if now - since < 2 * METER_S else 0.0)
        else:
            self._meter = (since, passed + count, before)
        if self._pace is not None:
            self._pace.take(count, now)

    def rate_per_s(self, now: float) -> float | None:
        """Return what may leave in a second at present; None means any number."""
        pace = self._present(now)
        return None if pace is None else pace.rate_per_s

    def is_eased(self, now: float) -> bool:
        """Tell whether the carrier's complaints hold it under its ceiling."""
        self._present(now)
        return bool(self._base_per_s) or now < self._paused_until

    def set_ceiling(self, rate_per_s: float | None, *, within_per_s: float | None = None) -> None:
        """Keep to another contract from now on; what has left already counts, and what the carrier bears stays so."""
        self._within = within_per_s
        if rate_per_s == self._ceiling:
            return
        self._ceiling = rate_per_s
        if self._base_per_s and rate_per_s is not None:
            self._full_per_s = rate_per_s
        elif self._pace is not None and rate_per_s is not None:
            self._pace.change(rate_per_s)
        elif not self._base_per_s:
            self._pace = self._paced(rate_per_s) if rate_per_s else None

    def succeed(self, other: "Throttle") -> None:
        """Go on with what the carrier has shown an earlier life of the same limit."""
        self._meter, self._eased_at = other._meter, other._eased_at
        self._paused_until, self._pause_s = other._paused_until, other._pause_s
        self._base_per_s, self._full_per_s = other._base_per_s, self._ceiling or other._full_per_s

    # --- what the carrier says ---

    def slow_down(self, now: float, *, sent_at: float | None = None) -> bool:
        """Take note that the carrier refused, as too much, what was sent at ``sent_at``; return whether it was news.

        What was in flight when the last complaint came tells nothing new.
        """
        self.throttled += 1
        if (now if sent_at is None else sent_at) <= self._eased_at:
            return False
        self._ease(DECREASE, now)
        lowest = self._base_per_s <= self._lowest()
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S) if lowest else PAUSE_S
        self._paused_until = now + self._pause_s
        return True

    def congestion(self, state: int, now: float, *, sent_at: float) -> None:
        """Take note of a congestion_state, which comes with answers (SMPP 5.0): 100 is too much, from 90 on less.

        As with a refusal, what was in flight when the rate was last lowered tells nothing new.
        """
        if state == _FULL:
            self.slow_down(now, sent_at=sent_at)
        elif _CONGESTED_FROM <= state < _RESERVED_FROM and sent_at > self._eased_at:
            self._ease(EASE_OFF, now)

    def is_idle(self, now: float) -> bool:
        """Tell whether a new one in its place would let the same leave."""
        return not self.is_eased(now) and (self._pace is None or self._pace.is_idle(now))

    def is_busy(self, now: float) -> bool:
        """Tell whether so much has left lately that a carrier could find it too much."""
        known = self._ceiling or self._within
        return self._measured(now) >= (BUSY_SHARE * known if known else BUSY_PER_S)

    # --- the rate of the moment ---

    def _lowest(self) -> float:
        return max(LOWEST_RATE_PER_S, LOWEST_SHARE * self._full_per_s) if self._full_per_s > 1 else 0.1

    def _measured(self, now: float) -> float:
        since, passed, before = self._meter
        running = passed / max(now - since, METER_S / 2) if now - since < 2 * METER_S else 0.0
        return max(running, before)

    def _ease(self, factor: float, now: float) -> None:
        """Go on with a share of what has really left, and of what was allowed: idleness is no sign of what it bears."""
        present = self.rate_per_s(now)
        measured = self._measured(now)
        if not self._base_per_s:
            self._full_per_s = self._ceiling or self._within or max(LEAST_TAUGHT_PER_S, measured)
        rate = self._full_per_s if present is None else present
        if self._ceiling is None and self._within is None:
            self._full_per_s = max(self._full_per_s, rate)
        self._base_per_s = max(self._lowest(), factor * min(rate, max(measured, rate / 2)))
        self._eased_at = now

    def _present(self, now: float) -> Pace | None:
        """Return the pace of this moment, recovered as far as quiet has lasted."""
        if not self._base_per_s:
            return self._pace
        rate = self._recovered(now - max(self._eased_at, self._paused_until))
        whole = self._ceiling or self._within or FORGOTTEN_AT * self._full_per_s
        if rate >= whole:
            self._base_per_s, self._pause_s, rate = 0.0, PAUSE_S, whole
            if self._ceiling is None:
                self._pace = None
                return None
        if self._pace is None:
            self._pace = self._paced(rate)
        elif abs(rate - self._pace.rate_per_s) > 0.01 * rate or rate == whole:
            self._pace.change(rate)
        return self._pace

    def _recovered(self, quiet_s: float) -> float:
        """Return the rate that so much quiet has brought back."""
        full = self._full_per_s
        rate = self._base_per_s + full * _given_back(quiet_s)
        if self._ceiling is not None or self._within is not None or rate <= full:
            return rate
        # beyond what was ever refused there is no map: by a tenth each second
        return full * float(GROWTH ** ((rate - full) / (RECOVERY * full)))


def _given_back(quiet_s: float) -> float:
    """Return the share of the full rate that so much quiet gives back."""
    quiet_s = max(0.0, quiet_s)
    return INCREASE * min(quiet_s, CALM_S) + RECOVERY * max(0.0, quiet_s - CALM_S)
