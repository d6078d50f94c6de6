"""Health: when a carrier is trusted with less, with nothing, and with everything again."""

import attrs

from connector.config.checks import Problems
from connector.settings import above, duration, within


@attrs.frozen(kw_only=True)
class HealthConfig:
    """What makes a carrier sick, as a whole or for one country, and how it comes back.

    It gets less step by step, 50, 25 and 10 % of its traffic, and more in the same steps; where it is worst nothing but
    probes.  Each relapse doubles its pauses.  It decides between carriers only: where a rule has no other one that is
    up, nothing is held back.
    """

    window_s: float = duration("60s", validator=above(0))
    """How far back answers count."""
    min_samples: int = attrs.field(default=20, validator=within(1))
    """Answers or receipts in the window before they are judged."""
    bad: float = attrs.field(default=0.2, validator=within(0, 1))
    """Share of answers that blame the carrier, or never come, above which it gets less.  Throttling and refused numbers
    count only where they are ``worst``."""
    worst: float = attrs.field(default=0.5, validator=within(0, 1))
    """Share above which, by more than chance, it gets nothing but probes: of such answers and throttled ones, or of
    throttled or refused ones alone."""
    good: float = attrs.field(default=0.1, validator=within(0, 1))
    """Share up to which it gets more again; of signs without such a limit it is 80 % of theirs."""
    slow_response_s: float = duration("5s", validator=above(0))
    """Median response time above which it gets less; twice that, or silence for so long, and it gets probes."""
    receipts_within_s: float = duration("10m", validator=above(0))
    """When the final receipt of a part should be here; parts that have none by then are silent."""
    silent: float = attrs.field(default=0.8, validator=within(0, 1))
    """Share of silent parts above which it gets less, in countries that it has sent receipts for before or another
    carrier has them for now."""
    undelivered: float = attrs.field(default=0.7, validator=within(0, 1))
    """Share of final receipts that say anything but delivered above which it gets less."""
    link_ends: int = attrs.field(default=3, validator=within(1))
    """Links that end in the window and should not; from so many on it gets less."""
    probe_after_s: float = duration("10s", validator=above(0))
    """How long it gets nothing before it is probed; doubled each time a probe fails, and by each relapse."""
    probe_at_most_s: float = duration("5m", validator=above(0))
    """The longest it gets nothing."""
    probes: int = attrs.field(default=5, validator=within(1))
    """Parts that it is probed with: none may fail because of the carrier, one at least must be taken."""

    def problems(self) -> Problems:
        if not self.good < self.bad <= self.worst:
            yield (), "good must be less than bad, and bad not more than worst"
        if self.probe_after_s > self.probe_at_most_s:
            yield ("probe_after",), "must not be more than probe_at_most"
