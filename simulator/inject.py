"""PDUs and octets that nobody asked for: made, and said when their time has come."""

import math
from collections.abc import Sequence
from typing import Final, Protocol

import attrs

from connector.smpp import tables
from connector.smpp.codec import HEADER
from connector.smpp.pdu import PDU_BY_ID, Pdu, UnknownPdu
from connector.smpp.session import Session
from connector.smpp.window import InFlight
from simulator.carrier import Carrier, Occasion
from simulator.scenario import Inject, InjectedPdu, status_number
from simulator.scenario.bodies import body_of
from simulator.scenario.names import name_of
from simulator.scenario.rules import relative

FIRST_SEQUENCE: Final = 0x40000001
"""Injected PDUs are numbered from here on: the session itself, which counts from 1, does not get so far."""
INJECTED: Final = object()
"""Token of a request that was injected; what becomes of it does not matter."""
_SM_LENGTH_MASK: Final = 0xFF


class Link(Protocol):
    """The carrier's end of a link, as far as something is injected there."""

    number: int
    place: int
    session: Session

    @property
    def who(self) -> str:
        """system_id of who is bound, or of who asks to bind."""

    def say(self, octets: bytes) -> None:
        """Send octets that are none of the session's."""


def octets_of(pdu: InjectedPdu, next_sequence: int) -> bytes:
    """Return an injected PDU as it leaves; ``next_sequence`` is its number unless it says another.

    Raises EncodeError where a value does not fit its field.
    """
    body = _made_body(pdu) if pdu.body is None else bytes.fromhex(pdu.body)
    body += bytes.fromhex(pdu.tail or "")
    length = relative(tables.HEADER_OCTETS + len(body), pdu.length)
    sequence_number = relative(next_sequence, pdu.sequence)
    return HEADER.pack(length, pdu.command_id, status_number(pdu.status), sequence_number) + body


def _made_body(pdu: InjectedPdu) -> bytes:
    """Return the body made from keys, where the octet ahead of the text may say another sm_length than is true."""
    body = body_of(pdu.command_id, pdu.keys)
    if pdu.sm_length is None:
        return body
    textless = body_of(pdu.command_id, {**pdu.keys, "text": ""})
    place = len(textless) - 1
    said = relative(body[place], pdu.sm_length) & _SM_LENGTH_MASK
    return body[:place] + bytes([said]) + body[place + 1 :]


@attrs.define(eq=False)
class _Entry:
    """One ``[[inject]]`` and how far it has come; times are in seconds since the start of the simulator."""

    inject: Inject
    name: str
    next_at_s: float
    happened: int = 0

    def is_of(self, link: Link) -> bool:
        inject = self.inject
        return inject.account in (None, link.who) and inject.bind in (None, link.place)

    def is_due(self, now_s: float) -> bool:
        """Say whether its time has come; then the next is one that lies ahead, whatever was missed."""
        if now_s < self.next_at_s:
            return False
        at_s, every_s = self.inject.at_s or 0.0, self.inject.every_s
        self.next_at_s = math.inf if every_s is None else at_s + (math.floor((now_s - at_s) / every_s) + 1) * every_s
        return True

    def counts(self, occasion: Occasion, link: Link) -> bool:
        """Take note of what has happened, and say whether this time is meant."""
        if self.inject.on != occasion or not self.is_of(link):
            return False
        self.happened += 1
        return self.inject.nth in (None, self.happened)


class Injections:
    """All that a scenario injects."""

    def __init__(self, injects: Sequence[Inject], carrier: Carrier) -> None:
        self._carrier = carrier
        self._sequence = FIRST_SEQUENCE
        self._entries = [
            _Entry(inject, name_of(inject.name, "inject", index), math.inf if inject.at_s is None else inject.at_s)
            for index, inject in enumerate(injects)
        ]

    @property
    def next_at_s(self) -> float:
        """When something is due next; infinity if nothing is."""
        return min([entry.next_at_s for entry in self._entries], default=math.inf)

    def advance(self, links: Sequence[Link], now_s: float, now: float) -> None:
        """Say on these links what is due by ``now_s`` since the start of the simulator."""
        for entry in self._entries:
            if entry.is_due(now_s):
                for link in links:
                    if entry.is_of(link):
                        self._say(entry, link, now_s, now)

    def happened(self, occasion: Occasion, link: Link, now_s: float, now: float) -> None:
        """Say on a link what belongs to something that has happened there."""
        for entry in self._entries:
            if entry.counts(occasion, link):
                self._say(entry, link, now_s, now)

    def _say(self, entry: _Entry, link: Link, now_s: float, now: float) -> None:
        if not self._carrier.faults.happens(entry.name, now_s):
            return
        inject = entry.inject
        if inject.pdu is not None:
            octets = self._numbered(inject.pdu, link, now)
        elif inject.octets is not None:
            octets = bytes.fromhex(inject.octets)
        else:
            octets = (inject.bytes or "").encode("latin-1")
        self._carrier.remark(link.number, entry.name, octets)
        link.say(octets)

    def _numbered(self, pdu: InjectedPdu, link: Link, now: float) -> bytes:
        """Return the octets of a PDU whose answer, if one is due, the session will not find strange."""
        following, self._sequence = self._sequence, self._sequence + 1
        number = relative(following, pdu.sequence)
        window = link.session.window
        if _is_answered(pdu.command_id) and number not in window and window.free and not link.session.closed:
            window.put(InFlight(number, INJECTED, _request(pdu.command_id), now))
        return octets_of(pdu, following)


def _is_answered(command_id: int) -> bool:
    row = tables.COMMAND_BY_ID.get(command_id)
    return not command_id & tables.RESPONSE_BIT and (row is None or row.answered)


def _request(command_id: int) -> Pdu:
    layout = PDU_BY_ID.get(command_id)
    return UnknownPdu(command_id=command_id) if layout is None else layout()
