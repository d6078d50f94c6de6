"""Routes change while much waits: everything goes by the new ones, once, and what is counted is what waits."""

import logging
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector.config import Config, RouteConfig
from connector.config.carrier import LimitConfig
from connector.errors import IntakeRefused
from connector.lifecycle import FINAL, Status
from connector.model import Unsettled
from connector.pipeline import refile
from connector.smpp import tables
from simulator import Scenario
from simulator.intake import Submit
from simulator.scenario import Delay, Response
from tests.pipeline.books import counts_hold, taken
from tests.pipeline.test_world import lane
from tests.pipeline.world import World, carrier_config, config, now, world

LONG = "a text of several parts, as long as it takes " * 8


def routed(*routes: RouteConfig, north: dict[str, Any] | None = None, **more: Any) -> Config:
    return config(carrier_config("north", **(north or {})), carrier_config("south"), route=routes, **more)


def route(name: str, *carriers: str, **criteria: Any) -> RouteConfig:
    return RouteConfig(name=name, carriers=carriers, **criteria)


BY_NORTH = routed(route("old", "north"))
BY_SOUTH = routed(route("bank", "north", senders=("Bank",)), route("new", "south"))


class Far(trio.abc.HalfCloseableStream):
    """A link on which answers take their time, once it is bound."""

    delay_s = 0.0

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        assert isinstance(self._stream, trio.abc.HalfCloseableStream)
        await self._stream.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        received = await self._stream.receive_some(max_bytes)
        await trio.sleep(self.delay_s)
        return received

    async def aclose(self) -> None:
        await self._stream.aclose()


def _throttled(_pdu: Submit) -> int:
    return tables.ESME_RTHROTTLED


async def unsettled(it: World) -> dict[str, list[Unsettled]]:
    """Return what has not left, by the rule it is filed under."""
    found: dict[str, list[Unsettled]] = {}
    names = {queue: name.rule for name, queue in it.connector._routing.queue_ids.items()}
    for each in await it.connector._store.unsettled(0, 1_000_000, queues=list(names)):
        found.setdefault(names[each.queue], []).append(each)
    return found


async def at_rest(it: World) -> None:
    await it.until(lambda: not it.connector._refiler.active and not it.connector._refiler._changed.is_set())


def doubles(it: World) -> list[str]:
    seen = Counter(number for host in it.smsc for number in it.arrivals(host))
    return [number for number, count in seen.items() if count > 1]


async def test_what_waits_goes_by_the_new_routes(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "carrierline.refile")
    async with world(BY_NORTH) as it:
        it.down.add("north")
        await it.start()
        await it.bound("south")
        await it.send(1_200)
        await it.send(3, lane="otp", first=2_000)
        await it.reload(BY_SOUTH)
        await it.counted(Status.DELIVERED, 1_203)
        assert len(it.arrivals("south")) == 1_203
        await at_rest(it)
        await counts_hold(it)
    texts = [record.message for record in caplog.records if "go by the new routes" in record.message]
    assert texts == ["reload: 1,203 parts waiting under route old go by the new routes"]


async def test_only_what_another_rule_takes_is_moved(autojump_clock: MockClock) -> None:
    async with world(BY_NORTH) as it:
        it.down.update(("north", "south"))
        await it.start()
        await it.send(30)
        await it.send(20, first=100, sender="Bank")
        await it.reload(routed(route("bank", "south", senders=("Bank",)), route("old", "north")))
        await trio.sleep(5)
        found = await unsettled(it)
        assert {rule: len(parts) for rule, parts in found.items()} == {"old": 30, "bank": 20}
        assert {part.sender for part in found["bank"]} == {"Bank"}
        await counts_hold(it)


async def test_a_new_limit_gives_what_waits_queues_of_its_own(autojump_clock: MockClock) -> None:
    async with world(BY_NORTH) as it:
        it.down.add("north")
        await it.start()
        await it.send(20, sender="Bank")
        limited = routed(route("old", "north"), north={"limit": (LimitConfig(rate_per_s=1, sender="Bank"),)})
        await it.reload(limited)
        await trio.sleep(5)
        names = {queue: name.scope for name, queue in it.connector._routing.queue_ids.items()}
        found = await it.connector._store.unsettled(0, 100, queues=list(names))
        assert [names[each.queue] for each in found] == ["sender Bank"] * 20
        await counts_hold(it)


async def test_what_is_scheduled_leaves_at_its_time_by_the_new_routes(autojump_clock: MockClock) -> None:
    async with world(BY_NORTH) as it:
        await it.start()
        await it.bound()
        await it.send(10, send_at=now() + 300)
        await it.reload(BY_SOUTH)
        await trio.sleep(200)
        assert list(await unsettled(it)) == ["new"]
        assert it.arrivals("south") == []
        await it.counted(Status.DELIVERED, 10)
        assert len(it.arrivals("south")) == 10
        await counts_hold(it)


async def test_what_no_route_takes_any_more_stays_and_is_told_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with world(BY_NORTH) as it:
        it.down.update(("north", "south"))
        await it.start()
        await it.send(7)
        await it.reload(routed(route("bank", "south", senders=("Bank",))))
        await trio.sleep(200)
        assert {rule: len(parts) for rule, parts in (await unsettled(it)).items()} == {"old": 7}
        await counts_hold(it)
    told = [record.message for record in caplog.records if "taken by no route" in record.message]
    assert told == ["reload: 7 parts are taken by no route any more: they stay where they wait"]


async def test_what_was_on_the_wire_and_waits_again_follows(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Throttled long after the routes have changed: by then everything else is filed."""
    async with world(BY_NORTH) as it:
        it.play(Scenario()).set_judge(_throttled)
        it.wrap = Far
        await it.start()
        await it.bound()
        monkeypatch.setattr(Far, "delay_s", 3.0)
        await it.send(5)
        await it.connector.suspend("south")
        await it.reload(routed(route("new", "south")))
        await trio.sleep(20)
        assert {rule: len(parts) for rule, parts in (await unsettled(it)).items()} == {"old": 5}
        await counts_hold(it)
        await trio.sleep(refile.LATE_LOOK_S)
        assert {rule: len(parts) for rule, parts in (await unsettled(it)).items()} == {"new": 5}
        await counts_hold(it)


async def test_a_late_answer_brings_a_part_back_to_where_it_is_filed_now(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given up after two seconds, moved while in doubt, refused at last: the carrier has it under its old queue."""
    bind = {"response_timeout_s": 2.0}
    lanes = lane("promotional", patience_s=100.0)
    async with world(routed(route("old", "north"), north={"bind": bind}, lane=lanes)) as it:
        it.play(Scenario()).set_judge(_throttled)
        it.wrap = Far
        it.down.add("south")
        await it.start()
        await it.bound("north")
        monkeypatch.setattr(Far, "delay_s", 10.0)
        [message] = await it.send()
        await trio.sleep(4)
        await it.reload(routed(route("new", "south"), north={"bind": bind}, lane=lanes))
        await trio.sleep(3)
        assert list(await unsettled(it)) == ["new"]
        assert (await it.message(message)).status is Status.IN_DOUBT
        await trio.sleep(10)
        events = [entry.event for entry in (await it.message(message)).timeline]
        assert events == ["accepted", "claimed", "lost", "deferred"]
        await counts_hold(it)
        it.down.clear()
        await it.counted(Status.DELIVERED, 1, within_s=300)
        await counts_hold(it)


async def test_the_parts_of_a_message_that_has_begun_keep_to_their_carrier(autojump_clock: MockClock) -> None:
    slow = routed(route("old", "north"), north={"rate_per_s": 1.0})
    async with world(slow) as it:
        await it.start()
        await it.bound()
        await it.send(2, text=LONG)
        await it.until(lambda: it.arrivals("north"))
        both = routed(route("new", "south", "north"), north={"rate_per_s": 1.0})
        await it.reload(both)
        await it.counted(Status.DELIVERED, 2)
        carriers = {host: set(it.arrivals(host)) for host in it.smsc}
        assert not carriers["north"] & carriers["south"]
        await at_rest(it)
        await counts_hold(it)


async def test_a_carrier_that_its_route_names_again_gets_the_other_parts_of_what_it_began(
    autojump_clock: MockClock,
) -> None:
    """In between they were for anybody; the store has kept whose they are, and whoever claims them first is told so."""
    slow = {"rate_per_s": 1.0}
    async with world(routed(route("old", "south", "north"), north=slow)) as it:
        it.down.add("south")
        await it.start()
        await it.send(3, text=LONG)
        await it.until(lambda: it.arrivals("north"))
        it.down.clear()
        await it.bound()
        it.cut("south")
        await it.reload(routed(route("old", "south"), north=slow))
        await it.reload(routed(route("old", "south", "north"), north=slow))
        it.down.clear()
        await it.counted(Status.DELIVERED, 3, within_s=300)
        began = set(it.arrivals("north"))
        assert began
        assert not began & set(it.arrivals("south"))
        await counts_hold(it)


async def test_a_full_disk_only_puts_it_off(autojump_clock: MockClock) -> None:
    """What limits a sender wants a queue of its own, and there is no room to write it down."""
    full = False
    async with world(BY_NORTH) as it:
        it.down.update(("north", "south"))
        it.full = lambda: full
        await it.start()
        await it.send(3, sender="Bank")
        await it.reload(routed(route("old", "north"), north={"limit": (LimitConfig(rate_per_s=20, sender="Bank"),)}))
        full = True
        await trio.sleep(30)
        with pytest.raises(IntakeRefused, match="the disk is full"):
            await it.verdicts(1, first=100, sender="Bank")
        full = False
        await at_rest(it)
        it.down.clear()
        await it.counted(Status.DELIVERED, 3, within_s=300)
        await counts_hold(it)


async def test_traffic_that_goes_on_does_not_keep_it_from_its_end(autojump_clock: MockClock) -> None:
    async with world(BY_NORTH) as it:
        it.down.add("south")
        await it.start()
        await it.reload(BY_SOUTH)
        async with trio.open_nursery() as nursery:

            async def keep_sending() -> None:
                for number in range(10_000):
                    await it.send(first=number)
                    await trio.sleep(0.02)

            nursery.start_soon(keep_sending)
            with trio.fail_after(20):
                await at_rest(it)
            nursery.cancel_scope.cancel()
        await counts_hold(it)


async def test_another_reload_begins_anew_and_a_drain_ends_it(autojump_clock: MockClock) -> None:
    async with world(BY_NORTH) as it:
        it.down.update(("north", "south"))
        await it.start()
        await it.send(2_500)
        await it.reload(BY_SOUTH)
        await trio.sleep(0.1)
        assert {"old", "new"} == set(await unsettled(it)), "in the middle of it"
        await it.reload(BY_NORTH)
        await it.reload(BY_NORTH)
        await at_rest(it)
        assert {rule: len(parts) for rule, parts in (await unsettled(it)).items()} == {"old": 2_500}
        await counts_hold(it)
        await it.reload(BY_SOUTH)
        await trio.sleep(0.1)
        await it.connector.drain()
        found = await unsettled(it)
        await trio.sleep(5)
        assert await unsettled(it) == found
        assert set(found) == {"old", "new"}
        await counts_hold(it)


@pytest.mark.parametrize("again", ["old", "new"])
async def test_a_kill_in_the_middle_costs_nothing(autojump_clock: MockClock, again: str) -> None:
    """Whichever configuration it starts with again: what waits comes to where that one files it."""
    async with world(BY_NORTH) as it:
        it.down.update(("north", "south"))
        await it.start()
        await it.send(2_000)
        await at_rest(it)
        await it.reload(BY_SOUTH)
        await trio.sleep(0.15)
        assert {"old", "new"} == set(await unsettled(it))
        await it.kill()
        it.config = {"old": BY_NORTH, "new": BY_SOUTH}[again]
        await it.start()
        await trio.sleep(5)
        assert {rule: len(parts) for rule, parts in (await unsettled(it)).items()} == {again: 2_000}
        await counts_hold(it)
        it.down.clear()
        await it.counted(Status.DELIVERED, 2_000)
        assert doubles(it) == []
        await counts_hold(it)


async def test_routes_that_changed_while_it_was_down_are_gone_by_at_the_start(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "carrierline.refile")
    async with world(BY_NORTH) as it:
        it.down.add("north")
        await it.start()
        await it.send(40)
        await at_rest(it)
        await it.kill()
        it.config = BY_SOUTH
        await it.start()
        await it.counted(Status.DELIVERED, 40)
        assert len(it.arrivals("south")) == 40
        await at_rest(it)
        await counts_hold(it)
    assert "start: 40 parts waiting under route old go by the new routes" in caplog.text


async def test_a_start_with_the_same_routes_looks_at_nothing(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(BY_NORTH) as it:
        it.down.add("north")
        await it.start()
        await it.send(4)
        await trio.sleep(70)
        await it.kill()
        looked: list[Sequence[int]] = []
        engine, real = it.engine, it.engine.unsettled

        def unsettled(after: int, limit: int, *, queues: Sequence[int]) -> list[Unsettled]:
            looked.append(queues)
            return real(after, limit, queues=queues)

        monkeypatch.setattr(engine, "unsettled", unsettled)
        await it.start()
        await trio.sleep(100)
        assert looked == []


CONFIGURATIONS = (
    BY_NORTH,
    BY_SOUTH,
    routed(route("bank", "south", senders=("Bank",)), route("old", "south", "north")),
    routed(route("otp", "north", "south", lanes=("otp",)), route("new", "south", "north")),
    routed(route("old", "north", "south"), north={"limit": (LimitConfig(rate_per_s=20, sender="Bank"),)}),
)


@pytest.mark.parametrize("seed", range(12))
async def test_reload_after_reload_under_load_loses_and_doubles_nothing(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Commits of any length, small steps, answers that say not now; once all is quiet the counts are the store's."""
    monkeypatch.setattr(refile, "PARTS_PER_COMMIT", 20)
    monkeypatch.setattr(refile, "PARTS_PER_READ", 70)
    chance = random.Random(seed)
    refusals = [tables.ESME_ROK] * 8 + [tables.ESME_RMSGQFUL, tables.ESME_RTHROTTLED]
    delay = Delay(dist="uniform", min_s=0.01, max_s=1.5)
    async with world(BY_NORTH) as it:
        for host in it.smsc:
            it.play(Scenario(response=Response(delay=delay)), host).set_judge(lambda _pdu: chance.choice(refusals))
        await it.start()

        async def jitter() -> None:
            while True:
                it.commit_s = chance.choice([0.0, 0.001, 0.01, 0.1])
                await trio.sleep(0.02)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(jitter)
            for number in range(12):
                await it.send(60, first=1_000 * number, sender=chance.choice(["Shop", "Bank"]))
                await it.send(3, first=1_000 * number + 500, lane="otp")
                await it.send(4, first=1_000 * number + 600, text=LONG, send_at=chance.choice([None, now() + 5]))
                await it.reload(chance.choice(CONFIGURATIONS))
                await trio.sleep(chance.uniform(0.0, 2.0))
            nursery.cancel_scope.cancel()
        it.connector._dispatch.stop()
        await trio.sleep(40)
        await counts_hold(it)
        it.connector._dispatch._stopped = False
        it.connector._dispatch.wake()
        await it.until(lambda: _over(it), within_s=4_000)
        await trio.sleep(5)
        assert all(view.status in FINAL for view in await it.views())
        assert {view.status for view in await it.views()} <= {Status.DELIVERED, Status.EXPIRED}
        assert max(Counter(each.place for each in taken(it)).values()) == 1
        await counts_hold(it)


def _over(it: World) -> bool:
    return not any(queue.waiting for queue in it.connector._routing.lanes.queues())
