"""``carrierline decode``: octets and receipt texts made readable."""

import codecs
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from cli import options, output
from connector.errors import FramingError, InputError
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

    Octets may hold several PDUs; what is strange in one is listed under its oddities.  Between octets there may be
    blanks, commas and colons, before them 0x or \\x.
    """
    if not receipt and (hex_ or zone is not None):
        raise click.UsageError("--hex and --zone are for receipts: add --receipt")
    failed, carrier_zone = False, _zone(zone)
    show = _show if receipt else _show_pdu
    for place, text in _lines(what):
        try:
            if text is None:
                raise ValueError("there is nothing in it")
            found = [_receipt(text, hex_, carrier_zone)] if receipt else _pdus(text, show_secrets)
        except ValueError as error:
            failed = True
            output.note(f"carrierline: {place}{error}")
            continue
        for shown in found:
            if json_:
                output.as_json(shown)
            else:
                show(shown)
                output.line()
    if failed:
        raise SystemExit(1)


def _lines(what: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
    """Yield where each text stands, as errors name it, and the text; None where a file has none."""
    for item in what:
        if item != "-" and not _is_file(item):
            yield "", item
            continue
        lines = [(number, line) for number, line in enumerate(_content(item).split("\n"), 1) if line.strip()]
        yield from ((f"{item}:{number}: ", line.rstrip("\r")) for number, line in lines)
        if not lines:
            yield f"{item}: ", None


def _content(item: str) -> str:
    """Return a file, or standard input, as text: one character an octet, for receipts are in whatever alphabet the
    carrier chose, unless the file says of itself that it is UTF-8 or UTF-16."""
    try:
        octets = sys.stdin.buffer.read() if item == "-" else Path(item).read_bytes()
    except OSError as error:
        raise InputError(f"{item} cannot be read: {error.strerror}") from None
    for mark, encoding in _MARKS:
        if octets.startswith(mark):
            return octets.removeprefix(mark).decode(encoding, "replace")
    return octets.decode("latin-1")


_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def _is_file(item: str) -> bool:
    try:
        return Path(item).is_file()
    except (OSError, ValueError):
        return False  # longer than a name can be, or with a NUL: octets


_BETWEEN_OCTETS = re.compile(r"\\x|\b0x|[\s,:]+", re.ASCII | re.IGNORECASE)


def _octets(text: str) -> bytes:
    bare = _BETWEEN_OCTETS.sub("", text)
    if not bare:
        raise ValueError("there are no octets: the text is empty")
    try:
        return bytes.fromhex(bare)
    except ValueError:
        raise ValueError(f"neither hexadecimal octets nor a file: {text[:40]!r}") from None


def _pdus(text: str, show_secrets: bool) -> list[dict[str, Any]]:
    """Describe every PDU of the octets; of what is left over behind the last its oddities tell."""
    octets = _octets(text)
    if len(octets) < HEADER_OCTETS:
        raise ValueError(f"{len(octets)} octets are no PDU, its header has {HEADER_OCTETS}: {text[:40]}")
    pieces, rest = _cut(octets)
    complaint = _complaint(rest)
    if rest and (not pieces or (not complaint and len(rest) >= HEADER_OCTETS)):
        pieces, rest = [*pieces, rest], b""  # a PDU whose end is missing, or nothing but this
    found = [_described(piece, show_secrets) for piece in pieces]
    if rest:
        found[-1]["oddities"].append(f"{output.counted(len(rest), 'octet')} left over")
    found[-1]["oddities"] += complaint
    return found


def _described(octets: bytes, show_secrets: bool) -> dict[str, Any]:
    pdu = decode(octets)
    return describe(pdu, show_secrets=show_secrets) | {"reading": reading_of(pdu)}


def _cut(octets: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole PDUs at the beginning, and what follows them."""
    pieces, at = [], 0
    while len(octets) - at >= HEADER_OCTETS:
        end = at + int.from_bytes(octets[at : at + 4], "big")
        if not at + HEADER_OCTETS <= end <= len(octets):
            break
        pieces.append(octets[at:end])
        at = end
    return pieces, octets[at:]


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
    if not text.strip():
        raise ValueError("there is no receipt: the text is empty")
    found = parse_receipt(_octets(text) if hex_ else _as_sent(text))
    if not says_something(found):
        raise ValueError(f"no receipt, it has no id, no stat and no other field of one: {text[:40]!r}")
    return describe_receipt(found, zone)


def _as_sent(text: str) -> bytes:
    """Return the octets a carrier sends for a text: one a character, and UTF-16 where that is not enough."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return codecs.BOM_UTF16_BE + text.encode("utf-16-be", "replace")


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
