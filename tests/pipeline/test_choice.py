"""Which carriers a part may take: its rule's preference, their health, what they refused, what it may cost."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.carrier.setbacks import Prospect
from connector.config import LANES, CarrierConfig, HealthConfig, LaneConfig, RetryConfig, RouteConfig
from connector.config.carrier import PriceConfig
from connector.lifecycle import Status
from connector.model import Part, QueueName, QueueState, part_id
from connector.pipeline.choice import SPARED_S, Choice, lot
from connector.pipeline.health import Health
from connector.pipeline.lanes import Lanes
from connector.pipeline.prices import Prices
from connector.pipeline.queue import Queue
from connector.pipeline.turn import Offer
from connector.smpp import tables
from simulator import Scenario
from simulator.scenario import Delay, Response
from tests.pipeline.books import counts_hold
from tests.pipeline.test_world import lane
from tests.pipeline.world import World, carrier_config, config, world

ALL = ("north", "south", "west")
GERMAN, BRITISH = "4915112345678", "447911123456"
Preference = Literal["order", "speed", "cost"]


@attrs.define
class Held:
    """A carrier as `Choice` sees it."""

    up: bool = True


class Told(Health):
    """Health as the test tells it: shares of carriers, those that are probed with how many parts, and speeds."""

    def __init__(self) -> None:
        super().__init__(HealthConfig())
        self.shares: dict[str, float] = {}
        self.since: dict[str, float] = {}
        self.probes: Counter[str] = Counter()
        self.latencies: dict[str, float] = {}

    @property
    def all_well(self) -> bool:
        return not self.shares

    def share(self, carrier: str, country: str | None) -> float:
        return self.shares.get(carrier, 1.0)

    def probing_since(self, carrier: str, country: str | None) -> float | None:
        return self.since.get(carrier)

    def probe(self, carrier: str, country: str | None, now: float) -> bool:
        self.probes[carrier] -= 1
        return self.probes[carrier] >= 0

    def latency_s(self, carrier: str, country: str | None) -> float | None:
        return self.latencies.get(carrier)


class Chosen:
    """A choice between three carriers, with everything it looks at to be set."""

    def __init__(self, prefer: Preference = "order", names: Sequence[str] = ALL, **changes: Any) -> None:
        self.held = {name: Held() for name in names}
        self.carriers_of: dict[str, Sequence[str]] = {"rule": names}
        self.health = Told()
        self.now = 0.0
        self.lanes: dict[str, LaneConfig] = {name: attrs.evolve(each, **changes) for name, each in LANES.items()}
        self.choice = Choice(self.held, self.carriers_of, self.lanes, self.health, lambda: self.now)
        self.route = RouteConfig(name="rule", carriers=tuple(names), prefer=prefer)
        self.choice.change([self.route], Prices(()))

    def price(self, **tables: dict[str, float]) -> None:
        """Let carriers have these prices by prefix."""
        priced: list[CarrierConfig] = [
            carrier_config(name, price=tuple(PriceConfig(prefix=prefix, price=price) for prefix, price in rows.items()))
            for name, rows in tables.items()
        ]
        self.choice.change([self.route], Prices(priced))

    def order(self, **changes: Any) -> list[str]:
        return list(self.choice.order(part(**changes), "rule"))


def part(message: int = 1, **changes: Any) -> Part:
    made = Part(
        id=part_id(message, 0), number=1, total=1, queue=1, lane="promotional", to=BRITISH, sender="", text="hello",
        alphabet="gsm", reference=0, deadline=1_000.0, country="GB",
    )  # fmt: skip
    return attrs.evolve(made, **changes)


def queue(lane_name: str = "promotional") -> Queue:
    return Queue(1, lane_name, "rule", "shop", 0)


# --- where there is nothing to choose -------------------------------------------------------------------------------


def test_where_all_is_well_and_the_order_counts_there_is_nothing_to_choose() -> None:
    assert Chosen().choice.is_plain(queue())


@pytest.mark.parametrize("prefer", ["speed", "cost"])
def test_where_something_else_counts_each_part_is_looked_at(prefer: Preference) -> None:
    assert not Chosen(prefer).choice.is_plain(queue())


def test_where_somebody_is_sick_or_costs_are_capped_each_part_is_looked_at() -> None:
    it = Chosen()
    it.health.shares["south"] = 0.5
    assert not it.choice.is_plain(queue())
    assert not Chosen(retry=RetryConfig(max_cost=1.0)).choice.is_plain(queue())


@pytest.mark.parametrize("setback", [{"refused": ("north",)}, {"doubts": 1}, {"tries": 1}])
def test_where_a_part_had_a_setback_each_part_is_looked_at_until_it_left(setback: dict[str, Any]) -> None:
    it, waits = Chosen(), queue()
    waits.add(part(**setback))
    assert not it.choice.is_plain(waits)
    waits.take(1)
    assert it.choice.is_plain(waits)


# --- preference -----------------------------------------------------------------------------------------------------


def test_carriers_come_in_the_order_of_the_rule() -> None:
    assert Chosen().order() == list(ALL)


def test_the_cheapest_for_the_number_goes_first_and_one_without_a_price_last() -> None:
    it = Chosen("cost")
    it.price(north={"44": 3.0, "49": 1.0}, south={"44": 2.0, "49": 5.0})
    assert it.order() == ["south", "north", "west"]
    assert it.order(to=GERMAN) == ["north", "south", "west"]


def test_the_fastest_goes_first_for_all_but_a_few_by_which_the_others_are_measured() -> None:
    it = Chosen("speed")
    it.health.latencies = {"north": 9.0, "west": 1.0}
    firsts = Counter(it.order(message=message)[0] for message in range(1, 5_001))
    assert firsts["west"] / 5_000 == pytest.approx(0.98, abs=0.01)
    assert min(firsts["north"], firsts["south"]) > 0


def test_whoever_refused_a_part_is_not_asked_while_another_is_left() -> None:
    it = Chosen()
    assert it.order(refused=("north",)) == ["south", "west"]
    assert it.order(refused=("south", "north")) == ["west"]
    assert it.order(refused=ALL) == list(ALL)


def test_who_could_not_just_now_is_asked_last() -> None:
    it = Chosen()
    assert it.order(tries=1, last="north") == ["south", "west", "north"]
    assert it.order(tries=1, last="south") == list(ALL)
    assert it.order(tries=0, last="north") == list(ALL), "a slow-down is no reason to leave"


# --- cost -----------------------------------------------------------------------------------------------------------


def test_a_carrier_that_costs_more_than_the_cap_is_not_asked() -> None:
    it = Chosen(retry=RetryConfig(max_cost=2.0))
    it.price(north={"": 3.0}, south={"": 2.0})
    assert it.order() == ["south", "west"]


def test_each_doubt_may_have_cost_what_the_dearest_costs() -> None:
    it = Chosen(names=("north", "south"), retry=RetryConfig(max_cost=5.0))
    it.price(north={"": 1.0}, south={"": 2.0})
    assert it.order(doubts=1) == ["north", "south"]
    assert it.order(doubts=2) == ["north"]
    assert it.order(doubts=3) == []


# --- health ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.25, 0.1])
def test_a_sick_carrier_gets_its_share_by_lot(share: float) -> None:
    it = Chosen()
    it.health.shares["north"] = share
    firsts = Counter(it.order(message=message)[0] for message in range(1, 5_001))
    assert firsts["north"] / 5_000 == pytest.approx(share, abs=0.02)
    assert firsts["south"] == 5_000 - firsts["north"]


def test_all_parts_of_a_message_have_one_lot_whenever_they_are_asked() -> None:
    it = Chosen()
    it.health.shares["north"] = 0.5
    for message in range(1, 100):
        orders = {tuple(it.choice.order(part(id=part_id(message, number)), "rule")) for number in range(1, 4)}
        assert len(orders) == 1
    assert all(0 <= lot(message) < 1 for message in range(1_000))


def test_a_smaller_share_is_part_of_a_larger_one() -> None:
    it = Chosen()

    def with_share(share: float) -> set[int]:
        it.health.shares["north"] = share
        return {message for message in range(1, 1_000) if it.order(message=message)[0] == "north"}

    assert with_share(0.1) < with_share(0.25) < with_share(0.5)


def test_nothing_is_held_back_where_nobody_healthier_is_up() -> None:
    it = Chosen(names=("north", "south"))
    it.health.shares = {"north": 0.0, "south": 1.0}
    assert it.order() == ["south"]
    it.held["south"].up = False
    assert it.order() == ["north", "south"]
    assert it.choice.sure("north", part(), "rule")


def test_of_two_that_are_sick_the_less_sick_is_not_held_back() -> None:
    it = Chosen(names=("north", "south"))
    it.health.shares = {"north": 0.1, "south": 0.5}
    assert all("south" in it.order(message=message) for message in range(1, 200))


def test_a_carrier_that_is_probed_comes_first_and_takes_so_many() -> None:
    it = Chosen()
    it.health.shares["south"] = 0.0
    it.health.since["south"] = 0.0
    it.health.probes["south"] = 2
    assert it.order()[0] == "south"
    assert [it.choice.sure("south", part(message), "rule") for message in range(1, 5)] == [True, True, False, False]


def test_urgent_parts_are_spared_probes_for_a_while() -> None:
    it = Chosen()
    it.health.shares["north"] = 0.0
    it.health.since["north"] = 100.0
    it.now = 100.0 + SPARED_S - 0.1
    assert it.order(lane="otp") == ["south", "west"]
    assert it.order()[0] == "north"
    it.now = 100.0 + SPARED_S
    assert it.order(lane="otp")[0] == "north"


# --- what else there is ---------------------------------------------------------------------------------------------


def prospect(it: Chosen, carrier: str = "north", **changes: Any) -> Prospect:
    return it.choice.prospect(part(**changes), "rule", carrier)


def test_there_is_somebody_else_until_all_others_have_refused() -> None:
    it = Chosen()
    assert prospect(it) == Prospect(other=True)
    assert prospect(it, refused=("south",)).other
    assert not prospect(it, refused=("south", "west")).other
    assert not prospect(Chosen(names=("north",))).other


def test_nobody_else_is_there_whom_the_lane_will_not_pay() -> None:
    it = Chosen(names=("north", "south"), retry=RetryConfig(max_cost=2.0))
    it.price(north={"": 1.0}, south={"": 3.0})
    assert not prospect(it).other


def test_a_sick_carrier_is_not_trusted() -> None:
    it = Chosen()
    assert prospect(it).trusted
    it.health.shares["north"] = 0.5
    assert not prospect(it).trusted


# --- with the queues ------------------------------------------------------------------------------------------------


def picked(it: Chosen, parts: Iterable[Part], **credit: int) -> dict[str, list[str]]:
    """Return the numbers that each carrier is given of what waits."""
    lanes = Lanes(it.lanes, it.carriers_of, it.choice)
    lanes.open([QueueState(1, QueueName("promotional", "rule", "shop"), 0)])
    lanes.add(parts)
    pick = lanes.pick({name: Offer(count) for name, count in credit.items()}, tuple(it.lanes), 0.0)
    return {name: [part.to for part in parts] for name, parts in pick.parts.items()}


def test_two_numbers_of_one_queue_each_take_the_cheapest_for_them() -> None:
    it = Chosen("cost", names=("north", "south"))
    it.price(north={"44": 3.0, "49": 1.0}, south={"44": 2.0, "49": 5.0})
    parts = [part(1), part(2, to=GERMAN), part(3), part(4, to=GERMAN)]
    assert picked(it, parts, north=10, south=10) == {"south": [BRITISH] * 2, "north": [GERMAN] * 2}


def test_where_the_cheapest_has_no_credit_the_next_takes_it() -> None:
    it = Chosen("cost", names=("north", "south"))
    it.price(north={"44": 3.0}, south={"44": 2.0})
    assert picked(it, [part(1), part(2), part(3)], north=10, south=1) == {"south": [BRITISH], "north": [BRITISH] * 2}


CHEAP = "447400123456"


@pytest.mark.parametrize("country", ["GB", None])
def test_numbers_that_cost_too_much_hold_up_no_cheaper_ones_behind_them(country: str | None) -> None:
    it = Chosen(names=("north",), retry=RetryConfig(max_cost=2.0))
    it.price(north={"4479": 3.0, "44": 1.0})
    dear = [part(message, country=country) for message in range(1, 21)]
    cheap = [part(message, to=CHEAP, country=country) for message in range(21, 41)]
    assert picked(it, [*dear, *cheap], north=100) == {"north": [CHEAP] * 20}


def test_doubts_that_may_cost_no_more_hold_up_none_behind_them() -> None:
    it = Chosen(names=("north",), retry=RetryConfig(max_cost=1.0))
    it.price(north={"": 1.0})
    parts = [part(message, doubts=int(message <= 20)) for message in range(1, 41)]
    assert len(picked(it, parts, north=100)["north"]) == 20


# --- worlds ---------------------------------------------------------------------------------------------------------


def between(prefer: Preference, *names: str, **options: Any) -> Any:
    route = RouteConfig(carriers=names, prefer=prefer)
    return config(*(carrier_config(name, **options) for name in names), route=[route])


async def begun(it: World) -> None:
    await it.start()
    await it.bound()


async def test_the_traffic_moves_to_the_faster_carrier_and_stays(autojump_clock: MockClock) -> None:
    async with world(between("speed", "north", "south", rate_per_s=50.0)) as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=2.0))), "north")
        it.play(Scenario(response=Response(delay=Delay(value_s=0.1))), "south")
        await begun(it)
        await it.send(200)  # more than one takes at once: both are measured
        await it.counted(Status.DELIVERED, 200)
        before = len(it.arrivals("north"))
        for number in range(500):
            await it.send(first=1_000 + number)
            await trio.sleep(0.1)
        await it.counted(Status.DELIVERED, 700)
        assert len(it.arrivals("north")) - before <= 0.05 * 500, "one in fifty measures it"
        await counts_hold(it)


async def test_an_otp_that_finds_its_queue_empty_is_chosen_for_as_any_other(autojump_clock: MockClock) -> None:
    settings = config(
        carrier_config("north", price=(PriceConfig(prefix="", price=3.0),)),
        carrier_config("south", price=(PriceConfig(prefix="", price=1.0),)),
        route=[RouteConfig(carriers=("north", "south"), prefer="cost")],
    )
    async with world(settings) as it:
        await begun(it)
        for number in range(10):
            await it.send(lane="otp", first=number)
            await it.counted(Status.DELIVERED, number + 1)
        assert (len(it.arrivals("north")), len(it.arrivals("south"))) == (0, 10)


async def test_an_otp_whose_queue_is_empty_is_not_put_to_a_sick_carrier(autojump_clock: MockClock) -> None:
    async with world(between("order", "north", "south")) as it:
        it.smsc["north"].set_judge(lambda pdu: tables.ESME_RSYSERR)
        await begun(it)
        await it.send(60)
        await it.counted(Status.DELIVERED, 60)
        tried = it.smsc["north"].statistics().submits["ESME_RSYSERR"]
        await it.send(lane="otp", first=900)
        await it.counted(Status.DELIVERED, 61)
        assert it.smsc["north"].statistics().submits["ESME_RSYSERR"] == tried
        [otp] = [view for view in await it.views() if view.lane == "otp"]
        assert [entry.carrier for entry in otp.timeline if entry.event == "claimed"] == ["south"]


async def test_an_attempt_beyond_the_cost_cap_is_not_made(autojump_clock: MockClock) -> None:
    retry = RetryConfig(max_cost=1.0)
    resending = lane("promotional", on_doubt="resend", resends=5, resend_after_s=5.0, patience_s=100.0, retry=retry)
    priced = carrier_config(price=(PriceConfig(prefix="", price=0.4),), bind={"response_timeout_s": 5.0})
    async with world(config(priced, lane=resending)) as it:
        it.play(Scenario(response=Response(delay=Delay(never=True))))
        await begun(it)
        await it.send(deadline_in_s=200)
        await it.counted(Status.UNKNOWN, 1)
        assert len(it.arrivals()) == 2, "a third might make 1.2"
        await counts_hold(it)
