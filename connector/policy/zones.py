"""Which time zones a country has, by the IANA's table of them, which comes with the package tzdata."""

from functools import cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

_NOT_IN_THE_TABLE: Final = {
    "AC": ("Atlantic/St_Helena",),
    "TA": ("Atlantic/St_Helena",),
    "XK": ("Europe/Belgrade",),
}
"""Regions of the numbering plan that have no ISO 3166 code of their own: Ascension, Tristan da Cunha, Kosovo."""


@cache
def _table() -> dict[str, tuple[str, ...]]:
    """Return the names of zones by country.

    ``zone.tab`` and not ``zone1970.tab``: it has one row for each country and zone, and whole areas of a country that
    keep the same time have a row each, so that none is forgotten when one of them leaves.
    """
    text = resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text("ascii")
    found: dict[str, tuple[str, ...]] = dict(_NOT_IN_THE_TABLE)
    for line in text.splitlines():
        if line and not line.startswith("#"):
            country, _, name = line.split("\t")[:3]
            found[country] = (*found.get(country, ()), name)
    return found


@cache
def zones_of(country: str | None) -> tuple[ZoneInfo, ...]:
    """Return all time zones of a country (ISO 3166), none where it is not known where a number is."""
    return tuple(ZoneInfo(name) for name in _table().get(country or "", ()))
