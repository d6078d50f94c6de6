"""Durations as text."""

import re
from decimal import Decimal
from typing import Final

from connector.settings.words import shown

_UNITS: Final[dict[str, Decimal]] = {
    "d": Decimal(86_400),
    "h": Decimal(3_600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}
NO_DURATION: Final = 'must be a duration such as "150ms", "10s" or "1h30m"'
_STEP: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")
_DURATION: Final = re.compile(rf"(?:{_STEP.pattern})+", re.ASCII)


def parse_duration(text: str) -> float:
    """Return the seconds in a text such as "150ms", "10s", "2m", "3h", "7d" or "1h30m"; ValueError if it is none."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{NO_DURATION}, not {shown(text)}")
    steps = [Decimal(number) * _UNITS[unit] for number, unit in _STEP.findall(text)]
    return float(sum(steps, Decimal(0)))


def format_duration(seconds: float) -> str:
    """Return the shortest text that `parse_duration` reads as these seconds."""
    rest, text = Decimal(repr(seconds)), ""
    for unit in ("d", "h", "m", "s"):
        whole = rest // _UNITS[unit]
        if whole:
            text += f"{whole:f}{unit}"
            rest -= whole * _UNITS[unit]
    if rest:
        text += f"{(rest * 1000).normalize():f}ms"
    return text or "0s"
