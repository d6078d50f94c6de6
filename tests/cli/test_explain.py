"""``carrierline explain failures``, as people and programs read it."""

import json
from pathlib import Path

import pytest

from cli.explain import _markdown
from connector.config import LANES
from connector.failures import failure_table
from tests.cli.calls import Caller

MARKER = "<!-- explain failures -->"
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
CONFIG = """
[api]
listen = "127.0.0.1:0"
[[api.key]]
name = "shop"
secret_env = "X"
[[carrier]]
name = "north"
[[carrier.bind]]
host = "127.0.0.1"
system_id = "acme"
password_env = "NORTH_PASSWORD"
[lane.otp.retry]
attempts = 2
backoff = ["7s"]
[lane.night]
on_doubt = "resend"
resends = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "carrierline.toml"
    path.write_text(CONFIG)
    return path


def test_without_a_file_it_speaks_of_the_lanes_that_always_exist(carrierline: Caller) -> None:
    ended = carrierline("explain", "failures", "--json")
    rows = json.loads(ended.out)
    assert (ended.status, ended.err) == (0, "")
    assert {row["lane"] for row in rows} == set(LANES)
    assert rows == [{**row} for row in map(vars_of, failure_table(LANES))]


def vars_of(row: object) -> dict[str, str]:
    return {name: getattr(row, name) for name in ("case", "meaning", "lane", "again", "switch", "stop", "told")}


def test_it_speaks_of_the_lanes_of_a_file(carrierline: Caller, file: Path) -> None:
    rows = json.loads(carrierline("explain", "failures", str(file), "--json").out)
    assert {row["lane"] for row in rows} == {*LANES, "night"}
    told = {(row["case"], row["lane"]): row["again"] for row in rows}
    assert told["retry_later", "otp"] == "after 7s"
    assert told["in_doubt", "night"].startswith("at most 3 times")
    assert told["in_doubt", "otp"].startswith("never")


def test_one_lane_may_be_asked_for(carrierline: Caller, file: Path) -> None:
    rows = json.loads(carrierline("explain", "failures", str(file), "--lane", "night", "--json").out)
    assert {row["lane"] for row in rows} == {"night"}


def test_people_read_lanes_together_to_which_the_same_happens(carrierline: Caller) -> None:
    lines = carrierline("explain", "failures").out.splitlines()
    assert "  all lanes" in lines
    cases = {row.case for row in failure_table(LANES)}
    assert {line.split(":")[0] for line in lines if line and not line.startswith(" ")} == cases


def test_the_markdown_table_has_a_row_for_every_case(carrierline: Caller) -> None:
    lines = carrierline("explain", "failures", "--markdown").out.splitlines()
    assert {line.count("|") for line in lines} == {7}
    for case in {row.case for row in failure_table(LANES)}:
        assert sum(line.startswith(f"| `{case}`:") for line in lines) == 1


def test_an_unknown_lane_is_a_mistake_of_usage(carrierline: Caller) -> None:
    ended = carrierline("explain", "failures", "--lane", "fast")
    assert ended.status == 2
    assert "there is no lane 'fast'; there are otp, transactional, promotional" in ended.err


def test_a_file_that_is_not_there_or_not_right_is_told(carrierline: Caller, tmp_path: Path) -> None:
    assert carrierline("explain", "failures", str(tmp_path / "none.toml")).status != 0
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(CONFIG + "\n[lane.otp]\nresend = 1\n")
    ended = carrierline("explain", "failures", str(wrong))
    assert ended.status != 0
    assert not ended.out
    assert ended.err.count("Traceback") == 0


def test_the_readme_shows_the_table_of_the_default_lanes() -> None:
    shown = README.split(MARKER, 1)[1].strip()
    assert shown.startswith(_markdown(failure_table(LANES)) + "\n")
