"""One link as it is seen at the connector's door: what was asked, answered and said."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import attrs

from connector.errors import FramingError
from connector.smpp import tables
from connector.smpp.framing import Framer
from tests.simulation.network import Link

RESPONSE: Final = 0x8000_0000
GENERIC_NACK: Final = RESPONSE
SUBMIT_SM: Final = 0x04
UNBIND: Final = 0x06
ENQUIRE_LINK: Final = 0x15
BIND_RESPONSES: Final = frozenset({0x8000_0001, 0x8000_0002, 0x8000_0009})


@attrs.frozen
class Header:
    """What a PDU begins with."""

    command: int
    status: int
    sequence: int


def header(pdu: bytes) -> Header:
    """Return the header of a whole PDU."""
    command, status, sequence = (int.from_bytes(pdu[at : at + 4], "big") for at in (4, 8, 12))
    return Header(command, status, sequence)


@attrs.define
class Wire:
    """What has passed."""

    link: Link
    timeout_s: float
    out: Framer = attrs.field(factory=Framer)
    into: Framer | None = attrs.field(factory=Framer)
    """None once octets came that are no PDU: nothing behind them can be read."""
    asked: dict[int, tuple[int, float]] = attrs.field(factory=dict)
    """Command and time of requests of ours that have no answer, by sequence number."""
    newest_answer: int = 0
    """The largest sequence number that was answered."""
    is_bound: bool = False
    unbound: bool = False
    """Whether either side has said unbind."""
    left_in_order: bool = False
    """Whether our unbind was answered."""
    stray_nacks: int = 0
    """generic_nack to nothing that was asked."""

    def wrote(self, data: bytes) -> Iterator[tuple[bytes, Header]]:
        """Return the PDUs that are whole with these octets of ours."""
        for pdu in self.out.feed(data):
            yield pdu, header(pdu)

    def read(self, data: bytes) -> Iterator[Header]:
        """Return what came with these octets, each before it is taken note of."""
        pdus: list[bytes] = []
        with suppress(FramingError):
            pdus = [] if self.into is None else self.into.feed(data)
        if self.into is not None and self.into.error is not None:
            self.into = None
        for pdu in pdus:
            came = header(pdu)
            yield came
            self._note(came)

    def _note(self, came: Header) -> None:
        if came.command & RESPONSE:
            self.stray_nacks += came.command == GENERIC_NACK and came.sequence not in self.asked
            self.newest_answer = max(self.newest_answer, came.sequence)
            self.asked.pop(came.sequence, None)
        self.is_bound |= came.command in BIND_RESPONSES and came.status == tables.ESME_ROK
        self.unbound |= came.command == UNBIND
        self.left_in_order |= came.command == UNBIND | RESPONSE

    def is_overtaken(self, came: Header) -> bool:
        """Tell whether an answer comes behind one to a later request."""
        return came.command & RESPONSE > 0 and came.sequence in self.asked and came.sequence < self.newest_answer
