"""Long messages: in which alphabet a text goes, where it is cut into parts, and what each of them weighs.

The cut is a list of character offsets: who keeps the text keeps it once, octets are made when a part is sent.
Sources: 3GPP TS 23.040 section 9.2.3.24 (user data header), SMPP 3.4 sections 5.2.12 and 5.3.2.22 to 5.3.2.25 (SAR).
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import islice
from typing import Final

import attrs

from connector.errors import EncodeError
from connector.smpp.alphabet import (
    Alphabet,
    alphabet_of,
    decode,
    decode_shifted,
    encode,
    encode_shifted,
    fill_bits,
    misfits,
    pack,
    shifted_units_or_none,
    units,
    units_or_none,
    unpack,
)
from connector.smpp.fields import only_the_length
from connector.smpp.graphemes import between_graphemes
from connector.smpp.shift_tables import LOCKING, SINGLE, has_tables
from connector.smpp.udh import MOST_PARTS as MOST_PARTS
from connector.smpp.udh import UDH_INDICATOR as UDH_INDICATOR
from connector.smpp.udh import Udh as Udh
from connector.smpp.udh import parse_udh as parse_udh
from connector.smpp.udh import shift_udh as shift_udh
from connector.smpp.udh import strip_udh as strip_udh
from connector.smpp.udh import udh as udh

USER_DATA_BYTES: Final = 140  # of one short message on the radio side, header included: TS 23.040, 9.2.3.24


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


@attrs.frozen
class Coding:
    """An alphabet, with the national shift tables that make it wider (TS 23.038, 6.2.1.2)."""

    alphabet: Alphabet
    locking: int = 0
    """Language of the locking shift table, 0 for the default alphabet."""
    single: int = 0
    """Language of the single shift table, 0 for the default extension."""

    @property
    def is_shifted(self) -> bool:
        """Whether every part needs a header that names the tables."""
        return bool(self.locking or self.single)

    @property
    def header_bytes(self) -> int:
        """What the header needs for the tables: an element of three octets each."""
        return 3 * (bool(self.locking) + bool(self.single))

    def units_or_none(self, text: str) -> int | None:
        """The length of ``text`` in the alphabet's unit, or None when a character does not fit."""
        if self.is_shifted:
            return shifted_units_or_none(text, self.locking, self.single)
        return units_or_none(text, self.alphabet)

    def encode(self, text: str) -> bytes:
        """The octets of ``text`` without a header; raises EncodeError naming what does not fit."""
        return encode_shifted(text, self.locking, self.single) if self.is_shifted else encode(text, self.alphabet)


def _codings(profile: "Profile") -> tuple[tuple[Coding, int, int], ...]:
    """Each coding of the profile in order of preference, with its room in a single part and in each of many."""
    return tuple(
        (coding, *_room_of(coding, profile))
        for alphabet in profile.alphabets
        for coding in (Coding(alphabet), *(_shifted(profile.languages) if alphabet is Alphabet.GSM else ()))
    )


def _most_units(profile: "Profile") -> int:
    return max(max(alone, each * profile.max_parts) for _, alone, each in profile.codings)


def _shifted(languages: tuple[int, ...]) -> Iterator[Coding]:
    """The single shift tables of all languages first: they need half the header."""
    yield from (Coding(Alphabet.GSM, 0, language) for language in languages if language in SINGLE)
    for language in languages:
        if language in LOCKING:
            yield Coding(Alphabet.GSM, language, language if language in SINGLE else 0)


def _room_of(coding: Coding, profile: "Profile") -> tuple[int, int]:
    alphabet, tables_bytes = coding.alphabet, coding.header_bytes
    header_bytes = _HEADER_BYTES[profile.concatenation]
    alone, each = room(alphabet), room(alphabet, header_bytes)
    limits = {limited: (single, part) for limited, single, part in profile.limits}
    single, part = limits.get(alphabet, (alone, each))
    if coding.is_shifted:  # a single part has a header too, whose length octet counts
        single -= alone - room(alphabet, tables_bytes + 1)
        part -= each - room(alphabet, header_bytes + tables_bytes)
    return single, part


def _check_languages(profile: "Profile", attribute: object, languages: tuple[int, ...]) -> None:
    for language in languages:
        if language not in SINGLE or language == 0:
            raise ValueError(f"languages: there is no shift table of language {language}")
    if languages and profile.concatenation not in (Concatenation.UDH8, Concatenation.UDH16):
        raise ValueError("languages: shift tables are named in a user data header, so parts are joined by one too")


def _check_limits(profile: "Profile", attribute: object, limits: tuple[tuple[Alphabet, int, int], ...]) -> None:
    for alphabet, single, part in limits:
        if not 2 <= part <= single:  # 2 is the longest character of any alphabet
            raise ValueError(f"limits of {alphabet}: {part} units in each of many, {single} in a single part")


@attrs.frozen(kw_only=True)
class Profile:
    """How a carrier wants its texts: alphabets in order of preference, way of joining, number of parts."""

    alphabets: tuple[Alphabet, ...] = attrs.field(
        default=(Alphabet.GSM, Alphabet.UCS2), validator=attrs.validators.min_len(1)
    )
    """Tried in this order; the first that holds the whole text carries it, with the shift tables that make the fewest
    parts."""
    concatenation: Concatenation = Concatenation.UDH8
    max_parts: int = attrs.field(default=10, validator=[attrs.validators.ge(1), attrs.validators.le(MOST_PARTS)])
    limits: tuple[tuple[Alphabet, int, int], ...] = attrs.field(default=(), validator=_check_limits)
    """(alphabet, units of a single part, units of each of many) where a carrier's own differ from the format's,
    as for Latin-1 that the network turns into GSM, or for SAR that becomes a 16-bit header."""
    languages: tuple[int, ...] = attrs.field(default=(), validator=_check_languages)
    """National shift tables to try before UCS-2, where the carrier and its handsets know them; see Language."""
    codings: tuple[tuple[Coding, int, int], ...] = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(_codings, takes_self=True)
    )
    """What a text is tried in, in this order, with the units that fit in a single part and in each of several."""
    most_units: int = attrs.field(init=False, eq=False, repr=False, default=attrs.Factory(_most_units, takes_self=True))
    """No text with more characters fits, whatever its alphabet: a character counts one unit at least."""

    def rooms(self, alphabet: Alphabet, locking: int = 0, single: int = 0) -> tuple[int, int]:
        """Units that fit in a single part, and in each part of several."""
        return {coding: (alone, each) for coding, alone, each in self.codings}[Coding(alphabet, locking, single)]


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
    locking: int = 0
    single: int = 0
    """Languages of the shift tables that were needed; 0 for the default ones."""


_Fit = tuple[Coding, int, tuple[tuple[int, int], ...]]
"""A coding that holds a text, the text's length in it, and the parts."""


def cut(text: str, profile: Profile = DEFAULT) -> Cut:
    """Choose the alphabet of ``text`` and cut it into parts; an empty text is one part.

    A part never ends inside an escape pair or a surrogate pair, nor inside a user-perceived character unless that is
    longer than a part.  With PAYLOAD there is one part, and ``max_parts`` bounds what the carrier will make of it.
    Raises EncodeError when no alphabet of the profile holds the text or when it needs more than ``max_parts``.
    """
    made = _cut(text, profile)
    if profile.concatenation is Concatenation.PAYLOAD and len(made.bounds) > 1:
        return attrs.evolve(made, bounds=((0, len(text)),))
    return made


def _cut(text: str, profile: Profile) -> Cut:
    """The cut that whoever writes the headers makes, us or the carrier."""
    if len(text) > profile.most_units:
        raise _too_long(len(text), profile)  # before anything walks it: megabytes cost no more than this
    coding, length, bounds = _choose(text, profile)
    if len(bounds) > profile.max_parts:
        raise _too_long(length, profile)
    forced_by = () if coding is profile.codings[0][0] else misfits(text, profile.alphabets[0])
    return Cut(coding.alphabet, length, bounds, forced_by, coding.locking, coding.single)


def _too_long(units_at_least: int, profile: Profile) -> EncodeError:
    """The refusal of a text whose cut was given up: how many parts it needs at least is known without one."""
    parts = -(-units_at_least // max(each for _, _, each in profile.codings))
    return EncodeError(
        "text", f"needs at least {max(parts, profile.max_parts + 1)} parts, the limit is {profile.max_parts}"
    )


def _choose(text: str, profile: Profile) -> _Fit:
    """The first alphabet that holds ``text``, with those of its shift tables that make the fewest parts."""
    found: list[_Fit] = []
    for coding, alone, each in profile.codings:
        if found and coding.alphabet is not found[0][0].alphabet:
            break
        length = coding.units_or_none(text)
        if length is None:
            continue
        if length <= alone:
            return coding, length, ((0, len(text)),)
        found.append((coding, length, _first_bounds(text, coding, each, profile.max_parts + 1)))
    if not found:
        units(text, profile.alphabets[-1])  # raises, naming the character
    return min(found, key=lambda fit: len(fit[2]))


def _first_bounds(text: str, coding: Coding, limit: int, most: int) -> tuple[tuple[int, int], ...]:
    """The parts of ``text``, and no more of them than ``most``: who has too many needs not know how many."""
    return tuple(islice(_bounds(text, coding, limit), most))


def _bounds(text: str, coding: Coding, limit: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        reach = _reach(text, start, coding, limit)
        end = between_graphemes(text, start, reach)
        yield start, end
        start = end


def _reach(text: str, start: int, coding: Coding, limit: int) -> int:
    """The furthest offset whose units still fit; at least one character."""
    end = min(start + limit, len(text))
    while (over := (coding.units_or_none(text[start:end]) or 0) - limit) > 0 and end - start > 1:
        end -= (over + 1) // 2  # a character counts 2 units at most, so this many have to go
    return end


# --- what a text will become ------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Preview:
    """What becomes of a text, told before it is sent."""

    alphabet: Alphabet
    unit: str
    """What the alphabet is counted in: septets, octets or 16-bit units."""
    units: int
    """Length of the whole text; an extension character of GSM and a surrogate pair count 2."""
    octets: int
    """The same on the wire, headers not counted: GSM travels one septet an octet."""
    parts: int
    """Messages that arrive and are charged; with PAYLOAD those the carrier makes."""
    part_units: tuple[int, ...]
    """Length of each part."""
    room_units: int
    """What each part of this message could hold."""
    remaining_units: int
    """What the last part still holds before the text takes one more part."""
    forced_by: tuple[str, ...]
    """Distinct characters that the preferred alphabet lacks; empty when it was used."""
    locking: int
    single: int
    """Languages of the shift tables that were needed; 0 for the default ones."""


_UNITS: Final[Mapping[Alphabet, str]] = {Alphabet.GSM: "septets", Alphabet.UCS2: "16-bit units"}


def preview(text: str, profile: Profile = DEFAULT) -> Preview:
    """What becomes of ``text`` with a carrier of this profile; raises EncodeError as ``cut`` does."""
    made = _cut(text, profile)
    coding = Coding(made.alphabet, made.locking, made.single)
    lengths = tuple(coding.units_or_none(text[start:end]) or 0 for start, end in made.bounds)
    single, each = profile.rooms(made.alphabet, made.locking, made.single)
    holds = single if len(lengths) == 1 else each
    return Preview(
        alphabet=made.alphabet,
        unit=_UNITS.get(made.alphabet, "octets"),
        units=made.units,
        octets=len(coding.encode(text)),
        parts=len(lengths),
        part_units=lengths,
        room_units=holds,
        remaining_units=max(0, holds - lengths[-1]),
        forced_by=made.forced_by,
        locking=made.locking,
        single=made.single,
    )


def short_message(
    text: str,
    made: Cut,
    number: int = 1,
    *,
    reference: int = 0,
    way: Concatenation = Concatenation.UDH8,
    packed: bool = False,
) -> tuple[bytes, bool]:
    """The octets of part ``number`` of ``text`` with the header it needs, and whether it has one.

    ``packed`` packs the septets of the GSM alphabet behind the header, for carriers that want that.
    Where it has one the sender sets bit 0x40 of ``esm_class``.  SAR and PAYLOAD have none: the carrier writes it.
    """
    start, end = made.bounds[number - 1]
    octets = Coding(made.alphabet, made.locking, made.single).encode(text[start:end])
    header = shift_udh(locking=made.locking, single=made.single)
    if len(made.bounds) > 1 and way in (Concatenation.UDH8, Concatenation.UDH16):
        wide = way is Concatenation.UDH16
        header = udh(reference, len(made.bounds), number, wide=wide, locking=made.locking, single=made.single)
    if packed and made.alphabet is Alphabet.GSM:
        octets = pack(octets, fill_bits(len(header)))
    return header + octets, bool(header)


# --- what was received ------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class UserData:
    """One received part, with its header taken off and its text read."""

    text: str = attrs.field(repr=False)
    """Complete only where the part is: join the ``octets`` of a long message, then read them."""
    octets: bytes = attrs.field(repr=only_the_length)
    """What follows the header; of packed septets each is one octet here."""
    alphabet: Alphabet
    udh: Udh | None = None
    header_is_broken: bool = False
    """esm_class announced a header and there is no plausible one: the octets are given as they came."""
    language_is_unknown: bool = False
    """The header names a shift table the standard does not have: the text was read under the default one."""

    @property
    def is_certain(self) -> bool:
        """Whether the text is what the octets say, and not the best guess."""
        return not (self.header_is_broken or self.language_is_unknown)


def read_user_data(
    octets: bytes,
    *,
    esm_class: int = 0,
    data_coding: int = 0,
    default: Alphabet = Alphabet.GSM,
    packed: bool = False,
) -> UserData:
    """Read short_message or message_payload, under the shift tables its header names; never raises.

    ``default`` is what the carrier means by its default alphabet; ``packed`` says that it packs texts in the GSM
    alphabet, which are unpacked here.
    """
    header = parse_udh(octets) if esm_class & UDH_INDICATOR else None
    body = octets[header.length_bytes :] if header else octets
    alphabet = alphabet_of(data_coding, default)
    if packed and alphabet is Alphabet.GSM:
        body = unpack(body, fill=fill_bits(header.length_bytes) if header else 0)
    shifted = header is not None and (header.locking or header.single) and alphabet is Alphabet.GSM
    text = decode_shifted(body, header.locking, header.single) if header and shifted else decode(body, alphabet)
    return UserData(
        text=text,
        octets=body,
        alphabet=alphabet,
        udh=header,
        header_is_broken=header is None and bool(esm_class & UDH_INDICATOR),
        language_is_unknown=header is not None and not has_tables(header.locking, header.single),
    )
