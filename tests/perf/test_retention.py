"""The measurement of retention: one short run, and what it calls missed."""

from pathlib import Path
from typing import Any

from perf.retention import measure, missed


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
