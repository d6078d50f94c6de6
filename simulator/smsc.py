"""The SMSC: a carrier that listens."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import trio

from connector.smpp.pdu import DeliverSm
from simulator.carrier import Carrier
from simulator.intake import Judge
from simulator.ledger import Ledger
from simulator.mo import subscriber_message
from simulator.peer import Peer
from simulator.receipts import Delivery
from simulator.record import Sink, Trace, TracedStream
from simulator.scenario import Rate, Scenario
from simulator.statistics import Statistics


class Smsc:
    """A simulated carrier that plays a scenario.

    ``await nursery.start(smsc.run)`` returns when it listens, ``smsc.port`` says where; cancelling ends it.
    ``clock`` gives the time of day in seconds since the epoch.  ``keep`` bounds the ledger's entries in memory (None:
    all, 0: only counts) and ``record`` names a file for its lines, written before each answer leaves.  ``trace`` are
    functions that are told of every PDU that crosses a link.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        *,
        clock: Callable[[], float] = time.time,
        keep: int | None = None,
        record: str | Path | None = None,
        trace: Sequence[Sink] = (),
    ) -> None:
        self.scenario = scenario or Scenario()
        self.ledger = Ledger(keep=keep, record=None if record is None else Path(record))
        self.port = 0
        """The port it listens on; 0 before it does."""
        self._trace = Trace(clock, *trace) if trace else None
        self._carrier = Carrier(self.scenario, self.ledger, clock, self._trace)
        self._peers: set[Peer] = set()
        self._watchers = trio.lowlevel.ParkingLot()

    def __repr__(self) -> str:
        numbers = self.statistics()
        return f"<Smsc [{self.scenario.name}: {numbers.binds} binds, {numbers.accepted} accepted]>"

    async def run(self, *, task_status: trio.TaskStatus["Smsc"] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen and serve until cancelled; OSError when the address cannot be had."""
        listen = self.scenario.listen
        listeners = await trio.open_tcp_listeners(listen.port, host=listen.host)
        self.port = listeners[0].socket.getsockname()[1]
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.serve_listeners, self.serve_stream, listeners)
                task_status.started(self)
        finally:
            self.ledger.close()

    async def serve_stream(self, stream: trio.abc.Stream) -> None:
        """Serve one link until it ends; a link that breaks harms nobody else."""
        carrier = self._carrier
        carrier.start(trio.current_time())
        carrier.counts.links += 1
        number, trace = carrier.counts.links, self._trace
        if trace is not None:
            stream = TracedStream(stream, trace, number)
            trace.began(number)
        peer = Peer(carrier, stream, self._tell_watchers, number)
        self._peers.add(peer)
        try:
            await peer.run()
        finally:
            self._peers.discard(peer)
            if trace is not None:
                trace.ended(number, peer.end)

    def set_rate(self, rate: Rate | None) -> None:
        """Let another rate pass from now on, or any; the scenario's was the first."""
        self._carrier.intake.set_rate(rate)

    def change(self, scenario: Scenario) -> None:
        """Behave as another scenario says from now on: all but where it listens, and what its seed has drawn already.

        Accounts and versions count for binds still to come; rules that stay go on counting.
        """
        self.scenario = scenario
        self._carrier.change(scenario)

    def set_judge(self, judge: Judge | None) -> None:
        """Let this one say from now on with which command_status each message is refused; 0 lets it pass."""
        self._carrier.intake.set_judge(judge)

    def _tell_watchers(self) -> None:
        self._watchers.unpark_all()

    def statistics(self) -> Statistics:
        """Return the numbers of this moment."""
        return self._carrier.statistics(sum(peer.in_flight for peer in self._peers))

    async def wait_until(self, condition: Callable[[Statistics], bool]) -> Statistics:
        """Return the numbers as soon as they fulfil the condition."""
        while not condition(numbers := self.statistics()):
            await self._watchers.park()
        return numbers

    def deliver(self, source: str, destination: str, text: str, *, account: str | None = None) -> None:
        """Send a subscriber's message to an account, the first one if none is named.

        Raises LookupError when there is no such account, and EncodeError when an address does not fit.
        """
        self.deliver_sm([subscriber_message(source, destination, text)], account=account)

    def deliver_sm(self, pdus: Iterable[DeliverSm], *, account: str | None = None) -> None:
        """Send these to an account in this order, the first one if none is named.

        Raises LookupError when there is no such account.
        """
        accounts = self._carrier.accounts
        name = account if account is not None else next(iter(accounts), "")
        if name not in accounts:
            raise LookupError(f"no account {name!r} has been bound")
        for pdu in pdus:
            accounts[name].put(Delivery(None, mo=pdu), trio.current_time())

    def drop_links(self) -> int:
        """Cut every link without a word, as a broken network does, and return how many there were."""
        peers = list(self._peers)
        for peer in peers:
            peer.stop("dropped")
        return len(peers)
