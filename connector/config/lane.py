"""Lanes: traffic of one urgency."""

import re
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import attrs

from connector.config import checks
from connector.config.checks import Problems, Rules
from connector.settings import above, at_least_one, duration, durations, nearest, shown, within

_TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def _time_of_day(_instance: object, _field: object, value: str) -> None:
    if not _TIME_OF_DAY.fullmatch(value):
        raise ValueError(f'must be a time of day such as "21:00", not {shown(value)}')


def _zone(_instance: object, _field: object, value: str) -> None:
    if value == "recipient":
        return
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        guess = nearest(value, ["recipient", *sorted(available_timezones())])
        text = f'must be "recipient" or a time zone of the IANA such as "Europe/London", not {shown(value)}'
        raise ValueError(f"{text}{guess}") from None


@attrs.frozen(kw_only=True)
class RetryRule:
    """What differs for one outcome."""

    attempts: int | None = attrs.field(default=None, validator=within(1, 100))
    """Attempts that count, of whatever outcome, after which this one ends the part."""
    backoff_s: tuple[float, ...] | None = durations(optional=True)
    """Pauses after it, in place of the lane's."""


@attrs.frozen(kw_only=True)
class RetryConfig:
    """How often and when a part is tried again after the carrier said that it does not have it."""

    attempts: int = attrs.field(default=4, validator=within(1, 100))
    """Attempts that count, the first included; slow-downs do not count."""
    backoff_s: tuple[float, ...] = durations("5s", "30s", "2m", validator=at_least_one("pause"))
    """Pauses after the first, second ... attempt; the last one repeats."""
    within_s: float | None = duration(None, validator=above(0))
    """How long after its first attempt a part may be tried again; without it until its deadline."""
    max_cost: float | None = attrs.field(default=None, validator=above(0))
    """What all attempts of a part that were taken, or may have been, may cost together, in the currency of the price
    tables."""
    second_opinion: bool = False
    """Whether a part that one carrier refuses for what it is (its number, say) is put to one other carrier."""
    set_aside_after: int = attrs.field(default=3, validator=within(1, 100))
    """How often a part may break the bind it is sent on before it is set aside, with an alarm."""
    temporary: RetryRule | None = None
    """After "not now", in place of the keys above."""
    other_route: RetryRule | None = None
    """After "not through this carrier"; another one is tried at once unless it has a backoff."""
    bind_sick: RetryRule | None = None
    """After an answer that blames the bind, not the message."""


@attrs.frozen(kw_only=True)
class QuietHours:
    """Hours of the day in which a lane sends nothing: what would leave in them waits for their end, to which a reload
    that shortens them changes nothing."""

    start: str = attrs.field(validator=_time_of_day)
    """Such as "21:00"."""
    end: str = attrs.field(validator=_time_of_day)
    """Such as "08:00"; before ``start`` it is the next day's."""
    zone: str = attrs.field(default="recipient", validator=_zone)
    """Whose clock counts: a zone such as "Europe/London", or "recipient" for the number's country; where that has
    several zones it is quiet while it is in any of them, and a number of no country is refused."""

    def problems(self) -> Problems:
        if self.start == self.end:
            yield ("end",), "must differ from the start: hours without end leave no time to send"


@attrs.frozen(kw_only=True)
class LaneAtCarrier:
    """What one carrier gets of a lane."""

    max_rate_per_s: float = attrs.field(validator=above(0))
    """Parts per second."""


@attrs.frozen(kw_only=True)
class LaneConfig:
    """Traffic of one urgency."""

    reserve: float = attrs.field(default=0.1, validator=within(0, 1))
    """Share of each returning credit while several lanes wait, by weight; others borrow what is idle."""
    keep_free: float = attrs.field(default=0.0, validator=within(0, 1))
    """Share of the window, rounded down, that is never lent to other lanes."""
    max_rate_per_s: float | None = attrs.field(default=None, validator=above(0))
    """Parts per second over all carriers, whatever they could take."""
    carrier: dict[str, LaneAtCarrier] = attrs.field(factory=dict)
    """The same at one carrier, by its name."""
    deadline_s: float = duration("1h", validator=above(0))
    """After it a part not yet sent is expired, never sent late; a request may ask for less."""
    patience_s: float = duration("72h", validator=above(0))
    """How long the carrier's final word is awaited."""
    on_doubt: Literal["hold", "resend"] = "hold"
    """What becomes of a part that may or may not have been taken: "hold" waits for a late answer or a receipt, "resend"
    sends it again, marked, and may deliver it twice."""
    resends: int = attrs.field(default=1, validator=within(1, 10))
    """How often a part is sent in spite of a doubt, where it is."""
    resend_after_s: float = duration("30s", validator=above(0))
    """How long a late answer is awaited before."""
    senders: tuple[str, ...] | None = None
    """Source addresses it may use; without it any."""
    quiet_hours: QuietHours | None = None
    """Hours in which nothing of it leaves."""
    retry: RetryConfig = RetryConfig()
    keep_body_s: float = duration("7d", validator=within(0))
    """How long after its end a message's text is kept; "0s" erases it at once."""
    urgent: bool = False
    """Whether acceptance and claim share one commit, ahead of bulk."""

    def problems(self) -> Rules:
        yield checks.items(self, "senders", checks.not_sender)
        yield self._resent_before("deadline", "after it nothing is sent")
        yield self._resent_before("patience", "after it nothing is awaited")

    def _resent_before(self, key: str, why: str) -> Problems:
        if self.on_doubt == "resend" and self.resend_after_s >= getattr(self, f"{key}_s"):
            yield ("resend_after",), f"must be less than the {key}: {why}"


LANES: Final = {
    "otp": LaneConfig(
        reserve=0.6,
        keep_free=0.05,
        deadline_s=120.0,
        retry=RetryConfig(backoff_s=(1.0, 3.0, 10.0), second_opinion=True),
        keep_body_s=0.0,
        urgent=True,
    ),
    "transactional": LaneConfig(reserve=0.3, deadline_s=3_600.0),
    "promotional": LaneConfig(reserve=0.2, deadline_s=86_400.0),
}
"""The lanes that exist without being configured; a table of that name overrides the keys it names."""
