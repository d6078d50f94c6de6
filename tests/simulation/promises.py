"""What lanes, retries, operators and stops promise: judgments of what was seen, as pure functions.

Each returns what is wrong with it in words, and nothing where the promise was kept.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Final

import attrs

from connector.config import DialectConfig, LaneConfig, RetryConfig
from connector.lifecycle import Event
from connector.model import InboundMessage, Reason, TimelineEntry
from simulator.scenario.messages import Lorem

ANSWERED_NO: Final = frozenset({Event.DEFERRED, Event.REROUTED, Event.REFUSED, Event.EXHAUSTED})
SLOW_DOWN: Final = frozenset({"ESME_RTHROTTLED", "ESME_RMSGQFUL"})
"""Answers that do not count against a lane's attempts: the carrier blames our speed."""
BIND_SICK: Final = frozenset(
    {"ESME_RINVBNDSTS", "ESME_RALYBND", "ESME_RBINDFAIL", "ESME_RINVPASWD", "ESME_RINVSYSID", "ESME_RINVSYSTYP"}
)
"""Answers over which the bind is given up: they count by themselves."""
SECOND_S: Final = 1.0
LATE_S: Final = 2.0
"""By how much the carrier may be told less than what remains: whole seconds, and the way to the wire."""
ROUNDED_S: Final = 0.002
"""Timelines are kept in whole milliseconds."""


# --- retries ---


def too_many_tries(history: Iterable[TimelineEntry], retry: RetryConfig) -> str | None:
    """Judge an attempt that leaves, by the answers to those of the same part before: each of them left one more."""
    said = _answers(history)
    counted = sum(each.startswith("ESME_") and each not in SLOW_DOWN | BIND_SICK for each in said)
    if counted >= retry.attempts:
        return f"one more attempt after {counted} that count, the lane allows {retry.attempts}"
    return None


def breaks_too_many(history: Iterable[TimelineEntry], retry: RetryConfig) -> str | None:
    """Judge the same by the binds that were given up over the part."""
    harms = sum(each in BIND_SICK for each in _answers(history))
    if harms >= retry.set_aside_after:
        return f"one more attempt after {harms} that broke a bind, it is set aside after {retry.set_aside_after}"
    return None


def _answers(history: Iterable[TimelineEntry]) -> list[str]:
    """Return what carriers said of attempts they do not have; of one that was in doubt the answer came late, and has
    its own allowance."""
    entries = list(history)
    lost = {entry.attempt for entry in entries if entry.event == Event.LOST}
    said = {
        entry.attempt: entry.detail or ""
        for entry in entries
        if entry.event in ANSWERED_NO and entry.attempt and entry.attempt not in lost
    }
    return list(said.values())


# --- lanes ---


@attrs.define
class LaneClaims:
    """Claims that left, of lanes with a ceiling, in the second before each."""

    _recent: dict[tuple[int, str], deque[float]] = attrs.field(factory=dict)

    def too_fast(self, life: int, name: str, lane: LaneConfig, claimed_at: float) -> str | None:
        """Enter one more part of a lane, and judge the second that ends with its claim, and each that it is in.

        The ceiling is kept where parts are claimed; they leave by the pace of their carriers, so claims are in no
        order here.
        """
        if lane.max_rate_per_s is None:
            return None
        claims = self._recent.setdefault((life, name), deque(maxlen=4 * ceil(lane.max_rate_per_s) + 100))
        claims.append(claimed_at)
        near = sorted(at for at in claims if abs(at - claimed_at) < SECOND_S - ROUNDED_S)
        most = max(sum(at <= other < at + SECOND_S - ROUNDED_S for other in near) for at in near)
        if most > ceil(lane.max_rate_per_s):
            return f"{most} parts of {name} were claimed in a second, its ceiling is {lane.max_rate_per_s:g}"
        return None


# --- operators ---


@attrs.frozen
class Suspended:
    """An operator's word that nothing leaves through a carrier, from when it was obeyed."""

    life: int
    since: float
    """By the connector's clock."""
    kept: bool
    """Whether it is on disk, and holds for lives to come."""

    def forbids(self, life: int, claimed_at: float) -> bool:
        """Say whether a part may not leave that was claimed then: what was under way before may."""
        if life != self.life:
            return self.kept
        return claimed_at > self.since + ROUNDED_S


# --- deadlines ---


def untold_deadline(period_s: float | None, remaining_s: float, dialect: DialectConfig) -> str | None:
    """Judge what a carrier that wants relative times is told of a part's deadline."""
    if dialect.validity != "relative":
        return None
    if period_s is None:
        return "the carrier is not told how long it is of use"
    least_s = min(remaining_s, dialect.validity_cap_s or remaining_s) - LATE_S
    return f"valid for {period_s:g} s, {remaining_s:.3f} s remain" if period_s < least_s else None


# --- subscribers ---


def misread(message: InboundMessage, forms: Iterable[Mapping[str, str]]) -> str | None:
    """Judge a whole message of a subscriber by what the simulator's handset wrote: its sender has its number."""
    for form in forms:
        prefix = form["from"].partition("{")[0]
        if not message.sender.startswith(prefix):
            continue
        number = int(message.sender.removeprefix(prefix))
        text = form["text"].format(n=number, lorem=Lorem())
        if message.text != text:
            return f"a subscriber's {len(text)} characters are {len(message.text)} other ones, of {message.total} parts"
    return None


def is_of(message: InboundMessage, forms: Iterable[Mapping[str, str]]) -> bool:
    """Say whether a message is one of these, and is there as a whole."""
    whole = not message.partial and message.continues is None
    return whole and any(message.sender.startswith(form["from"].partition("{")[0]) for form in forms)


# --- stops ---


@attrs.frozen
class Farewell:
    """A link that was bound when an orderly stop began, as it is when it ends or the stop does."""

    unbound: bool
    """Whether unbind was written, or the carrier's answered."""
    ended_outside: bool
    """Whether the other end, or the way to it, was gone."""
    deaf: bool
    """Whether the carrier owed an answer for longer than the timer allows."""
    blocked: bool
    """Whether nothing could be written."""
    garbled: bool
    """Whether octets came that are no PDU, or answers to nothing that was asked."""

    @property
    def is_fine(self) -> bool:
        return self.unbound or self.ended_outside or self.deaf or self.blocked or self.garbled


@attrs.frozen
class Stop:
    """An orderly stop under way."""

    since_s: float
    """By the world's time."""
    since: float
    """By the connector's clock."""
    bound: frozenset[int]
    """Links that were bound when it began."""
    last_id: int
    """The newest message that was kept then."""
    farewells: dict[int, Farewell] = attrs.field(factory=dict)
    """How these links ended."""
    troubled: set[str] = attrs.field(factory=set)
    """Carriers of which a link ended without an answer to our unbind, or had one due for too long."""


def doubts_of_a_stop(
    stop: Stop, history: Sequence[TimelineEntry], until: float, drain_s: Mapping[str, float]
) -> list[str]:
    """Judge what fell in doubt in a stop: only a link that died, or an answer that is not waited for any longer."""
    return [
        f"attempt {entry.attempt} fell in doubt {entry.at - stop.since:.3f} s after the stop began"
        for entry in history
        if entry.event == Event.LOST
        and entry.detail == Reason.LINK_LOST
        and stop.since + ROUNDED_S < entry.at <= until
        and entry.at - stop.since < drain_s.get(entry.carrier or "", 0.0) - 2 * ROUNDED_S
        and entry.carrier not in stop.troubled
    ]
