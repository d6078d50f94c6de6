"""The waiting parts in memory, and how lanes share the credit that carriers offer.

A queue holds the next few hundred parts of what waits on disk, earliest deadline first; the rest stays there.  `pick`
is pure and synchronous: the whole decision of what leaves next is here.
"""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter

import attrs

from connector.config import LaneConfig
from connector.model import Part, QueueState, Wanted

HEADS = 500
"""Parts of one queue held in memory.  A million waiting messages cost no more memory than this."""
REFILL_BELOW = 250
LEAST_WEIGHT = 0.01
"""Of a lane without a reserve: it may not starve."""

_Entry = tuple[float, int, Part]


@attrs.define
class _Refill:
    """A read of more heads under way, and what happened meanwhile."""

    taken: set[int]
    """Parts that left memory: the snapshot may still show them."""
    came: list[Part] = attrs.field(factory=list)
    """Parts that began to wait, or wait again: the snapshot may not show them."""
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
    begun: tuple[int, str] = attrs.field(default=(0, ""), repr=False)
    """The message whose part was last taken, and for which carrier: its other parts may still be on disk."""
    _refill: _Refill | None = attrs.field(default=None, repr=False)

    def add(self, part: Part) -> None:
        """Take note of a part that waits, newly or again, and hold it if it belongs among the heads."""
        self.waiting += 1
        if self._refill is not None:
            self._refill.came.append(part)
        else:
            self._hold(part)

    def _hold(self, part: Part) -> None:
        heads, place = self.heads, (part.deadline, part.id)
        at = bisect_left(heads, place)
        if at < len(heads):
            # a read that began after its commit may have brought it before we heard of the commit
            if heads[at][:2] != place:
                heads.insert(at, (*place, part))
                self._trim(HEADS)
        elif self.complete and at < HEADS:
            heads.append((*place, part))
        else:
            self.complete = False

    def _trim(self, limit: int) -> None:
        if len(self.heads) > limit:
            del self.heads[limit:]
            self.complete = False

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
        return Wanted(self.id, self.heads[-1][:2] if self.heads else None, HEADS)

    def refill(self, parts: Sequence[Part]) -> None:
        """Take in what `wanted` asked for."""
        state, self._refill = self._refill, None
        assert state is not None
        if state.void:
            return  # `complete` is False, so it will be asked for again, with what came meanwhile
        whole = len(parts) < HEADS
        last = (parts[-1].deadline, parts[-1].id) if parts else (0.0, 0)
        held = {entry[1] for entry in self.heads}
        new = {part.id: part for part in parts if part.id not in state.taken}
        new.update((part.id, part) for part in state.came if whole or (part.deadline, part.id) < last)
        for part in new.values():
            if part.message_id == self.begun[0]:
                part.pinned = self.begun[1]
        self.heads += [(part.deadline, part.id, part) for part in new.values() if part.id not in held]
        self.heads.sort(key=itemgetter(0, 1))
        self.complete = whole
        self._trim(HEADS + REFILL_BELOW)

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
    """Share ``total`` places by weight; ``carry`` keeps each one's fraction for the next time."""
    whole = sum(weights.values())
    exact = {name: total * weight / whole + carry.get(name, 0.0) for name, weight in weights.items()}
    shares = {name: max(0, int(value)) for name, value in exact.items()}
    spare = total - sum(shares.values())
    for name in sorted(exact, key=lambda name: shares[name] - exact[name])[: max(0, spare)]:
        shares[name] += 1
    for name, value in exact.items():
        carry[name] = value - shares[name]
    return shares


def _forget(carry: dict[str, float], waiting: Collection[str]) -> None:
    """Drop the fractions of those for whom nothing waits: idleness earns nothing."""
    for name in [name for name in carry if name not in waiting]:
        del carry[name]


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
        self.add(parts)

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
            late = [entry[2] for entry in entries if entry[0] <= now]
            for part in late:
                self._queues[part.queue].waiting -= 1
            self._pinned[carrier] = [entry for entry in entries if entry[0] > now]
            gone += late
        return gone

    # --- who goes next ---

    def pick(self, credit: dict[str, int], keep_free: Mapping[str, int], lanes: Collection[str], now: float) -> Pick:
        """Return what leaves next from these lanes, and take it out of ``credit``.

        Parts of a message begun on a carrier go first.  Then every lane with something to send gets its share of the
        credit, one that is not among ``lanes`` too: its share stays for its own turn.  What a lane cannot use, the
        others may, but for the places of ``keep_free`` (by carrier), which stay for lanes that keep some.
        """
        pick = Pick()
        self._pick_pinned(credit, lanes, pick, now)
        self._forget_idle()
        usable = self._usable(self._lanes, credit, keep_free)
        budget = sum(credit.values())
        shares = self._shares(budget, usable)
        budget -= sum(share for name, share in shares.items() if name not in lanes)
        while usable := {name: queues for name, queues in usable.items() if name in lanes}:
            for name, queues in usable.items():
                budget -= self._pick_lane(name, queues, shares[name], credit, keep_free, pick, now)
            if budget <= 0:
                break
            usable = self._usable(lanes, credit, keep_free)
            shares = self._shares(budget, usable)
        self._pick_pinned(credit, lanes, pick, now)
        return pick

    def _forget_idle(self) -> None:
        waiting = {name: {str(q.id) for q in queues if q.heads} for name, queues in self._by_lane.items()}
        _forget(self._lane_carry, [name for name, queues in waiting.items() if queues])
        for name, carry in self._queue_carry.items():
            _forget(carry, waiting[name])

    def _usable(
        self, lanes: Iterable[str], credit: Mapping[str, int], keep_free: Mapping[str, int]
    ) -> dict[str, list[Queue]]:
        """Return, by lane, the queues with something to send and a carrier that would take it now."""
        usable: dict[str, list[Queue]] = {}
        for lane in lanes:
            kept = self._kept(lane, keep_free)
            able = {name for name, count in credit.items() if count > kept.get(name, 0)}
            for queue in self._by_lane[lane]:
                if queue.heads and not able.isdisjoint(self._carriers_of.get(queue.rule, ())):
                    usable.setdefault(lane, []).append(queue)
        return usable

    def _kept(self, lane: str, keep_free: Mapping[str, int]) -> Mapping[str, int]:
        return {} if self._lanes[lane].keep_free else keep_free

    def _shares(self, budget: int, usable: Iterable[str]) -> dict[str, int]:
        weights = {name: self._lanes[name].reserve or LEAST_WEIGHT for name in usable}
        return apportion(budget, weights, self._lane_carry) if weights else {}

    def _pick_pinned(self, credit: dict[str, int], lanes: Collection[str], pick: Pick, now: float) -> None:
        for carrier, entries in self._pinned.items():
            room = credit.get(carrier, 0)
            if room <= 0 or not entries:
                continue
            taken = [entry for entry in entries if entry[2].lane in lanes][:room]
            gone = {entry[1] for entry in taken}
            self._pinned[carrier] = [entry for entry in entries if entry[1] not in gone]
            for entry in taken:
                self._queues[entry[2].queue].waiting -= 1
            pick.expired += [entry[2] for entry in taken if entry[0] <= now]
            parts = [entry[2] for entry in taken if entry[0] > now]
            pick.add(carrier, parts)
            credit[carrier] = room - len(parts)

    def _pick_lane(
        self,
        lane: str,
        queues: Sequence[Queue],
        share: int,
        credit: dict[str, int],
        keep_free: Mapping[str, int],
        pick: Pick,
        now: float,
    ) -> int:
        """Take up to ``share`` parts from the queues of a lane, in equal shares; return how many it took."""
        if share <= 0:
            return 0
        kept = self._kept(lane, keep_free)
        by_name = {str(queue.id): queue for queue in queues}
        shares = apportion(share, dict.fromkeys(by_name, 1.0), self._queue_carry[lane])
        return sum(
            self._pick_queue(by_name[name], count, credit, kept, pick, now) for name, count in shares.items() if count
        )

    def _pick_queue(
        self, queue: Queue, count: int, credit: dict[str, int], kept: Mapping[str, int], pick: Pick, now: float
    ) -> int:
        left = count
        for carrier in self._carriers_of.get(queue.rule, ()):
            usable = min(left, credit.get(carrier, 0) - kept.get(carrier, 0))
            while usable > 0 and queue.heads:
                pick.expired += queue.expired(now)
                mine = self._pin(queue, carrier, queue.take(usable))
                pick.add(carrier, mine)
                credit[carrier] -= len(mine)
                usable -= len(mine)
                left -= len(mine)
        return count - left

    def _pin(self, queue: Queue, carrier: str, parts: list[Part]) -> list[Part]:
        """Keep messages of several parts on one carrier: what is pinned elsewhere waits there, siblings follow."""
        mine = [part for part in parts if part.pinned is None or part.pinned == carrier]
        for part in parts:
            if part.pinned is not None and part.pinned != carrier:
                self._wait_pinned(part.pinned, part)
        if mine and mine[-1].total > 1:
            queue.begun = mine[-1].message_id, carrier
            for entry in queue.heads:
                if entry[2].message_id != queue.begun[0]:
                    break
                entry[2].pinned = carrier
        return mine

    def _wait_pinned(self, carrier: str, part: Part) -> None:
        self._queues[part.queue].waiting += 1
        insort(self._pinned.setdefault(carrier, []), (part.deadline, part.id, part), key=itemgetter(0, 1))
