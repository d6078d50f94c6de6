"""One persistent tie to a carrier: it connects, binds, serves, and comes back after whatever ends it."""

import logging
import random
from collections.abc import Callable, Sequence
from enum import StrEnum

import attrs
import trio

from connector.carrier.backoff import Backoff, Ended
from connector.carrier.inbox import Inbox
from connector.carrier.link import Connect, plain
from connector.carrier.serving import Serving, Terms
from connector.carrier.translate import Translator
from connector.config import BindConfig
from connector.model import Part

log = logging.getLogger("carrierline.bind")


class BindState(StrEnum):
    """Where a bind stands."""

    DOWN = "down"
    CONNECTING = "connecting"
    BOUND = "bound"
    DRAINING = "draining"


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
    attempts: int
    """Tries to bind since the start."""
    bound_for_s: float
    reason: str
    """Why it is not bound; empty when it is."""


class Bind:
    """One bind of one carrier.  ``submit`` takes parts for which the caller has seen ``free`` places."""

    def __init__(
        self,
        name: str,
        config: BindConfig,
        password: str,
        translator: Translator,
        inbox: Inbox,
        slow_down: Callable[[], None],
        *,
        connect: Connect,
        clock: Callable[[], float],
        random: random.Random,
    ) -> None:
        self.name = name
        self._config = config
        self._inbox = inbox
        self._terms = Terms(name, config, password, translator, inbox, slow_down, self._bound, clock)
        self._connect = connect
        self._clock = clock
        self._random = random
        self._backoff = Backoff(config.reconnect_min_s, config.reconnect_max_s)
        self._serving: Serving | None = None
        self._gone = trio.Event()
        self._draining = trio.Event()
        self._bound_at: float | None = None
        """When the present link was bound."""
        self._attempts = 0
        self._reason = "not started"
        self.state = BindState.DOWN

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

    def submit(self, parts: Sequence[Part]) -> None:
        """Send these parts with the next write."""
        assert self._serving is not None
        self._serving.submit(parts)

    def statistics(self) -> BindStatistics:
        """Return the numbers of this moment."""
        serving, bound = self._serving, self.state is BindState.BOUND
        since = self._bound_at
        return BindStatistics(
            name=self.name,
            state=self.state,
            window_size=self._config.window_size,
            window_used=serving.window_used if serving else 0,
            queued=serving.queued if serving else 0,
            unanswered=serving.unanswered if serving else 0,
            response_time_s=serving.response_time_s if serving else 0.0,
            attempts=self._attempts,
            bound_for_s=self._clock() - since if bound and since is not None else 0.0,
            reason="" if bound else self._reason,
        )

    async def drain(self) -> None:
        """Take nothing more, wait for the answers due, unbind, close: in twice ``drain_s`` at most."""
        self._draining.set()
        serving = self._serving
        if serving is not None:
            self.state = BindState.DRAINING
            with trio.move_on_after(self._config.drain_s):
                await serving.settled()
            serving.unbind()
            with trio.move_on_after(self._config.drain_s):
                await self._gone.wait()

    # --- its life ---

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the bind up until cancelled or drained."""
        task_status.started()
        while not self._draining.is_set():
            ended, reason = await self._once()
            if self._draining.is_set():
                break
            bound_s = 0.0 if self._bound_at is None else self._clock() - self._bound_at
            pause = self._backoff.after(ended, bound_s, self._random)
            self._tell(reason, pause)
            with trio.move_on_after(pause):
                await self._draining.wait()

    def _tell(self, reason: str, pause: float) -> None:
        """Log the first failure of a row, and each with another reason: on-call reads changes, not a drum."""
        if reason != self._reason:
            log.warning("bind %s: %s; trying again in %.1f s", self.name, reason, pause)
        self._reason = reason

    def _bound(self) -> None:
        self.state = BindState.DRAINING if self._draining.is_set() else BindState.BOUND
        self._bound_at = self._clock()
        log.info("bind %s: bound to %s:%d", self.name, self._config.host, self._config.port)
        self._reason = ""
        self._inbox.credit_changed()

    async def _once(self) -> tuple[Ended, str]:
        """Connect, bind and serve one link; return why it ended."""
        config = self._config
        self.state = BindState.CONNECTING
        self._bound_at = None
        self._attempts += 1
        try:
            with trio.fail_after(config.connect_timeout_s):
                stream = await self._connect(config.host, config.port)
        except trio.TooSlowError:
            self.state = BindState.DOWN
            return Ended.NETWORK, f"no connection to {config.host}:{config.port} in {config.connect_timeout_s:g} s"
        except OSError as error:
            self.state = BindState.DOWN
            return Ended.NETWORK, f"cannot connect to {config.host}:{config.port}: {plain(error)}"
        return await self._serve(stream)

    async def _serve(self, stream: trio.abc.Stream) -> tuple[Ended, str]:
        serving = self._serving = Serving(self._terms, stream)
        self._gone = trio.Event()
        try:
            async with stream:
                if self._draining.is_set():
                    return Ended.UNBOUND, "drained"
                return await serving.run()
        finally:
            self._serving = None
            self.state = BindState.DOWN
            leftovers = serving.leftovers()
            if leftovers.results:
                self._inbox.put(leftovers)
            self._inbox.credit_changed()
            self._gone.set()
