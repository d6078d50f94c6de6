"""Links over TCP that end badly: what was in flight is in doubt, nothing is lost, nothing leaves twice."""

from collections import Counter
from collections.abc import Sequence

import trio
from trio.testing import MockClock

from connector.lifecycle import Status
from connector.smpp.pdu import SubmitSm
from tests.sockets.tcp import TcpWorld, abort, answer_all, bind, connector, listener

WINDOW = 50


def no_number_twice(requests: Sequence[SubmitSm]) -> bool:
    return set(Counter(pdu.destination_addr for pdu in requests).values()) == {1}


def reason(world: TcpWorld) -> str:
    return world.carrier.statistics().binds[0].reason


async def test_a_reset_in_mid_window_leaves_the_window_in_doubt_and_the_rest_to_the_next_link(
    jumping_clock: MockClock,
) -> None:
    async with listener() as carrier, connector(bind(carrier.port, window_size=WINDOW)) as world:
        await world.send(120)
        first = await carrier.bound()
        seen = await first.requested(SubmitSm, WINDOW)
        await first.answer(seen[:10])
        seen += await first.requested(SubmitSm, 10)
        await abort(first)
        await world.counted(Status.IN_DOUBT, WINDOW)
        second = await carrier.bound()
        seen += await answer_all(second, 60)
        await world.counted(Status.SENT, 70)
        assert no_number_twice(seen)
        assert len(await world.all_of(Status.IN_DOUBT)) == WINDOW


async def test_answers_that_a_reset_overtakes_are_read_or_their_messages_in_doubt(jumping_clock: MockClock) -> None:
    async with listener() as carrier, connector(bind(carrier.port, window_size=WINDOW)) as world:
        ids = await world.send(WINDOW)
        first = await carrier.bound()
        await first.answer(await first.requested(SubmitSm, WINDOW))
        await abort(first)
        await carrier.bound()
        statuses = await world.statuses(ids)
        assert set(statuses) <= {Status.SENT, Status.IN_DOUBT}
        assert sum(statuses.values()) == WINDOW


async def test_half_a_pdu_and_the_end_of_the_link_is_an_answer_that_never_came(jumping_clock: MockClock) -> None:
    async with listener() as carrier, connector(bind(carrier.port)) as world:
        await world.send(2)
        first = await carrier.bound()
        requests = await first.requested(SubmitSm, 2)
        await first.answer(requests[:1])
        await first.stream.send_all(b"\0\0\0\x1a\x80\0\0\x04\0\0")
        await first.cut()
        await carrier.bound()
        await world.counted(Status.IN_DOUBT, 1)
        await world.counted(Status.SENT, 1)


async def test_a_peer_that_reads_and_answers_no_more_is_found_by_enquire_link(jumping_clock: MockClock) -> None:
    """Silence of 20 s, then twice 10 s for an answer: a link that swallows everything is dead after 40."""
    async with listener() as carrier, connector(bind(carrier.port, window_size=WINDOW, enquire_link_s=20.0)) as world:
        first = await carrier.bound()
        bound_at = trio.current_time()
        await world.send(WINDOW + 5)
        await first.requested(SubmitSm, 1)
        await world.until(lambda: not world.carrier.statistics().bound)
        assert 39.9 <= trio.current_time() - bound_at <= 41
        assert reason(world) == "enquire_link was not answered in time"
        await world.counted(Status.IN_DOUBT, WINDOW)
        await answer_all(await carrier.bound(), 5)
        await world.counted(Status.SENT, 5)


async def test_a_peer_that_answers_enquire_link_and_nothing_else_keeps_its_link(jumping_clock: MockClock) -> None:
    async with listener() as carrier, connector(bind(carrier.port, enquire_link_s=20.0)) as world:
        smsc = await carrier.bound()
        with trio.move_on_after(200) as reading:
            await smsc.closed()
        assert reading.cancelled_caught, "the link was closed"
        assert [(bind.state, bind.attempts) for bind in world.carrier.statistics().binds] == [("bound", 1)]
