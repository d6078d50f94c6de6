"""``carrierline inbound``: what subscribers wrote, from a running connector or straight from its store."""

import json
from pathlib import Path
from typing import Any

import click
import trio

from cli import options, output
from connector.client import Client
from connector.errors import ApiError, InputError

MOST = 1_000
BAD_REQUEST, NOT_FOUND = 400, 404


@click.group("inbound")
def command() -> None:
    """List messages from subscribers, or show one."""


@command.command("list")
@click.option("--to", help="Only to this number or short code.")
@click.option("--from", "from_", help="Only from this number.")
@click.option("--unmatched", is_flag=True, help="Only those that belong to no API key.")
@click.option("--limit", type=click.IntRange(1, MOST), default=100, show_default=True, help="At most so many.")
@click.option("--after", metavar="ID", help="Only newer ones than this, oldest first; 0 begins with the first.")
@click.option("--before", metavar="ID", help="Only older ones than this: the next page.")
@options.store
@options.connection
@options.as_json
def list_(
    to: str | None,
    from_: str | None,
    unmatched: bool,
    limit: int,
    after: str | None,
    before: str | None,
    store: Path | None,
    url: str,
    key_env: str,
    key_file: Path | None,
    json_: bool,
) -> None:
    """List messages from subscribers, newest first.

    An operator's key sees those of all API keys and those of nobody.
    """
    asked = {"to": to, "from": from_, "limit": str(limit), "after": after, "before": before}
    filters = {name: value for name, value in asked.items() if value is not None}
    if unmatched:
        filters["unmatched"] = "true"
    if store:
        found = _of_store(store, filters)
    else:
        found = trio.run(_of_connector, url, options.read_key(key_env, key_file), filters)
    if json_:
        output.as_json(found)
        return
    columns = ("id", "at", "from", "to", "carrier", "parts", "api_key", "matched", "text")
    output.table(columns, [[_shown(message, name) for name in columns] for message in found])
    if len(found) == limit:
        output.note(f"there may be more: --limit {MOST}, or --{'after' if after else 'before'} {found[-1]['id']}")


def _shown(message: dict[str, Any], name: str) -> Any:
    """Return what a column shows; of parts, how many of them are here."""
    if name == "parts" and message["partial"]:
        return f"{message['parts'] - len(message['missing'])} of {message['parts']}"
    if name == "text" and message["data"] is not None:
        return f"({output.counted(len(message['data']) // 2, 'octet')})"
    return message[name] or ""


def _of_store(store: Path, filters: dict[str, str]) -> list[dict[str, Any]]:
    from connector.reader import open_reader

    with open_reader(store) as reader:
        return reader.inbound(filters)


async def _of_connector(url: str, key: str, filters: dict[str, str]) -> list[dict[str, Any]]:
    async with Client(url, key=key) as client:
        try:
            return list((await client.inbound(**filters))["inbound"])
        except ApiError as error:
            if error.status == BAD_REQUEST:  # the same words are a wrong call where a store is read
                raise click.UsageError(error.problem) from None
            raise


@command.command("show")
@click.argument("message_id", metavar="ID")
@options.store
@options.connection
@options.as_json
def show(message_id: str, store: Path | None, url: str, key_env: str, key_file: Path | None, json_: bool) -> None:
    """Show the message from a subscriber with this ID."""
    if store:
        message = _one_of_store(store, message_id)
    else:
        message = trio.run(_one_of_connector, url, options.read_key(key_env, key_file), message_id)
    if json_:
        output.as_json(message)
        return
    for name, value in message.items():
        if value is not None and value != []:
            plain = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else value
            output.line(f"{name:<20} {plain}")


def _one_of_store(store: Path, message_id: str) -> dict[str, Any]:
    from connector.reader import open_reader

    with open_reader(store) as reader:
        try:
            return reader.inbound_message(message_id)
        except InputError as error:
            raise click.ClickException(str(error)) from None


async def _one_of_connector(url: str, key: str, message_id: str) -> dict[str, Any]:
    async with Client(url, key=key) as client:
        try:
            return await client.inbound_message(message_id)
        except ApiError as error:
            if error.status == NOT_FOUND:
                raise click.ClickException(f"there is no inbound message {message_id}") from None
            raise
