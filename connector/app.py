"""The single meeting place: builds the parts from the configuration, owns the nursery they live in, and drains it."""

import logging
import os
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import trio

from connector.api import app as api
from connector.carrier.link import Connect, connect_tcp
from connector.carriers import Carriers
from connector.config import Config, Credentials, KeyConfig, LaneConfig
from connector.disk import Disk
from connector.drain import Came, DrainReport
from connector.errors import ConfigError, StoreError
from connector.facts import Facts
from connector.lifecycle import FINAL, Status
from connector.model import MessageView, QueueName, QueueState, SendRequest, Verdict
from connector.pipeline.dispatch import Dispatch
from connector.pipeline.door import Door, Outlook, QueueStatistics, Reloaded, Statistics, Steered
from connector.pipeline.due import Clockwork
from connector.pipeline.ids import Ids
from connector.pipeline.intake import Intake, References
from connector.pipeline.lanes import Lanes
from connector.pipeline.normalise import Normaliser
from connector.pipeline.queries import Queries
from connector.pipeline.recover import recover
from connector.pipeline.results import Results
from connector.pipeline.router import Router, adopt, queue_names
from connector.pipeline.vitals import PERIOD_S, Vitals
from connector.reload import Act, Difference, Secrets, compare, needs_restart, read
from connector.reload import read_secrets as read_secrets
from connector.store.batcher import ThreadWriter
from connector.store.sqlite import SqliteEngine
from connector.store.store import Store
from connector.watchdog import Watchdog as Watchdog

T = TypeVar("T")

log = logging.getLogger("carrierline")

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
        source: Path | None = None,
        secrets: Secrets | None = None,
        cpu_s: Callable[[], float] = time.thread_time,
        look_every_s: float = PERIOD_S,
    ) -> None:
        """``source``: the file that `reload` reads; ``secrets``: those of the configuration if they were read already;
        ``look_every_s``: between two looks at what limits carriers."""
        self.config = config
        self._source = source
        self._environ = environ
        self._keys = secrets.keys if secrets is not None else ()
        """Until the HTTP door has made hashes of them."""
        self._reloading = trio.Lock()
        self._api: api.Application | None = None
        self._started_at = clock()
        self._store = store
        self._clock = clock
        self._random = random
        self.disk_low = Disk(config.store, clock).low
        self._queue_ids: dict[QueueName, int] = {}
        self._ids = Ids(clock)
        self._recovered = 0
        self._router = Router(config.route)
        self._carriers_of: dict[str, Sequence[str]] = {str(route.name): route.carriers for route in config.route}
        self._lane_settings: dict[str, LaneConfig] = dict(config.lane)
        self._every_lane: dict[str, LaneConfig] = dict(config.lane)
        """Those that a reload took away too: answers to their parts may still come."""
        self._lanes = Lanes(self._lane_settings, self._carriers_of)
        self._results = Results(store, self._lanes, self._wake_dispatch, clock)
        self._fleet = Carriers(self._every_lane, self._results, connect=connect, clock=clock, random=random)
        self._passwords: dict[str, tuple[str, ...]] = {}
        self._add_carriers(secrets)
        self.carriers = self._fleet.by_name
        self._facts = Facts(store, self.carriers)
        self._dispatch = Dispatch(
            store, self._lanes, self.carriers, config.lane, self._carriers_of, clock, self._results.count
        )
        self._references = References(random)
        self.intake = Intake(
            config, self._normaliser(), store, self._lanes, self._dispatch, clock, self.disk_low, self._queue_ids
        )
        self.queries = Queries(store)
        self._vitals = self._watching(cpu_s, look_every_s)
        self._clockwork = Clockwork(
            store, self._lanes, self._dispatch, clock, self._results.count, remember_refs_s=config.store.idempotency_s
        )

    def _add_carriers(self, secrets: Secrets | None) -> None:
        for carrier in self.config.carrier:
            credentials: Sequence[Credentials]
            if secrets is not None:
                credentials = secrets.credentials[carrier.name]
            else:
                credentials = [bind.read_credentials(self._environ) for bind in carrier.bind]
            self._passwords[carrier.name] = tuple(each.password for each in credentials)
            self._fleet.add(carrier, credentials)

    def _watching(self, cpu_s: Callable[[], float], look_every_s: float) -> Vitals:
        return Vitals(
            self.carriers,
            self._lanes,
            self._lane_settings,
            self._carriers_of,
            self._dispatch,
            last_commit_s=lambda: self._store.statistics().last_commit_s,
            clock=self._clock,
            cpu_s=cpu_s,
            period_s=look_every_s,
        )

    def _normaliser(self) -> Normaliser:
        return Normaliser(self.config, self._router, self._queue_ids, self._next_id, self._references.next)

    def _wake_dispatch(self) -> None:
        self._dispatch.wake()

    def _next_id(self) -> int:
        return self._ids.next()

    def statistics(self) -> Statistics:
        """Return the numbers of this moment."""
        waiting_for = self._vitals.waiting()
        return Statistics(
            carriers=tuple(carrier.statistics() for carrier in self.carriers.values()),
            outlooks={
                name: Outlook(carrier.config.rate_per_s, waiting_for[name], self._vitals.limited_by(name))
                for name, carrier in self.carriers.items()
            },
            queues=tuple(QueueStatistics(lane, count) for lane, count in self._waiting().items()),
            store=self._store.statistics(),
            loop=self._vitals.statistics(),
            processing_s=self._results.processing_s,
            rows=dict(self.intake.counts),
            parts={str(status): count for status, count in self._results.counts.items()},
            recovered=self._recovered,
            draining=self.intake.draining,
            at=self._clock(),
            started_at=self._started_at,
        )

    def _waiting(self) -> dict[str, int]:
        """Return how many parts wait, by lane."""
        waiting: dict[str, int] = dict.fromkeys(self.config.lane, 0)
        for queue in self._lanes.queues():
            waiting[queue.lane] = waiting.get(queue.lane, 0) + queue.waiting
        return waiting

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

    # --- what an operator may do ---

    async def suspend(self, carrier: str, *, by: str = "") -> Steered:
        """Send nothing more through this carrier, until `resume`.  ``by``: the API key that says so, for the log.

        Its binds stay up, so receipts still come; what waits for it takes the other carriers of its rule.  On disk when
        it returns: a restart changes nothing.  Raises StoreError if it is obeyed but could not be kept.
        """
        held = self.carriers.get(carrier)
        return Steered.UNKNOWN if held is None else _steered(already=await self._facts.suspend(held, by))

    async def resume(self, carrier: str, *, by: str = "") -> Steered:
        """Send through this carrier again, and let a halted ramp rise; as `suspend` otherwise."""
        held = self.carriers.get(carrier)
        return Steered.UNKNOWN if held is None else _steered(already=await self._facts.resume(held, by))

    async def reload(self) -> Reloaded:
        """Read the configuration's file and every secret again, and change only what differs.

        Raises ConfigError with every problem; nothing has changed then.
        """
        if self._source is None:
            raise ConfigError(["this connector was not started from a file"])
        try:
            return await self.apply(*await trio.to_thread.run_sync(read, self._source, self._environ))
        except ConfigError as error:
            for problem in error.problems:
                log.error("reload: nothing changes: %s", problem)
            raise

    async def apply(self, config: Config, secrets: Secrets) -> Reloaded:
        """Go on with this configuration: all of it between two turns of the loop, but for carriers that drain first.

        Raises ConfigError for what needs a restart; nothing has changed then.
        """
        async with self._reloading:
            await self._fleet.settled()
            states = await self._store.queues(queue_names(config))
            problems = needs_restart(self.config, config)
            if self.intake.draining:
                problems.append("the connector is about to stop")
            if problems:
                raise ConfigError(problems)
            rotated = tuple(self._rotated(config, secrets))
            difference = compare(self.config, config, rotated=rotated)
            self._switch(config, secrets, difference, states)
        for change in difference.changes:
            log.info("reload: %s", change)
        kept = tuple(
            name for name, act in difference.acts.items() if act is Act.KEEP and f'carrier "{name}"' not in rotated
        )
        return Reloaded(tuple(str(change) for change in difference.changes), kept)

    def _rotated(self, config: Config, secrets: Secrets) -> Iterable[str]:
        """Return who has another secret than before, and had one."""
        for carrier in config.carrier:
            passwords = tuple(each.password for each in secrets.credentials[carrier.name])
            if self._passwords.get(carrier.name, passwords) != passwords:
                yield f'carrier "{carrier.name}"'
        if self._api is not None:
            yield from (f'API key "{name}"' for name in self._api.rotated(secrets.keys))

    def _switch(self, config: Config, secrets: Secrets, difference: Difference, states: Sequence[QueueState]) -> None:
        """Change everything at once: nobody sees half a configuration."""
        self.config = config
        self._router = Router(config.route)
        _become(self._lane_settings, config.lane)
        self._every_lane.update(config.lane)
        self._switch_carriers(config, secrets, difference)
        _become(self._carriers_of, {str(route.name): route.carriers for route in config.route})
        self._lanes.open(states)
        self._queue_ids.update({state.name: state.queue for state in states})
        adopt(self._lanes.queues(), self._router, self.config.lane, self._carriers_of)
        self._lanes.reroute()
        self._dispatch.change(config.lane)
        self.intake.change(config, self._normaliser())
        if self._api is not None:
            self._api.change(config.api, secrets.keys)
        self._wake_dispatch()

    def _switch_carriers(self, config: Config, secrets: Secrets, difference: Difference) -> None:
        for carrier in config.carrier:
            act, credentials = difference.acts[carrier.name], secrets.credentials[carrier.name]
            self._passwords[carrier.name] = tuple(each.password for each in credentials)
            if act is Act.ADD:
                self._fleet.add(carrier, credentials)
                self._facts.recall(self.carriers[carrier.name])
            elif act is Act.RESTART:
                self._fleet.replace(carrier, credentials)
            else:
                self.carriers[carrier.name].renew(credentials)
            if act is Act.CHANGE:
                self.carriers[carrier.name].change(carrier)
        for name, act in difference.acts.items():
            if act is Act.REMOVE:
                self._passwords.pop(name, None)
                self._fleet.remove(name)

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
                tasks = self._results, self._dispatch, self._clockwork, self._vitals, self._facts
                stations = await outer.start(_outlasting, *(task.run for task in tasks))
                try:
                    await self._run_carriers(task_status)
                finally:
                    await self._last_commits()
                    stations.cancel()
            finally:
                store.cancel()

    async def _run_carriers(self, task_status: "trio.TaskStatus[None]") -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._fleet.run)
            task_status.started()

    async def _last_commits(self) -> None:
        self._dispatch.stop()
        with trio.move_on_after(LAST_COMMITS_S, shield=True):
            await self._dispatch.settled()
            await self._results.settled()

    async def _open(self) -> None:
        patience_s = {name: lane.patience_s for name, lane in self.config.lane.items()}
        self._recovered = await recover(self._store, patience_s, self._clock)
        self._ids = Ids(self._clock, last=await self._store.last_id())
        await self._facts.open()
        states = await self._store.queues(queue_names(self.config))
        self._lanes.open(states)
        self._queue_ids.update({state.name: state.queue for state in states})
        adopt(self._lanes.queues(), self._router, self.config.lane, self._carriers_of)

    async def serve(
        self,
        listener: socket.socket,
        *,
        environ: Mapping[str, str] = os.environ,
        task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run the HTTP door on this socket until cancelled."""
        keys = self._keys or [(key, key.read_secret(environ)) for key in self.config.api.key]
        self._keys = ()
        self._api = api.build(self.door(), self.config.api, keys)
        await api.run(self._api, listener, trio.sleep_forever, task_status=task_status)

    def door(self) -> Door:
        """Return what an outer door gets to hold."""
        return Door(self.intake, self.queries, self.statistics, self.not_ready, self)

    async def drain(self) -> DrainReport:
        """Take nothing new, wait for what is on the wire, unbind.

        Bounded: by twice the longest ``drain`` of the binds, and by a few seconds for the last commits before and after
        (a full disk may never take them; what they would have said is in doubt at the next start).
        """
        began, came = self._clock(), {name: Came() for name in self.carriers}
        for name, tap in self._fleet.taps.items():
            tap.came = came[name]
        self.intake.draining = True
        self._dispatch.stop()
        await self._within(self._dispatch.settled, "claims")
        await self._fleet.drain()
        await self._within(self._results.settled, "answers")
        in_doubt = self._results.counts.get(Status.IN_DOUBT, 0)
        return DrainReport(came, self._waiting(), in_doubt, await self._sent(), self._clock() - began)

    async def _sent(self) -> int | None:
        """Return how many parts are sent and have no final word; None if the store does not say."""
        try:
            with trio.move_on_after(LAST_COMMITS_S):
                return (await self.queries.ledger()).parts.get(Status.SENT, 0)
        except StoreError as error:
            log.error("the store does not say what is sent: %s", error)
        return None

    async def _within(self, settled: Callable[[], Awaitable[None]], what: str) -> None:
        with trio.move_on_after(LAST_COMMITS_S) as scope:
            await settled()
        if scope.cancelled_caught:
            log.error("the store did not take the last %s in %g s: they will be in doubt", what, LAST_COMMITS_S)


def _steered(*, already: bool) -> Steered:
    return Steered.ALREADY if already else Steered.DONE


def _become(held: dict[str, T], other: Mapping[str, T]) -> None:
    """Change a mapping that others hold too."""
    for name in held.keys() - other.keys():
        del held[name]
    held.update(other)


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
