"""What the connector is configured with: one frozen value, every limit named with its unit, no secret in it.

Keys in the file are the field names; a field that ends in ``_s`` is a duration, written without the suffix as text:
``response_timeout = "60s"``.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Final, Literal

import attrs

from connector.errors import ConfigError
from connector.settings import (
    KeyPath,
    Validator,
    above,
    as_toml,
    at_least_one,
    duration,
    durations,
    load,
    named,
    nearest,
    shown,
    within,
)

Problems = Iterator[tuple[KeyPath, str]]

NOT_IN_THIS_FILE: Final = "a secret does not belong in this file: use {0}_env or {0}_file"


# --- validators -----------------------------------------------------------------------------------------------------


def _address(_instance: object, _field: object, value: str) -> None:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f'must be "host:port" such as "127.0.0.1:8080", not {shown(value)}')


def _country(_instance: object, _field: object, value: str | None) -> None:
    if value is not None and not (len(value) == 2 and value.isascii() and value.isalpha() and value.isupper()):
        raise ValueError(f'must be an ISO 3166 code of two capitals such as "GB", not {shown(value)}')


def _countries(_instance: object, _field: object, values: tuple[str, ...] | None) -> None:
    for value in values or ():
        _country(None, None, value)


def _name(_instance: object, _field: object, value: str) -> None:
    if not value.strip() or not value.isprintable() or "|" in value:
        raise ValueError(f'must be a name of printable characters without "|", not {shown(value)}')


def _field_text(limit: int) -> Validator:
    """Return a validator for text that goes into a C-octet string of at most ``limit`` octets with its NUL."""

    def check(_instance: object, _field: object, value: str) -> None:
        if not value.isascii() or "\0" in value or len(value) >= limit:
            raise ValueError(f"must be at most {limit - 1} ASCII characters, not {shown(value)}")

    return check


# --- secrets --------------------------------------------------------------------------------------------------------


def _read_secret(owner: str, env: str | None, file: str | None, environ: Mapping[str, str]) -> str:
    """Return the secret from its environment variable or file; ConfigError names the origin, never the content."""
    if env is not None:
        if not environ.get(env):
            raise ConfigError([f"{owner}: environment variable {env} is not set or empty"])
        return environ[env]
    try:
        content = Path(file or "").read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{owner}: file {file} cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{owner}: file {file} is not UTF-8 text"]) from error
    text = content.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ConfigError([f"{owner}: file {file} is empty"])
    return text


def _origin(env: str | None, file: str | None) -> str:
    if env is not None:
        return f"env {env}"
    return f"file {file}" if file is not None else "none"


# --- store and API --------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class StoreConfig:
    """Where messages are kept."""

    path: str = "carrierline.db"
    """SQLite file; a relative path starts at the working directory."""
    min_free_mb: int = attrs.field(default=200, validator=within(0))
    """Megabytes free on the disk below which intake is refused."""
    idempotency_s: float = duration("24h", validator=above(0))
    """How long an Idempotency-Key is remembered."""


@attrs.frozen(kw_only=True)
class KeyConfig:
    """One API key: who calls, and what they may do."""

    REFUSED: ClassVar = {"secret": NOT_IN_THIS_FILE.format("secret")}

    name: str = attrs.field(validator=_name)
    """Stable identity: queues and counters carry it."""
    secret_env: str | None = None
    """Environment variable that holds the secret."""
    secret_file: str | None = None
    """File that holds the secret; one closing newline is not part of it."""
    lanes: tuple[str, ...] = attrs.field(
        default=("transactional", "otp", "promotional"), validator=at_least_one("lane")
    )
    """Lanes it may use; the first is the one of a request that names none."""
    country: str | None = attrs.field(default=None, validator=_country)
    """ISO 3166 code by which national spellings of numbers are read; without it only international ones are."""
    sender: str | None = None
    """Source address of a request that names none."""
    senders: tuple[str, ...] | None = None
    """Source addresses it may use; without it any."""
    options: tuple[str, ...] = ()
    """Names of the SMPP fields and TLVs it may set."""
    max_waiting: int = attrs.field(default=1_000_000, validator=within(1))
    """Messages that may wait per lane; above it intake answers that the queue is full."""

    def problems(self) -> Problems:
        if (self.secret_env is None) == (self.secret_file is None):
            yield (), "needs exactly one of secret_env and secret_file"
        if self.senders is not None and self.sender is not None and self.sender not in self.senders:
            yield (
                ("sender",),
                f"{shown(self.sender)} is not among its senders{nearest(self.sender, self.senders)}",
            )

    @property
    def secret_origin(self) -> str:
        """Where the secret comes from, for people: ``env NAME`` or ``file PATH``."""
        return _origin(self.secret_env, self.secret_file)

    def read_secret(self, environ: Mapping[str, str]) -> str:
        """Return the secret; ConfigError names the variable or file it should have been in."""
        return _read_secret(f'api.key "{self.name}"', self.secret_env, self.secret_file, environ)


@attrs.frozen(kw_only=True)
class ApiConfig:
    """The HTTP door."""

    key: tuple[KeyConfig, ...] = attrs.field(validator=at_least_one("[[api.key]]"))
    listen: str = attrs.field(default="127.0.0.1:8080", validator=_address)
    """Address and port; port 0 takes a free one."""
    allow_plaintext: bool = False
    """Whether ``listen`` may be an address that other machines reach: secrets then travel in the clear."""
    max_body_kb: int = attrs.field(default=2_048, validator=within(1))
    """Kilobytes of one request's body."""
    max_concurrent: int = attrs.field(default=64, validator=within(1))
    """Requests handled at a time; more wait."""

    def problems(self) -> Problems:
        yield from _repeated((key.name for key in self.key), "key")
        if not (self.allow_plaintext or _is_loopback(self.host)):
            yield (
                ("listen",),
                f"{self.listen} is reached from other machines: set allow_plaintext = true if meant",
            )

    @property
    def host(self) -> str:
        """The address without its port; an IPv6 address without its brackets."""
        return self.listen.rpartition(":")[0].removeprefix("[").removesuffix("]")

    @property
    def port(self) -> int:
        """The port; 0 means any free one."""
        return int(self.listen.rpartition(":")[2])


# --- carriers -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class BindConfig:
    """One tie to a carrier, opened ``count`` times."""

    REFUSED: ClassVar = {"password": NOT_IN_THIS_FILE.format("password")}

    host: str = attrs.field(validator=_name)
    system_id: str = attrs.field(validator=_field_text(16))
    port: int = attrs.field(default=2775, validator=within(1, 65_535))
    password_env: str | None = None
    """Environment variable that holds the password."""
    password_file: str | None = None
    """File that holds the password; one closing newline is not part of it."""
    mode: Literal["transceiver", "transmitter", "receiver"] = "transceiver"
    count: int = attrs.field(default=1, validator=within(1, 100))
    """Links opened with these settings."""
    window_size: int = attrs.field(default=50, validator=within(1, 1_000))
    """Requests in flight on one link."""
    system_type: str = attrs.field(default="", validator=_field_text(13))
    interface_version: Literal["3.4", "3.3", "5.0"] = "3.4"
    response_timeout_s: float = duration("60s", validator=above(0))
    """After it a request without an answer is in doubt."""
    enquire_link_s: float = duration("30s", validator=above(0))
    """Silence after which the link is asked whether it lives."""
    connect_timeout_s: float = duration("10s", validator=above(0))
    """TCP connect."""
    reconnect_min_s: float = duration("1s", validator=above(0))
    """First pause after a lost link."""
    reconnect_max_s: float = duration("60s", validator=above(0))
    """Longest pause between two tries."""
    drain_s: float = duration("10s", validator=within(0))
    """How long an orderly end waits for answers still due."""
    max_unanswered: int = attrs.field(default=1_000, validator=within(1))
    """deliver_sm held and not yet answered; above it the carrier is told to come again."""

    def problems(self) -> Problems:
        if self.password_env is not None and self.password_file is not None:
            yield (), "needs at most one of password_env and password_file"
        if self.reconnect_min_s > self.reconnect_max_s:
            yield ("reconnect_min",), "must not be longer than reconnect_max"

    @property
    def submits(self) -> bool:
        """Whether submit_sm may be sent on it."""
        return self.mode != "receiver"

    @property
    def password_origin(self) -> str:
        """Where the password comes from, for people: ``env NAME``, ``file PATH`` or ``none``."""
        return _origin(self.password_env, self.password_file)

    def read_password(self, environ: Mapping[str, str]) -> str:
        """Return the password, "" if none is configured; ConfigError names the variable or file that lacks it."""
        if self.password_env is None and self.password_file is None:
            return ""
        owner = f"bind {self.system_id}@{self.host}:{self.port}"
        return _read_secret(owner, self.password_env, self.password_file, environ)


@attrs.frozen(kw_only=True)
class DialectConfig:
    """A carrier's habits."""

    id_in_response: Literal["same", "hex", "decimal"] = "same"
    """How the number in submit_sm_resp is spelled; "same" as in the receipts."""
    id_in_receipt: Literal["same", "hex", "decimal"] = "same"
    """How the same number is spelled in receipts."""
    default_alphabet: Literal["gsm", "latin1", "ascii"] = "gsm"
    """What data_coding 0 means there."""
    concatenation: Literal["udh8", "udh16", "sar", "payload"] = "udh8"
    """How parts of one message are tied together."""
    accepted_is_final: bool = False
    """Whether a receipt with ACCEPTD is the last word (Bandwidth) or only one on the way."""


@attrs.frozen(kw_only=True)
class CarrierConfig:
    """One contract with one operator or aggregator."""

    name: str = attrs.field(validator=_name)
    """Stable identity: attempts and receipts carry it."""
    bind: tuple[BindConfig, ...] = attrs.field(validator=at_least_one("[[carrier.bind]]"))
    rate_per_s: float | None = attrs.field(default=None, validator=above(0))
    """Parts per second over all binds of the account; without it only the windows limit."""
    rate_margin: float = attrs.field(default=0.98, validator=within(0.1, 1))
    """Share of the rate that is used: carriers count in their own seconds."""
    dialect: DialectConfig = DialectConfig()
    max_parts: int = attrs.field(default=10, validator=within(1, 255))
    """Parts of one message; a longer text is refused."""

    def problems(self) -> Problems:
        if not any(bind.submits for bind in self.bind):
            yield ("bind",), "all are receivers: one transceiver or transmitter is needed to submit"


# --- routes and lanes -----------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class RouteConfig:
    """A rule that lists carriers for a message; the first rule that fits is taken."""

    carriers: tuple[str, ...] = attrs.field(validator=at_least_one("carrier"))
    """In this order while they are healthy."""
    name: str | None = attrs.field(default=None, validator=attrs.validators.optional(_name))
    """Stable identity: queues carry it.  `Config` gives "route-1" and so on to those without one."""
    lanes: tuple[str, ...] | None = None
    """Lanes it is for; without it all."""
    countries: tuple[str, ...] | None = attrs.field(default=None, validator=_countries)
    """ISO 3166 codes of the destinations it is for; without it all."""


@attrs.frozen(kw_only=True)
class RetryConfig:
    """How often and when a part is tried again after the carrier said that it does not have it."""

    attempts: int = attrs.field(default=4, validator=within(1, 100))
    """Attempts that count, the first included; slow-downs do not count."""
    backoff_s: tuple[float, ...] = durations("5s", "30s", "2m", validator=at_least_one("pause"))
    """Pauses after the first, second ... attempt; the last one repeats."""


@attrs.frozen(kw_only=True)
class LaneConfig:
    """Traffic of one urgency."""

    reserve: float = attrs.field(default=0.1, validator=within(0, 1))
    """Share of each returning credit while several lanes wait; others borrow what is idle."""
    keep_free: float = attrs.field(default=0.0, validator=within(0, 1))
    """Share of the window, rounded down, that is never lent to other lanes."""
    deadline_s: float = duration("1h", validator=above(0))
    """After it a part not yet sent is expired, never sent late; a request may ask for less."""
    patience_s: float = duration("72h", validator=above(0))
    """How long the carrier's final word is awaited."""
    retry: RetryConfig = RetryConfig()
    urgent: bool = False
    """Whether acceptance and claim share one commit, ahead of bulk."""


LANES: Final = {
    "otp": LaneConfig(
        reserve=0.5,
        keep_free=0.05,
        deadline_s=120.0,
        retry=RetryConfig(backoff_s=(1.0, 3.0, 10.0)),
        urgent=True,
    ),
    "transactional": LaneConfig(reserve=0.3, deadline_s=3_600.0),
    "promotional": LaneConfig(reserve=0.2, deadline_s=86_400.0),
}
"""The lanes that exist without being configured; a table of that name overrides the keys it names."""


# --- the whole ------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Config:
    """The connector's whole configuration.

    Values built in Python are checked as a whole by `connector.settings.check`.
    """

    api: ApiConfig
    carrier: tuple[CarrierConfig, ...] = attrs.field(validator=at_least_one("[[carrier]]"))
    store: StoreConfig = StoreConfig()
    route: tuple[RouteConfig, ...] = ()
    """In order of precedence; without any, one named "default" takes every message to all carriers in file order."""
    lane: dict[str, LaneConfig] = attrs.field(metadata=named(LANES), factory=lambda: dict(LANES))

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "route", _named_routes(self.route, self.carrier))

    def missing_secrets(self, environ: Mapping[str, str]) -> list[str]:
        """Return, in words, every secret that cannot be read now."""
        problems: list[str] = []
        readers = [key.read_secret for key in self.api.key]
        readers += [bind.read_password for carrier in self.carrier for bind in carrier.bind]
        for read in readers:
            try:
                read(environ)
            except ConfigError as error:
                problems += error.problems
        return problems

    def problems(self) -> Problems:
        carriers = [carrier.name for carrier in self.carrier]
        yield from _repeated(carriers, "carrier")
        yield from _repeated((str(route.name) for route in self.route), "route")
        for index, route in enumerate(self.route):
            yield from _unknown(route.carriers, carriers, ("route", index, "carriers"), "carrier")
            yield from _unknown(route.lanes or (), self.lane, ("route", index, "lanes"), "lane")
        for index, key in enumerate(self.api.key):
            yield from _unknown(key.lanes, self.lane, ("api", "key", index, "lanes"), "lane")


def load_config(path: str | Path) -> Config:
    """Return the configuration in a file; ConfigError holds every problem, one line each, with its line number."""
    return load(Path(path), Config)


def effective(config: Config) -> str:
    """Return the configuration as TOML with every default written out; of secrets only the origin is in it."""
    return as_toml(config)


def _named_routes(routes: tuple[RouteConfig, ...], carriers: tuple[CarrierConfig, ...]) -> tuple[RouteConfig, ...]:
    if not routes:
        return (RouteConfig(name="default", carriers=tuple(carrier.name for carrier in carriers)),)
    return tuple(attrs.evolve(route, name=route.name or f"route-{number}") for number, route in enumerate(routes, 1))


def _repeated(names: Iterable[str], what: str) -> Problems:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield (what, index, "name"), f"{shown(name)} is the name of another {what}"
        seen.add(name)


def _unknown(names: Iterable[str], known: Iterable[str], path: KeyPath, what: str) -> Problems:
    known = list(known)
    for index, name in enumerate(names):
        if name not in known:
            yield (*path, index), f"there is no {what} {shown(name)}{nearest(name, known)}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


EXAMPLE: Final = """\
[[api.key]]
name = "shop"
secret_env = "CARRIERLINE_KEY_SHOP"

[[carrier]]
name = "north"
rate_per_s = 100
[[carrier.bind]]
host = "smpp.north.example"
system_id = "acme"
password_env = "NORTH_PASSWORD"
"""
"""A complete configuration: one carrier, one key, defaults for the rest."""
