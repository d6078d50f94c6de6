"""Where a text is cut, and the header that joins its parts."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import EncodeError
from connector.smpp import graphemes, parts
from connector.smpp.alphabet import Alphabet, Language, encode, units
from connector.smpp.parts import Concatenation, Cut, Profile, Udh, cut, parse_udh, read_user_data, room, strip_udh, udh

MANY = Profile(max_parts=255)
SHORT = Profile(max_parts=255, limits=((Alphabet.GSM, 5, 4), (Alphabet.UCS2, 5, 4)))
AWKWARD = st.text(st.sampled_from("ab€[]\r\n@я\u0301\u200d😀👍🏽👨🇬🇧🇫각ᄀ각कि्षกำ\ufe0f1\u20e3"), max_size=60)


def slices(text: str, made: Cut) -> list[str]:
    return [text[start:end] for start, end in made.bounds]


def lengths(text: str, profile: Profile = MANY) -> list[int]:
    made = cut(text, profile)
    return [units(part, made.alphabet) for part in slices(text, made)]


# --- limits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alphabet", "single", "with_8_bit", "with_16_bit"),
    [(Alphabet.GSM, 160, 153, 152), (Alphabet.LATIN1, 140, 134, 133), (Alphabet.UCS2, 70, 67, 66)],
)
def test_a_part_holds_what_the_header_leaves(
    alphabet: Alphabet, single: int, with_8_bit: int, with_16_bit: int
) -> None:
    assert (room(alphabet), room(alphabet, 6), room(alphabet, 7)) == (single, with_8_bit, with_16_bit)


def test_shift_tables_cost_room_too() -> None:
    assert room(Alphabet.GSM, 4) == 155
    assert room(Alphabet.GSM, 9) == 149
    assert room(Alphabet.GSM, 7) == 152
    assert room(Alphabet.GSM, 12) == 146


@pytest.mark.parametrize(
    ("text", "profile", "expected"),
    [
        ("a" * 160, MANY, [160]),
        ("a" * 161, MANY, [153, 8]),
        ("a" * 307, MANY, [153, 153, 1]),
        ("a" * 161, Profile(concatenation=Concatenation.UDH16), [152, 9]),
        ("a" * 161, Profile(concatenation=Concatenation.SAR), [153, 8]),
        ("я" * 70, MANY, [70]),
        ("я" * 71, MANY, [67, 4]),
        ("я" * 71, Profile(concatenation=Concatenation.UDH16), [66, 5]),
        ("é" * 141, Profile(alphabets=(Alphabet.LATIN1,)), [134, 7]),
        ("a" * 161, Profile(limits=((Alphabet.GSM, 160, 152),)), [152, 9]),
    ],
)
def test_parts_are_as_long_as_alphabet_and_header_allow(text: str, profile: Profile, expected: list[int]) -> None:
    assert lengths(text, profile) == expected


def test_the_carrier_cuts_a_payload_itself() -> None:
    profile = Profile(concatenation=Concatenation.PAYLOAD, max_parts=2)
    assert cut("a" * 300, profile).bounds == ((0, 300),)
    with pytest.raises(EncodeError, match="needs at least 3 parts, the limit is 2"):
        cut("a" * 307, profile)


def test_too_many_parts_are_refused_with_how_many_it_takes_at_least() -> None:
    with pytest.raises(EncodeError, match="needs at least 12 parts, the limit is 10") as caught:
        cut("a" * (153 * 11 + 1))
    assert caught.value.field == "text"
    assert len(cut("a" * 1530).bounds) == 10


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every character that was asked whether it is half a flag."""
    asked: list[str] = []
    is_regional = graphemes._is_regional

    def look(character: str) -> bool:
        asked.append(character)
        return is_regional(character)

    monkeypatch.setattr(graphemes, "_is_regional", look)
    return asked


@pytest.mark.parametrize("flags", [500, 2_000, 4_000])
def test_a_cut_looks_back_no_further_than_its_part_begins(flags: int, looks: list[str]) -> None:
    text = "🇬🇧" * flags
    made = cut(text, MANY)
    assert all((end - start) % 2 == 0 for start, end in made.bounds), "no flag is cut"
    assert len(looks) <= 100 * len(made.bounds)


@pytest.mark.parametrize("unit", ["a", "€", "я", "🇬🇧", "e\u0301", "ı"])
@pytest.mark.parametrize("languages", [(), tuple(language for language in Language if language)])
def test_a_text_of_megabytes_is_refused_before_it_is_walked(
    unit: str, languages: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def walked(*_: object) -> int:
        raise AssertionError("megabytes were walked")

    profile = Profile(languages=languages)
    monkeypatch.setattr(parts.Coding, "units_or_none", walked)
    monkeypatch.setattr(parts, "misfits", walked)
    with pytest.raises(EncodeError, match=r"needs at least \d+ parts, the limit is 10"):
        cut(unit * 1_000_000, profile)


@given(AWKWARD, st.integers(1, 4))
def test_no_more_parts_are_cut_than_one_too_many(text: str, most: int) -> None:
    profile = attrs.evolve(SHORT, max_parts=most)
    needed = len(cut(text, SHORT).bounds)
    if needed <= most:
        assert len(cut(text, profile).bounds) == needed
        return
    with pytest.raises(EncodeError) as caught:
        cut(text, profile)
    told = int(caught.value.problem.split()[3])
    assert most < told <= needed


def test_an_empty_text_is_one_empty_part() -> None:
    assert cut("") == Cut(Alphabet.GSM, 0, ((0, 0),), ())


# --- the choice of the alphabet -------------------------------------------------------------------------------


def test_one_foreign_character_makes_the_whole_message_ucs2() -> None:
    made = cut("Zażółć")
    assert made.alphabet is Alphabet.UCS2
    assert made.units == 6
    assert made.forced_by == ("ż", "ó", "ł", "ć")


def test_the_first_alphabet_that_holds_the_text_is_taken() -> None:
    profile = Profile(alphabets=(Alphabet.GSM, Alphabet.LATIN1, Alphabet.UCS2))
    assert cut("€", profile).alphabet is Alphabet.GSM
    assert cut("ó", profile) == Cut(Alphabet.LATIN1, 1, ((0, 1),), ("ó",))
    assert cut("ó€", profile).alphabet is Alphabet.UCS2


def test_a_text_no_alphabet_holds_is_refused_and_the_character_named() -> None:
    with pytest.raises(EncodeError, match=r"U\+0444\) at 3 is not in gsm"):
        cut("no ф", Profile(alphabets=(Alphabet.GSM,)))
    with pytest.raises(EncodeError, match=r"U\+D83D\) at 1 is not in ucs2"):
        cut("a\ud83d")


# --- where a part ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("abc€def", ["abc", "€de", "f"]),  # an escape pair
        ("€€€€", ["€€", "€€"]),
        ("abc\r\ndefg", ["abc", "\r\nde", "fg"]),
        ("яяя😀я", ["яяя", "😀я"]),  # a surrogate pair
        ("яяяe\u0301я", ["яяя", "e\u0301я"]),  # a letter and its accent
        ("яя👍🏽я", ["яя", "👍🏽", "я"]),  # an emoji and its tone
        ("я❤\ufe0f❤\ufe0fя", ["я❤\ufe0f", "❤\ufe0fя"]),
        ("яя🇬🇧", ["яя", "🇬🇧"]),
        ("🇬🇧🇫🇷", ["🇬🇧", "🇫🇷"]),
        ("яя각ᄀ가", ["яя각", "ᄀ가"]),  # Hangul jamo
        ("яяяकिя", ["яяя", "किя"]),  # a vowel sign
        ("яяक्षя", ["яя", "क्षя"]),  # a conjunct
        ("яяяกำя", ["яяя", "กำя"]),
        ("яя❤\u200d🔥", ["яя", "❤\u200d🔥"]),
    ],
)
def test_a_cut_never_hurts_a_character(text: str, parts: list[str]) -> None:
    assert slices(text, cut(text, SHORT)) == parts


def test_a_character_longer_than_a_part_is_cut_at_a_code_point() -> None:
    family = "👨\u200d👩\u200d👧"
    made = slices(family, cut(family, SHORT))
    assert "".join(made) == family
    assert made[0] == "👨\u200d"
    piled = "я" + "\u0301" * 9
    assert slices(piled, cut(piled, SHORT)) == ["я\u0301\u0301\u0301", "\u0301" * 4, "\u0301" * 2]


def test_a_letter_after_a_line_end_is_not_held_back() -> None:
    assert slices("яяя\n\u0301я", cut("яяя\n\u0301я", SHORT)) == ["яяя\n", "\u0301я"]


@given(AWKWARD, st.sampled_from([SHORT, MANY]))
def test_parts_are_the_text_and_each_fits(text: str, profile: Profile) -> None:
    made = cut(text, profile)
    single, each = profile.rooms(made.alphabet)
    parts = slices(text, made)
    assert "".join(parts) == text
    assert b"".join(encode(part, made.alphabet) for part in parts) == encode(text, made.alphabet)
    assert made.units == units(text, made.alphabet)
    assert all(parts) or text == ""
    assert all(units(part, made.alphabet) <= (each if len(parts) > 1 else single) for part in parts)


# --- the profile ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"max_parts": 0},
        {"max_parts": 256},
        {"alphabets": ()},
        {"limits": ((Alphabet.GSM, 160, 1),)},
        {"limits": ((Alphabet.GSM, 152, 153),)},
    ],
)
def test_a_profile_that_cannot_work_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Profile(**settings)  # type: ignore[arg-type]


def test_equal_profiles_are_one_key() -> None:
    assert {Profile(): 1}[Profile()] == 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Profile().max_parts = 3  # type: ignore[misc]


# --- the user data header -------------------------------------------------------------------------------------


def test_the_header_is_written_as_the_standard_draws_it() -> None:
    assert udh(0xAB, 3, 2) == bytes.fromhex("05 00 03 ab 03 02")
    assert udh(0xABCD, 3, 2, wide=True) == bytes.fromhex("06 08 04 abcd 03 02")
    assert udh(1, 2, 1, locking=1, single=3) == bytes.fromhex("0b 00 03 01 02 01 25 01 01 24 01 03")


@pytest.mark.parametrize(
    ("reference", "total", "number", "wide"),
    [
        (256, 2, 1, False),
        (-1, 2, 1, False),
        (65536, 2, 1, True),
        (1, 256, 1, False),
        (1, 2, 0, False),
        (1, 2, 3, False),
    ],
)
def test_numbers_that_do_not_fit_the_header_are_refused(reference: int, total: int, number: int, wide: bool) -> None:
    with pytest.raises(EncodeError):
        udh(reference, total, number, wide=wide)


def test_a_language_that_does_not_fit_the_header_is_refused() -> None:
    with pytest.raises(EncodeError):
        udh(1, 2, 1, single=256)


@given(st.data(), st.booleans(), st.integers(0, 13), st.integers(0, 13), st.binary(max_size=20))
def test_a_written_header_is_read_back(data: st.DataObject, wide: bool, locking: int, single: int, body: bytes) -> None:
    reference = data.draw(st.integers(0, 0xFFFF if wide else 0xFF))
    total = data.draw(st.integers(1, 255))
    number = data.draw(st.integers(1, total))
    octets = udh(reference, total, number, wide=wide, locking=locking, single=single) + body
    read = parse_udh(octets)
    assert read is not None
    assert (read.reference, read.total, read.number, read.wide) == (reference, total, number, wide)
    assert (read.locking, read.single) == (locking, single)
    assert strip_udh(octets) == body


def read(octets: str) -> Udh | None:
    return parse_udh(bytes.fromhex(octets))


def test_elements_come_in_any_order() -> None:
    header = read("0c 05 04 1f90 0050 08 04 0102 03 02 41")
    assert header is not None
    assert (header.destination_port, header.source_port) == (8080, 80)
    assert (header.reference, header.total, header.number, header.wide) == (0x0102, 3, 2, True)
    assert header.length_bytes == 13
    assert header.elements == ((5, bytes.fromhex("1f900050")), (8, bytes.fromhex("01020302")))


def test_ports_of_eight_bits_are_read() -> None:
    header = read("04 04 02 f0 f1")
    assert header is not None
    assert (header.destination_port, header.source_port, header.reference) == (0xF0, 0xF1, None)


@pytest.mark.parametrize("element", ["00 03 07 02 00", "00 03 07 02 03", "00 03 07 00 00", "00 02 07 02"])
def test_a_concatenation_that_makes_no_sense_leaves_the_part_alone(element: str) -> None:
    data = bytes.fromhex(element)
    header = parse_udh(bytes([len(data)]) + data)
    assert header is not None
    assert (header.reference, header.total, header.number) == (None, None, None)


def test_the_last_of_two_concatenations_counts() -> None:
    header = read("0b 00 03 01 02 01 08 04 0005 04 03")
    assert header is not None
    assert (header.reference, header.total, header.number, header.wide) == (5, 4, 3, True)


@pytest.mark.parametrize(
    "octets", ["", "05", "05 00 03 01 02", "05 00 04 01 02 01", "04 00 03 01 02", "01 00", "ff 00"]
)
def test_lengths_that_lie_are_no_header_and_nothing_is_stripped(octets: str) -> None:
    assert read(octets) is None
    assert strip_udh(bytes.fromhex(octets)) == bytes.fromhex(octets)


def test_an_empty_header_is_a_header() -> None:
    assert read("00 41") == Udh(length_bytes=1)
    assert strip_udh(b"\x00A") == b"A"


@given(st.binary(max_size=40))
def test_no_octets_stop_the_header_parser(octets: bytes) -> None:
    assert octets.endswith(strip_udh(octets))


# --- what a reader cannot be sure of ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("element", "certain"), [(b"\x24\x01\x0d", True), (b"\x24\x01\x0e", False), (b"\x25\x01\x02", False)]
)
def test_a_shift_table_nobody_has_is_told(element: bytes, certain: bool) -> None:
    data = read_user_data(bytes([len(element)]) + element + b"abc", esm_class=0x40)
    assert (data.text, data.language_is_unknown, data.is_certain) == ("abc", not certain, certain)


def test_a_header_that_is_none_is_told() -> None:
    data = read_user_data(b"\x40abc", esm_class=0x40)
    assert (data.octets, data.header_is_broken, data.is_certain) == (b"\x40abc", True, False)
