"""Quiet hours that could not be meant are refused with their line."""

from pathlib import Path

import pytest

from connector.config import Config, LaneConfig
from connector.config.config import EXAMPLE
from connector.errors import ConfigError
from connector.settings import load


def lane(tmp_path: Path, quiet: str) -> LaneConfig:
    path = tmp_path / "carrierline.toml"
    path.write_text(f"{EXAMPLE}\n[lane.promotional]\nquiet_hours = {{ {quiet} }}\n")
    return load(path, Config).lane["promotional"]


@pytest.mark.parametrize(
    ("quiet", "problem"),
    [
        ('start = "21:00", end = "21:00"', "end: must differ from the start"),
        ('start = "9pm", end = "08:00"', 'must be a time of day such as "21:00", not "9pm"'),
        ('start = "21:00", end = "24:00"', 'must be a time of day such as "21:00", not "24:00"'),
        ('start = "21:00"', "end: is missing"),
        ('start = "21:00", end = "08:00", zone = "Europe/Londn"', 'did you mean "Europe/London"?'),
        ('start = "21:00", end = "08:00", zone = "recipients"', 'did you mean "recipient"?'),
        ('start = "21:00", end = "08:00", zone = "../London"', 'or a time zone of the IANA such as "Europe/London"'),
    ],
)
def test_hours_that_cannot_be_meant_are_refused(tmp_path: Path, quiet: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        lane(tmp_path, quiet)
    assert problem in "\n".join(error.value.problems)


@pytest.mark.parametrize("zone", ["recipient", "Europe/London", "UTC"])
def test_hours_over_midnight_are_read_with_their_zone(tmp_path: Path, zone: str) -> None:
    found = lane(tmp_path, f'start = "21:00", end = "08:00", zone = "{zone}"').quiet_hours
    assert found is not None
    assert (found.start, found.end, found.zone) == ("21:00", "08:00", zone)


def unused(text: str) -> list[str]:
    return load(EXAMPLE + text, Config).unused_lanes()


def test_a_lane_that_no_key_may_use_is_told_with_the_name_that_may_be_meant() -> None:
    words = 'lane.promotionl: no API key may use this lane, and no route names it, did you mean "promotional"?'
    assert unused("[lane.promotionl]\nreserve = 0.3\n") == [words]


def test_lanes_that_are_used_named_by_a_route_or_left_as_they_are_need_no_word() -> None:
    assert unused("") == []
    assert unused("[lane.otp]\nreserve = 0.3\n") == []
    assert unused('[lane.night]\n[[route]]\ncarriers = ["north"]\nlanes = ["night"]\n') == []


def test_a_key_that_names_a_lane_which_is_spelled_otherwise_is_refused() -> None:
    key = EXAMPLE.replace("operator", 'lanes = ["alerts"]\noperator')
    with pytest.raises(ConfigError, match='there is no lane "alerts", did you mean "alertz"'):
        load(f"{key}[lane.alertz]\n", Config)
