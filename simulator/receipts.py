"""Deliveries, and the PDUs that carry them to the ESME.  Pure: time is an argument, nothing is sent here."""

import re
from collections.abc import Callable
from typing import Any, Final

import attrs

from connector.smpp import tables
from connector.smpp.pdu import DataSm, DeliverSm, SubmitSm
from connector.smpp.tlv import Tlv, tlv
from simulator import draws
from simulator.ids import Speller, coming_round, speller
from simulator.ledger import Entry
from simulator.receipt_text import ReceiptFacts, compile_format
from simulator.scenario import STATES, IdForm, Scenario
from simulator.texts import text_of

REFERENCE: Final = tables.TLV_BY_NAME["user_message_reference"].tag

RECEIPT: Final = 0x04
INTERMEDIATE: Final = 0x20

SHORT_MESSAGE_OCTETS: Final = 254
GSM_ERROR: Final = 3
"""Network type in network_error_code (SMPP 3.4, 5.3.2.31)."""
STRANGER: Final = 1 << 31
"""So far from a message's own number is the one of an id that was never given."""


@attrs.define(eq=False)
class Delivery:
    """One deliver_sm on its way to the ESME, receipt or message from a subscriber."""

    entry: Entry | None
    """The message that a receipt speaks of."""
    stat: str = ""
    mo: DeliverSm | None = None
    via: object = None
    """The bind it should leave by as long as that is bound."""
    avoids: bool = False
    """It should leave by any bind but ``via``."""
    tries: int = 0
    err: int | None = None
    """The number after ``err:`` where a rule gives another one."""
    about: Entry | None = None
    """The message that a handset speaks of itself."""
    stranger: bool = False
    """It names an id that was never given."""
    settled: bool = False
    """An answer came, maybe after it had been put down for another try."""

    @property
    def final(self) -> bool:
        """Whether it says the last word about its message."""
        return self.entry is not None and not self.stranger and STATES[self.stat].final


class Writer:
    """Makes the PDU of a receipt."""

    def __init__(self, scenario: Scenario) -> None:
        rules, seed = scenario.receipt, scenario.seed
        formats = {str(index): 1.0 for index in range(len(rules.formats))}
        texts = [compile_format(text) for text in rules.formats]
        pick = draws.choice(formats, draws.stream(seed, "receipt.format"))
        self._text_of: Callable[[int], Callable[[ReceiptFacts], str]] = (
            (lambda number: texts[int(pick(number))]) if len(texts) > 1 else (lambda _number: texts[0])
        )
        self._quoted_octets = max(map(_quoted_octets, rules.formats))
        self._spell = _other_spelling(rules.id, scenario)
        self._tlv_spell = _other_spelling(rules.tlv_id, scenario)
        self._stranger = speller(rules.id or scenario.response.message_id, seed)
        self._tlvs = rules.tlv
        self._errors = {word: rules.err.get(word, row.err) for word, row in STATES.items()}
        self._states = {word: tlv("message_state", row.message_state) for word, row in STATES.items()}
        self._marks = {word: RECEIPT if row.final else INTERMEDIATE for word, row in STATES.items()}
        if rules.esm_class == "none":
            self._marks = dict.fromkeys(STATES, 0)
        elif rules.intermediate_unasked:  # who sends it unasked says it is a receipt like the others
            self._marks = dict.fromkeys(STATES, RECEIPT)
        self._carries = draws.choice(rules.carrier_pdu, draws.stream(seed, "receipt.carrier_pdu"))
        self._id_tag = tables.TLV_BY_NAME["receipted_message_id"].tag

    def pdu(self, delivery: Delivery, done_at: float, interface_version: int) -> DeliverSm | DataSm:
        """Return the PDU of a delivery for a session of this version: before 3.4 there are no TLVs and no data_sm."""
        if delivery.mo is not None:
            return delivery.mo
        entry = delivery.entry
        assert entry is not None, "a delivery without a text of its own is a receipt"
        knows_tlvs = interface_version >= tables.SMPP_34
        text = self._text_of(entry.number)(self._facts(delivery, entry, done_at)).encode("ascii", "replace")
        tlvs = self._receipt_tlvs(delivery, entry) if knows_tlvs else ()
        if knows_tlvs and self._carries(entry.number) == "data_sm":
            tlvs = (*tlvs, tlv("message_payload", text))
            return DataSm(**turned_round(entry.pdu), esm_class=self._marks[delivery.stat], tlvs=tlvs)
        if len(text) > SHORT_MESSAGE_OCTETS:
            text, tlvs = b"", (*tlvs, tlv("message_payload", text))
        return DeliverSm(
            **turned_round(entry.pdu),
            esm_class=self._marks[delivery.stat],
            short_message=text,
            tlvs=tlvs,
        )

    def _facts(self, delivery: Delivery, entry: Entry, done_at: float) -> ReceiptFacts:
        stat = delivery.stat
        return ReceiptFacts(
            self._id(delivery, entry, self._spell),
            1 if stat == "DELIVRD" else 0,
            entry.accepted_at,
            done_at,
            stat,
            self._errors[stat] if delivery.err is None else delivery.err,
            text_of(entry.pdu, self._quoted_octets) if self._quoted_octets else "",
        )

    def _id(self, delivery: Delivery, entry: Entry, spell: Speller | None) -> str:
        if delivery.stranger:
            return self._stranger(entry.number + STRANGER)
        if spell is None:
            return entry.message_id
        return spell(entry.number if entry.id_number is None else entry.id_number)

    def _receipt_tlvs(self, delivery: Delivery, entry: Entry) -> tuple[Tlv, ...]:
        found = (self._receipt_tlv(name, delivery, entry) for name in self._tlvs)
        return tuple([each for each in found if each is not None])

    def _receipt_tlv(self, name: str, delivery: Delivery, entry: Entry) -> Tlv | None:
        if name == "user_message_reference":  # the ESME's own number comes back where it gave one
            return next((each for each in entry.pdu.tlvs if each.tag == REFERENCE), None)
        if name == "receipted_message_id":
            return Tlv(self._id_tag, self._id(delivery, entry, self._tlv_spell).encode("ascii") + b"\0")
        if name == "message_state":
            return self._states[delivery.stat]
        error = self._errors[delivery.stat] if delivery.err is None else delivery.err
        return tlv("network_error_code", bytes((GSM_ERROR,)) + (error & 0xFFFF).to_bytes(2, "big"))


def turned_round(submitted: SubmitSm | DataSm) -> dict[str, Any]:
    """Return the addresses of what comes back about a message: from whom it went to, to who sent it."""
    return {
        "source_addr_ton": submitted.dest_addr_ton,
        "source_addr_npi": submitted.dest_addr_npi,
        "source_addr": submitted.destination_addr,
        "dest_addr_ton": submitted.source_addr_ton,
        "dest_addr_npi": submitted.source_addr_npi,
        "destination_addr": submitted.source_addr,
    }


def _other_spelling(form: IdForm | None, scenario: Scenario) -> Speller | None:
    """Return how a place spells ids, or None where it is as submit_sm_resp does."""
    ids = scenario.response.message_id
    if form is None or form == ids:
        return None
    return coming_round(speller(form, scenario.seed), ids.start, ids.reuse_after)


def _quoted_octets(text_format: str) -> int:
    """Return how many octets of a message a format can quote: two for each character of ``{text:.20}``."""
    if "{text" not in text_format:
        return 0
    limits = [int(digits) for digits in re.findall(r"{text:[^}]*\.(\d+)}", text_format)]
    return 2 * max(limits) if len(limits) == text_format.count("{text") else SHORT_MESSAGE_OCTETS
