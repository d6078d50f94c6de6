"""What a link shows that no PDU says."""

import pytest

from connector.carrier.signs import Signs


def test_losses_count_while_nothing_is_answered() -> None:
    signs = Signs()
    assert [signs.lost(sent_at) for sent_at in (1.0, 1.0, 2.0)] == [1, 2, 3]


def test_an_answer_ends_the_row() -> None:
    signs = Signs()
    signs.lost(1.0)
    signs.answered(5.0)
    assert signs.lost(6.0) == 1


def test_a_request_passed_over_while_others_were_answered_says_nothing() -> None:
    signs = Signs()
    signs.answered(5.0)
    assert [signs.lost(sent_at) for sent_at in (3.0, 4.0, 5.0)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("in_flight", "window_size", "later_s", "cut"),
    [
        (10, 50, 0.5, True),
        (9, 50, 0.5, False),
        (10, 50, 1.5, False),
        (1, 1, 0.5, True),  # a window of one has no larger burst
        (0, 1, 0.5, False),
    ],
)
def test_a_link_closed_right_after_a_burst_was_cut_for_speed(
    in_flight: int, window_size: int, later_s: float, cut: bool
) -> None:
    signs = Signs(submitted_at=100.0)
    assert signs.cut_for_speed(in_flight, window_size, 100.0 + later_s) is cut


def test_a_link_that_never_submitted_was_not_cut_for_speed() -> None:
    assert not Signs().cut_for_speed(0, 10, 5.0)
