"""A failing world can be made small, and its report tells what happened."""

from collections.abc import Callable
from itertools import count

import attrs
import pytest

from connector.lifecycle import Event, Status
from tests.simulation import ends, running, shrinking
from tests.simulation.drawing import SHORT, draw
from tests.simulation.judge import Violation
from tests.simulation.plan import Plan
from tests.simulation.report import coverage, failure, missing
from tests.simulation.running import Outcome, run_plan, run_seed
from tests.simulation.shrinking import shrunk

SEED = 13


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every delivery for a word that nobody has said."""
    monkeypatch.setitem(ends.WORDS, "DELIVRD", (Event.REJECTED, Status.REJECTED))


def test_a_failure_is_told_on_one_screen(blind: None) -> None:
    outcome = run_seed(SEED)
    text = failure(outcome)
    first = outcome.violations[0]
    assert f": python -m tests.simulation --seed {SEED}\n" in text
    assert text.endswith(f"python -m tests.simulation --seed {SEED} --shrink --save tests/simulation/worlds/NAME.json")
    assert f"I9 ({'a receipt moves only the message it is about'})" in text
    assert f"message {first.message}" in text
    assert " delivered " in text
    assert "what was done to the world" in text
    assert len(text.splitlines()) <= 60


def test_a_world_is_made_smaller_while_it_still_fails(blind: None) -> None:
    told: list[str] = []
    small = shrunk(run_seed(SEED), told.append)
    assert small.violations[0].invariant == 9
    assert (small.plan.messages, small.plan.moments) == (0, ()), "the probes at the end are enough"
    assert not any(carrier.habits for carrier in small.plan.carriers)
    assert told[-1].startswith("0 messages")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Plan, Callable[[Plan], bool]], Outcome]:
    """Return a world that has failed, as every world does of which a condition is true; none is lived through."""
    judged = run_plan(attrs.evolve(draw(SEED), moments=(), sends=()))

    def failing(plan: Plan, fails: Callable[[Plan], bool]) -> Outcome:
        def run(plan: Plan) -> Outcome:
            broken = (Violation(9, 0.0, "as wanted"),) if fails(plan) else ()
            return attrs.evolve(judged, plan=plan, violations=broken)

        monkeypatch.setattr(shrinking, "run_plan", run)
        return run(plan)

    return failing


def test_only_what_matters_is_left(failing: Callable[[Plan, Callable[[Plan], bool]], Outcome]) -> None:
    plan = next(plan for plan in map(draw, count()) if len(plan.carriers) == 3 and plan.moments and plan.messages > 50)
    send = next(send for send in plan.sends if send.count == 20)
    host, number = plan.carriers[1].name, send.first + 13
    moment = attrs.evolve(plan.moments[-1], host=host)
    plan = attrs.evolve(plan, moments=(*plan.moments[:-1], moment))

    def fails(plan: Plan) -> bool:
        is_sent = any(send.first <= number < send.first + send.count for send in plan.sends)
        return is_sent and moment in plan.moments

    small = shrunk(failing(plan, fails)).plan
    assert small.sends == (attrs.evolve(send, first=number, count=1, text=SHORT, again_s=None),)
    assert small.moments == (moment,)
    assert [carrier.name for carrier in small.carriers] == [host]
    assert [carrier.name for carrier in small.settings.carrier] == [host]
    assert all(route.carriers == (host,) for route in small.settings.route)
    assert small.span_s <= max(send.at_s, moment.at_s) + shrinking.AFTER_S
    assert (small.weather.fragments, small.weather.torn, small.engine) == (0.0, 0.0, "memory")


def test_what_a_failure_needs_stays(failing: Callable[[Plan, Callable[[Plan], bool]], Outcome]) -> None:
    plan = draw(SEED)
    assert shrunk(failing(plan, lambda other: other == plan)).plan == plan


def test_a_plan_with_nothing_in_it_breaks_nothing_and_is_missing_everything() -> None:
    plan = attrs.evolve(draw(SEED), moments=(), sends=())
    outcome = run_plan(plan)
    assert not outcome.violations
    assert any(line.startswith("fault 1:") for line in missing([outcome]))
    assert "MISSING" in coverage([outcome])


def test_the_judge_reads_the_log() -> None:
    assert running.SECRETS.search("sent to 447911100007")
    assert running.SECRETS.search("password hush4711")
    assert not running.SECRETS.search("sent to +4479***0007")
