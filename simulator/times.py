"""The times that a message brings: until when it waits, and how long it is of use (SMPP 3.4, 5.2.15, 5.2.16, 7.1.1)."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from connector.smpp import tables
from connector.smpp.pdu import DataSm, SubmitSm
from simulator.scenario import STATUS_BY_NAME

MONTH_DAYS: Final = 30
MONTHS: Final = 12
"""Of a relative time's year."""
FIRST_OLD_YEAR: Final = 38
"""From here on two digits are a year of the last century (SMPP 3.4, 7.1.1.1)."""
MOST_QUARTERS: Final = 48
_LIFETIME: Final = tables.TLV_BY_NAME["qos_time_to_live"].tag
_RELATIVE: Final = "R"


class Times(NamedTuple):
    """Seconds from a message's acceptance."""

    waits_s: float
    """Until its delivery is to begin."""
    valid_s: float | None
    """Until it is of no use any more; None: as long as the carrier likes."""


def has_times(pdu: SubmitSm | DataSm) -> bool:
    """Say whether a message brings any time; most do not."""
    if type(pdu) is SubmitSm and (pdu.validity_period or pdu.schedule_delivery_time):
        return True
    return bool(pdu.tlvs) and any(each.tag == _LIFETIME for each in pdu.tlvs)


def times_of(pdu: SubmitSm | DataSm, now: float) -> Times:
    """Return the times of a message that is accepted now, by the time of day; `fault_of_times` has found none wrong.

    What has passed already is now.  qos_time_to_live overrides validity_period (SMPP 5.0, 4.8.4.46).
    """
    waits_s, valid_s = 0.0, None
    if isinstance(pdu, SubmitSm):
        if pdu.schedule_delivery_time:
            waits_s = max(0.0, moment_of(pdu.schedule_delivery_time, now) - now)
        if pdu.validity_period:
            valid_s = max(0.0, moment_of(pdu.validity_period, now) - now)
    lifetime = next((int.from_bytes(each.value, "big") for each in pdu.tlvs if each.tag == _LIFETIME), valid_s)
    return Times(waits_s, lifetime)


def fault_of_times(pdu: SubmitSm) -> int:
    """Return the command_status that a time which is none is refused with, or 0."""
    for text, status in (
        (pdu.schedule_delivery_time, STATUS_BY_NAME["ESME_RINVSCHED"]),
        (pdu.validity_period, tables.ESME_RINVEXPIRY),
    ):
        try:
            if text:
                moment_of(text, 0.0)
        except ValueError:
            return status
    return tables.ESME_ROK


def moment_of(text: str, now: float) -> float:
    """Return the time of day that a text means, in seconds since the epoch; a relative one counts from now.

    A month is 30 days and a year 12 of them.  ValueError when it is no time.
    """
    is_relative, seconds = _meaning(text)
    return now + seconds if is_relative else seconds


@lru_cache(maxsize=4_096)
def _meaning(text: str) -> tuple[bool, float]:
    """Return whether a time is relative, and its seconds: messages that come together mostly have the same."""
    if len(text) != 16 or not (text.isascii() and text[:15].isdecimal()):
        raise ValueError(f"{text!r} is no time")
    year, month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(0, 12, 2))
    if text[15] == _RELATIVE:
        days = (year * MONTHS + month) * MONTH_DAYS + day
        return True, timedelta(days=days, hours=hour, minutes=minute, seconds=second).total_seconds()
    quarters = int(text[13:15])
    if text[15] not in "+-" or quarters > MOST_QUARTERS:
        raise ValueError(f"{text!r} has no distance from UTC")
    century = 1900 if year >= FIRST_OLD_YEAR else 2000
    local = datetime(century + year, month, day, hour, minute, second, int(text[12]) * 100_000, tzinfo=UTC)
    return False, local.timestamp() - (quarters if text[15] == "+" else -quarters) * 900
