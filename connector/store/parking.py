"""Receipts that mean no attempt yet: the keys under which answers find them again, and their places.  Pure."""

from collections.abc import Callable
from typing import Final

from connector.model import Answer, Lost, Receipt
from connector.store.earlier import is_off_the_wire
from connector.store.history import Settled
from connector.store.rules import SAME_DIGITS

LONGEST_NUMBER: Final = 255
"""Digits of an id that are read as a number: message_id has up to 64 (SMPP 3.4, 5.2.23), Python writes up to 4,300."""


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


def written_ids(receipt: Receipt) -> tuple[str, ...]:
    """Return the ids of a receipt as the carrier wrote them, one for each key."""
    return receipt.ids or receipt.keys


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
    spelled = [form for written in written_ids(receipt) for form in other_forms(written)]
    by_number = [number_key(receipt.number)] if receipt.clue is not None and receipt.number else []
    return list(dict.fromkeys((*receipt.keys, *spelled, *by_number)))


def tie_keys(receipt: Receipt) -> list[tuple[str, str]]:
    """Return the (carrier, key) under which a receipt is found again that may be about an attempt without an id."""
    return list(dict.fromkeys((receipt.carrier, ends_key(number)) for number in receipt.number.split()))


def keys_of(result: Settled, to: Callable[[], str | None]) -> list[str]:
    """Return the keys of the parked receipts that an answer, or its absence, was missing for.

    ``to`` asks for the number of its message, where the answer does not have it; None where there is no message.
    """
    keys = [result.key] if isinstance(result, Answer) and result.key is not None else []
    number = result.to if isinstance(result, Answer) else ""
    if is_off_the_wire(result) and (known := to()):
        keys.append(number_key(known))
    if not isinstance(result, Lost) and (known := number or to()):
        keys.append(ends_key(known))
    return keys


def number_key(numbers: str) -> str:
    """Return the key of a parked receipt that may be told by its number, its source address."""
    return f"to {numbers.partition(' ')[0]}"


def ends_key(number: str) -> str:
    """Return the key of a parked receipt that may be about an attempt without an id, by the end of its number."""
    return f"ends {number[-SAME_DIGITS:]}"
