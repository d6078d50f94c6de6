"""Which rule a message falls under, and which carrier of that rule takes it now.

The rule follows from the message and is fixed at accept; the carrier is chosen only when a place is free.
"""

import logging
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import attrs

from connector.config import CarrierConfig, Config, RouteConfig
from connector.config.route import MessageClass
from connector.model import QueueName
from connector.pipeline.prices import Prices
from connector.pipeline.queue import Queue

log = logging.getLogger("carrierline.router")

# --- what rules look at ---------------------------------------------------------------------------------------------


class Traffic(NamedTuple):
    """What route rules look at in a message.  A tuple: one is made for each message that is accepted."""

    lane: str
    country: str | None
    """ISO 3166 code; None for a number of no country."""
    to: str = ""
    """E.164 digits without the plus."""
    sender: str = ""
    api_key: str = ""
    """Its name."""
    message_class: MessageClass = "none"


_CLASSES: Final[tuple[MessageClass, ...]] = ("flash", "device", "sim", "terminal")
_CLASS_PRESENT: Final = 0x10
"""Bit 4 of the general coding groups: bits 1 and 0 have a message class meaning."""


def _class_in(data_coding: int) -> MessageClass:
    group = data_coding >> 4
    # 00xx (general) and 01xx (marked for automatic deletion) say with bit 4 whether there is one, 1111 always has one
    present = group == 0b1111 or (group < 0b1000 and data_coding & _CLASS_PRESENT)
    return _CLASSES[data_coding & 0b11] if present else "none"


CLASS_OF_DATA_CODING: Final = tuple(map(_class_in, range(256)))
"""3GPP TS 23.038, 4, as carriers read data_coding where SMPP 3.4, 5.2.19 leaves it to the GSM specification."""


def message_class(options: Mapping[str, Any] | None) -> MessageClass:
    """Return the class that a request's own data_coding gives its message; "none" for one that is no octet."""
    data_coding = (options or {}).get("data_coding")
    if type(data_coding) is not int or not 0 <= data_coding <= 0xFF:
        return "none"
    return CLASS_OF_DATA_CODING[data_coding]


# --- rules ----------------------------------------------------------------------------------------------------------


@attrs.frozen
class _Criterion:
    """One key of a rule, ready to be asked."""

    place: int
    """Of what it looks at, in `Traffic`."""
    values: frozenset[str | None]
    word: str
    """What people call it."""

    def why_not(self, traffic: Traffic) -> str:
        return f"{self.word} {traffic[self.place] or 'unknown'} is not {_or(self.values)}"


@attrs.frozen
class _Beginnings:
    """The prefixes of a rule."""

    prefixes: tuple[str, ...]

    def why_not(self, _traffic: Traffic) -> str:
        return f"the number does not begin with {_or(self.prefixes)}"


_CRITERIA: Final = (
    ("lanes", Traffic._fields.index("lane"), "lane"),
    ("countries", Traffic._fields.index("country"), "country"),
    ("senders", Traffic._fields.index("sender"), "sender"),
    ("keys", Traffic._fields.index("api_key"), "API key"),
    ("classes", Traffic._fields.index("message_class"), "message class"),
)
"""(key of a rule, what it looks at, what people call it); prefixes are asked in their own way."""
DECIDING: Final = (*(key for key, _, _ in _CRITERIA), "prefixes")
"""Keys of a rule that decide what falls under it."""


class _Rule:
    """A route rule, taken apart once so that asking is cheap."""

    def __init__(self, route: RouteConfig) -> None:
        self.route = route
        self.name = str(route.name)
        self._criteria = tuple(
            _Criterion(place, frozenset(values), word)
            for key, place, word in _CRITERIA
            if (values := getattr(route, key))
        )
        self._beginnings = _Beginnings(tuple(route.prefixes)) if route.prefixes else None

    def misfit(self, traffic: Traffic) -> _Criterion | _Beginnings | None:
        """Return the first thing that does not fit this traffic, None if all does."""
        for criterion in self._criteria:
            if traffic[criterion.place] not in criterion.values:
                return criterion
        beginnings = self._beginnings
        return None if beginnings is None or traffic.to.startswith(beginnings.prefixes) else beginnings

    def is_open_to(self, lane: str, api_key: str | None) -> bool:
        lanes, keys = self.route.lanes, self.route.keys
        return (not lanes or lane in lanes) and (api_key is None or not keys or api_key in keys)


def _or(values: Iterable[str | None]) -> str:
    *first, last = sorted(map(str, values))
    return f"{', '.join(first)} or {last}" if first else last


class Looked(NamedTuple):
    """A rule that was looked at for a message."""

    rule: str
    fits: bool
    why_not: str | None
    """The first thing that does not fit."""


class Router:
    """The route rules, in the order of the config: the first that fits a message is its rule."""

    def __init__(self, routes: Iterable[RouteConfig]) -> None:
        self._rules = tuple(map(_Rule, routes))
        self._by_name = {rule.name: rule.route for rule in self._rules}

    def rule(self, traffic: Traffic) -> str | None:
        """Return the name of the rule for this traffic, or None if no rule takes it."""
        for rule in self._rules:
            if rule.misfit(traffic) is None:
                return rule.name
        return None

    def trace(self, traffic: Traffic) -> list[Looked]:
        """Return every rule that is looked at for this traffic, in order: the last one fits, unless none does."""
        looked: list[Looked] = []
        for rule in self._rules:
            misfit = rule.misfit(traffic)
            looked.append(Looked(rule.name, misfit is None, None if misfit is None else misfit.why_not(traffic)))
            if misfit is None:
                break
        return looked

    def rules(self, lane: str, api_key: str | None = None) -> list[str]:
        """Return the rules that traffic of this lane can fall under, from this API key if one is named."""
        return [rule.name for rule in self._rules if rule.is_open_to(lane, api_key)]

    def route(self, rule: str) -> RouteConfig | None:
        """Return a rule as it is configured; None for one that is no longer in the config."""
        return self._by_name.get(rule)

    def carriers(self, rule: str) -> Sequence[str]:
        """Return the carriers of a rule in the order of the config; none for a rule that is no longer in it."""
        route = self._by_name.get(rule)
        return () if route is None else route.carriers


def preferred(
    rule: RouteConfig,
    to: str,
    country: str | None,
    prices: Prices,
    latency_s: Callable[[str, str | None], float | None],
) -> list[str]:
    """Return the rule's carriers, the one to be tried first in front, by its ``prefer``.

    ``latency_s`` tells how long a carrier has been taking to a country; one whose latency or price nobody knows comes
    after the others, and those that are alike stay in the order of the config.
    """
    if rule.prefer == "order":
        return list(rule.carriers)
    by_cost = rule.prefer == "cost"
    ranks = {name: prices.price(name, to) if by_cost else latency_s(name, country) for name in rule.carriers}
    return sorted(rule.carriers, key=lambda name: math.inf if (rank := ranks[name]) is None else rank)


# --- queues ---------------------------------------------------------------------------------------------------------


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
    """Return every queue that traffic of this configuration can fall into; those of a scope open when one is needed."""
    rules = Router(config.route).rules
    return [
        QueueName(lane, rule, key.name)
        for key in config.api.key
        for lane in key.lanes
        for rule in rules(lane, key.name)
    ]


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
        rules = router.rules(queue.lane, queue.api_key) if known else []
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
