"""What happens when: every way a part can fail to arrive, in every lane, as the engine decides it.  Pure.

The rows are not written down: `course` asks the engine's own `decide` until it says that it is over, and the table of
moves where that leads.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

import attrs

from connector.carrier.setbacks import SETBACKS, Decision, Prospect, Step, decide, doubt_policy
from connector.config import LaneConfig
from connector.lifecycle import Event, Status, move
from connector.model import Answer, Part, Reason, Setback
from connector.settings import format_duration
from connector.smpp import tables
from connector.smpp.outcomes import OUTCOME_OF_CLASS, Outcome
from connector.smpp.tables import StatusClass

LONGEST_COURSE: Final = 1_000
"""Decisions of one part: a course that has not ended by then goes on until the deadline."""
FAR_S: Final = 1e9


@attrs.frozen(kw_only=True)
class FailureRow:
    """One case in one lane."""

    case: str
    """Its name: an outcome, or what else may happen."""
    meaning: str
    """For people."""
    lane: str
    again: str
    """When the part is tried again, and where."""
    switch: str
    """When another carrier is tried."""
    stop: str
    """What ends it, and where it stands then."""
    told: str
    """Who learns of it: the caller by status and reason, the operator by a notice."""


def failure_table(lanes: Mapping[str, LaneConfig]) -> list[FailureRow]:
    """Return every case of every lane, the cases in order."""
    rows = [row for name, lane in lanes.items() for row in _rows_of(name, lane)]
    order = {case: number for number, case in enumerate(dict.fromkeys(row.case for row in rows))}
    return sorted(rows, key=lambda row: order[row.case])


def course(outcome: Outcome, lane: LaneConfig, prospect: Prospect) -> list[Decision]:
    """Return what is decided of a part that gets the same answer again and again, until it is over."""
    part, now, decisions = _part(), 0.0, list[Decision]()
    while len(decisions) < LONGEST_COURSE:
        decision = decide(part, outcome, lane, now, prospect)
        decisions.append(decision)
        if decision.event not in _GOES_ON:
            return decisions
        setback = Setback(0.0, refused=decision.refused, harmed=decision.harmed)
        part.remember(
            Answer(0, 0, decision.event, now, f"carrier {len(decisions)}", burned=decision.burned, setback=setback)
        )
        now = decision.due_at or now
    return decisions


_GOES_ON: Final = frozenset({Event.DEFERRED, Event.REROUTED})
_ALARMS: Final = {Reason.SET_ASIDE, Reason.OUR_ENCODING}
_MEANINGS: Final = {
    Outcome.SLOW_DOWN: "the carrier says that it is too much",
    Outcome.RETRY_LATER: "the carrier cannot now",
    Outcome.OTHER_ROUTE: "the carrier does not take it, another may",
    Outcome.REFUSED: "the carrier refuses it for what it is",
    Outcome.BIND_SICK: "the carrier blames the bind, not the message",
}


def _part() -> Part:
    return Part(
        id=1 << 8, number=1, total=1, queue=0, lane="", to="", sender="", text="", alphabet="gsm", reference=0,
        deadline=FAR_S, first_at=0.0,
    )  # fmt: skip


def _rows_of(name: str, lane: LaneConfig) -> Iterator[FailureRow]:
    for outcome in SETBACKS:
        yield _of_answer(outcome, name, lane)
    yield _of_encoding(name)
    yield _of_doubt(name, lane)
    yield FailureRow(
        case="not_written",
        meaning="it was claimed, and the link ended before an octet of it left",
        lane=name,
        again="at once, at its place in the queue; no attempt is counted",
        switch="at once, where another carrier of its rule has room",
        stop="at its deadline",
        told="nobody before that",
    )
    yield _of_no_carrier(name, lane)
    yield _of_cost_cap(name, lane)
    yield _of_resend_cost_cap(name, lane)
    yield _of_deadline(name, lane)
    yield from _of_words(name, lane)


def _of_answer(outcome: Outcome, name: str, lane: LaneConfig) -> FailureRow:
    alone, among, distrusted = (course(outcome, lane, prospect) for prospect in _PROSPECTS)
    ends = _ends([alone, among, distrusted], lane)
    return FailureRow(
        case=str(outcome),
        meaning=f"{_MEANINGS[outcome]} ({', '.join(_statuses(outcome))})",
        lane=name,
        again=_again(alone),
        switch=_switch(outcome, among),
        stop=", or ".join(end.when for end in ends),
        told=_told(ends),
    )


_PROSPECTS: Final = (Prospect(other=False), Prospect(other=True), Prospect(other=True, trusted=False))
"""What there may be for a part beside the carrier that answers: nobody, another one, another one that is better."""


@attrs.frozen
class _End:
    """One way in which a part ends."""

    status: Status | None
    reason: Reason
    when: str
    """The whole sentence."""


def _ends(courses: Sequence[Sequence[Decision]], lane: LaneConfig) -> list[_End]:
    """Return how a part that gets these decisions may end: by each reason once, the deadline last."""
    found: dict[Reason, _End] = {}
    for decisions in courses:
        end = decisions[-1]
        if end.event not in _GOES_ON:
            status = move(Status.SENDING, end.event)
            found.setdefault(end.reason, _End(status, end.reason, _when(end, len(decisions))))
    if any(len(decisions) > 1 for decisions in courses):  # it waits again, and time passes
        within, failed = lane.retry.within_s, move(Status.SENDING, Event.EXHAUSTED)
        if within:
            when = f"{failed} ({Reason.TIME_USED_UP}) {_duration(within)} after its first attempt"
            found.setdefault(Reason.TIME_USED_UP, _End(failed, Reason.TIME_USED_UP, when))
        expired = move(Status.ACCEPTED, Event.EXPIRED)
        found[Reason.DEADLINE] = _End(expired, Reason.DEADLINE, "at its deadline")
    return list(found.values())


def _told(ends: Sequence[_End]) -> str:
    caller = f"caller: {' or '.join(f'{end.status} ({end.reason})' for end in ends)}"
    return "; ".join([caller, *(f"operator: notice {end.reason}" for end in ends if end.reason in _ALARMS)])


def _statuses(outcome: Outcome) -> list[str]:
    classes = [cls for cls, found in OUTCOME_OF_CLASS.items() if found is outcome and cls is not StatusClass.BUG]
    names = [row.name for row in tables.STATUSES if row.status_class in classes]
    return names if len(names) <= 3 else [*names[:3], f"{len(names) - 3} more"]


def _again(decisions: Sequence[Decision]) -> str:
    """Return when a part is tried again on the only carrier there is."""
    pauses: list[float] = []
    now = 0.0
    for decision in decisions:
        if decision.event is not Event.DEFERRED:
            break
        pauses.append((decision.due_at or now) - now)
        now = decision.due_at or now
    if not pauses:
        return "never"
    if len(decisions) == LONGEST_COURSE and not any(pauses):
        return "at once, at its place in the queue, as fast as the carrier bears"
    counted = [
        f"{_duration(pause)}{f' ({count} times)' if (count := len(list(same))) > 1 else ''}"
        for pause, same in groupby(pauses)
    ]
    return f"after {', '.join(counted)}"


def _duration(seconds: float) -> str:
    return format_duration(round(seconds, 3))


def _switch(outcome: Outcome, among: Sequence[Decision]) -> str:
    first = among[0]
    if first.event is Event.REROUTED:
        when = f"after {_duration(first.due_at)}" if first.due_at else "at once"
        count = sum(decision.event is Event.REROUTED for decision in among)
        limit = " to one other" if SETBACKS[outcome].step is Step.END else f" to others, {count} of them at most"
        return f"{when}{limit}, never back"
    if SETBACKS[outcome].step is Step.END:
        return "only while the carrier's health is in doubt: to one that has not refused it"
    if SETBACKS[outcome].burns:
        return "each time it waits again: one that was not the last, if any of its rule has room and is well"
    return "each time it waits again: the best carrier of its rule that has room and is well"


def _when(decision: Decision, attempts: int) -> str:
    status = move(Status.SENDING, decision.event)
    after = f" after {attempts} attempts" if attempts > 1 else " at once"
    if decision.refused:  # another one would be asked
        after = " where no other is left"
    return f"{status} ({decision.reason}){after}"


def _of_deadline(name: str, lane: LaneConfig) -> FailureRow:
    status = move(Status.ACCEPTED, Event.EXPIRED)
    return FailureRow(
        case=str(Reason.DEADLINE),
        meaning="it still waits when its deadline passes",
        lane=name,
        again="never",
        switch="never",
        stop=f"{status} ({Reason.DEADLINE}) {_duration(lane.deadline_s)} after it may leave, or when its caller said",
        told=f"caller: {status} ({Reason.DEADLINE})",
    )


def _of_encoding(name: str) -> FailureRow:
    names = [row.name for row in tables.STATUSES if row.status_class is StatusClass.BUG]
    return FailureRow(
        case=str(Reason.OUR_ENCODING),
        meaning=f"the part was badly made ({', '.join(names[:3])}, {len(names) - 3} more)",
        lane=name,
        again="never",
        switch="never",
        stop=f"{move(Status.SENDING, Event.REFUSED)} ({Reason.OUR_ENCODING}) at once",
        told=f"caller: rejected ({Reason.OUR_ENCODING}); operator: notice {Reason.OUR_ENCODING}",
    )


def _of_doubt(name: str, lane: LaneConfig) -> FailureRow:
    policy = doubt_policy(lane)
    again = "never: a late answer settles it, or a receipt that tells it (doubt_settled_by)"
    switch = "never"
    if policy.resends:
        times = "once" if policy.resends == 1 else f"at most {policy.resends} times"
        again = (
            f"{times}, {_duration(policy.resend_after_s)} after each doubt, before its deadline; it may arrive twice"
        )
        switch = "with that: the best carrier of its rule; parts of a long message stay with theirs"
    return FailureRow(
        case="in_doubt",
        meaning="octets left and no answer came: response timer, end of the link, end of the process",
        lane=name,
        again=again,
        switch=switch,
        stop=f"{move(Status.IN_DOUBT, Event.SILENCE)} ({Reason.NO_FINAL_WORD}) after {_duration(policy.patience_s)}",
        told="caller: in_doubt at once, then the carrier's word or unknown",
    )


def _of_no_carrier(name: str, lane: LaneConfig) -> FailureRow:
    return FailureRow(
        case="no_carrier",
        meaning="every carrier of its rule is unbound, suspended or without a free place",
        lane=name,
        again="as soon as one has room; nothing is claimed before",
        switch="at that moment: the best that is well; a sick one gets a share, then probes, while another is up",
        stop="at its deadline",
        told="operator: status, and a notice for every change of a carrier's health",
    )


def _of_cost_cap(name: str, lane: LaneConfig) -> FailureRow:
    cap = lane.retry.max_cost
    rejected, expired = move(Status.SENDING, Event.REFUSED), move(Status.ACCEPTED, Event.EXPIRED)
    again = _NO_CAP if cap is None else f"as soon as one within {cap:g} a part has room; it waits for that"
    return FailureRow(
        case=str(Reason.COST_CAP),
        meaning="every carrier of its rule that is left costs more than `retry.max_cost`",
        lane=name,
        again=again,
        switch="never to a dearer one; one without a price for the number is none",
        stop=f"refused at the door ({Reason.COST_CAP}) where all are too dear; {rejected} ({Reason.REFUSED_BY_CARRIER})"
        " at once after `other_route` where only dearer ones are left; else at its deadline",
        told=f"caller: refused ({Reason.COST_CAP}) or {rejected} ({Reason.REFUSED_BY_CARRIER}) or {expired}"
        f" ({Reason.DEADLINE}); operator: status, which says of a carrier that what waits is not for it (`choice`)",
    )


_NO_CAP: Final = "this never happens: no `retry.max_cost` is set"


def _of_resend_cost_cap(name: str, lane: LaneConfig) -> FailureRow:
    policy, cap = doubt_policy(lane), lane.retry.max_cost
    silent = f"{move(Status.IN_DOUBT, Event.SILENCE)} ({Reason.NO_FINAL_WORD}) {_duration(policy.patience_s)}"
    if not policy.resends or cap is None:
        again = "this never happens: what is in doubt is not sent again" if not policy.resends else _NO_CAP
    else:
        again = f"not while it may cost more than {cap:g} in all: each doubt counts as the dearest carrier of its rule"
    return FailureRow(
        case="resend_cost_cap",
        meaning="it is in doubt and to be sent again, and with that it may cost more than `retry.max_cost`",
        lane=name,
        again=again,
        switch="with that: to one that stays within it",
        stop=f"held ({Reason.TOO_LATE_TO_RESEND}) at its deadline, and {silent} after that",
        told=f"caller: in_doubt, then held ({Reason.TOO_LATE_TO_RESEND}), then the carrier's word or unknown",
    )


_WORDS: Final = (
    ("undeliverable", "a receipt says undeliverable, deleted or skipped", Event.UNDELIVERED),
    ("expired_there", "a receipt says that the carrier gave up", Event.EXPIRED),
    ("rejected_there", "a receipt says that the network refused it", Event.REJECTED),
    ("no_receipt", "no final receipt comes, or one that says unknown", Event.SILENCE),
)


def _of_words(name: str, lane: LaneConfig) -> Iterator[FailureRow]:
    for case, meaning, event in _WORDS:
        after = (
            f" ({Reason.NO_FINAL_WORD}) after {_duration(lane.patience_s)}" if event is Event.SILENCE else " at once"
        )
        status = move(Status.SENT, event)
        yield FailureRow(
            case=case,
            meaning=meaning,
            lane=name,
            again="never: the carrier had it",
            switch="never",
            stop=f"{status}{after}",
            told=f"caller: {status}; a later receipt is noted{' and applied' if status is Status.UNKNOWN else ''}",
        )
