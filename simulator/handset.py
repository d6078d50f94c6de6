"""What handsets say themselves about messages that reached them.  Pure: nothing is sent here."""

from collections.abc import Iterator
from typing import Final

from connector.smpp.pdu import DeliverSm
from simulator import draws
from simulator.delays import sampler
from simulator.ledger import Entry
from simulator.mo import text_fields
from simulator.receipts import REFERENCE, Delivery, turned_round
from simulator.scenario import HandsetRules

DELIVERED: Final = "DELIVRD"
WANTS_DELIVERY, WANTS_MANUAL = 0x04, 0x08
"""Bits of registered_delivery: that the handset has it, that the person has done something (SMPP 3.4, 5.2.17)."""
DELIVERY, MANUAL = 0x08, 0x10
"""esm_class of what comes back (SMPP 3.4, 5.2.12)."""


class Handset:
    """Acknowledges messages that were delivered, where they ask for it and the scenario has handsets that do."""

    def __init__(self, rules: HandsetRules, seed: int) -> None:
        self.answers = 0
        """The bits of registered_delivery that it may answer."""
        self._ways = []
        for bit, esm_class, name, rate in (
            (WANTS_DELIVERY, DELIVERY, "delivery", rules.delivery),
            (WANTS_MANUAL, MANUAL, "manual", rules.manual),
        ):
            if rate:
                purpose = f"receipt.handset.{name}"
                happens = draws.chance(rate, draws.stream(seed, purpose))
                self._ways.append((bit, esm_class, happens, sampler(rules.delay, seed, f"{purpose}/delay")))
                self.answers |= bit
        self._text = text_fields(rules.text)

    def words(self, entry: Entry) -> Iterator[tuple[Delivery, float]]:
        """Yield what it says about a message, and how long after it got that."""
        if entry.state != DELIVERED:
            return
        for bit, esm_class, happens, delay in self._ways:
            after_s = delay(entry.number)
            if entry.pdu.registered_delivery & bit and after_s is not None and happens(entry.number):
                yield Delivery(None, mo=self._pdu(entry, esm_class), about=entry), after_s

    def _pdu(self, entry: Entry, esm_class: int) -> DeliverSm:
        """Return an acknowledgement: the ESME knows by its own reference, if it gave one, what it is about."""
        made = DeliverSm(**turned_round(entry.pdu), **self._text, esm_class=esm_class)
        made.tlvs += tuple(each for each in entry.pdu.tlvs if each.tag == REFERENCE)
        return made
