"""A queue towards handsets that fills with what is accepted and drains at its own speed.  Nothing is stored in it."""

import attrs

from simulator.scenario import Queue


@attrs.define
class Backlog:
    """How full a queue is at any time, without a task that drains it."""

    rules: Queue
    level: float = 0.0
    """Messages in it at ``seen_at``."""
    seen_at: float = 0.0

    def take(self, wanted: int, now: float) -> int:
        """Let up to so many in and return how many there was room for."""
        self._drain(now)
        granted = min(wanted, int(self.rules.capacity - self.level + 1e-9))
        self.level += granted
        return granted

    def leaves_at(self, place_from_end: int, now: float) -> float:
        """Return when one leaves that has so many behind it."""
        self._drain(now)
        return now + max(0.0, self.level - place_from_end) / self.rules.drain.per_second

    def share(self, now: float) -> float:
        """Return how full it is, from 0 to 1."""
        self._drain(now)
        return min(1.0, self.level / self.rules.capacity)

    def _drain(self, now: float) -> None:
        self.level = max(0.0, self.level - (now - self.seen_at) * self.rules.drain.per_second)
        self.seen_at = now
