"""What becomes of submit_sm and data_sm: checked, counted, given an id, noted, answered.  No I/O.

A batch goes through as a whole; what costs something per message is looked at only where the scenario has it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from connector.smpp import tables
from connector.smpp.pdu import DataSm, DataSmResp, Pdu, SubmitSm, SubmitSmResp
from connector.smpp.tlv import Tlv, tlv
from simulator.accounts import Account
from simulator.answers import Changed, refusal
from simulator.calendar import on_tick
from simulator.chronicle import Chronicle
from simulator.delays import fixed, sampler
from simulator.ids import Speller
from simulator.ledger import Entry, Ledger
from simulator.limits import Bucket
from simulator.queue import Backlog
from simulator.receipt_plan import Floodgate, Planner
from simulator.receipts import Delivery
from simulator.rules import Asker, Play, Rulebook
from simulator.scenario import Rate, Scenario, status_number
from simulator.statistics import Counts

Submit = SubmitSm | DataSm
Judge = Callable[[Submit], int]
"""Returns the command_status a message is refused with, or 0."""
MESSAGES: Final = "messages"
"""Stream of ordinals for rules."""
_RESPONSES: Final[dict[type[Pdu], type[SubmitSmResp] | type[DataSmResp]]] = {
    SubmitSm: SubmitSmResp,
    DataSm: DataSmResp,
}


class _Limited(Protocol):
    """What may have a bucket of its own: a bind, an account, the carrier."""

    bucket: Bucket | None


class Submitter(Asker, Protocol):
    """A bound session as the intake sees it."""

    number: int
    """Of its link."""

    account: Account | None
    bucket: Bucket | None
    spell: Speller
    unanswered: int
    """Requests of the peer whose answer is still due."""
    own: deque[Delivery]

    def answer(self, responses: Sequence[Pdu | Changed]) -> None:
        """Send them with what goes out next."""

    def answer_at(self, at: float, response: Pdu | Changed) -> None:
        """Send one at this time."""

    def offended(self, number: int, now: float) -> None:
        """Take note of messages refused for the limits' sake."""


def _fault(pdu: Submit) -> int:
    """Return the status that a strict carrier refuses this with, or 0.

    An address beyond ASCII is refused too: it could not be echoed in a receipt, where only ASCII is legal.
    """
    if pdu.oddities and pdu.fault:
        return pdu.fault
    if not pdu.source_addr.isascii():
        return tables.ESME_RINVSRCADR
    return 0 if pdu.destination_addr.isascii() else tables.ESME_RINVDSTADR


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
        self._ledger = ledger
        self._counts = counts
        self._clock = clock
        self._rulebook = rulebook
        self._chronicle = chronicle
        self.started_at = 0.0
        """By the clock of whoever calls: times of rules and of the chronicle count from there."""
        self._backlogs: dict[str, Backlog] = {}
        self._number = scenario.response.message_id.start
        self.bucket: Bucket | None = None
        self._senders: dict[str, Bucket] = {}
        self._judge: Judge | None = None
        self.change(scenario)

    def change(self, scenario: Scenario) -> None:
        """Go by the limits, the response delay and the receipts of another scenario from now on."""
        limits, delay = scenario.limits, scenario.response.delay
        self._delay = sampler(delay, scenario.seed, "response.delay")
        self._at_once = fixed(delay) == 0
        self._window = limits.window
        self._rate = limits.rate
        self._over_rate = status_number(limits.over_rate)
        self._over_window = status_number(limits.over_window)
        self._queue = scenario.queue
        self._when_full = status_number(scenario.queue.when_full) if scenario.queue else 0
        self._congestion = scenario.carrier.congestion
        self._planner = Planner(scenario)
        self._floodgate = Floodgate(scenario.receipt.burst) if scenario.receipt.burst else None
        if scenario.queue is not None:
            for backlog in self._backlogs.values():
                backlog.rules = scenario.queue

    def set_judge(self, judge: Judge | None) -> None:
        """Let this one say from now on with which command_status each message is refused; 0 lets it pass."""
        self._judge = judge

    def set_rate(self, rate: Rate | None) -> None:
        """Let another rate pass from now on, or any."""
        self._rate = rate

    def take(self, peer: Submitter, pdus: Sequence[Submit], now: float) -> None:
        """Accept what the scenario lets pass and refuse the rest; the peer is given all answers."""
        self._chronicle.count("submit.count", len(pdus), now - self.started_at)
        pdus = self._without(peer, pdus, _fault, now)
        if self._judge is not None:
            pdus = self._without(peer, pdus, self._judge, now)
        if self._rulebook and pdus:
            pdus = self._by_rule(peer, pdus, now)
        pdus = self._within_limits(peer, pdus, now)
        if pdus:
            self._accept(peer, pdus, now)

    # --- rules

    def _by_rule(self, peer: Submitter, pdus: Sequence[Submit], now: float) -> Sequence[Submit]:
        """Do what rules say, and return what they leave to the usual ways.

        What is behind a message with which the link ends was never read.
        """
        plays = self._rulebook.choose(peer, pdus, MESSAGES, now - self.started_at)
        if not plays:
            return pdus
        last = min((index for index, (play, _) in plays.items() if play.ends_the_link), default=len(pdus))
        left = self._within_limits(peer, [pdu for i, pdu in enumerate(pdus[:last]) if i not in plays], now)
        if left:
            self._accept(peer, left, now)
        for index in sorted(plays):
            if index <= last:
                self._play(peer, pdus[index], *plays[index], now)
        return ()

    def _play(self, peer: Submitter, pdu: Submit, play: Play, ordinal: int, now: float) -> None:
        reply, fault = play.reply, play.fault
        if fault is not None and fault.point == "before-response":
            self._chronicle.count("submit.untaken", 1, now - self.started_at)
            self._say(peer, Changed(None, None, fault), play, ordinal, now)
        elif reply is not None and status_number(reply.status):
            response = refusal(pdu, status_number(reply.status))
            self._count(response.command_status, 1, now)
            self._say(peer, Changed(response, reply, fault), play, ordinal, now)
        else:
            self._accept(peer, [pdu], now, play, ordinal)

    def _say(self, peer: Submitter, answer: Changed, play: Play, ordinal: int, now: float) -> None:
        delay = 0.0 if play.delay is None else play.delay(ordinal)
        if delay == 0:
            peer.answer([answer])
            return
        peer.unanswered += 1
        if delay is not None:
            peer.answer_at(on_tick(now + delay), answer)

    # --- refusing

    def _within_limits(self, peer: Submitter, pdus: Sequence[Submit], now: float) -> Sequence[Submit]:
        if self._window is not None:
            room = max(0, self._window - peer.unanswered)
            pdus = self._first(peer, pdus, room, self._over_window, now)
        if self._rate is not None and pdus:
            pdus = self._within_rate(peer, pdus, self._rate, now)
        if self._queue is not None and pdus:
            pdus = self._first(peer, pdus, self._backlog_of(peer).take(len(pdus), now), self._when_full, now)
        return pdus

    def _backlog_of(self, peer: Submitter) -> Backlog:
        assert self._queue is not None, "only a scenario with a queue has backlogs"
        key = peer.who if self._queue.scope == "account" else ""
        if key not in self._backlogs:
            self._backlogs[key] = Backlog(self._queue)
        return self._backlogs[key]

    def _without(self, peer: Submitter, pdus: Sequence[Submit], judge: Judge, now: float) -> Sequence[Submit]:
        faults = {index: fault for index, pdu in enumerate(pdus) if (fault := judge(pdu))}
        if not faults:
            return pdus
        for index, fault in faults.items():
            self._refuse(peer, [pdus[index]], fault, now)
        return [pdu for index, pdu in enumerate(pdus) if index not in faults]

    def _first(
        self, peer: Submitter, pdus: Sequence[Submit], count: int, command_status: int, now: float
    ) -> Sequence[Submit]:
        if len(pdus) > count:
            self._refuse(peer, pdus[count:], command_status, now)
            peer.offended(len(pdus) - count, now)
        return pdus[:count]

    def _within_rate(self, peer: Submitter, pdus: Sequence[Submit], rate: Rate, now: float) -> Sequence[Submit]:
        if rate.scope != "sender":
            granted = self._bucket_of(peer, rate, now).take(len(pdus), now)
            return self._first(peer, pdus, granted, self._over_rate, now)
        passing = []
        for pdu in pdus:
            bucket = self._senders.get(pdu.source_addr)
            if bucket is None or bucket.rate != rate:
                bucket = self._senders[pdu.source_addr] = Bucket.full(rate, now)
            if bucket.take(1, now):
                passing.append(pdu)
            else:
                self._refuse(peer, [pdu], self._over_rate, now)
                peer.offended(1, now)
        return passing

    def _refuse(self, peer: Submitter, pdus: Sequence[Submit], command_status: int, now: float) -> None:
        self._count(command_status, len(pdus), now)
        peer.answer([refusal(pdu, command_status) for pdu in pdus])

    def _count(self, command_status: int, number: int, now: float) -> None:
        self._counts.submits[command_status] += number
        self._chronicle.count(f"submit.status.{tables.status_name(command_status)}", number, now - self.started_at)

    def _bucket_of(self, peer: Submitter, rate: Rate, now: float) -> Bucket:
        assert peer.account is not None, "only bound sessions submit"
        owners: dict[str, _Limited] = {"bind": peer, "account": peer.account, "carrier": self}
        owner = owners[rate.scope]
        if owner.bucket is None or owner.bucket.rate != rate:
            owner.bucket = Bucket.full(rate, now)
        return owner.bucket

    # --- accepting

    def _accept(
        self, peer: Submitter, pdus: Sequence[Submit], now: float, play: Play | None = None, ordinal: int = 0
    ) -> None:
        """Give them ids, note them and answer; with a play there is one, and this is what a rule changes of it."""
        first, spell = self._number, peer.spell
        self._number += len(pdus)
        self._count(tables.ESME_ROK, len(pdus), now)
        tlvs = self._congestion_tlvs(peer, now)
        responses = [
            _RESPONSES[type(pdu)](message_id=spell(number), sequence_number=pdu.sequence_number, tlvs=tlvs)
            for number, pdu in enumerate(pdus, first)
        ]
        if play is None:
            answered_at = self._answer(peer, responses, first, now)
        else:
            answered_at = self._answer_played(peer, responses[0], play, ordinal, now)
        self._note(peer, pdus, responses, answered_at, first, now, play)

    def _congestion_tlvs(self, peer: Submitter, now: float) -> tuple[Tlv, ...]:
        """Return how busy the carrier is, for a session that may be told (SMPP 5.0, 4.8.4.18)."""
        if not self._congestion or peer.version != "5.0":
            return ()
        share = 0.0
        if self._queue is not None:
            share = self._backlog_of(peer).share(now)
        elif self._rate is not None and self._rate.scope != "sender":
            bucket = self._bucket_of(peer, self._rate, now)
            share = 1 - bucket.tokens / bucket.rate.burst
        return (tlv("congestion_state", round(99 * share)),)

    def _answer(self, peer: Submitter, responses: Sequence[Pdu], first: int, now: float) -> Sequence[float] | None:
        """Answer now, or at the times returned; what is never answered keeps its place in the window."""
        if self._at_once:
            peer.answer(responses)
            return None
        peer.unanswered += len(responses)
        times: list[float] = []
        for number, response in enumerate(responses, first):
            delay = self._delay(number)
            times.append(now if delay is None else on_tick(now + delay))
            if delay is not None:
                peer.answer_at(times[-1], response)
        return times

    def _answer_played(
        self, peer: Submitter, response: SubmitSmResp | DataSmResp, play: Play, ordinal: int, now: float
    ) -> Sequence[float]:
        reply, fault = play.reply, play.fault
        if reply is not None and reply.message_id is not None:
            response.message_id = reply.message_id
        silent = fault is not None and fault.point != "after-response"
        answer = Changed(None if silent else response, reply, fault) if silent or fault or reply else response
        delay = self._delay(self._number - 1) if play.delay is None else play.delay(ordinal)
        if delay == 0:
            peer.answer([answer])
            return [now]
        peer.unanswered += 1
        if delay is None:
            return [now]
        peer.answer_at(on_tick(now + delay), answer)
        return [on_tick(now + delay)]

    def _note(
        self,
        peer: Submitter,
        pdus: Sequence[Submit],
        responses: Sequence[SubmitSmResp | DataSmResp],
        answered_at: Sequence[float] | None,
        first: int,
        now: float,
        play: Play | None,
    ) -> None:
        """Enter the messages in the ledger and plan their receipts; without either, nothing is made per message."""
        planner, keeps = self._planner, self._ledger.wanted
        wanted = [planner.wanted(pdu) for pdu in pdus]
        if not keeps and True not in wanted:
            return
        account = peer.account
        assert account is not None, "only bound sessions submit"
        at, entries = self._clock(), []
        for index, pdu in enumerate(pdus):
            if not (keeps or wanted[index]):
                continue
            number = first + index
            entry = Entry(
                number=number,
                message_id=responses[index].message_id,
                account=account.rules.system_id,
                pdu=pdu,
                accepted_at=at,
                state=play.stat if play and play.stat else planner.state_of(number),
                link=peer.number,
            )
            entries.append(entry)
            if wanted[index]:
                told_at = now if answered_at is None else answered_at[index]
                self._plan(peer, account, entry, self._leaves_at(peer, len(pdus) - index - 1, told_at, now), now, play)
        self._ledger.accept(entries)

    def _leaves_at(self, peer: Submitter, behind: int, told_at: float, now: float) -> float:
        """Return from when on a receipt's delay counts: from the answer, or from the end of the queue."""
        return told_at if self._queue is None else max(told_at, self._backlog_of(peer).leaves_at(behind, now))

    def _plan(
        self, peer: Submitter, account: Account, entry: Entry, from_at: float, now: float, play: Play | None
    ) -> None:
        planned = self._planner.plan(entry, peer, play)
        if planned is None:
            self._counts.receipts_missing += 1
            return
        for delivery, after_s, early in planned:
            if early:
                account.put_ready(delivery)
            elif self._floodgate is not None:
                passes_s = self._floodgate.passes_at(from_at + after_s - self.started_at)
                account.put(delivery, on_tick(self.started_at + passes_s))
            elif after_s:
                account.put(delivery, on_tick(from_at + after_s))
            else:
                account.put(delivery, from_at, wake=from_at > now)
