"""The numbers of a load: what it planned, sent and heard, and how long that took.  Memory is bounded."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, Protocol

import attrs
from ddsketch import LogCollapsingLowestDenseDDSketch

ACCURACY: Final = 0.005
"""A percentile is this share off at most."""
MOST_REASONS: Final = 100
MOST_BUCKETS: Final = 4_096
"""From microseconds to months, at that accuracy; where they run out, the shortest durations share one."""


@attrs.frozen
class Latency:
    """How long something took, in seconds."""

    count: int
    p50_s: float
    p99_s: float
    max_s: float


@attrs.frozen(kw_only=True)
class LoadStatistics:
    """A look at one moment of a load."""

    planned: int
    """Messages whose time had come."""
    sent: int
    """Messages written, or posted, at least once."""
    answered: int
    """Messages accepted in all their parts."""
    failed: int
    """Messages refused for good, or given up after all attempts."""
    resent: int
    """Requests written again: their answer was lost, their link died, or the carrier asked for patience."""
    dropped_arrivals: int
    """Messages whose time had come and that were never sent."""
    binds: int
    """Times that a bind was let in."""
    receipts_matched: int
    receipts_unmatched: int
    """Of no message of the load's own, or a repetition."""
    service: Latency
    """From writing a request to its answer."""
    corrected: Latency
    """From when a message was planned to its last good answer: free of coordinated omission."""
    died_of: str = ""
    """Why the load could not go on; empty as long as it can."""
    refusals: Mapping[str, int] = attrs.field(factory=dict)
    """Messages refused for good, by their command_status or by the door's word for it."""


class Traffic(Protocol):
    """A load that is played."""

    async def run(self) -> None:
        """Send all there is to send, and stay until cancelled."""

    async def finished(self) -> None:
        """Return when every message has its last answer or never will, or the load has died."""

    async def leave(self) -> None:
        """Say good-bye to whom it talked to."""

    def expected(self) -> list[int]:
        """Return the numbers of the messages that should have come to the carrier."""

    def unsent(self) -> Mapping[int, int]:
        """Return, of messages that were sent in part, a bit for each part that was not, the lowest for the first."""

    def statistics(self) -> LoadStatistics:
        """Return the numbers of this moment."""


class Refusals:
    """Why messages were refused for good; of very many reasons the first are told, the rest together."""

    def __init__(self) -> None:
        self._numbers: Counter[str] = Counter()

    def count(self, reason: str) -> None:
        """Count one."""
        known = reason in self._numbers or len(self._numbers) < MOST_REASONS
        self._numbers[reason if known else "other"] += 1

    @property
    def numbers(self) -> dict[str, int]:
        """How many there are of each, the most first."""
        return dict(self._numbers.most_common())


class Durations:
    """Durations in a sketch of bounded size."""

    def __init__(self) -> None:
        self._sketch: Any = LogCollapsingLowestDenseDDSketch(relative_accuracy=ACCURACY, bin_limit=MOST_BUCKETS)
        self._longest_s = 0.0

    def record(self, seconds: float, count: int = 1) -> None:
        """Note so many that took so long."""
        self._sketch.add(max(0.0, seconds), count)
        self._longest_s = max(self._longest_s, seconds)

    def latency(self) -> Latency:
        """Return what they come to; zeros for none."""
        p50, p99 = (self._sketch.get_quantile_value(each) or 0.0 for each in (0.5, 0.99))
        return Latency(round(self._sketch.count), min(p50, self._longest_s), min(p99, self._longest_s), self._longest_s)
