"""Parts to submit_sm, and answers and deliver_sm to results."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.carrier.translate import Translator, option_problem, relative_time
from connector.config import LANES, BindConfig, CarrierConfig, DialectConfig
from connector.errors import EncodeError
from connector.lifecycle import Event
from connector.model import Answer, Inbound, Part, Reason, Receipt, part_id
from connector.smpp import tables
from connector.smpp.codec import decode, encode
from connector.smpp.events import Answered
from connector.smpp.outcomes import Outcome, outcome_of
from connector.smpp.pdu import DataSm, DeliverSm, SubmitSm, SubmitSmResp
from connector.smpp.tlv import tlv

NOW = 1_800_000_000.0


def translator(**dialect: Any) -> Translator:
    bind = BindConfig(host="smsc", system_id="acme")
    return Translator(CarrierConfig(name="north", bind=(bind,), dialect=DialectConfig(**dialect)), LANES)


def part(**changes: Any) -> Part:
    values: dict[str, Any] = {
        "id": part_id(1, 0),
        "number": 1,
        "total": 1,
        "queue": 1,
        "lane": "otp",
        "to": "447911123456",
        "sender": "ACME",
        "text": "hello",
        "alphabet": "gsm",
        "reference": 0x1234,
        "deadline": NOW + 120,
        "attempt": 2,
    }
    return Part(**{**values, **changes})


def submit(**changes: Any) -> SubmitSm:
    return translator().submit_sm(part(**changes), NOW)


# --- down -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("", (0, 0, "")),
        ("ACME", (5, 0, "ACME")),
        ("60777", (3, 0, "60777")),
        ("+60777", (1, 1, "60777")),
        ("12345678", (3, 0, "12345678")),
        ("447911123456", (1, 1, "447911123456")),
        ("+447911123456", (1, 1, "447911123456")),
        ("4ACME", (5, 0, "4ACME")),
    ],
)
def test_the_source_s_ton_and_npi_follow_from_its_spelling(sender: str, expected: tuple[int, int, str]) -> None:
    pdu = submit(sender=sender)
    assert (pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr) == expected


def test_the_destination_is_international_and_without_a_plus() -> None:
    pdu = submit()
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr) == (1, 1, "447911123456")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (120, "000000000200000R"),
        (0, "000000000001000R"),
        (-5, "000000000001000R"),
        (86_400, "000001000000000R"),
        (30 * 86_400, "000100000000000R"),
        (400 * 86_400, "010110000000000R"),
    ],
)
def test_relative_times(seconds: int, text: str) -> None:
    assert relative_time(seconds) == text


def test_the_validity_is_what_is_left_of_the_deadline() -> None:
    assert submit(deadline=NOW + 61.9).validity_period == relative_time(61)


@pytest.mark.parametrize(("wanted", "registered"), [(True, 1), (False, 0)])
def test_a_receipt_is_asked_for_when_wanted(wanted: bool, registered: int) -> None:
    assert submit(receipt=wanted).registered_delivery == registered


@pytest.mark.parametrize(
    ("default", "alphabet", "text", "data_coding", "octets"),
    [
        ("gsm", "gsm", "é€", 0, b"\x05\x1b\x65"),
        ("latin1", "latin1", "é", 0, b"\xe9"),
        ("gsm", "latin1", "é", 3, b"\xe9"),
        ("gsm", "ucs2", "漢", 8, "漢".encode("utf-16-be")),
        ("gsm", "ascii", "a@", 0, b"a\x00"),  # agreed on by carriers that differ: each in its own default
        ("latin1", "ascii", "a@", 0, b"a@"),
    ],
)
def test_texts_are_written_in_the_carrier_s_alphabet(
    default: str, alphabet: str, text: str, data_coding: int, octets: bytes
) -> None:
    pdu = translator(default_alphabet=default).submit_sm(part(alphabet=alphabet, text=text), NOW)
    assert (pdu.data_coding, pdu.short_message) == (data_coding, octets)


def test_a_text_that_does_not_fit_is_an_error_and_never_cut() -> None:
    with pytest.raises(EncodeError):
        submit(text="漢")


@pytest.mark.parametrize(
    ("way", "header"), [("udh8", bytes([5, 0, 3, 0x34, 3, 2])), ("udh16", bytes([6, 8, 4, 0x12, 0x34, 3, 2]))]
)
def test_parts_are_tied_by_a_udh(way: str, header: bytes) -> None:
    pdu = translator(concatenation=way).submit_sm(part(number=2, total=3), NOW)
    assert pdu.esm_class & 0x40
    assert pdu.short_message == header + b"hello"


def test_parts_are_tied_by_sar_tlvs() -> None:
    pdu = translator(concatenation="sar").submit_sm(part(number=2, total=3), NOW)
    assert pdu.esm_class == 0
    names = ("sar_msg_ref_num", "sar_total_segments", "sar_segment_seqnum")
    assert [pdu.tlv_value(name) for name in names] == [0x1234, 3, 2]
    assert pdu.short_message == b"hello"


def test_a_long_text_travels_whole_in_message_payload() -> None:
    pdu = translator(concatenation="payload").submit_sm(part(text="x" * 500), NOW)
    assert pdu.short_message == b""
    assert pdu.tlv_value("message_payload") == b"x" * 500
    assert translator(concatenation="payload").submit_sm(part(), NOW).short_message == b"hello"


def test_options_become_fields_and_tlvs() -> None:
    options = '{"priority_flag": 2, "service_type": "CMT", "user_message_reference": 77, "callback_num": "010203ff"}'
    pdu = submit(options=options)
    assert (pdu.priority_flag, pdu.service_type) == (2, "CMT")
    assert pdu.tlv_value("user_message_reference") == 77
    again = decode(encode(pdu, 1))
    assert again.tlv_value("callback_num") == bytes.fromhex("010203ff")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("priority_flag", 256),
        ("priority_flag", -1),
        ("priority_flag", True),
        ("priority_flag", "1"),
        ("service_type", "TOOLONG"),
        ("service_type", "é"),
        ("service_type", 5),
        ("user_message_reference", 70_000),
        ("user_message_reference", None),
        ("user_message_reference", [1]),
        ("callback_num", "not hex"),
        ("no_such_tlv", 1),
        ("destination_addr", "447911123456"),
    ],
)
def test_options_that_fit_no_field_are_refused(name: str, value: object) -> None:
    assert option_problem(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("priority_flag", 3), ("service_type", ""), ("user_message_reference", 1), ("callback_num", "01020304")],
)
def test_options_that_fit_are_taken(name: str, value: object) -> None:
    assert option_problem(name, value) is None


# --- up: answers ----------------------------------------------------------------------------------------------------


def answer(status: int = 0, message_id: str = "00AB", *, tries: int = 0, **dialect: Any) -> Answer:
    response = SubmitSmResp(command_status=status, message_id=message_id)
    answered = Answered(None, status, "" if status else message_id, NOW - 1, False, response)
    outcome = Outcome.ACCEPTED if status == 0 else outcome_of(status)
    return translator(**dialect).answer(part(tries=tries), answered, outcome, NOW)


def test_an_acceptance_has_the_carrier_s_id_and_the_lane_s_patience() -> None:
    found = answer()
    assert (found.event, found.attempt, found.burned) == (Event.ACKNOWLEDGED, 2, 0)
    assert (found.carrier_message_id, found.key, found.to) == ("00AB", "ab", "447911123456")
    assert found.due_at == NOW + LANES["otp"].patience_s


def test_an_acceptance_without_an_id_is_one_all_the_same() -> None:
    assert (answer(message_id="").event, answer(message_id="").key) == (Event.ACKNOWLEDGED, None)


@pytest.mark.parametrize(
    ("status", "tries", "event", "pause", "burned", "reason"),
    [
        (tables.ESME_RTHROTTLED, 9, Event.DEFERRED, None, 0, Reason.THROTTLED),
        (tables.ESME_RMSGQFUL, 0, Event.DEFERRED, None, 0, Reason.THROTTLED),
        (tables.ESME_RSYSERR, 0, Event.DEFERRED, 1, 1, Reason.TEMPORARY),
        (tables.ESME_RSYSERR, 1, Event.DEFERRED, 3, 1, Reason.TEMPORARY),
        (tables.ESME_RSYSERR, 2, Event.DEFERRED, 10, 1, Reason.TEMPORARY),
        (tables.ESME_RSYSERR, 3, Event.EXHAUSTED, None, 1, Reason.ATTEMPTS_USED_UP),
        (tables.ESME_RINVBNDSTS, 5, Event.DEFERRED, 1, 0, Reason.BIND_SICK),
        (tables.ESME_RINVDSTADR, 0, Event.REFUSED, None, 1, Reason.REFUSED_BY_CARRIER),
    ],
)
def test_a_setback_follows_the_lane_s_retry_table(
    status: int, tries: int, event: Event, pause: float | None, burned: int, reason: Reason
) -> None:
    found = answer(status, tries=tries)
    assert (found.event, found.burned, found.reason) == (event, burned, reason)
    assert found.due_at == (None if pause is None else NOW + pause)
    assert found.detail == tables.status_name(status)
    assert found.key is None


# --- up: deliver_sm -------------------------------------------------------------------------------------------------

TEXT = b"id:%s sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:%s err:%s text:hello"


def receipt(message_id: bytes = b"00ab", stat: bytes = b"DELIVRD", err: bytes = b"000", **fields: Any) -> Receipt:
    pdu = DeliverSm(source_addr="447911123456", esm_class=4, short_message=TEXT % (message_id, stat, err), **fields)
    found = translator().deliver(pdu, NOW)
    assert isinstance(found, Receipt)
    return found


@pytest.mark.parametrize(
    ("stat", "event"),
    [
        (b"DELIVRD", Event.DELIVERED),
        (b"UNDELIV", Event.UNDELIVERED),
        (b"DELETED", Event.UNDELIVERED),
        (b"EXPIRED", Event.EXPIRED),
        (b"REJECTD", Event.REJECTED),
        (b"ACCEPTD", None),
        (b"ENROUTE", None),
        (b"UNKNOWN", None),
        (b"GIBBERS", None),
    ],
)
def test_receipts_become_events(stat: bytes, event: Event | None) -> None:
    assert receipt(stat=stat).event is event


def test_a_receipt_has_keys_number_and_the_carrier_s_words() -> None:
    found = receipt(stat=b"UNDELIV", err=b"012")
    assert (found.carrier, found.keys, found.number) == ("north", ("ab",), "447911123456")
    assert "UNDELIV" in str(found.detail)
    assert "012" in str(found.detail)


def test_the_tlv_s_id_comes_first() -> None:
    found = receipt(tlvs=(tlv("receipted_message_id", "CD"), tlv("message_state", 2)))
    assert found.keys == ("cd", "ab")


def test_an_intermediate_notification_moves_nothing() -> None:
    pdu = DeliverSm(esm_class=0x20, short_message=TEXT % (b"1", b"DELIVRD", b"000"))
    found = translator().deliver(pdu, NOW)
    assert isinstance(found, Receipt)
    assert found.event is None


@pytest.mark.parametrize(
    ("data_coding", "octets", "text"),
    [
        (0, b"\x05t\x05", "été"),
        (3, b"caf\xe9", "café"),
        (8, "漢字".encode("utf-16-be"), "漢字"),
        (8, b"\x00a\x00", "a"),
    ],
)
def test_messages_from_subscribers_are_read_by_their_data_coding(data_coding: int, octets: bytes, text: str) -> None:
    pdu = DeliverSm(source_addr="447911123456", destination_addr="60777", data_coding=data_coding, short_message=octets)
    found = translator().deliver(pdu, NOW)
    assert isinstance(found, Inbound)
    assert (found.text, found.octets, found.sender, found.to) == (text, octets, "447911123456", "60777")


def test_a_message_may_be_in_message_payload_and_in_data_sm() -> None:
    payload = (tlv("message_payload", b"hello"),)
    for pdu in (DeliverSm(tlvs=payload), DataSm(tlvs=payload)):
        found = translator().deliver(pdu, NOW)
        assert isinstance(found, Inbound)
        assert found.text == "hello"


@given(
    octets=st.binary(max_size=254),
    esm_class=st.integers(0, 255),
    data_coding=st.integers(0, 255),
    state=st.none() | st.integers(0, 255),
    message_id=st.none() | st.text(st.characters(codec="ascii"), max_size=20),
)
def test_nothing_a_carrier_delivers_raises(
    octets: bytes, esm_class: int, data_coding: int, state: int | None, message_id: str | None
) -> None:
    given = {"message_state": state, "receipted_message_id": message_id and message_id.replace("\0", "")}
    tlvs = tuple(tlv(name, value) for name, value in given.items() if value is not None)
    pdu = DeliverSm(esm_class=esm_class, data_coding=data_coding, short_message=octets, tlvs=tlvs)
    found = translator(id_in_receipt="hex").deliver(pdu, NOW)
    assert isinstance(found, Receipt | Inbound)
