"""The first thing after a start: what an earlier life left on the wire is in doubt, and somebody should know."""

import logging
from collections.abc import Callable

from connector.lifecycle import Status
from connector.pipeline.restored import distrust
from connector.store.store import Store

log = logging.getLogger("carrierline.recover")

PARTS_PER_COMMIT = 1_000


async def recover(store: Store, clock: Callable[[], float]) -> int:
    """Put every part left in `sending` in doubt; return how many there were."""
    await distrust(store, clock)
    total = 0
    while moved := await store.recover(limit=PARTS_PER_COMMIT, now=clock()):
        total += sum(change.status is Status.IN_DOUBT for change in moved)
    if total:
        log.warning("%d parts were on the wire when the last run ended: they are in doubt", total)
    return total
