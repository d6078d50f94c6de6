"""One contract with one operator: several binds, one pace, and the credit they offer together."""

import random
from collections.abc import Callable, Mapping, Sequence

import attrs
import trio

from connector.carrier.bind import Bind, BindState, BindStatistics
from connector.carrier.inbox import Batch, Inbox
from connector.carrier.link import Connect
from connector.carrier.throttle import Throttle
from connector.carrier.translate import Translator
from connector.config import CarrierConfig, LaneConfig
from connector.model import NotSent, Part, Reason
from connector.smpp.pdu import Pdu

BIND_GAP_S = 0.2
"""Between the first tries of a carrier's binds: carriers take a burst of binds for an attack."""


@attrs.frozen
class CarrierStatistics:
    """How a carrier fares."""

    name: str
    bound: int
    """Binds that are up."""
    credit: int
    """Parts that may be claimed for it now."""
    reserved: int
    """Places given to claims that are not committed yet."""
    throttled: int
    """How often it asked us to slow down."""
    binds: tuple[BindStatistics, ...]


class Carrier:
    """The binds of one account, and the credit they offer: free places in the windows and what the pace allows.

    ``reserve`` takes credit before the claim is written, ``submit`` turns it into places, ``release`` gives it back.
    """

    def __init__(
        self,
        config: CarrierConfig,
        lanes: Mapping[str, LaneConfig],
        inbox: Inbox,
        *,
        passwords: Sequence[str],
        connect: Connect,
        clock: Callable[[], float],
        random: random.Random,
    ) -> None:
        self.config = config
        self.name = config.name
        self._inbox = inbox
        self._clock = clock
        self._throttle = Throttle(config.rate_per_s, config.rate_margin)
        self._reserved = 0
        self._draining = False
        translator = Translator(config, lanes)
        self.binds: list[Bind] = []
        for settings, password in zip(config.bind, passwords, strict=True):
            for _ in range(settings.count):
                name = f"{config.name}/{len(self.binds) + 1}"
                bind = Bind(
                    name,
                    settings,
                    password,
                    translator,
                    inbox,
                    self._slow_down,
                    connect=connect,
                    clock=clock,
                    random=random,
                )
                self.binds.append(bind)

    def _slow_down(self) -> None:
        self._throttle.slow_down(self._clock())

    # --- credit ---

    def credit(self, now: float, keep_free: float = 0.0) -> int:
        """Return how many parts may be claimed for this carrier now, by who must leave a share of all windows free.

        The share is of places only, rounded down: of what the pace allows nothing is held back, or at a low rate
        nothing at all would be left.
        """
        if self._draining:
            return 0
        places = sum(bind.free for bind in self.binds) - self._reserved
        if keep_free:
            places -= int(keep_free * sum(bind.window_size for bind in self.binds))
        allowed = self._throttle.available(now)
        return max(0, places if allowed is None else min(places, allowed))

    def next_credit_at(self, now: float) -> float | None:
        """Return when time alone will bring credit; None if it depends on answers, or some is there."""
        if self._draining or sum(bind.free for bind in self.binds) <= self._reserved:
            return None
        return self._throttle.next_at(now)

    def reserve(self, count: int, now: float) -> None:
        """Take credit for parts about to be claimed."""
        self._reserved += count
        self._throttle.take(count, now)

    def release(self, count: int) -> None:
        """Give back credit of claims that lost."""
        self._reserved -= count
        self._throttle.give_back(count)

    # --- parts ---

    def submit(self, parts: Sequence[Part]) -> None:
        """Send claimed parts for which credit is reserved; what finds no place any more comes back as not sent.

        Parts of one message stay together, in order, on one bind where it has room.
        """
        self._reserved -= len(parts)
        left = list(parts)
        for bind in sorted(self.binds, key=lambda bind: -bind.free):
            room = min(bind.free, len(left))
            if room > 0:
                bind.submit(left[:room])
                del left[:room]
        if left:
            self._return(left)

    def _return(self, parts: Sequence[Part]) -> None:
        now = self._clock()
        batch = Batch(_nothing_owed)
        batch.results += [NotSent(part.id, part.attempt, now, self.name, Reason.NO_BIND) for part in parts]
        batch.returned.update((part.id, part) for part in parts)
        self._throttle.give_back(len(parts))
        self._inbox.put(batch)

    # --- its life ---

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Keep all binds up until cancelled or drained."""
        async with trio.open_nursery() as nursery:
            task_status.started()
            for number, bind in enumerate(self.binds):
                if number:
                    await trio.sleep(BIND_GAP_S)
                nursery.start_soon(bind.run)

    async def drain(self) -> None:
        """Take nothing more, wait for the answers due, unbind every bind."""
        self._draining = True
        async with trio.open_nursery() as nursery:
            for bind in self.binds:
                nursery.start_soon(bind.drain)

    def statistics(self) -> CarrierStatistics:
        """Return the numbers of this moment."""
        return CarrierStatistics(
            name=self.name,
            bound=sum(bind.state is BindState.BOUND for bind in self.binds),
            credit=self.credit(self._clock()),
            reserved=self._reserved,
            throttled=self._throttle.throttled,
            binds=tuple(bind.statistics() for bind in self.binds),
        )


def _nothing_owed(responses: Sequence[Pdu]) -> None:
    assert not responses
