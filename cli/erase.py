"""``carrierline erase``: nothing of a number stays but what happened, and when."""

from pathlib import Path
from typing import Any

import attrs
import click
import trio

from cli import options, output
from connector.client import Client


@click.command("erase")
@click.argument("number")
@options.store
@options.connection
@options.as_json
def command(number: str, store: Path | None, url: str, key_env: str, key_file: Path | None, json_: bool) -> None:
    """Erase NUMBER: texts, the number, metadata and references of its messages, receipts, what came from it.

    Statuses and times stay; `carrierline messages list --to NUMBER` still finds them, by a keyed hash.  A message under
    way is left alone, with the receipts parked for the number: erase again when it has come to its end.  Exit status 1
    if anything of the number is left.  With --store in a file on which no connector runs; else an operator's API key is
    needed.
    """
    if store:
        from connector.offline import erase

        done = attrs.asdict(erase(store, number))
    else:
        done = trio.run(_of_connector, url, options.read_key(key_env, key_file), number)
    if json_:
        output.as_json(done)
    else:
        _show(done)
    if done["live"] or not done["clean"]:
        raise SystemExit(1)


async def _of_connector(url: str, key: str, number: str) -> dict[str, Any]:
    async with Client(url, key=key) as client:
        return await client.erase(number)


def _show(done: dict[str, Any]) -> None:
    output.line(
        f"erased: {output.counted(done['messages'], 'message')}, {output.counted(done['receipts'], 'parked receipt')},"
        f" {output.counted(done['inbound'], 'inbound row')}"
    )
    if done["live"]:
        _show_left(done)
    elif done["clean"]:
        output.line("no byte of the number is left in the store")
    else:
        output.line(
            "its digits still stand in the store: in a text to somebody else, or in free space;"
            " stop the connector and erase again with --store"
        )


def _show_left(done: dict[str, Any]) -> None:
    live, end = done["live"], "it has come to its end" if done["live"] == 1 else "they have come to their end"
    output.line(f"{output.counted(live, 'message')} under way: erase again when {end}")
    ids = done["under_way"]
    output.line(" ".join(ids) + (" ..." if live > len(ids) else ""))
    if done["receipts_left"]:
        output.line(f"{output.counted(done['receipts_left'], 'parked receipt')} left, for they may belong to that")
