"""The pace, whatever the pattern of those who want to send."""

import math
from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.carrier.pace import Pace

EPOCH_S = 1_800_000_000.0
STEPS = st.lists(st.tuples(st.floats(0, 0.3), st.integers(0, 60)), min_size=1, max_size=200)


def most_within(times: list[float], span_s: float) -> int:
    """Return the most of these (in order) that lie in any stretch of less than so many seconds."""
    return max((bisect_left(times, at + span_s - 1e-6) - number for number, at in enumerate(times)), default=0)


def saturated(pace: Pace, lasting_s: float, late_s: float = 0.0) -> list[float]:
    """Return when parts leave if there are always more, and every look comes so much late."""
    now, sent = EPOCH_S, []
    while now < EPOCH_S + lasting_s:
        room = pace.room(now)
        if room:
            pace.take(room, now)
            sent += [now] * room
        now = max(pace.opens_at(now), now + 0.001) + late_s
    return sent


@given(rate=st.floats(0.3, 2_000), steps=STEPS)
@settings(max_examples=150, deadline=None)
def test_no_sliding_second_holds_more_than_the_rate(rate: float, steps: list[tuple[float, int]]) -> None:
    pace, now, sent = Pace(rate, 0.98), EPOCH_S, list[float]()
    for pause, wish in steps:
        now += pause
        leaving = min(wish, pace.room(now))
        pace.take(leaving, now)
        sent += [now] * leaving
    assert most_within(sent, 1.0) <= math.ceil(rate)


@pytest.mark.parametrize("rate", [0.5, 1, 7, 30, 100, 997, 5_000])
def test_who_always_wants_to_send_gets_nearly_the_rate(rate: float) -> None:
    lasting = max(30.0, 100 / rate)
    sent = saturated(Pace(rate, 0.98), lasting)
    assert 0.96 * rate * lasting <= len(sent) <= rate * lasting + 1


def test_timers_that_come_late_cost_hardly_anything() -> None:
    assert len(saturated(Pace(100, 0.98), 60, late_s=0.003)) >= 96 * 60


@pytest.mark.parametrize("rate", [10, 40, 100, 1_000])
def test_a_tenth_of_a_second_holds_its_share_and_one_more_at_most(rate: int) -> None:
    for late_s in (0.0, 0.004):
        assert most_within(saturated(Pace(rate, 0.98), 20, late_s), 0.1) <= rate // 10 + 1


def test_jitter_on_the_way_shows_the_carrier_no_more_than_the_limit() -> None:
    sent = saturated(Pace(100, 0.98), 60)
    # parts sent within 1.01 s may arrive within one second if the first takes 10 ms longer than the last
    assert most_within(sent, 1.01) <= 100
    assert most_within(sent, 0.11) <= 11


def test_idleness_is_not_made_up_for() -> None:
    pace = Pace(100, 0.98)
    late = EPOCH_S + 3_600
    assert pace.room(late) == pace.room(EPOCH_S) < 10


def test_a_lower_rate_holds_at_once_and_counts_what_has_left() -> None:
    pace = Pace(100, 0.98)
    now = EPOCH_S
    for _ in range(50):
        pace.take(1, now)
        now += 0.01
    pace.change(10)
    assert pace.room(now) == 0
    assert pace.opens_at(now) > now + 0.3


@given(rate=st.floats(0.3, 5_000), ahead=st.floats(0, 1), taken=st.integers(0, 50))
def test_what_is_coming_is_never_less_than_what_may_leave_now(rate: float, ahead: float, taken: int) -> None:
    pace = Pace(rate, 0.98)
    pace.take(taken, EPOCH_S)
    assert pace.room(EPOCH_S) <= pace.coming(EPOCH_S, ahead)
    assert pace.coming(EPOCH_S, ahead) <= pace.room(EPOCH_S) + rate * ahead + 1


def test_nothing_is_coming_that_no_token_will_be_there_for() -> None:
    pace = Pace(1, 0.98)
    pace.take(1, EPOCH_S)
    assert pace.coming(EPOCH_S, 0.5) == 0
    assert pace.coming(EPOCH_S + 0.9, 0.5) == 1
