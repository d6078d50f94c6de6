"""Parts to submit_sm, and answers and deliver_sm to results."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.carrier.options import option_problem, vendor_tlvs
from connector.carrier.times import relative_time
from connector.carrier.translate import Translator
from connector.config import LANES, BindConfig, CarrierConfig, DialectConfig
from connector.config.dialect import AddressesConfig, TlvConfig, TonNpi
from connector.errors import EncodeError
from connector.lifecycle import Event
from connector.model import Answer, Inbound, Part, Reason, Receipt, part_id
from connector.smpp import tables
from connector.smpp.alphabet import Alphabet, Language, fill_bits, pack
from connector.smpp.alphabet import encode as encode_text
from connector.smpp.codec import decode, encode
from connector.smpp.events import Answered
from connector.smpp.outcomes import Outcome, outcome_of, status_name
from connector.smpp.parts import Profile, cut, parse_udh, read_user_data
from connector.smpp.pdu import DataSm, DataSmResp, DeliverSm, Pdu, SubmitSm, SubmitSmResp
from connector.smpp.tables import StatusClass
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


# --- down, by dialect -----------------------------------------------------------------------------------------------

DLT = {"dlt_entity_id": TlvConfig(tag=0x1400, kind="c-octets"), "hash": TlvConfig(tag=0x1402, kind="octets", octets=4)}


def test_ton_and_npi_are_the_carrier_s() -> None:
    addresses = AddressesConfig(
        alphanumeric=TonNpi(ton=5, npi=1), short_code=TonNpi(ton=6, npi=0), destination=TonNpi(ton=0, npi=1)
    )
    for sender, expected in (("ACME", (5, 1)), ("60777", (6, 0)), ("+447911123456", (1, 1)), ("", (0, 0))):
        pdu = translator(addresses=addresses).submit_sm(part(sender=sender), NOW)
        assert (pdu.source_addr_ton, pdu.source_addr_npi) == expected
        assert (pdu.dest_addr_ton, pdu.dest_addr_npi) == (0, 1)


def test_the_value_that_asks_for_a_receipt_is_the_carrier_s() -> None:
    for wanted, registered in ((True, 17), (False, 0)):
        pdu = translator(registered_delivery=17).submit_sm(part(receipt=wanted), NOW)
        assert pdu.registered_delivery == registered


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ({}, "000000000200000R"),
        ({"validity_cap_s": 60.0}, "000000000100000R"),
        ({"validity_cap_s": 3_600.0}, "000000000200000R"),
        ({"validity": "none"}, ""),
        ({"validity": "absolute"}, "270115080200000+"),
        ({"validity": "absolute", "validity_cap_s": 60.0}, "270115080100000+"),
        ({"validity": "absolute", "time_zone": "Asia/Kolkata"}, "270115133200022+"),
        ({"validity": "absolute", "time_zone": "America/New_York"}, "270115030200020-"),
    ],
)
def test_validity_is_said_the_carrier_s_way(dialect: dict[str, Any], text: str) -> None:
    assert translator(**dialect).submit_sm(part(), NOW).validity_period == text


def test_a_deadline_that_is_past_is_never_written_as_a_moment_that_is() -> None:
    assert translator(validity="absolute").submit_sm(part(deadline=NOW - 9), NOW).validity_period == "270115080001000+"


def test_constants_go_with_every_message_and_lanes_and_options_come_over_them() -> None:
    dialect = {
        "tlv": DLT,
        "always": {"priority_flag": 1, "service_type": "CMT", "dlt_entity_id": "1101"},
        "lane": {"otp": {"priority_flag": 3, "user_message_reference": 7}},
    }
    pdu = translator(**dialect).submit_sm(part(options='{"service_type": "OTP", "hash": "c0ffee"}'), NOW)
    assert (pdu.priority_flag, pdu.service_type) == (3, "OTP")
    assert [(item.tag, item.value) for item in pdu.tlvs] == [
        (0x1400, b"1101\0"),
        (0x0204, b"\0\7"),
        (0x1402, bytes.fromhex("c0ffee")),
    ]
    other = translator(**dialect).submit_sm(part(lane="promotional"), NOW)
    assert (other.priority_flag, other.service_type, len(other.tlvs)) == (1, "CMT", 1)
    over = translator(**dialect).submit_sm(part(lane="promotional", options='{"dlt_entity_id": "2202"}'), NOW)
    assert [item.value for item in over.tlvs] == [b"2202\0"]


def test_a_carrier_s_tlvs_go_beside_those_that_join_parts() -> None:
    pdu = translator(concatenation="sar", tlv=DLT, always={"dlt_entity_id": "1"}).submit_sm(part(total=2), NOW)
    assert [item.tag for item in pdu.tlvs] == [0x020C, 0x020E, 0x020F, 0x1400]


@pytest.mark.parametrize("options", ['{"user_message_reference": 1}', '{"dlt_entity_id": "1"}'])
def test_a_part_that_needs_a_tlv_is_refused_where_none_may_leave(options: str) -> None:
    with pytest.raises(EncodeError, match="north gets none"):
        translator(tlvs="never", tlv=DLT).submit_sm(part(options=options), NOW)
    assert translator(tlvs="never").submit_sm(part(options='{"priority_flag": 1}'), NOW).priority_flag == 1


def test_an_option_is_known_where_all_carriers_of_the_route_know_it() -> None:
    knows, narrower = vendor_tlvs(DialectConfig(tlv=DLT)), {"dlt_entity_id": TlvConfig(tag=1, kind="text", octets=2)}
    assert option_problem("dlt_entity_id", "1101", [knows, knows]) is None
    assert option_problem("dlt_entity_id", "1101")
    assert option_problem("dlt_entity_id", "1101", [knows, {}])
    assert option_problem("dlt_entity_id", "1101", [knows, vendor_tlvs(DialectConfig(tlv=narrower))])
    assert option_problem("hash", "c0ffee0000", [knows])
    assert option_problem("priority_flag", 1, [{}]) is None


@pytest.mark.parametrize("options", ['{"mine":"odd"}', '{"gone":"1"}', '{"mine":"c0ffee"}'])
def test_an_option_the_carrier_no_longer_takes_is_an_error_of_that_part_alone(options: str) -> None:
    """The configuration may have changed while a message waited."""
    mine = {"mine": TlvConfig(tag=0x1500, kind="octets", octets=2)}
    with pytest.raises(EncodeError):
        translator(tlv=mine).submit_sm(part(options=options), NOW)


@pytest.mark.parametrize(
    ("languages", "text", "header", "octets"),
    [
        (("turkish",), "ş", "03240101", "1b73"),
        (("portuguese", "turkish"), "ş", "03240101", "1b73"),
        (("turkish",), "ş" * 100, "06250101240101", "1d" * 100),
        (("spanish",), "€á", "03240102", "1b651b61"),
    ],
)
def test_a_text_beyond_gsm_goes_by_the_carrier_s_shift_tables(
    languages: tuple[Any, ...], text: str, header: str, octets: str
) -> None:
    pdu = translator(languages=languages).submit_sm(part(text=text), NOW)
    assert (pdu.esm_class, pdu.data_coding, pdu.short_message.hex()) == (0x40, 0, header + octets)
    assert read_user_data(pdu.short_message, esm_class=0x40).text == text


def test_parts_with_shift_tables_have_one_header_for_both() -> None:
    pdu = translator(languages=("turkish",)).submit_sm(part(text="ş", number=2, total=3), NOW)
    assert pdu.short_message.hex() == "080003340302240101" + "1b73"
    plain = translator(languages=("turkish",)).submit_sm(part(text="s", number=2, total=3), NOW)
    assert plain.short_message.hex() == "050003340302" + "73"


@pytest.mark.parametrize(
    ("text", "total", "tables", "septets"),
    [
        ("ş" * 77, 1, (0, 1), 154),
        ("ş" * 100, 1, (1, 1), 100),
        ("€" * 80, 1, (0, 0), 160),
        ("€" * 100, 1, (1, 1), 100),
        ("€" * 100, 2, (1, 1), 100),
        ("s" * 153, 2, (0, 0), 153),
    ],
)
def test_a_part_goes_by_the_tables_that_hold_it_in_one(
    text: str, total: int, tables: tuple[int, int], septets: int
) -> None:
    pdu = translator(languages=("turkish",)).submit_sm(part(text=text, total=total), NOW)
    header = parse_udh(pdu.short_message) if pdu.esm_class & 0x40 else None
    length = 0 if header is None else header.length_bytes
    assert len(pdu.short_message) - length == septets
    assert (8 * length + 6) // 7 + septets <= 160
    if tables == (0, 0) and total == 1:
        assert header is None
    else:
        assert header is not None
        assert (header.locking, header.single) == tables


@given(st.text(alphabet="şĞ€[sSçè ", max_size=300))
def test_every_part_of_a_turkish_text_fits_and_is_read_back(text: str) -> None:
    made = cut(text, Profile(languages=(Language.TURKISH,)))
    turkish, read = translator(languages=("turkish",)), ""
    for number, (start, end) in enumerate(made.bounds, 1):
        shape = {"number": number, "total": len(made.bounds), "alphabet": str(made.alphabet)}
        pdu = turkish.submit_sm(part(text=text[start:end], **shape), NOW)
        data = read_user_data(pdu.short_message, esm_class=pdu.esm_class, data_coding=pdu.data_coding)
        header = 0 if data.udh is None else data.udh.length_bytes
        room = 140 - header
        assert len(data.octets) <= (room * 8 // 7 if made.alphabet is Alphabet.GSM else room)
        read += data.text
    assert read == text


def test_shift_tables_help_no_text_they_do_not_hold() -> None:
    with pytest.raises(EncodeError):
        translator(languages=("turkish",)).submit_sm(part(text="漢"), NOW)


# --- packed septets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["udh8", "udh16", "sar", "payload"])
@given(text=st.text(st.sampled_from("ab@€[\r\nÜ"), min_size=1, max_size=70), total=st.sampled_from([1, 3]))
def test_packed_septets_are_read_back_behind_any_header(way: Any, text: str, total: int) -> None:
    packed = translator(gsm_packed=True, concatenation=way)
    pdu = packed.submit_sm(part(text=text, total=total, number=total), NOW)
    plain = translator(concatenation=way).submit_sm(part(text=text, total=total, number=total), NOW)
    header = len(plain.short_message) - len(encode_text(text, Alphabet.GSM))
    assert len(pdu.short_message) - header == len(pack(encode_text(text, Alphabet.GSM), fill_bits(header)))
    assert pdu.short_message[:header] == plain.short_message[:header]
    arrived = DeliverSm(source_addr="447911123456", esm_class=pdu.esm_class, short_message=pdu.short_message)
    found = packed.deliver(arrived, NOW)
    assert isinstance(found, Inbound)
    # a CR that ends on an octet gets another one behind it, which no reader can tell from the text
    assert found.text in (text, text + "\r" if text.endswith("\r") else text)


def test_a_full_part_of_packed_septets_is_140_octets() -> None:
    packed = translator(gsm_packed=True)
    assert len(packed.submit_sm(part(text="a" * 160), NOW).short_message) == 140
    assert len(packed.submit_sm(part(text="a" * 153, total=2), NOW).short_message) == 140
    assert packed.submit_sm(part(text="я", alphabet="ucs2"), NOW).short_message == b"\x04\x4f"


def test_packed_septets_may_have_shift_tables_and_a_payload() -> None:
    packed = translator(gsm_packed=True, languages=("turkish",))
    pdu = packed.submit_sm(part(text="ışık ığ"), NOW)
    found = packed.deliver(DeliverSm(esm_class=pdu.esm_class, short_message=pdu.short_message), NOW)
    assert isinstance(found, Inbound)
    assert found.text == "ışık ığ"
    long = translator(gsm_packed=True, concatenation="payload").submit_sm(part(text="a" * 170), NOW)
    assert (long.short_message, len(long.message_octets)) == (b"", 149)


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


@pytest.mark.parametrize(("doubts", "left_s", "due_s"), [(0, 0.5, 1), (1, 60.0, 1), (1, 0.5, LANES["otp"].patience_s)])
def test_what_is_in_doubt_and_too_late_to_be_sent_after_its_pause_has_the_lane_s_whole_patience(
    doubts: int, left_s: float, due_s: float
) -> None:
    status = tables.ESME_RSYSERR
    answered = Answered(None, status, "", NOW - 1, False, SubmitSmResp(command_status=status))
    late = attrs.evolve(part(tries=0), doubts=doubts, deadline=NOW + left_s)
    assert translator().answer(late, answered, outcome_of(status), NOW).due_at == NOW + due_s


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
        (tables.ESME_RINVDCS, 0, Event.REFUSED, None, 1, Reason.OUR_ENCODING),
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


# what follows from each class: what happens to the part, whether the attempt counts, and why
CLASSES = {
    StatusClass.OK: (Event.ACKNOWLEDGED, 0, None),
    StatusClass.THROTTLE: (Event.DEFERRED, 0, Reason.THROTTLED),
    StatusClass.TRANSIENT: (Event.DEFERRED, 1, Reason.TEMPORARY),
    StatusClass.ROUTE: (Event.REFUSED, 1, Reason.REFUSED_BY_CARRIER),
    StatusClass.MESSAGE: (Event.REFUSED, 1, Reason.REFUSED_BY_CARRIER),
    StatusClass.BUG: (Event.REFUSED, 1, Reason.OUR_ENCODING),
    StatusClass.BIND: (Event.DEFERRED, 0, Reason.BIND_SICK),
}
OUTCOMES = {
    "slow_down": CLASSES[StatusClass.THROTTLE],
    "retry_later": CLASSES[StatusClass.TRANSIENT],
    "other_route": CLASSES[StatusClass.ROUTE],
    "refused": CLASSES[StatusClass.MESSAGE],
    "bind_sick": CLASSES[StatusClass.BIND],
}
UNLISTED = (0x09, 0x0400, 0x0499, 0xFFFFFFFF)


def meant(response: Pdu, **dialect: Any) -> tuple[Event, int, str | None]:
    """Return (event, attempts burned, reason) of an answer, read with the carrier's own table as a link does."""
    status = response.command_status
    answered = Answered(None, status, "" if status else "7", NOW - 1, False, response)
    north = translator(**dialect)
    found = north.answer(part(), answered, north.dialect.outcome_of(status, answered), NOW)
    assert found.detail == (None if status == 0 else status_name(status))
    assert (found.key is not None) == (status == 0)
    return found.event, found.burned, found.reason


@pytest.mark.parametrize("response", [SubmitSmResp, DataSmResp])
@pytest.mark.parametrize("row", tables.STATUSES, ids=lambda row: row.name)
def test_every_status_means_what_its_class_says(row: tables.Status, response: type[Pdu]) -> None:
    assert meant(response(command_status=row.command_status)) == CLASSES[row.status_class]


@pytest.mark.parametrize("status", UNLISTED)
def test_a_status_of_no_list_is_a_refusal_of_this_carrier(status: int) -> None:
    assert meant(SubmitSmResp(command_status=status)) == CLASSES[tables.UNLISTED_STATUS_CLASS]


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("status", [*(row.command_status for row in tables.STATUSES[1:]), *UNLISTED])
def test_a_carrier_may_give_any_status_another_meaning(status: int, outcome: str) -> None:
    for name in (f"0x{status:X}", str(status)):
        assert meant(SubmitSmResp(command_status=status), outcomes={name: outcome}) == OUTCOMES[outcome]
    assert meant(SubmitSmResp(), outcomes={"0": outcome}) == CLASSES[StatusClass.OK]


@pytest.mark.parametrize("response", [SubmitSmResp, DataSmResp])
@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (None, StatusClass.TRANSIENT),
        (0, StatusClass.TRANSIENT),
        (1, StatusClass.MESSAGE),
        (2, StatusClass.MESSAGE),
        (3, StatusClass.TRANSIENT),
        (200, StatusClass.TRANSIENT),
    ],
)
def test_a_failed_delivery_means_what_its_tlv_says(
    response: type[Pdu], failure: int | None, expected: StatusClass
) -> None:
    tlvs = () if failure is None else (tlv("delivery_failure_reason", failure),)
    answered = response(command_status=tables.ESME_RDELIVERYFAILURE, tlvs=tlvs)
    assert meant(answered) == CLASSES[expected]
    assert meant(answered, outcomes={"ESME_RDELIVERYFAILURE": "other_route"}) == OUTCOMES["other_route"]
    # the TLV explains this status alone
    other = response(command_status=tables.ESME_RSYSERR, tlvs=tlvs)
    assert meant(other) == CLASSES[StatusClass.TRANSIENT]


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


def test_why_it_was_not_delivered_is_said_in_words_of_our_own() -> None:
    found = receipt(stat=b"UNDELIV", err=b"027")
    assert (found.reason, found.temporary) == ("absent_subscriber", True)
    by_tlv = receipt(stat=b"UNDELIV", err=b"4A6", tlvs=(tlv("network_error_code", bytes([3, 0, 1])),))
    assert (by_tlv.reason, by_tlv.temporary, by_tlv.detail) == ("unknown_subscriber", False, "UNDELIV 4A6")
    assert receipt(stat=b"DELIVRD", err=b"027").reason is None
    assert receipt(stat=b"UNDELIV").reason is None


@pytest.mark.parametrize(("zone", "moment"), [("UTC", 1_767_225_600.0), ("Asia/Kolkata", 1_767_205_800.0)])
def test_the_date_of_a_receipt_is_on_the_carrier_s_clock(zone: str, moment: float) -> None:
    pdu = DeliverSm(esm_class=4, short_message=TEXT % (b"1", b"DELIVRD", b"000"))
    found = translator(time_zone=zone).deliver(pdu, NOW)
    assert isinstance(found, Receipt)
    assert found.done_at == moment


def test_a_receipt_without_a_date_has_no_moment() -> None:
    found = translator().deliver(DeliverSm(esm_class=4, short_message=b"id:1 stat:DELIVRD done date:0000000000"), NOW)
    assert isinstance(found, Receipt)
    assert found.done_at is None


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
    assert (found.body, found.reference, found.destination_port) == (octets, None, None)


def inbound(octets: bytes, *, esm_class: int = 0x40, data_coding: int = 0, **more: Any) -> Inbound:
    pdu = DeliverSm(esm_class=esm_class, data_coding=data_coding, short_message=octets, **more)
    found = translator().deliver(pdu, NOW)
    assert isinstance(found, Inbound)
    return found


def test_the_header_of_a_part_is_no_text_and_says_where_it_belongs() -> None:
    octets = bytes.fromhex("0b05040b8423f00003340302") + b"caf\x05"
    found = inbound(octets)
    assert (found.text, found.octets, found.body) == ("café", octets, b"caf\x05")
    assert (found.reference, found.wide, found.total, found.number) == (0x34, False, 3, 2)
    assert (found.destination_port, found.source_port) == (0x0B84, 0x23F0)


def test_a_text_under_national_shift_tables_is_read_by_them() -> None:
    assert inbound(bytes.fromhex("032401011b73")).text == "ş"
    assert inbound(bytes.fromhex("032501011d")).text == "ş"


@pytest.mark.parametrize("data_coding", [2, 4, 0xF5, 9])
def test_8_bit_data_has_octets_and_no_text(data_coding: int) -> None:
    found = inbound(b"\x03\x24\x01\x01\xff\x00", data_coding=data_coding)
    assert (found.text, found.alphabet, found.body) == ("", "binary", b"\xff\x00")


def test_a_header_that_is_none_leaves_the_octets_as_they_came() -> None:
    found = inbound(b"hello")
    assert (found.text, found.header_bytes, found.reference) == ("hello", 0, None)


def test_parts_may_be_joined_and_ports_named_by_tlvs() -> None:
    sar = (tlv("sar_msg_ref_num", 0x1234), tlv("sar_total_segments", 3), tlv("sar_segment_seqnum", 2))
    found = inbound(b"x", esm_class=0, tlvs=(*sar, tlv("dest_port", 5), tlv("source_port", 6)))
    assert (found.reference, found.wide, found.total, found.number) == (0x1234, True, 3, 2)
    assert (found.destination_port, found.source_port) == (5, 6)
    both = inbound(bytes.fromhex("050003770201") + b"x", tlvs=sar)  # the header counts
    assert (both.reference, both.total, both.number) == (0x77, 2, 1)
    assert inbound(b"x", esm_class=0, tlvs=sar[:2]).reference is None
    assert inbound(b"x", esm_class=0, tlvs=(*sar[:2], tlv("sar_segment_seqnum", 4))).reference is None


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


# --- what is not certain --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "esm_class", "alphabet"),
    [
        (b"hello", 0, "gsm"),
        (b"\3\x24\1\1hello", 0x40, "gsm"),
        (b"\3\x24\1\x0ehello", 0x40, "uncertain"),  # a shift table nobody has
        (b"hello", 0x40, "uncertain"),  # a header is announced, and this is none
    ],
)
def test_a_text_that_is_a_guess_is_marked_as_one(octets: bytes, esm_class: int, alphabet: str) -> None:
    found = translator().deliver(DeliverSm(esm_class=esm_class, short_message=octets), NOW)
    assert isinstance(found, Inbound)
    assert (found.text, found.alphabet, found.octets) == ("hello", alphabet, octets)


@pytest.mark.parametrize(("believed", "event"), [("tlv", Event.DELIVERED), ("text", Event.UNDELIVERED)])
def test_a_contradiction_is_settled_by_the_dialect_and_recorded(believed: Any, event: Event) -> None:
    pdu = DeliverSm(esm_class=4, short_message=b"id:1 stat:UNDELIV err:001", tlvs=(tlv("message_state", 2),))
    found = translator(receipt_state=believed).deliver(pdu, NOW)
    assert isinstance(found, Receipt)
    assert found.event is event
    assert found.detail == "UNDELIV 001 (TLV says delivered, text says UNDELIV)"
    agreed = DeliverSm(esm_class=4, short_message=b"id:1 stat:UNDELIV err:001", tlvs=(tlv("message_state", 5),))
    told = translator(receipt_state=believed).deliver(agreed, NOW)
    assert isinstance(told, Receipt)
    assert told.detail == "UNDELIV 001"
