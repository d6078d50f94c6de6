"""A carrier with room for what waits, and lanes that may not send it: whoever asks is told so."""

from trio.testing import MockClock

from connector.pipeline.door import QueueStatistics
from connector.pipeline.limited import Cause
from tests.pipeline.test_quiet_hours import EVENING, MORNING, jump_to, quiet, wait_until
from tests.pipeline.test_world import lane
from tests.pipeline.world import World, carrier_config, config, world


def promotional(it: World) -> QueueStatistics:
    (found,) = [each for each in it.connector.statistics().queues if each.lane == "promotional"]
    return found


async def test_a_lane_at_its_ceiling_is_what_limits_the_carrier(autojump_clock: MockClock) -> None:
    async with world(config(lane=lane("promotional", max_rate_per_s=20.0))) as it:
        it.look_every_s = 0.1
        await it.start()
        await it.bound()
        await it.send(500)
        await it.until(lambda: it.connector.statistics().outlooks["north"].limited_by.cause is Cause.LANE_CEILING)
        seen = promotional(it)
        assert (seen.max_rate_per_s, seen.quiet) == (20.0, False)
        await it.until(lambda: promotional(it).ceiling_reached)
        await it.until(lambda: not promotional(it).waiting)
        await it.until(lambda: it.connector.statistics().outlooks["north"].limited_by.cause is Cause.NOTHING_WAITING)


async def test_a_lane_in_its_quiet_hours_is_what_limits_the_carrier(autojump_clock: MockClock) -> None:
    lanes = quiet(zone="Europe/London", deadline_s=7_200.0)
    async with world(config(carrier_config(rate_per_s=20), lane=lanes)) as it:
        jump_to(autojump_clock, EVENING - 10)
        it.look_every_s = 0.1
        await it.start()
        await it.bound()
        await it.send(500)
        assert not promotional(it).quiet
        await wait_until(EVENING + 15)
        assert promotional(it).quiet
        assert promotional(it).waiting > 200
        assert it.connector.statistics().outlooks["north"].limited_by.cause is Cause.QUIET_HOURS
        await wait_until(MORNING + 15)
        assert not promotional(it).quiet
        assert it.connector.statistics().outlooks["north"].limited_by.cause is Cause.RATE
        await it.until(lambda: not promotional(it).waiting)


async def test_without_a_ceiling_none_is_reached(autojump_clock: MockClock) -> None:
    async with world() as it:
        await it.start()
        assert promotional(it) == QueueStatistics("promotional", 0)
