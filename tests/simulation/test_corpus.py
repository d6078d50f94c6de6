"""A world that is written to a file is the same world when it is read, or says why it cannot be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.config import StoreConfig
from connector.errors import ConfigError
from connector.lifecycle import Event, Status
from tests.simulation import corpus, ends
from tests.simulation.__main__ import main
from tests.simulation.corpus import Kept, read, write
from tests.simulation.drawing import draw
from tests.simulation.plan import ENGINES, Plan
from tests.simulation.running import run_plan

SEED = 13
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every delivery for a word that nobody has said."""
    monkeypatch.setitem(ends.WORDS, "DELIVRD", (Event.REJECTED, Status.REJECTED))


def kept(plan: Plan, folder: Path) -> Plan:
    """Return the plan as a file gives it back."""
    write(folder / "world.json", Kept(found="nothing", plan=plan))
    return read(folder / "world.json").plan


def changed(folder: Path, change: Change) -> Path:
    """Return the file of a world that somebody has changed by hand."""
    path = folder / "world.json"
    write(path, Kept(found="nothing", plan=draw(SEED)))
    raw = json.loads(path.read_text(encoding="utf-8"))
    change(raw["plan"])
    path.write_text(json.dumps(raw), encoding="utf-8")
    return path


def test_every_drawn_plan_is_the_same_when_it_is_read(tmp_path: Path) -> None:
    for plan in (*map(draw, range(50)), draw(5, hours=24.0)):
        back = kept(plan, tmp_path)
        assert back == plan
        assert repr(back) == repr(plan), "lists in their order, whole numbers as whole as before"


def test_a_plan_that_was_read_is_the_same_life(tmp_path: Path) -> None:
    drawn = sorted(
        (plan for plan in map(draw, range(100)) if plan.moments), key=lambda plan: plan.messages * plan.span_s
    )
    in_memory, on_disk = (next(plan for plan in drawn if plan.engine == engine) for engine in ENGINES)
    for plan in (in_memory, on_disk, draw(5, hours=0.1)):
        assert run_plan(kept(plan, tmp_path)).trace == run_plan(plan).trace


def test_what_came_after_a_file_was_written_has_its_default(tmp_path: Path) -> None:
    def change(plan: dict[str, Any]) -> None:
        del plan["engine"]
        del plan["settings"]["store"]
        del plan["settings"]["carrier"][0]["bind"][0]["drain_s"]

    plan = read(changed(tmp_path, change)).plan
    bind = plan.settings.carrier[0].bind[0]
    assert (plan.engine, plan.settings.store, bind.drain_s) == ("memory", StoreConfig(), 10.0)


def _field(plan: dict[str, Any]) -> None:
    plan["settings"]["carrier"][0]["bind"][0]["window_sizes"] = 2


def _act(plan: dict[str, Any]) -> None:
    plan["moments"] = [{"at_s": 1.0, "act": "kill 9"}] * 2


def _habit(plan: dict[str, Any]) -> None:
    plan["carriers"][0]["habits"] = [{"name": "is polite", "rate": 0.5}]


def _host(plan: dict[str, Any]) -> None:
    plan["moments"] = [{"at_s": 1.0, "act": "kill -9", "host": "nirth"}]


def _lane(plan: dict[str, Any]) -> None:
    plan["sends"][0]["lane"] = "opt"


def _key(plan: dict[str, Any]) -> None:
    plan["sends"][0]["key"] = "shops"


def _engine(plan: dict[str, Any]) -> None:
    plan["engine"] = "paper"


def _type(plan: dict[str, Any]) -> None:
    plan["span_s"] = "long"


def _missing(plan: dict[str, Any]) -> None:
    del plan["seed"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_field, "plan.settings.carrier[0].bind[0]: there is no field 'window_sizes', did you mean \"window_size\"?"),
        (_act, "plan: there is no act 'kill 9', did you mean \"kill -9\"?"),
        (_habit, "plan: there is no habit 'is polite'"),
        (_host, "plan: there is no carrier 'nirth', did you mean \"north\"?"),
        (_lane, "plan: there is no lane 'opt', did you mean \"otp\"?"),
        (_key, "plan: there is no API key 'shops', did you mean \"shop\"?"),
        (_engine, "plan: there is no engine 'paper'"),
        (_type, "Expected `float`, got `str` - at `$.plan.span_s`"),
        (_missing, "Object missing required field `seed` - at `$.plan`"),
    ],
)
def test_what_nobody_knows_is_told_in_one_line(change: Change, problem: str, tmp_path: Path) -> None:
    path = changed(tmp_path, change)
    with pytest.raises(ConfigError) as told:
        read(path)
    assert told.value.problems == [f"{path}: {problem}"]


def test_a_file_that_is_no_world_is_told_so_by_the_command(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    path.write_text("{", encoding="utf-8")
    result = CliRunner().invoke(main, ["--plan", str(path)])
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {path}: Expecting property name")


def test_a_failing_world_is_made_small_kept_and_lived_through_again(blind: None, tmp_path: Path) -> None:
    path = tmp_path / "new" / "small.json"
    result = CliRunner().invoke(main, ["--seed", str(SEED), "--shrink", "--save", str(path)])
    assert result.exit_code == 1
    assert f"--plan {path}" in result.output
    assert read(path).found.startswith("I9 (a receipt moves only the message it is about)")
    assert read(path).plan.messages == 0
    again = CliRunner().invoke(main, ["--plan", str(path)])
    assert again.exit_code == 1
    assert json.loads(again.output.splitlines()[-1])["failed"] == [f"--plan {path}"]


def test_each_of_many_failing_worlds_has_its_file(blind: None, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--first", str(SEED), "--worlds", "2", "--save", str(tmp_path)])
    assert result.exit_code == 1
    assert [path.name for path in corpus.files(tmp_path)] == ["seed-13.json", "seed-14.json"]
    assert read(tmp_path / "seed-14.json").plan == draw(14)


def test_each_world_of_the_corpus_says_what_it_found_and_is_named_after_it() -> None:
    for path in corpus.files():
        found = read(path).found
        assert found.endswith("."), path.name
        assert set(path.stem.split("-")) <= {word.strip(",.'") for word in found.lower().split()}, path.name
