"""Mistakes planted into the engine one at a time, to see that worlds find them: a proof that the judges are awake.

``python -m tests.simulation.planted`` lives through the first worlds with each of them and prints which worlds find it,
by which invariants; ``--name`` takes those whose name holds some words; one JSON line last.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Final
from unittest import mock

import attrs
import click

from tests.simulation.drawing import draw
from tests.simulation.judge import Judge, Violation
from tests.simulation.mistakes import MISTAKES, Swap
from tests.simulation.report import failure
from tests.simulation.running import run_seed

WORLDS: Final = 50
"""By so many each of them is found."""


class Found(Exception):
    """A world has shown what it was to show."""


@attrs.frozen(kw_only=True)
class Planted:
    """One mistake."""

    name: str
    breaks: frozenset[int]
    """Numbers of the invariants by which it is to be found: any of them."""
    swaps: Callable[[], list[Swap]]

    @contextmanager
    def growing(self) -> Iterator[None]:
        """Have it in the engine for a while."""
        with ExitStack() as all_of_it:
            for place, name, instead in self.swaps():
                all_of_it.enter_context(mock.patch.object(place, name, instead))
            yield

    @contextmanager
    def ending_what_finds_it(self) -> Iterator[None]:
        """Let a world end as soon as it breaks what is to find it: some mistakes keep the engine busy for ever."""
        broke = Judge.broke

        def last(judge: Judge, invariant: int, text: str, message: int | None = None) -> None:
            broke(judge, invariant, text, message)
            if invariant in self.breaks:
                raise Found

        with mock.patch.object(Judge, "broke", last):
            yield

    def found_by(self, violations: Iterable[Violation]) -> list[int]:
        """Return the numbers of the invariants that fit it, of those that a world broke."""
        return sorted({each.invariant for each in violations} & self.breaks)


PLANTED: Final = tuple(Planted(name=name, breaks=frozenset(breaks), swaps=swaps) for name, breaks, swaps in MISTAKES)


@attrs.define
class Search:
    """What the worlds made of one mistake."""

    name: str
    found: dict[int, list[int]] = attrs.field(factory=dict)
    """Invariants by seed, the small worlds first."""
    others: dict[int, list[int]] = attrs.field(factory=dict)
    """Worlds that broke something, but nothing that fits."""
    fell: dict[int, str] = attrs.field(factory=dict)
    """Worlds that came to no end, and why."""
    seconds: dict[int, float] = attrs.field(factory=dict)
    """How long the worlds took that found it."""

    @property
    def cheapest(self) -> int | None:
        """Return the seed to find it by."""
        return min(self.seconds, key=lambda seed: self.seconds[seed], default=None)

    def lines(self) -> list[str]:
        """Return it for people."""
        seeds = ", ".join(f"{seed} (I{' I'.join(map(str, by))})" for seed, by in sorted(self.found.items()))
        first = f"{len(self.found)} worlds, {self.cheapest} is the cheapest: {seeds}" if seeds else "NOT FOUND"
        return [
            f"{self.name}: {first}",
            *(f"  world {seed} breaks only {by}" for seed, by in self.others.items()),
            *(f"  world {seed} fell: {why}" for seed, why in self.fell.items()),
        ]


def search(bug: Planted, seeds: Iterable[int], *, enough: int = 1) -> Search:
    """Live through these worlds with a mistake planted, until ``enough`` have found it that hold without it."""
    found = Search(bug.name)
    for seed in seeds:
        if len(found.found) >= enough:
            break
        try:
            with bug.growing(), bug.ending_what_finds_it():
                outcome = run_seed(seed)
        except Exception as fall:  # noqa: BLE001 - a planted mistake may end a world in any way
            found.fell[seed] = repr(fall)[:200]
            continue
        if (by := bug.found_by(outcome.violations)) and holds(seed):
            found.found[seed], found.seconds[seed] = by, round(outcome.real_s, 2)
        elif outcome.violations:
            found.others[seed] = sorted({each.invariant for each in outcome.violations})
    return found


@cache
def holds(seed: int) -> bool:
    """Say whether the world of a seed breaks nothing as the engine is."""
    return not run_seed(seed).violations


def _shown(bug: Planted, seed: int) -> str:
    with bug.growing(), bug.ending_what_finds_it():
        outcome = run_seed(seed)
    return failure(outcome, f"--seed {seed}") if outcome.violations else f"world {seed} does not find it"


def small_ones_first(first: int = 0, worlds: int = WORLDS) -> list[int]:
    """Return the seeds of so many worlds."""
    return sorted(range(first, first + worlds), key=lambda seed: draw(seed).messages)


@click.command()
@click.option("--name", default="", help="Words in the names of those to look for.")
@click.option("--first", type=int, default=0, help="Seed of the first world.")
@click.option("--seeds", type=int, default=WORLDS, help="How many worlds.")
@click.option("--enough", type=int, default=WORLDS, help="Go on with the next one when so many worlds have found it.")
@click.option("--show", type=int, help="Show how the world of this seed fails with each of them, and no more.")
def main(name: str, first: int, seeds: int, enough: int, show: int | None) -> None:
    logging.getLogger("carrierline").propagate = False
    if show is not None:
        for bug in PLANTED:
            if name in bug.name:
                click.echo(f"{bug.name}:\n{_shown(bug, show)}")
        return
    done = []
    for bug in PLANTED:
        if name in bug.name:
            done.append(search(bug, small_ones_first(first, seeds), enough=enough))
            click.echo("\n".join(done[-1].lines()))
    missed = [each.name for each in done if not each.found]
    line = {"planted": len(done), "missed": missed, "seeds": {each.name: each.cheapest for each in done if each.found}}
    click.echo(json.dumps(line))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
