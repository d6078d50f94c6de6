"""A backup is one state of a store, checked; and whoever starts on one trusts nothing that waits in it."""

import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connector.errors import StoreError
from connector.lifecycle import Event, Status
from connector.model import Moved
from connector.offline import back_up
from connector.store import backup
from connector.store.sqlite import SqliteEngine
from tests.store.world import POLICIES, World, answered, message, part


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
