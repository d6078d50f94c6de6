"""What the measurement of backlogs writes and compares, and one short run of the whole."""

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connector.config import load_config
from connector.pipeline.router import queue_names
from connector.store.sqlite import SqliteEngine
from perf.backlog import CARRIER, HEAD, KEY, KEYS, Cost, compare, write
from tests.perf.test_lanes import told_by


def row(dequeue_us: float, resident_mb: float, cpu_us: float = 50.0) -> dict[str, Any]:
    return {
        "dequeue_cpu_us_per_part": dequeue_us,
        "resident_mb_highest": resident_mb,
        "first": {"cpu_us_per_message": cpu_us},
        "whole": {"cpu_us_per_message": cpu_us, "messages_per_second": 20_000},
    }


def test_a_backlog_waits_evenly_in_every_queue_and_balances(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    keys = "".join(KEY.format(name=key) for key in KEYS)
    path.write_text(HEAD.format(folder=tmp_path) + keys + CARRIER.format(port=1, window=10))
    config = load_config(path)
    write(config, 1_800)
    with closing(SqliteEngine(tmp_path / "store.db")) as engine:
        states = engine.queues(queue_names(config))
        assert [state.waiting for state in states] == [200] * 9
        assert {state.name.lane for state in states} == {"otp", "transactional", "promotional"}
        assert engine.verify().ok
        assert engine.last_id() >> 20 <= time.time()  # what is accepted from now on gets higher ids


def test_a_cost_counts_calls_and_parts() -> None:
    cost = Cost()
    verb = cost.of(lambda count: list(range(count)), len)
    assert verb(3) == [0, 1, 2]
    verb(5)
    assert (cost.calls, cost.parts) == (2, 8)
    assert 0 < cost.longest_s <= cost.cpu_s


def test_the_largest_backlog_is_compared_with_the_smallest() -> None:
    told = compare([row(10, 60), row(99, 80), row(13, 200)])
    assert (told["dequeue_ratio"], told["resident_mb_highest"], told["missed"]) == (1.3, 200, [])


@pytest.mark.parametrize(("most", "name"), [(row(13.2, 100), "dequeue_ratio"), (row(10, 200.1), "resident_mb_highest")])
def test_each_goal_is_missed_by_itself(most: dict[str, Any], name: str) -> None:
    assert compare([row(10, 60), most])["missed"] == [name]


@pytest.mark.slow
def test_a_short_run_drains_the_small_backlog_and_reads_the_other_from_disk() -> None:
    told = told_by(
        "perf.backlog", "--size", "500", "--size", "9000", "--first", "400", "--seconds", "5", "--peer", "simulator"
    )
    small, large = told["sizes"]
    assert small["whole"]["messages"] == 500
    assert small["verbs"]["heads"]["parts"] == 0  # so few are in memory at once
    assert large["whole"]["messages"] == 9_000
    assert large["verbs"]["heads"]["parts"] >= 4_500
    assert {large["verbs"][name]["parts"] for name in ("pick", "claim", "results")} == {9_000}
    assert told["messages_per_second"] > 0
    assert told["cpu_us_per_message"] > 0
