"""How many messages a second go all the way: HTTP in, on disk, SMPP out, receipt matched and on disk?

One connector process as users run it (SQLite, synchronous=FULL), a carrier that answers and sends receipts at once in
another, and this one as the caller.  The clock runs from the first request to the last settled receipt.

With ``--storm`` the simulator holds all receipts back until every message is sent, and lets them go at once, through
four binds, some twice and some of ids that were never given: are they taken as fast as the messages were sent?
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import click
import trio

from connector.client import Client
from connector.model import SendRequest
from connector.reader import open_reader
from perf.peers import PEERS, simulator

CONFIG = """
[store]
path = "{folder}/store.db"
[api]
listen = "127.0.0.1:0"
[[api.key]]
name = "perf"
secret_env = "PERF_KEY"
[[carrier]]
name = "measured"
"""
BIND = """
[[carrier.bind]]
host = "127.0.0.1"
port = {port}
system_id = "perf"
window_size = {window}
"""
STORM = """
[receipt]
delay = "1ms"
burst = {{ hold = "{hold_s}s", release_per_second = 1000000 }}
duplicate = {{ rate = 0.08, gap = "1ms" }}
unknown_id = 0.04
"""
STORM_BINDS = 4
FINAL = ("delivered", "failed", "expired", "rejected", "cancelled", "unknown")
POLL_S = 0.1
GIVE_UP_S = 300


@attrs.frozen
class _Connector:
    url: str
    pid: int


@contextmanager
def _connector(folder: Path, port: int, window: int, key: str, binds: int = 1) -> Iterator[_Connector]:
    config = folder / "config.toml"
    config.write_text(CONFIG.format(folder=folder) + BIND.format(port=port, window=window) * binds)
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "run", str(config)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PERF_KEY": key, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "listening on" in line:
                yield _Connector(line.split("listening on ")[1].split(",")[0], process.pid)
                break
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _measure(connector: _Connector, key: str, messages: int, batch: int, callers: int) -> dict[str, float]:
    async with Client(connector.url, key=key) as client:
        while not any(carrier["bound"] for carrier in (await client.ready())["carriers"]):  # noqa: ASYNC110 - another process
            await trio.sleep(POLL_S)
        memory, cpu, began = _resident_mb(connector.pid), _cpu_s(connector.pid), time.perf_counter()
        batches = iter(range(0, messages, batch))
        async with trio.open_nursery() as nursery:
            for _ in range(callers):
                nursery.start_soon(_call, client, batches, batch, messages)
        handed_over = time.perf_counter() - began
        highest = await _until_settled(client, connector.pid, messages)
        seconds = time.perf_counter() - began
        used = _cpu_s(connector.pid) - cpu
    return {
        "messages": messages,
        "seconds": round(seconds, 3),
        "messages_per_second": round(messages / seconds),
        "accepted_per_second": round(messages / handed_over),
        "cpu_us_per_message": round(used / messages * 1e6, 1),
        "resident_mb_before": round(memory, 1),
        "resident_mb_highest": round(highest, 1),
        "resident_mb_after": round(_resident_mb(connector.pid), 1),
    }


async def _call(client: Client, batches: Iterator[int], batch: int, messages: int) -> None:
    for first in batches:
        rows = [
            SendRequest(
                to=f"+4479{11_000_000 + number:08}",
                text=f"Your code is {number:06}. It is good for five minutes; do not pass it on.",
                sender="Carrierline",
            )
            for number in range(first, min(first + batch, messages))
        ]
        verdicts = await client.send(rows)
        refused = [verdict for verdict in verdicts if not verdict.accepted]
        if refused:
            raise SystemExit(f"refused: {refused[0]}")


async def _measure_storm(connector: _Connector, key: str, messages: int, batch: int) -> dict[str, float]:
    """Return how fast all messages are sent, and how fast all their receipts are taken when they come at once."""
    async with Client(connector.url, key=key) as client:
        while (await client.ready())["carriers"][0]["bound"] < STORM_BINDS:  # noqa: ASYNC110 - another process
            await trio.sleep(POLL_S)
        began = time.perf_counter()
        batches = iter(range(0, messages, batch))
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(_call, client, batches, batch, messages)
        await _until(client, {"sent", "delivered"}, messages)
        sent_s = time.perf_counter() - began
        await _until(client, {"delivered"}, 1)
        began, cpu = time.perf_counter(), _cpu_s(connector.pid)
        await _until(client, {"delivered"}, messages)
        taken_s = time.perf_counter() - began
        used = _cpu_s(connector.pid) - cpu
    return {
        "messages": messages,
        "submits_per_second": round(messages / sent_s),
        "messages_per_second": round(messages / taken_s),
        "ratio_to_submits": round(sent_s / taken_s, 2),
        "cpu_us_per_message": round(used / messages * 1e6, 1),
    }


async def _until(client: Client, statuses: set[str], count: int) -> None:
    """Return when so many messages are in one of these."""
    with trio.fail_after(GIVE_UP_S):
        while await _in(client, statuses) < count:  # noqa: ASYNC110 - another process
            await trio.sleep(POLL_S / 4)


async def _in(client: Client, statuses: Collection[str]) -> float:
    text = (await client._request("GET", "/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("carrierline_messages{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split('"')[1] in statuses)


async def _until_settled(client: Client, pid: int, messages: int) -> float:
    highest = 0.0
    with trio.fail_after(GIVE_UP_S):
        while True:
            highest = max(highest, _resident_mb(pid))
            if await _in(client, FINAL) >= messages:
                return highest
            await trio.sleep(POLL_S)


@click.command()
@click.option("--messages", default=40_000, show_default=True)
@click.option("--batch", default=1_000, show_default=True, help="Messages of one request.")
@click.option("--callers", default=2, show_default=True, help="Requests at a time.")
@click.option("--window", default=200, show_default=True)
@click.option("--peer", type=click.Choice(list(PEERS)), default="sink", show_default=True)
@click.option("--storm", is_flag=True, help="Hold all receipts back, then let them go at once, through four binds.")
@click.option("--hold", "hold_s", default=20, show_default=True, help="Seconds until the storm; by then all is sent.")
def main(messages: int, batch: int, callers: int, window: int, peer: str, storm: bool, hold_s: int) -> None:
    """Measure the whole way through one connector process."""
    key = secrets.token_urlsafe(16)
    if storm:
        peer, running = "simulator", simulator(receipts=True, more=STORM.format(hold_s=hold_s))
    else:
        running = PEERS[peer](receipts=True)
    with tempfile.TemporaryDirectory() as name, running as port:
        folder = Path(name)
        with _connector(folder, port, window, key, STORM_BINDS if storm else 1) as connector:
            if storm:
                found = trio.run(_measure_storm, connector, key, messages, batch)
            else:
                found = trio.run(_measure, connector, key, messages, batch, callers)
        with open_reader(folder / "store.db") as reader:
            verified = reader.verify()
    print(
        json.dumps(
            {
                "question": "storm" if storm else "end_to_end",
                "peer": peer,
                "window": window,
                "batch": batch,
                **found,
                "ledger_balanced": verified["ok"],
                "delivered": verified["messages"].get("delivered", 0),
            }
        )
    )


if __name__ == "__main__":
    main()
