"""Octets to PDUs and back."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import EncodeError, FramingError
from connector.smpp import tables
from connector.smpp.codec import decode, decode_by_table, encode, encode_by_table
from connector.smpp.describe import describe
from connector.smpp.pdu import (
    PDU_BY_ID,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BroadcastSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    DestAddress,
    DistributionList,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    QuerySmResp,
    ReplaceSm,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Tlv,
    UnknownPdu,
    UnsuccessSme,
    tlv,
)
from tests.smpp import strategies

HOT = (SubmitSm, SubmitSmResp, DeliverSm, DeliverSmResp, EnquireLink, EnquireLinkResp)


def raw(command_id: int, body: bytes = b"", *, status: int = 0, sequence: int = 1, length: int | None = None) -> bytes:
    """A PDU from its parts, as wrong as one likes."""
    return pack(">4L", 16 + len(body) if length is None else length, command_id, status, sequence) + body


def message_body(**changed: bytes) -> bytes:
    """The body of a submit_sm or deliver_sm with some fields replaced by other octets."""
    fields = {
        "service_type": b"\0",
        "source": b"\x05\x00ACME\0",
        "destination": b"\x01\x01447700900123\0",
        "flags": b"\0\0\0",
        "schedule_delivery_time": b"\0",
        "validity_period": b"\0",
        "more_flags": b"\x01\0\0\0",
        "text": b"\x02hi",
        "tlvs": b"",
    }
    return b"".join((fields | changed).values())


def faults(pdu: Pdu) -> list[int]:
    return [oddity.command_status for oddity in pdu.oddities]


# --- both ways ------------------------------------------------------------------------------------------------


@given(strategies.pdus())
def test_what_is_encoded_is_decoded_to_the_same(pdu: Pdu) -> None:
    again = decode(encode(pdu))
    if again.body_omitted:
        assert (again.command, again.command_status) == (pdu.command, pdu.command_status)
        assert not pdu.tlvs
        assert pdu.command_status
    elif any(item.tag == 0x0424 for item in pdu.tlvs) or isinstance(pdu, BroadcastSm):
        assert again.tlvs == pdu.tlvs
    else:
        assert again == pdu


@given(strategies.pdus(*HOT), st.none() | st.integers(0, 0xFFFFFFFF))
def test_the_fast_encoders_write_what_the_table_says(pdu: Pdu, sequence_number: int | None) -> None:
    assert encode(pdu, sequence_number) == encode_by_table(pdu, sequence_number)


@given(strategies.pdus(*HOT))
def test_the_fast_decoders_read_what_the_table_says(pdu: Pdu) -> None:
    octets = encode_by_table(pdu)
    assert decode(octets) == decode_by_table(octets)


@given(strategies.pdus(), st.data())
def test_mutated_octets_are_decoded_alike_by_both_and_never_raise(pdu: Pdu, data: st.DataObject) -> None:
    octets = bytearray(encode(pdu))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(octets[: data.draw(st.integers(16, len(octets)))])
    assert decode(cut) == decode_by_table(cut)


@given(
    st.sampled_from(list(PDU_BY_ID)),
    st.binary(max_size=120),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
)
def test_any_octets_behind_any_header_are_decoded(command_id: int, body: bytes, status: int, sequence: int) -> None:
    octets = raw(command_id, body, status=status, sequence=sequence)
    assert decode(octets) == decode_by_table(octets)


@pytest.mark.parametrize("layout", HOT)
def test_the_fast_encoders_refuse_in_the_words_of_the_table(layout: type[Pdu]) -> None:
    wrong = layout(sequence_number=1 << 32)
    with pytest.raises(EncodeError) as fast:
        encode(wrong)
    with pytest.raises(EncodeError) as walked:
        encode_by_table(wrong)
    assert str(fast.value) == str(walked.value)


def test_a_view_of_octets_is_decoded_like_octets() -> None:
    octets = encode(SubmitSm(destination_addr="447700900123", short_message=b"hi"), 7)
    assert decode(memoryview(octets)) == decode(octets)


# --- sending is strict ----------------------------------------------------------------------------------------


def test_a_submit_sm_is_these_octets() -> None:
    pdu = SubmitSm(source_addr_ton=5, source_addr="ACME", destination_addr="447700900123", registered_delivery=1)
    body = "00 05 00 41434d4500 01 01 34343737303039303031323300 00 00 00 00 00 01 00 00 00 00"
    assert encode(pdu, 2).hex() == "00000031" + "00000004" + "00000000" + "00000002" + body.replace(" ", "")


@pytest.mark.parametrize(
    ("pdu", "field", "problem"),
    [
        (SubmitSm(source_addr="A" * 21), "source_addr", "21 characters, the limit is 20"),
        (SubmitSm(destination_addr="4477\x0000"), "destination_addr", "only ASCII without NUL is allowed"),
        (SubmitSm(source_addr="Ærø"), "source_addr", "only ASCII without NUL is allowed"),
        (SubmitSm(service_type="LARGER"), "service_type", "6 characters, the limit is 5"),
        (
            SubmitSm(validity_period="0000010000R"),
            "validity_period",
            "11 characters, a time is empty or has exactly 16",
        ),
        (
            SubmitSm(short_message=b"x" * 256),
            "short_message",
            "256 octets, sm_length ends at 255: use message_payload",
        ),
        (SubmitSm(data_coding=256), "data_coding", "256 is not in 0 to 255"),
        (SubmitSm(esm_class=-1), "esm_class", "-1 is not in 0 to 255"),
        (SubmitSm(short_message="hi"), "short_message", "octets are needed, this is str"),  # type: ignore[arg-type]
        (SubmitSm(source_addr=None), "source_addr", "a string is needed, this is NoneType"),  # type: ignore[arg-type]
        (SubmitSm(priority_flag="1"), "priority_flag", "an integer is needed, this is str"),  # type: ignore[arg-type]
        (SubmitSm(tlvs=(Tlv(0x10000, b""),)), "tlvs", "tag 65536 is not in 0 to 65535"),
        (
            SubmitSm(tlvs=(Tlv(0x0424, b"x" * 65536),)),
            "tlvs",
            "tag 0x0424 has 65536 octets, the limit is 65535",
        ),
        (
            SubmitSm(short_message=b"hi", tlvs=(tlv("message_payload", b""),)),
            "short_message",
            "cannot go with message_payload: a message has its text in one of them",
        ),
        (
            ReplaceSm(short_message=b"hi", tlvs=(tlv("message_payload", b"ho"),)),
            "short_message",
            "cannot go with message_payload: a message has its text in one of them",
        ),
        (SubmitSm(esm_class=1.0), "esm_class", "an integer is needed, this is float"),  # type: ignore[arg-type]
        (SubmitSm(tlvs=None), "tlvs", "a tuple of Tlv values is needed"),  # type: ignore[arg-type]
        (SubmitSmResp(tlvs=None), "tlvs", "a tuple of Tlv values is needed"),  # type: ignore[arg-type]
        (DeliverSmResp(tlvs=None), "tlvs", "a tuple of Tlv values is needed"),  # type: ignore[arg-type]
        (EnquireLink(tlvs=None), "tlvs", "a tuple of Tlv values is needed"),  # type: ignore[arg-type]
        (QuerySmResp(tlvs=("abc",)), "tlvs", "a tuple of Tlv values is needed"),  # type: ignore[arg-type]
        (SubmitSm(tlvs=(Tlv("abc", b""),)), "tlvs", "tag 'abc' is not in 0 to 65535"),  # type: ignore[arg-type]
        (
            SubmitSm(tlvs=(Tlv(0x1400, "abc"),)),  # type: ignore[arg-type]
            "tlvs",
            "tag 0x1400: octets are needed, this is str",
        ),
        (
            SubmitSm(tlvs=(tlv("message_payload", b"hi"),) * 2),
            "message_payload",
            "is here 2 times: a message has one text",
        ),
        (
            DataSm(tlvs=(tlv("message_payload", b"hi"),) * 2),
            "message_payload",
            "is here 2 times: a message has one text",
        ),
        (
            UnknownPdu(command_id=0x10201, tlvs=(tlv("message_state", 2),)),
            "tlvs",
            "nobody knows where they belong in an unknown PDU: its body holds all octets",
        ),
        (UnknownPdu(command_id=0x10201, body="x"), "body", "octets are needed, this is str"),  # type: ignore[arg-type]
        (UnknownPdu(command_id=1 << 32), "command_id", "4294967296 is not in 0 to 4294967295"),
        (SubmitMulti(), "dest_addresses", "0 items, number_of_dests is 1 to 255"),
        (SubmitMulti(dest_addresses=None), "dest_addresses", "a tuple is needed, this is NoneType"),  # type: ignore[arg-type]
        (BroadcastSm(), "broadcast_content_type", "broadcast_sm cannot go without this TLV"),
        (SubmitSm(registered_delivery=512), "registered_delivery", "512 is not in 0 to 255"),
        (SubmitSm(dest_addr_ton=-512), "dest_addr_ton", "-512 is not in 0 to 255"),
        (SubmitSm(dest_addr_npi=-513), "dest_addr_npi", "-513 is not in 0 to 255"),
        (BindTransceiver(password="x" * 65), "password", "65 characters, the limit is 64"),
        (BindTransceiver(system_id="x" * 16), "system_id", "16 characters, the limit is 15"),
        (
            SubmitMulti(dest_addresses=(DestAddress(),) * 256),
            "dest_addresses",
            "256 items, number_of_dests is 1 to 255",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_field_and_limit(pdu: Pdu, field: str, problem: str) -> None:
    with pytest.raises(EncodeError) as refused:
        encode(pdu)
    assert (refused.value.field, refused.value.problem) == (field, problem)


def test_an_item_of_another_list_is_refused() -> None:
    with pytest.raises(EncodeError, match="UnsuccessSme cannot be one of these"):
        encode(SubmitMulti(dest_addresses=(UnsuccessSme(),)))  # type: ignore[arg-type]
    with pytest.raises(EncodeError, match="DestAddress cannot be one of these"):
        encode(SubmitMultiResp(unsuccess_smes=(DestAddress(),)))  # type: ignore[arg-type]


def test_a_password_longer_than_the_specification_allows_is_sent_whole() -> None:
    assert decode(encode(BindTransceiver(password="longer-than-eight"))).password == "longer-than-eight"  # type: ignore[attr-defined]


def test_submit_multi_carries_addresses_and_lists() -> None:
    sent = SubmitMulti(
        dest_addresses=(DestAddress(destination_addr="447700900123"), DistributionList(dl_name="staff")),
        short_message=b"hi",
        sequence_number=4,
    )
    octets = encode(sent)
    assert b"\x02\x01\x01\x01447700900123\0\x02staff\0" in octets
    assert decode(octets) == sent


def test_submit_multi_resp_tells_who_was_not_reached() -> None:
    failed = UnsuccessSme(dest_addr_ton=1, dest_addr_npi=1, destination_addr="447700900123", error_status_code=0x0B)
    sent = SubmitMultiResp(message_id="7", unsuccess_smes=(failed,), sequence_number=4)
    assert encode(sent)[16:] == b"7\0" + b"\x01" + b"\x01\x01447700900123\0" + b"\0\0\0\x0b"
    assert decode(encode(sent)) == sent


@pytest.mark.parametrize(
    ("pdu", "body"),
    [
        (SubmitSmResp(command_status=8), b""),
        (SubmitSmResp(command_status=8, message_id="7"), b"7\0"),
        (SubmitSmResp(), b"\0"),
        (SubmitSmResp(body_omitted=True), b""),
        (DeliverSmResp(), b"\0"),
        (DeliverSmResp(command_status=0x64), b"\0"),
        (DeliverSmResp(body_omitted=True), b""),
        (BindTransceiverResp(command_status=0x0E), b""),
        (BindReceiverResp(system_id="smsc"), b"smsc\0"),
        (DataSmResp(command_status=0xFE, tlvs=(tlv("delivery_failure_reason", 3),)), b"\0\x04\x25\0\x01\x03"),
        (CancelSmResp(command_status=0x11), b""),
    ],
)
def test_an_error_response_without_content_has_no_body_and_deliver_sm_resp_always_its_nul(
    pdu: Pdu, body: bytes
) -> None:
    assert encode(pdu)[16:] == body
    assert encode_by_table(pdu)[16:] == body


# --- receiving is lenient -------------------------------------------------------------------------------------


@pytest.mark.parametrize("octets", range(16))
@pytest.mark.parametrize("command_id", [0, *PDU_BY_ID])
def test_fewer_octets_than_a_header_are_no_pdu(command_id: int, octets: int) -> None:
    with pytest.raises(FramingError, match=f"{octets} octets are no PDU"):
        decode(raw(command_id)[:octets])


@pytest.mark.parametrize("command_id", [0x80000004, 0x80000005, 0x80000103, 0x80000009])
@pytest.mark.parametrize("status", [0, 8])
def test_a_response_may_be_a_bare_header(command_id: int, status: int) -> None:
    pdu = decode(raw(command_id, status=status))
    assert pdu.body_omitted
    assert (pdu.command_status, pdu.oddities) == (status, ())


@pytest.mark.parametrize(
    ("body", "message_id"),
    [(b"\0", ""), (b"00000000\0", "00000000"), (b"abc", "abc"), (b"x" * 80 + b"\0", "x" * 80)],
)
def test_a_refusal_may_carry_any_body(body: bytes, message_id: str) -> None:
    pdu = decode(raw(0x80000004, body, status=8))
    assert isinstance(pdu, SubmitSmResp)
    assert (pdu.message_id, pdu.command_status) == (message_id, 8)


def test_a_message_id_without_nul_is_kept_and_noted() -> None:
    pdu = decode(raw(0x80000004, b"1234"))
    assert isinstance(pdu, SubmitSmResp)
    assert pdu.message_id == "1234"
    assert [oddity.text for oddity in pdu.oddities] == ["message_id has no NUL"]


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"service_type": b"LARGER\0"}, tables.ESME_RINVSERTYP),
        ({"source": b"\x05\x00" + b"A" * 21 + b"\0"}, tables.ESME_RINVSRCADR),
        ({"destination": b"\x01\x01" + b"4" * 21 + b"\0"}, tables.ESME_RINVDSTADR),
        ({"schedule_delivery_time": b"tomorrow\0"}, tables.ESME_RINVSCHED),
        ({"validity_period": b"0000010000R\0"}, tables.ESME_RINVEXPIRY),
        ({"text": b"\x09hi"}, tables.ESME_RINVMSGLEN),
        ({"tlvs": b"\x04"}, tables.ESME_RINVTLVSTREAM),
        ({"tlvs": b"\x04\x27\x00"}, tables.ESME_RINVTLVSTREAM),
        ({"tlvs": b"\x00\x1e\x00\x41abcde"}, tables.ESME_RINVTLVSTREAM),
        ({"tlvs": b"\x04\x27\x00\x02\x00\x02"}, tables.ESME_RINVTLVLEN),
    ],
)
@pytest.mark.parametrize("command_id", [SubmitSm.command_id, DeliverSm.command_id])
def test_a_fault_in_a_message_is_noted_with_the_status_a_strict_smsc_answers(
    command_id: int, changed: dict[str, bytes], fault: int
) -> None:
    pdu = decode(raw(command_id, message_body(**changed)))
    assert faults(pdu) == [fault]
    assert pdu.fault == fault
    assert pdu.short_message == b"hi"  # type: ignore[attr-defined]


@pytest.mark.parametrize("octets", range(len(message_body()) - 2))
def test_a_body_that_ends_early_is_decoded_as_far_as_it_goes(octets: int) -> None:
    pdu = decode(raw(DeliverSm.command_id, message_body()[:octets]))
    assert pdu.oddities
    assert pdu.fault
    if octets > 8:
        assert pdu.source_addr == "ACME"  # type: ignore[attr-defined]


def test_tlvs_before_a_broken_one_are_kept() -> None:
    pdu = decode(raw(DeliverSm.command_id, message_body(tlvs=b"\x04\x27\x00\x01\x02\x00\x1e\x00\x41abcde")))
    assert pdu.tlv_value("message_state") == 2
    assert pdu.tlv_value("receipted_message_id") is None


def test_octets_behind_a_bare_command_are_noted_and_ignored() -> None:
    pdu = decode(raw(EnquireLink.command_id, b"\xff"))
    assert isinstance(pdu, EnquireLink)
    assert [oddity.text for oddity in pdu.oddities] == ["1 octets are left after the body"]


def test_both_texts_are_flagged_and_the_short_one_counts() -> None:
    pdu = decode(raw(DeliverSm.command_id, message_body(tlvs=b"\x04\x24\x00\x03pay")))
    assert isinstance(pdu, DeliverSm)
    assert pdu.message_octets == b"hi"
    assert faults(pdu) == [0]


def test_a_receipt_of_tlvs_alone_is_legal() -> None:
    pdu = decode(raw(DeliverSm.command_id, message_body(text=b"\0", tlvs=b"\x04\x27\x00\x01\x02\x00\x1e\x00\x027\0")))
    assert isinstance(pdu, DeliverSm)
    assert pdu.oddities == ()
    assert (pdu.message_octets, pdu.tlv_value("receipted_message_id")) == (b"", "7")


@pytest.mark.parametrize("sequence", [0, 0x80000000, 0xFFFFFFFF])
def test_a_sequence_number_out_of_range_is_kept_and_can_be_echoed(sequence: int) -> None:
    pdu = decode(raw(EnquireLink.command_id, sequence=sequence))
    assert (pdu.sequence_number, pdu.fault) == (sequence, 0)
    assert encode(EnquireLinkResp(sequence_number=sequence))[12:16] == pack(">L", sequence)


def test_generic_nack_has_sequence_number_0_by_right() -> None:
    assert decode(raw(GenericNack.command_id, status=2, sequence=0)).oddities == ()


def test_a_status_in_a_request_is_noted_and_nothing_more() -> None:
    pdu = decode(raw(EnquireLink.command_id, status=8))
    assert (pdu.command_status, faults(pdu)) == (8, [0])


@pytest.mark.parametrize(("length", "fault"), [(300, tables.ESME_RINVCMDLEN), (17, tables.ESME_RINVCMDLEN)])
def test_a_command_length_that_is_not_the_length_is_noted(length: int, fault: int) -> None:
    assert fault in faults(decode(raw(EnquireLink.command_id, b"\0\0\0", length=length)))


@pytest.mark.parametrize(
    ("command_id", "command"),
    [
        (0x22, "param_retrieve"),
        (0x80000023, "query_last_msgs_resp"),
        (0x10200, "0x00010200"),
        (0x0A, "0x0000000A"),
    ],
)
def test_a_command_without_layout_is_kept_raw(command_id: int, command: str) -> None:
    pdu = decode(raw(command_id, b"body", sequence=5))
    assert pdu == UnknownPdu(command_id=command_id, body=b"body", sequence_number=5)
    assert pdu.command == command
    assert encode(pdu) == raw(command_id, b"body", sequence=5)


def test_a_dest_flag_of_neither_kind_ends_the_body() -> None:
    body = b"\0\x05\0ACME\0" + b"\x01\x03"
    assert decode(raw(SubmitMulti.command_id, body)).fault == tables.ESME_RINVDESTFLAG


def test_fewer_destinations_than_counted_are_noted() -> None:
    body = b"\0\x05\0ACME\0" + b"\x02\x02staff\0"
    pdu = decode(raw(SubmitMulti.command_id, body))
    assert isinstance(pdu, SubmitMulti)
    assert pdu.dest_addresses == (DistributionList(dl_name="staff"),)
    assert pdu.fault == tables.ESME_RINVNUMDESTS


def test_a_final_date_of_a_query_is_read() -> None:
    sent = QuerySmResp(message_id="7", final_date="260101120000000+", message_state=2, sequence_number=3)
    assert decode(encode(sent)) == sent


def test_a_broadcast_without_its_mandatory_tlvs_is_flawed() -> None:
    whole = (
        tlv("broadcast_area_identifier", b"\0North"),
        tlv("broadcast_content_type", b"\1\0\0"),
        tlv("broadcast_rep_num", 1),
        tlv("broadcast_frequency_interval", b"\x08\0\x1e"),
    )
    assert decode(encode(BroadcastSm(tlvs=whole), 1)).oddities == ()
    for left_out in whole:
        tlvs = b"".join(pack(">HH", item.tag, len(item.value)) + item.value for item in whole if item is not left_out)
        (oddity,) = decode(raw(BroadcastSm.command_id, bytes(11) + tlvs)).oddities
        assert (oddity.text, oddity.command_status) == (
            f"TLV {tables.TLV_BY_TAG[left_out.tag].name} is missing",
            tables.ESME_RMISSINGTLV,
        )


FAILURE = UnsuccessSme(dest_addr_ton=1, dest_addr_npi=1, destination_addr="447700900123", error_status_code=0x0B)


@pytest.mark.parametrize("octets", range(1, 20))
def test_the_failures_before_a_broken_one_are_kept(octets: int) -> None:
    whole = encode(SubmitMultiResp(message_id="7", unsuccess_smes=(FAILURE,) * 3))[16:]
    pdu = decode(raw(SubmitMultiResp.command_id, whole[:-octets]))
    assert isinstance(pdu, SubmitMultiResp)
    assert pdu.unsuccess_smes == (FAILURE, FAILURE)
    assert pdu.tail == whole[-19:-octets]
    assert pdu.fault
    assert describe(pdu)["body"]["no_unsuccess"] == 3


def test_the_destinations_before_an_unknown_flag_are_kept() -> None:
    good = tuple(DestAddress(destination_addr=f"44770090000{n}") for n in range(3))
    octets = encode(SubmitMulti(source_addr="ACME", dest_addresses=good, short_message=b"hi"))[16:]
    at = octets.index(b"447700900002\0") + 13
    listed = octets.index(b"\x03\x01\x01\x01447700900000")
    broken = octets[:listed] + b"\4" + octets[listed + 1 : at] + b"\x07rest"
    pdu = decode(raw(SubmitMulti.command_id, broken))
    assert isinstance(pdu, SubmitMulti)
    assert (pdu.source_addr, pdu.dest_addresses, pdu.tail) == ("ACME", good, b"\x07rest")
    assert pdu.fault == tables.ESME_RINVDESTFLAG
    assert "esm_class" in pdu.missing
    assert "dest_addresses" not in pdu.missing


STATE_AND_ID = b"\x04\x27\0\1\2" + b"\0\x1e\0\x0242"


@pytest.mark.parametrize("said", [1, 3])
@pytest.mark.parametrize("command_id", [SubmitSm.command_id, DeliverSm.command_id])
def test_a_text_length_that_is_off_by_one_does_not_cost_the_tlvs(command_id: int, said: int) -> None:
    pdu = decode(raw(command_id, message_body(text=bytes([said]) + b"hi", tlvs=STATE_AND_ID)))
    assert pdu.short_message == b"hi"  # type: ignore[attr-defined]
    assert (pdu.tlv_value("message_state"), pdu.tlv_value("receipted_message_id")) == (2, "42")
    assert [oddity.text for oddity in pdu.oddities] == [f"sm_length says {said}, by the TLVs behind it it is 2"]
    assert (pdu.fault, pdu.tail) == (tables.ESME_RINVMSGLEN, b"")
    assert describe(pdu)["body"]["sm_length"] == said


def test_a_text_length_is_believed_where_nothing_better_fits() -> None:
    pdu = decode(raw(DeliverSm.command_id, message_body(tlvs=b"\x04\x27\0\1\2" + b"\xff\xff\xff\xff\xff")))
    assert isinstance(pdu, DeliverSm)
    assert (pdu.short_message, pdu.tlv_value("message_state")) == (b"hi", 2)
    assert pdu.tail == b"\xff" * 5
    assert describe(pdu)["tail_hex"] == "ff" * 5


@pytest.mark.parametrize("tail", [b"\0", b"\x04\x27", b"\x00\x1e\x00\x41abcde"])
def test_what_cannot_be_read_is_kept_as_it_came(tail: bytes) -> None:
    pdu = decode(raw(DeliverSm.command_id, message_body(tlvs=tail)))
    assert pdu.tail == tail
    assert describe(pdu)["tail_hex"] == tail.hex()


def test_a_field_that_never_came_is_nothing_and_not_a_default() -> None:
    whole = encode(BindTransceiver(system_id="acme", password="secret"))[16:]
    bind = decode(raw(BindTransceiver.command_id, whole[:5]))
    assert isinstance(bind, BindTransceiver)
    assert (bind.system_id, bind.interface_version, bind.password) == ("acme", 0, "")
    assert bind.missing == {"password", "system_type", "interface_version", "addr_ton", "addr_npi", "address_range"}
    assert describe(bind)["body"] == {"system_id": "acme"}
    message = decode(raw(SubmitSm.command_id, b"\0\5\0ACME\0"))
    assert isinstance(message, SubmitSm)
    assert (message.source_addr, message.dest_addr_ton, message.dest_addr_npi) == ("ACME", 0, 0)


def test_a_list_of_nobody_is_noted() -> None:
    body = b"\0\5\0ACME\0" + b"\0" + b"\0\0\0\0\0\0\0\0\0\2hi"
    pdu = decode(raw(SubmitMulti.command_id, body))
    assert pdu.fault == tables.ESME_RINVNUMDESTS
    assert pdu.short_message == b"hi"  # type: ignore[attr-defined]


@pytest.mark.parametrize("command_id", [SubmitSm.command_id, DeliverSm.command_id])
def test_of_two_payloads_the_first_counts(command_id: int) -> None:
    two = b"\x04\x24\0\2hi\x04\x24\0\2ho"
    pdu = decode(raw(command_id, message_body(text=b"\0", tlvs=two)))
    assert pdu.message_octets == b"hi"  # type: ignore[attr-defined]
    assert [oddity.text for oddity in pdu.oddities] == ["message_payload is here more than once: the first counts"]


def test_the_text_of_data_sm_is_its_payload() -> None:
    pdu = decode(encode(DataSm(tlvs=(Tlv(0x0424, b"hello"),))))
    assert isinstance(pdu, DataSm)
    assert pdu.message_octets == b"hello"
