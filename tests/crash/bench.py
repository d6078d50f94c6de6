"""A connector that dies again and again before a carrier that remembers everything, and what must hold after all."""

import json
import random
import sqlite3
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio

from connector.client import Client
from connector.errors import ApiError
from connector.model import SendRequest
from connector.reader import open_reader
from simulator import Scenario
from simulator.ledger import Entry
from simulator.mo import subscriber_parts
from simulator.scenario import Delay, DeliveryRules, Listen, ReceiptRules, Response
from simulator.smsc import Smsc
from tests.stories.processes import ENVIRON, KEY, _line_with, until

HANDSET, CODE = "447700900999", "60300"
PART_CHARACTERS = 152
"""Of a part with a 16-bit reference."""
ROWS = 25
PAUSE_S = 0.03
RESENDS = 10
"""How often a part that may be sent twice is sent in spite of a doubt; many deaths can use them up."""
MOVING = f"""
    SELECT part.status, lane, doubts, count(*) FROM part JOIN queue ON queue.id = part.queue
    WHERE part.status IN ('accepted', 'sending', 'sent')
        OR part.status = 'in_doubt' AND lane = 'transactional' AND doubts <= {RESENDS}
    GROUP BY 1, 2, 3
"""
UNTOLD = "SELECT count(*) FROM inbound WHERE message IS NULL"
TRY_AGAIN = frozenset({0, 429, 503, 507})
CONFIG = """
[store]
path = "{folder}/store.db"
min_free_mb = 0
ballast_mb = {ballast_mb}
[api]
listen = "127.0.0.1:0"
[[api.key]]
name = "story"
secret_env = "STORY_KEY"
operator = true
country = "GB"
max_waiting = 5000
lanes = ["otp", "transactional"]
[[carrier]]
name = "north"
[[carrier.bind]]
host = "127.0.0.1"
port = {port}
system_id = "acme"
window_size = 100
reconnect_min = "50ms"
drain = "3s"
[[route]]
name = "{route}"
lanes = ["otp", "transactional"]
carriers = ["north"]
[inbound]
join_timeout = "10s"
[lane.transactional]
on_doubt = "resend"
resends = {resends}
resend_after = "1s"
"""


@attrs.define
class Caller:
    """Hands rows over without a pause, asks again under the same key where it heard nothing, and remembers what was
    acknowledged."""

    acknowledged: dict[str, str] = attrs.field(factory=dict)
    """Number by message id: what a 202 promised."""
    replayed: int = 0
    _batch: int = 0

    async def call(self, client: Client) -> None:
        while True:
            try:
                verdicts = await client.send(self._rows(), idempotency_key=f"batch-{self._batch}")
            except ApiError as error:
                if error.status not in TRY_AGAIN:
                    raise
                await trio.sleep(PAUSE_S)
                continue
            for verdict, row in zip(verdicts, self._rows(), strict=True):
                assert verdict.id is not None, verdict
                self.acknowledged[verdict.id] = row.to
                self.replayed += verdict.replayed
            self._batch += 1
            await trio.sleep(PAUSE_S)

    def _rows(self) -> list[SendRequest]:
        first = self._batch * ROWS
        return [_request(number) for number in range(first, first + ROWS)]


def _request(number: int) -> SendRequest:
    """Return the request with this number: every fifth may not be sent twice, every seventh takes two parts."""
    words = 40 if number % 7 == 0 else 1
    lane = "otp" if number % 5 == 0 else "transactional"
    return SendRequest(to=f"+4479{11_000_000 + number:08}", text=f"n{number} " * words, lane=lane)


def written(number: int) -> str:
    """Return what a subscriber writes in the message with this number: every fifth is a long one."""
    return " ".join([f"mo {number}"] * (40 if number % 5 == 4 else 1))


def pieces(text: str) -> list[str]:
    """Return the texts of the parts of a subscriber's message."""
    if len(text) <= 160:
        return [text]
    return [text[at : at + PART_CHARACTERS] for at in range(0, len(text), PART_CHARACTERS)]


@attrs.define
class Bench:
    """One store, one carrier, many lives."""

    folder: Path
    smsc: Smsc
    draw: random.Random
    caller: Caller = attrs.field(factory=Caller)
    subscribers: int = 0
    """Messages that subscribers have sent."""
    deaths: int = 0
    moving: str = ""
    """What moved when it was looked at last."""
    said: bytearray = attrs.field(factory=bytearray, repr=False)
    """What all processes wrote to their error streams once they listened."""

    def configured(self, *, route: str = "main", port: int | None = None, ballast_mb: int = 0) -> Path:
        """Write a configuration; ``port``: of another carrier than ours."""
        config = self.folder / "config.toml"
        port = port or self.smsc.port
        config.write_text(
            CONFIG.format(folder=self.folder, port=port, route=route, ballast_mb=ballast_mb, resends=RESENDS)
        )
        return config

    @asynccontextmanager
    async def life(self, step: str = "", *, at: int = 1, **config: Any) -> AsyncIterator[trio.Process]:
        """Run the connector until it dies or the block ends."""
        arguments = [sys.executable, "-m", "tests.crash.child", str(self.configured(**config))]
        environ = {**ENVIRON, "CRASH_STEP": step, "CRASH_AT": str(at)}
        run = partial(trio.run_process, arguments, stderr=subprocess.PIPE, env=environ, check=False)
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(run)
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()
                await process.wait()
                nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def load(self, process: trio.Process) -> AsyncIterator[Client]:
        """Once it listens, call it and let subscribers write, until the block ends."""
        line = await _line_with(process, "listening on")
        url = line.split("listening on ")[1].split(",")[0]
        async with Client(url, key=KEY) as client, trio.open_nursery() as nursery:
            nursery.start_soon(self.drained, process)
            nursery.start_soon(self.caller.call, client)
            nursery.start_soon(self._subscribers)
            yield client
            nursery.cancel_scope.cancel()

    async def drained(self, process: trio.Process) -> None:
        """Read what a process says until it ends; pytest shows it when a test fails."""
        assert process.stderr is not None
        async for chunk in process.stderr:
            self.said += chunk
            sys.stderr.buffer.write(chunk)

    async def _subscribers(self) -> None:
        while True:
            await trio.sleep(PAUSE_S)
            if self.smsc.statistics().binds:
                reference = self.subscribers & 0xFFFF
                text = written(self.subscribers)
                self.smsc.deliver_sm(subscriber_parts(HANDSET, CODE, text, reference=reference, wide=True))
                self.subscribers += 1

    async def die_at(self, step: str, *, at: int = 1, **config: Any) -> None:
        """Live under load until this step kills."""
        with trio.fail_after(30):
            async with self.life(step, at=at, **config) as process, trio.open_nursery() as nursery:
                nursery.start_soon(self._under_load, process)
                assert await process.wait() == -9, f"not killed {step}: {process.returncode}"
                nursery.cancel_scope.cancel()
        self.deaths += 1

    async def _under_load(self, process: trio.Process) -> None:
        try:
            async with self.load(process):
                await trio.sleep_forever()
        except AssertionError:
            return  # dead before it listened is as good a death as any

    async def die_at_random(self) -> None:
        """Live under load and be killed at any moment, before the start has ended or after."""
        async with self.life() as process, trio.open_nursery() as nursery:
            nursery.start_soon(self._under_load, process)
            await trio.sleep(self.draw.uniform(0.3, 1.8))
            process.kill()
            await process.wait()
            nursery.cancel_scope.cancel()
        self.deaths += 1

    async def die_in_the_drain(self, step: str) -> None:
        """Live under load, be told to stop, and be killed while that is done."""
        with trio.fail_after(30):
            async with self.life(step) as process, self.load(process):
                await trio.sleep(0.3)
                process.terminate()
                assert await process.wait() == -9
        self.deaths += 1

    async def settle(self) -> None:
        """Live on in peace until nothing moves any more."""
        async with self.life() as process:
            line = await _line_with(process, "listening on")
            async with (
                Client(line.split("listening on ")[1].split(",")[0], key=KEY) as client,
                trio.open_nursery() as n,
            ):
                n.start_soon(self.drained, process)
                try:
                    await until(lambda: self._nothing_moves(client), within_s=120)
                except trio.TooSlowError:
                    raise AssertionError(f"still moving: {self.moving}") from None
                process.terminate()
                assert await process.wait() == 0
                n.cancel_scope.cancel()

    async def _nothing_moves(self, client: Client) -> bool:
        moving = _rows(self.folder, MOVING)
        [(received,)] = _rows(self.folder, "SELECT count(DISTINCT text) FROM inbound")
        [(untold,)] = _rows(self.folder, UNTOLD)
        await trio.sleep(0.2)
        self.moving = f"{moving}, {untold} messages of subscribers untold"
        sent = len({piece for number in range(self.subscribers) for piece in pieces(written(number))})
        return not moving and not untold and received == sent


def _rows(folder: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{folder}/store.db?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


@asynccontextmanager
async def bench(folder: Path, seed: int, *, receipt_s: float = 0.0) -> AsyncIterator[Bench]:
    """Run a carrier that answers in up to 200 ms and sends each receipt until it is taken, not before ``receipt_s``."""
    scenario = Scenario(
        seed=seed,
        listen=Listen(smpp="127.0.0.1:0"),
        response=Response(delay=Delay(dist="uniform", min_s=0.0, max_s=0.2)),
        receipt=ReceiptRules(delay=Delay(dist="uniform", min_s=receipt_s, max_s=receipt_s + 0.3)),
        delivery=DeliveryRules(attempts=100_000, retry_s=0.1, response_timeout_s=2.0),
    )
    async with trio.open_nursery() as nursery:
        smsc = Smsc(scenario)
        await nursery.start(smsc.run)
        yield Bench(folder, smsc, random.Random(seed))
        nursery.cancel_scope.cancel()


# --- what must hold ---


@attrs.frozen
class PartRow:
    to: str
    number: int
    lane: str
    status: str
    events: tuple[str, ...]


NO_ROW = PartRow("", 0, "", "", ())


@attrs.frozen
class Figures:
    """What so many deaths have done."""

    deaths: int
    acknowledged: int
    lost: int
    """Messages answered with 202 that are not in the store."""
    kept_twice: int
    submits: int
    """submit_sm the carrier accepted."""
    resent: int
    """Of these, second ones and later, each behind a doubt that is on record."""
    doubled: int
    """Of these, without a doubt on record."""
    unclaimed: int
    """Parts the carrier was given more often than they were claimed."""
    doubts: int
    receipts: int
    """Receipts the connector has acknowledged."""
    receipts_lost: int
    subscribers: int
    subscribers_lost: int
    """Messages of subscribers of which a part was not kept."""
    told_twice: int
    never_told: int
    """Messages of subscribers that were not told whole."""
    untold_parts: int
    """Kept parts that are in no message."""
    problems: tuple[str, ...]

    def line(self) -> str:
        return json.dumps(attrs.asdict(self))

    @property
    def is_clean(self) -> bool:
        wrong = (self.lost, self.kept_twice, self.doubled, self.unclaimed, self.receipts_lost, self.subscribers_lost)
        misheard = (self.told_twice, self.never_told, self.untold_parts)
        return not any(wrong) and not any(misheard) and not self.problems


def judged(bench: Bench) -> Figures:
    """Hold the carrier's ledger, and what callers were promised, against the store."""
    folder, ledger = bench.folder, list(bench.smsc.ledger)
    kept = Counter(to for (to,) in _rows(folder, "SELECT to_addr FROM message"))
    promised = {number.removeprefix("+") for number in bench.caller.acknowledged.values()}
    parts = defaultdict(lambda: NO_ROW, _parts(folder))
    parked = {word for (numbers,) in _rows(folder, "SELECT number FROM parked") for word in numbers.split()}
    texts = {text for (text,) in _rows(folder, "SELECT text FROM inbound")}
    heard = Counter(text for (text,) in _rows(folder, "SELECT text FROM inbound_message"))
    wrote = [written(number) for number in range(bench.subscribers)]
    [(untold,)] = _rows(folder, UNTOLD)
    told = {(entry.destination_addr, _number(entry)) for entry in ledger if entry.receipt_acknowledged_at is not None}
    submits = Counter((entry.destination_addr, _number(entry)) for entry in ledger)
    return Figures(
        deaths=bench.deaths,
        acknowledged=len(bench.caller.acknowledged),
        lost=len(promised - kept.keys()),
        kept_twice=sum(count > 1 for count in kept.values()),
        submits=len(ledger),
        resent=sum(count - 1 for count in submits.values()),
        doubled=sum(count > 1 + parts[key].events.count("lost") for key, count in submits.items()),
        unclaimed=sum(count > parts[key].events.count("claimed") for key, count in submits.items()),
        doubts=sum(part.events.count("lost") for part in parts.values()),
        receipts=len(told),
        receipts_lost=sum(not _is_told(parts[key]) and key[0] not in parked for key in told),
        subscribers=bench.subscribers,
        subscribers_lost=sum(not texts.issuperset(pieces(text)) for text in wrote),
        told_twice=sum(count > 1 for count in heard.values()),
        never_told=sum(not heard[text] for text in wrote),
        untold_parts=untold,
        problems=(*_problems(folder), *_unsettled(parts.values())),
    )


def _is_told(part: PartRow) -> bool:
    return "delivered" in part.events


def _number(entry: Entry) -> int:
    """Return which part of its message this was: 0 for the only one."""
    return entry.octets[5] if entry.octets[:3] == b"\x05\x00\x03" else 0


def _parts(folder: Path) -> dict[tuple[str, int], PartRow]:
    rows = _rows(
        folder,
        "SELECT to_addr, part.id & 255, lane, part.status, history FROM part JOIN message ON message.id = part.id >> 8"
        " JOIN queue ON queue.id = part.queue",
    )
    events = {row[:2]: tuple(line.split("|")[1] for line in row[4].split("\n")[:-1]) for row in rows}
    return {row[:2]: PartRow(*row[:4], events[row[:2]]) for row in rows}


def _problems(folder: Path) -> Iterable[str]:
    with open_reader(folder / "store.db") as reader:
        found = reader.verify()
    return tuple(found["problems"])


def _unsettled(parts: Iterable[PartRow]) -> Iterable[str]:
    """Return what ended otherwise than it may: delivered, or in doubt where nothing may be sent twice."""
    for part in parts:
        doubts = part.events.count("lost")
        held = part.status == "in_doubt" and doubts > (0 if part.lane == "otp" else RESENDS)
        if part.status != "delivered" and not held:
            yield f"{part.number} of {part.to[-4:]} is {part.status}: {part.events}"
