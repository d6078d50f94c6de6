"""What all links of the simulated carrier share: accounts, ledger, limits, and the answers to requests.  No I/O."""

from collections.abc import Callable, Sequence
from typing import Final, Literal

from connector.smpp import tables
from connector.smpp.pdu import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    Pdu,
)
from connector.smpp.tlv import tlv
from simulator.accounts import Account, Bind
from simulator.faults import Faults
from simulator.intake import Intake
from simulator.judge.chronicle import Chronicle
from simulator.ledger import Ledger
from simulator.link.answers import refusal
from simulator.receipts import Delivery, Writer
from simulator.requests import Requests
from simulator.rules import Rulebook
from simulator.scenario import STATES, STATUS_BY_NAME, AccountRules, BindType, Scenario, status_number
from simulator.statistics import Counts, Statistics
from simulator.subscribers import Subscribers
from simulator.trace.record import Trace

BindRequest = BindTransmitter | BindReceiver | BindTransceiver
BindResponse = BindTransmitterResp | BindReceiverResp | BindTransceiverResp
BIND_TYPES: Final[dict[type[Pdu], BindType]] = {
    BindTransmitter: "transmitter",
    BindReceiver: "receiver",
    BindTransceiver: "transceiver",
}
BIND_RESPONSES: Final[dict[type[Pdu], type[BindResponse]]] = {
    BindTransmitter: BindTransmitterResp,
    BindReceiver: BindReceiverResp,
    BindTransceiver: BindTransceiverResp,
}
VERSION_NUMBERS: Final = {"3.3": tables.SMPP_33, "3.4": tables.SMPP_34, "5.0": tables.SMPP_50}

Occasion = Literal["connect", "bind", "unbind"]
PENALTY: Final = "limits.penalty"
ANY_NUMBER: Final = 1_000_000_000
"""Binds of an account that no table limits."""


class Carrier:
    """One simulated carrier; its links are `simulator.link.peer.Peer`.

    ``clock`` gives the time of day in seconds since the epoch, for receipts and the ledger; everything that waits goes
    by the ``now`` of its caller.
    """

    def __init__(
        self, scenario: Scenario, ledger: Ledger, clock: Callable[[], float], trace: Trace | None = None
    ) -> None:
        self.scenario = scenario
        self.trace = trace
        self.ledger = ledger
        self.clock = clock
        self.counts = Counts()
        self.chronicle = Chronicle()
        self.faults = Faults(scenario.fault_budget, scenario.quiet_after_s)
        self.rulebook = Rulebook(scenario.rule, scenario.seed, self.faults)
        self.intake = Intake(scenario, ledger, self.counts, clock, self.rulebook, self.chronicle)
        self.intake.on_limit = None if trace is None else trace.refused
        self.writer = Writer(scenario)
        self.accounts: dict[str, Account] = {}
        self.requests = Requests(ledger, self.accounts, clock, self.intake.ends_at, self._error_of)
        self.closed_to_binds = False
        """Whether every bind is refused, as in an outage."""
        self.on_occasion: Callable[[int, Occasion], None] | None = None
        """Told the number of a link and what has happened on it."""
        self.on_remark: Callable[[int, str, bytes, float], None] | None = None
        """Told the number of a link, the rule or fault that acts on it, the octets it made and the time of day."""
        self._places: set[int] = set()
        self._started_at: float | None = None
        self._subscribers = Subscribers(scenario.mo)

    def start(self, now: float) -> None:
        """Note when the carrier came up; the first call counts."""
        if self._started_at is None:
            self._started_at = now
            self.intake.start(now)
            self._subscribers.start(now)
            for rules in self.scenario.account:
                self._open(rules)

    def change(self, scenario: Scenario, now: float) -> None:
        """Behave as another scenario says from now on; rules that stay go on counting."""
        if scenario.rule != self.scenario.rule:
            self.rulebook.change(scenario.rule)
        self.scenario = scenario
        self.faults.budget, self.faults.quiet_after_s = scenario.fault_budget, scenario.quiet_after_s
        self.intake.change(scenario)
        self.writer = Writer(scenario)
        for account in self.accounts.values():
            account.change(scenario.delivery, scenario.limits.penalty)
            account.rules = next(
                (it for it in scenario.account if it.system_id == account.rules.system_id), account.rules
            )
        self._subscribers.change(scenario.mo, self.accounts, self._started_at or 0.0, now)

    def remark(self, link: int, why: str, octets: bytes = b"", *, ends: bool = False) -> None:
        """Have the trace say by which rule the packet with these octets, or the end of a link, is as it is.

        What belongs to neither, such as an answer that is not given, is said at once.
        """
        if self.on_remark is not None:
            self.on_remark(link, why, octets, self.clock())
        if self.trace is None:
            return
        if octets or ends:
            self.trace.remark(link, f"rule {why!r}", octets)
        else:
            self.trace.note(link, f"rule {why!r}")

    def happened(self, number: int, occasion: Occasion) -> None:
        """Tell who wants to know what has happened on a link."""
        if self.on_occasion is not None:
            self.on_occasion(number, occasion)

    def _error_of(self, state: str) -> int:
        return self.scenario.receipt.err.get(state, STATES[state].err)

    def since_start(self, now: float) -> float:
        """Return the time since the carrier came up."""
        return now - (self._started_at or 0.0)

    # --- binds

    def take_place(self) -> int:
        """Return the lowest free place among the binds, and keep it."""
        place = next(number for number in range(1, len(self._places) + 2) if number not in self._places)
        self._places.add(place)
        return place

    def free_place(self, place: int) -> None:
        """Let another bind have this place."""
        self._places.discard(place)

    def bind_asked(self, now: float) -> None:
        """Count a bind request, whatever becomes of it."""
        self.counts.bind_attempts += 1
        self.chronicle.count("bind.attempts", 1, self.since_start(now))

    def bind(self, peer: Bind, pdu: BindRequest, now: float) -> tuple[Pdu, Account | None]:
        """Return the answer to a bind request, and the account when it is a good one."""
        rules = self._rules_of(pdu)
        status, key = self._bind_status(rules, pdu, now)
        if status or rules is None:
            if key and self.trace is not None:
                self.trace.refused(peer.number, [pdu.sequence_number], key)
            return refusal(pdu, status), None
        self.counts.binds += 1
        self.chronicle.count("bind.count", 1, self.since_start(now))
        self.chronicle.bound(rules.system_id, self.since_start(now))
        return self._bind_response(pdu), self.accounts.get(rules.system_id) or self._open(rules)

    def link_ended(self, account: Account | None, reason: str, now: float) -> None:
        """Count how a link ended, and whether it was its account's last; who unbinds leaves on purpose."""
        self.counts.ends[reason] += 1
        if account is not None and not account.binds and reason != "unbound":
            self.chronicle.bereft(account.rules.system_id, self.since_start(now))

    def _rules_of(self, pdu: BindRequest) -> AccountRules | None:
        if not self.scenario.account:
            return AccountRules(system_id=pdu.system_id, max_binds=ANY_NUMBER)
        return next((rules for rules in self.scenario.account if rules.system_id == pdu.system_id), None)

    def _bind_status(self, rules: AccountRules | None, pdu: BindRequest, now: float) -> tuple[int, str]:
        """Return 0, or why this request may not bind (SMPP 3.4, 5.1.3), with the key that says so where many might."""
        if pdu.fault:
            return pdu.fault, ""
        if rules is None:
            return tables.ESME_RINVSYSID, ""
        if self.scenario.account and pdu.password != rules.password:
            return tables.ESME_RINVPASWD, ""
        if rules.system_type is not None and pdu.system_type != rules.system_type:
            return tables.ESME_RINVSYSTYP, ""
        account = self.accounts.get(rules.system_id)
        keys = {
            "account.bind_types": BIND_TYPES[type(pdu)] not in rules.bind_types,
            "carrier.versions": not self._speaks(pdu.interface_version),
            "an outage": self.closed_to_binds,
            PENALTY: account is not None and account.is_refused(now),
        }
        key = next((key for key, refuses in keys.items() if refuses), "")
        if key:
            return STATUS_BY_NAME["ESME_RBINDFAIL"], key
        if account is not None and len(account.binds) >= rules.max_binds:
            return status_number(rules.over_binds), "account.max_binds"
        return tables.ESME_ROK, ""

    def _speaks(self, interface_version: int) -> bool:
        """Say whether a version may bind: below 0x34 all is 3.3, and what lies between 3.4 and 5.0 is 3.4."""
        known = [name for name, number in VERSION_NUMBERS.items() if number <= max(interface_version, tables.SMPP_33)]
        return known[-1] in self.scenario.carrier.versions

    def _bind_response(self, pdu: BindRequest) -> Pdu:
        ours = max(VERSION_NUMBERS[name] for name in self.scenario.carrier.versions)
        speaks_tlvs = pdu.interface_version >= tables.SMPP_34
        return BIND_RESPONSES[type(pdu)](
            system_id=self.scenario.carrier.system_id,
            sequence_number=pdu.sequence_number,
            tlvs=(tlv("sc_interface_version", ours),) if speaks_tlvs else (),
        )

    def _open(self, rules: AccountRules) -> Account:
        account = Account(rules, self.scenario.delivery, self.counts, self.ledger, penalty=self.scenario.limits.penalty)
        trace = self.trace
        account.on_penalty = None if trace is None else lambda link: trace.note(link, f"{PENALTY} ends it")
        self.accounts[rules.system_id] = account
        self._subscribers.write_to(account)
        return account

    def first_receiver(self) -> str:
        """Return the first account that may be sent deliver_sm; "" where there is none."""
        return next((name for name, account in self.accounts.items() if account.rules.may_receive), "")

    # --- deliveries

    def note_sent(self, deliveries: Sequence[Delivery], at: float) -> None:
        """Enter deliver_sm that are about to leave."""
        for delivery in deliveries:
            delivery.tries += 1
            if delivery.entry is None:
                self.counts.mo_sent += 1
            else:
                self.counts.receipts_sent += 1
                self.ledger.sent(delivery.entry, delivery.stat, at, final=delivery.final)

    def statistics(self, in_flight: int) -> Statistics:
        """Return the numbers of this moment."""
        counts = self.counts
        return Statistics(
            links=counts.links,
            bind_attempts=counts.bind_attempts,
            binds=counts.binds,
            penalties=counts.penalties,
            submits={tables.status_name(status): number for status, number in counts.submits.items()},
            accepted=counts.submits[tables.ESME_ROK],
            receipts_sent=counts.receipts_sent,
            receipts_acknowledged=counts.receipts_acknowledged,
            receipts_missing=counts.receipts_missing,
            mo_sent=counts.mo_sent,
            mo_acknowledged=counts.mo_acknowledged,
            deliveries_pending=sum(account.pending for account in self.accounts.values()),
            deliveries_in_flight=in_flight,
            deliveries_dropped=counts.deliveries_dropped,
            deliveries_refused=counts.deliveries_refused,
            deliveries_unanswered=counts.deliveries_unanswered,
            deliveries_given_up=counts.deliveries_given_up,
            strange=dict(counts.strange),
            ends=dict(counts.ends),
            rules=dict(self.rulebook.matched),
            faults=dict(self.faults.done),
        )
