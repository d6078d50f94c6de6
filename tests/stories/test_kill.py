"""kill -9 at any moment under full load: nothing accepted is lost, nothing leaves twice, and what was on the wire is
in doubt.  The carrier's own ledger is the judge."""

import os
import random
from collections import Counter
from pathlib import Path

import attrs
import pytest
import trio

from connector.client import Client
from connector.errors import ApiError
from connector.model import SendRequest
from connector.reader import open_reader
from tests.stories.processes import CarrierLedger, carrier, connector, kill, moment, until

KILLS = int(os.environ.get("CARRIERLINE_KILLS", "20"))
SEED = int(os.environ.get("CARRIERLINE_SEED", "7"))
BATCH = 500
KILLED, TOO_MANY_WAITING = 0, 429
DELAY = '{ dist = "uniform", min = "0s", max = "500ms" }'


@attrs.define
class _Caller:
    """Hands messages over as fast as they are taken, and remembers what was acknowledged."""

    acknowledged: dict[str, str] = attrs.field(factory=dict)
    """Text by message id: what a 202 promised."""
    _next: int = 0

    async def call(self, client: Client) -> None:
        while True:
            texts = [f"message {number}" for number in range(self._next, self._next + BATCH)]
            self._next += BATCH
            try:
                verdicts = await client.send([SendRequest(to=_number(text), text=text) for text in texts])
            except ApiError as error:
                if error.status == KILLED:
                    return
                if error.status != TOO_MANY_WAITING:
                    raise
                await trio.sleep(0.05)
                continue
            for text, verdict in zip(texts, verdicts, strict=True):
                assert verdict.id is not None, verdict
                self.acknowledged[verdict.id] = text


def _number(text: str) -> str:
    return f"+4479{11_000_000 + int(text.split()[1]):08}"


async def _one_life(folder: Path, port: int, caller: _Caller, draw: random.Random) -> None:
    """Start, call, and kill at a random moment under load."""
    async with connector(folder, port) as (running, client), trio.open_nursery() as nursery:
        nursery.start_soon(caller.call, client)
        await until(lambda: _on_the_wire(client))
        await trio.sleep(moment(draw, 0.0, 1.0))
        kill(running)
        await running.wait()


async def _on_the_wire(client: Client) -> bool:
    """Tell whether the window has something in it: the load is on."""
    return bool((await client.messages(status="sending", limit=1))["messages"])


def _statuses(folder: Path) -> Counter[str]:
    with open_reader(folder / "store.db") as reader:
        found = reader.verify()
    assert found["ok"], found["problems"]
    return Counter(found["messages"])


def _all_messages(folder: Path) -> dict[str, str]:
    """Return status by id, of all there are."""
    statuses: dict[str, str] = {}
    with open_reader(folder / "store.db") as reader:
        filters = {"limit": "1000"}
        while page := reader.messages(filters):
            statuses |= {message["id"]: message["status"] for message in page}
            filters["before"] = page[-1]["id"]
    return statuses


@pytest.mark.slow
async def test_kills_under_load_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    draw, caller, record = random.Random(SEED), _Caller(), tmp_path / "carrier.jsonl"
    doubts = 0
    async with carrier(tmp_path, seed=SEED, delay=DELAY, record=record) as port:
        for life in range(KILLS):
            await _one_life(tmp_path, port, caller, draw)
            statuses = _statuses(tmp_path)
            assert statuses["sending"] > 0, f"life {life}: nothing was on the wire at the kill"
            assert statuses["accepted"] > 0, f"life {life}: nothing waited at the kill"
            doubts += statuses["sending"]
            missing = caller.acknowledged.keys() - _all_messages(tmp_path).keys()
            assert not missing, f"life {life}: {len(missing)} acknowledged messages are gone"
        await _last_life(tmp_path, port, doubts)
    _judge(tmp_path, caller, CarrierLedger.read(record))


async def _last_life(folder: Path, port: int, doubts: int) -> None:
    """Start once more: the doubts are listed, the rest leaves, and SIGTERM ends it in order."""
    async with connector(folder, port) as (running, client):
        listed, cursor = 0, None
        while page := await client.messages(status="in_doubt", limit=1_000, before=cursor):
            listed += len(page["messages"])
            cursor = page["next"]
            if cursor is None:
                break
        assert listed == doubts
        await until(lambda: _nothing_moves(client), within_s=300)
        running.terminate()
        with trio.fail_after(30):
            assert await running.wait() == 0


async def _nothing_moves(client: Client) -> bool:
    messages = (await client.verify())["messages"]
    return not any(messages.get(status) for status in ("accepted", "sending", "sent"))


def _judge(folder: Path, caller: _Caller, ledger: CarrierLedger) -> None:
    statuses = _all_messages(folder)
    _statuses(folder)
    doubled = {text: len(lines) for text, lines in ledger.accepted.items() if len(lines) > 1}
    assert not doubled, f"the carrier got {len(doubled)} messages more than once"
    for message, text in caller.acknowledged.items():
        if statuses[message] != "in_doubt":
            assert text in ledger.accepted, f"{message} is {statuses[message]} and the carrier never saw it"
    known = Counter(statuses[message] for message in caller.acknowledged)
    assert known["delivered"] > 0
    assert set(known) <= {"delivered", "in_doubt"}
