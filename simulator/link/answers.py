"""Answers as octets, right or wrong on purpose."""

from copy import copy

import attrs

from connector.smpp import tables
from connector.smpp.codec import HEADER, encode
from connector.smpp.pdu import PDU_BY_ID, Pdu
from simulator.rules import Play, ends_the_link
from simulator.scenario import Fault, Reply, status_number
from simulator.scenario.fields import COMMANDS
from simulator.scenario.rules import relative


@attrs.frozen(eq=False)
class Changed:
    """An answer that a rule changes, and the fault that goes with it."""

    response: Pdu | None
    """None: nothing is said."""
    reply: Reply | None
    fault: Fault | None
    why: str
    """Name of the rule."""

    @property
    def ends_the_link(self) -> bool:
        """Whether nothing that comes behind it is read any more."""
        return self.fault is not None and ends_the_link(self.fault)


@attrs.frozen(eq=False)
class Later:
    """A request that a rule lets wait before it is looked at."""

    pdu: Pdu
    play: Play


def refusal(pdu: Pdu, command_status: int) -> Pdu:
    """Return the response to a request that is refused with this status."""
    layout = PDU_BY_ID[pdu.command_id | tables.RESPONSE_BIT]
    return layout(command_status=command_status, sequence_number=pdu.sequence_number)


def with_body(response: Pdu) -> bytes:
    """Return an answer with an error that has the body of a good one: many carriers send one."""
    good = copy(response)
    good.command_status = 0
    octets = encode(good)
    return (
        HEADER.pack(len(octets), response.command_id, response.command_status, response.sequence_number) + octets[16:]
    )


def altered(octets: bytes, response: Pdu, reply: Reply) -> bytes:
    """Return what a rule makes of the octets of one response."""
    length, command_id, command_status, sequence_number = HEADER.unpack_from(octets)
    body = octets[tables.HEADER_OCTETS :]
    if reply.body == "keep" and command_status:
        body = with_body(response)[tables.HEADER_OCTETS :]
    if reply.command is not None:
        command_id = reply.command if isinstance(reply.command, int) else COMMANDS[reply.command]
        body = b"" if reply.command == "generic_nack" and reply.body != "keep" else body
    if reply.body == "drop":
        body = b""
    body += bytes.fromhex(reply.tail or "")
    length = relative(tables.HEADER_OCTETS + len(body), reply.length)
    sequence_number = relative(sequence_number, reply.sequence)
    return (HEADER.pack(length, command_id, status_number(reply.status), sequence_number) + body) * reply.times


def octets_of(answer: Changed, said: bytes, *, keeps_bodies: bool) -> bytes:
    """Return what leaves instead of the octets that a session says for a response."""
    response, octets = answer.response, said
    if response is not None and response.command_status and keeps_bodies:
        octets = with_body(response)
    if response is not None and answer.reply is not None:
        octets = altered(octets, response, answer.reply)
    if answer.fault is not None and answer.fault.kind == "truncate":
        octets = octets[: len(octets) // 2]
    return octets
