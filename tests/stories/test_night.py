"""A connector and its carriers as processes of their own, and an operator with nothing but a shell."""

import json
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from connector.client import Client
from connector.model import SendRequest
from tests.stories.processes import KEY, CarrierLedger, carrier, command, process, until

pytestmark = pytest.mark.slow

HEAD = """
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
[[api.key]]
name = "caller"
secret_file = "{folder}/caller"
"""
CARRIER = """
[[carrier]]
name = "{name}"
{more}
[[carrier.bind]]
host = "127.0.0.1"
port = {port}
system_id = "acme"
window_size = {window}
reconnect_min = "100ms"
drain = "5s"
"""


@attrs.define
class Night:
    """One connector, the carriers it may have, and what its error stream said."""

    folder: Path
    ports: dict[str, int]
    capsys: "pytest.CaptureFixture[bytes]"
    running: trio.Process = attrs.field(init=False)
    url: str = ""
    said: str = ""

    @property
    def path(self) -> Path:
        return self.folder / "config.toml"

    def write(self, *carriers: str, window: int = 10, more: str = "", tail: str = "") -> None:
        """Write the configuration: these carriers, the window and more for the first of them."""
        text = HEAD.format(folder=self.folder)
        for number, name in enumerate(carriers):
            settings = {"window": 10, "more": ""} if number else {"window": window, "more": more}
            text += CARRIER.format(name=name, port=self.ports[name], **settings)
        self.path.write_text(text + tail)

    async def ask(self, *arguments: str, key: str = KEY) -> "subprocess.CompletedProcess[bytes]":
        return await command(*arguments, "--url", self.url, CARRIERLINE_KEY=key)

    async def status(self) -> dict[str, Any]:
        ended = await self.ask("status", "--json")
        assert ended.returncode == 0, ended.stderr.decode()
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    async def heard(self, words: str) -> None:
        """Wait until the connector has said this."""

        async def said() -> bool:
            self.said += self.capsys.readouterr().err.decode()
            return words in self.said

        with trio.fail_after(20):
            await until(said)

    def client(self) -> Client:
        return Client(self.url, key=KEY)


@asynccontextmanager
async def night(
    folder: Path, capsys: "pytest.CaptureFixture[bytes]", *, delay: str = '"50ms"', **settings: Any
) -> AsyncIterator[Night]:
    """Run two carriers, and a connector that knows the first one."""
    async with AsyncExitStack() as stack:
        ports = {}
        for name in ("north", "south"):
            (folder / name).mkdir()
            record = folder / name / "ledger"
            ports[name] = await stack.enter_async_context(carrier(folder / name, seed=1, delay=delay, record=record))
        (folder / "caller").write_text("caller-key-1\n")
        it = Night(folder, ports, capsys)
        it.write("north", **settings)
        it.running, line = await stack.enter_async_context(process("run", str(it.path), says="listening on"))
        it.url = line.split("listening on ")[1].split(",")[0]

        async def bound() -> bool:
            return bool((await it.status())["carriers"][0]["bound"])

        await until(bound)
        yield it


def texts(folder: Path) -> dict[str, int]:
    """Return how often each text was accepted, over both carriers."""
    found: dict[str, int] = {}
    for name in ("north", "south"):
        for text, lines in CarrierLedger.read(folder / name / "ledger").accepted.items():
            found[text] = found.get(text, 0) + len(lines)
    return found


def requests(first: int, count: int) -> list[SendRequest]:
    return [SendRequest(to=f"+4479110{n:05}", text=f"message {n}") for n in range(first, first + count)]


async def test_sighup_changes_what_differs_under_load_and_nothing_is_lost(
    tmp_path: Path, capsysbinary: "pytest.CaptureFixture[bytes]"
) -> None:
    async with night(tmp_path, capsysbinary) as it, it.client() as client:
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def flow() -> None:
                for first in range(0, 1_000, 50):
                    await client.send(requests(first, 50))
                    await trio.sleep(0.1)

            await trio.sleep(0.5)
            it.write("north", "south", window=20, more="rate_per_s = 400")
            it.running.send_signal(signal.SIGHUP)
            await it.heard('reload: carrier "south": added')
            await trio.sleep(0.5)
            it.write("south")
            it.running.send_signal(signal.SIGHUP)
            await it.heard("carrier north: drained and removed")

        async def settled() -> bool:
            messages = (await client.verify())["messages"]
            # receipts that a removed carrier still owed are not heard any more
            return bool(messages.keys() <= {"delivered", "sent"} and messages["delivered"] > 800)

        await until(settled)
        assert 'carrier "north": drains and binds anew (' in it.said
        assert "unchanged: south" in it.said
    assert texts(tmp_path) == {f"message {n}": 1 for n in range(1_000)}


async def test_a_bad_file_changes_nothing_and_every_problem_is_told(
    tmp_path: Path, capsysbinary: "pytest.CaptureFixture[bytes]"
) -> None:
    async with night(tmp_path, capsysbinary) as it:
        good = it.path.read_text()
        it.path.write_text(good.replace("window_size", "window_sise").replace('drain = "5s"', 'drain = "5 parsecs"'))
        ended = await it.ask("reload")
        problems = ended.stderr.decode().splitlines()
        assert (ended.returncode, len(problems)) == (2, 2)
        assert all(f"{it.path}:" in problem for problem in problems), problems
        it.running.send_signal(signal.SIGHUP)
        await it.heard("reload: nothing was changed: 2 problems")
        it.path.write_text(good.replace("127.0.0.1:0", "127.0.0.1:9"))
        ended = await it.ask("reload")
        assert (ended.returncode, "api.listen" in ended.stderr.decode()) == (2, True)
        assert "needs a restart" in ended.stderr.decode()
        it.path.write_text(good)
        ended = await it.ask("reload")
        assert ended.stdout.decode() == "carrierline: reload: nothing differs; unchanged: north\n"
        assert (await it.status())["carriers"][0]["binds"][0]["attempts"] == 1


async def test_the_secret_of_a_key_is_rotated_without_a_restart(
    tmp_path: Path, capsysbinary: "pytest.CaptureFixture[bytes]"
) -> None:
    async with night(tmp_path, capsysbinary) as it:
        assert (await it.ask("messages", "list", key="caller-key-1")).returncode == 0
        (tmp_path / "caller").write_text("caller-key-2\n")
        ended = await it.ask("reload", "--json")
        assert json.loads(ended.stdout)["changed"] == ['API key "caller": another secret']
        assert (await it.ask("messages", "list", key="caller-key-1")).returncode == 1
        assert (await it.ask("messages", "list", key="caller-key-2")).returncode == 0
        ended = await it.ask("status", key="caller-key-2")
        assert (ended.returncode, "not an operator's" in ended.stderr.decode()) == (1, True)
        await it.heard("another secret")
        assert "caller-key" not in it.said


async def test_status_suspend_and_resume_from_the_shell(
    tmp_path: Path, capsysbinary: "pytest.CaptureFixture[bytes]"
) -> None:
    async with night(tmp_path, capsysbinary, more="rate_per_s = 100") as it, it.client() as client:
        assert (await it.ask("carrier", "suspend", "north")).returncode == 0
        await client.send(requests(0, 30))
        lines = (await it.ask("status")).stdout.decode().splitlines()
        assert "waiting: " in lines[0]
        assert lines[2].split()[:4] == ["carrier", "state", "bound", "rate/s"]
        assert lines[3].split()[:7] == ["north", "suspended", "1/1", "100", "100", "0", "30"]
        assert any(line.startswith("north/1") and f"127.0.0.1:{it.ports['north']}" in line for line in lines)
        assert any("suspended by an operator" in line for line in lines)
        assert (await it.ask("carrier", "resume", "north")).returncode == 0

        async def delivered() -> bool:
            return bool((await client.verify())["messages"] == {"delivered": 30})

        await until(delivered)
        ended = await it.ask("carrier", "suspend", "nort")
        assert (ended.returncode, 'did you mean "north"?' in ended.stderr.decode()) == (1, True)


async def test_watching_goes_on_until_it_is_stopped(
    tmp_path: Path, capsysbinary: "pytest.CaptureFixture[bytes]"
) -> None:
    async with night(tmp_path, capsysbinary) as it:
        with trio.move_on_after(4):
            await it.ask("status", "--watch", "--json")
            raise AssertionError("it ended by itself")


async def test_sigterm_tells_what_was_answered_and_what_still_waits(
    tmp_path: Path, capsysbinary: "pytest.CaptureFixture[bytes]"
) -> None:
    async with night(tmp_path, capsysbinary, delay='"1s"') as it, it.client() as client:
        await client.send(requests(0, 100))

        async def full() -> bool:
            return bool((await client.status())["carriers"][0]["binds"][0]["window_used"] == 10)

        await until(full)
        it.running.terminate()
        await it.heard("fell in doubt in this run: ")
        with trio.fail_after(20):
            assert await it.running.wait() == 0
        report = it.said[it.said.index("carrierline: drained in") :].splitlines()
        assert report[1] == "  carrier north  10 answered, 0 given back"
        assert report[2].startswith("  wait for the next start: ")
        assert report[2].endswith(" parts (transactional " + report[2].split()[5] + ")")
        assert report[3].startswith("  sent, and wait for the carrier's word: ")
        assert report[4] == "  fell in doubt in this run: 0 parts; of these 0 fell in doubt during the drain"
