"""Which attempt a receipt means: by its id, and where an answer was lost by what else it says.  Pure; never a guess.

An id counts most as the carrier wrote it, then in the form its dialect declares.  Every other form of it (case, leading
zeros, decimal for hexadecimal) counts only where exactly one attempt within the lifetime of ids fits and went to the
number that the receipt names, and no attempt to it is without an id: see `connector.store.nameless`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, Protocol, TypeAlias

import attrs

from connector.lifecycle import Event
from connector.model import Answer, Clue, DoubtPolicy, Moved, Receipt, user_message_reference
from connector.store.earlier import Word
from connector.store.history import Settled
from connector.store.nameless import may_be_anothers
from connector.store.parking import other_forms, tie_keys, written_ids
from connector.store.privacy import LEAST_DIGITS, national, pseudonym
from connector.store.rules import is_another_number, policy_of, same_number

MOST_HELD: Final = 50
"""Attempts under one id that are looked at, the newest ones, messages to one number, and receipts parked under one key:
a carrier that gives every message the same id costs no more than others."""
TOLD_PATIENCE_S: Final = 86_400.0
"""How long the last word is awaited for a part that only a receipt on the way has told of, where nobody says how long
its lane waits."""
LATE_ANSWER_S: Final = 900.0
"""How much later than a receipt its answer may be settled: it was parked for so long, and joined then."""
SHORTEST_TEXT: Final = 4
"""Characters of a text that tell a message from others to the same number."""
_ALIAS: Final = re.compile(r"#[0-9a-z]{11}")
"""What stands in place of an erased number; a sender may begin with ``#``, and is shorter."""
_MAY_HOLD_A_NUMBER: Final = re.compile(rf"[0-9]{{{LEAST_DIGITS}}}")
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
    life: int = 0
    """Of the store, in which it was claimed: a clock may have been set back between two of them."""
    is_erased: bool = False
    """Whether its number was erased, and is known here only because the receipt names it."""
    is_earlier: bool = False
    """Whether the id is not the present one of its part, but that of an attempt before."""
    is_likeness: bool = False
    """Whether it has the receipt's id only in a form that nobody has declared."""


class Doubted(NamedTuple):
    """A part of which an attempt is in doubt that the receipt may be about."""

    part: int
    to: str
    sender: str
    text: str
    """Of this part."""
    created_at: float
    is_doubted: bool = True
    """False for one that is on the wire, or of which an attempt before the newest is in doubt."""
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

    def look(self, receipt: Receipt, *, is_fresh: bool) -> tuple[Held | Why, Receipt]:
        """Return what `look` does, by the rows."""

    def open_to(self, receipt: Receipt) -> Iterable[Doubted]:
        """Return what `by_clue` chooses from."""

    def without_ids(self, to: str) -> Iterable[tuple[int, str]]:
        """Return the parts to a number (E.164 digits) that may have attempts without an id, with their histories."""

    def told(self, part: int) -> tuple[int, str]:
        """Return the number of a part's newest attempt, and its lane."""

    def joined(self, answer: Answer) -> list[Receipt]:
        """Return the parked receipts that an answer was missing for, taken out of parking."""

    def park(self, receipt: Receipt, why: Why, also: Sequence[tuple[str, str]] = ()) -> None:
        """Keep a receipt that means none; it is found under ``also``, too."""


def match(
    parked: Iterable[Receipt],
    fresh: Iterable[Receipt],
    rows: Rows,
    settle: Settle,
    policies: Mapping[str, DoubtPolicy],
) -> tuple[list[Moved], list[Word]]:
    """Find the part of each receipt, and park those that mean none; return what moved, and the others with their parts.

    ``parked``: those taken out of parking; ``fresh``: those that a carrier has just sent.
    ``settle`` is told of an attempt in doubt whose answer a receipt stands for; ``policies``: by lane, how long its
    last word is awaited then.
    """
    moved: list[Moved] = []
    matched: list[Word] = []
    todo = [*((receipt, False) for receipt in parked), *((receipt, True) for receipt in fresh)]
    for receipt, is_fresh in todo:  # it grows: what tells of a part may bring others that were parked
        found, said = rows.look(receipt, is_fresh=is_fresh)
        is_tied = isinstance(found, Held) and found.is_likeness and _is_tied(receipt, found, rows)
        if isinstance(found, Held) and not is_tied:
            matched.append(Word(said, found.part, found.is_earlier))
            continue
        why = Why.UNKNOWN_ID if isinstance(found, Held) else found
        open_ = [] if receipt.clue is None else _open_to(receipt, rows, is_fresh=is_fresh)
        part = None if receipt.clue is None else by_clue(receipt, receipt.clue, Why.SEVERAL if is_tied else why, open_)
        if part is None:
            rows.park(receipt, why, tie_keys(receipt) if is_tied else ())
            continue
        to, is_erased = next((each.to, each.is_erased) for each in open_ if each.part == part)
        said = _without(receipt, to) if is_erased else receipt
        attempt, lane = rows.told(part)
        answer = answer_in(said, part, attempt, to, _patience_s(lane, policies))
        change = settle(answer)
        moved += [] if change is None else [change]
        todo += [(each, False) for each in rows.joined(answer)]
        matched.append(Word(said, part))
    return moved, matched


def _open_to(receipt: Receipt, rows: Rows, *, is_fresh: bool) -> list[Doubted]:
    """Return what `by_clue` chooses from; before a fresh receipt all of it was there, whatever a clock has said."""
    open_ = rows.open_to(receipt)
    if not is_fresh:
        return list(open_)
    return [each._replace(created_at=min(each.created_at, receipt.at)) for each in open_]


def _patience_s(lane: str, policies: Mapping[str, DoubtPolicy]) -> float:
    return policy_of(lane, policies).patience_s if policies else TOLD_PATIENCE_S


def _is_tied(receipt: Receipt, held: Held, rows: Rows) -> bool:
    """Tell whether a receipt whose id only looks like an attempt's may be about one that has none."""
    return may_be_anothers(receipt, held.part, rows.without_ids(held.to))


def find(receipt: Receipt, held: Callable[[str], Sequence[Held]]) -> int | Why:
    """Return the part a receipt means, or why it means none.  ``held`` returns the newest attempts under a key."""
    found = meant(receipt, held)
    return found if isinstance(found, Why) else found.part


def meant(receipt: Receipt, held: Callable[[str], Sequence[Held]]) -> Held | Why:
    """Return the attempt a receipt means, or why it means none: see `find`."""
    if not receipt.keys:
        return Why.NO_ID
    under = {key: held(key) for key in dict.fromkeys(receipt.keys)}
    why = Why.OTHER_NUMBER if any(under.values()) else Why.UNKNOWN_ID
    for is_it in (_as_written, _as_declared):
        for key, written in zip(receipt.keys, written_ids(receipt), strict=True):
            one = _meant([each for each in under[key] if is_it(receipt, key, written, each)], receipt)
            if one is not None:
                return one
    forms = [form for written in written_ids(receipt) for form in other_forms(written)]
    under.update((form, held(form)) for form in forms if form not in under)
    return _only_one((each for found in under.values() for each in found), receipt) or why


def look(
    receipt: Receipt, held: Callable[[str], Sequence[Held]], key: Key, *, is_fresh: bool = False
) -> tuple[Held | Why, Receipt]:
    """Return what `meant` does where numbers may have been erased, and the receipt as its part may have it.

    ``is_fresh``: whether a carrier has just sent it; one that was parked has only its time to tell what came before it.

    An erased number is a keyed hash in the rows: the number that a receipt names is compared with that.  What is
    written into the rows of such a part has that number no more.  Without the key nothing can be told of such a part.
    """

    def named(under: str) -> Sequence[Held]:
        rows = [_in_order(row, receipt, is_fresh=is_fresh) for form in _as_erased(under, receipt) for row in held(form)]
        return named_by(receipt, rows, key)

    found = meant(receipt, named)
    if isinstance(found, Why) or not found.is_erased:
        return found, receipt
    return found, _without(receipt, found.to)


def _in_order(held: Held, receipt: Receipt, *, is_fresh: bool) -> Held:
    """Return an attempt with the moment at which a receipt sees it answered.

    A fresh receipt comes after every answer that is kept, and by a clock that was set back none of them is too young or
    too old for it.  One that was parked is compared by time alone: it does not know in which life it came.
    """
    if not is_fresh:
        return held._replace(life=0)
    return held if held.at <= receipt.at else held._replace(at=receipt.at)


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


def spelled_in_rows(number: str, key: Key) -> list[str]:
    """Return what the rows may have in place of a number (E.164 digits): itself, or its hash."""
    known = key()
    return [number] if known is None else [number, pseudonym(number, known)]


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


def _without(receipt: Receipt, number: str) -> Receipt:
    """Return the receipt without the number that was erased of its part."""

    def bare(text: str) -> str:
        return text.replace(number, "#").replace(national(number), "#")

    return attrs.evolve(
        receipt,
        number="",
        keys=tuple(key.replace(number, "#") for key in receipt.keys),
        ids=tuple(written.replace(number, "#") for written in receipt.ids),
        detail=None if receipt.detail is None else bare(receipt.detail),
    )


def as_kept(result: Settled, addresses: Sequence[str], key: Key) -> Settled:
    """Return a result that moves nothing as it may be kept, by the ``addresses`` of its message, to and from.

    It brings back no number that was erased.  Of an id or a detail that holds the one its answer names, the rest is
    kept; where another one was erased, or none can be told, nothing is kept of what has digits enough for a number.
    """
    aliases = {address for address in addresses if _ALIAS.fullmatch(address)}
    if not aliases or not isinstance(result, Answer):
        return result
    known = key() if result.to else None
    number = result.to if known is not None and pseudonym(result.to, known) in aliases else ""
    is_another = len(aliases) > bool(number)

    def bare(text: str | None, *ends: str) -> str | None:
        for digits in (number, *ends) if number else ():
            text = text and text.replace(digits, "#")
        return None if is_another and text and _MAY_HOLD_A_NUMBER.search(text) else text

    # what the history tells: no national digits are left there either
    said = bare(result.detail or result.carrier_message_id, national(number))
    ids = bare(result.carrier_message_id), bare(result.key)
    return attrs.evolve(result, to="", detail=said, carrier_message_id=ids[0], key=ids[1])


def by_clue(receipt: Receipt, clue: Clue, why: Why, open_: Iterable[Doubted]) -> int | None:
    """Return the part in doubt that a receipt tells by what else it says, if exactly one fits.

    ``open_``: parts in doubt, those on the wire, for the receipt may have overtaken the answer of one of these, and
    those that were sent again after a doubt, for it may be about the attempt before.  A tie by id is none that a text
    could break.
    """
    if why is Why.SEVERAL and clue.reference is None:
        return None
    fit = [each for each in open_ if same_number(each.to, receipt.number) and _is_told(receipt, clue, each)]
    return fit[0].part if len(fit) == 1 and fit[0].is_doubted else None


def answer_in(receipt: Receipt, part: int, attempt: int, to: str, patience_s: float) -> Answer:
    """Return the answer that a receipt stands for: it says that the carrier has the part, and under which id.

    From then on its last word is awaited for ``patience_s`` seconds.
    """
    key = receipt.keys[0] if receipt.keys else None
    return Answer(
        part,
        attempt,
        Event.ACKNOWLEDGED,
        receipt.at,
        receipt.carrier,
        carrier_message_id=written_ids(receipt)[0] if key else None,
        key=key,
        to=to,
        due_at=receipt.at + patience_s,
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


def _meant(held: Sequence[Held], receipt: Receipt) -> Held | None:
    """Return which of the attempts that surely have its id a receipt means.

    A lone one needs no proof, as long as the receipt has one id and does not name somebody else (an id counter that
    began anew: the receipt of a new message has overtaken its answer).  Of several under one id (carriers use them
    again) it is the newest that was answered before the receipt came and went to its number.
    """
    if len(held) == 1 and len(set(receipt.keys)) == 1:
        is_later = held[0].at > receipt.at + LATE_ANSWER_S  # it was parked, and this answer gave its id anew
        return None if is_later or is_another_number(held[0].to, receipt.number) else held[0]
    fit = [each for each in held if same_number(each.to, receipt.number)]
    before = [each for each in fit if each.at <= receipt.at]
    if before:
        return _present(max(before, key=lambda each: (each.life, each.at, each.part)), fit)
    after = [each for each in fit if each.at <= receipt.at + LATE_ANSWER_S]
    return _present(min(after, key=lambda each: (each.at, each.part)), fit) if after else None


def _present(one: Held, held: Iterable[Held]) -> Held:
    """Return the attempt whose id is the present one of its part, where the carrier gave it to an earlier one too."""
    return next((each for each in held if each.part == one.part and not each.is_earlier), one)


def _only_one(held: Iterable[Held], receipt: Receipt) -> Held | Why | None:
    """Return the one attempt that fits in a form nobody has declared; None where none does."""
    fit = [
        each
        for each in held
        if same_number(each.to, receipt.number)
        and receipt.at - receipt.lifetime_s <= each.at <= receipt.at + LATE_ANSWER_S
    ]
    if len({each.part for each in fit}) > 1:
        return Why.SEVERAL
    return _present(fit[0], fit)._replace(is_likeness=True) if fit else None
