"""A connector of ours in this process, with TCP to carriers that a test plays on the loopback.

Time is virtual, the sockets are real: the clock jumps when nothing is to be read and nobody has anything to do.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from struct import pack
from typing import Any

import attrs
import trio

from connector.app import Connector
from connector.carrier.carrier import Carrier
from connector.config import LANES, BindConfig, CarrierConfig
from connector.smpp.pdu import SubmitSm
from connector.smpp.session import Session
from connector.smpp.tables import Role
from connector.smpp.timers import Timers
from connector.store.batcher import InlineWriter
from connector.store.store import Store
from tests.carrier.links import Smsc, now
from tests.pipeline.world import COMMIT_S, World, config

ABORT = pack("ii", 1, 0)
"""SO_LINGER with no patience: closing sends RST instead of FIN."""

WHOLE_WINDOW = {"otp": attrs.evolve(LANES["otp"], keep_free=0.0)}
"""No place is kept free of bulk, so that windows are counted exactly."""


class Listener:
    """A carrier's port: hands out the links that come, each with the carrier's end of a session."""

    def __init__(self, socket: trio.socket.SocketType) -> None:
        self._socket = socket
        self.port: int = socket.getsockname()[1]
        self._links: list[Smsc] = []

    async def link(self) -> Smsc:
        """Return the next link that is opened."""
        accepted, _ = await self._socket.accept()
        session = Session(Role.SMSC, window_size=10_000, timers=Timers(enquire_link_s=None), now=now())
        self._links.append(Smsc(trio.SocketStream(accepted), session))
        return self._links[-1]

    async def close(self) -> None:
        """Cut every link."""
        for link in self._links:
            await link.cut()

    async def bound(self) -> Smsc:
        """Return the next link that is opened, bound."""
        smsc = await self.link()
        await smsc.accept_bind()
        return smsc


@asynccontextmanager
async def listener(options: Sequence[tuple[int, int, int]] = ()) -> AsyncIterator[Listener]:
    """Listen on a free port; ``options`` are for setsockopt, and accepted sockets inherit them."""
    with trio.socket.socket() as socket:
        for option in options:
            socket.setsockopt(*option)
        await socket.bind(("127.0.0.1", 0))
        socket.listen(300)
        carrier = Listener(socket)
        try:
            yield carrier
        finally:
            await carrier.close()


class TcpWorld(World):
    """A connector with its store in memory and its links over TCP."""

    async def start(self) -> None:
        store = Store(self.engine, InlineWriter(self.engine, latency=lambda: COMMIT_S))
        self.connector = Connector(self.config, store, clock=now, random=self.random)
        self._life = await self._nursery.start(self._live)

    @property
    def carrier(self) -> Carrier:
        return self.connector.carriers["north"]


def bind(port: int, **settings: Any) -> BindConfig:
    return BindConfig(**{"host": "127.0.0.1", "port": port, "system_id": "acme", "reconnect_min_s": 1.0, **settings})


@asynccontextmanager
async def connector(*binds: BindConfig, within_s: float = 1_000, **carrier: Any) -> AsyncIterator[TcpWorld]:
    """Run a connector with these binds to one carrier; its books are checked at its end, which is bounded."""
    with trio.fail_after(within_s):
        async with trio.open_nursery() as nursery:
            world = TcpWorld(config(CarrierConfig(name="north", bind=binds, **carrier), lane=WHOLE_WINDOW), nursery)
            await world.start()
            yield world
            await world.verified()
            nursery.cancel_scope.cancel()


async def abort(smsc: Smsc) -> None:
    """End a link with RST."""
    assert isinstance(smsc.stream, trio.SocketStream)
    smsc.stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, ABORT)
    await smsc.stream.aclose()


async def answer_all(smsc: Smsc, count: int) -> list[SubmitSm]:
    """Answer so many submits as they come; return them."""
    answered: list[SubmitSm] = []
    while len(answered) < count:
        [request] = await smsc.requested(SubmitSm)
        await smsc.answer([request])
        answered.append(request)
    return answered
