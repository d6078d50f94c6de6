"""Carriers: a contract, its binds and its pace."""

import attrs

from connector.config import checks
from connector.config.bind import BindConfig
from connector.config.checks import Problems, Rules
from connector.config.dialect import DialectConfig
from connector.settings import KeyPath, above, at_least_one, duration, shown, within


@attrs.frozen(kw_only=True)
class LimitConfig:
    """A limit inside the account's: of one destination country or one sender, or of each of them."""

    rate_per_s: float = attrs.field(validator=above(0))
    """Parts per second."""
    sender: str | None = None
    """Source address it is for; "*" means each sender by itself."""
    country: str | None = None
    """ISO 3166 code of the destination it is for; "*" means each country by itself."""

    def problems(self) -> Rules:
        yield self._about_one()
        yield self._value("country", checks.country_problem)
        yield self._value("sender", checks.not_sender)

    def _about_one(self) -> Problems:
        if (self.sender is None) == (self.country is None):
            yield (), "needs exactly one of sender and country"

    def _value(self, key: str, rule: checks.Rule) -> Problems:
        value = getattr(self, key)
        if value not in (None, "*") and (problem := rule(value)) is not None:
            yield (key,), problem

    @property
    def scope(self) -> str:
        """What it is about: ``sender`` or ``country``."""
        return "sender" if self.sender is not None else "country"

    @property
    def value(self) -> str:
        """Which one: a name or "*"."""
        return str(self.country if self.sender is None else self.sender)


@attrs.frozen(kw_only=True)
class RampStage:
    """One stage of a new carrier's beginning."""

    rate: float = attrs.field(validator=above(0))
    """Parts per second."""
    for_s: float = duration(validator=above(0))
    """How long, from the first part that leaves in it."""


@attrs.frozen(kw_only=True)
class RampLimits:
    """What halts a ramp, with an alarm: it stays at its stage until somebody has looked."""

    refused: float = attrs.field(default=0.1, validator=within(0, 1))
    """Share of answers of a stage that may be refusals; slow-downs are none."""
    undelivered: float = attrs.field(default=0.3, validator=within(0, 1))
    """Share of final receipts of a stage that may say anything but delivered."""
    samples: int = attrs.field(default=100, validator=within(1))
    """Answers or receipts of a stage before they are judged."""


@attrs.frozen(kw_only=True)
class PriceConfig:
    """What one part costs to the numbers that begin so."""

    prefix: str
    """First digits of the number, country code included, without a plus; the longest that fits counts, "" fits all."""
    price: float = attrs.field(validator=within(0))
    """Per part; all price tables are in one currency."""

    def problems(self) -> Problems:
        if self.prefix and (problem := checks.prefix_problem(self.prefix)) is not None:
            yield ("prefix",), problem


@attrs.frozen(kw_only=True)
class CarrierConfig:
    """One contract with one operator or aggregator."""

    name: str = attrs.field(validator=checks.name)
    """Stable identity: attempts and receipts carry it."""
    bind: tuple[BindConfig, ...] = attrs.field(validator=at_least_one("[[carrier.bind]]"))
    binds_per_minute: int | None = attrs.field(
        default=None, validator=within(1), metadata={"instead": "tries_per_minute"}
    )
    """Tries to bind in any minute, over all binds of the account; without it 12, or two for each bind if that is more:
    SMPP 5.0 advises a try about every five seconds, and all binds may come up, and once more, without waiting."""
    rate_per_s: float | None = attrs.field(default=None, validator=above(0))
    """Parts per second over all binds of the account; without it only the windows limit."""
    rate_margin: float = attrs.field(default=0.98, validator=within(0.1, 1))
    """Share of the rate that is used: carriers count in their own seconds."""
    limit: tuple[LimitConfig, ...] = ()
    """Limits of countries and senders inside it."""
    ramp: tuple[RampStage, ...] = ()
    """Stages of a new carrier, in order; after the last one it gets its whole rate."""
    ramp_limits: RampLimits = attrs.field(factory=RampLimits)
    dialect: DialectConfig = attrs.field(factory=DialectConfig)
    price: tuple[PriceConfig, ...] = ()
    """Its price table."""
    max_parts: int = attrs.field(default=10, validator=within(1, 255))
    """Parts of one message; a longer text is refused."""

    def _beyond_the_account(self) -> Rules:
        """Limits nest: what is above the one around it limits nothing, and cannot be meant."""
        for table, key in (("limit", "rate_per_s"), ("bind", "rate_per_s"), ("ramp", "rate")):
            for number, inner in enumerate(getattr(self, table)):
                yield self._beyond(inner, (table, number), key)

    def _beyond(self, inner: object, path: KeyPath, key: str) -> Problems:
        whole, rate = self.rate_per_s, getattr(inner, key) or 0.0
        if whole is not None and rate > whole:
            yield (*path, key), f"{rate:g} is more than the {whole:g} of the account around it"

    @property
    def tries_per_minute(self) -> int:
        """How often all binds together may try to bind in any minute."""
        return self.binds_per_minute or max(12, 2 * sum(bind.count for bind in self.bind))

    def problems(self) -> Rules:
        yield self._limited_twice()
        yield self._beyond_the_account()
        yield self._without_reference()
        yield self._priced_twice()
        yield self._submitting_nowhere()

    def _limited_twice(self) -> Problems:
        seen = set()
        for index, limit in enumerate(self.limit):
            if (limit.scope, limit.value) in seen:
                yield ("limit", index), f"there is another limit for {limit.scope} {shown(limit.value)}"
            seen.add((limit.scope, limit.value))

    def _without_reference(self) -> Problems:
        if self.dialect.doubt_settled_by == "reference" and self.dialect.tlvs == "auto":
            for index, bind in enumerate(self.bind):
                if bind.interface_version == "3.3":
                    text = 'has no TLVs, and dialect.doubt_settled_by = "reference" needs one'
                    yield ("bind", index, "interface_version"), text

    def _priced_twice(self) -> Problems:
        priced: set[str] = set()
        for index, row in enumerate(self.price):
            if row.prefix in priced:
                yield ("price", index, "prefix"), f"there is another price for prefix {shown(row.prefix)}"
            priced.add(row.prefix)

    def _submitting_nowhere(self) -> Problems:
        if not any(bind.submits for bind in self.bind):
            yield ("bind",), "all are receivers: one transceiver or transmitter is needed to submit"
