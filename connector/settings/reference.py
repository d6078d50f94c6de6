"""Every key of a settings file as Markdown, from the classes that read it: what is not in them is not in it."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from connector.settings.durations import format_duration
from connector.settings.fields import key_of
from connector.settings.words import shown

Path = tuple[str, ...]
_NAMES: Final[Mapping[object, str]] = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def reference(root: type[Any], head: str, *, top: bool = False, once: bool = False) -> str:
    """Return the whole reference: ``head``, then a table of keys for each table of a file, the outer ones first.

    With ``top`` the keys ahead of all tables have a section of their own.  With ``once`` a class that stands in several
    places is told at the first; the others name that place.
    """
    told: dict[type[Any], str] = {}
    sections = [head]
    if top:
        sections.append("\n".join(_section(root, (), root, {})))
    for path, cls in _tables(root, ()):
        if cls in told and once:
            continue
        told[cls] = _heading(root, path)
        sections.append("\n".join(_section(root, path, cls, told if once else {})))
    return "\n".join(sections)


def _tables(cls: type[Any], path: Path) -> Iterator[tuple[Path, type[Any]]]:
    """Yield every table of a file with its heading, the outer one before those in it."""
    if path:
        yield path, cls
    hints = get_type_hints(cls)
    for field in attrs.fields(cls):
        for inner in _settings_in(hints[field.name]):
            name = ".NAME" if get_origin(hints[field.name]) is dict else ""
            if inner is not cls:
                yield from _tables(inner, (*path, key_of(field) + name))


def _settings_in(hint: Any) -> Iterator[type[Any]]:
    """Yield the settings classes that a field of this type may hold."""
    if attrs.has(hint):
        yield hint
    for part in get_args(hint) if get_origin(hint) is not Literal else ():
        yield from _settings_in(part)


def _section(root: type[Any], path: Path, cls: type[Any], told: Mapping[type[Any], str]) -> Iterator[str]:
    yield f"## {_heading(root, path)}\n"
    yield f"{_paragraph(cls.__doc__ or '')}\n"
    yield "| key | type | default | |"
    yield "| --- | --- | --- | --- |"
    hints, texts = get_type_hints(cls), _docstrings(cls)
    for field in attrs.fields(cls):
        hint = hints[field.name]
        text = texts.get(field.name) or " ".join(_paragraph(it.__doc__ or "") for it in _settings_in(hint))
        text += "".join(f" As {told[it]}." for it in _settings_in(hint) if it in told)
        cells = (f"`{key_of(field)}`", _type(hint, field), _default(root, path, field), text)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _heading(root: type[Any], path: Path) -> str:
    if not path:
        return "The top of a file"
    cls, steps = root, []
    for name in path:
        field = next(it for it in attrs.fields(cls) if key_of(it) == name.removesuffix(".NAME"))
        hint = get_type_hints(cls)[field.name]
        steps.append((name, get_origin(hint) is tuple))
        cls = next(_settings_in(hint))
    dotted = ".".join(name for name, _ in steps)
    return f"`[[{dotted}]]`" if steps[-1][1] else f"`[{dotted}]`"


def _type(hint: Any, field: "attrs.Attribute[Any]") -> str:
    """Return a type in the words of a reader of TOML."""
    if field.metadata.get("duration"):
        many = any(get_origin(part) is tuple for part in (hint, *get_args(hint)))
        return "durations" if many else "duration"
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_type(part, field) for part in get_args(hint) if part is not NoneType)
    if get_origin(hint) is Literal:
        return ", ".join(f"`{shown(option)}`" for option in get_args(hint))
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        return "tables" if attrs.has(inner) else f"array of {_type(inner, field)}"
    if get_origin(hint) is dict or attrs.has(hint):
        return "table"
    return _NAMES[hint]


def _default(root: type[Any], path: Path, field: "attrs.Attribute[Any]") -> str:
    value = field.default
    if value is attrs.NOTHING:
        return "**required**"
    if hasattr(value, "factory") or attrs.has(type(value)):
        return ""
    return "; ".join([_value(field, value), *_of_named(root, path, field)])


def _of_named(root: type[Any], path: Path, field: "attrs.Attribute[Any]") -> Iterator[str]:
    """Yield the defaults of the entries that exist without being configured, where they are other ones."""
    outer = next((it for it in attrs.fields(root) if path and f"{key_of(it)}.NAME" == path[0]), None)
    named = {} if outer is None else outer.metadata.get("named", {})
    for name, entry in named.items():
        holder: Any = entry
        for step in path[1:]:
            holder = getattr(holder, step, None)
        if holder is not None and (value := getattr(holder, field.name)) != field.default:
            yield f"{name} {_value(field, value)}"


def _value(field: "attrs.Attribute[Any]", value: Any) -> str:
    if value is None:
        return "*not set*"
    if isinstance(value, tuple):
        return "`[" + ", ".join(_value(field, item).strip("`") for item in value) + "]`"
    return f'`"{format_duration(value)}"`' if field.metadata.get("duration") else f"`{shown(value)}`"


def _docstrings(cls: type[Any]) -> dict[str, str]:
    """Return the texts that stand under the fields of a class, by field."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(tree, ast.ClassDef)
    found: dict[str, str] = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            found[field.target.id] = _paragraph(str(text.value.value))
    return found


def _paragraph(text: str) -> str:
    """Return a docstring on one line, as Markdown."""
    return re.sub(r"\s+", " ", text.replace("``", "`")).strip()
