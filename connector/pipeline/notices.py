"""What an operator should know of: every switch of a carrier's health, what was set aside, what is our mistake.

The latest are kept in memory for the status page; all of them are in the log.
"""

import logging
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import attrs

log = logging.getLogger("carrierline.notices")

KEPT: Final = 500


class Kind(StrEnum):
    """What a notice is about.  These words never change."""

    HEALTH = "health"
    """A carrier, or one of its countries, gets another share of the traffic."""
    UNBOUND = "unbound"
    """None of a carrier's binds is up: what waits takes the others of its rules."""
    BOUND = "bound"
    """A carrier that was unbound has a bind again."""
    SET_ASIDE = "set_aside"
    """A part broke its bind once too often, and ended."""
    OUR_ENCODING = "our_encoding"
    """A carrier, or our own encoder, found a part badly made: our mistake."""
    CLOCK = "clock"
    """The wall clock of the machine was set."""


_ALARMING: Final = frozenset({Kind.SET_ASIDE, Kind.OUR_ENCODING})


@attrs.frozen(kw_only=True)
class Notice:
    """One thing that happened to the connector, not to a message."""

    seq: int
    """Counts from 1 since the start."""
    at: float
    kind: Kind
    text: str
    """One sentence for people; no number, no text of a message in it."""
    carrier: str | None = None
    country: str | None = None
    state: str | None = None
    """What the carrier came to, where it is about health."""
    reason: str | None = None
    numbers: Mapping[str, float] = attrs.field(factory=dict)
    """What decided."""


class Notices:
    """Keeps the latest notices, and logs each."""

    def __init__(self) -> None:
        self._kept: deque[Notice] = deque(maxlen=KEPT)
        self.count = 0
        """Notices since the start."""
        self.counts: Counter[Kind] = Counter()
        """The same by kind."""

    def give(
        self,
        kind: Kind,
        text: str,
        at: float,
        *,
        carrier: str | None = None,
        country: str | None = None,
        state: str | None = None,
        reason: str | None = None,
        numbers: Mapping[str, float] | None = None,
    ) -> None:
        """Give notice."""
        self.count += 1
        self.counts[kind] += 1
        self._kept.append(
            Notice(
                seq=self.count,
                at=at,
                kind=kind,
                text=text,
                carrier=carrier,
                country=country,
                state=state,
                reason=reason,
                numbers=numbers or {},
            )
        )
        log.log(logging.ERROR if kind in _ALARMING else logging.WARNING, "%s: %s", kind, text)

    def latest(self) -> Sequence[Notice]:
        """Return those that are kept, oldest first."""
        return list(self._kept)
