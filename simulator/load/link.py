"""One link of the load's ESME: it binds, writes what it is handed, and says what became of it."""

import math
from collections.abc import Sequence
from typing import Any, Final, Protocol

import attrs
import trio

from connector.smpp import tables
from connector.smpp.events import (
    Answered,
    BindRefused,
    Bound,
    Event,
    LinkDead,
    Requested,
    Unanswered,
    UnbindReceived,
    Unbound,
)
from connector.smpp.pdu import (
    PDU_BY_ID,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    DeliverSm,
    GenericNack,
    Pdu,
    Unbind,
)
from connector.smpp.session import Session
from connector.smpp.tables import Role, State
from connector.smpp.timers import Timers
from simulator.load.messages import Part

READ_OCTETS: Final = 65_536
BINDS: Final[dict[str, type[BindTransceiver] | type[BindTransmitter] | type[BindReceiver]]] = {
    "transceiver": BindTransceiver,
    "transmitter": BindTransmitter,
    "receiver": BindReceiver,
}
_SENDING: Final = (State.BOUND_TX, State.BOUND_TRX)


@attrs.frozen(kw_only=True)
class Login:
    """How the ESME binds."""

    system_id: str
    password: str = attrs.field(default="", repr=False)
    system_type: str = ""
    interface_version: int = tables.SMPP_34
    window: int = 10
    response_timeout_s: float = 30.0


class Desk(Protocol):
    """Who hands out parts and hears what became of them."""

    def bound(self, now: float) -> None:
        """Hear that a link is bound."""

    def answered(self, event: Answered, now: float) -> None:
        """Hear the answer to a part."""

    def unanswered(self, part: Part, now: float) -> None:
        """Hear that a part's response timer ran out, or that its link ended."""

    def delivered(self, pdu: DeliverSm | DataSm) -> None:
        """Hear what the carrier delivered."""

    def hand_out(self, now: float) -> None:
        """Give every link with room what is due."""


class Link:
    """Two tasks, one that reads and one that writes; nothing else waits."""

    def __init__(self, stream: trio.abc.Stream, login: Login, mode: str, desk: Desk) -> None:
        self._stream = stream
        self._desk = desk
        self._login = login
        self.mode = mode
        self._out: list[bytes] = []
        self._is_over = False
        self._woken = False
        self._sleep = trio.lowlevel.ParkingLot()
        self.bound_at: float | None = None
        self.was_heard = False
        """Whether the carrier has accepted anything that came on it."""
        self.ended_with = "the carrier closed the link"
        """Why it is over, once it is."""
        self.session = Session(
            Role.ESME,
            window_size=login.window,
            interface_version=login.interface_version,
            timers=attrs.evolve(Timers.defaults(Role.ESME), response_s=login.response_timeout_s),
            now=trio.current_time(),
        )

    @property
    def room(self) -> int:
        """How many parts it takes now."""
        return self.session.window.free if self.session.state in _SENDING and not self._is_over else 0

    async def run(self) -> None:
        """Bind and serve until the link ends; what was not answered by then is told."""
        self._bind()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                await self._read()
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the link is gone, which is what follows here in any case
        finally:
            self._is_over = True
            now = trio.current_time()
            for item in self.session.abandon():
                if isinstance(item.token, Part):
                    self._desk.unanswered(item.token, now)
            await trio.aclose_forcefully(self._stream)

    def send(self, parts: Sequence[Part], now: float) -> None:
        """Write these next; there is `room` for them."""
        self._out.append(self.session.submit([part.pdu for part in parts], parts, now))
        self._wake()

    def leave(self) -> None:
        """Unbind; the link ends with the answer."""
        if self.session.state in tables.BOUND_STATES:
            self._out.append(self.session.request(Unbind(), trio.current_time()))
        else:
            self._is_over = True
        self._wake()

    def _bind(self) -> None:
        login = self._login
        request = BINDS[self.mode](
            system_id=login.system_id,
            password=login.password,
            system_type=login.system_type,
            interface_version=login.interface_version,
        )
        self._out.append(self.session.request(request, trio.current_time()))

    # --- the tasks

    async def _read(self) -> None:
        while not self._is_over:
            data = bytes(await self._stream.receive_some(READ_OCTETS))
            now = trio.current_time()
            self._take(self.session.receive_data(data, now), now)
            self._is_over = self._is_over or not data
            self._desk.hand_out(now)
            self._wake()

    async def _write(self) -> None:
        while True:
            now = trio.current_time()
            self._take(self.session.tick(now), now)
            octets = self.session.data_to_send() + b"".join(self._out)
            self._out.clear()
            if octets:
                await self._stream.send_all(octets)
            elif self._is_over:
                await trio.aclose_forcefully(self._stream)  # which ends the read
                return
            else:
                await self._wait()

    async def _wait(self) -> None:
        tick = self.session.next_tick()
        if not self._woken:
            with trio.move_on_at(math.inf if tick is None else tick):
                await self._sleep.park()
        self._woken = False

    def _wake(self) -> None:
        self._woken = True
        self._sleep.unpark_all()

    # --- what comes in

    def _take(self, events: list[Event], now: float) -> None:
        for event in events:
            handler: Any = _HANDLERS.get(type(event))
            if handler is not None:
                handler(self, event, now)

    def _on_answer(self, event: Answered, now: float) -> None:
        if isinstance(event.token, Part):
            self.was_heard = self.was_heard or not event.command_status
            self._desk.answered(event, now)

    def _on_unanswered(self, event: Unanswered, now: float) -> None:
        if isinstance(event.token, Part):
            self._desk.unanswered(event.token, now)

    def _on_request(self, event: Requested, _now: float) -> None:
        pdu = event.pdu
        if self.session.closed:  # by what came behind it in the same read: the carrier will say it again
            return
        if isinstance(pdu, DeliverSm | DataSm):
            self._desk.delivered(pdu)
        self._out.append(self.session.answer([_response_to(pdu)]))

    def _on_bound(self, _event: Bound, now: float) -> None:
        self.bound_at = now
        self._desk.bound(now)

    def _on_end(self, _event: Event, _now: float) -> None:
        self._is_over = True

    def _on_refusal(self, event: BindRefused, _now: float) -> None:
        self.ended_with = tables.status_name(event.command_status)
        self._is_over = True

    def _on_death(self, event: LinkDead, _now: float) -> None:
        self.ended_with = event.reason
        self._is_over = True


def _response_to(pdu: Pdu) -> Pdu:
    """Return a good answer to what a carrier delivers, and a refusal of anything else."""
    if isinstance(pdu, DeliverSm | DataSm):
        return PDU_BY_ID[pdu.command_id | tables.RESPONSE_BIT](sequence_number=pdu.sequence_number)
    return GenericNack(command_status=tables.ESME_RINVCMDID, sequence_number=pdu.sequence_number)


_HANDLERS: Final = {
    Answered: Link._on_answer,
    Unanswered: Link._on_unanswered,
    Requested: Link._on_request,
    Bound: Link._on_bound,
    BindRefused: Link._on_refusal,
    UnbindReceived: Link._on_end,
    Unbound: Link._on_end,
    LinkDead: Link._on_death,
}
