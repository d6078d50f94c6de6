"""Octets to PDUs and back: two walkers of the wire tables, and fast paths for the PDUs that carry the traffic.

Sending is strict: what does not fit raises EncodeError and nothing is cut.  Receiving is lenient: as much is decoded as
the octets give, and what was strange is listed in ``pdu.oddities`` with the command_status a strict receiver answers.
"""

import struct
from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any, Final

import attrs

from connector.errors import EncodeError, FramingError
from connector.smpp import tables
from connector.smpp.fast_paths import FAST_DECODERS, FAST_ENCODERS
from connector.smpp.fields import CString, Integer, Item, Items, Octets, Time17, Wire, nothing
from connector.smpp.pdu import PDU_BY_ID, Oddity, Pdu, UnknownPdu
from connector.smpp.tlv import Tlv

HEADER: Final = Struct(">4L")
TIME_OCTETS: Final = 17
_unpack_header: Final = HEADER.unpack_from
_fast_encoder: Final = FAST_ENCODERS.get
_fast_decoder: Final = FAST_DECODERS.get
_MAX_SEQUENCE_NUMBER: Final = tables.MAX_SEQUENCE_NUMBER

# Nothing to complain about: these may come as a bare header (SMPP 3.4, 4.4.2; deliver_sm_resp: seen from carriers).
_MAY_OMIT_BODY: Final = frozenset({"deliver_sm_resp"})


def encode(pdu: Pdu, sequence_number: int | None = None) -> bytes:
    """The octets of ``pdu``, with ``sequence_number`` in place of its own when given.

    Raises EncodeError(field, problem) when a value does not fit its field.
    """
    number = pdu.sequence_number if sequence_number is None else sequence_number
    fast = _fast_encoder(pdu.command_id)
    if fast is not None:
        try:
            octets = fast(pdu, number)
        except (TypeError, AttributeError, IndexError, struct.error):
            octets = None  # a value of a wrong type or range: the table says which
        if octets is not None:
            return octets
    return encode_by_table(pdu, number)


def decode(data: bytes | memoryview) -> Pdu:
    """The PDU in ``data``, which is one whole PDU with its header.

    Never raises for what the octets say; FramingError when there are fewer than the 16 of a header.
    """
    octets = data if type(data) is bytes else bytes(data)
    try:
        length, command_id, command_status, sequence_number = _unpack_header(octets)
    except struct.error:
        return decode_by_table(octets)  # which says how many there are
    fast = _fast_decoder(command_id)
    if fast is not None and length == len(octets) and 0 < sequence_number <= _MAX_SEQUENCE_NUMBER:
        pdu = fast(octets, length, command_status, sequence_number)
        if pdu is not None:
            return pdu
    return decode_by_table(octets)


# --- writing --------------------------------------------------------------------------------------------------


def encode_by_table(pdu: Pdu, sequence_number: int | None = None) -> bytes:
    """What ``encode`` does, by walking the wire table alone."""
    number = pdu.sequence_number if sequence_number is None else sequence_number
    header = (pdu.command_id, pdu.command_status, number)
    for name, value in zip(("command_id", "command_status", "sequence_number"), header, strict=True):
        _write_integer(_FOUR_OCTETS, name, value)
    body = _body_octets(pdu)
    return HEADER.pack(tables.HEADER_OCTETS + len(body), *header) + body


def _body_octets(pdu: Pdu) -> bytes:
    if isinstance(pdu, UnknownPdu):
        return _unknown_body(pdu)
    tlvs = _write_tlvs(pdu)
    if pdu.body_omitted or _refuses_without_body(pdu):
        return b""
    return _write_fields(pdu.wire, pdu) + tlvs


def _unknown_body(pdu: UnknownPdu) -> bytes:
    if not isinstance(pdu.body, bytes):
        raise EncodeError("body", f"octets are needed, this is {type(pdu.body).__name__}")
    if pdu.tlvs != ():
        raise EncodeError("tlvs", "nobody knows where they belong in an unknown PDU: its body holds all octets")
    return pdu.body


def _write_tlvs(pdu: Pdu) -> bytes:
    """All TLVs of a PDU, which have to be TLVs, with none missing and no more than one text."""
    if not isinstance(pdu.tlvs, tuple | list) or not all(isinstance(item, Tlv) for item in pdu.tlvs):
        raise EncodeError("tlvs", "a tuple of Tlv values is needed")
    octets = b"".join(map(_write_tlv, pdu.tlvs))
    tags = [item.tag for item in pdu.tlvs]
    for tag in sorted(tables.MANDATORY_TLVS.get(pdu.command, _NONE).difference(tags)):
        raise EncodeError(tables.TLV_BY_TAG[tag].name, f"{pdu.command} cannot go without this TLV")
    # SMPP 3.4, 3.2.3 and 4.4.1: one of them, and which one a receiver reads is anybody's guess
    texts = tags.count(_MESSAGE_PAYLOAD)
    if texts > 1:
        raise EncodeError("message_payload", f"is here {texts} times: a message has one text")
    if texts == 1 and getattr(pdu, "short_message", None):
        raise EncodeError("short_message", "cannot go with message_payload: a message has its text in one of them")
    return octets


def _refuses_without_body(pdu: Pdu) -> bool:
    """True of an error response with nothing in it: its body is left out (SMPP 3.4, 4.4.2)."""
    if not (pdu.command_status and pdu.is_response) or pdu.tlvs or pdu.command in _MAY_OMIT_BODY:
        return False
    return all(getattr(pdu, name) == kind.default for name, kind in pdu.wire)


def _write_fields(wire: Wire, source: object) -> bytes:
    return b"".join([_WRITERS[type(kind)](kind, name, getattr(source, name)) for name, kind in wire])


def _write_cstring(kind: CString, name: str, value: Any) -> bytes:
    octets = _ascii(name, value)
    if len(octets) >= kind.sending_limit:
        raise EncodeError(name, f"{len(octets)} characters, the limit is {kind.sending_limit - 1}")
    return octets + b"\0"


def _write_time(kind: Time17, name: str, value: Any) -> bytes:
    octets = _ascii(name, value)
    if octets and len(octets) != TIME_OCTETS - 1:
        raise EncodeError(name, f"{len(octets)} characters, a time is empty or has exactly {TIME_OCTETS - 1}")
    return octets + b"\0"


def _ascii(name: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise EncodeError(name, f"a string is needed, this is {type(value).__name__}")
    if not value.isascii() or "\0" in value:
        raise EncodeError(name, "only ASCII without NUL is allowed")
    return value.encode("ascii")


def _write_integer(kind: Integer, name: str, value: Any) -> bytes:
    if not isinstance(value, int):
        raise EncodeError(name, f"an integer is needed, this is {type(value).__name__}")
    highest = (1 << (8 * kind.octets)) - 1
    if not 0 <= value <= highest:
        raise EncodeError(name, f"{value} is not in 0 to {highest}")
    return value.to_bytes(kind.octets, "big")


def _write_octets(kind: Octets, name: str, value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise EncodeError(name, f"octets are needed, this is {type(value).__name__}")
    if len(value) > 255:
        raise EncodeError(name, f"{len(value)} octets, {kind.length_field} ends at 255: use message_payload")
    return bytes((len(value),)) + value


def _write_items(kind: Items, name: str, values: Any) -> bytes:
    if not isinstance(values, tuple | list):
        raise EncodeError(name, f"a tuple is needed, this is {type(values).__name__}")
    if not kind.least <= len(values) <= 255:
        raise EncodeError(name, f"{len(values)} items, {kind.count_field} is {kind.least} to 255")
    return bytes((len(values),)) + b"".join([_write_item(kind, name, value) for value in values])


def _write_item(kind: Items, name: str, value: Item) -> bytes:
    by_flag = kind.by_flag or {}
    flags = [flag for flag, layout in by_flag.items() if type(value) is layout]
    if not flags and type(value) is not kind.layout:
        raise EncodeError(name, f"{type(value).__name__} cannot be one of these")
    return bytes(flags) + _write_fields(value.wire, value)


def _write_tlv(item: Tlv) -> bytes:
    if not isinstance(item.tag, int) or not 0 <= item.tag <= 0xFFFF:
        raise EncodeError("tlvs", f"tag {item.tag!r} is not in 0 to 65535")
    if not isinstance(item.value, bytes):
        raise EncodeError("tlvs", f"tag 0x{item.tag:04X}: octets are needed, this is {type(item.value).__name__}")
    if len(item.value) > 0xFFFF:
        raise EncodeError("tlvs", f"tag 0x{item.tag:04X} has {len(item.value)} octets, the limit is 65535")
    return _TLV_HEADER.pack(item.tag, len(item.value)) + item.value


_FOUR_OCTETS: Final = Integer(4)
_TLV_HEADER: Final = Struct(">HH")
_WRITERS: Final[Mapping[type, Callable[[Any, str, Any], bytes]]] = {
    CString: _write_cstring,
    Time17: _write_time,
    Integer: _write_integer,
    Octets: _write_octets,
    Items: _write_items,
}


# --- reading --------------------------------------------------------------------------------------------------


class _BodyEnds(Exception):
    """The octets of a body are used up, or make no sense any more, before its fields are; ``found`` are whole items."""

    def __init__(self, found: tuple[Item, ...] | None = None) -> None:
        super().__init__()
        self.found = found


class _Body:
    """The octets of one body, how far they are read, and what was strange on the way."""

    __slots__ = ("at", "octets", "oddities")

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.at = 0
        self.oddities: list[Oddity] = []

    def note(self, text: str, command_status: int = tables.ESME_ROK) -> None:
        self.oddities.append(Oddity(text, command_status))

    def note_lie(self, text: str, command_status: int, field: str, said: int) -> None:
        """Note a length or count field that promises more than is there."""
        self.oddities.append(Oddity(text, command_status, field, said))

    def note_tail(self, text: str, command_status: int = tables.ESME_RINVTLVSTREAM) -> None:
        """Note that nothing can be read from here on, and keep it as it is."""
        self.oddities.append(Oddity(text, command_status, octets=self.take(self.left)))

    @property
    def left(self) -> int:
        return len(self.octets) - self.at

    def take(self, count: int) -> bytes:
        """The next ``count`` octets, or those that are left."""
        taken = self.octets[self.at : self.at + count]
        self.at += len(taken)
        return taken


def decode_by_table(data: bytes | memoryview) -> Pdu:
    """What ``decode`` does, by walking the wire table alone."""
    octets = bytes(data)
    if len(octets) < tables.HEADER_OCTETS:
        raise FramingError(f"{len(octets)} octets are no PDU: a header has {tables.HEADER_OCTETS}")
    length, command_id, command_status, sequence_number = HEADER.unpack_from(octets)
    body = _Body(octets[tables.HEADER_OCTETS : max(length, tables.HEADER_OCTETS)])
    _note_header(body, len(octets), length, command_id, command_status, sequence_number)
    values: dict[str, Any] = {"sequence_number": sequence_number, "command_status": command_status}
    layout = PDU_BY_ID.get(command_id)
    if layout is None:
        return UnknownPdu(command_id=command_id, body=body.octets, oddities=tuple(body.oddities), **values)
    values |= _read_body(body, layout)
    return layout(oddities=tuple(body.oddities), **values)


def _note_header(body: _Body, present: int, length: int, command_id: int, status: int, sequence: int) -> None:
    if length != present:
        body.note(f"command_length says {length}, {present} octets are here", tables.ESME_RINVCMDLEN)
    if status and not command_id & tables.RESPONSE_BIT:
        body.note(f"a request with command_status {tables.status_name(status)}")
    if sequence > tables.MAX_SEQUENCE_NUMBER or (sequence == 0 and command_id != tables.GENERIC_NACK_ID):
        body.note(f"sequence_number {sequence} is not in 1 to {tables.MAX_SEQUENCE_NUMBER}")


def _read_body(body: _Body, layout: type[Pdu]) -> dict[str, Any]:
    if not body.octets and layout.wire and layout.command_id & tables.RESPONSE_BIT:
        return {"body_omitted": True}
    values: dict[str, Any] = {}
    try:
        _read_fields(body, layout.wire, values)
    except _BodyEnds:
        if body.left:
            body.note_tail(f"{body.left} octets could not be read", tables.ESME_ROK)
        return {name: nothing(kind) for name, kind in layout.wire} | values
    tlvs = values["tlvs"] = _read_tlvs(body, layout, values)
    tags = [item.tag for item in tlvs]
    for tag in sorted(tables.MANDATORY_TLVS.get(layout.command, _NONE).difference(tags)):
        body.note(f"TLV {tables.TLV_BY_TAG[tag].name} is missing", tables.ESME_RMISSINGTLV)
    if _MESSAGE_PAYLOAD in tags and values.get("short_message"):
        body.note("both short_message and message_payload: short_message counts")
    if tags.count(_MESSAGE_PAYLOAD) > 1:
        body.note("message_payload is here more than once: the first counts")
    return values


def _read_fields(body: _Body, wire: Wire, values: dict[str, Any]) -> None:
    """Read the fields of ``wire`` into ``values``; at the first one that is missing stop with _BodyEnds."""
    for number, (name, kind) in enumerate(wire):
        if not body.left:
            missing = tuple(name for name, _ in wire[number:])
            body.oddities.append(Oddity(f"the body ends before {name}", tables.ESME_RINVCMDLEN, missing=missing))
            raise _BodyEnds
        try:
            values[name] = _READERS[type(kind)](kind, name, body)
        except _BodyEnds as end:
            if end.found is not None:
                values[name] = end.found
            missing = tuple(name for name, _ in wire[number:] if name not in values)
            body.oddities[-1] = attrs.evolve(body.oddities[-1], missing=missing)
            raise


def _read_cstring(kind: CString, name: str, body: _Body) -> str:
    octets = _up_to_nul(body, name, kind.fault)
    if len(octets) >= kind.limit:
        body.note(f"{name} has {len(octets)} characters, the limit is {kind.limit - 1}", kind.fault)
    return octets.decode("latin-1")


def _read_time(kind: Time17, name: str, body: _Body) -> str:
    octets = _up_to_nul(body, name, kind.fault)
    if octets and len(octets) != TIME_OCTETS - 1:
        body.note(f"{name} has {len(octets)} characters, a time has 0 or {TIME_OCTETS - 1}", kind.fault)
    return octets.decode("latin-1")


def _up_to_nul(body: _Body, name: str, fault: int) -> bytes:
    end = body.octets.find(0, body.at)
    if end < 0:
        body.note(f"{name} has no NUL", fault)
        return body.take(body.left)
    octets = body.octets[body.at : end]
    body.at = end + 1
    return octets


def _read_integer(kind: Integer, name: str, body: _Body) -> int:
    if body.left < kind.octets:
        body.note_tail(f"the body ends inside {name}", tables.ESME_RINVCMDLEN)
        raise _BodyEnds
    return int.from_bytes(body.take(kind.octets), "big")


def _read_octets(kind: Octets, name: str, body: _Body) -> bytes:
    length = body.take(1)[0]
    if length > body.left:
        text = f"{kind.length_field} says {length}, {body.left} octets are left"
        body.note_lie(text, tables.ESME_RINVMSGLEN, kind.length_field, length)
    return body.take(length)


def _read_items(kind: Items, name: str, body: _Body) -> tuple[Item, ...]:
    found: list[Item] = []
    count = body.take(1)[0]
    if count < kind.least:
        body.note(f"{kind.count_field} is {count}, the least is {kind.least}", tables.ESME_RINVNUMDESTS)
    while len(found) < count:
        start, odd = body.at, len(body.oddities)
        try:
            found.append(_read_item(kind, body))
        except _BodyEnds:
            # What was wrong inside the item, without its octets: those of the whole item are the tail.
            inside = [attrs.evolve(oddity, missing=(), octets=b"") for oddity in body.oddities[odd:]]
            body.oddities[odd:] = inside
            body.at = start
            text = f"{kind.count_field} says {count}, {len(found)} are here"
            body.note_lie(text, tables.ESME_RINVNUMDESTS, kind.count_field, count)
            raise _BodyEnds(tuple(found)) from None
    return tuple(found)


def _read_item(kind: Items, body: _Body) -> Item:
    layout = kind.layout
    if kind.by_flag and body.left:
        flag = body.take(1)[0]
        layout = kind.by_flag.get(flag)
        if layout is None:
            body.note(f"dest_flag {flag} is none of 1 and 2", tables.ESME_RINVDESTFLAG)
            raise _BodyEnds
    if layout is None or not body.left:
        raise _BodyEnds
    values: dict[str, Any] = {}
    _read_fields(body, layout.wire, values)
    return layout(**values)


def _read_tlvs(body: _Body, layout: type[Pdu], values: dict[str, Any]) -> tuple[Tlv, ...]:
    """The TLVs, which end where the body does; where they do not, the text's length may be off by one."""
    start = body.at
    found, body.at = _walk_tlvs(body.octets, start)
    if body.left and isinstance(layout.wire[-1][1] if layout.wire else None, Octets):
        found = _with_another_length(body, start, layout.wire[-1], values) or found
    for item in found:
        spec = tables.TLV_BY_TAG.get(item.tag)
        if spec and not spec.accepts(len(item.value)):
            body.note(f"TLV {spec.name} has {len(item.value)} octets", tables.ESME_RINVTLVLEN)
    if body.left >= _TLV_HEADER.size:
        tag, length = _TLV_HEADER.unpack_from(body.octets, body.at)
        body.note_tail(f"TLV 0x{tag:04X} says {length} octets, {body.left - _TLV_HEADER.size} are left")
    elif body.left:
        body.note_tail(f"{body.left} octets are left after the body")
    return tuple(found)


def _walk_tlvs(octets: bytes, at: int) -> tuple[list[Tlv], int]:
    """The TLVs from ``at`` on, and the offset behind the last whole one."""
    found: list[Tlv] = []
    while len(octets) - at >= _TLV_HEADER.size:
        tag, length = _TLV_HEADER.unpack_from(octets, at)
        end = at + _TLV_HEADER.size + length
        if end > len(octets):
            break
        found.append(Tlv(tag, octets[at + _TLV_HEADER.size : end]))
        at = end
    return found, at


def _with_another_length(body: _Body, start: int, field: tuple[str, Any], values: dict[str, Any]) -> list[Tlv]:
    """The TLVs behind a text one octet shorter or longer than its length says, where all are known and fit; else none.

    The text in ``values`` is set right then, and ``body`` is at its end.
    """
    name, kind = field
    text_starts = start - len(values[name])
    for at in (start - 1, start + 1):
        found, end = _walk_tlvs(body.octets, at) if at >= text_starts else ([], 0)
        if found and end == len(body.octets) and all(map(_is_plausible, found)):
            values[name], body.at = body.octets[text_starts:at], end
            said = start - text_starts
            text = f"{kind.length_field} says {said}, by the TLVs behind it it is {at - text_starts}"
            body.note_lie(text, tables.ESME_RINVMSGLEN, kind.length_field, said)
            return found
    return []


def _is_plausible(item: Tlv) -> bool:
    spec = tables.TLV_BY_TAG.get(item.tag)
    return spec is not None and spec.accepts(len(item.value))


_NONE: Final[frozenset[int]] = frozenset()
_MESSAGE_PAYLOAD: Final = tables.TLV_BY_NAME["message_payload"].tag
_READERS: Final[Mapping[type, Callable[[Any, str, _Body], Any]]] = {
    CString: _read_cstring,
    Time17: _read_time,
    Integer: _read_integer,
    Octets: _read_octets,
    Items: _read_items,
}
