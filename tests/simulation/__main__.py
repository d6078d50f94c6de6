"""Live through worlds: ``python -m tests.simulation --seed 7`` one, ``--worlds 1000`` many; one JSON line last."""

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import attrs
import click

from connector.errors import ConfigError
from tests.simulation import corpus
from tests.simulation.corpus import Kept
from tests.simulation.drawing import draw
from tests.simulation.plan import Plan
from tests.simulation.report import coverage, failure, missing
from tests.simulation.running import Outcome, run_plan
from tests.simulation.shrinking import shrunk

ENOUGH_FOR_ALL: Final = 300
"""So many worlds meet every fault, and give every invariant something to judge."""
FILE: Final = click.Path(path_type=Path)
OLD_FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)


@attrs.frozen
class Asked:
    """A world to live through."""

    plan: Plan
    how: str
    """The options that name it."""
    name: str
    """For its file."""


def of_seed(seed: int, hours: float | None = None) -> Asked:
    """Return the world of a seed; of ``hours`` a long one."""
    how = f"--seed {seed}" if hours is None else f"--seed {seed} --hours {hours:g}"
    return Asked(draw(seed, hours=hours), how, f"seed-{seed}")


def of_file(path: Path) -> Asked:
    """Return the world in a file; raises ConfigError as `corpus.read` does."""
    return Asked(corpus.read(path).plan, f"--plan {path}", path.stem)


@click.command()
@click.option("--seed", type=int, help="Live through this world alone, and print its trace hash.")
@click.option("--hours", type=float, help="With --seed: a world that lasts as long.")
@click.option("--plan", type=OLD_FILE, help="Live through the world in this file alone, and print its trace hash.")
@click.option("--first", type=int, default=0, help="Seed of the first of many worlds.")
@click.option("--worlds", type=int, help="How many worlds.")
@click.option("--minutes", type=float, help="As many worlds as fit.")
@click.option("--shrink", is_flag=True, help="Make a failing world smaller while it still fails.")
@click.option("--save", type=FILE, help="Write the plan of a failing world: to this file; of many, to this folder.")
@click.option("--jobs", type=int, default=1, help="Processes.")
@click.option("--corpus", "old", is_flag=True, help="First the worlds that have failed before.")
def main(
    seed: int | None,
    hours: float | None,
    plan: Path | None,
    first: int,
    worlds: int | None,
    minutes: float | None,
    shrink: bool,
    save: Path | None,
    jobs: int,
    old: bool,
) -> None:
    logging.getLogger("carrierline").propagate = False
    try:
        if plan is not None:
            _one(of_file(plan), shrink, save)
        elif seed is not None:
            _one(of_seed(seed, hours), shrink, save)
        else:
            kept = [of_file(path) for path in corpus.files()] if old else []
            _many(_worlds(kept, first, worlds if worlds or minutes else 100), jobs, minutes, shrink, save)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


def _one(asked: Asked, shrink: bool, save: Path | None) -> None:
    outcome = run_plan(asked.plan)
    if "--hours" not in asked.how:
        click.echo("\n".join(asked.plan.describe()))
    if outcome.violations:
        _tell(asked, outcome, shrink, save)
    _summary([outcome], [asked.how] if outcome.violations else [], outcome.real_s, trace=outcome.trace)


def _many(worlds: Iterator[Asked], jobs: int, minutes: float | None, shrink: bool, save: Path | None) -> None:
    began, done, failed = time.monotonic(), list[Outcome](), list[str]()
    until = None if minutes is None else began + 60 * minutes
    for asked, outcome in _lived(worlds, jobs, until):
        done.append(outcome)
        if outcome.violations:
            failed.append(asked.how)
            _tell(asked, outcome, shrink, save and save / f"{asked.name}.json")
    click.echo(coverage(done))
    _summary(done, failed, time.monotonic() - began)


def _tell(asked: Asked, outcome: Outcome, shrink: bool, save: Path | None) -> None:
    """Print why a world failed; make it smaller and write it where that is wanted."""
    if shrink:
        click.echo(failure(outcome, asked.how))
        outcome = shrunk(outcome, click.echo)
    if save is not None:
        corpus.write(save, Kept(found=str(outcome.violations[0]), plan=outcome.plan))
    click.echo(failure(outcome, asked.how if save is None else f"--plan {save}"))


def _worlds(kept: list[Asked], first: int, worlds: int | None) -> Iterator[Asked]:
    yield from kept
    for seed in count(first) if worlds is None else range(first, first + worlds):
        yield of_seed(seed)


def _lived(worlds: Iterator[Asked], jobs: int, until: float | None) -> Iterator[tuple[Asked, Outcome]]:
    if jobs == 1:
        for asked in worlds:
            if until is not None and time.monotonic() >= until:
                return
            yield asked, run_plan(asked.plan)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        while (until is None or time.monotonic() < until) and (some := list(islice(worlds, 8 * jobs))):
            yield from zip(some, pool.map(run_plan, [asked.plan for asked in some]), strict=True)


def _summary(done: list[Outcome], failed: list[str], real_s: float, **more: object) -> None:
    virtual_s = sum(outcome.virtual_s for outcome in done)
    line = {
        "worlds": len(done),
        "failed": failed,
        "missing": missing(done) if len(done) > 1 else [],
        "virtual_hours": round(virtual_s / 3600, 2),
        "seconds": round(real_s, 1),
        "times_real_time": round(virtual_s / max(real_s, 0.001)),
        "messages": sum(outcome.plan.messages for outcome in done),
        "python_hash_seed": os.environ.get("PYTHONHASHSEED", "random"),
        **more,
    }
    click.echo(json.dumps(line))
    sys.exit(1 if failed or (len(done) >= ENOUGH_FOR_ALL and missing(done)) else 0)


if __name__ == "__main__":
    main()
