"""``carrierline decode``: octets and receipt texts made readable."""

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from cli import options, output
from connector.errors import FramingError
from connector.smpp.codec import decode
from connector.smpp.describe import describe
from connector.smpp.receipt import MessageState, parse_receipt
from connector.smpp.tables import HEADER_OCTETS


@click.command("decode")
@click.argument("what", nargs=-1, required=True)
@click.option("--receipt", is_flag=True, help="Read receipt texts instead of PDUs.")
@click.option("--hex", "hex_", is_flag=True, help="With --receipt: the texts are in hexadecimal.")
@click.option("--zone", help="With --receipt: the carrier's time zone, such as Europe/London.")
@options.as_json
def command(what: tuple[str, ...], receipt: bool, hex_: bool, zone: str | None, json_: bool) -> None:
    """Show what WHAT says: hexadecimal octets, a file with a line of them each, or - for standard input."""
    failed = False
    for text in _lines(what):
        try:
            shown = _receipt(text, hex_, _zone(zone)) if receipt else _pdu(text)
        except ValueError as error:
            failed = True
            output.note(f"carrierline: {error}")
            continue
        if json_:
            output.as_json(shown)
        else:
            _show(shown)
            output.line()
    if failed:
        raise SystemExit(1)


def _lines(what: tuple[str, ...]) -> Iterator[str]:
    for item in what:
        if item == "-":
            yield from _texts(sys.stdin.buffer.read())
        elif _is_file(item):
            yield from _texts(Path(item).read_bytes())
        else:
            yield item


def _texts(octets: bytes) -> Iterator[str]:
    """Yield the lines, one character an octet: receipts are in whatever alphabet the carrier chose."""
    return (line.rstrip("\r") for line in octets.decode("latin-1").split("\n") if line.strip())


def _is_file(item: str) -> bool:
    try:
        return Path(item).is_file()
    except OSError:
        return False  # longer than a name can be: octets


def _octets(text: str) -> bytes:
    try:
        return bytes.fromhex(text.strip().removeprefix("0x"))
    except ValueError:
        raise ValueError(f"neither hexadecimal octets nor a file: {text[:40]!r}") from None


def _pdu(text: str) -> dict[str, Any]:
    octets = _octets(text)
    if len(octets) < HEADER_OCTETS:
        raise ValueError(f"{len(octets)} octets are no PDU, its header has {HEADER_OCTETS}: {text[:40]}")
    try:
        return describe(decode(octets))
    except FramingError as error:
        raise ValueError(f"{error.reason}: {text[:40]}") from None


def _zone(zone: str | None) -> ZoneInfo | None:
    if zone is None:
        return None
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise click.UsageError(f"there is no time zone {zone!r}") from None


def _receipt(text: str, hex_: bool, zone: ZoneInfo | None) -> dict[str, Any]:
    found = parse_receipt(_octets(text) if hex_ else text.encode("latin-1", "replace"))
    final = None if found.state is MessageState.ACCEPTED else found.is_final
    return {
        "id": found.id,
        "effective_id": found.effective_id,
        "sub": found.sub,
        "dlvrd": found.dlvrd,
        "submit_date": _date(found.submit_date, zone),
        "done_date": _date(found.done_date, zone),
        "stat": found.stat,
        "err": found.err,
        "text": found.text,
        "state": str(found.state),
        "final": final,
    }


def _date(date: datetime | None, zone: ZoneInfo | None) -> str | None:
    if date is None:
        return None
    return (date if zone is None else date.replace(tzinfo=zone)).isoformat()


def _show(value: dict[str, Any], indent: int = 0) -> None:
    for name, item in value.items():
        pad = "  " * indent
        if isinstance(item, dict):
            output.line(f"{pad}{name}")
            _show(item, indent + 1)
        elif isinstance(item, list):
            output.line(f"{pad}{name}{'' if item else '  none'}")
            for entry in item:
                _show_entry(entry, indent + 1)
        else:
            output.line(f"{pad}{name:<24} {'' if item is None else item}")


def _show_entry(entry: Any, indent: int) -> None:
    pad = "  " * indent
    if isinstance(entry, dict):
        output.line(pad + "  ".join(f"{name} {item}" for name, item in entry.items() if item is not None))
    else:
        output.line(f"{pad}{entry}")
