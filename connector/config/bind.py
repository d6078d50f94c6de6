"""Binds: where a carrier is reached, as whom, and with which patience."""

import ipaddress
import re
import ssl
from collections.abc import Mapping
from typing import ClassVar, Final, Literal

import attrs

from connector.config import checks, secrets
from connector.config.checks import Problems, Rules
from connector.config.tls import TlsConfig
from connector.errors import ConfigError
from connector.settings import above, duration, shown, within

LONGEST_PASSWORD: Final = 64
"""Characters.  The specification has room for 8, carriers hand out longer ones, and cutting one locks an account."""

_HOST: Final = re.compile(r"(\[(?P<v6>[^\[\]]+)\]|(?P<name>[^:\[\]]+))(:(?P<port>[0-9]{1,5}))?")


@attrs.frozen
class Endpoint:
    """One address a bind may be opened at."""

    host: str
    """Name or address; an IPv6 address without brackets."""
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def endpoint(text: str, port: int) -> Endpoint:
    """Return what "host", "host:port", "[IPv6]" or "[IPv6]:port" stands for; ValueError if it is none of them."""
    found = _HOST.fullmatch(text)
    if found is None or not text.isprintable() or " " in text:
        raise ValueError(f'must be "host" or "host:port", IPv6 in brackets, not {shown(text)}')
    if found["v6"]:
        ipaddress.IPv6Address(found["v6"])
    number = int(found["port"] or port)
    if not 1 <= number <= 65_535:
        raise ValueError(f"the port of {shown(text)} must be from 1 to 65535")
    return Endpoint(found["v6"] or found["name"], number)


def _host(_instance: object, _field: object, value: str) -> None:
    bare = value.removeprefix("[").removesuffix("]")
    if ":" in bare and not checks.is_address(bare):
        raise ValueError(f"must be a name or an address, not {shown(value)}: the port goes into port")
    if not bare or not bare.isprintable() or set(bare) & set(" /"):
        raise ValueError(f"must be a name or an address, not {shown(value)}")


def _hosts(_instance: object, _field: object, values: tuple[str, ...]) -> None:
    for value in values:
        endpoint(value, 1)


@attrs.frozen
class Credentials:
    """What a bind proves itself with, as it was when it was read."""

    password: str = attrs.field(default="", repr=False)
    tls: ssl.SSLContext | None = attrs.field(default=None, repr=False)
    """What the link is protected with; None for a plain one."""


@attrs.frozen(kw_only=True)
class BindConfig:
    """One tie to a carrier, opened ``count`` times."""

    REFUSED: ClassVar = {"password": secrets.NOT_IN_THIS_FILE.format("password")}

    host: str | None = attrs.field(default=None, validator=attrs.validators.optional(_host))
    """Name or address of the carrier."""
    hosts: tuple[str, ...] = attrs.field(default=(), validator=_hosts)
    """Instead of ``host``, several: "host" or "host:port", IPv6 in brackets.  They are tried in turn, the first one
    first; while bound to another, nothing goes back to the first."""
    system_id: str = attrs.field(validator=checks.field_text(16))
    """Name of the account, as the carrier gave it."""
    port: int = attrs.field(default=2775, validator=within(1, 65_535))
    """Port of a host that does not name one."""
    tls: bool | TlsConfig = False
    """true: TLS, trusting the authorities of the system; a table says more."""
    allow_plaintext: bool = False
    """Whether a host that is another machine may be reached without TLS: the password then travels in the clear."""
    password_env: str | None = None
    """Environment variable that holds the password."""
    password_file: str | None = None
    """File that holds the password; closing newlines are no part of it."""
    password_command: secrets.Command | None = attrs.field(default=None, validator=secrets.is_command)
    """Program that prints the password, and its arguments; closing newlines are no part of it.  Its error output is
    never shown, for it may hold secrets: run the program by hand to read it."""
    mode: Literal["transceiver", "transmitter", "receiver"] = "transceiver"
    """Whether messages leave, receipts and messages of subscribers come, or both."""
    count: int = attrs.field(default=1, validator=within(1, 100))
    """Links opened with these settings."""
    window_size: int = attrs.field(default=50, validator=within(1, 1_000))
    """Requests in flight on one link."""
    rate_per_s: float | None = attrs.field(default=None, validator=above(0))
    """Parts per second on one link, inside what the account allows; without it only that limits."""
    system_type: str = attrs.field(default="", validator=checks.field_text(13))
    """Sort of system that binds; usually ignored, and empty unless the carrier asks."""
    interface_version: Literal["3.4", "3.3", "5.0"] = "3.4"
    """Version of SMPP that is spoken."""
    addr_ton: int = attrs.field(default=0, validator=within(0, 255))
    """Type of number of the addresses this bind serves; some carriers insist on one."""
    addr_npi: int = attrs.field(default=0, validator=within(0, 255))
    """Numbering plan of these addresses."""
    address_range: str = attrs.field(default="", validator=checks.field_text(41))
    """The addresses this bind serves; usually ignored, and empty unless the carrier asks."""
    response_timeout_s: float = duration("60s", validator=above(0))
    """After it a request without an answer is in doubt."""
    enquire_link_s: float = duration("30s", validator=above(0))
    """Silence after which the link is asked whether it lives."""
    connect_timeout_s: float = duration("10s", validator=above(0))
    """TCP connect, TLS handshake included."""
    reconnect_min_s: float = duration("1s", validator=above(0))
    """Longest pause before the first try after a lost link, which is drawn: from 0.1 s, or from this where it is less,
    so that many binds never come back as one.  With every try that comes to nothing the longest doubles, up to
    ``reconnect_max``.  Tries of one account are at least 0.2 s apart, and at most ``binds_per_minute``."""
    reconnect_max_s: float = duration("60s", validator=above(0))
    """Longest pause between two tries after a lost link.  After a refusal it is from 10 s up to a minute, after a
    refusal without a clear word and after a failed TLS handshake from one minute up to five."""
    rebind_after_s: float = duration("60s", validator=above(0))
    """Pause after "already bound": so long the carrier takes to give up the session of before."""
    unbind_pause_s: float = duration("30s", validator=within(0))
    """Pause after the carrier said unbind."""
    max_lost_in_row: int = attrs.field(default=3, validator=within(1))
    """Requests without an answer, and none since the first of them, after which the link is given up."""
    drain_s: float = duration("10s", validator=within(0))
    """How long an orderly end waits for answers still due."""
    max_unanswered: int = attrs.field(default=1_000, validator=within(1))
    """deliver_sm held and not yet answered; above it the carrier is told to come again."""

    def problems(self) -> Rules:
        yield self._one_secret()
        yield self._reached()
        yield self._pauses()

    def _one_secret(self) -> Problems:
        yield from self.secret.too_many()

    def _reached(self) -> Problems:
        if (self.host is None) == (not self.hosts):
            yield (), "needs exactly one of host and hosts"
        elif len(set(self.endpoints)) < len(self.endpoints):
            yield ("hosts",), "names a host twice"
        elif self.tls is False and not self.allow_plaintext:
            yield from self._in_the_clear()
        elif not (self.secret.places or all(checks.is_loopback(place.host) for place in self.endpoints)):
            yield (), f"needs one of {self.secret.keys}: no carrier on another machine takes a bind without one"

    def _pauses(self) -> Problems:
        if self.reconnect_min_s > self.reconnect_max_s:
            yield ("reconnect_min",), "must not be longer than reconnect_max"

    def _in_the_clear(self) -> Problems:
        for index, place in enumerate(self.endpoints):
            if not checks.is_loopback(place.host):
                path = ("host",) if self.host is not None else ("hosts", index)
                yield path, f"{place} is another machine: set tls = true, or allow_plaintext = true if meant"

    @property
    def submits(self) -> bool:
        """Whether submit_sm may be sent on it."""
        return self.mode != "receiver"

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where it may be opened, the first choice first."""
        if self.host is not None:
            return (Endpoint(self.host.removeprefix("[").removesuffix("]"), self.port),)
        return tuple(endpoint(text, self.port) for text in self.hosts)

    @property
    def tls_config(self) -> TlsConfig | None:
        """How a link is protected; None for a plain one."""
        if isinstance(self.tls, TlsConfig):
            return self.tls
        return TlsConfig() if self.tls else None

    @property
    def secret(self) -> secrets.Secret:
        """Where the password is."""
        return secrets.Secret("password", self.password_env, self.password_file, self.password_command)

    @property
    def password_origin(self) -> str:
        """Where the password comes from, for people: ``env NAME``, ``file PATH``, ``command PROGRAM`` or ``none``."""
        return self.secret.origin

    @property
    def _owner(self) -> str:
        return f"bind {self.system_id}@{self.endpoints[0]}"

    def read_password(self, environ: Mapping[str, str]) -> str:
        """Return the password, "" if none is configured; ConfigError names what does not give a fit one."""
        password = self.secret.read(self._owner, environ)
        if not password.isascii() or "\0" in password or len(password) > LONGEST_PASSWORD:
            raise ConfigError(
                [f"{self._owner}: {self.password_origin} must be at most {LONGEST_PASSWORD} ASCII characters"]
            )
        return password

    def read_credentials(self, environ: Mapping[str, str]) -> Credentials:
        """Return password and TLS as they are now: rotation needs no more than another read.

        Raises ConfigError with one line on the secret or file that cannot be used.  It reads files and may run a
        ``*_command``, which takes up to ten seconds: never call it in the event loop of a running connector.
        """
        tls = self.tls_config
        context = None if tls is None else tls.read(self._owner, environ)
        return Credentials(self.read_password(environ), context)
