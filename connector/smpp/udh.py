"""The user data header: what joins the parts of a long message and names ports and shift tables.

Source: 3GPP TS 23.040 section 9.2.3.24, TS 23.038 section 6.2.1.2 (shift tables).
"""

from collections.abc import Mapping
from typing import Final

import attrs

from connector.errors import EncodeError
from connector.smpp.flags import EsmClass

UDH_INDICATOR: Final = int(EsmClass.UDHI)
"""The bit of esm_class that says that a header is there (SMPP 3.4, 5.2.12)."""
MOST_PARTS: Final = 255  # total and number are one octet each

_CONCAT8: Final = 0x00
_PORTS8: Final = 0x04
_PORTS16: Final = 0x05
_CONCAT16: Final = 0x08
_SINGLE_SHIFT: Final = 0x24
_LOCKING_SHIFT: Final = 0x25

# Element to the length its data must have; one with another length is passed over (TS 23.040, 9.2.3.24).
_ELEMENT_BYTES: Final[Mapping[int, int]] = {
    _CONCAT8: 3,
    _CONCAT16: 4,
    _PORTS8: 2,
    _PORTS16: 4,
    _SINGLE_SHIFT: 1,
    _LOCKING_SHIFT: 1,
}


@attrs.frozen(kw_only=True)
class Udh:
    """A user data header as received."""

    length_bytes: int
    """Of the whole header, its length octet included."""
    reference: int | None = None
    """Shared by the parts of one message; None when the header does not join parts."""
    total: int | None = None
    number: int | None = None
    """Of this part, 1 to ``total``."""
    wide: bool = False
    """Whether the reference had 16 bits: part of its identity."""
    destination_port: int | None = None
    source_port: int | None = None
    locking: int = 0
    """Language of the national locking shift table, 0 for the default alphabet."""
    single: int = 0
    """Language of the national single shift table, 0 for the default extension."""
    elements: tuple[tuple[int, bytes], ...] = ()
    """Every element in order: identifier and data."""


def udh(reference: int, total: int, number: int, *, wide: bool = False, locking: int = 0, single: int = 0) -> bytes:
    """The header of part ``number`` of ``total``: 6 octets, 7 when ``wide``, 3 more for each shift table.

    The sender has to set bit 0x40 of ``esm_class``.  Raises EncodeError when a number does not fit its field.
    """
    if not 0 <= reference <= (0xFFFF if wide else 0xFF):
        raise EncodeError("udh", f"reference {reference} has more than {16 if wide else 8} bits")
    if not 1 <= number <= total <= MOST_PARTS:
        raise EncodeError("udh", f"part {number} of {total} is not between 1 and {MOST_PARTS}")
    if wide:
        body = bytes((_CONCAT16, 4, reference >> 8, reference & 0xFF, total, number))
    else:
        body = bytes((_CONCAT8, 3, reference, total, number))
    return _header(body, locking, single)


def shift_udh(*, locking: int = 0, single: int = 0) -> bytes:
    """The header of a message of one part: its shift tables alone, and no octets at all where it needs none."""
    return _header(b"", locking, single) if locking or single else b""


def _header(body: bytes, locking: int, single: int) -> bytes:
    body += _shift_element(_LOCKING_SHIFT, locking) + _shift_element(_SINGLE_SHIFT, single)
    return bytes((len(body),)) + body


def _shift_element(identifier: int, language: int) -> bytes:
    if not 0 <= language <= 0xFF:
        raise EncodeError("udh", f"language {language} has more than 8 bits")
    return bytes((identifier, 1, language)) if language else b""


def parse_udh(octets: bytes) -> Udh | None:
    """The header at the start of ``octets``, or None when its lengths do not add up; never raises.

    Elements come in any order, the last of a kind counts.  A concatenation whose number is 0 or above its total is
    passed over, so that the part stands alone.
    """
    elements = _elements(octets)
    if elements is None:
        return None
    known = {i: data for i, data in elements if _ELEMENT_BYTES.get(i) == len(data)}
    ports = known.get(_PORTS16) or known.get(_PORTS8) or b""
    half = len(ports) // 2
    reference, total, number, wide = _concatenation(elements) or (None, None, None, False)
    return Udh(
        length_bytes=octets[0] + 1,
        reference=reference,
        total=total,
        number=number,
        wide=wide,
        destination_port=int.from_bytes(ports[:half], "big") if ports else None,
        source_port=int.from_bytes(ports[half:], "big") if ports else None,
        locking=known.get(_LOCKING_SHIFT, b"\0")[0],
        single=known.get(_SINGLE_SHIFT, b"\0")[0],
        elements=tuple(elements),
    )


def _elements(octets: bytes) -> list[tuple[int, bytes]] | None:
    """Identifier and data of each element, or None when a length points outside."""
    if not octets or octets[0] >= len(octets):
        return None
    end, at = octets[0] + 1, 1
    found = []
    while at < end:
        if at + 2 > end or at + 2 + octets[at + 1] > end:
            return None
        after = at + 2 + octets[at + 1]
        found.append((octets[at], octets[at + 2 : after]))
        at = after
    return found


def _concatenation(elements: list[tuple[int, bytes]]) -> tuple[int, int, int, bool] | None:
    for identifier, data in reversed(elements):
        wide = identifier == _CONCAT16
        if (wide or identifier == _CONCAT8) and len(data) == _ELEMENT_BYTES[identifier]:
            *reference, total, number = data
            if 1 <= number <= total:
                return int.from_bytes(bytes(reference), "big"), total, number, wide
    return None


def strip_udh(octets: bytes) -> bytes:
    """``octets`` without the header they start with; as they are when there is no plausible one."""
    header = parse_udh(octets)
    return octets[header.length_bytes :] if header else octets
