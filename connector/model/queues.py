"""Queues as they stand on disk, and the moves of parts in and out of them."""

import attrs

from connector.lifecycle import Event, Status


@attrs.frozen
class QueueName:
    """What a queue is: traffic of one lane, under one route rule, from one API key."""

    lane: str
    rule: str
    api_key: str
    scope: str = ""
    """The sender and the country, as far as a carrier of the rule limits them: "sender ACME".  So the backlog of one
    that may send little stands in nobody's way."""


@attrs.frozen
class QueueState:
    """A queue as it stands on disk."""

    queue: int
    name: QueueName
    waiting: int


@attrs.frozen
class Wanted:
    """A wish for the next waiting parts of a queue, after the place (deadline, id) already held in memory."""

    queue: int
    after: tuple[float, int] | None
    limit: int


@attrs.frozen
class Due:
    """A part whose time has come: scheduled, pausing before another try, to be sent again, or out of patience."""

    part: int
    status: Status
    queue: int
    due_at: float = 0.0
    deadline: float = 0.0
    doubts: int = 0
    reason: str | None = None
    """Why it stands where it stands."""


@attrs.frozen
class Unsettled:
    """A live part that has not left, with what decides the queue it belongs in."""

    part: int
    queue: int
    lane: str
    api_key: str
    to: str
    sender: str
    country: str | None
    options: str | None


@attrs.frozen
class Refile:
    """A wish to put a part that has not left into another queue: it still is in ``old``."""

    part: int
    old: int
    new: int


@attrs.frozen
class Refiled:
    """A part that really came into another queue."""

    part: int
    old: int
    new: int
    waited: bool
    """Whether it could have been claimed out of the old queue, as now out of the new one."""


@attrs.frozen
class Move:
    """A change asked for from outside the carrier's word: cancel, expire, give up waiting, make due."""

    part: int
    event: Event
    reason: str | None = None
    due_at: float | None = None
    """When to look again, for what is postponed or held."""


@attrs.frozen
class Moved:
    """A part that really changed its status."""

    part: int
    status: Status
    left: int | None = None
    """The queue it waited in until now, where it was no claim that took it from there.  A part that waits again after a
    late answer has left too: whoever has it brings it back."""
    queue: int | None = attrs.field(default=None, eq=False)
    """The queue it is in; None where it was on the wire until now, and so is where it was when it left."""
    freed: tuple[str, ...] | None = attrs.field(default=None, eq=False)
    """Of a part of several that waits again: no carrier has anything of its message, so all of it may go anywhere but
    through these, which have refused it; None where it stays where it is."""


@attrs.frozen
class EventBatch:
    """Parts that came to one status in one commit: a row of the event log."""

    seq: int
    at: float
    status: Status
    parts: tuple[int, ...]
