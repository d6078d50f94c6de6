"""What becomes of submit_sm and data_sm: checked, counted, given an id, noted, answered.  No I/O.

A batch goes through as a whole; what costs something per message is looked at only where the scenario has it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from connector.smpp import tables
from connector.smpp.pdu import PDU_BY_ID, DataSm, DataSmResp, Pdu, SubmitSm, SubmitSmResp
from simulator.accounts import Account
from simulator.calendar import on_tick
from simulator.delays import fixed, sampler
from simulator.ids import Speller
from simulator.ledger import Entry, Ledger
from simulator.limits import Bucket
from simulator.receipts import Delivery, Planner
from simulator.scenario import Rate, Scenario, status_number
from simulator.statistics import Counts

Submit = SubmitSm | DataSm
Judge = Callable[[Submit], int]
"""Returns the command_status a message is refused with, or 0."""
_RESPONSES: Final[dict[type[Pdu], type[SubmitSmResp] | type[DataSmResp]]] = {
    SubmitSm: SubmitSmResp,
    DataSm: DataSmResp,
}


class _Limited(Protocol):
    """What may have a bucket of its own: a bind, an account, the carrier."""

    bucket: Bucket | None


class Submitter(Protocol):
    """A bound session as the intake sees it."""

    account: Account | None
    bucket: Bucket | None
    spell: Speller
    unanswered: int
    """Requests of the peer whose answer is still due."""
    own: deque[Delivery]

    def answer(self, responses: Sequence[Pdu]) -> None:
        """Send them with what goes out next."""

    def answer_at(self, at: float, response: Pdu) -> None:
        """Send one at this time."""


def _fault(pdu: Submit) -> int:
    """Return the status that a strict carrier refuses this with, or 0.

    An address beyond ASCII is refused too: it could not be echoed in a receipt, where only ASCII is legal.
    """
    if pdu.oddities and pdu.fault:
        return pdu.fault
    if not pdu.source_addr.isascii():
        return tables.ESME_RINVSRCADR
    return 0 if pdu.destination_addr.isascii() else tables.ESME_RINVDSTADR


def refusal(pdu: Pdu, command_status: int) -> Pdu:
    """Return the response to a request that is refused with this status."""
    layout = PDU_BY_ID[pdu.command_id | tables.RESPONSE_BIT]
    return layout(command_status=command_status, sequence_number=pdu.sequence_number)


class Intake:
    """Takes messages for all binds of the carrier."""

    def __init__(self, scenario: Scenario, ledger: Ledger, counts: Counts, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._counts = counts
        self._clock = clock
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
        self._planner = Planner(scenario)

    def set_judge(self, judge: Judge | None) -> None:
        """Let this one say from now on with which command_status each message is refused; 0 lets it pass."""
        self._judge = judge

    def set_rate(self, rate: Rate | None) -> None:
        """Let another rate pass from now on, or any."""
        self._rate = rate

    def take(self, peer: Submitter, pdus: Sequence[Submit], now: float) -> None:
        """Accept what the scenario lets pass and refuse the rest; the peer is given all answers."""
        pdus = self._without(peer, pdus, _fault)
        if self._judge is not None:
            pdus = self._without(peer, pdus, self._judge)
        if self._window is not None:
            room = max(0, self._window - peer.unanswered)
            pdus = self._first(peer, pdus, room, self._over_window)
        if self._rate is not None and pdus:
            pdus = self._within_rate(peer, pdus, self._rate, now)
        if pdus:
            self._accept(peer, pdus, now)

    # --- refusing

    def _without(self, peer: Submitter, pdus: Sequence[Submit], judge: Judge) -> Sequence[Submit]:
        faults = {index: fault for index, pdu in enumerate(pdus) if (fault := judge(pdu))}
        if not faults:
            return pdus
        for index, fault in faults.items():
            self._refuse(peer, [pdus[index]], fault)
        return [pdu for index, pdu in enumerate(pdus) if index not in faults]

    def _first(self, peer: Submitter, pdus: Sequence[Submit], count: int, command_status: int) -> Sequence[Submit]:
        if len(pdus) > count:
            self._refuse(peer, pdus[count:], command_status)
        return pdus[:count]

    def _within_rate(self, peer: Submitter, pdus: Sequence[Submit], rate: Rate, now: float) -> Sequence[Submit]:
        if rate.scope != "sender":
            return self._first(peer, pdus, self._bucket_of(peer, rate, now).take(len(pdus), now), self._over_rate)
        passing = []
        for pdu in pdus:
            bucket = self._senders.get(pdu.source_addr)
            if bucket is None or bucket.rate != rate:
                bucket = self._senders[pdu.source_addr] = Bucket.full(rate, now)
            if bucket.take(1, now):
                passing.append(pdu)
            else:
                self._refuse(peer, [pdu], self._over_rate)
        return passing

    def _refuse(self, peer: Submitter, pdus: Sequence[Submit], command_status: int) -> None:
        self._counts.submits[command_status] += len(pdus)
        peer.answer([refusal(pdu, command_status) for pdu in pdus])

    def _bucket_of(self, peer: Submitter, rate: Rate, now: float) -> Bucket:
        assert peer.account is not None, "only bound sessions submit"
        owners: dict[str, _Limited] = {"bind": peer, "account": peer.account, "carrier": self}
        owner = owners[rate.scope]
        if owner.bucket is None or owner.bucket.rate != rate:
            owner.bucket = Bucket.full(rate, now)
        return owner.bucket

    # --- accepting

    def _accept(self, peer: Submitter, pdus: Sequence[Submit], now: float) -> None:
        first, spell = self._number, peer.spell
        self._number += len(pdus)
        self._counts.submits[tables.ESME_ROK] += len(pdus)
        responses = [
            _RESPONSES[type(pdu)](message_id=spell(number), sequence_number=pdu.sequence_number)
            for number, pdu in enumerate(pdus, first)
        ]
        answered_at = self._answer(peer, responses, first, now)
        self._note(peer, pdus, responses, answered_at, first, now)

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

    def _note(
        self,
        peer: Submitter,
        pdus: Sequence[Submit],
        responses: Sequence[SubmitSmResp | DataSmResp],
        answered_at: Sequence[float] | None,
        first: int,
        now: float,
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
                state=planner.state_of(number),
            )
            entries.append(entry)
            if wanted[index]:
                self._plan(peer, account, entry, now if answered_at is None else answered_at[index], now)
        self._ledger.accept(entries)

    def _plan(self, peer: Submitter, account: Account, entry: Entry, answered_at: float, now: float) -> None:
        planned = self._planner.plan(entry, peer)
        if planned is None:
            self._counts.receipts_missing += 1
            return
        for delivery, after_s, early in planned:
            if early:
                account.put_ready(delivery)
            elif after_s:
                account.put(delivery, on_tick(answered_at + after_s))
            else:
                account.put(delivery, answered_at, wake=answered_at > now)
