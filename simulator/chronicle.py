"""What happened when: numbers by second, from which rates, and what came after a moment, can be told."""

from collections import Counter, defaultdict

import attrs


@attrs.define
class Chronicle:
    """Counts by name and second since the start of the simulator."""

    totals: Counter[str] = attrs.field(factory=Counter)
    seconds: defaultdict[int, Counter[str]] = attrs.field(factory=lambda: defaultdict(Counter))
    restored_s: list[tuple[float, float]] = attrs.field(factory=list)
    """(when, how long) an account that had lost its last bind had none."""

    def count(self, name: str, number: int, at_s: float) -> None:
        """Count something that happened so often."""
        self.totals[name] += number
        self.seconds[int(at_s)][name] += number

    def since(self, name: str, from_s: float) -> int:
        """Return how often something happened from a second on."""
        if from_s <= 0:
            return self.totals[name]
        return sum(counts[name] for second, counts in self.seconds.items() if second >= from_s)

    def per_second(self, name: str, from_s: float = 0.0) -> list[int]:
        """Return the numbers second by second, from the first to the last in which it happened."""
        with_it = [second for second, counts in self.seconds.items() if counts[name] and second >= from_s]
        if not with_it:
            return []
        return [self.seconds[second][name] for second in range(min(with_it), max(with_it) + 1)]
