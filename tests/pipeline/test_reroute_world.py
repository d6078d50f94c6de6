"""Parts that a carrier does not take go elsewhere, those of one message together, and nothing is sent twice."""

from collections.abc import Callable

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.config import LANES, Config, RetryConfig, RetryRule
from connector.lifecycle import Status
from connector.model import Reason
from connector.pipeline.notices import Kind
from connector.smpp import tables
from simulator import Scenario
from simulator.intake import Submit
from simulator.scenario import Delay, Rate, Response
from tests.pipeline.books import counts_hold, events, taken
from tests.pipeline.test_world import lane
from tests.pipeline.world import World, carrier_config, config, world

LONG = "a text of several parts, as long as it takes " * 8
PARTS = 3


def carriers(*names: str, window: int = 50, retry: RetryConfig | None = None) -> Config:
    changed = lane("promotional", retry=retry) if retry else None
    return config(*(carrier_config(name, bind={"window_size": window}) for name in names), lane=changed)


def number_of(pdu: Submit) -> int:
    return pdu.message_octets[5]


def refusing(status: int, *numbers: int) -> Callable[[Submit], int]:
    """Refuse these parts, all of them unless named."""
    return lambda pdu: status if not numbers or number_of(pdu) in numbers else 0


async def start(it: World) -> None:
    await it.start()
    await it.bound()


async def claims(it: World, message: int) -> list[str | None]:
    return [entry.carrier for entry in (await it.message(message)).timeline if entry.event == "claimed"]


@pytest.mark.parametrize("window", [2, 50])
async def test_a_message_all_parts_of_which_are_refused_goes_elsewhere_as_a_whole(
    window: int, autojump_clock: MockClock
) -> None:
    async with world(carriers("north", "south", window=window)) as it:
        it.smsc["north"].set_judge(refusing(tables.ESME_RSUBMITFAIL))
        await start(it)
        await it.send(4, text=LONG)
        await it.counted(Status.DELIVERED, 4)
        found = taken(it)
        assert {each.carrier for each in found} == {"south"}
        assert len(found) == 4 * PARTS
        assert len({(each.place.to, each.reference) for each in found}) == 4
        await counts_hold(it)


@pytest.mark.parametrize("window", [2, 50])
async def test_a_message_of_which_a_carrier_took_a_part_goes_nowhere_else(
    window: int, autojump_clock: MockClock
) -> None:
    async with world(carriers("north", "south", window=window)) as it:
        it.smsc["north"].set_judge(refusing(tables.ESME_RSUBMITFAIL, 2))
        await start(it)
        [message] = await it.send(text=LONG)
        await it.counted(Status.REJECTED, 1)
        view = await it.message(message)
        assert [events(view, number)[-1] for number in (1, 2, 3)] == ["delivered", "refused", "delivered"]
        assert view.reason == Reason.REFUSED_BY_CARRIER
        assert not it.arrivals("south")
        await counts_hold(it)


async def test_a_part_refused_while_its_sibling_is_on_the_wire_waits_for_that(autojump_clock: MockClock) -> None:
    async with world(carriers("north", "south")) as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=5.0))))
        it.smsc["north"].set_judge(refusing(tables.ESME_RSUBMITFAIL, 1))
        await start(it)
        [message] = await it.send(text=LONG)
        await trio.sleep(4)
        assert (await it.message(message)).part_statuses[0] is Status.ACCEPTED
        await it.counted(Status.REJECTED, 1)
        assert not it.arrivals("south")


async def test_a_message_that_two_of_three_refuse_is_delivered_by_the_third(autojump_clock: MockClock) -> None:
    async with world(carriers("north", "south", "west")) as it:
        for name in ("north", "south"):
            it.smsc[name].set_judge(refusing(tables.ESME_RX_R_APPN))
        await start(it)
        [message] = await it.send(text=LONG)
        await it.counted(Status.DELIVERED, 1)
        assert {each.carrier for each in taken(it)} == {"west"}
        asked = await claims(it, message)
        assert {name: asked.count(name) for name in it.smsc} == {"north": PARTS, "south": PARTS, "west": PARTS}


async def test_what_every_carrier_of_its_rule_refuses_is_rejected(autojump_clock: MockClock) -> None:
    async with world(carriers("north", "south")) as it:
        for smsc in it.smsc.values():
            smsc.set_judge(refusing(tables.ESME_RSUBMITFAIL))
        await start(it)
        [message] = await it.send()
        await it.counted(Status.REJECTED, 1)
        assert await claims(it, message) == ["north", "south"]
        assert (await it.message(message)).reason == Reason.REFUSED_BY_CARRIER


async def test_a_part_that_one_carrier_cannot_take_now_is_put_to_another_next(autojump_clock: MockClock) -> None:
    async with world(carriers("north", "south")) as it:
        it.smsc["north"].set_judge(refusing(tables.ESME_RSYSERR))
        await start(it)
        [message] = await it.send()
        await it.counted(Status.DELIVERED, 1)
        assert await claims(it, message) == ["north", "south"]


async def test_of_two_that_cannot_now_each_is_asked_in_turn(autojump_clock: MockClock) -> None:
    async with world(carriers("north", "south")) as it:
        for smsc in it.smsc.values():
            smsc.set_judge(refusing(tables.ESME_RSYSERR))
        await start(it)
        [message] = await it.send()
        await it.counted(Status.FAILED, 1)
        assert await claims(it, message) == ["north", "south", "north", "south"]
        assert (await it.message(message)).reason == Reason.ATTEMPTS_USED_UP


@pytest.mark.parametrize("name", ["otp", "transactional"])
async def test_only_a_lane_that_asks_for_a_second_opinion_gets_one_and_no_third(
    name: str, autojump_clock: MockClock
) -> None:
    async with world(carriers("north", "south", "west")) as it:
        for smsc in it.smsc.values():
            smsc.set_judge(refusing(tables.ESME_RINVDSTADR))
        await start(it)
        [message] = await it.send(lane=name)
        await it.counted(Status.REJECTED, 1)
        asked = ["north", "south"] if LANES[name].retry.second_opinion else ["north"]
        assert await claims(it, message) == asked


async def test_a_second_opinion_that_is_better_delivers(autojump_clock: MockClock) -> None:
    async with world(carriers("north", "south")) as it:
        it.smsc["north"].set_judge(refusing(tables.ESME_RINVDSTADR))
        await start(it)
        [message] = await it.send(lane="otp")
        await it.counted(Status.DELIVERED, 1)
        assert events(await it.message(message)) == [
            "accepted", "claimed", "rerouted", "claimed", "acknowledged", "delivered",
        ]  # fmt: skip


async def test_what_is_badly_made_is_told_and_put_to_nobody_else(autojump_clock: MockClock) -> None:
    async with world(carriers("north", "south")) as it:
        it.smsc["north"].set_judge(refusing(tables.ESME_RINVTLVVAL))
        await start(it)
        [message] = await it.send(lane="otp")
        await it.counted(Status.REJECTED, 1)
        assert await claims(it, message) == ["north"]
        [notice] = it.connector.notices.latest()
        assert (notice.kind, notice.carrier, notice.reason) == (Kind.OUR_ENCODING, "north", Reason.OUR_ENCODING)


async def test_a_part_that_breaks_its_bind_is_set_aside_with_a_notice_and_the_others_go_on(
    autojump_clock: MockClock,
) -> None:
    async with world(carriers("north")) as it:
        poison = "447911100003"
        it.smsc["north"].set_judge(lambda pdu: tables.ESME_RINVBNDSTS if pdu.destination_addr == poison else 0)
        await start(it)
        ids = await it.send(10)
        await it.counted(Status.DELIVERED, 9)
        await it.counted(Status.FAILED, 1)
        view = await it.message(ids[3])
        assert (view.reason, events(view).count("claimed")) == (Reason.SET_ASIDE, 3)
        [notice] = [notice for notice in it.connector.notices.latest() if notice.kind is Kind.SET_ASIDE]
        assert (notice.carrier, notice.country, notice.reason) == ("north", "GG", Reason.SET_ASIDE)
        assert poison[-6:] not in notice.text
        await counts_hold(it)


async def test_the_time_for_all_attempts_ends_them_before_their_number(autojump_clock: MockClock) -> None:
    retry = RetryConfig(attempts=100, backoff_s=(4.0,), within_s=10.0)
    async with world(carriers("north", retry=retry)) as it:
        it.smsc["north"].set_judge(refusing(tables.ESME_RSYSERR))
        await start(it)
        [message] = await it.send()
        await it.counted(Status.FAILED, 1, within_s=15)
        view = await it.message(message)
        assert (view.reason, events(view).count("claimed")) == (Reason.TIME_USED_UP, 3)


async def test_what_a_lane_says_of_one_outcome_goes_before_what_it_says_of_all(autojump_clock: MockClock) -> None:
    retry = RetryConfig(attempts=5, backoff_s=(60.0,), temporary=RetryRule(attempts=2, backoff_s=(3.0,)))
    async with world(carriers("north", retry=retry)) as it:
        it.smsc["north"].set_judge(refusing(tables.ESME_RSYSERR))
        await start(it)
        [message] = await it.send()
        await it.counted(Status.FAILED, 1, within_s=10)
        assert events(await it.message(message)).count("claimed") == 2


async def test_what_is_rerouted_after_a_pause_takes_that_pause(autojump_clock: MockClock) -> None:
    retry = attrs.evolve(LANES["promotional"].retry, other_route=RetryRule(backoff_s=(20.0,)))
    async with world(carriers("north", "south", retry=retry)) as it:
        it.smsc["north"].set_judge(refusing(tables.ESME_RSUBMITFAIL))
        await start(it)
        [message] = await it.send()
        await it.counted(Status.DELIVERED, 1)
        first, second = [entry.at for entry in (await it.message(message)).timeline if entry.event == "claimed"]
        assert second - first == pytest.approx(20, abs=0.5)


async def test_a_long_message_is_not_tied_to_a_carrier_that_has_taken_nothing_of_it(autojump_clock: MockClock) -> None:
    async with world(carriers("north", "south")) as it:
        it.smsc["north"].set_rate(Rate(per_second=1e-9))
        await start(it)
        await it.send(lane="otp")  # the bucket holds one
        [message] = await it.send(lane="otp", text=LONG, first=1)
        await it.counted(Status.DELIVERED, 2, within_s=60)
        assert len(it.arrivals("south")) == PARTS
        assert (await it.message(message)).carrier == "south"
        await counts_hold(it)


async def test_what_a_dead_carrier_was_about_to_get_goes_elsewhere_long_or_short(autojump_clock: MockClock) -> None:
    async with world(carriers("north", "south", window=1)) as it:
        it.smsc["north"].change(Scenario(response=Response(delay=Delay(value_s=3.0))))
        await start(it)
        ids = [*await it.send(4, text=LONG), *await it.send(4, first=10)]
        await trio.sleep(0.5)
        it.cut("north")
        await trio.sleep(300)
        left = [await it.message(message) for message in ids]
        stuck = [
            view for view in left if Status.ACCEPTED in view.part_statuses and Status.IN_DOUBT not in view.part_statuses
        ]
        assert not stuck
        await counts_hold(it)
