"""Who the carrier is, who may bind, and what it lets pass."""

from typing import Literal

import attrs

from connector.settings import above, at_least_one, duration, secret, within
from connector.smpp import pdu
from simulator.scenario.fields import BindType, Problems, Rate, Version, a_refusal, a_speed, an_address, endpoint
from simulator.scenario.fitting import field_of, problem_of_field


@attrs.frozen(kw_only=True)
class Listen:
    """Where the carrier listens."""

    smpp: str = attrs.field(default="127.0.0.1:2775", validator=an_address)
    """Address and port; port 0 takes a free one."""
    tls: str | None = attrs.field(default=None, validator=an_address)
    """Address and port for SMPP over TLS; without it there is none."""
    cert: str | None = None
    """File with the certificate chain (PEM); without it the carrier signs one itself, for localhost and 127.0.0.1."""
    key: str | None = None
    """File with the certificate's private key (PEM)."""

    @property
    def host(self) -> str:
        """The address without its port; an IPv6 address without its brackets."""
        return endpoint(self.smpp)[0]

    @property
    def port(self) -> int:
        """The port; 0 means any free one."""
        return endpoint(self.smpp)[1]

    def problems(self) -> Problems:
        if (self.cert is None) != (self.key is None):
            yield ("cert",), "needs key, and key needs cert"
        if self.cert is not None and self.tls is None:
            yield ("cert",), "is of no use without tls"


@attrs.frozen(kw_only=True)
class CarrierRules:
    """Who the carrier says it is."""

    system_id: str = attrs.field(default="SIM", validator=field_of(pdu.BindTransceiverResp, "system_id"))
    versions: tuple[Version, ...] = attrs.field(default=("3.3", "3.4", "5.0"), validator=at_least_one("version"))
    """Interface versions it lets bind."""
    session_init_s: float = duration("10s", validator=above(0))
    """A link that has not bound by then is closed."""
    inactivity_s: float = duration("2m", validator=above(0))
    """A link that stays silent so long is closed."""
    enquire_link_s: float | None = duration(None, validator=above(0))
    """Silence after which the carrier itself asks; without it, it never does."""
    error_body: Literal["drop", "keep"] = "drop"
    """Whether an answer with an error still has its body: SMPP 3.4 and 5.0 say it has none, many carriers send one."""
    congestion: bool = False
    """Whether responses to 5.0 sessions tell congestion_state: how full the queue, or the rate's bucket, is."""


@attrs.frozen(kw_only=True)
class AccountRules:
    """Who may bind, and how."""

    system_id: str
    password: str = secret("")
    system_type: str | None = None
    """The only one accepted; without it any."""
    bind_types: tuple[BindType, ...] = attrs.field(
        default=("transmitter", "receiver", "transceiver"), validator=at_least_one("bind type")
    )
    max_binds: int = attrs.field(default=100, validator=within(1))
    """Binds at a time."""
    over_binds: str | int = attrs.field(default="ESME_RALYBND", validator=a_refusal)
    """The answer to one bind more."""

    @property
    def may_receive(self) -> bool:
        """Whether deliver_sm may ever be sent to it."""
        return any(bind_type != "transmitter" for bind_type in self.bind_types)


@attrs.frozen(kw_only=True)
class Penalty:
    """What somebody who does not heed the limits gets."""

    after: int = attrs.field(default=50, validator=within(1))
    """Refusals for the limits' sake, of one account."""
    within_s: float = duration("10s", validator=above(0))
    action: Literal["unbind", "drop", "refuse"] = "unbind"
    """Ask its binds to leave, cut their links, or leave them and only refuse new ones."""
    refuse_for_s: float = duration("30s")
    """How long no bind of the account is let in; it gets ESME_RBINDFAIL."""


@attrs.frozen(kw_only=True)
class Limits:
    """What the carrier lets pass."""

    rate: Rate | None = None
    window: int | None = attrs.field(default=None, validator=within(1))
    """Requests of one bind that may wait for their answer."""
    over_rate: str | int = attrs.field(default="ESME_RTHROTTLED", validator=a_refusal)
    over_window: str | int = attrs.field(default="ESME_RTHROTTLED", validator=a_refusal)
    penalty: Penalty | None = None


@attrs.frozen(kw_only=True)
class Drain:
    """How fast a queue empties."""

    per_second: float = attrs.field(validator=a_speed)


@attrs.frozen(kw_only=True)
class Queue:
    """The carrier's queue towards handsets: it fills with what is accepted and drains at its own speed.

    A receipt's delay counts from the moment its message has left the queue.
    """

    capacity: int = attrs.field(validator=within(1))
    drain: Drain
    when_full: str | int = attrs.field(default="ESME_RMSGQFUL", validator=a_refusal)
    scope: Literal["account", "carrier"] = "carrier"
    """Whether all share one queue."""


@attrs.frozen(kw_only=True)
class Outbind:
    """A call to an ESME that listens: the carrier connects and says outbind (SMPP 3.4, 2.2.1); the ESME then binds."""

    to: str = attrs.field(validator=an_address)
    """Address and port."""
    at_s: float = duration("0s")
    """After the start of the simulator."""
    system_id: str = attrs.field(default="SIM", validator=field_of(pdu.Outbind, "system_id"))
    password: str = secret("")

    def problems(self) -> Problems:
        problem = problem_of_field(pdu.Outbind, "password", self.password)
        if problem:
            yield ("password",), problem
