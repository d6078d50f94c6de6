"""PDUs and tables for people."""

import json
from pathlib import Path

from hypothesis import given

import connector.smpp
from connector.smpp.codec import decode, encode
from connector.smpp.describe import describe, operation_matrix, state_diagram
from connector.smpp.pdu import (
    BindTransceiver,
    DeliverSm,
    DestAddress,
    DistributionList,
    Pdu,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    Tlv,
    UnknownPdu,
    tlv,
)
from tests.smpp import strategies

README = Path(connector.smpp.__path__[0], "README.md")


def test_a_receipt_in_plain_values() -> None:
    pdu = DeliverSm(
        source_addr="447700900123",
        esm_class=4,
        short_message=b"hi",
        tlvs=(tlv("message_state", 2), tlv("receipted_message_id", "42"), Tlv(0x1403, b"\xff")),
        sequence_number=9,
    )
    described = describe(pdu)
    assert (described["command"], described["sequence_number"]) == ("deliver_sm", 9)
    assert (described["command_status"], described["command_status_name"]) == (0, "ESME_ROK")
    assert described["body"]["source_addr"] == "447700900123"
    assert described["body"]["sm_length"] == 2
    assert described["body"]["short_message_hex"] == "6869"
    assert described["tlvs"] == [
        {"tag": "0x0427", "name": "message_state", "length": 1, "value_hex": "02", "value": 2},
        {"tag": "0x001E", "name": "receipted_message_id", "length": 3, "value_hex": "343200", "value": "42"},
        {"tag": "0x1403", "name": None, "length": 1, "value_hex": "ff", "value": None},
    ]


def test_destinations_are_listed_with_their_flags() -> None:
    body = describe(
        SubmitMulti(dest_addresses=(DestAddress(destination_addr="44"), DistributionList(dl_name="staff")))
    )["body"]
    assert body["number_of_dests"] == 2
    assert body["dest_addresses"] == [
        {"dest_flag": 1, "dest_addr_ton": 1, "dest_addr_npi": 1, "destination_addr": "44"},
        {"dest_flag": 2, "dl_name": "staff"},
    ]


def test_a_password_is_hidden_unless_asked_for() -> None:
    bind = BindTransceiver(password="hunter2")
    assert describe(bind)["body"]["password"] == "*******"
    assert describe(bind, show_secrets=True)["body"]["password"] == "hunter2"


def test_what_was_strange_is_told() -> None:
    described = describe(decode(encode(SubmitSmResp(message_id="42", sequence_number=1))[:-1]))
    assert described["body"] == {"message_id": "42"}
    assert "message_id has no NUL" in described["oddities"]


def test_a_length_that_lies_is_told_as_it_stood() -> None:
    octets = encode(SubmitSm(short_message=b"hi", sequence_number=1))
    described = describe(decode(octets.replace(b"\2hi", b"\3hi")))
    assert (described["body"]["sm_length"], described["body"]["short_message_hex"]) == (3, "6869")


def test_a_missing_body_and_an_unknown_one() -> None:
    assert describe(SubmitSmResp(body_omitted=True, command_status=0x499))["body"] == {}
    described = describe(SubmitSmResp(command_status=0x499))
    assert (described["command_status"], described["command_status_name"]) == (0x499, "0x00000499")
    described = describe(UnknownPdu(command_id=0x10200, body=b"\xff"))
    assert (described["command"], described["body"]) == ("unknown", {"body_hex": "ff"})


@given(strategies.pdus())
def test_every_pdu_can_be_described_in_json(pdu: Pdu) -> None:
    assert json.loads(json.dumps(describe(pdu)))["command"] == pdu.command


def test_the_readme_shows_the_states_and_commands_as_the_tables_have_them() -> None:
    text = README.read_text(encoding="utf-8")
    assert f"```mermaid\n{state_diagram()}\n```" in text
    assert operation_matrix() in text
