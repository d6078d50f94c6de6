"""Whole ways through, under virtual time; the simulated carrier's ledger is the judge."""

from collections import Counter
from itertools import pairwise
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.config import LANES, RetryConfig, RouteConfig
from connector.lifecycle import Status
from connector.metrics import render
from connector.model import Reason
from simulator import Scenario
from simulator.scenario import Delay, Limits, MessageId, Rate, ReceiptRules, Response
from tests.pipeline.world import carrier_config, config, now, world

BULK_PLACES = 48
"""Of a window of 50: two stay free for OTP."""
LONG = "a text that needs more than one part " * 8


def lane(name: str, **changes: Any) -> dict[str, Any]:
    return {name: attrs.evolve(LANES[name], **changes)}


async def test_a_message_is_delivered_and_its_timeline_tells_how(autojump_clock: MockClock) -> None:
    async with world() as it:
        await it.start()
        await it.bound()
        [message] = await it.send(lane="otp")
        await it.counted(Status.DELIVERED, 1)
        view = await it.message(message)
        assert [entry.event for entry in view.timeline] == ["accepted", "claimed", "acknowledged", "delivered"]
        assert view.carrier == "north"
        assert it.smsc["north"].ledger.find(str(view.carrier_message_id)) is not None


async def test_a_scheduled_message_is_never_early_and_hardly_late(autojump_clock: MockClock) -> None:
    async with world() as it:
        await it.start()
        await it.bound()
        at = now() + 3_600
        await it.send(lane="otp", send_at=at)
        await it.counted(Status.DELIVERED, 1)
        [entry] = it.smsc["north"].ledger
        assert at <= entry.accepted_at < at + 0.5


async def test_what_is_past_its_deadline_when_the_carrier_comes_back_is_expired_and_never_sent(
    autojump_clock: MockClock,
) -> None:
    async with world() as it:
        it.down.add("north")
        await it.start()
        late = await it.send(3, lane="otp")
        await it.send(2, lane="promotional", first=10)
        await trio.sleep(600)
        assert await it.statuses(late) == {Status.EXPIRED: 3}
        it.down.clear()
        await it.counted(Status.DELIVERED, 2)
        assert it.arrivals() == ["447911100010", "447911100011"]


@pytest.mark.parametrize("status", ["ESME_RSYSERR", "ESME_RX_T_APPN"])
async def test_the_retry_table_is_followed_and_then_it_is_over(status: str, autojump_clock: MockClock) -> None:
    retry = RetryConfig(attempts=3, backoff_s=(5.0, 30.0))
    async with world(config(lane=lane("promotional", retry=retry))) as it:
        it.play(Scenario(limits=Limits(rate=Rate(per_second=1e-9), over_rate=status)))
        await it.start()
        await it.bound()
        [first] = await it.send()  # the bucket holds one
        await it.counted(Status.DELIVERED, 1)
        [second] = await it.send(first=1)
        await it.counted(Status.FAILED, 1)
        view = await it.message(second)
        claims = [entry.at for entry in view.timeline if entry.event == "claimed"]
        pauses = [later - earlier for earlier, later in pairwise(claims)]
        assert pauses == [pytest.approx(5, abs=0.5), pytest.approx(30, abs=0.5)]
        assert view.reason == Reason.ATTEMPTS_USED_UP
        assert it.arrivals() == ["447911100000"]
        assert first != second


async def test_throttling_burns_no_attempt_and_everything_is_delivered(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.play(Scenario(limits=Limits(rate=Rate(per_second=10, burst=5))))
        await it.start()
        await it.bound()
        ids = await it.send(200)
        await it.counted(Status.DELIVERED, 200)
        assert it.smsc["north"].statistics().submits["ESME_RTHROTTLED"] > 0
        assert len(it.arrivals()) == len(set(it.arrivals())) == len(ids)


async def test_at_a_configured_rate_the_carrier_never_throttles(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=100))) as it:
        it.play(Scenario(limits=Limits(rate=Rate(per_second=100, burst=5))))
        await it.start()
        await it.bound()
        began = now()
        await it.send(500)
        await it.counted(Status.DELIVERED, 500)
        assert "ESME_RTHROTTLED" not in it.smsc["north"].statistics().submits
        assert now() - began < 500 / 100 / 0.9


async def test_bulk_leaves_at_a_rate_lower_than_the_places_kept_free(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=2, bind={"window_size": 100}))) as it:
        await it.start()
        await it.bound()
        await it.send(20)
        await it.counted(Status.DELIVERED, 20, within_s=15)


async def test_an_answer_that_never_comes_is_doubt_and_then_unknown_and_is_not_sent_again(
    autojump_clock: MockClock,
) -> None:
    async with world(config(lane=lane("otp", patience_s=7_200.0))) as it:
        it.play(Scenario(response=Response(delay=Delay(never=True)), receipt=ReceiptRules(when="never")))
        await it.start()
        await it.bound()
        [message] = await it.send(lane="otp")
        await it.counted(Status.IN_DOUBT, 1, within_s=62)
        await it.counted(Status.UNKNOWN, 1)
        assert len(it.arrivals()) == 1
        assert (await it.message(message)).reason == Reason.NO_FINAL_WORD


async def test_an_answer_after_its_time_still_settles_the_doubt(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=90.0)), receipt=ReceiptRules(delay=Delay(value_s=60.0))))
        await it.start()
        await it.bound()
        [message] = await it.send()
        await it.counted(Status.IN_DOUBT, 1, within_s=62)
        await it.counted(Status.DELIVERED, 1)
        events = [entry.event for entry in (await it.message(message)).timeline]
        assert events == ["accepted", "claimed", "lost", "acknowledged", "delivered"]


async def test_a_receipt_after_the_patience_moves_unknown(autojump_clock: MockClock) -> None:
    async with world(config(lane=lane("promotional", patience_s=3_600.0))) as it:
        it.play(Scenario(receipt=ReceiptRules(delay=Delay(value_s=7_200.0))))
        await it.start()
        await it.bound()
        await it.send(5)
        await it.counted(Status.UNKNOWN, 5)
        await it.counted(Status.DELIVERED, 5)
        assert now() - 1_800_000_000 < 7_300


async def test_receipts_that_come_before_their_answers_are_matched(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=2.0)), receipt=ReceiptRules(early=1.0)))
        await it.start()
        await it.bound()
        await it.send(40)
        await it.counted(Status.DELIVERED, 40)
        assert (await it.connector.queries.ledger()).parked == 0


async def test_receipts_of_unknown_ids_are_parked_and_answered(autojump_clock: MockClock) -> None:
    async with world() as it:
        await it.start()
        await it.bound()
        await it.send(5)
        await it.counted(Status.DELIVERED, 5)
        it.cut()
        silent = Response(delay=Delay(never=True), message_id=MessageId(start=1_000))
        it.play(Scenario(response=silent, receipt=ReceiptRules(delay=Delay(value_s=1.0))))
        it.down.clear()
        await it.send(3, first=10)
        smsc = it.smsc["north"]
        await it.until(lambda: smsc.statistics().receipts_acknowledged == 3)
        assert (await it.connector.queries.ledger()).parked == 3
        await it.counted(Status.IN_DOUBT, 3)


async def test_a_carrier_that_is_down_at_the_start_and_comes_up_gets_everything(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.down.add("north")
        await it.start()
        await it.send(1_200)
        await trio.sleep(300)
        it.down.clear()
        await it.counted(Status.DELIVERED, 1_200)
        assert sorted(it.arrivals()) == [f"4479111{number:05}" for number in range(1_200)]


async def test_the_second_carrier_takes_over_while_the_first_is_down(autojump_clock: MockClock) -> None:
    settings = config(
        carrier_config("north"), carrier_config("south"), route=[RouteConfig(carriers=("north", "south"))]
    )
    async with world(settings) as it:
        await it.start()
        await it.bound()
        await it.send(20)
        await it.counted(Status.DELIVERED, 20)
        assert (len(it.arrivals("north")), len(it.arrivals("south"))) == (20, 0)
        it.cut("north")
        await it.send(30, first=100)
        await it.counted(Status.DELIVERED, 50)
        assert len(it.arrivals("south")) == 30
        it.down.clear()
        await it.bound()
        await it.send(10, first=200)
        await it.counted(Status.DELIVERED, 60)
        assert len(it.arrivals("north")) == 30


async def test_a_link_cut_with_a_full_window_loses_nothing_and_sends_nothing_twice(autojump_clock: MockClock) -> None:
    async with world() as it:
        slow = Response(delay=Delay(value_s=5.0), message_id=MessageId(form="hex", width=8))
        it.play(Scenario(response=slow))
        await it.start()
        await it.bound()
        await it.send(120)
        await it.until(lambda: len(it.arrivals()) == BULK_PLACES)
        it.cut()
        await it.counted(Status.IN_DOUBT, BULK_PLACES)
        it.down.clear()
        await it.counted(Status.DELIVERED, 120 - BULK_PLACES)
        counts = Counter(it.arrivals())
        assert len(counts) == 120
        assert set(counts.values()) == {1}


async def test_an_otp_overtakes_a_campaign(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=0.1))))
        await it.start()
        await it.bound()
        for start in range(0, 5_000, 1_000):
            await it.send(1_000, first=start)
        await it.until(lambda: len(it.arrivals()) > 1_000)
        ahead = len(it.arrivals())
        await it.send(10, lane="otp", first=90_000)
        await it.until(lambda: sum(to.startswith("44791119") for to in it.arrivals()) == 10)
        places = [number for number, to in enumerate(it.arrivals()) if to.startswith("44791119")]
        assert places[-1] - ahead < 100, "at most the window and its like may be ahead of the last OTP"
        it.smsc["north"].drop_links()


async def test_a_long_message_stays_with_one_carrier_and_in_order(autojump_clock: MockClock) -> None:
    settings = config(
        carrier_config("north", bind={"window_size": 2}),
        carrier_config("south", bind={"window_size": 3}),
        route=[RouteConfig(carriers=("north", "south"))],
    )
    async with world(settings) as it:
        for host in ("north", "south"):
            limits = Limits(rate=Rate(per_second=20, burst=3))
            it.play(Scenario(response=Response(delay=Delay(value_s=0.2)), limits=limits), host)
        await it.start()
        await it.bound()
        ids = await it.send(60, text=LONG)
        await it.counted(Status.DELIVERED, 60)
        north, south = set(it.arrivals("north")), set(it.arrivals("south"))
        assert not north & south
        assert len(north | south) == len(ids)
        assert south, "both carriers took some"


async def test_a_drain_under_load_leaves_nothing_unaccounted_for(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=1.0))))
        await it.start()
        await it.bound()
        await it.send(300)
        await it.until(lambda: len(it.arrivals()) > 60)
        with trio.fail_after(25):
            await it.connector.drain()
        ledger = await it.connector.queries.ledger()
        taken = len(it.arrivals())
        assert ledger.messages.get("sending", 0) == ledger.messages.get("in_doubt", 0) == 0
        assert ledger.messages["accepted"] == 300 - taken
        assert it.smsc["north"].statistics().binds == 0


async def test_a_drain_is_bounded_when_answers_do_not_come(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.play(Scenario(response=Response(delay=Delay(never=True))))
        await it.start()
        await it.bound()
        await it.send(80)
        await it.until(lambda: len(it.arrivals()) == BULK_PLACES)
        with trio.fail_after(25):
            await it.connector.drain()
        assert (await it.connector.queries.ledger()).messages["in_doubt"] == BULK_PLACES


async def test_after_a_kill_what_was_on_the_wire_is_in_doubt_and_the_rest_leaves(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=1.0))))
        await it.start()
        await it.bound()
        await it.send(300)
        await it.until(lambda: len(it.arrivals()) > 60)
        await it.kill()
        await it.start()
        await it.until(lambda: sum(queue.waiting for queue in it.connector.statistics().queues) == 0)
        await trio.sleep(30)
        ledger = await it.connector.queries.ledger()
        assert ledger.messages["in_doubt"] == it.connector.statistics().recovered > 0
        metrics = render(it.connector.statistics(), ledger).decode()
        assert f'carrierline_parts_total{{status="in_doubt"}} {ledger.messages["in_doubt"]}.0' in metrics
        counts = Counter(it.arrivals())
        assert len(counts) == 300
        assert set(counts.values()) == {1}, "doubt is held: nothing left twice"


async def test_a_cancel_without_a_drain_still_writes_down_what_was_under_way(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.play(Scenario(response=Response(delay=Delay(never=True))))
        await it.start()
        await it.bound()
        await it.send(200)
        await it.until(lambda: len(it.arrivals()) == BULK_PLACES)
        await it.cancel()
        assert it.engine.ledger().messages == {"in_doubt": BULK_PLACES, "accepted": 200 - BULK_PLACES}


async def test_a_disk_that_is_full_for_a_while_forgets_nothing_and_ends_nothing(autojump_clock: MockClock) -> None:
    async with world(config(lane=lane("promotional", deadline_s=20))) as it:
        it.down.add("north")
        await it.start()
        await it.send(20)
        await it.send(5, first=50, lane="transactional", send_at=now() + 3)
        await it.send(10, first=80, deadline_in_s=4)
        began = now()
        it.full = lambda: began + 1 < now() < began + 15
        await trio.sleep(2)
        it.down.clear()  # claims, deadlines and scheduled messages all meet the full disk
        await it.counted(Status.DELIVERED, 25)
        await it.counted(Status.EXPIRED, 10)
        assert len(it.arrivals()) == 25
        assert sum(queue.waiting for queue in it.connector.statistics().queues) == 0


async def test_a_drain_is_bounded_while_the_disk_is_full(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=1.0))))
        await it.start()
        await it.bound()
        await it.send(20)
        await it.until(lambda: len(it.arrivals()) == 20)
        it.full = lambda: True
        with trio.fail_after(60):
            await it.connector.drain()
        it.full = lambda: False
        await it.kill()
        await it.start()
        assert (await it.connector.queries.ledger()).messages == {"in_doubt": 20}


async def test_the_backlog_of_a_route_that_was_renamed_still_leaves(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.down.add("north")
        await it.start()
        ids = await it.send(5)
        await it.kill()
        it.config = config(route=[RouteConfig(name="uk", carriers=("north",))])
        it.down.clear()
        await it.start()
        await it.counted(Status.DELIVERED, len(ids))


async def test_what_waits_is_counted_right_when_deadlines_pass_while_heads_are_read(
    autojump_clock: MockClock,
) -> None:
    async with world() as it:
        it.down.add("north")
        await it.start()
        await it.send(1_500, deadline_in_s=5)
        with trio.move_on_after(8):
            while True:  # other traffic wakes dispatch like this
                it.connector._wake_dispatch()
                await trio.sleep(0.001)
        await it.counted(Status.EXPIRED, 1_500)
        assert [queue.waiting for queue in it.connector.statistics().queues] == [0, 0, 0]
