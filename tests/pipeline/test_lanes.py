"""Who goes next: shares between lanes and API keys, lending, places kept free, and messages of several parts."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector.config import LANES
from connector.model import Part, QueueName, QueueState, part_id
from connector.pipeline.lanes import Lanes
from connector.pipeline.queue import HEADS, MOST_HEADS
from connector.pipeline.shares import apportion
from connector.pipeline.turn import Offer, Pick

ALL = tuple(LANES)
OTP, PROMOTIONAL = "otp", "promotional"


class Waiting:
    """Lanes with queues named by (lane, rule, API key)."""

    def __init__(self, *names: tuple[str, ...], **carriers_of: Sequence[str]) -> None:
        self.lanes = Lanes(LANES, carriers_of or {"default": ("north",)})
        self.lanes.open(QueueState(n, QueueName(*name), 0) for n, name in enumerate(names, 1))
        self.admits: Callable[[Part], bool] | None = None
        self._ids = count(1)

    def add(self, queue: int, number: int, *, total: int = 1, **changes: Any) -> list[Part]:
        added = self.make(queue, number, total=total, **changes)
        self.lanes.add(added)
        return added

    def make(self, queue: int, number: int, *, total: int = 1, **changes: Any) -> list[Part]:
        lane = self.lanes.queue(queue).lane
        added = []
        for _ in range(number):
            message = next(self._ids)
            for position in range(1, total + 1):
                values = {
                    "id": part_id(message, position if total > 1 else 0),
                    "number": position,
                    "total": total,
                    "queue": queue,
                    "lane": lane,
                    "to": "447911123456",
                    "sender": "",
                    "text": "hello",
                    "alphabet": "gsm",
                    "reference": 0,
                    "deadline": 1_000.0,
                }
                added.append(Part(**{**values, **changes}))
        return added

    def pick(self, lanes: Sequence[str] = ALL, keep: int = 0, now: float = 0.0, **credit: int) -> Pick:
        return self.lanes.pick({name: Offer(count, keep, self.admits) for name, count in credit.items()}, lanes, now)

    def lanes_of(self, pick: Pick) -> Counter[str]:
        return Counter(part.lane for parts in pick.parts.values() for part in parts)


TWO_LANES = ((OTP, "default", "shop"), (PROMOTIONAL, "default", "shop"))


@given(
    total=st.integers(0, 100),
    weights=st.dictionaries(st.sampled_from("abcd"), st.floats(0.01, 1), min_size=1),
    turns=st.integers(1, 50),
)
def test_shares_add_up_and_over_time_follow_the_weights(total: int, weights: dict[str, float], turns: int) -> None:
    carry: dict[str, float] = {}
    sums: Counter[str] = Counter()
    for _ in range(turns):
        shares = apportion(total, weights, carry)
        assert sum(shares.values()) == total
        assert min(shares.values()) >= 0
        sums.update(shares)
    whole = sum(weights.values())
    for name, weight in weights.items():
        assert abs(sums[name] - turns * total * weight / whole) < len(weights) + 1


def test_while_both_wait_each_gets_its_share_of_every_credit() -> None:
    it = Waiting(*TWO_LANES)
    it.add(1, 400)
    it.add(2, 400)
    taken: Counter[str] = Counter()
    for _ in range(140):
        taken += it.lanes_of(it.pick(north=1))
    assert taken == {OTP: 105, PROMOTIONAL: 35}  # reserves 0.6 and 0.2


def test_what_is_idle_is_lent() -> None:
    it = Waiting(*TWO_LANES)
    it.add(1, 3)
    it.add(2, 100)
    assert it.lanes_of(it.pick(north=50)) == {OTP: 3, PROMOTIONAL: 47}


def test_places_kept_free_are_never_lent() -> None:
    it = Waiting(*TWO_LANES)
    it.add(2, 100)
    assert it.lanes_of(it.pick(north=50, keep=3)) == {PROMOTIONAL: 47}
    assert it.lanes_of(it.pick(north=3, keep=3)) == {}
    it.add(1, 5)
    assert it.lanes_of(it.pick(north=3, keep=3)) == {OTP: 3}


def test_a_lane_whose_claim_is_under_way_keeps_its_share() -> None:
    it = Waiting(*TWO_LANES)
    it.add(1, 100)
    it.add(2, 100)
    assert it.lanes_of(it.pick([PROMOTIONAL], north=80)) == {PROMOTIONAL: 20}


def test_a_credit_is_never_left_while_somebody_can_use_it() -> None:
    names = [(PROMOTIONAL, rule, "shop") for rule in ("one", "two", "three", "default")]
    it = Waiting(*names, one=("east",), two=("west",), three=("south",), default=("north",))
    for queue in range(1, 5):
        it.add(queue, 10)
    for _ in range(10):
        assert sum(len(parts) for parts in it.pick(north=1, east=0, west=0, south=0).parts.values()) == 1


def test_within_a_queue_the_earliest_deadline_goes_first() -> None:
    it = Waiting(*TWO_LANES)
    late, early = it.add(2, 1, deadline=500.0), it.add(2, 1, deadline=100.0)
    assert it.pick(north=2).parts["north"] == early + late


def test_api_keys_share_alike_whatever_their_backlogs() -> None:
    it = Waiting((PROMOTIONAL, "default", "shop"), (PROMOTIONAL, "default", "bank"))
    it.add(1, 400)
    it.add(2, 100)
    taken = Counter(part.queue for _ in range(100) for part in it.pick(north=1).parts["north"])
    assert taken == {1: 50, 2: 50}


def test_one_key_s_earlier_deadlines_do_not_starve_another() -> None:
    it = Waiting((PROMOTIONAL, "default", "shop"), (PROMOTIONAL, "default", "bank"))
    it.add(1, 100, deadline=10.0)
    it.add(2, 100, deadline=900.0)
    assert Counter(part.queue for part in it.pick(north=20).parts["north"]) == {1: 10, 2: 10}


def test_the_second_carrier_of_a_rule_takes_what_the_first_has_no_place_for() -> None:
    it = Waiting((PROMOTIONAL, "both", "shop"), both=("north", "south"))
    it.add(1, 10)
    pick = it.pick(north=4, south=4)
    assert {name: len(parts) for name, parts in pick.parts.items()} == {"north": 4, "south": 4}


def test_a_part_past_its_deadline_is_expired_and_takes_no_place() -> None:
    it = Waiting(*TWO_LANES)
    gone = it.add(2, 2, deadline=50.0)
    fresh = it.add(2, 1)
    pick = it.pick(north=1, now=50.0)
    assert pick.expired == gone
    assert pick.parts == {"north": fresh}


def test_a_message_begun_on_a_carrier_stays_there() -> None:
    it = Waiting((PROMOTIONAL, "both", "shop"), both=("north", "south"))
    it.add(1, 1, total=4)
    first = it.pick(north=1, south=0)
    assert len(first.parts["north"]) == 1
    assert it.pick(north=0, south=10).parts == {}
    rest = it.pick(north=10, south=10).parts
    assert [part.number for part in rest["north"]] == [2, 3, 4]


def test_parts_that_wait_for_their_carrier_hold_nobody_else_up() -> None:
    it = Waiting((PROMOTIONAL, "both", "shop"), both=("north", "south"))
    it.add(1, 1, total=4)
    it.pick(north=1, south=0)
    [other] = it.add(1, 1)
    assert it.pick(north=0, south=1).parts == {"south": [other]}


def test_a_part_pinned_to_a_later_carrier_of_the_rule_leaves_in_the_same_turn() -> None:
    it = Waiting((PROMOTIONAL, "both", "shop"), both=("north", "south"))
    [part] = it.add(1, 1, pinned="south")
    assert it.pick(north=5, south=5).parts == {"south": [part]}


def test_pinned_parts_of_a_lane_that_may_not_go_wait() -> None:
    it = Waiting((PROMOTIONAL, "both", "shop"), both=("north", "south"))
    it.add(1, 1, total=2, pinned="south")
    it.pick(north=5, south=0)
    assert it.pick([OTP], north=5, south=5).parts == {}
    assert len(it.pick(north=5, south=5).parts["south"]) == 2


def test_pinned_parts_expire_too() -> None:
    it = Waiting((PROMOTIONAL, "both", "shop"), both=("north", "south"))
    gone = it.add(1, 1, pinned="south", deadline=10.0)
    assert it.pick(north=5).parts == {}
    assert it.lanes.expired(9.0) == []
    assert it.lanes.expired(10.0) == gone


def test_a_part_pinned_to_a_carrier_that_its_rule_names_no_more_goes_to_any() -> None:
    it = Waiting((PROMOTIONAL, "both", "shop"), both=("north", "south"))
    parts = it.add(1, 1, pinned="removed")
    assert it.pick(north=5, south=5).parts == {"north": parts}


def test_parts_that_wait_for_a_carrier_are_freed_when_their_rule_loses_it() -> None:
    carriers_of = {"both": ["south", "north"]}
    it = Waiting((PROMOTIONAL, "both", "shop"), **carriers_of)
    first, second, third = it.add(1, 1, total=3)
    assert it.pick(south=1).parts == {"south": [first]}
    assert it.pick(north=5).parts == {}, "they wait for south"
    carriers_of["both"].remove("south")
    it.lanes.reroute()
    assert it.lanes.queue(1).waiting == 2
    assert it.pick(north=5).parts == {"north": [second, third]}
    assert it.lanes.queue(1).waiting == 0


def test_a_lane_that_is_new_shares_in_what_leaves() -> None:
    settings = {PROMOTIONAL: LANES[PROMOTIONAL]}
    lanes = Lanes(settings, {"default": ("north",)})
    known = QueueState(1, QueueName(PROMOTIONAL, "default", "shop"), 0)
    lanes.open([known])
    settings[OTP] = LANES[OTP]
    lanes.open([known, QueueState(2, QueueName(OTP, "default", "shop"), 0)])
    lanes.add(Waiting((OTP, "default", "shop"), (OTP, "default", "shop")).make(2, 1))
    assert len(lanes.pick({"north": Offer(5, 0, None)}, tuple(settings), 0.0).parts["north"]) == 1


def test_what_comes_back_has_its_old_place() -> None:
    it = Waiting(*TWO_LANES)
    first, second, third = it.add(2, 3)
    assert it.pick(north=2).parts["north"] == [first, second]
    it.lanes.add([first])
    assert it.pick(north=2).parts["north"] == [first, third]


def test_memory_holds_a_bounded_number_of_heads() -> None:
    it = Waiting(*TWO_LANES)
    it.add(2, 5_000)
    queue = it.lanes.queue(2)
    assert (len(queue.heads), queue.waiting, queue.complete) == (HEADS, 5_000, False)


def test_a_part_that_a_read_brought_before_we_heard_of_its_commit_is_held_once() -> None:
    it = Waiting(*TWO_LANES)
    queue = it.lanes.queue(2)
    first, second = it.make(2, 2)
    queue.grew_on_disk(1)
    assert it.lanes.wanted([])
    queue.refill([first, second])
    it.lanes.add([second])
    assert it.pick(north=5).parts["north"] == [first, second]
    assert queue.waiting == 0


def test_who_is_held_back_lets_those_behind_pass_and_keeps_its_place() -> None:
    it = Waiting((PROMOTIONAL, "default", "shop"))
    held = it.add(1, 3, sender="SLOW")
    passing = it.add(1, 3, sender="FAST")
    it.admits = lambda part: part.sender != "SLOW"
    assert it.pick(north=5).parts["north"] == passing
    it.admits = None
    assert it.pick(north=5).parts["north"] == held


def test_a_queue_full_of_what_is_held_back_reads_further_on_disk() -> None:
    it = Waiting((PROMOTIONAL, "default", "shop"))
    queue = it.lanes.queue(1)
    it.add(1, HEADS + 1, sender="SLOW")
    it.admits = lambda part: part.sender != "SLOW"
    assert it.pick(north=5).parts == {}
    [wish] = it.lanes.wanted([])
    assert wish.after == (1_000.0, queue.heads[-1][1])
    assert len(queue.heads) < queue.reach <= MOST_HEADS


def test_keys_share_alike_in_what_is_left_beside_places_kept_for_others() -> None:
    it = Waiting((PROMOTIONAL, "default", "shop"), (PROMOTIONAL, "default", "bank"))
    it.add(1, 100)
    it.add(2, 100)
    taken = Counter(part.queue for _ in range(50) for part in it.pick(north=3, keep=2).parts["north"])
    assert taken == {1: 25, 2: 25}


def test_a_key_with_many_limited_senders_gets_no_more_than_one_with_none() -> None:
    names = [(PROMOTIONAL, "default", "shop", f"sender S{number}") for number in range(4)]
    it = Waiting((PROMOTIONAL, "default", "bank"), *names)
    for queue in range(1, 6):
        it.add(queue, 100)
    taken = Counter(part.queue for part in it.pick(north=80).parts["north"])
    assert taken == {1: 40, 2: 10, 3: 10, 4: 10, 5: 10}
