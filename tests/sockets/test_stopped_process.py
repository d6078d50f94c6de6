"""A carrier whose process stands still: its kernel acknowledges every octet, and nobody reads them."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from trio.testing import MockClock

from connector.lifecycle import Status
from tests.sockets.tcp import bind, connector
from tests.stories.processes import ENVIRON, CarrierLedger

WINDOW = 50


@attrs.frozen
class Simulator:
    """The simulator as a process, and the book it keeps on disk."""

    process: "subprocess.Popen[str]"
    port: int
    record: Path

    def stand_still(self) -> None:
        """Stop; return when it did."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    """A simulator that listens; started by waiting in real time, since the test's own clock jumps."""
    record = tmp_path / "ledger.jsonl"
    command = [sys.executable, "-m", "cli", "simulate", "--smpp", "127.0.0.1:0", "--record", str(record)]
    with subprocess.Popen(
        command, env=ENVIRON, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None
        yield Simulator(process, int(process.stderr.readline().rsplit(":", 1)[1]), record)
        process.kill()


@pytest.fixture
def patient_clock() -> MockClock:
    """A clock that jumps when for a moment nothing happened: another process needs time to answer."""
    return MockClock(autojump_threshold=0.03)


@pytest.mark.slow
async def test_a_carrier_that_stands_still_is_left_in_doubt_and_gets_nothing_twice_when_it_goes_on(
    simulator: Simulator, patient_clock: MockClock
) -> None:
    async with connector(bind(simulator.port, window_size=WINDOW, enquire_link_s=2.0)) as world:
        await world.until(lambda: world.carrier.statistics().bound)
        simulator.stand_still()
        ids = await world.send(WINDOW + 5)
        await world.counted(Status.IN_DOUBT, WINDOW)
        simulator.go_on()
        await world.until(lambda: world.carrier.statistics().bound)
        await world.counted(Status.DELIVERED, 5)
        statuses = await world.statuses(ids)
        assert statuses[Status.IN_DOUBT] + statuses[Status.DELIVERED] == len(ids)
    taken = Counter(line["destination_addr"] for line in CarrierLedger.read(simulator.record).accepted["hello"])
    assert (len(taken), set(taken.values())) == (len(ids), {1})
