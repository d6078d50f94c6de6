"""No log line, at any level, and no metric holds a number, a text or a secret."""

import logging

import pytest
from trio.testing import MockClock

from connector.lifecycle import Status
from connector.metrics import render
from tests.pipeline.world import World, config, world

TEXT = "your secret word is rhubarb"


async def _story(it: World) -> None:
    await it.start()
    await it.bound()
    await it.send(5, lane="otp", text=TEXT)
    await it.send(5, lane="promotional", text=TEXT * 9, first=10)
    it.cut()
    await it.send(3, text=TEXT, first=20)
    it.down.clear()
    await it.counted(Status.DELIVERED, 13, within_s=100_000)


async def test_neither_logs_nor_metrics_hold_a_number_or_a_text(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with world(config()) as it:
        await _story(it)
        privacy = it.connector.queries.privacy
        await privacy.export("447911100001")
        assert (await privacy.erase("447911100001")).messages == 1
        metrics = render(it.connector.statistics(), await it.connector.queries.ledger(), tuple(Status))
    said = caplog.text + metrics.decode() if isinstance(metrics, bytes) else caplog.text + str(metrics)
    assert "carrierline" in said
    assert not [needle for needle in ("4479111", "7911100", "rhubarb") if needle in said]
