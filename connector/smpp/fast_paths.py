"""Hand-tuned ways for the PDUs that carry the traffic.

Each does the plain case and returns None for anything else, which then walks the table; a property test holds both to
the same answer.  So nothing here may complain, repair or be lenient; a value of a wrong type or range may raise what it
likes, which ``codec.encode`` turns into a walk of the table.
"""

import re
from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any, Final

from connector.smpp import tables
from connector.smpp.pdu import (
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    Pdu,
    SubmitSm,
    SubmitSmResp,
)
from connector.smpp.tlv import Tlv

_pack_header: Final = Struct(">4L").pack
_unpack_tlv_header: Final = Struct(">HH").unpack_from
_pack_tlv_header: Final = Struct(">HH").pack

FastDecoder = Callable[[bytes, int, int, int], Pdu | None]
"""Octets, their number, command_status and sequence_number to a PDU."""

_BARE_MESSAGE: Final = 33
"""Octets of a submit_sm with nothing in its strings."""
# The five strings of a submit_sm or deliver_sm, each within its limit, and the octets of the integers between them; a
# pattern finds and checks them in a third of the time of five searches.
_strings_of_a_message: Final = re.compile(
    r"([^\0]{0,5})\0..([^\0]{0,20})\0..([^\0]{0,20})\0...([^\0]{16}|)\0([^\0]{16}|)\0.....", re.DOTALL
).match
_MESSAGE_PAYLOAD: Final = tables.TLV_BY_NAME["message_payload"].tag
# Of a row with gaps between its lengths the first alone: the others walk the table.
_TLV_OCTETS: Final = {row.tag: (row.octets[0], row.octets[0 if row.exact else -1]) for row in tables.TLVS}
_ANY_LENGTH: Final = (0, 0xFFFF)
_NO_TLVS: Final[tuple[Tlv, ...]] = ()
"""What a PDU without TLVs has; anything else, a wrong type among it, is looked at."""


# --- writing --------------------------------------------------------------------------------------------------


_CHARACTERS: Final = tuple(map(chr, range(256)))
"""The character of each octet."""
_BEYOND_AN_OCTET: Final = ~0xFF


# The PDUs are Any: a cast would cost each message 0.04 us.
def _encode_message(message: Any, number: int) -> bytes | None:
    """submit_sm and deliver_sm: one string, a character an octet (0.57 us, against 0.61 us for a bytes-format)."""
    service_type, source, destination = message.service_type, message.source_addr, message.destination_addr
    schedule, validity = message.schedule_delivery_time, message.validity_period
    text = message.short_message
    words = f"{service_type}{source}{destination}{schedule}{validity}"  # one look at five strings
    if (
        "\0" in words
        or not words.isascii()
        or len(service_type) > 5
        or len(source) > 20
        or len(destination) > 20
        or (schedule and len(schedule) != 16)
        or (validity and len(validity) != 16)
        or type(text) is not bytes
        or message.body_omitted
    ):
        return None
    after = text
    tlvs = message.tlvs
    if tlvs is not _NO_TLVS:
        payloads = [item.tag for item in tlvs].count(_MESSAGE_PAYLOAD)
        if payloads > 1 or (payloads and text):
            return None
        after += _write_tlvs(tlvs)
    source_ton, source_npi = message.source_addr_ton, message.source_addr_npi
    dest_ton, dest_npi = message.dest_addr_ton, message.dest_addr_npi
    esm_class, protocol_id, priority = message.esm_class, message.protocol_id, message.priority_flag
    registered, replace = message.registered_delivery, message.replace_if_present_flag
    data_coding, default_id = message.data_coding, message.sm_default_msg_id
    # One look at eleven integers: what is negative, too large or no integer shows in all of them together.
    bits = source_ton | source_npi | dest_ton | dest_npi | esm_class | protocol_id | priority | registered | replace
    if (bits | data_coding | default_id) & _BEYOND_AN_OCTET:
        return None
    character = _CHARACTERS
    body = (
        f"{service_type}\0{character[source_ton]}{character[source_npi]}{source}\0"
        f"{character[dest_ton]}{character[dest_npi]}{destination}\0"
        f"{character[esm_class]}{character[protocol_id]}{character[priority]}{schedule}\0{validity}\0"
        f"{character[registered]}{character[replace]}{character[data_coding]}{character[default_id]}"
        f"{character[len(text)]}"
    )
    header = _pack_header(_BARE_MESSAGE + len(words) + len(after), message.command_id, message.command_status, number)
    return header + body.encode("latin-1") + after


def _write_tlvs(tlvs: tuple[Tlv, ...]) -> bytes:
    return b"".join([_pack_tlv_header(item.tag, len(item.value)) + item.value for item in tlvs])


def _encode_submit_sm_resp(pdu: Any, number: int) -> bytes | None:
    message_id = pdu.message_id
    if pdu.command_status or pdu.body_omitted or len(message_id) > 64 or "\0" in message_id or not message_id.isascii():
        return None
    body: bytes = message_id.encode() + b"\0"
    if pdu.tlvs is not _NO_TLVS:
        body += _write_tlvs(pdu.tlvs)
    return _pack_header(16 + len(body), pdu.command_id, 0, number) + body


def _encode_deliver_sm_resp(pdu: Any, number: int) -> bytes | None:
    if pdu.message_id != "" or pdu.tlvs is not _NO_TLVS or pdu.body_omitted:
        return None
    return _pack_header(17, 0x80000005, pdu.command_status, number) + b"\0"


def _encode_bare(pdu: Any, number: int) -> bytes | None:
    if pdu.body_omitted or pdu.tlvs is not _NO_TLVS:
        return None
    return _pack_header(16, pdu.command_id, pdu.command_status, number)


FAST_ENCODERS: Final[Mapping[int, Callable[[Any, int], bytes | None]]] = {
    SubmitSm.command_id: _encode_message,
    DeliverSm.command_id: _encode_message,
    SubmitSmResp.command_id: _encode_submit_sm_resp,
    DeliverSmResp.command_id: _encode_deliver_sm_resp,
    EnquireLink.command_id: _encode_bare,
    EnquireLinkResp.command_id: _encode_bare,
}


# --- reading --------------------------------------------------------------------------------------------------


def _decode_message(layout: Callable[..., Pdu]) -> FastDecoder:
    """A reader of submit_sm or deliver_sm; the values go in by position, in the order of the wire table."""

    def decode(data: bytes, size: int, status: int, number: int) -> Pdu | None:
        found = _strings_of_a_message(data.decode("latin-1"), 16)  # a character an octet: offsets are the same
        if found is None or status:
            return None
        service_type, source, destination, schedule, validity = found.groups()
        at_source = 17 + len(service_type)
        at_dest = at_source + 3 + len(source)
        at_flags = at_dest + 3 + len(destination)
        start = found.end()
        end = start + data[start - 1]
        tlvs: tuple[Tlv, ...] | None = ()
        if end != size:
            tlvs = _read_tlvs(data, end, has_text=end > start)
            if tlvs is None:
                return None
        return layout(
            service_type,
            data[at_source], data[at_source + 1], source,
            data[at_dest], data[at_dest + 1], destination,
            data[at_flags], data[at_flags + 1], data[at_flags + 2], schedule, validity,
            data[start - 5], data[start - 4], data[start - 3], data[start - 2],
            data[start:end], tlvs, number,
        )  # fmt: skip

    return decode


def _read_tlvs(data: bytes, at: int, *, has_text: bool) -> tuple[Tlv, ...] | None:
    found = []
    length = len(data)
    if at > length:
        return None
    while at < length:
        if length - at < 4:
            return None
        tag, octets = _unpack_tlv_header(data, at)
        at += 4
        end = at + octets
        lowest, highest = _TLV_OCTETS.get(tag, _ANY_LENGTH)
        if end > length or not lowest <= octets <= highest:
            return None
        if tag == _MESSAGE_PAYLOAD:
            if has_text:
                return None
            has_text = True  # a second one is as odd
        found.append(Tlv(tag, data[at:end]))
        at = end
    return tuple(found)


def _decode_message_id_resp(layout: Callable[..., Pdu]) -> FastDecoder:
    """A reader of submit_sm_resp and deliver_sm_resp that end with the NUL of their message_id."""

    def decode(data: bytes, size: int, status: int, number: int) -> Pdu | None:
        if not 17 <= size <= 81 or data.find(0, 16) != size - 1:
            return None
        return layout(data[16:-1].decode("latin-1"), (), number, status)

    return decode


def _decode_bare(layout: Callable[..., Pdu]) -> FastDecoder:
    def decode(data: bytes, size: int, status: int, number: int) -> Pdu | None:
        return layout((), number) if size == 16 and not status else None

    return decode


FAST_DECODERS: Final[Mapping[int, FastDecoder]] = {
    SubmitSm.command_id: _decode_message(SubmitSm),
    DeliverSm.command_id: _decode_message(DeliverSm),
    SubmitSmResp.command_id: _decode_message_id_resp(SubmitSmResp),
    DeliverSmResp.command_id: _decode_message_id_resp(DeliverSmResp),
    EnquireLink.command_id: _decode_bare(EnquireLink),
    EnquireLinkResp.command_id: _decode_bare(EnquireLinkResp),
}
"""By command_id; to be asked only where command_length is the octets' number and sequence_number in its range."""
