"""How many messages a second does the simulator answer, with rules on, and how does it stand beside others?

The source is an ESME in C on the other core (it needs a C compiler): one bind, window 50, as fast as it goes.

- ``plain``: any message is good; ``rules``: five rules, one of them a draw, one a pattern; ``receipts``: the same with
  a receipt for each message, answered.
- ``--node FOLDER`` and ``--twisted PYTHON`` measure node-smpp as a server (a folder with ``node_modules``) and
  smpp.twisted3 (a Python that has it) with the same source, in the same run.
- 500 binds at a time, 10,000 links one after the other (how much memory stays with each), and the time from the start
  of the process to its listening line are measured too.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final

import attrs
import click
import trio

PLAIN: Final = '[listen]\nsmpp = "127.0.0.1:0"\n'
RULES: Final = (
    PLAIN
    + """
[response]
message_id = { form = "hex", width = 8 }
[[rule]]
name = "barred prefix"
when = { to = "^4470" }
reply = "ESME_RINVDSTADR"
[[rule]]
name = "every thousandth"
when = { every = 1000 }
reply = "ESME_RSYSERR"
[[rule]]
name = "a few at random"
when = { rate = 0.001 }
reply = "ESME_RSUBMITFAIL"
[[rule]]
name = "a sender that is limited"
when = { from = "^LIMITED" }
limit = { per_second = 10 }
reply = "ESME_RTHROTTLED"
[[rule]]
name = "deaf in an hour"
when = { command = "enquire_link", after = "1h" }
fault = { kind = "no-response" }
"""
)


@attrs.frozen
class Carrier:
    """A process that listens."""

    port: int
    pid: int
    started_s: float
    """From its start to the line that says where it listens."""

    @property
    def cpu_s(self) -> float:
        """CPU seconds it has used, its own and the kernel's for it."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def resident_kb(self) -> int:
        """Memory it holds."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@contextmanager
def listening(*command: str, cwd: str | None = None) -> Iterator[Carrier]:
    """Run a carrier; the first number with a colon or nothing before it that ends a line of its is its port."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stdout is not None, "it was asked for"
        line = process.stdout.readline()
        yield Carrier(int(line.rsplit(":", 1)[-1]), process.pid, time.perf_counter() - begun)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def simulator(scenario: str) -> Iterator[Carrier]:
    """Run ours with a scenario."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.toml"
        path.write_text(scenario)
        with listening(sys.executable, "-m", "cli", "simulate", str(path), "--keep", "0") as carrier:
            yield carrier


@contextmanager
def source() -> Iterator[Path]:
    """Compile the source; yield where it is.  Raises click.UsageError where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise click.UsageError("no C compiler: the source is written in C")
    with (
        tempfile.TemporaryDirectory() as folder,
        resources.as_file(resources.files("perf").joinpath("source.c")) as path,
    ):
        binary = Path(folder) / "source"
        subprocess.run([compiler, "-O2", "-D_GNU_SOURCE", "-o", str(binary), str(path)], check=True)
        yield binary


def driven(binary: Path, carrier: Carrier, seconds: float, *, binds: int = 1, receipts: bool = False) -> dict[str, Any]:
    """Drive a carrier and return what it did."""
    cpu_s = carrier.cpu_s
    command = [str(binary), str(carrier.port), str(binds), "50", str(seconds), *(["receipts"] if receipts else [])]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    passed, (_sent, answered, refused, told) = float(said[0]), map(int, said[1:])
    cpu_s = carrier.cpu_s - cpu_s
    return {
        "messages_per_second": round(answered / passed),
        "receipts_per_second": round(told / passed),
        "refused": refused,
        "cpu_us_per_message": round(cpu_s / max(answered, 1) * 1e6, 2),
    }


async def _cycles(port: int, count: int) -> None:
    for _ in range(count):
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.aclose()


def growth(carrier: Carrier, count: int) -> float:
    """Return how many octets of memory stay with each of so many links, after as many that warm it up."""
    trio.run(_cycles, carrier.port, count)
    before = carrier.resident_kb
    trio.run(_cycles, carrier.port, count)
    return (carrier.resident_kb - before) * 1024 / count


@click.command()
@click.option("--seconds", default=5.0, show_default=True, help="Length of each measurement.")
@click.option("--cycles", default=10_000, show_default=True, help="Links opened and closed.")
@click.option("--node", type=click.Path(exists=True, file_okay=False), help="Folder with node-smpp in node_modules.")
@click.option("--twisted", type=click.Path(exists=True, dir_okay=False), help="A Python that has smpp.twisted3.")
def main(seconds: float, cycles: int, node: str | None, twisted: str | None) -> None:
    """Measure the simulator, and others beside it."""
    found: dict[str, Any] = {"question": "simulator"}
    with source() as binary:
        with simulator(PLAIN) as carrier:
            found["started_s"] = round(carrier.started_s, 3)
            found["plain"] = driven(binary, carrier, seconds)
        with simulator(RULES) as carrier:
            found["rules"] = driven(binary, carrier, seconds)
        with simulator(RULES) as carrier:
            found["receipts"] = driven(binary, carrier, seconds, receipts=True)
        with simulator(RULES) as carrier:
            found["binds_500"] = driven(binary, carrier, seconds, binds=500)
        with simulator(PLAIN) as carrier:
            found["octets_kept_per_link"] = round(growth(carrier, cycles), 1)
        if node is not None:
            script = resources.files("perf").joinpath("node_smsc.js")
            with resources.as_file(script) as path, listening("node", str(path), cwd=node) as carrier:
                found["node_smpp"] = driven(binary, carrier, seconds)
        if twisted is not None:
            script = resources.files("perf").joinpath("twisted_smsc.py")
            with resources.as_file(script) as path, listening(twisted, str(path)) as carrier:
                found["smpp_twisted"] = driven(binary, carrier, seconds)
    for other in ("node_smpp", "smpp_twisted"):
        if other in found:
            found[f"times_{other}"] = round(
                found["plain"]["messages_per_second"] / found[other]["messages_per_second"], 1
            )
    found["messages_per_second"] = found["rules"]["messages_per_second"]
    found["cpu_us_per_message"] = found["rules"]["cpu_us_per_message"]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
