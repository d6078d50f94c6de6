"""Coverage-guided fuzzing of the protocol room: ``python -m tests.fuzz.fuzz_smpp --runs N``.

Octets that break a target are kept in ``--findings`` and the exit status is 1; one JSON line comes last.  The corpus
beside this file is where it starts from, and every test run replays it without the fuzzer.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

CORPUS: Final = Path(__file__).parent / "corpus"
LONGEST_INPUT: Final = 200
LONG_INPUT: Final = 2_000
LONG_INPUTS_EVERY: Final = 10
"""One execution in so many has inputs ten times as long: what costs the square of a length shows there."""
_DONE: Final = re.compile(rb"Done (\d+) runs in")
_STATISTICS: Final = re.compile(rb"stat::number_of_executed_units:\s+(\d+)")


def _fuzz_here(arguments: Sequence[str]) -> None:
    """Fuzz in this process, which ends with it: the child of ``main``."""
    # Only here is it needed, and what it watches must be imported under its eyes.
    import atheris  # type: ignore[import-untyped]

    with atheris.instrument_imports(include=["connector"]):
        from tests.fuzz.targets import one_input

    atheris.Setup([sys.argv[0], *arguments], one_input)
    atheris.Fuzz()


def fuzz(runs: int, findings: Path, learned: Path, seed: int, longest: int) -> dict[str, Any]:
    """Fuzz in a child process with inputs of up to ``longest`` octets and return what it did.

    Inputs that found new ways are left in ``learned``.
    """
    began, before = time.perf_counter(), set(findings.iterdir())
    child = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.fuzz_smpp", "--child"),
            *(f"-runs={runs}", f"-seed={seed}", f"-max_len={longest}", "-timeout=10", "-rss_limit_mb=1024"),
            *("-print_final_stats=1", f"-artifact_prefix={findings}/", str(learned), str(CORPUS)),
        ],
        stderr=subprocess.PIPE,
        check=False,
    )
    found = sorted(str(path) for path in set(findings.iterdir()) - before)
    if child.returncode:
        sys.stderr.buffer.write(child.stderr[-4_000:])
    counted = _DONE.search(child.stderr) or _STATISTICS.search(child.stderr)
    return {
        "question": "fuzz",
        "executions": int(counted[1]) if counted else 0,
        "seconds": round(time.perf_counter() - began, 1),
        "findings": found,
        "status": child.returncode,
    }


def main() -> int:
    """Fuzz and tell what was found."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--findings", type=Path, default=None, help="where inputs that break something are kept")
    options.add_argument("--learned", type=Path, default=None, help="where inputs that reach new code are kept")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as nowhere:
        findings, learned = given.findings or Path(tempfile.mkdtemp()), given.learned or Path(nowhere)
        for folder in (findings, learned):
            folder.mkdir(parents=True, exist_ok=True)
        long = given.runs // LONG_INPUTS_EVERY
        results = [
            fuzz(given.runs - long, findings, learned, given.seed, LONGEST_INPUT),
            fuzz(long, findings, learned, given.seed, LONG_INPUT),
        ]
    click.echo(json.dumps(_sum(results)))
    return 1 if any(result["findings"] or result["status"] for result in results) else 0


def _sum(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first, *_ = results
    counted = {name: sum(result[name] for result in results) for name in ("executions", "seconds")}
    findings = [path for result in results for path in result["findings"]]
    status = next((result["status"] for result in results if result["status"]), 0)
    return {**first, **counted, "findings": findings, "status": status}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _fuzz_here(sys.argv[2:])
    else:
        raise SystemExit(main())
