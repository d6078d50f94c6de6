"""How long to wait before the next try to bind, by the reason the last one ended.  Pure; the draw is an argument."""

import random
from enum import StrEnum

import attrs

STEADY_S = 60.0
"""A bind that lasted so long starts counting from the first pause again."""

MAX_TRIES = 32
"""Counted no further: every pause is at its longest, and 2 to the power of a weekend's tries fits no float."""


class Ended(StrEnum):
    """Why a link is no more."""

    NETWORK = "network"
    """Refused, reset, timed out, closed, dead."""
    REFUSED = "refused"
    """The carrier refused the bind, perhaps not for long (already bound, throttled, system error)."""
    CREDENTIALS = "credentials"
    """The carrier refused who we say we are: hammering locks accounts."""
    UNBOUND = "unbound"
    """The carrier said unbind: maintenance or shedding load; an immediate rebind is the classic cause of a ban."""


# reason → (shortest, longest) pause in seconds; the network's come from the config.  Practice of carriers, see README.
_PAUSES_S = {
    Ended.REFUSED: (10.0, 60.0),
    Ended.CREDENTIALS: (60.0, 300.0),
    Ended.UNBOUND: (10.0, 30.0),
}


@attrs.define
class Backoff:
    """The pauses between tries of one bind: full jitter, so that many binds never come back as one."""

    min_s: float
    max_s: float
    tries: int = 0
    """Tries since the last steady bind."""

    def after(self, ended: Ended, bound_s: float, random: random.Random) -> float:
        """Return the pause before the next try, given why a bind ended and how long it had been up."""
        if bound_s >= STEADY_S:
            self.tries = 0
        self.tries = min(self.tries + 1, MAX_TRIES)
        if ended is Ended.NETWORK:
            ceiling = min(self.max_s, self.min_s * 2 ** (self.tries - 1))
            return random.uniform(min(0.1, self.min_s), ceiling)
        shortest, longest = _PAUSES_S[ended]
        return random.uniform(shortest, min(longest, shortest * 2**self.tries))
