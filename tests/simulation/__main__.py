"""Live through worlds: ``python -m tests.simulation --seed 7`` one, ``--worlds 1000`` many; one JSON line last."""

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import Final

import click

from tests.simulation import corpus
from tests.simulation.report import coverage, failure, missing
from tests.simulation.running import Outcome, run_seed
from tests.simulation.shrinking import shrunk

ENOUGH_FOR_ALL: Final = 300
"""So many worlds meet every fault, and give every invariant something to judge."""


@click.command()
@click.option("--seed", type=int, help="Live through this world alone, and print its trace hash.")
@click.option("--hours", type=float, help="With --seed: a world that lasts as long.")
@click.option("--first", type=int, default=0, help="Seed of the first of many worlds.")
@click.option("--worlds", type=int, help="How many worlds.")
@click.option("--minutes", type=float, help="As many worlds as fit.")
@click.option("--shrink", is_flag=True, help="Make a failing world smaller while it still fails.")
@click.option("--jobs", type=int, default=1, help="Processes.")
@click.option("--corpus", "old", is_flag=True, help="First the worlds that have failed before.")
def main(
    seed: int | None,
    hours: float | None,
    first: int,
    worlds: int | None,
    minutes: float | None,
    shrink: bool,
    jobs: int,
    old: bool,
) -> None:
    logging.getLogger("carrierline").propagate = False
    if seed is not None:
        _one(seed, hours, shrink)
        return
    began, done = time.monotonic(), list[Outcome]()
    until = None if minutes is None else began + 60 * minutes
    seeds = _seeds(first, worlds if worlds or minutes else 100, corpus.SEEDS if old else ())
    failed = []
    for outcome in _lived(seeds, jobs, until):
        done.append(outcome)
        if outcome.violations:
            failed.append(outcome.seed)
            click.echo(failure(outcome))
            if shrink:
                click.echo(failure(shrunk(outcome, click.echo)))
    click.echo(coverage(done))
    _summary(done, failed, time.monotonic() - began)


def _one(seed: int, hours: float | None, shrink: bool) -> None:
    outcome = run_seed(seed, hours=hours)
    if hours is None:
        click.echo("\n".join(outcome.plan.describe()))
    if outcome.violations:
        click.echo(failure(shrunk(outcome, click.echo) if shrink else outcome))
    _summary([outcome], [seed] if outcome.violations else [], outcome.real_s, trace=outcome.trace)


def _seeds(first: int, worlds: int | None, old: tuple[int, ...]) -> Iterator[int]:
    yield from old
    number = first
    while worlds is None or number < first + worlds:
        yield number
        number += 1


def _lived(seeds: Iterator[int], jobs: int, until: float | None) -> Iterator[Outcome]:
    if jobs == 1:
        for seed in seeds:
            if until is not None and time.monotonic() >= until:
                return
            yield run_seed(seed)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        while (until is None or time.monotonic() < until) and (some := list(islice(seeds, 8 * jobs))):
            yield from pool.map(run_seed, some)


def _summary(done: list[Outcome], failed: list[int], real_s: float, **more: object) -> None:
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
