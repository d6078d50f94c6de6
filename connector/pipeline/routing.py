"""Where parts go: the rules, lanes, prices and health of one configuration, and what a reload makes of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import attrs

from connector.carrier.carrier import Carrier
from connector.carrier.setbacks import Prospect
from connector.config import Config, LaneConfig
from connector.model import Part, QueueName, QueueState, Reason
from connector.pipeline.choice import Choice
from connector.pipeline.health import Health, State
from connector.pipeline.lanes import Lanes
from connector.pipeline.preview import CarrierOutlook, Present
from connector.pipeline.prices import Prices
from connector.pipeline.router import Router, adopt
from connector.store.store import Store

T = TypeVar("T")


@attrs.frozen
class QueueStatistics:
    """What waits in a lane."""

    lane: str
    waiting: int
    """Parts."""
    max_rate_per_s: float | None = None
    """Its ceiling over all carriers; None if it has none."""
    ceiling_reached: bool = False
    """Whether that ceiling lets nothing through at this moment."""
    quiet: bool = False
    """Whether it is a quiet hour of it, whoever a message is for."""


class Routing:
    """Holds what many look at: its mappings stay the same objects and change by `change`, between two turns."""

    def __init__(self, config: Config, carriers: Mapping[str, Carrier], clock: Callable[[], float]) -> None:
        self._carriers = carriers
        self.router = Router(config.route)
        self.carriers_of: dict[str, Sequence[str]] = {str(route.name): route.carriers for route in config.route}
        self.lane: dict[str, LaneConfig] = dict(config.lane)
        self.every_lane: dict[str, LaneConfig] = dict(config.lane)
        """Those that a reload took away too: answers to their parts may still come."""
        self.queue_ids: dict[QueueName, int] = {}
        self.health = Health(config.health)
        self.choice = Choice(carriers, self.carriers_of, self.every_lane, self.health, clock)
        self.choice.change(config.route, Prices(config.carrier))
        self.lanes = Lanes(self.lane, self.carriers_of, self.choice)

    def open(self, states: Iterable[QueueState]) -> None:
        """Take in the queues that are on disk; those whose rule is gone go on under another one of their lane."""
        states = list(states)
        for state in states:  # of a lane that is gone, what is scheduled, sent or in doubt is still looked after
            self.every_lane.setdefault(state.name.lane, LaneConfig())
        self.lanes.open(states)
        self.queue_ids.update({state.name: state.queue for state in states})
        adopt(self.lanes.queues(), self.router, self.lane, self.carriers_of)

    async def open_new(self, store: Store, names: Iterable[QueueName]) -> None:
        """Make queues that nothing has waited in before."""
        missing = sorted(names, key=str)
        if missing:
            opened = await store.open(missing)
            self.lanes.open(QueueState(queue, name, 0) for name, queue in opened.items())
            self.queue_ids.update(opened)

    def change(self, config: Config, states: Iterable[QueueState]) -> None:
        """Go by another configuration from now on."""
        self.router = Router(config.route)
        _become(self.lane, config.lane)
        self.every_lane.update(config.lane)
        _become(self.carriers_of, {str(route.name): route.carriers for route in config.route})
        self.open(states)
        self.lanes.reroute()
        self.health.change(config.health)
        self.choice.change(config.route, Prices(config.carrier))

    def prospect(self, part: Part, carrier: str) -> Prospect:
        """Return what else there is for a part that this carrier does not take."""
        return self.choice.prospect(part, self.lanes.queue(part.queue).rule, carrier)

    def last_look(self, part: Part, now: float) -> Reason | None:
        """Return why a part that was chosen must not leave now: its quiet hours may have begun since."""
        return Reason.QUIET_HOURS if self.choice.is_quiet(part, now) else None

    def waiting(self) -> dict[str, int]:
        """Return how many parts wait, by lane."""
        waiting: dict[str, int] = dict.fromkeys(self.lane, 0)
        for queue in self.lanes.queues():
            waiting[queue.lane] = waiting.get(queue.lane, 0) + queue.waiting
        return waiting

    def lane_statistics(self, now: float) -> tuple[QueueStatistics, ...]:
        """Return what waits in each lane, and what holds all of it back."""
        ceilings, every = self.lanes.ceilings, self.lane

        def of(lane: str, waiting: int) -> QueueStatistics:
            rate = every[lane].max_rate_per_s if lane in every else None
            reached = rate is not None and ceilings.room(lane, None, now) == 0
            return QueueStatistics(lane, waiting, rate, reached, lane in every and self.choice.is_shut(lane, now))

        return tuple(of(lane, count) for lane, count in self.waiting().items())

    def present(self, limited_by: Callable[[str], str]) -> Present:
        """Return what a preview asks about this moment; ``limited_by`` says in words what holds a carrier back."""

        def outlook(name: str, country: str | None) -> CarrierOutlook | None:
            carrier = self._carriers.get(name)
            if carrier is None:
                return None
            share, state = self.health.share(name, country), self.health.state(name, country)
            text = limited_by(name) if state is State.WELL else self.health.text(name, country)
            return CarrierOutlook(carrier.is_bound, carrier.suspended, str(state), share, text)

        return Present(outlook=outlook, latency_s=self.health.latency_s)


def _become(held: dict[str, T], other: Mapping[str, T]) -> None:
    """Change a mapping that others hold too."""
    for name in held.keys() - other.keys():
        del held[name]
    held.update(other)
