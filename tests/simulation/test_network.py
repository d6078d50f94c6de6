"""The network of worlds: what arrives, when, and what does not."""

import random
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.simulation.network import NARROW, Link, Network, Weather


@attrs.define
class Seen:
    """A witness that writes down."""

    said: list[tuple[str, bytes]] = attrs.field(factory=list)

    def opened(self, link: Link) -> None: ...
    def closed(self, link: Link) -> None:
        self.said.append(("closed", b""))

    def wrote(self, link: Link, data: bytes) -> None:
        self.said.append(("wrote", data))

    def read(self, link: Link, data: bytes) -> None:
        self.said.append(("read", data))


@attrs.define
class Ends:
    """Both ends of a link."""

    network: Network
    ours: Any
    theirs: Any
    link: Link


async def ends(nursery: trio.Nursery, weather: Weather | None = None) -> Ends:
    came: list[trio.abc.Stream] = []

    async def serve(_host: str, stream: trio.abc.Stream) -> None:
        came.append(stream)

    network = Network(weather or Weather(), random.Random(1), serve, nursery, Seen())
    ours = await network.connect("north", 2775)
    await trio.testing.wait_all_tasks_blocked()
    return Ends(network, ours, came[0], network.links[1])


async def test_octets_arrive_in_order_after_their_latency(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    it = await ends(nursery, Weather(latency_s=(0.5, 0.9)))
    began = trio.current_time()
    await it.ours.send_all(b"one")
    await it.ours.send_all(b"two")
    found = b""
    while len(found) < 6:
        found += await it.theirs.receive_some()
        assert trio.current_time() - began >= 0.5
    assert found == b"onetwo"


async def test_a_read_may_get_a_fragment_and_nothing_is_lost(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    it = await ends(nursery, Weather(fragments=1.0))
    await it.theirs.send_all(b"x" * 100)
    found: list[bytes] = []
    while sum(map(len, found)) < 100:
        found.append(await it.ours.receive_some())
    assert len(found) > 1


async def test_what_the_dead_have_written_still_arrives_and_then_the_end(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    it = await ends(nursery, Weather(latency_s=(1.0, 1.0)))
    await it.ours.send_all(b"last words")
    it.network.die()
    assert await it.theirs.receive_some() == b"last words"
    assert await it.theirs.receive_some() == b""
    with pytest.raises(trio.ClosedResourceError):
        await it.ours.send_all(b"more")


async def test_a_reset_overtakes_what_is_under_way(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    it = await ends(nursery, Weather(latency_s=(1.0, 1.0)))
    await it.ours.send_all(b"never seen")
    it.link.cut("rst")
    with pytest.raises(trio.BrokenResourceError):
        await it.theirs.receive_some()


async def test_a_half_open_link_takes_everything_and_says_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    it = await ends(nursery)
    it.link.cut("half-open")
    await it.ours.send_all(b"x" * 1_000_000)
    with trio.move_on_after(3_600) as scope:
        await it.theirs.receive_some()
    assert scope.cancelled_caught


async def test_who_writes_to_somebody_who_does_not_read_waits(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    it = await ends(nursery)
    it.ours.out.hold(trio.current_time() + 30, reading=True)
    await it.ours.send_all(b"x" * NARROW)
    nursery.start_soon(it.theirs.receive_some)
    began = trio.current_time()
    await it.ours.send_all(b"more")
    assert trio.current_time() - began == pytest.approx(30, abs=0.1)


async def test_a_torn_write_is_the_last_one(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    it = await ends(nursery, Weather(torn=1.0))
    with pytest.raises(trio.BrokenResourceError):
        await it.ours.send_all(b"x" * 100)
    found = b""
    while data := await it.theirs.receive_some():
        found += data
    assert len(found) <= 100
    assert it.network.tears == 1
