"""``carrierline receipts``: those that are kept because no message is known for them, and why."""

from pathlib import Path
from typing import Any

import click
import trio

from cli import options, output
from connector.client import Client

MOST = 1_000


@click.command("receipts")
@click.option("--after", type=click.IntRange(0), default=0, metavar="ID", help="Only behind this one: the next page.")
@click.option("--limit", type=click.IntRange(1, MOST), default=100, show_default=True, help="At most so many.")
@options.store
@options.connection
@options.as_json
def command(
    after: int, limit: int, store: Path | None, url: str, key_env: str, key_file: Path | None, json_: bool
) -> None:
    """List receipts that are kept without a message, oldest first, each with the reason.

    no_id: it names none.  unknown_id: no attempt through this carrier has its id; the answer may be on its way.
    other_number: those that have its id went to other numbers.  several: more than one fits.
    """
    filters = {"after": after, "limit": limit}
    if store:
        found = _of_store(store, filters)
    else:
        found = trio.run(_of_connector, url, options.read_key(key_env, key_file), filters)
    if json_:
        output.as_json(found)
        return
    columns = ("id", "at", "carrier", "carrier_message_ids", "numbers", "status", "detail", "reason")
    output.table(columns, [[_shown(receipt[name]) for name in columns] for receipt in found])
    if len(found) == limit:
        output.note(f"there may be more: --after {found[-1]['id']} for the next page")


def _shown(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, list) else value or ""


def _of_store(store: Path, filters: dict[str, int]) -> list[dict[str, Any]]:
    from connector.reader import open_reader

    with open_reader(store) as reader:
        return reader.receipts(**filters)


async def _of_connector(url: str, key: str, filters: dict[str, int]) -> list[dict[str, Any]]:
    async with Client(url, key=key) as client:
        return list((await client.receipts(**filters))["receipts"])
