"""A new carrier gets more in stages, and no more once something is wrong."""

import logging

import pytest
from trio.testing import MockClock

from connector.carrier.ramp import Ramp
from connector.config.carrier import RampLimits, RampStage
from connector.smpp import tables
from connector.smpp.pdu import SubmitSm
from tests.carrier.links import parts, scene

STAGES = (RampStage(rate=5, for_s=3_600.0), RampStage(rate=50, for_s=3_600.0))


def ramp(**limits: float) -> Ramp:
    return Ramp(STAGES, RampLimits(samples=10, **limits))  # type: ignore[arg-type]


def test_the_rate_rises_when_a_stage_is_over_and_is_whole_after_the_last() -> None:
    it = ramp()
    assert it.rate_per_s == 5
    assert not it.left(0.0)
    assert not it.left(3_599.0)
    assert it.left(3_600.0)
    assert it.rate_per_s == 50
    assert it.left(7_200.0)
    assert it.rate_per_s is None
    assert it.over


def test_a_silent_hour_proves_nothing() -> None:
    it = ramp()
    it.left(100_000.0)
    assert it.stage == 0


def test_too_many_refusals_halt_it_until_somebody_has_looked() -> None:
    it = ramp(refused=0.2)
    it.left(0.0)
    assert [it.answered(refused=number < 3) for number in range(10)] == [False] * 9 + [True]
    assert it.halted == "3 of 10 were refused, more than 20%"
    assert not it.left(4_000.0)
    it.resume()
    assert it.left(4_001.0)


def test_too_many_bad_receipts_halt_it_too() -> None:
    it = ramp(undelivered=0.5)
    assert any(it.received(undelivered=True) for _ in range(10))
    assert "not delivered" in it.halted


def test_few_samples_are_not_judged_and_good_ones_halt_nothing() -> None:
    it = ramp()
    assert not any(it.answered(refused=True) for _ in range(9))
    it.resume()
    assert not any(it.answered(refused=False) for _ in range(1_000))


def test_it_goes_on_after_a_restart_where_it_was() -> None:
    it, again = ramp(), ramp()
    assert it.memory == ""
    it.left(0.0)
    it.left(3_600.0)
    again.recall(it.memory)
    assert again.rate_per_s == 50
    assert not again.left(7_100.0)
    assert again.left(7_200.0)
    shorter = Ramp(STAGES[:1], RampLimits())
    shorter.recall(again.memory)
    assert shorter.over


async def test_a_carrier_in_its_first_stage_sends_no_more_than_that_and_halts_with_an_alarm(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene(rate_per_s=100, ramp=STAGES, ramp_limits=RampLimits(samples=3)) as it:
        smsc = await it.network.bound()
        await it.until(lambda: it.carrier.credit(0.0))
        assert it.carrier.limits.account.rate_per_s(0.0) == 5
        for each in parts(3):
            await it.submit([each])
        with caplog.at_level(logging.ERROR):
            await smsc.answer(await smsc.requested(SubmitSm, 3), tables.ESME_RINVDSTADR)
            await it.until(lambda: it.carrier.statistics().ramp_halted)
        assert "stays at 5/s: 3 of 3 were refused" in caplog.text
        it.carrier.resume()
        assert not it.carrier.statistics().ramp_halted
