"""The GSM alphabet against the codec of another author: every character, every code, and texts of them."""

import sys

import gsm0338  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from connector.smpp.alphabet import Alphabet, decode, decode_shifted, encode, encode_shifted, fits, units
from connector.smpp.shift_tables import ESCAPE, Language

THEIRS = gsm0338.Codec()
SPANISH = gsm0338.Codec(single_shift_decode_map=gsm0338.SINGLE_SHIFT_CHARACTER_SET_SPANISH)
CHARACTERS = "".join(
    chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF and fits(chr(code), Alphabet.GSM)
)


def test_we_have_the_characters_they_have() -> None:
    theirs = {THEIRS.decode(bytes([code]))[0] for code in range(0x80) if code != ESCAPE}
    extension = {decode(bytes([ESCAPE, code]), Alphabet.GSM) for code in range(0x80)}
    assert len(CHARACTERS) == 137
    assert set(CHARACTERS) - extension <= theirs <= set(CHARACTERS)


def test_each_code_is_the_same_character_to_both() -> None:
    for code in set(range(0x80)) - {ESCAPE}:
        assert decode(bytes([code]), Alphabet.GSM) == THEIRS.decode(bytes([code]))[0]


@given(st.text(st.sampled_from(CHARACTERS)))
def test_a_text_has_the_same_octets_by_both_and_comes_back(text: str) -> None:
    octets = encode(text, Alphabet.GSM)
    assert octets == THEIRS.encode(text)[0]
    assert THEIRS.decode(octets)[0] == decode(octets, Alphabet.GSM) == text
    assert units(text, Alphabet.GSM) == len(octets)


@given(st.characters())
def test_a_character_one_of_us_refuses_the_other_refuses_too(character: str) -> None:
    try:
        THEIRS.encode(character)
        known = character != chr(ESCAPE)  # no text has the escape itself as a character
    except UnicodeEncodeError:
        known = False
    assert fits(character, Alphabet.GSM) == known


@given(st.text(st.sampled_from(CHARACTERS + "çÁÍÓÚáíóú")))
def test_the_spanish_table_is_the_same(text: str) -> None:
    octets = encode_shifted(text, single=Language.SPANISH)
    assert octets == SPANISH.encode(text)[0]
    assert decode_shifted(octets, single=Language.SPANISH) == SPANISH.decode(octets)[0] == text
