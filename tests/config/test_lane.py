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
