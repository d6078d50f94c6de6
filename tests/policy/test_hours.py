"""Quiet hours are what the clock on the recipient's wall shows, in every zone of the country, on every night."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config import LANES, LaneConfig, QuietHours
from connector.policy.hours import NEVER, STEADY_S, Hours
from connector.policy.zones import zones_of

DAY_S = 86_400
LONDON = "Europe/London"


def lanes(start: str = "21:00", end: str = "08:00", zone: str = "recipient") -> Mapping[str, LaneConfig]:
    quiet = QuietHours(start=start, end=end, zone=zone)
    return {**LANES, "promotional": attrs.evolve(LANES["promotional"], quiet_hours=quiet)}


def hours(*what: str) -> Hours:
    return Hours(lanes(*what))


def at(text: str, zone: str = "UTC", *, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def opening(rules: Hours, country: str | None, when: float) -> float | None:
    return rules.opens_at("promotional", country, when)


# --- one zone -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2027-01-15T20:59:59", None),
        ("2027-01-15T21:00:00", "2027-01-16T08:00:00"),
        ("2027-01-15T23:59:59", "2027-01-16T08:00:00"),
        ("2027-01-16T00:00:00", "2027-01-16T08:00:00"),
        ("2027-01-16T07:59:59", "2027-01-16T08:00:00"),
        ("2027-01-16T08:00:00", None),
    ],
)
def test_a_night_goes_over_midnight(now: str, opens: str | None) -> None:
    assert opening(hours(), "GB", at(now)) == (None if opens is None else at(opens))


@pytest.mark.parametrize(("now", "quiet"), [("12:59", False), ("13:00", True), ("14:29", True), ("14:30", False)])
def test_quiet_hours_may_lie_within_a_day(now: str, quiet: bool) -> None:
    opens = opening(hours("13:00", "14:30"), "GB", at(f"2027-01-15T{now}"))
    assert opens == (at("2027-01-15T14:30") if quiet else None)


def test_a_moment_between_two_seconds_belongs_to_the_first() -> None:
    rules = hours()
    assert opening(rules, "GB", at("2027-01-15T21:00:00") - 0.25) is None
    assert opening(rules, "GB", at("2027-01-16T08:00:00") - 0.25) == at("2027-01-16T08:00:00")


def test_the_hours_follow_the_summer() -> None:
    assert opening(hours(), "GB", at("2027-07-01T06:59")) == at("2027-07-01T07:00")
    assert opening(hours(), "GB", at("2027-07-01T07:00")) is None


@pytest.mark.parametrize(
    ("evening", "night_h"),
    [("2027-03-26T21:00", 11), ("2027-03-27T21:00", 10), ("2027-10-29T21:00", 11), ("2027-10-30T21:00", 12)],
)
def test_a_night_is_an_hour_shorter_in_spring_and_longer_in_autumn(evening: str, night_h: int) -> None:
    began = at(evening, LONDON)
    assert opening(hours(), "GB", began - 1) is None
    assert opening(hours(), "GB", began) == began + night_h * 3_600


def test_an_end_that_the_clock_jumps_over_is_where_it_jumps() -> None:
    assert opening(hours("21:00", "01:30", LONDON), None, at("2027-03-27T22:00")) == at("2027-03-28T01:00")


def test_a_start_that_the_clock_jumps_over_is_where_it_jumps() -> None:
    rules = hours("01:30", "05:00", LONDON)
    assert opening(rules, None, at("2027-03-28T00:59:59")) is None
    assert opening(rules, None, at("2027-03-28T01:00")) == at("2027-03-28T04:00")


def test_an_hour_that_comes_twice_is_quiet_twice() -> None:
    rules = hours("01:00", "01:45", LONDON)
    first, second = at("2027-10-31T01:45", LONDON), at("2027-10-31T01:45", LONDON, fold=1)
    assert second - first == 3_600
    assert opening(rules, None, first - 60) == first
    assert opening(rules, None, first + 899) is None
    assert opening(rules, None, first + 900) == second


# --- whose zone -----------------------------------------------------------------------------------------------------


def test_a_country_of_several_zones_goes_by_all_of_them() -> None:
    """In the United States the evening begins in New York and the morning last in Honolulu."""
    rules = hours()
    morning = at("2027-01-15T08:00", "Pacific/Honolulu")
    evening = at("2027-01-15T21:00", "America/New_York")
    assert opening(rules, "US", at("2027-01-15T08:00", "America/New_York")) == morning
    assert opening(rules, "US", morning) is None
    assert opening(rules, "US", evening - 1) is None
    assert opening(rules, "US", evening) == at("2027-01-16T08:00", "Pacific/Honolulu")


def test_where_it_is_always_quiet_in_some_zone_nothing_may_ever_leave() -> None:
    assert opening(hours("20:00", "08:00"), "RU", at("2027-01-15T07:00")) is None
    assert opening(hours("19:00", "10:00"), "RU", at("2027-01-15T07:00")) == NEVER


@pytest.mark.parametrize("country", [None, "001", "ZZ"])
def test_a_number_of_no_known_place_may_never_be_sent_to(country: str | None) -> None:
    assert opening(hours(), country, at("2027-01-15T12:00")) == NEVER
    assert opening(hours("21:00", "08:00", LONDON), country, at("2027-01-15T12:00")) is None


def test_a_zone_of_the_lane_counts_for_everybody() -> None:
    rules = hours("21:00", "08:00", "Asia/Tokyo")
    night = at("2027-01-15T22:00", "Asia/Tokyo")
    assert rules.is_shut("promotional", night)
    assert not rules.is_shut("promotional", night + 10 * 3_600)
    assert opening(rules, "GB", night) == opening(rules, "US", night) == night + 10 * 3_600
    assert not rules.depends_on_recipient("promotional")


def test_with_recipients_zones_a_lane_is_never_shut_as_a_whole() -> None:
    assert not hours().is_shut("promotional", at("2027-01-15T23:00"))
    assert hours().depends_on_recipient("promotional")


def test_a_lane_without_quiet_hours_is_always_open() -> None:
    rules = hours()
    for lane in ("otp", "nobody"):
        assert rules.opens_at(lane, "GB", at("2027-01-15T23:00")) is None
        assert not rules.is_shut(lane, at("2027-01-15T23:00"))
        assert not rules.depends_on_recipient(lane)


def test_every_country_with_numbers_has_a_zone() -> None:
    assert [region for region in phonenumbers.SUPPORTED_REGIONS if not zones_of(region)] == []


# --- what changes next ----------------------------------------------------------------------------------------------


def test_the_next_change_of_a_shut_lane_is_its_morning() -> None:
    rules = hours("21:00", "08:00", LONDON)
    assert rules.next_change(at("2027-01-15T22:00")) == at("2027-01-16T08:00")
    assert rules.next_change(at("2027-01-16T08:00")) is None


def test_the_next_change_of_recipients_is_the_first_morning_of_those_asked_about() -> None:
    rules, now = hours(), at("2027-01-15T22:30")
    assert rules.next_change(now) is None
    for country in ("GB", "DE", "US", "001"):
        opening(rules, country, now)
    assert rules.next_change(now) == at("2027-01-16T07:00")
    assert rules.next_change(at("2027-01-16T07:00")) == at("2027-01-16T08:00")


# --- for all countries and times ------------------------------------------------------------------------------------

_TIMES = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))


def quiet_somewhere(quiet: QuietHours, country: str, when: float) -> bool:
    def quiet_in(zone: ZoneInfo) -> bool:
        shown = datetime.fromtimestamp(when, zone).strftime("%H:%M")
        if quiet.start < quiet.end:
            return quiet.start <= shown < quiet.end
        return shown >= quiet.start or shown < quiet.end

    return any(quiet_in(zone) for zone in zones_of(country))


@given(
    start=_TIMES,
    end=_TIMES,
    country=st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)),
    first=st.integers(1_800_000_000, 1_900_000_000),
    steps=st.lists(st.integers(1, 20_000), min_size=1, max_size=20),
)
def test_an_answer_kept_or_new_is_what_the_walls_show(
    start: str, end: str, country: str, first: int, steps: list[int]
) -> None:
    if start == end:
        return
    config: Mapping[str, Any] = lanes(start, end)
    quiet, rules, now = config["promotional"].quiet_hours, Hours(config), first
    for step in steps:
        opens = opening(rules, country, now)
        assert (opens is not None) == quiet_somewhere(quiet, country, now)
        if opens is not None and opens != NEVER:
            assert not quiet_somewhere(quiet, country, opens)
            assert quiet_somewhere(quiet, country, opens - 1)
            between = range(math.ceil(now), math.floor(opens), 1_700)
            assert all(quiet_somewhere(quiet, country, moment) for moment in between)
        now += step


def test_no_clock_is_changed_within_a_quarter_of_an_hour() -> None:
    """What `Hours` keeps an answer by: 2026 to 2037, in every zone of every country."""
    first = datetime.fromisoformat("2026-01-01T00:00+00:00")
    for zone in {zone for region in phonenumbers.SUPPORTED_REGIONS for zone in zones_of(region)}:
        offsets = [(first + timedelta(days=day)).astimezone(zone).utcoffset() for day in range(12 * 365)]
        for day in [day for day in range(1, len(offsets)) if offsets[day] != offsets[day - 1]]:
            began = first + timedelta(days=day - 1)
            low, high = 0, DAY_S
            while high - low > 1:
                middle = (low + high) // 2
                same = (began + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offsets[day - 1]
                low, high = (middle, high) if same else (low, middle)
            assert high % STEADY_S == 0, (zone, began, high)
