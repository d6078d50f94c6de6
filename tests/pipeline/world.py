"""A whole connector under virtual time: its store in memory, its carriers simulated, its links streams in memory."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import memory_stream_pair

from connector.app import Connector
from connector.config import (
    LANES,
    ApiConfig,
    BindConfig,
    CarrierConfig,
    Config,
    Credentials,
    HealthConfig,
    KeyConfig,
    LaneConfig,
    RouteConfig,
    StoreConfig,
)
from connector.errors import StoreFull
from connector.lifecycle import Status
from connector.model import MessageQuery, MessageView, SendRequest, Verdict
from connector.pipeline.door import Reloaded
from connector.reload import Secrets
from connector.store.batcher import InlineWriter
from connector.store.memory import MemoryEngine
from connector.store.store import Store
from simulator import Scenario, Smsc

EPOCH_S = 1_800_000_000.0
COMMIT_S = 0.002


def now() -> float:
    return EPOCH_S + trio.current_time()


def carrier_config(name: str = "north", *, bind: Mapping[str, Any] | None = None, **options: Any) -> CarrierConfig:
    settings = {"host": name, "system_id": "acme", "reconnect_min_s": 1.0, **(bind or {})}
    return CarrierConfig(name=name, bind=(BindConfig(**settings),), **options)


def config(
    *carriers: CarrierConfig,
    route: Sequence[RouteConfig] = (),
    lane: Mapping[str, LaneConfig] | None = None,
    keys: Sequence[str] = ("shop",),
    health: HealthConfig | None = None,
) -> Config:
    return Config(
        api=ApiConfig(key=tuple(KeyConfig(name=name, secret_env="X", country="GB") for name in keys)),
        carrier=carriers or (carrier_config(),),
        store=StoreConfig(min_free_mb=0),
        route=tuple(route),
        lane={**LANES, **(lane or {})},
        health=health or HealthConfig(),
    )


def _pauses() -> Iterator[float]:
    """Look often at first and then once in ten seconds: virtual days are to cost little."""
    pause = 0.01
    while True:
        yield pause
        pause = min(10.0, pause * 1.02)


class World:
    """Carriers by host, the network between, and one connector at a time on one store."""

    def __init__(self, settings: Config, nursery: trio.Nursery) -> None:
        self.config = settings
        self.smsc = {carrier.name: Smsc(clock=now) for carrier in settings.carrier}
        self.down: set[str] = set()
        self.tries: Counter[str] = Counter()
        self.random = random.Random(7)
        self.engine = MemoryEngine()
        self.commit_s = COMMIT_S
        self.wrap: Callable[[trio.abc.Stream], trio.abc.Stream] = lambda stream: stream
        """What lies on the way from the connector to the carriers."""
        self.full: Callable[[], bool] = lambda: False
        """Whether the disk has no room for the transaction about to run."""
        self.look_every_s = 10.0
        """Between two looks at what limits the carriers: virtual days are to cost little."""
        self.cpu_s: Callable[[], float] = lambda: 0.0
        """CPU that the loop's thread has used; the real one has nothing to do with virtual time."""
        self.connector: Connector
        self._nursery = nursery
        self._life: trio.CancelScope | None = None
        self._ended = trio.Event()

    # --- the network ---

    def play(self, scenario: Scenario, host: str = "north") -> Smsc:
        """Put another carrier in this one's place; call it before the connector starts."""
        self.smsc[host] = Smsc(scenario, clock=now)
        return self.smsc[host]

    async def connect(self, host: str, port: int) -> trio.abc.Stream:
        self.tries[host] += 1
        await trio.lowlevel.checkpoint()
        if host in self.down:
            raise ConnectionRefusedError(111, "Connection refused")
        ours, theirs = memory_stream_pair()
        self._nursery.start_soon(self.smsc[host].serve_stream, theirs)
        return self.wrap(ours)

    def cut(self, host: str = "north") -> None:
        self.down.add(host)
        self.smsc[host].drop_links()

    def _disk(self) -> None:
        if self.full():
            raise StoreFull("no room")

    # --- the connector ---

    async def start(self) -> None:
        """Start a connector on what the store holds."""
        store = Store(self.engine, InlineWriter(self.engine, latency=lambda: self.commit_s, faults=self._disk))
        self.connector = Connector(
            self.config,
            store,
            clock=now,
            random=self.random,
            connect=self.connect,
            cpu_s=self.cpu_s,
            look_every_s=self.look_every_s,
        )
        self._ended = trio.Event()
        self._life = await self._nursery.start(self._live)

    async def _live(self, *, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.connector.run)
                task_status.started(scope)
        self._ended.set()

    async def reload(self, settings: Config, passwords: Mapping[str, str] | None = None) -> Reloaded:
        """Go on with another configuration, as after a reload; ``passwords`` by carrier, "" unless given."""
        given = passwords or {}
        credentials = {
            carrier.name: tuple(Credentials(given.get(carrier.name, "")) for _ in carrier.bind)
            for carrier in settings.carrier
        }
        for carrier in settings.carrier:
            self.smsc.setdefault(carrier.name, Smsc(clock=now))
        done = await self.connector.apply(settings, Secrets(credentials, ()))
        self.config = settings
        return done

    async def kill(self) -> None:
        """End the connector as kill -9 does: what is not committed now never will be."""
        kept = self.engine.snapshot()
        await self.cancel()
        self.engine = MemoryEngine.restored(kept)

    async def cancel(self) -> None:
        """End the connector as its owner's nursery would, without a drain."""
        assert self._life is not None
        self._life.cancel()
        await self._ended.wait()

    async def bound(self, *hosts: str) -> None:
        """Wait until these carriers are bound, all of them unless named."""
        names = hosts or tuple(self.smsc)
        await self.until(lambda: all(self.connector.carriers[name].statistics().bound for name in names))

    # --- messages ---

    async def send(self, count: int = 1, *, text: str = "hello", first: int = 0, **options: Any) -> list[int]:
        """Accept messages to as many numbers, and return their ids."""
        verdicts = await self.verdicts(count, text=text, first=first, **options)
        assert all(verdict.accepted for verdict in verdicts), verdicts[0]
        return [verdict.message for verdict in verdicts if verdict.message is not None]

    async def verdicts(
        self, count: int, *, text: str = "hello", first: int = 0, key: str = "shop", **options: Any
    ) -> list[Verdict]:
        numbers = [f"+4479111{number:05}" for number in range(first, first + count)]
        return await self.verdicts_to(numbers, text=text, key=key, **options)

    async def verdicts_to(
        self, numbers: Sequence[str], *, text: str = "hello", key: str = "shop", **options: Any
    ) -> list[Verdict]:
        options = {"lane": "promotional", **options}
        requests = [SendRequest(to=number, text=text, **options) for number in numbers]
        name = next(found for found in self.config.api.key if found.name == key)
        return await self.connector.send(requests, key=name)

    async def message(self, message_id: int) -> MessageView:
        found = await self.connector.queries.message(message_id)
        assert found is not None
        return found

    async def views(self) -> list[MessageView]:
        """Return every message, newest first."""
        return await self.connector.queries.messages(MessageQuery(limit=1_000_000))

    async def statuses(self, ids: Sequence[int]) -> Counter[Status]:
        return Counter([(await self.message(message_id)).status for message_id in ids])

    async def all_of(self, status: Status) -> list[MessageView]:
        return await self.connector.queries.messages(MessageQuery(status=status, limit=100_000))

    # --- patience ---

    async def until(self, condition: Callable[[], object], *, within_s: float = 10_000) -> None:
        with trio.fail_after(within_s):
            for pause in _pauses():
                if condition():
                    return
                await trio.sleep(pause)

    async def counted(self, status: Status, count: int, *, within_s: float = 10_000) -> None:
        """Wait until so many messages stand there."""
        with trio.fail_after(within_s):
            for pause in _pauses():
                if (await self.connector.queries.ledger()).messages.get(status, 0) == count:
                    return
                await trio.sleep(pause)

    async def verified(self) -> None:
        found = await self.connector.queries.verify()
        assert found.ok, found.problems
        assert found.ledger.imbalance == 0

    def arrivals(self, host: str = "north") -> list[str]:
        """Return the destinations this carrier took, in order."""
        return [entry.destination_addr for entry in self.smsc[host].ledger]


@asynccontextmanager
async def world(settings: Config | None = None) -> AsyncIterator[World]:
    """A world whose books are checked at its end."""
    async with trio.open_nursery() as nursery:
        built = World(settings or config(), nursery)
        yield built
        await built.verified()
        nursery.cancel_scope.cancel()
