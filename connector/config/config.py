"""The whole configuration, as one value and as a file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import attrs

from connector.config import checks
from connector.config.api import ApiConfig
from connector.config.carrier import CarrierConfig
from connector.config.checks import Problems, Rules
from connector.config.health import HealthConfig
from connector.config.inbound import InboundConfig
from connector.config.lane import LANES, LaneConfig
from connector.config.names import OPTION_FIELDS
from connector.config.route import RouteConfig
from connector.config.store import StoreConfig
from connector.errors import ConfigError
from connector.settings import KeyPath, as_toml, at_least_one, evolved, load, named, nearest, shown
from connector.smpp.tables import TLV_BY_NAME


@attrs.frozen(kw_only=True)
class Config:
    """The connector's whole configuration.

    Values built in Python are checked as a whole by `connector.settings.check`.
    """

    api: ApiConfig
    carrier: tuple[CarrierConfig, ...] = attrs.field(validator=at_least_one("[[carrier]]"))
    store: StoreConfig = attrs.field(factory=StoreConfig)
    route: tuple[RouteConfig, ...] = ()
    """In order of precedence; without any, one named "default" takes every message to all carriers in file order."""
    health: HealthConfig = attrs.field(factory=HealthConfig)
    inbound: InboundConfig = attrs.field(factory=InboundConfig)
    lane: dict[str, LaneConfig] = attrs.field(metadata=named(LANES), factory=lambda: dict(LANES))

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "route", _named_routes(self.route, self.carrier))

    def missing_secrets(self, environ: Mapping[str, str]) -> list[str]:
        """Return, in words, every secret, certificate and key that cannot be read now."""
        problems: list[str] = []
        readers: list[Callable[[Mapping[str, str]], object]] = [key.read_secret for key in self.api.key]
        readers += [bind.read_credentials for carrier in self.carrier for bind in carrier.bind]
        for read in readers:
            try:
                read(environ)
            except ConfigError as error:
                problems += error.problems
        return problems

    def unused_lanes(self) -> list[str]:
        """Return, in words, every lane of the file that no API key may use and no route names.

        It is no error, for what waits in it still leaves; but its name may be mistyped.
        """
        meant = {name for key in self.api.key for name in key.lanes}
        meant |= {name for route in self.route for name in route.lanes or ()}
        return [
            f"lane.{name}: no API key may use this lane, and no route names it{nearest(name, meant | LANES.keys())}"
            for name, lane in self.lane.items()
            if name not in meant and lane != LANES.get(name)
        ]

    def problems(self) -> Rules:
        yield checks.repeated(self, "carrier")
        yield checks.repeated(self, "route")
        yield _one_account_each(self)
        yield _kept_for_receipts(self)
        yield self._names_in_routes()
        yield self._names_in_lanes()
        yield self._names_in_dialects()
        yield self._names_in_inbound_routes()
        yield self._names_in_keys()

    def _names_in_routes(self) -> Rules:
        for index, route in enumerate(self.route):
            for key, what in (("carriers", "carrier"), ("lanes", "lane"), ("keys", "API key")):
                yield self._unknown(route, key, what, ("route", index))

    def _names_in_lanes(self) -> Rules:
        for name, lane in self.lane.items():
            yield self._unknown(lane, "carrier", "carrier", ("lane", name))

    def _names_in_dialects(self) -> Rules:
        for index, carrier in enumerate(self.carrier):
            yield checks.below(("carrier", index, "dialect"), carrier.dialect.lane_problems(self.lane))

    def _names_in_inbound_routes(self) -> Rules:
        for index, route in enumerate(self.inbound.route):
            for key, what in (("api_key", "API key"), ("carriers", "carrier")):
                yield self._unknown(route, key, what, ("inbound", "route", index))

    def _names_in_keys(self) -> Rules:
        for index, key in enumerate(self.api.key):
            yield self._unknown(key, "lanes", "lane", ("api", "key", index))
            yield self._unknown(key, "options", "option", ("api", "key", index))

    def _unknown(self, owner: object, key: str, what: str, path: KeyPath) -> Problems:
        """Yield the names under a key of what is at this path that none of this sort has here."""
        known = {
            "carrier": lambda: [carrier.name for carrier in self.carrier],
            "lane": lambda: list(self.lane),
            "API key": lambda: [each.name for each in self.api.key],
            "option": lambda: [*OPTION_FIELDS, *TLV_BY_NAME, *(tlv for it in self.carrier for tlv in it.dialect.tlv)],
        }
        yield from checks.below(path, checks.unknown(owner, key, known[what](), what))


def load_config(path: str | Path) -> Config:
    """Return the configuration in a file; ConfigError holds every problem, one line each, with its line number."""
    return load(Path(path), Config)


def effective(config: Config) -> str:
    """Return the configuration as TOML with every default written out; of secrets only the origin is in it."""
    return as_toml(config)


def _one_account_each(config: Config) -> Problems:
    """An account's rate and its tries to bind are counted in one place: in its carrier."""
    owners: dict[tuple[str, str], str] = {}
    for index, carrier in enumerate(config.carrier):
        for number, bind in enumerate(carrier.bind):
            for place in bind.endpoints:
                owner = owners.setdefault((bind.system_id, str(place)), carrier.name)
                if owner != carrier.name:
                    text = f"{bind.system_id} at {place} belongs to carrier {shown(owner)}: one account, one carrier"
                    yield ("carrier", index, "bind", number), text


def _kept_for_receipts(config: Config) -> Rules:
    """A receipt may come for as long as its id means one message: so long both must be kept to meet."""
    for key in ("keep_receipts", "keep_messages"):
        yield _kept_as_long(config, key)


def _kept_as_long(config: Config, key: str) -> Problems:
    longest = max(config.carrier, key=lambda carrier: carrier.dialect.id_lifetime_s)
    if getattr(config.store, f"{key}_s") < longest.dialect.id_lifetime_s:
        text = f"must not be less than dialect.id_lifetime of carrier {shown(longest.name)}: receipts come until then"
        yield ("store", key), text


def _named_routes(routes: tuple[RouteConfig, ...], carriers: tuple[CarrierConfig, ...]) -> tuple[RouteConfig, ...]:
    if not routes:
        return (RouteConfig(name="default", carriers=tuple(carrier.name for carrier in carriers)),)
    return tuple(
        route if route.name else evolved(route, name=f"route-{number}") for number, route in enumerate(routes, 1)
    )


EXAMPLE: Final = """\
[[api.key]]
name = "shop"
secret_env = "CARRIERLINE_KEY_SHOP"
operator = true          # may also see the status, suspend carriers and reload this file

[[carrier]]
name = "north"
rate_per_s = 100
[[carrier.bind]]
host = "smpp.north.example"
tls = true
system_id = "acme"
password_env = "NORTH_PASSWORD"
"""
"""A complete configuration: one carrier, one key, defaults for the rest."""
