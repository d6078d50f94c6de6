"""``carrierline explain failures``: what happens when, before it happens."""

from itertools import groupby
from operator import attrgetter
from pathlib import Path

import attrs
import click

from cli import options, output
from connector.config import LANES, load_config
from connector.failures import FailureRow, failure_table

_COLUMNS = ("again", "switch", "stop", "told")
_HEADS = ("tried again", "another carrier", "ends as", "who learns")


@click.group("explain")
def command() -> None:
    """Explain what the connector does, from the tables it runs on."""


@command.command("failures")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--lane", help="Only this lane.")
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
@options.as_json
def failures(file: Path | None, lane: str | None, markdown: bool, json_: bool) -> None:
    """Print what happens to a message in every case of failure, for each lane of the configuration FILE.

    Without FILE, for the lanes that exist without being configured.
    """
    lanes = load_config(file).lane if file else LANES
    if lane is not None and lane not in lanes:
        raise click.UsageError(f"there is no lane {lane!r}; there are {', '.join(lanes)}")
    rows = failure_table({name: found for name, found in lanes.items() if lane in (None, name)})
    if json_:
        output.as_json([attrs.asdict(row) for row in rows])
    elif markdown:
        output.line(_markdown(rows))
    else:
        _blocks(rows)


def _alike(rows: list[FailureRow]) -> list[tuple[str, FailureRow]]:
    """Return the rows of one case with those lanes together to which the same happens."""
    found: dict[tuple[str, ...], list[FailureRow]] = {}
    for row in rows:
        found.setdefault(tuple(getattr(row, name) for name in _COLUMNS), []).append(row)
    return [(_names(same, len(rows)), same[0]) for same in found.values()]


def _names(same: list[FailureRow], total: int) -> str:
    return "all lanes" if len(same) == total > 1 else ", ".join(row.lane for row in same)


def _blocks(rows: list[FailureRow]) -> None:
    for _, group in groupby(rows, attrgetter("case")):
        found = list(group)
        output.line(f"{found[0].case}: {found[0].meaning}")
        for names, row in _alike(found):
            output.line(f"  {names}")
            for head, name in zip(_HEADS, _COLUMNS, strict=True):
                output.line(f"    {head:<16} {getattr(row, name)}")
        output.line()


def _markdown(rows: list[FailureRow]) -> str:
    lines = [f"| case | lane | {' | '.join(_HEADS)} |", f"|{' --- |' * (len(_HEADS) + 2)}"]
    for _, group in groupby(rows, attrgetter("case")):
        found = list(group)
        for number, (names, row) in enumerate(_alike(found)):
            case = "" if number else f"`{row.case}`: {row.meaning}"
            lines.append(f"| {case} | {names} | {' | '.join(getattr(row, name) for name in _COLUMNS)} |")
    return "\n".join(lines)
