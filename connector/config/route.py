"""Route rules: which carriers a message may take."""

import attrs

from connector.config import checks
from connector.settings import at_least_one


@attrs.frozen(kw_only=True)
class RouteConfig:
    """A rule that lists carriers for a message; the first rule that fits is taken."""

    carriers: tuple[str, ...] = attrs.field(validator=at_least_one("carrier"))
    """In this order while they are healthy."""
    name: str | None = attrs.field(default=None, validator=attrs.validators.optional(checks.name))
    """Stable identity: queues carry it.  `Config` gives "route-1" and so on to those without one."""
    lanes: tuple[str, ...] | None = None
    """Lanes it is for; without it all."""
    countries: tuple[str, ...] | None = attrs.field(default=None, validator=checks.countries)
    """ISO 3166 codes of the destinations it is for; without it all."""
