"""A configuration changes under load: who is not meant keeps everything, who is meant loses nothing."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.carrier.bind import BindState
from connector.config import LANES, CarrierConfig, Config, RouteConfig, StoreConfig
from connector.config.carrier import LimitConfig
from connector.errors import ConfigError
from connector.lifecycle import Status
from simulator import Scenario
from simulator.scenario import AccountRules, Delay, Response
from tests.pipeline.world import World, carrier_config, config, world

SLOW = Scenario(response=Response(delay=Delay(value_s=0.2)))


def two(north: dict[str, Any] | None = None, **more: Any) -> Config:
    """Two carriers, each with a route of its own by country; messages to GB take either."""
    return config(carrier_config("north", **(north or {})), carrier_config("south"), **more)


def evolved(settings: Config, name: str, **changes: Any) -> Config:
    """Return the configuration with one carrier changed."""
    carriers = tuple(attrs.evolve(each, **changes) if each.name == name else each for each in settings.carrier)
    return attrs.evolve(settings, carrier=carriers)


def with_window(settings: Config, name: str, window_size: int) -> Config:
    (bind,) = next(each.bind for each in settings.carrier if each.name == name)
    return evolved(settings, name, bind=(attrs.evolve(bind, window_size=window_size),))


async def flow(it: World, count: int, *, first: int = 0) -> None:
    """Hand over so many messages, a hundred a second."""
    for number in range(first, first + count, 10):
        await it.send(10, first=number)
        await trio.sleep(0.1)


def doubles(it: World, *hosts: str) -> list[str]:
    """Return the numbers that more than one submit_sm went to, over all these carriers."""
    seen = Counter(number for host in hosts or tuple(it.smsc) for number in it.arrivals(host))
    return [number for number, count in seen.items() if count > 1]


async def under_load(it: World, after: Config, count: int = 1_000, **secrets: Any) -> Sequence[str]:
    """Reload in the middle of a flow, and wait until everything is delivered."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(flow, it, count)
        await trio.sleep(count / 200)
        done = await it.reload(after, **secrets)
    await it.counted(Status.DELIVERED, count, within_s=300)
    assert doubles(it) == []
    return done.changed


async def test_a_carrier_that_does_not_differ_keeps_its_binds_while_another_binds_anew(
    autojump_clock: MockClock,
) -> None:
    async with world(two()) as it:
        for host in ("north", "south"):
            it.play(SLOW, host)
        await it.start()
        await it.bound()
        kept = it.connector.carriers["north"]
        session = kept.binds[0]._serving
        changed = await under_load(it, with_window(it.config, "south", 20))
        assert changed == ('carrier "south": drains and binds anew (bind 1: window_size 50 -> 20)',)
        assert it.connector.carriers["north"] is kept
        assert kept.binds[0]._serving is session
        assert it.smsc["north"].statistics().bind_attempts == 1
        assert it.smsc["south"].statistics().bind_attempts == 2
        assert it.connector.carriers["south"].binds[0].window_size == 20


async def test_the_only_carrier_of_a_rule_binds_anew_and_loses_nothing(autojump_clock: MockClock) -> None:
    async with world(config()) as it:
        it.play(SLOW)
        await it.start()
        await it.bound()
        await under_load(it, with_window(it.config, "north", 20))
        assert it.smsc["north"].statistics().bind_attempts == 2
        assert (await it.connector.queries.ledger()).messages.get(Status.IN_DOUBT, 0) == 0


async def test_never_are_more_binds_up_than_the_account_has(autojump_clock: MockClock) -> None:
    one = Scenario(account=(AccountRules(system_id="acme", max_binds=1),), response=Response(delay=Delay(value_s=3.0)))
    async with world(config()) as it:
        it.play(one)
        await it.start()
        await it.bound()
        await under_load(it, with_window(it.config, "north", 20))
        assert it.smsc["north"].statistics().bind_attempts == 2, "none was refused"


async def test_no_second_holds_more_than_the_limit_over_both_lives_of_an_account(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=100))) as it:
        await it.start()
        await it.bound()
        await it.send(2_000)
        for window_size in (20, 30, 40):
            await trio.sleep(2)
            await it.reload(with_window(it.config, "north", window_size))
        await it.counted(Status.DELIVERED, 2_000)
        times = sorted(entry.accepted_at for entry in it.smsc["north"].ledger)
        most = max(bisect_left(times, at + 1 - 1e-6) - number for number, at in enumerate(times))
        assert 90 <= most <= 100
        assert it.smsc["north"].statistics().bind_attempts == 4


async def test_another_rate_is_kept_to_while_the_binds_stay_up(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(rate_per_s=10))) as it:
        await it.start()
        await it.bound()
        session = it.connector.carriers["north"].binds[0]._serving
        await it.send(600)
        await trio.sleep(10)
        before = len(it.arrivals())
        done = await it.reload(evolved(it.config, "north", rate_per_s=50))
        assert done.changed == ('carrier "north": changed while its binds stay up (rate_per_s 10 -> 50)',)
        await trio.sleep(4)
        assert 40 * 4 <= len(it.arrivals()) - before <= 50 * 4 + 5
        assert it.connector.carriers["north"].binds[0]._serving is session
        assert it.connector.statistics().carriers[0].limits[0].rate_per_s == 50
        await it.counted(Status.DELIVERED, 600)


async def test_a_limit_of_a_sender_comes_and_goes_while_the_binds_stay_up(autojump_clock: MockClock) -> None:
    async with world(config()) as it:
        await it.start()
        await it.bound()
        limited = evolved(it.config, "north", limit=(LimitConfig(rate_per_s=5, sender="Shop"),))
        free = it.config
        await it.reload(limited)
        await it.send(500, sender="Shop")
        await trio.sleep(10)
        assert 40 <= len(it.arrivals()) <= 55
        await it.reload(free)
        await it.counted(Status.DELIVERED, 500, within_s=10)
        assert it.smsc["north"].statistics().bind_attempts == 1


async def test_a_carrier_that_is_new_binds_and_takes_its_share(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config("north"))) as it:
        await it.start()
        await it.bound()
        it.cut("north")
        await it.send(50)
        after = config(carrier_config("north"), carrier_config("south"))
        done = await it.reload(after)
        assert 'carrier "south": added; it binds now' in done.changed
        await it.counted(Status.DELIVERED, 50, within_s=30)
        assert len(it.arrivals("south")) == 50


async def test_a_carrier_that_is_removed_drains_and_what_waits_takes_the_others(autojump_clock: MockClock) -> None:
    async with world(two({"rate_per_s": 20})) as it:
        it.play(SLOW, "north")
        await it.start()
        await it.bound()
        changed = await under_load(it, config(carrier_config("south")))
        assert changed[0].startswith('carrier "north": removed')
        assert list(it.connector.carriers) == ["south"]
        assert it.smsc["north"].statistics().binds == 0
        assert it.arrivals("north")
        assert len(it.arrivals("north")) + len(it.arrivals("south")) == 1_000


async def test_the_parts_of_messages_begun_on_a_removed_carrier_take_another(autojump_clock: MockClock) -> None:
    long = "a text that needs more than one part " * 8
    async with world(config(carrier_config("north", rate_per_s=1), carrier_config("south", rate_per_s=50))) as it:
        it.config = attrs.evolve(it.config, route=(RouteConfig(name="only", carriers=("north",)),))
        await it.start()
        await it.bound()
        await it.send(10, text=long)
        await trio.sleep(3)
        begun = len(it.arrivals("north"))
        assert begun
        after = attrs.evolve(
            it.config, carrier=it.config.carrier[1:], route=(RouteConfig(name="only", carriers=("south",)),)
        )
        await it.reload(after)
        await it.counted(Status.DELIVERED, 10, within_s=60)
        assert len(it.arrivals("south")) + len(it.arrivals("north")) == 20


async def test_what_waits_under_a_rule_that_is_gone_is_adopted(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    routes = (RouteConfig(name="old", carriers=("north",)),)
    async with world(two(route=routes)) as it:
        it.down.add("north")
        await it.start()
        await it.bound("south")
        await it.send(20)
        await it.send(5, first=100, send_at=it.connector.statistics().at + 60)
        await it.reload(attrs.evolve(it.config, route=(RouteConfig(name="new", carriers=("south",)),)))
        await it.counted(Status.DELIVERED, 25)
        assert len(it.arrivals("south")) == 25
        assert "20 parts of lane promotional wait under route old, now gone: new takes them" in caplog.text


async def test_keys_and_lanes_come_and_go(autojump_clock: MockClock) -> None:
    async with world(config()) as it:
        await it.start()
        await it.bound()
        lanes = ("transactional", "otp", "promotional", "news")
        other = attrs.evolve(it.config.api.key[0], name="other", lanes=lanes)
        api = attrs.evolve(it.config.api, key=(*it.config.api.key, other))
        before = it.config
        news = {**it.config.lane, "news": LANES["promotional"]}
        done = await it.reload(attrs.evolve(it.config, api=api, lane=news))
        assert set(done.changed) == {'API key "other": added', 'lane "news": added'}
        assert done.unchanged == ("north",)
        await it.send(5, key="other", lane="news")
        await it.counted(Status.DELIVERED, 5)
        await it.send(5, key="other", first=10)
        await it.reload(before)
        await it.counted(Status.DELIVERED, 10)
        [refused] = await it.verdicts(1, lane="news")
        assert not refused.accepted


async def test_an_answer_to_a_part_of_a_lane_that_is_gone_is_still_settled(autojump_clock: MockClock) -> None:
    before = config()
    news = {**before.lane, "news": LANES["promotional"]}
    key = attrs.evolve(before.api.key[0], lanes=("promotional", "news"))
    async with world(attrs.evolve(before, lane=news, api=attrs.evolve(before.api, key=(key,)))) as it:
        it.play(SLOW)
        await it.start()
        await it.bound()
        await it.send(5, lane="news")
        await it.until(lambda: it.arrivals())
        await it.reload(before)
        await it.counted(Status.DELIVERED, 5)


async def test_what_needs_a_restart_is_refused_by_name_and_nothing_changes(autojump_clock: MockClock) -> None:
    async with world(config()) as it:
        await it.start()
        await it.bound()
        before = it.connector.config
        other = attrs.evolve(
            evolved(before, "north", rate_per_s=5),
            store=StoreConfig(path="elsewhere.db", min_free_mb=0),
            api=attrs.evolve(before.api, listen="127.0.0.1:9999"),
        )
        with pytest.raises(ConfigError) as refused:
            await it.reload(other)
        assert [problem.split(":")[0] for problem in refused.value.problems] == ["api.listen", "store.path"]
        assert all("needs a restart" in problem for problem in refused.value.problems)
        assert it.connector.config is before
        assert it.connector.statistics().carriers[0].limits[0].rate_per_s is None


async def test_a_bind_that_stopped_for_its_password_tries_again_with_the_new_one(autojump_clock: MockClock) -> None:
    async with world(config()) as it:
        it.play(Scenario(account=(AccountRules(system_id="acme", password="right"),)))
        await it.start()
        await it.until(lambda: it.connector.carriers["north"].binds[0].state is BindState.STOPPED)
        await trio.sleep(3_600)
        assert it.smsc["north"].statistics().bind_attempts == 1
        done = await it.reload(it.config, {"north": "right"})
        assert done.changed == ('carrier "north": another secret',)
        assert done.unchanged == ()
        await it.bound()
        assert it.smsc["north"].statistics().bind_attempts == 2


async def test_a_suspended_carrier_stays_so_when_it_binds_anew(autojump_clock: MockClock) -> None:
    async with world(config()) as it:
        await it.start()
        await it.bound()
        await it.connector.suspend("north")
        await it.reload(with_window(it.config, "north", 20))
        await it.until(lambda: it.smsc["north"].statistics().bind_attempts == 2)
        await it.bound()
        await it.send(5)
        await trio.sleep(10)
        assert it.arrivals() == []
        await it.connector.resume("north")
        await it.counted(Status.DELIVERED, 5)


async def test_a_second_reload_waits_for_the_drains_of_the_first(autojump_clock: MockClock) -> None:
    async with world(two()) as it:
        it.play(SLOW, "south")
        await it.start()
        await it.bound()
        await it.send(100)
        first = await it.reload(config(carrier_config("north")))
        second = await it.reload(two())
        assert (len(first.changed), len(second.changed)) == (2, 2)
        await it.bound()
        await it.counted(Status.DELIVERED, 100)
        assert doubles(it) == []


async def test_in_a_drain_nothing_is_reloaded(autojump_clock: MockClock) -> None:
    async with world(two()) as it:
        await it.start()
        await it.bound()
        await it.connector.drain()
        with pytest.raises(ConfigError, match="about to stop"):
            await it.reload(config(carrier_config("north")))


async def test_nothing_that_differs_changes_nothing(autojump_clock: MockClock) -> None:
    async with world(two()) as it:
        await it.start()
        await it.bound()
        done = await it.reload(two())
        assert (done.changed, done.unchanged) == ((), ("north", "south"))
        assert [it.smsc[host].statistics().bind_attempts for host in ("north", "south")] == [1, 1]


async def test_random_reloads_under_load_lose_and_double_nothing(autojump_clock: MockClock) -> None:
    def drawn(it: World) -> Config:
        def carrier(name: str) -> CarrierConfig:
            rate = it.random.choice([None, 40, 100])
            return carrier_config(name, rate_per_s=rate, bind={"window_size": it.random.choice([5, 50])})

        names = it.random.choice([("north",), ("south",), ("north", "south"), ("south", "north")])
        return config(*map(carrier, names))

    async with world(two()) as it:
        for host in ("north", "south"):
            it.play(SLOW, host)
        await it.start()
        await it.bound()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flow, it, 3_000)
            for _ in range(20):
                await trio.sleep(it.random.uniform(0.2, 3))
                await it.reload(drawn(it))
        await it.counted(Status.DELIVERED, 3_000, within_s=600)
        assert doubles(it) == []
