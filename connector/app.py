"""The single meeting place: builds the parts from the configuration, owns the nursery they live in, and drains it."""

import logging
import os
import random
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

import trio

from connector.api import app as api
from connector.carrier.carrier import Carrier
from connector.carrier.link import Connect, connect_tcp
from connector.carriers import Carriers
from connector.clock import ClockWatch
from connector.config import Config, Credentials, KeyConfig
from connector.disk import Disk
from connector.drain import DrainReport, outlasting
from connector.errors import ConfigError, StoreError
from connector.facts import Facts
from connector.lifecycle import FINAL, Status
from connector.model import MessageView, QueueState, SendRequest, Verdict
from connector.pipeline.cancel import Canceller
from connector.pipeline.dispatch import Dispatch
from connector.pipeline.doctor import Doctor
from connector.pipeline.door import Door, Outlook, Reloaded, Statistics, Steered, steered
from connector.pipeline.due import Clockwork
from connector.pipeline.filing import Filing
from connector.pipeline.ids import Ids
from connector.pipeline.inbound import Inbounds
from connector.pipeline.intake import Intake, References
from connector.pipeline.normalise import Normaliser
from connector.pipeline.notices import Kind, Notices
from connector.pipeline.queries import Queries
from connector.pipeline.recover import recover
from connector.pipeline.refile import Refiler
from connector.pipeline.results import Came, Results
from connector.pipeline.retention import Retention
from connector.pipeline.router import queue_names
from connector.pipeline.routing import Routing
from connector.pipeline.vitals import PERIOD_S, Vitals
from connector.reload import Act, Difference, Secrets, compare, needs_restart, read
from connector.reload import read_secrets as read_secrets
from connector.store.store import Store
from connector.watchdog import Watchdog as Watchdog

log = logging.getLogger("carrierline")

READY_WITHIN_S = 5.0
LOOK_EVERY_S = 0.1
LAST_COMMITS_S = 5.0


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
        wall: Callable[[], float] | None = None,
    ) -> None:
        """``source``: the file that `reload` reads; ``secrets``: those of the configuration if they were read already;
        ``wall``: the clock that somebody may set, to be compared with ``clock``;
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
        self.disk_low = Disk(config.store, clock, store.ballast).low
        self._ids = Ids(clock)
        self._recovered = 0
        self.carriers: dict[str, Carrier] = {}
        self._routing = Routing(config, self.carriers, clock)
        self.notices = Notices()
        self._clock_watch = ClockWatch(clock, self._tell_of_clock, self._wake_dispatch, wall=wall or clock)
        self._doctor = Doctor(self._routing.health, self.carriers, self.notices, self._wake_dispatch, clock)
        self._inbounds = Inbounds(store, config, self._next_id, self.carriers, clock)
        notes = self._inbounds.noting(self._doctor.note)
        self._results = Results(store, self._routing.lanes, self._wake_dispatch, clock, notes, self._inbounds.refused)
        self._fleet = self._build_fleet(connect)
        self._passwords: dict[str, tuple[str, ...]] = {}
        self._add_carriers(secrets)
        self._facts = Facts(store, self.carriers)
        count = self._results.count
        self._dispatch = Dispatch(store, self._routing, self.carriers, clock, count)
        self._refiler = Refiler(store, self._routing, self._dispatch, Filing(config), clock)
        self._references = References(random)
        self.intake = Intake(self._normaliser(), store, self._routing, self._dispatch, clock, self.disk_low)
        self.queries = Queries(store)
        self.canceller = Canceller(store, self._routing, self.carriers, clock, count)
        self._vitals = Vitals(
            self.carriers, self._routing, self._dispatch, store, clock=clock, cpu_s=cpu_s, period_s=look_every_s
        )
        forget_s = config.store.idempotency_s
        self._clockwork = Clockwork(store, self._routing, self._dispatch, clock, count, remember_refs_s=forget_s)
        self._retention = Retention(store, config.store, self._routing.every_lane, clock)

    def _build_fleet(self, connect: Connect) -> Carriers:
        return Carriers(
            self.carriers,
            self._routing.every_lane,
            self._results,
            connect=connect,
            clock=self._clock,
            random=self._random,
            prospects=self._routing.prospect,
            last_look=self._routing.last_look,
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

    def _normaliser(self) -> Normaliser:
        return Normaliser(self.config, self._routing.queue_ids, self._next_id, self._references.next)

    def _tell_of_clock(self, text: str, at: float) -> None:
        self.notices.give(Kind.CLOCK, text, at)

    def _wake_dispatch(self) -> None:
        self._dispatch.wake()

    def _next_id(self) -> int:
        return self._ids.next()

    def statistics(self) -> Statistics:
        """Return the numbers of this moment."""
        now, waiting_for = self._clock(), self._vitals.waiting()
        return Statistics(
            carriers=tuple(carrier.statistics() for carrier in self.carriers.values()),
            outlooks={
                name: Outlook(carrier.config.rate_per_s, waiting_for[name], self._vitals.limited_by(name))
                for name, carrier in self.carriers.items()
            },
            queues=self._routing.lane_statistics(now),
            health=self._routing.health.statistics(now),
            notices=self.notices.latest(),
            notice_counts={kind: self.notices.counts[kind] for kind in Kind},
            store=self._store.statistics(),
            loop=self._vitals.statistics(),
            processing_s=self._results.processing_s,
            rows=dict(self.intake.counts),
            parts={str(status): count for status, count in self._results.counts.items()},
            inbound=self._inbounds.statistics(refused=self._results.patience.refused),
            recovered=self._recovered,
            draining=self.intake.draining,
            at=now,
            started_at=self._started_at,
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

    # --- what an operator may do ---

    async def suspend(self, carrier: str, *, by: str = "") -> Steered:
        """Send nothing more through this carrier, until `resume`.  ``by``: the API key that says so, for the log.

        Its binds stay up, so receipts still come; what waits for it takes the other carriers of its rule.  On disk when
        it returns: a restart changes nothing.  Raises StoreError if it is obeyed but could not be kept.
        """
        held = self.carriers.get(carrier)
        return Steered.UNKNOWN if held is None else steered(already=await self._facts.suspend(held, by))

    async def resume(self, carrier: str, *, by: str = "") -> Steered:
        """Send through this carrier again, and let a halted ramp rise; as `suspend` otherwise."""
        held = self.carriers.get(carrier)
        return Steered.UNKNOWN if held is None else steered(already=await self._facts.resume(held, by))

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
        self._routing.change(config, states)
        self._switch_carriers(config, secrets, difference)
        self._results.change(config.lane)
        self._dispatch.change(config.lane)
        self._refiler.change(Filing(config))
        self.intake.change(self._normaliser())
        self._inbounds.change(config)
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
            store = await outer.start(outlasting, self._store.run)
            try:
                await self._open()
                tasks = (
                    self._results,
                    self._results.patience,
                    self._inbounds,
                    self._dispatch,
                    self._clockwork,
                    self._vitals,
                    self._doctor,
                    self._facts,
                    self._clock_watch,
                    self._refiler,
                    self._retention,
                )
                stations = await outer.start(outlasting, *(task.run for task in tasks))
                try:
                    await self._run_carriers(task_status)
                finally:
                    self.intake.draining = True  # whoever still holds a door learns that it leads nowhere
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
        if self._store.is_broken:
            return
        with trio.move_on_after(LAST_COMMITS_S, shield=True):
            await self._dispatch.settled()
            await self._results.settled()

    async def _open(self) -> None:
        self._results.change(self.config.lane)
        self._recovered = await recover(self._store, self._clock)
        self._ids = Ids(self._clock, last=await self._store.last_id())
        await self._facts.open()
        states = await self._store.queues(queue_names(self.config), insist=True)
        self._routing.open(states)

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
        self._api = api.Application(self.door(), self.config.api, keys)
        await api.run(self._api, listener, trio.sleep_forever, task_status=task_status)

    def door(self) -> Door:
        """Return what an outer door gets to hold."""
        present = self._routing.present(lambda name: self._vitals.limited_by(name).text)
        return Door(self.intake, self.queries, self.statistics, self.not_ready, self, present, canceller=self.canceller)

    async def drain(self) -> DrainReport:
        """Take nothing new, wait for what is on the wire, unbind.

        Bounded: by twice the longest ``drain`` of the binds, and by a few seconds for the last commits before and after
        (a full disk may never take them; what they would have said is in doubt at the next start).
        """
        began, came = self._clock(), {name: Came() for name in self.carriers}
        self._results.came = came
        self.intake.draining = True
        self._refiler.stop()
        self._dispatch.stop()
        await self._within(self._dispatch.settled, "claims")
        await self._fleet.drain()
        await self._within(self._results.settled, "answers")
        in_doubt = self._results.counts.get(Status.IN_DOUBT, 0)
        return DrainReport(came, self._routing.waiting(), in_doubt, await self._sent(), self._clock() - began)

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
