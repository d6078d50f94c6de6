"""Parts of which nobody knows whether a carrier has them: held, or sent again as their lane has it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from connector.lifecycle import Status
from connector.model import Reason
from connector.smpp import tables
from simulator import Scenario
from simulator.intake import Submit
from simulator.scenario import Delay, ReceiptRules, Response
from tests.pipeline.books import counts_hold, events
from tests.pipeline.sickness import SUBMIT_SM_RESP
from tests.pipeline.test_world import lane
from tests.pipeline.world import World, carrier_config, config, now, world

TIMER_S, AFTER_S, PATIENCE_S = 10.0, 5.0, 300.0
SILENT = Scenario(response=Response(delay=Delay(never=True)), receipt=ReceiptRules(when="never"))
FIRST_TRY = ["accepted", "claimed", "lost"]


class Late(trio.abc.HalfCloseableStream):
    """A link on which answers to submit_sm come late, while ``late_s`` says so."""

    def __init__(self, stream: trio.abc.Stream, late_s: float, *, refusals_only: bool = False) -> None:
        self._stream = stream
        self._late_s = late_s
        self._in_time = bytes(4) if refusals_only else b""
        """The command_status that is not late."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stream.aclose()

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        if data[4:8] == SUBMIT_SM_RESP and data[8:12] != self._in_time:
            await trio.sleep(self._late_s)
        return data


def after(seconds: float) -> Scenario:
    return Scenario(response=Response(delay=Delay(value_s=seconds)))


@asynccontextmanager
async def doubtful(
    scenario: Scenario | None,
    *hosts: str,
    late_s: float = 0.0,
    late_refusals_only: bool = False,
    **changes: Any,
) -> AsyncIterator[World]:
    """A world whose promotional lane sends again what is in doubt; its counts are checked at the end."""
    resending = {"on_doubt": "resend", "resend_after_s": AFTER_S, "patience_s": PATIENCE_S, **changes}
    carriers = [carrier_config(name, bind={"response_timeout_s": TIMER_S}) for name in hosts or ("north",)]
    async with world(config(*carriers, lane=lane("promotional", **resending))) as it:
        if scenario is not None:
            it.play(scenario)
        if late_s:
            it.wrap = lambda stream: Late(stream, late_s, refusals_only=late_refusals_only)
        await it.start()
        await it.bound()
        yield it
        await counts_hold(it)


async def test_a_doubt_is_sent_again_after_its_time_and_the_timeline_shows_it(autojump_clock: MockClock) -> None:
    async with doubtful(SILENT) as it:
        [message] = await it.send()
        await it.counted(Status.IN_DOUBT, 1, within_s=TIMER_S + 1)
        it.smsc["north"].change(Scenario())
        await it.counted(Status.DELIVERED, 1)
        view = await it.message(message)
        assert events(view) == [*FIRST_TRY, "due", "claimed", "acknowledged", "delivered"]
        lost, due, again = view.timeline[2:5]
        assert (lost.detail, due.detail, again.attempt) == ("no_answer", "no_answer", 2)
        assert again.at - lost.at == pytest.approx(AFTER_S, abs=0.5)
        assert len(it.arrivals()) == 2


@pytest.mark.parametrize("resends", [1, 2, 3])
async def test_it_is_sent_again_so_many_times_and_not_once_more(resends: int, autojump_clock: MockClock) -> None:
    async with doubtful(SILENT, resends=resends) as it:
        [message] = await it.send()
        await it.counted(Status.UNKNOWN, 1)
        view = await it.message(message)
        assert view.reason == Reason.NO_FINAL_WORD
        assert events(view) == [*FIRST_TRY, *["due", "claimed", "lost"] * resends, "silence"]
        assert len(it.arrivals()) == 1 + resends


async def test_a_lane_that_holds_never_sends_again(autojump_clock: MockClock) -> None:
    async with doubtful(SILENT, on_doubt="hold") as it:
        [message] = await it.send()
        await it.counted(Status.UNKNOWN, 1)
        assert events(await it.message(message)) == [*FIRST_TRY, "silence"]
        assert len(it.arrivals()) == 1


async def test_nothing_is_sent_again_after_the_deadline(autojump_clock: MockClock) -> None:
    async with doubtful(SILENT) as it:
        [message] = await it.send(deadline_in_s=TIMER_S + AFTER_S - 1)
        await it.counted(Status.UNKNOWN, 1)
        assert events(await it.message(message)) == [*FIRST_TRY, "silence"]
        assert len(it.arrivals()) == 1


async def test_what_waits_to_be_sent_again_past_its_deadline_is_held_and_then_unknown(
    autojump_clock: MockClock,
) -> None:
    async with doubtful(SILENT) as it:
        began = now()
        [message] = await it.send(deadline_in_s=60)
        await it.until(it.arrivals)
        it.cut()
        await trio.sleep(AFTER_S + 1)
        assert sum(queue.waiting for queue in it.connector.statistics().queues) == 1
        await counts_hold(it)
        await trio.sleep(60)
        view = await it.message(message)
        assert events(view) == [*FIRST_TRY, "due", "held"]
        assert (view.status, view.reason) == (Status.IN_DOUBT, Reason.TOO_LATE_TO_RESEND)
        assert view.timeline[-1].at == pytest.approx(began + 60, abs=0.5)
        it.down.clear()
        await it.counted(Status.UNKNOWN, 1)
        assert (await it.message(message)).timeline[-1].at == pytest.approx(began + 60 + PATIENCE_S, abs=1)
        assert len(it.arrivals()) == 1


async def test_a_late_answer_before_it_is_sent_again_cancels_that(autojump_clock: MockClock) -> None:
    async with doubtful(after(TIMER_S + AFTER_S / 2)) as it:
        [message] = await it.send()
        await it.counted(Status.DELIVERED, 1)
        await trio.sleep(2 * AFTER_S)
        assert events(await it.message(message)) == [*FIRST_TRY, "acknowledged", "delivered"]
        assert len(it.arrivals()) == 1


async def test_a_late_answer_while_it_waits_for_a_place_cancels_that(autojump_clock: MockClock) -> None:
    async with doubtful(after(TIMER_S + 2 * AFTER_S)) as it:
        [message] = await it.send()
        await it.counted(Status.IN_DOUBT, 1)
        it.connector.carriers["north"].suspend()
        await trio.sleep(AFTER_S + 1)
        assert sum(queue.waiting for queue in it.connector.statistics().queues) == 1
        await it.counted(Status.DELIVERED, 1)
        assert sum(queue.waiting for queue in it.connector.statistics().queues) == 0
        it.connector.carriers["north"].resume()
        await trio.sleep(AFTER_S)
        assert events(await it.message(message)) == [*FIRST_TRY, "due", "acknowledged", "delivered"]
        assert len(it.arrivals()) == 1


def first_only(status: int) -> Any:
    """Refuse the first submit and take the others."""
    left = [status]

    def judge(_pdu: Submit) -> int:
        return left.pop() if left else 0

    return judge


@pytest.mark.parametrize("waits", [False, True])
async def test_a_late_refusal_ends_what_would_have_been_sent_again(waits: bool, autojump_clock: MockClock) -> None:
    late_s = TIMER_S + (2 * AFTER_S if waits else AFTER_S / 2)
    async with doubtful(None, late_s=late_s) as it:
        it.smsc["north"].set_judge(first_only(tables.ESME_RINVDSTADR))
        [message] = await it.send()
        await it.counted(Status.IN_DOUBT, 1)
        it.connector.carriers["north"].suspend()
        await it.counted(Status.REJECTED, 1)
        it.connector.carriers["north"].resume()
        await trio.sleep(2 * AFTER_S)
        assert events(await it.message(message)) == [*FIRST_TRY, *["due"] * waits, "refused"]
        assert not it.arrivals()


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("status", [tables.ESME_RTHROTTLED, tables.ESME_RSYSERR])
async def test_a_late_not_now_settles_the_doubt_and_it_is_sent_as_any_other(
    waits: bool, status: int, autojump_clock: MockClock
) -> None:
    late_s = TIMER_S + (2 * AFTER_S if waits else AFTER_S / 2)
    async with doubtful(None, late_s=late_s) as it:
        it.smsc["north"].set_judge(first_only(status))
        [message] = await it.send()
        await it.counted(Status.IN_DOUBT, 1)
        it.connector.carriers["north"].suspend()
        await it.counted(Status.ACCEPTED, 1)
        await counts_hold(it)
        it.wrap = lambda stream: stream
        it.smsc["north"].drop_links()
        await it.bound()
        it.connector.carriers["north"].resume()
        await it.counted(Status.DELIVERED, 1)
        found = events(await it.message(message))
        assert found[: len(FIRST_TRY) + waits + 1] == [*FIRST_TRY, *["due"] * waits, "deferred"]
        assert found.count("claimed") == 2
        assert len(it.arrivals()) == 1


@pytest.mark.parametrize("status", [0, tables.ESME_RTHROTTLED, tables.ESME_RSYSERR, tables.ESME_RINVDSTADR])
async def test_what_the_first_try_has_delivered_is_delivered_whatever_becomes_of_the_second(
    status: int, autojump_clock: MockClock
) -> None:
    """The first answer and its receipt come while the second try is on the wire, 15 s after the first."""
    late = Scenario(response=Response(delay=Delay(value_s=17.0)), receipt=ReceiptRules(delay=Delay(value_s=1.0)))
    async with doubtful(late, "north", "south", late_s=8.0, late_refusals_only=True) as it:
        it.smsc["south"].change(
            Scenario(response=Response(delay=Delay(value_s=8.0)), receipt=ReceiptRules(when="never"))
        )
        it.smsc["south"].set_judge(lambda _pdu: status)
        it.connector.carriers["south"].suspend()
        [message] = await it.send()
        await it.until(it.arrivals)
        it.connector.carriers["north"].suspend()
        it.connector.carriers["south"].resume()
        await trio.sleep(20.0)
        assert await it.statuses([message]) == {Status.SENDING: 1}
        assert [parked.why for parked in await it.connector.queries.parked(0, 9)] == ["earlier_attempt"]
        await it.counted(Status.DELIVERED, 1, within_s=5)
        assert (await it.connector.queries.ledger()).parked == 0
        await counts_hold(it)
        await trio.sleep(PATIENCE_S)
        assert events(await it.message(message)).count("claimed") == 2, "it is not sent a third time"
        assert await it.statuses([message]) == {Status.DELIVERED: 1}


async def test_a_receipt_of_the_second_try_settles_it_and_that_of_the_first_is_kept(
    autojump_clock: MockClock,
) -> None:
    silent = Scenario(response=Response(delay=Delay(never=True)), receipt=ReceiptRules(delay=Delay(value_s=60.0)))
    async with doubtful(silent) as it:
        await it.send()
        await it.counted(Status.IN_DOUBT, 1)
        it.smsc["north"].change(Scenario(response=Response(), receipt=ReceiptRules(delay=Delay(value_s=60.0))))
        await it.counted(Status.DELIVERED, 1)
        await trio.sleep(60)
        assert len(it.arrivals()) == 2
        assert (await it.connector.queries.ledger()).parked == 1


async def test_what_was_on_the_wire_when_the_process_died_is_sent_again(autojump_clock: MockClock) -> None:
    async with doubtful(SILENT) as it:
        ids = await it.send(20)
        await it.until(lambda: len(it.arrivals()) == 20)
        await it.kill()
        it.smsc["north"].change(Scenario())
        await it.start()
        await counts_hold(it)
        assert (await it.connector.queries.ledger()).messages == {"in_doubt": 20}
        await it.counted(Status.DELIVERED, 20)
        for message in ids:
            found = events(await it.message(message))
            assert found == [*FIRST_TRY, "due", "claimed", "acknowledged", "delivered"]
        assert len(it.arrivals()) == 40


async def test_what_died_while_it_waited_to_be_sent_again_keeps_its_doubts(autojump_clock: MockClock) -> None:
    async with doubtful(SILENT, resends=2) as it:
        [message] = await it.send()
        await it.counted(Status.IN_DOUBT, 1)
        it.connector.carriers["north"].suspend()
        await trio.sleep(AFTER_S + 1)
        await it.kill()
        await it.start()
        it.connector.carriers["north"].resume()  # a suspension outlives the process
        await it.counted(Status.UNKNOWN, 1)
        assert events(await it.message(message)) == [*FIRST_TRY, *["due", "claimed", "lost"] * 2, "silence"]
        assert len(it.arrivals()) == 3


async def test_a_doubt_of_a_message_of_one_part_may_go_to_another_carrier(autojump_clock: MockClock) -> None:
    async with doubtful(SILENT, "north", "south") as it:
        [message] = await it.send()
        await it.until(it.arrivals)
        it.cut()
        await it.counted(Status.DELIVERED, 1)
        view = await it.message(message)
        assert [(entry.carrier, entry.attempt) for entry in view.timeline if entry.event == "claimed"] == [
            ("north", 1),
            ("south", 2),
        ]


async def test_a_doubt_of_a_message_of_several_parts_waits_for_their_carrier(autojump_clock: MockClock) -> None:
    async with doubtful(SILENT, "north", "south") as it:
        await it.send(text="a text of several parts, as long as it takes " * 8)
        await it.until(lambda: len(it.arrivals()) == 3)
        it.cut()
        await trio.sleep(60)
        assert not it.arrivals("south")
        it.smsc["north"].change(Scenario())
        it.down.clear()
        await it.counted(Status.DELIVERED, 1)
        assert len(it.arrivals()) == 6
        references = {entry.octets[3] for entry in it.smsc["north"].ledger}
        assert len(references) == 1
