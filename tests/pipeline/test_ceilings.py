"""What a lane may send in a second at most, everywhere and at one carrier."""

from bisect import bisect_left

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config import LANES, LaneConfig
from connector.config.lane import LaneAtCarrier
from connector.pipeline.ceilings import Ceilings

OTP, PROMOTIONAL = "otp", "promotional"


def lanes(whole: float | None = None, **carriers: float) -> dict[str, LaneConfig]:
    at = {name: LaneAtCarrier(max_rate_per_s=rate) for name, rate in carriers.items()}
    return {OTP: LANES[OTP], PROMOTIONAL: attrs.evolve(LANES[PROMOTIONAL], max_rate_per_s=whole, carrier=at)}


def taken_at(
    ceilings: Ceilings, carriers: tuple[str, ...], until: float, step_s: float = 0.002
) -> list[tuple[float, str]]:
    """Take all that may leave, whoever has room first, and return when and where it left."""
    found: list[tuple[float, str]] = []
    for tick in range(round(until / step_s)):
        now = tick * step_s
        for carrier in carriers:
            room = ceilings.room(PROMOTIONAL, carrier, now) or 0
            if room:
                ceilings.take(PROMOTIONAL, carrier, room, now)
                found += [(now, carrier)] * room
    return found


def most_in_a_second(times: list[float]) -> int:
    return max((bisect_left(times, at + 1) - place for place, at in enumerate(times)), default=0)


def test_a_lane_without_a_ceiling_may_have_any_number() -> None:
    ceilings = Ceilings(lanes(10.0))
    assert not ceilings.limits(OTP)
    assert ceilings.room(OTP, "north", 0.0) is None
    ceilings.take(OTP, "north", 1_000, 0.0)
    assert ceilings.next_opening(0.0) is None


def test_a_ceiling_at_one_carrier_leaves_the_others_alone() -> None:
    ceilings = Ceilings(lanes(north=5.0))
    assert ceilings.limits(PROMOTIONAL)
    assert ceilings.room(PROMOTIONAL, "south", 0.0) is None
    assert ceilings.room(PROMOTIONAL, None, 0.0) is None
    assert ceilings.room(PROMOTIONAL, "north", 0.0)


@given(rate=st.integers(1, 60).map(float))
def test_no_second_has_more_than_the_ceiling_and_most_of_it_is_used(rate: float) -> None:
    times = [at for at, _ in taken_at(Ceilings(lanes(rate)), ("north", "south"), 6.0)]
    assert most_in_a_second(times) <= rate
    assert len(times) >= 0.85 * (6.0 * rate - 1)


def test_the_lane_s_ceiling_holds_over_all_carriers_and_each_one_s_there() -> None:
    left = taken_at(Ceilings(lanes(20.0, north=5.0)), ("north", "south"), 5.0)
    assert most_in_a_second([at for at, _ in left]) <= 20
    assert most_in_a_second([at for at, carrier in left if carrier == "north"]) <= 5
    assert len(left) > 90, "what north may not have goes to south"


def test_it_tells_when_the_next_may_leave() -> None:
    ceilings = Ceilings(lanes(2.0))
    ceilings.take(PROMOTIONAL, "north", 1, 10.0)
    opens_at = ceilings.next_opening(10.0)
    assert opens_at is not None
    assert ceilings.room(PROMOTIONAL, "north", opens_at - 0.01) == 0
    assert ceilings.room(PROMOTIONAL, "north", opens_at) == 1


def test_another_ceiling_counts_what_has_passed_already() -> None:
    ceilings = Ceilings(lanes(10.0))
    left = taken_at(ceilings, ("north",), 1.0)
    ceilings.change(lanes(5.0))
    assert len(left) > 5
    assert ceilings.room(PROMOTIONAL, "north", 1.0) == 0


@pytest.mark.parametrize("after", [lanes(), lanes(north=3.0)])
def test_a_ceiling_that_was_taken_away_holds_nobody(after: dict[str, LaneConfig]) -> None:
    ceilings = Ceilings(lanes(1.0))
    ceilings.take(PROMOTIONAL, "south", 1, 0.0)
    ceilings.change(after)
    assert ceilings.room(PROMOTIONAL, "south", 0.0) is None
