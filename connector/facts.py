"""What is known of carriers over a restart: which are suspended, and how far a ramp is."""

import logging
from collections.abc import Mapping

import trio

from connector.carrier.carrier import Carrier
from connector.errors import StoreFull
from connector.store.store import Store

log = logging.getLogger("carrierline.carrier")

KEEP_EVERY_S = 5.0
"""How much of a ramp's progress a crash may cost."""


class Facts:
    """Keeps what carriers say of themselves in the store."""

    def __init__(self, store: Store, carriers: Mapping[str, Carrier]) -> None:
        self._store = store
        self._carriers = carriers
        self._kept: dict[str, str] = {}

    async def open(self) -> None:
        """Let every carrier go on as an earlier run left it."""
        self._kept = await self._store.facts()
        for carrier in self._carriers.values():
            self.recall(carrier)

    def recall(self, carrier: Carrier) -> None:
        """Let one carrier go on as it was when it was last known."""
        carrier.recall(self._kept)
        if carrier.suspended:
            log.warning("carrier %s: still suspended by an operator", carrier.name)

    async def suspend(self, carrier: Carrier, by: str) -> bool:
        """Suspend a carrier, for good; return whether it was so already.  Raises StoreError if it cannot be kept."""
        already = carrier.suspended
        carrier.suspend()
        _tell(carrier, "suspended", by, already)
        await self.keep()
        return already

    async def resume(self, carrier: Carrier, by: str) -> bool:
        """Let a carrier send again, and a halted ramp rise; as `suspend` otherwise."""
        already = not (carrier.suspended or carrier.ramp.halted)
        carrier.resume()
        _tell(carrier, "resumed", by, already)
        await self.keep()
        return already

    async def keep(self) -> None:
        """Put on disk what differs from what is there.  Raises StoreError if it cannot be; it is tried again."""
        told = {name: value for carrier in self._carriers.values() for name, value in carrier.facts().items()}
        news = {name: value for name, value in told.items() if value != self._kept.get(name, "")}
        if news:
            await self._store.record(news)
            self._kept.update(news)

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Keep what changes by itself, until cancelled."""
        task_status.started()
        while True:
            await trio.sleep(KEEP_EVERY_S)
            try:
                await self.keep()
            except StoreFull:
                log.warning("the disk is full: how far ramps are is not kept")


def _tell(carrier: Carrier, what: str, by: str, already: bool) -> None:
    """Leave in the log who steered a carrier: the morning asks."""
    who = f" with API key {by}" if by else ""
    if already:
        log.info("carrier %s: already %s; an operator%s said so again", carrier.name, what, who)
    else:
        log.warning("carrier %s: %s by an operator%s", carrier.name, what, who)
