"""Messages that our connector, as a process, carries to a foreign carrier."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from connector.client import Client
from connector.model import SendRequest
from tests.stories.processes import KEY, command, process

COUNT = 10_000
BATCH = 1_000
"""The most that one request may hold."""

CONFIG = """
[store]
path = "{folder}/store.db"
min_free_mb = 0
[api]
listen = "127.0.0.1:0"
[[api.key]]
name = "peers"
secret_env = "STORY_KEY"
operator = true
[[carrier]]
name = "north"
"""
BIND = """
[[carrier.bind]]
host = "127.0.0.1"
port = {port}
system_id = "acme"
mode = "{mode}"
window_size = 100
reconnect_min = "100ms"
drain = "5s"
{more}
"""


@attrs.frozen
class Carrying:
    """A connector that runs, and the door to it."""

    running: trio.Process
    client: Client
    store: Path

    async def send(self, count: int = COUNT, *, receipt: bool = True) -> None:
        """Hand over so many messages with texts of their own; every one must be accepted."""
        for first in range(0, count, BATCH):
            numbers = range(first, min(first + BATCH, count))
            requests = [SendRequest(to=number_of(n), text=text_of(n), receipt=receipt) for n in numbers]
            verdicts = await self.client.send(requests)
            assert all(verdict.accepted for verdict in verdicts)

    async def stop(self, *, within_s: float = 20.0) -> None:
        """SIGTERM; it must end well."""
        self.running.terminate()
        with trio.fail_after(within_s):
            assert await self.running.wait() == 0

    async def verified(self) -> dict[str, Any]:
        """Return what ``carrierline verify`` says of its store; it must find nothing wrong."""
        ended = await command("verify", "--store", str(self.store), "--json")
        assert ended.returncode == 0, ended.stdout.decode() + ended.stderr.decode()
        found: dict[str, Any] = json.loads(ended.stdout)
        return found


def number_of(n: int) -> str:
    return f"+4479{11_000_000 + n:08}"


def text_of(n: int) -> str:
    return f"message {n}"


@asynccontextmanager
async def carrying(folder: Path, port: int, *modes: str, more: str = "") -> AsyncIterator[Carrying]:
    """Run ``carrierline run`` with a bind of each of these modes, and more settings, to a carrier at this port."""
    text = CONFIG.format(folder=folder) + "".join(BIND.format(port=port, mode=mode, more=more) for mode in modes)
    (folder / "config.toml").write_text(text)
    async with process("run", str(folder / "config.toml"), says="listening on") as (running, line):
        url = line.split("listening on ")[1].split(",")[0]
        async with Client(url, key=KEY) as client:
            yield Carrying(running, client, folder / "store.db")


async def all_are(carried: Carrying, status: str, count: int = COUNT, *, within_s: float = 30.0) -> None:
    """Wait until so many messages have this status."""
    messages: dict[str, int] = {}
    with trio.move_on_after(within_s):
        while messages.get(status, 0) != count:  # the condition is in another process
            await trio.sleep(0.1)
            messages = (await carried.client.verify())["messages"]
    assert messages == {status: count}
