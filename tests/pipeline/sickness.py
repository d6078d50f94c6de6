"""Ways in which a carrier turns sick while it is up, and how each is cured."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import trio

from connector.smpp import tables
from simulator import Scenario, Smsc
from simulator.intake import Submit
from simulator.scenario import AccountRules
from tests.pipeline.world import World, now

NORTH = "north"
SUBMIT_SM_RESP = bytes.fromhex("80000004")


class Echo(trio.abc.HalfCloseableStream):
    """A link that says every answer to a submit_sm twice, while ``sick`` says so."""

    def __init__(self, stream: trio.abc.Stream, sick: Callable[[], bool]) -> None:
        self._stream = stream
        self._sick = sick
        self._rest = b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stream.aclose()

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = bytes(await self._stream.receive_some(max_bytes))
        if not data:
            return data
        self._rest += data
        said = b""
        while len(self._rest) >= 16 and len(self._rest) >= (length := int.from_bytes(self._rest[:4], "big")):
            pdu, self._rest = self._rest[:length], self._rest[length:]
            twice = self._sick() and pdu[4:8] == SUBMIT_SM_RESP
            said += pdu * (2 if twice else 1)
        return said or await self.receive_some(max_bytes)


Sickness = Callable[[World], AbstractAsyncContextManager[None]]
"""Makes the carrier sick for as long as its block lasts."""


def judged(judge: Callable[[Submit], int]) -> Sickness:
    """Refuse messages as ``judge`` says."""

    @asynccontextmanager
    async def sick(world: World) -> AsyncIterator[None]:
        world.smsc[NORTH].set_judge(judge)
        yield
        world.smsc[NORTH].set_judge(None)

    return sick


def playing(scenario: Scenario) -> Sickness:
    """Go by another scenario."""

    @asynccontextmanager
    async def sick(world: World) -> AsyncIterator[None]:
        world.smsc[NORTH].change(scenario)
        yield
        world.smsc[NORTH].change(Scenario())

    return sick


def some(share: float) -> Callable[[Submit], int]:
    """Refuse this share of messages with ESME_RSYSERR, spread evenly."""
    due = [0.0]

    def judge(_pdu: Submit) -> int:
        due[0] += share
        if due[0] < 1:
            return 0
        due[0] -= 1
        return tables.ESME_RSYSERR

    return judge


@asynccontextmanager
async def refuses_binds(world: World) -> AsyncIterator[None]:
    """Another SMSC answers at its address, which lets only one bind in, and that one is taken."""
    well = world.smsc[NORTH]
    full = Scenario(account=(AccountRules(system_id="somebody else"),), carrier=well.scenario.carrier)
    world.smsc[NORTH] = Smsc(full, clock=now)
    well.drop_links()
    yield
    world.smsc[NORTH] = well


@asynccontextmanager
async def drops_the_link_every_20_s(world: World) -> AsyncIterator[None]:
    async def drop() -> None:
        while True:
            world.smsc[NORTH].drop_links()
            await trio.sleep(20)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drop)
        yield
        nursery.cancel_scope.cancel()
