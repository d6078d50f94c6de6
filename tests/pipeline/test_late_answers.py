"""A carrier whose answers come after all patience: whatever it says later still ends up on the message."""

import pytest
from trio.testing import MockClock

from connector.lifecycle import Status
from simulator import Scenario
from simulator.scenario import Delay, ReceiptRules, Response
from tests.pipeline.test_world import lane
from tests.pipeline.world import config, world


@pytest.mark.parametrize("early", [False, True])
async def test_an_answer_after_the_patience_still_leads_the_receipt_to_its_message(
    autojump_clock: MockClock, early: bool
) -> None:
    """The answer comes at 90 s, its part was given up at 80 s, and the receipt comes after it or at the very start."""
    rules = ReceiptRules(delay=Delay(value_s=60.0), early=float(early), heed_times=False)
    async with world(config(lane=lane("otp", patience_s=20.0))) as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=90.0)), receipt=rules))
        await it.start()
        await it.bound()
        [message] = await it.send(lane="otp")
        await it.counted(Status.UNKNOWN, 1, within_s=85)
        assert (await it.connector.queries.ledger()).parked == early
        await it.counted(Status.DELIVERED, 1, within_s=200)
        view = await it.message(message)
        events = ["accepted", "claimed", "lost", "silence", "acknowledged"]
        # each where it came: the parked receipt long before it could be understood
        events.insert(2 if early else 5, "delivered")
        assert [entry.event for entry in view.timeline] == events
        assert view.carrier_message_id is not None
        assert (await it.connector.queries.ledger()).parked == 0


async def test_a_message_that_failed_says_why(autojump_clock: MockClock) -> None:
    rules = ReceiptRules(mix={"UNDELIV": 1.0}, format="id:{id} stat:{stat} err:027 text:{text}")
    async with world() as it:
        it.play(Scenario(receipt=rules))
        await it.start()
        await it.bound()
        [message] = await it.send()
        await it.counted(Status.FAILED, 1)
        view = await it.message(message)
        assert (view.reason, view.temporary) == ("absent_subscriber", True)
        assert view.timeline[-1].detail == "UNDELIV 027: absent_subscriber, temporary"
