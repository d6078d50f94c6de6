"""Fields of settings classes and their validators."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from connector.settings.durations import parse_duration

Validator = Callable[[Any, Any, Any], None]
_MISSING: Final = object()


def duration(default: str | object | None = _MISSING, *, validator: Validator | None = None) -> Any:
    """Return a field that is text such as "150ms", "10s" or "1h30m" in the file and float seconds in the value.

    The field's name ends in ``_s``; its key in the file does not: ``drain_s`` is written ``drain = "10s"``.
    """
    options: dict[str, Any] = {} if default is _MISSING else {"default": _seconds_or_none(default)}
    return attrs.field(metadata={"duration": True}, validator=validator, **options)


def durations(*default: str, optional: bool = False, validator: Validator | None = None) -> Any:
    """Return a field that is an array of durations in the file and a tuple of seconds in the value, or None."""
    seconds = None if optional else tuple(map(parse_duration, default))
    return attrs.field(metadata={"duration": True}, default=seconds, validator=validator)


def secret(default: object = _MISSING) -> Any:
    """Return a text field that neither `repr` nor a message nor `as_toml` ever shows."""
    options: dict[str, Any] = {} if default is _MISSING else {"default": default}
    return attrs.field(metadata={"secret": True}, repr=False, **options)


def named(defaults: Mapping[str, object]) -> dict[str, object]:
    """Return the metadata of a ``dict[str, T]`` field whose entries exist unless the file overrides keys of them.

    ``lane: dict[str, LaneConfig] = attrs.field(metadata=named(LANES), factory=lambda: dict(LANES))``.
    """
    return {"named": dict(defaults)}


def above(low: float) -> Validator:
    """Return a validator for numbers greater than ``low``; None passes."""

    def check(_instance: object, _field: object, value: float | None) -> None:
        if value is not None and not value > low:
            raise ValueError(f"must be more than {low}, not {value}")

    return check


def within(low: float, high: float | None = None) -> Validator:
    """Return a validator for numbers from ``low`` to ``high``, both included; None passes."""
    limits = f"from {low} to {high}" if high is not None else f"at least {low}"

    def check(_instance: object, _field: object, value: float | None) -> None:
        if value is not None and not (low <= value and (high is None or value <= high)):
            raise ValueError(f"must be {limits}, not {value}")

    return check


def at_least_one(what: str) -> Validator:
    """Return a validator for arrays that may not be empty; ``what`` says of what one is needed."""

    def check(_instance: object, _field: object, value: tuple[object, ...]) -> None:
        if not value:
            raise ValueError(f"at least one {what} is needed")

    return check


def _seconds_or_none(default: object) -> float | None:
    return None if default is None else parse_duration(str(default))


def key_of(field: "attrs.Attribute[Any]") -> str:
    """Return the key under which the file holds this field; ``from_`` stands for the key ``from``."""
    name: str = field.name.removesuffix("_")
    return name.removesuffix("_s") if field.metadata.get("duration") else name
