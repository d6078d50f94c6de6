"""Whether values fit the PDUs they are meant for: found out by encoding once, when a scenario is read."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from connector.errors import EncodeError
from connector.smpp.alphabet import Alphabet, fits
from connector.smpp.alphabet import encode as octets_of
from connector.smpp.codec import encode
from connector.smpp.parts import Concatenation, Profile, cut
from connector.smpp.pdu import Pdu
from connector.smpp.tlv import tlv
from connector.smpp.udh import MOST_PARTS

MANY: Final = 1_000_000
"""Of what is made again and again with a number in it, this one has to fit too."""
MOST_NUMBERS: Final = 1 << 32
"""Ids that a run may give, those that name no message among them."""
_WAYS: Final = {"udh8": Concatenation.UDH8, "udh16": Concatenation.UDH16, "sar": Concatenation.SAR}


def field_of(layout: type[Pdu], name: str) -> Callable[[object, object, str | None], None]:
    """Return a validator that lets pass what fits this field of a PDU, and None."""

    def check(_instance: object, _field: object, value: str | None) -> None:
        problem = None if value is None else problem_of_field(layout, name, value)
        if problem:
            raise ValueError(problem)

    return check


def problem_of_field(layout: type[Pdu], name: str, value: Any) -> str | None:
    """Say in a sentence why a value does not fit this field of a PDU, or None."""
    try:
        encode(layout(**{name: value}))
    except EncodeError as error:
        return f"does not fit {layout.command}: {error.problem}"
    return None


def problem_of_text(text: str, split: str) -> str | None:
    """Say in a sentence why a text cannot travel in this way, "udh8", "udh16", "sar" or "payload", or None."""
    try:
        if split == "payload":
            tlv("message_payload", octets_of(text, Alphabet.GSM if fits(text, Alphabet.GSM) else Alphabet.UCS2))
        else:
            cut(text, Profile(concatenation=_WAYS[split], max_parts=MOST_PARTS))
    except EncodeError as error:
        return f"cannot be sent: {error.problem}"
    return None


def first_problem(made: Callable[[int], str], problem_of: Callable[[str], str | None], numbers: Iterable[int]) -> str:
    """Return what is wrong with the first of these numbers' values that does not fit; "" where all do."""
    return next(_problems(made, problem_of, numbers), "")


def _problems(
    made: Callable[[int], str], problem_of: Callable[[str], str | None], numbers: Iterable[int]
) -> Iterator[str]:
    for number in numbers:
        problem = problem_of(made(number))
        if problem:
            yield problem if number == 1 else f"number {number:,}: {problem}"
