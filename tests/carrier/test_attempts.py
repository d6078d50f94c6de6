"""Where and when a bind may be tried."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.carrier.attempts import GAP_S, Attempts, Hosts
from connector.config import BindConfig, Endpoint


@given(per_minute=st.integers(1, 20), pauses=st.lists(st.floats(0, 30), min_size=1, max_size=200))
def test_no_minute_sees_more_tries_than_allowed(per_minute: int, pauses: list[float]) -> None:
    attempts, now = Attempts(per_minute), 1_800_000_000.0
    turns = []
    for pause in pauses:
        now += pause
        turns.append(attempts.turn(now))
        assert turns[-1] >= now
    for first, beyond in zip(turns, turns[per_minute:], strict=False):
        assert beyond - first > 60


def test_tries_come_one_after_the_other() -> None:
    attempts = Attempts(100)
    turns = [attempts.turn(10.0) for _ in range(5)]
    assert turns == pytest.approx([10.0 + number * GAP_S for number in range(5)])


def test_a_try_after_quiet_does_not_wait() -> None:
    attempts = Attempts(2)
    assert [attempts.turn(now) for now in (0.0, 5.0, 61.0, 66.0)] == [0.0, 5.0, 61.0, 66.0]


def test_refused_settings_are_refused_for_equal_ones_until_they_are_renewed() -> None:
    def settings(system_id: str) -> BindConfig:
        return BindConfig(host="h", system_id=system_id)

    attempts = Attempts(10)
    attempts.refuse(settings("a"))
    assert attempts.refused(settings("a"))
    assert not attempts.refused(settings("b"))
    attempts.renew(settings("a"))
    assert not attempts.refused(settings("a"))


def test_hosts_change_after_each_end_and_begin_again_after_a_steady_bind() -> None:
    first, second, third = places = [Endpoint(name, 2775) for name in ("a", "b", "c")]
    hosts = Hosts(places)
    seen = []
    for steady in (False, False, False, False, True):
        seen.append(hosts.present)
        hosts.ended(steady=steady)
    assert seen == [first, second, third, first, second]
    assert hosts.present == first
