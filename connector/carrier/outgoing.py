"""Claimed parts that wait for their moment: urgent ones first, in order otherwise.  Pure."""

from collections import deque
from collections.abc import Callable, Container, Sequence

from connector.model import Part

SMOOTHING = 0.05
MOST_OVERTAKING = 5
"""Urgent parts in a row."""


class Outgoing:
    """Holds what is claimed a little ahead of the pace, so that a token never waits for the disk."""

    def __init__(self, urgent_lanes: Container[str]) -> None:
        self._urgent_lanes = urgent_lanes
        self._urgent: deque[tuple[float, Part]] = deque()
        self._others: deque[tuple[float, Part]] = deque()
        self._overtaking = 0
        """Urgent ones in a row that left while others waited."""
        self.wait_s = 0.0
        """From the claim's commit to the wire, smoothed."""

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)

    def add(self, parts: Sequence[Part], now: float) -> None:
        """Hold these."""
        for part in parts:
            (self._urgent if part.lane in self._urgent_lanes else self._others).append((now, part))

    @property
    def next_is_urgent(self) -> bool:
        """Whether an urgent one is to leave next."""
        return bool(self._urgent) and not (self._others and self._overtaking >= MOST_OVERTAKING)

    def take(
        self, count: int, now: float, *, urgent: int | None = None, admits: Callable[[Part], bool] | None = None
    ) -> list[Part]:
        """Take out up to ``count`` whose turn it is; of urgent ones up to ``urgent``, where that is another number.

        When `MOST_OVERTAKING` urgent ones in a row have overtaken others, one of these has its turn: a crowd of urgent
        parts slows the others down and does not stop them.  Those that are not admitted keep their places.
        """
        taken: list[Part] = []
        stay: dict[bool, list[tuple[float, Part]]] = {True: [], False: []}
        while (queue := self._next(len(taken), count, count if urgent is None else urgent)) is not None:
            since, part = queue.popleft()
            is_urgent = queue is self._urgent
            if admits is not None and not admits(part):
                stay[is_urgent].append((since, part))
                continue
            self._overtaking = self._overtaking + 1 if is_urgent and self._others else 0
            taken.append(part)
            last = since
        if taken:
            self.wait_s += (now - last - self.wait_s) * SMOOTHING
        self._urgent.extendleft(reversed(stay[True]))
        self._others.extendleft(reversed(stay[False]))
        return taken

    def _next(self, taken: int, count: int, urgent: int) -> "deque[tuple[float, Part]] | None":
        """Return the ones whose turn it is; None where nobody's is."""
        if self._urgent and taken < urgent and not (self._others and self._overtaking >= MOST_OVERTAKING):
            return self._urgent
        return self._others if self._others and taken < count else None

    def give_up(self, count: int) -> list[Part]:
        """Take out the last ``count``, those that are not urgent before the others."""
        taken: list[Part] = []
        for queue in (self._others, self._urgent):
            while queue and len(taken) < count:
                taken.append(queue.pop()[1])
        return taken[::-1]
