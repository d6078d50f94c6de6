"""A limit in parts per second, kept in every sliding second and in every slot that carriers count by.  Pure."""

from collections import deque

SLOT_S = 0.1
"""Carriers that count in slots take a tenth of a second; each slot is to hold its share and one part more at most."""
SLICE_S = 0.02
"""Parts leave in slices of so long at most: some carriers look that closely, and 50 ms is the longest all take."""
SLICE_HURRY = 1.5
"""A slice may follow the last one so much sooner than the limit says: what a late timer lost is caught up with."""
KEPT_FROM_PER_S = 100.0
"""From this rate on places are kept for urgent parts; below, one of them would cost more than the wait for it."""
KEPT_SECOND, KEPT_SLOT, KEPT_SLICE = 0.006, 0.02, 0.25
"""Share of each gate that only urgent parts may take: so little that the limit is used, so much that the next one
finds a place though everything else is at its limit.  What it takes, the others leave later."""
OVER_SLOT = 0.04
"""Share of a slot that urgent parts may take beyond it, one at least: the second's limit holds for them too."""
MARK = 1e-9
"""Sums of fractions of a second fall short by less than this."""


class Gate:
    """Lets at most ``count`` parts through in any ``span_s`` seconds."""

    __slots__ = ("_log", "_passed", "count", "kept", "over", "span_s")

    def __init__(self) -> None:
        self.count = 1
        self.span_s = 1.0
        self.kept = 0
        """Of these, places that only urgent parts may take."""
        self.over = 0
        """Beyond these, places that urgent parts may take."""
        self._log: deque[tuple[float, int]] = deque()
        self._passed = 0

    def room(self, now: float, *, urgent: bool = False) -> int:
        """Return how many may pass now."""
        log, gone = self._log, now - self.span_s + MARK
        while log and log[0][0] <= gone:
            self._passed -= log.popleft()[1]
        return max(0, (self.count + self.over if urgent else self.count - self.kept) - self._passed)

    def take(self, count: int, now: float) -> None:
        """Count parts that pass now."""
        self._log.append((now, count))
        self._passed += count

    def opens_at(self, now: float, *, urgent: bool = False) -> float:
        """Return when at least one may pass."""
        if self.room(now, urgent=urgent):
            return now
        passed, most = self._passed, self.count + self.over if urgent else self.count - self.kept
        for at, count in self._log:
            passed -= count
            if passed < most:
                return at + self.span_s
        return now  # not reached: with everything gone there is room


class Pace:
    """At most ``rate_per_s`` parts in any sliding second.

    Three gates stand one behind the other.  The long one holds the limit: as many parts as it allows a second take
    1 / margin seconds, so that jitter on the way never shows the carrier more.  The other two only spread them: each
    slot of a carrier that counts in tenths of a second gets its share and at most one more, and what leaves at once is
    a slice of a fiftieth of a second.  A bucket of depth b would pass rate + b in some second; even intervals alone
    would never catch up with what a late timer lost.

    Where it ``keeps`` places, urgent parts find one though all others are at the limit.
    """

    def __init__(self, rate_per_s: float, margin: float, *, keeps: bool = False) -> None:
        self._margin = margin
        self._keeps = keeps
        self._second, self._slot, self._slice = self._gates = (Gate(), Gate(), Gate())
        self.change(rate_per_s)

    def change(self, rate_per_s: float) -> None:
        """Keep another limit from now on; what has passed already counts against it."""
        self.rate_per_s = rate_per_s
        paced = rate_per_s * self._margin
        for gate, count, rate in (
            (self._second, int(rate_per_s), paced),
            (self._slot, int(rate_per_s * SLOT_S) + 1, rate_per_s),
            (self._slice, int(rate_per_s * SLICE_S), rate_per_s * SLICE_HURRY),
        ):
            gate.count = max(1, count)
            gate.span_s = gate.count / rate
        self._keep(self._keeps and rate_per_s >= KEPT_FROM_PER_S)

    def _keep(self, keeps: bool) -> None:
        self._second.kept = max(1, int(KEPT_SECOND * self._second.count)) if keeps else 0
        self._slot.kept = int(KEPT_SLOT * self._slot.count) if keeps else 0
        self._slice.kept = int(KEPT_SLICE * self._slice.count) if keeps else 0
        self._slot.over = max(1, int(OVER_SLOT * self._slot.count)) if keeps else 0
        self._slice.over = 1 if keeps else 0

    def room(self, now: float, *, urgent: bool = False) -> int:
        """Return how many parts may leave now."""
        return min(gate.room(now, urgent=urgent) for gate in self._gates)

    def take(self, count: int, now: float) -> None:
        """Count parts that leave now."""
        for gate in self._gates:
            gate.take(count, now)

    def is_idle(self, now: float) -> bool:
        """Tell whether nothing that has left counts any more."""
        return all(gate.room(now) == gate.count - gate.kept for gate in self._gates)

    def opens_at(self, now: float, *, urgent: bool = False) -> float:
        """Return when at least one part may leave."""
        return max(gate.opens_at(now, urgent=urgent) for gate in self._gates)

    def coming(self, now: float, ahead_s: float) -> int:
        """Return how many parts may leave now and within so many seconds from now."""
        opens_at = self.opens_at(now)
        if opens_at > now + ahead_s:
            return 0
        room = self.room(now) if opens_at <= now else 1
        return room + int(self.rate_per_s * self._margin * (now + ahead_s - opens_at))
