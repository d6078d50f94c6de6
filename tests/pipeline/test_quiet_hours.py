"""Nights of a whole connector: what is held, what goes on, and how the morning begins."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.clock import steady_wall_clock
from connector.config import LANES, Config, LaneConfig, QuietHours
from connector.lifecycle import Status
from connector.model import SendRequest
from simulator import Scenario
from simulator.scenario import Delay, Limits, Rate, Response
from tests.pipeline import world as worlds
from tests.pipeline.world import EPOCH_S, World, carrier_config, config, now, world

RATE_PER_S = 20
LONG = "a text that needs more than one part " * 8
HAWAII = "+18085551234"
AHEAD_S = 0.0
"""Claims run so far ahead of the wire at most."""


def quiet(
    start: str = "21:00", end: str = "21:30", zone: str = "recipient", *, name: str = "promotional", **changes: Any
) -> dict[str, LaneConfig]:
    return {name: attrs.evolve(LANES[name], quiet_hours=QuietHours(start=start, end=end, zone=zone), **changes)}


def at(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


EVENING, MORNING = at("2027-01-15T21:00"), at("2027-01-15T21:30")
BOTH = pytest.mark.parametrize("zone", ["recipient", "Europe/London"])


def jump_to(clock: MockClock, moment: float) -> None:
    clock.jump(moment - now())


async def wait_until(moment: float) -> None:
    await trio.sleep(moment - now())


def arrivals(it: World) -> list[float]:
    return sorted(entry.accepted_at for entry in it.smsc["north"].ledger)


def within(times: Iterable[float], start: float, end: float) -> list[float]:
    return [time for time in times if start <= time < end]


def most_in_a_second(times: Sequence[float]) -> int:
    return max(len(within(times, time, time + 1 - 1e-6)) for time in times)


def paced(lane: Mapping[str, LaneConfig], **bind: Any) -> Config:
    """Return the settings of a carrier that takes no more than its rate."""
    return config(carrier_config(rate_per_s=RATE_PER_S, bind=bind), lane=lane)


def strict(it: World) -> None:
    """Let the carrier refuse what comes faster than its rate."""
    it.play(Scenario(limits=Limits(rate=Rate(per_second=RATE_PER_S, burst=RATE_PER_S))))


async def begin(it: World, clock: MockClock, moment: float) -> None:
    jump_to(clock, moment)
    await it.start()
    await it.bound()


# --- accepted at night ----------------------------------------------------------------------------------------------


@BOTH
async def test_what_comes_at_night_leaves_in_the_morning_at_the_carriers_pace(
    autojump_clock: MockClock, zone: str
) -> None:
    async with world(paced(quiet(zone=zone))) as it:
        strict(it)
        await begin(it, autojump_clock, EVENING + 600)
        ids = await it.send(200)
        assert await it.statuses(ids) == {Status.SCHEDULED: 200}
        await it.send(3, lane="otp", first=500)
        await it.counted(Status.DELIVERED, 3, within_s=5)
        await it.counted(Status.DELIVERED, 203, within_s=2_000)
        came = within(arrivals(it), EVENING + 700, now())
        assert MORNING <= came[0] < MORNING + 1
        assert most_in_a_second(came) <= RATE_PER_S
        assert it.connector.carriers["north"].statistics().throttled == 0


async def test_the_night_of_a_number_in_many_zones_is_the_longest(autojump_clock: MockClock) -> None:
    """The morning of Honolulu comes in the evening of London."""
    async with world(config(lane=quiet("21:00", "08:00"))) as it:
        await begin(it, autojump_clock, at("2027-01-15T17:59:50"))
        request = SendRequest(to=HAWAII, text="hello", lane="promotional")
        await it.connector.send([request])
        await it.send(1)
        await wait_until(at("2027-01-15T17:59:59.9"))
        assert it.arrivals() == ["447911100000"]
        await it.counted(Status.DELIVERED, 2, within_s=5)
        assert at("2027-01-15T18:00") <= arrivals(it)[1] < at("2027-01-15T18:00:01")


@pytest.mark.parametrize(("day", "morning"), [("03-27", "03-28T07:00"), ("10-30", "10-31T08:00")])
async def test_the_morning_comes_by_the_wall_after_the_clocks_were_changed(
    autojump_clock: MockClock, day: str, morning: str
) -> None:
    async with world(config(lane=quiet("22:00", "08:00"))) as it:
        await begin(it, autojump_clock, at(f"2027-{day}T22:30"))
        [message] = await it.send(1)
        await it.kill()
        await begin(it, autojump_clock, at(f"2027-{morning}") - 10)
        await it.counted(Status.DELIVERED, 1, within_s=20)
        assert at(f"2027-{morning}") <= arrivals(it)[0] < at(f"2027-{morning}") + 1
        view = await it.message(message)
        assert [entry.event for entry in view.timeline] == ["scheduled", "due", "claimed", "acknowledged", "delivered"]


# --- waiting when the night begins ----------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("text", ["hello", LONG])
async def test_what_still_waits_in_the_evening_is_held_until_the_morning(
    autojump_clock: MockClock, zone: str, text: str
) -> None:
    async with world(paced(quiet(zone=zone))) as it:
        strict(it)
        await begin(it, autojump_clock, EVENING - 5)
        await it.send(200, text=text)
        await wait_until(MORNING - 1)
        came = arrivals(it)
        assert 0 < len(came) < 200
        assert within(came, EVENING + AHEAD_S, MORNING) == []
        await it.counted(Status.DELIVERED, 200, within_s=1_000)
        assert most_in_a_second(within(arrivals(it), MORNING, now())) <= RATE_PER_S
        assert it.connector.carriers["north"].statistics().throttled == 0


async def test_what_is_held_tells_why(autojump_clock: MockClock) -> None:
    async with world(paced(quiet())) as it:
        await begin(it, autojump_clock, EVENING - 1)
        ids = await it.send(60)
        await wait_until(EVENING + 10)
        held = [message for message in ids if (await it.message(message)).status is Status.SCHEDULED]
        assert held
        for message in held:
            timeline = (await it.message(message)).timeline
            assert (timeline[-1].event, timeline[-1].detail) == ("postponed", "quiet_hours")
            turned_back = [entry.detail for entry in timeline if entry.event == "not_written"]
            assert turned_back in ([], ["quiet_hours"]), "what had been claimed for the next second stays here"


@BOTH
async def test_parts_that_wait_for_the_carrier_of_their_siblings_are_held_too(
    autojump_clock: MockClock, zone: str
) -> None:
    """The slower carrier has a backlog of parts that only it may take when the night begins."""
    carriers = [carrier_config("north", rate_per_s=2), carrier_config("south", rate_per_s=10)]
    async with world(config(*carriers, lane=quiet(zone=zone))) as it:
        await begin(it, autojump_clock, EVENING - 20)
        ids = await it.send(150, text=LONG)
        await wait_until(MORNING - 1)
        came = [entry.accepted_at for host in ("north", "south") for entry in it.smsc[host].ledger]
        assert 0 < len(came) < 300
        assert within(came, EVENING + AHEAD_S, MORNING) == []
        await it.counted(Status.DELIVERED, len(ids), within_s=1_000)


@BOTH
async def test_a_deadline_in_the_night_is_kept_and_nothing_is_looked_at_again_and_again(
    autojump_clock: MockClock, zone: str
) -> None:
    async with world(paced(quiet(zone=zone))) as it:
        await begin(it, autojump_clock, EVENING - 1)
        ids = await it.send(100, deadline=EVENING + 300)
        await wait_until(EVENING + 310)
        came = len(arrivals(it))
        assert within(arrivals(it), EVENING + AHEAD_S, now()) == []
        await it.counted(Status.EXPIRED, 100 - came, within_s=5)
        lines = [len((await it.message(message)).timeline) for message in ids]
        assert max(lines) <= 6, "two more than four where it had been claimed for the next second"


async def test_a_night_for_some_holds_nobody_elses_messages(autojump_clock: MockClock) -> None:
    """In Moscow the hours begin three hours before London's."""
    async with world(paced(quiet("21:00", "21:30"))) as it:
        await begin(it, autojump_clock, EVENING - 3 * 3_600 - 1)
        russian = [SendRequest(to=f"+7495{number:07}", text="hello", lane="promotional") for number in range(300)]
        assert all(verdict.accepted for verdict in await it.connector.send(russian))
        await it.send(100)
        await trio.sleep(30)
        held = len(await it.all_of(Status.SCHEDULED))
        assert held > 200
        assert sum(to.startswith("44") for to in it.arrivals()) == 100
        assert sum(to.startswith("7") for to in it.arrivals()) == 300 - held


@BOTH
async def test_what_is_in_doubt_is_not_sent_again_at_night(autojump_clock: MockClock, zone: str) -> None:
    lane = quiet(zone=zone, on_doubt="resend", resend_after_s=30.0)
    async with world(paced(lane, response_timeout_s=5.0)) as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=7_200.0))))
        await begin(it, autojump_clock, EVENING - 20)
        [message] = await it.send(1)
        await wait_until(MORNING - 1)
        assert len(arrivals(it)) == 1
        assert (await it.message(message)).status is Status.IN_DOUBT
        await wait_until(MORNING + 60)
        assert len(arrivals(it)) == 2


# --- restarts and reloads -------------------------------------------------------------------------------------------


@BOTH
async def test_a_restart_in_the_night_sends_nothing_before_the_morning(autojump_clock: MockClock, zone: str) -> None:
    async with world(paced(quiet(zone=zone))) as it:
        await begin(it, autojump_clock, EVENING - 1)
        await it.send(100)
        await it.kill()
        await begin(it, autojump_clock, EVENING + 60)
        before = len(arrivals(it))
        await it.send(10, first=500)
        await wait_until(MORNING - 1)
        assert len(arrivals(it)) == before
        await wait_until(MORNING + 30)
        assert len(set(it.arrivals())) == 110 - len(await it.all_of(Status.IN_DOUBT))


async def test_a_reload_that_ends_the_hours_frees_what_waits(autojump_clock: MockClock) -> None:
    async with world(paced(quiet(zone="Europe/London"))) as it:
        await begin(it, autojump_clock, EVENING - 1)
        await it.send(100)
        await wait_until(EVENING + 60)
        assert len(arrivals(it)) < 100
        await it.reload(paced({}))
        await it.counted(Status.DELIVERED, 100, within_s=30)
        assert now() < MORNING


@BOTH
async def test_a_reload_that_begins_the_hours_holds_what_waits(autojump_clock: MockClock, zone: str) -> None:
    async with world(paced({})) as it:
        await begin(it, autojump_clock, EVENING + 60)
        await it.send(100)
        await trio.sleep(1)
        await it.reload(paced(quiet(zone=zone)))
        reloaded = now()
        await wait_until(MORNING - 1)
        assert 0 < len(arrivals(it)) < 100
        assert within(arrivals(it), reloaded + AHEAD_S, MORNING) == []
        await it.counted(Status.DELIVERED, 100, within_s=60)


# --- a clock that is set --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("set_by_s", [3_600.0, -3_600.0])
async def test_setting_the_wall_clock_sends_nothing_early_and_nothing_in_a_burst(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, set_by_s: float
) -> None:
    wrong_by_s = 0.0
    async with world(paced({})) as it:
        strict(it)
        clock = steady_wall_clock(lambda: EPOCH_S + trio.current_time() + wrong_by_s, trio.current_time)
        monkeypatch.setattr(worlds, "now", clock)
        await it.start()
        await it.bound()
        began = now()
        for minute in range(1, 6):
            await it.send(10, first=10 * minute, send_at=began + 60 * minute)
        await trio.sleep(90)
        wrong_by_s = set_by_s
        await it.counted(Status.DELIVERED, 50, within_s=400)
        for minute in range(1, 6):
            assert len(within(arrivals(it), began + 60 * minute, began + 60 * minute + 2)) == 10
