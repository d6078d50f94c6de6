"""The last words on a link whose other end reads late."""

import trio
from trio.testing import MockClock

from connector.model import Lost
from connector.smpp.pdu import Unbind
from tests.carrier.links import now, parts, scene


class ReadsLate(trio.abc.Stream):
    """A stream that takes nothing while ``held``, and, as a socket, one writer at a time."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self._inner = inner
        self._sending = False
        self.held: trio.Event | None = None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._sending:
            raise trio.BusyResourceError("another task is sending")
        self._sending = True
        try:
            if self.held is not None:
                await self.held.wait()
            await trio.sleep(0.005)
            await self._inner.send_all(data)
        finally:
            self._sending = False

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def test_an_unbind_by_who_reads_late_ends_this_link_and_nothing_else(autojump_clock: MockClock) -> None:
    async with scene() as it:
        streams: list[ReadsLate] = []

        def between(stream: trio.abc.Stream) -> trio.abc.Stream:
            streams.append(ReadsLate(stream))
            return streams[-1]

        it.network.between = between
        smsc = await it.network.bound()
        await it.until(lambda: it.states == ["bound"])
        streams[0].held = trio.Event()
        await it.submit(parts(5))
        await trio.sleep(0.1)
        await smsc.stream.send_all(smsc.session.request(Unbind(), now()))
        await trio.sleep(0.97)  # reader and timer both know by now that it is over
        streams[0].held.set()
        await smsc.closed()
        await it.until(lambda: len(it.desk.of(Lost)) == 5)
        await it.network.bound()
        await it.until(lambda: it.states == ["bound"])
