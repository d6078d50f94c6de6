"""What must hold for any octets at all: each target takes octets and raises AssertionError where it does not.

The first octet picks the target, so that one corpus serves all.  Nothing here looks at a clock: bounded work is counted
in octets held, PDUs said and events told.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Final

from connector.errors import EncodeError, FramingError
from connector.smpp import alphabet as alphabets
from connector.smpp.alphabet import Alphabet
from connector.smpp.codec import decode, decode_by_table, encode
from connector.smpp.describe import describe
from connector.smpp.framing import MAX_PDU_OCTETS, Framer
from connector.smpp.parts import parse_udh, strip_udh
from connector.smpp.pdu import (
    BindTransceiver,
    BindTransceiverResp,
    DataSm,
    EnquireLink,
    QuerySm,
    SubmitSm,
)
from connector.smpp.receipt import parse_date, parse_receipt
from connector.smpp.session import Session
from connector.smpp.shift_tables import Language
from connector.smpp.tables import HEADER_OCTETS, Role, State

LONGEST_OF_OURS: Final = 17
"""No PDU a session says by itself is longer: a header, and a lone NUL in a refusal of deliver_sm."""


def any_pdu(octets: bytes) -> None:
    """Whatever has a header is decoded, alike by both decoders; what was not odd is written back to the octet."""
    if len(octets) < HEADER_OCTETS:
        try:
            decode(octets)
        except FramingError:
            return
        raise AssertionError("octets without a header were decoded")
    pdu = decode(octets)
    assert pdu == decode_by_table(octets)
    json.dumps(describe(pdu))
    if not pdu.oddities:
        _written_back(octets)


def _written_back(octets: bytes) -> None:
    pdu = decode(octets)
    try:
        again = encode(pdu)
    except EncodeError:
        if octets.isascii():
            raise
        return  # characters outside ASCII are read and never written
    assert again == octets or (pdu.command_status and decode(again).body_omitted)


def _session(role: Role, bound: bool) -> Session:
    session = Session(role, window_size=4, now=0.0)
    if not bound:
        return session
    if role is Role.ESME:
        session.request(BindTransceiver(), 0.0)
        session.receive_data(encode(BindTransceiverResp(sequence_number=1)), 0.0)
        requests = [SubmitSm(destination_addr="1"), DataSm(), QuerySm()]
        session.submit(requests, range(3), 1.0)
        session.request(EnquireLink(), 2.0)
    else:
        session.receive_data(encode(BindTransceiver(sequence_number=1)), 0.0)
        session.answer([BindTransceiverResp(sequence_number=1)])
    return session


def _conversation(role: Role) -> Callable[[bytes], None]:
    """A session that is fed in pieces, ticks between them, and says no more than it heard."""

    def converse(octets: bytes) -> None:
        how, octets = (octets[0], octets[1:]) if octets else (0, b"")
        session = _session(role, bool(how & 1))
        tally, began = session.statistics().tally, session.statistics().tally.pdus_received
        piece, now, events, said = (how >> 1) + 1, 3.0, 0, 0
        for at in range(0, len(octets), piece):
            now += 1.0 if how & 2 else 0.0
            events += len(session.receive_data(octets[at : at + piece], now)) + len(session.tick(now))
            said += len(session.data_to_send())
        tally = session.statistics().tally
        heard = tally.pdus_received - began
        # one event a PDU, one more where it ends the session, the requests in flight, the timers
        assert events <= 2 * heard + 8
        assert said <= LONGEST_OF_OURS * (heard + 2) + HEADER_OCTETS * len(octets)
        assert session.window.used <= session.window.size
        assert session.closed == (session.state is State.CLOSED)
        session.receive_data(b"", now)
        assert not session.window.used or len(session.abandon()) <= session.window.size

    return converse


def any_stream(octets: bytes) -> None:
    """However a stream is torn, the PDUs and the complaint are the same, and no more is held than one PDU."""
    piece, octets = (octets[0] + 1, octets[1:]) if octets else (1, b"")
    assert _cut(octets, piece) == _cut(octets, len(octets) or 1)


def _cut(octets: bytes, piece: int) -> tuple[list[bytes], str | None]:
    framer, pdus = Framer(), []
    for at in range(0, len(octets), piece):
        try:
            pdus += framer.feed(octets[at : at + piece])
        except FramingError:
            break
        assert framer.partial <= MAX_PDU_OCTETS
    return pdus, framer.error.reason if framer.error else None


def any_receipt(octets: bytes) -> None:
    """Any text is read as a receipt, and every property of what was read can be asked."""
    flags, text = (octets[:2], octets[2:]) if len(octets) > 1 else (b"\x04\0", octets)
    receipt = parse_receipt(
        text,
        esm_class=flags[0],
        data_coding=flags[1],
        receipted_message_id=text[:8] if flags[0] & 1 else None,
        message_state=flags[1] if flags[0] & 2 else None,
        now=datetime(2026, 1, 31) if flags[0] & 0x80 else None,  # noqa: DTZ001 - receipts have no zone
    )
    assert receipt.raw == text
    assert receipt.is_final in (True, False)
    assert receipt.is_contradictory in (True, False)
    for date, spelled in ((receipt.submit_date, receipt.submit_date_raw), (receipt.done_date, receipt.done_date_raw)):
        assert date is None or spelled
        assert parse_date(spelled or "") is None or spelled
    assert sum(len(value or "") for value in (receipt.id, receipt.stat, receipt.err, receipt.text)) <= len(text)


def any_header(octets: bytes) -> None:
    """A user data header lies inside its octets, and taking it off leaves the rest untouched."""
    header = parse_udh(octets)
    rest = strip_udh(octets)
    assert octets.endswith(rest)
    if header is None:
        assert rest == octets
        return
    assert header.length_bytes + len(rest) == len(octets)
    assert header.number is None or header.total is None or 1 <= header.number <= header.total <= 255
    assert sum(2 + len(data) for _, data in header.elements) == header.length_bytes - 1


def any_text(octets: bytes) -> None:
    """Octets are read in every alphabet; what an alphabet can write again it writes to the same text."""
    for alphabet in Alphabet:
        text = alphabets.decode(octets, alphabet)
        alphabets.is_cut_short(octets, alphabet)
        if alphabets.fits(text, alphabet):
            assert alphabets.decode(alphabets.encode(text, alphabet), alphabet) == text or alphabet is Alphabet.UCS2
    for language in (*Language, 0x7F):
        alphabets.decode_shifted(octets, language, language)
    count = len(octets) and octets[0] % 8
    assert len(alphabets.unpack(octets, fill=count)) <= len(octets) * 8 // 7
    septets = bytes(octet & 0x7F for octet in octets[:40])
    assert alphabets.unpack(alphabets.pack(septets, count), len(septets), count) == septets


TARGETS: Final[tuple[Callable[[bytes], None], ...]] = (
    any_pdu,
    _conversation(Role.ESME),
    _conversation(Role.SMSC),
    any_stream,
    any_receipt,
    any_header,
    any_text,
)


def one_input(octets: bytes) -> None:
    """The target the first octet picks, with the octets behind it."""
    if octets:
        TARGETS[octets[0] % len(TARGETS)](octets[1:])
