"""What differs between two settings, for people: ``bind 1: window_size 50 -> 100``.  Of a secret nothing is shown."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from connector.settings import format_duration, key_of, shown

_ORIGINS: Final = ("_env", "_file", "_command")
"""Ends of keys that say where a secret is: somebody may have put the secret itself there."""
_NO_SECRETS: Final = frozenset({"ca_file", "certificate_file", "key_file"})


def differing(before: Any, after: Any) -> list[str]:
    """Return the names of the fields in which two values of one class differ."""
    names = [field.name for field in attrs.fields(type(before))]
    return [name for name in names if getattr(before, name) != getattr(after, name)]


def differing_keys(before: Any, after: Any) -> list[str]:
    """Return the keys of the file in which two values of one class differ."""
    return [key_of(field) for field in attrs.fields(type(before)) if field.name in differing(before, after)]


def differences(before: Any, after: Any) -> list[str]:
    """Return what differs between two values of one settings class, each with its old and its new value.

    Keys are those of the file; entries of an array of tables are counted from 1.
    """
    found: list[str] = []
    plain: list[str] = []
    for field in attrs.fields(type(before)):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old == new:
            continue
        if _nests(old) and _nests(new):
            found += _below(key_of(field), old, new)
        else:
            plain.append(_told(field, old, new))
    return [*([", ".join(plain)] if plain else []), *found]


def _nests(value: Any) -> bool:
    """Tell whether a value is a table, or tables."""
    if isinstance(value, tuple):
        return all(attrs.has(type(item)) for item in value)
    return isinstance(value, Mapping) or attrs.has(type(value))


def _below(key: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, tuple) and isinstance(new, tuple):
        yield from _entries(key, dict(enumerate(old, 1)), dict(enumerate(new, 1)))
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _entries(key, old, new)
    elif type(old) is type(new):
        yield from (f"{key}: {text}" for text in differences(old, new))
    else:
        yield f"another {key}"


def _entries(key: str, old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Iterator[str]:
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            yield f"{key} {name}: removed"
        elif name not in old:
            yield f"{key} {name}: added"
        elif attrs.has(type(old[name])) and attrs.has(type(new[name])):
            yield from (f"{key} {name}: {text}" for text in differences(old[name], new[name]))
        elif old[name] != new[name]:
            yield f"{key} {name}: another value"


def _told(field: "attrs.Attribute[Any]", old: Any, new: Any) -> str:
    key = key_of(field)
    if field.metadata.get("secret") or (key.endswith(_ORIGINS) and key not in _NO_SECRETS):
        return f"another {key}"
    return f"{key} {_value(field, old)} -> {_value(field, new)}"


def _value(field: "attrs.Attribute[Any]", value: Any) -> str:
    """Return a value the way the file spells it."""
    if value is None:
        return "not set"
    if field.metadata.get("duration") and isinstance(value, int | float):
        return format_duration(value)
    if isinstance(value, tuple) and not any(attrs.has(type(item)) for item in value):
        text = ", ".join(_value(field, item) for item in value)
        return json.dumps(list(value)) if len(text) <= 60 and not field.metadata.get("duration") else f"[{text[:57]}]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "a table" if attrs.has(type(value)) else shown(value)
