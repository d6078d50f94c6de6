"""What handsets say themselves, where registered_delivery asks for it."""

from typing import Any

import pytest
import trio
from esme import bound, submit_sm
from trio.testing import MockClock

from connector.settings import load
from connector.smpp.pdu import CancelSm, DeliverSm
from connector.smpp.tlv import tlv
from simulator import Smsc
from simulator.scenario import Scenario

ON = "[receipt]\ndelay = '10s'\nhandset = { delivery = 1, manual = 1, delay = '5s', text = 'got it' }\n"


def smsc_of(text: str) -> Smsc:
    return Smsc(load(text, Scenario), clock=lambda: 1_700_000_000.0 + trio.current_time())


async def heard(text: str, **fields: Any) -> list[tuple[float, int]]:
    """Return when what came back about a message, and as which esm_class."""
    async with bound(smsc_of(text)) as esme:
        await esme.submit(submit_sm(**fields))
        with trio.move_on_after(60):
            await esme.delivered(100)
        return [(at, pdu.esm_class) for at, pdu in esme.pdus if isinstance(pdu, DeliverSm)]


@pytest.mark.parametrize(
    ("text", "asks", "came"),
    [
        ("", 0x0D, [(0, 0x04)]),  # off unless a scenario has it
        (ON, 0x00, []),
        (ON, 0x01, [(10, 0x04)]),
        (ON, 0x04, [(15, 0x08)]),
        (ON, 0x08, [(15, 0x10)]),
        (ON, 0x0D, [(10, 0x04), (15, 0x08), (15, 0x10)]),
        (ON.replace("manual = 1, ", ""), 0x0C, [(15, 0x08)]),
        (ON + "mix = { UNDELIV = 1 }", 0x0D, [(10, 0x04)]),
        (ON + "missing = 1.0", 0x0D, [(15, 0x08), (15, 0x10)]),
        ("[receipt]\nhandset = 1", 0x0C, [(0, 0x08), (0, 0x10)]),
    ],
)
async def test_a_handset_acknowledges_what_it_is_asked_for(
    text: str, asks: int, came: list[tuple[float, int]], autojump_clock: MockClock
) -> None:
    assert await heard(text, registered_delivery=asks) == came


async def test_an_acknowledgement_goes_back_to_the_sender_with_its_reference(autojump_clock: MockClock) -> None:
    smsc = smsc_of(ON)
    async with bound(smsc) as esme:
        await esme.submit(submit_sm(registered_delivery=4, tlvs=(tlv("user_message_reference", 77),)))
        [word] = await esme.delivered(1)
        assert (word.source_addr, word.destination_addr, word.short_message) == ("447911123456", "60777", b"got it")
        assert word.tlv_value("user_message_reference") == 77
    assert (smsc.statistics().mo_sent, smsc.statistics().receipts_sent) == (1, 0)


async def test_nobody_acknowledges_what_was_cancelled(autojump_clock: MockClock) -> None:
    async with bound(smsc_of(ON)) as esme:
        [answer] = await esme.submitted(submit_sm(registered_delivery=0x0D))
        cancel = CancelSm(message_id=answer.message_id, source_addr="60777", destination_addr="447911123456")
        await esme.submitted(cancel)
        with trio.move_on_after(60):
            await esme.delivered(100)
        [word] = esme.received(DeliverSm)
        assert b"stat:DELETED" in word.short_message
