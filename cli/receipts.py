"""``carrierline receipts list``: those that are kept because no message is known for them, and why."""

import click

from cli import listing, options
from cli.source import Source, rows, source_options

_COLUMNS = ("id", "at", "carrier", "carrier_message_ids", "numbers", "status", "detail", "reason")


@click.command("receipts")
@click.argument("verb", metavar="[list]", type=click.Choice(["list"]), required=False, expose_value=False)
@click.option("--after", type=click.IntRange(0), default=0, metavar="ID", help="Only behind this one: the next page.")
@listing.limit
@source_options
@options.as_json
def command(after: int, limit: int, source: Source, json_: bool) -> None:
    """List receipts that are kept without a message, oldest first, each with the reason.

    no_id: it names none.  unknown_id: no attempt through this carrier has its id; the answer may be on its way.
    other_number: those that have its id went to other numbers.  several: more than one fits.
    earlier_attempt: its part has a newer attempt under way; joined when that one is settled.
    """
    found = source.ask(
        lambda reader: reader.receipts(after, limit),
        lambda client: rows(client.receipts(after=after, limit=limit), "receipts"),
    )
    listing.page(found, _COLUMNS, listing.plain, as_json=json_, limit=limit, turn="after")
