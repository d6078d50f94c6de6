"""Every spelling of a phone number people use, to E.164.

Facts in, a number or a reason out.  The library's parser takes letters, extensions and short nonsense; what it does not
say loudly enough is checked here.
"""

import re
import unicodedata
from functools import lru_cache

import attrs
import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, ValidationResult

from connector.model import Reason

CACHED_NUMBERS = 50_000
"""Parsing takes 12 µs and validating 30 more; contact lists repeat their numbers."""

# The library compiles its patterns at each use and leans on re's own cache of 512, which lists of many countries turn
# over at every row: 190 µs a number instead of 17.  A name that re does not publish: setting it can do no harm.
re._MAXCACHE = 10_000  # type: ignore[attr-defined]

_LETTER = re.compile(r"[^\W\d_]")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SPELLING = re.compile(r"[\d\s+().\-/\u2010-\u2015\u2212]+")
"""What people write a number with; anything else (a formula's ``=``, an extension's ``#``) makes it something else."""
_PARSE_PROBLEMS = {
    NumberParseException.INVALID_COUNTRY_CODE: "has no valid country code",
    NumberParseException.NOT_A_NUMBER: "is not a phone number",
    NumberParseException.TOO_SHORT_AFTER_IDD: "is too short",
    NumberParseException.TOO_SHORT_NSN: "is too short",
    NumberParseException.TOO_LONG: "is too long",
}
_LENGTH_PROBLEMS = {
    ValidationResult.TOO_SHORT: "is too short for {region}",
    ValidationResult.TOO_LONG: "is too long for {region}",
    ValidationResult.INVALID_LENGTH: "has a length that {region} does not use",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code",
    ValidationResult.INVALID_COUNTRY_CODE: "has no valid country code",
}


@attrs.frozen
class Number:
    """A number that can be sent to."""

    e164: str
    """Digits without the plus."""
    region: str
    """ISO 3166 code; "001" for numbers of no country."""


@attrs.frozen
class BadNumber:
    """Why a spelling is no number to send to."""

    reason: Reason
    text: str


@lru_cache(maxsize=CACHED_NUMBERS)
def normalise(spelling: str, country: str | None) -> Number | BadNumber:
    """Return the number behind this spelling, read as a national one of ``country`` where it names none itself.

    Takes ``+`` and ``00`` prefixes, brackets, dots, blanks of all kinds and full-width digits.  Refuses letters (the
    library would read them as a keypad), extensions, numbers that the country's plan does not hold, and national
    spellings when no country is known.
    """
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", spelling)).strip()
    if not text:
        return BadNumber(Reason.NUMBER_MISSING, "there is no number")
    if _LETTER.search(text):
        return BadNumber(Reason.NUMBER_INVALID, "the number holds letters")
    if not _SPELLING.fullmatch(text):
        return BadNumber(Reason.NUMBER_INVALID, "the number holds signs that no number is written with")
    if text.startswith("00") and not text.startswith("000"):
        text = "+" + text[2:]
    if country is None and not text.startswith(("+", "(+")):
        return BadNumber(
            Reason.COUNTRY_UNKNOWN,
            "the number is in national spelling: give its country, or set a default country for the API key",
        )
    return _parse(text, country)


def _parse(text: str, country: str | None) -> Number | BadNumber:
    if country is not None and country not in phonenumbers.SUPPORTED_REGIONS:
        return BadNumber(Reason.COUNTRY_UNKNOWN, f"{country!r} is no ISO 3166 country code")
    number = _read(text, country)
    if country is None or text.startswith(("+", "(+")) or isinstance(number, BadNumber):
        return number
    return _unless_ambiguous(text, country, number)


def _unless_ambiguous(text: str, country: str, number: Number) -> Number | BadNumber:
    """Refuse digits that are one number with a plus before them and another without: it may reach the wrong person.

    ``49 211 2345`` in Germany is Düsseldorf by its country code and Emden by its area code.
    """
    digits = "".join(character for character in text if character.isdecimal())
    if not digits.startswith(str(phonenumbers.country_code_for_region(country))):
        return number
    international = _read(f"+{digits}", None)
    if isinstance(international, BadNumber) or international.e164 == number.e164:
        return number
    return BadNumber(Reason.NUMBER_INVALID, "the number can be read in two ways: write + before its country code")


def _read(text: str, country: str | None) -> Number | BadNumber:
    try:
        parsed = phonenumbers.parse(text, country)
    except NumberParseException as error:
        return BadNumber(Reason.NUMBER_INVALID, f"the number {_PARSE_PROBLEMS[error.error_type]}")
    if parsed.extension:
        return BadNumber(Reason.NUMBER_INVALID, "the number has an extension")
    return _validate(parsed)


def _validate(parsed: PhoneNumber) -> Number | BadNumber:
    region = phonenumbers.region_code_for_number(parsed)
    if region is not None and phonenumbers.is_valid_number_for_region(parsed, region):
        return Number(f"{parsed.country_code}{phonenumbers.national_significant_number(parsed)}", region)
    possible = phonenumbers.is_possible_number_with_reason(parsed)
    where = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    problem = _LENGTH_PROBLEMS.get(possible, "is not in use in {region}")
    return BadNumber(Reason.NUMBER_INVALID, f"the number {problem.format(region=where)}")
