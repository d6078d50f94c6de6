"""Faults that the scenario allows: no more than its budget, none once it is to be quiet, each counted by its name."""

from collections import Counter

import attrs


@attrs.define
class Faults:
    """Keeps the book of faults done on purpose."""

    budget: int | None = None
    """How many there may be in all."""
    quiet_after_s: float | None = None
    """Seconds after the start from which there are none."""
    done: Counter[str] = attrs.field(factory=Counter)
    """By the name of the rule, wire or inject entry, or of the key by which answers and receipts never come."""
    last_at_s: float | None = None
    """When the last one happened."""

    def happens(self, name: str, now_s: float) -> bool:
        """Count a fault that is about to happen, and say whether it may."""
        if self.is_quiet(now_s):
            return False
        self.done[name] += 1
        self.last_at_s = now_s
        return True

    def is_quiet(self, now_s: float) -> bool:
        """Say whether no fault happens any more."""
        if self.quiet_after_s is not None and now_s >= self.quiet_after_s:
            return True
        return self.budget is not None and self.done.total() >= self.budget

    @property
    def quiet_since_s(self) -> float | None:
        """When it became quiet; None while faults may still come."""
        if self.budget is not None and self.done.total() >= self.budget:
            return self.last_at_s
        return self.quiet_after_s
