"""SMPP's times, and the dates of receipts."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.carrier.times import absolute_time, moment_of

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp()
BERLIN, NEPAL = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu")


@pytest.mark.parametrize(
    ("zone", "text"),
    [(UTC, "260701120000000+"), (BERLIN, "260701140000008+"), (NEPAL, "260701174500023+")],
)
def test_an_absolute_time_is_local_with_its_quarter_hours(zone: ZoneInfo, text: str) -> None:
    assert absolute_time(int(NOW), zone) == text


@given(st.integers(0, 2_000_000_000), st.sampled_from(["UTC", "America/St_Johns", "Asia/Kolkata", "Pacific/Auckland"]))
def test_an_absolute_time_says_its_moment(moment: int, name: str) -> None:
    text = absolute_time(moment, ZoneInfo(name))
    assert len(text) == 16
    offset_s = int(text[13:15]) * 900 * (1 if text[15] == "+" else -1)
    local = datetime.strptime(text[:12], "%y%m%d%H%M%S").replace(tzinfo=UTC)
    assert (local.timestamp() - offset_s - moment) % (100 * 365.25 * 86_400) < 1 or local.year >= 2038


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        ("2607011400", NOW),
        ("260701140000", NOW),
        ("20260701140000", NOW),
        ("202607011400", NOW),
        (str(int(NOW * 1000)), NOW),
        ("0000000000", None),
        ("", None),
        (None, None),
        ("tomorrow", None),
    ],
)
def test_a_receipt_s_date_is_read_on_the_carrier_s_clock(date: str | None, moment: float | None) -> None:
    assert moment_of(date, BERLIN, NOW) == moment
