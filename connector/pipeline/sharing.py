"""How lanes, and the API keys within them, share the places that carriers offer.  Pure and synchronous.

Every carrier's places are shared for themselves, among those who may use it: a lane that may go nowhere else gets its
reserve there, whoever else could go there too.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from connector.config import LaneConfig
from connector.model import Part
from connector.pipeline.ceilings import Ceilings
from connector.pipeline.queue import Entry, Queue
from connector.pipeline.scan import Scan
from connector.pipeline.shares import apportion, forget
from connector.pipeline.stranded import put_off
from connector.pipeline.turn import Chooser, Offer, Pick, Turn

LEAST_WEIGHT: Final = 0.01
"""Of a lane without a reserve: it may not starve."""
MOST_VAIN_DEALS: Final = 8
"""Deals in a row that nobody could use; each finds queues that are stuck."""

Asking: TypeAlias = Mapping[str, Mapping[str, Sequence[Queue]]]
"""By carrier and lane: the queues with something to send that it would take now."""
Shares: TypeAlias = Mapping[str, Mapping[str, int]]
"""By carrier and lane: places."""
Allowed: TypeAlias = dict[str, int]
"""By carrier: places that one queue may use."""


class Sharing:
    """Decides what leaves next, turn by turn; what a turn leaves over of a place counts in the next one."""

    def __init__(
        self,
        lanes: Mapping[str, LaneConfig],
        carriers_of: Mapping[str, Sequence[str]],
        choice: Chooser,
        ceilings: Ceilings,
    ) -> None:
        """All mappings stay the same objects and change by a reload."""
        self._lanes = lanes
        self._carriers_of = carriers_of
        self._choice = choice
        self._ceilings = ceilings
        self._lane_carry: dict[str, dict[str, float]] = {}
        self._held: dict[str, dict[str, int]] = {}
        """By carrier: places that were dealt to lanes whose claim was under way, and that are still there."""
        self._rests = 0
        self._queue_carry: dict[tuple[str, str], dict[str, float]] = {}

    def pick(
        self, queues: Mapping[str, Sequence[Queue]], offers: Mapping[str, Offer], lanes: Collection[str], now: float
    ) -> Pick:
        """Return what leaves next from the queues of these lanes, and take it out of them and of the offers.

        ``queues``: those of every lane.  Each lane with something to send gets its share of a carrier's places, one
        that is not among ``lanes`` too: its share is held for its own turn.  What a lane cannot use the others may,
        but for what is kept for lanes that keep places free.
        """
        turn = Turn(offers, queues, now)
        if not turn.open:
            return turn.pick
        asking = self._asking(turn, self._lanes)
        self._forget_idle(turn, asking)
        shares: Shares = {carrier: self._dealt(turn, carrier, by_lane, lanes) for carrier, by_lane in asking.items()}
        vain = 0
        while vain < MOST_VAIN_DEALS and turn.has_places and (asking := self._asking(turn, lanes)):
            vain = 0 if self._deal(turn, asking, shares) else vain + 1
            shares = self._shares(turn, asking)
        if vain and turn.has_places:
            self._deal_rest(turn, self._asking(turn, lanes))
        return turn.pick

    # --- who may have how many ---

    def _asking(self, turn: Turn, lanes: Iterable[str]) -> Asking:
        asking: dict[str, dict[str, list[Queue]]] = {}
        for lane in lanes:
            queues = [queue for queue in turn.queues.get(lane, ()) if queue.heads or queue.tied]
            if not queues or self._choice.is_shut(lane, turn.now):
                continue
            for carrier in turn.open:
                if self._room(lane, carrier, turn) <= 0:
                    continue
                able = [queue for queue in queues if self._may_use(queue, carrier, turn)]
                if able:
                    asking.setdefault(carrier, {})[lane] = able
        return asking

    def _may_use(self, queue: Queue, carrier: str, turn: Turn) -> bool:
        if (queue.id, carrier) in turn.stuck:
            return False
        return carrier in queue.tied or (bool(queue.heads) and carrier in self._carriers_of.get(queue.rule, ()))

    def _room(self, lane: str, carrier: str, turn: Turn) -> int:
        """Return how many parts of this lane a carrier takes now, and the lane's ceilings let it have."""
        offer = turn.offers.get(carrier)
        room = 0 if offer is None else offer.usable(self._lanes[lane].keep_free)
        if room > 0 and self._ceilings.limits(lane):
            ceiling = self._ceilings.room(lane, carrier, turn.now)
            return room if ceiling is None else min(room, ceiling)
        return room

    def _dealt(
        self, turn: Turn, carrier: str, asking: Mapping[str, Sequence[Queue]], lanes: Collection[str]
    ) -> Mapping[str, int]:
        """Deal a carrier's places, and hold those of lanes whose turn it is not: each place is dealt once.

        A lane holds no more than it has waiting.
        """
        offer = turn.offers[carrier]
        held = {lane: places for lane, places in self._held.get(carrier, {}).items() if lane in asking}
        if sum(held.values()) > offer.lent:
            held = {}  # they are gone: what there is now is dealt anew
        fresh = self._apportion(carrier, asking, offer.lent - sum(held.values()))
        shares = {lane: places + held.get(lane, 0) for lane, places in fresh.items()}
        waits = {lane: sum(map(_in_memory, asking[lane])) for lane in asking if lane not in lanes}
        self._held[carrier] = {lane: min(shares[lane], count) for lane, count in waits.items()}
        offer.held = sum(self._held[carrier].values())
        return shares

    def _shares(self, turn: Turn, asking: Asking) -> Shares:
        return {
            carrier: self._apportion(carrier, by_lane, turn.offers[carrier].lent) for carrier, by_lane in asking.items()
        }

    def _apportion(self, carrier: str, lanes: Iterable[str], places: int) -> dict[str, int]:
        weights = {lane: self._lanes[lane].reserve or LEAST_WEIGHT for lane in lanes}
        return apportion(places, weights, self._lane_carry.setdefault(carrier, {}))

    def _forget_idle(self, turn: Turn, asking: Asking) -> None:
        """Drop the fractions of those for whom nothing waits."""
        for carrier in asking:
            carry = self._lane_carry.get(carrier, {})
            forget(carry, {lane for lane in carry if any(each.heads or each.tied for each in turn.queues[lane])})
            for lane, queues in asking[carrier].items():
                if key_carry := self._queue_carry.get((carrier, lane)):
                    forget(key_carry, {str(queue.id) for queue in queues if queue.heads or queue.tied})

    # --- who takes them ---

    def _deal(self, turn: Turn, asking: Asking, shares: Shares) -> int:
        """Let each queue take its share: of the lane's, as much as every other API key; return how many leave."""
        allowed: dict[int, Allowed] = {}
        for carrier, by_lane in asking.items():
            for lane, queues in by_lane.items():
                places = shares[carrier].get(lane, 0) + turn.offers[carrier].kept_for(self._lanes[lane].keep_free)
                for queue, count in self._split(carrier, lane, queues, min(places, self._room(lane, carrier, turn))):
                    allowed.setdefault(queue, {})[carrier] = count
        return sum(
            self._serve(queue, mine, turn)
            for lane in turn.queues
            for queue in turn.queues[lane]
            if (mine := allowed.get(queue.id))
        )

    def _split(self, carrier: str, lane: str, queues: Sequence[Queue], places: int) -> list[tuple[int, int]]:
        if len(queues) == 1:
            return [(queues[0].id, places)] if places else []
        each = Counter(queue.api_key for queue in queues)
        weights = {str(queue.id): 1 / each[queue.api_key] for queue in queues}
        counts = apportion(places, weights, self._queue_carry.setdefault((carrier, lane), {}))
        return [(int(queue), count) for queue, count in counts.items() if count]

    def _deal_rest(self, turn: Turn, asking: Asking) -> None:
        """Let whoever can take what those to whom it was dealt could not."""
        found = {queue.id: queue for by_lane in asking.values() for queues in by_lane.values() for queue in queues}
        able = list(found.values())
        self._rests += 1
        first = self._rests % len(able) if able else 0
        for queue in able[first:] + able[:first]:
            rest = {
                carrier: self._room(queue.lane, carrier, turn)
                for carrier in asking
                if self._may_use(queue, carrier, turn)
            }
            self._serve(queue, {carrier: room for carrier, room in rest.items() if room > 0}, turn)

    # --- one queue ---

    def _serve(self, queue: Queue, allowed: Allowed, turn: Turn) -> int:
        """Take what these places allow: first what is tied to a carrier by other parts of its message."""
        turn.pick.expired += queue.expired(turn.now)
        before = dict(allowed)
        self._take_tied(queue, allowed, turn)
        if self._choice.is_plain(queue):
            self._take_in_order(queue, allowed, turn)
        else:
            self._take_one_by_one(queue, allowed, turn)
        self._take_tied(queue, allowed, turn)  # some of what was just taken out may be tied to a carrier with a place
        picked = sum(before.values()) - sum(allowed.values())
        if not picked:
            turn.stuck.update((queue.id, carrier) for carrier in allowed)
        return picked

    def _left(self, queue: Queue, carrier: str, allowed: Allowed, turn: Turn) -> int:
        places = allowed.get(carrier, 0)
        return min(places, self._room(queue.lane, carrier, turn)) if places > 0 else 0

    def _give(self, queue: Queue, carrier: str, parts: list[Part], allowed: Allowed, turn: Turn) -> None:
        if not parts:
            return
        turn.pick.parts.setdefault(carrier, []).extend(parts)
        turn.offers[carrier].take(len(parts), self._lanes[queue.lane].keep_free)
        if self._ceilings.limits(queue.lane):
            self._ceilings.take(queue.lane, carrier, len(parts), turn.now)
        allowed[carrier] -= len(parts)

    def _take_tied(self, queue: Queue, allowed: Allowed, turn: Turn) -> None:
        for carrier in [name for name in queue.tied if name in allowed]:
            count = self._left(queue, carrier, allowed, turn)
            parts = queue.take_tied(carrier, count, self._gate(queue.rule, carrier, turn))
            self._give(queue, carrier, parts, allowed, turn)

    def _gate(self, rule: str, carrier: str, turn: Turn) -> Callable[[Entry], bool]:
        """Return what tells whether a part that is tied to this carrier may go."""
        choice, admits = self._choice, turn.offers[carrier].admits
        return lambda entry: (
            choice.may_follow(entry[2], carrier, rule, turn.now) and (admits is None or admits(entry[2]))
        )

    def _take_in_order(self, queue: Queue, allowed: Allowed, turn: Turn) -> None:
        for carrier in self._carriers_of.get(queue.rule, ()):
            while queue.heads and (usable := self._left(queue, carrier, allowed, turn)) > 0:
                admits = turn.offers[carrier].admits
                taken = queue.take(usable) if admits is None else queue.take_where(usable, admits)
                if not taken:
                    break
                self._give(queue, carrier, self._tie(queue, carrier, taken), allowed, turn)

    def _take_one_by_one(self, queue: Queue, allowed: Allowed, turn: Turn) -> None:
        """Give each part to the best carrier that has room for it."""
        names = self._carriers_of.get(queue.rule, ())
        rooms = {name: room for name in names if (room := self._left(queue, name, allowed, turn)) > 0}
        if not rooms:
            return
        ceiling = self._ceilings.room(queue.lane, None, turn.now)
        count = sum(rooms.values())
        scan = Scan(self._choice, queue.rule, names, rooms, turn.offers, turn.now)
        taken = queue.take_where(count if ceiling is None else min(count, ceiling), scan.admits, alike=False)
        turn.pick.postponed += scan.postponed
        for carrier, parts in scan.chosen.items():
            self._give(queue, carrier, self._tie(queue, carrier, parts), allowed, turn)
        if len(taken) < count:
            turn.pick.stranded += put_off(queue, self._choice, turn.open, turn.now)

    def _tie(self, queue: Queue, carrier: str, parts: list[Part]) -> list[Part]:
        """Keep messages of several parts on one carrier: what is tied elsewhere waits there, siblings follow."""
        names = self._carriers_of.get(queue.rule, ())
        mine = []
        for part in parts:
            if part.pinned is not None and part.pinned not in names:
                part.pinned = None
            if part.pinned is None or part.pinned == carrier:
                mine.append(part)
            else:
                queue.tie(part.pinned, part)
        if begun := {part.message_id for part in mine if part.total > 1}:
            queue.begin(begun, carrier)
        return mine


def _in_memory(queue: Queue) -> int:
    return len(queue.heads) + sum(map(len, queue.tied.values()))
