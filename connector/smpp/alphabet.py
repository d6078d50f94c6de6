"""Text to octets and back, in the alphabets a ``data_coding`` can name.

Encoding refuses what does not fit and names it; nothing is replaced unless ``substitute`` was asked for it.
Decoding takes whatever a carrier sends and never raises.
"""

import codecs
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import Final

from connector.errors import EncodeError
from connector.smpp.shift_tables import BASIC, ESCAPE, EXTENSION, LOCKING, SINGLE, UNDEFINED
from connector.smpp.shift_tables import Language as Language


class Alphabet(StrEnum):
    """How the octets of a text are to be read."""

    GSM = "gsm"
    """GSM 03.38 default alphabet with its extension, one septet per octet."""
    LATIN1 = "latin1"
    ASCII = "ascii"
    UCS2 = "ucs2"
    """UTF-16, big endian, no byte order mark; formally UCS-2, but surrogate pairs pass nearly everywhere."""
    CYRILLIC = "cyrillic"
    """ISO 8859-5."""
    HEBREW = "hebrew"
    """ISO 8859-8."""
    BINARY = "binary"
    """Octets, shown as the Latin-1 characters of the same number."""


_CODECS: Final[Mapping[Alphabet, str]] = {
    Alphabet.LATIN1: "latin-1",
    Alphabet.ASCII: "ascii",
    Alphabet.UCS2: "utf-16-be",
    Alphabet.CYRILLIC: "iso8859-5",
    Alphabet.HEBREW: "iso8859-8",
    Alphabet.BINARY: "latin-1",
}

# --- the GSM alphabet at C speed ------------------------------------------------------------------------------
#
# The fast encoder of the codecs module wants code 0 to be NUL, and in GSM code 0 is "@".  So "@" travels as 0x1B,
# which no character owns, and each extension character as one octet above 0x7F; both are put right afterwards.

_UNDEFINED: Final = "\ufffe"  # the codecs module's word for "no character here"
_EXTENSION_CHARACTERS: Final = "".join(EXTENSION.values())
_FAST_TABLE: Final = "\0" + BASIC[1:ESCAPE] + "@" + BASIC[ESCAPE + 1 :] + _EXTENSION_CHARACTERS
_FAST_MAP: Final = codecs.charmap_build(_FAST_TABLE.ljust(256, _UNDEFINED))
_GSM_CHARACTERS: Final = frozenset(_FAST_TABLE) - {"\0"}
_AT_SIGN_BACK: Final = bytes.maketrans(b"\x1b", b"\x00")
_ABOVE_SEPTETS: Final = bytes(range(0x80, 0x100))
_EXTENDED: Final = re.compile(rb"[\x80-\xff]")
_PAIRS: Final = {bytes([0x80 + n]): bytes([ESCAPE, code]) for n, code in enumerate(EXTENSION)}


def _gsm_codes(text: str) -> bytes:
    """One octet per character, in the fast table's codes; UnicodeEncodeError names what does not fit."""
    codes = codecs.charmap_encode(text, "strict", _FAST_MAP)[0]
    if 0 in codes:
        at = codes.index(0)
        raise UnicodeEncodeError("gsm", text, at, at + 1, "NUL has no code")
    return codes


def _encode_gsm(text: str) -> bytes:
    octets = _gsm_codes(text).translate(_AT_SIGN_BACK)
    if octets.isascii():
        return octets
    return _EXTENDED.sub(lambda found: _PAIRS[found[0]], octets)


def _gsm_units(text: str) -> int:
    codes = _gsm_codes(text)
    if codes.isascii():
        return len(codes)
    return 2 * len(codes) - len(codes.translate(None, _ABOVE_SEPTETS))


def _encoder(codec: str) -> Callable[[str], bytes]:
    return lambda text: text.encode(codec)


def _counter(codec: str, unit_bytes: int) -> Callable[[str], int]:
    return lambda text: len(text.encode(codec)) // unit_bytes


_ENCODERS: Final[Mapping[Alphabet, Callable[[str], bytes]]] = {
    Alphabet.GSM: _encode_gsm,
    **{alphabet: _encoder(codec) for alphabet, codec in _CODECS.items()},
}
_COUNTERS: Final[Mapping[Alphabet, Callable[[str], int]]] = {
    Alphabet.GSM: _gsm_units,
    **{name: _counter(codec, 2 if name is Alphabet.UCS2 else 1) for name, codec in _CODECS.items()},
}


def _misfit(text: str, at: int, alphabet: str) -> EncodeError:
    character = text[at]
    return EncodeError("text", f"{character!a} (U+{ord(character):04X}) at {at} is not in {alphabet}")


# --- encoding -------------------------------------------------------------------------------------------------


def encode(text: str, alphabet: Alphabet) -> bytes:
    """The octets of ``text``, unpacked; raises EncodeError naming the first character that does not fit."""
    try:
        return _ENCODERS[alphabet](text)
    except UnicodeEncodeError as error:
        raise _misfit(text, error.start, alphabet) from None


def units(text: str, alphabet: Alphabet) -> int:
    """The length of ``text`` in the alphabet's own unit; raises EncodeError as ``encode`` does.

    Septets for GSM (an extension character counts 2), 16-bit units for UCS-2 (a character above U+FFFF counts 2),
    octets for all others.
    """
    try:
        return _COUNTERS[alphabet](text)
    except UnicodeEncodeError as error:
        raise _misfit(text, error.start, alphabet) from None


def units_or_none(text: str, alphabet: Alphabet) -> int | None:
    """The length of ``text`` as ``units`` counts it, or None when a character does not fit."""
    try:
        return _COUNTERS[alphabet](text)
    except UnicodeEncodeError:
        return None


def fits(text: str, alphabet: Alphabet) -> bool:
    """Whether every character of ``text`` is in ``alphabet``."""
    return units_or_none(text, alphabet) is not None


def misfits(text: str, alphabet: Alphabet) -> tuple[str, ...]:
    """The distinct characters of ``text`` that are not in ``alphabet``, in order of appearance."""
    characters = dict.fromkeys(text)
    if alphabet is Alphabet.GSM:
        return tuple(character for character in characters if character not in _GSM_CHARACTERS)
    return tuple(character for character in characters if not fits(character, alphabet))


# --- decoding -------------------------------------------------------------------------------------------------

_HIGH_AS_LATIN1: Final = "".join(map(chr, range(0x80, 0x100)))
_DECODE_TABLES: Final = {language: table + _HIGH_AS_LATIN1 for language, table in LOCKING.items()}
_ESCAPED: Final = re.compile(rb"\x1b(.?)", re.DOTALL)


def decode(octets: bytes, alphabet: Alphabet) -> str:
    """The text of ``octets``; never raises.

    GSM: an unknown extension code shows the basic character of that code, an escape at the very end or before
    another escape a space; octets above 0x7F, which GSM does not have, read as Latin-1.  UCS-2: a byte order mark
    is taken off and obeyed, an odd last octet dropped (``is_cut_short`` tells), half a surrogate pair is U+FFFD.
    Join the parts of a long message before decoding: a foreign sender may have cut inside a pair.
    """
    if alphabet is Alphabet.GSM:
        return decode_shifted(octets)
    if alphabet is Alphabet.UCS2:
        return _decode_ucs2(octets)
    if alphabet is Alphabet.ASCII:
        return octets.decode("latin-1")
    return octets.decode(_CODECS[alphabet], "replace")


def decode_shifted(octets: bytes, locking: int = Language.DEFAULT, single: int = Language.DEFAULT) -> str:
    """The text of unpacked septets under national shift tables; never raises.

    A language without a table here falls back to the default alphabet, as TS 23.038 asks of a receiver.
    """
    table = _DECODE_TABLES.get(locking, _DECODE_TABLES[Language.DEFAULT])
    if ESCAPE not in octets:
        return codecs.charmap_decode(octets, "strict", table)[0]
    pairs = SINGLE.get(single, EXTENSION)
    pieces = _ESCAPED.split(octets)  # plain, escaped code, plain, escaped code, ... plain
    return "".join(
        _escaped(piece, pairs, table) if n % 2 else codecs.charmap_decode(piece, "strict", table)[0]
        for n, piece in enumerate(pieces)
    )


def _escaped(code: bytes, pairs: Mapping[int, str], table: str) -> str:
    if not code or code[0] == ESCAPE:
        return " "
    return pairs.get(code[0], table[code[0]])


def _decode_ucs2(octets: bytes) -> str:
    whole = octets[: len(octets) & ~1]
    if whole.startswith(codecs.BOM_UTF16_LE):
        return whole[2:].decode("utf-16-le", "replace")
    return whole.removeprefix(codecs.BOM_UTF16_BE).decode("utf-16-be", "replace")


def is_cut_short(octets: bytes, alphabet: Alphabet) -> bool:
    """Whether ``octets`` end inside a character: an odd octet or half a pair of UCS-2, an escape of GSM."""
    if alphabet is Alphabet.GSM:
        return bool(_ESCAPED.findall(octets)[-1:] == [b""])
    if alphabet is Alphabet.UCS2:
        return bool(len(octets) % 2) or (len(octets) >= 2 and octets[-2] & 0xFC == 0xD8)
    return False


# --- national tables, encoding --------------------------------------------------------------------------------


@cache
def _shifted_codes(locking: int, single: int) -> Mapping[str, bytes]:
    if locking not in LOCKING or single not in SINGLE:
        raise EncodeError("language", f"no tables for locking {locking}, single {single}")
    # From behind, so that of two codes of one character the first counts.
    escaped = {character: bytes([ESCAPE, code]) for code, character in reversed(tuple(SINGLE[single].items()))}
    plain = {c: bytes([code]) for code, c in enumerate(LOCKING[locking]) if code != ESCAPE and c != UNDEFINED}
    return escaped | plain


def encode_shifted(text: str, locking: int = Language.DEFAULT, single: int = Language.DEFAULT) -> bytes:
    """Unpacked septets under national shift tables; raises EncodeError for a character or language without code.

    The tables have to be named in the user data header (elements 0x25 and 0x24): ``parts.udh`` writes them.
    """
    codes = _shifted_codes(locking, single)
    try:
        return b"".join([codes[character] for character in text])
    except KeyError as error:
        name = f"gsm with locking {locking}, single {single}"
        raise _misfit(text, text.index(error.args[0]), name) from None


def shifted_units_or_none(text: str, locking: int, single: int) -> int | None:
    """The septets of ``text`` under national shift tables, or None when a character has no code there."""
    codes = _shifted_codes(locking, single)
    lengths = [len(codes.get(character, b"")) for character in text]
    return sum(lengths) if all(lengths) else None


# --- data_coding ----------------------------------------------------------------------------------------------

# What SMPP and the GSM groups of TS 23.038 section 4 say; None is "the default alphabet of this route".
_COMPRESSED: Final = 0x20  # of the groups up to 0x7F; nobody here can take that back
_BY_GROUP: Final = {0x00: None, 0x04: Alphabet.BINARY, 0x08: Alphabet.UCS2, 0x0C: Alphabet.BINARY}
_OF_DATA_CODING: Final[Mapping[int, Alphabet | None]] = {
    0x00: None,
    0x01: None,
    0x03: Alphabet.LATIN1,
    0x06: Alphabet.CYRILLIC,
    0x07: Alphabet.HEBREW,
    0x08: Alphabet.UCS2,
    **{value: _BY_GROUP[value & 0x0C] for value in range(0x10, 0x80) if not value & _COMPRESSED},
    **dict.fromkeys(range(0xC0, 0xE0)),
    **dict.fromkeys(range(0xE0, 0xF0), Alphabet.UCS2),
    **{value: Alphabet.BINARY if value & 0x04 else None for value in range(0xF0, 0x100)},
}

_DATA_CODINGS: Final[Mapping[Alphabet, int]] = {
    Alphabet.GSM: 0x00,
    Alphabet.ASCII: 0x01,
    Alphabet.LATIN1: 0x03,
    Alphabet.BINARY: 0x04,  # 2 says the same in SMPP; only 4 agrees with GSM
    Alphabet.CYRILLIC: 0x06,
    Alphabet.HEBREW: 0x07,
    Alphabet.UCS2: 0x08,
}


def alphabet_of(data_coding: int, default: Alphabet = Alphabet.GSM) -> Alphabet:
    """The alphabet a received ``data_coding`` names; a value nobody defined is BINARY, so its octets are kept.

    ``default`` is what the route means by its default alphabet (0 and 1): GSM for most, Latin-1 or ASCII for some.
    """
    return _OF_DATA_CODING.get(data_coding, Alphabet.BINARY) or default


def data_coding_of(alphabet: Alphabet) -> int:
    """The ``data_coding`` that announces ``alphabet`` on a route whose default alphabet is GSM."""
    return _DATA_CODINGS[alphabet]


# --- packed septets -------------------------------------------------------------------------------------------

_CR: Final = 0x0D


def fill_bits(header_octets: int) -> int:
    """Bits between a user data header of ``header_octets`` (UDHL counted) and the next septet boundary, 0 to 6."""
    return -header_octets * 8 % 7


def pack(septets: bytes, fill: int = 0) -> bytes:
    """Eight septets in seven octets, low bits first, after ``fill`` zero bits (TS 23.038, 6.1.2.1).

    Seven spare bits at the end would read as "@", so they hold a CR; so does the octet after a CR that ends exactly
    on an octet.
    """
    if not septets.isascii():
        raise EncodeError("text", "packed septets cannot hold octets above 0x7F")
    spare = -(fill + 7 * len(septets)) % 8
    if spare == 7 or (spare == 0 and septets.endswith(b"\r")):
        septets += bytes([_CR])
    number = 0
    for septet in reversed(septets):
        number = number << 7 | septet
    return (number << fill).to_bytes((fill + 7 * len(septets) + 7) // 8, "little")


def unpack(octets: bytes, count: int | None = None, fill: int = 0) -> bytes:
    """The septets of packed ``octets`` after ``fill`` bits; never raises.

    ``count`` is the number of septets where the sender told it; without it a CR that ends on the last bit is taken
    for padding and dropped.
    """
    available = max(0, (len(octets) * 8 - fill) // 7)
    number = int.from_bytes(octets, "little") >> fill
    septets = bytes(number >> 7 * n & 0x7F for n in range(available))
    if count is not None:
        return septets[:count]
    ends_on_octet = fill + 7 * available == len(octets) * 8
    return septets[:-1] if ends_on_octet and septets.endswith(b"\r") else septets


# --- optional replacement -------------------------------------------------------------------------------------

SUBSTITUTES: Final[Mapping[int, str]] = {
    **dict.fromkeys(map(ord, "“”„«»"), '"'),
    **dict.fromkeys(map(ord, "‘’‚`"), "'"),
    **dict.fromkeys(map(ord, "–—‑"), "-"),
    **dict.fromkeys(map(ord, "\u00a0\u202f\t"), " "),
    ord("…"): "...",
}
"""Typographic characters that alone would force UCS-2, and what a reader takes for the same."""


def substitute(text: str) -> str:
    """``text`` with the typographic characters of ``SUBSTITUTES`` replaced; only where route or message ask for it."""
    return text.translate(SUBSTITUTES)
