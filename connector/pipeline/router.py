"""Which rule a message falls under, and which carrier of that rule takes it now.

The rule follows from the message and is fixed at accept; the carrier is chosen only when a place is free.
"""

import logging
from collections.abc import Collection, Iterable, Sequence

from connector.config import CarrierConfig, Config, RouteConfig
from connector.model import QueueName
from connector.pipeline.lanes import Queue

log = logging.getLogger("carrierline.router")


class Router:
    """The route rules, in the order of the config: the first that fits a message is its rule."""

    def __init__(self, routes: Iterable[RouteConfig]) -> None:
        self._routes = tuple(routes)
        self._carriers = {str(route.name): tuple(route.carriers) for route in self._routes}

    def rule(self, lane: str, country: str | None) -> str | None:
        """Return the name of the rule for this traffic, or None if no rule takes it."""
        for route in self._routes:
            if route.lanes and lane not in route.lanes:
                continue
            if route.countries and country not in route.countries:
                continue
            return str(route.name)
        return None

    def rules(self, lane: str) -> list[str]:
        """Return the rules that traffic of this lane can fall under."""
        return [str(route.name) for route in self._routes if not route.lanes or lane in route.lanes]

    def carriers(self, rule: str) -> Sequence[str]:
        """Return the carriers of a rule, preferred first; none for a rule that is no longer in the config."""
        return self._carriers.get(rule, ())


class Scopes:
    """The senders and countries that any carrier of a rule limits: their traffic waits in queues of its own."""

    def __init__(self, carriers: Iterable[CarrierConfig]) -> None:
        limits = [limit for carrier in carriers for limit in carrier.limit]
        self._senders = {limit.sender for limit in limits}
        self._countries = {limit.country for limit in limits}
        self._none = not limits

    def of(self, sender: str, country: str | None) -> str:
        """Return what a message of this sender to this country is limited by, as the queue's name has it."""
        if self._none:
            return ""
        words = []
        if sender in self._senders or "*" in self._senders:
            words.append(f"sender {sender}")
        if country is not None and (country in self._countries or "*" in self._countries):
            words.append(f"country {country}")
        return ", ".join(words)


def queue_names(config: Config) -> list[QueueName]:
    """Return every queue that traffic of this configuration can fall into."""
    rules = Router(config.route).rules
    return [QueueName(lane, rule, key.name) for key in config.api.key for lane in key.lanes for rule in rules(lane)]


def adopt(
    queues: Iterable[Queue], router: Router, lanes: Collection[str], carriers_of: dict[str, Sequence[str]]
) -> None:
    """Find carriers for queues whose rule is no longer in the configuration, and say so where something waits.

    For an empty one too: what is scheduled, or pauses between two tries, may come up in it.
    """
    for queue in queues:
        known = queue.lane in lanes
        if known and router.carriers(queue.rule):
            continue
        rules = router.rules(queue.lane) if known else []
        if rules:
            carriers_of[queue.rule] = router.carriers(rules[0])
        if queue.waiting:
            _tell(queue, rules)


def _tell(queue: Queue, rules: Sequence[str]) -> None:
    if rules:
        text = "%d parts of lane %s wait under route %s, now gone: %s takes them"
        log.warning(text, queue.waiting, queue.lane, queue.rule, rules[0])
    else:
        text = "%d parts wait in lane %s under route %s: not both are configured any more"
        log.error(text, queue.waiting, queue.lane, queue.rule)
