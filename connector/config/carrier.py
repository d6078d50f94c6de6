"""Carriers: a contract, its binds and its pace."""

import attrs

from connector.config import checks
from connector.config.bind import BindConfig
from connector.config.checks import Problems
from connector.config.dialect import DialectConfig
from connector.settings import above, at_least_one, within


@attrs.frozen(kw_only=True)
class CarrierConfig:
    """One contract with one operator or aggregator."""

    name: str = attrs.field(validator=checks.name)
    """Stable identity: attempts and receipts carry it."""
    bind: tuple[BindConfig, ...] = attrs.field(validator=at_least_one("[[carrier.bind]]"))
    rate_per_s: float | None = attrs.field(default=None, validator=above(0))
    """Parts per second over all binds of the account; without it only the windows limit."""
    rate_margin: float = attrs.field(default=0.98, validator=within(0.1, 1))
    """Share of the rate that is used: carriers count in their own seconds."""
    dialect: DialectConfig = attrs.field(factory=DialectConfig)
    max_parts: int = attrs.field(default=10, validator=within(1, 255))
    """Parts of one message; a longer text is refused."""

    def problems(self) -> Problems:
        if not any(bind.submits for bind in self.bind):
            yield ("bind",), "all are receivers: one transceiver or transmitter is needed to submit"
