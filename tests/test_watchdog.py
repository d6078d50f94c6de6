"""A loop that stands still is told once, with the place; these tests really block it."""

import logging
import threading
import time

import pytest
import trio

from connector.watchdog import LOOK_S, Watchdog


def blocked_here(seconds: float) -> None:
    time.sleep(seconds)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


async def test_a_stall_is_logged_once_with_its_stack_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    async with trio.open_nursery() as nursery:
        watchdog = Watchdog(stall_s=0.2)
        await nursery.start(watchdog.run)
        await trio.sleep(0.05)
        blocked_here(1.0)
        await trio.sleep(4 * LOOK_S)
        nursery.cancel_scope.cancel()
    stalls = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(stalls) == watchdog.stalls == 1
    text = stalls[0].getMessage()
    assert text.startswith("the event loop has stood still for 0.2 s; it is at\n")
    assert "blocked_here" in text.splitlines()[-2]
    assert "time.sleep(seconds)" in text.splitlines()[-1]
    (over,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert over.startswith("the event loop goes on, after about ")


async def test_every_stall_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with trio.open_nursery() as nursery:
        watchdog = Watchdog(stall_s=0.2)
        await nursery.start(watchdog.run)
        for _ in range(2):
            await trio.sleep(4 * LOOK_S)
            blocked_here(0.8)
        await trio.sleep(4 * LOOK_S)
        nursery.cancel_scope.cancel()
    assert watchdog.stalls == 2


async def test_a_loop_that_goes_round_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with trio.open_nursery() as nursery:
        watchdog = Watchdog(stall_s=5.0)
        await nursery.start(watchdog.run)
        await trio.sleep(0.5)
        nursery.cancel_scope.cancel()
    assert watchdog.stalls == 0
    assert caplog.records == []


async def test_its_thread_ends_with_the_run() -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(Watchdog().run)
        assert "watchdog" in threads()
        nursery.cancel_scope.cancel()
    assert "watchdog" not in threads()


async def test_its_thread_ends_when_something_else_fails() -> None:
    with pytest.RaisesGroup(OSError):
        async with trio.open_nursery() as nursery:
            await nursery.start(Watchdog().run)
            raise OSError("something else")
    assert "watchdog" not in threads()
