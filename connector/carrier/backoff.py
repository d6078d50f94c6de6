"""How long to wait before the next try to bind, by the reason the last one ended.  Pure; the draw is an argument."""

import math
import random
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import attrs

from connector.smpp import tables

STEADY_S = 60.0
"""A bind that lasted so long starts counting from the first pause again."""

MAX_TRIES = 32
"""Counted no further: every pause is at its longest, and 2 to the power of a weekend's tries fits no float."""


class Ended(StrEnum):
    """Why a link is no more."""

    NETWORK = "network"
    """Refused, reset, timed out, closed, dead."""
    HANDSHAKE = "handshake"
    """TLS was not agreed: a matter of certificates and settings, which waiting does not mend."""
    REFUSED = "refused"
    """The carrier refused the bind or asked to be left alone, perhaps not for long (system error)."""
    BIND_FAILED = "bind failed"
    """The carrier refused the bind without a clear word: host, address, number of binds, or too many tries."""
    ALREADY_BOUND = "already bound"
    """The session of before still counts there: it has to time out first."""
    CREDENTIALS = "credentials"
    """The carrier refused who we say we are: another try with the same words can only lock the account."""
    UNBOUND = "unbound"
    """The carrier said unbind: maintenance or shedding load; an immediate rebind is the classic cause of a ban."""


Ending = tuple[Ended, str]
"""Why a link is no more, and the same in words."""

# What a command_status in the answer to a bind means; all others are Ended.REFUSED.  SMPP 3.4, 5.1.3.
_REFUSALS: Final[Mapping[int, Ended]] = {
    tables.ESME_RINVPASWD: Ended.CREDENTIALS,
    tables.ESME_RINVSYSID: Ended.CREDENTIALS,
    tables.ESME_RINVSYSTYP: Ended.CREDENTIALS,
    tables.ESME_RALYBND: Ended.ALREADY_BOUND,  # Vonage says it to the third bind of an account
    tables.ESME_RBINDFAIL: Ended.BIND_FAILED,
    tables.ESME_RTHROTTLED: Ended.BIND_FAILED,
}

# reason → (shortest, longest) pause in seconds; the others come from the configuration.  Practice of carriers.
_PAUSES_S: Final[Mapping[Ended, tuple[float, float]]] = {
    Ended.HANDSHAKE: (60.0, 300.0),
    Ended.REFUSED: (10.0, 60.0),
    Ended.BIND_FAILED: (60.0, 300.0),
}

ALARM_AT: Final[Mapping[Ended, int]] = {Ended.CREDENTIALS: 1, Ended.HANDSHAKE: 1, Ended.BIND_FAILED: 3}
"""At how many ends of one kind in a row somebody has to look; the other kinds heal by themselves."""


def refusal(command_status: int) -> Ended:
    """Return what a bind that was answered with this status ended by."""
    return _REFUSALS.get(command_status, Ended.REFUSED)


@attrs.define
class Backoff:
    """The pauses between tries of one bind: always drawn, so that many binds never come back as one."""

    min_s: float
    max_s: float
    rebind_after_s: float = 60.0
    unbind_pause_s: float = 30.0
    tries: int = 0
    """Tries since the last steady bind."""
    last: Ended | None = None
    in_row: int = 0
    """How often in a row it ended as it did last."""

    def after(self, ended: Ended, bound_s: float, random: random.Random) -> float | None:
        """Return the pause before the next try in seconds, given why a bind ended and how long it had been up.

        None means that no time helps: what was wrong has to be put right first.
        """
        if bound_s >= STEADY_S:
            self.tries = 0
        self.tries = min(self.tries + 1, MAX_TRIES)
        self.in_row = self.in_row + 1 if ended is self.last and not bound_s else 1
        self.last = ended
        if ended is Ended.CREDENTIALS:
            return None
        shortest, longest = self._bounds(ended)
        return random.uniform(shortest, longest)

    def _bounds(self, ended: Ended) -> tuple[float, float]:
        if ended is Ended.NETWORK:
            return min(0.1, self.min_s), min(self.max_s, self.min_s * 2 ** (self.tries - 1))
        if ended is Ended.ALREADY_BOUND:
            return self.rebind_after_s, 1.5 * self.rebind_after_s  # never earlier than the carrier lets go
        if ended is Ended.UNBOUND:
            return self.unbind_pause_s, 1.5 * self.unbind_pause_s
        shortest, longest = _PAUSES_S[ended]
        return shortest, min(longest, shortest * 2**self.tries)

    @property
    def alarming(self) -> bool:
        """Whether somebody has to look at how it ends."""
        return self.last is not None and self.in_row >= ALARM_AT.get(self.last, math.inf)

    @property
    def is_new_alarm(self) -> bool:
        """Whether this end is the one by which somebody has to look."""
        return self.last is not None and self.in_row == ALARM_AT.get(self.last)
