"""Whatever carriers answer, whenever links are cut and the process dies: no part is taken more often than was doubted.

Carriers' ledgers and the messages' timelines are the judges.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Final

import attrs
import trio
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from connector.config import LANES, Config, HealthConfig, LaneConfig, RetryConfig, RouteConfig
from connector.model import MessageView
from connector.smpp import tables
from simulator import Scenario
from simulator.intake import Submit
from simulator.scenario import Delay, Rate, ReceiptRules, Response
from tests.pipeline.books import Place, Taken, all_final, bare, by_number, counts_hold, doubts, taken
from tests.pipeline.sickness import Echo
from tests.pipeline.world import World, carrier_config, config, world

LIVES: Final = 70
CHAOS_S: Final = 60.0
END_WITHIN_S: Final = 900.0
LONG: Final = "a text of several parts, as long as it takes " * 8
CARRIERS: Final = ("north", "south", "west")
REFUSALS: Final = (
    tables.ESME_RINVDSTADR,
    tables.ESME_RSUBMITFAIL,
    tables.ESME_RX_R_APPN,
    tables.ESME_RX_P_APPN,
    tables.ESME_RTHROTTLED,
    tables.ESME_RTHROTTLED,
    tables.ESME_RMSGQFUL,
    tables.ESME_RSYSERR,
    tables.ESME_RSYSERR,
    tables.ESME_RX_T_APPN,
    tables.ESME_RINVBNDSTS,
    tables.ESME_RINVTLVVAL,
)
TIMER_S: Final = 5.0
ANSWERS: Final = Delay(
    dist="mix",
    of=(
        Delay(value_s=0.05, weight=12.0),
        Delay(value_s=0.8, weight=4.0),
        Delay(value_s=TIMER_S + 1.5, weight=3.0),
        Delay(value_s=TIMER_S + 12.0, weight=1.0),
        Delay(never=True, weight=2.0),
    ),
)


class Torn(trio.abc.HalfCloseableStream):
    """A link that ends before, within or after a write, now and then."""

    def __init__(self, stream: trio.abc.Stream, chance: random.Random, torn: float) -> None:
        self._stream = stream
        self._chance = chance
        self._torn = torn

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._chance.random() >= self._torn:
            await self._stream.send_all(data)
            return
        end = self._chance.choice([0, self._chance.randrange(len(data) + 1), len(data)])
        if end:
            await self._stream.send_all(data[:end])
        if self._chance.random() < 0.5:
            await trio.sleep(self._chance.choice([0.0, 0.1]))
        await self._stream.aclose()
        raise trio.BrokenResourceError

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stream.aclose()

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)


def lane_of(chance: random.Random, *, urgent: bool, resends: bool) -> LaneConfig:
    retry = RetryConfig(
        attempts=chance.choice([1, 3, 8]),
        backoff_s=chance.choice([(0.5,), (1.0, 4.0)]),
        second_opinion=chance.random() < 0.5,
        set_aside_after=chance.choice([1, 3]),
        within_s=chance.choice([None, 25.0]),
    )
    return LaneConfig(
        reserve=0.3,
        keep_free=0.1 if urgent else 0.0,
        deadline_s=chance.choice([20.0, 90.0, 200.0]),
        patience_s=60.0,
        on_doubt="resend" if resends else "hold",
        resends=chance.choice([1, 2, 3]),
        resend_after_s=chance.choice([0.5, 4.0, 15.0]),
        retry=retry,
        urgent=urgent,
    )


def settings_of(chance: random.Random) -> Config:
    names = CARRIERS[: chance.choice([1, 2, 2, 3])]
    carriers = [
        carrier_config(
            name,
            rate_per_s=chance.choice([None, 8.0]),
            bind={
                "window_size": chance.choice([2, 5, 20]),
                "response_timeout_s": TIMER_S,
                "count": chance.choice([1, 2]),
            },
        )
        for name in names
    ]
    lanes = {
        "otp": lane_of(chance, urgent=True, resends=chance.random() < 0.5),
        "transactional": lane_of(chance, urgent=False, resends=False),
        "promotional": lane_of(chance, urgent=False, resends=True),
    }
    health = HealthConfig(min_samples=chance.choice([5, 20]), window_s=20.0, probe_after_s=2.0, probe_at_most_s=8.0)
    route = RouteConfig(carriers=names, prefer=chance.choice(["order", "speed", "cost"]))
    return config(*carriers, route=[route], lane=lanes, health=health)


@attrs.define
class Chaos:
    """What happens to one world."""

    it: World
    chance: random.Random
    over: bool = False

    def judge(self, bad: float, _pdu: Submit) -> int:
        if self.over or self.chance.random() >= bad:
            return 0
        return self.chance.choice(REFUSALS)

    def arm(self) -> None:
        """Let every carrier misbehave in its own measure."""
        torn = self.chance.choice([0.0, 0.02, 0.1])
        twice = self.chance.random() < 0.3
        self.it.wrap = lambda stream: Echo(Torn(stream, self.chance, 0.0 if self.over else torn), lambda: twice)
        for name in self.it.smsc:
            rules = ReceiptRules(
                when=self.chance.choice(["never", "requested"]),
                delay=Delay(value_s=2.0),
                early=self.chance.choice([0.0, 0.5]),
                mix={"DELIVRD": 0.7, "UNDELIV": 0.2, "REJECTD": 0.1},
            )
            scenario = Scenario(seed=self.chance.randrange(10**6), response=Response(delay=ANSWERS), receipt=rules)
            smsc = self.it.play(scenario, name)
            smsc.set_judge(partial(self.judge, self.chance.choice([0.1, 0.4, 0.8])))
            if self.chance.random() < 0.3:
                smsc.set_rate(Rate(per_second=3.0, burst=2))

    async def traffic(self) -> None:
        first = 0
        while trio.current_time() < CHAOS_S / 2:
            count = self.chance.choice([1, 1, 2, 8])
            text = self.chance.choice(["hello", "hello", LONG])
            await self.it.send(count, lane=self.chance.choice(tuple(LANES)), text=text, first=first)
            first += count
            await trio.sleep(self.chance.uniform(0.0, 3.0))

    async def cuts(self) -> None:
        while True:
            await trio.sleep(self.chance.uniform(0.5, 15.0))
            host = self.chance.choice(tuple(self.it.smsc))
            self.it.cut(host)
            await trio.sleep(self.chance.choice([0.0, 0.5, 5.0]))
            self.it.down.discard(host)

    async def live(self) -> None:
        """Misbehave for a while, with a death of the process in it, then let everything come to its end."""
        it, chance = self.it, self.chance
        self.arm()
        await it.start()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.cuts)
            await self.traffic()
            for _ in range(chance.choice([0, 1, 2])):
                await trio.sleep(chance.uniform(0.0, 10.0))
                await it.kill()
                await trio.sleep(chance.choice([0.0, 0.3, 6.0]))
                await it.start()
            await trio.sleep(max(0.0, CHAOS_S - trio.current_time()))
            nursery.cancel_scope.cancel()
        self.over = True
        it.down.clear()
        await self.end()

    async def end(self) -> None:
        with trio.fail_after(END_WITHIN_S):
            while True:
                if all_final(await self.it.views()):
                    return
                await trio.sleep(5)


def check(it: World, views: Sequence[MessageView]) -> None:
    """Hold what carriers took against what the timelines say."""
    took: defaultdict[Place, list[Taken]] = defaultdict(list)
    numbers = by_number(views)
    for each in taken(it):
        took[each.place].append(each)
        assert each.at <= numbers[each.place.to].deadline, (each, numbers[each.place.to])
    for place, found in took.items():
        view = numbers[place.to]
        lane = it.config.lane[view.lane]
        lost = doubts(view)[place.number]
        allowed = 1 + min(lost, lane.resends) if lane.on_doubt == "resend" else 1
        assert len(found) <= allowed, (found, lane, view)
    for view in views:
        stay_together(view, [each for number in range(1, view.parts + 1) for each in took[Place(bare(view), number)]])


def stay_together(view: MessageView, found: Sequence[Taken]) -> None:
    """All parts of one message are, or may be, with one carrier, under one reference.

    Where a carrier leaves a part in doubt and turns away its resend, the message may go elsewhere, that part too.
    """
    assert len({each.reference for each in found}) <= 1, (found, view)
    newest = {entry.part: entry.attempt for entry in view.timeline if entry.event == "claimed"}
    stay = ("acknowledged", "lost")
    where = {it.carrier for it in view.timeline if it.event in stay and it.attempt == newest[it.part]}
    assert len(where) <= 1, view
    if view.parts > 1 and not doubts(view):
        assert len({each.carrier for each in found}) <= 1, (found, view)


async def one_life(seed: int) -> Counter[str]:
    chance = random.Random(seed)
    async with world(settings_of(chance)) as it:
        await Chaos(it, chance).live()
        views = await it.views()
        check(it, views)
        await counts_hold(it)
        assert sum(queue.waiting for queue in it.connector.statistics().queues) == 0
        return Counter(entry.event for view in views for entry in view.timeline)


@settings(max_examples=LIVES, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_no_part_is_taken_more_often_than_it_was_doubted(seed: int) -> None:
    trio.run(one_life, seed, clock=MockClock(autojump_threshold=0))
