"""The whole configuration, as one value and as a file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import attrs

from connector.config import checks
from connector.config.api import ApiConfig
from connector.config.carrier import CarrierConfig
from connector.config.checks import Problems
from connector.config.health import HealthConfig
from connector.config.inbound import InboundConfig
from connector.config.lane import LANES, LaneConfig
from connector.config.route import RouteConfig
from connector.config.store import StoreConfig
from connector.errors import ConfigError
from connector.settings import as_toml, at_least_one, load, named, nearest, shown


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

    def problems(self) -> Problems:
        carriers = [carrier.name for carrier in self.carrier]
        yield from checks.repeated(carriers, "carrier")
        yield from checks.repeated((str(route.name) for route in self.route), "route")
        yield from _one_account_each(self.carrier)
        yield from _kept_for_receipts(self.store, self.carrier)
        for index, route in enumerate(self.route):
            yield from checks.unknown(route.carriers, carriers, ("route", index, "carriers"), "carrier")
            yield from checks.unknown(route.lanes or (), self.lane, ("route", index, "lanes"), "lane")
            yield from checks.unknown(
                route.keys or (), [key.name for key in self.api.key], ("route", index, "keys"), "API key"
            )
        for name, lane in self.lane.items():
            for carrier_name in lane.carrier:
                yield from checks.unknown([carrier_name], carriers, ("lane", name, "carrier"), "carrier")
        for index, carrier in enumerate(self.carrier):
            for path, sentence in carrier.dialect.lane_problems(self.lane):
                yield ("carrier", index, "dialect", *path), sentence
        for index, rule in enumerate(self.inbound.route):
            at = ("inbound", "route", index)
            keys = [key.name for key in self.api.key]
            yield from (((*at, "api_key"), said) for _, said in checks.unknown([rule.api_key], keys, (), "API key"))
            yield from checks.unknown(rule.carriers or (), carriers, (*at, "carriers"), "carrier")
        for index, key in enumerate(self.api.key):
            yield from checks.unknown(key.lanes, self.lane, ("api", "key", index, "lanes"), "lane")


def load_config(path: str | Path) -> Config:
    """Return the configuration in a file; ConfigError holds every problem, one line each, with its line number."""
    return load(Path(path), Config)


def effective(config: Config) -> str:
    """Return the configuration as TOML with every default written out; of secrets only the origin is in it."""
    return as_toml(config)


def _one_account_each(carriers: tuple[CarrierConfig, ...]) -> Problems:
    """An account's rate and its tries to bind are counted in one place: in its carrier."""
    owners: dict[tuple[str, str], str] = {}
    for index, carrier in enumerate(carriers):
        for number, bind in enumerate(carrier.bind):
            for place in bind.endpoints:
                owner = owners.setdefault((bind.system_id, str(place)), carrier.name)
                if owner != carrier.name:
                    text = f"{bind.system_id} at {place} belongs to carrier {shown(owner)}: one account, one carrier"
                    yield ("carrier", index, "bind", number), text


def _kept_for_receipts(store: StoreConfig, carriers: tuple[CarrierConfig, ...]) -> Problems:
    """A receipt may come for as long as its id means one message: so long both must be kept to meet."""
    longest = max(carriers, key=lambda carrier: carrier.dialect.id_lifetime_s)
    kept_s = {"keep_receipts": store.keep_receipts_s, "keep_messages": store.keep_messages_s}
    for key, time_s in kept_s.items():
        if time_s < longest.dialect.id_lifetime_s:
            text = (
                f"must not be less than dialect.id_lifetime of carrier {shown(longest.name)}: receipts come until then"
            )
            yield ("store", key), text


def _named_routes(routes: tuple[RouteConfig, ...], carriers: tuple[CarrierConfig, ...]) -> tuple[RouteConfig, ...]:
    if not routes:
        return (RouteConfig(name="default", carriers=tuple(carrier.name for carrier in carriers)),)
    return tuple(attrs.evolve(route, name=route.name or f"route-{number}") for number, route in enumerate(routes, 1))


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
