"""``carrierline messages``: what is kept, from a running connector or straight from its store."""

from pathlib import Path
from typing import Any

import click
import trio

from cli import listing, options, output
from cli.source import Source, about, rows, source_options
from connector.client import Client
from connector.errors import ApiError

_COLUMNS = ("id", "status", "to", "lane", "api_key", "parts", "created_at", "carrier", "reason")
_GONE = {"not_kept": "(not kept: keep_body of its lane is over)", "erased": "(erased)"}
_EVENTS = ("at", "part", "event", "carrier", "attempt", "detail")


@click.group("messages")
def command() -> None:
    """List messages, show one with its timeline, or take one back."""


@command.command("list")
@click.option("--to", help="Only to this number.")
@click.option("--status", help="Only with this status, such as in_doubt.")
@click.option("--since", help="Only accepted since this time, such as 2026-01-31T09:00:00Z.")
@click.option("--api-key", metavar="NAME", help="Only of the API key of this name.")
@listing.limit
@click.option("--before", metavar="ID", help="Only older ones than this message: the next page.")
@source_options
@options.as_json
def list_(
    to: str | None,
    status: str | None,
    since: str | None,
    api_key: str | None,
    limit: int,
    before: str | None,
    source: Source,
    json_: bool,
) -> None:
    """List messages, newest first.

    An operator's key sees those of all API keys, any other its own.
    """
    filters = listing.given(to=to, status=status, since=since, api_key=api_key, limit=limit, before=before)
    found = source.ask(
        lambda reader: reader.messages(filters), lambda client: rows(client.messages(**filters), "messages")
    )
    listing.page(found, _COLUMNS, _shown, as_json=json_, limit=limit, turn="before")


def _shown(message: listing.Row, name: str) -> object:
    """Return what a column shows; beside a reason, whether the same message may pass at another time."""
    if name == "reason" and message["temporary"]:
        return f"{message['reason']} (temporary)"
    return listing.plain(message, name)


@command.command("show")
@click.argument("message_id", metavar="ID")
@click.option("--text", is_flag=True, help="With its text, or why there is none any more.")
@source_options
@options.as_json
def show(message_id: str, text: bool, source: Source, json_: bool) -> None:
    """Show the message with this ID and everything that happened to it; its text only with --text."""
    message = source.ask_for(
        "message",
        message_id,
        lambda reader: reader.message(message_id, text=text),
        lambda client: client.message(message_id, text=text),
    )
    if json_:
        output.as_json(message)
        return
    listing.fields(message, without=("events", "part_statuses", "text", "text_gone"))
    if text:
        listing.fields({"text": _GONE.get(message["text_gone"], message["text"])})
    output.line()
    output.table(_EVENTS, [[entry[name] or "" for name in _EVENTS] for entry in message["events"]])


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
            raise about("message", message_id, error) from None
