"""Where and when a bind may be tried: one host after the other, and not too often for the account.  Pure."""

from collections import deque
from collections.abc import Sequence
from typing import Final

import attrs

from connector.config import BindConfig, Endpoint

MINUTE_S: Final = 61.0
"""A second more than a minute: tries do not reach the carrier at the pace they leave."""
GAP_S: Final = 0.2
"""Between two tries of one account: carriers take a burst of binds for an attack."""


class Attempts:
    """The tries of all binds of one account: so many in any minute, one after the other, each in its turn.

    It also keeps which settings the carrier refused for good: tried by one bind, they need no second.
    """

    def __init__(self, per_minute: int) -> None:
        self._turns: deque[float] = deque(maxlen=per_minute)
        self._refused: set[BindConfig] = set()

    def turn(self, now: float) -> float:
        """Return when the next try may be made, and count it: who asks first is first."""
        turns, at = self._turns, now
        if turns:
            at = max(at, turns[-1] + GAP_S)
        if len(turns) == turns.maxlen:
            at = max(at, turns[0] + MINUTE_S)
        turns.append(at)
        return at

    def succeed(self, other: "Attempts") -> None:
        """Count the tries of an earlier life of the account too."""
        self._turns.extend(other._turns)

    def refuse(self, config: BindConfig) -> None:
        """Remember that the carrier does not know who these settings say we are."""
        self._refused.add(config)

    def renew(self, config: BindConfig) -> None:
        """Allow these settings again: their credentials are other ones now."""
        self._refused.discard(config)

    def refused(self, config: BindConfig) -> bool:
        """Tell whether a try with these settings can only lock the account."""
        return config in self._refused


@attrs.define
class Hosts:
    """The hosts of one bind, in turn: the first one first, another after each try that came to nothing."""

    endpoints: Sequence[Endpoint]
    _index: int = 0

    @property
    def present(self) -> Endpoint:
        """The host in use, or of the next try."""
        return self.endpoints[self._index]

    def ended(self, *, steady: bool) -> None:
        """Choose the host of the next try: the first one after a steady bind, the next one after any other."""
        self._index = 0 if steady else (self._index + 1) % len(self.endpoints)
