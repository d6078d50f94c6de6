"""One SMPP conversation on one link, from the first octet to the last, for both roles and without any I/O.

Octets and ``now`` go in, events and octets come out.  This file does not know which role it plays beyond asking the
tables what may be sent and received.
"""

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from connector.errors import FramingError, IllegalCommand
from connector.smpp import tables
from connector.smpp.codec import decode, encode
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
    answered,
    answers,
    status_of,
)
from connector.smpp.framing import MAX_PDU_OCTETS, MAX_UNBOUND_PDU_OCTETS, Framer
from connector.smpp.misuse import Misuse, refusal_of
from connector.smpp.pdu import EnquireLink, EnquireLinkResp, GenericNack, Pdu, UnbindResp, UnknownPdu
from connector.smpp.statistics import SessionStatistics, Tally
from connector.smpp.tables import BIND_COMMANDS, BIND_RESPONSES, RESPONSE_BIT, TRANSITIONS, Role, State
from connector.smpp.timers import Expiry, LinkTimers, Timers
from connector.smpp.versions import Agreement, Tlvs
from connector.smpp.window import InFlight, Window

# These keep the session itself alive and need no place in the window; the rest of the requests do.
_OUTSIDE_THE_WINDOW: Final = BIND_COMMANDS | {"unbind", "enquire_link"}
_MAY_ANSWER_A_BIND: Final = BIND_RESPONSES | {"generic_nack"}


class Session:
    """The state machine of one end.

    To an ESME a request with a row and no layout comes as an UnknownPdu, and is answered by one of the response_id.
    ``hands_over`` names requests such as "enquire_link" that whoever owns it answers, not the session itself.
    Whoever owns it writes what the sending methods return, writes ``data_to_send()`` ahead of anything queued after
    each ``receive_data`` and ``tick``, and calls ``tick`` at ``next_tick()``.  Sending methods raise IllegalCommand
    when the operation matrix or the version forbids it and EncodeError when a value does not fit or is a TLV for a
    peer that has none; nothing has changed then.
    """

    def __init__(
        self,
        role: Role,
        *,
        window_size: int = 10,
        timers: Timers | None = None,
        interface_version: int = tables.SMPP_34,
        max_pdu_length: int = MAX_PDU_OCTETS,
        first_sequence: int = 1,
        tlvs: Tlvs = Tlvs.AUTO,
        hands_over: frozenset[str] = frozenset(),
        now: float,
    ) -> None:
        self.role = role
        self.hands_over = hands_over
        self.timers = timers or Timers.defaults(role)
        self.window = Window(window_size)
        self._agreement = Agreement(interface_version, tlvs)
        self._max_pdu_length = max_pdu_length
        # The SMSC may send its first deliver_sm right behind the bind response, so an ESME waits for long PDUs at once.
        short = role is Role.SMSC
        self._framer = Framer(min(MAX_UNBOUND_PDU_OCTETS, max_pdu_length) if short else max_pdu_length)
        self._clock = LinkTimers.started(self.timers, now)
        self._sequence = first_sequence
        self._control: dict[int, InFlight] = {}
        self._bind_asked: Pdu | None = None
        self._unbinding = False
        self._misuse = Misuse()
        self._to_send: list[bytes] = []
        self._tally = Tally()
        self._enter(State.OPEN)

    def __repr__(self) -> str:
        return f"<Session [{self.role} {self.state}, window {self.window.used} of {self.window.size}]>"

    @property
    def closed(self) -> bool:
        """True when nothing more can be sent or received, and the link has to be closed if it is not."""
        return self.state is State.CLOSED

    @property
    def interface_version(self) -> int:
        """Ours until bound, then the lowest of ours, the bind request's and the peer's: nothing newer is sent."""
        return self._agreement.interface_version

    def _enter(self, state: State) -> None:
        self.state = state
        sendable = [row for row in tables.COMMANDS if state in row.states(self.role)]
        self._may_send = frozenset(row.command_id for row in sendable if self._agreement.knows(row, state))
        self._may_receive = frozenset(row.command_id for row in tables.COMMANDS if state in row.states(self.role.peer))

    def _follow(self, stimulus: str) -> None:
        """Move as the table says; a stimulus the table does not have in this state moves nothing."""
        state = TRANSITIONS[self.state].get(stimulus)
        if state is not None:
            self._enter(state)

    def submit(self, requests: Sequence[Pdu], tokens: Sequence[object], now: float) -> bytes:
        """The octets of ``requests``, each of which takes a place in the window and comes back with its token."""
        if len(requests) > self.window.free:
            raise IllegalCommand(f"{len(requests)} requests, the window has {self.window.free} places free")
        items, octets = self._prepare(requests, tokens, now)
        put = self.window.put
        for item in items:
            put(item)
        return octets

    def request(self, pdu: Pdu, now: float, token: object = None) -> bytes:
        """The octets of any one request.

        Binds, unbind and enquire_link need no place in the window; outbind and alert_notification have no answer.
        """
        command = tables.COMMAND_BY_ID.get(pdu.command_id)
        if command is not None and command.answered and command.name not in _OUTSIDE_THE_WINDOW:
            return self.submit([pdu], [token], now)
        if pdu.command in BIND_COMMANDS and self._clock.bind_sent_at is not None:
            raise IllegalCommand("a bind is already on its way")
        items, octets = self._prepare([pdu], [token], now)
        self._remember_control(items[0])
        return octets

    def _prepare(self, requests: Sequence[Pdu], tokens: Sequence[object], now: float) -> tuple[list[InFlight], bytes]:
        """Number and encode; when one request cannot be sent, nothing has changed."""
        number, write = self._sequence, self._agreement.encode
        items, encoded = [], []
        for pdu, token in zip(requests, tokens, strict=True):
            if pdu.command_id not in self._may_send or self._unbinding:
                raise IllegalCommand(self._why_not(pdu))
            number = self._free_from(number)
            encoded.append(write(pdu, number))
            items.append(InFlight(number, token, pdu, now))
            number = number % tables.MAX_SEQUENCE_NUMBER + 1
        self._sequence = number
        self._tally.pdus_sent += len(items)
        return items, b"".join(encoded)

    def _why_not(self, pdu: Pdu) -> str:
        if self._unbinding:
            return f"{pdu.command} after unbind"
        if tables.may_send(self.role, self.state, pdu.command_id):
            return f"{pdu.command} is newer than the SMPP {self._agreement.version.name} of this session"
        return f"{pdu.command} may not be sent by the {self.role.upper()} in state {self.state}"

    def _free_from(self, number: int) -> int:
        while number in self.window or number in self._control:
            number = number % tables.MAX_SEQUENCE_NUMBER + 1
        return number

    def _remember_control(self, item: InFlight) -> None:
        command = item.request.command
        if command in BIND_COMMANDS:
            self._agreement.bind_asked(item.request)
            self._clock.bind_sent_at = item.sent_at
        elif command == "unbind":
            self._unbinding = True
            self._clock.ended()
            self._clock.unbind_sent_at = item.sent_at
        elif command == "enquire_link":
            self._forget_enquiries()
            self._clock.enquired(item.sent_at)
        elif command == "outbind":
            self._clock.opened_at = item.sent_at
            self._follow(command)
        if command in _OUTSIDE_THE_WINDOW:
            self._control[item.sequence_number] = item

    def _forget_enquiries(self) -> None:
        # One is enough: an older one that is answered after all is no news.
        for number, item in list(self._control.items()):
            if item.request.command == "enquire_link":
                del self._control[number]

    def answer(self, responses: Sequence[Pdu]) -> bytes:
        """The octets of ``responses``, which carry the sequence_number of their requests.

        A bind response with status 0 binds the session.  Answering is legal as long as the link is up, after an
        unbind too: the request was legal when it came.
        """
        if self.closed:
            raise IllegalCommand("the session is closed")
        for pdu in responses:
            if not pdu.is_response:
                raise IllegalCommand(f"{pdu.command} is no response")
            if pdu.command in BIND_RESPONSES and not pdu.command_status and self._bind_asked is None:
                raise IllegalCommand("no bind waits for an answer")
        octets = b"".join([self._agreement.encode(pdu) for pdu in responses])
        for pdu in responses:
            if pdu.command in _MAY_ANSWER_A_BIND:
                self._answer_bind(pdu)
        self._tally.pdus_sent += len(responses)
        return octets

    def _answer_bind(self, response: Pdu) -> None:
        asked, refused = self._bind_asked, isinstance(response, GenericNack)
        if asked is None or (refused and response.sequence_number != asked.sequence_number):
            return
        self._bind_asked = None
        if response.command_status or refused:
            return
        self._agreement.bound(getattr(asked, "interface_version", 0))
        # Answering has no time of its own: silence counts from the last octets heard.
        self._become_bound(response, self._clock.heard_at)

    def _become_bound(self, response: Pdu, now: float) -> None:
        self._follow(response.command)
        self._framer.max_length = self._max_pdu_length
        self._clock.became_bound(now)

    def data_to_send(self) -> bytes:
        """What the session itself has to say, each octet once; write it ahead of anything queued."""
        said, self._to_send = self._to_send, []
        return b"".join(said)

    def _say(self, pdu: Pdu) -> None:
        self._tally.pdus_sent += 1
        self._to_send.append(encode(pdu))

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """What the octets from the peer mean; ``b""`` is the end of the stream.

        Octets that cannot be cut into PDUs end the session: the events of the PDUs before them come first, then
        LinkDead with the reason, and ``data_to_send`` has the generic_nack where one is due.
        """
        if self.closed:
            return []
        if not data:
            return self._end_of_stream()
        clock = self._clock
        clock.heard(now)
        self._tally.octets_received += len(data)
        events: list[Event] = []
        pdus = self._cut(data)
        for octets in pdus:
            if self.closed:
                return events
            self._receive(decode(octets), now, events)
        clock.received(now, whole=bool(pdus), partial=bool(self._framer.partial))
        if self._framer.error and not self.closed:
            self._to_send.append(self._framer.error.answer)
            events.append(self._die(self._framer.error.reason))
        return events

    def _cut(self, data: bytes) -> list[bytes]:
        try:
            return self._framer.feed(data)
        except FramingError:
            return []  # receive_data tells it: the framer keeps the error

    def _end_of_stream(self) -> list[Event]:
        orderly = self.state is State.UNBOUND
        self._follow(tables.END_OF_LINK)
        inside = f" inside a PDU, after {self._framer.partial} octets of it" if self._framer.partial else ""
        return [] if orderly and not inside else [LinkDead(f"the peer closed the link{inside}")]

    def _receive(self, pdu: Pdu, now: float, events: list[Event]) -> None:
        self._tally.pdus_received += 1
        command_id = pdu.command_id
        if command_id & RESPONSE_BIT:
            if command_id != EnquireLinkResp.command_id:
                self._clock.active_at = now
            item = self.window.take(pdu.sequence_number)
            if item is not None and command_id == item.request.command_id | RESPONSE_BIT:
                self._tally.answered += 1
                status = pdu.command_status
                message_id = "" if status else getattr(pdu, "message_id", "").strip()
                events.append(Answered(item.token, status, message_id, item.sent_at, False, pdu))
            else:
                self._receive_odd_response(pdu, item, now, events)
            return
        self._clock.active_at = now
        if command_id in self._may_receive and not (type(pdu) is UnknownPdu and self.role is Role.SMSC):
            own = pdu.command not in self.hands_over
            _REQUESTS.get(pdu.command if own else "", Session._receive_request)(self, pdu, events)
        else:
            self._receive_illegal(pdu, events)

    def _receive_request(self, pdu: Pdu, events: list[Event]) -> None:
        events.append(Requested(pdu))

    def _receive_notification(self, pdu: Pdu, events: list[Event]) -> None:
        self._follow(pdu.command)
        events.append(Notified(pdu))

    def _receive_enquire_link(self, pdu: Pdu, events: list[Event]) -> None:
        self._say(EnquireLinkResp(sequence_number=pdu.sequence_number))

    def _receive_bind(self, pdu: Pdu, events: list[Event]) -> None:
        if self._bind_asked is not None:
            self._receive_illegal(pdu, events)
            return
        self._bind_asked = pdu
        self._agreement.bind_asked(pdu)
        events.append(Requested(pdu))

    def _receive_unbind(self, pdu: Pdu, events: list[Event]) -> None:
        response = UnbindResp(sequence_number=pdu.sequence_number)
        self._say(response)
        self._follow(response.command)
        self._clock.ended()
        events.append(UnbindReceived())

    def _receive_illegal(self, pdu: Pdu, events: list[Event]) -> None:
        refusal = refusal_of(pdu, self.state, bind_waits=self._bind_asked is not None)
        if refusal is not None:
            self._say(refusal)
        self._wonder(events, f"{pdu.command} in state {self.state}", pdu)
        if self.state in tables.UNBOUND_STATES and not isinstance(pdu, UnknownPdu):
            self._give_up(self._misuse.request_before_bind(), events)

    def _give_up(self, reason: str | None, events: list[Event]) -> None:
        if reason is not None:
            events.append(self._die(reason))

    def _receive_odd_response(self, pdu: Pdu, item: InFlight | None, now: float, events: list[Event]) -> None:
        """Everything but the plain answer to a request in the window."""
        if item is not None:
            self._receive_mismatch(pdu, item, events)
            return
        control = self._control.get(pdu.sequence_number)
        if control is not None:
            self._receive_control(pdu, control, now, events)
            return
        late = self.window.take_late(pdu.sequence_number)
        if late is not None and answers(pdu, late.request):
            self._tally.late += 1
            events.append(answered(pdu, late, late=True))
            return
        if late is not None:
            self.window.remember(late)
        self._wonder(events, f"{pdu.command} to no request of ours", pdu)
        if isinstance(pdu, GenericNack):
            self._give_up(self._misuse.stray_nack(now), events)

    def _receive_mismatch(self, pdu: Pdu, item: InFlight, events: list[Event]) -> None:
        if isinstance(pdu, GenericNack):
            self._tally.answered += 1
            events.append(answered(pdu, item))
            return
        # It says nothing about the request, which the peer may have acted on: in doubt, as without an answer.
        self.window.remember(item)
        self._tally.unanswered += 1
        self._wonder(events, f"{pdu.command} as the answer to {item.request.command}", pdu)
        events.append(Unanswered(item.token, item.sent_at, item.request))

    def _receive_control(self, pdu: Pdu, item: InFlight, now: float, events: list[Event]) -> None:
        if not answers(pdu, item.request):
            self._wonder(events, f"{pdu.command} as the answer to {item.request.command}", pdu)
            return
        del self._control[item.sequence_number]
        command = item.request.command
        if command in BIND_COMMANDS:
            events.append(self._bind_answered(pdu, now))
        elif command == "unbind":
            self._enter(State.UNBOUND)
            self._clock.ended()
            events.append(Unbound())
        elif item.token is not None:
            events.append(answered(pdu, item))

    def _bind_answered(self, pdu: Pdu, now: float) -> Event:
        self._clock.bind_sent_at = None
        if pdu.command_status or isinstance(pdu, GenericNack):
            return BindRefused(status_of(pdu), pdu)
        theirs = pdu.tlv_value("sc_interface_version")
        self._agreement.bound(theirs if isinstance(theirs, int) and theirs else None)
        self._become_bound(pdu, now)
        return Bound(pdu)

    def _wonder(self, events: list[Event], text: str, pdu: Pdu | None = None) -> None:
        self._tally.strange += 1
        events.append(Strange(text, pdu))

    # --- time -------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> list[Event]:
        """What has run out by ``now``; an enquire_link that is due is in ``data_to_send``."""
        events: list[Event] = []
        if self.closed:
            return events
        for item in self.window.take_overdue(now, self.timers.response_s):
            self._tally.unanswered += 1
            events.append(Unanswered(item.token, item.sent_at, item.request))
        for expiry in self._clock.expired(now):
            if expiry is Expiry.ENQUIRE_LINK or (
                expiry is Expiry.ENQUIRE_LINK_RESPONSE and not self._clock.enquiry_failed
            ):
                self._to_send.append(self.request(EnquireLink(), now))
            else:
                events.append(self._die(expiry.value))
                break
        return events

    def keep_alive(self, now: float) -> None:
        """Take the peer as alive at this time, whatever it said: silence and idleness count anew."""
        self._clock.kept_alive(now)

    def next_tick(self) -> float | None:
        """When ``tick`` has something to do next; None while no timer runs."""
        if self.closed:
            return None
        due_at = self._clock.next_due()
        oldest = self.window.oldest_sent_at
        if oldest is None:
            return due_at
        answer_due_at = oldest + self.timers.response_s
        return answer_due_at if due_at is None else min(due_at, answer_due_at)

    def _die(self, reason: str) -> LinkDead:
        self._enter(State.CLOSED)
        return LinkDead(reason)

    def abandon(self) -> list[InFlight]:
        """End the session and return every request still in the window, oldest first: the link is gone."""
        self._enter(State.CLOSED)
        return self.window.take_all()

    def statistics(self) -> SessionStatistics:
        """The numbers of this moment."""
        return SessionStatistics(
            role=self.role,
            state=self.state,
            window_size=self.window.size,
            window_used=self.window.used,
            heard_at=self._clock.heard_at,
            tally=attrs.evolve(self._tally),
        )


_REQUESTS: Final[dict[str, Callable[[Session, Pdu, list[Event]], None]]] = {
    "enquire_link": Session._receive_enquire_link,
    "unbind": Session._receive_unbind,
    "outbind": Session._receive_notification,
    "alert_notification": Session._receive_notification,
    **dict.fromkeys(BIND_COMMANDS, Session._receive_bind),
}
