"""The GSM 7-bit alphabets as data: the default alphabet, its extension and the national shift tables.

Source: 3GPP TS 23.038, sections 6.2.1 (default alphabet), 6.2.1.1 (extension), A.2 (single shift), A.3 (locking shift).
A table of 128 characters is a string whose index is the code; code 0x1B is the escape and stands for itself.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

ESCAPE: Final = 0x1B


class Language(IntEnum):
    """National language identifier of a shift table, as in user data header elements 0x24 and 0x25.

    Only the languages whose tables are written here; text under any other reads as the default alphabet.
    """

    DEFAULT = 0
    TURKISH = 1
    SPANISH = 2
    PORTUGUESE = 3


# Sixteen codes a line: 0x00, 0x10, ... 0x70.
BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)

EXTENSION: Final[Mapping[int, str]] = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}


def _codes(row: str) -> dict[int, str]:
    """A row of the standard as it is read aloud: code in hexadecimal, character, code, character."""
    words = row.split()
    return {int(code, 16): character for code, character in zip(words[::2], words[1::2], strict=True)}


# What the single shift table of a language has besides the extension above (A.2.1, A.2.2, A.2.3).
_SINGLE_ADDITIONS: Final[Mapping[int, Mapping[int, str]]] = {
    Language.TURKISH: _codes("47 Ğ  49 İ  53 Ş  63 ç  67 ğ  69 ı  73 ş"),
    Language.SPANISH: _codes("09 ç  41 Á  49 Í  4F Ó  55 Ú  61 á  69 í  6F ó  75 ú"),
    Language.PORTUGUESE: _codes(
        "05 ê  09 ç  0B Ô  0C ô  0E Á  0F á  12 Φ  13 Γ  15 Ω  16 Π  17 Ψ  18 Σ  19 Θ  1F Ê"
        "  41 À  49 Í  4F Ó  55 Ú  5B Ã  5C Õ  61 Â  69 í  6F ó  75 ú  7B ã  7C õ  7F â"
    ),
}

# Where the locking table of a language differs from the default alphabet (A.3.1, A.3.3); Spanish has none.
_LOCKING_CHANGES: Final[Mapping[int, Mapping[int, str]]] = {
    Language.TURKISH: _codes("04 €  07 ı  0B Ğ  0C ğ  1C Ş  1D ş  40 İ  60 ç"),
    Language.PORTUGUESE: _codes(
        "04 ê  06 ú  07 í  08 ó  09 ç  0B Ô  0C ô  0E Á  0F á  12 ª  13 Ç  14 À  15 ∞  16 ^  17 \\  18 €  19 Ó"
        "  1A |  1C Â  1D â  1E Ê  24 º  40 Í  5B Ã  5C Õ  5D Ú  60 ~  7B ã  7C õ  7D `"
    ),
}


def _changed(changes: Mapping[int, str]) -> str:
    return "".join(changes.get(code, character) for code, character in enumerate(BASIC))


LOCKING: Final[Mapping[int, str]] = {
    Language.DEFAULT: BASIC,
    **{language: _changed(changes) for language, changes in _LOCKING_CHANGES.items()},
}
"""Language to its 128 characters."""

SINGLE: Final[Mapping[int, Mapping[int, str]]] = {
    Language.DEFAULT: EXTENSION,
    **{language: {**EXTENSION, **additions} for language, additions in _SINGLE_ADDITIONS.items()},
}
"""Language to the characters that follow an escape, by code."""
