"""Which submit_sm and data_sm are accepted: checked, judged by rules, held to limits, counted.  No I/O.

A batch goes through as a whole; what costs something per message is looked at only where the scenario has it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from connector.smpp import tables
from connector.smpp.pdu import SubmitSm
from connector.smpp.tlv import Tlv, tlv
from simulator.acceptance import Acceptance
from simulator.calendar import on_tick
from simulator.judge.chronicle import Chronicle
from simulator.ledger import Entry, Ledger
from simulator.limits import Bucket
from simulator.link.answers import Changed, refusal
from simulator.queue import Backlogs
from simulator.rules import Play, Rulebook
from simulator.scenario import Rate, Scenario, status_number
from simulator.statistics import Counts
from simulator.submits import Batch, Submit, Submitter
from simulator.times import fault_of_times

Judge = Callable[[Submit], int]
"""Returns the command_status a message is refused with, or 0."""
MOST_SENDERS: Final = 10_000
NEARLY_CONGESTED: Final = 99
CONGESTED: Final = 100
"""congestion_state that goes with a refusal because the queue is full or the rate is used up (SMPP 5.0, 4.8.4.18)."""
RATE, WINDOW, QUEUE = "limits.rate", "limits.window", "queue"
"""Keys of what refuses messages."""
MESSAGES: Final = "messages"
"""Stream of ordinals for rules."""


class _Limited(Protocol):
    """What may have a bucket of its own: a bind, an account, the carrier."""

    bucket: Bucket | None


def _fault(pdu: Submit) -> int:
    """Return the status that a strict carrier refuses this with, or 0.

    An address beyond ASCII is refused too: it could not be echoed in a receipt, where only ASCII is legal.
    """
    if pdu.oddities and pdu.fault:
        return pdu.fault
    if not pdu.source_addr.isascii():
        return tables.ESME_RINVSRCADR
    return 0 if pdu.destination_addr.isascii() else tables.ESME_RINVDSTADR


def _fault_or_wrong_time(pdu: Submit) -> int:
    fault = _fault(pdu)
    if fault or type(pdu) is not SubmitSm or not (pdu.validity_period or pdu.schedule_delivery_time):
        return fault
    return fault_of_times(pdu)


class Intake:
    """Takes messages for all binds of the carrier."""

    def __init__(
        self,
        scenario: Scenario,
        ledger: Ledger,
        counts: Counts,
        clock: Callable[[], float],
        rulebook: Rulebook,
        chronicle: Chronicle,
    ) -> None:
        self._counts = counts
        self._rulebook = rulebook
        self._chronicle = chronicle
        self._started_at = 0.0
        self._backlogs = Backlogs()
        self._acceptance = Acceptance(scenario, ledger, counts, clock, self._backlogs, rulebook.faults)
        self._number = scenario.response.message_id.start
        self.bucket: Bucket | None = None
        self._senders: dict[str, Bucket] = {}
        self._judge: Judge | None = None
        self.on_refusal: Callable[[Sequence[Submit], int], None] | None = None
        """Told what is refused, and with which command_status."""
        self.on_limit: Callable[[int, Sequence[int], str], None] | None = None
        """Told the number of a link, the sequence_number of requests that a limit refuses, and the key of the limit."""
        self._room = math.inf
        """Requests of the batch at hand that the window still takes."""
        self._request: int | None = None
        self.change(scenario)

    def start(self, now: float) -> None:
        """Note when the carrier came up: times of rules and of the chronicle count from there."""
        self._started_at = self._acceptance.started_at = now

    def change(self, scenario: Scenario) -> None:
        """Go by the limits, the response delay and the receipts of another scenario from now on."""
        limits = scenario.limits
        self._window = limits.window
        self._rate = limits.rate
        self._over_rate = status_number(limits.over_rate)
        self._over_window = status_number(limits.over_window)
        self._when_full = status_number(scenario.queue.when_full) if scenario.queue else 0
        self._fault = _fault_or_wrong_time if scenario.receipt.heed_times else _fault
        self._congestion = scenario.carrier.congestion
        self._backlogs.change(scenario.queue)
        self._acceptance.change(scenario)

    def ends_at(self, entry: Entry) -> float | None:
        """Return when a message comes to its final state, by the time of day; None if it never does."""
        return self._acceptance.ends_at(entry)

    def set_judge(self, judge: Judge | None) -> None:
        """Let this one say from now on with which command_status each message is refused; 0 lets it pass."""
        self._judge = judge

    def set_rate(self, rate: Rate | None) -> None:
        """Let another rate pass from now on, or any."""
        self._rate = rate

    def take(self, peer: Submitter, pdus: Sequence[Submit], now: float, request: int | None = None) -> None:
        """Accept what the scenario lets pass and refuse the rest; the peer is given all answers.

        ``request`` is the sequence_number of the one request that stands for them all, where there is one.
        """
        self._request = request
        self._room = math.inf if self._window is None else max(0, self._window - peer.unanswered)
        first = self._number
        self._number += len(pdus)
        batch = self._without(peer, Batch(pdus, range(first, self._number)), self._fault, now)
        if self._judge is not None:
            batch = self._without(peer, batch, self._judge, now)
        if self._rulebook and batch:
            batch = self._by_rule(peer, batch, now)
        else:
            self._as_usual(peer, batch, now)
            batch = Batch((), ())
        unread = len(batch)
        self._chronicle.count("submit.count", len(pdus) - unread, now - self._started_at)

    def _as_usual(self, peer: Submitter, batch: Batch, now: float) -> None:
        batch = self._within_limits(peer, batch, now)
        if batch:
            self._count(tables.ESME_ROK, len(batch), now)
            self._acceptance.accept(peer, batch, now, self._congestion_tlvs(peer, now))

    # --- rules

    def _by_rule(self, peer: Submitter, batch: Batch, now: float) -> Batch:
        """Do what rules say with some, in their order, and the usual with those between.

        Return what is behind a message with which the link ends: it was never read.
        """
        begin = 0
        plays = self._rulebook.choose(peer, batch.pdus, MESSAGES, now - self._started_at)
        for place in sorted(plays):
            play, ordinal = plays[place]
            self._as_usual(peer, batch.cut(begin, place), now)
            self._play(peer, batch.cut(place, place + 1), play, ordinal, now)
            begin = place + 1
            if play.ends_the_link:
                return batch.cut(begin, None)
        self._as_usual(peer, batch.cut(begin, None), now)
        return Batch((), ())

    def _play(self, peer: Submitter, one: Batch, play: Play, ordinal: int, now: float) -> None:
        reply, fault = play.reply, play.fault
        if fault is not None and fault.point == "before-response":
            self._chronicle.count("submit.untaken", 1, now - self._started_at)
            half = refusal(one.pdus[0], tables.ESME_ROK) if fault.kind == "truncate" else None
            self._say(peer, Changed(half, None, fault, play.name), play, ordinal, now)
        elif reply is not None and status_number(reply.status):
            response = refusal(one.pdus[0], status_number(reply.status))
            response.tlvs = self._congestion_tlvs(peer, now)
            self._count(response.command_status, 1, now)
            self._tell_refused(one.pdus, response.command_status)
            self._say(peer, Changed(response, reply, fault, play.name), play, ordinal, now)
        elif one := self._within_limits(peer, one, now):
            self._count(tables.ESME_ROK, 1, now)
            self._acceptance.accept(peer, one, now, self._congestion_tlvs(peer, now), play, ordinal)

    def _say(self, peer: Submitter, answer: Changed, play: Play, ordinal: int, now: float) -> None:
        delay = 0.0 if play.delay is None else play.delay(ordinal)
        if delay == 0:
            peer.answer([answer])
            return
        peer.unanswered += 1
        if delay is not None:
            peer.answer_at(on_tick(now + delay), answer)

    # --- refusing

    def _within_limits(self, peer: Submitter, batch: Batch, now: float) -> Batch:
        if self._room < math.inf:
            batch = self._first(peer, batch, int(self._room), self._over_window, now, WINDOW)
        if self._rate is not None and batch:
            batch = self._within_rate(peer, batch, self._rate, now)
        backlog = self._backlogs.of(peer.who)
        if backlog is not None and batch:
            batch = self._first(peer, batch, backlog.take(len(batch), now), self._when_full, now, QUEUE, CONGESTED)
        self._room -= len(batch)
        return batch

    def _without(self, peer: Submitter, batch: Batch, judge: Judge, now: float) -> Batch:
        faults = {place: fault for place, pdu in enumerate(batch.pdus) if (fault := judge(pdu))}
        if not faults:
            return batch
        for place, fault in faults.items():
            self._refuse(peer, [batch.pdus[place]], fault, now, None)
        return batch.only([place for place in range(len(batch)) if place not in faults])

    def _first(
        self,
        peer: Submitter,
        batch: Batch,
        count: int,
        command_status: int,
        now: float,
        limit: str,
        congestion: int | None = None,
    ) -> Batch:
        if len(batch) <= count:
            return batch
        self._tell_limit(peer, batch.pdus[count:], limit)
        self._refuse(peer, batch.pdus[count:], command_status, now, congestion)
        peer.offended(len(batch) - count, now)
        return batch.cut(0, count)

    def _within_rate(self, peer: Submitter, batch: Batch, rate: Rate, now: float) -> Batch:
        if rate.scope != "sender":
            granted = self._bucket_of(peer, rate, now).take(len(batch), now)
            return self._first(peer, batch, granted, self._over_rate, now, RATE, CONGESTED)
        passing = []
        for place, pdu in enumerate(batch.pdus):
            bucket = self._senders.get(pdu.source_addr)
            if bucket is None or bucket.rate != rate:
                bucket = self._new_bucket(pdu.source_addr, rate, now)
            if bucket.take(1, now):
                passing.append(place)
            else:
                self._tell_limit(peer, [pdu], RATE)
                self._refuse(peer, [pdu], self._over_rate, now, CONGESTED)
                peer.offended(1, now)
        return batch.only(passing)

    def _new_bucket(self, sender: str, rate: Rate, now: float) -> Bucket:
        """Return the bucket of a sender that has none for this rate; of very many, full ones are forgotten."""
        if len(self._senders) >= MOST_SENDERS:
            self._senders = {name: each for name, each in self._senders.items() if not each.is_full(now)}
        old = self._senders.get(sender)
        bucket = self._senders[sender] = Bucket.full(rate, now) if old is None else old.changed(rate)
        return bucket

    def _refuse(
        self, peer: Submitter, pdus: Sequence[Submit], command_status: int, now: float, congestion: int | None
    ) -> None:
        """Refuse messages; ``congestion`` is how congested the carrier is, where their refusal shows that."""
        self._count(command_status, len(pdus), now)
        self._tell_refused(pdus, command_status)
        responses = [refusal(pdu, command_status) for pdu in pdus]
        tlvs = self._congestion_tlvs(peer, now, congestion)
        for response in responses if tlvs else ():
            response.tlvs = tlvs
        peer.answer(responses)

    def _tell_refused(self, pdus: Sequence[Submit], command_status: int) -> None:
        if self.on_refusal is not None:
            self.on_refusal(pdus, command_status)

    def _tell_limit(self, peer: Submitter, pdus: Sequence[Submit], limit: str) -> None:
        if self.on_limit is not None:
            request = self._request
            self.on_limit(peer.number, [pdu.sequence_number for pdu in pdus] if request is None else [request], limit)

    def _count(self, command_status: int, number: int, now: float) -> None:
        self._counts.submits[command_status] += number
        self._chronicle.count(f"submit.status.{tables.status_name(command_status)}", number, now - self._started_at)

    def _bucket_of(self, peer: Submitter, rate: Rate, now: float) -> Bucket:
        assert peer.account is not None, "only bound sessions submit"
        owners: dict[str, _Limited] = {"bind": peer, "account": peer.account, "carrier": self}
        owner = owners[rate.scope]
        if owner.bucket is None or owner.bucket.rate != rate:
            owner.bucket = Bucket.full(rate, now) if owner.bucket is None else owner.bucket.changed(rate)
        return owner.bucket

    def _congestion_tlvs(self, peer: Submitter, now: float, congestion: int | None = None) -> tuple[Tlv, ...]:
        """Return how busy the carrier is, for a session that may be told (SMPP 5.0, 4.8.4.18)."""
        if not self._congestion or peer.version != "5.0":
            return ()
        return (tlv("congestion_state", self._congestion_of(peer, now) if congestion is None else congestion),)

    def _congestion_of(self, peer: Submitter, now: float) -> int:
        """Return how full the queue is, or how empty the rate's bucket, as far as that lets anything pass."""
        share, backlog = 0.0, self._backlogs.of(peer.who)
        if backlog is not None:
            share = backlog.share(now)
        elif self._rate is not None and self._rate.scope != "sender":
            bucket = self._bucket_of(peer, self._rate, now)
            share = 1 - bucket.tokens / bucket.rate.burst
        return round(NEARLY_CONGESTED * share)
