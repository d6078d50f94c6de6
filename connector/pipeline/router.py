"""Which rule a message falls under, and which carrier of that rule takes it now.

The rule follows from the message and is fixed at accept; the carrier is chosen only when a place is free.
"""

from collections.abc import Iterable, Sequence

from connector.config import RouteConfig


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
