"""Binds: where a carrier is reached, as whom, and with which patience."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import attrs

from connector.config import checks, secrets
from connector.config.checks import Problems
from connector.settings import above, duration, within


@attrs.frozen(kw_only=True)
class BindConfig:
    """One tie to a carrier, opened ``count`` times."""

    REFUSED: ClassVar = {"password": secrets.NOT_IN_THIS_FILE.format("password")}

    host: str = attrs.field(validator=checks.name)
    system_id: str = attrs.field(validator=checks.field_text(16))
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
    system_type: str = attrs.field(default="", validator=checks.field_text(13))
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
        return secrets.origin(self.password_env, self.password_file)

    def read_password(self, environ: Mapping[str, str]) -> str:
        """Return the password, "" if none is configured; ConfigError names the variable or file that lacks it."""
        if self.password_env is None and self.password_file is None:
            return ""
        owner = f"bind {self.system_id}@{self.host}:{self.port}"
        return secrets.read_secret(owner, self.password_env, self.password_file, environ)
