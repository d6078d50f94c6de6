"""Strict TOML for everyone: a frozen attrs class in, its value or every problem of the file out.

A settings class is a frozen, keyword-only attrs class whose fields are text, numbers, booleans, `Literal`, other
settings classes, `tuple[T, ...]` (an array), `dict[str, T]` (a table of tables) or any of them `| None`.
It may say more about itself:

- ``REFUSED``, a ClassVar ``{key: sentence}``: keys that are understood and not allowed;
- ``shorthand(raw)``, a static method: the table that a short form (``delay = "25ms"``) stands for, or ``raw`` itself;
- metadata ``{"instead": name}`` of a field: the property that holds what counts where it is not set;
- ``problems()``: pairs of (path below this value, sentence) for what only several fields together can show.

Nothing is coerced: 2775.9 is no port, "1" no number, 1 no boolean.  A whole number may stand where a number may.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import attrs

from connector.errors import ConfigError
from connector.key_lines import KeyPath as KeyPath
from connector.key_lines import key_lines

T = TypeVar("T")
Validator = Callable[[Any, Any, Any], None]

BROKEN: Final = object()
"""Stands for a value that could not be read; the problem is noted already."""

_MISSING: Final = object()

# --- fields ---------------------------------------------------------------------------------------------------------


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


# --- durations ------------------------------------------------------------------------------------------------------

_UNITS: Final[dict[str, Decimal]] = {
    "d": Decimal(86_400),
    "h": Decimal(3_600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}
_NO_DURATION: Final = 'must be a duration such as "150ms", "10s" or "1h30m"'
_STEP: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")
_DURATION: Final = re.compile(rf"(?:{_STEP.pattern})+", re.ASCII)


def parse_duration(text: str) -> float:
    """Return the seconds in a text such as "150ms", "10s", "2m", "3h", "7d" or "1h30m"; ValueError if it is none."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{_NO_DURATION}, not {shown(text)}")
    steps = [Decimal(number) * _UNITS[unit] for number, unit in _STEP.findall(text)]
    return float(sum(steps, Decimal(0)))


def format_duration(seconds: float) -> str:
    """Return the shortest text that `parse_duration` reads as these seconds."""
    rest, text = Decimal(repr(seconds)), ""
    for unit in ("d", "h", "m", "s"):
        whole = rest // _UNITS[unit]
        if whole:
            text += f"{whole:f}{unit}"
            rest -= whole * _UNITS[unit]
    if rest:
        text += f"{(rest * 1000).normalize():f}ms"
    return text or "0s"


def _seconds_or_none(default: object) -> float | None:
    return None if default is None else parse_duration(str(default))


# --- reading --------------------------------------------------------------------------------------------------------


def load(origin: Path | str, cls: type[T], *, source: str | None = None) -> T:
    """Return the settings in a TOML file (a `Path`) or text (a `str`) as a value of ``cls``.

    Raises ConfigError with every problem found, one line each: ``file:line: path.to.key: what is wrong``.
    ``source`` is the name used for the file in them.
    """
    source = source or (str(origin) if isinstance(origin, Path) else "<text>")
    text = origin if isinstance(origin, str) else _text_of(origin, source)
    return load_table(_tables_of(text, source), cls, source=source, lines=key_lines(text))


def load_table(table: Mapping[str, Any], cls: type[T], *, source: str, lines: Mapping[KeyPath, int]) -> T:
    """Return a table that was parsed already as a value of ``cls``; ``lines`` says where its keys stand.

    Raises ConfigError as `load` does.
    """
    reader = _Reader(lines=lines, source=source)
    value = reader.value(cls, table, ())
    if reader.problems:
        raise ConfigError([line for _, line in sorted(reader.problems, key=lambda problem: problem[0])])
    return cast(T, value)


def check(value: object, *, source: str = "settings") -> None:
    """Raise ConfigError if a value built in Python has problems that the constructors of its parts cannot see."""
    found = [f"{source}: {key_text(path)}: {sentence}" for path, sentence in _problems_of(value, ())]
    if found:
        raise ConfigError(found)


def key_text(path: KeyPath) -> str:
    """Return a path as people write it: ``carrier[0].bind[1].host``."""
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return steps.removeprefix(".")


def shown(raw: object) -> str:
    """Return a value the way the file spells it, cut for reading."""
    if isinstance(raw, dict | list | tuple):
        return "a table" if isinstance(raw, dict) else "an array"
    text = json.dumps(raw, ensure_ascii=False) if isinstance(raw, str | bool) else str(raw)
    return text if len(text) <= 60 else text[:57] + "..."


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the question after the name that was probably meant, or nothing; a beginning is enough."""
    names = list(known)
    matches = difflib.get_close_matches(word, names, n=1) or [it for it in names if word and it.startswith(word)]
    return f', did you mean "{matches[0]}"?' if matches else ""


def key_of(field: "attrs.Attribute[Any]") -> str:
    """Return the key under which the file holds this field; ``from_`` stands for the key ``from``."""
    name: str = field.name.removesuffix("_")
    return name.removesuffix("_s") if field.metadata.get("duration") else name


def _text_of(path: Path, source: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{source}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{source}: is not UTF-8 text (octet {error.start})"]) from error


def _tables_of(text: str, source: str) -> dict[str, Any]:
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
    unsound: int = 0
    """Values that were replaced by their default or left out: what holds them is not judged as a whole."""

    def problem(self, path: KeyPath, sentence: str) -> object:
        """Note a problem at the nearest key that has a line."""
        self.unsound += 1
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
            return self.problem(path, f"{_NO_DURATION}, not {shown(raw)}")

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
        kept = tuple(value for value in values if value is not BROKEN)
        return kept if kept or not raw else BROKEN

    def entries(self, hint: Any, raw: Any, path: KeyPath, metadata: Mapping[str, Any]) -> Any:
        if not isinstance(raw, dict):
            return self.problem(path, f"must be a table, not {shown(raw)}")
        known = metadata.get("named", {})
        read = {name: self.value(hint, item, (*path, name), metadata, known.get(name)) for name, item in raw.items()}
        return {**known, **{name: value for name, value in read.items() if value is not BROKEN}}

    def table(self, cls: Any, raw: Any, path: KeyPath, base: object) -> Any:
        if hasattr(cls, "shorthand"):
            raw = cls.shorthand(raw)
        if not isinstance(raw, dict):
            return self.problem(path, f"must be a table, not {shown(raw)}")
        fields = {key_of(field): field for field in attrs.fields(cls) if field.init}
        self.unknown_keys(raw, fields, getattr(cls, "REFUSED", {}), path)
        before = self.unsound
        hints = get_type_hints(cls)
        values = {
            field.name: self.member(field, hints[field.name], raw.get(key, _MISSING), (*path, key), base)
            for key, field in fields.items()
        }
        if BROKEN in values.values():
            return BROKEN
        made = cls(**values)
        if self.unsound == before and hasattr(made, "problems"):
            for below, sentence in made.problems():
                self.problem((*path, *below), sentence)
        return made

    def member(self, field: "attrs.Attribute[Any]", hint: Any, raw: Any, path: KeyPath, base: object) -> Any:
        """Return the value of one field; one that is broken gets its default, so that reading can go on."""
        default = _default(field, base)
        if raw is _MISSING:
            return default if default is not BROKEN else self.problem(path, "is missing")
        inherited = getattr(base, field.name) if base is not None else None
        value = self.value(hint, raw, path, field.metadata, inherited)
        if value is not BROKEN and field.validator is not None:
            try:
                field.validator(cast(Any, None), field, value)
            except ValueError as error:
                value = self.problem(path, str(error))
        return default if value is BROKEN else value

    def unknown_keys(
        self, raw: Mapping[str, Any], fields: Iterable[str], refused: Mapping[str, str], path: KeyPath
    ) -> None:
        """Note the keys nobody reads.  They do not make the rest unsound."""
        unsound = self.unsound
        for key in raw:
            if key in refused:
                self.problem((*path, key), refused[key])
            elif key not in fields:
                self.problem((*path, key), f"is not known here{nearest(key, fields)}")
        self.unsound = unsound


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
            yield from (((*path, *below), sentence) for below, sentence in value.problems())
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _problems_of(item, (*path, index))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _problems_of(item, (*path, name))


# --- writing --------------------------------------------------------------------------------------------------------


def as_toml(value: object) -> str:
    """Return a settings value as TOML text with every default in it; secrets are shown as "***"."""
    return "\n".join(_table_lines(value, ())).strip("\n") + "\n"


def _table_lines(value: Any, path: KeyPath) -> Iterator[str]:
    tables: list[tuple[KeyPath, Any]] = []
    for field in attrs.fields(type(value)):
        key, item = key_of(field), getattr(value, field.name)
        if _is_table(item):
            tables.append(((*path, key), item))
        elif item is None:
            counts = field.metadata.get("instead")
            yield f"# {key} is not set" + (f": {getattr(value, counts)} counts" if counts else "")
        else:
            yield f"{_key_toml(key)} = {_scalar_toml(item, field.metadata)}"
    for below, item in tables:
        yield from _nested_lines(item, below)


def _nested_lines(item: Any, path: KeyPath) -> Iterator[str]:
    if isinstance(item, tuple):
        for element in item:
            yield from ("", f"[[{_path_toml(path)}]]", *_table_lines(element, path))
    elif isinstance(item, dict):
        for name, element in item.items():
            yield from _nested_lines(element, (*path, name))
    else:
        yield from ("", f"[{_path_toml(path)}]", *_table_lines(item, path))


def _is_table(item: object) -> bool:
    if isinstance(item, tuple):
        return bool(item) and attrs.has(type(item[0]))
    if isinstance(item, dict):
        return any(_is_table(element) for element in item.values())
    return attrs.has(type(item))


def _key_toml(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def _path_toml(path: KeyPath) -> str:
    return ".".join(_key_toml(str(step)) for step in path)


def _scalar_toml(item: Any, metadata: Mapping[str, Any]) -> str:
    if metadata.get("secret"):
        return '"***"'
    if isinstance(item, tuple):
        return "[" + ", ".join(_scalar_toml(element, metadata) for element in item) + "]"
    if isinstance(item, dict):
        pairs = (f"{_key_toml(name)} = {_scalar_toml(element, metadata)}" for name, element in item.items())
        return "{" + ", ".join(pairs) + "}"
    if metadata.get("duration"):
        return f'"{format_duration(item)}"'
    if isinstance(item, str):
        return json.dumps(item, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(item)
