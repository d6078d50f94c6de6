"""What crosses the links, PDU by PDU, for whoever wants to see it: a file, a test that failed, Wireshark."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

import attrs
import trio

from connector.smpp import tables

LONGEST_PDU: Final = 1 << 20
"""What says it is longer is no PDU: it is kept as it came."""
RESET: Final = "fault: reset"
"""The reason for the end of a link that was reset."""
_RESPONSE: Final = b"\x80"
"""First octet of the command_id of a response."""


@attrs.frozen(kw_only=True)
class Packet:
    """One PDU that crossed a link, or octets that are none."""

    at: float
    """Time of day, in seconds since the epoch."""
    link: int
    """Number of the link, from 1."""
    outgoing: bool
    """From the carrier to the ESME."""
    octets: bytes = attrs.field(repr=False)
    remark: str = ""
    """Why it is as it is, where a rule or a fault had a hand in it."""
    account: str = ""
    """system_id of who is bound, if anybody is."""
    bound: bool = False
    """Whether anybody is."""


@attrs.frozen(kw_only=True)
class LinkEvent:
    """A link came up or ended."""

    at: float
    link: int
    ended: bool
    remark: str = ""
    reset: bool = False
    """Whether it ended by a reset (RST) and not in order (FIN)."""
    noted: bool = False
    """It neither came up nor ended: there is a remark that belongs to no packet."""

    @property
    def kind(self) -> str:
        """What happened, in a word."""
        return "noted" if self.noted else "ended" if self.ended else "began"


Sink = Callable[[Packet | LinkEvent], None]


class Trace:
    """Cuts what crosses each link into PDUs and hands them to its sinks, in order."""

    def __init__(self, clock: Callable[[], float], *sinks: Sink) -> None:
        self._clock = clock
        self._sinks = sinks
        self._partial: dict[tuple[int, bool], bytes] = {}
        self._remarks: dict[int, list[tuple[bytes, str]]] = {}
        self._accounts: dict[int, str] = {}
        self._refused: dict[int, dict[int, str]] = {}
        """What refused the requests of a link whose answers have not left, by their sequence_number."""

    def began(self, link: int) -> None:
        """Note a new link."""
        self._tell(LinkEvent(at=self._clock(), link=link, ended=False))

    def ended(self, link: int, reason: str, *, reset: bool = False) -> None:
        """Note the end of a link; half a PDU that was under way is told as it is."""
        for outgoing in (False, True):
            rest = self._partial.pop((link, outgoing), b"")
            if rest:
                self._packet(link, rest, outgoing=outgoing)
        remark = "; ".join([*(text for _, text in self._remarks.pop(link, [])), reason])
        self._accounts.pop(link, None)
        self._refused.pop(link, None)
        self._tell(LinkEvent(at=self._clock(), link=link, ended=True, remark=remark, reset=reset))

    def bound(self, link: int, account: str) -> None:
        """Note who is bound on a link."""
        self._accounts[link] = account

    def remark(self, link: int, text: str, begins: bytes) -> None:
        """Have this go with the packet of a link that begins so, with the end of the link where there is none."""
        self._remarks.setdefault(link, []).append((begins[: tables.HEADER_OCTETS], text))

    def refused(self, link: int, sequence_numbers: Iterable[int], by: str) -> None:
        """Have the answers to these requests say what refused them: a limit by its key, as in "limits.rate"."""
        self._refused.setdefault(link, {}).update(dict.fromkeys(sequence_numbers, f"refused by {by}"))

    def note(self, link: int, text: str) -> None:
        """Tell something that belongs to no packet."""
        self._tell(LinkEvent(at=self._clock(), link=link, ended=False, remark=text, noted=True))

    def crossed(self, link: int, octets: bytes, *, outgoing: bool) -> None:
        """Take octets that were read or are about to be written."""
        rest = self._partial.get((link, outgoing), b"") + octets
        while len(rest) >= tables.HEADER_OCTETS:
            length = int.from_bytes(rest[:4], "big")
            if not tables.HEADER_OCTETS <= length <= LONGEST_PDU:
                self._packet(link, rest, outgoing=outgoing)
                rest = b""
            elif len(rest) < length:
                break
            else:
                self._packet(link, rest[:length], outgoing=outgoing)
                rest = rest[length:]
        self._partial[link, outgoing] = rest

    def _packet(self, link: int, octets: bytes, *, outgoing: bool) -> None:
        remark = self._remark_for(link, octets) if self._remarks else ""
        if outgoing and (refused := self._refused.get(link)) and octets[4:5] == _RESPONSE:
            by = refused.pop(int.from_bytes(octets[12:16], "big"), "")
            remark = "; ".join(filter(None, (by, remark)))
        account = self._accounts.get(link)
        self._tell(
            Packet(
                at=self._clock(),
                link=link,
                outgoing=outgoing,
                octets=octets,
                remark=remark,
                account=account or "",
                bound=account is not None,
            )
        )

    def _remark_for(self, link: int, octets: bytes) -> str:
        remarks = self._remarks.pop(link, [])
        its = [text for begins, text in remarks if begins and octets.startswith(begins)]
        rest = [each for each in remarks if not (each[0] and octets.startswith(each[0]))]
        if rest:
            self._remarks[link] = rest
        return "; ".join(its)

    def _tell(self, event: Packet | LinkEvent) -> None:
        for sink in self._sinks:
            sink(event)


class Recent:
    """A sink that remembers the latest packets."""

    def __init__(self, most: int = 1_000) -> None:
        self.events: deque[Packet | LinkEvent] = deque(maxlen=most)
        self.seen = 0
        """How many there have been."""
        self.started_at: float | None = None
        """When the first one was."""

    def __call__(self, event: Packet | LinkEvent) -> None:
        self.events.append(event)
        self.seen += 1
        if self.started_at is None:
            self.started_at = event.at


class TracedStream(trio.abc.Stream):
    """A stream whose octets are seen."""

    def __init__(self, stream: trio.abc.Stream, trace: Trace, link: int) -> None:
        self.stream = stream
        self._trace = trace
        self._link = link

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._trace.crossed(self._link, bytes(data), outgoing=True)
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self.stream.receive_some(max_bytes)
        self._trace.crossed(self._link, bytes(data), outgoing=False)
        return data

    async def aclose(self) -> None:
        await self.stream.aclose()
