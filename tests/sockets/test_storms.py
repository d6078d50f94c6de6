"""Two hundred binds over TCP, and a carrier that goes away and comes back: attempts are counted at its side."""

from bisect import bisect_left
from collections.abc import Sequence

import attrs
import pytest
import trio
from trio.testing import MockClock

from simulator import Smsc
from tests.carrier.links import now
from tests.sockets.tcp import TcpWorld, bind, connector

BINDS = 200
PER_MINUTE = 250
MOST_A_SECOND = 10
"""Twice the pace at which the binds of a carrier are first opened: more at once is what carriers ban."""


@attrs.define
class Carrier:
    """A simulated carrier that may stop and start on one port, and the moments of all attempts to bind."""

    smsc: Smsc = attrs.field(factory=lambda: Smsc(clock=now))
    port: int = 0
    attempts: list[float] = attrs.field(factory=list)

    async def run(self, *, task_status: "trio.TaskStatus[trio.CancelScope]") -> None:
        """Listen and serve until the scope is cancelled, which ends every link."""
        with trio.CancelScope() as scope:
            listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1", backlog=BINDS)
            self.port = listeners[0].socket.getsockname()[1]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.serve_listeners, self._serve, listeners)
                task_status.started(scope)

    async def _serve(self, stream: trio.SocketStream) -> None:
        self.attempts.append(trio.current_time())
        await self.smsc.serve_stream(stream)


def most_in(moments: Sequence[float], span_s: float) -> int:
    """Return the most moments that any window of so many seconds holds."""
    return max(bisect_left(moments, moment + span_s) - index for index, moment in enumerate(moments))


async def all_bound(world: TcpWorld) -> None:
    await world.until(lambda: world.carrier.statistics().bound == BINDS)


@pytest.fixture
def hasty_clock() -> MockClock:
    """A clock that jumps at once: hundreds of timers are due in each second."""
    return MockClock(autojump_threshold=0.0002)


async def attempts_of_a_restart(away_s: float) -> list[float]:
    """Let all bind, the carrier go away for so long, and all bind again; return when they tried."""
    carrier = Carrier()
    async with trio.open_nursery() as nursery:
        life = await nursery.start(carrier.run)
        binds = [bind(carrier.port, count=100), bind(carrier.port, count=100)]
        async with connector(*binds, binds_per_minute=PER_MINUTE) as world:
            await all_bound(world)
            life.cancel()
            await world.until(lambda: not world.carrier.statistics().bound)
            await trio.sleep(away_s)
            life = await nursery.start(carrier.run)
            await all_bound(world)
        nursery.cancel_scope.cancel()
    assert carrier.smsc.statistics().bind_attempts == len(carrier.attempts) == 2 * BINDS
    return carrier.attempts


@pytest.mark.slow
@pytest.mark.parametrize("away_s", [0.1, 30.0])
async def test_two_hundred_binds_come_back_to_a_carrier_that_was_away_without_a_storm(
    hasty_clock: MockClock, away_s: float
) -> None:
    attempts = await attempts_of_a_restart(away_s)
    assert most_in(attempts, 60) <= PER_MINUTE
    assert most_in(attempts, 1) <= MOST_A_SECOND
