"""Which attempt a receipt means: by its id, and where an answer was lost by what else it says.  Pure; never a guess.

An id counts most as the carrier wrote it, then in the form its dialect declares.  Every other form of it (case, leading
zeros, decimal for hexadecimal) counts only where exactly one attempt within the lifetime of ids fits and went to the
number that the receipt names.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from connector.lifecycle import Event
from connector.model import Answer, Clue, Receipt, user_message_reference
from connector.store.rules import is_another_number, same_number

MOST_HELD: Final = 50
"""Attempts under one id that are looked at, the newest ones, messages to one number, and receipts parked under one key:
a carrier that gives every message the same id costs no more than others."""
LONGEST_NUMBER: Final = 255
"""Digits of an id that are read as a number: message_id has up to 64 (SMPP 3.4, 5.2.23), Python writes up to 4,300."""
TOLD_PATIENCE_S: Final = 86_400.0
"""How long the last word is awaited for a part that only a receipt on the way has told of."""
LATE_ANSWER_S: Final = 900.0
"""How much later than a receipt its answer may be settled: it was parked for so long, and joined then."""
SHORTEST_TEXT: Final = 4
"""Characters of a text that tell a message from others to the same number."""


class Held(NamedTuple):
    """An attempt that a carrier gave an id."""

    part: int
    to: str
    """E.164 digits."""
    at: float
    """When it was answered."""
    id: str
    """As the carrier wrote it."""


class Doubted(NamedTuple):
    """A part of which an attempt through the receipt's carrier is in doubt."""

    part: int
    to: str
    sender: str
    text: str
    """Of this part."""
    created_at: float
    is_doubted: bool = True
    """False for one that is on the wire."""


class Why(StrEnum):
    """Why a receipt is parked.  Users read these words: they never change."""

    NO_ID = "no_id"
    """It names no message."""
    UNKNOWN_ID = "unknown_id"
    """No attempt through this carrier has its id: the answer may be on its way."""
    OTHER_NUMBER = "other_number"
    """Attempts have its id, or a form of it, and went to other numbers."""
    SEVERAL = "several"
    """Several attempts fit."""


def other_forms(written: str) -> tuple[str, ...]:
    """Return the keys that an attempt may have whose id this one is, written otherwise."""
    bare = written.strip(" \0").casefold()
    forms = [bare.lstrip("0") or bare[:1]]
    if len(bare) > LONGEST_NUMBER:
        return tuple(form for form in forms if form)
    if bare.isascii() and bare.isdecimal():
        forms.append(f"{int(bare):x}")
    if bare and all(character in "0123456789abcdef" for character in bare):
        forms.append(str(int(bare, 16)))
    return tuple(dict.fromkeys(form for form in forms if form))


def parking_keys(receipt: Receipt) -> list[str]:
    """Return the keys under which an answer, or the loss of one, finds a parked receipt."""
    spelled = [form for written in _written(receipt) for form in other_forms(written)]
    by_number = [number_key(receipt.number)] if receipt.clue is not None and receipt.number else []
    return list(dict.fromkeys((*receipt.keys, *spelled, *by_number)))


def number_key(numbers: str) -> str:
    """Return the key of a parked receipt that may be told by its number, its source address."""
    return f"to {numbers.partition(' ')[0]}"


def find(receipt: Receipt, held: Callable[[str], Sequence[Held]]) -> int | Why:
    """Return the part a receipt means, or why it means none.  ``held`` returns the newest attempts under a key."""
    if not receipt.keys:
        return Why.NO_ID
    under = {key: held(key) for key in dict.fromkeys(receipt.keys)}
    why = Why.OTHER_NUMBER if any(under.values()) else Why.UNKNOWN_ID
    for is_it in (_as_written, _as_declared):
        for key, written in zip(receipt.keys, _written(receipt), strict=True):
            part = _meant([each for each in under[key] if is_it(receipt, key, written, each)], receipt)
            if part is not None:
                return part
    forms = [form for written in _written(receipt) for form in other_forms(written)]
    under.update((form, held(form)) for form in forms if form not in under)
    return _only_one((each for found in under.values() for each in found), receipt) or why


def by_clue(receipt: Receipt, clue: Clue, why: Why, open_: Iterable[Doubted]) -> int | None:
    """Return the part in doubt that a receipt tells by what else it says, if exactly one fits.

    ``open_``: parts in doubt, and those on the wire: the receipt may have overtaken the answer of one of these.  A tie
    by id is none that a text could break.
    """
    if why is Why.SEVERAL and clue.reference is None:
        return None
    fit = [each for each in open_ if same_number(each.to, receipt.number) and _is_told(receipt, clue, each)]
    return fit[0].part if len(fit) == 1 and fit[0].is_doubted else None


def answer_in(receipt: Receipt, part: int, attempt: int) -> Answer:
    """Return the answer that a receipt stands for: it says that the carrier has the part, and under which id."""
    key = receipt.keys[0] if receipt.keys else None
    return Answer(
        part,
        attempt,
        Event.ACKNOWLEDGED,
        receipt.at,
        receipt.carrier,
        carrier_message_id=_written(receipt)[0] if key else None,
        key=key,
        due_at=receipt.at + TOLD_PATIENCE_S,
        detail="by its receipt",
    )


def _is_told(receipt: Receipt, clue: Clue, doubted: Doubted) -> bool:
    if not receipt.at - receipt.lifetime_s <= doubted.created_at <= receipt.at:
        return False
    if clue.reference is not None:
        return clue.reference == user_message_reference(doubted.part)
    if clue.sender.lstrip("+0").casefold() != doubted.sender.lstrip("+0").casefold():
        return False
    begins, text = clue.text.strip(), doubted.text.strip()
    return len(begins) >= min(SHORTEST_TEXT, len(text)) and bool(begins) and text.startswith(begins)


def _written(receipt: Receipt) -> tuple[str, ...]:
    return receipt.ids or receipt.keys


def _as_written(receipt: Receipt, key: str, written: str, held: Held) -> bool:
    return held.id == written or held.id.strip(" \0") == written


def _as_declared(receipt: Receipt, key: str, written: str, held: Held) -> bool:
    return receipt.numeric and key.isdecimal()


def is_plain(receipt: Receipt, held: Held) -> bool:
    """Tell at once of the newest attempt under the first key whether it is meant: it nearly always is.

    Where both write the number in one base, with zeros or without, it may be another's as it is written: then the rows
    are looked at.
    """
    written, key = receipt.ids[0] if receipt.ids else receipt.keys[0], receipt.keys[0]
    declared = receipt.numeric and key.isdecimal() and held.id.lstrip("0") != key
    is_it = held.id == written or declared
    return is_it and held.at <= receipt.at and same_number(held.to, receipt.number)


def _meant(held: Sequence[Held], receipt: Receipt) -> int | None:
    """Return which of the attempts that surely have its id a receipt means.

    A lone one needs no proof, as long as the receipt has one id and does not name somebody else (an id counter that
    began anew: the receipt of a new message has overtaken its answer).  Of several under one id (carriers use them
    again) it is the newest that was answered before the receipt came and went to its number.
    """
    if len(held) == 1 and len(set(receipt.keys)) == 1:
        is_later = held[0].at > receipt.at + LATE_ANSWER_S  # it was parked, and this answer gave its id anew
        return None if is_later or is_another_number(held[0].to, receipt.number) else held[0].part
    fit = [each for each in held if same_number(each.to, receipt.number)]
    before = [each for each in fit if each.at <= receipt.at]
    if before:
        return max(before, key=lambda each: (each.at, each.part)).part
    after = [each for each in fit if each.at <= receipt.at + LATE_ANSWER_S]
    return min(after, key=lambda each: (each.at, each.part)).part if after else None


def _only_one(held: Iterable[Held], receipt: Receipt) -> int | Why | None:
    """Return the one attempt that fits in a form nobody has declared; None where none does."""
    fit = {
        each.part
        for each in held
        if same_number(each.to, receipt.number)
        and receipt.at - receipt.lifetime_s <= each.at <= receipt.at + LATE_ANSWER_S
    }
    if len(fit) > 1:
        return Why.SEVERAL
    return fit.pop() if fit else None
