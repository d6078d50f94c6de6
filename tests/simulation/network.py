"""The network of a world: links with latency, fragments, cuts and silence.

What a process has handed to its kernel still arrives when the process dies; what a reset overtakes does not.
"""

import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Literal, Protocol

import attrs
import trio

Cut = Literal["fin", "rst", "half-open"]

ROOMY: Final = 256 * 1024
NARROW: Final = 1_500
"""Octets under way that a writer may be ahead of a reader who reads, and of one who does not."""


@attrs.frozen(kw_only=True)
class Weather:
    """How octets travel all the time."""

    latency_s: tuple[float, float] = (0.001, 0.02)
    """Drawn for each write; what was written first arrives first."""
    fragments: float = 0.0
    """Chance of a read to get only a part of what has arrived."""
    torn: float = 0.0
    """Chance of a write of ours to be the link's last, whole, in part or not at all."""


class Witness(Protocol):
    """Who watches the connector's side of every link."""

    def opened(self, link: "Link") -> None: ...
    def wrote(self, link: "Link", data: bytes) -> None: ...
    def read(self, link: "Link", data: bytes) -> None: ...
    def closed(self, link: "Link") -> None: ...


class Pipe:
    """One direction of a link."""

    def __init__(self, weather: Weather, chance: random.Random) -> None:
        self._weather = weather
        self._chance = chance
        self._queue: deque[tuple[float, bytes]] = deque()
        self._octets = 0
        self._lot = trio.lowlevel.ParkingLot()
        self._last = 0.0
        self._held_until = 0.0
        self._room = ROOMY
        self.is_lost = False
        """Whether what is written from now on reaches nobody."""
        self.is_ended = False
        """Whether nothing follows what is under way."""
        self.is_broken = False

    def put(self, data: bytes) -> None:
        if self.is_lost or self.is_ended or not data:
            return
        now = trio.current_time()
        self._last = max(self._last, self._held_until, now + self._chance.uniform(*self._weather.latency_s))
        self._queue.append((self._last, data))
        self._octets += len(data)
        self._lot.unpark_all()

    def hold(self, until: float, *, reading: bool = False) -> None:
        """Let nothing arrive before; ``reading``: the network works, but nobody reads and its buffers are full."""
        self._held_until = self._last = max(self._last, until)
        self._queue = deque((max(at, until), data) for at, data in self._queue)
        if reading:
            self._room = NARROW
        self._lot.unpark_all()

    def end(self) -> None:
        self.is_ended = True
        self._lot.unpark_all()

    def reset(self) -> None:
        """Break both ends' use of it; what is under way is gone."""
        self.is_broken = True
        self._queue.clear()
        self._lot.unpark_all()

    def wake(self) -> None:
        self._lot.unpark_all()

    async def room(self, usable: Callable[[], None]) -> None:
        """Wait until a writer may write; ``usable`` raises when nobody may any more."""
        while self._octets >= self._room and not self.is_lost:
            await self._lot.park()
            usable()

    async def get(self, most: int, usable: Callable[[], None]) -> bytes:
        while True:
            usable()
            now = trio.current_time()
            if self._queue and self._queue[0][0] <= now:
                return self._take(most, now)
            if not self._queue and self.is_ended and not self.is_lost:
                return b""
            if self._queue:
                with trio.move_on_at(self._queue[0][0]):
                    await self._lot.park()
            else:
                await self._lot.park()

    def _take(self, most: int, now: float) -> bytes:
        found = bytearray()
        while self._queue and self._queue[0][0] <= now and len(found) < most:
            found += self._queue.popleft()[1]
        if self._weather.fragments and self._chance.random() < self._weather.fragments:
            most = min(most, self._chance.randrange(1, len(found) + 1))
        if len(found) > most:
            self._queue.appendleft((now, bytes(found[most:])))
            del found[most:]
        self._octets -= len(found)
        if now >= self._held_until:
            self._room = ROOMY
        self._lot.unpark_all()
        return bytes(found)


class End(trio.abc.HalfCloseableStream):
    """One end of a link, as a stream."""

    def __init__(self, out: Pipe, into: Pipe) -> None:
        self.out = out
        self.into = into
        self.is_closed = False

    def _usable(self) -> None:
        if self.is_closed:
            raise trio.ClosedResourceError
        if self.out.is_broken or self.into.is_broken:
            raise trio.BrokenResourceError("reset by the network")

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._usable()
        await trio.lowlevel.checkpoint()
        self._usable()
        await self.out.room(self._usable)
        self.out.put(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        self._usable()
        await trio.lowlevel.checkpoint()
        await self.out.room(self._usable)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        return await self.into.get(max_bytes or ROOMY, self._usable)

    async def send_eof(self) -> None:
        self.out.end()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Close at once: what is under way to the other end still arrives, then its end."""
        if not self.is_closed:
            self.is_closed = True
            self.out.end()
            self.into.wake()
            self.out.wake()
            self.into.is_lost = True

    async def aclose(self) -> None:
        self.close()
        await trio.lowlevel.checkpoint()


class OurEnd(End):
    """The connector's end: watched, and torn now and then."""

    def __init__(self, link: "Link", out: Pipe, into: Pipe) -> None:
        super().__init__(out, into)
        self._link = link

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Hand octets to the kernel, which is the moment that counts: whether it has room for them is its affair."""
        self._usable()
        self._link.network.fail_at("write")
        whole = bytes(data)
        self._link.network.witness.wrote(self._link, whole)
        await trio.lowlevel.checkpoint()
        self._usable()
        began = trio.current_time()
        await self.out.room(self._usable)
        if trio.current_time() > began:
            self._link.network.blocked_until[self._link.host] = trio.current_time()
        part = self._link.network.torn(whole)
        self.out.put(whole if part is None else part)
        if part is not None:
            self._link.cut("fin")
            raise trio.BrokenResourceError("torn")

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = await super().receive_some(max_bytes)
        self._link.network.fail_at("read")
        self._link.network.witness.read(self._link, data)
        return data

    def close(self) -> None:
        if not self.is_closed:
            super().close()
            self._link.network.gone(self._link)


class PlantedError(Exception):
    """What no room expects: a mistake of ours in the middle of a task."""


class Link:
    """A connection between the connector and one host."""

    def __init__(self, network: "Network", host: str, number: int) -> None:
        self.network = network
        self.host = host
        self.number = number
        there, back = network.pipe(), network.pipe()
        self.ours = OurEnd(self, there, back)
        self.theirs = End(back, there)

    def cut(self, how: Cut) -> None:
        """End the link from outside."""
        pipes = (self.ours.out, self.ours.into)
        if how == "half-open":
            for pipe in pipes:
                pipe.is_lost = True
            return
        for pipe in pipes:
            pipe.reset() if how == "rst" else pipe.end()

    def die(self) -> None:
        """Our process is no more: its kernel closes the link."""
        self.ours.close()


class Network:
    """All links of a world, and the ways to hosts that cannot be reached."""

    def __init__(
        self,
        weather: Weather,
        chance: random.Random,
        serve: Callable[[str, trio.abc.Stream], Awaitable[None]],
        nursery: trio.Nursery,
        witness: Witness,
    ) -> None:
        self.weather = weather
        self.witness = witness
        self.links: dict[int, Link] = {}
        self.refusing: set[str] = set()
        self.unreachable: set[str] = set()
        """Hosts that answer nothing, not even with a refusal."""
        self.sick = ""
        """What the next of our tasks fails at, in a way that nobody expects."""
        self.blocked_until: dict[str, float] = {}
        """When a write to a host last had to wait for room."""
        self.failures = 0
        """How many tasks of ours have failed so."""
        self.tears = 0
        """How many links a write of ours has torn."""
        self.refusals = 0
        self._chance = chance
        self._serve = serve
        self._nursery = nursery
        self._number = 0
        self._calm = False

    def pipe(self) -> Pipe:
        return Pipe(self.weather, self._chance)

    def calm(self) -> None:
        """Let everything arrive soon and whole from now on, on links still to come too."""
        self._calm = True
        self.weather = Weather()
        self.refusing.clear()
        self.unreachable.clear()
        self.sick = ""

    async def connect(self, host: str, _port: int) -> trio.abc.Stream:
        await trio.sleep(self._chance.uniform(*self.weather.latency_s))
        self.fail_at("connect")
        if host in self.unreachable:
            self.refusals += 1
            await trio.sleep_forever()
        if host in self.refusing:
            self.refusals += 1
            raise ConnectionRefusedError(111, "Connection refused")
        self._number += 1
        link = self.links[self._number] = Link(self, host, self._number)
        self.witness.opened(link)
        self._nursery.start_soon(self._serve, host, link.theirs)
        return link.ours

    def fail_at(self, what: str) -> None:
        if self.sick == what:
            self.sick = ""
            self.failures += 1
            raise PlantedError(f"an unhandled exception in a task: {what}")

    def torn(self, data: bytes) -> bytes | None:
        """Return how much of a write still leaves if it is the link's last; None if it is not."""
        if self._calm or self._chance.random() >= self.weather.torn:
            return None
        self.tears += 1
        return data[: self._chance.choice([0, self._chance.randrange(len(data) + 1), len(data)])]

    def gone(self, link: Link) -> None:
        self.links.pop(link.number, None)
        self.witness.closed(link)

    def at(self, host: str) -> list[Link]:
        """Return the links to one host."""
        return [link for link in self.links.values() if link.host == host]

    def die(self) -> None:
        """Our process is no more."""
        for link in list(self.links.values()):
            link.die()
