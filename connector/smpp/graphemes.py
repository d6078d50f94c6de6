"""Where a text may be cut without hurting a user-perceived character.

A compact form of the grapheme clusters of Unicode Standard Annex 29, from what unicodedata knows.  Where it is not sure
it joins: that costs a few units of a part, a wrong cut would show.
"""

import unicodedata
from typing import Final

_ZWJ: Final = "\u200d"
_JOINING_CATEGORIES: Final = frozenset({"Mn", "Mc", "Me"})
_JOINING: Final = frozenset(
    "\u200c\u200d"  # zero width non-joiner and joiner
    "\u0e33\u0eb3\uff9e\uff9f"  # Thai and Lao AM, half-width voicing marks: letters by category only
    + "".join(map(chr, range(0x1F3FB, 0x1F400)))  # emoji modifiers
    + "".join(map(chr, range(0xE0020, 0xE0080)))  # tags of flags
)
_VIRAMA_CLASS: Final = 9  # canonical combining class of the sign that ties two Indic consonants


def between_graphemes(text: str, start: int, end: int) -> int:
    """The last offset at or before ``end`` where a cut hurts no character, or ``end`` where there is none."""
    at = end
    while start < at < len(text) and _joined(text, start, at):
        at -= 1
    return at if at > start else end


def _joined(text: str, start: int, at: int) -> bool:
    """Whether the characters before and after offset ``at`` make one user-perceived character.

    ``start`` is where the part begins, between two characters: nothing before it is looked at, so that a cut costs no
    more than the part is long.
    """
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
        or (_is_regional(before) and _is_regional(after) and _regionals_before(text, start, at) % 2 == 1)
    )


def _is_regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _regionals_before(text: str, start: int, at: int) -> int:
    """How many regional indicators from ``start`` on end at ``at``; two make a flag."""
    first = at
    while first > start and _is_regional(text[first - 1]):
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
