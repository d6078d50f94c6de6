"""``carrierline carrier``: an operator stops the traffic of one carrier, and lets it flow again."""

from pathlib import Path

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
    trio.run(_suspend, name, url, options.read_key(key_env, key_file))
    if json_:
        output.as_json({"carrier": name, "suspended": True})
    else:
        output.line(f"carrier {name} is suspended until `carrierline carrier resume {name}`")


@command.command("resume")
@click.argument("name")
@options.connection
@options.as_json
def resume(name: str, url: str, key_env: str, key_file: Path | None, json_: bool) -> None:
    """Send through carrier NAME again; a ramp that was halted rises again too."""
    trio.run(_resume, name, url, options.read_key(key_env, key_file))
    if json_:
        output.as_json({"carrier": name, "suspended": False})
    else:
        output.line(f"carrier {name} is in use again")


async def _suspend(name: str, url: str, key: str) -> None:
    async with Client(url, key=key) as client:
        await client.suspend(name)


async def _resume(name: str, url: str, key: str) -> None:
    async with Client(url, key=key) as client:
        await client.resume(name)
