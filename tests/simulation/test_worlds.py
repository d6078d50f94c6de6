"""As many worlds as fit into four minutes, from a seed that each commit has for itself; and those that failed once."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import pytest

from tests.simulation import corpus
from tests.simulation.__main__ import ENOUGH_FOR_ALL
from tests.simulation.report import coverage, failure, missing
from tests.simulation.running import Outcome, run_plan, run_seed

MINUTES: Final = float(os.environ.get("CARRIERLINE_WORLDS_MINUTES", "4" if os.environ.get("CI") else "0.5"))
AT_LEAST: Final = 50
AT_ONCE: Final = 8


def first_seed() -> int:
    """Return a number that every commit has for itself; where there is no repository, a fixed one."""
    root = Path(__file__).parents[2]
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    return int(found.stdout[:8] or "0", 16)


def lived(minutes: float) -> Iterator[Outcome]:
    """Live through worlds on every core until the time is over."""
    until, seed, jobs = time.monotonic() + 60 * minutes, first_seed(), os.cpu_count() or 1
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        done = 0
        while done < AT_LEAST or time.monotonic() < until:
            yield from pool.map(run_seed, range(seed + done, seed + done + AT_ONCE * jobs))
            done += AT_ONCE * jobs


def test_in_no_world_of_this_commit_an_invariant_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = list(lived(MINUTES))
    table = coverage(outcomes)
    with capsys.disabled():
        sys.stdout.write(f"\n{table}\n")
    failed = [outcome for outcome in outcomes if outcome.violations]
    assert not failed, "\n\n".join(failure(outcome) for outcome in failed[:3])
    if len(outcomes) >= ENOUGH_FOR_ALL:
        assert not missing(outcomes), table


@pytest.mark.parametrize("path", corpus.files(), ids=lambda path: path.stem)
def test_what_failed_once_holds(path: Path) -> None:
    kept = corpus.read(path)
    outcome = run_plan(kept.plan)
    assert not outcome.violations, f"{kept.found}\n{failure(outcome, f'--plan {path}')}"
