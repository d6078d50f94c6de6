"""What the keys of a scenario are made of: states, statuses, delays, the spelling of ids, and their checks."""

import math
import re
from collections.abc import Iterator, Mapping
from ipaddress import AddressValueError, IPv6Address
from typing import Any, ClassVar, Final, Literal

import attrs

from connector.settings import KeyPath, duration, nearest, shown, within
from connector.smpp import tables
from connector.smpp.pdu import PDU_BY_ID, SubmitSmResp
from simulator.scenario.fitting import MOST_NUMBERS, problem_of_field

Problems = Iterator[tuple[KeyPath, str]]
BindType = Literal["transmitter", "receiver", "transceiver"]
Version = Literal["3.3", "3.4", "5.0"]
STATUS_BY_NAME: Final[Mapping[str, int]] = {row.name: row.command_status for row in tables.STATUSES}
COMMANDS: Final[Mapping[str, int]] = {layout.command: number for number, layout in PDU_BY_ID.items()}
"""command_id by name, of requests and responses."""


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


UUID_CHARACTERS: Final = 36


def status_number(status: str | int) -> int:
    """Return the command_status of a name that a validator let pass, or the number itself."""
    return status if isinstance(status, int) else STATUS_BY_NAME[status]


# --- validators -----------------------------------------------------------------------------------------------------


def a_refusal(_instance: object, _field: object, value: str | int) -> None:
    """Let pass a command_status other than ESME_ROK, by name or number."""
    a_status(_instance, _field, value)
    if status_number(value) == 0:
        raise ValueError(f"must be a command_status other than 0, not {shown(value)}")


def a_status(_instance: object, _field: object, value: str | int) -> None:
    """Let pass a command_status by name or number."""
    if isinstance(value, str) and value not in STATUS_BY_NAME:
        raise ValueError(f"{shown(value)} is no command_status{nearest(value, STATUS_BY_NAME)}")
    if isinstance(value, int) and not 0 <= value <= 0xFFFFFFFF:
        raise ValueError(f"must be a command_status of 32 bits, not {value}")


def a_speed(_instance: object, _field: object, value: Any) -> None:
    """Let pass how much a second may have: more than nothing, and not without end."""
    if value is not None and not value > 0:
        raise ValueError(f"must be more than 0, not {value}")
    if value == math.inf:
        raise ValueError("must not be infinite: for no limit leave it out, or the table it stands in")


def a_weight(_instance: object, _field: object, value: float) -> None:
    """Let pass a share of a mix that there is."""
    if not 0 < value < math.inf:
        raise ValueError(f"must be more than 0 and not infinite, not {value}")


def weights(value: Mapping[str, float]) -> None:
    """Let pass shares of a mix, some of which may be nothing."""
    for word, weight in value.items():
        if not 0 <= weight < math.inf:
            raise ValueError(f"the weight of {word} must not be negative or infinite, and is {weight}")


def states(_instance: object, _field: object, value: Mapping[str, float]) -> None:
    """Let pass weights or chances by state."""
    for word in value:
        a_state(_instance, _field, word)
    weights(value)


def a_state(_instance: object, _field: object, value: str | None) -> None:
    """Let pass a word of ``stat:``."""
    if value is not None and value not in STATES:
        raise ValueError(f"{shown(value)} is no state{nearest(value, STATES)}")


def a_mix(instance: object, field: object, value: Mapping[str, float]) -> None:
    """Let pass weights of which one at least is above 0."""
    states(instance, field, value)
    if not any(value.values()):
        raise ValueError("at least one state needs a weight above 0")


def an_address(_instance: object, _field: object, value: Any) -> None:
    """Let pass "host:port"."""
    if value is None:
        return
    host, _, port = value.rpartition(":")
    if host and not set(host).isdisjoint("[]:") and not _is_bracketed(host):
        raise ValueError(f'an IPv6 address stands in brackets, as in "[::1]:2775", not {shown(value)}')
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f'must be "host:port" such as "127.0.0.1:2775", not {shown(value)}')


def _is_bracketed(host: str) -> bool:
    try:
        IPv6Address(host.removeprefix("[").removesuffix("]"))
    except AddressValueError:
        return False
    return host.startswith("[") and host.endswith("]")


def a_pattern(_instance: object, _field: object, value: str | None) -> None:
    """Let pass a regular expression."""
    if value is not None:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{shown(value)} is no regular expression ({error})") from None


def hex_digits(_instance: object, _field: object, value: str | None) -> None:
    """Let pass octets in hex digits."""
    if value is not None:
        try:
            bytes.fromhex(value)
        except ValueError:
            raise ValueError(f"must be octets in hex digits, not {shown(value)}") from None


def endpoint(address: str) -> tuple[str, int]:
    """Return host and port of "host:port"; an IPv6 address without its brackets."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


# --- pieces ---------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Delay:
    """How long something takes: ``"25ms"``, or a table with the distribution and its numbers."""

    WHOLE: ClassVar = True
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
    weight: float = attrs.field(default=1.0, validator=a_weight)
    """Inside a mix."""
    never: bool = False
    """It does not happen at all, which is a fault: where there are to be none any more the rest of a mix counts, or
    it happens at once."""

    @property
    def may_be_never(self) -> bool:
        """Whether it may not happen at all."""
        return self.never or any(member.may_be_never for member in self.of)

    @property
    def certain(self) -> "Delay":
        """The same without what never happens."""
        if not self.may_be_never:
            return self
        members = tuple(member.certain for member in self.of if not member.never)
        return attrs.evolve(self, of=members) if members and not self.never else Delay(weight=self.weight)

    @staticmethod
    def shorthand(raw: object) -> object:
        """Read ``"25ms"`` as a fixed delay, and ``never = true`` without a distribution."""
        return {"value": raw} if isinstance(raw, str) else raw

    def problems(self) -> Problems:
        yield from self._useless()
        if self.dist == "uniform" and self.min_s > self.max_s:
            yield ("min",), "must not be longer than max"
        if self.dist == "lognormal" and not 0 < self.median_s <= self.p99_s:
            yield ("median",), "must be above 0s and not longer than p99"
        if self.dist == "mix" and not self.of:
            yield ("of",), "a mix needs its members"

    def _useless(self) -> Problems:
        for dist, names in _GOES_BY.items():
            for name in names if dist != self.dist else ():
                if getattr(self, name):
                    yield (name.removesuffix("_s"),), f'is of dist = "{dist}", and this is "{self.dist}"'


_GOES_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "fixed": ("value_s",),
    "uniform": ("min_s", "max_s"),
    "lognormal": ("median_s", "p99_s"),
    "mix": ("of",),
}
"""What a distribution looks at."""


@attrs.frozen(kw_only=True)
class IdForm:
    """How the number of a message is spelled."""

    WHOLE: ClassVar = True
    form: Literal["decimal", "hex", "uuid"] = "decimal"
    """"uuid" is 36 characters, the same for the same number."""
    width: int = attrs.field(default=10, validator=within(0, 64))
    """Padded with zeros up to it; 0 pads nothing."""
    pad: Literal["zero", "strip"] = "zero"
    """"strip" pads nothing, whatever the width."""
    case: Literal["lower", "upper"] = "lower"
    """Of hex digits."""
    prefix: str = ""
    """Characters ahead of the number; the whole has 64 at most."""

    @property
    def highest_number(self) -> int:
        """The number that a run may come to."""
        return MOST_NUMBERS

    def problems(self) -> Problems:
        """Say whether the longest id would fit a message_id."""
        digits = len(f"{self.highest_number:{'x' if self.form == 'hex' else 'd'}}")
        padded = max(digits, self.width if self.pad == "zero" else 0)
        longest = self.prefix + "0" * (UUID_CHARACTERS if self.form == "uuid" else padded)
        problem = problem_of_field(SubmitSmResp, "message_id", longest)
        if problem:
            yield ("prefix" if self.prefix else "start",), problem


@attrs.frozen(kw_only=True)
class Rate:
    """A limiter, not a probability: a bucket of ``burst`` that fills at ``per_second``."""

    per_second: float = attrs.field(validator=a_speed)
    burst: int = attrs.field(default=1, validator=within(1))
    scope: Literal["account", "bind", "carrier", "sender"] = "account"
    """What shares one bucket; "sender" gives each source_addr its own."""
