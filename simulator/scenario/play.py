"""What is played: changes by the clock, traffic, and what must be true at the end."""

import math
from collections.abc import Iterator
from typing import ClassVar, Final, Literal
from urllib.parse import urlsplit

import attrs

from connector.settings import above, duration, parse_duration, within
from connector.smpp.pdu import SubmitSm
from simulator.judge.expect import Expectation, parse
from simulator.scenario.fields import Problems, a_weight
from simulator.scenario.fitting import MANY, first_problem, problem_of_field
from simulator.scenario.messages import form_of, problem_of_form

QUIET = "quiet"
SCHEMES: Final = ("http", "https")
SetValue = bool | int | float | str | tuple[str, ...]
"""What a key of the scenario may be set to while it runs."""


def _dotted(table: dict[str, object], above_it: str) -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _dotted(value, f"{above_it}{key}.")
        else:
            yield f"{above_it}{key}", value


@attrs.frozen(kw_only=True)
class TimelineEntry:
    """Something that happens at a time and, with ``for``, ends."""

    name: str = ""
    at_s: float = duration()
    for_s: float | None = duration(None, validator=above(0))
    set: dict[str, SetValue] = attrs.field(factory=dict)
    """Other values for keys of the scenario while it lasts: ``{ "limits.rate.per_second" = 10 }``.

    Keys of ``carrier`` and the window and response_timeout of ``delivery`` count for links still to come."""
    do: Literal["outage", "unbind", "drop"] | None = None
    """"unbind" asks all binds to leave, "drop" cuts all links, "outage" keeps them away."""
    mode: Literal["unbind-then-refuse", "drop", "blackhole", "refuse-bind"] = "unbind-then-refuse"
    """Of "outage": binds are asked to leave and new ones refused; links are cut and new ones too; nothing moves on
    any link; only new binds are refused."""

    @staticmethod
    def shorthand(raw: object) -> object:
        """Read tables inside ``set`` as dotted keys."""
        if not isinstance(raw, dict) or not isinstance(raw.get("set"), dict):
            return raw
        return {**raw, "set": dict(_dotted(raw["set"], ""))}

    @property
    def ends_at_s(self) -> float:
        """When it is over, in seconds since the start of the simulator; infinity if never."""
        return math.inf if self.for_s is None else self.at_s + self.for_s

    def holds(self, at_s: float) -> bool:
        """Say whether it lasts at this time."""
        return self.at_s <= at_s < self.ends_at_s

    def problems(self) -> Problems:
        if not self.set and self.do is None:
            yield (), "does nothing: it needs set or do"
        if self.do == "outage" and self.for_s is None:
            yield ("for",), "an outage needs its length"
        if self.do != "outage" and self.mode != "unbind-then-refuse":
            yield ("mode",), "is of an outage only"
        if self.do in ("unbind", "drop") and self.for_s is not None and not self.set:
            yield ("for",), f'"{self.do}" is over at once: write do = "outage" for what lasts'


def _a_rate(_instance: object, _field: object, value: float) -> None:
    if not 0 <= value < math.inf:
        raise ValueError(f"must be at least 0 and not infinite, not {value}: write how many a second are to come")


@attrs.frozen(kw_only=True)
class Stage:
    """A stretch of the load: the rate goes evenly from where it was ``to`` this, in messages per second."""

    WHOLE: ClassVar = True
    for_s: float = duration(validator=above(0))
    to: float = attrs.field(validator=_a_rate)


@attrs.frozen(kw_only=True)
class LoadText:
    """A kind of text and its weight in the mix."""

    WHOLE: ClassVar = True
    weight: float = attrs.field(default=1.0, validator=a_weight)
    gsm7: int | None = attrs.field(default=None, validator=within(10, 1_600))
    """Characters of the GSM alphabet; each text begins with the number of its message, which needs room."""
    ucs2: int | None = attrs.field(default=None, validator=within(10, 700))
    """Characters beyond it."""

    def problems(self) -> Problems:
        if (self.gsm7 is None) == (self.ucs2 is None):
            yield (), "needs exactly one of gsm7 and ucs2"


@attrs.frozen(kw_only=True)
class Load:
    """Traffic: through an HTTP door where ``target`` names one, else by an ESME of the simulator's own."""

    target: str | None = None
    """POST address that takes ``{"to": …, "text": …, "client_ref": …}``, such as the connector's /v1/messages."""
    token_env: str | None = None
    """Environment variable with the bearer token for the target."""
    account: str | None = None
    """Which account the simulator's own ESME binds as; without it the first."""
    binds: int = attrs.field(default=1, validator=within(1, 1_000))
    """Of an HTTP door: requests under way at a time, of up to 1,000 rows each."""
    window: int = attrs.field(default=10, validator=within(1, 10_000))
    model: Literal["open", "closed"] = "open"
    """"open": messages are planned whatever the answers; "closed": the next waits for a place in the window."""
    arrival: Literal["constant", "poisson"] = "constant"
    stages: tuple[Stage, ...] = ()
    messages: int | None = attrs.field(default=None, validator=within(1))
    """Stop after so many; of a closed load without stages, all there is."""
    text: tuple[LoadText, ...] = (LoadText(gsm7=40),)
    from_: str = "CARRIERLINE"
    to: str = "447700{n:06}"
    """``{n}`` is the number of the message."""
    receipts: bool = True
    """Ask for receipts."""
    response_timeout_s: float = duration("30s", validator=above(0))
    """A message not answered by then, or whose link died, is sent again, up to ``attempts`` times."""
    attempts: int = attrs.field(default=10, validator=within(1))
    settle_s: float = duration("10m")
    """How long after the last message answers and receipts are awaited.  A load that no bind is let in for so long, and
    for 2 minutes at least, gives up: at its start always, later only where no stages end it."""

    def problems(self) -> Problems:
        if not self.stages and self.messages is None:
            yield (), "needs stages, messages or both"
        if self.model == "open" and not self.stages:
            yield ("stages",), "an open load needs them"
        if self.target is not None and not _is_door(self.target):
            yield ("target",), "must be an address such as http://127.0.0.1:8080/v1/messages"
        problem = problem_of_form(self.to)
        if problem:
            yield ("to",), problem
        elif self.target is None:
            yield from self._problems_of_addresses()

    def _problems_of_addresses(self) -> Problems:
        numbers = (1, self.messages or MANY)
        problem = first_problem(
            form_of(self.to), lambda address: problem_of_field(SubmitSm, "destination_addr", address), numbers
        )
        if problem:
            yield ("to",), problem
        problem = problem_of_field(SubmitSm, "source_addr", self.from_) or ""
        if problem:
            yield ("from",), problem


def _is_door(target: str) -> bool:
    """Say whether this is an address that rows can be posted to."""
    try:
        parts = urlsplit(target)
        return parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        return False


@attrs.frozen(kw_only=True)
class Expect:
    """What must be true at the end; if not, the exit status is 1."""

    that: str
    """A comparison of facts: "submit.status.ESME_RTHROTTLED == 0", "bind.restored.max <= 60s"."""
    within_s: float = duration("0s")
    """It may still become true so long after the end."""
    after: str | None = None
    """Count only what happened after this time, or after "quiet": when the faults have ended."""

    def problems(self) -> Problems:
        try:
            parse(self.that)
        except ValueError as error:
            yield ("that",), str(error)
        if self.after is not None and self.after != QUIET:
            try:
                parse_duration(self.after)
            except ValueError as error:
                yield ("after",), f'{error}, or "quiet"'

    @property
    def expectation(self) -> Expectation:
        """What is expected, read."""
        return parse(self.that)

    @property
    def after_s(self) -> float | None:
        """The time of ``after`` in seconds since the start of the simulator; None without one, and for "quiet"."""
        return None if self.after is None or self.after == QUIET else parse_duration(self.after)
