"""The one place that prints: text for people, one JSON object for programs, errors to the other stream."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

_CONTROL = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if code not in (9, 10)}


def line(text: str = "") -> None:
    """Print a line; control characters that could drive a terminal are made visible."""
    click.echo(text.translate(_CONTROL))


def counted(number: int, noun: str) -> str:
    """Return "1 message" or "2 messages"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def styled(text: str, **style: Any) -> str:
    """Return text with a colour or weight, for a terminal."""
    return click.style(text, **style)


def rich(text: str) -> None:
    """Print a line that holds styles of our own; nothing of a user may be in it."""
    click.echo(text)


def note(text: str) -> None:
    """Print a line to the error stream: progress and warnings, never an answer."""
    click.echo(text.translate(_CONTROL), err=True)


def reloaded(changed: Sequence[str], unchanged: Sequence[str], say: Callable[[str], None]) -> None:
    """Say what a reload of the configuration did, a line each."""
    for change in changed:
        say(f"carrierline: reload: {change}")
    kept = f"; unchanged: {', '.join(unchanged)}" if unchanged else ""
    say(f"carrierline: reload: {counted(len(changed), 'change') if changed else 'nothing differs'}{kept}")


def as_json(value: Any) -> None:
    """Print one JSON value on one line."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns."""
    cells = [[str(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(headers), *cells]) for i in range(len(headers))]
    line("  ".join(header.ljust(width) for header, width in zip(headers, widths, strict=True)).rstrip())
    for row in cells:
        line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
