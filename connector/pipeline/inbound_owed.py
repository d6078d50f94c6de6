"""What a carrier is owed an answer for, and gets "not now" where the disk does not take it in time.

A receipt or a message from a subscriber is answered when it is on disk.  Where that is not to be had within a few
seconds, the carrier keeps it and sends it again (ESME_RX_T_APPN); silence would cost the whole link.
"""

import logging
from collections.abc import Callable, Iterable, Sequence

import trio

from connector.carrier.inbox import Batch
from connector.model import Inbound, Receipt, Result

log = logging.getLogger("carrierline.results")

ANSWER_WITHIN_S = 5.0
"""Half of the shortest response timer that carriers are known to use, 10 s."""
LOOK_EVERY_S = 1.0


def is_owed(result: Result) -> bool:
    """Tell whether a carrier waits for the answer to this: it has it still, and sends it again if asked to."""
    return isinstance(result, Receipt | Inbound)


def push_back(batches: Iterable[Batch]) -> int:
    """Leave to the carrier what it is owed an answer for: it is in these no more; return how many were answered now."""
    count = 0
    for batch in batches:
        batch.results = [result for result in batch.results if not is_owed(result)]
        count += batch.refuse()
    return count


class Patience:
    """Looks once a second at what waits for the disk."""

    def __init__(
        self,
        waiting: Callable[[], Sequence[Batch]],
        committing: Callable[[], Sequence[Batch]],
        refused: Callable[[Inbound], None],
        clock: Callable[[], float],
    ) -> None:
        """``waiting`` and ``committing``: what the next commits will take, and what the present one has taken.

        ``refused`` is told of every message that the carrier will send again although it may be kept after all.
        """
        self._waiting = waiting
        self._committing = committing
        self._refused = refused
        self._clock = clock
        self.refused = 0
        """deliver_sm answered "not now" for want of a commit, since the start."""

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Look until cancelled."""
        task_status.started()
        while True:
            await trio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Answer what has waited too long."""
        before = self._clock() - ANSWER_WITHIN_S
        count = push_back(batch for batch in self._waiting() if batch.put_at <= before)
        for batch in self._committing():
            if batch.put_at <= before and batch.responses:
                for result in batch.results:
                    if isinstance(result, Inbound):
                        self._refused(result)
                count += batch.refuse()
        self.tell(count)

    def tell(self, count: int) -> None:
        """Count what was answered "not now", and say so."""
        self.refused += count
        if count:
            log.error("the disk does not keep up: %d deliver_sm are left to their carriers, to be sent again", count)
