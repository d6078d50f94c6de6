"""A PDU as a line of text, for people."""

from collections.abc import Iterator, Mapping
from typing import Final

from connector.errors import FramingError
from connector.smpp import tables
from connector.smpp.codec import decode
from connector.smpp.pdu import Pdu
from connector.smpp.receipt import is_intermediate, is_receipt, parse_receipt
from connector.smpp.tlv import Tlv, unpack_tlv
from connector.smpp.udh import UDH_INDICATOR, parse_udh
from simulator.texts import text_of
from simulator.trace.discreet import as_written
from simulator.trace.record import LinkEvent, Packet

MOST_CHARACTERS: Final = 60
ALWAYS: Final = ("system_id", "message_id", "source_addr", "destination_addr")
UNLESS_0: Final[Mapping[str, str]] = {"esm_class": "{:#04x}", "data_coding": "{}", "registered_delivery": "{}"}
"""Fields that are shown where they are not what they nearly always are, and how."""
_TLVS: Final = {tables.TLV_BY_NAME[name].tag: name for name in ("receipted_message_id", "message_state")}
_PAYLOAD: Final = tables.TLV_BY_NAME["message_payload"].tag
_SAR: Final = [tables.TLV_BY_NAME[name].tag for name in ("sar_segment_seqnum", "sar_total_segments")]


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
    return f"{pdu.command} #{pdu.sequence_number}{status}{''.join(f' {detail}' for detail in _details(pdu))}"


def _details(pdu: Pdu) -> Iterator[str]:
    values = ((name, getattr(pdu, name, "")) for name in ALWAYS)
    yield from (f"{name}={value}" for name, value in values if value)
    numbers = ((name, form, getattr(pdu, name, 0)) for name, form in UNLESS_0.items())
    yield from (f"{name}={form.format(value)}" for name, form, value in numbers if value)
    tlvs = {item.tag: item for item in pdu.tlvs}
    yield from _part(pdu, tlvs)
    if _PAYLOAD in tlvs:
        yield f"message_payload={len(tlvs[_PAYLOAD].value)} octets"
    receipt = _receipt(pdu, tlvs) if _is_receipt(pdu, tlvs) else ()
    yield from receipt
    text = "" if any(each.startswith("stat:") for each in receipt) else text_of(pdu)
    if text:
        is_whole = len(text) <= MOST_CHARACTERS or _is_receipt(pdu, tlvs)
        yield repr(text if is_whole else text[:MOST_CHARACTERS] + "...")


def _part(pdu: Pdu, tlvs: Mapping[int, Tlv]) -> Iterator[str]:
    """Yield which part of a long message this is, by its header or by the sar TLVs."""
    header = None
    if getattr(pdu, "esm_class", 0) & UDH_INDICATOR:
        header = parse_udh(getattr(pdu, "message_octets", b""))
    if header is not None and header.number is not None:
        yield f"part {header.number}/{header.total} of {header.reference}"
    elif all(tag in tlvs for tag in _SAR):
        yield f"part {'/'.join(str(int.from_bytes(tlvs[tag].value, 'big')) for tag in _SAR)}"


def _is_receipt(pdu: Pdu, tlvs: Mapping[int, Tlv]) -> bool:
    esm_class = getattr(pdu, "esm_class", 0)
    is_one = is_intermediate(esm_class) or is_receipt(esm_class, not _TLVS.keys().isdisjoint(tlvs))
    return is_one and pdu.command in ("deliver_sm", "data_sm")


def _receipt(pdu: Pdu, tlvs: Mapping[int, Tlv]) -> list[str]:
    """Return what a receipt says of which message, as its text and its TLVs have it: nothing of it is cut."""
    found = parse_receipt(
        getattr(pdu, "message_octets", b""),
        esm_class=getattr(pdu, "esm_class", 0),
        data_coding=getattr(pdu, "data_coding", 0),
    )
    said = (("id", found.id), ("stat", found.stat), ("err", found.err))
    values = {name: unpack_tlv(tables.TLV_BY_TAG[tag], tlvs[tag].value) for tag, name in _TLVS.items() if tag in tlvs}
    return [
        *(f"{name}:{value}" for name, value in said if value is not None),
        *(f"{name}={value!s}" for name, value in values.items()),
    ]
