"""What a text will become, with and without national shift tables."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import EncodeError
from connector.smpp.alphabet import Alphabet, decode, decode_shifted
from connector.smpp.parts import (
    Concatenation,
    Preview,
    Profile,
    cut,
    parse_udh,
    preview,
    read_user_data,
    short_message,
)
from connector.smpp.shift_tables import Language

TURKISH = Profile(languages=(Language.TURKISH,))
ALL = Profile(languages=(Language.TURKISH, Language.SPANISH, Language.PORTUGUESE))


# --- preview --------------------------------------------------------------------------------------------------


def test_a_plain_text_says_all_of_itself() -> None:
    assert preview("Total: 10 €") == Preview(
        alphabet=Alphabet.GSM,
        unit="septets",
        units=12,
        octets=12,
        parts=1,
        part_units=(12,),
        room_units=160,
        remaining_units=148,
        forced_by=(),
        locking=0,
        single=0,
    )


def test_the_characters_that_force_ucs_2_are_named_once_each() -> None:
    told = preview("naïve — déjà vu, naïve — 😀")
    assert (told.alphabet, told.unit, told.forced_by) == (Alphabet.UCS2, "16-bit units", ("ï", "—", "😀"))
    assert (told.units, told.octets, told.room_units) == (27, 54, 70)


@pytest.mark.parametrize(
    ("text", "parts", "part_units", "remaining"),
    [
        ("", 1, (0,), 160),
        ("x" * 160, 1, (160,), 0),
        ("x" * 161, 2, (153, 8), 145),
        ("x" * 306, 2, (153, 153), 0),
        ("x" * 152 + "€" + "x" * 9, 2, (152, 11), 142),
        ("ж" * 71, 2, (67, 4), 63),
    ],
)
def test_the_room_left_is_that_of_the_last_part(
    text: str, parts: int, part_units: tuple[int, ...], remaining: int
) -> None:
    told = preview(text)
    assert (told.parts, told.part_units, told.remaining_units) == (parts, part_units, remaining)


def test_octets_are_the_unit_where_the_alphabet_has_no_other() -> None:
    told = preview("naïve", Profile(alphabets=(Alphabet.LATIN1,)))
    assert (told.unit, told.units, told.octets, told.remaining_units) == ("octets", 5, 5, 135)


def test_a_payload_counts_the_parts_the_carrier_makes() -> None:
    told = preview("x" * 400, Profile(concatenation=Concatenation.PAYLOAD))
    assert (told.parts, told.part_units) == (3, (153, 153, 94))
    assert len(cut("x" * 400, Profile(concatenation=Concatenation.PAYLOAD)).bounds) == 1


def test_what_cannot_be_sent_is_refused_as_by_the_cut() -> None:
    with pytest.raises(EncodeError, match="needs at least 11 parts, the limit is 10"):
        preview("x" * 1531)
    with pytest.raises(EncodeError, match="U\\+0436"):
        preview("ж", Profile(alphabets=(Alphabet.GSM,)))


@given(st.text(), st.sampled_from([Profile(max_parts=255), Profile(max_parts=255, languages=ALL.languages)]))
def test_a_preview_agrees_with_the_cut_and_its_parts_add_up(text: str, profile: Profile) -> None:
    try:
        made = cut(text, profile)
    except EncodeError:
        with pytest.raises(EncodeError):
            preview(text, profile)
        return
    told = preview(text, profile)
    assert (told.alphabet, told.units, told.parts, told.forced_by) == (
        made.alphabet,
        made.units,
        len(made.bounds),
        made.forced_by,
    )
    assert sum(told.part_units) == told.units
    assert told.remaining_units == told.room_units - told.part_units[-1]
    assert max(told.part_units) <= told.room_units


# --- national shift tables ------------------------------------------------------------------------------------


def test_tables_are_used_only_where_the_profile_has_them_and_the_text_needs_them() -> None:
    assert preview("İyi günler").alphabet is Alphabet.UCS2
    assert preview("Good day", TURKISH).single == 0
    told = preview("İyi günler", TURKISH)
    assert (told.alphabet, told.single, told.locking) == (Alphabet.GSM, Language.TURKISH, 0)
    assert (told.units, told.forced_by) == (11, ("İ",))


@pytest.mark.parametrize(
    ("text", "languages", "locking", "single", "alone", "each"),
    [
        ("ş", (Language.TURKISH,), 0, Language.TURKISH, 155, 149),
        ("á", (Language.TURKISH, Language.SPANISH), 0, Language.SPANISH, 155, 149),
        ("ã", (Language.PORTUGUESE,), 0, Language.PORTUGUESE, 155, 149),
        ("ª", (Language.PORTUGUESE,), Language.PORTUGUESE, Language.PORTUGUESE, 152, 146),
    ],
)
def test_a_table_costs_three_octets_of_each_header(
    text: str, languages: tuple[int, ...], locking: int, single: int, alone: int, each: int
) -> None:
    profile = Profile(languages=languages)
    told = preview(text, profile)
    assert (told.locking, told.single, told.room_units) == (locking, single, alone)
    assert profile.rooms(Alphabet.GSM, locking, single) == (alone, each)
    assert preview(text + "x" * alone, profile).room_units == each


@pytest.mark.parametrize(
    ("text", "locking", "single", "parts"),
    [
        ("ş" * 77, 0, Language.TURKISH, 1),
        ("ş" * 78, Language.TURKISH, Language.TURKISH, 1),  # an escape each is a septet each with the locking table
        ("ş" + "x" * 153, 0, Language.TURKISH, 1),
        ("ş" + "x" * 154, 0, Language.TURKISH, 2),  # as many parts either way: the smaller header
        ("€" * 80, 0, 0, 1),
        ("€" * 100, Language.TURKISH, Language.TURKISH, 1),
        ("è" * 161, 0, 0, 2),  # the locking table has no è
    ],
)
def test_of_several_tables_those_that_make_the_fewest_parts_are_used(
    text: str, locking: int, single: int, parts: int
) -> None:
    told = preview(text, TURKISH)
    assert (told.alphabet, told.parts) == (Alphabet.GSM, parts)
    assert (told.locking, told.single) == (locking, single)
    assert told.forced_by == (("ş",) if "ş" in text else ())


@given(st.text(alphabet="şĞ€[sSçèă ", max_size=400))
def test_shift_tables_never_cost_a_part(text: str) -> None:
    many = attrs.evolve(ALL, max_parts=255)
    told = preview(text, many)
    for language in (*ALL.languages, None):
        fewer = attrs.evolve(many, languages=() if language is None else (language,))
        assert told.parts <= preview(text, fewer).parts


def test_characters_of_two_tables_at_once_force_ucs_2() -> None:
    assert preview("şã", ALL).alphabet is Alphabet.UCS2


@pytest.mark.parametrize("concatenation", [Concatenation.SAR, Concatenation.PAYLOAD])
def test_tables_need_a_header_of_our_own(concatenation: Concatenation) -> None:
    with pytest.raises(ValueError, match="user data header"):
        Profile(languages=(Language.TURKISH,), concatenation=concatenation)


@pytest.mark.parametrize("language", [0, 14, 99])
def test_a_language_without_tables_is_refused(language: int) -> None:
    with pytest.raises(ValueError, match=f"no shift table of language {language}"):
        Profile(languages=(language,))


def test_a_carriers_own_limits_shrink_by_the_same_septets() -> None:
    profile = Profile(limits=((Alphabet.GSM, 150, 140),), languages=(Language.TURKISH,))
    assert profile.rooms(Alphabet.GSM, 0, Language.TURKISH) == (145, 136)


# --- the octets of a part -------------------------------------------------------------------------------------


def test_a_part_without_need_has_no_header() -> None:
    assert short_message("hi", cut("hi")) == (b"hi", False)


def test_a_single_part_with_a_table_names_it() -> None:
    octets, has_header = short_message("ş", cut("ş", TURKISH))
    assert (octets, has_header) == (bytes.fromhex("03240101 1b73"), True)


@pytest.mark.parametrize("way", [Concatenation.UDH8, Concatenation.UDH16])
@pytest.mark.parametrize("text", ["ş" * 400, "şx" * 100, "ª" * 200, "x" * 200, "ж" * 100])
def test_the_parts_come_back_to_the_text_and_fit_the_radio_side(text: str, way: Concatenation) -> None:
    profile = Profile(languages=ALL.languages, concatenation=way)
    made, back = cut(text, profile), ""
    for number in range(1, len(made.bounds) + 1):
        octets, has_header = short_message(text, made, number, reference=7, way=way)
        header = parse_udh(octets)
        assert has_header
        assert header is not None
        assert (header.reference, header.total, header.number) == (7, len(made.bounds), number)
        assert (header.wide, header.locking, header.single) == (way is Concatenation.UDH16, made.locking, made.single)
        body = octets[header.length_bytes :]
        back += (
            decode_shifted(body, header.locking, header.single)
            if made.alphabet is Alphabet.GSM
            else decode(body, made.alphabet)
        )
        bits = len(body) * (7 if made.alphabet is Alphabet.GSM else 8)
        assert header.length_bytes * 8 + bits <= 140 * 8
    assert back == text


# --- what was received ----------------------------------------------------------------------------------------


def test_a_text_without_a_header_is_read_in_the_alphabet_of_its_data_coding() -> None:
    assert read_user_data(b"Gr\x7e\x1ee").text == "Grüße"
    assert read_user_data(b"Gr\xfc\xdfe", default=Alphabet.LATIN1).text == "Grüße"
    assert read_user_data("жук".encode("utf-16-be"), data_coding=8).text == "жук"


def test_a_header_is_taken_off_and_its_tables_are_obeyed() -> None:
    octets = bytes.fromhex("03240101") + b"\x1bs"
    read = read_user_data(octets, esm_class=0x40)
    assert (read.text, read.octets, read.header_is_broken) == ("ş", b"\x1bs", False)
    assert read.udh is not None
    assert read.udh.single == Language.TURKISH
    # without the announcement the same octets are text
    assert read_user_data(octets).text != "ş"


def test_a_language_without_tables_here_reads_as_the_default_alphabet() -> None:
    assert read_user_data(bytes.fromhex("03250106") + b"hi", esm_class=0x40).text == "hi"


def test_a_header_that_is_none_is_told_and_the_octets_are_kept() -> None:
    read = read_user_data(b"\xffhi", esm_class=0x40)
    assert (read.octets, read.udh, read.header_is_broken) == (b"\xffhi", None, True)


@given(st.binary(max_size=160), st.integers(0, 255), st.integers(0, 255), st.sampled_from(Alphabet))
def test_any_user_data_is_read(octets: bytes, esm_class: int, data_coding: int, default: Alphabet) -> None:
    read = read_user_data(octets, esm_class=esm_class, data_coding=data_coding, default=default)
    assert octets.endswith(read.octets)


def test_what_was_read_does_not_show_in_logs() -> None:
    assert "secret" not in repr(read_user_data(b"secret"))


@pytest.mark.parametrize("way", [Concatenation.SAR, Concatenation.PAYLOAD])
def test_what_the_carrier_joins_has_no_header_of_ours(way: Concatenation) -> None:
    made = cut("x" * 200, Profile(concatenation=way))
    octets, has_header = short_message("x" * 200, made, way=way)
    assert not has_header
    assert set(octets) == {ord("x")}
