"""Parts that may have none of the places there are do not hide those behind them that may."""

from collections.abc import Collection
from typing import Any

from trio.testing import MockClock

from connector.config import LANES
from connector.lifecycle import Event, Status
from connector.model import Part, QueueName, QueueState, Reason
from connector.pipeline import stranded
from connector.pipeline.lanes import Lanes
from connector.pipeline.queue import Queue
from connector.pipeline.turn import Anyone, Offer, Pick
from connector.smpp import tables
from tests.pipeline.books import counts_hold
from tests.pipeline.test_lanes import PROMOTIONAL, Waiting
from tests.pipeline.world import carrier_config, config, world

CARRIERS_OF = {"both": ("north", "south")}
FAR = 1_000_000.0


class Refusals(Anyone):
    """Lets parts of the sender REFUSED go to "south" only."""

    def __init__(self) -> None:
        super().__init__(CARRIERS_OF)

    def is_plain(self, queue: Queue) -> bool:
        return False

    def order(self, part: Part, rule: str) -> Collection[str]:  # type: ignore[override]
        return ("south",) if part.sender == "REFUSED" else super().order(part, rule)

    def is_stranded(self, part: Part, rule: str, carriers: Collection[str]) -> bool:
        return not any(name in carriers for name in self.order(part, rule))


class Backlog:
    """One queue and what waits of it on disk."""

    def __init__(self, *runs: tuple[str, int], deadline: float = FAR, **changes: Any) -> None:
        it = Waiting((PROMOTIONAL, "both", "shop"), **CARRIERS_OF)
        parts = [part for name, many in runs for part in it.make(1, many, sender=name, deadline=deadline, **changes)]
        self.disk = {part.id: part for part in parts}
        self.lanes = Lanes(LANES, CARRIERS_OF, Refusals())
        self.lanes.open([QueueState(1, QueueName(PROMOTIONAL, "both", "shop"), len(parts))])
        self.taken: list[str] = []
        self.put_off: list[tuple[Part, float]] = []

    def turn(self, now: float, *, north: int = 50, south: int = 0) -> Pick:
        for wish in self.lanes.wanted([]):
            after = wish.after or (-1.0, -1)
            rows = sorted(
                (p for p in self.disk.values() if (p.deadline, p.id) > after), key=lambda p: (p.deadline, p.id)
            )
            self.lanes.queue(1).refill(rows[: wish.limit])
        pick = self.lanes.pick({"north": Offer(north), "south": Offer(south)}, tuple(LANES), now)
        gone = [part for parts in pick.parts.values() for part in parts]
        self.taken += [part.sender for part in gone]
        self.put_off += pick.stranded
        for part in [*gone, *(part for part, _ in pick.stranded)]:
            del self.disk[part.id]
        return pick


def test_what_a_carrier_may_have_is_found_behind_thousands_that_it_refused() -> None:
    it = Backlog(("REFUSED", 6_000), ("FINE", 100))
    for turn in range(60):
        it.turn(float(turn))
    assert it.taken == ["FINE"] * 100
    assert {part.sender for part, _ in it.put_off} == {"REFUSED"}
    assert len(it.disk) >= stranded.HELD, "some keep their places, and go as soon as they may"


def test_while_few_are_refused_they_keep_their_places_and_go_first_when_they_may() -> None:
    it = Backlog(("REFUSED", 1_500), ("FINE", 100))
    for turn in range(60):
        it.turn(float(turn))
    assert it.taken == ["FINE"] * 100
    assert not it.put_off
    it.turn(60.0, north=0, south=20)
    assert it.taken[100:] == ["REFUSED"] * 20


def test_one_close_to_its_deadline_is_looked_at_again_long_before_it() -> None:
    it = Backlog(("REFUSED", 3_000), ("FINE", 600), deadline=100.0)
    for turn in range(20):
        it.turn(float(turn))
    assert it.put_off
    assert all(until <= 20.0 + 25.0 for _, until in it.put_off)


def test_parts_in_doubt_are_never_put_off() -> None:
    it = Backlog(("REFUSED", 6_000), ("FINE", 1), doubts=1)
    for turn in range(60):
        it.turn(float(turn))
    assert not it.put_off


def test_a_look_costs_nothing_more_than_twice_a_second() -> None:
    it = Backlog(("REFUSED", 9_000))
    for _ in range(30):
        it.turn(1.0)
    assert 0 < len(it.put_off) <= stranded.AT_ONCE


async def test_a_carrier_that_refused_thousands_gets_what_came_behind_them_while_the_other_is_down(
    autojump_clock: MockClock,
) -> None:
    """And each of those it refused is settled when the other one is back."""
    async with world(config(carrier_config("north"), carrier_config("south"))) as it:
        it.smsc["north"].set_judge(lambda pdu: tables.ESME_RSUBMITFAIL if pdu.message_octets == b"bad" else 0)
        await it.start()
        await it.bound()
        it.down.add("south")
        it.cut("south")
        bad = [message for place in range(9) for message in await it.send(500, text="bad", first=500 * place)]
        fine = await it.send(100, text="fine", first=9_000)
        await it.counted(Status.DELIVERED, 100)
        assert set(await it.statuses(fine)) == {Status.DELIVERED}
        it.down.clear()
        await it.counted(Status.DELIVERED, 4_600)
        timelines = [(await it.message(message)).timeline for message in bad]
        put_off = [entry.detail for timeline in timelines for entry in timeline if entry.event == Event.POSTPONED]
        assert set(put_off) == {Reason.NO_BIND}
        await counts_hold(it)
