"""What the measurement of lanes does with moments: its own arithmetic, and one short run of the whole."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connector.store.sqlite import SqliteEngine
from perf.lanes import Book, Found, Phase, find, in_bursts, missed, one_by_one, ratio, read_book, spread, summary

GOOD = {
    "p99_ratio": 1.5,
    "p99_ratio_bursts": 1.0,
    "promotional_share": 0.95,
    "promotional_share_bursts": 0.97,
}


def phase(began: float, scheduled: dict[str, float], name: str = "campaign") -> Phase:
    return Phase(name, began, began + 10, cpu_s=1.0, scheduled=scheduled)


def found(p99: float, otp: int = 1) -> Found:
    """Return a phase of OTPs that all took so long."""
    numbers = [str(number) for number in range(otp)]
    book = Book(dict.fromkeys(numbers, 0.0), dict.fromkeys(numbers, p99), [], 0)
    return find(phase(0.0, dict.fromkeys(numbers, 0.0)), book, 500)


def test_a_percentile_is_a_value_that_occurred() -> None:
    assert spread([n / 1e3 for n in range(200, 0, -1)]) == {"p50": 100, "p99": 198, "max": 200}
    assert spread([0.007]) == {"p50": 7, "p99": 7, "max": 7}
    assert spread([]) == {}


def test_the_same_seed_gives_the_same_arrivals_and_another_one_others() -> None:
    assert one_by_one(20, 60, 1) == one_by_one(20, 60, 1)
    assert one_by_one(20, 60, 1) != one_by_one(20, 60, 2)


def test_arrivals_one_by_one_come_in_order_at_their_rate_and_within_the_phase() -> None:
    moments = [at for at, count in one_by_one(20, 600, 1) if count == 1]
    assert moments == sorted(moments)
    assert moments[0] > 0
    assert moments[-1] < 600
    assert len(moments) == pytest.approx(12_000, rel=0.05)


def test_bursts_come_half_an_interval_after_the_beginning_and_before_the_end() -> None:
    assert in_bursts(200, 10, 30) == [(5, 200), (15, 200), (25, 200)]


def test_latency_is_counted_from_acceptance_and_from_the_planned_moment() -> None:
    book = Book(accepted={"1": 101.004}, arrived={"1": 101.006}, promotional=[], doubles=0)
    told = find(phase(100.0, {"1": 101.0}), book, 500)
    assert told.accepted_to_wire_ms["p99"] == 2
    assert told.scheduled_to_wire_ms["p99"] == 6


def test_promotional_messages_count_in_the_phase_they_arrived_in_against_what_otps_leave() -> None:
    promotional = [99.9, *(100 + n / 100 for n in range(800)), 110.0]
    book = Book({"1": 101.0}, {"1": 101.0}, promotional, 0)
    told = find(phase(100.0, {"1": 101.0}), book, rate_per_s=100)
    assert told.promotional_per_second == 80
    assert told.promotional_share_of_rest == round(800 / 999, 3)
    assert told.messages_per_second == 80.1


def test_an_otp_that_never_arrived_is_missing_and_has_no_latency() -> None:
    told = find(phase(0.0, {"1": 1.0, "2": 2.0}), Book({"1": 1.0, "2": 2.0}, {"1": 1.5}, [], 0), 500)
    assert (told.otp, told.otp_missing) == (1, 1)
    assert told.accepted_to_wire_ms["max"] == 500


def test_the_ratio_is_of_the_campaign_to_the_idle_time() -> None:
    assert ratio(found(0.002), found(0.003), "p99") == 1.5
    assert ratio(found(0.002, otp=0), found(0.003), "p99") is None


def test_the_summary_compares_like_with_like() -> None:
    times = {"idle": 0.002, "idle_bursts": 0.4, "campaign": 0.004, "campaign_bursts": 0.5}
    told = summary({name: found(p99) for name, p99 in times.items()})
    assert (told["p99_ratio"], told["p99_ratio_bursts"]) == (2.0, 1.25)


def test_goals_that_are_just_met_are_not_missed() -> None:
    assert missed(GOOD, {"throttles": 0}, backlog_left=1) == []


@pytest.mark.parametrize(
    ("numbers", "losses", "left", "name"),
    [
        ({"p99_ratio": 1.51}, {}, 1, "p99_ratio"),
        ({"p99_ratio_bursts": 1.51}, {}, 1, "p99_ratio_bursts"),
        ({"p99_ratio": None}, {}, 1, "p99_ratio"),  # nothing arrived: that is no success
        ({"promotional_share": 0.949}, {}, 1, "promotional_share"),
        ({"promotional_share_bursts": 0.949}, {}, 1, "promotional_share_bursts"),
        ({}, {"throttles": 1}, 1, "throttles"),
        ({}, {"otp_doubles": 1}, 1, "otp_doubles"),
        ({}, {}, 0, "backlog_left"),  # the campaign ended before the phase did
    ],
)
def test_each_goal_is_missed_by_itself(
    numbers: dict[str, float | None], losses: dict[str, int], left: int, name: str
) -> None:
    assert missed({**GOOD, **numbers}, losses, left) == [name]


def test_an_otp_that_came_twice_is_a_double_and_its_first_arrival_counts(tmp_path: Path) -> None:
    SqliteEngine(tmp_path / "store.db").close()
    lines = [
        {"accepted": "1", "source_addr": "Carrierline", "destination_addr": "4479", "at": 5.0},
        {"receipt": "1", "stat": "DELIVRD", "at": 6.0},
        {"accepted": "2", "source_addr": "Sale", "destination_addr": "4474", "at": 4.0},
        {"accepted": "3", "source_addr": "Carrierline", "destination_addr": "4479", "at": 9.0},
    ]
    (tmp_path / "ledger.jsonl").write_text("\n".join(map(json.dumps, lines)))
    book = read_book(tmp_path / "store.db", tmp_path / "ledger.jsonl")
    assert (book.arrived, book.promotional, book.doubles) == ({"4479": 5.0}, [4.0], 1)


def told_by(*arguments: str) -> Any:
    """Run a measurement; return its last line, read."""
    ended = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_short_run_loses_no_otp_and_is_never_throttled() -> None:
    told = told_by(
        "perf.lanes", "--seconds", "1", "--rest", "0.5", "--backlog", "3000", "--burst", "20", "--burst-every", "0.5"
    )
    assert told["question"] == "lanes"
    assert (told["otp_missing"], told["otp_doubles"], told["throttles"]) == (0, 0, 0)
    assert told["backlog_left"] > 0
    assert told["phases"]["idle_bursts"]["otp"] == told["phases"]["campaign_bursts"]["otp"] == 40
    assert told["phases"]["idle"]["promotional_per_second"] == 0
    assert 0 < told["messages_per_second"] <= 550  # one tenth of a second's worth may have been saved up before
    assert told["cpu_us_per_message"] > 0
