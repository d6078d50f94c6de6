"""PDUs as they may be written down: never with a password, and without numbers and texts where that is asked for."""

from typing import Any, Final

import attrs

from connector.errors import EncodeError, FramingError
from connector.smpp import tables
from connector.smpp.codec import decode, encode
from connector.smpp.pdu import PDU_BY_ID, Pdu
from connector.smpp.tables import TlvKind
from connector.smpp.tlv import Tlv
from simulator.trace.record import Packet

WITH_PASSWORD: Final = frozenset(number for number, layout in PDU_BY_ID.items() if hasattr(layout, "password"))
ADDRESSES: Final = ("source_addr", "destination_addr", "esme_addr", "address_range", "dl_name")
LISTS: Final = ("dest_addresses", "unsuccess_smes")
SHOWN_DIGITS: Final = 4
ABOUT_NOBODY: Final = frozenset(
    row.tag
    for row in tables.TLVS
    if (row.kind is TlvKind.INT and row.name != "callback_num_pres_ind")
    or row.name in ("receipted_message_id", "network_error_code", "ms_validity", "its_session_info")
    or row.name in ("broadcast_content_type", "broadcast_frequency_interval", "broadcast_end_time")
)
"""TLVs that tell nothing of a person: kinds, counts, states and ids.  A vendor's may hold anything."""


def as_written(packet: Packet, *, redact: bool = False) -> bytes:
    """Return the octets of a packet for a file or a screen, as many as there were.

    Until a bind is through, octets that are no clean PDU are blank: a bind that was cut in the wrong place, or glued to
    what is ahead of it, has its password anywhere.  ``redact`` takes away texts and all but the beginnings of numbers.
    """
    octets = packet.octets
    if not packet.bound and not _is_clean(octets):
        return _blank(octets)
    octets = _without_password(octets)
    return without_people(octets) if redact else octets


def _without_password(octets: bytes) -> bytes:
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

    Octets that are no good PDU are blank: they could be anything.
    """
    if not _is_clean(octets):
        return _blank(octets)
    pdu = decode(octets)
    _hide(pdu)
    if pdu.command_status and pdu.is_response and not pdu.body_omitted:
        return _blank(octets)
    try:
        return encode(pdu)
    except EncodeError:
        return _blank(octets)


def _is_clean(octets: bytes) -> bool:
    """Say whether octets are one PDU of a known command with nothing strange in it."""
    try:
        return _is_framed(octets) and not decode(octets).oddities
    except FramingError:
        return False


def _is_framed(octets: bytes) -> bool:
    length, command_id = int.from_bytes(octets[:4], "big"), int.from_bytes(octets[4:8], "big")
    return length == len(octets) and command_id in PDU_BY_ID


def _blank(octets: bytes) -> bytes:
    """Return as many zeros; a header ahead of them that says what the PDU should have been stays."""
    kept = octets[: tables.HEADER_OCTETS] if _is_framed(octets) else b""
    return kept + bytes(len(octets) - len(kept))


def _hide(pdu: Pdu) -> None:
    _hide_addresses(pdu)
    for name in LISTS:
        for item in getattr(pdu, name, ()):
            _hide_addresses(item)
    if getattr(pdu, "short_message", b""):
        pdu.short_message = b"x" * len(pdu.short_message)  # type: ignore[attr-defined]
    pdu.tlvs = tuple(item if _is_about_nobody(item) else attrs.evolve(item, value=_x(item.value)) for item in pdu.tlvs)


def _hide_addresses(holder: Any) -> None:
    for name in ADDRESSES:
        value = getattr(holder, name, "")
        if value:
            setattr(holder, name, value[:SHOWN_DIGITS] + "x" * (len(value) - SHOWN_DIGITS))


def _is_about_nobody(item: Tlv) -> bool:
    return item.tag in ABOUT_NOBODY and tables.TLV_BY_TAG[item.tag].accepts(len(item.value))


def _x(octets: bytes) -> bytes:
    return b"x" * len(octets)
