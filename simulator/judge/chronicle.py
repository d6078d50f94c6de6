"""What happened when: numbers by second, from which rates, and what came after a moment, can be told."""

import math
from collections import Counter, defaultdict
from typing import Final

import attrs

MOST_SECONDS: Final = 7 * 86_400
"""Kept of one name: a week in which it happens every second; older ones are forgotten, the totals stay."""


@attrs.define
class Chronicle:
    """Counts by name and second since the start of the simulator, and how long accounts were without a bind."""

    totals: Counter[str] = attrs.field(factory=Counter)
    restored_s: list[tuple[float, float]] = attrs.field(factory=list)
    """(when, how long) an account that had lost its last bind had none."""
    _seconds: defaultdict[str, dict[int, int]] = attrs.field(factory=lambda: defaultdict(dict))
    _alone_since: dict[str, float] = attrs.field(factory=dict)

    def count(self, name: str, number: int, at_s: float) -> None:
        """Count something that happened so often."""
        self.totals[name] += number
        seconds, second = self._seconds[name], int(at_s)
        if second in seconds:
            seconds[second] += number
            return
        seconds[second] = number
        if len(seconds) > MOST_SECONDS:
            del seconds[next(iter(seconds))]

    def since(self, name: str, from_s: float) -> int:
        """Return how often something happened from a second on."""
        if from_s <= 0:
            return self.totals[name]
        return sum(number for second, number in self._seconds[name].items() if second >= from_s)

    def per_second(self, name: str, from_s: float = 0.0, to_s: float = math.inf) -> list[int]:
        """Return the numbers second by second, from the first to the last in which it happened."""
        seconds = self._seconds[name]
        with_it = [second for second, number in seconds.items() if number and from_s <= second < to_s]
        if not with_it:
            return []
        return [seconds.get(second, 0) for second in range(min(with_it), max(with_it) + 1)]

    def most_within(self, name: str, width_s: int, from_s: float = 0.0) -> int:
        """Return the most that happened within so many seconds on end."""
        numbers = self.per_second(name, from_s)
        return max((sum(numbers[start : start + width_s]) for start in range(len(numbers))), default=0)

    # --- binds

    def bound(self, account: str, at_s: float) -> None:
        """Note that an account has a bind, maybe again."""
        alone_since = self._alone_since.pop(account, None)
        if alone_since is not None:
            self.restored_s.append((at_s, at_s - alone_since))

    def bereft(self, account: str, at_s: float) -> None:
        """Note that an account has lost its last bind."""
        self._alone_since[account] = at_s

    def longest_without_bind(self, now_s: float, from_s: float = 0.0) -> float:
        """Return the longest time in seconds without a bind; one that goes on counts as far as it has come."""
        over = [length for at_s, length in self.restored_s if at_s >= from_s]
        return max([*over, *[now_s - since for since in self._alone_since.values()]], default=0.0)
