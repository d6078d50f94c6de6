"""One link of a bind, from the first octet to the last: a task that reads, one that writes, one that keeps time."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import trio

from connector.carrier.backoff import Ended, Ending, refusal
from connector.carrier.inbox import Batch
from connector.carrier.link import BROKEN, broken
from connector.carrier.recall import Recall
from connector.carrier.signs import Signs
from connector.carrier.submissions import Submissions
from connector.carrier.terms import Terms
from connector.model import Answer, Part, Reason
from connector.smpp import tables
from connector.smpp.events import (
    Answered,
    BindRefused,
    Bound,
    Event,
    LinkDead,
    Notified,
    Requested,
    Strange,
    Unanswered,
    UnbindReceived,
    Unbound,
)
from connector.smpp.outcomes import Outcome, status_name
from connector.smpp.pdu import (
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    GenericNack,
    Outbind,
    Pdu,
    Unbind,
)

log = logging.getLogger("carrierline.bind")

READ_BYTES = 262_144
"""One read takes whole windows of answers and receipts."""
LONGEST_NAP_S = 1.0
LONGEST_WRITE_S = 30.0
"""A carrier that does not take one write in so long does not read any more, whatever it still says itself."""
MOST_OWED = 8
"""Reads whose answers may wait to be written; nothing more is read from who sends and does not read."""
LAST_WORDS_S = 1.0
UNHEARD = "closed the link and did not answer the bind: is our address allowed there, does the port want TLS?"
SMOOTHING = 0.01
"""Weight of one answer in the response time: a window or two of answers make the figure."""


class Serving:
    """Serves one link.

    Every part submitted comes back through the inbox as one result: answered, not sent, or lost; `leftovers` gives
    those of the moment the link ended.
    """

    def __init__(self, terms: Terms, stream: trio.abc.Stream) -> None:
        self._terms = terms
        self._stream = stream
        self._session = terms.session()
        self._to_write: list[bytes] = []
        self._unanswered = 0
        self.signs = Signs()
        self._submissions = Submissions(terms, self._session, self.signs)
        self._wake = trio.Event()
        self._quiet = trio.lowlevel.ParkingLot()
        self._end: Ending | None = None
        self._leaving: Ending | None = None
        """Why the link ends as soon as the answers due are here."""
        self._unbinding = False
        self._said_goodbye = False
        self._writing_since: float | None = None
        self._nursery: trio.Nursery | None = None
        self.response_time_s = 0.0
        self._response_s: float | None = None
        """Response time of the newest answer that was read and not sampled yet."""

    # --- what the bind asks ---

    @property
    def free(self) -> int:
        """Places that parts may be submitted for now."""
        if self._end is not None or self._leaving is not None:
            return 0
        return self._session.window.free - len(self._submissions)

    @property
    def window_used(self) -> int:
        return self._session.window.used

    @property
    def oldest_in_flight_s(self) -> float:
        """How long the request that waits longest has waited for its answer; 0 when none waits."""
        sent_at = self._session.window.oldest_sent_at
        return 0.0 if sent_at is None else self._terms.clock() - sent_at

    @property
    def queued(self) -> int:
        """Parts taken and not yet written."""
        return len(self._submissions)

    @property
    def unanswered(self) -> int:
        """deliver_sm not answered yet: they wait for their commit."""
        return self._unanswered

    def submit(self, parts: Sequence[Part]) -> None:
        """Send these parts with the next write."""
        self._submissions.add(parts)
        self._wake.set()

    def stir(self) -> None:
        """Look what there is to write."""
        self._wake.set()

    def respond(self, responses: Sequence[Pdu]) -> None:
        """Write these responses: what they answer is on disk now.  On a link that is gone nobody waits for them."""
        self._unanswered -= len(responses)
        self._owe(responses)

    def _owe(self, responses: Sequence[Pdu]) -> None:
        if responses and not self._session.closed:
            self._to_write.append(self._session.answer(responses))
            self._wake.set()

    async def settled(self) -> None:
        """Wait until nothing is under way any more."""
        while self._submissions or self._session.window.used or self._unanswered or self._to_write:
            await self._progress()

    async def _progress(self) -> None:
        """Wait until something was read or written."""
        await self._quiet.park()

    def unbind(self) -> None:
        """Take leave; `run` returns when the carrier has answered or its time is over, at once if nothing is bound."""
        if self._session.state not in tables.BOUND_STATES:
            self._finish(Ended.UNBOUND, "unbound")
        elif not self._unbinding:
            self._unbinding = True
            self._to_write.append(self._session.request(Unbind(), self._terms.clock()))
            self._wake.set()

    def abort(self) -> None:
        """End the link now: the carrier has had its time."""
        self._finish(Ended.UNBOUND, "the carrier did not answer our unbind")

    def leftovers(self) -> Batch:
        """End the session; return what was under way: what was not written may wait again, the rest is in doubt."""
        terms, now = self._terms, self._terms.clock()
        batch = Batch(self.respond)
        self._submissions.give_back(Reason.LINK_LOST, batch)
        for item in self._session.abandon():
            if isinstance(item.token, Part):
                batch.results.append(terms.translator.lost(item.token, Reason.LINK_LOST, now))
            elif isinstance(item.token, Recall):
                item.token.tell(Reason.LINK_LOST)
        self._quiet.unpark_all()
        return batch

    # --- its life ---

    async def run(self) -> Ending:
        """Bind and serve until the link ends; return why it did."""
        self._to_write.append(self._session.request(self._terms.bind_pdu(), self._terms.clock()))
        self._wake.set()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._write)
            nursery.start_soon(self._keep_time)
            await self._read()
        assert self._end is not None
        return self._end

    def _over(self, ended: Ended, reason: str) -> None:
        """Note why the link is over: the first reason counts, and the one it was leaving for before any."""
        self._end = self._end or self._leaving or (ended, reason)

    def _finish(self, ended: Ended, reason: str) -> None:
        self._over(ended, reason)
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    # --- reading ---

    async def _read(self) -> None:
        while True:
            while len(self._to_write) >= MOST_OWED:
                await self._progress()
            try:
                data = bytes(await self._stream.receive_some(READ_BYTES))
            except BROKEN as error:
                self._hung_up()
                self._finish(*broken(error))
                return
            now = self._terms.clock()
            if not data:
                self._hung_up()
                if self._session.state is tables.State.OPEN:
                    self._over(Ended.NETWORK, f"{self._terms.peer} {UNHEARD}")
            await self._handle(self._session.receive_data(data, now), now)
            if not data:
                self._finish(Ended.NETWORK, "the carrier closed the link")
                return

    def _hung_up(self) -> None:
        """The carrier closes: right after a burst that is its way to say that it was too much."""
        now, window = self._terms.clock(), self._session.window
        if self.signs.cut_for_speed(window.used, window.size, now):
            self._terms.limits.cut_off(self._terms.name, now, sent_at=self.signs.submitted_at)

    async def _handle(self, events: Sequence[Event], now: float) -> None:
        batch = Batch(self.respond)
        for event in events:
            _HANDLERS[type(event)](self, event, batch, now)
        self._deliver(batch)
        if self._response_s is not None:
            self._terms.response_times_s.append(self._response_s)
            self._response_s = None
        if octets := self._session.data_to_send():
            self._to_write.insert(0, octets)
            self._wake.set()
        self._terms.recalls.stir()
        self._quiet.unpark_all()
        if self._leaving is not None and not self._session.window.used:
            self.unbind()
        if self._end is not None and not self._said_goodbye:
            self._said_goodbye = True  # whoever comes second, reader or timer, is about to be cancelled
            await self._last_words()
            self._finish(*self._end)

    def _deliver(self, batch: Batch) -> None:
        if batch.results:
            self._terms.inbox.put(batch)
            self._terms.inbox.credit_changed()

    async def _last_words(self) -> None:
        """Write what the session still owes (unbind_resp, generic_nack) before the link is closed."""
        with trio.move_on_after(LAST_WORDS_S):
            while self._writing_since is not None:
                await self._progress()
            octets = b"".join(self._to_write)
            self._to_write.clear()
            try:
                await self._stream.send_all(octets)
            except BROKEN:
                return

    def _on_answered(self, event: Answered, batch: Batch, now: float) -> None:
        part = event.token
        if not isinstance(part, Part):
            self._on_recalled(part, status_name(event.command_status))
            return
        part.doubts -= event.late
        outcome = self._terms.translator.dialect.outcome_of(event.command_status, event)
        answer = self._terms.translator.answer(part, event, outcome, now)
        batch.results.append(answer)
        self.signs.answered(now)
        self._response_s = answer.response_s
        self.response_time_s += (self._response_s - self.response_time_s) * (SMOOTHING if self.response_time_s else 1)
        limits = self._terms.limits
        if outcome is not Outcome.ACCEPTED:
            batch.returned[part.id] = part
            self._on_setback(part, outcome, answer, event.sent_at)
        elif limits.is_watching(now):
            limits.accepted(part, self._terms.name, now)
        if event.response.tlvs:
            congestion = event.response.tlv_value("congestion_state")
            if isinstance(congestion, int):
                limits.account.congestion(congestion, now, sent_at=event.sent_at)

    def _on_recalled(self, recall: object, said: str) -> None:
        """Tell what came of a cancel_sm, and that its place is free; of the link it says nothing."""
        if isinstance(recall, Recall):
            recall.tell(said)
            self._terms.inbox.credit_changed()

    def _on_setback(self, part: Part, outcome: Outcome, answer: Answer, sent_at: float) -> None:
        part.remember(answer)
        name = self._terms.name
        if outcome is Outcome.SLOW_DOWN:
            place = self._terms.limits.refused(part, name, answer.at, sent_at=sent_at)
            if place is not None:
                log.info("bind %s: %s: less for %s", name, answer.detail, place[0])
        elif outcome is Outcome.BIND_SICK:
            self._leave(Ended.REFUSED, f"the carrier answered {answer.detail} to a submit_sm")

    def _leave(self, ended: Ended, reason: str) -> None:
        """Submit nothing more; what is in flight is still answered, and not in doubt, before the link ends."""
        self._leaving = self._leaving or (ended, reason)
        self._wake.set()

    def _leave_now(self, ended: Ended, reason: str) -> None:
        """Leave now: nothing good is to be expected of the answers still due."""
        self._leave(ended, reason)
        self.unbind()

    def _on_unanswered(self, event: Unanswered, batch: Batch, now: float) -> None:
        if isinstance(event.token, Part):
            batch.results.append(self._terms.translator.lost(event.token, Reason.NO_ANSWER, now))
            lost = self.signs.lost(event.sent_at)
            if lost >= self._terms.config.max_lost_in_row:
                self._leave_now(Ended.NETWORK, f"{lost} requests in a row were not answered")
        else:
            self._on_recalled(event.token, Reason.NO_ANSWER)

    def _on_requested(self, event: Requested, batch: Batch, now: float) -> None:
        pdu = event.pdu
        if not isinstance(pdu, DeliverSm | DataSm):  # a vendor's own, which somebody gave a row
            self._owe([GenericNack(command_status=tables.ESME_RINVCMDID, sequence_number=pdu.sequence_number)])
            return
        response = (DeliverSmResp if isinstance(pdu, DeliverSm) else DataSmResp)(sequence_number=pdu.sequence_number)
        if self._unanswered >= self._terms.config.max_unanswered:
            response.command_status = tables.ESME_RX_T_APPN
            self._owe([response])
            return
        self._unanswered += 1
        batch.results.append(self._terms.translator.deliver(pdu, now, self._terms.name))
        batch.responses.append(response)

    def _on_bound(self, event: Bound, batch: Batch, now: float) -> None:
        self._terms.bound()

    def _on_refused(self, event: BindRefused, batch: Batch, now: float) -> None:
        terms, status = self._terms, status_name(event.command_status)
        ended = refusal(event.command_status)
        what = "the bind"
        if ended is Ended.CREDENTIALS:
            what = f"system_id {terms.config.system_id} or its password"
        self._over(ended, f"{terms.peer} refused {what} ({status})")

    def _on_unbind(self, event: UnbindReceived, batch: Batch, now: float) -> None:
        self._over(Ended.UNBOUND, "the carrier said unbind")

    def _on_unbound(self, event: Unbound, batch: Batch, now: float) -> None:
        self._over(Ended.UNBOUND, "unbound")

    def _on_dead(self, event: LinkDead, batch: Batch, now: float) -> None:
        self._over(Ended.NETWORK, event.reason)

    def _on_notified(self, event: Notified, batch: Batch, now: float) -> None:
        """alert_notification is good to know and no more; outbind is for an ESME that listens, which we never do."""
        if isinstance(event.pdu, Outbind):
            self._leave_now(Ended.REFUSED, "the carrier said outbind on a link that is ours")
        else:
            log.debug("bind %s: %s", self._terms.name, event.pdu.command)

    def _on_strange(self, event: Strange, batch: Batch, now: float) -> None:
        log.debug("bind %s: %s", self._terms.name, event.text)
        if isinstance(event.pdu, Outbind):
            self._on_notified(Notified(event.pdu), batch, now)

    # --- writing ---

    async def _write(self) -> None:
        """The one writer of the stream: answers first, then parts; one `send_all` for what a narrow line takes."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while octets := self._gather():
                self._writing_since = self._terms.clock()
                try:
                    await self._stream.send_all(octets)
                except BROKEN as error:
                    self._finish(*broken(error))
                    return
                self._writing_since = None
                self._quiet.unpark_all()

    def _gather(self) -> bytes:
        if self._end is not None:
            return b""  # whoever ended it has the last word
        owed, self._to_write = self._to_write, []
        batch = Batch(self.respond)
        if self._leaving is not None:
            self._submissions.give_back(Reason.BIND_SICK, batch)
        elif self._session.state in tables.BOUND_STATES and not self._unbinding:
            octets = b""
            while self._submissions and not octets:
                octets = self._submissions.octets(batch)
            owed += [octets, self._recalls()]
        self._deliver(batch)
        return b"".join(owed)

    def _recalls(self) -> bytes:
        """Return the cancel_sm that there are places for, which no part is to take."""
        terms = self._terms
        if not (len(terms.recalls) and terms.config.submits):
            return b""
        return terms.recalls.octets(self._session, self.free, terms.translator, terms.clock())

    # --- time ---

    async def _keep_time(self) -> None:
        """One timer for the whole session: window, enquire_link, everything."""
        session, clock = self._session, self._terms.clock
        while True:
            due_at = session.next_tick()
            nap = LONGEST_NAP_S if due_at is None else due_at - clock()
            await trio.sleep(min(LONGEST_NAP_S, max(0.01, nap)))
            now = clock()
            if self._writing_since is not None and now - self._writing_since >= LONGEST_WRITE_S:
                self._finish(Ended.NETWORK, f"the carrier has taken no octets for {LONGEST_WRITE_S:g} s")
            await self._handle(session.tick(now), now)


_HANDLERS: Mapping[type, Callable[[Serving, Any, Batch, float], None]] = {
    Answered: Serving._on_answered,
    Unanswered: Serving._on_unanswered,
    Requested: Serving._on_requested,
    Bound: Serving._on_bound,
    BindRefused: Serving._on_refused,
    UnbindReceived: Serving._on_unbind,
    Unbound: Serving._on_unbound,
    LinkDead: Serving._on_dead,
    Notified: Serving._on_notified,
    Strange: Serving._on_strange,
}
