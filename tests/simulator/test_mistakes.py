"""What the carrier would say and SMPP cannot carry: told when a scenario is read, and otherwise one link's trouble."""

import logging

import pytest
import trio
from esme import bound, linked, submit_sm
from trio.testing import MockClock, wait_all_tasks_blocked

from connector.errors import EncodeError
from connector.smpp.pdu import DeliverSm
from simulator import Smsc
from simulator.scenario import Listen, MessageId, Response, Scenario
from simulator.smsc import MISTAKE

UNREAD = Scenario(listen=Listen(smpp="127.0.0.1:0"), response=Response(message_id=MessageId(prefix="x" * 60)))
"""Made in Python and checked by nobody: its ids are too long."""


async def test_a_mistake_ends_the_link_it_happens_on_and_no_other(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    smsc = Smsc(UNREAD)
    async with bound(smsc) as one, bound(smsc) as other:
        with caplog.at_level(logging.ERROR, "carrierline.simulator"):
            await one.submit(submit_sm())
            await one.closed()
            await wait_all_tasks_blocked()
        assert smsc.statistics().ends == {MISTAKE: 1}
        smsc.deliver("447911123456", "60777", "hello")
        assert len(await other.delivered(1)) == 1
    (record,) = caplog.records
    assert record.getMessage() == "link 1 was ended by a mistake: message_id: 70 characters, the limit is 64"


async def test_a_carrier_on_a_socket_outlives_a_mistake() -> None:
    smsc = Smsc(UNREAD)
    async with trio.open_nursery() as nursery:
        await nursery.start(smsc.run)
        for _ in range(2):
            async with linked(smsc) as esme:
                assert await esme.bind() == 0
                await esme.submit(submit_sm())
                await esme.closed()
        await wait_all_tasks_blocked()
        assert smsc.statistics().ends == {MISTAKE: 2}
        nursery.cancel_scope.cancel()


async def test_a_message_of_a_subscriber_that_cannot_be_sent_is_refused_with_all_that_go_with_it(
    autojump_clock: MockClock,
) -> None:
    smsc = Smsc()
    async with bound(smsc) as esme:
        with pytest.raises(EncodeError, match="source_addr: 30 characters, the limit is 20"):
            smsc.deliver_sm([DeliverSm(source_addr="1"), DeliverSm(source_addr="4" * 30)])
        smsc.deliver("447911123456", "60777", "hello")
        assert [pdu.short_message for pdu in await esme.delivered(1)] == [b"hello"]
