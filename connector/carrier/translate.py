"""The one place where our values meet SMPP's: parts become submit_sm, answers and deliver_sm become results."""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import attrs

from connector.carrier.arrivals import LONGEST_SHORT_CODE_DIGITS, Arrivals
from connector.carrier.dialect import Dialect
from connector.carrier.last_look import LastLook, no_objection
from connector.carrier.options import Extras, extras
from connector.carrier.refusals import Refusals
from connector.carrier.setbacks import Prospect, Prospects, decide, doubt_policy, no_prospects
from connector.carrier.times import Validity, validity_of
from connector.config import CarrierConfig, LaneConfig
from connector.config.dialect import AddressesConfig
from connector.errors import EncodeError
from connector.lifecycle import Event
from connector.model import Answer, Inbound, Lost, Part, Reason, Receipt, Setback, user_message_reference
from connector.smpp import alphabet as alphabets
from connector.smpp import tables
from connector.smpp.alphabet import Alphabet, Language
from connector.smpp.events import Answered
from connector.smpp.outcomes import Outcome, status_name
from connector.smpp.parts import Coding, Concatenation, Profile, shift_udh, udh
from connector.smpp.pdu import CancelSm, DataSm, DeliverSm, SubmitSm
from connector.smpp.tlv import tlv
from connector.smpp.udh import UDH_INDICATOR
from connector.smpp.versions import Tlvs

LONGEST_SHORT_MESSAGE_OCTETS: Final = 160
"""What fits one part in any alphabet; a longer one goes into message_payload."""

Address = tuple[int, int, str]
"""TON, NPI and the address as it goes out."""

# By position, in the order of the wire: that costs 0.24 us a message, keywords 0.47.
_REFERENCE: Final = tables.TLV_BY_NAME["user_message_reference"].tag
_submit_sm: Callable[..., SubmitSm] = SubmitSm


def _sources(addresses: AddressesConfig) -> Callable[[str], Address]:
    """Return what a sender goes out as, by facts of practice: text, short code or international number."""
    kinds = (addresses.alphanumeric, addresses.short_code, addresses.international)
    alphanumeric, short_code, international = [(kind.ton, kind.npi) for kind in kinds]

    @lru_cache(maxsize=10_000)
    def source(sender: str) -> Address:
        digits = sender.removeprefix("+")
        if not sender:
            return 0, 0, ""
        if not digits.isdecimal():
            return (*alphanumeric, sender)
        if len(digits) <= LONGEST_SHORT_CODE_DIGITS and digits == sender:
            return (*short_code, digits)
        return (*international, digits)

    return source


@attrs.define
class Translator:
    """Turns one carrier's traffic into our values and back, by its dialect and the lanes' policies."""

    config: CarrierConfig
    lanes: Mapping[str, LaneConfig]
    prospects: Prospects = no_prospects
    last_look: LastLook = no_objection
    dialect: Dialect = attrs.field(init=False)
    _name: str = attrs.field(init=False)
    _arrivals: Arrivals = attrs.field(init=False)
    _refusals: Refusals = attrs.field(init=False, factory=Refusals)
    _codings: dict[str, tuple[Alphabet, int]] = attrs.field(init=False)
    _shifted: tuple[tuple[Coding, int, int], ...] = attrs.field(init=False)
    """GSM without and with the carrier's shift tables, with the septets of a single part and of each of many; empty
    where it has none."""
    _way: Concatenation = attrs.field(init=False)
    _source: Callable[[str], Address] = attrs.field(init=False)
    _destination: tuple[int, int] = attrs.field(init=False)
    _validity: Validity = attrs.field(init=False)
    _registered: int = attrs.field(init=False)
    _has_constants: bool = attrs.field(init=False)
    _extras: Callable[[str, str | None], Extras] = attrs.field(init=False)
    _without_tlvs: bool = attrs.field(init=False)
    _refers: bool = attrs.field(init=False)
    _packed: bool = attrs.field(init=False)
    """Whether the septets of the GSM alphabet are packed."""
    _joins_by_header: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        config = self.config.dialect
        self._name = self.config.name
        self.dialect = Dialect(config)
        self._arrivals = Arrivals(self._name, self.dialect)
        self._way = Concatenation(config.concatenation)
        default = Alphabet(config.default_alphabet)
        self._codings = {str(a): (a, alphabets.data_coding_of(a)) for a in Alphabet}
        # ASCII was agreed on because the carriers of the rule differ: each writes it in its own default alphabet
        self._codings[Alphabet.ASCII] = (default, 0)
        self._codings[default] = (default, 0)
        self._shifted = _shifted_codings(config.languages, self._way)
        self._source = _sources(config.addresses)
        self._destination = (config.addresses.destination.ton, config.addresses.destination.npi)
        self._validity = validity_of(config)
        self._registered = config.registered_delivery
        self._has_constants = bool(config.always or config.lane)
        self._extras = lru_cache(maxsize=1_000)(self._extras_of)  # few different ones are in use at a time
        self._without_tlvs = self.dialect.tlvs is Tlvs.NEVER
        self._refers = config.doubt_settled_by == "reference"
        self._packed = config.gsm_packed
        self._joins_by_header = self._way is not Concatenation.SAR

    # --- down ---

    def submit_sm(self, part: Part, now: float) -> SubmitSm:
        """Return the submit_sm for a part.

        Raises EncodeError if its text does not fit the carrier's alphabet, or it needs a TLV that may not leave.
        """
        alphabet, data_coding = self._codings[part.alphabet]
        header = b""
        if self._shifted and (coding := self._coding(part)):
            octets = coding.encode(part.text)
            header = self._header(part, coding)
        else:
            octets = alphabets.encode(part.text, alphabet)
        long = len(octets) > LONGEST_SHORT_MESSAGE_OCTETS
        if self._packed and alphabet is Alphabet.GSM:
            octets = self._pack(part, octets, header)
        source_ton, source_npi, source = self._source(part.sender)
        dest_ton, dest_npi = self._destination
        pdu = _submit_sm(
            "",
            source_ton, source_npi, source,
            dest_ton, dest_npi, part.to,
            0, 0, 0, "", self._validity(part.deadline, now),
            self._registered if part.receipt else 0, 0, data_coding, 0,
            octets,
        )  # fmt: skip
        if part.total > 1 or long or header:
            self._join(pdu, part, header)
        if part.options is not None or self._has_constants:
            self._add(pdu, self._extras(part.lane, part.options))
        if self._refers and not any(each.tag == _REFERENCE for each in pdu.tlvs):
            pdu.tlvs += (tlv("user_message_reference", user_message_reference(part.id)),)
        if self._without_tlvs and pdu.tlvs:
            raise EncodeError("tlvs", f"this message needs one, and carrier {self._name} gets none")
        return pdu

    def cancel_sm(self, carrier_message_id: str, sender: str, to: str) -> CancelSm:
        """Return the cancel_sm for one message, with its addresses as `submit_sm` wrote them (SMPP 3.4, 4.9).

        service_type stays empty: it chooses among messages where no id does.
        """
        source_ton, source_npi, source = self._source(sender)
        dest_ton, dest_npi = self._destination
        return CancelSm(
            message_id=carrier_message_id,
            source_addr_ton=source_ton,
            source_addr_npi=source_npi,
            source_addr=source,
            dest_addr_ton=dest_ton,
            dest_addr_npi=dest_npi,
            destination_addr=to,
        )

    def _coding(self, part: Part) -> Coding | None:
        """Return the coding with shift tables a part goes by, None where it goes without: the first that holds it."""
        if part.alphabet != Alphabet.GSM:
            return None
        for coding, alone, each in self._shifted:
            septets = coding.units_or_none(part.text)
            if septets is not None and septets <= (each if part.total > 1 else alone):
                return coding if coding.is_shifted else None
        return None

    def _pack(self, part: Part, octets: bytes, header: bytes) -> bytes:
        """Return septets packed behind the header that will stand before them, which begins a new octet."""
        joined = header or (self._joining(part) if part.total > 1 and self._joins_by_header else b"")
        return alphabets.pack(octets, alphabets.fill_bits(len(joined)))

    def _header(self, part: Part, coding: Coding) -> bytes:
        """Return the header that names shift tables, and joins parts where there are several."""
        if part.total == 1:
            return shift_udh(locking=coding.locking, single=coding.single)
        return self._joining(part, coding.locking, coding.single)

    def _joining(self, part: Part, locking: int = 0, single: int = 0) -> bytes:
        wide = self._way is Concatenation.UDH16
        reference = part.reference & (0xFFFF if wide else 0xFF)
        return udh(reference, part.total, part.number, wide=wide, locking=locking, single=single)

    def _join(self, pdu: SubmitSm, part: Part, header: bytes) -> None:
        """Tie the parts of a message together in the carrier's way."""
        if self._way is Concatenation.PAYLOAD and part.total == 1:
            pdu.tlvs = (tlv("message_payload", pdu.short_message),)
            pdu.short_message = b""
        elif self._way is Concatenation.SAR:
            pdu.tlvs = (
                tlv("sar_msg_ref_num", part.reference & 0xFFFF),
                tlv("sar_total_segments", part.total),
                tlv("sar_segment_seqnum", part.number),
            )
        elif part.total > 1 or header:
            pdu.esm_class |= UDH_INDICATOR
            pdu.short_message = (header or self._joining(part)) + pdu.short_message

    def _extras_of(self, lane: str, options: str | None) -> Extras:
        """Return what is set on a message: the carrier's constants, under its lane's, under its own options."""
        config = self.config.dialect
        given = json.loads(options) if options else {}
        return extras({**config.always, **config.lane.get(lane, {}), **given}, self.dialect.vendor)

    @staticmethod
    def _add(pdu: SubmitSm, added: Extras) -> None:
        for name, value in added.fields:
            setattr(pdu, name, value)
        pdu.tlvs += added.tlvs

    # --- up ---

    def answer(self, part: Part, answered: Answered, outcome: Outcome, now: float) -> Answer:
        """Return what an answer means for the part, by the table of setbacks."""
        lane = self.lanes[part.lane]
        if outcome is Outcome.ACCEPTED:
            message_id = answered.message_id
            self._refusals.accepted(part.country)
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
                country=part.country,
                response_s=now - answered.sent_at,
                receipt=part.receipt and self._registered != 0,
            )
        ours = outcome is Outcome.REFUSED and self.dialect.is_our_encoding(answered.command_status)
        believed = outcome is not Outcome.REFUSED or ours or self._refusals.refused(part.country)
        prospect = Prospect() if ours else self.prospects(part, self._name)
        decision = decide(part, outcome, lane, now, prospect if believed else prospect.distrusted())
        first_at = part.first_at if part.first_at is not None else answered.sent_at
        return Answer(
            part.id,
            part.attempt,
            decision.event,
            now,
            self._name,
            due_at=self._due_at(part, decision.due_at, lane, now),
            burned=decision.burned,
            reason=Reason.OUR_ENCODING if ours else decision.reason,
            detail=status_name(answered.command_status),
            setback=Setback(first_at, decision.refused, decision.harmed),
            country=part.country,
            response_s=now - answered.sent_at,
        )

    @staticmethod
    def _due_at(part: Part, due_at: float | None, lane: LaneConfig, now: float) -> float | None:
        """Return when to look at a part again: one in doubt from before, and too late to be sent after its pause, waits
        for the carrier's word about that doubt as long as any other."""
        if part.doubts and due_at is not None and due_at >= part.deadline:
            return now + lane.patience_s
        return due_at

    def unencodable(self, part: Part, error: EncodeError, now: float) -> Answer:
        """Return the end of a part that cannot be written for this carrier: our mistake, nothing was sent."""
        return Answer(
            part.id, part.attempt, Event.REFUSED, now, self._name, reason=Reason.OUR_ENCODING, detail=str(error)
        )

    def lost(self, part: Part, reason: Reason, now: float) -> Lost:
        """Note on the part, and return, the doubt about it: its answer will not come."""
        part.doubts += 1
        due_at = doubt_policy(self.lanes[part.lane]).due_at(now, part.deadline, part.doubts)
        return Lost(part.id, part.attempt, now, self._name, reason, due_at, part.country)

    def deliver(self, pdu: DeliverSm | DataSm, now: float, bind: str = "") -> Receipt | Inbound:
        """Return the receipt or the inbound message a deliver_sm (or data_sm) is; esm_class decides which.

        ``bind``: the one it came on.
        """
        arrived = self._arrivals.read(pdu, now)
        if isinstance(arrived, Inbound):
            arrived.bind = bind
        return arrived


def _shifted_codings(languages: tuple[str, ...], way: Concatenation) -> tuple[tuple[Coding, int, int], ...]:
    if not languages:
        return ()
    numbers = tuple(Language[name.upper()] for name in languages)
    profile = Profile(alphabets=(Alphabet.GSM,), concatenation=way, languages=numbers)
    return profile.codings
