"""The HTTP door and the keys that open it."""

from collections.abc import Mapping
from typing import ClassVar

import attrs

from connector.config import checks, secrets
from connector.config.checks import Problems, Rules
from connector.settings import at_least_one, nearest, shown, within


@attrs.frozen(kw_only=True)
class KeyConfig:
    """One API key: who calls, and what they may do."""

    REFUSED: ClassVar = {"secret": secrets.NOT_IN_THIS_FILE.format("secret")}

    name: str = attrs.field(validator=checks.name)
    """Stable identity: queues and counters carry it."""
    secret_env: str | None = None
    """Environment variable that holds the secret."""
    secret_file: str | None = None
    """File that holds the secret; closing newlines are no part of it."""
    secret_command: secrets.Command | None = attrs.field(default=None, validator=secrets.is_command)
    """Program that prints the secret; closing newlines are no part of it.  Its error output is never shown."""
    lanes: tuple[str, ...] = attrs.field(
        default=("transactional", "otp", "promotional"), validator=at_least_one("lane")
    )
    """Lanes it may use; the first is the one of a request that names none."""
    country: str | None = attrs.field(default=None, validator=checks.country)
    """ISO 3166 code by which national spellings of numbers are read; without it only international ones are."""
    sender: str | None = attrs.field(default=None, validator=checks.sender)
    """Source address of a request that names none."""
    senders: tuple[str, ...] | None = None
    """Source addresses it may use; without it any."""
    options: tuple[str, ...] = ()
    """Names of the SMPP fields and TLVs it may set."""
    max_waiting: int = attrs.field(default=1_000_000, validator=within(1))
    """Messages that may wait per lane; above it intake answers that the queue is full."""
    operator: bool = False
    """Whether it may look at the whole connector and steer it: messages of all keys, status, verify, suspend, resume,
    reload, erase, export."""

    def problems(self) -> Rules:
        yield self._one_secret()
        yield checks.items(self, "senders", checks.not_sender)
        yield self._own_sender()

    def _one_secret(self) -> Problems:
        yield from self.secret.misnamed()
        if self.secret.places != 1:
            yield (), f"needs exactly one of {self.secret.keys}"

    def _own_sender(self) -> Problems:
        if self.senders is not None and self.sender is not None and self.sender not in self.senders:
            yield (
                ("sender",),
                f"{shown(self.sender)} is not among its senders{nearest(self.sender, self.senders)}",
            )

    @property
    def secret(self) -> secrets.Secret:
        """Where the secret is."""
        return secrets.Secret("secret", self.secret_env, self.secret_file, self.secret_command)

    @property
    def secret_origin(self) -> str:
        """Where the secret comes from, for people: ``env NAME``, ``file PATH`` or ``command PROGRAM``."""
        return self.secret.origin

    def read_secret(self, environ: Mapping[str, str]) -> str:
        """Return the secret; ConfigError names the variable, file or command that does not give it."""
        return self.secret.read(f'api.key "{self.name}"', environ)


@attrs.frozen(kw_only=True)
class ApiConfig:
    """The HTTP door."""

    REFUSED: ClassVar = {
        "port": 'is the end of listen here: listen = "127.0.0.1:PORT"',
        "host": 'is the beginning of listen here: listen = "127.0.0.1:PORT"',
    }

    key: tuple[KeyConfig, ...] = attrs.field(validator=at_least_one("[[api.key]]"))
    listen: str = attrs.field(default="127.0.0.1:8080", validator=checks.address)
    """Address and port; port 0 takes a free one."""
    allow_plaintext: bool = False
    """Whether ``listen`` may be an address that other machines reach: secrets then travel in the clear."""
    max_body_kb: int = attrs.field(default=2_048, validator=within(1))
    """Kilobytes of one request's body."""
    max_concurrent: int = attrs.field(default=64, validator=within(1))
    """Requests handled at a time; more wait."""

    def problems(self) -> Rules:
        yield checks.repeated(self, "key")
        yield self._in_the_clear()

    def _in_the_clear(self) -> Problems:
        if not (self.allow_plaintext or checks.is_loopback(self.host)):
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
