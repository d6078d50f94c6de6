"""Each carrier's places are shared for themselves, and places kept free change nothing about how the rest is shared."""

from collections import Counter

import attrs
import pytest

from connector.config import LANES, LaneConfig
from connector.model import Part, QueueName, QueueState
from connector.pipeline.lanes import Lanes
from connector.pipeline.turn import Offer
from tests.pipeline.test_lanes import OTP, PROMOTIONAL, Waiting

TRANSACTIONAL = "transactional"
WAITING = 480
"""Parts of each lane: fewer than memory holds."""


def taken(names: tuple[str, ...], credit: int, keep: int) -> Counter[str]:
    """Return what each lane takes in many turns that offer so many places, some of them kept."""
    it = Waiting(*((name, "default", "shop") for name in names))
    for queue in range(1, len(names) + 1):
        it.add(queue, WAITING)
    found: Counter[str] = Counter()
    for _ in range(WAITING // credit):
        found += it.lanes_of(it.pick(north=credit, keep=keep))
    return found


@pytest.mark.parametrize(("credit", "keep"), [(1, 0), (2, 1), (3, 2), (10, 5), (20, 1), (20, 0)])
def test_lanes_that_keep_nothing_free_share_what_is_left_by_their_reserves(credit: int, keep: int) -> None:
    found = taken((TRANSACTIONAL, PROMOTIONAL), credit, keep)
    left = (credit - keep) * (WAITING // credit)
    assert found == {TRANSACTIONAL: pytest.approx(left * 3 / 5, abs=2), PROMOTIONAL: pytest.approx(left * 2 / 5, abs=2)}


@pytest.mark.parametrize(("credit", "keep"), [(1, 0), (2, 1), (3, 2), (10, 5), (20, 1), (20, 0)])
def test_a_lane_that_keeps_places_free_leaves_the_others_their_share_of_the_rest(credit: int, keep: int) -> None:
    found = taken((OTP, TRANSACTIONAL, PROMOTIONAL), credit, keep)
    left = (credit - keep) * (WAITING // credit)
    whole = sum(LANES[name].reserve for name in found)
    assert found[OTP] >= WAITING * LANES[OTP].reserve / whole - 2
    for name in (TRANSACTIONAL, PROMOTIONAL):
        assert found[name] >= left * LANES[name].reserve / whole - 2, found


# --- several carriers -----------------------------------------------------------------------------------------------


def test_a_lane_that_has_one_carrier_gets_its_reserve_there_though_others_have_two() -> None:
    it = Waiting((PROMOTIONAL, "both", "shop"), (TRANSACTIONAL, "one", "shop"), both=("north", "south"), one=("north",))
    it.add(1, WAITING)
    it.add(2, WAITING)
    found: Counter[tuple[str, str]] = Counter()
    for _ in range(4):
        pick = it.pick(north=10, south=100)
        found.update((name, part.lane) for name, parts in pick.parts.items() for part in parts)
    assert found["north", TRANSACTIONAL] >= 4 * 10 * 3 / 5
    assert found["south", PROMOTIONAL] == 400


def test_an_api_key_whose_rule_has_one_carrier_gets_its_share_there_though_others_have_two() -> None:
    it = Waiting((PROMOTIONAL, "both", "shop"), (PROMOTIONAL, "one", "bank"), both=("north", "south"), one=("north",))
    it.add(1, WAITING)
    it.add(2, WAITING)
    taken = Counter(part.queue for _ in range(4) for part in it.pick(north=10, south=90).parts["north"])
    assert taken == {1: 20, 2: 20}


def test_what_a_lane_leaves_of_its_share_of_one_carrier_others_take() -> None:
    it = Waiting((OTP, "one", "shop"), (PROMOTIONAL, "both", "shop"), both=("north", "south"), one=("north",))
    it.add(1, 3)
    it.add(2, WAITING)
    assert {name: len(parts) for name, parts in it.pick(north=10, south=10).parts.items()} == {"north": 10, "south": 10}


def test_a_queue_that_can_use_no_place_it_is_dealt_leaves_it_to_whoever_can() -> None:
    it = Waiting((PROMOTIONAL, "one", "shop"), (PROMOTIONAL, "one", "bank"), one=("north",))
    it.add(1, 10, sender="HELD")
    it.add(2, 10)
    it.admits = lambda part: part.sender != "HELD"
    for _ in range(5):
        assert len(it.pick(north=1).parts["north"]) == 1


# --- messages of several parts --------------------------------------------------------------------------------------


def begun(it: Waiting, queue: int, parts: int) -> list[Part]:
    """Begin a message on "north": its other parts wait for that."""
    added = it.add(queue, 1, total=parts + 1)
    assert it.pick(north=1, south=0).parts == {"north": added[:1]}
    it.pick(north=0, south=50)
    return added[1:]


def test_parts_that_wait_for_their_carrier_have_their_lane_s_share_and_no_more() -> None:
    it = Waiting((PROMOTIONAL, "both", "shop"), (OTP, "one", "shop"), both=("north", "south"), one=("north",))
    begun(it, 1, 100)
    it.add(2, 100)
    taken = sum((it.lanes_of(it.pick(north=1)) for _ in range(40)), Counter[str]())
    assert taken == {OTP: 30, PROMOTIONAL: 10}  # reserves 0.6 and 0.2


def test_they_take_no_place_that_is_kept_free_for_others() -> None:
    it = Waiting((PROMOTIONAL, "both", "shop"), both=("north", "south"))
    begun(it, 1, 10)
    assert it.lanes_of(it.pick(north=3, keep=3)) == {}


def test_a_key_that_sends_long_messages_gets_no_more_than_one_that_sends_short_ones() -> None:
    it = Waiting((PROMOTIONAL, "one", "long"), (PROMOTIONAL, "one", "short"), one=("north", "south"))
    it.add(1, 40, total=10)
    it.add(2, 400)
    taken = Counter(part.queue for _ in range(100) for part in it.pick(north=2).parts["north"])
    assert taken == {1: 100, 2: 100}


# --- two lanes that keep places free --------------------------------------------------------------------------------


def test_of_the_places_kept_free_a_lane_has_as_many_as_it_keeps_itself() -> None:
    lanes = {"alarm": LaneConfig(keep_free=0.01), OTP: attrs.evolve(LANES[OTP], keep_free=0.5)}
    waiting = Lanes(lanes, {"one": ("north",)})
    waiting.open(QueueState(n, QueueName(lane, "one", "shop"), 0) for n, lane in enumerate(lanes, 1))
    waiting.add(attrs.evolve(part, queue=1, lane="alarm") for part in Waiting((OTP, "x", "y"), x=("z",)).make(1, 100))
    offers = {"north": Offer(100, 50, kept_from={0.01: 49})}
    assert len(waiting.pick(offers, tuple(lanes), 0.0).parts["north"]) == 51


def test_a_lane_that_keeps_less_takes_what_it_keeps_and_never_what_another_keeps_beyond_that() -> None:
    lanes = {"alarm": LaneConfig(keep_free=0.25), OTP: attrs.evolve(LANES[OTP], keep_free=0.5)}
    waiting = Lanes(lanes, {"one": ("north",)})
    waiting.open(QueueState(n, QueueName(lane, "one", "shop"), 0) for n, lane in enumerate(lanes, 1))
    waiting.add(attrs.evolve(part, queue=1, lane="alarm") for part in Waiting((OTP, "x", "y"), x=("z",)).make(1, 100))
    offers = {"north": Offer(100, 50, kept_from={0.25: 25})}
    assert len(waiting.pick(offers, tuple(lanes), 0.0).parts["north"]) == 75


# --- while a claim is under way -------------------------------------------------------------------------------------


def test_a_place_that_is_held_for_a_lane_is_not_dealt_again_at_the_next_look() -> None:
    it = Waiting((OTP, "default", "shop"), (PROMOTIONAL, "default", "shop"))
    it.add(1, 100)
    it.add(2, 100)
    assert it.lanes_of(it.pick([PROMOTIONAL], north=4)) == {PROMOTIONAL: 1}
    for _ in range(20):
        assert it.lanes_of(it.pick([PROMOTIONAL], north=3)) == {}, "these three are the other lane's"
    assert it.lanes_of(it.pick(north=3)) == {OTP: 3}


def test_no_more_is_held_for_a_lane_than_it_has_waiting() -> None:
    it = Waiting((OTP, "default", "shop"), (PROMOTIONAL, "default", "shop"))
    it.add(1, 1)
    it.add(2, 100)
    assert it.lanes_of(it.pick([PROMOTIONAL], north=100)) == {PROMOTIONAL: 99}


def test_what_several_stuck_queues_leave_the_others_share_alike() -> None:
    it = Waiting(*((PROMOTIONAL, "one", f"key{n}") for n in range(10)), one=("north",))
    for queue in range(1, 9):
        it.add(queue, 20, sender="HELD")
    it.add(9, 400)
    it.add(10, 400)
    it.admits = lambda part: part.sender != "HELD"
    taken = Counter(part.queue for _ in range(100) for part in it.pick(north=4).parts["north"])
    assert taken.total() == 400
    assert abs(taken[9] - taken[10]) < 80
