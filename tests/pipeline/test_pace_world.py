"""The carrier's limit, measured at the carrier's side of links that jitter."""

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.config import LANES, BindConfig, CarrierConfig, RetryConfig
from connector.config.carrier import LimitConfig
from connector.lifecycle import Status
from simulator import Scenario
from simulator.scenario import Delay, Limits, Rate, Response
from tests.pipeline.world import World, config, now, world

RATE_PER_S = 100
TEXT = "hello"


class Jittering(trio.abc.Stream):
    """A stream whose octets take up to ten milliseconds, in order."""

    def __init__(self, inner: trio.abc.Stream, chance: random.Random) -> None:
        self._inner = inner
        self._chance = chance

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.sleep(self._chance.uniform(0, 0.010))
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._inner.aclose()


def binds(count: int, **options: object) -> tuple[BindConfig, ...]:
    return (BindConfig(host="north", system_id="acme", count=count, allow_plaintext=True, **options),)  # type: ignore[arg-type]


def most_within(times: Sequence[float], span_s: float) -> int:
    return max(bisect_left(times, at + span_s - 1e-6) - number for number, at in enumerate(times))


def fullest_slot(times: Sequence[float], slot_s: float) -> int:
    """Return the most that any slot of the carrier's own clock holds."""
    return max(Counter(int(at / slot_s) for at in times).values())


async def _arrivals(it: World, first: int, seconds: float) -> list[float]:
    """Return when the carrier took what, over so many seconds of saturation."""
    await trio.sleep(seconds)
    return sorted(entry.accepted_at for entry in it.smsc["north"].ledger)[first:]


@pytest.mark.parametrize("seed", range(5))
async def test_four_binds_at_a_hundred_a_second_never_show_the_carrier_more(
    autojump_clock: MockClock, seed: int
) -> None:
    settings = config(CarrierConfig(name="north", bind=binds(4), rate_per_s=RATE_PER_S))
    async with world(settings) as it:
        chance = random.Random(seed)
        it.wrap = lambda stream: Jittering(stream, chance)
        await it.start()
        await it.bound()
        await trio.sleep(2)
        for batch in range(13):
            await it.send(500, first=batch * 500)
        began = now()
        times = await _arrivals(it, 0, 60)
        assert most_within(times, 1.0) <= RATE_PER_S
        assert fullest_slot(times, 0.1) <= RATE_PER_S // 10 + 1
        steady = [at for at in times if began + 1 <= at < began + 58]
        assert len(steady) / 57 >= 96


async def test_a_limit_of_each_bind_holds_inside_the_account_s(autojump_clock: MockClock) -> None:
    settings = config(CarrierConfig(name="north", bind=binds(2, rate_per_s=10), rate_per_s=100))
    async with world(settings) as it:
        it.play(Scenario(limits=Limits(rate=Rate(per_second=10, burst=10, scope="bind"))))
        await it.start()
        await it.until(lambda: it.connector.carriers["north"].statistics().bound == 2)
        await it.send(400)
        times = await _arrivals(it, 0, 15)
        assert most_within(times, 1.0) <= 20
        assert len(times) >= 15 * 18
        assert it.connector.carriers["north"].statistics().throttled == 0


async def test_a_limit_of_binds_alone_wakes_who_waits_for_it(autojump_clock: MockClock) -> None:
    """With answers that take long: they are not what brings the next credit."""
    settings = config(CarrierConfig(name="north", bind=binds(1, rate_per_s=10, window_size=400)))
    async with world(settings) as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=20.0))))
        await it.start()
        await it.bound()
        await it.send(400)
        assert len(await _arrivals(it, 0, 15)) >= 15 * 9


async def test_a_slow_disk_costs_a_low_rate_nothing(autojump_clock: MockClock) -> None:
    settings = config(CarrierConfig(name="north", bind=binds(1), rate_per_s=3))
    async with world(settings) as it:
        it.commit_s = 0.3
        await it.start()
        await it.bound()
        await it.send(200)
        await trio.sleep(5)
        before = len(it.smsc["north"].ledger)
        assert len(await _arrivals(it, before, 30)) >= 30 * 2.4


async def test_a_limited_sender_leaves_the_others_at_full_rate(autojump_clock: MockClock) -> None:
    limit = (LimitConfig(sender="SLOW", rate_per_s=2),)
    settings = config(CarrierConfig(name="north", bind=binds(2), rate_per_s=50, limit=limit))
    async with world(settings) as it:
        await it.start()
        await it.bound()
        await it.send(600, sender="SLOW")
        await it.send(600, first=600, sender="FAST")
        await trio.sleep(11)
        by_sender = Counter(entry.source_addr for entry in it.smsc["north"].ledger)
        assert 18 <= by_sender["SLOW"] <= 22
        assert by_sender["FAST"] >= 10 * 45


async def test_a_limited_sender_s_long_backlog_stands_in_nobody_s_way(autojump_clock: MockClock) -> None:
    limit = (LimitConfig(sender="*", rate_per_s=1),)
    settings = config(CarrierConfig(name="north", bind=binds(1), rate_per_s=50, limit=limit))
    async with world(settings) as it:
        await it.start()
        await it.bound()
        for batch in range(10):
            await it.send(500, first=batch * 500, sender="SLOW")
        assert len({queue.id for queue in it.connector._routing.lanes.queues() if queue.waiting}) == 1
        await it.send(5, first=6_000, sender="FAST")
        await trio.sleep(6)
        by_sender = Counter(entry.source_addr for entry in it.smsc["north"].ledger)
        assert by_sender["FAST"] == 5
        assert by_sender["SLOW"] <= 8
        await it.kill()
        await it.start()
        await it.bound()
        await it.send(5, first=7_000, sender="FAST")
        await trio.sleep(6)
        assert Counter(entry.source_addr for entry in it.smsc["north"].ledger)["FAST"] >= 9


async def test_a_squeezed_carrier_gets_everything_back_within_half_a_minute(autojump_clock: MockClock) -> None:
    # with a single attempt each, a slow-down that burned one would end its message
    lane = attrs.evolve(LANES["promotional"], retry=RetryConfig(attempts=1))
    settings = config(CarrierConfig(name="north", bind=binds(2), rate_per_s=100), lane={"promotional": lane})
    async with world(settings) as it:
        smsc = it.play(Scenario(limits=Limits(rate=Rate(per_second=100, burst=20, scope="account"))))
        await it.start()
        await it.bound()
        await it.send(1_000)
        await trio.sleep(5)
        smsc.set_rate(Rate(per_second=10, burst=10, scope="account"))
        await trio.sleep(30)
        smsc.set_rate(Rate(per_second=100, burst=20, scope="account"))
        for batch in range(10):
            await it.send(500, first=1_000 + batch * 500)
        await trio.sleep(30)
        before = len(smsc.ledger)
        await trio.sleep(10)
        assert len(smsc.ledger) - before >= 950
        await it.counted(Status.DELIVERED, 6_000)
        assert it.smsc["north"].statistics().submits["ESME_RTHROTTLED"] > 0
        assert len(it.arrivals()) == len(set(it.arrivals())) == 6_000


async def test_a_sender_the_carrier_throttles_slows_nobody_else(autojump_clock: MockClock) -> None:
    """Nobody has configured it: the carrier's answers show who is meant."""
    settings = config(CarrierConfig(name="north", bind=binds(2), rate_per_s=50))
    async with world(settings) as it:
        it.play(Scenario(limits=Limits(rate=Rate(per_second=12, burst=12, scope="sender"))))
        await it.start()
        await it.bound()
        for batch in range(40):
            await it.send(20, first=batch * 100, sender="SLOW")
            for number, sender in enumerate(("A", "B", "C", "D")):
                await it.send(6, first=batch * 100 + 20 + 10 * number, sender=sender)
        began = now()
        await it.until(lambda: sum(entry.source_addr != "SLOW" for entry in it.smsc["north"].ledger) == 960)
        by_sender = Counter(entry.source_addr for entry in it.smsc["north"].ledger)
        rate_per_s = sum(by_sender.values()) / (now() - began)
        assert by_sender["SLOW"] >= 0.7 * 12 * (now() - began)
        assert rate_per_s >= 45  # the account's whole rate: what SLOW may not use, the others do
        assert not any(limit.eased for limit in it.connector.carriers["north"].statistics().limits if not limit.value)
        await it.counted(Status.DELIVERED, 40 * 44)
        assert len(it.arrivals()) == len(set(it.arrivals()))
