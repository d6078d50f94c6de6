"""A connector that starts on a backup sends nothing a second time unasked, and says loudly what it runs on."""

import logging

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.config import LANES
from connector.lifecycle import Status
from connector.store.restored import BACKUP
from tests.pipeline.world import EPOCH_S, World, config, world


def _from_a_backup(it: World) -> None:
    """Mark the store as `connector.store.backup` does with its copies."""
    it.engine.begin()
    it.engine._rows.counters.set(BACKUP, int(EPOCH_S))
    it.engine.commit()


async def test_what_waits_in_a_backup_is_not_sent_and_an_operator_hears_of_it(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with world() as it:
        it.cut()
        await it.start()
        await it.send(3)
        await it.send(2, first=10, send_at=EPOCH_S + 50_000)
        await it.kill()
        _from_a_backup(it)
        it.down.clear()
        caplog.set_level(logging.ERROR)
        await it.start()
        await it.bound()
        await it.send(1, first=20)
        await trio.sleep(600.0)
        assert it.arrivals() == ["447911100020"]
        assert len(await it.all_of(Status.IN_DOUBT)) == 3
        assert "THIS STORE IS A BACKUP" in caplog.text
        await it.counted(Status.DELIVERED, 3, within_s=100_000)  # the two that had their time before them


async def test_a_lane_that_sends_again_does_so_from_a_backup(autojump_clock: MockClock) -> None:
    lane = {"promotional": attrs.evolve(LANES["promotional"], on_doubt="resend", resend_after_s=30.0)}
    async with world(config(lane=lane)) as it:
        it.cut()
        await it.start()
        await it.send(3)
        await it.kill()
        _from_a_backup(it)
        it.down.clear()
        await it.start()
        await it.counted(Status.DELIVERED, 3)


async def test_the_second_start_is_an_ordinary_one(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with world() as it:
        it.cut()
        _from_a_backup(it)
        await it.start()
        await it.send(1)
        await it.kill()
        caplog.clear()
        it.down.clear()
        await it.start()
        await it.counted(Status.DELIVERED, 1)
        assert "THIS STORE IS A BACKUP" not in caplog.text
