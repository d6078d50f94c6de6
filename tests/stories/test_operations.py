"""What an operator does at night, under virtual time: suspend, resume, drain; and what is told of what holds back."""

import pytest
import trio
from trio.testing import MockClock

from connector.config import BindConfig, CarrierConfig
from connector.config.carrier import LimitConfig, RampStage
from connector.lifecycle import Status
from connector.pipeline.door import Steered
from connector.pipeline.limited import Cause, LimitedBy
from simulator import Scenario
from simulator.scenario import Delay, Limits, Rate, Response
from tests.pipeline.world import World, carrier_config, config, now, world


async def test_a_suspended_carrier_sends_nothing_and_still_gets_its_receipts(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=20))) as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=0.2))))
        await it.start()
        await it.bound()
        await it.send(200)
        await trio.sleep(3)
        await it.connector.suspend("north")
        await trio.sleep(1)
        sent = len(it.arrivals())
        await trio.sleep(600)
        assert len(it.arrivals()) == sent
        ledger = await it.connector.queries.ledger()
        assert ledger.messages == {Status.DELIVERED: sent, Status.ACCEPTED: 200 - sent}
        assert it.smsc["north"].statistics().bind_attempts == 1
        await it.connector.resume("north")
        await it.counted(Status.DELIVERED, 200, within_s=30)
        assert len(set(it.arrivals())) == len(it.arrivals()) == 200


async def test_what_waits_for_a_suspended_carrier_takes_the_next_of_its_rule(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config("north", rate_per_s=20), carrier_config("south"))) as it:
        await it.start()
        await it.bound()
        await it.connector.suspend("north")
        await it.send(200)
        await it.counted(Status.DELIVERED, 200, within_s=10)
        assert (len(it.arrivals("north")), len(it.arrivals("south"))) == (0, 200)


async def test_suspending_a_carrier_that_is_not_there_does_nothing(autojump_clock: MockClock) -> None:
    async with world() as it:
        await it.start()
        assert await it.connector.suspend("nort") is Steered.UNKNOWN
        assert await it.connector.resume("nort") is Steered.UNKNOWN


async def test_who_suspends_a_carrier_is_in_the_log_and_the_second_time_is_told(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with world() as it:
        await it.start()
        assert await it.connector.suspend("north", by="night") is Steered.DONE
        assert "carrier north: suspended by an operator with API key night" in caplog.text
        assert await it.connector.suspend("north", by="day") is Steered.ALREADY
        assert await it.connector.resume("north", by="day") is Steered.DONE
        assert await it.connector.resume("north", by="day") is Steered.ALREADY


async def test_a_carrier_that_falls_silent_is_told_and_no_larger_window_is_advised(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(bind={"window_size": 10}))) as it:
        it.play(Scenario(response=Response(delay=Delay(never=True))))
        await started(it)
        await it.send(100)
        found = await held(it, after_s=16)
        assert found.cause is Cause.RESPONSE_TIME
        assert found.text.startswith("it has answered nothing for 1")
        assert found.text.endswith(" s: ask the carrier")


async def test_while_it_drains_that_is_what_holds_a_carrier_back(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(bind={"drain_s": 5.0}))) as it:
        it.play(answering(2.0))
        await started(it)
        await it.send(10)
        await trio.sleep(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.connector.drain)
            await trio.sleep(0.5)
            assert it.connector.statistics().outlooks["north"].limited_by.cause is Cause.DRAINING
        await trio.sleep(1)
        assert it.connector.statistics().outlooks["north"].limited_by.cause is Cause.DRAINING, "and not unbound"


async def test_a_rebind_keeps_the_response_time_that_is_known(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=100))) as it:
        it.play(answering(0.5))
        await started(it)
        await it.send(1)
        await trio.sleep(2)
        before = it.connector.statistics().carriers[0].binds[0].response_time_s
        assert before == pytest.approx(0.5, rel=0.1), "the first answer counts whole"
        it.cut("north")
        await trio.sleep(0.05)
        it.down.clear()
        await trio.sleep(5)
        bind = it.connector.statistics().carriers[0].binds[0]
        assert (bind.state, bind.attempts > 1) == ("bound", True)
        assert bind.response_time_s == before


async def test_a_carrier_stays_suspended_over_a_crash(autojump_clock: MockClock) -> None:
    async with world() as it:
        await it.start()
        await it.bound()
        await it.connector.suspend("north")
        await it.kill()
        await it.start()
        await it.bound()
        await it.send(5)
        await trio.sleep(60)
        assert it.arrivals() == []
        assert it.connector.statistics().carriers[0].suspended
        await it.connector.resume("north")
        await it.counted(Status.DELIVERED, 5)
        await it.kill()
        await it.start()
        assert not it.connector.statistics().carriers[0].suspended


async def test_a_ramp_goes_on_where_a_crash_left_it(autojump_clock: MockClock) -> None:
    ramp = (RampStage(rate=5, for_s=10), RampStage(rate=20, for_s=3_600))
    async with world(config(carrier_config(rate_per_s=100, ramp=ramp))) as it:
        await it.start()
        await it.bound()
        await it.send(1_000)
        await trio.sleep(30)
        assert it.connector.statistics().carriers[0].ramp_stage == 1
        await it.kill()
        await it.start()
        assert it.connector.statistics().carriers[0].ramp_stage == 1


async def test_the_drain_tells_what_was_answered_and_what_still_waits(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config("north", bind={"window_size": 10, "drain_s": 5.0}))) as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=1.0))))
        await it.start()
        await it.bound()
        await it.send(30)
        await it.send(4, lane="transactional", first=100)
        await it.until(lambda: it.connector.statistics().carriers[0].binds[0].window_used == 10)
        report = await it.connector.drain()
        assert report.carriers["north"].answered == 10
        assert (report.carriers["north"].in_doubt, report.in_doubt) == (0, 0)
        assert sum(report.waiting.values()) == 24
        assert report.seconds == pytest.approx(1.0, abs=0.2)
        text = "\n".join(report.lines())
        assert "carrier north  10 answered, 0 given back" in text
        assert "sent, and wait for the carrier's word: " in text
        assert "wait for the next start: 24 parts (" in text


async def test_the_drain_tells_what_it_left_in_doubt(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config("north", bind={"window_size": 10, "drain_s": 5.0}))) as it:
        it.play(Scenario(response=Response(delay=Delay(never=True))))
        await it.start()
        await it.bound()
        await it.send(30)
        await it.until(lambda: it.connector.statistics().carriers[0].binds[0].window_used == 10)
        report = await it.connector.drain()
        assert (report.carriers["north"].answered, report.carriers["north"].in_doubt, report.in_doubt) == (0, 10, 10)
        assert sum(report.waiting.values()) == 20
        text = "\n".join(report.lines())
        assert "in this run: 10 parts; of these 10 fell in doubt during the drain (north 10)" in text
        assert text.count("doubt") == 2


# --- what holds a carrier back ---


async def held(it: World, name: str = "north", *, after_s: float = 12.0) -> LimitedBy:
    """Return what held a carrier back, once nothing of the beginning is left in it."""
    await trio.sleep(after_s)
    return it.connector.statistics().outlooks[name].limited_by


def answering(seconds: float, **more: object) -> Scenario:
    return Scenario(response=Response(delay=Delay(value_s=seconds)), **more)  # type: ignore[arg-type]


async def started(it: World, *hosts: str) -> None:
    it.look_every_s = 0.1
    await it.start()
    await it.bound(*hosts)


async def keep_full(it: World, per_s: int, seconds: int) -> None:
    for second in range(seconds):
        await it.send(per_s, first=second * per_s)
        await trio.sleep(1)


async def test_an_idle_carrier_has_nothing_waiting(autojump_clock: MockClock) -> None:
    async with world() as it:
        await started(it)
        found = await held(it)
        assert (found.cause, found.share, found.text) == (Cause.NOTHING_WAITING, 1.0, "nothing waits for it")


async def test_a_carrier_at_its_contract_is_limited_by_the_rate(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=20))) as it:
        it.play(answering(0.05))
        await started(it)
        await it.send(1_000)
        found = await held(it)
        assert found.cause is Cause.RATE
        assert found.share > 0.8
        assert found.text.startswith("its 20/s are used in full ")


async def test_a_window_that_is_too_small_is_told_with_the_one_it_should_be(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=100, bind={"window_size": 10}))) as it:
        it.play(answering(0.45))
        await started(it)
        await it.send(2_000)
        found = await held(it)
        assert found.cause is Cause.WINDOW
        assert found.share > 0.8
        assert 45 <= (found.advised_window or 0) <= 47
        assert found.text.startswith("the window of 10 is full ")
        assert "at 100/s and a p99 of 45" in found.text
        assert found.text.endswith(f"it should be {found.advised_window}")


async def test_the_window_that_was_advised_is_enough(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=100, bind={"window_size": 10}))) as it:
        it.play(answering(0.45))
        await started(it)
        await it.send(8_000)
        advised = (await held(it)).advised_window
        assert advised is not None
        await it.reload(config(carrier_config(rate_per_s=100, bind={"window_size": advised + 2})))
        await trio.sleep(5)
        before = len(it.arrivals())
        found = await held(it)
        assert found.cause is Cause.RATE
        assert (len(it.arrivals()) - before) / 12 > 95


async def test_two_binds_share_the_advice(autojump_clock: MockClock) -> None:
    bind = BindConfig(host="north", system_id="acme", window_size=5, count=2, allow_plaintext=True)
    async with world(config(CarrierConfig(name="north", bind=(bind,), rate_per_s=100))) as it:
        it.play(answering(0.45))
        await started(it)
        await it.send(2_000)
        found = await held(it)
        assert found.cause is Cause.WINDOW
        assert 23 <= (found.advised_window or 0) <= 24
        assert found.text.startswith("the 2 windows of 5 are full ")


async def test_a_carrier_that_answers_slower_than_it_can_is_limited_by_that(autojump_clock: MockClock) -> None:
    delay = Delay(dist="mix", of=(Delay(value_s=0.1), Delay(value_s=3.0, weight=0.25)))
    async with world(config(carrier_config(rate_per_s=100, bind={"window_size": 20}))) as it:
        it.play(Scenario(response=Response(delay=delay)))
        await started(it)
        await it.send(3_000)
        found = await held(it)
        assert found.cause is Cause.RESPONSE_TIME
        assert found.text.startswith("it answers slowly, p99 3 s where 1")


async def test_a_carrier_that_complains_is_throttled(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=100))) as it:
        it.play(answering(0.01, limits=Limits(rate=Rate(per_second=10, burst=2))))
        await started(it)
        await it.send(3_000)
        found = await held(it)
        assert found.cause is Cause.THROTTLED
        assert found.text.startswith("it said that messages without a sender are too much: ")


async def test_a_limited_sender_is_told_as_a_limit(autojump_clock: MockClock) -> None:
    limits = (LimitConfig(rate_per_s=5, sender="Shop"),)
    async with world(config(carrier_config(limit=limits))) as it:
        await started(it)
        await it.send(500, sender="Shop")
        found = await held(it)
        assert found.cause is Cause.RATE
        assert found.text.startswith("a limit of binds, countries or senders")


async def test_a_carrier_that_is_down_is_unbound_and_says_why(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.down.add("north")
        it.look_every_s = 0.1
        await it.start()
        await it.send(10)
        found = await held(it)
        assert (found.cause, found.share) == (Cause.UNBOUND, 1.0)
        assert "Connection refused" in found.text


async def test_a_suspended_carrier_says_so(autojump_clock: MockClock) -> None:
    async with world() as it:
        await started(it)
        await it.connector.suspend("north")
        await it.send(10)
        found = await held(it)
        assert (found.cause, found.share) == (Cause.SUSPENDED, 1.0)


async def test_a_slow_disk_is_told(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.commit_s = 0.5
        await started(it)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_full, it, 500, 14)
            found = await held(it)
            nursery.cancel_scope.cancel()
        assert found.cause is Cause.STORE
        assert "claims wait for the disk" in found.text


async def test_a_loop_without_time_is_told(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.cpu_s = now  # all of the time that passes
        await started(it)
        await it.send(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_full, it, 500, 14)
            found = await held(it)
            nursery.cancel_scope.cancel()
        assert found.shares[Cause.CPU] > 0
        assert it.connector.statistics().loop.busy > 0.9


async def test_shares_sum_to_one(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=20))) as it:
        await started(it)
        await it.send(100)
        found = await held(it, after_s=8)
        assert sum(found.shares.values()) == pytest.approx(1)
        assert 0.4 < found.shares[Cause.RATE] < 0.8
