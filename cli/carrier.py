"""``carrierline carrier``: an operator stops the traffic of one carrier, and lets it flow again."""

from pathlib import Path
from typing import Any

import click
import trio

from cli import options, output
from connector.client import Client


@click.group("carrier")
def command() -> None:
    """Suspend or resume a carrier of a running connector.  An operator's API key is needed."""


@command.command("suspend")
@click.argument("name")
@options.connection
@options.as_json
def suspend(name: str, url: str, key_env: str, key_file: Path | None, json_: bool) -> None:
    """Send nothing more through carrier NAME.

    Its binds stay up and receipts still come.  What waits for it takes the other carriers of its rule, or waits.  It
    stays suspended over restarts and reloads.
    """
    done = trio.run(_suspend, name, url, options.read_key(key_env, key_file))
    if json_:
        output.as_json(done)
    else:
        already = "already " if done.get("already") else ""
        output.line(f"carrier {name} is {already}suspended until `carrierline carrier resume {name}`")


@command.command("resume")
@click.argument("name")
@options.connection
@options.as_json
def resume(name: str, url: str, key_env: str, key_file: Path | None, json_: bool) -> None:
    """Send through carrier NAME again; a ramp that was halted rises again too."""
    done = trio.run(_resume, name, url, options.read_key(key_env, key_file))
    if json_:
        output.as_json(done)
    else:
        output.line(f"carrier {name} is {'already in use' if done.get('already') else 'in use again'}")


async def _suspend(name: str, url: str, key: str) -> dict[str, Any]:
    async with Client(url, key=key) as client:
        return await client.suspend(name)


async def _resume(name: str, url: str, key: str) -> dict[str, Any]:
    async with Client(url, key=key) as client:
        return await client.resume(name)
