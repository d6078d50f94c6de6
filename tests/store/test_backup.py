"""A backup is one state of a store, checked; and whoever starts on one trusts nothing that waits in it."""

import fcntl
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connector.errors import StoreError
from connector.lifecycle import Event, Status
from connector.model import DoubtPolicy, Moved
from connector.offline import back_up
from connector.store import backup
from connector.store.sqlite import SqliteEngine
from tests.store.world import POLICIES, World, answered, message, part

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def disk(path: Path) -> Iterator[World]:
    world = World(SqliteEngine(path), lambda _engine: SqliteEngine(path))
    yield world
    world.engine.close()


def _distrusted(world: World, limit: int = 100) -> list[Moved]:
    verb = world.engine.distrust
    moved: list[Moved] = world.transaction(lambda: verb(limit, now=world.now, policies=POLICIES))[0]
    return moved


# --- the copy ---


def test_a_copy_is_whole_and_for_its_owner_only(tmp_path: Path, path: Path, disk: World) -> None:
    disk.waiting(*(message(n) for n in range(1, 200)))
    done = back_up(path, tmp_path / "copy.db")
    assert done.verification.ok
    assert done.verification.ledger == disk.engine.ledger()
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert {file.name for file in tmp_path.glob("copy*")} == {"copy.db"}


def test_nothing_is_written_over(tmp_path: Path, path: Path, disk: World) -> None:
    target = tmp_path / "copy.db"
    target.write_text("mine")
    with pytest.raises(StoreError, match="is there already"):
        back_up(path, target)
    assert target.read_text() == "mine"
    with pytest.raises(StoreError, match="No such file"):
        back_up(path, tmp_path / "nowhere" / "copy.db")


def test_a_copy_that_is_no_good_is_not_left_behind(
    tmp_path: Path, path: Path, disk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_target: Path) -> None:
        raise StoreError("the copy is damaged")

    monkeypatch.setattr(backup, "_checked", damaged)
    with pytest.raises(StoreError, match="damaged"):
        back_up(path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_the_writer_goes_on_while_a_copy_is_made_of_one_state(
    tmp_path: Path, path: Path, disk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.waiting(*(message(n, text="x" * 500, bounds=((0, 500),)) for n in range(1, 1_000)))
    monkeypatch.setattr(backup, "PAGES_PER_STEP", 5)
    before, done = disk.engine.ledger(), []
    copying = threading.Thread(target=lambda: done.append(back_up(path, tmp_path / "copy.db")))
    copying.start()
    number = 1_000
    while copying.is_alive():
        disk.waiting(message(number))
        number += 1
    copying.join()
    assert number > 1_001
    assert done[0].verification.ok
    assert before.accepted <= done[0].verification.ledger.accepted < disk.engine.ledger().accepted


_KILLED = """
import os, sys
from pathlib import Path
from connector.offline import back_up
from connector.store import backup

def die(_status, remaining, _total):
    if remaining <= int(sys.argv[3]):
        os._exit(9)

backup._pause, backup.PAGES_PER_STEP = die, 5
back_up(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("remaining", [0, 40])
def test_a_killed_run_leaves_nothing_under_the_name_of_the_backup(
    remaining: int, tmp_path: Path, path: Path, disk: World
) -> None:
    disk.waiting(*(message(n, text="x" * 500, bounds=((0, 500),)) for n in range(1, 500)))
    target = tmp_path / "copy.db"
    died = subprocess.run([sys.executable, "-c", _KILLED, path, target, str(remaining)], cwd=ROOT)
    assert died.returncode == 9
    assert (tmp_path / "copy.db.part").exists()
    assert not target.exists()
    done = back_up(path, target)  # and the next run writes over what was left
    assert done.verification.ledger.accepted == 499
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert {file.name for file in tmp_path.glob("copy*")} == {"copy.db"}


def test_two_backups_are_not_written_to_one_file(tmp_path: Path, path: Path, disk: World) -> None:
    with (tmp_path / "copy.db.part").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="another backup is just being written"):
            back_up(path, tmp_path / "copy.db")


def test_a_file_that_came_meanwhile_is_not_written_over(
    tmp_path: Path, path: Path, disk: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, synced = tmp_path / "copy.db", backup._synced

    def late(file: Path) -> None:
        synced(file)
        target.write_text("mine")

    monkeypatch.setattr(backup, "_synced", late)
    with pytest.raises(StoreError, match="is there already"):
        back_up(path, target)
    assert target.read_text() == "mine"
    assert {file.name for file in tmp_path.glob("copy*")} == {"copy.db"}


# --- the start on it ---


def test_a_copy_knows_that_it_is_one_until_it_was_looked_after(tmp_path: Path, path: Path, disk: World) -> None:
    assert disk.engine.restored_from() is None
    disk.waiting(message(5))
    began = int(time.time())
    back_up(path, tmp_path / "copy.db")
    assert disk.engine.restored_from() is None
    with closing(SqliteEngine(tmp_path / "copy.db")) as engine:
        copy = World(engine, lambda engine: engine)
        assert began <= (copy.engine.restored_from() or 0) <= time.time()
        assert _distrusted(copy) == [Moved(part(5), Status.IN_DOUBT)]
        assert copy.engine.restored_from() is not None
        assert _distrusted(copy) == []
        assert copy.engine.restored_from() is None


def test_what_waits_in_a_backup_is_in_doubt(world: World) -> None:
    world.waiting(message(5), message(6, 2))
    assert {moved.status for moved in _distrusted(world)} == {Status.IN_DOUBT}
    assert world.waiting_parts() == []
    assert world.part_statuses(6) == ["in_doubt", "in_doubt"]
    assert world.history(5) == ["accepted", "claimed", "lost"]
    assert world.due(1_600.0).keys() == {part(5), part(6, 1), part(6, 2)}


def test_what_was_put_off_or_was_due_meanwhile_is_in_doubt_too(world: World) -> None:
    world.waiting(message(4, send_at=1_010.0), message(5))
    world.sending(message(6))
    world.results(answered(part(6), Event.DEFERRED, due_at=1_050.0, burned=1))
    world.now = 1_020.0
    assert [moved.part for moved in _distrusted(world)] == [part(4), part(5), part(6)]
    assert world.history(4) == ["scheduled", "due", "claimed", "lost"]


def test_what_cannot_have_left_and_what_has_ended_stay(world: World) -> None:
    world.waiting(message(4, send_at=3_000.0), message(5))
    world.change(Event.CANCELLED, part(5))
    world.sent(6, "66")
    assert _distrusted(world) == []
    assert world.part_statuses(4) == ["scheduled"]


def test_what_waits_to_be_sent_again_is_in_doubt_once_more(world: World) -> None:
    world.to_be_resent(message(5))
    world.now += 20.0
    before = world.engine.ledger()
    assert _distrusted(world) == [Moved(part(5), Status.IN_DOUBT)]
    assert world.waiting_parts() == []
    assert world.history(5)[-2:] == ["claimed", "lost"]
    after = world.engine.ledger()
    assert (after.submitted, after.doubted) == (before.submitted + 1, before.doubted + 1)
    assert world.engine.verify().ok
    assert _distrusted(world) == []


def test_the_lane_is_asked_again_with_one_doubt_more(world: World) -> None:
    world.to_be_resent(message(5))
    twice = dict.fromkeys(POLICIES, DoubtPolicy(600.0, resends=2, resend_after_s=0.0))
    world.transaction(lambda: world.engine.distrust(100, now=world.now, policies=twice))
    [due] = world.engine.due(10, now=world.now)
    assert (due.due_at, due.doubts) == (world.now, 2)


def test_a_resend_that_is_due_counts_and_the_end_of_patience_does_not(world: World) -> None:
    world.doubted(message(5), message(6, lane="promotional", queue=2))
    world.now += 10_000.0
    often = {**POLICIES, "promotional": DoubtPolicy(600.0, resends=5)}
    moved = world.transaction(lambda: world.engine.distrust(100, now=world.now, policies=often))[0]
    assert [change.part for change in moved] == [part(6)]
    assert world.history(6) == ["accepted", "claimed", "lost", "due", "claimed", "lost"]


def test_what_may_be_sent_again_at_once_is_doubted_once_however_many_the_steps(world: World) -> None:
    world.waiting(*(message(n) for n in range(1, 4)))
    world.to_be_resent(*(message(n) for n in range(4, 9)))
    at_once = dict.fromkeys(POLICIES, DoubtPolicy(600.0, resends=9, resend_after_s=0.0))
    seen: list[int] = []
    while moved := world.transaction(lambda: world.engine.distrust(2, now=world.now, policies=at_once))[0]:
        seen += [change.part for change in moved]
        world.now += 1.0
        assert len(seen) <= 8
    assert sorted(seen) == [part(n) for n in range(1, 9)]
    assert world.engine.verify().ok


def test_distrust_goes_in_steps(world: World) -> None:
    world.waiting(*(message(n) for n in range(1, 6)))
    assert [len(_distrusted(world, limit=2)) for _ in range(4)] == [2, 2, 1, 0]


def test_the_late_answer_of_nobody_changes_nothing(world: World) -> None:
    world.waiting(message(5))
    _distrusted(world)
    world.restart()
    assert world.recover() == []
    assert world.status(5) is Status.IN_DOUBT


def test_a_damaged_store_gives_no_backup(tmp_path: Path, path: Path, disk: World) -> None:
    disk.waiting(*(message(n) for n in range(1, 1_000)))
    disk.engine.close()
    with path.open("r+b") as file:
        file.seek(4_096 * 30)
        file.write(b"\xff" * 4_096 * 5)
    with pytest.raises((StoreError, sqlite3.DatabaseError)):
        back_up(path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    path.unlink()
    disk.engine = SqliteEngine(path)
