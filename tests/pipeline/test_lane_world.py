"""What lanes promise, at the carrier's side: who is first, how long an OTP waits, what a ceiling lets through."""

import math
from bisect import bisect_left
from collections.abc import Sequence

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.config import LANES, DialectConfig, LaneConfig
from connector.config.lane import LaneAtCarrier
from connector.lifecycle import Status
from simulator import Scenario
from simulator.ledger import Entry
from simulator.scenario import Delay, ReceiptRules, Response
from tests.pipeline.books import counts_hold
from tests.pipeline.test_world import lane
from tests.pipeline.world import World, carrier_config, config, now, world

OTP_FIRST = 90_000
"""Numbers from here on are OTPs'."""
COMMITS_S = 0.25
"""Claims run ahead of the pace and their commits take time."""
NO_RECEIPTS = ReceiptRules(when="never")


def slow(seconds: float) -> Scenario:
    return Scenario(response=Response(delay=Delay(value_s=seconds)), receipt=NO_RECEIPTS)


def entries(it: World, host: str = "north", *, otp: bool) -> list[Entry]:
    """Return what a carrier took of OTPs, or of the rest."""
    return [entry for entry in it.smsc[host].ledger if (int(entry.destination_addr[-5:]) >= OTP_FIRST) is otp]


def most_in_a_second(found: Sequence[Entry]) -> int:
    times = sorted(entry.accepted_at for entry in found)
    return max((bisect_left(times, at + 1) - place for place, at in enumerate(times)), default=0)


async def backlog(it: World, count: int) -> None:
    for start in range(0, count, 1_000):
        await it.send(min(1_000, count - start), first=start)


async def begun(it: World, scenario: Scenario | None = None) -> None:
    if scenario is not None:
        it.play(scenario)
    await it.start()
    await it.bound()


@pytest.mark.parametrize("lane_name", LANES)
async def test_the_earliest_deadline_leaves_first(lane_name: str, autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=2.0))) as it:
        it.down.add("north")
        await it.start()
        for number, deadline_s in enumerate([90, 30, 60, 40, 80]):
            await it.send(first=number, lane=lane_name, deadline_in_s=deadline_s)
        it.down.clear()
        await it.counted(Status.DELIVERED, 5)
        assert [int(to[-1]) for to in it.arrivals()] == [1, 3, 2, 4, 0]


async def test_a_key_with_ten_is_done_while_another_has_thousands(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=50.0), keys=("shop", "bank"))) as it:
        await begun(it)
        await backlog(it, 5_000)
        began = now()
        await it.send(10, key="bank", first=80_000)
        await it.until(lambda: sum(to[-5:] >= "80000" for to in it.arrivals()) == 10)
        assert now() - began <= 2 * 10 / (50 / 2), "half of the rate is its share"
        await counts_hold(it)


@pytest.mark.parametrize("rate", [10.0, 4.0])
async def test_at_a_rate_each_otp_waits_one_place_for_each_ahead_of_it(rate: float, autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=rate))) as it:
        await begun(it)
        await backlog(it, 2_000)
        await trio.sleep(20)
        for burst in range(5):
            began = now()
            await it.send(5, lane="otp", first=OTP_FIRST + 10 * burst)
            await it.until(lambda count=5 * (burst + 1): len(entries(it, otp=True)) == count)  # type: ignore[misc]
            waits = [entry.accepted_at - began for entry in entries(it, otp=True)[-5:]]
            # while both wait an OTP has five of seven places, and one claimed before it came goes first
            late = [
                (k, wait) for k, wait in enumerate(waits, 1) if wait > (math.ceil(k * 7 / 5) + 1) / rate + COMMITS_S
            ]
            assert not late, waits
            await trio.sleep(7.3)
        await counts_hold(it)


@pytest.mark.parametrize(("window", "response_s", "burst"), [(10, 1.0, 8), (20, 2.0, 30)])
async def test_at_a_full_window_each_otp_waits_a_response_time_over_the_window_for_each_ahead(
    window: int, response_s: float, burst: int, autojump_clock: MockClock
) -> None:
    async with world(config(carrier_config(bind={"window_size": window}))) as it:
        await begun(it, slow(response_s))
        await backlog(it, 2_000)
        await trio.sleep(10.5)
        began = now()
        await it.send(burst, lane="otp", first=OTP_FIRST)
        await it.until(lambda: len(entries(it, otp=True)) == burst)
        waits = [entry.accepted_at - began for entry in entries(it, otp=True)]
        # answers come in bursts of a window, once in a response time; five of seven places that return are an OTP's
        late = [(k, w) for k, w in enumerate(waits, 1) if w > math.ceil(k * 7 / 5 / window) * response_s + COMMITS_S]
        assert not late, waits
        await counts_hold(it)


async def test_a_place_kept_free_takes_an_otp_at_once(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(bind={"window_size": 40}))) as it:
        await begun(it, slow(5.0))
        await backlog(it, 1_000)
        await trio.sleep(2)
        assert len(it.arrivals()) == 38, "two places of forty"
        began = now()
        await it.send(2, lane="otp", first=OTP_FIRST)
        await it.until(lambda: len(entries(it, otp=True)) == 2)
        assert now() - began <= COMMITS_S


@pytest.mark.parametrize("rate", [20.0, 200.0])
async def test_lanes_that_wait_share_a_rate_by_their_reserves(rate: float, autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=rate))) as it:
        await begun(it)
        await it.send(1_000, lane="transactional", first=10_000)
        await it.send(1_000)
        await trio.sleep(1)
        before = len(it.arrivals())
        await it.until(lambda: len(it.arrivals()) >= before + 400)
        share = sum(int(to[-5:]) < 10_000 for to in it.arrivals()[before : before + 400])
        assert share == pytest.approx(400 * 2 / 5, abs=20)
        await counts_hold(it)


@pytest.mark.parametrize("rate", [20.0, 200.0])
async def test_many_otps_leave_a_campaign_its_share_of_a_rate(rate: float, autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=rate))) as it:
        await begun(it)
        await it.send(1_000)
        await it.send(1_000, lane="otp", first=OTP_FIRST)
        await trio.sleep(1)
        before = len(it.arrivals())
        await it.until(lambda: len(it.arrivals()) >= before + 400)
        share = sum(int(to[-5:]) < OTP_FIRST for to in it.arrivals()[before : before + 400])
        assert share >= 400 * 2 / 7 / 2, "half of what its reserve is beside that of OTPs"


async def test_a_lane_takes_what_the_others_leave(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=50.0))) as it:
        await begun(it)
        began = now()
        await it.send(500)
        await it.counted(Status.DELIVERED, 500, within_s=500 / 50 / 0.9)
        assert now() - began >= 9


def with_ceiling(ceiling: LaneConfig | float | None, **carriers: float) -> dict[str, LaneConfig]:
    at = {name: LaneAtCarrier(max_rate_per_s=rate) for name, rate in carriers.items()}
    return lane("promotional", max_rate_per_s=ceiling, carrier=at)


@pytest.mark.parametrize("ceiling", [3.0, 12.0])
async def test_no_second_of_a_carrier_has_more_of_a_lane_than_its_ceiling(
    ceiling: float, autojump_clock: MockClock
) -> None:
    async with world(config(carrier_config(rate_per_s=40.0), lane=with_ceiling(ceiling))) as it:
        await begun(it)
        await it.send(300)
        await it.send(600, lane="transactional", first=10_000)
        await trio.sleep(15)
        found = list(it.smsc["north"].ledger)
        bulk = [entry for entry in found if int(entry.destination_addr[-5:]) < 10_000]
        assert most_in_a_second(bulk) <= ceiling
        assert len(bulk) >= 0.6 * 15 * ceiling, "it waits for its turn each time its ceiling opens"
        assert len(found) >= 0.9 * 15 * 40, "the others have the rest"
        await counts_hold(it)


async def test_a_ceiling_at_one_carrier_sends_the_rest_through_the_other(autojump_clock: MockClock) -> None:
    both = [carrier_config("north", rate_per_s=40.0), carrier_config("south", rate_per_s=40.0)]
    async with world(config(*both, lane=with_ceiling(None, north=5.0))) as it:
        await begun(it)
        await it.send(600)
        await trio.sleep(10)
        assert most_in_a_second(list(it.smsc["north"].ledger)) <= 5
        assert len(it.arrivals("north")) >= 40
        assert len(it.arrivals("south")) >= 0.9 * 10 * 40
        await counts_hold(it)


async def test_a_ceiling_over_all_carriers_holds_over_all(autojump_clock: MockClock) -> None:
    both = [carrier_config("north", rate_per_s=6.0), carrier_config("south", rate_per_s=40.0)]
    async with world(config(*both, lane=with_ceiling(10.0))) as it:
        await begun(it)
        await it.send(200)
        await trio.sleep(10)
        found = [entry for smsc in it.smsc.values() for entry in smsc.ledger]
        assert most_in_a_second(found) <= 10
        assert len(found) >= 85


async def test_an_urgent_lane_with_a_ceiling_keeps_it_when_its_queue_is_empty(autojump_clock: MockClock) -> None:
    async with world(config(lane={"otp": attrs.evolve(LANES["otp"], max_rate_per_s=4.0)})) as it:
        await begun(it)
        for number in range(40):
            await it.send(lane="otp", first=OTP_FIRST + number)
            await trio.sleep(0.1)
        await it.counted(Status.DELIVERED, 40)
        assert most_in_a_second(list(it.smsc["north"].ledger)) <= 4
        await counts_hold(it)


def seconds(validity_period: str) -> int:
    """Read a relative time string (SMPP 3.4, 7.1.1.2) of less than a month."""
    day, hour, minute, second = (int(validity_period[place : place + 2]) for place in (4, 6, 8, 10))
    assert validity_period.endswith("000R")
    return ((day * 24 + hour) * 60 + minute) * 60 + second


async def test_what_is_left_of_the_deadline_goes_out_as_validity_period(autojump_clock: MockClock) -> None:
    relative = carrier_config(rate_per_s=1.0, dialect=DialectConfig(validity="relative"))
    async with world(config(relative)) as it:
        await begun(it)
        await it.send(20, lane="otp")
        await it.send(3, lane="transactional", deadline_in_s=600, first=500)
        await it.counted(Status.DELIVERED, 23)
        for view in await it.views():
            [entry] = [e for e in it.smsc["north"].ledger if e.destination_addr == view.to.removeprefix("+")]
            assert seconds(entry.pdu.validity_period) == pytest.approx(view.deadline - entry.accepted_at, abs=1.1)  # type: ignore[union-attr]


async def test_what_cannot_leave_before_its_deadline_never_leaves(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=2.0))) as it:
        await begun(it)
        await it.send(60, lane="otp", deadline_in_s=10)
        await trio.sleep(30)
        statuses = (await it.connector.queries.ledger()).messages
        assert statuses["delivered"] + statuses["expired"] == 60
        assert statuses["expired"] > 30
        views = {view.to.removeprefix("+"): view for view in await it.views()}
        assert all(entry.accepted_at < views[entry.destination_addr].deadline for entry in it.smsc["north"].ledger)
        assert {view.reason for view in views.values() if view.status is Status.EXPIRED} == {"deadline"}
        await counts_hold(it)


@pytest.mark.parametrize("again", ["restart", "reload"])
async def test_what_is_left_of_a_lane_that_is_gone_stops_nobody(again: str, autojump_clock: MockClock) -> None:
    """One waits for its time, one for the carrier's word; later both are looked at, and cancelled or given up."""
    with_it = config(lane={"alerts": LaneConfig(patience_s=600.0)}, keys=("shop",))
    key = attrs.evolve(with_it.api.key[0], lanes=("otp", "alerts"))
    with_it = attrs.evolve(with_it, api=attrs.evolve(with_it.api, key=(key,)))
    key = attrs.evolve(key, lanes=("otp",))
    without = attrs.evolve(with_it, lane=dict(LANES), api=attrs.evolve(with_it.api, key=(key,)))
    async with world(with_it) as it:
        it.play(Scenario(receipt=ReceiptRules(missing=1.0)))
        await it.start()
        await it.bound()
        [scheduled] = await it.send(lane="alerts", send_at=now() + 60)
        [sent] = await it.send(lane="alerts", first=1)
        await it.counted(Status.SENT, 1)
        if again == "restart":
            await it.kill()
            it.config = without
            await it.start()
            await it.bound()
        else:
            await it.reload(without)
        await trio.sleep(100)
        assert (await it.connector.canceller.cancel(scheduled, api_key="shop")) is not None
        await it.send(lane="otp", first=2)
        await it.counted(Status.SENT, 2)
        await it.until(lambda: it.connector.carriers["north"].is_bound)
        await trio.sleep(1_000)
        assert (await it.message(sent)).status is Status.UNKNOWN


async def test_a_crowd_of_otps_leaves_nothing_of_a_carrier_s_rate_unused(autojump_clock: MockClock) -> None:
    """In a campaign it has most of that, and the campaign the rest."""
    rate, crowd = 500, 200
    async with world(config(carrier_config(rate_per_s=rate, bind={"window_size": 50}))) as it:
        it.play(slow(0.02))
        await it.start()
        await it.bound()
        for start in range(0, 8_000, 1_000):
            await it.send(1_000, first=start)
        await trio.sleep(5)
        began = now()
        await it.send(crowd, lane="otp", first=OTP_FIRST)
        await it.until(lambda: len(entries(it, otp=True)) == crowd)
        took = entries(it, otp=True)[-1].accepted_at - began
        others = [entry for entry in entries(it, otp=False) if began <= entry.accepted_at <= began + took]
        assert others, "they slow down and do not stop"
        assert crowd + len(others) >= 0.95 * rate * took
        assert took <= 1.3 * crowd / (0.98 * rate)
