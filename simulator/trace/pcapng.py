"""The trace as a capture that Wireshark reads: pcapng, with IP and TCP made up around the PDUs.

It works with TLS too, where a capture of the wire shows nothing.  One packet holds one PDU: a segment of less than 16
octets would not be recognised as SMPP.  A PDU that no IP packet can hold goes in several.  Each block is written as a
whole, so the file can be read while the simulator runs, and after it was killed.
"""

import struct
from pathlib import Path
from typing import Final

import attrs

from simulator.trace.discreet import as_written
from simulator.trace.lines import TraceFile
from simulator.trace.record import LinkEvent, Packet

# pcapng, draft-ietf-opsawg-pcapng: block types, options, and LINKTYPE_RAW for packets that begin with their IP header.
SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
COMMENT, IF_TSRESOL, SHB_USERAPPL = 1, 9, 4
LINKTYPE_RAW: Final = 101
MICROSECONDS: Final = 6
"""if_tsresol: ten to the power of minus six."""

SMSC_IP: Final = bytes((10, 255, 0, 1))
SMSC_PORT: Final = 2775
FIRST_PORT: Final = 20_000
MOST_OCTETS: Final = 65_000
"""Of a segment: an IP packet has 65,535 at most."""
MOST_OF_A_COMMENT: Final = 60_000
"""Octets; a longer one, on a link where nothing else moved for long, says that it was cut."""
CUT: Final = b" [cut]"
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10


def capture(path: Path, *, redact: bool = False) -> TraceFile:
    """Return a sink that writes a capture; ``redact`` hides texts and all but the beginnings of numbers."""
    return TraceFile(path, Capture(redact=redact).blocks, begin=header())


def header() -> bytes:
    """Return how a capture begins: the section and its one interface."""
    section = _block(SECTION, struct.pack("<LHHq", 0x1A2B3C4D, 1, 0, -1), _option(SHB_USERAPPL, b"carrierline"))
    resolution = _option(IF_TSRESOL, bytes((MICROSECONDS,)))
    return section + _block(INTERFACE, struct.pack("<HHL", LINKTYPE_RAW, 0, 0), resolution)


@attrs.define
class _Stream:
    """One link as TCP: the next sequence number of each side."""

    esme_ip: bytes
    esme_port: int
    next: dict[bool, int] = attrs.field(factory=lambda: {False: 1_000, True: 5_000})
    """By whether the carrier sends."""


class Capture:
    """Makes blocks of what a trace tells."""

    def __init__(self, *, redact: bool = False) -> None:
        self._redact = redact
        self._streams: dict[int, _Stream] = {}

    def blocks(self, event: Packet | LinkEvent) -> bytes:
        """Return the blocks of one event."""
        if isinstance(event, Packet):
            return self._packet(event)
        stream = self._stream(event.link)
        if event.noted:
            return self._segment(stream, event.at, ACK, outgoing=True, comment=event.remark)
        if not event.ended:
            return (
                self._segment(stream, event.at, SYN, outgoing=False)
                + self._segment(stream, event.at, SYN | ACK, outgoing=True)
                + self._segment(stream, event.at, ACK, outgoing=False)
            )
        del self._streams[event.link]
        if event.reset:
            return self._segment(stream, event.at, RST | ACK, outgoing=True, comment=event.remark)
        return (
            self._segment(stream, event.at, FIN | ACK, outgoing=True, comment=event.remark)
            + self._segment(stream, event.at, FIN | ACK, outgoing=False)
            + self._segment(stream, event.at, ACK, outgoing=True)
        )

    def _packet(self, packet: Packet) -> bytes:
        octets = as_written(packet, redact=self._redact)
        stream, blocks = self._stream(packet.link), b""
        for start in range(0, len(octets), MOST_OCTETS):
            part = octets[start : start + MOST_OCTETS]
            comment = "" if start else packet.remark
            blocks += self._segment(
                stream, packet.at, PSH | ACK, outgoing=packet.outgoing, octets=part, comment=comment
            )
        return blocks

    def _stream(self, link: int) -> _Stream:
        if link not in self._streams:
            esme_ip = bytes((10, link >> 16 & 0x7F, link >> 8 & 0xFF, link & 0xFF))
            self._streams[link] = _Stream(esme_ip, FIRST_PORT + link % 40_000)
        return self._streams[link]

    def _segment(
        self, stream: _Stream, at: float, flags: int, *, outgoing: bool, octets: bytes = b"", comment: str = ""
    ) -> bytes:
        sequence, acknowledged = stream.next[outgoing], stream.next[not outgoing]
        stream.next[outgoing] = (sequence + len(octets) + bool(flags & (SYN | FIN))) & 0xFFFFFFFF
        ends = (stream.esme_ip, stream.esme_port), (SMSC_IP, SMSC_PORT)
        (source_ip, source_port), (target_ip, target_port) = reversed(ends) if outgoing else ends
        numbers = sequence, acknowledged if flags & ACK else 0
        tcp = struct.pack(">HHLLBBHHH", source_port, target_port, *numbers, 0x50, flags, 65_535, 0, 0) + octets
        pseudo = source_ip + target_ip + struct.pack(">BBH", 0, 6, len(tcp))
        tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp)) + tcp[18:]
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0, source_ip, target_ip)
        return _packet_block(at, ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:] + tcp, comment)


def checksum(octets: bytes) -> int:
    """Return the checksum of the internet: the ones' complement sum of 16-bit words, complemented (RFC 1071)."""
    words = octets + b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f">{len(words) // 2}H", words))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _packet_block(at: float, octets: bytes, comment: str) -> bytes:
    microseconds = round(at * 10**MICROSECONDS)
    fixed = struct.pack("<LLLLL", 0, microseconds >> 32, microseconds & 0xFFFFFFFF, len(octets), len(octets))
    octets_of_comment = comment.encode()
    if len(octets_of_comment) > MOST_OF_A_COMMENT:
        octets_of_comment = octets_of_comment[:MOST_OF_A_COMMENT] + CUT
    options = _option(COMMENT, octets_of_comment) if comment else b""
    return _block(PACKET, fixed + _padded(octets), options)


def _block(kind: int, body: bytes, options: bytes) -> bytes:
    body += options + (b"\0\0\0\0" if options else b"")
    length = struct.pack("<L", 12 + len(body))
    return struct.pack("<L", kind) + length + body + length


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(octets: bytes) -> bytes:
    return octets + b"\0" * (-len(octets) % 4)
