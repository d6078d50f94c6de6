"""Whatever happens around a queue's reads of its heads, nothing that waits on disk is forgotten or picked twice."""

from collections.abc import Callable
from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from connector.config import LANES
from connector.model import Part, QueueName, QueueState, Wanted, part_id
from connector.pipeline import queue as module
from connector.pipeline.lanes import Lanes
from connector.pipeline.turn import Offer

QUEUE = 1
CARRIERS = ("north", "south")
DEADLINES = st.integers(100, 105).map(float)


def part(message: int, deadline: float, number: int = 0, total: int = 1) -> Part:
    """A part; every third message is from A, every third from B."""
    return Part(
        id=part_id(message, number),
        number=number or 1,
        total=total,
        queue=QUEUE,
        lane="promotional",
        to="447911123456",
        sender="ABC"[message % 3],
        text="hello",
        alphabet="gsm",
        reference=0,
        deadline=deadline,
    )


@attrs.define
class Row:
    """A part on disk."""

    part: Part
    waits: bool = True


class QueueAgainstDisk(RuleBasedStateMachine):
    """Disk and memory learn of the same things at different times, as they do when a thread commits."""

    untold: Bundle[Callable[[], None]] = Bundle("untold")
    """What is on disk and has not been told to the lanes yet."""
    claims: Bundle[list[tuple[str, Part]]] = Bundle("claims")
    sent: Bundle[int] = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        self.kept = module.HEADS, module.MOST_HEADS
        module.HEADS, module.MOST_HEADS = 4, 12
        self.lanes = Lanes(LANES, {"default": CARRIERS})
        self.lanes.open([QueueState(QUEUE, QueueName("promotional", "default", "shop"), 0)])
        self.disk: dict[int, Row] = {}
        self.messages = 0
        self.claiming: list[list[tuple[str, Part]]] = []
        self.wish: Wanted | None = None
        self.snapshot: list[Part] | None = None
        self.pins: dict[int, str] = {}
        self.told: list[Callable[[], None]] = []

    # --- what waits ---

    def _untold(self, tell: Callable[[], None]) -> Callable[[], None]:
        self.told.append(tell)
        return tell

    @rule(target=untold, deadline=DEADLINES, total=st.sampled_from([1, 1, 1, 3]))
    def keep(self, deadline: float, total: int) -> Callable[[], None]:
        self.messages += 1
        numbers = range(1, total + 1) if total > 1 else [0]
        parts = [part(self.messages, deadline, number, total) for number in numbers]
        for each in parts:
            self.disk[each.id] = Row(attrs.evolve(each))
        return self._untold(lambda: self.lanes.add(parts))

    @rule(tell=consumes(untold))
    def tell(self, tell: Callable[[], None]) -> None:
        self.told.remove(tell)
        tell()

    # --- reading ---

    @precondition(lambda self: self.wish is None)
    @rule()
    def want(self) -> None:
        wishes = self.lanes.wanted([part.id for claim in self.claiming for _, part in claim])
        self.wish = wishes[0] if wishes else None

    @precondition(lambda self: self.wish is not None and self.snapshot is None)
    @rule()
    def read(self) -> None:
        assert self.wish is not None
        after = self.wish.after or (-1.0, -1)
        rows = sorted(
            (row.part for row in self.disk.values() if row.waits and (row.part.deadline, row.part.id) > after),
            key=lambda part: (part.deadline, part.id),
        )
        self.snapshot = [attrs.evolve(part, pinned=self.pins.get(part.message_id)) for part in rows[: self.wish.limit]]

    @precondition(lambda self: self.snapshot is not None)
    @rule()
    def take_in(self) -> None:
        assert self.snapshot is not None
        self.lanes.queue(QUEUE).refill(self.snapshot)
        self.wish = self.snapshot = None

    # --- leaving ---

    @rule(target=claims, north=st.integers(0, 4), south=st.integers(0, 4), held_back=st.sampled_from(["", "A", "AB"]))
    def pick(self, north: int, south: int, held_back: str = "") -> list[tuple[str, Part]]:
        admits = (lambda part: part.sender not in held_back) if held_back else None
        offers = {"north": Offer(north, admits=admits), "south": Offer(south, admits=admits)}
        pick = self.lanes.pick(offers, tuple(LANES), 0.0)
        assert not any(part.sender in held_back for parts in pick.parts.values() for part in parts if held_back)
        assert len(pick.parts.get("north", [])) <= north
        assert len(pick.parts.get("south", [])) <= south
        chosen = [(carrier, part) for carrier, parts in pick.parts.items() for part in parts]
        assert len({part.id for _, part in chosen}) == len(chosen), "picked twice for one claim"
        for carrier, each in chosen:
            each.attempt += 1
            if each.total > 1:
                each.pinned = carrier
        self.claiming.append(chosen)
        return chosen

    @rule(target=sent, claim=consumes(claims))
    def commit(self, claim: list[tuple[str, Part]]) -> Any:
        self.claiming.remove(claim)
        for carrier, each in claim:
            row = self.disk[each.id]
            if row.waits and row.part.attempt == each.attempt - 1:
                row.waits, row.part.attempt = False, each.attempt
                if each.total > 1:
                    assert self.pins.setdefault(each.message_id, carrier) == carrier, "one message, two carriers"
            else:
                self.lanes.queue(QUEUE).waiting += 1
        return claim

    @rule(target=untold, claim=consumes(sent))
    def not_now(self, claim: list[tuple[str, Part]]) -> Callable[[], None]:
        """The carrier does not have them: they wait again, at their old place."""
        mine = [each for _, each in claim if not self.disk[each.id].waits]
        mine = [each for each in mine if self.disk[each.id].part.attempt == each.attempt]
        for each in mine:
            self.disk[each.id].waits = True
        return self._untold(lambda: self.lanes.add(mine))

    @rule(target=untold, claim=consumes(sent))
    def pause_over(self, claim: list[tuple[str, Part]]) -> Callable[[], None]:
        """They waited on disk only, and their pause is over."""
        mine = [row for _, each in claim if not (row := self.disk[each.id]).waits]
        for row in mine:
            row.waits = True
        return self._untold(lambda: self.lanes.queue(QUEUE).grew_on_disk(len(mine)))

    # --- what must hold ---

    @invariant()
    def heads_are_in_order_and_few(self) -> None:
        places = [entry[:2] for entry in self.lanes.queue(QUEUE).heads]
        assert places == sorted(set(places))
        assert len(places) <= self.lanes.queue(QUEUE).reach + module.HEADS

    def teardown(self) -> None:
        try:
            self._drain()
        finally:
            module.HEADS, module.MOST_HEADS = self.kept

    def _drain(self) -> None:
        for claim in list(self.claiming):
            self.commit(claim)
        for tell in list(self.told):
            self.tell(tell)
        for _ in range(3 * len(self.disk) + 10):
            if self.wish is None:
                self.want()
            if self.wish is not None and self.snapshot is None:
                self.read()
            if self.snapshot is not None:
                self.take_in()
            self.pick(2, 2)
            for claim in list(self.claiming):
                self.commit(claim)
        assert not [row.part.id for row in self.disk.values() if row.waits], "forgotten"
        assert self.lanes.queue(QUEUE).waiting == 0


TestQueueAgainstDisk = QueueAgainstDisk.TestCase
TestQueueAgainstDisk.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)
