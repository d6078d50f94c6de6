"""One contract with one operator: several binds, one pace, and the credit they offer together."""

import random
from collections.abc import Callable, Mapping, Sequence

import trio

from connector.carrier.attempts import Attempts
from connector.carrier.bind import Bind, BindState
from connector.carrier.claimed import Claimed
from connector.carrier.inbox import Batch, Inbox
from connector.carrier.last_look import LastLook, no_objection
from connector.carrier.limits import HELD_UP_S, Budget, Limits
from connector.carrier.link import Connect
from connector.carrier.numbers import CarrierStatistics as CarrierStatistics
from connector.carrier.outgoing import Outgoing
from connector.carrier.ramp import Ramp, Watch
from connector.carrier.recall import Recall, Recalls
from connector.carrier.setbacks import Prospects, no_prospects
from connector.carrier.translate import Translator
from connector.carrier.urgent import UrgentLanes
from connector.config import CarrierConfig, Credentials, LaneConfig
from connector.model import NotSent, Part, Reason
from connector.smpp.pdu import Pdu

BIND_GAP_S = 0.2
"""Between the first tries of a carrier's binds: carriers take a burst of binds for an attack."""
AHEAD_S = 0.05
"""How far ahead of the pace parts are claimed, besides what a claim takes: further only makes doubt after a crash."""
LONGEST_AHEAD_S = 1.0
SMOOTHING = 0.3
SHORTEST_NAP_S, LONGEST_NAP_S = 0.002, 0.05


class Carrier:
    """The binds of one account, and the credit they offer: free places in the windows and what the pace allows.

    ``reserve`` takes credit before the claim is written, ``submit`` hands in what was claimed, ``release`` gives it
    back.  Claims run a little ahead of the pace; tokens are taken when parts leave.
    """

    def __init__(
        self,
        config: CarrierConfig,
        lanes: Mapping[str, LaneConfig],
        inbox: Inbox,
        *,
        credentials: Sequence[Credentials],
        connect: Connect,
        clock: Callable[[], float],
        random: random.Random,
        prospects: Prospects = no_prospects,
        last_look: LastLook = no_objection,
    ) -> None:
        """``prospects`` tells what else there is for a part that this carrier does not take."""
        self.config = config
        self.name = config.name
        self._inbox = inbox
        self._clock = clock
        self.limits = Limits(config)
        urgent = UrgentLanes(lanes)
        self._outgoing, self._claimed = Outgoing(urgent), Claimed(urgent)
        self._claim_s = 0.0
        self._wake = trio.Event()
        self._draining = False
        self.suspended = False
        """Whether an operator has said that nothing is to be sent."""
        self.ramp = Ramp(config.ramp, config.ramp_limits)
        self._set_ceiling()
        watched = Watch(inbox, self.ramp, config.name) if config.ramp else inbox
        translator = Translator(config, lanes, prospects, last_look)
        self._attempts = Attempts(config.tries_per_minute)
        self._recalls = Recalls(lambda: self._places() - len(self._claimed), self._stir)
        self.binds: list[Bind] = []
        for settings, secrets in zip(config.bind, credentials, strict=True):
            for _ in range(settings.count):
                name = f"{config.name}/{len(self.binds) + 1}"
                self.limits.bind(name, settings.rate_per_s)
                bind = Bind(
                    name,
                    settings,
                    secrets,
                    translator,
                    watched,
                    self.limits,
                    self._attempts,
                    self._recalls,
                    connect=connect,
                    clock=clock,
                    random=random,
                )
                self.binds.append(bind)

    # --- what outlives a restart ---

    def facts(self) -> dict[str, str]:
        """Return what is to be known of it after a restart, by name; empty texts where there is nothing."""
        return {f"suspended {self.name}": "yes" if self.suspended else "", f"ramp {self.name}": self.ramp.memory}

    def recall(self, facts: Mapping[str, str]) -> None:
        """Go on as an earlier run left it."""
        self.suspended = bool(facts.get(f"suspended {self.name}"))
        self.ramp.recall(facts.get(f"ramp {self.name}", ""))
        self._set_ceiling()

    def _set_ceiling(self) -> None:
        """Keep to the contract, and to the present stage of a ramp."""
        rates = [rate for rate in (self.config.rate_per_s, self.ramp.rate_per_s) if rate is not None]
        self.limits.account.set_ceiling(min(rates, default=None))

    # --- credit ---

    def credit(self, now: float, keep_free: float = 0.0) -> int:
        """Return how many parts may be claimed for this carrier now, by who must leave a share of all windows free.

        The share is of places, rounded down.  Who leaves none may also claim twice as far ahead of the pace, so that
        what others have claimed never stands in its way.  The others claim when half of what they may is gone: a few
        claims of many parts cost less, and delay an urgent one less, than many of a few.
        """
        if self._draining or self.suspended:
            return 0
        places = self._places() - len(self._claimed)
        allowed = self._coming(now, 2 * self.ahead_s)
        if allowed is not None:
            places = min(places, allowed - len(self._claimed))
        if keep_free:
            places = min(places, self._others_may(now, keep_free))
        return max(0, places)

    def _others_may(self, now: float, keep_free: float) -> int:
        """Return how many parts of lanes that keep nothing free may be claimed."""
        kept = int(keep_free * sum(bind.window_size for bind in self.binds))
        places = self._places() - len(self._claimed) - kept
        allowed = self._coming(now, self.ahead_s)
        if allowed is None:
            return places
        return 0 if 2 * self._claimed.others > allowed else min(places, allowed - self._claimed.others)

    @property
    def up(self) -> bool:
        """Whether it takes parts now, or will when a place is free."""
        return not (self._draining or self.suspended) and any(bind.window_size for bind in self.binds)

    @property
    def is_bound(self) -> bool:
        """Whether any bind is up."""
        return any(bind.state is BindState.BOUND for bind in self.binds)

    @property
    def draining(self) -> bool:
        """Whether it takes nothing more."""
        return self._draining

    @property
    def reason(self) -> str:
        """Why its first bind that is not up is not; empty if all are."""
        return next((bind.reason for bind in self.binds if bind.state is not BindState.BOUND), "")

    @property
    def silent_s(self) -> float:
        """How long none of its binds has answered anything, while requests wait; 0 when none wait."""
        return min((silent for bind in self.binds if (silent := bind.silent_s)), default=0.0)

    @property
    def link_ends(self) -> int:
        """Links that ended other than by an unbind, since the start."""
        return sum(bind.link_ends for bind in self.binds)

    def bound_since(self, bind: str) -> float | None:
        """Return when the present link of this bind was bound, 0 where it drains; None while there is none."""
        return next((it.bound_since for it in self.binds if it.name == bind), None)

    @property
    def ahead_s(self) -> float:
        """How far ahead of the pace parts are claimed, in seconds: a slice, and twice what a claim takes."""
        return min(LONGEST_AHEAD_S, AHEAD_S + 2 * self._claim_s)

    @property
    def claimed(self) -> int:
        """Parts that have credit and have not left."""
        return len(self._claimed)

    def suspend(self) -> None:
        """Offer no credit until `resume`; the binds stay, and what was claimed and not written waits again."""
        self.suspended = True
        self._return(self._outgoing.give_up(len(self._outgoing)), Reason.SUSPENDED)
        self._inbox.credit_changed()

    def resume(self) -> None:
        """Offer credit again, and let a halted ramp rise again."""
        self.suspended = False
        self.ramp.resume()
        self._inbox.credit_changed()

    def change(self, config: CarrierConfig) -> None:
        """Keep to another rate and to other limits of countries and senders from now on; the binds stay as they are."""
        self.config = config
        self.limits.change(config)
        self._set_ceiling()
        self._inbox.credit_changed()

    def succeed(self, other: "Carrier") -> None:
        """Go on where another life of the same account has ended: suspended or not, at its stage of the ramp, with the
        tries to bind of the last minute and at the rate the carrier bore."""
        self.suspended = other.suspended
        self._attempts.succeed(other._attempts)
        self.limits.account.succeed(other.limits.account)
        if self.config.ramp == other.config.ramp:
            self.ramp.stage, self.ramp.began_at = other.ramp.stage, other.ramp.began_at
            self.ramp.halted = other.ramp.halted
            self._set_ceiling()

    def claim_took(self, seconds: float) -> None:
        """Take note of how long a claim was on its way to disk."""
        self._claim_s += (seconds - self._claim_s) * SMOOTHING

    def budget(self, now: float) -> Budget | None:
        """Return what its countries and senders may claim in this turn; None where none of them is limited."""
        return self.limits.budget(self._claimed.parts, now, self.ahead_s)

    def next_credit_at(self, now: float) -> float | None:
        """Return when time alone will bring credit; None if it depends on answers, or some is there."""
        if self._draining or self.suspended or self._places() <= len(self._claimed):
            return None
        times = [self.limits.next_opening(now)]
        if not self._claimed:  # otherwise what leaves next makes room
            times.append(self._opens_at(now) - self.ahead_s)
        return min((at for at in times if at is not None and at > now), default=None)

    def reserve(self, parts: Sequence[Part]) -> None:
        """Take credit for parts about to be claimed."""
        self._claimed.add(parts)

    def release(self, parts: Sequence[Part]) -> None:
        """Give back credit of claims that lost."""
        self._claimed.release(parts)
        self._recalls.stir()

    def _places(self) -> int:
        return sum(bind.free for bind in self.binds)

    def _coming(self, now: float, ahead_s: float) -> int | None:
        """Return what account and binds let leave within ``ahead_s`` from now; None means any number."""
        account = self.limits.account.coming(now, ahead_s)
        if not self.limits.any_bind(now):
            return account
        binds = [self.limits.bind(bind.name).coming(now, ahead_s) for bind in self.binds if bind.window_size]
        if any(coming is None for coming in binds):
            return account
        whole = sum(coming or 0 for coming in binds)
        return whole if account is None else min(account, whole)

    def _opens_at(self, now: float, *, urgent: bool = False) -> float:
        account = self.limits.account.opens_at(now, urgent=urgent)
        if not self.limits.any_bind(now):
            return account
        binds = [self.limits.bind(bind.name).opens_at(now) for bind in self.binds if bind.window_size]
        return max(account, min(binds, default=now))

    # --- parts ---

    def submit(self, parts: Sequence[Part]) -> None:
        """Take claimed parts for which credit is reserved; they leave at the carrier's pace.

        What finds no place any more comes back as not sent.
        """
        if self.suspended:
            self._return(parts, Reason.SUSPENDED)
            return
        now = self._clock()
        if not (self._outgoing or self._is_paced(now)) and len(parts) <= self._places():
            self.limits.account.take(len(parts), now)
            self._share_out(parts, now)  # nothing to wait for
            return
        self._outgoing.add(parts, now)
        self._let_leave()
        if self._outgoing:
            self._wake.set()

    def _let_leave(self) -> None:
        """Send what may leave now; give back what lost its place or would wait too long."""
        now = self._clock()
        if self._opens_at(now) > now + max(HELD_UP_S, 2 * self.ahead_s):
            self._return(self._outgoing.give_up(len(self._outgoing)), Reason.THROTTLED)
            return
        self._return(self._outgoing.give_up(len(self._outgoing) - self._places()), Reason.NO_BIND)
        leaving = self._leaving(now)
        if leaving:
            self.limits.account.take(len(leaving), now)
            if self.ramp.left(now):
                self._set_ceiling()
            self._share_out(leaving, now)
            if self._claimed or self._is_paced(now):  # otherwise only places count, and answers bring those
                self._inbox.credit_changed()

    def _leaving(self, now: float) -> list[Part]:
        places = sum(self._rooms(now).values())
        allowed = self.limits.account.room(now)
        room = places if allowed is None else min(places, allowed)
        first = self.limits.account.room(now, urgent=True)
        urgent = places if first is None else min(places, first)
        if not self.limits.nested:
            return self._outgoing.take(room, now, urgent=urgent)
        leaving = self._outgoing.take(room, now, urgent=urgent, admits=Budget(self.limits, (), now, 0.0).admits)
        self.limits.take(leaving, now)
        held_up = self._outgoing.take(
            len(self._outgoing), now, admits=lambda part: self.limits.opens_at(part, now) > now + HELD_UP_S
        )
        self._return(held_up, Reason.THROTTLED)
        return leaving

    def _rooms(self, now: float) -> dict[Bind, int]:
        """Return how many parts each bind may be handed now, the one with the most room first."""
        rooms = {bind: free for bind in self.binds if (free := bind.free)}
        if self.limits.any_bind(now):
            for bind, free in rooms.items():
                allowed = self.limits.bind(bind.name).room(now)
                rooms[bind] = free if allowed is None else min(free, allowed)
        return dict(sorted(rooms.items(), key=lambda item: -item[1])) if len(rooms) > 1 else rooms

    def _share_out(self, parts: Sequence[Part], now: float) -> None:
        """Hand parts to the binds: those of one message stay together, in order, on one bind where it has room."""
        self.release(parts)
        start = 0
        for bind, room in self._rooms(now).items():
            share = parts[start : start + room]
            if not share:
                break
            self.limits.bind(bind.name).take(len(share), now)
            bind.submit(share)
            start += len(share)

    def _return(self, parts: Sequence[Part], reason: Reason) -> None:
        """Put parts back that were claimed and do not leave."""
        if not parts:
            return
        self.release(parts)
        now = self._clock()
        batch = Batch(_nothing_owed)
        batch.results += [NotSent(part.id, part.attempt, now, self.name, reason) for part in parts]
        batch.returned.update((part.id, part) for part in parts)
        self._inbox.put(batch)

    async def _keep_pace(self) -> None:
        """Let parts leave when their moment comes."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._outgoing:
                now = self._clock()
                await trio.sleep(min(LONGEST_NAP_S, max(SHORTEST_NAP_S, self._next_leaving(now) - now)))
                self._let_leave()

    def _is_paced(self, now: float) -> bool:
        limits = self.limits
        return limits.account.room(now) is not None or limits.nested or limits.any_bind(now)

    def _next_leaving(self, now: float) -> float:
        opens_at = self._opens_at(now, urgent=self._outgoing.next_is_urgent)
        if opens_at > now:
            return opens_at
        return self.limits.next_opening(now) or now + LONGEST_NAP_S

    # --- parts it took ---

    @property
    def gives_back(self) -> bool:
        """Whether it knows cancel_sm, as its dialect says."""
        return self.config.dialect.cancel_sm

    async def ask_back(self, recalls: Sequence[Recall]) -> None:
        """Ask for parts back that it took; each has been told what came of it on return.

        That takes `PLACE_WITHIN_S` and the response timer at most.  An answer later than that is not heard any more.
        """
        if not self._draining:
            await self._recalls.ask(recalls)
            self._inbox.credit_changed()  # the places that were kept for them
        for recall in recalls:
            recall.tell(Reason.NO_BIND)

    def _stir(self) -> None:
        for bind in self.binds:
            bind.stir()

    # --- its life ---

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Keep all binds up until cancelled or drained."""
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                nursery.start_soon(self._keep_pace)
                async with trio.open_nursery() as binds:
                    for number, bind in enumerate(self.binds):
                        if number:
                            await trio.sleep(BIND_GAP_S)
                        binds.start_soon(bind.run)
                nursery.cancel_scope.cancel()
        finally:
            self._return(self._outgoing.give_up(len(self._outgoing)), Reason.NO_BIND)

    def renew(self, credentials: Sequence[Credentials]) -> None:
        """Bind with these, one for each bind of the configuration, from the next time on; what is up stays up."""
        each = (new for settings, new in zip(self.config.bind, credentials, strict=True) for _ in range(settings.count))
        for bind, new in zip(self.binds, each, strict=True):
            bind.renew(new)

    async def drain(self) -> None:
        """Take nothing more, wait for the answers due, unbind every bind."""
        self._draining = True
        self._return(self._outgoing.give_up(len(self._outgoing)), Reason.DRAINING)
        async with trio.open_nursery() as nursery:
            for bind in self.binds:
                nursery.start_soon(bind.drain)

    def statistics(self) -> CarrierStatistics:
        """Return the numbers of this moment."""
        now = self._clock()
        return CarrierStatistics(
            name=self.name,
            bound=sum(bind.state is BindState.BOUND for bind in self.binds),
            credit=self.credit(now),
            claimed=len(self._claimed),
            wait_s=self._outgoing.wait_s,
            throttled=self.limits.throttled,
            limits=self.limits.statistics(now),
            suspended=self.suspended,
            ramp_stage=self.ramp.stage,
            ramp_halted=self.ramp.halted,
            binds=tuple(bind.statistics() for bind in self.binds),
        )


def _nothing_owed(responses: Sequence[Pdu]) -> None:
    assert not responses
