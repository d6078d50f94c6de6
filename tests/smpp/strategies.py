"""Hypothesis strategies for PDUs, drawn from the wire tables themselves."""

from typing import Any

from hypothesis import strategies as st

from connector.smpp import tables
from connector.smpp.fields import CString, Integer, Items, Kind, Octets, Time17
from connector.smpp.pdu import PDU_BY_ID, Pdu, Tlv

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
        case Items():
            layouts = list(kind.by_flag.values()) if kind.by_flag else [kind.layout]
            return st.lists(st.one_of([values_of(layout) for layout in layouts if layout]), max_size=4).map(tuple)


def values_of(layout: Any) -> st.SearchStrategy[Any]:
    """Instances of a class with a wire table, other attributes at their defaults."""
    return st.builds(layout, **{name: value_of(kind) for name, kind in layout.wire})


def tlvs() -> st.SearchStrategy[tuple[Tlv, ...]]:
    """Known and unknown tags with values of lengths the table allows."""
    known = st.sampled_from([row for row in tables.TLVS if row.octets[-1] < 300]).flatmap(
        lambda row: st.builds(Tlv, st.just(row.tag), st.binary(min_size=row.octets[0], max_size=row.octets[-1]))
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
        tlvs=tlvs(),
        sequence_number=st.integers(1, tables.MAX_SEQUENCE_NUMBER),
        command_status=st.sampled_from([0, 0, 8, 0x58, 0x499]) if response else st.just(0),
        **{name: value_of(kind) for name, kind in layout.wire},
    )
