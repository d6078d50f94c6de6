"""Places kept free for some lanes change nothing about how the others share what is left."""

from collections import Counter

import pytest

from connector.config import LANES
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
