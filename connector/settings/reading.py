"""From a TOML file to a value, or to every problem of the file."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import attrs

from connector.errors import ConfigError
from connector.key_lines import KeyPath, key_lines
from connector.settings.durations import NO_DURATION, parse_duration
from connector.settings.fields import key_of
from connector.settings.partial import assembled, told
from connector.settings.words import key_text, nearest, shown

T = TypeVar("T")

BROKEN: Final = object()
"""Stands for a value that could not be read; the problem is noted already."""

_MISSING: Final = object()


def load(origin: Path | str, cls: type[T], *, source: str | None = None) -> T:
    """Return the settings in a TOML file (a `Path`) or text (a `str`) as a value of ``cls``.

    Raises ConfigError with every problem found, one line each: ``file:line: path.to.key: what is wrong``.
    ``source`` is the name used for the file in them.
    """
    source = source or (str(origin) if isinstance(origin, Path) else "<text>")
    text = origin if isinstance(origin, str) else _text_of(origin, source)
    return load_table(parse_table(text, source), cls, source=source, lines=key_lines(text))


def load_table(
    table: Mapping[str, Any], cls: type[T], *, source: str, lines: Mapping[KeyPath, int], base: T | None = None
) -> T:
    """Return a table that was parsed already as a value of ``cls``; ``lines`` says where its keys stand.

    What the table leaves out is as in ``base`` where one is given: tables merge, arrays replace.
    Raises ConfigError as `load` does.
    """
    reader = _Reader(lines=lines, source=source)
    value = reader.value(cls, table, (), base=base)
    if reader.problems:
        raise ConfigError([line for _, line in sorted(reader.problems, key=lambda problem: problem[0])])
    return cast(T, value)


def check(value: object, *, source: str = "settings") -> None:
    """Raise ConfigError if a value built in Python has problems that the constructors of its parts cannot see."""
    found = [f"{source}: {key_text(path)}: {sentence}" for path, sentence in _problems_of(value, ())]
    if found:
        raise ConfigError(found)


def _text_of(path: Path, source: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{source}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{source}: is not UTF-8 text (octet {error.start})"]) from error


def parse_table(text: str, source: str) -> dict[str, Any]:
    """Return the table that a TOML text holds; ConfigError names the line where it is none."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = place[1] if place and place[1] else str(text.count("\n") + 1)
        sentence = str(error)[: place.start()] if place else str(error)
        raise ConfigError([f"{source}:{line}: not TOML: {sentence}"]) from error


_WANTED: Final[dict[object, tuple[tuple[type, ...], str]]] = {
    str: ((str,), "text"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    bool: ((bool,), "true or false"),
}
_NO_METADATA: Final[Mapping[str, Any]] = {}


@attrs.define(kw_only=True)
class _Reader:
    """Reads one file; what is wrong with it gathers in ``problems`` as (line, text)."""

    lines: Mapping[KeyPath, int]
    source: str
    problems: list[tuple[int, str]] = attrs.field(factory=list)

    def problem(self, path: KeyPath, sentence: str) -> object:
        """Note a problem at the nearest key that has a line."""
        where = next((path[:end] for end in range(len(path), 0, -1) if path[:end] in self.lines), ())
        line = self.lines.get(where, 1)
        name = f"{key_text(path)}: " if path else ""
        self.problems.append((line, f"{self.source}:{line}: {name}{sentence}"))
        return BROKEN

    def value(
        self,
        hint: Any,
        raw: Any,
        path: KeyPath,
        metadata: Mapping[str, Any] = _NO_METADATA,
        base: object = None,
    ) -> Any:
        """Return ``raw`` as the type ``hint``, or BROKEN after noting why not."""
        origin = get_origin(hint)
        if origin in (Union, UnionType):
            hint = _suited(get_args(hint), raw)
            origin = get_origin(hint)
        if origin is Literal:
            return self.choice(get_args(hint), raw, path)
        if origin is tuple:
            return self.array(get_args(hint)[0], raw, path, metadata)
        if origin is dict:
            return self.entries(get_args(hint)[1], raw, path, metadata)
        if attrs.has(hint):
            return self.table(hint, raw, path, base)
        return self.scalar(hint, raw, path, metadata)

    def scalar(self, hint: Any, raw: Any, path: KeyPath, metadata: Mapping[str, Any]) -> Any:
        if metadata.get("duration"):
            return self.seconds(raw, path)
        types, wanted = _WANTED[hint]
        if not isinstance(raw, types) or (isinstance(raw, bool) and hint is not bool):
            but = "" if metadata.get("secret") else f", not {shown(raw)}"
            return self.problem(path, f"must be {wanted}{but}")
        return float(cast(float, raw)) if hint is float else raw

    def seconds(self, raw: Any, path: KeyPath) -> Any:
        try:
            return parse_duration(raw if isinstance(raw, str) else "")
        except ValueError:
            return self.problem(path, f"{NO_DURATION}, not {shown(raw)}")

    def choice(self, options: tuple[Any, ...], raw: Any, path: KeyPath) -> Any:
        if raw in options and type(raw) in map(type, options):
            return raw
        sentence = f"must be one of {', '.join(map(shown, options))}, not {shown(raw)}"
        return self.problem(path, sentence + (nearest(raw, options) if isinstance(raw, str) else ""))

    def array(self, hint: Any, raw: Any, path: KeyPath, metadata: Mapping[str, Any]) -> Any:
        if not isinstance(raw, list):
            cure = f": write [[{path[-1]}]]" if isinstance(raw, dict) else ""
            return self.problem(path, f"must be an array, not {shown(raw)}{cure}")
        values = [self.value(hint, item, (*path, index), metadata) for index, item in enumerate(raw)]
        return BROKEN if any(value is BROKEN for value in values) else tuple(values)

    def entries(self, hint: Any, raw: Any, path: KeyPath, metadata: Mapping[str, Any]) -> Any:
        if not isinstance(raw, dict):
            return self.problem(path, f"must be a table, not {shown(raw)}")
        known = metadata.get("named", {})
        read = {name: self.value(hint, item, (*path, name), metadata, known.get(name)) for name, item in raw.items()}
        return BROKEN if any(value is BROKEN for value in read.values()) else {**known, **read}

    def table(self, cls: Any, raw: Any, path: KeyPath, base: object) -> Any:
        if hasattr(cls, "shorthand"):
            raw = cls.shorthand(raw)
        if getattr(cls, "WHOLE", False):
            base = None
        if not isinstance(raw, dict):
            return self.problem(path, f"must be a table, not {shown(raw)}")
        fields = {key_of(field): field for field in attrs.fields(cls) if field.init}
        self.unknown_keys(raw, fields, getattr(cls, "REFUSED", {}), path)
        hints = get_type_hints(cls)
        values = {
            field.name: self.member(field, hints[field.name], raw.get(key, _MISSING), (*path, key), base)
            for key, field in fields.items()
        }
        return self.judged(cls, {name: value for name, value in values.items() if value is not BROKEN}, path)

    def judged(self, cls: Any, values: Mapping[str, Any], path: KeyPath) -> Any:
        """Return the value of these fields after noting what they show together; in part if not all could be read."""
        partly = bool(self.problems)
        try:
            made = assembled(cls, values)
        except AttributeError:
            if not partly:
                raise
            return BROKEN
        if hasattr(made, "problems"):
            for below, sentence in told(made.problems(), partly=partly):
                self.problem((*path, *below), sentence)
        return made

    def member(self, field: "attrs.Attribute[Any]", hint: Any, raw: Any, path: KeyPath, base: object) -> Any:
        """Return the value of one field, or BROKEN after noting why not."""
        if raw is _MISSING:
            default = _default(field, base)
            return default if default is not BROKEN else self.problem(path, "is missing")
        inherited = getattr(base, field.name) if base is not None else None
        value = self.value(hint, raw, path, field.metadata, inherited)
        if value is not BROKEN and field.validator is not None:
            try:
                field.validator(cast(Any, None), field, value)
            except ValueError as error:
                value = self.problem(path, str(error))
        return value

    def unknown_keys(
        self, raw: Mapping[str, Any], fields: Iterable[str], refused: Mapping[str, str], path: KeyPath
    ) -> None:
        """Note the keys nobody reads.  What stands beside them is judged as if they were not there."""
        for key in raw:
            if key in refused:
                self.problem((*path, key), refused[key])
            elif key not in fields:
                self.problem((*path, key), f"is not known here{nearest(key, fields)}")


def _default(field: "attrs.Attribute[Any]", base: object) -> Any:
    if base is not None:
        return getattr(base, field.name)
    if field.default is attrs.NOTHING:
        return BROKEN
    factory = getattr(field.default, "factory", None)
    return factory() if factory is not None else field.default


def _suited(options: tuple[Any, ...], raw: Any) -> Any:
    """Return the member of a union that a value of this sort is meant for."""
    options = tuple(option for option in options if option is not type(None))
    for option in options:
        types = _WANTED.get(option, ((dict,) if attrs.has(option) else (list,), ""))[0]
        if isinstance(raw, types):
            return option
    return options[0]


def _problems_of(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from _problems_of(getattr(value, field.name), (*path, key_of(field)))
        if hasattr(value, "problems"):
            yield from (((*path, *below), sentence) for below, sentence in told(value.problems(), partly=False))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _problems_of(item, (*path, index))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _problems_of(item, (*path, name))
