"""After a change of routes: what waits comes into the queues it would be accepted into now, while traffic goes on.

Step by step, each step one transaction: the queues it takes from are shut for the time of its commit, so nothing of
them is claimed meanwhile and memory and disk agree again after it.  What is on the wire or being claimed stays where it
is; if it waits again, a later pass takes it.  A kill between two steps costs nothing: the next start looks again.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import trio

from connector.errors import StoreFull
from connector.model import QueueName, QueueState, Refile, Unsettled
from connector.pipeline.dispatch import Dispatch
from connector.pipeline.filing import Filing
from connector.pipeline.lanes import Lanes
from connector.store.store import Store

log = logging.getLogger("carrierline.refile")

PARTS_PER_READ: Final = 5_000
PARTS_PER_COMMIT: Final = 500
"""What an urgent append may have to wait behind."""
PARTS_AT_ONCE: Final = 50
"""At some 5 µs a part, more with options: the event loop is never held for a millisecond."""
PAUSE_S: Final = 0.05
"""Between two steps: the heads of the queues are read again and dispatched in it."""
LOOK_AGAIN_S: Final = 1.0
"""Between two passes: what was being claimed in the first one has left, or waits again."""
LATE_LOOK_S: Final = 60.0
"""After the last pass: what was on the wire then is answered, or in doubt."""
FULL_DISK_PAUSE_S: Final = 5.0
FACT: Final = "routes"
"""Under this name the store keeps by which routes everything in it is filed; empty while that is not so."""


class Refiler:
    """Files again what waits, in the background; another change of routes begins it anew."""

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        dispatch: Dispatch,
        queue_ids: dict[QueueName, int],
        filing: Filing,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._dispatch = dispatch
        self._queue_ids = queue_ids
        self._filing = filing
        self._clock = clock
        self._changed = trio.Event()
        self._stopped = False
        self._queues: frozenset[int] = frozenset()
        """Those to be looked at: in them may be what does not belong there."""
        self._unfiled: set[int] = set()
        """Parts of the present pass that no rule takes."""
        self.active = False
        """Whether a pass is under way."""

    def change(self, filing: Filing) -> None:
        """File by another configuration from now on; look at what it may move."""
        before, self._filing = self._filing, filing
        kept = {queue: name for name, queue in self._queue_ids.items()}
        self._queues |= {queue for queue, name in kept.items() if _differ(before, filing, name)}
        if self._queues:
            self._changed.set()

    def stop(self) -> None:
        """Begin no other step."""
        self._stopped = True

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """File until cancelled; first of all what an earlier run with other routes has left."""
        task_status.started()
        await self._look_back()
        while True:
            await self._changed.wait()
            await self._refile()
            with trio.move_on_after(LATE_LOOK_S):
                await self._changed.wait()
                continue
            await self._refile()
            if not self._is_interrupted():
                self._queues = frozenset()

    async def _look_back(self) -> None:
        """Look at everything if it is not known to be filed by the present routes."""
        facts = await self._store.facts()
        if facts.get(FACT) != self._filing.digest():
            self._queues = frozenset(self._queue_ids.values())
            self._changed.set()

    # --- one change ---

    def _is_interrupted(self) -> bool:
        return self._stopped or self._changed.is_set()

    async def _refile(self) -> None:
        """Look at all queues until nothing in them has to be moved."""
        self._changed, filing, self.active = trio.Event(), self._filing, True
        try:
            await self._record("")
            moved: Counter[str] = Counter()
            while await self._pass(filing, moved):
                await trio.sleep(LOOK_AGAIN_S)
            self._tell(moved)
            if not self._is_interrupted():
                await self._record(filing.digest())
        finally:
            self.active = False

    async def _pass(self, filing: Filing, moved: Counter[str]) -> bool:
        """Look at every part once; count what moved by its old rule, and return whether to look again."""
        after, found = 0, False
        self._unfiled.clear()
        while not self._is_interrupted():
            parts = await self._store.unsettled(after, PARTS_PER_READ, queues=sorted(self._queues))
            if not parts:
                return found
            after = parts[-1].part
            moves = await self._moves(parts, filing)
            found = found or bool(moves)
            for start in range(0, len(moves), PARTS_PER_COMMIT):
                if self._is_interrupted():
                    return False
                moved += await self._step(moves[start : start + PARTS_PER_COMMIT])
                await trio.sleep(PAUSE_S)
        return False

    async def _moves(self, parts: Sequence[Unsettled], filing: Filing) -> list[Refile]:
        """Return where these parts belong, of those that are elsewhere; their queues are open then."""
        wishes: list[tuple[Unsettled, QueueName]] = []
        for number, part in enumerate(parts):
            if number % PARTS_AT_ONCE == PARTS_AT_ONCE - 1:
                await trio.lowlevel.checkpoint()
            name = filing.name(part)
            if name is None:
                self._unfiled.add(part.part)
            elif self._queue_ids.get(name) != part.queue:
                wishes.append((part, name))
        await self._open({name for _, name in wishes if name not in self._queue_ids})
        return [Refile(part.part, part.queue, self._queue_ids[name]) for part, name in wishes]

    async def _open(self, names: Iterable[QueueName]) -> None:
        missing = sorted(names, key=str)
        if missing:
            opened = await self._store.open(missing)
            self._lanes.open(QueueState(queue, name, 0) for name, queue in opened.items())
            self._queue_ids.update(opened)

    async def _step(self, moves: Sequence[Refile]) -> Counter[str]:
        """Move these parts in one transaction; return how many came away, by their old rule."""
        in_hand = set(self._dispatch.in_hand())
        moves = [move for move in moves if move.part not in in_hand]
        old = {move.old for move in moves}
        self._lanes.shut(old)
        try:
            refiled = await self._store.refile(moves, now=self._clock())
            with trio.CancelScope(shield=True):
                # who heard of an earlier commit in the same moment has told the queues of it, while they are shut
                await trio.lowlevel.checkpoint()
            self._lanes.refiled(refiled)
        finally:
            self._lanes.reopen(old)
            self._dispatch.wake()
        return Counter(self._lanes.queue(each.old).rule for each in refiled)

    async def _record(self, digest: str) -> None:
        while True:
            try:
                await self._store.record({FACT: digest})
                return
            except StoreFull:
                await trio.sleep(FULL_DISK_PAUSE_S)

    def _tell(self, moved: Counter[str]) -> None:
        """Leave in the log what was done; what nobody takes is told once, when it is known."""
        for rule, count in moved.items():
            log.info("routes: %s parts that waited under route %s go by the present routes", f"{count:,}", rule)
        if self._is_interrupted():
            log.info("routes: filing what waits is not over")
        elif self._unfiled:
            text = "routes: %s parts are taken by no route any more: they stay where they wait"
            log.warning(text, f"{len(self._unfiled):,}")


def _differ(before: Filing, after: Filing, name: QueueName) -> bool:
    decides = after.decides(name)
    return decides is None or decides != before.decides(name)
