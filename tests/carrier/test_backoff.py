"""How long a bind waits before it tries again."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.carrier.backoff import STEADY_S, Backoff, Ended, refusal
from connector.smpp import tables

BOUNDS = {
    Ended.NETWORK: (0.1, 60),
    Ended.HANDSHAKE: (60, 300),
    Ended.REFUSED: (10, 60),
    Ended.BIND_FAILED: (60, 300),
    Ended.ALREADY_BOUND: (45, 67.5),
    Ended.UNBOUND: (20, 30),
}


@given(tries=st.integers(1, 5_000), ended=st.sampled_from(list(BOUNDS)), seed=st.integers(0, 100))
def test_every_pause_is_within_its_bounds_however_many_tries(tries: int, ended: Ended, seed: int) -> None:
    backoff = Backoff(1.0, 60.0, rebind_after_s=45.0, unbind_pause_s=20.0, tries=min(tries, 40))
    shortest, longest = BOUNDS[ended]
    pause = backoff.after(ended, 0.0, random.Random(seed))
    assert pause is not None
    assert shortest <= pause <= longest


def test_every_end_has_its_pause_or_none() -> None:
    assert set(Ended) == BOUNDS.keys() | {Ended.CREDENTIALS}


def pause_after(backoff: Backoff, ended: Ended, seed: int) -> float:
    pause = backoff.after(ended, 0.0, random.Random(seed))
    assert pause is not None
    return pause


def test_thousands_of_tries_overflow_nothing() -> None:
    backoff, draw = Backoff(1.0, 60.0), random.Random(1)
    pauses = [backoff.after(Ended.NETWORK, 0.0, draw) or 0.0 for _ in range(3_000)]
    assert max(pauses) <= 60


def test_the_network_s_pauses_grow_from_the_shortest_to_the_longest() -> None:
    ceilings = []
    for tries in range(8):
        pauses = [pause_after(Backoff(1.0, 60.0, tries=tries), Ended.NETWORK, n) for n in range(300)]
        ceilings.append(max(pauses))
    assert ceilings == sorted(ceilings)
    assert ceilings[0] <= 1
    assert 55 < ceilings[-1] <= 60


def test_pauses_are_spread_so_that_many_binds_do_not_come_back_as_one() -> None:
    pauses = sorted(pause_after(Backoff(1.0, 60.0, tries=6), Ended.NETWORK, n) for n in range(200))
    assert pauses[20] < 10
    assert pauses[-20] > 50


@pytest.mark.parametrize(("bound_s", "expected"), [(STEADY_S, 1), (STEADY_S - 1, 6)])
def test_only_a_steady_bind_starts_counting_afresh(bound_s: float, expected: int) -> None:
    backoff = Backoff(1.0, 60.0, tries=5)
    backoff.after(Ended.NETWORK, bound_s, random.Random(1))
    assert backoff.tries == expected


def test_no_time_mends_wrong_credentials() -> None:
    assert Backoff(0.1, 1.0).after(Ended.CREDENTIALS, 0.0, random.Random(1)) is None


@pytest.mark.parametrize(
    ("command_status", "ended"),
    [
        (tables.ESME_RINVPASWD, Ended.CREDENTIALS),
        (tables.ESME_RINVSYSID, Ended.CREDENTIALS),
        (tables.ESME_RINVSYSTYP, Ended.CREDENTIALS),
        (tables.ESME_RALYBND, Ended.ALREADY_BOUND),
        (tables.ESME_RBINDFAIL, Ended.BIND_FAILED),
        (tables.ESME_RTHROTTLED, Ended.BIND_FAILED),
        (tables.ESME_RSYSERR, Ended.REFUSED),
        (0x0000_04FF, Ended.REFUSED),
    ],
)
def test_a_refused_bind_ends_by_its_status(command_status: int, ended: Ended) -> None:
    assert refusal(command_status) is ended


@pytest.mark.parametrize(("ended", "at"), [(Ended.CREDENTIALS, 1), (Ended.HANDSHAKE, 1), (Ended.BIND_FAILED, 3)])
def test_what_does_not_heal_by_itself_is_an_alarm(ended: Ended, at: int) -> None:
    backoff, seen = Backoff(1.0, 60.0), []
    for _ in range(5):
        backoff.after(ended, 0.0, random.Random(1))
        seen.append((backoff.alarming, backoff.is_new_alarm))
    assert seen == [(number >= at, number == at) for number in range(1, 6)]


def test_a_network_that_is_down_is_no_alarm_of_a_bind() -> None:
    backoff = Backoff(1.0, 60.0)
    for _ in range(50):
        backoff.after(Ended.NETWORK, 0.0, random.Random(1))
        assert not backoff.alarming


def test_a_bind_in_between_starts_the_row_afresh() -> None:
    backoff = Backoff(1.0, 60.0)
    for bound_s in (0.0, 0.0, 5.0):
        backoff.after(Ended.BIND_FAILED, bound_s, random.Random(1))
    assert not backoff.alarming
