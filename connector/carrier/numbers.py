"""How a carrier fares, in numbers."""

import attrs

from connector.carrier.bind import BindStatistics
from connector.carrier.limits import ScopeStatistics


@attrs.frozen
class CarrierStatistics:
    """How a carrier fares."""

    name: str
    bound: int
    """Binds that are up."""
    credit: int
    """Parts that may be claimed for it now."""
    claimed: int
    """Parts that have credit and have not left: on their way to disk, or waiting for their moment."""
    wait_s: float
    """From the claim's commit to the wire, smoothed."""
    throttled: int
    """How often it said that it is too much."""
    limits: tuple[ScopeStatistics, ...]
    """The account's limit first, then those of binds, countries and senders."""
    suspended: bool
    ramp_stage: int
    """Stages of its ramp that are over."""
    ramp_halted: str
    """Why its ramp rises no more; empty while it does, or where there is none."""
    binds: tuple[BindStatistics, ...]

    @property
    def eased(self) -> bool:
        """Whether the carrier's complaints hold any of its limits down."""
        return any(limit.eased for limit in self.limits)
