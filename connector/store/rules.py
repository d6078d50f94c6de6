"""Rules that hold for every engine: which part a receipt means, what may be changed from outside, what doubts do."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeGuard

from connector.lifecycle import MAY_WAIT, Event, Status, move
from connector.model import REROUTE_LOOK_S as REROUTE_LOOK_S
from connector.model import Answer, Claim, DoubtPolicy, Lost, Move, NotSent, Reason, is_whole

SAME_DIGITS = 8
"""Digits compared from the end: carriers swap national and international spellings, and a subscriber's own digits are
the last ones."""

NO_POLICIES: Final[Mapping[str, DoubtPolicy]] = MappingProxyType({})
"""Where nobody says what becomes of doubts in a lane."""

SENT_LOOKED_AT = 100
"""Newest messages to a number among which the one is looked for that its subscriber answers."""

# EXPIRED and REFUSED are words of carriers too; from outside they may end only what has not left
_BEFORE_IT_LEFT = frozenset({Event.DUE, Event.CANCELLED, Event.EXPIRED, Event.REFUSED})
_FROM_OUTSIDE = {
    Status.SCHEDULED: _BEFORE_IT_LEFT,
    Status.ACCEPTED: _BEFORE_IT_LEFT | {Event.POSTPONED},
    Status.SENT: frozenset({Event.SILENCE, Event.RECALLED}),
    Status.IN_DOUBT: frozenset({Event.DUE, Event.HELD, Event.SILENCE}),
}
_PUT_OFF = frozenset({Event.POSTPONED, Event.HELD})

UNSETTLED = frozenset({Status.SCHEDULED, Status.ACCEPTED, Status.IN_DOUBT})
"""Statuses of what a carrier may still be asked to take."""


def kin_of(ref: str) -> str:
    """Return what the references of one keyed request have in common: all up to the unit separator.

    They are remembered and forgotten together: half a memory would take half of a replay for new.
    """
    head, separator, _ = ref.partition("\x1f")
    return head + separator


def waits(status: Status, due_at: float | None) -> bool:
    """Tell whether a part stands in its queue, to be claimed."""
    return due_at is None and status in MAY_WAIT


def after_wish(status: Status, due_at: float | None, wish: Move) -> Status | None:
    """Return where a change from outside the carrier's word leads, or None where it may not or need not be.

    What is put off without a time would never be looked at again, so that is none either.
    """
    event = wish.event
    if event not in _FROM_OUTSIDE.get(status, frozenset()):
        return None
    if (event is Event.DUE and due_at is None) or (event in _PUT_OFF and wish.due_at is None):
        return None
    return move(status, event)


def due_after(wish: Move) -> float | None:
    """Return when a part is to be looked at again after this change."""
    return wish.due_at if wish.event in _PUT_OFF else None


def after_answer(status: Status, event: Event, *, doubts: int, was_lost: bool) -> tuple[Status | None, int]:
    """Return where an answer to a part's newest attempt, or its absence, leads, and the doubts that are left then.

    ``was_lost``: the last thing known of that attempt is that it was lost.  Then an answer settles one doubt.  A second
    answer settles none: it is heard only where it says that the carrier has the part after all.
    """
    late = status is Status.IN_DOUBT
    if late and not was_lost and event is not Event.ACKNOWLEDGED:
        return None, doubts
    others = doubts - 1 if late and was_lost else doubts
    new = move(status, event, doubts=others)
    if new is None:
        return None, doubts
    return new, others + 1 if event is Event.LOST else others


def attempts_of(result: Answer | Lost | NotSent, old: Status, *, was_lost: bool) -> tuple[int, int, int]:
    """Return by how many the attempts submitted, answered and in doubt change with a result that moved its part."""
    if isinstance(result, Answer):
        if old is Status.SENDING:
            return 0, 1, 0
        return (0, 1, -1) if was_lost else (0, 0, 0)
    return (0, 0, 1) if isinstance(result, Lost) else (-1, 0, 0)


def accepted_only(part: int) -> tuple[Move, Status]:
    """Return what the end of patience does to a part whose last word, though not final, counts as delivery."""
    return Move(part, Event.DELIVERED, Reason.ACCEPTED_ONLY), Status.DELIVERED


def split_refused(refused: str | None) -> tuple[str, ...]:
    """Return the carriers that a column of them names."""
    return tuple(refused.split("|")) if refused else ()


def with_refused(refused: Sequence[str], more: Iterable[str]) -> tuple[str, ...]:
    """Return the carriers that do not take a part, these too, each once and in the order they refused."""
    return tuple(dict.fromkeys((*refused, *more)))


def is_free(pinned: str | None, claim: Claim) -> bool:
    """Tell whether a message may go to any carrier: it was begun on none, or on one that its rule names no more."""
    return pinned is None or (claim.carriers is not None and pinned not in claim.carriers)


def is_turned_away(part: int, wish: Move, pinned: str | None, refused: Sequence[str]) -> bool:
    """Tell whether a part that is due is one of several, tied to a carrier that does not take it."""
    return wish.event is Event.DUE and not is_whole(part) and pinned in refused


def onward(siblings: Iterable[tuple[Status, float | None, int]]) -> Event | None:
    """Return what becomes of a part whose carrier does not take it, by (status, sent at, doubts) of its siblings.

    The parts of a message stay with one carrier, or the handset may never join them.  DUE: none has left, so all of
    them may go elsewhere together.  REFUSED: a carrier has one or may have it, so this one can go nowhere.  None: that
    is not known yet, for one is on the wire; look again after `REROUTE_LOOK_S`.
    """
    standing = list(siblings)
    if any(status is Status.SENDING for status, _, _ in standing):
        return None
    if any(sent_at is not None or doubts for _, sent_at, doubts in standing):
        return Event.REFUSED
    return Event.DUE


def union_of(refused: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return the carriers that have refused any part of a message: none of its parts goes there any more."""
    return tuple(dict.fromkeys(name for names in refused for name in names))


def names_the_unknown(result: object, status: Status, key: str | None) -> TypeGuard[Answer]:
    """Tell whether an answer gives a part its id that was waited for in vain: receipts may still move it by that id."""
    late = status is Status.UNKNOWN and key is None
    return late and isinstance(result, Answer) and result.event is Event.ACKNOWLEDGED and result.key is not None


def same_number(ours: str, theirs: str) -> bool:
    """Tell whether two spellings name one subscriber.  An absent number proves nothing.

    ``theirs`` may hold both addresses of a receipt, with a blank between: some carriers swap them.
    """
    end = ours[-SAME_DIGITS:]
    if theirs.endswith(end) and " " not in theirs and len(theirs) >= len(end) == SAME_DIGITS:
        return True  # nearly always: one address, ours
    return bool(end) and any(number[-SAME_DIGITS:] == end for number in theirs.split())


def is_another_number(ours: str, theirs: str) -> bool:
    """Tell whether the receipt names a subscriber who is surely not ours: in full, and in no address the same."""
    full = [number for number in theirs.split() if len(number) >= SAME_DIGITS]
    return bool(ours) and bool(full) and not same_number(ours, theirs)


def policy_of(lane: str, policies: Mapping[str, DoubtPolicy]) -> DoubtPolicy:
    """Return what becomes of doubts in a lane; in one that nobody configures any more, the longest patience."""
    policy = policies.get(lane)
    return DoubtPolicy(max((each.patience_s for each in policies.values()), default=0.0)) if policy is None else policy
