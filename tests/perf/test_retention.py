"""The measurement of retention: one short run, and what it calls missed."""

from pathlib import Path
from typing import Any

from perf.retention import BACK_PAGES, measure, missed, missed_under_pressure, press


def test_a_short_life_is_flat_and_balances(tmp_path: Path) -> None:
    said: list[str] = []
    found = measure(tmp_path / "store.db", 2_400, 3, said.append)
    assert (found["messages"], len(found["size_mb"]), len(said)) == (7_200, 3, 3)
    assert found["gone"]["messages"] > 3_000
    assert found["problems"] == []
    assert found["drift"] < 0.2  # so small a file is a few pages


def test_drift_long_steps_and_wrong_books_are_missed_goals() -> None:
    fine: dict[str, Any] = {"drift": 0.01, "erasing": {"p99_ms": 3.0, "over_50_ms": 0}, "problems": []}
    assert missed(fine) == []
    assert len(missed({**fine, "drift": 0.06})) == 1
    assert len(missed({**fine, "erasing": {"p99_ms": 60.0, "over_50_ms": 9}})) == 1
    assert missed({**fine, "problems": ["messages, sent"]}) == ["messages, sent"]


def test_a_busy_writer_is_measured_in_each_phase(tmp_path: Path) -> None:
    found = press(tmp_path / "store.db", 0.3)
    assert list(found["phases"]) == ["alone", "a long reader", "after it", "erasing"]
    for phase in found["phases"].values():
        assert sum(phase["histogram"].values()) == phase["transactions"] > 0
    assert found["cut_of"] == "5 of 5"
    assert found["problems"] == []


def test_long_holds_a_long_log_and_cuts_that_failed_are_missed_goals() -> None:
    phase = {"p99_ms": 9.0, "over_50_ms": 0, "log_pages": BACK_PAGES}
    fine: dict[str, Any] = {"phases": {"alone": phase}, "cut_of": "5 of 5", "problems": []}
    assert missed_under_pressure(fine) == []
    assert len(missed_under_pressure({**fine, "phases": {"alone": {**phase, "p99_ms": 51.0}}})) == 1
    assert len(missed_under_pressure({**fine, "phases": {"alone": {**phase, "log_pages": BACK_PAGES + 1}}})) == 1
    assert len(missed_under_pressure({**fine, "cut_of": "4 of 5"})) == 1
    assert missed_under_pressure({**fine, "problems": ["messages, sent"]}) == ["messages, sent"]
