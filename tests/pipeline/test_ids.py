"""Ids grow, whatever the clock does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.pipeline.ids import EPOCH_S, Ids


@given(st.lists(st.floats(-10, 10), max_size=50), st.integers(1, 600))
def test_every_id_is_larger_than_all_before_whatever_the_clock_does(jumps: list[float], burst: int) -> None:
    now = [EPOCH_S + 1_000_000.0]
    ids = Ids(lambda: now[0])
    found = []
    for jump in [*jumps, 0.0]:
        now[0] += jump
        found += [ids.next() for _ in range(burst)]
    assert found == sorted(set(found))


def test_more_than_a_millisecond_holds_borrow_from_the_next() -> None:
    ids = Ids(lambda: EPOCH_S + 1.0)
    found = [ids.next() for _ in range(1_500)]
    assert len(set(found)) == 1_500
    assert found[511] >> 15 == 1_000
    assert found[512] >> 15 == 1_001


def test_a_clock_set_back_over_a_restart_brings_no_id_again() -> None:
    before = Ids(lambda: EPOCH_S + 50.0)
    last = [before.next() for _ in range(700)][-1]
    after = Ids(lambda: EPOCH_S + 1.0, last=last)
    assert after.next() > last


def test_nodes_never_share_an_id() -> None:
    one, other = (Ids(lambda: EPOCH_S + 1.0, node=node) for node in (0, 63))
    assert not {one.next() for _ in range(600)} & {other.next() for _ in range(600)}


@pytest.mark.parametrize("node", [-1, 64])
def test_a_node_outside_six_bits_is_refused(node: int) -> None:
    with pytest.raises(ValueError, match="node"):
        Ids(lambda: EPOCH_S, node=node)


def test_ids_leave_room_for_a_part_in_63_bits_for_decades() -> None:
    assert Ids(lambda: EPOCH_S + 30 * 365 * 86_400).next() << 8 < 2**63
