"""What SMPP has a name for and a configuration may name: statuses, fields of submit_sm, TLVs.  Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from connector.errors import EncodeError
from connector.settings import nearest, shown
from connector.smpp import tables
from connector.smpp.tables import TlvKind, TlvSpec
from connector.smpp.tlv import Tlv, pack_tlv

OPTION_FIELDS: Final[Mapping[str, type]] = {
    "service_type": str,
    "protocol_id": int,
    "priority_flag": int,
    "replace_if_present_flag": int,
    "registered_delivery": int,
    "sm_default_msg_id": int,
    "data_coding": int,
}
"""What may be set on a submit_sm, with the type of each; integers have one octet."""

VendorTlvs = Mapping[str, TlvSpec]
"""A carrier's own TLVs by name."""

STATUS_NUMBERS: Final[Mapping[str, int]] = {
    name: row.command_status for row in tables.STATUSES for name in (row.name, row.name_34) if name
}
"""Every command_status by its names in SMPP 5.0 and 3.4."""

MAX_COMMAND_STATUS: Final = 0xFFFFFFFF


def no_such(what: str, name: str, known: Iterable[str]) -> str:
    """Return the sentence about a name that nobody has, with the one that was probably meant."""
    return f"there is no {what} {shown(name)}{nearest(name, known)}"


def number_of(text: str, base: int) -> int | None:
    """Return the number, or None: `int` also takes signs, underscores and digits of other scripts."""
    if not (text.isascii() and text.isalnum()):
        return None
    try:
        return int(text, base)
    except ValueError:  # letters of no digit, or more digits than Python reads
        return None


def status_number(text: str) -> int | None:
    """Return the command_status of a name or of a number such as "0x0400" or "1024"; None if it is neither."""
    number = number_of(text, 16 if text[:2].lower() == "0x" else 10)
    if number is None:
        return STATUS_NUMBERS.get(text)
    return number if number <= MAX_COMMAND_STATUS else None


def option_problem(name: str, value: object, carriers: Iterable[VendorTlvs] = ()) -> str | None:
    """Return what is wrong with one of a request's options, or None: a field of submit_sm or a TLV, by name.

    A TLV that is not SMPP's has to be known to, and fit, all of the ``carriers`` that may get the message.  Octets
    are given as hexadecimal text.
    """
    kind = OPTION_FIELDS.get(name)
    if kind is not None:
        return _field_problem(name, kind, value)
    try:
        for vendor in list(carriers) or [{}]:
            option_tlv(name, value, vendor)
    except EncodeError as error:
        return str(error)
    return None


def _field_problem(name: str, kind: type, value: object) -> str | None:
    if not isinstance(value, kind) or isinstance(value, bool):
        return f"{name} must be {'text' if kind is str else 'a whole number'}"
    if isinstance(value, str):
        fits = len(value) <= 5 and value.isascii() and "\0" not in value
    else:
        fits = isinstance(value, int) and 0 <= value <= 255
    return None if fits else f"{name} does not fit its field"


def option_tlv(name: str, value: object, vendor: VendorTlvs) -> Tlv:
    """Return the TLV of this name; EncodeError where there is none or the value does not fit."""
    spec = tables.TLV_BY_NAME.get(name) or vendor.get(name)
    if spec is None:
        raise EncodeError(name, "neither SMPP nor every carrier of the route has a TLV of this name")
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise EncodeError(name, "a TLV's value is a whole number or text")
    return Tlv(spec.tag, pack_tlv(spec, _octets(name, str(value)) if spec.kind is TlvKind.OCTETS else value))


def _octets(name: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise EncodeError(name, "octets are given as hexadecimal text") from None
