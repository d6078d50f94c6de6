"""Fields of submit_sm and TLVs by name: what a message's options and a dialect's constants may say."""

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from connector.config import DialectConfig
from connector.config.dialect import TlvConfig
from connector.errors import EncodeError
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

Fields = tuple[tuple[str, str | int], ...]
VendorTlvs = Mapping[str, TlvSpec]
"""A carrier's own TLVs by name."""

_KINDS: Final = {
    "c-octets": TlvKind.CSTRING,
    "text": TlvKind.DIGITS,
    "octets": TlvKind.OCTETS,
    "int": TlvKind.INT,
}


def vendor_tlvs(config: DialectConfig) -> VendorTlvs:
    """Return the TLVs a dialect defines, as rows like those of the protocol."""
    return {name: _row(name, definition) for name, definition in config.tlv.items()}


def _row(name: str, definition: TlvConfig) -> TlvSpec:
    if definition.kind == "int":
        octets: tuple[int, ...] = (definition.octets or 1,)
    else:
        octets = (0, definition.octets or 0xFFFF)
    return TlvSpec(definition.tag, name, _KINDS[definition.kind], octets)


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
    except (EncodeError, ValueError) as error:
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
    """Return the TLV of this name; EncodeError or ValueError where there is none or the value does not fit."""
    spec = tables.TLV_BY_NAME.get(name) or vendor.get(name)
    if spec is None:
        raise EncodeError(name, "neither SMPP nor every carrier of the route has a TLV of this name")
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise EncodeError(name, "a TLV's value is a whole number or text")
    octets = bytes.fromhex(str(value)) if spec.kind is TlvKind.OCTETS else value
    return Tlv(spec.tag, pack_tlv(spec, octets))


@attrs.frozen
class Extras:
    """What is set on a submit_sm beside its text and addresses."""

    fields: Fields = ()
    tlvs: tuple[Tlv, ...] = ()


def extras(given: Mapping[str, object], vendor: VendorTlvs) -> Extras:
    """Return fields and TLVs by their names; EncodeError or ValueError where `option_problem` has something to say."""
    fields = [(name, value) for name, value in given.items() if name in OPTION_FIELDS]
    tlvs = [option_tlv(name, value, vendor) for name, value in given.items() if name not in OPTION_FIELDS]
    return Extras(tuple((name, value) for name, value in fields if isinstance(value, str | int)), tuple(tlvs))
