"""Spellings of numbers as people and lists have them, and the traps among them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model import Reason
from connector.policy.numbers import BadNumber, Number, normalise


def good(spelling: str, country: str | None = None) -> tuple[str, str]:
    found = normalise(spelling, country)
    assert isinstance(found, Number), found
    return found.e164, found.region


def bad(spelling: str, country: str | None = None) -> Reason:
    found = normalise(spelling, country)
    assert isinstance(found, BadNumber), found
    return found.reason


@pytest.mark.parametrize(
    "spelling",
    [
        "+447400123456",
        "00447400123456",
        "+44 7400 123456",
        "+44 (0)7400 123456",
        "(+44) 7400-123-456",
        "+44.7400.123456",
        "\u202a+447400123456\u202c",
        "+44\u00a07400\u2009123\u2011456",
        "＋４４７４００１２３４５６",
        "  +447400123456\t",
    ],
)
def test_international_spellings(spelling: str) -> None:
    assert good(spelling) == ("447400123456", "GB")


@pytest.mark.parametrize("spelling", ["07400 123456", "7400123456", "(07400) 123456", "447400123456"])
def test_national_spellings_are_read_by_their_country(spelling: str) -> None:
    assert good(spelling, "GB") == ("447400123456", "GB")


@pytest.mark.parametrize(
    ("spelling", "region"),
    [
        ("+1 242 357 1234", "BS"),  # shares +1 with the United States
        ("+44 7624 123456", "IM"),  # shares +44 with the United Kingdom
        ("+7 701 234 5678", "KZ"),  # shares +7 with Russia
        ("+7 912 345 6789", "RU"),
        ("+1 212 555 2368", "US"),
        ("+225 07 08 12 34 56", "CI"),  # ten digits since 2021
        ("+52 55 1234 5678", "MX"),  # without the old 1
        ("+39 312 345 6789", "IT"),
        ("+55 11 91234 5678", "BR"),
    ],
)
def test_the_region_is_the_subscriber_s(spelling: str, region: str) -> None:
    assert good(spelling)[1] == region


def test_old_lengths_are_no_numbers_any_more() -> None:
    assert bad("+225 07 08 12 34") is Reason.NUMBER_INVALID


@pytest.mark.parametrize(
    "spelling",
    [
        "+44 7911 ABCDEF",
        "+447400123456 ext 5",
        "+447400123456#5",
        "+447400123456;123",
        "=+447400123456",
        "+44740012345",
        "+4474001234567",
        "+99912345678",
        "000447400123456",
        "+",
        "12",
        "٠٧٩١١",
    ],
)
def test_what_is_no_number_is_refused_and_not_guessed(spelling: str) -> None:
    assert bad(spelling, "GB") is Reason.NUMBER_INVALID


@pytest.mark.parametrize("nothing", ["", "  ", "\u200b\ufeff"])
def test_nothing_is_a_number_missing(nothing: str) -> None:
    assert bad(nothing, "GB") is Reason.NUMBER_MISSING


def test_a_national_spelling_without_a_country_is_refused() -> None:
    assert bad("07400123456") is Reason.COUNTRY_UNKNOWN


def test_a_country_that_is_none_is_refused() -> None:
    assert bad("07400123456", "XX") is Reason.COUNTRY_UNKNOWN


def test_digits_that_are_two_numbers_are_refused() -> None:
    assert bad("49 211 2345678", "DE") is Reason.NUMBER_INVALID


@given(st.text(max_size=30), st.sampled_from([None, "GB", "US", "IT"]))
def test_no_text_raises(spelling: str, country: str | None) -> None:
    found = normalise(spelling, country)
    if isinstance(found, Number):
        assert found.e164.isascii()
        assert found.e164.isdigit()
        assert len(found.e164) <= 15
