"""How many messages a second does one bind carry, and what does one cost?

The whole way of the carrier room is measured: translate, session, window, outcomes, one TCP link; no store.  The peer
is a C sink on the other core (or the simulator), so that what is measured is us.
"""

import json
import random
import resource
import time
from collections.abc import Sequence

import click
import trio

from connector.carrier.carrier import Carrier
from connector.carrier.inbox import Batch
from connector.carrier.link import connect_tcp
from connector.config import BindConfig, CarrierConfig, Credentials, LaneConfig
from connector.lifecycle import Event
from connector.model import Answer, Part, Receipt
from perf.peers import PEERS

WARM_UP_S = 0.5


class _Feeder:
    """Keeps the window full: an inbox that answers every credit with as many parts."""

    def __init__(self) -> None:
        self.carrier: Carrier | None = None
        self.answered = 0
        self.receipts = 0
        self.refused = 0
        self._next = 0

    def put(self, batch: Batch) -> None:
        for result in batch.results:
            if isinstance(result, Answer):
                self.answered += 1
                self.refused += result.event is not Event.ACKNOWLEDGED
            elif isinstance(result, Receipt):
                self.receipts += 1
        if batch.responses:
            batch.respond(batch.responses)

    def credit_changed(self) -> None:
        carrier = self.carrier
        if carrier is None:
            return
        now = trio.current_time()
        credit = carrier.credit(now)
        if credit:
            parts = self._parts(credit)
            carrier.reserve(parts)
            carrier.submit(parts)

    def _parts(self, count: int) -> Sequence[Part]:
        first, self._next = self._next, self._next + count
        deadline = trio.current_time() + 120
        return [
            Part(
                id=number << 8,
                number=1,
                total=1,
                queue=1,
                lane="otp",
                to=f"4479111{number % 100_000:05}",
                sender="Carrierline",
                text="Your code is 482913. It is good for five minutes; do not pass it on to anybody.",
                alphabet="gsm",
                reference=0,
                deadline=deadline,
                attempt=1,
            )
            for number in range(first, first + count)
        ]


async def _measure(port: int, window: int, seconds: float) -> dict[str, float]:
    feeder = _Feeder()
    config = CarrierConfig(
        name="measured",
        bind=(BindConfig(host="127.0.0.1", port=port, system_id="perf", window_size=window, max_unanswered=100_000),),
    )
    carrier = Carrier(
        config,
        {"otp": LaneConfig()},
        feeder,
        credentials=[Credentials()],
        connect=connect_tcp,
        clock=trio.current_time,
        random=random.Random(1),
    )
    feeder.carrier = carrier
    async with trio.open_nursery() as nursery:
        nursery.start_soon(carrier.run)
        await trio.sleep(WARM_UP_S)
        began, cpu, answered, receipts = time.perf_counter(), _cpu(), feeder.answered, feeder.receipts
        await trio.sleep(seconds)
        spent, used = time.perf_counter() - began, _cpu() - cpu
        answered, receipts = feeder.answered - answered, feeder.receipts - receipts
        nursery.cancel_scope.cancel()
    return {
        "messages": answered,
        "receipts": receipts,
        "refused": feeder.refused,
        "seconds": round(spent, 3),
        "messages_per_second": round(answered / spent),
        "cpu_us_per_message": round(used / max(1, answered) * 1e6, 2),
    }


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@click.command()
@click.option("--window", default=50, show_default=True)
@click.option("--seconds", default=5.0, show_default=True)
@click.option("--receipts", is_flag=True, help="One receipt a message comes back and is parsed and answered.")
@click.option("--peer", type=click.Choice(list(PEERS)), default="sink", show_default=True)
def main(window: int, seconds: float, receipts: bool, peer: str) -> None:
    """Measure one bind against a peer in another process."""
    with PEERS[peer](receipts=receipts) as port:
        found = trio.run(_measure, port, window, seconds)
    print(json.dumps({"question": "session", "peer": peer, "window": window, "with_receipts": receipts, **found}))


if __name__ == "__main__":
    main()
