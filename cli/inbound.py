"""``carrierline inbound``: what subscribers wrote, from a running connector or straight from its store."""

import click

from cli import listing, options, output
from cli.source import Source, rows, source_options

_COLUMNS = ("id", "at", "from", "to", "carrier", "parts", "api_key", "matched", "text")


@click.group("inbound")
def command() -> None:
    """List messages from subscribers, or show one."""


@command.command("list")
@click.option("--to", help="Only to this number or short code.")
@click.option("--from", "from_", help="Only from this number.")
@click.option("--unmatched", is_flag=True, help="Only those that belong to no API key.")
@listing.limit
@click.option("--after", metavar="ID", help="Only newer ones than this, oldest first; 0 begins with the first.")
@click.option("--before", metavar="ID", help="Only older ones than this: the next page.")
@source_options
@options.as_json
def list_(
    to: str | None,
    from_: str | None,
    unmatched: bool,
    limit: int,
    after: str | None,
    before: str | None,
    source: Source,
    json_: bool,
) -> None:
    """List messages from subscribers, newest first.

    An operator's key sees those of all API keys and those of nobody.
    """
    nobody = "true" if unmatched else None
    filters = listing.given(to=to, from_=from_, limit=limit, after=after, before=before, unmatched=nobody)
    found = source.ask(
        lambda reader: reader.inbound(filters), lambda client: rows(client.inbound(**filters), "inbound")
    )
    listing.page(found, _COLUMNS, _shown, as_json=json_, limit=limit, turn="after" if after else "before")


def _shown(message: listing.Row, name: str) -> object:
    """Return what a column shows; of parts, how many of them are here."""
    if name == "parts" and message["partial"]:
        return f"{message['parts'] - len(message['missing'])} of {message['parts']}"
    if name == "text" and message["data"] is not None:
        return f"({output.counted(len(message['data']) // 2, 'octet')})"
    return listing.plain(message, name)


@command.command("show")
@click.argument("message_id", metavar="ID")
@source_options
@options.as_json
def show(message_id: str, source: Source, json_: bool) -> None:
    """Show the message from a subscriber with this ID."""
    message = source.ask_for(
        "inbound message",
        message_id,
        lambda reader: reader.inbound_message(message_id),
        lambda client: client.inbound_message(message_id),
    )
    if json_:
        output.as_json(message)
    else:
        listing.fields(message)
