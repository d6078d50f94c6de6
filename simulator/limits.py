"""Limiters that count, none that throws dice."""

from collections import deque

import attrs

from simulator.scenario import Penalty, Rate


@attrs.define
class Bucket:
    """Holds up to ``burst`` tokens and gains ``per_second``; a message takes one."""

    rate: Rate
    tokens: float
    filled_at: float

    @classmethod
    def full(cls, rate: Rate, now: float) -> "Bucket":
        """Return a bucket that has not been used yet."""
        return cls(rate, rate.burst, now)

    def is_full(self, now: float) -> bool:
        """Say whether it is as if it had never been used."""
        return self.tokens + (now - self.filled_at) * self.rate.per_second >= self.rate.burst

    def changed(self, rate: Rate) -> "Bucket":
        """Return the bucket that goes on with another rate: what is in it stays, as far as it fits."""
        return Bucket(rate, min(self.tokens, rate.burst), self.filled_at)

    def take(self, wanted: int, now: float) -> int:
        """Take up to ``wanted`` tokens and return how many there were."""
        self.tokens = min(self.rate.burst, self.tokens + (now - self.filled_at) * self.rate.per_second)
        self.filled_at = now
        # A sum of fractions such as ten times 0.1 falls short of 1 by less than this.
        granted = min(wanted, int(self.tokens + 1e-9))
        self.tokens -= granted
        return granted


@attrs.define
class Offences:
    """How often somebody did not heed the limits; too often in too short a time is worth a penalty."""

    rules: Penalty
    refused_until: float = 0.0
    """Until when no bind of the account is let in."""
    _times: deque[tuple[float, int]] = attrs.field(factory=deque)
    _count: int = 0

    def note(self, number: int, now: float) -> bool:
        """Note so many refusals for the limits' sake, and say whether the penalty is due; then counting starts anew."""
        self._times.append((now, number))
        self._count += number
        while self._times and self._times[0][0] <= now - self.rules.within_s:
            self._count -= self._times.popleft()[1]
        if self._count < self.rules.after:
            return False
        self._times.clear()
        self._count = 0
        self.refused_until = now + self.rules.refuse_for_s
        return True
