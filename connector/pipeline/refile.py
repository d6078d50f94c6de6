"""After a change of routes: what waits comes into the queues it would be accepted into now, while traffic goes on.

Step by step, each step one transaction: the queues it takes from are shut for the time of its commit, so nothing of
them is claimed meanwhile and memory and disk agree again after it.  What is on the wire or being claimed stays where it
is; if it waits again, a later pass takes it.  A kill between two steps costs nothing: the next start looks again.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final

import trio

from connector.errors import StoreFull
from connector.model import QueueName, Refile, Unsettled
from connector.pipeline.dispatch import Dispatch
from connector.pipeline.filing import Filing
from connector.pipeline.routing import Routing
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
TELL_EVERY_S: Final = 10.0
FULL_DISK_PAUSE_S: Final = 5.0
FACT: Final = "routes"
"""Under this name the store keeps by which routes everything in it is filed; empty while that is not so."""


class Refiler:
    """Files again what waits, in the background; another change of routes begins it anew."""

    def __init__(
        self,
        store: Store,
        routing: Routing,
        dispatch: Dispatch,
        filing: Filing,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._routing = routing
        self._lanes = routing.lanes
        self._queue_ids = routing.queue_ids
        self._dispatch = dispatch
        self._filing = filing
        self._clock = clock
        self._changed = trio.Event()
        self._stopped = False
        self._queues: frozenset[int] = frozenset()
        """Those to be looked at: in them may be what does not belong there."""
        self._unfiled = 0
        """Parts of the present pass that no rule takes."""
        self._unfiled_told = 0
        self._occasion = "start"
        self._recorded = ""
        self.active = False
        """Whether something may still wait where it does not belong, and is being looked for."""

    def change(self, filing: Filing) -> None:
        """File by another configuration from now on; look at what it may move."""
        before, self._filing, self._occasion = self._filing, filing, "reload"
        self._queues |= {queue for name, queue in self._queue_ids.items() if _differ(before, filing, name)}
        self._unfiled_told = 0
        if self._queues or before.digest() != filing.digest():
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
        self._recorded = (await self._store.facts()).get(FACT, "")
        await trio.lowlevel.checkpoint()  # a read that ends as the store closes is no reason to write
        if self._recorded != self._filing.digest():
            self._queues = frozenset(self._queue_ids.values())
            self._changed.set()

    # --- one change ---

    def _is_interrupted(self) -> bool:
        return self._stopped or self._changed.is_set()

    async def _refile(self) -> None:
        """Look at all queues until nothing in them has to be moved."""
        if self._stopped:
            return
        self._changed, filing, self.active = trio.Event(), self._filing, True
        if self._recorded != filing.digest():
            await self._record("")  # from now on until the end, what a kill leaves is filed by nothing that is known
        moved: Counter[str] = Counter()
        while True:
            if not await self._pass(filing, moved):
                break
            await trio.sleep(LOOK_AGAIN_S)
        self._tell(moved)
        if not self._is_interrupted():
            await self._record(filing.digest())
        self.active = self._is_interrupted()

    async def _pass(self, filing: Filing, moved: Counter[str]) -> bool:
        """Look at every part once; count what moved by its old rule, and return whether to look again."""
        after, found, told = 0, False, self._clock()
        self._unfiled = 0
        while not self._is_interrupted():
            parts = await self._store.unsettled(after, PARTS_PER_READ, queues=sorted(self._queues))
            await trio.lowlevel.checkpoint()  # as after the first one
            if self._clock() - told >= TELL_EVERY_S:
                told = self._clock()
                log.info("%s: %s parts came to other routes so far", self._occasion, f"{moved.total():,}")
            misfiled = await self._misfiled(parts, filing)
            found = found or bool(misfiled)
            for start in range(0, len(misfiled), PARTS_PER_COMMIT):
                if self._is_interrupted():
                    return False
                moved += await self._step(misfiled[start : start + PARTS_PER_COMMIT])
                await trio.sleep(PAUSE_S)
            if len(parts) < PARTS_PER_READ:
                return found  # what is accepted meanwhile is filed already: to follow it would never end
            after = parts[-1].part
            await trio.sleep(PAUSE_S)
        return False

    async def _misfiled(self, parts: Sequence[Unsettled], filing: Filing) -> list[tuple[Unsettled, QueueName]]:
        """Return those of these parts that belong elsewhere, with the queues they belong in, which are open then."""
        found: list[tuple[Unsettled, QueueName]] = []
        missing: set[QueueName] = set()
        for number, part in enumerate(parts):
            if number % PARTS_AT_ONCE == PARTS_AT_ONCE - 1:
                await trio.lowlevel.checkpoint()
            name = filing.name(part)
            queue = None if name is None else self._queue_ids.get(name)
            if name is None:
                self._unfiled += 1
            elif queue != part.queue:
                found.append((part, name))
                if queue is None:
                    missing.add(name)
        return found if await self._is_open(missing) else []

    async def _is_open(self, names: Collection[QueueName]) -> bool:
        """Make queues that are not there yet, as soon as the disk has room; False where something else comes first."""
        while not self._is_interrupted():
            try:
                await self._routing.open_new(self._store, names)
                return True
            except StoreFull:
                await trio.sleep(FULL_DISK_PAUSE_S)
        return False

    async def _step(self, misfiled: Sequence[tuple[Unsettled, QueueName]]) -> Counter[str]:
        """Move these parts in one transaction; return how many came away, by their old rule."""
        in_hand = set(self._dispatch.in_hand())
        ids = self._queue_ids
        moves = [Refile(it.part, it.queue, ids[name]) for it, name in misfiled if it.part not in in_hand]
        old = {move.old for move in moves}
        self._lanes.shut(old)
        try:
            refiled = await self._store.refile(moves)
            with trio.CancelScope(shield=True):
                # who heard of an earlier commit in the same moment has told the queues of it, while they are shut
                await trio.lowlevel.checkpoint()
            self._lanes.refiled(refiled)
        finally:
            self._lanes.reopen(old)
            self._dispatch.wake()
        return Counter(self._lanes.queue(each.old).rule for each in refiled)

    async def _record(self, digest: str) -> None:
        while self._recorded != digest:
            try:
                await self._store.record({FACT: digest})
                self._recorded = digest
            except StoreFull:
                await trio.sleep(FULL_DISK_PAUSE_S)

    def _tell(self, moved: Counter[str]) -> None:
        """Leave in the log what was done; what nobody takes is told when it is known."""
        for rule, count in moved.items():
            log.info("%s: %s parts waiting under route %s go by the new routes", self._occasion, f"{count:,}", rule)
        if self._is_interrupted():
            log.info("%s: what waits is not all looked at: later", self._occasion)
        elif self._unfiled > self._unfiled_told:
            self._unfiled_told = self._unfiled
            text = "%s: %s parts are taken by no route any more: they stay where they wait"
            log.warning(text, self._occasion, f"{self._unfiled:,}")


def _differ(before: Filing, after: Filing, name: QueueName) -> bool:
    decides = after.decides(name)
    return decides is None or decides != before.decides(name)
