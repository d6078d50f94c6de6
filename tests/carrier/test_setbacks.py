"""What becomes of a part that a carrier did not take, by its lane's retry table and by what else there is for it."""

from itertools import product
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.carrier.setbacks import (
    REROUTE_LOOK_S,
    SETBACKS,
    Prospect,
    Step,
    decide,
    doubt_policy,
    no_prospects,
    pause_s,
)
from connector.config import LaneConfig, RetryConfig, RetryRule
from connector.lifecycle import Event, Status, move
from connector.model import Part, Reason
from connector.smpp.outcomes import Outcome

NOW = 1_000.0
ALONE, ANOTHER = Prospect(other=False), Prospect(other=True)
UNTRUSTED = Prospect(other=True, trusted=False)


def part(**changes: Any) -> Part:
    made = Part(
        id=256, number=1, total=1, queue=1, lane="promotional", to="447911123456", sender="", text="hello",
        alphabet="gsm", reference=0, deadline=NOW + 3_600, attempt=1,
    )  # fmt: skip
    return attrs.evolve(made, **changes)


def lane(**retry: Any) -> LaneConfig:
    return LaneConfig(retry=RetryConfig(**{"attempts": 4, "backoff_s": (5.0, 30.0, 120.0), **retry}))


def test_every_outcome_but_acceptance_has_its_row() -> None:
    assert set(SETBACKS) == set(Outcome) - {Outcome.ACCEPTED}


@pytest.mark.parametrize(("outcome", "prospect"), [*product(SETBACKS, [ALONE, ANOTHER, UNTRUSTED])])
def test_whatever_is_decided_is_a_move_of_a_part_on_the_wire(outcome: Outcome, prospect: Prospect) -> None:
    decision = decide(part(), outcome, lane(), NOW, prospect)
    assert move(Status.SENDING, decision.event) is not None
    assert move(Status.IN_DOUBT, decision.event) is not None, "the answer may be late"


def test_throttled_waits_again_at_once_and_burns_nothing_for_ever() -> None:
    for tries in (0, 3, 50):
        decision = decide(part(tries=tries), Outcome.SLOW_DOWN, lane(), NOW, ANOTHER)
        assert (decision.event, decision.due_at, decision.burned, decision.refused) == (Event.DEFERRED, None, 0, False)


@pytest.mark.parametrize(("tries", "pause"), [(0, 5.0), (1, 30.0), (2, 120.0)])
def test_not_now_pauses_as_the_table_says(tries: int, pause: float) -> None:
    decision = decide(part(tries=tries), Outcome.RETRY_LATER, lane(), NOW, ALONE)
    assert (decision.event, decision.due_at, decision.burned) == (Event.DEFERRED, NOW + pause, 1)


def test_the_last_attempt_is_the_last() -> None:
    decision = decide(part(tries=3), Outcome.RETRY_LATER, lane(), NOW, ANOTHER)
    assert (decision.event, decision.reason) == (Event.EXHAUSTED, Reason.ATTEMPTS_USED_UP)


@given(count=st.integers(0, 200), backoff=st.lists(st.floats(0.1, 1e6), min_size=1).map(tuple))
def test_the_last_pause_repeats(count: int, backoff: tuple[float, ...]) -> None:
    assert pause_s(count, backoff) == (backoff[count] if count < len(backoff) else backoff[-1])


def test_what_is_said_of_one_outcome_goes_first() -> None:
    own = lane(temporary=RetryRule(attempts=2, backoff_s=(1.0,)))
    assert decide(part(), Outcome.RETRY_LATER, own, NOW, ALONE).due_at == NOW + 1
    assert decide(part(tries=1), Outcome.RETRY_LATER, own, NOW, ALONE).event is Event.EXHAUSTED
    assert decide(part(tries=1), Outcome.OTHER_ROUTE, own, NOW, ANOTHER).event is Event.REROUTED


def test_a_rule_without_a_key_leaves_it_to_the_lane() -> None:
    only_attempts = lane(temporary=RetryRule(attempts=2))
    assert decide(part(), Outcome.RETRY_LATER, only_attempts, NOW, ALONE).due_at == NOW + 5
    only_pauses = lane(temporary=RetryRule(backoff_s=(1.0,)))
    assert decide(part(tries=2), Outcome.RETRY_LATER, only_pauses, NOW, ALONE).event is Event.DEFERRED


def test_what_another_may_take_goes_there_at_once_and_never_back() -> None:
    decision = decide(part(), Outcome.OTHER_ROUTE, lane(), NOW, ANOTHER)
    assert (decision.event, decision.due_at, decision.refused) == (Event.REROUTED, None, True)


def test_what_no_other_may_take_is_refused() -> None:
    decision = decide(part(), Outcome.OTHER_ROUTE, lane(), NOW, ALONE)
    assert (decision.event, decision.reason) == (Event.REFUSED, Reason.REFUSED_BY_CARRIER)


def test_a_part_of_several_waits_for_its_siblings_before_it_goes_elsewhere() -> None:
    several = part(total=3)
    assert decide(several, Outcome.OTHER_ROUTE, lane(), NOW, ANOTHER).due_at == NOW + REROUTE_LOOK_S
    slow = lane(other_route=RetryRule(backoff_s=(20.0,)))
    assert decide(several, Outcome.OTHER_ROUTE, slow, NOW, ANOTHER).due_at == NOW + 20
    assert decide(part(), Outcome.OTHER_ROUTE, slow, NOW, ANOTHER).due_at == NOW + 20


@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize("prospect", [ALONE, ANOTHER])
@pytest.mark.parametrize("before", [(), ("west",)])
def test_a_refusal_is_put_to_one_other_carrier_where_the_lane_asks(
    asks: bool, prospect: Prospect, before: tuple[str, ...]
) -> None:
    decision = decide(part(refused=before), Outcome.REFUSED, lane(second_opinion=asks), NOW, prospect)
    expected = Event.REROUTED if asks and prospect.other and not before else Event.REFUSED
    assert decision.event is expected
    if expected is Event.REROUTED:
        assert (decision.reason, decision.refused) == (Reason.SECOND_OPINION, True)


def test_the_refusals_of_a_sick_carrier_are_put_to_another_whatever_the_lane_says() -> None:
    assert decide(part(), Outcome.REFUSED, lane(), NOW, UNTRUSTED).event is Event.REROUTED
    assert decide(part(tries=3), Outcome.REFUSED, lane(), NOW, UNTRUSTED).event is Event.REFUSED, "attempts end that"


def test_nobody_else_is_asked_where_there_is_nobody() -> None:
    assert no_prospects(part(), "north") == Prospect()
    assert Prospect(other=True).distrusted() == UNTRUSTED


@pytest.mark.parametrize(("harms", "event"), [(0, Event.DEFERRED), (1, Event.DEFERRED), (2, Event.EXHAUSTED)])
def test_a_part_that_breaks_its_bind_is_set_aside_after_so_many(harms: int, event: Event) -> None:
    decision = decide(part(harms=harms, tries=99), Outcome.BIND_SICK, lane(set_aside_after=3), NOW, ALONE)
    assert (decision.event, decision.harmed, decision.burned) == (event, True, 0)
    if event is Event.EXHAUSTED:
        assert decision.reason is Reason.SET_ASIDE


def test_the_pauses_after_broken_binds_count_broken_binds() -> None:
    own = lane(bind_sick=RetryRule(backoff_s=(1.0, 2.0)))
    assert decide(part(tries=3, harms=0), Outcome.BIND_SICK, own, NOW, ALONE).due_at == NOW + 1
    assert decide(part(tries=0, harms=1), Outcome.BIND_SICK, own, NOW, ALONE).due_at == NOW + 2


@pytest.mark.parametrize(("within", "event"), [(5.0, Event.DEFERRED), (4.9, Event.EXHAUSTED)])
def test_no_pause_reaches_beyond_the_time_for_all_attempts(within: float, event: Event) -> None:
    decision = decide(part(first_at=NOW), Outcome.RETRY_LATER, lane(within_s=within), NOW, ALONE)
    assert decision.event is event
    if event is Event.EXHAUSTED:
        assert (decision.reason, decision.burned) == (Reason.TIME_USED_UP, 1)


@given(
    outcome=st.sampled_from(list(SETBACKS)),
    tries=st.integers(0, 10),
    harms=st.integers(0, 10),
    attempts=st.integers(1, 10),
    aside=st.integers(1, 10),
    other=st.booleans(),
    trusted=st.booleans(),
)
def test_what_goes_on_has_attempts_left(
    outcome: Outcome, tries: int, harms: int, attempts: int, aside: int, other: bool, trusted: bool
) -> None:
    asking = lane(attempts=attempts, set_aside_after=aside, second_opinion=True)
    decision = decide(part(tries=tries, harms=harms), outcome, asking, NOW, Prospect(other, trusted))
    if decision.event in (Event.DEFERRED, Event.REROUTED):
        assert not decision.burned or tries + 1 < attempts
        assert not decision.harmed or harms + 1 < aside
    else:
        assert decision.due_at is None
    assert decision.burned == SETBACKS[outcome].burns
    assert decision.event is not Event.REROUTED or other
    assert decision.refused or SETBACKS[outcome].step is not Step.ELSEWHERE or decision.event is Event.EXHAUSTED


def test_only_a_lane_that_resends_has_resends() -> None:
    assert doubt_policy(LaneConfig(resends=3)).resends == 0
    policy = doubt_policy(LaneConfig(on_doubt="resend", resends=3, resend_after_s=20.0, patience_s=900.0))
    assert (policy.resends, policy.resend_after_s, policy.patience_s) == (3, 20.0, 900.0)


@pytest.mark.parametrize(
    ("deadline", "doubts", "due_at"),
    [
        (NOW + 100, 1, NOW + 20),
        (NOW + 100, 2, NOW + 20),
        (NOW + 100, 3, NOW + 900),  # both resends are used up
        (NOW + 20, 1, NOW + 900),  # at its deadline it is too late
        (NOW + 20.1, 1, NOW + 20),
    ],
)
def test_a_doubt_is_looked_at_when_it_may_be_sent_again_or_given_up(
    deadline: float, doubts: int, due_at: float
) -> None:
    policy = doubt_policy(LaneConfig(on_doubt="resend", resends=2, resend_after_s=20.0, patience_s=900.0))
    assert policy.due_at(NOW, deadline, doubts) == due_at
