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

    Statuses and times stay; `carrierline messages --to NUMBER` still finds them, by a keyed hash.  A message under way
    is left alone, for its receipt is found by the number: cancel it, or erase again when it is at its end.  Exit
    status 1 if anything of the number is left.  With --store in a file on which no connector runs; else an operator's
    API key is needed.
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
        live = output.counted(done["live"], "message")
        output.line(f"{live} under way: erase again when at its end, or cancel it first")
    elif done["clean"]:
        output.line("no byte of the number is left in the store")
    else:
        output.line(
            "its digits still stand in the store: in a text to somebody else, or in free space;"
            " stop the connector and erase again with --store"
        )
