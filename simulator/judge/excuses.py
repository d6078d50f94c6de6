"""Why an ESME could not know that a message was accepted: because of which fault, as far as a fault has a hand in it.

Only what had happened by then counts: an ESME that sends again before an answer was due has no excuse in what
becomes of that answer later.  Times are of day, in seconds since the epoch.
"""

import math
from collections.abc import Iterator
from typing import Final, Protocol

import attrs

from simulator.scenario.names import RESPONSE_DELAY

HEARD_WITHIN_S: Final = 1.0
"""What the carrier does and what the ESME notes may lie so far apart: an answer that left so shortly before a fault
ended the link may never have been read, and a message that came so shortly behind an answer may have crossed it."""
MOST_BEFORE: Final = 5
"""How many of the same are kept before one; of earlier ones only whether an answer to any was heard."""
MOST_MARKED: Final = 64
"""Remarks about packets that have not left yet."""
_OWN_ENDS: Final = ("the peer closed the link", "unbound", "the link broke")
"""How links end that the ESME ends."""


@attrs.frozen
class Excuse:
    """What explains that an ESME did not know."""

    fault: str
    """Name of the fault, or in words what ended the link; empty when nothing of the carrier's did."""
    words: str


class Gate(Protocol):
    """What holds the octets of a link back while it is closed."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing passes now."""


@attrs.define(eq=False)
class Taken:
    """An accepted message."""

    message_id: str
    link: "Link"
    at: float
    due_at: float | None
    """When its answer was to leave; None: never."""
    fault: str = ""
    """The rule that did something wrong to it, or kept its answer back for ever."""
    held_since: float | None = None
    """It may have been sent as early as then, and came only now: a fault held it back."""
    held_by: str = ""
    told_at: float | None = None
    told_by: str = ""
    """The fault that held its answer up, where it left late."""
    denied_at: float | None = None
    """When an answer with an error left although it was accepted."""
    denied_by: str = ""
    before: "Taken | None" = None
    """The same, accepted before."""
    was_heard: bool = False
    """Whether an answer to one even earlier was heard."""
    beside: "Taken | None" = None
    """Another one of the same request: of a submit_multi."""

    @property
    def left_late(self) -> bool:
        """Whether its answer left much later than it was to, if it was to leave at all."""
        return self.told_at is not None and (self.due_at is None or self.told_at - self.due_at > HEARD_WITHIN_S)

    def was_due(self, at: float) -> bool:
        """Say whether its answer had to be there by then, or never."""
        return self.due_at is None or self.due_at <= at

    def follow(self, before: "Taken") -> None:
        """Note the same that was accepted before; of very many the first are forgotten."""
        self.before, self.was_heard = before, before.was_heard
        chain = list(before.chain())
        if len(chain) >= MOST_BEFORE:
            self.was_heard = self.was_heard or why_unheard(chain[-1], self) is None
            chain[-2].before = None

    def chain(self) -> Iterator["Taken"]:
        """Return this one and those before, the newest first."""
        each: Taken | None = self
        while each is not None:
            yield each
            each = each.before


@attrs.define(eq=False)
class Link:
    """What is known of a link."""

    number: int
    gate: Gate | None = None
    bound: bool = False
    waiting: dict[int, Taken] = attrs.field(factory=dict)
    """By the sequence_number that their answer will have."""
    blamed: str = ""
    """The latest rule or fault that acted on it."""
    blamed_at: float = -math.inf
    held_by: str = ""
    """The latest that held octets back on it."""
    held_since: float | None = None
    """When the latest black hole began."""
    spoilt: bool = False
    """Octets left that are no PDU: what came behind them was never understood."""
    spoilt_by: str = ""
    sent_away: bool = False
    """The carrier asked to unbind."""
    sent_away_by: str = ""
    ended_at: float | None = None
    reason: str = ""
    ended_by: str = ""
    _marked: dict[bytes, str] = attrs.field(factory=dict)

    def blame(self, fault: str, begins: bytes, at: float) -> None:
        """Note that a rule or fault acts on it, or makes the packet what it is that begins so."""
        self.blamed, self.blamed_at = fault, at
        if begins:
            self._marked[begins] = fault
            if len(self._marked) > MOST_MARKED:
                del self._marked[next(iter(self._marked))]

    def culprit(self, at: float, begins: bytes = b"") -> str:
        """Return which fault did something to it just now, or made the packet that begins so; empty for none."""
        return self._marked.get(begins) or (self.blamed if at - self.blamed_at <= HEARD_WITHIN_S else "")

    def end(self, at: float, reason: str) -> None:
        """Note that it has ended, and why."""
        self.ended_at = at
        self.reason = "the carrier asked to unbind" if self.sent_away else reason
        own = reason.rpartition("; ")[2].startswith(_OWN_ENDS)
        if self.spoilt or self.sent_away or not own:
            self.ended_by = self.spoilt_by or self.sent_away_by or self.culprit(at) or self.reason

    @property
    def keeper(self) -> str:
        """The fault that keeps answers from leaving, or from being understood."""
        return self.spoilt_by or self.held_by


def why_unanswered(taken: Taken) -> Excuse | None:
    """Say which fault kept the answer to a message back that the ESME waited for; None when the ESME did not wait.

    To be asked of one whose answer has not left and is not to be waited for any more.
    """
    link = taken.link
    if link.ended_at is None:
        return Excuse(_keeper_of(taken), "its answer never left")
    if not link.ended_by and taken.held_since is None and taken.due_at is not None and taken.due_at >= link.ended_at:
        return None
    return _ended_before(taken)


def is_under_way(taken: Taken, now: float) -> bool:
    """Say whether the answer is still to come: its time is not, and the link is there."""
    return taken.link.ended_at is None and taken.due_at is not None and taken.due_at > now


def why_again(taken: Taken) -> Excuse | None:
    """Say why the ESME could not know, when it sent a message again, that it was accepted; None when it could."""
    if taken.was_heard or taken.before is None:
        return None
    excuses = [why_unheard(before, taken) for before in taken.before.chain()]
    return None if None in excuses else excuses[0]


def why_unheard(before: Taken, again: Taken) -> Excuse | None:
    """Say why the ESME had heard nothing of a message when it sent it again; None when it had, or did not wait.

    It is final as soon as `HEARD_WITHIN_S` have passed since then.
    """
    by, told_at = again.at + HEARD_WITHIN_S, before.told_at
    if before.denied_at is not None and before.denied_at <= again.at:
        return Excuse(before.denied_by, "it was answered with an error")
    if again.held_since is not None and (told_at is None or told_at > again.held_since):
        return Excuse(again.held_by, f"link {again.link.number} was held back until then")
    link = before.link
    if told_at is None and link.ended_at is not None and link.ended_at <= by:
        return _ended_before(before)
    if told_at is None:
        return Excuse(_keeper_of(before), "its answer never left") if before.was_due(again.at) else None
    if link.ended_at is not None and link.ended_at <= by and (link.ended_by or before.left_late):
        behind_s = link.ended_at - told_at
        if behind_s <= HEARD_WITHIN_S:
            fault = link.ended_by or before.told_by
            return Excuse(fault, f"link {link.number} ended {behind_s:.3f} s behind it: {link.reason}")
    if before.left_late and before.was_due(again.at) and told_at > again.at - HEARD_WITHIN_S:
        late_s = told_at - (before.at if before.due_at is None else before.due_at)
        return Excuse(before.told_by, f"its answer left {late_s:.3f} s late")
    return None


def _keeper_of(taken: Taken) -> str:
    return taken.fault or taken.link.keeper or ("" if taken.due_at is not None else RESPONSE_DELAY)


def _ended_before(taken: Taken) -> Excuse:
    link = taken.link
    held_by = "" if taken.held_since is None else link.held_by  # an ESME that waits on a dead link ends it itself
    fault = link.ended_by or (_keeper_of(taken) if taken.was_due(link.ended_at or taken.at) else held_by)
    return Excuse(fault, f"link {link.number} ended before its answer: {link.reason}")
