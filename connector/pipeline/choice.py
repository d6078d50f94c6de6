"""Which carriers a part may take now, the best first: its rule's preference, their health, what they refused, its cost.

Health decides between carriers only: where nobody healthier is up, nothing is held back.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Final, Protocol

from connector.carrier.setbacks import Prospect
from connector.config import LaneConfig, RouteConfig
from connector.model import Part
from connector.pipeline.health import Health
from connector.pipeline.health_rules import SHARES
from connector.pipeline.prices import Prices
from connector.pipeline.queue import Queue
from connector.pipeline.router import preferred
from connector.policy.hours import Hours

MOST_PROBES: Final = 10
"""Parts claimed at once for a carrier that gets nothing: `Health.probe` counts those that go, and some can go nowhere
else."""
MEASURED_BELOW: Final = 0.98
"""Where speed counts, one message in fifty goes to a carrier that is not the fastest: how fast it is now, only its
answers tell."""
SPARED_S: Final = 30.0
"""A carrier that is to be probed waits so long for parts that are not urgent before it is probed with urgent ones."""
_GOLDEN: Final = 0x9E3779B97F4A7C15
_LOTS: Final = 1 << 16


def lot(message: int) -> float:
    """Return where a message falls between 0 and 1, always the same: a share of traffic is what falls below it."""
    return ((message * _GOLDEN) >> 40 & _LOTS - 1) / _LOTS


class Held(Protocol):
    """What is asked of a carrier."""

    @property
    def up(self) -> bool:
        """Whether it takes parts now, or will when a place is free."""


class Choice:
    """Chooses for one part at a time; `is_plain` tells where there is nothing to choose."""

    def __init__(
        self,
        carriers: Mapping[str, Held],
        carriers_of: Mapping[str, Sequence[str]],
        lanes: Mapping[str, LaneConfig],
        health: Health,
        clock: Callable[[], float],
    ) -> None:
        """All mappings stay the same objects and change by a reload."""
        self._carriers = carriers
        self._carriers_of = carriers_of
        self._lanes = lanes
        self._health = health
        self._clock = clock
        self._routes: dict[str, RouteConfig] = {}
        self._prices = Prices(())
        self._hours = Hours(lanes)

    def change(self, routes: Sequence[RouteConfig], prices: Prices) -> None:
        """Choose by these rules and prices, and by what the lanes say now, from now on."""
        self._routes = {str(route.name): route for route in routes}
        self._prices = prices
        self._hours = Hours(self._lanes)

    def is_shut(self, lane: str, now: float) -> bool:
        """Tell whether nothing of this lane may leave now, whoever it is for: what waits keeps its place."""
        return self._hours.is_shut(lane, now)

    def next_change(self, now: float) -> float | None:
        """Return when by time alone more may leave than now; None where it depends on something else."""
        return self._hours.next_change(now)

    def quiet_until(self, part: Part, now: float) -> float | None:
        """Return when to look again at a part that would leave in quiet hours; None where it may leave.

        That is their end, or its deadline where that comes first: then it is looked at once more, and expires.  A part
        in doubt cannot be put off so: it keeps its place, and `sure` takes it for nobody.  This is the last look: what
        is claimed before the hours begin is on the wire within the second that claims run ahead of it.
        """
        if part.doubts:
            return None
        opens_at = self._hours.opens_at(part.lane, part.country, now)
        return None if opens_at is None else min(opens_at, part.deadline)

    def is_quiet(self, part: Part, now: float) -> bool:
        """Tell whether a part would leave in quiet hours."""
        return self._hours.opens_at(part.lane, part.country, now) is not None

    def may_follow(self, part: Part, carrier: str, rule: str, now: float) -> bool:
        """Tell whether a part may go to the carrier that has others of its message: neither quiet nor, again, too dear.

        What a first attempt of it costs was settled when the message began.
        """
        if self.is_quiet(part, now):
            return False
        return not part.doubts or self.affords(part, carrier, self._carriers_of.get(rule, ()))

    def credit(self, carrier: str, credit: int) -> int:
        """Return what of a carrier's credit may be of use: of one that gets nothing little more than it is probed with.

        But where a rule names it and nobody better is up, it is needed as it is.
        """
        share = self._health.share(carrier, None)
        if share > 0 or any(self._is_needed(carrier, share, names) for names in self._carriers_of.values()):
            return credit
        return min(credit, MOST_PROBES)

    def _is_needed(self, carrier: str, share: float, names: Sequence[str]) -> bool:
        others = (name for name in names if name != carrier and self._is_up(name))
        return carrier in names and not any(self._health.share(name, None) > share for name in others)

    def kind(self, part: Part) -> Hashable:
        """Return what `order` looks at in a part, but for prices: parts of one kind may take the same carriers.

        None where a cost cap makes each a kind of its own.
        """
        if self._lanes[part.lane].retry.max_cost is not None:
            return None  # what each may cost is its own
        place = lot(part.message_id)
        return (
            part.country,
            part.refused,
            part.last if part.tries else None,
            sum(place < share for share in (*SHARES, MEASURED_BELOW)),
        )

    def is_plain(self, queue: Queue) -> bool:
        """Tell whether each part of a queue may take any carrier of its rule, in the order of the configuration."""
        route = self._routes.get(queue.rule)
        if (route is not None and route.prefer != "order") or self._hours.depends_on_recipient(queue.lane):
            return False
        return self._health.all_well and not queue.choosy and self._lanes[queue.lane].retry.max_cost is None

    def order(self, part: Part, rule: str) -> Sequence[str]:
        """Return the carriers that a part may take now, the best first; one that is to be probed before the others."""
        names = self._open_to(part, rule)
        if part.tries and names and names[0] == part.last:
            names = [*names[1:], names[0]]  # who could not just now is asked after those who were not asked
        return names if self._health.all_well else self._healthy(names, part)

    def sure(self, carrier: str, part: Part, rule: str) -> bool:
        """Tell whether this carrier takes the part; of one that is being probed only so many are."""
        if part.doubts and self.is_quiet(part, self._clock()):
            return False
        health = self._health
        if health.all_well or health.share(carrier, part.country) > 0 or not self._has_better(carrier, part, rule):
            return True
        return health.probe(carrier, part.country, self._clock())

    def is_stranded(self, part: Part, rule: str, carriers: Collection[str]) -> bool:
        """Tell whether none of these carriers may have this part at all: they refused it, or are too dear."""
        return not any(name in carriers for name in self._open_to(part, rule))

    def prospect(self, part: Part, rule: str, carrier: str) -> Prospect:
        """Return what else there is for a part that this carrier does not take."""
        names = self._carriers_of.get(rule, ())
        others = [name for name in names if name != carrier and name not in part.refused]
        able = [name for name in others if name in self._carriers and self.affords(part, name, names)]
        return Prospect(bool(able), self._health.share(carrier, part.country) >= 1.0)

    def affords(self, part: Part, carrier: str, names: Sequence[str]) -> bool:
        """Tell whether one more attempt stays within the lane's cost cap.

        An attempt in doubt may have been taken, by the dearest of these for all we know.
        """
        cap = self._lanes[part.lane].retry.max_cost
        price = self._prices.price(carrier, part.to)
        if cap is None or price is None:
            return True
        dearest = max((self._prices.price(name, part.to) or 0.0 for name in names), default=0.0)
        return part.doubts * dearest + price <= cap

    # --- inside ---

    def _open_to(self, part: Part, rule: str) -> Sequence[str]:
        """Return the carriers of its rule that a part may have at all, the preferred ones first."""
        names = self._preferred(part, rule)
        if part.refused:
            names = [name for name in names if name not in part.refused] or list(names)
        if self._lanes[part.lane].retry.max_cost is None:
            return names
        return [name for name in names if self.affords(part, name, names)]

    def _preferred(self, part: Part, rule: str) -> Sequence[str]:
        route = self._routes.get(rule)
        if route is None or route.prefer == "order":
            return self._carriers_of.get(rule, ())
        names = preferred(route, part.to, part.country, self._prices, self._health.latency_s)
        if route.prefer == "speed" and len(names) > 1 and lot(part.message_id) >= MEASURED_BELOW:
            other = names.pop(1 + part.message_id % (len(names) - 1))
            names.insert(0, other)
        return names

    def _healthy(self, names: Sequence[str], part: Part) -> list[str]:
        """Return those that a part may take by its lot: a share of a sick one's traffic, all where nobody is better."""
        shares = {name: self._health.share(name, part.country) for name in names}
        best = max((share for name, share in shares.items() if self._is_up(name)), default=0.0)
        probed = [name for name in names if shares[name] < best and self._is_probed(name, part)]
        place = lot(part.message_id)
        return probed + [name for name in names if shares[name] >= best or place < shares[name]]

    def _has_better(self, carrier: str, part: Part, rule: str) -> bool:
        share = self._health.share(carrier, part.country)
        names = self._carriers_of.get(rule, ())
        others = (
            name for name in names if name not in part.refused and self._is_up(name) and self.affords(part, name, names)
        )
        return any(self._health.share(name, part.country) > share for name in others)

    def _is_up(self, name: str) -> bool:
        held = self._carriers.get(name)
        return held is not None and held.up

    def _is_probed(self, name: str, part: Part) -> bool:
        since = self._health.probing_since(name, part.country)
        if since is None:
            return False
        return not self._lanes[part.lane].urgent or self._clock() - since >= SPARED_S
