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


class Backlogs:
    """The queue of the carrier, or one for each account."""

    def __init__(self) -> None:
        self._rules: Queue | None = None
        self._by_account: dict[str, Backlog] = {}

    def change(self, rules: Queue | None) -> None:
        """Go by other rules from now on; what waits goes on waiting."""
        self._rules = rules
        if rules is not None:
            for backlog in self._by_account.values():
                backlog.rules = rules

    def of(self, account: str) -> Backlog | None:
        """Return the queue that an account's messages go through, if there is one."""
        rules = self._rules
        if rules is None:
            return None
        key = account if rules.scope == "account" else ""
        if key not in self._by_account:
            self._by_account[key] = Backlog(rules)
        return self._by_account[key]
