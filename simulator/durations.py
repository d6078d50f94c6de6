"""Durations as people give them to a command, and as they are shown to them."""

import re
from typing import Final

from connector.settings import format_duration, parse_duration

_NUMBER: Final = re.compile(r"\d+(\.\d+)?", re.ASCII)
COARSE_S: Final = 0.01
"""From here on a millisecond is exact enough for a reader."""


def seconds_of(text: str) -> float:
    """Return the seconds of "10m", "1h30m" or a bare number of seconds; ValueError with a sentence if it is none."""
    return parse_duration(f"{text}s" if _NUMBER.fullmatch(text) else text)


def spelled(seconds: float) -> str:
    """Return seconds as text such as "1m30s", to the millisecond, or below a hundredth to the microsecond."""
    return format_duration(round(seconds, 3 if seconds >= COARSE_S else 6))
