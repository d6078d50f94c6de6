"""An account: who is bound under it, and the deliver_sm that wait for one of them.  No I/O: binds send."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import attrs

from simulator.calendar import Calendar
from simulator.ledger import Entry, Ledger
from simulator.limits import Bucket, Offences
from simulator.mo import MoRun
from simulator.receipts import Delivery
from simulator.scenario import STATUS_BY_NAME, AccountRules, DeliveryRules, Penalty
from simulator.statistics import Counts

TEMPORARY: Final = frozenset(
    STATUS_BY_NAME[name] for name in ("ESME_RSYSERR", "ESME_RMSGQFUL", "ESME_RTHROTTLED", "ESME_RX_T_APPN")
)
"""Answers to deliver_sm after which it is worth sending again."""


class Bind(Protocol):
    """A bound session as its account sees it."""

    number: int
    """Of its link."""
    own: deque[Delivery]
    """Ready, and to leave by this bind."""

    @property
    def receives(self) -> bool:
        """Whether deliver_sm may be sent on it."""

    @property
    def free(self) -> int:
        """How many deliver_sm it takes now."""

    def deliver(self, deliveries: Sequence[Delivery], now: float) -> None:
        """Send them."""

    def ask_to_unbind(self, now: float) -> None:
        """Ask the ESME to leave."""

    def stop(self, reason: str) -> None:
        """End the link without another word."""

    def ring_by(self, at: float) -> None:
        """See to it that the account is asked to `Account.hand_out` at this time."""


@attrs.define(eq=False)
class Account:
    """Binds of one system_id and what they are to be told."""

    rules: AccountRules
    delivery: DeliveryRules
    counts: Counts
    ledger: Ledger
    binds: list[Bind] = attrs.field(factory=list)
    receivers: list[Bind] = attrs.field(factory=list)
    """Those that may be sent deliver_sm; the first looks after the calendar."""
    runs: list[MoRun] = attrs.field(factory=list)
    bucket: Bucket | None = None
    penalty: Penalty | None = None
    on_penalty: Callable[[int], None] | None = None
    """Told the number of each link that the penalty is about to end."""
    _offences: Offences | None = None
    _calendar: Calendar[Delivery] = attrs.field(factory=Calendar)
    _ready: deque[Delivery] = attrs.field(factory=deque)
    _turn: int = 0
    _cancelled: set[str] = attrs.field(factory=set)
    """Carrier message ids."""

    def change(self, delivery: DeliveryRules, penalty: Penalty | None) -> None:
        """Go by other rules from now on."""
        self.delivery, self.penalty = delivery, penalty
        if self._offences is not None and penalty is not None:
            self._offences.rules = penalty

    # --- binds

    def offended(self, number: int, now: float) -> None:
        """Note messages refused for the limits' sake; too many bring the penalty."""
        if self.penalty is None:
            return
        if self._offences is None:
            self._offences = Offences(self.penalty)
        if not self._offences.note(number, now):
            return
        self.counts.penalties += 1
        for bind in list(self.binds) if self.penalty.action != "refuse" else ():
            if self.on_penalty is not None:
                self.on_penalty(bind.number)
            if self.penalty.action == "unbind":
                bind.ask_to_unbind(now)
            else:
                bind.stop("penalty")

    def is_refused(self, now: float) -> bool:
        """Say whether a penalty keeps new binds away."""
        return self._offences is not None and now < self._offences.refused_until

    def join(self, bind: Bind, now: float) -> None:
        """Count a session as bound."""
        self.binds.append(bind)
        if bind.receives:
            self.receivers.append(bind)
            self.receivers[0].ring_by(now)

    def leave(self, bind: Bind, unanswered: Iterable[Delivery], now: float) -> None:
        """Forget a session that is gone; what it had not answered goes to another one, ahead of the rest."""
        if bind not in self.binds:
            return
        self.binds.remove(bind)
        if bind in self.receivers:
            self.receivers.remove(bind)
        again = [delivery for delivery in unanswered if self._may_try_again(delivery)]
        self._ready.extendleft(reversed([*again, *bind.own]))
        self.hand_out(now)
        if self.receivers:
            self.receivers[0].ring_by(self.next_at)

    # --- what waits

    @property
    def pending(self) -> int:
        """Deliveries not sent yet."""
        return len(self._calendar) + len(self._ready) + sum(len(bind.own) for bind in self.receivers)

    @property
    def next_at(self) -> float:
        """When something is due next; infinity when nothing is."""
        return min([self._calendar.next_at, *[run.next_at for run in self.runs]])

    def put(self, delivery: Delivery, at: float, *, wake: bool = True) -> None:
        """Keep a delivery that is due at this time; one too many is dropped and counted.

        Whoever calls `hand_out` right after needs to ``wake`` nobody.
        """
        if self._has_room():
            self._calendar.put(at, delivery)
            if wake and self.receivers:
                self.receivers[0].ring_by(at)

    def put_ready(self, delivery: Delivery) -> None:
        """Keep a delivery that waits only for a bind with room; one too many is dropped and counted."""
        if self._has_room():
            self._make_ready(delivery)

    def _has_room(self) -> bool:
        over = len(self._calendar) + len(self._ready) - self.delivery.max_waiting
        if over < 0 or over < sum(max(0, bind.free - len(bind.own)) for bind in self.receivers):
            return True
        self.counts.deliveries_dropped += 1
        return False

    def _make_ready(self, delivery: Delivery) -> None:
        bind = self._wished(delivery) if delivery.via is not None else None
        (self._ready if bind is None else bind.own).append(delivery)

    def _wished(self, delivery: Delivery) -> Bind | None:
        """Return the bind that a delivery should leave by, or None where there is no such any more."""
        if not delivery.avoids:
            return next((bind for bind in self.receivers if bind is delivery.via), None)
        others = [bind for bind in self.receivers if bind is not delivery.via]
        self._turn += 1
        return others[self._turn % len(others)] if others else None

    def hand_out(self, now: float) -> None:
        """Give all that is due by now to the binds with room."""
        for run in self.runs:
            while run.next_at <= now:
                for delivery in run.take():
                    self.put(delivery, now, wake=False)
        for delivery in self._calendar.take_due(now):
            self._make_ready(delivery)
        self.hand_out_ready(now)

    def hand_out_ready(self, now: float) -> None:
        """Give what is ready to the binds with room, each in its turn."""
        receivers, sent = self.receivers, False
        for offset in range(len(receivers)):
            bind = receivers[(self._turn + offset) % len(receivers)]
            if bind.own or self._ready:
                chosen = self._chosen_for(bind)
                if chosen:
                    bind.deliver(chosen, now)
                    sent = True
        self._turn += sent

    def _chosen_for(self, bind: Bind) -> list[Delivery]:
        free = bind.free
        chosen: list[Delivery] = []
        for queue in (bind.own, self._ready):
            while queue and len(chosen) < free:
                delivery = queue.popleft()
                if not (delivery.settled or (self._cancelled and self._is_void(delivery))):
                    chosen.append(delivery)
        return chosen

    def cancel(self, entry: Entry) -> None:
        """Tell of this message, when its receipt is due, that it was deleted."""
        self._cancelled.add(entry.message_id)

    def _is_void(self, delivery: Delivery) -> bool:
        """Give the last word about a cancelled message its present state; there is no other word about it any more."""
        entry = delivery.entry or delivery.about
        if entry is None or entry.message_id not in self._cancelled:
            return False
        if delivery.final:
            delivery.stat = entry.state
        return not delivery.final

    # --- what became of it

    def answered(self, delivery: Delivery, command_status: int, at: float, now: float) -> None:
        """Take the answer to a deliver_sm; ``at`` is the time of day for the ledger."""
        if command_status in TEMPORARY:
            if self._may_try_again(delivery):
                self.put(delivery, now + self.delivery.retry_s)
            return
        delivery.settled = True
        if command_status:
            self.counts.deliveries_refused += 1
        elif delivery.entry is None:
            self.counts.mo_acknowledged += 1
        else:
            self.counts.receipts_acknowledged += 1
            self.ledger.acknowledged(delivery.entry, delivery.stat, at, final=delivery.final)

    def unanswered(self, delivery: Delivery, bind: Bind) -> None:
        """Send one again whose response timer ran out, on another bind if there is one."""
        self.counts.deliveries_unanswered += 1
        if not self._may_try_again(delivery):
            return
        others = [receiver for receiver in self.receivers if receiver is not bind]
        wished = [receiver for receiver in others if not delivery.avoids or receiver is not delivery.via]
        other = next(iter(wished or others), None)
        (self._ready if other is None else other.own).append(delivery)

    def _may_try_again(self, delivery: Delivery) -> bool:
        if delivery.tries < self.delivery.attempts:
            return True
        self.counts.deliveries_given_up += 1
        return False
