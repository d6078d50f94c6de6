"""What one value of the configuration must be like: validators of fields, and questions several fields share."""

import ipaddress
from collections.abc import Iterable, Iterator

from connector.settings import KeyPath, Validator, nearest, shown

Problems = Iterator[tuple[KeyPath, str]]


def address(_instance: object, _field: object, value: str) -> None:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f'must be "host:port" such as "127.0.0.1:8080", not {shown(value)}')


def country(_instance: object, _field: object, value: str | None) -> None:
    if value is not None and not (len(value) == 2 and value.isascii() and value.isalpha() and value.isupper()):
        raise ValueError(f'must be an ISO 3166 code of two capitals such as "GB", not {shown(value)}')


def countries(_instance: object, _field: object, values: tuple[str, ...] | None) -> None:
    for value in values or ():
        country(None, None, value)


def name(_instance: object, _field: object, value: str) -> None:
    if not value.strip() or not value.isprintable() or "|" in value:
        raise ValueError(f'must be a name of printable characters without "|", not {shown(value)}')


def field_text(limit: int) -> Validator:
    """Return a validator for text that goes into a C-octet string of at most ``limit`` octets with its NUL."""

    def check(_instance: object, _field: object, value: str) -> None:
        if not value.isascii() or "\0" in value or len(value) >= limit:
            raise ValueError(f"must be at most {limit - 1} ASCII characters, not {shown(value)}")

    return check


def field_problem(validator: Validator, key: str, value: object) -> Problems:
    """Yield what a validator says about the value of this key, if anything."""
    try:
        validator(None, None, value)
    except ValueError as error:
        yield (key,), str(error)


def repeated(names: Iterable[str], what: str) -> Problems:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield (what, index, "name"), f"{shown(name)} is the name of another {what}"
        seen.add(name)


def unknown(names: Iterable[str], known: Iterable[str], path: KeyPath, what: str) -> Problems:
    known = list(known)
    for index, name in enumerate(names):
        if name not in known:
            yield (*path, index), f"there is no {what} {shown(name)}{nearest(name, known)}"


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
