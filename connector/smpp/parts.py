"""Long messages: where a text is cut into parts, and the user data header that joins them again.

The cut is a list of character offsets: who keeps the text keeps it once, octets are made when a part is sent.
Sources: 3GPP TS 23.040 section 9.2.3.24 (user data header), SMPP 3.4 sections 5.2.12 and 5.3.2.22 to 5.3.2.25 (SAR).
"""

import unicodedata
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final

import attrs

from connector.errors import EncodeError
from connector.smpp.alphabet import Alphabet, misfits, units, units_or_none

USER_DATA_BYTES: Final = 140  # of one short message on the radio side, header included: TS 23.040, 9.2.3.24
MOST_PARTS: Final = 255  # total and number are one octet each


class Concatenation(StrEnum):
    """How the parts of one message say that they belong together."""

    UDH8 = "udh8"
    """User data header with an 8-bit reference."""
    UDH16 = "udh16"
    """User data header with a 16-bit reference."""
    SAR = "sar"
    """TLVs sar_msg_ref_num, sar_total_segments and sar_segment_seqnum; the carrier writes the header."""
    PAYLOAD = "payload"
    """The whole text in TLV message_payload; the carrier cuts it."""


# SAR and payload: the carrier writes a header of its own, usually the 8-bit one.
_HEADER_BYTES: Final[Mapping[Concatenation, int]] = {
    Concatenation.UDH8: 6,
    Concatenation.UDH16: 7,
    Concatenation.SAR: 6,
    Concatenation.PAYLOAD: 6,
}
_UNIT_BITS: Final[Mapping[Alphabet, int]] = {Alphabet.GSM: 7, Alphabet.UCS2: 16}  # octets for all others


def room(alphabet: Alphabet, header_bytes: int = 0) -> int:
    """How many units of ``alphabet`` one part holds beside a user data header: 160 or 153 septets, 70 or 67 units."""
    return (USER_DATA_BYTES - header_bytes) * 8 // _UNIT_BITS.get(alphabet, 8)


def _rooms(profile: "Profile") -> dict[Alphabet, tuple[int, int]]:
    header_bytes = _HEADER_BYTES[profile.concatenation]
    by_format = {a: (room(a), room(a, header_bytes)) for a in profile.alphabets}
    return by_format | {alphabet: (single, part) for alphabet, single, part in profile.limits}


def _check_limits(
    profile: "Profile", attribute: object, limits: tuple[tuple[Alphabet, int, int], ...]
) -> None:
    for alphabet, single, part in limits:
        if not 2 <= part <= single:  # 2 is the longest character of any alphabet
            raise ValueError(f"limits of {alphabet}: {part} units in each of many, {single} in a single part")


@attrs.frozen(kw_only=True)
class Profile:
    """How a carrier wants its texts: alphabets in order of preference, way of joining, number of parts."""

    alphabets: tuple[Alphabet, ...] = attrs.field(
        default=(Alphabet.GSM, Alphabet.UCS2), validator=attrs.validators.min_len(1)
    )
    """Tried in this order; the first that holds the whole text carries it."""
    concatenation: Concatenation = Concatenation.UDH8
    max_parts: int = attrs.field(
        default=10, validator=[attrs.validators.ge(1), attrs.validators.le(MOST_PARTS)]
    )
    limits: tuple[tuple[Alphabet, int, int], ...] = attrs.field(default=(), validator=_check_limits)
    """(alphabet, units of a single part, units of each of many) where a carrier's own differ from the format's,
    as for Latin-1 that the network turns into GSM, or for SAR that becomes a 16-bit header."""
    _rooms: dict[Alphabet, tuple[int, int]] = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(_rooms, takes_self=True)
    )

    def rooms(self, alphabet: Alphabet) -> tuple[int, int]:
        """Units that fit in a single part, and in each part of several."""
        return self._rooms[alphabet]


DEFAULT: Final = Profile()


@attrs.frozen
class Cut:
    """A text as the parts that carry it."""

    alphabet: Alphabet
    units: int
    """Length of the whole text in the alphabet's unit: septets, octets or 16-bit units."""
    bounds: tuple[tuple[int, int], ...]
    """Character offsets [start, end) of each part; without gaps, in order."""
    forced_by: tuple[str, ...] = ()
    """Distinct characters that the preferred alphabet lacks, in order of appearance; empty when it was used."""


def cut(text: str, profile: Profile = DEFAULT) -> Cut:
    """Choose the alphabet of ``text`` and cut it into parts; an empty text is one part.

    A part never ends inside an escape pair or a surrogate pair, nor inside a user-perceived character unless that is
    longer than a part.  With PAYLOAD there is one part, and ``max_parts`` bounds what the carrier will make of it.
    Raises EncodeError when no alphabet of the profile holds the text or when it needs more than ``max_parts``.
    """
    for alphabet in profile.alphabets:
        length = units_or_none(text, alphabet)
        if length is not None:
            break
    else:
        length = units(text, alphabet)  # raises, naming the character
    single, each = profile.rooms(alphabet)
    forced_by = () if alphabet is profile.alphabets[0] else misfits(text, profile.alphabets[0])
    if length <= single:
        return Cut(alphabet, length, ((0, len(text)),), forced_by)
    bounds = tuple(_bounds(text, alphabet, each))
    if len(bounds) > profile.max_parts:
        raise EncodeError("text", f"needs {len(bounds)} parts, the limit is {profile.max_parts}")
    if profile.concatenation is Concatenation.PAYLOAD:
        bounds = ((0, len(text)),)
    return Cut(alphabet, length, bounds, forced_by)


def _bounds(text: str, alphabet: Alphabet, limit: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        reach = _reach(text, start, alphabet, limit)
        end = _between_graphemes(text, start, reach)
        yield start, end
        start = end


def _reach(text: str, start: int, alphabet: Alphabet, limit: int) -> int:
    """The furthest offset whose units still fit; at least one character."""
    end = min(start + limit, len(text))
    while (over := units(text[start:end], alphabet) - limit) > 0 and end - start > 1:
        end -= (over + 1) // 2  # a character counts 2 units at most, so this many have to go
    return end


# --- user-perceived characters --------------------------------------------------------------------------------
#
# A compact form of the grapheme clusters of Unicode Standard Annex 29, from what unicodedata knows.  Where it is not
# sure it joins: that costs a few units of a part, a wrong cut would show.

_ZWJ: Final = "\u200d"
_JOINING_CATEGORIES: Final = frozenset({"Mn", "Mc", "Me"})
_JOINING: Final = frozenset(
    "\u200c\u200d"  # zero width non-joiner and joiner
    "\u0e33\u0eb3\uff9e\uff9f"  # Thai and Lao AM, half-width voicing marks: letters by category only
    + "".join(map(chr, range(0x1F3FB, 0x1F400)))  # emoji modifiers
    + "".join(map(chr, range(0xE0020, 0xE0080)))  # tags of flags
)
_VIRAMA_CLASS: Final = 9  # canonical combining class of the sign that ties two Indic consonants


def _between_graphemes(text: str, start: int, end: int) -> int:
    """The last offset at or before ``end`` where a cut hurts no character, or ``end`` where there is none."""
    at = end
    while start < at < len(text) and _joined(text, at):
        at -= 1
    return at if at > start else end


def _joined(text: str, at: int) -> bool:
    """Whether the characters before and after offset ``at`` make one user-perceived character."""
    before, after = text[at - 1], text[at]
    if before in "\r\n":
        return before == "\r" and after == "\n"
    if after < "\u0300":
        return False
    return (
        after in _JOINING
        or unicodedata.category(after) in _JOINING_CATEGORIES
        or before == _ZWJ
        or (unicodedata.combining(before) == _VIRAMA_CLASS and unicodedata.category(after) == "Lo")
        or _is_hangul_pair(before, after)
        or (_is_regional(before) and _is_regional(after) and _regionals_before(text, at) % 2 == 1)
    )


def _is_regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _regionals_before(text: str, at: int) -> int:
    """How many regional indicators end at ``at``; two make a flag."""
    first = at
    while first and _is_regional(text[first - 1]):
        first -= 1
    return at - first


def _is_lead(character: str) -> bool:
    return "\u1100" <= character <= "\u115f" or "\ua960" <= character <= "\ua97c"


def _is_tail(character: str) -> bool:
    """Vowel or trailing consonant."""
    return "\u1160" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7fb"


def _is_syllable(character: str) -> bool:
    return "\uac00" <= character <= "\ud7a3"


def _is_hangul_pair(before: str, after: str) -> bool:
    if _is_tail(after):
        return _is_lead(before) or _is_syllable(before) or _is_tail(before)
    return _is_lead(before) and (_is_lead(after) or _is_syllable(after))


# --- the user data header -------------------------------------------------------------------------------------

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


def udh(
    reference: int, total: int, number: int, *, wide: bool = False, locking: int = 0, single: int = 0
) -> bytes:
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
