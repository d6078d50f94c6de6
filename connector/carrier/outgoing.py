"""Claimed parts that wait for their moment: urgent ones first, in order otherwise.  Pure."""

from collections import deque
from collections.abc import Callable, Collection, Sequence

from connector.model import Part

SMOOTHING = 0.05


class Outgoing:
    """Holds what is claimed a little ahead of the pace, so that a token never waits for the disk."""

    def __init__(self, urgent_lanes: Collection[str]) -> None:
        self._urgent_lanes = urgent_lanes
        self._urgent: deque[tuple[float, Part]] = deque()
        self._others: deque[tuple[float, Part]] = deque()
        self.wait_s = 0.0
        """From the claim's commit to the wire, smoothed."""

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)

    def add(self, parts: Sequence[Part], now: float) -> None:
        """Hold these."""
        for part in parts:
            (self._urgent if part.lane in self._urgent_lanes else self._others).append((now, part))

    def take(self, count: int, now: float) -> list[Part]:
        """Take out up to ``count`` whose turn it is."""
        taken: list[Part] = []
        for queue in (self._urgent, self._others):
            while queue and len(taken) < count:
                since, part = queue.popleft()
                taken.append(part)
        if taken:
            self.wait_s += (now - since - self.wait_s) * SMOOTHING
        return taken

    def take_where(self, count: int, admits: Callable[[Part], bool], now: float) -> list[Part]:
        """Take out up to ``count`` that are admitted; the others keep their places."""
        taken: list[Part] = []
        for queue in (self._urgent, self._others):
            for _ in range(len(queue)):
                since, part = queue.popleft()
                if len(taken) < count and admits(part):
                    taken.append(part)
                    self.wait_s += (now - since - self.wait_s) * SMOOTHING
                else:
                    queue.append((since, part))
        return taken

    def give_up(self, count: int) -> list[Part]:
        """Take out the last ``count``, those that are not urgent before the others."""
        taken: list[Part] = []
        for queue in (self._others, self._urgent):
            while queue and len(taken) < count:
                taken.append(queue.pop()[1])
        return taken[::-1]
