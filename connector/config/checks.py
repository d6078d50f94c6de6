"""What one value of the configuration must be like: validators of fields, and questions several fields share."""

import ipaddress
from collections.abc import Callable, Iterable
from typing import Final

from phonenumbers import SUPPORTED_REGIONS

from connector.config.names import no_such
from connector.settings import KeyPath, Validator, shown
from connector.settings import Problems as Problems
from connector.settings import Rules as Rules

Rule = Callable[[str], str | None]
"""Returns what is wrong with a value, in words, or None."""

MAX_ALPHANUMERIC: Final = 11
"""Septets that fit the ten octets of an alphanumeric address on the air interface (3GPP TS 23.040, 9.1.2.5)."""
MAX_DIGITS: Final = 15
"""E.164."""
OTHER_COUNTRY_CODES: Final = {"UK": "GB"}
"""Codes in everyday use that ISO 3166 gives to no country."""


# --- rules ----------------------------------------------------------------------------------------------------------


def country_problem(code: str) -> str | None:
    """Return why no number is in a country of this code, or None."""
    if code in SUPPORTED_REGIONS:
        return None
    if not (len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()):
        return f'must be an ISO 3166 code of two capitals such as "GB", not {shown(code)}'
    meant = OTHER_COUNTRY_CODES.get(code)
    return f"there is no country {shown(code)} that has phone numbers" + (f', did you mean "{meant}"?' if meant else "")


def prefix_problem(prefix: str) -> str | None:
    """Return why no number begins so, or None.  Numbers are E.164 without the plus: a country code comes first."""
    if not (prefix.isascii() and prefix.isdecimal() and len(prefix) <= MAX_DIGITS):
        return f'must be the first digits of numbers, without a plus, such as "4474", not {shown(prefix)}'
    if prefix.startswith("0"):
        return f'must begin with a country code, such as "4474", not {shown(prefix)}: no number in E.164 begins with 0'
    return None


def sender_problem(sender: str) -> str | None:
    """Return why this is no source address, or None if it is one (empty: the carrier fills in)."""
    digits = sender.removeprefix("+")
    if digits.isascii() and digits.isdecimal():
        return None if 3 <= len(digits) <= MAX_DIGITS else f"a numeric sender has 3 to {MAX_DIGITS} digits"
    if not (sender.isascii() and sender.isprintable()):
        return "a sender is made of ASCII letters, digits and signs"
    if len(sender) > MAX_ALPHANUMERIC:
        return f"an alphanumeric sender has at most {MAX_ALPHANUMERIC} characters"
    return None


def not_sender(sender: str) -> str | None:
    """Return the same with the sender in it."""
    problem = sender_problem(sender)
    return problem and f"{shown(sender)} is no sender: {problem}"


def items(owner: object, key: str, rule: Rule) -> Problems:
    """Yield every item of the array under this key that breaks the rule, each with its place."""
    for index, value in enumerate(getattr(owner, key) or ()):
        if (problem := rule(value)) is not None:
            yield (key, index), problem


def obeys(rule: Rule) -> Validator:
    """Return the validator of a text that must obey this rule; None passes."""

    def check(_instance: object, _field: object, value: str | None) -> None:
        if value is not None and (problem := rule(value)) is not None:
            raise ValueError(problem)

    return check


# --- what fields are validated with ---------------------------------------------------------------------------------

country: Final = obeys(country_problem)
sender: Final = obeys(not_sender)


def address(_instance: object, _field: object, value: str) -> None:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f'must be "host:port" such as "127.0.0.1:8080", not {shown(value)}')


def name(_instance: object, _field: object, value: str) -> None:
    if not value.strip() or not value.isprintable() or "|" in value:
        raise ValueError(f'must be a name of printable characters without "|", not {shown(value)}')


def field_text(limit: int) -> Validator:
    """Return a validator for text that goes into a C-octet string of at most ``limit`` octets with its NUL."""

    def check(_instance: object, _field: object, value: str) -> None:
        if not value.isascii() or "\0" in value or len(value) >= limit:
            raise ValueError(f"must be at most {limit - 1} ASCII characters, not {shown(value)}")

    return check


def not_empty(owner: object, key: str) -> Problems:
    """Yield that the array under this key is there, and empty."""
    if getattr(owner, key) == ():
        yield (key,), "an empty list fits nothing: leave the key out for all"


def repeated(owner: object, key: str) -> Problems:
    """Yield every table under this key that has the name of one before it."""
    seen: set[str] = set()
    for index, each in enumerate(getattr(owner, key)):
        if each.name in seen:
            yield (key, index, "name"), f"{shown(each.name)} is the name of another {key}"
        seen.add(each.name)


def unknown(owner: object, key: str, known: Iterable[str], what: str) -> Problems:
    """Yield every name under this key, which holds one or many, that nothing of this sort has."""
    value, names = getattr(owner, key), list(known)
    given = (
        [((key,), value)] if isinstance(value, str) else [((key, index), it) for index, it in enumerate(value or ())]
    )
    for path, name in given:
        if name not in names:
            yield path, no_such(what, name, names)


def below(path: KeyPath, problems: Problems) -> Problems:
    """Yield the problems of a value that is held under this path."""
    for where, sentence in problems:
        yield (*path, *where), sentence


def is_address(host: str) -> bool:
    """Tell whether this is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
