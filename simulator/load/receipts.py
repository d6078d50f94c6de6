"""Whether a receipt is of a message of the load's own: by its TLV, and by its text."""

from collections.abc import Callable
from typing import Final

from connector.smpp import tables
from connector.smpp.pdu import DataSm, DeliverSm
from connector.smpp.receipt import Receipt, is_receipt, parse_receipt
from simulator.scenario import IdForm, Scenario

MOST_AWAITED: Final = 1_000_000
"""Messages whose receipt is awaited; older ones are forgotten, and their receipts match nothing."""
MOST_EARLY: Final = 10_000
"""Receipts that came before the answer to their message."""
_ID: Final = tables.TLV_BY_NAME["receipted_message_id"].tag
_STATE: Final = "message_state"


class Receipts:
    """Matches receipts to the ids that answers gave."""

    def __init__(self, scenario: Scenario) -> None:
        answered = scenario.response.message_id
        self._answered = _reader(answered)
        self._text = _reader(scenario.receipt.id or answered)
        self._tlv = _reader(scenario.receipt.tlv_id or answered)
        self._awaited: dict[str, None] = {}
        self._older: dict[str, None] = {}
        self._early: dict[str, None] = {}
        self.matched = 0
        self.unmatched = 0

    @property
    def awaited(self) -> int:
        """How many messages have no final receipt yet."""
        return len(self._awaited) + len(self._older)

    def expect(self, message_id: str) -> None:
        """Await a receipt for this id of an answer."""
        key = self._answered(message_id)
        if self._early and key in self._early:
            del self._early[key]
            self.unmatched -= 1
            self.matched += 1
            return
        self._awaited[key] = None
        if len(self._awaited) > MOST_AWAITED // 2:
            self._older, self._awaited = self._awaited, {}

    def take(self, pdu: DeliverSm | DataSm) -> None:
        """Count a receipt, and forget its message if it says the last word; anything else is none."""
        told_id = pdu.tlv_value("receipted_message_id")
        if not is_receipt(pdu.esm_class, told_id is not None):
            return
        state = pdu.tlv_value(_STATE)
        receipt = parse_receipt(
            pdu.message_octets,
            esm_class=pdu.esm_class,
            data_coding=pdu.data_coding,
            receipted_message_id=pdu.tlv_octets("receipted_message_id"),
            message_state=state if isinstance(state, int) else None,
        )
        if receipt.is_final:
            self._count(receipt)

    def _count(self, receipt: Receipt) -> None:
        keys = [read(text) for read, text in ((self._tlv, receipt.tlv_id), (self._text, receipt.id)) if text]
        for key in keys:
            for awaited in (self._awaited, self._older):
                if key in awaited:
                    del awaited[key]
                    self.matched += 1
                    return
        self.unmatched += 1
        self._early.update(dict.fromkeys(keys[:1]))
        if len(self._early) > MOST_EARLY:
            del self._early[next(iter(self._early))]


def _reader(form: IdForm) -> Callable[[str], str]:
    """Return how an id of this form is spelled the same wherever it stands; what is none stays as it is."""
    if form.form == "uuid":
        return str.lower
    base = 16 if form.form == "hex" else 10

    def read(text: str) -> str:
        try:
            return str(int(text.removeprefix(form.prefix), base))
        except ValueError:
            return text

    return read
