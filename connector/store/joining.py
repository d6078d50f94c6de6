"""Which attempt a receipt means: by its id, and where an answer was lost by what else it says.  Pure; never a guess.

An id counts most as the carrier wrote it, then in the form its dialect declares.  Every other form of it (case, leading
zeros, decimal for hexadecimal) counts only where exactly one attempt within the lifetime of ids fits and went to the
number that the receipt names.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, Protocol, TypeAlias

import attrs

from connector.lifecycle import Event
from connector.model import Answer, Clue, Moved, Receipt, user_message_reference
from connector.store.privacy import LEAST_DIGITS, national, pseudonym
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
COUNTRY_CODES: Final = range(1, 1_000)
"""What may stand before a national number: one to three digits (E.164, 6.2.1)."""
LONGEST_E164: Final = 15
"""Digits of a number, its country code included (E.164, 6.1)."""

Settle: TypeAlias = Callable[[Answer], Moved | None]
Key: TypeAlias = Callable[[], bytes | None]
"""Asks for the key of erased numbers; None where there is none at hand."""


class Held(NamedTuple):
    """An attempt that a carrier gave an id."""

    part: int
    to: str
    """E.164 digits."""
    at: float
    """When it was answered."""
    id: str
    """As the carrier wrote it."""
    is_erased: bool = False
    """Whether its number was erased, and is known here only because the receipt names it."""


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
    is_erased: bool = False
    """As `Held` has it."""


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
    EARLIER_ATTEMPT = "earlier_attempt"
    """It is the last word about an attempt whose part was sent again: that attempt is on the wire, and its answer is
    awaited."""


class Rows(Protocol):
    """What an engine has of receipts and of what they may mean, inside a transaction."""

    def look(self, receipt: Receipt) -> tuple[int | Why, Receipt]:
        """Return what `look` does, by the rows."""

    def open_to(self, receipt: Receipt) -> Iterable[Doubted]:
        """Return what `by_clue` chooses from."""

    def attempt_of(self, part: int) -> int:
        """Return the number of a part's newest attempt."""

    def joined(self, answer: Answer) -> list[Receipt]:
        """Return the parked receipts that an answer was missing for, taken out of parking."""

    def park(self, receipt: Receipt, why: Why) -> None:
        """Keep a receipt that means none."""


class Places:
    """The ids of receipts that were taken out of parking in this transaction: one that goes back has its own again, and
    no other one gets it."""

    def __init__(self) -> None:
        self._taken: dict[int, tuple[Receipt, int]] = {}
        """By object, which is held here: equal receipts are two."""
        self._last = 0

    def take(self, receipt: Receipt, place: int) -> None:
        """Remember where a receipt was."""
        self._taken[id(receipt)] = receipt, place
        self._last = max(self._last, place)

    def back(self, receipt: Receipt) -> int | None:
        """Return where a receipt was, once; None for one that is new."""
        _, place = self._taken.pop(id(receipt), (receipt, None))
        return place

    def after(self, last: int) -> int:
        """Return the id of a new one, where ``last`` is the largest there is."""
        return max(last, self._last) + 1

    def clear(self) -> None:
        """Forget them: the transaction is over."""
        self._taken.clear()
        self._last = 0


def match(receipts: Iterable[Receipt], rows: Rows, settle: Settle) -> tuple[list[Moved], list[tuple[Receipt, int]]]:
    """Find the part of each receipt, and park those that mean none; return what moved, and (receipt, part).

    ``settle`` is told of an attempt in doubt whose answer a receipt stands for.
    """
    moved: list[Moved] = []
    matched: list[tuple[Receipt, int]] = []
    todo = list(receipts)
    for receipt in todo:  # it grows: what tells of a part may bring others that were parked
        found, said = rows.look(receipt)
        if isinstance(found, Why) and receipt.clue is not None:
            open_ = list(rows.open_to(receipt))
            part = by_clue(receipt, receipt.clue, found, open_)
            if part is not None:
                found, said = part, _as_kept(receipt, [each for each in open_ if each.part == part and each.is_erased])
                answer = answer_in(said, part, rows.attempt_of(part))
                change = settle(answer)
                moved += [] if change is None else [change]
                todo += rows.joined(answer)
        if isinstance(found, Why):
            rows.park(receipt, found)
        else:
            matched.append((said, found))
    return moved, matched


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


def look(receipt: Receipt, held: Callable[[str], Sequence[Held]], key: Key) -> tuple[int | Why, Receipt]:
    """Return what `find` does where numbers may have been erased, and the receipt as its part may have it.

    An erased number is a keyed hash in the rows: the number that a receipt names is compared with that.  What is
    written into the rows of such a part has that number no more.  Without the key nothing can be told of such a part.
    """
    erased: dict[int, Held] = {}

    def named(under: str) -> Sequence[Held]:
        rows = named_by(receipt, [row for form in _as_erased(under, receipt) for row in held(form)], key)
        erased.update((row.part, row) for row in rows if row.is_erased)
        return rows

    part = find(receipt, named)
    return part, _as_kept(receipt, [erased[part]] if part in erased else [])


def named_by(receipt: Receipt, held: Sequence[Held], key: Key) -> Sequence[Held]:
    """Return these attempts, those to an erased number with that number where the receipt names it."""
    if not any(is_alias(each.to) for each in held):
        return held
    behind = numbers_behind([each.to for each in held if is_alias(each.to)], receipt.number, key())
    return [
        each._replace(to=behind[each.to], id=each.id.replace("#", behind[each.to]), is_erased=True)
        if each.to in behind
        else each
        for each in held
    ]


def is_alias(to: str) -> bool:
    """Tell whether this stands in place of a number that was erased."""
    return to.startswith("#")


def numbers_behind(aliases: Iterable[str], numbers: str, key: bytes | None) -> Mapping[str, str]:
    """Return the numbers (E.164 digits) behind those aliases that the addresses of a receipt name.

    >>> numbers_behind(["#gkp4r6mny5b", "#00000000000"], "60300 7700900123", b"key")
    {'#gkp4r6mny5b': '447700900123'}
    """
    if key is None:
        return {}
    wanted, found = set(aliases), dict[str, str]()
    for spelled in (_international, _national):  # the second one is a thousand hashes
        for number in (it for address in numbers.split() for it in spelled(address)):
            alias = pseudonym(number, key)
            if alias in wanted:
                found[alias] = number
        if found.keys() == wanted:
            break
    return found


def aliases_of(receipt: Receipt, key: Key) -> Mapping[str, str]:
    """Return what messages to the receipt's number are found by, and the number: itself, or its hash."""
    to = receipt.number.partition(" ")[0]
    if receipt.clue is None or receipt.clue.reference is None:
        return {to: to}  # nothing else tells a message that was erased: its text is gone
    known = key()
    return {to: to} if known is None else {to: to, pseudonym(to, known): to}


def _international(address: str) -> Iterable[str]:
    yield address


def _national(address: str) -> Iterable[str]:
    bare = address.lstrip("0")
    if len(bare) >= LEAST_DIGITS and bare.isdecimal():
        yield from (f"{code}{bare}" for code in COUNTRY_CODES if len(f"{code}{bare}") <= LONGEST_E164)


def _as_erased(key: str, receipt: Receipt) -> list[str]:
    """Return a key, and what is left of it where an id holds the number that was erased."""
    numbers = [number for number in receipt.number.split() if len(number) >= LEAST_DIGITS and number in key]
    return [key, *(key.replace(number, "#") for number in numbers)]


def _as_kept(receipt: Receipt, erased: Sequence[Held | Doubted]) -> Receipt:
    """Return the receipt without the number that was erased of its part; as it is where none was."""
    if not erased:
        return receipt
    number = erased[0].to

    def bare(text: str) -> str:
        return text.replace(number, "#").replace(national(number), "#")

    return attrs.evolve(
        receipt,
        number="",
        keys=tuple(key.replace(number, "#") for key in receipt.keys),
        ids=tuple(written.replace(number, "#") for written in receipt.ids),
        detail=None if receipt.detail is None else bare(receipt.detail),
    )


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
