"""The processes that measurements watch: a connector as users run it, a carrier that limits, and what they used."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import attrs

LAST_LINES = 20
"""Of what a process said, kept for the error if it does not come up."""
STOP_WITHIN_S = 60.0


@attrs.define
class Process:
    """A child that said where it can be reached."""

    pid: int
    line: str
    """In which it said so."""
    output: str = ""
    """What it printed, once it has ended."""


@contextmanager
def running(arguments: list[str], says: str, environ: Mapping[str, str] | None = None) -> Iterator[Process]:
    """Run ``python -m`` with these arguments from the line of stderr with ``says`` to SIGTERM.

    Raises RuntimeError with its last lines if it ends before it says so, or afterwards with an error.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environ or {}), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert child.stdout is not None
    assert child.stderr is not None
    lines: list[str] = []
    try:
        process = Process(child.pid, _line_with(says, child.stderr, lines))
        reader = threading.Thread(target=_drain, args=(child.stderr, lines), daemon=True)
        reader.start()
        yield process
        child.send_signal(signal.SIGTERM)
        process.output = child.stdout.read()
        status = child.wait(timeout=STOP_WITHIN_S)
        reader.join()
        if status:
            raise RuntimeError(f"{arguments[1]} ended with status {status}:\n" + "\n".join(lines[-LAST_LINES:]))
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()


def _line_with(says: str, stderr: IO[str], lines: list[str]) -> str:
    for line in stderr:
        lines.append(line.rstrip())
        if says in line:
            return line.strip()
    raise RuntimeError("a process did not come up:\n" + "\n".join(lines[-LAST_LINES:]))


def _drain(stderr: IO[str], lines: list[str]) -> None:
    """Read on, so that the child never waits for us to."""
    for line in stderr:
        lines.append(line.rstrip())
        del lines[:-LAST_LINES]


@attrs.define
class RunningConnector:
    """``carrierline run``, listening."""

    pid: int
    url: str


@contextmanager
def connector(folder: Path, config: str, environ: Mapping[str, str]) -> Iterator[RunningConnector]:
    """Run a connector of this configuration; drain it at the end."""
    path = folder / "config.toml"
    path.write_text(config)
    with running(["cli", "run", str(path)], "listening on", environ) as process:
        yield RunningConnector(process.pid, process.line.split("listening on ")[1].split(",")[0])


@attrs.define
class RunningCarrier:
    """``carrierline simulate``, with its own book."""

    port: int
    record: Path
    """Its ledger as JSON lines; whole when it has ended."""
    submits: Mapping[str, int] = attrs.field(factory=dict)
    """How many it answered with each command_status, once it has ended."""


@contextmanager
def carrier(folder: Path, scenario: str) -> Iterator[RunningCarrier]:
    """Run a simulated carrier of this scenario that writes down when each message came."""
    path, record = folder / "scenario.toml", folder / "ledger.jsonl"
    path.write_text(scenario)
    arguments = ["cli", "simulate", str(path), "--keep", "0", "--record", str(record), "--json"]
    with running(arguments, "listening on") as process:
        found = RunningCarrier(int(process.line.rsplit(":", 1)[1]), record)
        yield found
    found.submits = json.loads(process.output)["submits"]


def cpu_s(pid: int) -> float:
    """Return the CPU seconds a process has used, all its threads together, to a hundredth."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int | None = None) -> tuple[float, float]:
    """Return the resident megabytes of a process (this one without ``pid``) now, and at their highest."""
    lines = Path(f"/proc/{pid or 'self'}/status").read_text().splitlines()
    found = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return int(found["VmRSS"].split()[0]) / 1024, int(found["VmHWM"].split()[0]) / 1024
