"""The life of a part: its statuses, what can happen to it, and the one table of allowed moves.

A message's status is a pure function of its parts' (`message_status`), so the table speaks of parts only.
"""

from collections.abc import Iterable
from enum import StrEnum


class Status(StrEnum):
    """Where a part (or a message) stands.  Live ones first, final ones after."""

    SCHEDULED = "scheduled"
    """Kept for a later time.  Leaves by its time coming, by cancel, or past its deadline.  A crash changes nothing."""
    ACCEPTED = "accepted"
    """We hold it on disk and it waits for a place.  A crash changes nothing."""
    SENDING = "sending"
    """Claimed for one carrier, the attempt is on disk, bytes may be out.  After a crash it becomes `in_doubt`."""
    SENT = "sent"
    """The carrier took it and we wait for its word.  A crash changes nothing: receipts are matched on disk."""
    IN_DOUBT = "in_doubt"
    """Bytes left and no answer came: the carrier may have it.  Never sent again without the lane's leave; with it, the
    part waits in its queue like any other and stays in doubt until a carrier has taken it."""

    DELIVERED = "delivered"
    """The carrier says the handset has it."""
    FAILED = "failed"
    """Tried, could not: by the carrier's receipt, or because our attempts ran out."""
    EXPIRED = "expired"
    """Too late to be useful: dropped by us at its deadline, or by the carrier at its validity."""
    REJECTED = "rejected"
    """Refused, by a carrier or by our policy; the reason says who."""
    CANCELLED = "cancelled"
    """Taken back by the caller before it left."""
    UNKNOWN = "unknown"
    """No final word in time.  The only final status that a late receipt may still move."""


FINAL = frozenset({Status.DELIVERED, Status.FAILED, Status.EXPIRED, Status.REJECTED, Status.CANCELLED, Status.UNKNOWN})
LIVE = frozenset(Status) - FINAL
MAY_WAIT = frozenset({Status.ACCEPTED, Status.IN_DOUBT})
"""Statuses of parts that a carrier may be given, unless they pause."""


class Event(StrEnum):
    """What can happen to a part.  The names are the ones the timeline shows."""

    DUE = "due"
    """Its time has come, or its pause before another try is over."""
    CLAIMED = "claimed"
    """A place in a carrier's window is its own; the attempt is on disk."""
    ACKNOWLEDGED = "acknowledged"
    """The carrier answered that it took the part."""
    DEFERRED = "deferred"
    """The carrier answered "not now" (throttled, queue full, temporary): it does not have the part."""
    REROUTED = "rerouted"
    """The carrier answered "not through me", or refused it where another carrier is to be asked: it does not have the
    part, and is not asked again."""
    NOT_WRITTEN = "not_written"
    """Claimed, but provably no octet of it left: no attempt."""
    REFUSED = "refused"
    """The carrier answered that it will never take this part, or our policy said so at the last look."""
    EXHAUSTED = "exhausted"
    """The carrier answered "not now" once more than the lane's retry table allows."""
    LOST = "lost"
    """The link ended, the process died, or the response timer ran out with the answer outstanding."""
    DELIVERED = "delivered"
    """Receipt: on the handset."""
    UNDELIVERED = "undelivered"
    """Receipt: undeliverable, deleted or skipped."""
    EXPIRED = "expired"
    """Receipt: the carrier gave up at the validity period; or our own deadline passed while it waited."""
    REJECTED = "rejected"
    """Receipt: the network refused it."""
    CANCELLED = "cancelled"
    """The caller took it back before it left."""
    RECALLED = "recalled"
    """The carrier took it back at the caller's wish: cancel_sm was answered ESME_ROK."""
    POSTPONED = "postponed"
    """It would leave in its lane's quiet hours: it waits for their end."""
    HELD = "held"
    """Too late to be sent again in spite of its doubt: only the carrier's word settles it now."""
    SILENCE = "silence"
    """The lane's patience for a final word is over."""


CAME_TO_NOTHING = frozenset({Event.DEFERRED, Event.REROUTED, Event.NOT_WRITTEN, Event.REFUSED, Event.EXHAUSTED})
"""What says of one attempt that the carrier does not have the part, and nothing of the others."""

_RECEIPTS = {
    Event.DELIVERED: Status.DELIVERED,
    Event.UNDELIVERED: Status.FAILED,
    Event.EXPIRED: Status.EXPIRED,
    Event.REJECTED: Status.REJECTED,
}
_ANSWERS = {
    Event.ACKNOWLEDGED: Status.SENT,
    Event.DEFERRED: Status.ACCEPTED,  # even late: the carrier says itself that it does not have the part
    Event.REROUTED: Status.ACCEPTED,
    Event.REFUSED: Status.REJECTED,
    Event.EXHAUSTED: Status.FAILED,
}
_TAKEN_BACK = {
    Event.CANCELLED: Status.CANCELLED,
    Event.EXPIRED: Status.EXPIRED,
    Event.REFUSED: Status.REJECTED,
}

TRANSITIONS: dict[Status, dict[Event, Status]] = {
    Status.SCHEDULED: {Event.DUE: Status.ACCEPTED, **_TAKEN_BACK},
    Status.ACCEPTED: {
        Event.CLAIMED: Status.SENDING,
        Event.DUE: Status.ACCEPTED,
        Event.POSTPONED: Status.SCHEDULED,
        **_TAKEN_BACK,
    },
    Status.SENDING: {**_ANSWERS, Event.NOT_WRITTEN: Status.ACCEPTED, Event.LOST: Status.IN_DOUBT},
    Status.SENT: {**_RECEIPTS, Event.SILENCE: Status.UNKNOWN, Event.RECALLED: Status.CANCELLED},
    Status.IN_DOUBT: {
        **_RECEIPTS,
        **_ANSWERS,
        Event.DUE: Status.IN_DOUBT,  # from now on it may be claimed
        Event.CLAIMED: Status.SENDING,
        Event.HELD: Status.IN_DOUBT,
        Event.SILENCE: Status.UNKNOWN,
    },
    Status.UNKNOWN: dict(_RECEIPTS),
    Status.DELIVERED: {},
    Status.FAILED: {},
    Status.EXPIRED: {},
    Status.REJECTED: {},
    Status.CANCELLED: {},
}


STILL_IN_DOUBT: dict[Status, Status] = {
    Status.ACCEPTED: Status.IN_DOUBT,
    Status.REJECTED: Status.UNKNOWN,
    Status.FAILED: Status.UNKNOWN,
}
"""Where an answer leads instead, while an earlier attempt of the part is still in doubt: that one may have arrived."""


def move(status: Status, event: Event, *, doubts: int = 0) -> Status | None:
    """Return the status after ``event``, or None where the table allows no move (record it, do not apply it).

    ``doubts``: attempts of the part that are in doubt, but for the one the event is about.
    """
    new = TRANSITIONS[status].get(event)
    if new is not None and doubts and event in CAME_TO_NOTHING:
        return STILL_IN_DOUBT.get(new, new)
    return new


_LIVE_ORDER = (Status.IN_DOUBT, Status.SENDING, Status.ACCEPTED, Status.SCHEDULED, Status.SENT)
_FINAL_ORDER = (Status.REJECTED, Status.FAILED, Status.EXPIRED, Status.UNKNOWN, Status.CANCELLED)


def message_status(parts: Iterable[Status]) -> Status:
    """Return a message's status from its parts' (at least one).

    Live while any part is live, and then the least advanced of them, doubt first because somebody should look at it;
    otherwise delivered if all parts are, else the worst of them.
    """
    statuses = set(parts)
    for candidate in _LIVE_ORDER + _FINAL_ORDER:
        if candidate in statuses:
            return candidate
    return Status.DELIVERED
