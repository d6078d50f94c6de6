"""Octet for octet what smpplib writes, and in its reading what we wrote, for every PDU it can do."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.smpp.codec import decode, encode
from connector.smpp.pdu import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    QuerySm,
    SubmitSm,
    SubmitSmResp,
    Tlv,
    Unbind,
    UnbindResp,
)
from connector.smpp.tables import MAX_SEQUENCE_NUMBER, TLV_BY_NAME, TlvKind
from tests.smpp import strategies
from tests.smpp.oracles import smpplib_pdus as oracle

THEIRS = (
    BindTransmitter,
    BindReceiver,
    BindTransceiver,
    BindTransmitterResp,
    BindReceiverResp,
    BindTransceiverResp,
    SubmitSm,
    SubmitSmResp,
    DeliverSm,
    DeliverSmResp,
    DataSm,
    DataSmResp,
    QuerySm,
    EnquireLink,
    EnquireLinkResp,
    Unbind,
    UnbindResp,
    GenericNack,
)
# Narrower there than in the specification, or refused when empty.
NARROWER = {
    "source_addr": strategies.text(20),
    "destination_addr": strategies.text(20),
    "short_message": st.binary(max_size=254),
    "message_id": st.text(strategies.ASCII, min_size=1, max_size=64),
}


def tlv_of(name: str) -> st.SearchStrategy[Tlv]:
    """A TLV that both of us can write: strings there are never empty, octets neither."""
    row = TLV_BY_NAME[name]
    longest = min(row.octets[-1], 64)
    if row.kind is TlvKind.CSTRING:
        text = st.text(strategies.ASCII, min_size=1, max_size=longest - 1)
        return text.map(lambda value: Tlv(row.tag, value.encode() + b"\0"))
    return st.binary(min_size=max(1, row.octets[0]), max_size=longest).map(lambda value: Tlv(row.tag, value))


def theirs(layout: type[Pdu]) -> st.SearchStrategy[Pdu]:
    """PDUs of values that smpplib can write without changing them."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        name: NARROWER.get(name, strategies.value_of(kind)) for name, kind in layout.wire
    }
    names = oracle.tlv_names(layout.command)
    some = st.lists(st.sampled_from(names), unique=True, max_size=6) if names else st.just([])
    tlvs = some.flatmap(lambda chosen: st.tuples(*(tlv_of(name) for name in sorted(chosen, key=names.index))))
    pdus = st.builds(layout, tlvs=tlvs, sequence_number=st.integers(1, MAX_SEQUENCE_NUMBER), **fields)
    return pdus.map(_one_text)


def _one_text(pdu: Pdu) -> Pdu:
    """smpplib refuses, with reason, a text in both places."""
    if getattr(pdu, "short_message", b""):
        pdu.tlvs = tuple(item for item in pdu.tlvs if item.tag != TLV_BY_NAME["message_payload"].tag)
    return pdu


@pytest.mark.parametrize("layout", THEIRS, ids=lambda layout: layout.command)
def test_we_write_the_octets_smpplib_writes(layout: type[Pdu]) -> None:
    @settings(max_examples=50)
    @given(theirs(layout))
    def check(pdu: Pdu) -> None:
        assert encode(pdu) == oracle.written(pdu)

    check()


@pytest.mark.parametrize("layout", THEIRS, ids=lambda layout: layout.command)
def test_smpplib_reads_what_we_wrote_and_we_what_it_wrote(layout: type[Pdu]) -> None:
    @settings(max_examples=50)
    @given(theirs(layout))
    def check(pdu: Pdu) -> None:
        seen = oracle.read(pdu.command, encode(pdu))
        assert (seen["sequence_number"], seen["command_status"]) == (pdu.sequence_number, 0)
        for name, _ in pdu.wire:
            value = getattr(pdu, name)
            # smpplib reads nothing where sm_length is 0
            assert seen.get(name, "") == (value.decode("latin-1") if isinstance(value, bytes) else value)
        again = decode(oracle.written(pdu))
        assert again == pdu
        assert again.oddities == ()

    check()


def test_the_tlvs_of_a_message_are_most_of_smpplibs() -> None:
    assert {"user_message_reference", "sar_msg_ref_num", "dest_port", "message_payload"} <= set(
        oracle.tlv_names("submit_sm")
    )
    assert {"receipted_message_id", "message_state", "network_error_code"} - oracle.NOT_THEIRS <= set(
        oracle.tlv_names("deliver_sm")
    )
    assert oracle.tlv_names("bind_transceiver_resp") == ["sc_interface_version"]
