"""The peers that measurements run against, each in a process of its own on the other core."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

ANSWERS_AT_ONCE = """
schema = 1
name = "measured"
[listen]
smpp = "127.0.0.1:0"
"""
RECEIPTS = """
[receipt]
when = "{when}"
"""


@contextmanager
def sink(*, receipts: bool) -> Iterator[int]:
    """Compile and run the C sink; yield its port.  Raises FileNotFoundError where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise FileNotFoundError("no C compiler: measure against the simulator with --peer simulator")
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "sink"
        source = resources.files("perf").joinpath("sink.c")
        with resources.as_file(source) as path:
            subprocess.run([compiler, "-O2", "-D_GNU_SOURCE", "-o", str(binary), str(path)], check=True)
        process = subprocess.Popen(
            [str(binary), *(["receipts"] if receipts else [])], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()
            process.communicate()


@contextmanager
def simulator(*, receipts: bool, more: str = "") -> Iterator[int]:
    """Run the simulator in a process of its own, with ``more`` in its scenario instead of receipts; yield its port."""
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "scenario.toml"
        when = RECEIPTS.format(when="requested" if receipts else "never")
        scenario.write_text(ANSWERS_AT_ONCE + (more or when))
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "simulate", str(scenario), "--keep", "0"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        try:
            assert process.stderr is not None
            yield int(process.stderr.readline().rsplit(":", 1)[1])
        finally:
            process.kill()
            process.communicate()


PEERS = {"sink": sink, "simulator": simulator}
