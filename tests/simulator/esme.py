"""The least an ESME needs to talk to the simulator: a session, a stream, and patience."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio
from trio.testing import memory_stream_pair

from connector.smpp.events import Answered, Event, Requested
from connector.smpp.pdu import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    DeliverSmResp,
    Pdu,
    SubmitSm,
)
from connector.smpp.session import Session
from connector.smpp.tables import Role
from simulator import Smsc

T = TypeVar("T", bound=Pdu)
BINDS = {"transceiver": BindTransceiver, "transmitter": BindTransmitter, "receiver": BindReceiver}


def submit_sm(text: str = "hello", **fields: Any) -> SubmitSm:
    return SubmitSm(source_addr="60777", destination_addr="447911123456", short_message=text.encode("ascii"), **fields)


class Esme:
    """Reads only when it is asked for something; answers deliver_sm with ``status_of`` unless that says None."""

    def __init__(self, stream: trio.abc.Stream, *, interface_version: int = 0x34, window_size: int = 1_000) -> None:
        self.stream = stream
        self.session = Session(
            Role.ESME, interface_version=interface_version, window_size=window_size, now=trio.current_time()
        )
        self.events: list[Event] = []
        self.pdus: list[tuple[float, Pdu]] = []
        """Every response and request of the SMSC, with the time of its arrival, in order."""
        self.reads: list[tuple[float, bytes]] = []
        self.status_of: Callable[[DeliverSm], int | None] = lambda _pdu: 0

    async def bind(self, mode: str = "transceiver", system_id: str = "acme", password: str = "secret") -> int:
        request = BINDS[mode](system_id=system_id, password=password, interface_version=self.session.interface_version)
        await self.stream.send_all(self.session.request(request, trio.current_time()))
        await self.read_until(lambda: any(pdu.command.startswith("bind_") for _, pdu in self.pdus))
        return self.pdus[-1][1].command_status

    async def submit(self, *pdus: Pdu) -> None:
        await self.stream.send_all(self.session.submit(pdus, pdus, trio.current_time()))

    async def submitted(self, *pdus: Pdu) -> list[Answered]:
        """Submit and return the answers in the order of the requests."""
        start = len(self.answers)
        await self.submit(*pdus)
        await self.read_until(lambda: len(self.answers) >= start + len(pdus))
        by_token = {id(answer.token): answer for answer in self.answers[start:]}
        return [by_token[id(pdu)] for pdu in pdus]

    async def delivered(self, count: int) -> list[DeliverSm]:
        """Read until so many deliver_sm have come in all."""
        await self.read_until(lambda: len(self.received(DeliverSm)) >= count)
        return self.received(DeliverSm)

    @property
    def answers(self) -> list[Answered]:
        return [event for event in self.events if isinstance(event, Answered)]

    def received(self, cls: type[T]) -> list[T]:
        return [pdu for _, pdu in self.pdus if isinstance(pdu, cls)]

    def times_of(self, cls: type[Pdu]) -> list[float]:
        return [at for at, pdu in self.pdus if isinstance(pdu, cls)]

    async def read_until(self, condition: Callable[[], object]) -> None:
        while not condition():
            if not await self.read():
                raise AssertionError(f"the SMSC closed the link; so far: {self.pdus}")

    async def read(self) -> bool:
        """Take one read's worth and answer it; False at the end of the stream."""
        data = bytes(await self.stream.receive_some())
        now = trio.current_time()
        events = self.session.receive_data(data, now)
        self.events += events
        self.reads.append((now, data))
        for event in events:
            pdu = getattr(event, "pdu", None) or getattr(event, "response", None)
            if isinstance(pdu, Pdu):
                self.pdus.append((now, pdu))
        responses = self._responses(events)
        out = self.session.data_to_send() + (self.session.answer(responses) if responses else b"")
        if out:
            await self.stream.send_all(out)
        return bool(data)

    def _responses(self, events: Sequence[Event]) -> list[Pdu]:
        asked = [event.pdu for event in events if isinstance(event, Requested)]
        answers = [(pdu, self.status_of(pdu)) for pdu in asked if isinstance(pdu, DeliverSm)]
        return [
            DeliverSmResp(sequence_number=pdu.sequence_number, command_status=status)
            for pdu, status in answers
            if status is not None
        ]

    async def closed(self) -> None:
        """Read until the SMSC closes the link."""
        while await self.read():
            pass


@asynccontextmanager
async def linked(smsc: Smsc, **options: Any) -> AsyncIterator[Esme]:
    """An ESME on a link in memory; the link is cut at the end."""
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(smsc.serve_stream, theirs)
        yield Esme(ours, **options)
        await trio.aclose_forcefully(ours)


@asynccontextmanager
async def bound(smsc: Smsc, mode: str = "transceiver", **options: Any) -> AsyncIterator[Esme]:
    """A bound ESME."""
    async with linked(smsc, **options) as esme:
        assert await esme.bind(mode) == 0
        yield esme
