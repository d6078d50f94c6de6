"""One link: octets in, answers out.

Three tasks and none per message: one reads, one waits for what is due, one writes what the other two may not wait for.
"""

import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import attrs
import trio

from connector.smpp import tables
from connector.smpp.events import Answered, Event, LinkDead, Requested, Strange, Unanswered, UnbindReceived
from connector.smpp.pdu import DataSm, Pdu, SubmitSm
from connector.smpp.session import Session
from connector.smpp.tables import Role, State
from connector.smpp.timers import SMSC_TIMERS
from connector.smpp.versions import Tlvs
from simulator.accounts import Account
from simulator.calendar import Calendar
from simulator.carrier import BIND_TYPES, BindRequest, Carrier
from simulator.ids import Speller, speller, speller_for
from simulator.intake import Submit
from simulator.limits import Bucket
from simulator.receipts import Delivery

log = logging.getLogger("carrierline.simulator")

READ_OCTETS: Final = 65_536
MOST_BATCHES: Final = 100
"""Written batches a peer may leave unread before nothing more is read from it."""
MOST_SHOWN: Final = 32
"""Characters of a system_id in the log; a peer may say anything."""
LAST_WORDS_S: Final = 1.0
"""How long the end of a link waits for what is still to be written."""

_RECEIVING: Final = (State.BOUND_RX, State.BOUND_TRX)


class Alarm:
    """Wakes one task at a time that others may move nearer."""

    def __init__(self) -> None:
        self._scope = trio.CancelScope()

    async def wait_until(self, at: float) -> None:
        """Return at this time, or earlier if `ring_by` asked for it meanwhile."""
        with trio.CancelScope(deadline=at) as self._scope:
            await trio.sleep_forever()

    def ring_by(self, at: float) -> None:
        """See to it that the waiting task wakes at this time at the latest."""
        if at < self._scope.deadline:
            self._scope.deadline = at


class Peer:
    """The carrier's end of one link."""

    def __init__(self, carrier: Carrier, stream: trio.abc.Stream, changed: Callable[[], None]) -> None:
        rules = carrier.scenario
        self.carrier = carrier
        self.account: Account | None = None
        self.bucket: Bucket | None = None
        self.own: deque[Delivery] = deque()
        self.unanswered = 0
        self.spell: Speller = speller(rules.response.message_id)
        self._changed = changed
        self._stream = stream
        self._calendar: Calendar[Pdu] = Calendar()
        self._alarm = Alarm()
        self._more = trio.lowlevel.ParkingLot()
        self._written = trio.lowlevel.ParkingLot()
        self._answers: list[Pdu] = []
        self._out: list[bytes] = []
        self._sending = False
        self._handling = False
        self._over: str | None = None
        self._who = ""
        """Who is bound, for the log."""
        self._scope = trio.CancelScope()
        self.session = Session(
            Role.SMSC,
            window_size=rules.delivery.window,
            interface_version=tables.SMPP_50,
            tlvs=Tlvs.ALWAYS,  # a carrier's receipt does not fail for being too long for a 3.3 peer's short_message
            timers=attrs.evolve(
                SMSC_TIMERS,
                session_init_s=rules.carrier.session_init_s,
                inactivity_s=rules.carrier.inactivity_s,
                enquire_link_s=rules.carrier.enquire_link_s,
                response_s=rules.delivery.response_timeout_s,
            ),
            now=trio.current_time(),
        )

    # --- the tasks

    async def run(self) -> None:
        """Serve the link until it ends; how it ended is counted, and the stream is closed."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._watch)
                    await self._read()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            self._over = self._over or "the link broke"
        finally:
            self._leave()
            await trio.aclose_forcefully(self._stream)

    def stop(self, reason: str) -> None:
        """End the link without another word."""
        self._over = self._over or reason
        self._scope.cancel()

    async def _read(self) -> None:
        while self._over is None:
            data = bytes(await self._stream.receive_some(READ_OCTETS))
            now = trio.current_time()
            self._handle(self.session.receive_data(data, now), now)
            if not data:
                self._over = self._over or "the peer closed the link"
            self._alarm.ring_by(self._next_at())
            await self._flush()
            while len(self._out) > MOST_BATCHES:
                await self._written.park()
        self._scope.cancel()

    async def _watch(self) -> None:
        """Do what is due, then wait for the next; nothing here waits for the peer."""
        while self._over is None:
            now = trio.current_time()
            self._handle(self.session.tick(now), now)
            self._more.unpark_all()
            if self._over is not None:
                break
            await self._alarm.wait_until(self._next_at())
        with trio.move_on_after(LAST_WORDS_S):
            await self._flush()
        self._scope.cancel()

    async def _write(self) -> None:
        while True:
            await self._flush()
            await self._more.park()

    async def _flush(self) -> None:
        """Write what has gathered.  Whoever is writing already takes this along: a stream has one writer at a time."""
        if self._sending:
            return
        self._sending = True
        try:
            while self._out:
                octets = b"".join(self._out)
                self._out.clear()
                if octets:
                    await self._stream.send_all(octets)
                self._written.unpark_all()
        finally:
            self._sending = False

    def _next_at(self) -> float:
        tick = self.session.next_tick()
        nearest = min(self._calendar.next_at, math.inf if tick is None else tick)
        account = self.account
        if account is not None and account.receivers and account.receivers[0] is self:
            return min(nearest, account.next_at)
        return nearest

    # --- what comes in

    def _handle(self, events: list[Event], now: float) -> None:
        """Act on what a read or a tick brought; what is to be written gathers in order of urgency.

        The caller writes it: nobody else is woken for it meanwhile.
        """
        self._handling = True
        try:
            self._act(events, now)
        finally:
            self._handling = False

    def _act(self, events: list[Event], now: float) -> None:
        submits: list[Submit] = []
        for event in events:
            if type(event) is Requested and type(event.pdu) in _SUBMITS:
                submits.append(cast(Submit, event.pdu))
            else:
                _HANDLERS[type(event)](self, event, now)
        urgent = self.session.data_to_send()
        if self.session.state is not State.UNBOUND:
            self._out.append(urgent)
        if submits and self.session.state is not State.CLOSED:
            self.carrier.intake.take(self, submits, now)
        self._settle(now)
        if self.session.state is State.UNBOUND:  # nobody reads on behind an unbind_resp
            self._out.append(urgent)

    def _settle(self, now: float) -> None:
        """Put out what is due: early receipts, answers, receipts; the ledger has them before they leave."""
        if self.session.state is State.CLOSED:
            return
        account = self.account
        if account is not None:
            account.hand_out_ready(now)
        self._answer_due(now)
        if self._answers:
            answers, self._answers = self._answers, []
            self._out.append(self.session.answer(answers))
        if account is not None:
            account.hand_out(now)
        self.carrier.ledger.flush()
        self._changed()

    def _on_request(self, event: Requested, now: float) -> None:
        if type(event.pdu) in BIND_TYPES:
            self._bind(cast(BindRequest, event.pdu), now)
        else:
            self.answer([self.carrier.answer(event.pdu)])

    def _bind(self, pdu: BindRequest, now: float) -> None:
        response, account = self.carrier.bind(self, pdu, now)
        self._out.append(self.session.answer([response]))
        who = f"{pdu.system_id[:MOST_SHOWN]!r} as {BIND_TYPES[type(pdu)]}"
        if account is None:
            log.info("refused %s: %s", who, tables.status_name(response.command_status))
            return
        log.info("bound %s", who)
        self._who = who
        self.account = account
        self.spell = speller_for(self.carrier.scenario.response.message_id, self.session.interface_version)
        account.join(self, now)

    def _on_answer(self, event: Answered, now: float) -> None:
        if self.account is not None and isinstance(event.token, Delivery):
            self.account.answered(event.token, event.command_status, self.carrier.clock(), now)

    def _on_unanswered(self, event: Unanswered, _now: float) -> None:
        if self.account is not None and isinstance(event.token, Delivery):
            self.account.unanswered(event.token, self)

    def _on_strange(self, event: Strange, _now: float) -> None:
        self.carrier.counts.strange[event.text] += 1

    def _on_unbind(self, _event: UnbindReceived, _now: float) -> None:
        self._over = "unbound"

    def _on_death(self, event: LinkDead, _now: float) -> None:
        self._over = event.reason

    def _leave(self) -> None:
        account, now = self.account, trio.current_time()
        lost = [item.token for item in self.session.abandon() if isinstance(item.token, Delivery)]
        if account is not None:
            self.account = None
            log.info("gone %s: %s", self._who, self._over or "stopped")
            self.carrier.counts.binds -= 1
            account.leave(self, lost, now)
        self.carrier.counts.ends[self._over or "stopped"] += 1
        self.carrier.ledger.flush()
        self._changed()

    # --- what goes out

    def answer(self, responses: Sequence[Pdu]) -> None:
        """Send responses with the batch that is being handled."""
        self._answers += responses

    def answer_at(self, at: float, response: Pdu) -> None:
        """Send a response at this time."""
        self._calendar.put(at, response)
        self._alarm.ring_by(at)

    def _answer_due(self, now: float) -> None:
        due = self._calendar.take_due(now)
        if due:
            self.unanswered -= len(due)
            self._answers += due

    @property
    def receives(self) -> bool:
        """Whether deliver_sm may be sent on it."""
        return self.session.state in _RECEIVING

    @property
    def free(self) -> int:
        """How many deliver_sm it takes now."""
        return self.session.window.free if self.receives else 0

    @property
    def in_flight(self) -> int:
        """How many deliver_sm it has not answered."""
        return self.session.window.used

    def deliver(self, deliveries: Sequence[Delivery], now: float) -> None:
        """Send deliver_sm, behind the answers that are due."""
        pdu, version, at = self.carrier.writer.pdu, self.session.interface_version, self.carrier.clock()
        pdus = [pdu(delivery, at, version) for delivery in deliveries]
        self._out.append(self.session.submit(pdus, deliveries, now))
        self.carrier.note_sent(deliveries, at)
        self._alarm.ring_by(now + self.session.timers.response_s)
        if not self._handling:
            self._more.unpark_all()

    def ring_by(self, at: float) -> None:
        """See to it that the account hands out what is due at this time."""
        self._alarm.ring_by(at)


_SUBMITS: Final = frozenset({SubmitSm, DataSm})
_HANDLERS: Final[dict[type, Callable[[Peer, Any, float], None]]] = {
    Requested: Peer._on_request,
    Answered: Peer._on_answer,
    Unanswered: Peer._on_unanswered,
    Strange: Peer._on_strange,
    UnbindReceived: Peer._on_unbind,
    LinkDead: Peer._on_death,
}
