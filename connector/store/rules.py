"""Rules that hold for every engine: which part a receipt means, and what may be changed from outside."""

from collections.abc import Sequence
from typing import TypeGuard

from connector.lifecycle import Event, Status, move
from connector.model import Answer

SAME_DIGITS = 8
"""Digits compared from the end: carriers swap national and international spellings, and a subscriber's own digits are
the last ones."""

# EXPIRED and REFUSED are words of carriers too; from outside they may end only what has not left
_BEFORE_IT_LEFT = frozenset({Event.DUE, Event.CANCELLED, Event.EXPIRED, Event.REFUSED})
_FROM_OUTSIDE = {
    Status.SCHEDULED: _BEFORE_IT_LEFT,
    Status.ACCEPTED: _BEFORE_IT_LEFT,
    Status.SENT: frozenset({Event.SILENCE}),
    Status.IN_DOUBT: frozenset({Event.SILENCE}),
}


def kin_of(ref: str) -> str:
    """Return what the references of one keyed request have in common: all up to the unit separator.

    They are remembered and forgotten together: half a memory would take half of a replay for new.
    """
    head, separator, _ = ref.partition("\x1f")
    return head + separator


def after_wish(status: Status, due_at: float | None, event: Event) -> Status | None:
    """Return where a change from outside the carrier's word leads, or None where it may not or need not be."""
    if event not in _FROM_OUTSIDE.get(status, frozenset()) or (event is Event.DUE and due_at is None):
        return None
    return move(status, event)


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


def _another_number(ours: str, theirs: str) -> bool:
    """Tell whether the receipt names a subscriber who is surely not ours: in full, and in no address the same."""
    full = [number for number in theirs.split() if len(number) >= SAME_DIGITS]
    return bool(ours) and bool(full) and not same_number(ours, theirs)


def fitting(candidates: Sequence[tuple[int, str]], number: str, *, sure: bool) -> int | None:
    """Return the part one reading of a receipt's id means, or None.  Never a guess.

    ``candidates``: (part, our number) of the parts the carrier gave this id, newest first.  ``sure``: the id has one
    reading only; then a lone candidate needs no proof, as long as the receipt does not name somebody else (an id
    counter that began anew: the receipt of a new message has overtaken its answer).  Otherwise (an id reused, or an id
    that may be decimal or hexadecimal) only a part whose subscriber is the receipt's will do.
    """
    if sure and len(candidates) == 1:
        part, ours = candidates[0]
        return None if _another_number(ours, number) else part
    return next((part for part, ours in candidates if same_number(ours, number)), None)
