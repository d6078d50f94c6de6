"""What time does to parts: scheduled ones come up, pauses end, deadlines pass, patience runs out."""

from collections import Counter
from collections.abc import Callable, Iterable

import attrs
import trio

from connector.carrier.setbacks import doubt_policy
from connector.config import LaneConfig
from connector.lifecycle import FINAL, Event, Status
from connector.model import Due, Move, Moved, Reason, is_whole
from connector.pipeline.dispatch import Dispatch
from connector.pipeline.routing import Routing
from connector.store.store import Store

PERIOD_S = 0.25
"""How exactly a time is kept: finer than any retry table, coarse enough to cost nothing."""
PARTS_PER_TURN = 100
"""Small enough to find room in a transaction beside claims and results."""
SWEEP_EVERY_S = 60.0

_COMES_UP = frozenset({Status.SCHEDULED, Status.ACCEPTED})
_REROUTED = frozenset({Reason.OTHER_ROUTE, Reason.SECOND_OPINION})


def wish(item: Due, lane: LaneConfig, now: float) -> Move:
    """Return what is to happen to a part whose time has come, by where it stands."""
    if item.status in _COMES_UP:
        return Move(item.part, Event.DUE)
    policy = doubt_policy(lane)
    if item.status is Status.IN_DOUBT and policy.is_pending(item.due_at, item.deadline, item.doubts):
        if now < item.deadline:
            return Move(item.part, Event.DUE, item.reason)
        return Move(item.part, Event.HELD, Reason.TOO_LATE_TO_RESEND, now + policy.patience_s)
    return Move(item.part, Event.SILENCE, Reason.NO_FINAL_WORD)


class Clockwork:
    """Looks at what is due, a few times a second, and moves it."""

    def __init__(
        self,
        store: Store,
        routing: Routing,
        dispatch: Dispatch,
        clock: Callable[[], float],
        count: Callable[[Iterable[Moved]], None],
        *,
        remember_refs_s: float,
    ) -> None:
        self._store = store
        self._lanes = routing.lanes
        self._dispatch = dispatch
        self._settings = routing.every_lane
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
        wishes = [wish(item, self._lane_of(item), now) for item in due]
        moved = await self._store.change(wishes, now=now)
        self._count(moved)
        came = {move.part for move in wishes if move.event is Event.DUE}
        queues = {it.part: it.queue for it in moved if it.part in came and it.status not in FINAL}
        # a reload may have put them into other queues since they were looked at
        self._take_note([attrs.evolve(it, queue=queues[it.part] or it.queue) for it in due if it.part in queues])
        return len(due) == PARTS_PER_TURN and bool(moved)

    def _lane_of(self, item: Due) -> LaneConfig:
        return self._settings[self._lanes.queue(item.queue).lane]

    def _take_note(self, waiting: list[Due]) -> None:
        if freed := {item.part >> 8 for item in waiting if item.reason in _REROUTED and not is_whole(item.part)}:
            self._lanes.free(freed)
        for queue, count in Counter(item.queue for item in waiting).items():
            self._lanes.queue(queue).grew_on_disk(count)
        if waiting:
            self._dispatch.wake()

    async def _expire(self, now: float) -> None:
        gone = self._lanes.expired(now)
        if gone:
            await self._dispatch.expire(gone)
            self._dispatch.wake()
