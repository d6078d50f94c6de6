"""The waiting parts in memory, and how lanes share the credit that carriers offer.

A queue holds the next few hundred parts of what waits on disk, earliest deadline first; the rest stays there.  `pick`
is pure and synchronous: the whole decision of what leaves next is here.
"""

from bisect import insort
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Final

from connector.config import LaneConfig
from connector.model import Moved, Part, QueueState, Refiled, Wanted
from connector.pipeline.ceilings import Ceilings
from connector.pipeline.queue import Entry, Queue
from connector.pipeline.scan import Scan
from connector.pipeline.shares import apportion, forget
from connector.pipeline.turn import Anyone, Chooser, Offer, Pick, Turn

LEAST_WEIGHT: Final = 0.01
"""Of a lane without a reserve: it may not starve."""


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
        self._choice = choice or Anyone(carriers_of)
        self.ceilings = Ceilings(lanes)
        self._queues: dict[int, Queue] = {}
        self._by_lane: dict[str, list[Queue]] = {name: [] for name in lanes}
        self._pinned: dict[str, list[Entry]] = {}
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
                self._queues[part.queue].bring(part)
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

    def left(self, moved: Iterable[Moved]) -> None:
        """Take note of parts that wait no more because somebody moved them on disk."""
        for change in moved:
            if change.left is None:
                continue
            self._queues[change.left].gone(change.part)
            for carrier, entries in self._pinned.items():
                self._pinned[carrier] = [entry for entry in entries if entry[1] != change.part]

    def shut(self, queues: Collection[int]) -> None:
        """Let nothing of these queues be picked until `reopen`; what is in hand is the caller's business."""
        for carrier, entries in self._pinned.items():
            self._pinned[carrier] = [entry for entry in entries if entry[2].queue not in queues]
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
            if message in old.begun and message not in new.begun:
                new.begin([message], old.begun[message])
        for queue, count in came.items():
            self._queues[queue].grew_on_disk(count)

    def free(self, messages: Collection[int]) -> None:
        """Forget which carrier messages of several parts were begun on: what waits of them is read from disk again."""
        for carrier, entries in self._pinned.items():
            self._pinned[carrier] = [entry for entry in entries if entry[2].message_id not in messages]
        for queue in self._queues.values():
            for message in messages:
                queue.begun.pop(message, None)

    def untie(self, freed: Part, refused: tuple[str, ...]) -> None:
        """Let the other parts of a message go anywhere but through these carriers: nobody has anything of it."""
        message = freed.message_id
        self._queues[freed.queue].untie(message, refused)
        for carrier, entries in self._pinned.items():
            mine = [entry[2] for entry in entries if entry[2].message_id == message]
            if mine:
                self._pinned[carrier] = [entry for entry in entries if entry[2].message_id != message]
            for part in mine:
                part.pinned, part.refused = None, refused
                self._queues[part.queue].bring(part)

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
        turn = Turn(offers, now)
        self._pick_pinned(turn, lanes)
        self._forget_idle()
        usable = self._usable(self._lanes, turn)
        shares = self._shares(turn.lent, usable)
        waiting = sum(share for name, share in shares.items() if name not in lanes)
        while usable := {name: queues for name, queues in usable.items() if name in lanes}:
            picked = 0
            for name, queues in usable.items():
                own = turn.kept if self._lanes[name].keep_free else 0
                picked += self._pick_lane(name, queues, shares[name] + own, turn)
            if not picked:
                break
            usable = self._usable(lanes, turn)
            shares = self._shares(max(0, turn.lent - waiting), usable)
        self._pick_pinned(turn, lanes)
        return turn.pick

    def _forget_idle(self) -> None:
        forget(self._lane_carry, {name for name in self._lane_carry if any(q.heads for q in self._by_lane[name])})
        for carry in self._queue_carry.values():
            forget(carry, {name for name in carry if self._queues[int(name)].heads})

    def _usable(self, lanes: Iterable[str], turn: Turn) -> dict[str, list[Queue]]:
        """Return, by lane, the queues with something to send and a carrier that would take it now."""
        usable: dict[str, list[Queue]] = {}
        for lane in lanes:
            if self._choice.is_shut(lane, turn.now):
                continue
            able = {name for name in turn.offers if self._room(lane, name, turn) > 0}
            for queue in self._by_lane[lane]:
                if not queue.heads or queue.id in turn.pick.stuck:
                    continue
                if not able.isdisjoint(self._carriers_of.get(queue.rule, ())):
                    usable.setdefault(lane, []).append(queue)
        return usable

    def _room(self, lane: str, carrier: str, turn: Turn) -> int:
        """Return how many parts of this lane a carrier takes now, and the lane's ceilings let it have."""
        offer = turn.offers.get(carrier)
        room = 0 if offer is None else offer.usable(self._lanes[lane])
        if room > 0 and self.ceilings.limits(lane):
            ceiling = self.ceilings.room(lane, carrier, turn.now)
            return room if ceiling is None else min(room, ceiling)
        return room

    def _give(self, lane: str, carrier: str, parts: list[Part], turn: Turn) -> None:
        """Let these parts of a lane go to a carrier."""
        turn.pick.add(carrier, parts)
        turn.offers[carrier].take(len(parts), self._lanes[lane])
        if parts and self.ceilings.limits(lane):
            self.ceilings.take(lane, carrier, len(parts), turn.now)

    def _shares(self, budget: int, usable: Iterable[str]) -> dict[str, int]:
        weights = {name: self._lanes[name].reserve or LEAST_WEIGHT for name in usable}
        return apportion(budget, weights, self._lane_carry) if weights else {}

    def _pick_pinned(self, turn: Turn, lanes: Collection[str]) -> None:
        for carrier in [name for name, entries in self._pinned.items() if entries and name in turn.offers]:
            for lane in lanes:
                self._pick_tied(carrier, lane, turn)

    def _pick_tied(self, carrier: str, lane: str, turn: Turn) -> None:
        """Take the parts of a lane that wait for the carrier they are tied to, as far as it has room for the lane."""
        offer, now = turn.offers[carrier], turn.now
        room = self._room(lane, carrier, turn)
        waiting = [entry for entry in self._pinned[carrier] if entry[2].lane == lane]
        taken = [entry for entry in waiting if not self._is_held(entry, now)][:room] if room > 0 else []
        if offer.admits is not None:
            taken = [entry for entry in taken if entry[0] <= now or offer.admits(entry[2])]
        if not taken:
            return
        gone = {entry[1] for entry in taken}
        self._pinned[carrier] = [entry for entry in self._pinned[carrier] if entry[1] not in gone]
        for entry in taken:
            self._queues[entry[2].queue].waiting -= 1
        turn.pick.expired += [entry[2] for entry in taken if entry[0] <= now]
        self._give(lane, carrier, [entry[2] for entry in taken if entry[0] > now], turn)

    def _is_held(self, entry: Entry, now: float) -> bool:
        """Tell whether a part keeps its place because it is quiet where it goes; one past its deadline does not."""
        return entry[0] > now and self._choice.is_quiet(entry[2], now)

    def _pick_lane(self, lane: str, queues: Sequence[Queue], share: int, turn: Turn) -> int:
        """Take up to ``share`` parts from the queues of a lane, in equal shares for all API keys; return how many."""
        share = min(share, sum(max(0, self._room(lane, name, turn)) for name in turn.offers))
        if share <= 0:
            return 0
        by_name = {str(queue.id): queue for queue in queues}
        each = Counter(queue.api_key for queue in queues)
        weights = {name: 1 / each[queue.api_key] for name, queue in by_name.items()}
        shares = apportion(share, weights, self._queue_carry[lane])
        return sum(self._pick_queue(by_name[name], count, turn) for name, count in shares.items() if count)

    def _pick_queue(self, queue: Queue, count: int, turn: Turn) -> int:
        turn.pick.expired += queue.expired(turn.now)
        if self._choice.is_plain(queue):
            picked = self._pick_in_order(queue, count, turn)
        else:
            picked = self._pick_one_by_one(queue, count, turn)
        if not picked:
            turn.pick.stuck.add(queue.id)
        return picked

    def _pick_in_order(self, queue: Queue, count: int, turn: Turn) -> int:
        left = count
        for carrier in self._carriers_of.get(queue.rule, ()):
            offer = turn.offers.get(carrier)
            usable = min(left, self._room(queue.lane, carrier, turn))
            while offer is not None and usable > 0 and queue.heads:
                taken = queue.take(usable) if offer.admits is None else queue.take_where(usable, offer.admits)
                if not taken:
                    break
                mine = self._pin(queue, carrier, taken)
                self._give(queue.lane, carrier, mine, turn)
                usable -= len(mine)
                left -= len(mine)
        return count - left

    def _pick_one_by_one(self, queue: Queue, count: int, turn: Turn) -> int:
        """Take up to ``count`` parts, each for the best carrier that has room for it; return how many leave."""
        names = self._carriers_of.get(queue.rule, ())
        rooms = {name: room for name in names if (room := self._room(queue.lane, name, turn)) > 0}
        whole = self.ceilings.room(queue.lane, None, turn.now)
        scan = Scan(self._choice, queue.rule, names, rooms, turn.offers, turn.now)
        queue.take_where(count if whole is None else min(count, whole), scan.admits, alike=False)
        turn.pick.postponed += scan.postponed
        picked = 0
        for carrier, parts in scan.chosen.items():
            if mine := self._pin(queue, carrier, parts):
                self._give(queue.lane, carrier, mine, turn)
                picked += len(mine)
        return picked

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
