"""The carriers of a running connector: added, replaced, removed and drained one by one, each in its own time."""

import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import trio

from connector.carrier.carrier import Carrier
from connector.carrier.inbox import Inbox
from connector.carrier.last_look import LastLook
from connector.carrier.link import Connect
from connector.carrier.setbacks import Prospects
from connector.config import CarrierConfig, Credentials, LaneConfig

log = logging.getLogger("carrierline.carrier")

LOOK_EVERY_S = 0.02
SILENCE_S = 1.0
"""Between two lives of one account: the second one's pace does not know what the first one has sent in that second."""


class Carriers:
    """Builds carriers and runs them.  ``by_name`` is what everybody else sees: the same mapping at all times."""

    def __init__(
        self,
        by_name: dict[str, Carrier],
        lanes: Mapping[str, LaneConfig],
        inbox: Inbox,
        *,
        connect: Connect,
        clock: Callable[[], float],
        random: random.Random,
        prospects: Prospects,
        last_look: LastLook,
    ) -> None:
        self.by_name = by_name
        self._lanes = lanes
        self._inbox = inbox
        self._connect = connect
        self._clock = clock
        self._random = random
        self._prospects = prospects
        self._last_look = last_look
        self._nursery: trio.Nursery | None = None
        self._changing: set[str] = set()
        """Carriers that drain because the configuration says so."""
        self._settled = trio.lowlevel.ParkingLot()
        self._draining = False

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Run all carriers, and those still to come, until cancelled; drained ones end before."""
        async with trio.open_nursery() as self._nursery:
            for carrier in self.by_name.values():
                self._nursery.start_soon(carrier.run)
            task_status.started()
            await trio.sleep_forever()

    def add(self, config: CarrierConfig, credentials: Sequence[Credentials]) -> None:
        """Make a carrier known, and start it if the others run."""
        self._start(self._built(config, credentials))

    def replace(self, config: CarrierConfig, credentials: Sequence[Credentials]) -> None:
        """Drain the carrier of this name, then start it anew with other settings."""
        self._soon(config.name, partial(self._replace, config, credentials))

    def remove(self, name: str) -> None:
        """Drain a carrier and forget it."""
        self._soon(name, partial(self._retire, name))

    async def settled(self) -> None:
        """Wait until no carrier is being replaced or removed."""
        while self._changing:
            await self._settled.park()

    async def drain(self) -> None:
        """Drain all carriers side by side; none is started any more."""
        self._draining = True
        async with trio.open_nursery() as nursery:
            for carrier in self.by_name.values():
                nursery.start_soon(carrier.drain)

    # --- one carrier ---

    def _built(self, config: CarrierConfig, credentials: Sequence[Credentials]) -> Carrier:
        return Carrier(
            config,
            self._lanes,
            self._inbox,
            credentials=credentials,
            connect=self._connect,
            clock=self._clock,
            random=self._random,
            prospects=self._prospects,
            last_look=self._last_look,
        )

    def _start(self, carrier: Carrier) -> None:
        self.by_name[carrier.name] = carrier
        if self._nursery is not None:
            self._nursery.start_soon(carrier.run)

    def _soon(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        assert self._nursery is not None, "carriers change while they run"
        self._changing.add(name)
        self._nursery.start_soon(act)

    async def _replace(self, config: CarrierConfig, credentials: Sequence[Credentials]) -> None:
        old = self.by_name[config.name]
        await self._empty(old)
        await trio.sleep(SILENCE_S)
        if self._draining:
            return
        new = self._built(config, credentials)
        new.succeed(old)
        self._start(new)
        log.info("carrier %s: drained, starting with its new settings", config.name)
        self._changed(config.name)

    async def _retire(self, name: str) -> None:
        await self._empty(self.by_name[name])
        del self.by_name[name]
        log.info("carrier %s: drained and removed", name)
        self._changed(name)

    async def _empty(self, carrier: Carrier) -> None:
        """Drain a carrier, and wait for claims on their way to disk: what they claim is handed over and comes back."""
        await carrier.drain()
        while carrier.claimed:  # noqa: ASYNC110 - a few milliseconds, once in a reload
            await trio.sleep(LOOK_EVERY_S)

    def _changed(self, name: str) -> None:
        self._changing.discard(name)
        self._settled.unpark_all()
