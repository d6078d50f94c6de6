"""One link: octets in, answers out.

Three tasks and none per message: one reads, one waits for what is due, one writes what the other two may not wait for.
"""

import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import trio

from connector.errors import SmppError
from connector.smpp import tables
from connector.smpp.events import (
    Answered,
    Event,
    LinkDead,
    Notified,
    Requested,
    Strange,
    Unanswered,
    UnbindReceived,
    Unbound,
)
from connector.smpp.pdu import DataSm, Pdu, SubmitMulti, SubmitSm, Unbind
from connector.smpp.tables import State
from simulator.accounts import Account
from simulator.calendar import Calendar, on_tick
from simulator.carrier import BIND_TYPES, BindRequest, Carrier
from simulator.limits import Bucket
from simulator.link.alarm import Alarm
from simulator.link.answers import Changed, Later, octets_of, refusal, with_body
from simulator.link.outbox import Outbox
from simulator.link.session import hand_over, session_of, spelling_of, version_of
from simulator.link.wire import GARBAGE, Gate, reset
from simulator.multi import Spread
from simulator.receipts import Delivery
from simulator.rules import Play
from simulator.scenario import ENDING, Fault, status_number
from simulator.submits import Submit

log = logging.getLogger("carrierline.simulator")

READ_OCTETS: Final = 65_536
MOST_SHOWN: Final = 32
"""Characters of a system_id in the log; a peer may say anything."""

_RECEIVING: Final = (State.BOUND_RX, State.BOUND_TRX)


class Peer:
    """The carrier's end of one link."""

    def __init__(self, carrier: Carrier, stream: trio.abc.Stream, changed: Callable[[], None], number: int = 0) -> None:
        self.carrier = carrier
        self.number = number
        """Of the link, from 1."""
        self.place = 0
        """Among the binds, from 1; 0 before it is bound."""
        self.gate = Gate()
        self.shared_number: int | None = None
        self.account: Account | None = None
        self.bucket: Bucket | None = None
        self.own: deque[Delivery] = deque()
        self.unanswered = 0
        self._changed = changed
        self._stream = stream
        self._calendar: Calendar[Pdu | Changed | Later] = Calendar()
        self._alarm = Alarm()
        self._answers: list[Pdu | Changed] = []
        self._keeps_bodies = carrier.scenario.carrier.error_body == "keep"
        self._submits = _SUBMITS
        self._asking = ""
        """Who asks to bind."""
        self._ends_by_reset = False
        self._out = Outbox(stream, self.gate)
        self._handling = False
        self._leaving = False
        """Whether it was asked to unbind."""
        self._ends = False
        """Whether an answer that is due ends the link: nothing behind it is read."""
        self._over: str | None = None
        self._who = ""
        """Who is bound, for the log."""
        self._scope = trio.CancelScope()
        self.session = session_of(carrier.scenario)
        self.heed_change()

    # --- the tasks

    async def run(self) -> None:
        """Serve the link until it ends; how it ended is counted, and the stream is closed."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._out.run)
                    nursery.start_soon(self._watch)
                    await self._read()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            self._over = self._over or "the link broke"
        except* SmppError:
            self._over = self._over or "mistake"
            raise
        finally:
            self._leave()
            if self._ends_by_reset:
                reset(self._stream)
            await trio.aclose_forcefully(self._stream)

    def stop(self, reason: str) -> None:
        """End the link without another word."""
        self._over = self._over or reason
        self._scope.cancel()

    async def _read(self) -> None:
        while self._over is None:
            data = await self.gate.received(self._stream, READ_OCTETS)
            now = trio.current_time()
            self._handle(self.session.receive_data(data, now), now)
            if not data:
                self._over = self._over or "the peer closed the link"
            self._alarm.ring_by(self._next_at())
            await self._out.flush()
            await self._out.has_room()
        await self._out.finish()
        self._scope.cancel()

    async def _watch(self) -> None:
        """Do what is due, then wait for the next; nothing here waits for the peer."""
        while self._over is None:
            now = trio.current_time()
            if self.gate.is_closed:
                self.session.keep_alive(now)  # a hole holds octets back; it is no silence of the peer
            self._handle(self.session.tick(now), now)
            self._out.wake()
            if self._over is not None:
                break
            await self._alarm.wait_until(self._next_at())
        await self._out.finish()
        self._scope.cancel()

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
            if type(event) is Requested:
                if type(event.pdu) in self._submits:
                    submits.append(cast(Submit, event.pdu))
                    continue
                submits = self._take(submits, now)
                if self._ends:
                    break
            _HANDLERS[type(event)](self, event, now)
        urgent = self.session.data_to_send()
        if self.session.state is not State.UNBOUND:
            self._out.put(urgent)
        self._take(submits, now)
        self._settle(now)
        if self.session.state is State.UNBOUND:  # nobody reads on behind an unbind_resp
            self._out.put(urgent)
            self.carrier.happened(self.number, "unbind")

    def _take(self, submits: list[Submit], now: float) -> list[Submit]:
        """Have messages judged that came one behind the other, and return those that wait: none."""
        if submits and self.session.state is not State.CLOSED and not self._ends:
            self.carrier.intake.take(self, submits, now)
        return []

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
            self._put_out(answers, now)
        if account is not None:
            account.hand_out(now)
        self.carrier.ledger.flush()
        self._changed()

    def _put_out(self, answers: list[Pdu | Changed], now: float) -> None:
        """Make octets of answers: most go as they are, all at once; what is changed goes in its place."""
        plain: list[Pdu] = []
        for answer in answers:
            if isinstance(answer, Changed) or (answer.command_status and self._keeps_bodies):
                self._out.put(self.session.answer(plain))
                plain = []
                self._put_out_changed(answer, now)
            else:
                plain.append(answer)
        self._out.put(self.session.answer(plain))

    def _put_out_changed(self, answer: Pdu | Changed, now: float) -> None:
        if isinstance(answer, Pdu):
            self.session.answer([answer])
            self._out.put(with_body(answer))
            return
        said = b"" if answer.response is None else self.session.answer([answer.response])
        octets = octets_of(answer, said, keeps_bodies=self._keeps_bodies)
        self.carrier.remark(self.number, answer.why, octets, ends=answer.ends_the_link)
        self._out.put(octets)
        if answer.fault is not None:
            self._suffer(answer.fault, now)

    # --- faults and penalties

    def _suffer(self, fault: Fault, now: float) -> None:
        kind = fault.kind
        if kind == "unbind":
            self.ask_to_unbind(now)
        elif kind == "garbage":
            self._out.put(GARBAGE)
        elif kind == "blackhole":
            self.gate.close_until(now + fault.for_s if fault.for_s else math.inf)
        elif kind in ENDING:
            self._ends_by_reset = kind == "reset"
            self._over = self._over or f"fault: {kind}"

    def ask_to_unbind(self, now: float) -> None:
        """Ask the ESME to leave; one that is not bound is cut off."""
        if self.session.state in tables.UNBOUND_STATES:
            self.stop("sent away")
            return
        if self._leaving or self.session.state not in tables.BOUND_STATES:
            return
        self._leaving = True
        self._out.put(self.session.request(Unbind(), now))
        self._alarm.ring_by(now)
        self._out.wake()

    def say(self, octets: bytes) -> None:
        """Send octets that are none of the session's."""
        self._out.put(octets)
        self._out.wake()

    def offended(self, number: int, now: float) -> None:
        """Take note of messages refused for the limits' sake."""
        if self.account is not None:
            self.account.offended(number, now)

    def heed_change(self) -> None:
        """Go on as the scenario of the carrier says now."""
        hand_over(self.session, self.carrier.rulebook)
        self.spell = spelling_of(self.session, self.carrier.scenario)

    @property
    def held(self) -> bool:
        """Whether what comes was held back by a black hole."""
        return self.gate.has_just_opened

    @property
    def origin(self) -> "Peer":
        """The link itself."""
        return self

    @property
    def end(self) -> str:
        """How the link ended, as far as it has."""
        return self._over or "stopped"

    @property
    def who(self) -> str:
        """system_id of who is bound, or of who asks to bind."""
        return self._asking if self.account is None else self.account.rules.system_id

    @property
    def version(self) -> str:
        """Interface version spoken: "3.3", "3.4" or "5.0"."""
        return version_of(self.session)

    # --- requests

    def _on_request(self, event: Requested, now: float) -> None:
        pdu, rulebook = event.pdu, self.carrier.rulebook
        if type(pdu) in BIND_TYPES:
            self._asking = cast(BindRequest, pdu).system_id
            self.carrier.bind_asked(now)
        chosen = rulebook.choose(self, [pdu], pdu.command, self.carrier.since_start(now)) if rulebook else None
        if not chosen:
            self._answer_request(pdu, now)
            return
        play, ordinal = chosen[0]
        delay = 0.0 if play.delay is None else play.delay(ordinal)
        if delay == 0:
            self._answer_played(pdu, play, now)
        elif delay is not None:
            self._calendar.put(on_tick(now + delay), Later(pdu, play))

    def _answer_request(self, pdu: Pdu, now: float, play: Play | None = None) -> None:
        if type(pdu) in BIND_TYPES:
            self._bind(cast(BindRequest, pdu), now, play)
            return
        if isinstance(pdu, SubmitMulti) and not pdu.fault:
            Spread(self, pdu, play).take(self.carrier.intake, now)
            return
        response = self.carrier.requests.answer(pdu, self.session.interface_version, self.who)
        self.answer([response if play is None else Changed(response, play.reply, play.fault, play.name)])

    def _answer_played(self, pdu: Pdu, play: Play, now: float) -> None:
        """Answer as a rule says: with its error, with its fault, or as usual but changed."""
        status = 0 if play.reply is None else status_number(play.reply.status)
        takes = isinstance(pdu, SubmitMulti) and play.fault is not None and play.fault.point != "before-response"
        if play.fault is not None and play.fault.point != "after-response" and not takes:
            self.answer([Changed(None, None, play.fault, play.name)])
        elif status:
            self.answer([Changed(refusal(pdu, status), play.reply, play.fault, play.name)])
        else:
            self._answer_request(pdu, now, play)

    def _bind(self, pdu: BindRequest, now: float, play: Play | None) -> None:
        response, account = self.carrier.bind(self, pdu, now)
        self._put_out([response if play is None else Changed(response, play.reply, play.fault, play.name)], now)
        who = f"{pdu.system_id[:MOST_SHOWN]!r} as {BIND_TYPES[type(pdu)]}"
        if account is None:
            named = "a bind that cannot be read" if pdu.fault else who  # its fields may hold what is no name
            log.info("refused %s: %s", named, tables.status_name(response.command_status))
            return
        log.info("bound %s", who)
        self._who, self.account = who, account
        if self.carrier.trace is not None:
            self.carrier.trace.bound(self.number, account.rules.system_id)
        self.place = self.carrier.take_place()
        self._submits = _SUBMITS if self.session.interface_version >= tables.SMPP_34 else frozenset({SubmitSm})
        self.heed_change()
        account.join(self, now)
        self.carrier.happened(self.number, "bind")

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

    def _on_unbound(self, _event: Unbound, _now: float) -> None:
        self._over = "sent away"

    def _on_notice(self, event: Notified, _now: float) -> None:
        self.carrier.counts.strange[f"{event.pdu.command} from an ESME"] += 1

    def _on_death(self, event: LinkDead, _now: float) -> None:
        self._over = event.reason

    def _leave(self) -> None:
        account, now = self.account, trio.current_time()
        lost = [item.token for item in self.session.abandon() if isinstance(item.token, Delivery)]
        if account is not None:
            self.account = None
            self.carrier.free_place(self.place)
            log.info("gone %s: %s", self._who, self.end)
            self.carrier.counts.binds -= 1
            account.leave(self, lost, now)
        self.carrier.link_ended(account, self.end, now)
        self.carrier.ledger.flush()
        self._changed()

    # --- what goes out

    def answer(self, responses: Sequence[Pdu | Changed]) -> None:
        """Send responses with the batch that is being handled."""
        self._answers += responses
        self._ends = self._ends or any(isinstance(each, Changed) and each.ends_the_link for each in responses)

    def answer_at(self, at: float, response: Pdu | Changed) -> None:
        """Send a response at this time."""
        self._calendar.put(at, response)
        self._alarm.ring_by(at)

    def _answer_due(self, now: float) -> None:
        for due in self._calendar.take_due(now):
            if isinstance(due, Later):
                self._answer_played(due.pdu, due.play, now)
            else:
                self.unanswered -= 1
                self._answers.append(due)

    @property
    def receives(self) -> bool:
        """Whether deliver_sm may be sent on it."""
        return self.session.state in _RECEIVING

    @property
    def free(self) -> int:
        """How many deliver_sm it takes now."""
        return self.session.window.free if self.receives and not self._leaving else 0

    @property
    def in_flight(self) -> int:
        """How many deliver_sm it has not answered."""
        return self.session.window.used

    def deliver(self, deliveries: Sequence[Delivery], now: float) -> None:
        """Send deliver_sm, behind the answers that are due."""
        pdu, version, at = self.carrier.writer.pdu, self.session.interface_version, self.carrier.clock()
        pdus = [pdu(delivery, at, version) for delivery in deliveries]
        self._out.put(self.session.submit(pdus, deliveries, now))
        self.carrier.note_sent(deliveries, at)
        self._alarm.ring_by(now + self.session.timers.response_s)
        if not self._handling:
            self._out.wake()

    def ring_by(self, at: float) -> None:
        """See to it that the account hands out what is due at this time."""
        self._alarm.ring_by(at)


_SUBMITS: Final[frozenset[type[Pdu]]] = frozenset({SubmitSm, DataSm})
_HANDLERS: Final[dict[type, Callable[[Peer, Any, float], None]]] = {
    Requested: Peer._on_request,
    Answered: Peer._on_answer,
    Unanswered: Peer._on_unanswered,
    Strange: Peer._on_strange,
    UnbindReceived: Peer._on_unbind,
    Unbound: Peer._on_unbound,
    Notified: Peer._on_notice,
    LinkDead: Peer._on_death,
}
