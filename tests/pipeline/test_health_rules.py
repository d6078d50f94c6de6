"""From numbers to a state: signs, steps, pauses."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config import HealthConfig
from connector.pipeline.health_numbers import Numbers
from connector.pipeline.health_rules import (
    SHARES,
    STEP_S,
    Level,
    SickBecause,
    Standing,
    State,
    judge,
    pause_s,
    step_s,
    worst_sign,
)

CONFIG = HealthConfig()
GOOD = Numbers(taken=100, response_p50_s=0.2)
WELL = Standing()
HALF = Standing(state=State.REDUCED, step=1, since=0.0, cause=SickBecause.ERRORS)
LOWEST = Standing(state=State.REDUCED, step=3, since=0.0, cause=SickBecause.ERRORS)
SICK = Standing(state=State.SICK, since=0.0, cause=SickBecause.ERRORS)
PROBING = Standing(state=State.PROBING, since=0.0, cause=SickBecause.ERRORS)


@pytest.mark.parametrize(
    ("numbers", "level", "because"),
    [
        (GOOD, Level.GOOD, None),
        (Numbers(), Level.GOOD, None),
        (Numbers(failed=19), Level.GOOD, None),  # a sample too few
        (Numbers(failed=20), Level.WORST, SickBecause.ERRORS),
        (Numbers(taken=80, failed=20), Level.FAIR, SickBecause.ERRORS),
        (Numbers(taken=79, failed=21), Level.BAD, SickBecause.ERRORS),
        (Numbers(taken=79, failed=11, lost=10), Level.BAD, SickBecause.ERRORS),
        (Numbers(taken=40, lost=60), Level.WORST, SickBecause.ERRORS),
        (Numbers(taken=9, failed=11), Level.BAD, SickBecause.ERRORS),  # by chance perhaps
        (Numbers(taken=6, failed=14), Level.WORST, SickBecause.ERRORS),
        (Numbers(taken=51, throttled=49), Level.GOOD, None),
        (Numbers(taken=40, throttled=60), Level.WORST, SickBecause.THROTTLED),
        (Numbers(taken=40, throttled=40, failed=20), Level.WORST, SickBecause.ERRORS),
        (Numbers(taken=51, refused=49), Level.GOOD, None),
        (Numbers(taken=40, refused=60), Level.WORST, SickBecause.REFUSED),
        (Numbers(taken=40, refused=30, throttled=30), Level.GOOD, None),
        (Numbers(taken=20, response_p50_s=5.1), Level.BAD, SickBecause.SLOW),
        (Numbers(taken=20, response_p50_s=10.1), Level.WORST, SickBecause.SLOW),
        (Numbers(taken=19, response_p50_s=10.1), Level.GOOD, None),
        (Numbers(silent_s=9.9), Level.GOOD, None),
        (Numbers(silent_s=10.0), Level.WORST, SickBecause.SILENT),
        (Numbers(link_ends=2), Level.FAIR, SickBecause.LINKS),
        (Numbers(link_ends=3), Level.BAD, SickBecause.LINKS),
        (Numbers(silent=17, delivered=3), Level.BAD, SickBecause.NO_RECEIPTS),
        (Numbers(silent=19), Level.GOOD, None),
        (Numbers(undelivered=15, delivered=5), Level.BAD, SickBecause.UNDELIVERED),
        (Numbers(undelivered=13, delivered=7), Level.FAIR, SickBecause.UNDELIVERED),
    ],
)
def test_numbers_have_a_worst_sign(numbers: Numbers, level: Level, because: SickBecause | None) -> None:
    assert worst_sign(numbers, CONFIG) == (level, because)


def test_a_share_is_reduced_step_by_step_and_not_cut_for_what_is_merely_bad() -> None:
    bad, standing, shares = Numbers(taken=70, failed=30), WELL, []
    for now in range(60):
        standing = judge(bad, standing, CONFIG, float(now))
        shares.append((now, standing.share))
    changes = [here for before, here in zip([(0, 1.0), *shares], shares, strict=False) if before[1] != here[1]]
    assert changes == [(0, 0.5), (5, 0.25), (10, 0.1)]


@pytest.mark.parametrize("standing", [WELL, HALF, LOWEST])
def test_the_worst_is_cut_at_once(standing: Standing) -> None:
    found = judge(Numbers(failed=20), standing, CONFIG, 1.0)
    assert (found.state, found.share) == (State.SICK, 0.0)


@pytest.mark.parametrize("standing", [WELL, HALF, LOWEST, PROBING])
@pytest.mark.parametrize("now", [1.0, 7.0, 10_000.0])
def test_without_samples_there_is_no_judgement(standing: Standing, now: float) -> None:
    assert judge(Numbers(), standing, CONFIG, now) == standing


def test_the_pause_doubles_with_each_failed_probe_up_to_the_most() -> None:
    standing, now, pauses = SICK, 0.0, []
    for _ in range(8):
        pauses.append(pause_s(standing, CONFIG))
        now += pauses[-1]
        assert judge(Numbers(), standing, CONFIG, now - 0.1) == standing
        standing = judge(Numbers(), standing, CONFIG, now)
        assert standing.state is State.PROBING
        standing = judge(Numbers(failed=1), standing, CONFIG, now)
        assert (standing.state, standing.reason) == (State.SICK, SickBecause.PROBES_FAILED)
    assert pauses == [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0]


@pytest.mark.parametrize(
    ("numbers", "state"),
    [
        (Numbers(taken=4, response_p50_s=0.2), State.PROBING),
        (Numbers(taken=5, response_p50_s=0.2), State.REDUCED),
        (Numbers(taken=4, failed=1, response_p50_s=0.2), State.SICK),
        (Numbers(failed=1), State.SICK),
        (Numbers(taken=3, throttled=2, response_p50_s=0.2), State.REDUCED),
        (Numbers(taken=1, throttled=2, refused=2, response_p50_s=0.2), State.REDUCED),
        (Numbers(taken=4, throttled=16, response_p50_s=0.2), State.SICK),
        (Numbers(taken=4, refused=1, response_p50_s=0.2), State.REDUCED),
        (Numbers(refused=5), State.SICK),
        (Numbers(taken=5, response_p50_s=6.0), State.SICK),
        (Numbers(taken=4, probes_sent=5, probe_waited_s=9.0), State.PROBING),
        (Numbers(taken=4, probes_sent=5, probe_waited_s=10.0), State.SICK),
        (Numbers(taken=5, probes_sent=5, probe_waited_s=90.0, response_p50_s=0.2), State.REDUCED),
        (Numbers(taken=950, failed=50, response_p50_s=0.2), State.REDUCED),  # no other carrier: all are probes
        (Numbers(taken=850, failed=150, response_p50_s=0.2), State.SICK),
    ],
)
def test_probes_decide(numbers: Numbers, state: State) -> None:
    found = judge(numbers, PROBING, CONFIG, 20.0)
    assert found.state is state
    assert found.share == (0.1 if state is State.REDUCED else 0.0)


def test_a_good_carrier_rises_step_by_step() -> None:
    standing, seen = LOWEST, []
    for now in range(1, 30):
        new = judge(GOOD, standing, CONFIG, float(now))
        if new.share != standing.share:
            seen.append((now, new.share, new.state))
            assert new.reason is SickBecause.RECOVERED
        standing = new
    assert seen == [(5, 0.25, State.REDUCED), (10, 0.5, State.REDUCED), (15, 1.0, State.WELL)]


@pytest.mark.parametrize(
    ("cause", "numbers", "waited_s", "rises"),
    [
        (SickBecause.ERRORS, Numbers(taken=88, failed=12), 50.0, False),  # not bad, not good
        (SickBecause.ERRORS, Numbers(taken=3), 50.0, False),
        (SickBecause.ERRORS, Numbers(taken=3), 60.0, True),  # a whole window with little traffic
        (SickBecause.NO_RECEIPTS, GOOD, 90.0, False),  # that it answers was never the question
        (SickBecause.NO_RECEIPTS, attrs.evolve(GOOD, delivered=20), 10.0, True),
        (SickBecause.NO_RECEIPTS, attrs.evolve(GOOD, delivered=2), 10.0, False),
        (SickBecause.NO_RECEIPTS, attrs.evolve(GOOD, delivered=2), 120.0, True),
        (SickBecause.UNDELIVERED, attrs.evolve(GOOD, delivered=20), 10.0, True),
        (SickBecause.UNDELIVERED, attrs.evolve(GOOD, delivered=8, undelivered=12), 10.0, False),
        (SickBecause.LINKS, GOOD, 59.0, False),
        (SickBecause.LINKS, GOOD, 60.0, True),
        (SickBecause.LINKS, attrs.evolve(GOOD, link_ends=2), 60.0, False),
        (SickBecause.SLOW, attrs.evolve(GOOD, response_p50_s=4.5), 10.0, False),
        (SickBecause.SLOW, attrs.evolve(GOOD, response_p50_s=3.9), 10.0, True),
        (SickBecause.SILENT, GOOD, 10.0, True),
        (SickBecause.THROTTLED, attrs.evolve(GOOD, throttled=40), 10.0, True),
    ],
)
def test_a_share_grows_when_what_took_it_is_good(
    cause: SickBecause, numbers: Numbers, waited_s: float, rises: bool
) -> None:
    standing = attrs.evolve(HALF, cause=cause)
    assert (judge(numbers, standing, CONFIG, waited_s).share > standing.share) is rises


def test_a_relapse_keeps_the_pause_doubled_until_it_was_well_for_long() -> None:
    up = judge(Numbers(taken=5), PROBING, CONFIG, 0.0)
    again = judge(Numbers(failed=20), up, CONFIG, 30.0)
    assert (again.state, pause_s(again, CONFIG), step_s(again, CONFIG)) == (State.SICK, 20.0, 2 * STEP_S)
    well = attrs.evolve(again, state=State.WELL, step=0, since=100.0, settled_at=100.0, rising=True)
    assert judge(GOOD, well, CONFIG, 199.0) == well
    settled = judge(GOOD, well, CONFIG, 200.0)
    assert (pause_s(settled, CONFIG), settled.share) == (10.0, 1.0)
    forgotten = judge(GOOD, settled, CONFIG, 250.0)
    assert judge(Numbers(failed=20), forgotten, CONFIG, 251.0).relapses == 0
    assert judge(Numbers(failed=20), settled, CONFIG, 210.0).relapses == 1


counts = st.integers(0, 60)
standings = st.builds(
    Standing,
    state=st.sampled_from(State),
    step=st.integers(0, len(SHARES) - 1),
    since=st.floats(0, 500),
    cause=st.sampled_from([None, *SickBecause]),
    rising=st.booleans(),
    failures=st.integers(0, 5),
    relapses=st.integers(0, 6),
    settled_at=st.floats(0, 500),
).map(lambda found: attrs.evolve(found, step=_step_of(found)))


def _step_of(standing: Standing) -> int:
    return 0 if standing.state is State.WELL else max(1, standing.step)


numbers_st = st.builds(
    Numbers,
    taken=counts,
    failed=counts,
    lost=counts,
    throttled=counts,
    refused=counts,
    response_p50_s=st.none() | st.floats(0, 30),
    silent_s=st.floats(0, 30),
    link_ends=st.integers(0, 6),
    delivered=counts,
    undelivered=counts,
    silent=counts,
    probes_sent=st.integers(0, 5),
    probe_waited_s=st.floats(0, 30),
)


@given(numbers_st, standings, st.floats(500, 1_500), st.integers(0, 60))
def test_what_is_worse_never_gets_more(numbers: Numbers, standing: Standing, now: float, worse: int) -> None:
    shift = min(worse, numbers.taken)
    bad = attrs.evolve(numbers, taken=numbers.taken - shift, failed=numbers.failed + shift)
    if numbers.taken - shift < CONFIG.min_samples <= numbers.taken:
        bad = attrs.evolve(bad, response_p50_s=None)  # a median of too few is no sign of its own
        numbers = attrs.evolve(numbers, response_p50_s=None)
    assert judge(bad, standing, CONFIG, now).share <= judge(numbers, standing, CONFIG, now).share


@given(numbers_st, standings, st.floats(500, 1_500))
def test_any_step_is_one_of_the_steps(numbers: Numbers, standing: Standing, now: float) -> None:
    new = judge(numbers, standing, CONFIG, now)
    assert new.share in (*SHARES, 0.0)
    assert new.share <= standing.share or SHARES.index(new.share) == (standing.step if standing.share else 4) - 1
    assert (new.state, new.share) == (standing.state, standing.share) or new.since == now
    assert CONFIG.probe_after_s <= pause_s(new, CONFIG) <= CONFIG.probe_at_most_s
    assert STEP_S <= step_s(new, CONFIG) <= CONFIG.probe_at_most_s
