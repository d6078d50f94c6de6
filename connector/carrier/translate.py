"""The one place where our values meet SMPP's: parts become submit_sm, answers and deliver_sm become results."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import attrs

from connector.carrier.dialect import Dialect
from connector.config import CarrierConfig, LaneConfig
from connector.errors import EncodeError
from connector.lifecycle import Event
from connector.model import Answer, Inbound, Lost, Part, Reason, Receipt
from connector.smpp import alphabet as alphabets
from connector.smpp import tables
from connector.smpp.alphabet import Alphabet
from connector.smpp.events import Answered
from connector.smpp.outcomes import Outcome, outcome_of, status_name
from connector.smpp.parts import Concatenation, udh
from connector.smpp.pdu import DataSm, DeliverSm, SubmitSm
from connector.smpp.receipt import is_intermediate, is_receipt, parse_receipt
from connector.smpp.tlv import Tlv, tlv

UDH_INDICATOR = 0x40
INTERNATIONAL, NATIONAL_SHORT, ALPHANUMERIC = (1, 1), (3, 0), (5, 0)
SHORT_CODE_DIGITS = 8
LONGEST_SHORT_MESSAGE_OCTETS = 160
"""What fits one part in any alphabet; a longer one goes into message_payload."""

# What a caller may set on a submit_sm, each with the largest value its octet count holds.
OPTION_FIELDS: Mapping[str, type] = {
    "service_type": str,
    "protocol_id": int,
    "priority_flag": int,
    "replace_if_present_flag": int,
    "registered_delivery": int,
    "sm_default_msg_id": int,
    "data_coding": int,
}


def option_problem(name: str, value: object) -> str | None:
    """Return what is wrong with one of a request's options, or None: a field of submit_sm or a TLV, by name.

    Octets of a TLV are given as hexadecimal text.
    """
    kind = OPTION_FIELDS.get(name)
    if kind is not None:
        if not isinstance(value, kind) or isinstance(value, bool):
            return f"{name} must be {'text' if kind is str else 'a whole number'}"
        fits = len(value) <= 5 and value.isascii() if isinstance(value, str) else 0 <= int(value) <= 255  # type: ignore[call-overload]
        return None if fits else f"{name} does not fit its field"
    try:
        _option_tlv(name, value)
    except (EncodeError, ValueError) as error:
        return str(error)
    return None


def _option_tlv(name: str, value: object) -> Tlv:
    spec = tables.TLV_BY_NAME.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise EncodeError(name, "a TLV's value is a whole number or text")
    if spec is not None and spec.kind is tables.TlvKind.OCTETS:
        return tlv(name, bytes.fromhex(str(value)))
    return tlv(name, value)


@lru_cache(maxsize=1_000)
def _parsed(options: str) -> tuple[dict[str, Any], tuple[Tlv, ...]]:
    """Return (fields, TLVs) of an option text; few different ones are in use at a time."""
    given = json.loads(options)
    fields = {name: value for name, value in given.items() if name in OPTION_FIELDS}
    return fields, tuple(_option_tlv(name, value) for name, value in given.items() if name not in OPTION_FIELDS)


@lru_cache(maxsize=10_000)
def _source(sender: str) -> tuple[int, int, str]:
    """Return (TON, NPI, address) of a sender by facts of practice: text, short code or international number."""
    digits = sender.removeprefix("+")
    if not sender:
        return 0, 0, ""
    if not digits.isdecimal():
        return (*ALPHANUMERIC, sender)
    if len(digits) <= SHORT_CODE_DIGITS and digits == sender:
        return (*NATIONAL_SHORT, digits)
    return (*INTERNATIONAL, digits)


LONGEST_S = 99 * 365 * 86_400


@lru_cache(maxsize=10_000)
def relative_time(seconds: int) -> str:
    """Return SMPP's relative time string; a month stands for 30 days and a year for 12 of them (SMPP 3.4, 7.1.1.2)."""
    minutes, second = divmod(min(max(1, seconds), LONGEST_S), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    months, day = divmod(days, 30)
    year, month = divmod(months, 12)
    return f"{min(year, 99):02}{month:02}{day:02}{hour:02}{minute:02}{second:02}000R"


@attrs.define
class Translator:
    """Turns one carrier's traffic into our values and back, by its dialect and the lanes' policies."""

    config: CarrierConfig
    lanes: Mapping[str, LaneConfig]
    dialect: Dialect = attrs.field(init=False)
    _name: str = attrs.field(init=False)
    _codings: dict[str, tuple[Alphabet, int]] = attrs.field(init=False)
    _way: Concatenation = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.dialect = Dialect(self.config.dialect)
        self._name = self.config.name
        self._way = Concatenation(self.config.dialect.concatenation)
        default = Alphabet(self.config.dialect.default_alphabet)
        self._codings = {str(a): (a, alphabets.data_coding_of(a)) for a in Alphabet}
        # ASCII was agreed on because the carriers of the rule differ: each writes it in its own default alphabet
        self._codings[Alphabet.ASCII] = (default, 0)
        self._codings[default] = (default, 0)

    # --- down ---

    def submit_sm(self, part: Part, now: float) -> SubmitSm:
        """Return the submit_sm for a part.  Raises EncodeError if its text does not fit the carrier's alphabet."""
        alphabet, data_coding = self._codings[part.alphabet]
        octets = alphabets.encode(part.text, alphabet)
        ton, npi, source = _source(part.sender)
        pdu = SubmitSm(
            source_addr_ton=ton,
            source_addr_npi=npi,
            source_addr=source,
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=part.to,
            validity_period=relative_time(int(part.deadline - now)),
            registered_delivery=1 if part.receipt else 0,
            data_coding=data_coding,
            short_message=octets,
        )
        if part.total > 1 or len(octets) > LONGEST_SHORT_MESSAGE_OCTETS:
            self._join(pdu, part, octets)
        if part.options is not None:
            fields, tlvs = _parsed(part.options)
            for name, value in fields.items():
                setattr(pdu, name, value)
            pdu.tlvs += tlvs
        return pdu

    def _join(self, pdu: SubmitSm, part: Part, octets: bytes) -> None:
        """Tie the parts of a message together in the carrier's way."""
        if self._way is Concatenation.PAYLOAD and part.total == 1:
            pdu.short_message = b""
            pdu.tlvs = (tlv("message_payload", octets),)
        elif self._way is Concatenation.SAR:
            pdu.tlvs = (
                tlv("sar_msg_ref_num", part.reference & 0xFFFF),
                tlv("sar_total_segments", part.total),
                tlv("sar_segment_seqnum", part.number),
            )
        elif part.total > 1:
            wide = self._way is Concatenation.UDH16
            reference = part.reference & (0xFFFF if wide else 0xFF)
            pdu.esm_class |= UDH_INDICATOR
            pdu.short_message = udh(reference, part.total, part.number, wide=wide) + octets

    # --- up ---

    def answer(self, part: Part, answered: Answered, outcome: Outcome, now: float) -> Answer:
        """Return what an answer means for the part, by the lane's retry table."""
        lane = self.lanes[part.lane]
        if outcome is Outcome.ACCEPTED:
            message_id = answered.message_id
            return Answer(
                part.id,
                part.attempt,
                Event.ACKNOWLEDGED,
                now,
                self._name,
                message_id,
                self.dialect.key_of_response(message_id),
                part.to,
                now + lane.patience_s,
            )
        event, due_at, burned, reason = _setback(part, outcome, lane, now)
        return Answer(
            part.id,
            part.attempt,
            event,
            now,
            self._name,
            due_at=due_at,
            burned=burned,
            reason=reason,
            detail=status_name(answered.command_status),
        )

    def unencodable(self, part: Part, error: EncodeError, now: float) -> Answer:
        """Return the end of a part that cannot be written for this carrier: our mistake, nothing was sent."""
        return Answer(
            part.id, part.attempt, Event.REFUSED, now, self._name, reason=Reason.OUR_ENCODING, detail=str(error)
        )

    def lost(self, part: Part, reason: Reason, now: float) -> Lost:
        """Return the doubt about a part whose answer will not come."""
        return Lost(part.id, part.attempt, now, self._name, reason, now + self.lanes[part.lane].patience_s)

    def deliver(self, pdu: DeliverSm | DataSm, now: float) -> Receipt | Inbound:
        """Return the receipt or the inbound message a deliver_sm (or data_sm) is; esm_class decides which."""
        octets = _text_of(pdu)
        tlv_id = _tlv_octets(pdu, 0x001E)
        if is_receipt(pdu.esm_class, tlv_id is not None) or is_intermediate(pdu.esm_class):
            return self._receipt(pdu, octets, tlv_id, now)
        alphabet = alphabets.alphabet_of(pdu.data_coding, Alphabet(self.config.dialect.default_alphabet))
        return Inbound(
            carrier=self._name,
            at=now,
            sender=pdu.source_addr,
            to=pdu.destination_addr,
            text=alphabets.decode(octets, alphabet),
            octets=octets,
            data_coding=pdu.data_coding,
            esm_class=pdu.esm_class,
        )

    def _receipt(self, pdu: DeliverSm | DataSm, octets: bytes, tlv_id: bytes | None, now: float) -> Receipt:
        state = pdu.tlv_value("message_state") if pdu.tlvs else None
        receipt = parse_receipt(
            octets,
            esm_class=pdu.esm_class,
            data_coding=pdu.data_coding,
            receipted_message_id=tlv_id,
            message_state=state if isinstance(state, int) else None,
        )
        words = [word for word in (receipt.stat or str(receipt.state), receipt.err) if word]
        return Receipt(
            self._name,
            self.dialect.keys_of_receipt(receipt.tlv_id, receipt.id),
            now,
            None if receipt.intermediate else self.dialect.event_of(receipt.state),
            _numbers(pdu.source_addr, pdu.destination_addr),
            " ".join(words),
        )


@lru_cache(maxsize=10_000)
def _other(address: str) -> str:
    """Return the second address of a receipt where it may be a subscriber's: a sender's name or short code is not."""
    digits = address.lstrip("+0")
    return f" {digits}" if digits.isdecimal() and len(digits) > SHORT_CODE_DIGITS else ""


def _numbers(source: str, destination: str) -> str:
    """Return the digits a receipt may name its subscriber by: its source, and its destination for those who swap."""
    return source.lstrip("+0") + _other(destination)


def _setback(part: Part, outcome: Outcome, lane: LaneConfig, now: float) -> tuple[Event, float | None, int, Reason]:
    """Return (event, when to try again, attempts burned, reason) for an answer that is not an acceptance."""
    if outcome is Outcome.SLOW_DOWN:
        return Event.DEFERRED, None, 0, Reason.THROTTLED
    if outcome is Outcome.BIND_SICK:
        return Event.DEFERRED, now + lane.retry.backoff_s[0], 0, Reason.BIND_SICK
    if outcome is Outcome.RETRY_LATER:
        if part.tries + 1 >= lane.retry.attempts:
            return Event.EXHAUSTED, None, 1, Reason.ATTEMPTS_USED_UP
        pause = lane.retry.backoff_s[min(part.tries, len(lane.retry.backoff_s) - 1)]
        return Event.DEFERRED, now + pause, 1, Reason.TEMPORARY
    return Event.REFUSED, None, 1, Reason.REFUSED_BY_CARRIER


def outcome_for(command_status: int) -> Outcome:
    """Return what a status in an answer means for us; 0 first, it is nearly always that."""
    return Outcome.ACCEPTED if command_status == 0 else outcome_of(command_status)


def _tlv_octets(pdu: DeliverSm | DataSm, tag: int) -> bytes | None:
    for candidate in pdu.tlvs:
        if candidate.tag == tag:
            return candidate.value
    return None


def _text_of(pdu: DeliverSm | DataSm) -> bytes:
    """Return the text's octets: short_message, or message_payload where that is empty (SMPP 3.4, 4.6.1)."""
    short: bytes = getattr(pdu, "short_message", b"")
    return short or _tlv_octets(pdu, 0x0424) or b""
