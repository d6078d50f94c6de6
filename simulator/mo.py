"""Messages from subscribers."""

from typing import Any, Final, Literal, get_args

import attrs

from connector.settings import nearest, shown
from connector.smpp.alphabet import Alphabet, data_coding_of, encode, fits
from connector.smpp.parts import Concatenation, Profile, cut, short_message
from connector.smpp.pdu import DeliverSm
from connector.smpp.tlv import tlv
from connector.smpp.udh import MOST_PARTS, UDH_INDICATOR
from simulator.receipts import SHORT_MESSAGE_OCTETS, Delivery
from simulator.scenario import MoRules
from simulator.scenario.messages import Lorem

Split = Literal["udh8", "udh16", "sar", "payload"]
"""How a text that is too long for one message travels."""
LONGEST_SHORT_CODE: Final = 8
JUST_S: Final = 1e-6
"""A sum of times falls short of what was meant by less than this."""


def subscriber_message(source: str, destination: str, text: str) -> DeliverSm:
    """Return the deliver_sm of a text, in the GSM alphabet where it fits, else UCS-2.

    A text of more than 254 octets travels in message_payload.  Raises EncodeError when an address does not fit.
    """
    return _deliver_sm(source, destination, **text_fields(text))


def text_fields(text: str) -> dict[str, Any]:
    """Return the fields of a PDU that hold a text, as `subscriber_message` makes them."""
    alphabet = Alphabet.GSM if fits(text, Alphabet.GSM) else Alphabet.UCS2
    octets, coding = encode(text, alphabet), {"data_coding": data_coding_of(alphabet)}
    if len(octets) <= SHORT_MESSAGE_OCTETS:
        return {**coding, "short_message": octets}
    return {**coding, "tlvs": (tlv("message_payload", octets),)}


def subscriber_parts(
    source: str, destination: str, text: str, *, reference: int = 0, wide: bool = False
) -> list[DeliverSm]:
    """Return the deliver_sm that a handset makes of a long text, joined by a header, in the order of their numbers.

    A short text is one without a header.  Raises EncodeError when an address, the text or the reference does not fit.
    """
    way = Concatenation.UDH16 if wide else Concatenation.UDH8
    made = cut(text, Profile(concatenation=way, max_parts=MOST_PARTS))
    parts = []
    for number in range(1, len(made.bounds) + 1):
        octets, has_header = short_message(text, made, number, reference=reference, way=way)
        part = _deliver_sm(source, destination, data_coding=data_coding_of(made.alphabet), short_message=octets)
        part.esm_class = UDH_INDICATOR if has_header else 0
        parts.append(part)
    return parts


def subscriber_segments(source: str, destination: str, text: str, *, reference: int = 0) -> list[DeliverSm]:
    """Return the deliver_sm of a long text whose parts are told by the three sar TLVs (SMPP 3.4, 5.3.2.22 to 24)."""
    way = Concatenation.SAR
    made = cut(text, Profile(concatenation=way, max_parts=MOST_PARTS))
    total = len(made.bounds)
    parts = []
    for number in range(1, total + 1):
        octets, _ = short_message(text, made, number, way=way)
        part = _deliver_sm(source, destination, data_coding=data_coding_of(made.alphabet), short_message=octets)
        if total > 1:
            part.tlvs = (
                tlv("sar_msg_ref_num", reference),
                tlv("sar_total_segments", total),
                tlv("sar_segment_seqnum", number),
            )
        parts.append(part)
    return parts


def subscriber_pdus(source: str, destination: str, text: str, *, split: Split, reference: int) -> list[DeliverSm]:
    """Return the deliver_sm of a text, of a long one as ``split`` says.

    Raises EncodeError when an address or the text does not fit, and ValueError for a ``split`` that is none.
    """
    if split not in get_args(Split):
        ways = get_args(Split)
        raise ValueError(f"a text is split by {', '.join(ways)}, not {shown(split)}{nearest(split, ways)}")
    if split == "payload":
        return [subscriber_message(source, destination, text)]
    if split == "sar":
        return subscriber_segments(source, destination, text, reference=reference)
    return subscriber_parts(source, destination, text, reference=reference, wide=split == "udh16")


def _deliver_sm(source: str, destination: str, **body: Any) -> DeliverSm:
    source_ton, source_npi = ton_npi(source)
    dest_ton, dest_npi = ton_npi(destination)
    return DeliverSm(
        source_addr_ton=source_ton,
        source_addr_npi=source_npi,
        source_addr=source,
        dest_addr_ton=dest_ton,
        dest_addr_npi=dest_npi,
        destination_addr=destination,
        **body,
    )


def ton_npi(address: str) -> tuple[int, int]:
    """Return type and numbering plan of an address: international, unknown (short codes), alphanumeric."""
    if not address.isdecimal():
        return 5, 0
    return (0, 1) if len(address) <= LONGEST_SHORT_CODE else (1, 1)


@attrs.define
class MoRun:
    """One `[[mo]]` as it goes on."""

    rules: MoRules
    next_at: float
    count: int = 0

    @classmethod
    def started(cls, rules: MoRules, started_at: float) -> "MoRun":
        """Return a run of a simulator that started at this time."""
        wait_s = rules.at_s if rules.rate is None else rules.rate.interval_s
        return cls(rules, started_at + (wait_s or 0.0))

    @classmethod
    def begun(cls, rules: MoRules, started_at: float, now: float) -> "MoRun":
        """Return a run that is new to a simulator that has been there for a while."""
        if rules.rate is not None:
            return cls.started(rules, now)
        run = cls.started(rules, started_at)
        run.next_at = run.next_at if run.next_at >= now - JUST_S else float("inf")
        return run

    def go_on(self, rules: MoRules, now: float) -> None:
        """Go by other rules from now on; another rate counts from now."""
        if rules.rate is not None and rules.rate != self.rules.rate:
            self.next_at = now + rules.rate.interval_s
        self.rules = rules

    def take(self) -> list[Delivery]:
        """Return the message that is due, in as many parts as it needs, and move on to the next."""
        self.count += 1
        rules, lorem = self.rules, Lorem()
        self.next_at = float("inf") if rules.rate is None else self.next_at + rules.rate.interval_s
        source, destination, text = (
            form.format(n=self.count, lorem=lorem) for form in (rules.from_, rules.to, rules.text)
        )
        return [
            Delivery(None, mo=pdu)
            for pdu in subscriber_pdus(source, destination, text, split=rules.split, reference=self.count & 0xFF)
        ]
