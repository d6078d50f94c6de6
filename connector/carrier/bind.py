"""One persistent tie to a carrier: it connects, binds, serves, and comes back after whatever ends it."""

import logging
import math
import random
from collections.abc import Callable, Sequence
from enum import StrEnum

import attrs
import trio

from connector.carrier.attempts import Attempts, Hosts
from connector.carrier.backoff import STEADY_S, Backoff, Ended, Ending
from connector.carrier.inbox import Inbox
from connector.carrier.limits import Limits
from connector.carrier.link import Connect, close, open_link
from connector.carrier.recall import Recalls
from connector.carrier.serving import Serving
from connector.carrier.terms import Terms
from connector.carrier.translate import Translator
from connector.config import BindConfig, Credentials, Endpoint
from connector.model import Part

log = logging.getLogger("carrierline.bind")


class BindState(StrEnum):
    """Where a bind stands."""

    DOWN = "down"
    CONNECTING = "connecting"
    BOUND = "bound"
    DRAINING = "draining"
    STOPPED = "stopped"
    """The carrier does not know who we say we are: it tries again when it gets new credentials, and not before."""


@attrs.frozen
class BindStatistics:
    """How a bind fares."""

    name: str
    state: BindState
    window_size: int
    window_used: int
    """Requests sent and not yet answered."""
    queued: int
    """Parts taken and not yet written."""
    unanswered: int
    """deliver_sm of the carrier not answered yet: they wait for their commit."""
    response_time_s: float
    """From the wire to the wire, smoothed; waiting for a place is not in it."""
    response_p50_s: float
    response_p99_s: float
    """Quantiles of the last answers: one of each read is looked at."""
    attempts: int
    """Tries to bind since the start."""
    oldest_in_flight_s: float
    """How long the request that waits longest has waited for its answer; 0 when none waits."""
    silent_s: float
    """How long nothing has been answered while requests wait for an answer; 0 when none wait."""
    bound_for_s: float
    host: str
    """Host and port in use, or of the next try."""
    next_try_at: float | None
    """When it tries to bind again, in seconds since the epoch; None while it is up, or tries, or is stopped."""
    reason: str
    """Why it is not bound; empty when it is."""


class Bind:
    """One bind of one carrier.  ``submit`` takes parts for which the caller has seen ``free`` places."""

    def __init__(
        self,
        name: str,
        config: BindConfig,
        credentials: Credentials,
        translator: Translator,
        inbox: Inbox,
        limits: Limits,
        attempts: Attempts,
        recalls: Recalls,
        *,
        connect: Connect,
        clock: Callable[[], float],
        random: random.Random,
    ) -> None:
        self.name = name
        self._config = config
        self._credentials = credentials
        self._inbox = inbox
        self._attempts = attempts
        self._terms = Terms(name, config, translator, inbox, limits, self._bound, clock, recalls)
        self._connect = connect
        self._clock = clock
        self._random = random
        self._hosts = Hosts(config.endpoints)
        self._backoff = Backoff(
            config.reconnect_min_s, config.reconnect_max_s, config.rebind_after_s, config.unbind_pause_s
        )
        self._serving: Serving | None = None
        self._gone = trio.Event()
        self._stirred = trio.Event()
        """Set when what a pause waits for may have come."""
        self._draining = False
        self._renewed = False
        """Whether there are credentials that no try has used yet."""
        self._bound_at: float | None = None
        self._dialling = trio.CancelScope()
        """When the present link was bound."""
        self._response_time_s = 0.0
        """As smoothed over the link of before: a new link has none of its own until the first answer."""
        self._tries = 0
        self._next_try_at: float | None = None
        self._reason = "not started"
        self._told: dict[Endpoint, str] = {}
        """What was logged of each host since the last bind."""
        self.state = BindState.DOWN
        self.link_ends = 0
        """Links that were bound and then ended, other than by an unbind, since the start."""

    # --- what the carrier asks ---

    @property
    def free(self) -> int:
        """Places that parts may be submitted for now."""
        serving = self._serving
        return serving.free if serving is not None and self.window_size else 0

    @property
    def window_size(self) -> int:
        """Places of a bind that is up and submits; 0 of any other."""
        return self._config.window_size if self.state is BindState.BOUND and self._config.submits else 0

    @property
    def reason(self) -> str:
        """Why it is not bound; empty when it is."""
        return "" if self.state is BindState.BOUND else self._reason

    @property
    def silent_s(self) -> float:
        """How long nothing has been answered while requests wait for an answer; 0 when none wait."""
        serving = self._serving
        return min(serving.oldest_in_flight_s, self._clock() - serving.signs.answered_at) if serving else 0.0

    @property
    def bound_since(self) -> float | None:
        """When its present link was bound, 0 where that one drains; None while it is not bound."""
        if self.state is BindState.BOUND:
            return self._bound_at
        return 0.0 if self.state is BindState.DRAINING else None

    @property
    def draining(self) -> bool:
        """Whether it takes nothing more and comes back no more."""
        return self._draining

    def submit(self, parts: Sequence[Part]) -> None:
        """Send these parts with the next write."""
        assert self._serving is not None
        self._serving.submit(parts)

    def stir(self) -> None:
        """Say that there is something to fetch."""
        if self._serving is not None:
            self._serving.stir()

    def statistics(self) -> BindStatistics:
        """Return the numbers of this moment."""
        serving, bound = self._serving, self.state is BindState.BOUND
        since = self._bound_at
        times = sorted(self._terms.response_times_s)
        median, slowest = (times[len(times) // 2], times[len(times) * 99 // 100]) if times else (0.0, 0.0)
        return BindStatistics(
            name=self.name,
            state=self.state,
            window_size=self._config.window_size,
            window_used=serving.window_used if serving else 0,
            queued=serving.queued if serving else 0,
            unanswered=serving.unanswered if serving else 0,
            response_time_s=(serving.response_time_s if serving else 0.0) or self._response_time_s,
            response_p50_s=median,
            response_p99_s=slowest,
            attempts=self._tries,
            oldest_in_flight_s=serving.oldest_in_flight_s if serving else 0.0,
            silent_s=self.silent_s,
            bound_for_s=self._clock() - since if bound and since is not None else 0.0,
            host=str(self._hosts.present),
            next_try_at=self._next_try_at,
            reason=self.reason,
        )

    def renew(self, credentials: Credentials) -> None:
        """Bind with these from the next time on; a link that is up stays as it is.

        A bind that is stopped, or pauses because TLS was not agreed, tries again at once.
        """
        self._credentials, self._renewed = credentials, True
        self._attempts.renew(self._config)
        self._stirred.set()

    async def drain(self) -> None:
        """Take nothing more, wait for the answers due, unbind, close: in twice ``drain_s`` at most."""
        self._draining = True
        self._stirred.set()
        self._dialling.cancel()  # or its link would come up beside those of whoever is next
        serving = self._serving
        if serving is not None:
            self.state = BindState.DRAINING
            with trio.move_on_after(self._config.drain_s):
                await serving.settled()
            serving.unbind()
            with trio.move_on_after(self._config.drain_s):
                await self._gone.wait()
            serving.abort()
            await self._gone.wait()

    # --- its life ---

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the bind up until cancelled or drained.

        Whatever network, TLS and carrier do ends a link, never the bind.
        """
        task_status.started()
        while not self._draining:
            if self._attempts.refused(self._config):
                await self._stop()
            await self._pause_until(self._attempts.turn(self._clock()))
            if not (self._draining or self._attempts.refused(self._config)):
                await self._recover(*await self._once())

    async def _recover(self, ended: Ended, reason: str) -> None:
        """Wait as the end of a link wants it."""
        if self._draining:
            return
        now = self._clock()
        self.link_ends += self._bound_at is not None and ended is not Ended.UNBOUND
        bound_s = 0.0 if self._bound_at is None else now - self._bound_at
        pause_s = self._backoff.after(ended, bound_s, self._random)
        self._tell(reason, pause_s)
        self._hosts.ended(steady=bound_s >= STEADY_S)
        if pause_s is not None:
            await self._pause_until(now + pause_s, lambda: ended is Ended.HANDSHAKE and self._renewed)
        elif not self._renewed:
            self._attempts.refuse(self._config)

    async def _stop(self) -> None:
        """Wait for new credentials: of settings that the carrier refused, one try tells enough for all binds."""
        self.state = BindState.STOPPED
        if self._backoff.last is not Ended.CREDENTIALS:
            self._reason = "another bind with these settings was refused: its credentials are wrong"
        await self._pause_until(math.inf, lambda: not self._attempts.refused(self._config))
        self.state = BindState.DOWN

    async def _pause_until(self, at: float, over: Callable[[], bool] = lambda: False) -> None:
        """Wait until then; a drain ends it, and so do new credentials when they make it ``over``."""
        self._next_try_at = at if at < math.inf else None
        while not (self._draining or over()) and self._clock() < at:
            self._stirred = trio.Event()
            with trio.move_on_after(at - self._clock()):
                await self._stirred.wait()
        self._next_try_at = None

    def _tell(self, reason: str, pause_s: float | None) -> None:
        """Log the first failure of a row, each with another reason, and what has to be looked at: on-call reads
        changes, not a drum."""
        place, alarming = self._hosts.present, self._backoff.alarming
        if self._told.get(place) != reason or (alarming and self._backoff.is_new_alarm):
            then = "stopped until it gets other credentials" if pause_s is None else f"trying again in {pause_s:.1f} s"
            log.log(logging.ERROR if alarming else logging.WARNING, "bind %s: %s; %s", self.name, reason, then)
        self._told[place] = self._reason = reason

    def _bound(self) -> None:
        self.state = BindState.DRAINING if self._draining else BindState.BOUND
        self._bound_at = self._clock()
        log.info("bind %s: bound to %s", self.name, self._hosts.present)
        self._reason = ""
        self._told.clear()
        self._inbox.credit_changed()

    async def _once(self) -> Ending:
        """Connect, bind and serve one link; return why it ended."""
        config, place = self._config, self._hosts.present
        credentials, self._renewed = self._credentials, False
        self.state = BindState.CONNECTING
        self._dialling = trio.CancelScope()
        self._bound_at = None
        self._tries += 1
        name = config.tls_config.server_name if config.tls_config else None
        link: trio.abc.Stream | Ending = Ended.UNBOUND, "drained"
        with self._dialling:
            link = await open_link(self._connect, place, credentials.tls, name, config.connect_timeout_s)
        if not isinstance(link, trio.abc.Stream):
            self.state = BindState.DOWN
            return link
        terms = attrs.evolve(self._terms, password=credentials.password, peer=str(place))
        return await self._serve(link, Serving(terms, link))

    async def _serve(self, stream: trio.abc.Stream, serving: Serving) -> Ending:
        self._serving = serving
        self._gone = trio.Event()
        try:
            if self._draining:
                return Ended.UNBOUND, "drained"
            return await serving.run()
        finally:
            self._serving = None
            self._response_time_s = serving.response_time_s or self._response_time_s
            self.state = BindState.DOWN
            leftovers = serving.leftovers()
            if leftovers.results:
                self._inbox.put(leftovers)
            self._inbox.credit_changed()
            await close(stream)
            self._gone.set()
