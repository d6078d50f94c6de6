"""What is due when."""

import heapq
import math
from typing import Final, Generic, TypeVar

T = TypeVar("T")

TICKS_PER_S: Final = 1_000
"""Due times are rounded up to a tick, so that what is due together leaves in one write."""


def on_tick(at: float) -> float:
    """Return the first tick that is not before ``at`` seconds."""
    return math.ceil(at * TICKS_PER_S - 1e-6) / TICKS_PER_S


class Calendar(Generic[T]):
    """Items by due time; those due together come out in the order in which they went in."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, at: float, item: T) -> None:
        """Note an item that is due ``at`` seconds."""
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, item))

    @property
    def next_at(self) -> float:
        """When something is due next; infinity when nothing is."""
        return self._heap[0][0] if self._heap else math.inf

    def take_due(self, now: float) -> list[T]:
        """Take out everything due by ``now``."""
        due: list[T] = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        return due
