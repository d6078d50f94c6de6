"""Lists that are read page by page, and one thing shown whole: as text for people, as JSON for programs."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import click

from cli import output

Row = Mapping[str, Any]
MOST: Final = 1_000
"""Rows of a page: as many as the connector gives at once."""

limit = click.option("--limit", type=click.IntRange(1, MOST), default=100, show_default=True, help="At most so many.")


def given(**asked: Any) -> dict[str, str]:
    """Return the filters that were given, as a query has them; ``from_`` stands for ``from``."""
    return {name.removesuffix("_"): str(value) for name, value in asked.items() if value is not None}


def page(
    found: Sequence[Row],
    columns: Sequence[str],
    shown: Callable[[Row, str], object],
    *,
    as_json: bool,
    limit: int,
    turn: str,
) -> None:
    """Print a page, and how to turn it where it is full: ``turn`` is the option that takes the last id."""
    if as_json:
        output.as_json(found)
        return
    output.table(columns, [[shown(row, name) for name in columns] for row in found])
    if len(found) == limit:
        longer = f", or --limit {MOST}" if limit < MOST else ""
        output.note(f"there may be more: --{turn} {found[-1]['id']} for the next page{longer}")


def plain(row: Row, name: str) -> object:
    """Return what a column shows where it is no special one."""
    value = row[name]
    return ", ".join(map(str, value)) if isinstance(value, list) else value or ""


def fields(row: Row, *, without: Collection[str] = ()) -> None:
    """Print every field that says something, a line each."""
    for name, value in row.items():
        if name not in without and value is not None and value != []:
            text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else value
            output.line(f"{name:<20} {text}")
