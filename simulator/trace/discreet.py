"""PDUs as they may be written down: never with a password, and without numbers and texts where that is asked for."""

from typing import Final

from connector.errors import EncodeError, FramingError
from connector.smpp import tables
from connector.smpp.codec import decode, encode
from connector.smpp.pdu import PDU_BY_ID, Pdu
from connector.smpp.tlv import Tlv

WITH_PASSWORD: Final = frozenset(number for number, layout in PDU_BY_ID.items() if hasattr(layout, "password"))
ADDRESSES: Final = ("source_addr", "destination_addr", "esme_addr", "address_range")
SHOWN_DIGITS: Final = 4
TEXT_TLVS: Final = frozenset(tables.TLV_BY_NAME[name].tag for name in ("message_payload", "callback_num"))


def without_password(octets: bytes) -> bytes:
    """Return the octets of a PDU with each octet of a password replaced by an x."""
    if int.from_bytes(octets[4:8], "big") not in WITH_PASSWORD:
        return octets
    start = octets.find(0, tables.HEADER_OCTETS) + 1
    end = octets.find(0, start) if start else -1
    if not start:
        return octets
    end = len(octets) if end < 0 else end
    return octets[:start] + b"x" * (end - start) + octets[end:]


def without_people(octets: bytes) -> bytes:
    """Return a PDU of the same length without text and with the beginnings of numbers only.

    Octets that are no good PDU keep their header: what is behind it could be anything.
    """
    hidden = octets[: tables.HEADER_OCTETS] + bytes(max(0, len(octets) - tables.HEADER_OCTETS))
    try:
        pdu = decode(octets)
        if pdu.oddities:
            return hidden
        _hide(pdu)
        written = pdu.command_status and pdu.is_response and not getattr(pdu, "body_omitted", False)
        return hidden if written else encode(pdu)
    except (FramingError, EncodeError):
        return hidden


def _hide(pdu: Pdu) -> None:
    for name in ADDRESSES:
        value = getattr(pdu, name, "")
        if value:
            setattr(pdu, name, value[:SHOWN_DIGITS] + "x" * (len(value) - SHOWN_DIGITS))
    if getattr(pdu, "short_message", b""):
        pdu.short_message = b"x" * len(pdu.short_message)  # type: ignore[attr-defined]
    pdu.tlvs = tuple(Tlv(item.tag, b"x" * len(item.value)) if item.tag in TEXT_TLVS else item for item in pdu.tlvs)
