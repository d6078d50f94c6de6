"""Cuts a byte stream into PDUs, and says in a sentence why when it cannot."""

from struct import Struct
from typing import Final

from connector.errors import FramingError
from connector.smpp import tables

MAX_PDU_OCTETS: Final = 70_000
"""message_payload alone may hold 65,535 octets (SMPP 3.4, 5.3.2.32)."""
MAX_UNBOUND_PDU_OCTETS: Final = 1_024
"""No PDU that may come before a bind is longer."""

_LENGTH_OCTETS: Final = 4
_length_at: Final = Struct(">L").unpack_from
# SMPP 5.0, 2.8: the header cannot be trusted, so the sequence_number is 0.
_NACK: Final = Struct(">4L").pack(16, tables.GENERIC_NACK_ID, tables.ESME_RINVCMDLEN, 0)

# What port scanners, browsers and wrongly configured peers send first; read as a length it is absurdly large.
_HTTP: Final = "HTTP: a web client or proxy is talking to an SMPP port"
_FOREIGN: Final = (
    (b"\x16\x03", "TLS: the peer starts TLS on a plain port"),
    (b"\x15\x03", "a TLS alert: one side speaks TLS and the other does not"),
    *((word, _HTTP) for word in (b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN", b"DELE", b"PATC")),
    *((word, _HTTP) for word in (b"PRI ", b"HTTP")),
    (b"PROX", "the PROXY protocol: a load balancer announces its clients"),
    (b"\r\n\r\n", "the PROXY protocol, version 2: a load balancer announces its clients"),
    (b"SSH-", "SSH: an SSH client is talking to an SMPP port"),
    (b"AMQP", "AMQP: a message broker's client is talking to an SMPP port"),
    (b"\x03\x00\x00", "TPKT: a remote desktop scanner is talking to an SMPP port"),
)


class Framer:
    """Takes octets in pieces of any size and gives whole PDUs.

    Holds at most one unfinished PDU, so never more than ``max_length`` octets and one piece.
    """

    def __init__(self, max_length: int = MAX_PDU_OCTETS) -> None:
        self.max_length = max_length
        self.error: FramingError | None = None
        """Why the stream can be cut no further; set as soon as it is known, raised by the next ``feed``."""
        self._held = bytearray()
        self._needed = _LENGTH_OCTETS

    @property
    def partial(self) -> int:
        """How many octets of an unfinished PDU are held."""
        return len(self._held)

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        """The PDUs that ``data`` completes, each with its header, in order.

        Raises FramingError on a command_length below 16 or above ``max_length``; PDUs that came whole before it are
        returned first, and the error is raised by the next call.
        """
        if self.error:
            raise self.error
        if self._held:
            self._held += data
            if len(self._held) < self._needed:
                return []
            data, self._held = self._held, bytearray()
        pdus = self._cut(bytes(data))
        if self.error and not pdus:
            raise self.error
        return pdus

    def _cut(self, data: bytes) -> list[bytes]:
        pdus: list[bytes] = []
        at, size = 0, len(data)
        self._needed = _LENGTH_OCTETS
        while size - at >= _LENGTH_OCTETS:
            (length,) = _length_at(data, at)
            if not tables.HEADER_OCTETS <= length <= self.max_length:
                self.error = self._reject(data[at : at + 8], length)
                return pdus
            end = at + length
            if end > size:
                self._needed = length
                break
            pdus.append(data[at:end])
            at = end
        self._held += data[at:]
        return pdus

    def _reject(self, start: bytes, length: int) -> FramingError:
        for prefix, protocol in _FOREIGN:
            if start.startswith(prefix):
                return FramingError(f"this is not SMPP but {protocol}")
        if length < tables.HEADER_OCTETS:
            return FramingError(f"command_length {length} is less than the 16 octets of a header", _NACK)
        return FramingError(f"command_length {length} is more than the {self.max_length} allowed here", _NACK)
