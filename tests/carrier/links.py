"""One carrier's end of a bind, scripted: it does only what a test says."""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import UnionType
from typing import Any

import attrs
import trio
from trio.testing import memory_stream_pair

from connector.carrier.carrier import Carrier
from connector.carrier.inbox import Batch
from connector.carrier.link import Connect
from connector.config import LANES, BindConfig, CarrierConfig, Credentials
from connector.model import Part, Result, part_id
from connector.smpp import tables
from connector.smpp.events import Answered, Event, Requested, UnbindReceived
from connector.smpp.pdu import (
    PDU_BY_ID,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    Pdu,
    SubmitSm,
    SubmitSmResp,
)
from connector.smpp.session import Session
from connector.smpp.tables import Role
from connector.smpp.timers import Timers

EPOCH_S = 1_800_000_000.0


def now() -> float:
    return EPOCH_S + trio.current_time()


def part(number: int, **changes: Any) -> Part:
    values: dict[str, Any] = {
        "id": part_id(number, 0),
        "number": 1,
        "total": 1,
        "queue": 1,
        "lane": "otp",
        "to": "447911123456",
        "sender": "ACME",
        "text": f"message {number}",
        "alphabet": "gsm",
        "reference": 0,
        "deadline": now() + 120,
        "attempt": 1,
    }
    return Part(**{**values, **changes})


def parts(count: int) -> list[Part]:
    return [part(number) for number in range(1, count + 1)]


class Desk:
    """The inbox: keeps what comes back; ``answering`` says whether what is owed is answered at once."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.batches: list[Batch] = []
        self.answering = True

    def put(self, batch: Batch) -> None:
        self.results += batch.results
        self.batches.append(batch)
        if self.answering:
            batch.respond(batch.responses)

    def credit_changed(self) -> None:
        pass

    def of(self, kind: type) -> list[Any]:
        return [result for result in self.results if isinstance(result, kind)]


@attrs.define
class Smsc:
    """The carrier's end of one link."""

    stream: trio.abc.Stream
    session: Session
    requests: list[Pdu] = attrs.field(factory=list)
    events: list[Event] = attrs.field(factory=list)

    async def read(self) -> None:
        data = bytes(await self.stream.receive_some())
        events = self.session.receive_data(data, now())
        self.events += events
        self.requests += [event.pdu for event in events if isinstance(event, Requested)]
        if octets := self.session.data_to_send():
            await self.stream.send_all(octets)
        if not data:
            raise EOFError

    async def requested(self, kind: "type | UnionType", count: int = 1) -> list[Any]:
        """Read until so many requests of this kind are here, and take them."""
        while len(found := [pdu for pdu in self.requests if isinstance(pdu, kind)]) < count:
            await self.read()
        self.requests = [pdu for pdu in self.requests if pdu not in found[:count]]
        return found[:count]

    async def accept_bind(self, command_status: int = 0) -> BindTransceiver:
        [asked] = await self.requested(BindTransceiver | BindTransmitter | BindReceiver)
        response = PDU_BY_ID[asked.command_id | tables.RESPONSE_BIT](
            sequence_number=asked.sequence_number, command_status=command_status
        )
        await self.stream.send_all(self.session.answer([response]))
        return asked  # type: ignore[no-any-return]

    async def answer(self, requests: Sequence[SubmitSm], command_status: int = 0) -> None:
        """Answer these in this order; ids are the sequence numbers."""
        responses = [
            SubmitSmResp(
                sequence_number=pdu.sequence_number,
                command_status=command_status,
                message_id="" if command_status else str(pdu.sequence_number),
            )
            for pdu in requests
        ]
        await self.stream.send_all(self.session.answer(responses))

    async def deliver(self, *pdus: DeliverSm, and_then: bytes = b"") -> None:
        await self.stream.send_all(self.session.submit(pdus, pdus, now()) + and_then)

    async def answered(self, count: int) -> list[Answered]:
        while len(found := [event for event in self.events if isinstance(event, Answered)]) < count:
            await self.read()
        return found

    async def unbound(self) -> None:
        """Read until the connector says unbind."""
        while not any(isinstance(event, UnbindReceived) for event in self.events):
            await self.read()

    async def closed(self) -> None:
        """Read until the connector closes the link."""
        try:
            while True:
                await self.read()
        except EOFError:
            return

    async def cut(self) -> None:
        await trio.aclose_forcefully(self.stream)


class Network:
    """Hands out links; refuses while ``down``, and where the host is ``dead``."""

    def __init__(self) -> None:
        self.down = False
        self.dead: set[str] = set()
        self.tries: list[float] = []
        self.places: list[str] = []
        """Host and port of each try."""
        self.between: Callable[[trio.abc.Stream], trio.abc.Stream] = lambda stream: stream
        """What the connector gets instead of the plain end of a link."""
        self._links = trio.open_memory_channel[Smsc](100)

    async def connect(self, host: str, port: int) -> trio.abc.Stream:
        self.tries.append(now())
        self.places.append(f"{host}:{port}")
        await trio.lowlevel.checkpoint()
        if self.down or host in self.dead:
            raise ConnectionRefusedError(111, "Connection refused")
        ours, theirs = memory_stream_pair()
        timers = Timers(enquire_link_s=None)
        session = Session(Role.SMSC, window_size=10_000, timers=timers, now=now())
        await self._links[0].send(Smsc(theirs, session))
        return self.between(ours)

    async def link(self) -> Smsc:
        return await self._links[1].receive()

    async def bound(self) -> Smsc:
        smsc = await self.link()
        await smsc.accept_bind()
        return smsc


@attrs.define
class Scene:
    """A carrier of ours, the network to it, and the desk its results come to."""

    carrier: Carrier
    network: Network
    desk: Desk
    nursery: trio.Nursery

    @property
    def states(self) -> list[str]:
        return [str(bind.state) for bind in self.carrier.binds]

    async def until(self, condition: Callable[[], object], within_s: float = 1_000) -> None:
        with trio.fail_after(within_s):
            while not condition():  # noqa: ASYNC110 - of anything at all, at no cost under a virtual clock
                await trio.sleep(0.01)

    async def submit(self, parts: Sequence[Part]) -> None:
        """Submit as dispatch does, when there is credit for all of them."""
        await self.until(lambda: self.carrier.credit(now()) >= len(parts))
        self.carrier.reserve(parts)
        self.carrier.submit(parts)


@asynccontextmanager
async def scene(
    bind: dict[str, Any] | None = None,
    *more: dict[str, Any],
    credentials: Credentials | None = None,
    connect: Connect | None = None,
    **options: Any,
) -> AsyncIterator[Scene]:
    config = CarrierConfig(name="north", bind=tuple(map(_bind, [bind or {}, *more])), **options)
    network, desk = Network(), Desk()
    carrier = Carrier(
        config,
        LANES,
        desk,
        credentials=[credentials or Credentials("secret")] * len(config.bind),
        connect=connect or network.connect,
        clock=now,
        random=random.Random(3),
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(carrier.run)
        yield Scene(carrier, network, desk, nursery)
        nursery.cancel_scope.cancel()


def _bind(settings: dict[str, Any]) -> BindConfig:
    host = {} if "hosts" in settings else {"host": "smsc"}
    return BindConfig(**{**host, "system_id": "acme", **settings})


RTHROTTLED = tables.ESME_RTHROTTLED
