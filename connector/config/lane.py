"""Lanes: traffic of one urgency."""

from typing import Final

import attrs

from connector.settings import above, at_least_one, duration, durations, within


@attrs.frozen(kw_only=True)
class RetryConfig:
    """How often and when a part is tried again after the carrier said that it does not have it."""

    attempts: int = attrs.field(default=4, validator=within(1, 100))
    """Attempts that count, the first included; slow-downs do not count."""
    backoff_s: tuple[float, ...] = durations("5s", "30s", "2m", validator=at_least_one("pause"))
    """Pauses after the first, second ... attempt; the last one repeats."""


@attrs.frozen(kw_only=True)
class LaneConfig:
    """Traffic of one urgency."""

    reserve: float = attrs.field(default=0.1, validator=within(0, 1))
    """Share of each returning credit while several lanes wait; others borrow what is idle."""
    keep_free: float = attrs.field(default=0.0, validator=within(0, 1))
    """Share of the window, rounded down, that is never lent to other lanes."""
    deadline_s: float = duration("1h", validator=above(0))
    """After it a part not yet sent is expired, never sent late; a request may ask for less."""
    patience_s: float = duration("72h", validator=above(0))
    """How long the carrier's final word is awaited."""
    retry: RetryConfig = RetryConfig()
    urgent: bool = False
    """Whether acceptance and claim share one commit, ahead of bulk."""


LANES: Final = {
    "otp": LaneConfig(
        reserve=0.5,
        keep_free=0.05,
        deadline_s=120.0,
        retry=RetryConfig(backoff_s=(1.0, 3.0, 10.0)),
        urgent=True,
    ),
    "transactional": LaneConfig(reserve=0.3, deadline_s=3_600.0),
    "promotional": LaneConfig(reserve=0.2, deadline_s=86_400.0),
}
"""The lanes that exist without being configured; a table of that name overrides the keys it names."""


# --- the whole ------------------------------------------------------------------------------------------------------
