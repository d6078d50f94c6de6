"""The single meeting place: builds the parts from the configuration, owns the nursery they live in, and drains it."""

import logging
import os
import random
import shutil
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from connector.api import app as api
from connector.carrier.carrier import Carrier
from connector.carrier.link import Connect, connect_tcp
from connector.config import Config, KeyConfig
from connector.errors import StoreError
from connector.lifecycle import FINAL
from connector.model import MessageView, QueueName, QueueState, SendRequest, Verdict
from connector.pipeline.dispatch import Dispatch
from connector.pipeline.door import Door, QueueStatistics, Statistics
from connector.pipeline.due import Clockwork
from connector.pipeline.ids import Ids
from connector.pipeline.intake import Intake, References
from connector.pipeline.lanes import Lanes
from connector.pipeline.normalise import Normaliser
from connector.pipeline.queries import Queries
from connector.pipeline.recover import recover
from connector.pipeline.results import Results
from connector.pipeline.router import Router
from connector.store.batcher import ThreadWriter
from connector.store.sqlite import SqliteEngine
from connector.store.store import Store

log = logging.getLogger("carrierline")

DISK_LOOK_EVERY_S = 1.0
READY_WITHIN_S = 5.0
LOOK_EVERY_S = 0.1
LAST_COMMITS_S = 5.0


def steady_wall_clock() -> Callable[[], float]:
    """Return a clock of seconds since the epoch that runs at the pace of trio's: a wall clock that is set while we
    run moves no deadline and ends no session.  Inside `trio.run` only."""
    offset = time.time() - trio.current_time()
    return lambda: trio.current_time() + offset


class Connector:
    """A running connector.  Time, randomness and the network are arguments; the defaults are the real ones."""

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        clock: Callable[[], float],
        random: random.Random,
        connect: Connect = connect_tcp,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.config = config
        self._store = store
        self._clock = clock
        self._random = random
        self._disk_looked_at = -DISK_LOOK_EVERY_S
        self._disk_is_low = False
        self._queue_ids: dict[tuple[str, str, str], int] = {}
        self._ids = Ids(clock)
        self._recovered = 0
        self._router = router = Router(config.route)
        self._carriers_of: dict[str, Sequence[str]] = {str(route.name): route.carriers for route in config.route}
        self._names = [
            QueueName(lane, rule, key.name)
            for key in config.api.key
            for lane in key.lanes
            for rule in router.rules(lane)
        ]
        self._lanes = Lanes(config.lane, self._carriers_of)
        self._results = Results(store, self._lanes, self._wake_dispatch, clock)
        self.carriers = {
            carrier.name: Carrier(
                carrier,
                config.lane,
                self._results,
                passwords=[bind.read_password(environ) for bind in carrier.bind],
                connect=connect,
                clock=clock,
                random=random,
            )
            for carrier in config.carrier
        }
        self._dispatch = Dispatch(
            store, self._lanes, self.carriers, config.lane, self._carriers_of, clock, self._results.count
        )
        references = References(random)
        normaliser = Normaliser(config, router, self._queue_ids, self._next_id, references.next)
        self.intake = Intake(config, normaliser, store, self._lanes, self._dispatch, clock, self.disk_low)
        self.queries = Queries(store)
        self._clockwork = Clockwork(
            store, self._lanes, self._dispatch, clock, self._results.count, remember_refs_s=config.store.idempotency_s
        )

    def _wake_dispatch(self) -> None:
        self._dispatch.wake()

    def _next_id(self) -> int:
        return self._ids.next()

    def disk_low(self) -> bool:
        """Tell whether the store's disk has less room than the configuration wants kept; looked up once a second."""
        now = self._clock()
        if now - self._disk_looked_at >= DISK_LOOK_EVERY_S:
            folder = Path(self.config.store.path).absolute().parent
            self._disk_is_low = shutil.disk_usage(folder).free < self.config.store.min_free_mb * 1_000_000
            self._disk_looked_at = now
        return self._disk_is_low

    def statistics(self) -> Statistics:
        """Return the numbers of this moment."""
        waiting: dict[str, int] = dict.fromkeys(self.config.lane, 0)
        for queue in self._lanes.queues():
            waiting[queue.lane] = waiting.get(queue.lane, 0) + queue.waiting
        return Statistics(
            carriers=tuple(carrier.statistics() for carrier in self.carriers.values()),
            queues=tuple(QueueStatistics(lane, count) for lane, count in waiting.items()),
            store=self._store.statistics(),
            rows=dict(self.intake.counts),
            parts={str(status): count for status, count in self._results.counts.items()},
            recovered=self._recovered,
            draining=self.intake.draining,
        )

    async def send(
        self, requests: Sequence[SendRequest], *, key: KeyConfig | None = None, idempotency_key: str | None = None
    ) -> list[Verdict]:
        """Accept messages in the name of an API key (the first of the configuration unless given).

        Returns a verdict for each, in order, when all accepted ones are on disk.  Raises IntakeRefused and KeyReused
        as `Intake.accept` does.
        """
        return await self.intake.accept(key or self.config.api.key[0], requests, idempotency_key=idempotency_key)

    async def wait_final(self, ids: Sequence[int], *, within_s: float) -> list[MessageView]:
        """Wait until these messages have their final status, or ``within_s`` seconds; return them as they stand."""
        views: list[MessageView] = []
        with trio.move_on_after(within_s):
            while not views or any(view.status not in FINAL for view in views):
                found = [await self.queries.message(message_id) for message_id in ids]
                views = [view for view in found if view is not None]
                await trio.sleep(LOOK_EVERY_S)
        return views

    async def not_ready(self) -> str | None:
        """Return why nothing new can be kept now, or None.  It asks the disk, with a real commit."""
        if self.intake.draining:
            return "the connector is about to stop"
        if self.disk_low():
            return "the disk is nearly full"
        try:
            with trio.fail_after(READY_WITHIN_S):
                await self._store.probe(now=self._clock())
        except trio.TooSlowError:
            return f"the store did not commit within {READY_WITHIN_S:g} s"
        except StoreError as error:
            return str(error)
        return None

    # --- its life ---

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled; started when intake is open, whatever the carriers do.  `drain` first for a clean end.

        Three rooms close one after the other: the carriers, then the stations, then the store.  So what has come back,
        and what the ends of the links say about the parts under way, still reaches the disk.
        """
        async with trio.open_nursery() as outer:
            store = await outer.start(_outlasting, self._store.run)
            try:
                await self._open()
                stations = await outer.start(_outlasting, self._results.run, self._dispatch.run, self._clockwork.run)
                try:
                    await self._run_carriers(task_status)
                finally:
                    await self._last_commits()
                    stations.cancel()
            finally:
                store.cancel()

    async def _run_carriers(self, task_status: "trio.TaskStatus[None]") -> None:
        async with trio.open_nursery() as nursery:
            for carrier in self.carriers.values():
                nursery.start_soon(carrier.run)
            task_status.started()
            await trio.sleep_forever()  # drained carriers end; the doors stay open for questions

    async def _last_commits(self) -> None:
        self._dispatch.stop()
        with trio.move_on_after(LAST_COMMITS_S, shield=True):
            await self._dispatch.settled()
            await self._results.settled()

    async def _open(self) -> None:
        patience_s = {name: lane.patience_s for name, lane in self.config.lane.items()}
        self._recovered = await recover(self._store, patience_s, self._clock)
        self._ids = Ids(self._clock, last=await self._store.last_id())
        states = await self._store.queues(self._names)
        self._adopt(states)
        self._lanes.open(states)
        self._queue_ids.update({(s.name.lane, s.name.rule, s.name.api_key): s.queue for s in states})

    def _adopt(self, states: Sequence[QueueState]) -> None:
        """Find carriers for what waits under a rule that is no longer in the configuration, and say so."""
        for state in states:
            lane, rule = state.name.lane, state.name.rule
            if rule in self._carriers_of or not state.waiting:
                continue
            rules = self._router.rules(lane) if lane in self.config.lane else []
            if rules:
                self._carriers_of[rule] = self._router.carriers(rules[0])
                log.warning(
                    "%d parts of lane %s wait under route %s, now gone: %s takes them",
                    state.waiting,
                    lane,
                    rule,
                    rules[0],
                )
            else:
                log.error(
                    "%d parts wait in lane %s under route %s: neither is configured any more", state.waiting, lane, rule
                )

    async def serve(
        self,
        listener: socket.socket,
        *,
        environ: Mapping[str, str] = os.environ,
        task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run the HTTP door on this socket until cancelled."""
        door = Door(self.intake, self.queries, self.statistics, self.not_ready)
        keys = [(key, key.read_secret(environ)) for key in self.config.api.key]
        app = api.build(door, self.config.api, keys)
        await api.run(app, listener, trio.sleep_forever, task_status=task_status)

    async def drain(self) -> None:
        """Take nothing new, wait for what is on the wire, unbind.

        Bounded: by twice the longest ``drain`` of the binds, and by a few seconds for the last commits before and after
        (a full disk may never take them; what they would have said is in doubt at the next start).
        """
        self.intake.draining = True
        self._dispatch.stop()
        await self._within(self._dispatch.settled, "claims")
        async with trio.open_nursery() as nursery:
            for carrier in self.carriers.values():
                nursery.start_soon(carrier.drain)
        await self._within(self._results.settled, "answers")

    async def _within(self, settled: Callable[[], Awaitable[None]], what: str) -> None:
        with trio.move_on_after(LAST_COMMITS_S) as scope:
            await settled()
        if scope.cancelled_caught:
            log.error("the store did not take the last %s in %g s: they will be in doubt", what, LAST_COMMITS_S)


async def _outlasting(*tasks: Callable[..., Awaitable[None]], task_status: "trio.TaskStatus[trio.CancelScope]") -> None:
    """Run these until their own scope is cancelled; a cancellation from outside does not reach them."""
    with trio.CancelScope(shield=True) as scope:
        async with trio.open_nursery() as nursery:
            for task in tasks:
                await nursery.start(task)
            task_status.started(scope)


def open_store(config: Config) -> tuple[SqliteEngine, Store]:
    """Open the configured store.  Raises StoreInUse, StoreTooNew or StoreBroken."""
    engine = SqliteEngine(config.store.path)
    return engine, Store(engine, ThreadWriter(engine, time.monotonic))


@asynccontextmanager
async def open_connector(config: Config) -> AsyncIterator[Connector]:
    """Run a connector in this process, without its HTTP door, for as long as the block lasts; drain it at the end."""
    engine, store = open_store(config)
    try:
        connector = Connector(config, store, clock=steady_wall_clock(), random=random.Random())
        async with trio.open_nursery() as nursery:
            await nursery.start(connector.run)
            try:
                yield connector
            finally:
                with trio.CancelScope(shield=True):
                    await connector.drain()
                nursery.cancel_scope.cancel()
    finally:
        engine.close()
