"""``carrierline preview``: what would become of one message or of a list, and why; nothing is kept or sent."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import click
import trio

from cli import options, output
from cli.previewed import Totals, show_one, show_totals
from cli.send import ROWS_PER_REQUEST, Sent, batches, lines_of
from connector.client import Client
from connector.config import load_config
from connector.contacts import ContactList, Row, read
from connector.dry_run import DryRun
from connector.model import SendRequest

Asked = Callable[[Sequence[SendRequest]], Awaitable[list[dict[str, Any]]]]
"""Who is asked for previews: a running connector, or a configuration."""
Act = Callable[[Asked, str | None], Awaitable[bool]]
"""What is done with it and with the country of the API key; True if no row was refused."""


@click.command("preview")
@click.option("--to", help="Number, international or in the spelling of --country.")
@click.option("--text", help="Text; with --csv, of rows that have none of their own.")
@click.option("--from", "sender", help="Source address.")
@click.option("--lane", help="Lane; without it the API key's first.")
@click.option("--country", help="ISO 3166 code that national spellings are read by.")
@click.option("--csv", "file", type=click.Path(path_type=Path, dir_okay=False), help="Preview the rows of this list.")
@click.option("--one-per-number", is_flag=True, help="With --csv: a number's second row is skipped whatever its text.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Ask this configuration instead of a running connector; nobody knows how the carriers fare then.",
)
@click.option("--api-key", "key_name", help="With --config: the name of the API key to ask as; without it the first.")
@options.connection
@options.as_json
def command(
    to: str | None,
    text: str | None,
    sender: str | None,
    lane: str | None,
    country: str | None,
    file: Path | None,
    one_per_number: bool,
    config: Path | None,
    key_name: str | None,
    url: str,
    key_env: str,
    key_file: Path | None,
    json_: bool,
) -> None:
    """Show what would become of a message, and why: nothing is kept or sent.  Exit status 1 if any row is refused.

    With --csv --json there is one line for each row, in their order, and one with the totals at the end.
    """
    if (to is None) == (file is None):
        raise click.UsageError("give either --to with --text, or --csv FILE")
    if key_name is not None and config is None:
        raise click.UsageError("--api-key goes with --config; a running connector is shown a key")

    async def act(asked: Asked, key_country: str | None) -> bool:
        if file is None:
            request = SendRequest(to=to or "", text=text, sender=sender, lane=lane, country=country)
            return _show_one((await asked([request]))[0], json_)
        contacts = read(
            file,
            country=country or key_country,
            lane=lane,
            sender=sender,
            text=text,
            one_per_number=one_per_number,
        )
        return _show_list(await _preview_list(asked, contacts, lines_of(file), json_), contacts, json_)

    if file is not None:
        read(file)  # a list that cannot be read is said before anybody is asked
    if config is not None:
        fine = trio.run(_of_config, config, key_name, act)
    else:
        fine = trio.run(_of_connector, url, options.read_key(key_env, key_file), act)
    if not fine:
        raise SystemExit(1)


async def _of_connector(url: str, key: str, act: Act) -> bool:
    async with Client(url, key=key) as client:
        country: str | None = (await client.key())["country"]
        return await act(client.preview, country)


async def _of_config(path: Path, key_name: str | None, act: Act) -> bool:
    dry_run = DryRun(load_config(path))
    key = dry_run.key(key_name)

    async def asked(requests: Sequence[SendRequest]) -> list[dict[str, Any]]:
        return dry_run.preview(requests, key)

    return await act(asked, key.country)


def _show_one(preview: dict[str, Any], json_: bool) -> bool:
    if json_:
        output.as_json(preview)
    else:
        show_one(preview)
    return bool(preview["status"] == "accepted")


async def _preview_list(asked: Asked, contacts: ContactList, lines: int, json_: bool) -> Totals:
    """Ask in batches and add up; no more than one batch is held."""
    totals, shown = Totals(), (0, 0)
    hidden = json_ or not sys.stderr.isatty()
    with click.progressbar(length=lines, label="previewing", file=sys.stderr, hidden=hidden) as bar:
        for rows in batches(contacts, totals.sent, ROWS_PER_REQUEST):
            skipped = _skipped(totals.sent, shown)
            previews = await asked([row.request for row in rows])
            for row, preview in zip(rows, previews, strict=True):
                totals.add(row.line, preview)
            if json_:
                _show_rows([*skipped, *(_of_row(row, it) for row, it in zip(rows, previews, strict=True))])
            shown = len(totals.sent.refused), len(totals.sent.repeated)
            bar.update(rows[-1].line - totals.sent.line)
            totals.sent.line = rows[-1].line
        bar.update(lines - totals.sent.line)
    if json_:
        _show_rows(_skipped(totals.sent, shown))  # those behind the last row that was asked about
    return totals


def _of_row(row: Row, preview: dict[str, Any]) -> dict[str, Any]:
    return {"line": row.line, **preview}


def _skipped(sent: Sent, shown: tuple[int, int]) -> list[dict[str, Any]]:
    """Return the rows nobody is asked about, from these on: the unreadable ones and the repetitions."""
    unreadable = [
        {"line": row.line, "status": "refused", "reason": row.reason, "field": row.field, "detail": row.text}
        for row in sent.refused[shown[0] :]
    ]
    return unreadable + [
        {"line": row.line, "status": "repeated", "reason": "duplicate", "of_line": row.of_line, "by": row.by}
        for row in sent.repeated[shown[1] :]
    ]


def _show_rows(rows: list[dict[str, Any]]) -> None:
    for row in sorted(rows, key=itemgetter("line")):
        output.as_json(row)


def _show_list(totals: Totals, contacts: ContactList, json_: bool) -> bool:
    if json_:
        output.as_json({"totals": totals.summary(contacts)})
    else:
        show_totals(totals, contacts)
    return not totals.sent.refused
