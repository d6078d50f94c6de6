"""From an accepted message to the deliver_sm that tell its fate.  Pure: time is an argument, nothing is sent here."""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

import attrs

from connector.smpp import tables
from connector.smpp.alphabet import Alphabet, alphabet_of, decode
from connector.smpp.parts import strip_udh
from connector.smpp.pdu import DataSm, DeliverSm, SubmitSm
from connector.smpp.tlv import Tlv, tlv
from simulator import draws
from simulator.delays import sampler
from simulator.ids import Speller, speller
from simulator.ledger import Entry
from simulator.receipt_text import ReceiptFacts, compile_format
from simulator.rules import Play
from simulator.scenario import STATES, Scenario

REFERENCE: Final = tables.TLV_BY_NAME["user_message_reference"].tag

RECEIPT: Final = 0x04
INTERMEDIATE: Final = 0x20
UDHI: Final = 0x40
DATAGRAM: Final = 0x01

WANTS_SUCCESS: Final = (False, True, False, True)
WANTS_FAILURE: Final = (False, True, True, False)
"""By bits 1-0 of registered_delivery: none, both, failure only, success only (SMPP 5.0, 4.7.21)."""
WANTS_INTERMEDIATE: Final = 0x10

SHORT_MESSAGE_OCTETS: Final = 254
GSM_ERROR: Final = 3
"""Network type in network_error_code (SMPP 3.4, 5.3.2.31)."""


@attrs.define(eq=False)
class Delivery:
    """One deliver_sm on its way to the ESME, receipt or message from a subscriber."""

    entry: Entry | None
    """The message that a receipt speaks of."""
    stat: str = ""
    mo: DeliverSm | None = None
    via: object = None
    """The bind it should leave by as long as that is bound."""
    tries: int = 0
    err: int | None = None
    """The number after ``err:`` where a rule gives another one."""
    settled: bool = False
    """An answer came, maybe after it had been put down for another try."""

    @property
    def final(self) -> bool:
        """Whether it says the last word about its message."""
        return self.entry is not None and STATES[self.stat].final


class Planned(NamedTuple):
    """A delivery and how many seconds after the answer it is due; an early one does not wait for the answer."""

    delivery: Delivery
    after_s: float
    early: bool = False


class Planner:
    """Decides what each accepted message comes to."""

    def __init__(self, scenario: Scenario) -> None:
        rules, seed = scenario.receipt, scenario.seed
        self._rules = rules
        self.state_of = draws.choice(rules.mix, draws.stream(seed, "receipt.mix"))
        self._delay = sampler(rules.delay, seed, "receipt.delay")
        self._early = draws.chance(rules.early, draws.stream(seed, "receipt.early"))
        self._missing = draws.chance(rules.missing, draws.stream(seed, "receipt.missing"))
        self._duplicate = draws.chance(rules.duplicate.rate, draws.stream(seed, "receipt.duplicate"))
        self._intermediate = _word_or_none(rules.intermediate, draws.stream(seed, "receipt.intermediate"))
        self._never = rules.when == "never"
        self._always = rules.when == "always"

    def wanted(self, pdu: SubmitSm | DataSm) -> bool:
        """Say whether any word about this message may ever be sent (SMPP 3.4, 5.2.17; 5.2.12 for datagrams)."""
        if self._never or pdu.esm_class & 3 == DATAGRAM:
            return False
        return self._always or bool(pdu.registered_delivery & (3 | WANTS_INTERMEDIATE))

    def plan(self, entry: Entry, via: object, play: Play | None = None) -> list[Planned] | None:
        """Return the words about a message that asked for some; None when the scenario lets them go missing."""
        n, asked = entry.number, entry.pdu.registered_delivery
        delay = play.receipt_delay(n) if play and play.receipt_delay else self._delay(n)
        if delay is None or self._missing(n) or (play and play.missing):
            return None
        via = via if self._rules.via == "same" else None
        planned: list[Planned] = []
        if asked & WANTS_INTERMEDIATE:
            word = self._intermediate(n)
            if word is not None:
                planned.append(Planned(Delivery(entry, word, None, via), delay / 2))
        if self._wants_final(asked, entry.state):
            early = self._early(n)
            planned.append(Planned(Delivery(entry, entry.state, None, via), delay, early))
            if self._duplicate(n):
                again_s = (0.0 if early else delay) + self._rules.duplicate.gap_s
                planned.append(Planned(Delivery(entry, entry.state, None, via), again_s))
        return planned

    def _wants_final(self, registered_delivery: int, state: str) -> bool:
        wants = WANTS_SUCCESS if state == "DELIVRD" else WANTS_FAILURE
        return self._always or wants[registered_delivery & 3]


def _word_or_none(chances: dict[str, float], draw: draws.Draw) -> Callable[[int], str | None]:
    rest = 1 - sum(chances.values())
    pick = draws.choice({**chances, "": max(rest, 0.0)}, draw)
    return lambda ordinal: pick(ordinal) or None


class Writer:
    """Makes the deliver_sm of a receipt."""

    def __init__(self, scenario: Scenario) -> None:
        rules = scenario.receipt
        form = scenario.response.message_id
        self._text = compile_format(rules.formats[0])
        self._quoted_octets = _quoted_octets(rules.formats[0])
        self._spell: Speller | None = speller(rules.id) if rules.id is not None and rules.id != form else None
        self._tlvs = rules.tlv
        self._states = {word: tlv("message_state", row.message_state) for word, row in STATES.items()}
        self._errors = {word: tlv("network_error_code", bytes((GSM_ERROR, 0, row.err))) for word, row in STATES.items()}
        self._id_tag = tables.TLV_BY_NAME["receipted_message_id"].tag

    def pdu(self, delivery: Delivery, done_at: float, interface_version: int) -> DeliverSm:
        """Return the deliver_sm of a delivery for a session of this version: before 3.4 there are no TLVs."""
        if delivery.mo is not None:
            return delivery.mo
        entry = delivery.entry
        assert entry is not None, "a delivery without a text of its own is a receipt"
        submitted = entry.pdu
        text = self._text(self._facts(entry, delivery.stat, done_at)).encode("ascii", "replace")
        tlvs = self._receipt_tlvs(entry, delivery.stat) if interface_version >= tables.SMPP_34 else ()
        if len(text) > SHORT_MESSAGE_OCTETS:
            text, tlvs = b"", (*tlvs, tlv("message_payload", text))
        return DeliverSm(
            source_addr_ton=submitted.dest_addr_ton,
            source_addr_npi=submitted.dest_addr_npi,
            source_addr=submitted.destination_addr,
            dest_addr_ton=submitted.source_addr_ton,
            dest_addr_npi=submitted.source_addr_npi,
            destination_addr=submitted.source_addr,
            esm_class=RECEIPT if STATES[delivery.stat].final else INTERMEDIATE,
            short_message=text,
            tlvs=tlvs,
        )

    def _facts(self, entry: Entry, stat: str, done_at: float) -> ReceiptFacts:
        return ReceiptFacts(
            entry.message_id if self._spell is None else self._spell(entry.number),
            1 if stat == "DELIVRD" else 0,
            entry.accepted_at,
            done_at,
            stat,
            STATES[stat].err,
            _beginning(entry.pdu, self._quoted_octets),
        )

    def _receipt_tlvs(self, entry: Entry, stat: str) -> tuple[Tlv, ...]:
        found = (self._receipt_tlv(name, entry, stat) for name in self._tlvs)
        return tuple([each for each in found if each is not None])

    def _receipt_tlv(self, name: str, entry: Entry, stat: str) -> Tlv | None:
        if name == "user_message_reference":  # the ESME's own number comes back where it gave one
            return next((each for each in entry.pdu.tlvs if each.tag == REFERENCE), None)
        if name == "receipted_message_id":
            return Tlv(self._id_tag, entry.message_id.encode("ascii") + b"\0")
        return self._states[stat] if name == "message_state" else self._errors[stat]


def _quoted_octets(text_format: str) -> int:
    """Return how many octets of a message a format can quote: two for each character of ``{text:.20}``."""
    if "{text" not in text_format:
        return 0
    limits = [int(digits) for digits in re.findall(r"{text:[^}]*\.(\d+)}", text_format)]
    return 2 * max(limits) if len(limits) == text_format.count("{text") else SHORT_MESSAGE_OCTETS


def _beginning(pdu: SubmitSm | DataSm, count: int) -> str:
    """Return enough of the text for a receipt to quote; data that is no text is not quoted."""
    octets = pdu.message_octets
    if pdu.esm_class & UDHI:
        octets = strip_udh(octets)
    alphabet = alphabet_of(pdu.data_coding)
    return "" if alphabet is Alphabet.BINARY else decode(octets[:count], alphabet)
