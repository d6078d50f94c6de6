"""The first start on a backup that was put in place of a store: what waits in it may have been sent since."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from connector.store.store import Store

log = logging.getLogger("carrierline.recover")

PARTS_PER_COMMIT: Final = 500


async def distrust(store: Store, clock: Callable[[], float]) -> int:
    """Put everything that waits in a backup in doubt, so that nothing of it is sent twice unasked; return how many.

    In an original it does nothing.  What was accepted after the backup was taken is not in it, and its receipts will
    be parked.
    """
    taken_at = await store.restored_from()
    if taken_at is None:
        return 0
    total = 0
    while moved := await store.distrust(limit=PARTS_PER_COMMIT, now=clock()):
        total += len(moved)
    log.error(
        "THIS STORE IS A BACKUP taken at %s: what was accepted since is not in it, its receipts will find no message;"
        " %d parts that wait in it may have been sent since, and are in doubt",
        datetime.fromtimestamp(taken_at, UTC).isoformat(timespec="seconds"), total,
    )  # fmt: skip
    return total
