"""What time does to parts: scheduled ones come up, pauses end, deadlines pass, patience runs out."""

from collections import Counter
from collections.abc import Callable

import trio

from connector.lifecycle import Event, Status
from connector.model import Due, Move, Reason
from connector.pipeline.lanes import Lanes
from connector.store.store import Store

PERIOD_S = 0.25
"""How exactly a time is kept: finer than any retry table, coarse enough to cost nothing."""
PARTS_PER_TURN = 500
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
        wake_dispatch: Callable[[], None],
        clock: Callable[[], float],
        *,
        remember_refs_s: float,
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._wake_dispatch = wake_dispatch
        self._clock = clock
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
                await self._store.sweep(PARTS_PER_TURN, before=now - self._remember_refs_s)

    async def _due(self, now: float) -> bool:
        """Move one handful of what is due; return whether there may be more."""
        due = await self._store.due(PARTS_PER_TURN, now=now)
        if not due:
            return False
        moves = [Move(item.part, *_EVENTS[item.status]) for item in due if item.status in _EVENTS]
        moved = await self._store.change(moves, now=now)
        waiting = {change.part for change in moved if change.status is Status.ACCEPTED}
        self._take_note([item for item in due if item.part in waiting])
        return len(due) == PARTS_PER_TURN and bool(moved)

    def _take_note(self, waiting: list[Due]) -> None:
        for queue, count in Counter(item.queue for item in waiting).items():
            self._lanes.queue(queue).grew_on_disk(count)
        if waiting:
            self._wake_dispatch()

    async def _expire(self, now: float) -> None:
        gone = self._lanes.expired(now)
        if gone:
            await self._store.change([Move(part.id, Event.EXPIRED, Reason.DEADLINE) for part in gone], now=now)
            self._wake_dispatch()
