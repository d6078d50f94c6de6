"""``python -m tests.crash [--kills 200] [--seed 7]``: every named step, then kills at random; one JSON line last."""

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path

import attrs
import trio

from tests.crash.matrix import at_any_moment, at_every_step


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.crash")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        named = trio.run(partial(at_every_step, Path(one), seed=wanted.seed))
        moments = trio.run(partial(at_any_moment, Path(two), kills=wanted.kills, seed=wanted.seed))
    figures = {"seed": wanted.seed, "steps": attrs.asdict(named), "random": attrs.asdict(moments)}
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.exit(0 if named.is_clean and moments.is_clean else 1)


if __name__ == "__main__":
    main()
