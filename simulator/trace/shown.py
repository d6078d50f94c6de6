"""A PDU as a line of text, for people."""

from typing import Final

from connector.errors import FramingError
from connector.smpp import tables
from connector.smpp.codec import decode
from connector.smpp.pdu import Pdu
from simulator.texts import text_of
from simulator.trace.discreet import as_written
from simulator.trace.record import LinkEvent, Packet

MOST_CHARACTERS: Final = 60


def line_of(event: Packet | LinkEvent, started_at: float) -> str:
    """Return one line: when, on which link, which way, what, and why."""
    when = f"{event.at - started_at:10.3f}  link {event.link}"
    why = f"  ({event.remark})" if event.remark else ""
    if isinstance(event, LinkEvent):
        return f"{when}  {event.kind}{why}"
    arrow = "<-" if event.outgoing else "->"
    return f"{when}  {arrow} {_what(as_written(event))}{why}"


def _what(octets: bytes) -> str:
    try:
        pdu = decode(octets)
    except FramingError:
        return f"{len(octets)} octets that are no PDU: {octets[:16].hex()}"
    status = f" {tables.status_name(pdu.command_status)}" if pdu.is_response or pdu.command_status else ""
    return f"{pdu.command} #{pdu.sequence_number}{status}{_details(pdu)}"


def _details(pdu: Pdu) -> str:
    found = ""
    for name in ("system_id", "message_id", "source_addr", "destination_addr"):
        value = getattr(pdu, name, "")
        found += f" {name}={value}" if value else ""
    text = text_of(pdu)
    shown = text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "..."
    return found + (f" {shown!r}" if shown else "")
