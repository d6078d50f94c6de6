"""The waiting parts in memory, and how lanes share the credit that carriers offer.

A queue holds the next few hundred parts of what waits on disk, earliest deadline first; the rest stays there.  `pick`
is pure and synchronous: the whole decision of what leaves next is here.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import itemgetter

import attrs

from connector.config import LaneConfig
from connector.model import Part, QueueState, Wanted

HEADS = 500
"""Parts of one queue held in memory.  A million waiting messages cost no more memory than this."""
MOST_HEADS = 4_000
"""Where many are held back because their sender or country is limited: so many may stand before one that may go."""
BEGUN_HELD = 1_000
"""Messages of a queue: more than all claims that may be under way at once begin."""
UNHEARD_HELD = 2_000
"""Parts of a queue: more than are committed while one read goes on."""
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
    """The head of one queue: (lane, route rule, API key, limited sender or country)."""

    id: int
    lane: str
    rule: str
    api_key: str
    waiting: int
    """Parts that wait, on disk and here."""
    heads: list[_Entry] = attrs.field(factory=list, repr=False)
    complete: bool = True
    """Whether `heads` is all that waits; if not, everything else on disk sorts behind its last entry."""
    alike: bool = False
    """Whether all that waits here is limited by the same: where one is held back, all are."""
    reach: int = attrs.field(factory=lambda: HEADS)
    """How many heads it holds."""
    begun: dict[int, str] = attrs.field(factory=dict, repr=False)
    """The messages of several parts that were last begun, and on which carrier: a read that began before the claim's
    commit brings their other parts without it."""
    unheard: dict[int, bool] = attrs.field(factory=dict, repr=False)
    """Parts never tried that the last reads brought: of some, nobody has told us yet that they wait."""
    _refill: _Refill | None = attrs.field(default=None, repr=False)

    def add(self, part: Part) -> None:
        """Take note of a part that waits, newly or again, and hold it if it belongs among the heads."""
        self.waiting += 1
        if part.attempt == 0 and self.unheard.pop(part.id, False):
            return  # a read that began after its commit brought it before we heard of the commit
        if self._refill is not None:
            self._refill.came.append(part)
        else:
            self._hold(part)

    def _hold(self, part: Part) -> None:
        heads, place = self.heads, (part.deadline, part.id)
        at = bisect_left(heads, place)
        if at < len(heads):
            if heads[at][:2] != place:
                heads.insert(at, (*place, part))
                self._trim(self.reach)
        elif self.complete and at < self.reach:
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
        if 4 * len(self.heads) <= self.reach:
            self.reach = max(HEADS, self.reach // 2)
        if self.complete or self._refill is not None or 2 * len(self.heads) >= self.reach:
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
            if part.total > 1 and part.message_id in self.begun:
                part.pinned = self.begun[part.message_id]
        self.unheard.update((part.id, True) for part in parts if part.attempt == 0 and part.id not in state.taken)
        for identity in list(self.unheard)[: max(0, len(self.unheard) - UNHEARD_HELD)]:
            del self.unheard[identity]
        self.heads += [(part.deadline, part.id, part) for part in new.values() if part.id not in held]
        self.heads.sort(key=itemgetter(0, 1))
        self.complete = whole
        self._trim(self.reach + HEADS)

    def begin(self, messages: Collection[int], carrier: str) -> None:
        """Keep the other parts of these messages for the carrier that has their first ones."""
        for message in messages:
            self.begun.pop(message, None)
            self.begun[message] = carrier
        for message in list(self.begun)[: max(0, len(self.begun) - BEGUN_HELD)]:
            del self.begun[message]
        for _, _, part in self.heads:
            if part.total > 1 and part.message_id in messages:
                part.pinned = carrier

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
        self._left(taken)
        return taken

    def take_where(self, count: int, admits: Callable[[Part], bool]) -> list[Part]:
        """Take out up to ``count`` parts that are admitted, earliest deadline first; the others keep their places.

        Where those held back fill the memory, more of what waits behind them is held from then on.
        """
        taken: list[Part] = []
        kept: list[_Entry] = []
        for number, entry in enumerate(self.heads):
            if len(taken) == count:
                kept += self.heads[number:]
                break
            if admits(entry[2]):
                taken.append(entry[2])
            elif self.alike:
                kept += self.heads[number:]
                break
            else:
                kept.append(entry)
        if len(taken) < count and not self.complete and not self.alike:
            self.reach = min(MOST_HEADS, max(self.reach, 2 * len(kept) + 1))
        self.heads = kept
        self._left(taken)
        return taken

    def _left(self, taken: list[Part]) -> None:
        self.waiting -= len(taken)
        if self._refill is not None:
            self._refill.taken.update(part.id for part in taken)


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
class Offer:
    """What one carrier takes in one turn."""

    credit: int
    """Parts, whoever sends them."""
    kept: int = 0
    """How many of these are only for lanes that keep places free."""
    admits: Callable[[Part], bool] | None = None
    """Whether its countries and senders let a part through, which it then counts; None where all may pass."""

    def usable(self, lane: LaneConfig) -> int:
        """Return how many of the credit this lane may use."""
        return self.credit if lane.keep_free else self.credit - self.kept


@attrs.define
class Pick:
    """What one turn of dispatch takes: parts by carrier, and parts found past their deadline."""

    parts: dict[str, list[Part]] = attrs.field(factory=dict)
    expired: list[Part] = attrs.field(factory=list)
    stuck: set[int] = attrs.field(factory=set)
    """Queues of which nothing in memory is let through now."""

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
        """Make queues known that are not yet, with what waits in each on disk; and lanes, those without one too."""
        for lane in self._lanes:
            self._by_lane.setdefault(lane, [])
            self._queue_carry.setdefault(lane, {})
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
        for carrier, entries in self._pinned.items():
            freed = [entry[2] for entry in entries if not self._may_take(carrier, entry[2])]
            gone = {part.id for part in freed}
            self._pinned[carrier] = [entry for entry in entries if entry[1] not in gone]
            for part in freed:
                part.pinned = None
                self._queues[part.queue].waiting -= 1
                self._queues[part.queue].add(part)
        for queue in self._queues.values():
            mine = self._carriers_of.get(queue.rule, ())
            queue.begun = {message: carrier for message, carrier in queue.begun.items() if carrier in mine}

    def _may_take(self, carrier: str, part: Part) -> bool:
        return carrier in self._carriers_of.get(self._queues[part.queue].rule, ())

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
        return [wish for queue in self._queues.values() if not queue.complete and (wish := queue.wanted(busy))]

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

    def pick(self, offers: Mapping[str, Offer], lanes: Collection[str], now: float) -> Pick:
        """Return what leaves next from these lanes, and take it out of the carriers' offers.

        Parts of a message begun on a carrier go first.  Then every lane with something to send gets its share of the
        credit, one that is not among ``lanes`` too: its share stays for its own turn.  What a lane cannot use, the
        others may, but for what is kept for lanes that keep places free.
        """
        pick = Pick()
        self._pick_pinned(offers, lanes, pick, now)
        self._forget_idle()
        usable = self._usable(self._lanes, offers, pick)
        budget = sum(offer.credit for offer in offers.values())
        shares = self._shares(budget, usable)
        budget -= sum(share for name, share in shares.items() if name not in lanes)
        while usable := {name: queues for name, queues in usable.items() if name in lanes}:
            for name, queues in usable.items():
                budget -= self._pick_lane(name, queues, shares[name], offers, pick, now)
            if budget <= 0:
                break
            usable = self._usable(lanes, offers, pick)
            shares = self._shares(budget, usable)
        self._pick_pinned(offers, lanes, pick, now)
        return pick

    def _forget_idle(self) -> None:
        _forget(self._lane_carry, [name for name in self._lane_carry if any(q.heads for q in self._by_lane[name])])
        for carry in self._queue_carry.values():
            _forget(carry, [name for name in carry if self._queues[int(name)].heads])

    def _usable(self, lanes: Iterable[str], offers: Mapping[str, Offer], pick: Pick) -> dict[str, list[Queue]]:
        """Return, by lane, the queues with something to send and a carrier that would take it now."""
        usable: dict[str, list[Queue]] = {}
        for lane in lanes:
            able = {name for name, offer in offers.items() if offer.usable(self._lanes[lane]) > 0}
            for queue in self._by_lane[lane]:
                if not queue.heads or queue.id in pick.stuck:
                    continue
                if not able.isdisjoint(self._carriers_of.get(queue.rule, ())):
                    usable.setdefault(lane, []).append(queue)
        return usable

    def _shares(self, budget: int, usable: Iterable[str]) -> dict[str, int]:
        weights = {name: self._lanes[name].reserve or LEAST_WEIGHT for name in usable}
        return apportion(budget, weights, self._lane_carry) if weights else {}

    def _pick_pinned(self, offers: Mapping[str, Offer], lanes: Collection[str], pick: Pick, now: float) -> None:
        for carrier, entries in self._pinned.items():
            offer = offers.get(carrier)
            if offer is None or offer.credit <= 0 or not entries:
                continue
            taken = [entry for entry in entries if entry[2].lane in lanes][: offer.credit]
            if offer.admits is not None:
                taken = [entry for entry in taken if entry[0] <= now or offer.admits(entry[2])]
            gone = {entry[1] for entry in taken}
            self._pinned[carrier] = [entry for entry in entries if entry[1] not in gone]
            for entry in taken:
                self._queues[entry[2].queue].waiting -= 1
            pick.expired += [entry[2] for entry in taken if entry[0] <= now]
            parts = [entry[2] for entry in taken if entry[0] > now]
            pick.add(carrier, parts)
            offer.credit -= len(parts)

    def _pick_lane(
        self, lane: str, queues: Sequence[Queue], share: int, offers: Mapping[str, Offer], pick: Pick, now: float
    ) -> int:
        """Take up to ``share`` parts from the queues of a lane, in equal shares for all API keys; return how many."""
        settings = self._lanes[lane]
        share = min(share, sum(max(0, offer.usable(settings)) for offer in offers.values()))
        if share <= 0:
            return 0
        by_name = {str(queue.id): queue for queue in queues}
        each = Counter(queue.api_key for queue in queues)
        weights = {name: 1 / each[queue.api_key] for name, queue in by_name.items()}
        shares = apportion(share, weights, self._queue_carry[lane])
        return sum(self._pick_queue(by_name[name], count, offers, pick, now) for name, count in shares.items() if count)

    def _pick_queue(self, queue: Queue, count: int, offers: Mapping[str, Offer], pick: Pick, now: float) -> int:
        lane = self._lanes[queue.lane]
        left = count
        for carrier in self._carriers_of.get(queue.rule, ()):
            offer = offers.get(carrier)
            usable = min(left, offer.usable(lane)) if offer is not None else 0
            while offer is not None and usable > 0 and queue.heads:
                pick.expired += queue.expired(now)
                taken = queue.take(usable) if offer.admits is None else queue.take_where(usable, offer.admits)
                if not taken:
                    break
                mine = self._pin(queue, carrier, taken)
                pick.add(carrier, mine)
                offer.credit -= len(mine)
                usable -= len(mine)
                left -= len(mine)
        if left == count:
            pick.stuck.add(queue.id)
        return count - left

    def _pin(self, queue: Queue, carrier: str, parts: list[Part]) -> list[Part]:
        """Keep messages of several parts on one carrier: what is pinned elsewhere waits there, siblings follow."""
        for part in parts:
            if part.pinned is not None and not self._may_take(part.pinned, part):
                part.pinned = None
        mine = [part for part in parts if part.pinned is None or part.pinned == carrier]
        for part in parts:
            if part.pinned is not None and part.pinned != carrier:
                self._wait_pinned(part.pinned, part)
        if begun := {part.message_id for part in mine if part.total > 1}:
            queue.begin(begun, carrier)
        return mine

    def _wait_pinned(self, carrier: str, part: Part) -> None:
        self._queues[part.queue].waiting += 1
        insort(self._pinned.setdefault(carrier, []), (part.deadline, part.id, part), key=itemgetter(0, 1))
