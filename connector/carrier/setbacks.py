"""What becomes of a part that a carrier did not take: one row for each outcome, and the decision over it.  Pure.

The table is what the engine runs on and what `explain failures` prints.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from connector.config import LaneConfig, RetryRule
from connector.lifecycle import Event
from connector.model import REROUTE_LOOK_S, DoubtPolicy, Part, Reason
from connector.smpp.outcomes import Outcome


class Step(enum.StrEnum):
    """What follows an answer that is no acceptance."""

    AT_ONCE = "at_once"
    """It waits again, at the head of its queue; the carrier's pace slows down."""
    PAUSE = "pause"
    """It waits again after a pause."""
    ELSEWHERE = "elsewhere"
    """It waits again for another carrier of its rule; where there is none left it ends."""
    END = "end"
    """It ends; where the lane or the carrier's health asks for a second opinion, elsewhere."""


@attrs.frozen(kw_only=True)
class Row:
    """What one outcome means for a part."""

    step: Step
    reason: Reason
    burns: int = 0
    """1 if the attempt counts against the retry table."""
    harms: bool = False
    """Whether the bind broke over it."""
    rule: str | None = None
    """The key of the lane's retry table that may say otherwise."""


SETBACKS: Final[Mapping[Outcome, Row]] = {
    Outcome.SLOW_DOWN: Row(step=Step.AT_ONCE, reason=Reason.THROTTLED),
    Outcome.RETRY_LATER: Row(step=Step.PAUSE, reason=Reason.TEMPORARY, burns=1, rule="temporary"),
    Outcome.OTHER_ROUTE: Row(step=Step.ELSEWHERE, reason=Reason.OTHER_ROUTE, burns=1, rule="other_route"),
    Outcome.REFUSED: Row(step=Step.END, reason=Reason.REFUSED_BY_CARRIER, burns=1),
    Outcome.BIND_SICK: Row(step=Step.PAUSE, reason=Reason.BIND_SICK, harms=True, rule="bind_sick"),
}


@attrs.frozen
class Prospect:
    """What else there is for a part, beside the carrier that has just answered."""

    other: bool = False
    """Whether another carrier of its rule may be asked."""
    trusted: bool = True
    """Whether the carrier is well: the refusals of a sick one are not the last word."""

    def distrusted(self) -> "Prospect":
        """Return the same, of a carrier that is not to be believed."""
        return Prospect(self.other, trusted=False)


Prospects = Callable[[Part, str], Prospect]
"""What else there is for a part beside this carrier."""


def no_prospects(part: Part, carrier: str) -> Prospect:
    """Know of no other carrier."""
    return Prospect()


@attrs.frozen(kw_only=True)
class Decision:
    """What happens to a part next."""

    event: Event
    reason: Reason
    due_at: float | None = None
    """When it waits again; None: at once, or never."""
    burned: int = 0
    refused: bool = False
    """Whether this carrier is not to be asked again."""
    harmed: bool = False


def decide(part: Part, outcome: Outcome, lane: LaneConfig, now: float, prospect: Prospect) -> Decision:
    """Return what becomes of a part after an answer that is no acceptance, by the table and its lane's retry table."""
    row = SETBACKS[outcome]
    over = _used_up(part, row, lane)
    if row.step is Step.END:
        asks = lane.retry.second_opinion and not part.refused
        if prospect.other and over is None and (asks or not prospect.trusted):
            return _elsewhere(part, row, lane, now, Reason.SECOND_OPINION)
        return Decision(event=Event.REFUSED, reason=row.reason, burned=row.burns)
    if row.step is Step.ELSEWHERE and not prospect.other:
        return Decision(event=Event.REFUSED, reason=Reason.REFUSED_BY_CARRIER, burned=row.burns, refused=True)
    if over is not None:
        return Decision(event=Event.EXHAUSTED, reason=over, burned=row.burns, harmed=row.harms)
    if row.step is Step.ELSEWHERE:
        return _elsewhere(part, row, lane, now, row.reason)
    return _again(part, row, lane, now)


def _again(part: Part, row: Row, lane: LaneConfig, now: float) -> Decision:
    count = part.harms if row.harms else part.tries
    due_at = None if row.step is Step.AT_ONCE else now + pause_s(count, backoff_s(lane, row))
    if _is_too_long(part, lane, now if due_at is None else due_at):
        return Decision(event=Event.EXHAUSTED, reason=Reason.TIME_USED_UP, burned=row.burns, harmed=row.harms)
    return Decision(event=Event.DEFERRED, reason=row.reason, due_at=due_at, burned=row.burns, harmed=row.harms)


def _elsewhere(part: Part, row: Row, lane: LaneConfig, now: float, reason: Reason) -> Decision:
    rule = rule_of(lane, row)
    pause = pause_s(part.tries, rule.backoff_s) if rule is not None and rule.backoff_s else 0.0
    if part.total > 1:
        pause = max(pause, REROUTE_LOOK_S)
    due_at = now + pause if pause else None
    if _is_too_long(part, lane, now if due_at is None else due_at):
        return Decision(event=Event.EXHAUSTED, reason=Reason.TIME_USED_UP, burned=row.burns, refused=True)
    return Decision(event=Event.REROUTED, reason=reason, due_at=due_at, burned=row.burns, refused=True)


def _used_up(part: Part, row: Row, lane: LaneConfig) -> Reason | None:
    """Return which of the lane's limits ends the part with this answer, if any does."""
    if row.harms and part.harms + 1 >= lane.retry.set_aside_after:
        return Reason.SET_ASIDE
    if row.burns and part.tries + 1 >= attempts(lane, row):
        return Reason.ATTEMPTS_USED_UP
    return None


def _is_too_long(part: Part, lane: LaneConfig, until: float) -> bool:
    within_s, first_at = lane.retry.within_s, part.first_at
    return within_s is not None and first_at is not None and until > first_at + within_s


# --- the lane's retry table -----------------------------------------------------------------------------------------


def rule_of(lane: LaneConfig, row: Row) -> RetryRule | None:
    """Return what the lane says of this outcome in particular."""
    rule: RetryRule | None = getattr(lane.retry, row.rule) if row.rule is not None else None
    return rule


def attempts(lane: LaneConfig, row: Row) -> int:
    """Return how many attempts that count a part has when this outcome is the last one's."""
    rule = rule_of(lane, row)
    return rule.attempts if rule is not None and rule.attempts is not None else lane.retry.attempts


def backoff_s(lane: LaneConfig, row: Row) -> tuple[float, ...]:
    """Return the pauses after this outcome."""
    rule = rule_of(lane, row)
    return rule.backoff_s if rule is not None and rule.backoff_s else lane.retry.backoff_s


def pause_s(count: int, backoff: tuple[float, ...]) -> float:
    """Return the pause after so many tries before; the last one of the table repeats."""
    return backoff[min(count, len(backoff) - 1)]


# --- doubt ----------------------------------------------------------------------------------------------------------


def doubt_policy(lane: LaneConfig) -> DoubtPolicy:
    """Return what becomes of a part of this lane that is in doubt."""
    resends = lane.resends if lane.on_doubt == "resend" else 0
    return DoubtPolicy(lane.patience_s, resends, lane.resend_after_s)
