"""What one commit of results does to the lanes, and what is counted of receipts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from connector.carrier.inbox import Batch
from connector.config import LANES
from connector.lifecycle import Event, Status
from connector.model import Clue, Part, QueueState, Result, user_message_reference
from connector.pipeline.lanes import Lanes
from connector.pipeline.results import Results
from connector.store.batcher import InlineWriter
from connector.store.memory import MemoryEngine
from connector.store.store import Store
from tests.store.world import NAMES, QUEUE, World, acknowledged, answered, claim, message, part, receipt


class Desk:
    """Results on a store in memory, and the lanes they keep informed."""

    def __init__(self, kept: World) -> None:
        self.kept = kept
        self.lanes = Lanes(LANES, {"all": ("north",)})
        self.lanes.open([QueueState(QUEUE, NAMES[0], 0)])
        self.results = Results(
            Store(kept.engine, InlineWriter(kept.engine)), self.lanes, lambda: None, trio.current_time
        )

    async def put(self, *results: Result, returned: Part) -> None:
        """Take these to disk; ``returned`` may wait again at once."""
        self.results.put(Batch(lambda _responses: None, list(results), returned={returned.id: returned}))
        await self.results.settled()

    def in_hand(self) -> list[int]:
        """The parts that wait by the lanes' count and in their memory."""
        queue = self.lanes.queue(QUEUE)
        held = [entry[1] for entry in queue.heads]
        assert queue.waiting == len(held)
        return held


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    kept = World(MemoryEngine(), lambda engine: engine)
    it = Desk(kept)
    async with trio.open_nursery() as nursery:
        await nursery.start(it.results._store.run)
        await nursery.start(it.results.run)
        yield it
        assert {entry.id for entry in kept.heads()} == set(it.in_hand())
        assert kept.engine.verify().ok
        nursery.cancel_scope.cancel()


def resent(kept: World) -> Part:
    """Bring a part on the wire a second time, and return it as a carrier has it."""
    kept.to_be_resent(message(5))
    head = kept.head()
    assert kept.claim(claim(part(5), 2, doubts=1)) != []
    head.attempt = 2
    return head


async def test_what_is_put_off_waits_again(autojump_clock: MockClock) -> None:
    async with desk() as it:
        await it.put(answered(part(5), Event.DEFERRED, attempt=2), returned=resent(it.kept))
        assert it.in_hand() == [part(5)]


async def test_what_pauses_before_another_try_does_not_wait_yet(autojump_clock: MockClock) -> None:
    async with desk() as it:
        await it.put(answered(part(5), Event.DEFERRED, attempt=2, due_at=1_050.0), returned=resent(it.kept))
        assert it.in_hand() == []


async def test_what_an_earlier_attempt_is_told_to_await_puts_the_newest_one_off_no_longer(
    autojump_clock: MockClock,
) -> None:
    """The late answer to the first attempt has a patience of its own; it comes in the same read."""
    async with desk() as it:
        late = acknowledged(part(5), "old", due_at=5_000.0)
        await it.put(late, answered(part(5), Event.DEFERRED, attempt=2), returned=resent(it.kept))
        assert it.in_hand() == [part(5)]


async def test_what_a_receipt_ends_in_the_commit_that_puts_it_off_waits_nowhere(autojump_clock: MockClock) -> None:
    async with desk() as it:
        again = resent(it.kept)
        told = Clue("Shop", reference=user_message_reference(part(5)))
        await it.put(receipt("nobody's", clue=told), returned=again)
        await it.put(answered(part(5), Event.DEFERRED, attempt=2), returned=again)
        assert it.kept.status(5) is Status.DELIVERED
        assert it.in_hand() == []


async def test_what_an_earlier_attempt_delivered_waits_nowhere(autojump_clock: MockClock) -> None:
    async with desk() as it:
        again = resent(it.kept)
        await it.put(acknowledged(part(5), "old"), receipt("old"), returned=again)
        await it.put(answered(part(5), Event.DEFERRED, attempt=2), returned=again)
        assert it.kept.status(5) is Status.DELIVERED
        assert it.in_hand() == []


async def test_what_waited_and_is_told_by_a_receipt_waits_no_more(autojump_clock: MockClock) -> None:
    async with desk() as it:
        again = resent(it.kept)
        await it.put(acknowledged(part(5), "old"), answered(part(5), Event.DEFERRED, attempt=2), returned=again)
        assert it.in_hand() == [part(5)]
        await it.put(receipt("old"), returned=again)
        assert it.in_hand() == []
