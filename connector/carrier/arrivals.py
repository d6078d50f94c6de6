"""The way up: a deliver_sm or data_sm becomes the receipt or the inbound message it is."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from zoneinfo import ZoneInfo

import attrs

from connector.carrier.dialect import Dialect
from connector.carrier.times import moment_of
from connector.config import DialectConfig
from connector.lifecycle import Event
from connector.model import Clue, Inbound, Receipt
from connector.smpp import tables
from connector.smpp.alphabet import Alphabet, decode, decode_shifted
from connector.smpp.parts import UserData, read_user_data
from connector.smpp.pdu import DataSm, DeliverSm
from connector.smpp.receipt import MessageState, is_intermediate, is_receipt, parse_receipt
from connector.smpp.udh import Udh

LONGEST_SHORT_CODE_DIGITS = 8
UNCERTAIN = "uncertain"
"""The alphabet of a text that is a guess: the header that was announced is none, or names a shift table nobody has."""
_TAGS = {name: tables.TLV_BY_NAME[name].tag for name in (
    "message_payload", "receipted_message_id", "message_state", "network_error_code",
    "sar_msg_ref_num", "sar_total_segments", "sar_segment_seqnum", "dest_port", "source_port",
    "user_message_reference",
)}  # fmt: skip
(
    _PAYLOAD, _ID, _STATE, _ERROR, _SAR_REFERENCE, _SAR_TOTAL, _SAR_NUMBER, _DEST_PORT, _SOURCE_PORT, _REFERENCE,
) = _TAGS.values()  # fmt: skip

Tlvs = Mapping[int, bytes]
"""Values by tag; of one that repeats the first counts."""


@attrs.define
class Arrivals:
    """Reads what one carrier delivers, by its dialect."""

    carrier: str
    dialect: Dialect
    _default: Alphabet = attrs.field(init=False)
    _zone: ZoneInfo = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._default = Alphabet(self.dialect.config.default_alphabet)
        self._zone = ZoneInfo(self.dialect.config.time_zone)

    def read(self, pdu: DeliverSm | DataSm, now: float) -> Receipt | Inbound:
        """Return the receipt or the inbound message a PDU is; esm_class decides which (SMPP 3.4, 5.2.12)."""
        tlvs = {item.tag: item.value for item in reversed(pdu.tlvs)} if pdu.tlvs else {}
        octets: bytes = getattr(pdu, "short_message", b"") or tlvs.get(_PAYLOAD, b"")
        if is_receipt(pdu.esm_class, _ID in tlvs) or is_intermediate(pdu.esm_class):
            return self._receipt(pdu, octets, tlvs, now)
        return self._inbound(pdu, octets, tlvs, now)

    def _receipt(self, pdu: DeliverSm | DataSm, octets: bytes, tlvs: Tlvs, now: float) -> Receipt:
        dialect = self.dialect
        receipt = parse_receipt(
            octets,
            esm_class=pdu.esm_class,
            data_coding=pdu.data_coding,
            receipted_message_id=tlvs.get(_ID),
            message_state=_number(tlvs.get(_STATE), 1),
            network_error_code=tlvs.get(_ERROR),
            prefer=dialect.config.receipt_state,
        )
        event = dialect.event_of(receipt.state)
        # carriers put codes into receipts of success too
        delivered = event is Event.DELIVERED
        error = None if delivered else dialect.error_of(receipt.err, receipt.network_error_code)
        words = [word for word in (receipt.stat or str(receipt.state), receipt.err) if word]
        if receipt.message_state is not None and (contradiction := receipt.contradiction):
            words.append(f"({contradiction})")
        keys, ids = dialect.ids_of_receipt(receipt.tlv_id, receipt.id)
        return Receipt(
            self.carrier,
            keys,
            now,
            None if receipt.intermediate else event,
            _numbers(pdu.source_addr, pdu.destination_addr),
            " ".join(words),
            None if error is None else error.reason,
            None if error is None else error.temporary,
            moment_of(receipt.done_date_raw, self._zone, now),
            ids,
            dialect.ids_are_numbers,
            dialect.config.id_lifetime_s,
            dialect.config.accepted_is_success and receipt.state is MessageState.ACCEPTED,
            self._clue(pdu, receipt.text, tlvs),
        )

    def _clue(self, pdu: DeliverSm | DataSm, text: str | None, tlvs: Tlvs) -> Clue | None:
        """Return what tells a message in doubt, where the dialect allows that."""
        match self.dialect.config.doubt_settled_by:
            case "text":
                return Clue(pdu.destination_addr, text or "")
            case "reference":
                reference = _number(tlvs.get(_REFERENCE), 2)
                return None if reference is None else Clue(pdu.destination_addr, reference=reference)
        return None

    def _inbound(self, pdu: DeliverSm | DataSm, octets: bytes, tlvs: Tlvs, now: float) -> Inbound:
        data = read_user_data(
            octets,
            esm_class=pdu.esm_class,
            data_coding=pdu.data_coding,
            default=self._default,
            packed=self.dialect.config.gsm_packed,
        )
        inbound = Inbound(
            self.carrier,
            now,
            pdu.source_addr,
            pdu.destination_addr,
            "" if data.alphabet is Alphabet.BINARY else data.text,
            octets,
            pdu.data_coding,
            pdu.esm_class,
            data.alphabet.value if data.is_certain else UNCERTAIN,
        )
        if data.udh is not None:
            _take_header(inbound, data.udh)
        if tlvs:
            _take_tlvs(inbound, tlvs)
        return inbound


def _take_header(inbound: Inbound, header: Udh) -> None:
    inbound.header_bytes = header.length_bytes
    inbound.reference, inbound.wide = header.reference, header.wide
    inbound.total, inbound.number = header.total, header.number
    inbound.destination_port, inbound.source_port = header.destination_port, header.source_port


def _take_tlvs(inbound: Inbound, tlvs: Tlvs) -> None:
    """Take what no header has said: where both join parts the header counts (SMPP 3.4, 5.3.2.22)."""
    reference, total = _number(tlvs.get(_SAR_REFERENCE), 2), _number(tlvs.get(_SAR_TOTAL), 1)
    number = _number(tlvs.get(_SAR_NUMBER), 1)
    if inbound.reference is None and None not in (reference, total, number) and 1 <= (number or 0) <= (total or 0):
        inbound.reference, inbound.wide, inbound.total, inbound.number = reference, True, total, number
    if inbound.destination_port is None:
        inbound.destination_port = _number(tlvs.get(_DEST_PORT), 2)
        inbound.source_port = _number(tlvs.get(_SOURCE_PORT), 2)


def _number(value: bytes | None, octets: int) -> int | None:
    """Return an integer of so many octets; None where there is none of that width."""
    return int.from_bytes(value, "big") if value is not None and len(value) == octets else None


@attrs.frozen
class Reading:
    """What the parts of one message say together."""

    text: str
    data: bytes | None
    """The octets, where they are no text."""
    alphabet: str


def read_parts(parts: Sequence[Inbound], dialect: DialectConfig) -> Reading:
    """Read parts in the order of their numbers, octets joined first: a character may be cut in two between them.

    It never is across a part that is missing, or where the alphabet changes (3GPP TS 23.038, 6.2.1.2.4: shift tables
    are named part by part).
    """
    if any(part.alphabet == Alphabet.BINARY for part in parts):
        return Reading("", b"".join(part.body for part in parts), Alphabet.BINARY)
    if len(parts) == 1:
        return Reading(parts[0].text, None, parts[0].alphabet)
    pieces = [(part.number or 1, _user_data(part, dialect)) for part in parts]
    certain = all(data.is_certain for _, data in pieces)
    text = "".join(_text_of([data for _, data in run]) for run in _runs(pieces))
    return Reading(text, None, pieces[0][1].alphabet.value if certain else UNCERTAIN)


def _user_data(part: Inbound, dialect: DialectConfig) -> UserData:
    default = Alphabet(dialect.default_alphabet)
    return read_user_data(
        part.octets,
        esm_class=part.esm_class,
        data_coding=part.data_coding,
        default=default,
        packed=dialect.gsm_packed,
    )


def _shift(data: UserData) -> tuple[int, int]:
    return (data.udh.locking, data.udh.single) if data.udh is not None else (0, 0)


def _runs(pieces: Sequence[tuple[int, UserData]]) -> Iterator[list[tuple[int, UserData]]]:
    run: list[tuple[int, UserData]] = []
    for number, data in pieces:
        if run:
            before, last = run[-1]
            if number != before + 1 or data.alphabet is not last.alphabet or _shift(data) != _shift(last):
                yield run
                run = []
        run.append((number, data))
    yield run


def _text_of(run: Sequence[UserData]) -> str:
    octets, first = b"".join(data.octets for data in run), run[0]
    if first.alphabet is Alphabet.GSM:
        return decode_shifted(octets, *_shift(first))
    return decode(octets, first.alphabet)


@lru_cache(maxsize=10_000)
def _other(address: str) -> str:
    """Return the second address of a receipt where it may be a subscriber's: a sender's name or short code is not."""
    digits = address.lstrip("+0")
    return f" {digits}" if digits.isdecimal() and len(digits) > LONGEST_SHORT_CODE_DIGITS else ""


def _numbers(source: str, destination: str) -> str:
    """Return the digits a receipt may name its subscriber by: its source, and its destination for those who swap."""
    return source.lstrip("+0") + _other(destination)
