"""A carrier and a connector as processes of their own, as users run them: to be killed for real."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio

from connector.client import Client

KEY = "key-of-the-stories"
ENVIRON = {
    **os.environ,
    "STORY_KEY": KEY,
    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    "PYTHONUNBUFFERED": "1",
}

SCENARIO = """
schema = 1
name = "story"
seed = {seed}
[listen]
smpp = "127.0.0.1:0"
[response]
delay = {delay}
[receipt]
delay = "200ms"
"""
CONFIG = """
[store]
path = "{folder}/store.db"
min_free_mb = 0
[api]
listen = "127.0.0.1:0"
[[api.key]]
name = "story"
secret_env = "STORY_KEY"
operator = true
country = "GB"
max_waiting = 2000
[[carrier]]
name = "north"
[[carrier.bind]]
host = "127.0.0.1"
port = {port}
system_id = "acme"
window_size = {window}
reconnect_min = "100ms"
drain = "5s"
"""


async def _line_with(process: trio.Process, words: str) -> str:
    """Return the first line of the error stream that holds these words; what was printed if the process ends first."""
    assert process.stderr is not None
    printed = b""
    while words.encode() not in printed or not printed.endswith(b"\n"):
        chunk = await process.stderr.receive_some(4096)
        if not chunk:
            raise AssertionError(f"ended without saying {words!r}: {printed.decode()}")
        printed += chunk
    return next(line for line in printed.decode().splitlines() if words in line)


@asynccontextmanager
async def process(*arguments: str, says: str) -> AsyncIterator[tuple[trio.Process, str]]:
    """Run a command of ours until the block ends; yield it with the line that says it is up."""
    async with trio.open_nursery() as nursery:
        command = [sys.executable, "-m", "cli", *arguments]
        run = partial(
            trio.run_process,
            command,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=ENVIRON,
            check=False,
        )
        running: trio.Process = await nursery.start(run)
        try:
            with trio.fail_after(20):
                line = await _line_with(running, says)
            nursery.start_soon(_drain, running)
            yield running, line
        finally:
            running.kill()


async def _drain(running: trio.Process) -> None:
    assert running.stderr is not None
    async for chunk in running.stderr:
        sys.stderr.buffer.write(chunk)  # pytest shows it when a test fails


async def command(*arguments: str, stdin: bytes = b"", **environ: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a command of ours to its end; return what it printed and its exit status."""
    with trio.fail_after(60):
        return await trio.run_process(
            [sys.executable, "-m", "cli", *arguments],
            stdin=stdin,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env={**ENVIRON, **environ},
        )


@asynccontextmanager
async def carrier(folder: Path, *, seed: int, delay: str, record: Path) -> AsyncIterator[int]:
    """Run the simulator with a ledger on disk; yield its port."""
    scenario = folder / "scenario.toml"
    scenario.write_text(SCENARIO.format(seed=seed, delay=delay))
    arguments = ("simulate", str(scenario), "--record", str(record), "--keep", "0")
    async with process(*arguments, says="listening on") as (_, line):
        yield int(line.rsplit(":", 1)[1])


@asynccontextmanager
async def connector(folder: Path, port: int, *, window: int = 200) -> AsyncIterator[tuple[trio.Process, Client]]:
    """Run the connector; yield it with a client."""
    config = folder / "config.toml"
    config.write_text(CONFIG.format(folder=folder, port=port, window=window))
    async with process("run", str(config), says="listening on") as (running, line):
        url = line.split("listening on ")[1].split(",")[0]
        async with Client(url, key=KEY) as client:
            yield running, client


async def until(condition: Any, *, within_s: float = 30.0) -> Any:
    """Ask again and again until the answer is true; return it."""
    with trio.fail_after(within_s):
        while not (answer := await condition()):  # noqa: ASYNC110 - the condition is in another process
            await trio.sleep(0.05)
    return answer


@attrs.frozen
class CarrierLedger:
    """What the carrier wrote down, read back."""

    accepted: dict[str, list[dict[str, Any]]]
    """Lines of accepted submits by the text they carried."""

    @classmethod
    def read(cls, path: Path) -> "CarrierLedger":
        accepted: dict[str, list[dict[str, Any]]] = {}
        for line in _whole_lines(path):
            entry = json.loads(line)
            if "accepted" in entry:
                text = bytes.fromhex(entry["octets"]).decode("latin-1")
                accepted.setdefault(text, []).append(entry)
        return cls(accepted)


def _whole_lines(path: Path) -> Iterator[str]:
    return (line for line in path.read_text().split("\n")[:-1] if line)
