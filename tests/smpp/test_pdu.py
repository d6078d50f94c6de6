"""PDUs and TLVs as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import EncodeError
from connector.smpp import tables
from connector.smpp.fields import CString
from connector.smpp.pdu import (
    PDU_BY_ID,
    BindTransceiver,
    DataSm,
    DeliverSm,
    Oddity,
    Pdu,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
    Tlv,
    UnknownPdu,
    tlv,
)
from connector.smpp.tables import TlvKind
from connector.smpp.tlv import pack_tlv, unpack_tlv

RAW_ONLY = {"param_retrieve", "query_last_msgs", "query_msg_details"}


def test_every_command_of_the_table_has_a_class_but_those_of_3_3_alone() -> None:
    without = {name for number, name in tables.COMMAND_NAMES.items() if number not in PDU_BY_ID}
    assert without == RAW_ONLY | {f"{name}_resp" for name in RAW_ONLY}


def test_a_class_knows_its_command() -> None:
    assert (SubmitSm.command, SubmitSm.command_id) == ("submit_sm", 4)
    assert (SubmitMultiResp.command, SubmitMultiResp.command_id) == ("submit_multi_resp", 0x80000021)
    assert SubmitSmResp().is_response
    assert not SubmitSm().is_response


def test_the_wire_table_is_in_wire_order() -> None:
    assert [name for name, _ in SubmitMultiResp.wire] == ["message_id", "unsuccess_smes"]
    assert [name for name, _ in SubmitSm.wire][:4] == [
        "service_type",
        "source_addr_ton",
        "source_addr_npi",
        "source_addr",
    ]
    assert dict(DataSm.wire)["destination_addr"] == CString(65, tables.ESME_RINVDSTADR)


def test_submit_sm_and_deliver_sm_are_different_although_alike() -> None:
    assert SubmitSm.wire == DeliverSm.wire
    pdus: list[Pdu] = [SubmitSm(), DeliverSm()]
    assert pdus[0] != pdus[1]


def test_no_password_and_no_text_is_in_a_repr() -> None:
    assert "hunter2" not in repr(BindTransceiver(password="hunter2"))
    shown = repr(SubmitSm(short_message=b"your code is 1234", tlvs=(tlv("message_payload", b"5678"),)))
    assert "1234" not in shown
    assert "5678" not in shown
    assert "<17 octets>" in shown
    assert "secret" not in repr(UnknownPdu(body=b"secret"))


def test_the_fault_is_the_first_oddity_that_has_a_status() -> None:
    assert SubmitSm().fault == 0
    assert SubmitSm(oddities=(Oddity("odd"), Oddity("wrong", 2), Oddity("worse", 3))).fault == 2


def test_the_text_is_the_short_message_or_the_payload() -> None:
    assert DeliverSm(short_message=b"short").message_octets == b"short"
    assert DeliverSm(tlvs=(tlv("message_payload", b"long"),)).message_octets == b"long"
    assert DeliverSm().message_octets == b""


@pytest.mark.parametrize(
    ("name", "value", "octets"),
    [
        ("message_state", 2, b"\x02"),
        ("user_message_reference", 7, b"\0\x07"),
        ("qos_time_to_live", 3600, b"\0\0\x0e\x10"),
        ("receipted_message_id", "42", b"42\0"),
        ("source_node_id", "000123", b"000123"),
        ("network_error_code", b"\x03\0\x01", b"\x03\0\x01"),
        ("message_payload", b"", b""),
        ("alert_on_message_delivery", b"", b""),
        ("alert_on_message_delivery", 1, b"\x01"),
        ("destination_port", 2775, b"\x0a\xd7"),
    ],
)
def test_a_tlv_is_built_as_wide_as_the_table_says_and_read_back(
    name: str, value: int | str | bytes, octets: bytes
) -> None:
    built = tlv(name, value)
    assert built == Tlv(tables.TLV_BY_NAME[name].tag, octets)
    assert DeliverSm(tlvs=(built,)).tlv_value(name) == value


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("message_state", 256, "256 does not fit 1 octets"),
        ("message_state", -1, "-1 does not fit 1 octets"),
        ("message_state", "2", "an integer is needed"),
        ("network_error_code", b"\x03", "1 octets, the table says 3"),
        ("network_error_code", "abc", "octets are needed"),
        ("callback_num", b"x" * 20, "20 octets, the table says 4 to 19"),
        ("receipted_message_id", "x" * 65, "66 octets, the table says 1 to 65"),
        ("receipted_message_id", "4\x002", "only ASCII without NUL is allowed"),
        ("receipted_message_id", 42, "a string is needed"),
        ("no_such_tlv", 1, "no TLV has this name: give Tlv(tag, octets) for a vendor's own"),
    ],
)
def test_a_tlv_that_does_not_fit_is_refused(name: str, value: int | str | bytes, problem: str) -> None:
    with pytest.raises(EncodeError) as refused:
        tlv(name, value)
    assert (refused.value.field, refused.value.problem) == (name, problem)


@pytest.mark.parametrize(
    ("name", "octets", "value"),
    [
        ("receipted_message_id", b"42", "42"),
        ("receipted_message_id", b"42\0\0", "42"),
        ("source_node_id", b"27001", "27001"),
        ("network_error_code", b"000000", b"000000"),
        ("message_state", b"\0\x02", None),
        ("message_state", b"", None),
    ],
)
def test_a_received_tlv_of_a_wrong_length_is_read_where_it_can_be(name: str, octets: bytes, value: object) -> None:
    assert DeliverSm(tlvs=(Tlv(tables.TLV_BY_NAME[name].tag, octets),)).tlv_value(name) == value


def test_repeated_tlvs_keep_their_order_and_the_first_one_counts() -> None:
    numbers = (b"\x01\x01\x011234", b"\x01\x01\x015678")
    pdu = SubmitSm(tlvs=tuple(tlv("callback_num", number) for number in numbers))
    assert pdu.tlv_value("callback_num") == numbers[0]
    assert pdu.tlv_values("callback_num") == list(numbers)
    assert pdu.tlv_octets("callback_num") == numbers[0]
    assert pdu.tlv_value("message_state") is None


def test_asking_for_a_tlv_that_no_table_has_is_the_callers_mistake() -> None:
    with pytest.raises(KeyError):
        SubmitSm().tlv_value("no_such_tlv")


@given(st.sampled_from([row for row in tables.TLVS if row.kind is TlvKind.INT]), st.data())
def test_every_integer_of_the_table_goes_there_and_back(row: tables.TlvSpec, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, (1 << 8 * row.octets[-1]) - 1))
    packed = pack_tlv(row, value)
    assert len(packed) == row.octets[-1]
    assert unpack_tlv(row, packed) == value
