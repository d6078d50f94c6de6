"""Nobody sets the connector's clock; that somebody set the machine's is told once."""

import logging

import pytest
import trio
from trio.testing import MockClock

from connector.clock import ClockWatch, since_boot, steady_wall_clock

NOON = 1_800_014_400.0


class Machine:
    """Its clocks: what the wall shows, seconds since it was started, and those its tasks were awake for."""

    def __init__(self) -> None:
        self.wall, self.steady, self.awake = NOON, 1_000.0, 900.0
        self.told: list[tuple[str, float]] = []
        self.wakes = 0
        self.clock = steady_wall_clock(lambda: self.wall, lambda: self.steady)
        self.watch = ClockWatch(self.clock, self.tell, self.wake, wall=lambda: self.wall, slept_by=lambda: self.awake)
        self.watch.look()

    def tell(self, text: str, at: float) -> None:
        self.told.append((text, at))

    def wake(self) -> None:
        self.wakes += 1

    def passes(self, seconds: float) -> None:
        self.awake += seconds
        self.sleeps(seconds)

    def sleeps(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.mark.parametrize("set_by_s", [3_600.0, -3_600.0])
def test_a_wall_clock_that_is_set_moves_nothing(set_by_s: float) -> None:
    machine = Machine()
    machine.passes(10)
    machine.wall += set_by_s
    machine.passes(10)
    assert machine.clock() == NOON + 20


@pytest.mark.parametrize(("set_by_s", "shown"), [(3_600.0, "13:00:10"), (-3_600.0, "11:00:10")])
def test_a_wall_clock_that_is_set_is_told_once(set_by_s: float, shown: str) -> None:
    machine = Machine()
    machine.passes(10)
    machine.wall += set_by_s
    for _ in range(3):
        machine.watch.look()
        machine.passes(1)
    [(text, at)] = machine.told
    assert f"2027-01-15 {shown} UTC" in text
    assert "2027-01-15 12:00:10 UTC" in text
    assert "until a restart" in text
    assert at == NOON + 10


def test_that_it_was_set_back_is_told_too() -> None:
    machine = Machine()
    for seconds in (3_600.0, -3_600.0):
        machine.wall += seconds
        machine.watch.look()
    assert [text.split(":")[0] for text, _ in machine.told] == [
        "the wall clock was set",
        "the wall clock shows the steady clock's time again",
    ]


def test_a_leap_second_is_not_told() -> None:
    machine = Machine()
    machine.wall -= 1
    machine.watch.look()
    assert machine.told == []


def test_a_clock_that_drifts_is_told_at_each_two_seconds_only() -> None:
    machine = Machine()
    for _ in range(100):
        machine.wall += 0.05
        machine.watch.look()
    assert len(machine.told) == 2


def test_after_a_suspension_the_time_has_passed_and_sleepers_are_woken(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.passes(1)
    machine.watch.look()
    machine.sleeps(8 * 3_600)
    with caplog.at_level(logging.WARNING, "carrierline.clock"):
        for _ in range(3):
            machine.passes(1)
            machine.watch.look()
    assert machine.clock() == NOON + 8 * 3_600 + 4
    assert machine.told == []
    assert machine.wakes == 1
    assert [record.message for record in caplog.records] == ["the machine was suspended for 28800 s"]


async def test_it_looks_once_a_second(autojump_clock: MockClock) -> None:
    machine = Machine()
    async with trio.open_nursery() as nursery:
        await nursery.start(machine.watch.run)
        machine.wall += 3_600
        await trio.sleep(0.5)
        assert machine.told == []
        await trio.sleep(0.6)
        assert len(machine.told) == 1
        nursery.cancel_scope.cancel()


def test_seconds_since_boot_go_forward() -> None:
    first = since_boot()
    assert since_boot() >= first > 0
