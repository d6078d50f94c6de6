"""``carrierline verify``: the conservation law, recounted, and every status against its history."""

from typing import Any

import click

from cli import options, output
from cli.source import Source, source_options

_ATTEMPTS = (("answered", "answered"), ("in_flight", "in flight"), ("doubted", "without an answer"))


@click.command("verify")
@source_options
@options.as_json
def command(source: Source, json_: bool) -> None:
    """Recount every message and part against the ledger, and hold every status against its history and the event log.

    It takes about ten seconds for a million parts.  The first of each kind of problem are named.  Exit status 1 if
    anything is unaccounted for.
    """
    found = source.ask(lambda reader: reader.verify(), lambda client: client.verify())
    if json_:
        output.as_json(found)
    else:
        _show(found)
    if not found["ok"]:
        raise SystemExit(1)


def _show(found: dict[str, Any]) -> None:
    messages, parts = (
        output.counted(found["accepted"], "message"),
        output.counted(found["parts_accepted"], "part"),
    )
    output.line(f"accepted {messages} in {parts}")
    for status, count in sorted(found["messages"].items(), key=lambda item: -item[1]):
        output.line(f"  {status:<10} {count}")
    if found["gone"]["messages"]:
        output.line(f"  {output.counted(found['gone']['messages'], 'message')} of these gone for age: only counted now")
    attempts = [f"{found[name]} {text}" for name, text in _ATTEMPTS if found[name]]
    output.line(
        f"submitted {output.counted(found['submitted'], 'attempt')}{': ' * bool(attempts)}{', '.join(attempts)}"
    )
    if found["parked"]:
        output.line(f"{output.counted(found['parked'], 'receipt')} without a message yet")
    if found["gone"]["receipts"]:
        output.line(f"{output.counted(found['gone']['receipts'], 'receipt')} gone for age, without a message")
    for problem in found["problems"]:
        output.line(f"PROBLEM {problem}")
    output.line("the ledger balances" if found["ok"] else "something is NOT accounted for")
