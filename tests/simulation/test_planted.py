"""Mistakes put into the engine on purpose are found, each by a world that holds without it."""

from collections.abc import Mapping
from itertools import chain
from typing import Final

import pytest

from tests.simulation.judge import Judge, Violation
from tests.simulation.planted import PLANTED, Found, Planted, search, small_ones_first

SEEDS: Final[Mapping[str, int]] = {
    "accepted before its commit": 8,
    "on the wire before its claim's commit": 3,
    "receipts are matched by the id as it is written only": 35,
    "a doubt is sent again in a lane that holds": 47,
    "answers are dropped when the disk is full": 28,
    "deadlines are looked at when a part is claimed only": 35,
    "the rate is each bind's": 14,
    "receipts are matched across carriers": 43,
    "a message stands where its first part does": 3,
    "a doubt is sent again under another reference": 47,
    "a late answer leaks a place of the window": 13,
    "parked receipts are forgotten at a restart": 10,
    "references are forgotten at a restart": 31,
    "deliver_sm is answered before its commit": 28,
    "parts left in sending are not looked at after a restart": 3,
    "scheduled messages leave early": 8,
    "quiet hours are not asked": 25,
    "a drain does not wait for answers": 14,
    "a drain ends before what came is kept": 14,
    "a number is logged": 43,
    "what is out is cancelled": 3,
    "a claim that lost is sent": 13,
    "binds are opened while the old ones still close": 15,
    "what was on a link that ended counts as not sent": 40,
    "what was not answered counts as not sent": 3,
    "the parts of a message take any carrier each": 14,
    "a claim in vain is not read again": 13,
    "quiet hours are not asked before the wire": 35,
    "a part is tried without end": 13,
    "what breaks binds is not set aside": 10,
    "the ceiling of a lane is not heeded": 3,
    "a carrier suspended by hand sends": 43,
    "carriers are not told how long a message is of use": 8,
    "a drain hangs up": 14,
    "a drain takes what comes": 14,
    "what a subscriber wrote is joined backwards": 14,
    "a later word changes a final status": 14,
    "messages expire early": 47,
    "messages expire late": 47,
    "a lane is shut for ever": 8,
}
"""Worlds that find them: ``python -m tests.simulation.planted --enough 3`` says which are the cheapest."""


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_a_planted_mistake_is_found_by_a_world_that_holds_without_it(bug: Planted) -> None:
    # when engine or worlds change, seeds get other lives: then another of the first worlds has to find it
    first = SEEDS[bug.name]
    found = search(bug, chain([first], (seed for seed in small_ones_first() if seed != first)))
    assert found.found, "\n".join(found.lines())


def test_every_mistake_has_its_world() -> None:
    names = [bug.name for bug in PLANTED]
    assert len(set(names)) == len(names)
    assert SEEDS.keys() == set(names)


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_nothing_of_a_mistake_is_left_when_it_is_gone(bug: Planted) -> None:
    places = [(vars(place), name) for place, name, _ in bug.swaps()]
    before = [room[name] for room, name in places]
    with bug.growing():
        assert all(room[name] is not old for (room, name), old in zip(places, before, strict=True))
    assert all(room[name] is old for (room, name), old in zip(places, before, strict=True))


def test_a_world_ends_as_soon_as_it_has_shown_what_it_was_to_show() -> None:
    bug = next(bug for bug in PLANTED if bug.breaks == {14})
    judge = Judge(lambda: 0.0)
    with bug.ending_what_finds_it():
        judge.broke(15, "another thing")
        with pytest.raises(Found):
            judge.broke(14, "too late")
    judge.broke(14, "too late")
    assert [each.invariant for each in judge.violations] == [15, 14, 14]


def test_a_violation_that_does_not_fit_finds_nothing() -> None:
    lost, late, leaked = (Violation(number, 0.0, "") for number in (1, 14, 18))
    bug = next(bug for bug in PLANTED if bug.breaks == {14})
    assert bug.found_by([lost, late, leaked]) == [14]
    assert bug.found_by([lost, leaked]) == []
