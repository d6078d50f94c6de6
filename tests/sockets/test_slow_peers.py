"""Peers that write in drops, or read in drops: our side takes its time, and nothing else stands still for it."""

import trio
from trio.testing import MockClock

from connector.lifecycle import Status
from connector.smpp.events import Requested
from connector.smpp.pdu import DeliverSm, EnquireLink, SubmitSm, SubmitSmResp
from tests.carrier.links import Smsc, now
from tests.sockets.tcp import TcpWorld, answer_all, bind, connector, listener

IN_DROPS = (
    (trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 2_304),
    (trio.socket.IPPROTO_TCP, trio.socket.TCP_MAXSEG, 536),
)
"""A link of a narrow line: little is under way in the kernels, so that a writer really waits for its reader."""


def receipt_of(request: SubmitSm) -> DeliverSm:
    number = request.sequence_number
    return DeliverSm(
        source_addr=request.destination_addr,
        destination_addr=request.source_addr,
        esm_class=4,
        short_message=f"id:{number} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD "
        "err:000 text:".encode(),
    )


async def test_answers_and_receipts_that_come_octet_by_octet_are_understood(jumping_clock: MockClock) -> None:
    async with listener() as carrier, connector(bind(carrier.port)) as world:
        await world.send(100)
        smsc = await carrier.bound()
        assert isinstance(smsc.stream, trio.SocketStream)
        smsc.stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
        for _ in range(100):
            [request] = await smsc.requested(SubmitSm)
            answer = SubmitSmResp(sequence_number=request.sequence_number, message_id=str(request.sequence_number))
            receipt = receipt_of(request)
            octets = smsc.session.answer([answer]) + smsc.session.submit([receipt], [receipt], now())
            for octet in octets:
                await smsc.stream.send_all(bytes([octet]))
        await world.counted(Status.DELIVERED, 100)
        await smsc.answered(100)


LONG = "a text as long as one part may be, " * 4
OCTETS, EVERY_S = 10, 0.01
"""A reader that takes a thousand octets a second."""
ENQUIRE_LINK_RESP = b"\0\0\0\x10\x80\0\0\x15\0\0\0\0"


async def read_in_drops(smsc: Smsc, read: bytearray) -> None:
    """Take the octets as slowly as this until the end of the link, and answer each submit."""
    assert isinstance(smsc.stream, trio.SocketStream)
    while data := await smsc.stream.receive_some(OCTETS):
        read += data
        events = smsc.session.receive_data(data, now())
        requests = [event.pdu for event in events if isinstance(event, Requested)]
        await smsc.answer([pdu for pdu in requests if isinstance(pdu, SubmitSm)])
        await trio.sleep(EVERY_S)


async def test_a_slow_reader_is_waited_for_and_answered_while_the_other_bind_goes_on(jumping_clock: MockClock) -> None:
    async with listener(IN_DROPS) as narrow, listener() as wide:
        binds = bind(narrow.port, window_size=100), bind(wide.port, window_size=100)
        async with connector(*binds) as world, trio.open_nursery() as nursery:
            slow, fast = await narrow.bound(), await wide.bound()
            nursery.start_soon(read_in_drops, slow, read := bytearray())
            await world.send(300, text=LONG)
            started = trio.current_time()
            await answer_all(fast, 200)
            assert trio.current_time() - started < 1, "the other bind waited"
            await slow.stream.send_all(slow.session.request(EnquireLink(), now()))
            await world.counted(Status.SENT, 300)
            assert trio.current_time() - started > 15, "it did not read slowly"
            assert read.count(ENQUIRE_LINK_RESP) == 1
            nursery.cancel_scope.cancel()


async def test_a_reader_that_is_slower_than_the_longest_write_but_reads_keeps_its_link(
    jumping_clock: MockClock,
) -> None:
    async with (
        listener(IN_DROPS) as narrow,
        connector(bind(narrow.port, window_size=500, response_timeout_s=600.0)) as world,
        trio.open_nursery() as nursery,
    ):
        slow = await narrow.bound()
        nursery.start_soon(read_in_drops, slow, bytearray())
        await world.send(500, text=LONG)
        await world.counted(Status.SENT, 500, within_s=200)
        assert [(bind.state, bind.attempts) for bind in world.carrier.statistics().binds] == [("bound", 1)]
        nursery.cancel_scope.cancel()


async def test_a_drain_ends_in_time_though_the_carrier_reads_no_more(jumping_clock: MockClock) -> None:
    async with (
        listener(IN_DROPS) as narrow,
        connector(bind(narrow.port, window_size=500, drain_s=5.0)) as world,
    ):
        await narrow.bound()
        await world.send(600, text=LONG)
        await world.until(lambda: waiting_for(world) == 500)
        written = world.carrier.statistics().binds[0].window_used
        started = trio.current_time()
        await world.connector.drain()
        assert trio.current_time() - started <= 2 * 5.0 + 1
        await world.counted(Status.IN_DOUBT, written)
        await world.counted(Status.ACCEPTED, 600 - written)


def waiting_for(world: TcpWorld) -> int:
    """Return how many parts were given to the one bind and have no answer."""
    numbers = world.carrier.statistics().binds[0]
    return numbers.window_used + numbers.queued
