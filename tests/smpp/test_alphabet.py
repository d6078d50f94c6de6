"""What fits an alphabet, what its octets are, and what foreign octets say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import gsm

from connector.errors import EncodeError
from connector.smpp.alphabet import (
    Alphabet,
    alphabet_of,
    data_coding_of,
    decode,
    decode_shifted,
    encode,
    encode_shifted,
    fill_bits,
    fits,
    is_cut_short,
    misfits,
    pack,
    substitute,
    units,
    unpack,
)
from connector.smpp.shift_tables import BASIC, EXTENSION, LOCKING, SINGLE, UNDEFINED, Language

PLAIN = BASIC.replace("\x1b", "")
GSM_TEXTS = st.text(st.sampled_from(PLAIN + "".join(EXTENSION.values())))
UNKNOWN_TO_SMPPLIB = "§\f"  # it gives the code of § to the back-tick, and has no form feed
TABLE_PAIRS = [(locking, single) for locking in LOCKING for single in SINGLE]


# --- the GSM alphabet -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("@", "00"),
        ("Hi @ 9", "48 69 20 00 20 39"),
        ("_", "11"),
        ("Ç", "09"),
        ("§", "5f"),
        ("à", "7f"),
        ("\n\r", "0a 0d"),
        ("€", "1b 65"),
        ("[a]", "1b 3c 61 1b 3e"),
        ("^{}\\~|\f", "1b 14 1b 28 1b 29 1b 2f 1b 3d 1b 40 1b 0a"),
        ("", ""),
    ],
)
def test_gsm_characters_have_the_codes_of_the_standard(text: str, octets: str) -> None:
    assert encode(text, Alphabet.GSM) == bytes.fromhex(octets)
    assert decode(bytes.fromhex(octets), Alphabet.GSM) == text


@pytest.mark.parametrize("character", [c for c in PLAIN + "".join(EXTENSION.values()) if c not in UNKNOWN_TO_SMPPLIB])
def test_an_independent_table_gives_the_same_code(character: str) -> None:
    assert encode(character, Alphabet.GSM) == gsm.gsm_encode(character)


@pytest.mark.parametrize("character", ["ç", "`", "\t", "“", "я", "\0", "\x1b", "\x7f", "\ufffe", "😀", "\ud800"])
def test_what_gsm_lacks_is_refused_and_named(character: str) -> None:
    text = "ok" + character + "@"
    assert not fits(text, Alphabet.GSM)
    with pytest.raises(EncodeError, match=rf"U\+{ord(character):04X}\) at 2 is not in gsm") as caught:
        encode(text, Alphabet.GSM)
    assert caught.value.field == "text"
    with pytest.raises(EncodeError):
        units(text, Alphabet.GSM)


@given(GSM_TEXTS)
def test_a_gsm_text_comes_back_as_it_went(text: str) -> None:
    octets = encode(text, Alphabet.GSM)
    assert decode(octets, Alphabet.GSM) == text
    assert units(text, Alphabet.GSM) == len(octets)
    assert fits(text, Alphabet.GSM)
    assert octets.isascii()


@given(st.text(), st.sampled_from(Alphabet))
def test_a_text_fits_exactly_when_it_can_be_encoded_and_read_back(text: str, alphabet: Alphabet) -> None:
    if not fits(text, alphabet):
        with pytest.raises(EncodeError):
            encode(text, alphabet)
        return
    octets = encode(text, alphabet)
    assert units(text, alphabet) == len(octets) // (2 if alphabet is Alphabet.UCS2 else 1)
    if not text.startswith(("\ufeff", "\ufffe")):  # a byte order mark is not text
        assert decode(octets, alphabet) == text


def test_nul_octets_at_the_end_of_a_gsm_text_are_at_signs() -> None:
    assert decode(b"me\x00\x00", Alphabet.GSM) == "me@@"


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("1b 41", "A"),  # no such extension: the basic character of the code
        ("1b 0d", "\r"),
        ("61 1b", "a "),
        ("1b 1b 65", " e"),
        ("1b 65 1b 65", "€€"),
        ("61 e9 62", "aéb"),  # Latin-1 sent as the default alphabet
    ],
)
def test_odd_gsm_octets_are_read_by_the_rules_for_receivers(octets: str, text: str) -> None:
    assert decode(bytes.fromhex(octets), Alphabet.GSM) == text


@given(st.binary(), st.sampled_from(Alphabet))
def test_no_octets_stop_the_decoder(octets: bytes, alphabet: Alphabet) -> None:
    text = decode(octets, alphabet)
    assert len(text) <= len(octets)
    is_cut_short(octets, alphabet)


def test_the_characters_that_do_not_fit_are_listed_once_in_order() -> None:
    assert misfits("żółw — ż €", Alphabet.GSM) == ("ż", "ó", "ł", "—")
    assert misfits("żé€", Alphabet.LATIN1) == ("ż", "€")


# --- the other alphabets --------------------------------------------------------------------------------------


def test_ucs2_counts_a_surrogate_pair_as_two_units() -> None:
    assert encode("я😀", Alphabet.UCS2) == bytes.fromhex("044f d83d de00")
    assert units("я😀", Alphabet.UCS2) == 3


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("fe ff 04 4f", "я"),
        ("ff fe 4f 04", "я"),
        ("04 4f 04", "я"),
        ("04", ""),
        ("d8 3d", "\ufffd"),
        ("de 00 00 41", "\ufffdA"),
    ],
)
def test_ucs2_from_careless_senders_is_read_as_far_as_it_goes(octets: str, text: str) -> None:
    assert decode(bytes.fromhex(octets), Alphabet.UCS2) == text


@pytest.mark.parametrize(
    ("octets", "alphabet", "cut_short"),
    [
        (b"\x04\x4f\x04", Alphabet.UCS2, True),
        (b"\x04\x4f\xd8\x3d", Alphabet.UCS2, True),
        (b"\x04\x4f", Alphabet.UCS2, False),
        (b"\xd8\x3d\xde\x00", Alphabet.UCS2, False),
        (b"a\x1b", Alphabet.GSM, True),
        (b"a\x1b\x1b", Alphabet.GSM, False),
        (b"a\x1be", Alphabet.GSM, False),
        (b"", Alphabet.GSM, False),
        (b"\x1b", Alphabet.LATIN1, False),
    ],
)
def test_octets_that_end_inside_a_character_are_told(octets: bytes, alphabet: Alphabet, cut_short: bool) -> None:
    assert is_cut_short(octets, alphabet) is cut_short


def test_single_octet_alphabets_use_their_own_codes() -> None:
    assert encode("é", Alphabet.LATIN1) == b"\xe9"
    assert encode("я", Alphabet.CYRILLIC) == b"\xef"
    assert encode("א", Alphabet.HEBREW) == b"\xe0"
    assert decode(b"\x00\xff", Alphabet.BINARY) == "\x00\xff"
    assert not fits("é", Alphabet.ASCII)
    assert not fits("€", Alphabet.LATIN1)


# --- data_coding ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data_coding", "alphabet"),
    [
        (0x00, Alphabet.GSM),
        (0x01, Alphabet.GSM),
        (0x02, Alphabet.BINARY),
        (0x03, Alphabet.LATIN1),
        (0x04, Alphabet.BINARY),
        (0x05, Alphabet.BINARY),  # Japanese: kept as octets
        (0x06, Alphabet.CYRILLIC),
        (0x07, Alphabet.HEBREW),
        (0x08, Alphabet.UCS2),
        (0x0B, Alphabet.BINARY),
        (0x10, Alphabet.GSM),
        (0x14, Alphabet.BINARY),
        (0x18, Alphabet.UCS2),
        (0x1C, Alphabet.BINARY),
        (0x20, Alphabet.BINARY),  # compressed, as all with this bit up to 0x7F
        (0x38, Alphabet.BINARY),
        (0x48, Alphabet.UCS2),
        (0x60, Alphabet.BINARY),
        (0x59, Alphabet.UCS2),
        (0x80, Alphabet.BINARY),
        (0xC8, Alphabet.GSM),
        (0xD0, Alphabet.GSM),
        (0xE3, Alphabet.UCS2),
        (0xF0, Alphabet.GSM),
        (0xF5, Alphabet.BINARY),
        (0x1FF, Alphabet.BINARY),
    ],
)
def test_a_received_data_coding_names_an_alphabet(data_coding: int, alphabet: Alphabet) -> None:
    assert alphabet_of(data_coding) is alphabet


def test_the_default_alphabet_is_the_routes_own() -> None:
    assert alphabet_of(0x00, Alphabet.LATIN1) is Alphabet.LATIN1
    assert alphabet_of(0xF0, Alphabet.LATIN1) is Alphabet.LATIN1
    assert alphabet_of(0x03, Alphabet.ASCII) is Alphabet.LATIN1


@pytest.mark.parametrize("alphabet", [a for a in Alphabet if a is not Alphabet.ASCII])
def test_the_data_coding_we_send_is_read_as_the_same_alphabet(alphabet: Alphabet) -> None:
    assert alphabet_of(data_coding_of(alphabet)) is alphabet


# --- national tables ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", LOCKING.values())
def test_every_locking_table_has_a_different_character_for_each_code(table: str) -> None:
    assert len(table) == 128
    assert len(set(table)) == 128 - max(0, table.count(UNDEFINED) - 1)
    assert table[0x1B] == "\x1b"


@pytest.mark.parametrize(
    ("octets", "locking", "single", "text"),
    [
        (b"\x1b\x67\x1b\x69", 0, Language.TURKISH, "ğı"),
        (b"\x1b\x65", 0, Language.TURKISH, "€"),
        (b"\x04\x60\x1b\x49", Language.TURKISH, Language.TURKISH, "€çİ"),
        (b"\x1b\x41\x09\x1b\x09", 0, Language.SPANISH, "ÁÇç"),
        (b"\x09\x1b\x7b\x7b\x18", Language.PORTUGUESE, Language.PORTUGUESE, "çãã€"),
        (b"\x17\x1b\x2f", Language.PORTUGUESE, 0, "\\\\"),
        (b"\x28\x15\x1b\x1f\x0a", Language.HINDI, Language.HINDI, ")क३\n"),
        (b"\x24\x0e\x1b\x41", Language.KANNADA, Language.KANNADA, "\u0ca1\u0c8eA"),
        (b"\x11\x1b\x19\x1b\x65", Language.BENGALI, Language.BENGALI, "\ufffd\u09e6€"),  # a code left empty
        (b"\x00\x01\x1b\x3f", Language.URDU, Language.URDU, "\u0627\u0622\u06d4"),
        (b"\x09\x1b\x65", 14, 14, "Ç€"),  # no language has this number: the default alphabet
    ],
)
def test_shifted_septets_are_read_by_their_tables(octets: bytes, locking: int, single: int, text: str) -> None:
    assert decode_shifted(octets, locking, single) == text


@pytest.mark.parametrize(("locking", "single"), TABLE_PAIRS)
def test_every_character_of_the_shift_tables_comes_back(locking: int, single: int) -> None:
    text = LOCKING[locking].replace("\x1b", "").replace(UNDEFINED, "") + "".join(SINGLE[single].values())
    assert decode_shifted(encode_shifted(text, locking, single), locking, single) == text


def test_a_character_of_the_locking_table_needs_no_escape() -> None:
    assert encode_shifted("ç", Language.TURKISH, Language.TURKISH) == b"\x60"
    assert encode_shifted("ç", Language.DEFAULT, Language.TURKISH) == b"\x1b\x63"


def test_shifted_encoding_refuses_foreign_characters_and_unknown_languages() -> None:
    with pytest.raises(EncodeError, match=r"U\+0451\) at 1 "):
        encode_shifted("çё", Language.TURKISH, Language.TURKISH)
    with pytest.raises(EncodeError, match="no tables for locking 2"):
        encode_shifted("a", Language.SPANISH, Language.SPANISH)


# --- packed septets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("septets", "octets"),
    [
        (b"", ""),
        (b"A", "41"),
        (b"AB", "41 21"),
        (b"abcdefgh", "61 f1 98 5c 36 9f d1"),
        (b"abcdefg", "61 f1 98 5c 36 9f 1b"),  # the seven bits left hold a CR
        (b"abcdefg\r", "61 f1 98 5c 36 9f 1b 0d"),  # a CR meant as such is doubled
    ],
)
def test_eight_septets_are_packed_in_seven_octets(septets: bytes, octets: str) -> None:
    assert pack(septets) == bytes.fromhex(octets)


@pytest.mark.parametrize(("header_octets", "fill"), [(0, 0), (6, 1), (7, 0), (3, 4), (12, 2)])
def test_text_after_a_header_starts_on_a_septet(header_octets: int, fill: int) -> None:
    assert fill_bits(header_octets) == fill
    assert (header_octets * 8 + fill) % 7 == 0


@given(st.binary(max_size=40).map(lambda o: bytes(c & 0x7F for c in o)), st.integers(0, 6))
def test_packed_septets_come_back(septets: bytes, fill: int) -> None:
    octets = pack(septets, fill)
    assert unpack(octets, len(septets), fill) == septets
    assert len(octets) <= -(-(7 * (len(septets) + 1) + fill) // 8)
    if not septets.endswith(b"\r"):
        assert unpack(octets, fill=fill) == septets


@given(st.binary(max_size=20), st.integers(0, 6))
def test_no_octets_stop_the_unpacker(octets: bytes, fill: int) -> None:
    assert unpack(octets, fill=fill).isascii()


def test_octets_above_a_septet_are_not_packed() -> None:
    with pytest.raises(EncodeError):
        pack(b"\x80")


# --- optional replacement -------------------------------------------------------------------------------------


def test_typographic_characters_are_replaced_only_on_demand() -> None:
    text = "“Don’t” – wait…\u00a0ok\tя"
    assert not fits(text, Alphabet.GSM)
    assert substitute(text) == '"Don\'t" - wait... ok я'
