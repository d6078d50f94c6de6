"""A failing world made smaller while it still fails: fewer faults, messages, carriers, habits; less of each."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import attrs

from connector.config import Config
from tests.simulation.drawing import SHORT
from tests.simulation.plan import CarrierPlan, Plan, Send
from tests.simulation.running import Outcome, run_plan

T = TypeVar("T")
Step = Callable[[Plan], Iterator[Plan]]
"""Returns plans with less of one thing in them, the boldest first."""
AFTER_S: Final = 1.0
"""Of a world in which nothing more happens."""


def shrunk(failed: Outcome, tell: Callable[[str], None] = lambda _line: None) -> Outcome:
    """Return the smallest world found that breaks the same invariant."""
    before = None
    while failed.plan != before:
        before = failed.plan
        for step in STEPS:
            failed = _taken(step, failed, tell)
    return failed


def _taken(step: Step, failed: Outcome, tell: Callable[[str], None]) -> Outcome:
    """Take one step for as long as it leads to a world that fails."""
    while True:
        found = _next(step(failed.plan), {each.invariant for each in failed.violations})
        if found is None:
            return failed
        failed = found
        tell(f"{_size(failed.plan)} still fails")


def _next(plans: Iterator[Plan], invariants: set[int]) -> Outcome | None:
    outcomes = (run_plan(plan) for plan in plans)
    return next((one for one in outcomes if invariants & {each.invariant for each in one.violations}), None)


def _size(plan: Plan) -> str:
    habits = sum(len(carrier.habits) for carrier in plan.carriers)
    return f"{plan.messages} messages, {len(plan.moments)} faults, {habits} bad habits"


# --- steps ---


def _fewer_moments(plan: Plan) -> Iterator[Plan]:
    yield from (attrs.evolve(plan, moments=rest) for rest in _fewer(plan.moments))


def _fewer_sends(plan: Plan) -> Iterator[Plan]:
    yield from (attrs.evolve(plan, sends=rest) for rest in _fewer(plan.sends))


def _fewer_carriers(plan: Plan) -> Iterator[Plan]:
    """Leave out a carrier and what is done to it, where no route leads to it alone."""
    for name in [carrier.name for carrier in plan.carriers]:
        if all(route.carriers != (name,) for route in plan.settings.route):
            yield attrs.evolve(
                plan,
                settings=_settings_without(name, plan.settings),
                carriers=tuple(each for each in plan.carriers if each.name != name),
                moments=tuple(moment for moment in plan.moments if moment.host != name),
            )


def _settings_without(name: str, settings: Config) -> Config:
    return attrs.evolve(
        settings,
        carrier=tuple(each for each in settings.carrier if each.name != name),
        route=tuple(
            attrs.evolve(route, carriers=tuple(each for each in route.carriers if each != name))
            for route in settings.route
        ),
    )


def _fewer_habits(plan: Plan) -> Iterator[Plan]:
    for index, carrier in enumerate(plan.carriers):
        for habits in _fewer(carrier.habits):
            less: CarrierPlan = attrs.evolve(carrier, habits=habits)
            yield attrs.evolve(plan, carriers=_with(plan.carriers, index, less))


def _less_of_a_send(plan: Plan) -> Iterator[Plan]:
    for index, send in enumerate(plan.sends):
        yield from (attrs.evolve(plan, sends=_with(plan.sends, index, less)) for less in _less(send))


def _less(send: Send) -> Iterator[Send]:
    """Return either half of it, it with a text of one part, and it said once."""
    half = send.count // 2
    if half:
        yield attrs.evolve(send, count=half)
        yield attrs.evolve(send, first=send.first + half, count=send.count - half)
    if send.text != SHORT:
        yield attrs.evolve(send, text=SHORT)
    if send.again_s is not None:
        yield attrs.evolve(send, again_s=None)


def _calmer(plan: Plan) -> Iterator[Plan]:
    """Return it with links that are whole, over when nothing happens any more, or with its store in memory."""
    for weather in (attrs.evolve(plan.weather, fragments=0.0), attrs.evolve(plan.weather, torn=0.0)):
        if weather != plan.weather:
            yield attrs.evolve(plan, weather=weather)
    last_s = max([*(send.at_s for send in plan.sends), *(moment.at_s for moment in plan.moments)], default=0.0)
    if last_s + AFTER_S < plan.span_s:
        yield attrs.evolve(plan, span_s=last_s + AFTER_S)
    if plan.engine != "memory":
        yield attrs.evolve(plan, engine="memory")


STEPS: Final[Sequence[Step]] = (
    _fewer_moments,
    _fewer_sends,
    _fewer_carriers,
    _fewer_habits,
    _less_of_a_send,
    _calmer,
)


def _with(items: tuple[T, ...], index: int, one: T) -> tuple[T, ...]:
    return (*items[:index], one, *items[index + 1 :])


def _fewer(items: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    """Return the items without ever smaller pieces of them."""
    piece = len(items)
    while piece >= 1:
        for start in range(0, len(items), piece):
            yield items[:start] + items[start + piece :]
        piece //= 2
