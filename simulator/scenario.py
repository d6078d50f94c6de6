"""What a simulated carrier is and does, as a value; a file of it is TOML (`load_scenario`).

Everything has a default: an empty file, or `Scenario()`, is a carrier that takes any credentials, answers at once and
sends a receipt to whoever asks for one.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

import attrs

from connector.settings import KeyPath, above, at_least_one, duration, load, nearest, secret, shown, within
from connector.smpp import tables
from simulator.receipt_text import APPENDIX_B, problem_of_format

Problems = Iterator[tuple[KeyPath, str]]
BindType = Literal["transmitter", "receiver", "transceiver"]
STATUS_BY_NAME: Final[Mapping[str, int]] = {row.name: row.command_status for row in tables.STATUSES}

RECEIPT_TLVS: Final = ("receipted_message_id", "message_state", "network_error_code", "user_message_reference")


@attrs.frozen
class StateWord:
    """A word of ``stat:`` with its message_state, the error that goes with it, and whether nothing follows it."""

    message_state: int
    err: int
    final: bool = True


STATES: Final[Mapping[str, StateWord]] = {
    # SMPP 3.4, 5.2.28 and Appendix B; errors are those of GSM MAP that carriers copy into err.
    "ENROUTE": StateWord(1, 0, final=False),
    "DELIVRD": StateWord(2, 0),
    "EXPIRED": StateWord(3, 27),  # absent subscriber
    "DELETED": StateWord(4, 0),
    "UNDELIV": StateWord(5, 1),  # unknown subscriber
    "ACCEPTD": StateWord(6, 0, final=False),
    "UNKNOWN": StateWord(7, 0),
    "REJECTD": StateWord(8, 13),  # call barred
}


def status_number(status: str | int) -> int:
    """Return the command_status of a name that a validator let pass, or the number itself."""
    return status if isinstance(status, int) else STATUS_BY_NAME[status]


# --- validators -----------------------------------------------------------------------------------------------------


def _status(_instance: object, _field: object, value: str | int) -> None:
    if isinstance(value, str) and value not in STATUS_BY_NAME:
        raise ValueError(f"{shown(value)} is no command_status{nearest(value, STATUS_BY_NAME)}")
    if isinstance(value, int) and not 0 < value <= 0xFFFFFFFF:
        raise ValueError(f"must be a command_status other than 0, not {value}")


def _states(_instance: object, _field: object, value: Mapping[str, float]) -> None:
    for word, weight in value.items():
        if word not in STATES:
            raise ValueError(f"{shown(word)} is no state{nearest(word, STATES)}")
        if weight < 0:
            raise ValueError(f"the weight of {word} must not be negative")


def _mix(instance: object, field: object, value: Mapping[str, float]) -> None:
    _states(instance, field, value)
    if not any(value.values()):
        raise ValueError("at least one state needs a weight above 0")


def _format(_instance: object, _field: object, value: str) -> None:
    problem = problem_of_format(value)
    if problem:
        raise ValueError(problem)


def _tlvs(_instance: object, _field: object, value: tuple[str, ...]) -> None:
    for name in value:
        if name not in RECEIPT_TLVS:
            raise ValueError(f"{shown(name)} is no TLV of a receipt{nearest(name, RECEIPT_TLVS)}")


def _address(_instance: object, _field: object, value: str) -> None:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f'must be "host:port" such as "127.0.0.1:2775", not {shown(value)}')


# --- pieces ---------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Delay:
    """How long something takes: ``"25ms"``, or a table with the distribution and its numbers."""

    dist: Literal["fixed", "uniform", "lognormal", "mix"] = "fixed"
    value_s: float = duration("0s")
    """Of "fixed"."""
    min_s: float = duration("0s")
    """Of "uniform"."""
    max_s: float = duration("0s")
    """Of "uniform"."""
    median_s: float = duration("0s")
    """Of "lognormal"."""
    p99_s: float = duration("0s")
    """Of "lognormal": one in a hundred takes longer."""
    of: "tuple[Delay, ...]" = ()
    """Of "mix": each with its ``weight``."""
    weight: float = attrs.field(default=1.0, validator=above(0))
    """Inside a mix."""
    never: bool = False
    """It does not happen at all."""

    @staticmethod
    def shorthand(raw: object) -> object:
        """Read ``"25ms"`` as a fixed delay, and ``never = true`` without a distribution."""
        return {"value": raw} if isinstance(raw, str) else raw

    def problems(self) -> Problems:
        if self.dist == "uniform" and self.min_s > self.max_s:
            yield ("min",), "must not be longer than max"
        if self.dist == "lognormal" and not 0 < self.median_s <= self.p99_s:
            yield ("median",), "must be above 0s and not longer than p99"
        if self.dist == "mix" and not self.of:
            yield ("of",), "a mix needs its members"


@attrs.frozen(kw_only=True)
class IdForm:
    """How the number of a message is spelled."""

    form: Literal["decimal", "hex"] = "decimal"
    width: int = attrs.field(default=10, validator=within(0, 64))
    """Padded with zeros up to it; 0 pads nothing."""
    case: Literal["lower", "upper"] = "lower"
    """Of hex digits."""


@attrs.frozen(kw_only=True)
class MessageId(IdForm):
    """How ids are made for submit_sm_resp."""

    from_: Literal["counter"] = "counter"
    start: int = attrs.field(default=1, validator=within(0))
    """The first number: set it apart from that of an earlier run whose receipts are still awaited."""


@attrs.frozen(kw_only=True)
class Listen:
    """Where the carrier listens."""

    smpp: str = attrs.field(default="127.0.0.1:2775", validator=_address)
    """Address and port; port 0 takes a free one."""

    @property
    def host(self) -> str:
        """The address without its port; an IPv6 address without its brackets."""
        return self.smpp.rpartition(":")[0].removeprefix("[").removesuffix("]")

    @property
    def port(self) -> int:
        """The port; 0 means any free one."""
        return int(self.smpp.rpartition(":")[2])


@attrs.frozen(kw_only=True)
class CarrierRules:
    """Who the carrier says it is."""

    system_id: str = "SIM"
    versions: tuple[Literal["3.3", "3.4", "5.0"], ...] = attrs.field(
        default=("3.3", "3.4", "5.0"), validator=at_least_one("version")
    )
    """Interface versions it lets bind."""
    session_init_s: float = duration("10s", validator=above(0))
    """A link that has not bound by then is closed."""
    inactivity_s: float = duration("2m", validator=above(0))
    """A link that stays silent so long is closed."""
    enquire_link_s: float | None = duration(None, validator=above(0))
    """Silence after which the carrier itself asks; without it, it never does."""


@attrs.frozen(kw_only=True)
class AccountRules:
    """Who may bind, and how."""

    system_id: str
    password: str = secret("")
    system_type: str | None = None
    """The only one accepted; without it any."""
    bind_types: tuple[BindType, ...] = ("transmitter", "receiver", "transceiver")
    max_binds: int = attrs.field(default=100, validator=within(1))
    """Binds at a time."""
    over_binds: str | int = attrs.field(default="ESME_RALYBND", validator=_status)
    """The answer to one bind more."""


@attrs.frozen(kw_only=True)
class Rate:
    """A limiter, not a probability: a bucket of ``burst`` that fills at ``per_second``."""

    per_second: float = attrs.field(validator=above(0))
    burst: int = attrs.field(default=1, validator=within(1))
    scope: Literal["account", "bind", "carrier", "sender"] = "account"
    """What shares one bucket; "sender" gives each source_addr its own."""


@attrs.frozen(kw_only=True)
class Limits:
    """What the carrier lets pass."""

    rate: Rate | None = None
    window: int | None = attrs.field(default=None, validator=within(1))
    """Requests of one bind that may wait for their answer."""
    over_rate: str | int = attrs.field(default="ESME_RTHROTTLED", validator=_status)
    over_window: str | int = attrs.field(default="ESME_RTHROTTLED", validator=_status)


@attrs.frozen(kw_only=True)
class Response:
    """How submit_sm is answered.  Delays overlap: a full window stays in flight."""

    delay: Delay = Delay()
    message_id: MessageId = MessageId()


@attrs.frozen(kw_only=True)
class Duplicate:
    """How often a receipt is sent a second time, and how much later."""

    rate: float = attrs.field(default=0.0, validator=within(0, 1))
    gap_s: float = duration("1s")

    @staticmethod
    def shorthand(raw: object) -> object:
        """Read a number as the rate."""
        return {"rate": raw} if isinstance(raw, int | float) else raw


@attrs.frozen(kw_only=True)
class ReceiptRules:
    """What becomes of accepted messages, and how the carrier tells."""

    when: Literal["requested", "always", "never"] = "requested"
    """"requested" honours registered_delivery bit by bit (SMPP 3.4, 5.2.17)."""
    delay: Delay = Delay()
    """From acceptance to the final state."""
    mix: dict[str, float] = attrs.field(factory=lambda: {"DELIVRD": 1.0}, validator=_mix)
    """Final states by weight."""
    intermediate: dict[str, float] = attrs.field(factory=lambda: {"ENROUTE": 1.0}, validator=_states)
    """Chances of a word before the final one, halfway to it; only where registered_delivery asks for it."""
    via: Literal["any", "same"] = "any"
    """Any bind of the account, or the one that submitted as long as it is bound."""
    format: str = attrs.field(default=APPENDIX_B, validator=_format)
    """Text with the fields id, dlvrd, submitted, done, stat, err and text."""
    id: IdForm | None = None
    """Spelling of the id in the text; without it that of submit_sm_resp."""
    tlv: tuple[str, ...] = attrs.field(default=("receipted_message_id", "message_state"), validator=_tlvs)
    early: float = attrs.field(default=0.0, validator=within(0, 1))
    """Share that is sent before submit_sm_resp."""
    duplicate: Duplicate = Duplicate()
    missing: float = attrs.field(default=0.0, validator=within(0, 1))
    """Share that is never sent."""

    def problems(self) -> Problems:
        for word in self.mix:
            if not STATES[word].final:
                yield ("mix",), f"{word} is not final: it belongs in intermediate"
        if sum(self.intermediate.values()) > 1:
            yield ("intermediate",), "chances must not sum to more than 1"


@attrs.frozen(kw_only=True)
class DeliveryRules:
    """How deliver_sm are handed over, receipts and messages from subscribers alike."""

    window: int = attrs.field(default=100, validator=within(1, 10_000))
    """Unanswered deliver_sm on one bind."""
    response_timeout_s: float = duration("30s", validator=above(0))
    """One unanswered so long is sent again, on another bind if there is one."""
    attempts: int = attrs.field(default=4, validator=within(1))
    """Times one is sent before the carrier gives up."""
    retry_s: float = duration("5s")
    """Pause after a temporary refusal."""
    max_waiting: int = attrs.field(default=1_000_000, validator=within(1))
    """Kept per account while nobody may receive; more are dropped and counted."""


@attrs.frozen(kw_only=True)
class MoRate:
    """How often a subscriber writes."""

    per_second: float | None = attrs.field(default=None, validator=above(0))
    per_minute: float | None = attrs.field(default=None, validator=above(0))

    def problems(self) -> Problems:
        if (self.per_second is None) == (self.per_minute is None):
            yield (), "needs exactly one of per_second and per_minute"

    @property
    def interval_s(self) -> float:
        """Seconds from one message to the next."""
        return 1 / self.per_second if self.per_second else 60 / (self.per_minute or 1)


@attrs.frozen(kw_only=True)
class MoRules:
    """Messages from subscribers, once ``at`` a time or again and again at a ``rate``.

    ``from``, ``to`` and ``text`` may hold ``{n}``, the number of the message from 1, with a format as in ``{n:03}``.
    """

    from_: str
    to: str
    text: str
    at_s: float | None = duration(None)
    """After the start of the simulator."""
    rate: MoRate | None = None
    account: str | None = None
    """Who gets them: a system_id; without it the first account that may receive."""

    def problems(self) -> Problems:
        if (self.at_s is None) == (self.rate is None):
            yield (), "needs exactly one of at and rate"
        for key, text in (("from", self.from_), ("to", self.to), ("text", self.text)):
            try:
                text.format(n=1)
            except (ValueError, LookupError) as error:
                yield (key,), f"only {{n}} with a format may stand in braces ({error})"


# --- the whole ------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Scenario:
    """A simulated carrier."""

    schema: Literal[1] = 1
    name: str = "plain"
    seed: int = 1
    """Every random draw derives from it."""
    listen: Listen = Listen()
    carrier: CarrierRules = CarrierRules()
    account: tuple[AccountRules, ...] = ()
    """Without any, all credentials are accepted."""
    limits: Limits = Limits()
    response: Response = Response()
    receipt: ReceiptRules = ReceiptRules()
    delivery: DeliveryRules = DeliveryRules()
    mo: tuple[MoRules, ...] = ()

    def problems(self) -> Problems:
        names = [account.system_id for account in self.account]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield ("account", index, "system_id"), f"{shown(name)} is the name of another account"
        for index, mo in enumerate(self.mo):
            if names and mo.account is not None and mo.account not in names:
                yield (
                    ("mo", index, "account"),
                    f"there is no account {shown(mo.account)}{nearest(mo.account, names)}",
                )


def load_scenario(path: str | Path) -> Scenario:
    """Return the scenario in a file; ConfigError holds every problem, one line each, with its line number."""
    return load(Path(path), Scenario)
