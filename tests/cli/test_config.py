"""carrierline config."""

from pathlib import Path

from connector.config import load_config
from tests.cli.calls import Caller


def test_the_example_is_a_configuration_that_checks(carrierline: Caller, tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    file.write_text(carrierline("config", "example").out)
    ended = carrierline("config", "check", str(file))
    assert (ended.status, ended.out) == (0, f"{file}: good, 1 carrier, 1 API key\n")
    assert "environment variable NORTH_PASSWORD is not set" in ended.err


def test_the_effective_configuration_is_one_again_and_holds_no_secret(carrierline: Caller, tmp_path: Path) -> None:
    file, whole = tmp_path / "example.toml", tmp_path / "whole.toml"
    file.write_text(carrierline("config", "example").out)
    ended = carrierline("config", "check", "--effective", str(file))
    assert "response_timeout" in ended.out
    whole.write_text(ended.out)
    assert load_config(whole) == load_config(file)


def test_a_lane_that_nobody_may_use_is_a_warning(carrierline: Caller, tmp_path: Path) -> None:
    file = tmp_path / "example.toml"
    file.write_text(carrierline("config", "example").out + "[lane.opt]\nreserve = 0.3\n")
    ended = carrierline("config", "check", str(file))
    assert ended.status == 0
    assert "warning: lane.opt: no API key may use this lane, and no route names it" in ended.err
