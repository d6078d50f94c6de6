"""The messages of a load: each has a number from 1, and its text begins with it, so that no two are alike."""

from collections.abc import Callable
from typing import Final

import attrs

from connector.smpp.alphabet import Alphabet, data_coding_of
from connector.smpp.parts import Concatenation, Profile, cut, room, short_message
from connector.smpp.pdu import SubmitSm
from connector.smpp.udh import MOST_PARTS, UDH_INDICATOR
from simulator import draws
from simulator.mo import ton_npi
from simulator.scenario import Load, LoadText
from simulator.scenario.messages import Lorem

BEYOND_GSM: Final = "жзий"
"""Letters that no GSM alphabet has."""
WAY: Final = Concatenation.UDH16
STRETCH: Final = 40
"""Characters of filling from one number to the next in a long text: of those each part has room for one whole number,
also in UCS-2, where it has 66."""
FULL_RECEIPT: Final = 1
"""registered_delivery that asks for the final word, good or bad (SMPP 3.4, 5.2.17)."""


@attrs.define(eq=False)
class Message:
    """A message under way."""

    number: int
    planned_at: float
    left: int = 0
    """Parts without a good answer."""
    is_sent: bool = False
    is_over: bool = False
    """It was accepted, refused or given up."""


@attrs.define(eq=False)
class Part:
    """One submit_sm of a message."""

    message: Message
    pdu: SubmitSm
    place: int = 1
    """From 1 to ``total``."""
    total: int = 1
    tries: int = 0
    is_answered: bool = False


class Messages:
    """Makes the texts and the submit_sm of a load."""

    def __init__(self, load: Load, seed: int) -> None:
        self._load = load
        weights = {str(place): text.weight for place, text in enumerate(load.text)}
        self._pick = draws.choice(weights, draws.stream(seed, "load.text"))
        self._fillers = [_filler(text) for text in load.text]
        self._profile = Profile(concatenation=WAY, max_parts=MOST_PARTS)
        self._source = ton_npi(load.from_)
        self._registered_delivery = FULL_RECEIPT if load.receipts else 0

    def text(self, number: int) -> str:
        """Return the text of a message."""
        return self._fillers[int(self._pick(number))](f"#{number} ")

    def destination(self, number: int) -> str:
        """Return whom a message goes to."""
        return self._load.to.format(n=number)

    def parts(self, message: Message) -> list[Part]:
        """Return the submit_sm of a message; EncodeError when an address does not fit."""
        number, text = message.number, self.text(message.number)
        made, destination = cut(text, self._profile), self.destination(message.number)
        ton, npi = ton_npi(destination)
        parts = []
        for place in range(1, len(made.bounds) + 1):
            octets, has_header = short_message(text, made, place, reference=number & 0xFFFF, way=WAY)
            pdu = SubmitSm(
                source_addr_ton=self._source[0],
                source_addr_npi=self._source[1],
                source_addr=self._load.from_,
                dest_addr_ton=ton,
                dest_addr_npi=npi,
                destination_addr=destination,
                esm_class=UDH_INDICATOR if has_header else 0,
                registered_delivery=self._registered_delivery,
                data_coding=data_coding_of(made.alphabet),
                short_message=octets,
            )
            parts.append(Part(message, pdu, place, len(made.bounds)))
        message.left = len(parts)
        return parts


def _filler(text: LoadText) -> Callable[[str], str]:
    """Return what makes a text of its beginning.

    In one of several parts that beginning comes again and again and at the end, so that each part has it: two
    messages would otherwise differ in their first part alone.  A full stop keeps a beginning that was cut off from
    being taken for another number.
    """
    characters = text.gsm7 or text.ucs2 or 0
    filling = f"{Lorem():{characters}}" if text.gsm7 else BEYOND_GSM * characters
    if characters <= room(Alphabet.GSM if text.gsm7 else Alphabet.UCS2):
        return lambda beginning: (beginning + filling)[:characters]
    stretch = filling[:STRETCH]

    def long(beginning: str) -> str:
        end = f".{beginning.rstrip()}"
        return ((beginning + stretch) * (characters // STRETCH + 1))[: characters - len(end)] + end

    return long
