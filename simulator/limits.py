"""A limiter that counts, not one that throws dice."""

import attrs

from simulator.scenario import Rate


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

    def take(self, wanted: int, now: float) -> int:
        """Take up to ``wanted`` tokens and return how many there were."""
        self.tokens = min(self.rate.burst, self.tokens + (now - self.filled_at) * self.rate.per_second)
        self.filled_at = now
        # A sum of fractions such as ten times 0.1 falls short of 1 by less than this.
        granted = min(wanted, int(self.tokens + 1e-9))
        self.tokens -= granted
        return granted
