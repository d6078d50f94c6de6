"""Route rules: which carriers a message may take."""

from typing import Literal

import attrs

from connector.config import checks
from connector.config.checks import Problems, Rules
from connector.settings import at_least_one, shown

MessageClass = Literal["flash", "device", "sim", "terminal", "none"]
"""Classes 0 to 3 of 3GPP TS 23.038, 4, as ``data_coding`` says them; "none" is a message without a class."""


@attrs.frozen(kw_only=True)
class RouteConfig:
    """A rule that lists carriers for a message; the first rule that fits is taken."""

    carriers: tuple[str, ...] = attrs.field(validator=at_least_one("carrier"))
    """Those that may take it; see ``prefer``."""
    name: str | None = attrs.field(default=None, validator=attrs.validators.optional(checks.name))
    """Stable identity: queues carry it.  `Config` gives "route-1" and so on to those without one."""
    lanes: tuple[str, ...] | None = None
    """Lanes it is for; without it all."""
    countries: tuple[str, ...] | None = None
    """ISO 3166 codes of the destinations it is for; without it all."""
    prefixes: tuple[str, ...] | None = None
    """First digits of the numbers it is for, country code included, without a plus; without it all."""
    senders: tuple[str, ...] | None = None
    """Source addresses it is for; without it all."""
    keys: tuple[str, ...] | None = None
    """Names of the API keys it is for; without it all."""
    classes: tuple[MessageClass, ...] | None = None
    """Message classes it is for; without it all."""
    prefer: Literal["order", "speed", "cost"] = "order"
    """Which of the healthy carriers goes first: in the order of ``carriers``, the one that has been answering and
    delivering fastest (one message in fifty goes to another one, to know how fast that is), or the cheapest for the
    number."""

    def problems(self) -> Rules:
        for key in ("lanes", "countries", "prefixes", "senders", "keys", "classes"):
            yield checks.not_empty(self, key)
        yield checks.items(self, "countries", checks.country_problem)
        yield checks.items(self, "prefixes", checks.prefix_problem)
        yield checks.items(self, "senders", checks.not_sender)
        yield self._named_twice()

    def _named_twice(self) -> Problems:
        for index, name in enumerate(self.carriers):
            if name in self.carriers[:index]:
                yield ("carriers", index), f"{shown(name)} is named before"
