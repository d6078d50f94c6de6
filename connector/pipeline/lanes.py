"""The waiting parts in memory, by queue.

A queue holds the next few hundred parts of what waits on disk, earliest deadline first; the rest stays there.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from connector.config import LaneConfig
from connector.model import Moved, Part, QueueState, Refiled, Wanted
from connector.pipeline.ceilings import Ceilings
from connector.pipeline.queue import Queue
from connector.pipeline.sharing import Sharing
from connector.pipeline.turn import Anyone, Chooser, Offer, Pick


class Lanes:
    """All queues, by lane, and the sharing between them."""

    def __init__(
        self,
        lanes: Mapping[str, LaneConfig],
        carriers_of: Mapping[str, Sequence[str]],
        choice: Chooser | None = None,
    ) -> None:
        """Without a ``choice`` every part may take every carrier of its rule, in order."""
        self._lanes = lanes
        self._carriers_of = carriers_of
        self.ceilings = Ceilings(lanes)
        self._sharing = Sharing(lanes, carriers_of, choice or Anyone(carriers_of), self.ceilings)
        self._queues: dict[int, Queue] = {}
        self._by_lane: dict[str, list[Queue]] = {name: [] for name in lanes}

    # --- what waits ---

    def open(self, states: Iterable[QueueState]) -> None:
        """Make queues known that are not yet, with what waits in each on disk; and lanes, those without one too."""
        for lane in self._lanes:
            self._by_lane.setdefault(lane, [])
        for state in states:
            if state.queue in self._queues:
                continue
            name = state.name
            queue = Queue(
                state.queue,
                name.lane,
                name.rule,
                name.api_key,
                state.waiting,
                complete=not state.waiting,
                alike=bool(name.scope),
            )
            self._queues[state.queue] = queue
            self._by_lane.setdefault(name.lane, []).append(queue)

    def reroute(self) -> None:
        """Free the parts of messages begun on a carrier that their rule names no more: any of the rule takes them."""
        for queue in self._queues.values():
            queue.keep_to(self._carriers_of.get(queue.rule, ()))

    def queues(self) -> list[Queue]:
        """Return all queues."""
        return list(self._queues.values())

    def queue(self, queue: int) -> Queue:
        """Return the queue with this id."""
        return self._queues[queue]

    def add(self, parts: Iterable[Part]) -> None:
        """Take note of parts that were just kept, or that wait again."""
        for part in parts:
            self._queues[part.queue].add(part)

    def left(self, moved: Iterable[Moved]) -> None:
        """Take note of parts that wait no more because somebody moved them on disk."""
        gone: dict[int, set[int]] = {}
        for change in moved:
            if change.left is not None:
                gone.setdefault(change.left, set()).add(change.part)
        for queue, parts in gone.items():
            self._queues[queue].gone(parts)

    def shut(self, queues: Collection[int]) -> None:
        """Let nothing of these queues be picked until `reopen`; what is in hand is the caller's business."""
        for queue in queues:
            self._queues[queue].shut()

    def reopen(self, queues: Iterable[int]) -> None:
        """Let what waits in these queues be picked again; it is read from disk."""
        for queue in queues:
            self._queues[queue].reopen()

    def refiled(self, refiled: Iterable[Refiled]) -> None:
        """Take note of parts that came from shut queues into others."""
        came: Counter[int] = Counter()
        for change in refiled:
            old, new = self._queues[change.old], self._queues[change.new]
            if change.waited:
                old.waiting -= 1
                came[change.new] += 1
            message = change.part >> 8
            if message in old.begun and new.begun.get(message) != old.begun[message]:
                new.begin([message], old.begun[message])
        for queue, count in came.items():
            self._queues[queue].grew_on_disk(count)

    def free(self, messages: Collection[int]) -> None:
        """Forget which carrier messages of several parts were begun on: what waits of them is read from disk again."""
        for queue in self._queues.values():
            queue.free(messages)

    def wanted(self, in_hand: Collection[int]) -> list[Wanted]:
        """Return the wishes of queues that run low.  ``in_hand``: parts being claimed now."""
        return [wish for queue in self._queues.values() if not queue.complete and (wish := queue.wanted(in_hand))]

    def waiting(self, lane: str, api_key: str) -> int:
        """Return how many parts of this lane and API key wait."""
        return sum(queue.waiting for queue in self._by_lane.get(lane, ()) if queue.api_key == api_key)

    def expired(self, now: float) -> list[Part]:
        """Take out every part in memory whose deadline has passed."""
        return [part for queue in self._queues.values() for part in queue.expired(now)]

    def next_look(self, now: float) -> float | None:
        """Return when to look next for parts that hide others; None where none is put off being looked at."""
        times = [queue.look_for_stranded_at for queue in self._queues.values() if queue.look_for_stranded_at > now]
        return min(times, default=None)

    # --- who goes next ---

    def pick(self, offers: Mapping[str, Offer], lanes: Collection[str], now: float) -> Pick:
        """Return what leaves next from these lanes, and take it out of the carriers' offers."""
        return self._sharing.pick(self._by_lane, offers, lanes, now)
