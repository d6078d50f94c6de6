"""``carrierline decode``: octets and receipt texts made readable."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from cli import options, output
from connector.errors import FramingError
from connector.smpp.codec import decode
from connector.smpp.describe import describe
from connector.smpp.framing import Framer
from connector.smpp.reading import describe_receipt, reading_of, says_something
from connector.smpp.receipt import parse_receipt
from connector.smpp.tables import HEADER_OCTETS


@click.command("decode")
@click.argument("what", nargs=-1, required=True)
@click.option("--receipt", is_flag=True, help="Read receipt texts instead of PDUs.")
@click.option("--hex", "hex_", is_flag=True, help="With --receipt: the texts are in hexadecimal.")
@click.option("--zone", help="With --receipt: the carrier's time zone, such as Europe/London.")
@click.option("--show-secrets", is_flag=True, help="Show the passwords of binds, which are stars otherwise.")
@options.as_json
def command(
    what: tuple[str, ...], receipt: bool, hex_: bool, zone: str | None, show_secrets: bool, json_: bool
) -> None:
    """Show what WHAT says: hexadecimal octets, a file with a line of them each, or - for standard input.

    Octets may hold several PDUs; what is strange in one is listed under its oddities.
    """
    failed, carrier_zone = False, _zone(zone)
    show = _show if receipt else _show_pdu
    for text in _lines(what):
        try:
            found = [_receipt(text, hex_, carrier_zone)] if receipt else _pdus(text, show_secrets)
        except ValueError as error:
            failed = True
            output.note(f"carrierline: {error}")
            continue
        for shown in found:
            if json_:
                output.as_json(shown)
            else:
                show(shown)
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


def _pdus(text: str, show_secrets: bool) -> list[dict[str, Any]]:
    """Describe every PDU of the octets; what cannot be cut off as one stays with the last, whose oddities tell it."""
    octets = _octets(text)
    if len(octets) < HEADER_OCTETS:
        raise ValueError(f"{len(octets)} octets are no PDU, its header has {HEADER_OCTETS}: {text[:40]}")
    found = []
    while octets:
        length = int.from_bytes(octets[:4], "big")
        whole = HEADER_OCTETS <= length <= len(octets) - HEADER_OCTETS
        pdu = decode(octets[:length] if whole else octets)
        found.append(describe(pdu, show_secrets=show_secrets) | {"reading": reading_of(pdu)})
        last, octets = octets, octets[length:] if whole else b""
    found[-1]["oddities"] += _complaint(last)
    return found


def _complaint(octets: bytes) -> list[str]:
    """Return why no stream could go on with these octets: an impossible length, or another protocol by its name."""
    try:
        Framer().feed(octets)
    except FramingError as error:
        return [error.reason]
    return []


def _zone(zone: str | None) -> ZoneInfo | None:
    if zone is None:
        return None
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise click.UsageError(f"there is no time zone {zone!r}") from None


def _receipt(text: str, hex_: bool, zone: ZoneInfo | None) -> dict[str, Any]:
    found = parse_receipt(_octets(text) if hex_ else text.encode("latin-1", "replace"))
    if not says_something(found):
        raise ValueError(f"no receipt, it has no id, no stat and no other field of one: {text[:40]!r}")
    return describe_receipt(found, zone)


# --- for people -------------------------------------------------------------------------------------------------


def _show_pdu(pdu: dict[str, Any]) -> None:
    """Show the fields, and behind ``#``, so that none is mistaken for a field, what the text octets say."""
    name, reading = pdu["command_status_name"], pdu["reading"]
    fields = {key: value for key, value in pdu.items() if key not in ("command_status_name", "reading")}
    _show(fields | {"command_status": f"{name} ({pdu['command_status']})"})
    for text in _remarks(reading) if reading else ():
        output.line(f"# {text}")


def _remarks(reading: dict[str, Any]) -> Iterator[str]:
    header, receipt = reading["udh"], reading["receipt"]
    if header is not None:
        yield f"header of {header['length_bytes']} octets: {_named(header, skip=('length_bytes', 'elements'))}"
        yield from (f"header element {item['identifier']}: {item['data_hex']}" for item in header["elements"])
    if reading["text"] is None:
        yield "the rest is 8-bit data"
    else:
        yield f"text, read as {reading['alphabet']}: {reading['text']!r}"
    if receipt is not None:
        yield f"receipt: {_named(receipt, skip=('text',))}"


def _named(values: dict[str, Any], skip: tuple[str, ...]) -> str:
    """Return the values that are there, with their names."""
    said = {name: value for name, value in values.items() if name not in skip and value is not None}
    return ", ".join(f"{name} {value}" for name, value in said.items()) or "nothing we know"


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
