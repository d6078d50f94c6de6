"""What a caller takes back, under virtual time: what was cancelled before it left never reaches the carrier."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.carrier.recall import Recall
from connector.config import LANES, DialectConfig, RetryConfig
from connector.errors import StoreError
from connector.lifecycle import Event, Status
from connector.model import Move, Moved, Reason, TimelineEntry
from connector.pipeline.cancel import MOST_ASKING, Cancellation, Heard, copies
from simulator import Scenario
from simulator.scenario import Delay, Limits, Rate, ReceiptRules, Response
from tests.pipeline.world import World, carrier_config, config, now, world

LONG = "a text that needs more than one part " * 8
LATER = ReceiptRules(delay=Delay(value_s=600.0))
GIVES_BACK = carrier_config(dialect=DialectConfig(cancel_sm=True))


async def cancel(it: World, message: int) -> Cancellation:
    done = await it.connector.canceller.cancel(message, api_key="shop")
    assert done is not None
    return done


def waiting(it: World) -> int:
    return sum(queue.waiting for queue in it.connector.statistics().queues)


def numbers(done: Cancellation) -> tuple[int, int, int, int]:
    return done.view.parts, done.cancelled, done.already_out, done.recalled


# --- what waits ---


async def test_what_waits_for_a_carrier_is_cancelled_and_never_leaves(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.down.add("north")
        await it.start()
        [kept, taken] = await it.send(2)
        done = await cancel(it, taken)
        assert (done.done, done.view.status, numbers(done)) == (True, Status.CANCELLED, (1, 1, 0, 0))
        assert done.view.reason == Reason.CANCELLED_BY_CALLER
        assert [entry.event for entry in done.view.timeline] == ["accepted", "cancelled"]
        assert waiting(it) == 1
        it.down.clear()
        await it.counted(Status.DELIVERED, 1)
        assert it.arrivals() == [(await it.message(kept)).to]
        assert waiting(it) == 0


async def test_the_event_log_tells_a_cancel(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.down.add("north")
        await it.start()
        [message] = await it.send()
        await cancel(it, message)
        last = (await it.connector.queries.events(0, 100))[-1]
        assert (last.status, last.parts) == (Status.CANCELLED, (message << 8,))


async def test_a_scheduled_message_is_cancelled_before_its_time(autojump_clock: MockClock) -> None:
    async with world() as it:
        await it.start()
        await it.bound()
        [message] = await it.send(lane="otp", send_at=now() + 3_600)
        assert (await cancel(it, message)).view.status is Status.CANCELLED
        await trio.sleep(7_200)
        assert it.arrivals() == []
        assert (await it.message(message)).status is Status.CANCELLED


async def test_what_pauses_before_another_try_is_cancelled(autojump_clock: MockClock) -> None:
    retry = RetryConfig(attempts=3, backoff_s=(30.0,))
    async with world(config(lane={"promotional": attrs.evolve(LANES["promotional"], retry=retry)})) as it:
        it.play(Scenario(limits=Limits(rate=Rate(per_second=1e-9), over_rate="ESME_RSYSERR")))
        await it.start()
        await it.bound()
        await it.send()  # the bucket holds one
        await it.counted(Status.DELIVERED, 1)
        [message] = await it.send(first=1)
        await trio.sleep(1)
        done = await cancel(it, message)
        assert (done.view.status, numbers(done)) == (Status.CANCELLED, (1, 1, 0, 0))
        events = [entry.event for entry in done.view.timeline]
        assert events == ["accepted", "claimed", "deferred", "cancelled"]
        await trio.sleep(120)
        assert (await it.message(message)).timeline == done.view.timeline


async def test_cancelling_again_tells_the_same(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.down.add("north")
        await it.start()
        [message] = await it.send(text=LONG)
        first = await cancel(it, message)
        assert numbers(first) == (2, 2, 0, 0)
        assert await cancel(it, message) == first
        counted = [entry.event for entry in first.view.timeline]
        assert counted.count("cancelled") == 2


async def test_two_who_cancel_at_once_hear_the_same(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.down.add("north")
        await it.start()
        [message] = await it.send()
        heard: list[Cancellation] = []

        async def one() -> None:
            heard.append(await cancel(it, message))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            nursery.start_soon(one)
        assert heard[0] == heard[1]
        assert heard[0].done


async def test_a_message_of_another_api_key_is_not_there(autojump_clock: MockClock) -> None:
    async with world(config(keys=("shop", "other"))) as it:
        it.down.add("north")
        await it.start()
        [message] = await it.send()
        assert await it.connector.canceller.cancel(message, api_key="other") is None
        assert await it.connector.canceller.cancel(message + 1, api_key="shop") is None
        assert (await it.message(message)).status is Status.ACCEPTED


async def test_what_waits_can_be_cancelled_while_the_connector_drains(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=5.0)), receipt=LATER))
        await it.start()
        await it.bound()
        await it.send(50)
        last = (await it.send(1, first=90))[0]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.connector.drain)
            await trio.sleep(1)
            assert (await cancel(it, last)).view.status is Status.CANCELLED


# --- what has left ---


async def test_what_is_on_the_wire_stays_and_is_told(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.play(Scenario(response=Response(delay=Delay(value_s=20.0)), receipt=LATER))
        await it.start()
        await it.bound()
        [message] = await it.send()
        await trio.sleep(1)
        done = await cancel(it, message)
        assert (done.done, done.view.status, numbers(done)) == (False, Status.SENDING, (1, 0, 1, 0))
        assert len(it.arrivals()) == 1


async def test_what_is_in_doubt_stays_and_is_told(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.play(Scenario(response=Response(delay=Delay(never=True)), receipt=LATER))
        await it.start()
        await it.bound()
        [message] = await it.send()
        await it.counted(Status.IN_DOUBT, 1)
        done = await cancel(it, message)
        assert (done.done, done.view.status, numbers(done)) == (False, Status.IN_DOUBT, (1, 0, 1, 0))


@pytest.mark.parametrize("waits", [False, True])
async def test_what_is_in_doubt_is_not_sent_again_once_its_caller_wants_it_back(
    waits: bool, autojump_clock: MockClock
) -> None:
    """Before its second try is due, and while it waits for a carrier to take it."""
    lane = attrs.evolve(LANES["promotional"], on_doubt="resend", resend_after_s=30.0, patience_s=7_200.0)
    async with world(config(lane={"promotional": lane})) as it:
        smsc = it.play(Scenario(response=Response(delay=Delay(never=True)), receipt=LATER))
        await it.start()
        await it.bound()
        [message] = await it.send()
        await it.counted(Status.IN_DOUBT, 1)
        if waits:
            it.cut()
            await it.until(lambda: waiting(it) == 1)
        done = await cancel(it, message)
        assert (done.done, done.view.status) == (False, Status.IN_DOUBT)
        assert waiting(it) == 0
        it.down.clear()
        smsc.change(Scenario())
        await trio.sleep(3_600)
        assert len(it.arrivals()) == 1
        await it.counted(Status.UNKNOWN, 1, within_s=100_000)


async def test_a_carrier_that_does_not_know_cancel_sm_is_not_asked(autojump_clock: MockClock) -> None:
    async with world() as it:
        it.play(Scenario(receipt=LATER))
        await it.start()
        await it.bound()
        [message] = await it.send()
        await it.counted(Status.SENT, 1)
        done = await cancel(it, message)
        assert (done.done, done.view.status) == (False, Status.SENT)
        assert done.heard == (Heard(message << 8, "north", "not_offered"),)
        await it.counted(Status.DELIVERED, 1)
        assert not (await cancel(it, message)).done


async def test_a_carrier_that_gives_it_back_makes_it_cancelled(autojump_clock: MockClock) -> None:
    async with world(config(GIVES_BACK)) as it:
        it.play(Scenario(receipt=LATER))
        await it.start()
        await it.bound()
        [message, other] = await it.send(2)
        await it.counted(Status.SENT, 2)
        done = await cancel(it, message)
        assert (done.done, done.view.status, numbers(done)) == (True, Status.CANCELLED, (1, 1, 0, 1))
        assert done.heard == (Heard(message << 8, "north", "ESME_ROK"),)
        assert done.view.reason == Reason.RECALLED_BY_CARRIER
        again = await cancel(it, message)
        assert (again.done, again.view, again.heard) == (True, done.view, ())
        await it.counted(Status.DELIVERED, 1)
        await trio.sleep(600)
        view = await it.message(message)  # the carrier's receipt says DELETED: noted, and moves nothing
        assert view.status is Status.CANCELLED
        assert [entry.event for entry in view.timeline][:4] == ["accepted", "claimed", "acknowledged", "recalled"]
        assert [entry.state for entry in it.smsc["north"].ledger] == ["DELETED", "DELIVRD"]
        assert (await it.message(other)).status is Status.DELIVERED


async def test_a_store_that_fails_meanwhile_is_told_as_such(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(config(GIVES_BACK)) as it:
        it.play(Scenario(receipt=LATER))
        await it.start()
        await it.bound()
        [message] = await it.send()
        await it.counted(Status.SENT, 1)
        change = it.connector._store.change

        async def failing(moves: Sequence[Move], *, now: float) -> list[Moved]:
            if any(move.event is Event.RECALLED for move in moves):
                raise StoreError("not now")
            return await change(moves, now=now)

        monkeypatch.setattr(it.connector._store, "change", failing)
        with pytest.raises(StoreError, match="not now"):
            await cancel(it, message)


async def test_a_carrier_that_refuses_to_give_it_back_is_quoted(autojump_clock: MockClock) -> None:
    async with world(config(GIVES_BACK)) as it:
        it.play(Scenario(receipt=LATER))
        await it.start()
        await it.bound()
        [message] = await it.send()
        await it.counted(Status.SENT, 1)
        [entry] = it.smsc["north"].ledger
        entry.receipt_sent_at = now()  # to the carrier it is delivered; its receipt is on the way
        done = await cancel(it, message)
        assert (done.done, done.view.status, numbers(done)) == (False, Status.SENT, (1, 0, 1, 0))
        assert done.heard == (Heard(message << 8, "north", "ESME_RCANCELFAIL"),)


async def test_two_who_want_a_sent_message_back_ask_the_carrier_once(autojump_clock: MockClock) -> None:
    async with world(config(GIVES_BACK)) as it:
        it.play(Scenario(receipt=LATER))
        await it.start()
        await it.bound()
        [message] = await it.send()
        await it.counted(Status.SENT, 1)
        heard: list[Cancellation] = []

        async def one() -> None:
            heard.append(await cancel(it, message))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one)
            nursery.start_soon(one)
        assert [done.done for done in heard] == [True, True]
        assert sorted(len(done.heard) for done in heard) == [0, 1]


async def test_a_lost_link_leaves_it_sent(autojump_clock: MockClock) -> None:
    async with world(config(GIVES_BACK)) as it:
        it.play(Scenario(receipt=LATER))
        await it.start()
        await it.bound()
        [message] = await it.send()
        await it.counted(Status.SENT, 1)
        it.cut()
        done = await cancel(it, message)
        assert (done.done, done.view.status) == (False, Status.SENT)
        assert done.heard[0].said in ("no_bind", "link_lost")


async def test_parts_that_wait_are_cancelled_and_those_that_left_are_counted(autojump_clock: MockClock) -> None:
    slow = carrier_config(rate_per_s=1)
    async with world(config(slow)) as it:
        it.play(Scenario(receipt=LATER))
        await it.start()
        await it.bound()
        [message] = await it.send(text=LONG * 3)
        await it.until(lambda: len(it.arrivals()) == 2)
        await trio.sleep(0.2)
        done = await cancel(it, message)
        assert done.done
        assert done.cancelled + done.already_out == done.view.parts == 6
        assert done.recalled == 0
        await trio.sleep(60)
        assert len(it.arrivals()) == done.already_out < 6
        assert waiting(it) == 0


async def test_a_message_half_sent_comes_back_as_a_whole_where_the_carrier_gives_it_back(
    autojump_clock: MockClock,
) -> None:
    slow = carrier_config(rate_per_s=1, dialect=DialectConfig(cancel_sm=True))
    async with world(config(slow)) as it:
        it.play(Scenario(receipt=LATER))
        await it.start()
        await it.bound()
        [message] = await it.send(text=LONG * 3)
        await it.until(lambda: len(it.arrivals()) == 3)
        it.connector.carriers["north"].suspend()
        await trio.sleep(0.5)
        done = await cancel(it, message)
        assert (done.view.status, numbers(done)) == (Status.CANCELLED, (6, 6, 0, 3))
        assert all(entry.cancelled_at is not None for entry in it.smsc["north"].ledger)


@pytest.mark.parametrize(
    ("state", "status", "done"), [("DELETED", Status.FAILED, True), ("DELIVRD", Status.DELIVERED, False)]
)
async def test_a_receipt_that_is_there_before_the_carriers_word_stands(
    state: str, status: Status, done: bool, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(config(GIVES_BACK)) as it:
        it.play(Scenario(receipt=ReceiptRules(delay=Delay(value_s=3.0), mix={state: 1.0})))
        await it.start()
        await it.bound()
        [message] = await it.send()
        await it.counted(Status.SENT, 1)

        async def overtaken(recalls: Sequence[Recall]) -> None:
            await it.counted(status, 1)
            for recall in recalls:
                recall.tell("ESME_ROK")

        monkeypatch.setattr(it.connector.carriers["north"], "ask_back", overtaken)
        told = await cancel(it, message)
        assert (told.done, told.view.status, numbers(told)) == (done, status, (1, 0, 1, 0))


async def test_carriers_that_never_answer_do_not_fill_the_door(autojump_clock: MockClock) -> None:
    async with world(config(carrier_config(dialect=DialectConfig(cancel_sm=True), bind={"window_size": 100}))) as it:
        smsc = it.play(Scenario(receipt=LATER))
        await it.start()
        await it.bound()
        ids = await it.send(MOST_ASKING + 3)
        await it.counted(Status.SENT, len(ids))
        smsc.drop_links()
        it.down.add("north")
        words: list[str] = []

        async def one(message: int) -> None:
            words.extend(heard.said for heard in (await cancel(it, message)).heard)

        async with trio.open_nursery() as nursery:
            for message in ids:
                nursery.start_soon(one, message)
        assert words.count("busy") == 3
        assert words.count("no_bind") + words.count("link_lost") == MOST_ASKING


# --- who commits first ---


class Jittery(World):
    """A world whose commits take now this long and now that."""

    @property
    def commit_s(self) -> float:
        return self.random.choice((0.0005, 0.002, 0.004, 0.02, 0.05)) * self.random.random()

    @commit_s.setter
    def commit_s(self, value: float) -> None:
        pass


@pytest.mark.parametrize("seed", range(12))
async def test_cancelled_is_what_never_left_whoever_commits_first(seed: int, autojump_clock: MockClock) -> None:
    chance = random.Random(seed)
    settings = config(
        carrier_config(rate_per_s=chance.choice((40, 200, None)), bind={"window_size": 10}),
    )
    async with trio.open_nursery() as nursery:
        it = Jittery(settings, nursery)
        it.random = random.Random(seed + 1_000)
        it.play(Scenario(response=Response(delay=Delay(dist="uniform", min_s=0.0, max_s=0.1))))
        await it.start()
        await it.bound()
        asked: dict[int, int] = {}

        async def take_back(message: int, after_s: float) -> None:
            await trio.sleep(after_s)
            done = await cancel(it, message)
            asked[message] = asked.get(message, 0) + done.cancelled

        ids: list[int] = []
        async with trio.open_nursery() as callers:
            for number in range(40):
                options: dict[str, Any] = {"lane": chance.choice(("otp", "transactional", "promotional"))}
                [message] = await it.send(first=number, text=chance.choice(("short", LONG * 2)), **options)
                ids.append(message)
                for _ in range(chance.choice((0, 1, 1, 2))):
                    callers.start_soon(take_back, message, chance.choice((0, 0.001, 0.004, 0.02, 0.2)))
        live = (Status.SCHEDULED, Status.ACCEPTED, Status.SENDING, Status.SENT, Status.IN_DOUBT)
        with trio.fail_after(600):
            while not (await it.statuses(ids)).keys().isdisjoint(live):  # noqa: ASYNC110 - of what is on disk
                await trio.sleep(0.5)
        arrived = it.arrivals()
        for message in ids:
            view = await it.message(message)
            cancelled = view.part_statuses.count(Status.CANCELLED)
            assert arrived.count(view.to) + cancelled == view.parts, view.timeline
            assert cancelled == 0 or message in asked
        assert {status for message in ids for status in (await it.message(message)).part_statuses} == {
            Status.CANCELLED,
            Status.DELIVERED,
        }
        assert waiting(it) == 0
        assert it.connector.carriers["north"].claimed == 0
        await it.verified()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("seed", range(8))
async def test_cancelled_is_what_the_carrier_gave_back_whoever_is_first(seed: int, autojump_clock: MockClock) -> None:
    chance = random.Random(seed)
    settings = config(carrier_config(dialect=DialectConfig(cancel_sm=True), bind={"window_size": 5}))
    async with trio.open_nursery() as nursery:
        it = Jittery(settings, nursery)
        it.random = random.Random(seed + 2_000)
        receipts = ReceiptRules(delay=Delay(dist="uniform", min_s=0.0, max_s=0.3))
        it.play(Scenario(response=Response(delay=Delay(dist="uniform", min_s=0.0, max_s=0.05)), receipt=receipts))
        await it.start()
        await it.bound()

        async def take_back(message: int, after_s: float) -> None:
            await trio.sleep(after_s)
            await cancel(it, message)

        ids = await it.send(30)
        async with trio.open_nursery() as callers:
            for message in ids * 2:
                callers.start_soon(take_back, message, chance.random() * 0.5)
        await trio.sleep(60)
        entries = {entry.destination_addr: entry for entry in it.smsc["north"].ledger}
        ends: Counter[Status] = Counter()
        for message in ids:
            view = await it.message(message)
            ends[view.status] += 1
            given = view.to not in entries or entries[view.to].cancelled_at is not None
            assert given is (view.status in (Status.CANCELLED, Status.FAILED)), view.timeline
            assert given or view.status is Status.DELIVERED
        assert ends[Status.CANCELLED]
        assert ends[Status.DELIVERED]
        assert waiting(it) == 0
        await it.verified()
        nursery.cancel_scope.cancel()


# --- which copy a carrier has ---


def entry(event: Event, attempt: int) -> TimelineEntry:
    return TimelineEntry(at=0.0, part=1, event=event, attempt=attempt)


@pytest.mark.parametrize(
    ("events", "count"),
    [
        ([(Event.CLAIMED, 1), (Event.ACKNOWLEDGED, 1)], 1),
        # lost, and answered late after all
        ([(Event.CLAIMED, 1), (Event.LOST, 1), (Event.ACKNOWLEDGED, 1)], 1),
        # lost, sent again, taken: two may be out
        ([(Event.LOST, 1), (Event.CLAIMED, 2), (Event.ACKNOWLEDGED, 2)], 2),
        # the first of them was refused late: one is out
        ([(Event.LOST, 1), (Event.CLAIMED, 2), (Event.REFUSED, 1), (Event.ACKNOWLEDGED, 2)], 1),
        # both were taken
        ([(Event.LOST, 1), (Event.CLAIMED, 2), (Event.ACKNOWLEDGED, 2), (Event.ACKNOWLEDGED, 1)], 2),
        # put off before it left, and again
        ([(Event.NOT_WRITTEN, 1), (Event.DEFERRED, 1), (Event.CLAIMED, 2), (Event.ACKNOWLEDGED, 2)], 1),
    ],
)
def test_copies_are_what_was_taken_and_what_was_lost_for_good(events: list[tuple[Event, int]], count: int) -> None:
    assert copies(entry(*each) for each in events) == count
