"""``carrierline export``: all that is kept of a number, for the person who asks."""

from pathlib import Path
from typing import Any

import click
import trio

from cli import options, output
from connector.client import Client


@click.command("export")
@click.argument("number")
@options.store
@options.connection
def command(number: str, store: Path | None, url: str, key_env: str, key_file: Path | None) -> None:
    """Print all that is kept of NUMBER, one JSON object a line: messages with their parts, receipts, inbound ones.

    With --store straight from the file, whether or not a connector runs; else an operator's API key is needed.
    """
    if store:
        from connector.offline import export

        rows = export(store, number)
    else:
        rows = trio.run(_of_connector, url, options.read_key(key_env, key_file), number)
    for row in rows:
        output.as_json(row)
    output.note(output.counted(len(rows), "row"))


async def _of_connector(url: str, key: str, number: str) -> list[dict[str, Any]]:
    async with Client(url, key=key) as client:
        rows: list[dict[str, Any]] = (await client.export(number))["rows"]
        return rows
