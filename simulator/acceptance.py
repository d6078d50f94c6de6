"""What becomes of a message that is accepted: an id, an entry in the ledger, an answer, and its receipts' plan."""

from collections.abc import Callable, Sequence
from typing import Final

from connector.smpp.pdu import DataSm, DataSmResp, Pdu, SubmitSm, SubmitSmResp
from connector.smpp.tlv import Tlv
from simulator.accounts import Account
from simulator.calendar import on_tick
from simulator.delays import certain_sampler, fixed, sampler
from simulator.faults import Faults
from simulator.ledger import Entry, Ledger
from simulator.link.answers import Changed
from simulator.queue import Backlogs
from simulator.receipt_plan import Floodgate, Planner
from simulator.rules import Play
from simulator.scenario import Scenario
from simulator.scenario.names import RESPONSE_DELAY
from simulator.statistics import Counts
from simulator.submits import Batch, Submitter
from simulator.times import has_times

_RESPONSES: Final[dict[type[Pdu], type[SubmitSmResp] | type[DataSmResp]]] = {
    SubmitSm: SubmitSmResp,
    DataSm: DataSmResp,
}


class Acceptance:
    """Accepts batches; what costs something per message is done only where somebody wants it."""

    def __init__(
        self,
        scenario: Scenario,
        ledger: Ledger,
        counts: Counts,
        clock: Callable[[], float],
        backlogs: Backlogs,
        faults: Faults,
    ) -> None:
        self._ledger = ledger
        self._counts = counts
        self._clock = clock
        self._backlogs = backlogs
        self._faults = faults
        self.started_at = 0.0
        """By the clock of whoever calls."""
        self._floodgate: Floodgate | None = None
        self.change(scenario)

    def change(self, scenario: Scenario) -> None:
        """Go by the response delay and the receipts of another scenario from now on."""
        delay = scenario.response.delay
        self._delay = sampler(delay, scenario.seed, "response.delay")
        self._certain_delay = certain_sampler(delay, scenario.seed, "response.delay")
        self._at_once = fixed(delay) == 0
        self._planner = Planner(scenario, self._faults)
        self._heeds_times = scenario.receipt.heed_times
        burst = scenario.receipt.burst
        if burst is None or self._floodgate is None or self._floodgate.rules != burst:
            self._floodgate = None if burst is None else Floodgate(burst)

    def ends_at(self, entry: Entry) -> float | None:
        """Return when a message comes to its final state, by the time of day; None if it never does."""
        return self._planner.ends_at(entry)

    def accept(
        self,
        peer: Submitter,
        batch: Batch,
        now: float,
        tlvs: tuple[Tlv, ...] = (),
        play: Play | None = None,
        ordinal: int = 0,
    ) -> None:
        """Give them ids, note them and answer; with a play there is one, and this is what a rule changes of it."""
        spell = peer.spell
        responses = [
            _RESPONSES[type(pdu)](message_id=spell(number), sequence_number=pdu.sequence_number, tlvs=tlvs)
            for number, pdu in zip(batch.numbers, batch.pdus, strict=True)
        ]
        if play is None:
            answered_at = self._answer(peer, responses, batch.numbers, now)
        else:
            answered_at = self._answer_played(peer, responses[0], play, ordinal, batch.numbers[0], now)
        self._note(peer, batch, responses, answered_at, now, play)

    def _answer(
        self, peer: Submitter, responses: Sequence[Pdu], numbers: Sequence[int], now: float
    ) -> Sequence[float | None] | None:
        """Answer now, or at the times returned; what is never answered (None) keeps its place in the window."""
        if self._at_once:
            peer.answer(responses)
            return None
        peer.unanswered += len(responses)
        times: list[float | None] = []
        for number, response in zip(numbers, responses, strict=True):
            delay = self._delay(number)
            if delay is None:
                delay = self._never(number, now)
            at = None if delay is None else on_tick(now + delay)
            times.append(at)
            if at is not None:
                peer.answer_at(at, response)
        return times

    def _never(self, number: int, now: float) -> float | None:
        """Count an answer that never comes as a fault; where there are to be none any more, return when it comes."""
        if self._faults.happens(RESPONSE_DELAY, now - self.started_at):
            return None
        return self._certain_delay(number)

    def _answer_played(
        self, peer: Submitter, response: SubmitSmResp | DataSmResp, play: Play, ordinal: int, number: int, now: float
    ) -> Sequence[float | None]:
        reply, fault = play.reply, play.fault
        if reply is not None and reply.message_id is not None:
            response.message_id = reply.message_id
        silent = fault is not None and fault.is_silent
        answer = Changed(None if silent else response, reply, fault, play.name)
        delay = self._delay(number) if play.delay is None else play.delay(ordinal)
        if delay is None and play.delay is None:
            delay = self._never(number, now)
        if delay == 0:
            peer.answer([answer])
            return [now]
        peer.unanswered += 1
        if delay is None:
            return [None]
        peer.answer_at(on_tick(now + delay), answer)
        return [on_tick(now + delay)]

    def _note(
        self,
        peer: Submitter,
        batch: Batch,
        responses: Sequence[SubmitSmResp | DataSmResp],
        answered_at: Sequence[float | None] | None,
        now: float,
        play: Play | None,
    ) -> None:
        """Enter the messages in the ledger and plan their receipts; without either, nothing is made per message."""
        planner, keeps = self._planner, self._ledger.wanted
        wanted = [planner.wanted(pdu) for pdu in batch.pdus]
        if not keeps and True not in wanted:
            return
        account = peer.account
        assert account is not None, "only bound sessions submit"
        at, entries, held = self._clock(), [], peer.held
        silent = play is not None and play.fault is not None and play.fault.is_silent
        for index, pdu in enumerate(batch.pdus):
            if not (keeps or wanted[index]):
                continue
            number, told_at = batch.numbers[index], now if answered_at is None else answered_at[index]
            entry = Entry(
                number=number,
                message_id=responses[index].message_id,
                account=account.rules.system_id,
                pdu=pdu,
                accepted_at=at,
                state=play.stat if play and play.stat else planner.state_of(number),
                link=peer.number,
                id_number=peer.shared_number,
                held=held,
                fault=play.name if play is not None and (play.is_fault or told_at is None) else "",
                answer_due_at=None if silent or told_at is None else at + told_at - now,
            )
            entries.append(entry)
            leaves_at = self._leaves_at(peer, len(batch) - index - 1, now if told_at is None else told_at, now)
            entry.waits_s = leaves_at - now
            if self._heeds_times and has_times(pdu):
                planner.heed_times(entry, 0.0 if told_at is None else told_at - now, play)
                leaves_at = now + entry.waits_s
            if wanted[index]:
                self._plan(peer, account, entry, leaves_at, now, play)
        self._ledger.accept(entries)

    def _leaves_at(self, peer: Submitter, behind: int, told_at: float, now: float) -> float:
        """Return from when on a receipt's delay counts: from the answer, or from the end of the queue."""
        backlog = self._backlogs.of(peer.who)
        return told_at if backlog is None else max(told_at, backlog.leaves_at(behind, now))

    def _plan(
        self, peer: Submitter, account: Account, entry: Entry, from_at: float, now: float, play: Play | None
    ) -> None:
        planned = self._planner.plan(entry, peer.origin, now - self.started_at, play)
        if planned is None:
            self._counts.receipts_missing += 1
            planned = []
        if self._planner.has_handsets:
            planned += self._planner.acknowledged(entry)
        for delivery, after_s, early in planned:
            if early:
                account.put_ready(delivery)
            elif self._floodgate is not None:
                passes_s = self._floodgate.passes_at(from_at + after_s - self.started_at, now - self.started_at)
                account.put(delivery, on_tick(self.started_at + passes_s))
            elif after_s:
                account.put(delivery, on_tick(from_at + after_s))
            else:
                account.put(delivery, from_at, wake=from_at > now)
