"""How long a bind waits before it tries again."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.carrier.backoff import STEADY_S, Backoff, Ended


@given(tries=st.integers(1, 5_000), ended=st.sampled_from(Ended), seed=st.integers(0, 100))
def test_every_pause_is_within_its_bounds_however_many_tries(tries: int, ended: Ended, seed: int) -> None:
    backoff, draw = Backoff(1.0, 60.0), random.Random(seed)
    backoff.tries = min(tries, 40)
    longest = {Ended.NETWORK: 60, Ended.REFUSED: 60, Ended.CREDENTIALS: 300, Ended.UNBOUND: 30}[ended]
    assert 0.1 <= backoff.after(ended, 0.0, draw) <= longest


def test_thousands_of_tries_overflow_nothing() -> None:
    backoff, draw = Backoff(1.0, 60.0), random.Random(1)
    pauses = [backoff.after(Ended.NETWORK, 0.0, draw) for _ in range(3_000)]
    assert max(pauses) <= 60


def test_the_network_s_pauses_grow_from_the_shortest_to_the_longest() -> None:
    ceilings = []
    for tries in range(8):
        pauses = [Backoff(1.0, 60.0, tries=tries).after(Ended.NETWORK, 0.0, random.Random(n)) for n in range(300)]
        ceilings.append(max(pauses))
    assert ceilings == sorted(ceilings)
    assert ceilings[0] <= 1
    assert 55 < ceilings[-1] <= 60


def test_pauses_are_spread_so_that_many_binds_do_not_come_back_as_one() -> None:
    pauses = sorted(Backoff(1.0, 60.0, tries=6).after(Ended.NETWORK, 0.0, random.Random(n)) for n in range(200))
    assert pauses[20] < 10
    assert pauses[-20] > 50


@pytest.mark.parametrize(("bound_s", "expected"), [(STEADY_S, 1), (STEADY_S - 1, 6)])
def test_only_a_steady_bind_starts_counting_afresh(bound_s: float, expected: int) -> None:
    backoff = Backoff(1.0, 60.0, tries=5)
    backoff.after(Ended.NETWORK, bound_s, random.Random(1))
    assert backoff.tries == expected


def test_wrong_credentials_wait_a_minute_at_least() -> None:
    for seed in range(50):
        assert Backoff(0.1, 1.0).after(Ended.CREDENTIALS, 0.0, random.Random(seed)) >= 60
