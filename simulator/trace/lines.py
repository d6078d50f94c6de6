"""The trace as a file of JSON lines: one PDU a line, decoded, with its octets and the reason it is as it is."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

import attrs
import msgspec

from connector.errors import FramingError
from connector.smpp import tables
from connector.smpp.codec import decode
from connector.smpp.pdu import Pdu
from connector.smpp.tlv import unpack_tlv
from simulator.trace.discreet import as_written
from simulator.trace.record import LinkEvent, Packet

log = logging.getLogger("carrierline.simulator")

NOT_FIELDS: Final = frozenset({"tlvs", "sequence_number", "command_status", "oddities", "body_omitted"})


class TraceFile:
    """A file that a trace is written to; one that cannot be written any more is told once, and the rest goes on."""

    def __init__(self, path: Path, render: Callable[[Packet | LinkEvent], bytes], *, begin: bytes = b"") -> None:
        self.path = path
        self._render = render
        self._file: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._write(begin)

    def __call__(self, event: Packet | LinkEvent) -> None:
        """Append what an event is rendered to, as a whole."""
        if self._file is not None:
            self._write(self._render(event))

    def _write(self, octets: bytes) -> None:
        try:
            while octets and self._file is not None:
                octets = octets[os.write(self._file, octets) :]
        except OSError as error:
            log.warning("no more is written to %s: %s", self.path, error.strerror)
            self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def json_lines(path: Path, *, redact: bool = False) -> TraceFile:
    """Return a sink that writes JSON lines; ``redact`` leaves out texts and all but the beginnings of numbers."""
    encoder = msgspec.json.Encoder()
    return TraceFile(path, lambda event: encoder.encode(line_of(event, redact=redact)) + b"\n")


def line_of(event: Packet | LinkEvent, *, redact: bool = False) -> dict[str, Any]:
    """Return what a line says."""
    remark = {"remark": event.remark} if event.remark else {}
    if isinstance(event, LinkEvent):
        return {"at": event.at, "link": event.link, "event": event.kind, **remark}
    octets = as_written(event, redact=redact)
    line: dict[str, Any] = {"at": event.at, "link": event.link, "from": "smsc" if event.outgoing else "esme"}
    if event.account:
        line["account"] = event.account
    return line | _decoded(octets) | {"octets": octets.hex(), **remark}


def _decoded(octets: bytes) -> dict[str, Any]:
    try:
        pdu = decode(octets)
    except FramingError:
        return {"command": None}
    if int.from_bytes(octets[:4], "big") != len(octets):
        return {"command": None}
    return {
        "command": pdu.command or f"0x{pdu.command_id:08x}",
        "status": tables.status_name(pdu.command_status),
        "sequence": pdu.sequence_number,
        "length": int.from_bytes(octets[:4], "big"),
        "fields": _fields(pdu),
        "tlvs": {_tag_name(item.tag): _plain(_value(item)) for item in pdu.tlvs},
        "oddities": [oddity.text for oddity in pdu.oddities],
    }


def _fields(pdu: Pdu) -> dict[str, Any]:
    names = [
        field.name for field in attrs.fields(cast(type[attrs.AttrsInstance], type(pdu))) if field.name not in NOT_FIELDS
    ]
    return {name: _plain(getattr(pdu, name)) for name in names if getattr(pdu, name) not in ("", 0, b"", ())}


def _tag_name(tag: int) -> str:
    known = tables.TLV_BY_TAG.get(tag)
    return known.name if known else f"0x{tag:04x}"


def _value(item: Any) -> Any:
    known = tables.TLV_BY_TAG.get(item.tag)
    value = None if known is None else unpack_tlv(known, item.value)
    return item.value if value is None else value


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return attrs.asdict(value) if attrs.has(type(value)) else value
