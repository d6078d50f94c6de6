"""A failing world can be made small, and its report tells what happened."""

import attrs
import pytest

from connector.lifecycle import Event, Status
from tests.simulation import ends, running
from tests.simulation.drawing import draw
from tests.simulation.report import coverage, failure, missing
from tests.simulation.running import run_plan, run_seed
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
    assert f"--seed {SEED}" in text
    assert f"I9 ({'a receipt moves only the message it is about'})" in text
    assert f"message {first.message}" in text
    assert "delivered north" in text
    assert "what was done to the world" in text
    assert len(text.splitlines()) <= 60


def test_a_world_is_made_smaller_while_it_still_fails(blind: None) -> None:
    told: list[str] = []
    small = shrunk(run_seed(SEED), told.append)
    assert small.violations[0].invariant == 9
    assert (small.plan.messages, small.plan.moments) == (0, ()), "the probes at the end are enough"
    assert not any(carrier.habits for carrier in small.plan.carriers)
    assert told[-1].startswith("0 messages")


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
