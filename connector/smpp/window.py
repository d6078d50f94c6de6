"""The requests in flight on one session: sent, and not yet answered."""

import attrs

from connector.smpp.pdu import Pdu

REMEMBERED_OVERDUE = 10_000
"""Late answers come minutes after the response timer: at 100 overdue a minute this is over an hour."""


# Defined, not frozen: one is made for every message (see fields.layout).
@attrs.define
class InFlight:
    """One request on its way, with whatever the caller wants back at the answer."""

    sequence_number: int
    token: object
    request: Pdu
    sent_at: float


class Window:
    """At most ``size`` requests in flight, in the order they were sent; one look at the oldest serves all timers.

    A request whose response timer ran out gives its place back but keeps its sequence_number, so that a late answer
    still finds its token; the ``remembered`` latest of these are kept.
    """

    def __init__(self, size: int, remembered: int = REMEMBERED_OVERDUE) -> None:
        self.size = size
        self._remembered = remembered
        self._in_flight: dict[int, InFlight] = {}
        self._overdue: dict[int, InFlight] = {}

    @property
    def used(self) -> int:
        """How many places are taken."""
        return len(self._in_flight)

    @property
    def free(self) -> int:
        """How many places are left; 0 also when ``size`` was made smaller than what is in flight."""
        return max(0, self.size - len(self._in_flight))

    @property
    def oldest_sent_at(self) -> float | None:
        """When the oldest request in flight was sent."""
        for item in self._in_flight.values():
            return item.sent_at
        return None

    def __contains__(self, sequence_number: int) -> bool:
        """True of a number that a new request must not get."""
        return sequence_number in self._in_flight or sequence_number in self._overdue

    def put(self, item: InFlight) -> None:
        """Take a place."""
        self._in_flight[item.sequence_number] = item

    def take(self, sequence_number: int) -> InFlight | None:
        """The request in flight with this number, whose place is free now; None when there is none."""
        return self._in_flight.pop(sequence_number, None)

    def take_late(self, sequence_number: int) -> InFlight | None:
        """The overdue request with this number; None when there is none, or its answer came already."""
        return self._overdue.pop(sequence_number, None)

    def take_overdue(self, now: float, response_s: float) -> list[InFlight]:
        """The requests that have waited for ``response_s`` or more, oldest first; they are remembered as overdue."""
        taken = []
        for item in self._in_flight.values():
            if item.sent_at + response_s > now:
                break
            taken.append(item)
        for item in taken:
            del self._in_flight[item.sequence_number]
            self.remember(item)
        return taken

    def remember(self, item: InFlight) -> None:
        """Keep a request that has no place any more, so that a late answer finds it."""
        self._overdue[item.sequence_number] = item
        while len(self._overdue) > self._remembered:
            del self._overdue[next(iter(self._overdue))]

    def take_all(self) -> list[InFlight]:
        """Everything in flight, oldest first: the link is gone."""
        taken = list(self._in_flight.values())
        self._in_flight.clear()
        return taken
