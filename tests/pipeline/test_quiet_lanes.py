"""Parts that only one carrier may take, as it has the others of their message, have a night too."""

import pytest

from connector.config import LANES
from connector.model import Part, QueueName, QueueState
from connector.pipeline.lanes import Lanes
from connector.pipeline.turn import Anyone, Offer

CARRIERS_OF = {"default": ("north", "south")}
DEADLINE = 1_000.0
PART = Part(
    id=(7 << 8) + 2,
    number=2,
    total=2,
    queue=1,
    lane="promotional",
    to="447911100000",
    sender="Shop",
    text="hello",
    alphabet="gsm",
    reference=1,
    deadline=DEADLINE,
    pinned="north",
)


class Night(Anyone):
    """Lets nothing leave while it is quiet."""

    def __init__(self) -> None:
        super().__init__(CARRIERS_OF)
        self.quiet = False

    def may_follow(self, part: Part, carrier: str, rule: str, now: float) -> bool:
        return not self.quiet


@pytest.fixture
def night() -> Night:
    return Night()


@pytest.fixture
def lanes(night: Night) -> Lanes:
    """Return lanes in which the part waits for "north", at night."""
    lanes = Lanes(dict(LANES), CARRIERS_OF, night)
    lanes.open([QueueState(1, QueueName("promotional", "default", "shop"), 0)])
    lanes.add([PART])
    lanes.pick({"south": Offer(5)}, ["promotional"], 0.0)
    night.quiet = True
    return lanes


def test_a_part_that_waits_for_the_carrier_of_its_siblings_waits_for_the_morning_too(
    lanes: Lanes, night: Night
) -> None:
    assert lanes.pick({"north": Offer(5)}, ["promotional"], 1.0).parts == {}
    night.quiet = False
    assert lanes.pick({"north": Offer(5)}, ["promotional"], 2.0).parts == {"north": [PART]}


def test_a_part_held_so_expires_at_its_deadline(lanes: Lanes) -> None:
    assert lanes.pick({"north": Offer(5)}, ["promotional"], DEADLINE).expired == [PART]
