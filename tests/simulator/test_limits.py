"""The limiter and the calendar: time is an argument."""

from hypothesis import given
from hypothesis import strategies as st

from simulator.calendar import Calendar, on_tick
from simulator.limits import Bucket
from simulator.scenario import Rate


@given(
    st.floats(0.1, 1_000),
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(0, 2), st.integers(0, 50)), max_size=60),
)
def test_no_stretch_of_time_passes_more_than_burst_and_rate(
    per_second: float, burst: int, calls: list[tuple[float, int]]
) -> None:
    bucket = Bucket.full(Rate(per_second=per_second, burst=burst), 0.0)
    now, passed = 0.0, [(0.0, 0)]
    for wait, wanted in calls:
        now += wait
        granted = bucket.take(wanted, now)
        assert 0 <= granted <= wanted
        passed.append((now, granted))
    for start in range(1, len(passed)):
        for end in range(start, len(passed)):
            total = sum(granted for _, granted in passed[start : end + 1])
            assert total <= burst + per_second * (passed[end][0] - passed[start][0]) + 1e-3


def test_a_bucket_lets_its_rate_through_to_the_message() -> None:
    bucket = Bucket.full(Rate(per_second=10, burst=1), 0.0)
    assert sum(bucket.take(1, n / 10) for n in range(101)) == 101


@given(st.lists(st.floats(0, 100)))
def test_a_calendar_gives_everything_once_and_in_order(times: list[float]) -> None:
    calendar: Calendar[int] = Calendar()
    for number, at in enumerate(times):
        calendar.put(at, number)
    early = calendar.take_due(50.0)
    late = calendar.take_due(100.0)
    assert [times[n] for n in early] == sorted(at for at in times if at <= 50)
    assert early + late == sorted(range(len(times)), key=lambda n: (times[n], n))
    assert len(calendar) == 0


@given(st.floats(0, 1e6))
def test_a_tick_is_never_early_and_less_than_a_millisecond_late(at: float) -> None:
    assert -1e-8 <= on_tick(at) - at <= 0.001 + 1e-8
    assert on_tick(on_tick(at)) == on_tick(at)
