"""How octets move on a link: in pieces, slowly, not at all for a while, or to an abrupt end."""

import math
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Final, Protocol

import attrs
import trio

from connector.smpp import tables
from simulator import draws
from simulator.carrier import Carrier
from simulator.scenario import Read, WireFault, WireRule, Write
from simulator.scenario.identity import identities
from simulator.scenario.names import name_of

GARBAGE: Final = b"HTTP/1.1 400 Bad Request\r\n\r\n"
"""What a port scanner, a proxy or a wrong port says; as a header its first 16 octets are no length anybody believes."""
STEP_S: Final = 0.1
"""What is to move slowly moves as much at a time as may in this time."""
SMALL_BUFFER_OCTETS: Final = 4_096
"""Receive buffer of a slow reader's socket: with the megabytes it grows to by itself the ESME would notice nothing."""
_NO_LINGERING: Final = struct.pack("ii", 1, 0)


JUST_S: Final = 1.0
"""So long after a hole has ended what comes may have been sent into it."""


class Gate:
    """Open nearly always; while it is closed nothing moves on the link, and what meets one closed for ever is lost."""

    def __init__(self) -> None:
        self._until = -math.inf
        self._waiting: set[trio.CancelScope] = set()
        self._opened_at = -math.inf

    @property
    def is_closed(self) -> bool:
        """Whether nothing passes now."""
        return trio.current_time() < self._until

    @property
    def has_just_opened(self) -> bool:
        """Whether what comes now was held back by it."""
        return trio.current_time() - self._opened_at < JUST_S

    def close_until(self, at: float) -> None:
        """Let nothing pass before this time."""
        self._move(max(self._until, at))

    def open(self) -> None:
        """Let everything pass."""
        self._move(-math.inf)

    def _move(self, until: float) -> None:
        self._until = until
        for scope in self._waiting:
            scope.deadline = -math.inf if until == math.inf else until

    async def passed(self) -> bool:
        """Return when it is open, at once nearly always; False as soon as it is closed for ever."""
        if trio.current_time() >= self._until:
            return True
        if self._until < math.inf:
            with trio.CancelScope(deadline=self._until) as scope:
                self._waiting.add(scope)
                try:
                    await trio.sleep_forever()
                finally:
                    self._waiting.discard(scope)
            self._opened_at = trio.current_time()
        return self._until < math.inf

    async def received(self, stream: trio.abc.Stream, max_octets: int) -> bytes:
        """Return what a stream brings once it has passed; of what is lost only the end is told, for it ends the link.

        Nobody else would notice that an ESME has given up a link on which nothing moves any more.
        """
        while data := bytes(await stream.receive_some(max_octets)):
            if self._until == -math.inf or await self.passed():
                return data
        if self._until < math.inf:
            await self.passed()
        return b""


def reset(stream: trio.abc.Stream) -> None:
    """See to it that closing a stream resets the connection (RST); one that is no socket below just closes."""
    inner = _socket_below(stream)
    if inner is not None:
        inner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)


def _socket_below(stream: trio.abc.Stream) -> trio.socket.SocketType | None:
    inner: object = stream
    while not isinstance(inner, trio.SocketStream) and inner is not None:
        inner = getattr(inner, "stream", getattr(inner, "transport_stream", None))
    return None if inner is None else inner.socket


class Link(Protocol):
    """The carrier's end of a link, as far as rules of the wire look at it and act on it."""

    gate: Gate
    place: int
    """Among the binds, from 1; 0 before it is bound."""

    @property
    def who(self) -> str:
        """system_id of who is bound, or of who asks to bind."""

    def say(self, octets: bytes) -> None:
        """Send octets that are none of the session's."""

    def stop(self, reason: str) -> None:
        """End the link without another word."""


@attrs.define(eq=False)
class _OnLink:
    """One rule, and how far it has come on one link; times are in seconds since the start of the simulator."""

    rule: WireRule
    name: str
    began_s: float
    """When the link did."""
    picks: Callable[[int], bool] | None
    """Whether a write is one of those that the rule's rate picks, by its number."""
    counted: bool = False
    """Whether its period on this link is in the book of faults."""
    spent: bool = False
    """Whether its one write has been."""
    struck: bool = False
    """Whether its fault has been, or was spared."""

    @property
    def once(self) -> bool:
        """Whether it is of a moment and not of a period."""
        return self.rule.when.at_s is not None and self.rule.when.for_s is None

    def is_of(self, link: Link) -> bool:
        """Say whether it is about this link."""
        when = self.rule.when
        return (when.account is None or when.account == link.who) and (when.bind is None or when.bind == link.place)

    def holds(self, link: Link, now_s: float) -> bool:
        """Say whether its conditions are fulfilled, but for the chance of a write."""
        return self.rule.when.starts_at_s <= now_s < self.rule.when.ends_at_s and self.is_of(link)

    def strikes(self, link: Link, now_s: float) -> bool:
        """Say whether its fault comes now: once on a link, and of a moment only on those that were there."""
        if self.rule.fault is None or self.struck or now_s < self.rule.when.starts_at_s:
            return False
        if self.once and self.picks is None:
            self.struck = True
            return self.began_s < self.rule.when.starts_at_s and self.is_of(link)
        return self.holds(link, now_s)


class WireStream(trio.abc.Stream):
    """A link's stream, whose octets move as the ``[[wire]]`` rules of the scenario say.

    Of several rules for writing, or for reading, the first that holds counts.  ``link`` is to be set before it is used,
    ``gathered`` to what returns, and takes away, what is to be written next.
    """

    link: Link
    gathered: Callable[[], bytes]

    def __init__(self, stream: trio.abc.Stream, carrier: Carrier, number: int) -> None:
        self.stream = stream
        self._carrier = carrier
        self._number = number
        began_s = carrier.since_start(trio.current_time())
        self._rules = self._rules_from(carrier.scenario.wire, began_s)
        self._writes = 0
        self._write_from = -math.inf
        self._read_from = -math.inf
        self._usual_buffer_octets = 0
        """Of the socket, while it has a small one; otherwise 0."""

    def _rules_from(self, rules: Sequence[WireRule], began_s: float) -> list[_OnLink]:
        return [
            _OnLink(rule, name_of(rule.name, "wire", index), began_s, self._picks(rule, identity))
            for index, (rule, identity) in enumerate(zip(rules, identities(rules), strict=True))
        ]

    def _picks(self, rule: WireRule, identity: str) -> Callable[[int], bool] | None:
        if rule.when.rate is None:
            return None
        purpose = f"wire/{identity}/{self._number}"
        return draws.chance(rule.when.rate, draws.stream(self._carrier.scenario.seed, purpose))

    def _now_s(self) -> float:
        return self._carrier.since_start(trio.current_time())

    def _happens(self, each: _OnLink, now_s: float) -> bool:
        """Count a fault, a period of it only when it begins, and say whether it may be."""
        faults = self._carrier.faults
        if each.counted and each.picks is None:
            return faults.quiet_after_s is None or now_s < faults.quiet_after_s
        each.counted = faults.happens(each.name, now_s)
        return each.counted

    # --- writing

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._writes += 1
        write = self._way_to_write(self._now_s(), bytes(data[: tables.HEADER_OCTETS]))
        if write is None:
            await self.stream.send_all(data)
        else:
            await self._write(bytes(data), write)
        now_s = self._now_s()
        self._strike([each for each in self._rules if self._is_struck_by_write(each, now_s)])

    def _way_to_write(self, now_s: float, begins: bytes) -> Write | None:
        for each in self._rules:
            if each.rule.write is not None and self._takes_write(each, now_s):
                each.spent = each.once
                self._carrier.remark(self._number, each.name, begins)
                return each.rule.write
        return None

    def _takes_write(self, each: _OnLink, now_s: float) -> bool:
        if each.spent or not each.holds(self.link, now_s) or (each.picks is not None and not each.picks(self._writes)):
            return False
        return self._happens(each, now_s)

    async def _write(self, data: bytes, write: Write) -> None:
        if write.coalesce_s:
            await trio.sleep(write.coalesce_s)
            data += self.gathered()
        for piece in pieces_of(data, write):
            await _until(self._write_from)
            if not await self.link.gate.passed():
                return
            await self.stream.send_all(piece)
            pace_s = 0.0 if write.bytes_per_second is None else len(piece) / write.bytes_per_second
            self._write_from = trio.current_time() + write.gap_s + pace_s

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    # --- reading

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        read = self._way_to_read(self._now_s())
        self._have_small_buffer(read is not None)
        if read is None:
            return await self.stream.receive_some(max_bytes)
        await _until(self._read_from)
        some = max(1, int(read.bytes_per_second * STEP_S))
        data = await self.stream.receive_some(some if max_bytes is None else min(some, max_bytes))
        self._read_from = trio.current_time() + len(data) / read.bytes_per_second
        return data

    def _way_to_read(self, now_s: float) -> Read | None:
        for each in self._rules:
            if each.rule.read is not None and each.holds(self.link, now_s) and self._happens(each, now_s):
                return each.rule.read
        return None

    def _have_small_buffer(self, small: bool) -> None:
        if small == bool(self._usual_buffer_octets):
            return
        inner = _socket_below(self.stream)
        if inner is None:
            return
        usual, self._usual_buffer_octets = self._usual_buffer_octets, 0
        if small:  # the kernel tells twice what it was asked for
            self._usual_buffer_octets = inner.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
        inner.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_OCTETS if small else usual)

    async def aclose(self) -> None:
        await self.stream.aclose()

    # --- faults

    def next_at_s(self, now_s: float) -> float:
        """Return when the period of a fault begins next; infinity if none does."""
        waiting = [each.rule.when.starts_at_s for each in self._rules if each.rule.fault is not None]
        return min([at_s for at_s in waiting if at_s > now_s], default=math.inf)

    def strike(self, now_s: float) -> None:
        """Do to the link what its time has come for, at this time since the start of the simulator."""
        self._strike([each for each in self._rules if each.picks is None and each.strikes(self.link, now_s)])

    def _is_struck_by_write(self, each: _OnLink, now_s: float) -> bool:
        """Say whether the write that has just been brings a fault: one its rate picks, or one by which it was bound."""
        return (each.picks is None or each.picks(self._writes)) and each.strikes(self.link, now_s)

    def _strike(self, rules: Iterable[_OnLink]) -> None:
        for each in rules:
            each.struck = True
            if each.rule.fault is not None and self._happens(each, self._now_s()):
                self._carrier.remark(self._number, each.name)
                self._suffer(each.rule.fault)

    def _suffer(self, fault: WireFault) -> None:
        if fault.kind == "blackhole":
            self.link.gate.close_until(trio.current_time() + fault.for_s if fault.for_s else math.inf)
        elif fault.kind == "garbage":
            self.link.say(GARBAGE)
        else:
            if fault.kind == "reset":
                reset(self.stream)
            self.link.stop(f"fault: {fault.kind}")


def pieces_of(data: bytes, write: Write) -> list[bytes]:
    """Return octets cut as they are to leave."""
    if write.split_at:
        bounds = [0, *[place for place in write.split_at if place < len(data)], len(data)]
    else:
        slow = len(data) if write.bytes_per_second is None else max(1, int(write.bytes_per_second * STEP_S))
        bounds = [*range(0, len(data), write.chunk or slow), len(data)]
    return [data[begin:end] for begin, end in pairwise(bounds)]


async def _until(at: float) -> None:
    if at > trio.current_time():
        await trio.sleep_until(at)
