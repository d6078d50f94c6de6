"""Peers that break the rules."""

import pytest

from connector.smpp import tables
from connector.smpp.misuse import Misuse, refusal_of
from connector.smpp.pdu import (
    AlertNotification,
    BindTransceiver,
    BindTransceiverResp,
    DeliverSm,
    DeliverSmResp,
    GenericNack,
    Pdu,
    UnknownPdu,
)
from connector.smpp.tables import State


@pytest.mark.parametrize(
    ("request_pdu", "state", "refusal"),
    [
        (DeliverSm(), State.OPEN, DeliverSmResp(command_status=tables.ESME_RINVBNDSTS, sequence_number=7)),
        (
            BindTransceiver(),
            State.BOUND_RX,
            BindTransceiverResp(command_status=tables.ESME_RALYBND, sequence_number=7),
        ),
        (
            BindTransceiver(),
            State.UNBOUND,
            BindTransceiverResp(command_status=tables.ESME_RINVBNDSTS, sequence_number=7),
        ),
        (
            UnknownPdu(command_id=0x0A),
            State.OPEN,
            GenericNack(command_status=tables.ESME_RINVCMDID, sequence_number=7),
        ),
        (AlertNotification(), State.OPEN, None),
    ],
)
def test_a_request_out_of_place_is_refused_in_its_own_terms(
    request_pdu: Pdu, state: State, refusal: Pdu | None
) -> None:
    request_pdu.sequence_number = 7
    assert refusal_of(request_pdu, state) == refusal


def test_a_bind_behind_a_waiting_one_is_refused_as_already_bound() -> None:
    refusal = refusal_of(BindTransceiver(), State.OPEN, bind_waits=True)
    assert refusal is not None
    assert refusal.command_status == tables.ESME_RALYBND


def test_the_third_request_before_a_bind_is_one_too_many() -> None:
    misuse = Misuse()
    assert [misuse.request_before_bind() is None for _ in range(3)] == [True, True, False]


def test_three_stray_nacks_count_only_within_a_minute() -> None:
    misuse = Misuse()
    assert [misuse.stray_nack(now) is None for now in (0.0, 50.0, 61.0, 110.0)] == [True, True, True, False]
