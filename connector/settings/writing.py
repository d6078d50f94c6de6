"""From a value to TOML text."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from connector.key_lines import KeyPath
from connector.settings.durations import format_duration
from connector.settings.fields import key_of


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
