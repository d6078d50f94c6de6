"""Does a million waiting messages cost memory, or time to take the next one out?

For each size a store is written straight through the append of the store, over three lanes and several API keys; then
a connector in a process of its own, HTTP door included, drains it at full speed against a carrier that only answers.
Its carrier is suspended until it has come up, so what it holds before anything leaves is seen, too.  Figures of the
draining: CPU of the whole process a message, of the first messages (as many of each size) and of all that left; and of
the three verbs that take a part out (heads read from disk, pick, claim) CPU of their thread a part, which is compared.
"""

import json
import multiprocessing
import os
import resource
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial, wraps
from itertools import islice
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import attrs
import click
import trio

from connector.api.app import listen
from connector.app import Connector
from connector.config import Config, load_config
from connector.lifecycle import Status
from connector.model import Message, Part
from connector.opening import open_connector
from connector.pipeline.filing import Filing
from connector.pipeline.lanes import Lanes
from connector.pipeline.refile import FACT
from connector.pipeline.router import queue_names
from connector.pipeline.turn import Pick
from connector.store.sqlite import SqliteEngine
from perf.peers import PEERS
from perf.processes import memory_mb

P = ParamSpec("P")
R = TypeVar("R")

KEYS = ("shop", "bank", "game")
HEAD = """
[store]
path = "{folder}/store.db"
[api]
listen = "127.0.0.1:0"
[lane.otp]
deadline = "12h"
"""
KEY = """
[[api.key]]
name = "{name}"
secret_env = "PERF_KEY"
"""
CARRIER = """
[[carrier]]
name = "measured"
[[carrier.bind]]
host = "127.0.0.1"
port = {port}
system_id = "perf"
window_size = {window}
"""
CAME_OVER_S = 600.0
"""How long ago the first message of the backlog was accepted; the others came evenly since."""
ROWS = 1_000
"""Messages of one commit while the backlog is written."""
REST_S = 1.0
POLL_S = 0.02
COME_UP_WITHIN_S = 60.0
GOAL_RESIDENT_MB, GOAL_RATIO = 200.0, 1.3


# --- the backlog ---


def _messages(config: Config, queues: Sequence[tuple[str, str, int]], count: int, now: float) -> Iterator[Message]:
    text = "Your parcel comes today between nine and noon; follow it on our page."
    first = int(now - CAME_OVER_S) << 20
    for number in range(count):
        lane, api_key, queue = queues[number % len(queues)]
        created_at = now - CAME_OVER_S * (1 - number / count)
        yield Message(
            id=first + number,
            api_key=api_key,
            lane=lane,
            queue=queue,
            to=str(447_400_000_000 + number),
            sender="Carrierline",
            text=text,
            alphabet="gsm",
            reference=0,
            bounds=((0, len(text)),),
            created_at=created_at,
            deadline=created_at + config.lane[lane].deadline_s,
        )


def write(config: Config, count: int) -> float:
    """Write a backlog of so many messages, evenly over all queues; return the seconds it took."""
    now = time.time()
    with closing(SqliteEngine(config.store.path)) as engine:
        engine.begin()
        opened = engine.open(queue_names(config))
        engine.record({FACT: Filing(config).digest()})  # or the start would look whether all is filed by these routes
        engine.commit()
        queues = [(name.lane, name.api_key, queue) for name, queue in opened.items()]
        messages = _messages(config, queues, count, now)
        began = time.perf_counter()
        while rows := list(islice(messages, ROWS)):
            engine.begin()
            engine.append(rows, (), owner=engine.owner, now=rows[-1].created_at)
            engine.commit()
        return time.perf_counter() - began


# --- the connector that drains it ---


@attrs.define
class Cost:
    """What one verb has cost the thread it ran on, and of how many parts."""

    cpu_s: float = 0.0
    longest_s: float = 0.0
    calls: int = 0
    parts: int = 0

    def of(self, verb: Callable[P, R], parts: Callable[[R], int]) -> Callable[P, R]:
        """Return the verb, measured from now on."""

        @wraps(verb)
        def measured(*args: P.args, **kwargs: P.kwargs) -> R:
            began = time.thread_time()
            found = verb(*args, **kwargs)
            spent = time.thread_time() - began
            self.cpu_s += spent
            self.longest_s = max(self.longest_s, spent)
            self.calls += 1
            self.parts += parts(found)
            return found

        return measured

    @property
    def us_per_part(self) -> float:
        return self.cpu_s / max(1, self.parts) * 1e6

    def told(self) -> dict[str, float]:
        return {
            "cpu_us_per_part": round(self.us_per_part, 2) if self.parts else 0.0,
            "cpu_s": round(self.cpu_s, 4),
            "longest_ms": round(self.longest_s * 1e3, 2),
            "calls": self.calls,
            "parts": self.parts,
        }


@contextmanager
def _measured(owner: type, name: str, parts: Callable[[Any], int]) -> Iterator[Cost]:
    verb, cost = getattr(owner, name), Cost()
    setattr(owner, name, cost.of(verb, parts))
    try:
        yield cost
    finally:
        setattr(owner, name, verb)


@attrs.frozen
class _Mark:
    """How far it was at one moment."""

    at: float
    cpu_s: float
    sent: int

    @classmethod
    def of(cls, connector: Connector) -> "_Mark":
        usage = resource.getrusage(resource.RUSAGE_SELF)
        sent = connector.statistics().parts.get(Status.SENT, 0)
        return cls(time.perf_counter(), usage.ru_utime + usage.ru_stime, sent)

    def since(self, before: "_Mark") -> dict[str, float]:
        """Return what has come of the time between."""
        sent, seconds = self.sent - before.sent, self.at - before.at
        return {
            "messages": sent,
            "seconds": round(seconds, 3),
            "messages_per_second": round(sent / seconds),
            "cpu_us_per_message": round((self.cpu_s - before.cpu_s) / max(1, sent) * 1e6, 1),
        }


async def _until(connector: Connector, messages: int, seconds: float) -> _Mark:
    """Wait until so many are sent, or the time is over."""
    mark = _Mark.of(connector)
    ends_at = mark.at + seconds
    while mark.sent < messages and mark.at < ends_at:
        await trio.sleep(POLL_S)
        mark = _Mark.of(connector)
    return mark


def _parts_by_queue(found: dict[int, list[Part]]) -> int:
    return sum(map(len, found.values()))


def _parts_picked(pick: Pick) -> int:
    return sum(map(len, pick.parts.values()))


VERBS: dict[str, tuple[type, str, Callable[[Any], int]]] = {
    "heads": (SqliteEngine, "heads", _parts_by_queue),
    "pick": (Lanes, "pick", _parts_picked),
    "claim": (SqliteEngine, "claim", len),
    "results": (SqliteEngine, "results", len),
    "commit": (SqliteEngine, "commit", lambda _: 0),
}
"""What is watched: where it is, and how many parts one call was about; a commit is of claims and results alike."""
DEQUEUE = ("heads", "pick", "claim")
"""What it takes to have a part leave."""


async def _drain(config: Config, size: int, first: int, seconds: float) -> dict[str, object]:
    began = time.perf_counter()
    async with open_connector(config) as connector, trio.open_nursery() as nursery:
        await connector.suspend("measured")
        with listen(config.api) as listener:
            await nursery.start(connector.serve, listener)
            started_s = time.perf_counter() - began
            with trio.fail_after(COME_UP_WITHIN_S):
                while not connector.carriers["measured"].is_bound:  # noqa: ASYNC110 - the carrier is another process
                    await trio.sleep(POLL_S)
            await trio.sleep(REST_S)
            before_mb, _ = memory_mb()
            with ExitStack() as watched:
                costs = {name: watched.enter_context(_measured(*verb)) for name, verb in VERBS.items()}
                start = _Mark.of(connector)
                await connector.resume("measured")
                some = await _until(connector, start.sent + first, COME_UP_WITHIN_S)
                whole = await _until(connector, size, seconds - (some.at - start.at))
            after_mb, highest_mb = memory_mb()
            nursery.cancel_scope.cancel()
    return {
        "started_s": round(started_s, 3),
        "resident_mb_before": round(before_mb, 1),
        "resident_mb_after": round(after_mb, 1),
        "resident_mb_highest": round(highest_mb, 1),
        "first": some.since(start),
        "whole": whole.since(start),
        "dequeue_cpu_us_per_part": round(sum(costs[name].us_per_part for name in DEQUEUE), 2),
        "verbs": {name: cost.told() for name, cost in costs.items()},
    }


def drain(path: Path, size: int, first: int, seconds: float) -> dict[str, object]:
    """Run the connector of this configuration on its backlog, in this process; return what it cost."""
    return trio.run(partial(_drain, load_config(path), size, first, seconds))


def measure(size: int, first: int, seconds: float, window: int, peer: str) -> dict[str, object]:
    """Write a backlog and have it drained by a process that does nothing else."""
    with tempfile.TemporaryDirectory() as name, PEERS[peer](receipts=False) as port:
        folder = Path(name)
        path = folder / "config.toml"
        keys = "".join(KEY.format(name=key) for key in KEYS)
        path.write_text(HEAD.format(folder=folder) + keys + CARRIER.format(port=port, window=window))
        spent = write(load_config(path), size)
        store_mb = (folder / "store.db").stat().st_size / 2**20
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found = pool.apply(drain, (path, size, first, seconds))
    return {"waiting": size, "written_per_second": round(size / spent), "store_mb": round(store_mb), **found}


# --- the comparison ---


def compare(rows: Sequence[dict[str, Any]]) -> dict[str, object]:
    """Return how the largest backlog compares with the smallest, and the goals that were missed."""
    least, most = rows[0], rows[-1]
    highest = max(row["resident_mb_highest"] for row in rows)
    ratio = round(most["dequeue_cpu_us_per_part"] / least["dequeue_cpu_us_per_part"], 2)
    missed = ["resident_mb_highest"] * (highest > GOAL_RESIDENT_MB) + ["dequeue_ratio"] * (ratio > GOAL_RATIO)
    return {
        "messages_per_second": most["whole"]["messages_per_second"],
        "cpu_us_per_message": most["whole"]["cpu_us_per_message"],
        "dequeue_ratio": ratio,
        "cpu_ratio_first": round(most["first"]["cpu_us_per_message"] / least["first"]["cpu_us_per_message"], 2),
        "resident_mb_highest": highest,
        "missed": missed,
    }


@click.command()
@click.option("--size", "sizes", multiple=True, default=(10_000, 100_000, 1_000_000), show_default=True)
@click.option("--first", default=8_000, show_default=True, help="Messages that are compared between the sizes.")
@click.option("--seconds", default=10.0, show_default=True, help="Of draining each, at most.")
@click.option("--window", default=200, show_default=True)
@click.option("--peer", type=click.Choice(list(PEERS)), default="sink", show_default=True)
def main(sizes: Sequence[int], first: int, seconds: float, window: int, peer: str) -> None:
    """Measure backlogs of several sizes, one after the other."""
    if first > min(sizes):
        raise click.UsageError("--first is more than the smallest --size")
    os.environ["PERF_KEY"] = secrets.token_urlsafe(16)
    rows = [measure(size, first, seconds, window, peer) for size in sorted(sizes)]
    print(json.dumps({"question": "backlog", "window": window, "peer": peer, **compare(rows), "sizes": rows}))


if __name__ == "__main__":
    main()
