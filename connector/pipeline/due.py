"""What time does to parts: scheduled ones come up, pauses end, deadlines pass, patience runs out."""

from collections import Counter
from collections.abc import Callable, Iterable

import trio

from connector.lifecycle import Event, Status
from connector.model import Due, Move, Moved, Reason
from connector.pipeline.dispatch import Dispatch
from connector.pipeline.lanes import Lanes
from connector.store.store import Store

PERIOD_S = 0.25
"""How exactly a time is kept: finer than any retry table, coarse enough to cost nothing."""
PARTS_PER_TURN = 100
"""Small enough to find room in a transaction beside claims and results."""
SWEEP_EVERY_S = 60.0

# what happens to a part whose time has come, by where it stands
_EVENTS = {
    Status.SCHEDULED: (Event.DUE, None),
    Status.ACCEPTED: (Event.DUE, None),
    Status.SENT: (Event.SILENCE, Reason.NO_FINAL_WORD),
    Status.IN_DOUBT: (Event.SILENCE, Reason.NO_FINAL_WORD),
}


class Clockwork:
    """Looks at what is due, a few times a second, and moves it."""

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        dispatch: Dispatch,
        clock: Callable[[], float],
        count: Callable[[Iterable[Moved]], None],
        *,
        remember_refs_s: float,
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._dispatch = dispatch
        self._clock = clock
        self._count = count
        self._remember_refs_s = remember_refs_s

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Keep time until cancelled."""
        task_status.started()
        swept_at = self._clock()
        while True:
            await trio.sleep(PERIOD_S)
            now = self._clock()
            while await self._due(now):
                pass
            await self._expire(now)
            if now - swept_at >= SWEEP_EVERY_S:
                swept_at = now
                await self._sweep(now - self._remember_refs_s)

    async def _sweep(self, before: float) -> None:
        while await self._store.sweep(PARTS_PER_TURN, before=before) == PARTS_PER_TURN:
            await trio.lowlevel.checkpoint()

    async def _due(self, now: float) -> bool:
        """Move one handful of what is due; return whether there may be more."""
        due = await self._store.due(PARTS_PER_TURN, now=now)
        if not due:
            return False
        moves = [Move(item.part, *_EVENTS[item.status]) for item in due if item.status in _EVENTS]
        moved = await self._store.change(moves, now=now)
        self._count(moved)
        waiting = {change.part for change in moved if change.status is Status.ACCEPTED}
        self._take_note([item for item in due if item.part in waiting])
        return len(due) == PARTS_PER_TURN and bool(moved)

    def _take_note(self, waiting: list[Due]) -> None:
        for queue, count in Counter(item.queue for item in waiting).items():
            self._lanes.queue(queue).grew_on_disk(count)
        if waiting:
            self._dispatch.wake()

    async def _expire(self, now: float) -> None:
        gone = self._lanes.expired(now)
        if gone:
            await self._dispatch.expire(gone)
            self._dispatch.wake()
