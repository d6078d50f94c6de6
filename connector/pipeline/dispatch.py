"""From waiting to the wire: credit comes up, parts are picked for it, claimed on disk, and handed to their carrier."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import trio

from connector.carrier.carrier import Carrier
from connector.config import LaneConfig
from connector.lifecycle import Event
from connector.model import Claim, Move, Moved, Part, Reason, Wanted
from connector.pipeline.routing import Routing
from connector.pipeline.turn import Offer, Pick
from connector.store.store import Store

CLAIM_PARTS = 250
"""Parts of one claim: a window or a few, and a transaction that an urgent one never waits long behind."""
MOVES_PER_COMMIT = 100
_PATIENCE_S = 3600.0


class Dispatch:
    """Turns credit into claims, and claims into submissions.

    Two claims may be on their way to disk at once: one of urgent lanes and one of the others, so that an OTP never
    waits out the commit of a campaign.  Credit is reserved when parts are picked, so no place is given twice.
    """

    def __init__(
        self,
        store: Store,
        routing: Routing,
        carriers: Mapping[str, Carrier],
        clock: Callable[[], float],
        count: Callable[[Iterable[Moved]], None],
    ) -> None:
        """``count`` is told where parts came to."""
        self._store = store
        self._lanes = routing.lanes
        self._choice = routing.choice
        self._every_lane = routing.every_lane
        self._carriers_of = routing.carriers_of
        self._carriers = carriers
        self._clock = clock
        self._count = count
        self.change(routing.lane)
        self._claiming: dict[bool, dict[str, list[Part]]] = {}
        """Parts being claimed, by carrier: under True the urgent ones, under False the others."""
        self._leaving: set[int] = set()
        self._fusing = 0
        """Messages whose append and claim are on their way to disk in one commit."""
        self._wake = trio.Event()
        self._claimed = trio.lowlevel.ParkingLot()
        self._stopped = False

    def wake(self) -> None:
        """Say that something waits, or that credit came."""
        self._wake.set()

    def change(self, settings: Mapping[str, LaneConfig]) -> None:
        """Dispatch for these lanes from the next turn on."""
        self._lanes.ceilings.change(settings)
        self._urgent = tuple(name for name, lane in settings.items() if lane.urgent)
        self._bulk = tuple(name for name, lane in settings.items() if not lane.urgent)
        self._keeping = sorted({0.0, *(lane.keep_free for lane in settings.values())})

    def claiming(self, carrier: str) -> int:
        """Return how many parts are being claimed for this carrier: their commit is under way."""
        return sum(len(chosen.get(carrier, ())) for chosen in self._claiming.values())

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopped = True

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Dispatch until cancelled."""
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                if not self._stopped:
                    self._turn(nursery)
                with trio.move_on_after(self._nap()):
                    await self._wake.wait()
                self._wake = trio.Event()

    # --- one turn ---

    def _turn(self, nursery: trio.Nursery) -> None:
        now = self._clock()
        wanted = self._lanes.wanted(self.in_hand())
        if wanted:
            nursery.start_soon(self._refill, wanted)
        open_lanes = (() if True in self._claiming else self._urgent) + (() if False in self._claiming else self._bulk)
        if open_lanes:
            offers = {name: self._offer(carrier, now) for name, carrier in self._carriers.items()}
            self._start(self._lanes.pick(offers, open_lanes, now), nursery)

    def _offer(self, carrier: Carrier, now: float) -> Offer:
        credit = self._choice.credit(carrier.name, min(carrier.credit(now), CLAIM_PARTS))
        kept = self._kept(carrier, credit, self._keeping[0], now)
        offer = Offer(credit, kept, kept_from={k: self._kept(carrier, credit, k, now) for k in self._keeping[1:-1]})
        budget = carrier.budget(now)
        if budget is not None:
            offer.admits, offer.give_back = budget.admits, budget.give_back
        return offer

    def _kept(self, carrier: Carrier, credit: int, keep_free: float, now: float) -> int:
        """Return how many places are kept from lanes that keep this part of a window free, for those that keep more."""
        more = self._keeping[-1] - keep_free
        return max(0, credit - carrier.credit(now, keep_free=more)) if more else 0

    def _start(self, pick: Pick, nursery: trio.Nursery) -> None:
        self._leaving.update(part.id for part in pick.expired)
        if pick.expired:
            nursery.start_soon(self.expire, pick.expired)
        for put_off, reason in ((pick.postponed, Reason.QUIET_HOURS), (pick.stranded, Reason.NO_BIND)):
            if put_off:
                self._leaving.update(part.id for part, _ in put_off)
                nursery.start_soon(self._postpone, put_off, reason)
        for urgent in (True, False):
            lanes = self._urgent if urgent else self._bulk
            chosen = {name: [part for part in parts if part.lane in lanes] for name, parts in pick.parts.items()}
            chosen = {name: parts for name, parts in chosen.items() if parts}
            if chosen:
                self._claiming[urgent] = chosen
                for name, parts in chosen.items():
                    self._carriers[name].reserve(parts)
                nursery.start_soon(self._claim, urgent, chosen)

    async def _claim(self, urgent: bool, chosen: dict[str, list[Part]]) -> None:
        claims = [self._claim_of(part, name) for name, parts in chosen.items() for part in parts]
        began = self._clock()
        try:
            won = {claim.part for claim in await self._store.claim(claims, now=began)}
            for name, parts in chosen.items():
                self._carriers[name].claim_took(self._clock() - began)
                self._hand_over(name, parts, won)
        finally:
            del self._claiming[urgent]
            self._claimed.unpark_all()
            self.wake()

    async def settled(self) -> None:
        """Wait until no claim is on its way to disk."""
        while self._claiming or self._fusing:
            await self._claimed.park()

    def _claim_of(self, part: Part, carrier: str) -> Claim:
        if part.total == 1:
            return Claim(part.id, part.attempt + 1, carrier, part.doubts)
        named = tuple(self._carriers_of.get(self._lanes.queue(part.queue).rule, ()))
        return Claim(part.id, part.attempt + 1, carrier, part.doubts, named)

    def _hand_over(self, name: str, parts: Sequence[Part], won: Iterable[int]) -> None:
        mine = [part for part in parts if part.id in won]
        if len(mine) < len(parts):
            # somebody moved them meanwhile and has taken them off the queue's count; we did so a second time
            lost = [part for part in parts if part.id not in won]
            self._carriers[name].release(lost)
            for part in lost:
                queue = self._lanes.queue(part.queue)
                queue.waiting += 1
                if part.total > 1:
                    queue.read_again(part.message_id)  # of one that was begun elsewhere it waits still
        for part in mine:
            _claimed(part, name)
        if mine:
            self._carriers[name].submit(mine)

    # --- urgent messages: one commit for append and claim ---

    def fuse(self, parts: Sequence[Part], now: float) -> list[Claim]:
        """Return claims for parts of one message about to be kept, if they could leave at once; else none.

        Only where nothing of their queue waits, so that nobody is overtaken, and for a message as a whole.
        """
        first, queue = parts[0], self._lanes.queue(parts[0].queue)
        if self._stopped or first.lane not in self._urgent or queue.waiting or self._choice.is_quiet(first, now):
            return []
        for name in self._choice.order(first, queue.rule):
            if self._takes_all(name, parts, now) and self._choice.sure(name, first, queue.rule):
                self._carriers[name].reserve(parts)
                self._lanes.ceilings.take(first.lane, name, len(parts), now)
                self._fusing += 1
                return [self._claim_of(part, name) for part in parts]
        return []

    def _takes_all(self, name: str, parts: Sequence[Part], now: float) -> bool:
        carrier = self._carriers[name]
        ceiling = self._lanes.ceilings.room(parts[0].lane, name, now)
        if carrier.credit(now) < len(parts) or (ceiling is not None and ceiling < len(parts)):
            return False
        budget = carrier.budget(now)
        return budget is None or all(map(budget.admits, parts))

    def fused(self, parts: Sequence[Part], claims: Sequence[Claim], *, kept: bool) -> None:
        """Submit parts whose claims `fuse` gave, now that they are on disk; or give the places back if they are not."""
        name = claims[0].carrier
        self._fusing -= 1
        self._claimed.unpark_all()
        if kept:
            for part in parts:
                _claimed(part, name)
            self._carriers[name].submit(parts)
        else:
            self._carriers[name].release(parts)
            self.wake()

    # --- the rest ---

    def in_hand(self) -> list[int]:
        """Return the parts that are in nobody's queue while a commit about them is under way."""
        claiming = [part.id for chosen in self._claiming.values() for parts in chosen.values() for part in parts]
        return [*claiming, *self._leaving]

    async def _refill(self, wanted: Sequence[Wanted]) -> None:
        heads = await self._store.heads(wanted)
        for wish in wanted:
            self._lanes.queue(wish.queue).refill(heads.get(wish.queue, []))
        self.wake()

    async def expire(self, parts: Sequence[Part]) -> None:
        """End parts that were taken out past their deadline; those in doubt are not sent again, and go on waiting for
        the carrier's word."""
        now = self._clock()
        await self._take_out(
            [
                Move(part.id, Event.HELD, Reason.TOO_LATE_TO_RESEND, now + self._every_lane[part.lane].patience_s)
                if part.doubts
                else Move(part.id, Event.EXPIRED, Reason.DEADLINE)
                for part in parts
            ],
            parts,
        )

    async def _postpone(self, parts: Sequence[tuple[Part, float]], reason: Reason) -> None:
        """Let parts wait on disk until it is worth while to look at them again."""
        moves = [Move(part.id, Event.POSTPONED, reason, until) for part, until in parts]
        await self._take_out(moves, [part for part, _ in parts])
        self.wake()  # there may be others behind them that may go

    async def _take_out(self, moves: Sequence[Move], parts: Sequence[Part]) -> None:
        """Move parts on disk that are out of memory, and off the count of their queue, already."""
        self._leaving.update(part.id for part in parts)
        try:
            for start in range(0, len(moves), MOVES_PER_COMMIT):
                some = moves[start : start + MOVES_PER_COMMIT]
                moved = await self._store.change(some, now=self._clock())
                self._count(moved)
                self._count_again(parts[start : start + MOVES_PER_COMMIT], moved)
        finally:
            self._leaving.difference_update(part.id for part in parts)

    def _count_again(self, parts: Iterable[Part], moved: Iterable[Moved]) -> None:
        """Correct the count for parts that somebody else moved meanwhile, who took them off it a second time."""
        done = {change.part for change in moved}
        for part in parts:
            if part.id not in done:
                self._lanes.queue(part.queue).waiting += 1

    def _nap(self) -> float:
        """Return how long nothing will change by time alone."""
        now = self._clock()
        times = [carrier.next_credit_at(now) for carrier in self._carriers.values()]
        times += [self._lanes.ceilings.next_opening(now), self._choice.next_change(now), self._lanes.next_look(now)]
        return max(0.001, min((at - now for at in times if at is not None), default=_PATIENCE_S))


def _claimed(part: Part, carrier: str) -> None:
    """Note on a part what its claim wrote on disk."""
    part.attempt += 1
    part.last = carrier
    if part.total > 1:
        part.pinned = carrier
