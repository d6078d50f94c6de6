"""The waiting parts in memory, and how lanes share the credit that carriers offer.

A queue holds the next few hundred parts of what waits on disk, earliest deadline first; the rest stays there.  `pick`
is pure and synchronous: the whole decision of what leaves next is here.
"""

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence

import attrs

from connector.config import LaneConfig
from connector.model import Part, QueueState, Wanted

HEADS = 500
"""Parts of one queue held in memory.  A million waiting messages cost no more memory than this."""
REFILL_BELOW = 250

_Entry = tuple[float, int, Part]


@attrs.define
class _Refill:
    """A read of more heads under way, and what happened meanwhile."""

    taken: set[int]
    """Parts that left memory: the snapshot may still show them."""
    returned: list[Part] = attrs.field(factory=list)
    """Parts that came back: the snapshot may not show them."""
    missed: bool = False
    """Parts were kept that are not in memory: the snapshot may not show them."""
    void: bool = False
    """Parts appeared on disk in no known place: the snapshot is of no use."""


@attrs.define
class Queue:
    """The head of one queue: (lane, route rule, API key)."""

    id: int
    lane: str
    rule: str
    api_key: str
    waiting: int
    """Parts that wait, on disk and here."""
    heads: list[_Entry] = attrs.field(factory=list, repr=False)
    complete: bool = True
    """Whether `heads` is all that waits; if not, everything else on disk sorts behind its last entry."""
    _refill: _Refill | None = attrs.field(default=None, repr=False)

    def add(self, part: Part) -> None:
        """Take note of a part that newly waits on disk, and hold it if it belongs among the heads."""
        self.waiting += 1
        self._hold(part)

    def put_back(self, part: Part) -> None:
        """Return a part that was picked and did not leave: it keeps its place."""
        self.waiting += 1
        if self._refill is not None:
            self._refill.returned.append(part)
        else:
            self._hold(part)

    def _hold(self, part: Part) -> None:
        entry = (part.deadline, part.id, part)
        heads = self.heads
        if heads and entry < heads[-1]:
            insort(heads, entry)
            if len(heads) > HEADS:
                heads.pop()
                self.complete = False
        elif self.complete and self._refill is None and len(heads) < HEADS:
            heads.append(entry)
        else:
            self.complete = False
            if self._refill is not None:
                self._refill.missed = True

    def grew_on_disk(self, count: int) -> None:
        """Say that parts began to wait on disk that nobody brought here; they may sort before everything held."""
        self.waiting += count
        self.complete = False
        self.heads.clear()
        if self._refill is not None:
            self._refill.void = True

    def wanted(self, in_hand: Iterable[int]) -> Wanted | None:
        """Return the wish for more heads, or None while there are enough.  ``in_hand``: parts being claimed now."""
        if self.complete or self._refill is not None or len(self.heads) >= REFILL_BELOW:
            return None
        self._refill = _Refill(set(in_hand))
        after = (self.heads[-1][0], self.heads[-1][1]) if self.heads else None
        return Wanted(self.id, after, HEADS)

    def refill(self, parts: Sequence[Part]) -> None:
        """Take in what `wanted` asked for."""
        state = self._refill
        assert state is not None
        self._refill = None
        if state.void:
            for part in state.returned:
                self._hold(part)
            return
        whole = len(parts) < HEADS
        last = (parts[-1].deadline, parts[-1].id) if parts else (-1.0, -1)
        known = {entry[1] for entry in self.heads}
        back = [part for part in state.returned if whole or (part.deadline, part.id) < last]
        new = {part.id: part for part in parts if part.id not in state.taken}
        new.update((part.id, part) for part in back)
        self.heads += [(part.deadline, part.id, part) for part in new.values() if part.id not in known]
        self.heads.sort()
        self.complete = whole and not state.missed

    def expired(self, now: float) -> list[Part]:
        """Take out the parts whose deadline has passed."""
        count = 0
        while count < len(self.heads) and self.heads[count][0] <= now:
            count += 1
        return self.take(count)

    def take(self, count: int) -> list[Part]:
        """Take out up to ``count`` parts, earliest deadline first."""
        if not count:
            return []
        taken = [entry[2] for entry in self.heads[:count]]
        del self.heads[:count]
        self.waiting -= len(taken)
        if self._refill is not None:
            self._refill.taken.update(part.id for part in taken)
        return taken


def apportion(total: int, weights: Mapping[str, float], carry: dict[str, float]) -> dict[str, int]:
    """Share ``total`` places by weight; ``carry`` keeps each one's fraction for the next time.

    Who is not among ``weights`` (nothing waits there) loses its carry: idleness earns nothing.
    """
    for name in [name for name in carry if name not in weights]:
        del carry[name]
    whole = sum(weights.values())
    exact = {name: total * weight / whole + carry.get(name, 0.0) for name, weight in weights.items()}
    shares = {name: max(0, int(value)) for name, value in exact.items()}
    spare = total - sum(shares.values())
    for name in sorted(exact, key=lambda name: shares[name] - exact[name])[: max(0, spare)]:
        shares[name] += 1
    for name, value in exact.items():
        carry[name] = value - shares[name]
    return shares


@attrs.define
class Pick:
    """What one turn of dispatch takes: parts by carrier, and parts found past their deadline."""

    parts: dict[str, list[Part]] = attrs.field(factory=dict)
    expired: list[Part] = attrs.field(factory=list)

    def add(self, carrier: str, parts: list[Part]) -> None:
        if parts:
            self.parts.setdefault(carrier, []).extend(parts)


class Lanes:
    """All queues, by lane, and the sharing between them."""

    def __init__(self, lanes: Mapping[str, LaneConfig], carriers_of: Mapping[str, Sequence[str]]) -> None:
        self._lanes = lanes
        self._carriers_of = carriers_of
        self._queues: dict[int, Queue] = {}
        self._by_lane: dict[str, list[Queue]] = {name: [] for name in lanes}
        self._pinned: dict[str, list[_Entry]] = {}
        self._lane_carry: dict[str, float] = {}
        self._queue_carry: dict[str, dict[str, float]] = {name: {} for name in lanes}

    # --- what waits ---

    def open(self, states: Iterable[QueueState]) -> None:
        """Make queues known, with what waits in each on disk."""
        for state in states:
            name = state.name
            queue = Queue(state.queue, name.lane, name.rule, name.api_key, state.waiting, complete=not state.waiting)
            self._queues[state.queue] = queue
            self._by_lane.setdefault(name.lane, []).append(queue)

    def queues(self) -> list[Queue]:
        """Return all queues."""
        return list(self._queues.values())

    def queue(self, queue: int) -> Queue:
        """Return the queue with this id."""
        return self._queues[queue]

    def add(self, parts: Iterable[Part]) -> None:
        """Take note of parts that were just kept."""
        for part in parts:
            self._queues[part.queue].add(part)

    def put_back(self, parts: Iterable[Part]) -> None:
        """Return parts that were picked and did not leave, each to the place it had."""
        for part in parts:
            self._queues[part.queue].put_back(part)

    def wanted(self, in_hand: Iterable[int]) -> list[Wanted]:
        """Return the wishes of queues that run low.  ``in_hand``: parts being claimed now."""
        busy = [*in_hand, *(entry[1] for entries in self._pinned.values() for entry in entries)]
        return [wish for queue in self._queues.values() if (wish := queue.wanted(busy))]

    def waiting(self, lane: str, api_key: str) -> int:
        """Return how many parts of this lane and API key wait."""
        return sum(queue.waiting for queue in self._by_lane.get(lane, ()) if queue.api_key == api_key)

    def expired(self, now: float) -> list[Part]:
        """Take out every part in memory whose deadline has passed."""
        gone = [part for queue in self._queues.values() for part in queue.expired(now)]
        for carrier, entries in self._pinned.items():
            gone += [entry[2] for entry in entries if entry[0] <= now]
            self._pinned[carrier] = [entry for entry in entries if entry[0] > now]
        return gone

    # --- who goes next ---

    def pick(self, credit: dict[str, int], keep_free: Mapping[str, int], lanes: Iterable[str], now: float) -> Pick:
        """Return what leaves next from these lanes, and take it out of ``credit``.

        Parts of a message begun on a carrier go first.  Then each lane with something to send gets its share of the
        credit; what a lane cannot use, the others may, but for the places of ``keep_free`` (by carrier), which stay
        for lanes that keep some.
        """
        pick = Pick()
        for carrier in credit:
            self._pick_pinned(carrier, credit, pick, now)
        names = [name for name in lanes if any(queue.heads for queue in self._by_lane[name])]
        # at most two turns: shares first, then whatever somebody could not use
        for _ in range(2):
            total = sum(credit.values())
            if not names or total <= 0:
                break
            weights = {name: self._lanes[name].reserve or 0.01 for name in names}
            for name, share in apportion(total, weights, self._lane_carry).items():
                self._pick_lane(name, share, credit, keep_free, pick, now)
            names = [name for name in names if any(queue.heads for queue in self._by_lane[name])]
        return pick

    def _pick_pinned(self, carrier: str, credit: dict[str, int], pick: Pick, now: float) -> None:
        entries = self._pinned.get(carrier)
        if not entries or credit[carrier] <= 0:
            return
        taken, self._pinned[carrier] = entries[: credit[carrier]], entries[credit[carrier] :]
        pick.expired += [entry[2] for entry in taken if entry[0] <= now]
        parts = [entry[2] for entry in taken if entry[0] > now]
        pick.add(carrier, parts)
        credit[carrier] -= len(parts)

    def _pick_lane(
        self, lane: str, share: int, credit: dict[str, int], keep_free: Mapping[str, int], pick: Pick, now: float
    ) -> None:
        queues = {str(queue.id): queue for queue in self._by_lane[lane] if queue.heads}
        if not queues or share <= 0:
            return
        kept = {} if self._lanes[lane].keep_free else keep_free
        shares = apportion(share, dict.fromkeys(queues, 1.0), self._queue_carry[lane])
        for name, count in shares.items():
            self._pick_queue(queues[name], count, credit, kept, pick, now)

    def _pick_queue(
        self, queue: Queue, count: int, credit: dict[str, int], kept: Mapping[str, int], pick: Pick, now: float
    ) -> None:
        for carrier in self._carriers_of.get(queue.rule, ()):
            usable = min(count, credit.get(carrier, 0) - kept.get(carrier, 0))
            if usable <= 0:
                continue
            pick.expired += queue.expired(now)
            parts = queue.take(usable)
            mine = self._pin(queue, carrier, parts)
            pick.add(carrier, mine)
            credit[carrier] -= len(mine)
            count -= len(mine)

    def _pin(self, queue: Queue, carrier: str, parts: list[Part]) -> list[Part]:
        """Keep messages of several parts on one carrier: what is pinned elsewhere waits there, siblings follow."""
        mine = [part for part in parts if part.pinned is None or part.pinned == carrier]
        for part in parts:
            if part.pinned is not None and part.pinned != carrier:
                self._wait_pinned(part.pinned, part)
        if mine and mine[-1].total > 1:
            message = mine[-1].message_id
            for entry in queue.heads:
                if entry[2].message_id != message:
                    break
                entry[2].pinned = carrier
        return mine

    def _wait_pinned(self, carrier: str, part: Part) -> None:
        insort(self._pinned.setdefault(carrier, []), (part.deadline, part.id, part))
