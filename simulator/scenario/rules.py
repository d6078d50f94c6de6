"""Rules: when a request is such and such, do this; the first that matches wins."""

from fnmatch import fnmatchcase
from typing import ClassVar, Final, Literal

import attrs

from connector.settings import above, duration, durations, nearest, shown, within
from connector.smpp import tables
from connector.smpp.pdu import PDU_BY_ID, SubmitSmResp
from connector.smpp.tables import Role, State
from simulator.scenario.fields import (
    COMMANDS,
    Delay,
    Problems,
    Version,
    a_pattern,
    a_speed,
    a_state,
    a_status,
    hex_digits,
    status_number,
)
from simulator.scenario.fitting import field_of

MESSAGES: Final = ("submit_sm", "data_sm", "submit_multi")
"""Requests that bring messages."""
RULED: Final = frozenset(
    row.name
    for row in tables.COMMANDS
    if row.command_id in PDU_BY_ID
    and row.name != "unbind"
    and any(tables.may_send(Role.ESME, state, row.command_id) for state in State)
)
"""The requests that rules see: those of an ESME but unbind, which the session answers itself."""


def _command(_instance: object, _field: object, value: str | None) -> None:
    if value is None or any(fnmatchcase(name, value) for name in RULED):
        return
    if any(fnmatchcase(name, value) for name in COMMANDS):
        raise ValueError(f"no rule sees {shown(value)}: rules are about the requests of an ESME other than unbind")
    raise ValueError(f"{shown(value)} is no command{nearest(value, RULED)}")


def _two(_instance: object, _field: object, value: tuple[float, ...] | None) -> None:
    if value is not None and (len(value) != 2 or value[0] >= value[1]):
        raise ValueError('must be two times, the earlier one first, as in ["2m", "3m"]')


@attrs.frozen(kw_only=True)
class Period:
    """When something holds, in time since the start of the simulator; without any of them, always."""

    at_s: float | None = duration(None)
    """From then on once, or with ``for`` as long as that."""
    after_s: float | None = duration(None)
    """From then on, or with ``for`` as long as that."""
    between_s: tuple[float, ...] | None = durations(optional=True, validator=_two)
    """Two times."""
    for_s: float | None = duration(None, validator=above(0))

    @property
    def starts_at_s(self) -> float:
        """When it begins, in seconds since the start of the simulator."""
        return self.between_s[0] if self.between_s else self.at_s or self.after_s or 0.0

    @property
    def ends_at_s(self) -> float:
        """When it is over; infinity if never."""
        if self.between_s:
            return self.between_s[1]
        return float("inf") if self.for_s is None else self.starts_at_s + self.for_s

    def problems(self) -> Problems:
        if sum(each is not None for each in (self.at_s, self.after_s, self.between_s)) > 1:
            yield ("at",), "only one of at, after and between can be"
        if self.for_s is not None and self.between_s is not None:
            yield ("for",), "between says already how long"


@attrs.frozen(kw_only=True)
class When(Period):
    """Conditions; all of them must hold.

    ``every``, ``nth`` and ``first`` count the requests that fulfil the other conditions of the same rule, whatever
    other rules do with them.
    """

    WHOLE: ClassVar = True
    command: str | None = attrs.field(default=None, validator=_command)
    """Name of a request, with * for any letters: "submit_sm", "bind_*"; without it any message: submit_sm, data_sm, and
    each destination of a submit_multi."""
    from_: str | None = attrs.field(default=None, validator=a_pattern)
    """Regular expression that is found in source_addr."""
    to: str | None = attrs.field(default=None, validator=a_pattern)
    """Regular expression that is found in destination_addr."""
    text: str | None = attrs.field(default=None, validator=a_pattern)
    """Regular expression that is found in the text."""
    account: str | None = None
    """system_id of who is bound, or of who asks to bind."""
    bind: int | None = attrs.field(default=None, validator=within(1))
    """Place among the binds: a new one takes the lowest that is free, from 1."""
    version: Version | None = None
    every: int | None = attrs.field(default=None, validator=within(1))
    """The nth, the 2nth, the 3nth and so on."""
    nth: int | None = attrs.field(default=None, validator=within(1))
    """This one only."""
    first: int | None = attrs.field(default=None, validator=within(1))
    """The first so many."""
    rate: float | None = attrs.field(default=None, validator=within(0, 1))
    """Chance of each."""

    def problems(self) -> Problems:
        yield from super().problems()
        if sum(each is not None for each in (self.every, self.nth, self.first)) > 1:
            yield ("every",), "only one of every, nth and first can be"
        if self.at_s is not None and self.for_s is None and (self.every or self.nth):
            yield ("at",), "alone is the first request from then on: with every or nth write after, or add for"
        if self.bind is not None and self.command is not None and self._is_of_binds(self.command):
            yield ("bind",), "nobody has a place among the binds before the bind is answered"

    @staticmethod
    def _is_of_binds(command: str) -> bool:
        return not any(fnmatchcase(name, command) for name in RULED - tables.BIND_COMMANDS)


@attrs.frozen(kw_only=True)
class Reply:
    """An answer other than the usual one; ``"ESME_RSYSERR"`` stands for ``{ status = "ESME_RSYSERR" }``.

    With status ESME_ROK the message counts as accepted, with any other as refused.
    """

    WHOLE: ClassVar = True
    status: str | int = attrs.field(default="ESME_ROK", validator=a_status)
    command: str | int | None = None
    """Another PDU than the response that belongs to the request: "generic_nack", or a command_id."""
    sequence: int | str | None = None
    """Another sequence_number: a number, or text such as "+4096" that is added."""
    times: int = attrs.field(default=1, validator=within(1, 100))
    """How often it is sent."""
    body: Literal["normal", "keep", "drop"] = "normal"
    """"keep" leaves the body in an answer with an error, "drop" leaves it out of one without."""
    message_id: str | None = attrs.field(default=None, validator=field_of(SubmitSmResp, "message_id"))
    """This id, whatever was given before: a reused one, or an empty one."""
    length: int | str | None = None
    """Another command_length than is true: a number, or text such as "+1" that is added."""
    tail: str | None = attrs.field(default=None, validator=hex_digits)
    """Octets, in hex digits, behind the body."""

    @staticmethod
    def shorthand(raw: object) -> object:
        """Read a name or a number as the status."""
        return {"status": raw} if isinstance(raw, str | int) else raw

    def problems(self) -> Problems:
        for key, value in (("sequence", self.sequence), ("length", self.length)):
            problem = problem_of_number(value)
            if problem:
                yield (key,), problem
        problem = problem_of_command(self.command)
        if problem:
            yield ("command",), problem

    @property
    def is_refusal(self) -> bool:
        """Whether the message counts as refused."""
        return status_number(self.status) != 0


def problem_of_command(value: int | str | None) -> str | None:
    """Say what is wrong with a name or number of a PDU, and which was meant, or None."""
    if isinstance(value, str) and value not in COMMANDS:
        return f"{shown(value)} is no command{nearest(value, COMMANDS)}"
    if isinstance(value, int) and not 0 <= value <= 0xFFFFFFFF:
        return f"must be a command_id of 32 bits, not {value}"
    return None


def problem_of_number(value: int | str | None) -> str | None:
    """Say what is wrong with a number that may be relative, or None."""
    if isinstance(value, str):
        try:
            relative(0, value)
        except ValueError:
            return f'must be a number, or text such as "+1", not "{value}"'
    elif value is not None and not 0 <= value <= 0xFFFFFFFF:
        return f"must be a number of 32 bits, not {value}"
    return None


def relative(true: int, value: int | str | None) -> int:
    """Return what is said instead of a true number: the same, another, or one that much away, within 32 bits."""
    if value is None:
        return true
    if isinstance(value, int):
        return value
    if value[:1] not in {"+", "-"}:
        raise ValueError(value)
    return (true + int(value)) & 0xFFFFFFFF


@attrs.frozen(kw_only=True)
class RuleLimit:
    """A limiter of a rule: the rule matches only what comes too fast."""

    WHOLE: ClassVar = True
    per_second: float = attrs.field(validator=a_speed)
    burst: int = attrs.field(default=1, validator=within(1))
    key: Literal["source_addr", "destination_addr", "account", "bind", "carrier"] = "source_addr"
    """What has a bucket of its own."""


@attrs.frozen(kw_only=True)
class RuleReceipt:
    """What becomes of the message; ``"UNDELIV"`` stands for ``{ stat = "UNDELIV" }``."""

    WHOLE: ClassVar = True
    stat: str | None = attrs.field(default=None, validator=a_state)
    delay: Delay | None = None
    err: int | None = attrs.field(default=None, validator=within(0, 999_999))
    missing: bool = False
    """No receipt is sent."""
    duplicate: int = attrs.field(default=0, validator=within(0, 100))
    """So many more."""

    @staticmethod
    def shorthand(raw: object) -> object:
        """Read a word as the state."""
        return {"stat": raw} if isinstance(raw, str) else raw


def problems_of_length(kind: str, for_s: float | None) -> Problems:
    """Say that a fault of this kind is over at once, if it is to last."""
    if for_s is not None and kind != "blackhole":
        yield ("for",), "is of blackhole only"


FaultKind = Literal["no-response", "close", "reset", "blackhole", "unbind", "garbage", "truncate"]
ENDING: Final[frozenset[FaultKind]] = frozenset({"close", "reset", "truncate"})
"""Behind these nothing is read any more; behind a blackhole neither, if it is for ever."""
Point = Literal["before-response", "after-accept-before-response", "after-response"]


@attrs.frozen(kw_only=True)
class Fault:
    """Something wrong on purpose.

    "no-response": the request is never answered.  "close": the link is closed (FIN).  "reset": it is reset (RST).
    "blackhole": it stays up and nothing moves on it any more, ``for`` so long or for ever.  "unbind": the carrier asks
    to unbind.  "garbage": octets that are no PDU.  "truncate": half of the answer, then the link is closed.
    """

    WHOLE: ClassVar = True
    kind: FaultKind
    point: Point = "before-response"
    """Whether the message was accepted by then and whether the ESME has heard of it: "before-response" takes nothing,
    "after-accept-before-response" takes it and says nothing, "after-response" says it first."""
    for_s: float | None = duration(None, validator=above(0))
    """Of "blackhole"."""

    @property
    def is_silent(self) -> bool:
        """Whether the request is not answered."""
        return self.point != "after-response"

    def problems(self) -> Problems:
        yield from problems_of_length(self.kind, self.for_s)
        if self.kind == "no-response" and self.point == "after-response":
            yield ("point",), "nothing can come after a response that is not sent"


@attrs.frozen(kw_only=True)
class Rule:
    """What to do with certain requests."""

    name: str = ""
    """For the numbers and the record, where without it the rule has the name of its place, as in "rule 3"; and for
    the draws, which without it go by what the rule says."""
    when: When = When()
    reply: Reply | None = None
    delay: Delay | None = None
    """Until the answer, instead of response.delay."""
    limit: RuleLimit | None = None
    fault: Fault | None = None
    receipt: RuleReceipt | None = None

    def problems(self) -> Problems:
        if all(each is None for each in (self.reply, self.delay, self.limit, self.fault, self.receipt)):
            yield (), "does nothing: it needs reply, delay, limit, fault or receipt"
        if self.limit is not None and self.reply is None and self.fault is None:
            yield ("limit",), "needs a reply or a fault for what comes too fast"
        if self.when.rate is not None and self.limit is not None:
            yield ("limit",), "a limit is no chance: take when.rate away"
        if self.reply is not None and self.fault is not None and self.fault.is_silent:
            yield (
                ("reply",),
                f'is of no use: with point = "{self.fault.point}" nothing is said; take it away, or write '
                'point = "after-response"',
            )
        yield from self._problems_of_receipt()

    def _problems_of_receipt(self) -> Problems:
        if self.receipt is None:
            return
        if self.when.command is not None and not any(fnmatchcase(name, self.when.command) for name in MESSAGES):
            yield ("receipt",), f"is of no use: {self.when.command} brings no message"
        elif self.reply is not None and self.reply.is_refusal:
            yield ("receipt",), "is of no use: what is refused has none"
        elif self.fault is not None and self.fault.point == "before-response":
            yield ("receipt",), 'is of no use: with point = "before-response" the message is not taken'
