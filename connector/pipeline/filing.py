"""Which queue a message belongs in by one configuration, now and after a reload, and what leaves queues as they are.

Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from connector.config import Config, RouteConfig
from connector.model import QueueName, Unsettled
from connector.pipeline.router import DECIDING, Router, Scopes, Traffic, message_class


class Filing:
    """The queues of one configuration: of its rules, and of what their carriers limit."""

    def __init__(self, config: Config) -> None:
        carriers = {carrier.name: carrier for carrier in config.carrier}
        self._lanes = frozenset(config.lane)
        self.router = Router(config.route)
        self._scopes = {str(it.name): Scopes(carriers[name] for name in it.carriers) for it in config.route}
        self._rules = {str(it.name): _rule(it) for it in config.route}
        self._limited = {
            str(it.name): sorted(
                {str((limit.sender, limit.country)) for c in it.carriers for limit in carriers[c].limit}
            )
            for it in config.route
        }

    def name(self, item: Unsettled) -> QueueName | None:
        """Return the queue this part belongs in, None if no rule takes it."""
        options: Mapping[str, object] | None = json.loads(item.options) if item.options else None
        class_ = message_class(options)
        rule = self.router.rule(Traffic(item.lane, item.country, item.to, item.sender, item.api_key, class_))
        if rule is None or item.lane not in self._lanes:
            return None
        return QueueName(item.lane, rule, item.api_key, self.scope(rule, item.sender, item.country))

    def scope(self, rule: str, sender: str, country: str | None) -> str:
        """Return by what carriers of a rule limit traffic like this; what is limited alike waits in one queue."""
        return self._scopes[rule].of(sender, country)

    def decides(self, queue: QueueName) -> tuple[object, ...] | None:
        """Return all that keeps the parts of a queue in it: the rules up to its own, and what its carriers limit.

        None for a queue that nothing belongs in.  Where two configurations agree in this, the queue stays as it is.
        """
        if queue.lane not in self._lanes or queue.rule not in self._rules:
            return None
        before: list[object] = []
        for name in self.router.rules(queue.lane, queue.api_key):
            before.append((name, self._rules[name]))
            if name == queue.rule:
                return (*before, tuple(self._limited[name]))
        return None

    def digest(self) -> str:
        """Return a short text that differs for configurations that file differently."""
        all_of_it = [sorted(self._lanes), list(self._rules.items()), list(self._limited.items())]
        return hashlib.blake2b(json.dumps(all_of_it).encode(), digest_size=12).hexdigest()


def _rule(route: RouteConfig) -> tuple[object, ...]:
    return tuple(_sorted(getattr(route, key)) for key in DECIDING)


def _sorted(values: Iterable[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(sorted(values))
