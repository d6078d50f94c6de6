"""A seed is a world: the same one in every process, and another one for another seed."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.simulation.drawing import draw
from tests.simulation.running import run_seed


def eventful(engine: str) -> int:
    """Return the first seed of a world on this engine in which much goes wrong, with deaths of the process."""
    return next(
        seed
        for seed in range(2_000)
        if (plan := draw(seed)).engine == engine
        and len(plan.moments) >= 5
        and any(moment.act == "kill -9" for moment in plan.moments)
    )


def replayed(seed: int, hash_seed: str) -> dict[str, Any]:
    """Live through a world in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seed", str(seed)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    line: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return line


@pytest.mark.parametrize("engine", ["memory", "sqlite"])
def test_a_seed_gives_the_same_octets_at_the_same_moments_in_three_processes(engine: str) -> None:
    seed = eventful(engine)
    lines = [replayed(seed, hash_seed) for hash_seed in ("0", "1", "77")]
    assert [line["python_hash_seed"] for line in lines] == ["0", "1", "77"]
    assert {line["trace"] for line in lines} == {run_seed(seed).trace}


def test_another_seed_is_another_world() -> None:
    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert run_seed(13).trace != run_seed(14).trace
