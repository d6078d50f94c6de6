"""A failing world made smaller while it still fails: fewer faults, fewer bad habits, fewer messages."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import attrs

from tests.simulation.plan import CarrierPlan, Plan
from tests.simulation.running import Outcome, run_plan

T = TypeVar("T")


def shrunk(failed: Outcome, tell: Callable[[str], None] = lambda _line: None) -> Outcome:
    """Return the smallest world found that breaks the same invariant."""
    invariants = {each.invariant for each in failed.violations}
    smaller = True
    while smaller:
        smaller = False
        for plan in _smaller(failed.plan):
            outcome = run_plan(plan)
            if invariants & {each.invariant for each in outcome.violations}:
                tell(f"{_size(plan)} still fails")
                failed, smaller = outcome, True
                break
    return failed


def _size(plan: Plan) -> str:
    habits = sum(len(carrier.habits) for carrier in plan.carriers)
    return f"{plan.messages} messages, {len(plan.moments)} faults, {habits} bad habits"


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Return plans with less in them, the boldest first."""
    yield from (attrs.evolve(plan, moments=rest) for rest in _fewer(plan.moments))
    yield from (attrs.evolve(plan, sends=rest) for rest in _fewer(plan.sends))
    for index, carrier in enumerate(plan.carriers):
        for habits in _fewer(carrier.habits):
            yield attrs.evolve(plan, carriers=_with(plan.carriers, index, attrs.evolve(carrier, habits=habits)))
    for index, send in enumerate(plan.sends):
        if send.count > 1:
            one = attrs.evolve(send, count=send.count // 2)
            yield attrs.evolve(plan, sends=(*plan.sends[:index], one, *plan.sends[index + 1 :]))


def _with(carriers: Sequence[CarrierPlan], index: int, one: CarrierPlan) -> tuple[CarrierPlan, ...]:
    return (*carriers[:index], one, *carriers[index + 1 :])


def _fewer(items: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    """Return the items without ever smaller pieces of them."""
    piece = len(items)
    while piece >= 1:
        for start in range(0, len(items), piece):
            yield items[:start] + items[start + piece :]
        piece //= 2
