"""How fast a load goes once a carrier has said that it goes too fast: slower at once, faster again little by little."""

import math
from collections import deque
from typing import Final

SLOWER: Final = 0.7
"""Of what left in the second before a refusal."""
FASTER_PER_S: Final = 1.05
PAUSE_S: Final = 1.0
"""Nothing leaves so long after a refusal, and all refusals within it are one."""
LONGEST_S: Final = 600.0
"""Faster for no longer than this at once: by then there is no limit that counts."""
SLICE_S: Final = 0.1
"""At most what this time allows leaves at once."""


class Pace:
    """No limit until the first refusal."""

    def __init__(self) -> None:
        self._per_second = math.inf
        self._tokens = 0.0
        self._seen_at = 0.0
        self._goes_at = -math.inf
        self._sent: deque[tuple[float, int]] = deque()

    def room(self, wanted: int, now: float) -> int:
        """Return how many of those that want to leave may."""
        if self._per_second == math.inf:
            return wanted
        if now < self._goes_at:
            return 0
        self._fill(now)
        return min(wanted, int(self._tokens + 1e-9))

    def next_at(self, now: float) -> float:
        """Return when one more may leave."""
        if self._per_second == math.inf:
            return -math.inf
        return max(self._goes_at, now + (1 - min(self._tokens, 1)) / self._per_second)

    def sent(self, number: int, now: float) -> None:
        """Note what left."""
        self._sent.append((now, number))
        while self._sent[0][0] <= now - 1:
            self._sent.popleft()
        if self._per_second < math.inf:
            self._tokens -= number

    def refused(self, now: float) -> None:
        """Go slower."""
        if now < self._goes_at:
            return
        recent = sum(number for at, number in self._sent if at > now - 1)
        self._per_second = max(1.0, min(self._per_second, float(recent)) * SLOWER)
        self._tokens, self._seen_at, self._goes_at = 0.0, now + PAUSE_S, now + PAUSE_S

    def _fill(self, now: float) -> None:
        passed_s = max(0.0, now - self._seen_at)
        self._per_second *= FASTER_PER_S ** min(passed_s, LONGEST_S)
        most = max(1.0, self._per_second * SLICE_S)
        self._tokens = min(most, self._tokens + passed_s * self._per_second)
        self._seen_at = max(self._seen_at, now)
