"""``carrierline verify``: the conservation law, recounted, and every status against its history."""

from pathlib import Path
from typing import Any

import click
import trio

from cli import options, output
from connector.client import Client

_ATTEMPTS = (("answered", "answered"), ("in_flight", "in flight"), ("doubted", "without an answer"))


@click.command("verify")
@options.store
@options.connection
@options.as_json
def command(store: Path | None, url: str, key_env: str, key_file: Path | None, json_: bool) -> None:
    """Recount every message and part against the ledger, and hold every status against its history and the event log.

    It takes about ten seconds for a million parts.  The first of each kind of problem are named.  Exit status 1 if
    anything is unaccounted for.
    """
    found = _of_store(store) if store else trio.run(_of_connector, url, options.read_key(key_env, key_file))
    if json_:
        output.as_json(found)
    else:
        _show(found)
    if not found["ok"]:
        raise SystemExit(1)


def _of_store(store: Path) -> dict[str, Any]:
    from connector.reader import open_reader

    with open_reader(store) as reader:
        return reader.verify()


async def _of_connector(url: str, key: str) -> dict[str, Any]:
    async with Client(url, key=key) as client:
        return await client.verify()


def _show(found: dict[str, Any]) -> None:
    messages, parts = (
        output.counted(found["accepted"], "message"),
        output.counted(found["parts_accepted"], "part"),
    )
    output.line(f"accepted {messages} in {parts}")
    for status, count in sorted(found["messages"].items(), key=lambda item: -item[1]):
        output.line(f"  {status:<10} {count}")
    attempts = [f"{found[name]} {text}" for name, text in _ATTEMPTS if found[name]]
    output.line(
        f"submitted {output.counted(found['submitted'], 'attempt')}{': ' * bool(attempts)}{', '.join(attempts)}"
    )
    if found["parked"]:
        output.line(f"{output.counted(found['parked'], 'receipt')} without a message yet")
    for problem in found["problems"]:
        output.line(f"PROBLEM {problem}")
    output.line("the ledger balances" if found["ok"] else "something is NOT accounted for")
