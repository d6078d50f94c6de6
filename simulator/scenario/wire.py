"""Below the PDU: how octets leave and enter, and octets or PDUs that nobody asked for."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import attrs

from connector.errors import EncodeError
from connector.settings import above, duration, within
from connector.smpp.pdu import PDU_BY_ID
from simulator.scenario.bodies import body_of
from simulator.scenario.fields import COMMANDS, Problems, a_speed, a_status, hex_digits
from simulator.scenario.rules import Period, problem_of_command, problem_of_number, problems_of_length

NO_COMMAND: Final = -1


@attrs.frozen(kw_only=True)
class WireWhen(Period):
    """Which links, and when."""

    WHOLE: ClassVar = True
    account: str | None = None
    bind: int | None = attrs.field(default=None, validator=within(1))
    """Place among the binds: a new one takes the lowest that is free, from 1."""
    rate: float | None = attrs.field(default=None, validator=within(0, 1))
    """Chance of each write."""


@attrs.frozen(kw_only=True)
class Write:
    """How octets leave."""

    WHOLE: ClassVar = True
    chunk: int | None = attrs.field(default=None, validator=within(1))
    """Octets at a time."""
    split_at: tuple[int, ...] = attrs.field(default=())
    """Cut there: octets from the beginning of each write."""
    gap_s: float = duration("0s")
    """Between two pieces."""
    coalesce_s: float = duration("0s")
    """Gather so long before writing, many PDUs to a segment."""
    bytes_per_second: float | None = attrs.field(default=None, validator=a_speed)

    def problems(self) -> Problems:
        if any(place < 1 for place in self.split_at) or list(self.split_at) != sorted(set(self.split_at)):
            yield ("split_at",), "must be growing numbers of octets from 1"
        if self.chunk is not None and self.split_at:
            yield ("split_at",), "chunk cuts already"


@attrs.frozen(kw_only=True)
class Read:
    """How octets are read: slowly, so that the ESME's writes come to a stop."""

    WHOLE: ClassVar = True
    bytes_per_second: float = attrs.field(validator=a_speed)


@attrs.frozen(kw_only=True)
class WireFault:
    """What happens to the link itself, once."""

    WHOLE: ClassVar = True
    kind: Literal["blackhole", "close", "reset", "garbage"]
    for_s: float | None = duration(None, validator=above(0))
    """Of "blackhole": then what was held back moves on; without it never."""

    def problems(self) -> Problems:
        yield from problems_of_length(self.kind, self.for_s)


@attrs.frozen(kw_only=True)
class WireRule:
    """How the octets of some links move."""

    name: str = ""
    when: WireWhen = WireWhen()
    write: Write | None = None
    read: Read | None = None
    fault: WireFault | None = None

    def problems(self) -> Problems:
        if self.write is None and self.read is None and self.fault is None:
            yield (), "does nothing: it needs write, read or fault"
        if self.read is not None and self.when.rate is not None:
            yield ("when", "rate"), "is a chance of writes: reading has none"
        if self.read is not None and self.when.at_s is not None and self.when.for_s is None:
            yield ("when", "at"), "is one moment: reading slowly needs for, after or between"


@attrs.frozen(kw_only=True)
class InjectedPdu:
    """A PDU that nobody asked for, right or wrong; what is not given is as it ought to be."""

    WHOLE: ClassVar = True
    command: str | int
    """A name, or any command_id."""
    status: str | int = attrs.field(default="ESME_ROK", validator=a_status)
    sequence: int | str | None = None
    """Instead of one that is free: a number, or text such as "+1" that is added to it; 0 is a number."""
    length: int | str | None = None
    """Another command_length than is true."""
    body: str | None = attrs.field(default=None, validator=hex_digits)
    """The octets behind the header, in hex digits, instead of those made from the keys below."""
    from_: str = ""
    to: str = ""
    text: str = ""
    esm_class: int = attrs.field(default=0, validator=within(0, 255))
    sm_length: int | str | None = None
    """Another sm_length than is true."""
    tail: str | None = attrs.field(default=None, validator=hex_digits)
    """Octets, in hex digits, behind the body: a TLV, half of one, or what does not belong there."""

    @property
    def command_id(self) -> int:
        """The number of the command; -1 where there is no such."""
        return COMMANDS.get(self.command, NO_COMMAND) if isinstance(self.command, str) else self.command

    @property
    def keys(self) -> Mapping[str, Any]:
        """What the body is made from."""
        return {"from": self.from_, "to": self.to, "text": self.text, "esm_class": self.esm_class}

    def problems(self) -> Problems:
        for key, value in (("sequence", self.sequence), ("length", self.length), ("sm_length", self.sm_length)):
            problem = problem_of_number(value)
            if problem:
                yield (key,), problem
        problem = problem_of_command(self.command)
        if problem:
            yield ("command",), problem
        else:
            yield from self._problems_of_body()

    def _problems_of_body(self) -> Problems:
        if self.body is not None:
            for key, value in (*self.keys.items(), ("sm_length", self.sm_length)):
                if value:
                    yield (key,), "body says it all already"
            return
        if self.sm_length is not None and not hasattr(PDU_BY_ID.get(self.command_id), "short_message"):
            yield ("sm_length",), f"{self.command} has no sm_length"
        try:
            body_of(self.command_id, self.keys)
        except EncodeError as error:
            yield ("body",), f"is needed: what is made by itself cannot be: {error}"
        except LookupError as error:
            yield (error.args[0],), f"{self.command} has no field for it: write body"


@attrs.frozen(kw_only=True)
class Inject:
    """PDUs or octets nobody asked for: ``at`` a time on every link, or when something happens on one."""

    name: str = ""
    at_s: float | None = duration(None)
    every_s: float | None = duration(None, validator=above(0))
    """Again and again from ``at`` on."""
    on: Literal["connect", "bind", "unbind"] | None = None
    nth: int | None = attrs.field(default=None, validator=within(1))
    """Only the nth time that it happens."""
    account: str | None = None
    bind: int | None = attrs.field(default=None, validator=within(1))
    pdu: InjectedPdu | None = None
    bytes: str | None = None
    """Text, octet by octet (Latin-1)."""
    octets: str | None = attrs.field(default=None, validator=hex_digits)
    """The same in hex digits."""

    def problems(self) -> Problems:
        if (self.at_s is None) == (self.on is None):
            yield (), "needs exactly one of at and on"
        if sum(each is not None for each in (self.pdu, self.bytes, self.octets)) != 1:
            yield (), "needs exactly one of pdu, bytes and octets"
        if self.nth is not None and self.on is None:
            yield ("nth",), "counts what happens: it needs on"
        if self.on == "connect" and (self.account is not None or self.bind is not None):
            yield ("on",), "nobody is bound yet when a link comes up: leave account and bind away"
        if self.every_s is not None and self.at_s is None:
            yield ("every",), "needs at"
        if self.bytes is not None and any(ord(character) > 0xFF for character in self.bytes):
            yield ("bytes",), "only characters up to U+00FF are one octet each: write octets"
