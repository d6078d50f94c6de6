"""cancel_sm at the simulated carrier: what it gives back, and what its receipts say of that."""

from typing import Any

import pytest
import trio
from esme import Esme, bound, submit_sm
from trio.testing import MockClock

from connector.smpp import tables
from connector.smpp.pdu import CancelSm, CancelSmResp
from connector.smpp.receipt import parse_receipt
from simulator import Smsc
from simulator.scenario import Delay, ReceiptRules, Scenario

EPOCH = 1_700_000_000.0


def smsc_of(**rules: Any) -> Smsc:
    receipt = ReceiptRules(**{"delay": Delay(value_s=60.0), **rules})
    return Smsc(Scenario(receipt=receipt), clock=lambda: EPOCH + trio.current_time())


def cancel_sm(message_id: str = "0000000001", **fields: Any) -> CancelSm:
    addresses = {"source_addr": "60777", "destination_addr": "447911123456"}
    return CancelSm(message_id=message_id, **{**addresses, **fields})


async def said(esme: Esme, pdu: CancelSm) -> int:
    [answer] = await esme.submitted(pdu)
    assert isinstance(answer.response, CancelSmResp)
    return answer.command_status


async def test_what_has_no_receipt_yet_is_given_back_and_its_receipt_says_deleted(autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with bound(smsc) as esme:
        await esme.submitted(*[submit_sm(registered_delivery=1) for _ in range(2)])
        assert await said(esme, cancel_sm()) == tables.ESME_ROK
        words = [parse_receipt(pdu.short_message).stat for pdu in await esme.delivered(2)]
        assert words == ["DELETED", "DELIVRD"]
    first, second = smsc.ledger
    assert (first.state, second.state) == ("DELETED", "DELIVRD")
    assert first.cancelled_at is not None
    assert second.cancelled_at is None


async def test_what_was_told_or_given_back_already_is_not_given_back(autojump_clock: MockClock) -> None:
    async with bound(smsc_of(delay=Delay(value_s=1.0))) as esme:
        await esme.submitted(submit_sm(registered_delivery=1))
        await esme.delivered(1)
        assert await said(esme, cancel_sm()) == tables.ESME_RCANCELFAIL
        await esme.submitted(submit_sm())
        assert await said(esme, cancel_sm("0000000002")) == tables.ESME_ROK
        assert await said(esme, cancel_sm("0000000002")) == tables.ESME_RCANCELFAIL


@pytest.mark.parametrize(
    "other", [{"message_id": "7"}, {"source_addr": "60778"}, {"source_addr_ton": 1}, {"destination_addr": "4479"}]
)
async def test_the_id_and_the_addresses_must_be_the_message_s(other: dict[str, Any], autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with bound(smsc) as esme:
        await esme.submitted(submit_sm())
        assert await said(esme, cancel_sm(**other)) == tables.ESME_RCANCELFAIL
        assert await said(esme, cancel_sm(destination_addr="")) == tables.ESME_ROK


async def test_without_an_id_all_that_fits_is_given_back(autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with bound(smsc) as esme:
        other = submit_sm()
        other.destination_addr = "447911123457"
        await esme.submitted(submit_sm(), other, submit_sm())
        assert await said(esme, cancel_sm("")) == tables.ESME_ROK
    assert [entry.state for entry in smsc.ledger] == ["DELETED", "DELIVRD", "DELETED"]
