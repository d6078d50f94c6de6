"""The pace, whatever the pattern of those who want to send."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.carrier.throttle import LONGEST_PAUSE_S, PAUSE_S, QUIET_S, Throttle

STEPS = st.lists(st.tuples(st.floats(0, 0.3), st.integers(0, 60), st.integers(0, 5)), min_size=1, max_size=200)


@given(rate=st.integers(2, 2_000), steps=STEPS)
@settings(max_examples=150, deadline=None)
def test_no_sliding_second_holds_more_than_the_rate(rate: int, steps: list[tuple[float, int, int]]) -> None:
    throttle, now, sent = Throttle(rate), 1_800_000_000.0, []
    for pause, wish, returned in steps:
        now += pause
        taken = min(wish, throttle.available(now) or 0)
        throttle.take(taken, now)
        back = min(returned, taken)
        throttle.give_back(back)
        sent += [now] * (taken - back)
    for number, at in enumerate(sent):
        assert sum(1 for other in sent[number:] if other < at + 1) <= rate


@pytest.mark.parametrize("rate", [0.5, 1, 7, 30, 100, 997, 5_000])
def test_who_always_wants_to_send_gets_nearly_the_rate(rate: float) -> None:
    throttle, now, sent, lasting = Throttle(rate), 1_800_000_000.0, 0, max(60.0, 100 / rate)
    end = now + lasting
    while now < end:
        allowed = throttle.available(now) or 0
        throttle.take(allowed, now)
        sent += allowed
        due = throttle.next_at(now)
        now = max(now + 0.001, due if due is not None else now)
    assert 0.96 * rate * lasting <= sent <= rate * lasting + 1


def test_without_a_rate_any_number_may_leave() -> None:
    throttle = Throttle(None)
    throttle.take(10_000, 5.0)
    assert throttle.available(5.0) is None
    assert throttle.next_at(5.0) is None


def test_a_pause_stops_everything_and_says_when_it_is_over() -> None:
    for rate in (None, 1_000):
        throttle = Throttle(rate)
        throttle.slow_down(100.0)
        assert throttle.available(100.5) == 0
        assert throttle.next_at(100.5) == 100.0 + PAUSE_S
        assert throttle.available(101.0) != 0


def test_answers_to_what_was_in_flight_do_not_lengthen_the_pause() -> None:
    throttle = Throttle(None)
    for at in (100.0, 100.1, 100.9):
        throttle.slow_down(at)
    assert throttle.next_at(100.9) == 100.0 + PAUSE_S
    assert throttle.throttled == 3


def test_pauses_double_while_it_goes_on_and_are_short_again_after_quiet() -> None:
    throttle, now, pauses = Throttle(None), 100.0, []
    for _ in range(8):
        throttle.slow_down(now)
        due = throttle.next_at(now)
        assert due is not None
        pauses.append(due - now)
        now = due + 0.1
    assert pauses[:4] == pytest.approx([1, 2, 4, 8])
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE_S)
    now += QUIET_S
    throttle.slow_down(now)
    assert throttle.next_at(now) == pytest.approx(now + PAUSE_S)
