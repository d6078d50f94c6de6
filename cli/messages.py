"""``carrierline messages``: what is kept, from a running connector or straight from its store."""

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


@click.group("messages")
def command() -> None:
    """List messages, show one with its timeline, or take one back."""


@command.command("list")
@click.option("--to", help="Only to this number.")
@click.option("--status", help="Only with this status, such as in_doubt.")
@click.option("--since", help="Only accepted since this time, such as 2026-01-31T09:00:00Z.")
@click.option("--limit", type=click.IntRange(1, MOST), default=100, show_default=True, help="At most so many.")
@click.option("--before", metavar="ID", help="Only older ones than this message: the next page.")
@options.store
@options.connection
@options.as_json
def list_(
    to: str | None,
    status: str | None,
    since: str | None,
    limit: int,
    before: str | None,
    store: Path | None,
    url: str,
    key_env: str,
    key_file: Path | None,
    json_: bool,
) -> None:
    """List messages, newest first."""
    asked = {"to": to, "status": status, "since": since, "limit": str(limit), "before": before}
    filters = {name: value for name, value in asked.items() if value is not None}
    if store:
        found = _of_store(store, filters)
    else:
        found = trio.run(_of_connector, url, options.read_key(key_env, key_file), filters)
    if json_:
        output.as_json(found)
        return
    columns = ("id", "status", "to", "lane", "parts", "created_at", "carrier", "reason")
    output.table(columns, [[_shown(message, name) for name in columns] for message in found])
    if len(found) == limit:
        output.note(f"there may be more: --limit {MOST}, or --before {found[-1]['id']} for the next page")


def _shown(message: dict[str, Any], name: str) -> Any:
    """Return what a column shows; beside a reason, whether the same message may pass at another time."""
    if name == "reason" and message["temporary"]:
        return f"{message['reason']} (temporary)"
    return message[name] or ""


def _of_store(store: Path, filters: dict[str, str]) -> list[dict[str, Any]]:
    from connector.reader import open_reader

    with open_reader(store) as reader:
        return reader.messages(filters)


async def _of_connector(url: str, key: str, filters: dict[str, str]) -> list[dict[str, Any]]:
    async with Client(url, key=key) as client:
        try:
            return list((await client.messages(**filters))["messages"])
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
    """Show the message with this ID and everything that happened to it."""
    if store:
        message = _one_of_store(store, message_id)
    else:
        message = trio.run(_one_of_connector, url, options.read_key(key_env, key_file), message_id)
    if json_:
        output.as_json(message)
        return
    for name, value in message.items():
        if name not in ("events", "part_statuses") and value is not None:
            plain = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | bool) else value
            output.line(f"{name:<20} {plain}")
    columns = ("at", "part", "event", "carrier", "attempt", "detail")
    output.line()
    output.table(columns, [[entry[name] or "" for name in columns] for entry in message["events"]])


def _one_of_store(store: Path, message_id: str) -> dict[str, Any]:
    from connector.reader import open_reader

    with open_reader(store) as reader:
        try:
            return reader.message(message_id)
        except InputError as error:
            raise click.ClickException(str(error)) from None


async def _one_of_connector(url: str, key: str, message_id: str) -> dict[str, Any]:
    async with Client(url, key=key) as client:
        try:
            return await client.message(message_id)
        except ApiError as error:
            raise _about(message_id, error) from None


def _about(message_id: str, error: ApiError) -> Exception:
    """Return what a connector says of the id it was asked for as a sentence about the message; all else as it is."""
    said = error.problem.removeprefix("id: ")
    if said == error.problem:
        return error
    return click.ClickException(
        f"there is no message {message_id}" if error.status == NOT_FOUND else f"message {message_id}: {said}"
    )


@command.command("cancel")
@click.argument("message_id", metavar="ID")
@options.connection
@options.as_json
def cancel(message_id: str, url: str, key_env: str, key_file: Path | None, json_: bool) -> None:
    """Take the message with this ID back.

    What waits is cancelled at once.  What a carrier has is asked for where its dialect says cancel_sm = true.  Parts
    that had left are counted; if nothing could be taken back, that is an error.
    """
    done = trio.run(_cancel, url, options.read_key(key_env, key_file), message_id)
    if json_:
        output.as_json(done)
        return
    parts = f"{done['cancelled']} of {output.counted(done['parts'], 'part')} cancelled"
    recalled = f", {done['recalled']} given back by the carrier" if done["recalled"] else ""
    out = f", {done['already_out']} had left" if done["already_out"] else ""
    output.line(f"{done['id']} is {done['status']}: {parts}{recalled}{out}")
    for heard in done["carriers"]:
        output.line(f"  part {heard['part']}, carrier {heard['carrier']}: {heard['said']}")


async def _cancel(url: str, key: str, message_id: str) -> dict[str, Any]:
    async with Client(url, key=key) as client:
        try:
            return await client.cancel(message_id)
        except ApiError as error:
            raise _about(message_id, error) from None
