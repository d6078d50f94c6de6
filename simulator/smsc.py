"""The SMSC: a carrier that listens."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import trio

from connector.errors import SmppError
from connector.smpp.codec import encode
from connector.smpp.pdu import DeliverSm
from connector.smpp.pdu import Outbind as OutbindPdu
from simulator.carrier import Carrier
from simulator.director import OUTAGE, Director
from simulator.intake import Judge
from simulator.ledger import Ledger
from simulator.link.peer import Peer
from simulator.link.wire import WireStream
from simulator.mo import Split, subscriber_pdus
from simulator.receipts import Delivery
from simulator.scenario import Outbind, Rate, Scenario
from simulator.scenario.fields import endpoint
from simulator.statistics import Statistics
from simulator.tls import Tls, tls_of
from simulator.trace.record import RESET, Sink, Trace, TracedStream

log = logging.getLogger("carrierline.simulator")

CALL_AGAIN_S: Final = 1.0
"""How long the carrier waits before it calls an ESME again that could not be reached."""
MISTAKE: Final = "mistake"
"""How a link ended on which the carrier would have said what SMPP cannot carry or does not allow."""


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
        self.tls_port = 0
        """The port it listens on for TLS; 0 before it does, and where the scenario has none."""
        self.authority: bytes | None = None
        """Certificate (PEM) that TLS clients have to trust, once it listens, where the carrier signs itself."""
        self._trace = Trace(clock, *trace) if trace else None
        self._carrier = Carrier(self.scenario, self.ledger, clock, self._trace)
        self._director = Director(self._carrier)
        self._watchers = trio.lowlevel.ParkingLot()
        self._long_texts = 0

    def __repr__(self) -> str:
        numbers = self.statistics()
        return f"<Smsc [{self.scenario.name}: {numbers.binds} binds, {numbers.accepted} accepted]>"

    async def run(self, *, task_status: trio.TaskStatus["Smsc"] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen and serve until cancelled, and play what the scenario has by the clock.

        OSError when an address cannot be had, ConfigError when the certificate cannot be used.
        """
        try:
            listeners = await self._listeners()
            async with trio.open_nursery() as nursery:
                self._carrier.start(trio.current_time())
                nursery.start_soon(self._director.attend)
                nursery.start_soon(trio.serve_listeners, self.serve_stream, listeners)
                for outbind in self.scenario.outbind:
                    nursery.start_soon(self._call, outbind)
                task_status.started(self)
        finally:
            self.ledger.close()

    async def _listeners(self) -> list[trio.abc.Listener[trio.abc.Stream]]:
        listen = self.scenario.listen
        tls = None if listen.tls is None else tls_of(listen)
        plain = await trio.open_tcp_listeners(listen.port, host=listen.host)
        self.port = plain[0].socket.getsockname()[1]
        listeners: list[trio.abc.Listener[trio.abc.Stream]] = [*plain]
        if tls is not None:
            listeners += await self._tls_listeners(tls, *endpoint(listen.tls or ""))
        return listeners

    async def _tls_listeners(self, tls: Tls, host: str, port: int) -> list[trio.abc.Listener[trio.abc.Stream]]:
        below = await trio.open_tcp_listeners(port, host=host)
        self.tls_port, self.authority = below[0].socket.getsockname()[1], tls.authority
        return [trio.SSLListener(each, tls.context, https_compatible=True) for each in below]

    async def _call(self, outbind: Outbind) -> None:
        """Connect to an ESME that listens, as soon as it does, say outbind, and serve it (SMPP 3.4, 2.2.1)."""
        await trio.sleep(outbind.at_s)
        stream: trio.abc.Stream | None = None
        while stream is None:
            try:
                stream = await trio.open_tcp_stream(*endpoint(outbind.to))
            except OSError as error:
                log.info("%s was not reached for outbind: %s", outbind.to, error)
                self._carrier.counts.strange["an ESME was not reached for outbind"] += 1
                await trio.sleep(CALL_AGAIN_S)
        await self.serve_stream(stream, outbind)

    async def serve_stream(self, stream: trio.abc.Stream, outbind: Outbind | None = None) -> None:
        """Serve one link until it ends; a link that breaks harms nobody else.

        With ``outbind`` the carrier is who came, and says so first.
        """
        carrier, director, now = self._carrier, self._director, trio.current_time()
        carrier.start(now)
        director.advance(now)
        carrier.counts.links += 1
        if director.cuts_links:
            carrier.counts.ends[OUTAGE] += 1
            await trio.aclose_forcefully(stream)
            return
        number, trace = carrier.counts.links, self._trace
        if trace is not None:
            stream = TracedStream(stream, trace, number)
            trace.began(number)
        wire = WireStream(stream, carrier, number) if carrier.scenario.wire else None
        peer = Peer(carrier, wire or stream, self._tell_watchers, number)
        if wire is not None:
            wire.link = peer
        director.joined(peer, wire, now)
        self._tell_watchers()
        try:
            if outbind is not None:
                peer.say(peer.session.request(_outbind_pdu(outbind), now))
            await self._serve(peer)
        except* SmppError as errors:
            self._mistaken(peer, errors)
            await trio.aclose_forcefully(stream)
        finally:
            director.left(number)
            self._tell_watchers()
            if trace is not None:
                trace.ended(number, peer.end, reset=peer.end == RESET)

    async def _serve(self, peer: Peer) -> None:
        """Serve a link, and see to what its scenario does by the clock: there may be links without `run`."""
        if not self._is_attended:
            await peer.run()
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._director.attend)
            await peer.run()
            nursery.cancel_scope.cancel()

    @property
    def _is_attended(self) -> bool:
        """Whether each link sees to what happens by the clock."""
        return self._director.has_work

    def _mistaken(self, peer: Peer, errors: BaseExceptionGroup[SmppError]) -> None:
        """Count and tell that a link ended by a mistake: the peer itself knows only that it was stopped."""
        ends, counted = self._carrier.counts.ends, peer.end
        peer.stop(MISTAKE)
        ends[counted] -= 1
        ends[peer.end] += 1
        self._carrier.counts.ends = +ends
        for error in _errors_in(errors):
            log.error("link %d was ended by a mistake: %s", peer.number, error)

    def set_rate(self, rate: Rate | None) -> None:
        """Let another rate pass from now on, or any; the scenario's was the first."""
        self._carrier.intake.set_rate(rate)

    def change(self, scenario: Scenario, *, since_s: float | None = None) -> None:
        """Behave as another scenario says from now on: all but where it listens, and what its seed has drawn already.

        Accounts and versions count for binds still to come, rules of the wire for links; rules that stay go on
        counting.  What the timeline sets for a while stays set.  Times count from the start of the carrier: what lies
        behind has been, without effect, and an outage that lasts begins now.  Nothing that is due from ``since_s`` on,
        in seconds since then, lies behind.
        """
        self.scenario = scenario
        self._director.change(scenario, since_s)

    def set_judge(self, judge: Judge | None) -> None:
        """Let this one say from now on with which command_status each message is refused; 0 lets it pass."""
        self._carrier.intake.set_judge(judge)

    def _tell_watchers(self) -> None:
        self._watchers.unpark_all()

    def statistics(self) -> Statistics:
        """Return the numbers of this moment."""
        in_flight = sum(linked.peer.in_flight for linked in self._director.links.values())
        return self._carrier.statistics(in_flight)

    async def wait_until(self, condition: Callable[[Statistics], bool]) -> Statistics:
        """Return the numbers as soon as they fulfil the condition."""
        while not condition(numbers := self.statistics()):
            await self._watchers.park()
        return numbers

    @property
    def running_s(self) -> float:
        """Time since the start of the carrier, in seconds; 0 before it."""
        return self._director.now_s

    @property
    def link_numbers(self) -> set[int]:
        """Numbers of the links that are up, from 1."""
        return set(self._director.links)

    @property
    def open_links(self) -> int:
        """How many links are up."""
        return len(self._director.links)

    def deliver(
        self, source: str, destination: str, text: str, *, account: str | None = None, split: Split = "udh8"
    ) -> None:
        """Send a subscriber's message to an account, the first one that may receive if none is named.

        A long text goes in parts, joined as ``split`` says: ``udh8``, ``udh16``, ``sar``, or whole in ``payload``.
        Raises LookupError when there is no such account, EncodeError when an address or the text does not fit, and
        ValueError for a ``split`` that is none.
        """
        pdus = subscriber_pdus(source, destination, text, split=split, reference=self._long_texts + 1 & 0xFF)
        self._long_texts += len(pdus) > 1
        self.deliver_sm(pdus, account=account)

    def deliver_sm(self, pdus: Iterable[DeliverSm], *, account: str | None = None) -> None:
        """Send these to an account in this order, the first one that may receive if none is named.

        Raises LookupError when there is no such account, and EncodeError, with none sent, when one cannot be.
        """
        pdus = list(pdus)
        for pdu in pdus:
            encode(pdu)
        accounts = self._carrier.accounts
        name = account if account is not None else self._carrier.first_receiver()
        if name not in accounts:
            raise LookupError(
                f"no account {name!r} has been bound" if name else "no account has been bound that may receive"
            )
        for pdu in pdus:
            accounts[name].put(Delivery(None, mo=pdu), trio.current_time())

    def drop_links(self) -> int:
        """Cut every link without a word, as a broken network does, and return how many there were."""
        peers = [linked.peer for linked in self._director.links.values()]
        for peer in peers:
            peer.stop("dropped")
        return len(peers)


def _errors_in(group: BaseExceptionGroup[SmppError]) -> Iterator[SmppError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _errors_in(error)
        else:
            yield error


def _outbind_pdu(outbind: Outbind) -> OutbindPdu:
    return OutbindPdu(system_id=outbind.system_id, password=outbind.password)
