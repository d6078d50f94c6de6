"""The first thing after a start: what an earlier life left on the wire is in doubt, and somebody should know."""

import logging
from collections.abc import Callable, Mapping

from connector.store.store import Store

log = logging.getLogger("carrierline.recover")

PARTS_PER_COMMIT = 1_000


async def recover(store: Store, patience_s: Mapping[str, float], clock: Callable[[], float]) -> int:
    """Put every part left in `sending` in doubt; return how many there were.

    ``patience_s``: by lane, how long a final word is awaited before the doubt ends as `unknown`.
    """
    total = 0
    while moved := await store.recover(limit=PARTS_PER_COMMIT, now=clock(), patience_s=patience_s):
        total += len(moved)
    if total:
        log.warning("%d parts were on the wire when the last run ended: they are in doubt", total)
    return total
