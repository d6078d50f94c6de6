"""Hypothesis strategies for PDUs, drawn from the wire tables themselves."""

from typing import Any

from hypothesis import strategies as st

from connector.smpp import tables
from connector.smpp.fields import CString, Integer, Items, Kind, Octets, Time17
from connector.smpp.pdu import PDU_BY_ID, BroadcastSm, DestAddress, Pdu, SubmitMulti, Tlv, tlv

AREA_AND_PACE = (
    tlv("broadcast_area_identifier", b"\0North"),
    tlv("broadcast_content_type", b"\1\0\0"),
    tlv("broadcast_frequency_interval", b"\x08\0\x1e"),
    tlv("broadcast_rep_num", 1),
)
"""The TLVs without which no broadcast is sent."""


def least(layout: type[Pdu], **given: Any) -> Pdu:
    """A PDU of this class with the least it can be sent with."""
    if layout is SubmitMulti:
        given = {"dest_addresses": (DestAddress(destination_addr="1"),), **given}
    if layout is BroadcastSm:
        given = {"tlvs": AREA_AND_PACE, **given}
    return layout(**given)


ASCII = st.characters(min_codepoint=1, max_codepoint=127)


def text(longest: int) -> st.SearchStrategy[str]:
    """ASCII without NUL."""
    return st.text(ASCII, max_size=longest)


def time17() -> st.SearchStrategy[str]:
    """Empty or exactly 16 characters."""
    return st.just("") | st.text(ASCII, min_size=16, max_size=16)


def value_of(kind: Kind) -> st.SearchStrategy[Any]:
    """Any value a field of this kind can carry."""
    match kind:
        case CString(limit=limit):
            return text(limit - 1)
        case Time17():
            return time17()
        case Integer(octets=octets):
            return st.integers(0, (1 << 8 * octets) - 1)
        case Octets():
            return st.binary(max_size=255)
        case Items(least=fewest):
            layouts = list(kind.by_flag.values()) if kind.by_flag else [kind.layout]
            items = st.one_of([values_of(layout) for layout in layouts if layout])
            return st.lists(items, min_size=fewest, max_size=4).map(tuple)


def values_of(layout: Any) -> st.SearchStrategy[Any]:
    """Instances of a class with a wire table, other attributes at their defaults."""
    return st.builds(layout, **{name: value_of(kind) for name, kind in layout.wire})


def lengths(row: tables.TlvSpec) -> st.SearchStrategy[int]:
    """The lengths a value may have."""
    return st.sampled_from([length for length in range(row.octets[-1] + 1) if row.accepts(length)])


def tlvs() -> st.SearchStrategy[tuple[Tlv, ...]]:
    """Known and unknown tags with values of lengths the table allows."""
    known = st.sampled_from([row for row in tables.TLVS if row.octets[-1] < 300]).flatmap(
        lambda row: st.builds(Tlv, st.just(row.tag), lengths(row).flatmap(lambda n: st.binary(min_size=n, max_size=n)))
    )
    vendor = st.builds(Tlv, st.integers(0x1400, 0x3FFF), st.binary(max_size=20))
    return st.lists(known | vendor, max_size=4).map(tuple)


def pdus(*layouts: type[Pdu]) -> st.SearchStrategy[Pdu]:
    """Well-formed PDUs of these classes, of all when none is named."""
    return st.sampled_from(layouts or list(PDU_BY_ID.values())).flatmap(_pdus_of)


def _pdus_of(layout: type[Pdu]) -> st.SearchStrategy[Pdu]:
    response = bool(layout.command_id & tables.RESPONSE_BIT)
    return st.builds(
        layout,
        tlvs=tlvs().map(lambda drawn: (*AREA_AND_PACE, *drawn)) if layout is BroadcastSm else tlvs(),
        sequence_number=st.integers(1, tables.MAX_SEQUENCE_NUMBER),
        command_status=st.sampled_from([0, 0, 8, 0x58, 0x499]) if response else st.just(0),
        **{name: value_of(kind) for name, kind in layout.wire},
    )
