"""TLVs: built and read by the table, kept raw where the table does not know them (SMPP 5.0, 4.8)."""

from collections.abc import Callable, Mapping
from typing import Final

import attrs

from connector.errors import EncodeError
from connector.smpp import tables
from connector.smpp.fields import only_the_length
from connector.smpp.tables import TlvKind, TlvSpec


# Defined, not frozen, as the PDUs are: see fields.layout.
@attrs.define
class Tlv:
    """One tag, length, value as on the wire; use ``tlv()`` to build one from the table by name."""

    tag: int
    value: bytes = attrs.field(repr=only_the_length)


def tlv(name: str, value: int | str | bytes) -> Tlv:
    """The TLV ``name`` of the table with ``value``, an int, str or bytes after its kind.

    Raises EncodeError when there is no such name or the value does not fit the lengths of the table.
    """
    spec = tables.TLV_BY_NAME.get(name)
    if spec is None:
        raise EncodeError(name, "no TLV has this name: give Tlv(tag, octets) for a vendor's own")
    return Tlv(spec.tag, pack_tlv(spec, value))


def pack_tlv(spec: TlvSpec, value: int | str | bytes) -> bytes:
    """The octets of ``value`` for this row; EncodeError when it is of the wrong type or length."""
    packed = _PACKERS[spec.kind](spec, value)
    if not spec.accepts(len(packed)):
        low, high = spec.octets[0], spec.octets[-1]
        limit = f"{low}" if low == high else f"{low} {'or' if spec.exact else 'to'} {high}"
        raise EncodeError(spec.name, f"{len(packed)} octets, the table says {limit}")
    return packed


def unpack_tlv(spec: TlvSpec, value: bytes) -> int | str | bytes | None:
    """The value of a received TLV; None for an integer of a width the table does not have.

    Strings and octets of a wrong length are returned all the same: carriers send five octets of node id, and
    receipted_message_id without its NUL.
    """
    if spec.kind is TlvKind.OCTETS:
        return value
    if spec.kind is not TlvKind.INT:
        return value.rstrip(b"\0").decode("latin-1")
    if not spec.accepts(len(value)):
        return None
    return int.from_bytes(value, "big") if value else value


def _pack_int(spec: TlvSpec, value: int | str | bytes) -> bytes:
    if value == b"" and spec.accepts(0):
        return b""
    if not isinstance(value, int):
        raise EncodeError(spec.name, "an integer is needed")
    width = spec.octets[-1]
    if not 0 <= value < 1 << (8 * width):
        raise EncodeError(spec.name, f"{value} does not fit {width} octets")
    return value.to_bytes(width, "big")


def _pack_text(spec: TlvSpec, value: int | str | bytes) -> bytes:
    if not isinstance(value, str):
        raise EncodeError(spec.name, "a string is needed")
    if not value.isascii() or "\0" in value:
        raise EncodeError(spec.name, "only ASCII without NUL is allowed")
    return value.encode("ascii")


def _pack_cstring(spec: TlvSpec, value: int | str | bytes) -> bytes:
    return _pack_text(spec, value) + b"\0"


def _pack_octets(spec: TlvSpec, value: int | str | bytes) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise EncodeError(spec.name, "octets are needed")
    return bytes(value)


_PACKERS: Final[Mapping[TlvKind, Callable[[TlvSpec, int | str | bytes], bytes]]] = {
    TlvKind.INT: _pack_int,
    TlvKind.CSTRING: _pack_cstring,
    TlvKind.DIGITS: _pack_text,
    TlvKind.OCTETS: _pack_octets,
}
