"""Values of which some fields could not be read: what the others show is told all the same.

A field that could not be read is not set, so that a look at it is an AttributeError: what was to be decided with it
stays undecided, and nothing is decided by a default in its place.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import attrs

from connector.key_lines import KeyPath

T = TypeVar("T")
Problems = Iterator[tuple[KeyPath, str]]
Rules = Iterator["Problems | Rules"]
"""What ``problems()`` yields where several rules are each to be judged by itself."""


def assembled(cls: type[T], values: Mapping[str, Any]) -> T:
    """Return a value of these fields, in part if some are missing.

    Raises AttributeError where what the class does after its making needs one that is missing.
    """
    if all(field.name in values for field in attrs.fields(cls) if field.init):  # type: ignore[arg-type]
        return cls(**values)
    made = object.__new__(cls)
    for name, value in values.items():
        object.__setattr__(made, name, value)
    if hasattr(made, "__attrs_post_init__"):
        made.__attrs_post_init__()
    return made


def evolved(value: T, **changes: Any) -> T:
    """Return the value with these fields changed, as `attrs.evolve` does; one that was read in part stays so."""
    fields = [field.name for field in attrs.fields(type(value))]  # type: ignore[arg-type]
    return assembled(type(value), {name: getattr(value, name) for name in fields if hasattr(value, name)} | changes)


def told(problems: Iterable[Any], *, partly: bool) -> Problems:
    """Return what ``problems()`` told, of every rule.

    ``partly``: whether some of what is judged could not be read; a rule that looks at that says nothing more.
    """
    try:
        for each in problems:
            if isinstance(each, tuple):
                yield each
            else:
                yield from told(each, partly=partly)
    except AttributeError:
        if not partly:
            raise
