"""The power goes at any moment, and disks fail at any operation: what a commit has promised is never gone."""

import itertools
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from connector.errors import StoreBroken
from connector.store.sqlite import SqliteEngine
from tests.store.disks import Disk, Operation, Platter
from tests.store.lives import Promise, holdings_of, live

POINTS = 400
ROUNDS = 30
COMMITS_PER_CHECKPOINT = 3
"""Few, so that the log is folded into the file many times in a short life."""
SEED = 20260731


@attrs.frozen
class Recorded:
    """A life on a disk, ready to be cut anywhere."""

    log: list[Operation]
    promises: list[tuple[int, Promise]]
    """What was promised once so many operations had been done."""

    def promised_by(self, done: int) -> Promise:
        return next((promise for at, promise in reversed(self.promises) if at <= done), Promise({}))


def _recorded(folder: Path, synchronous: str) -> Recorded:
    disk, promises = Disk(), []
    with closing(SqliteEngine(folder / "store.db", connect=disk.connect)) as engine:
        engine._db.execute(f"PRAGMA synchronous = {synchronous}")
        fold = _folding(engine)

        def promised(promise: Promise) -> None:
            promises.append((len(disk.log), promise))
            fold()

        live(engine, ROUNDS, promised)
        done = len(disk.log)
    return Recorded(disk.log[:done], promises)


def _folding(engine: SqliteEngine) -> Callable[[], None]:
    """Return what folds the log into the file every few times that it is called.

    This disk has no index of the log in shared memory, by which the engine would know that it is long enough.
    """
    count = itertools.count(1)

    def fold() -> None:
        if not next(count) % COMMITS_PER_CHECKPOINT:
            assert engine._checkpoints._copied(engine._db, "PASSIVE")

    return fold


def _cut_everywhere(recorded: Recorded, folder: Path, draw: random.Random, points: int = POINTS) -> Counter[str]:
    """Cut the power at so many moments and count what is found when the store is opened again."""
    moments = set(draw.sample(range(1, len(recorded.log) + 1), points))
    platter, found = Platter(), Counter[str]()
    for done, operation in enumerate(recorded.log, 1):
        platter.apply(operation)
        if done in moments:
            image = folder / str(done)
            platter.cut(image, draw)
            found[_after_cut(image / "store.db", recorded.promised_by(done))] += 1
    return found


def _after_cut(path: Path, promise: Promise) -> str:
    """Start as after a power cut; say what is missing."""
    try:
        engine = SqliteEngine(path)
    except StoreBroken as broken:
        return "a loss is told" if "its write-ahead log is broken" in str(broken) else f"refused: {broken}"
    with closing(engine):
        if not engine.verify().ok:
            return "the books do not balance"
        if engine._db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            return "damaged"
    return "rows are lost" if promise.broken_by(holdings_of(path)) else "all is there"


@pytest.mark.slow
def test_no_power_cut_takes_what_a_commit_has_promised(tmp_path: Path) -> None:
    (tmp_path / "cuts").mkdir()
    found = _cut_everywhere(_recorded(tmp_path, "FULL"), tmp_path / "cuts", random.Random(SEED))
    assert found == {"all is there": POINTS}


@pytest.mark.slow
def test_without_a_sync_for_every_commit_power_cuts_do_take_rows(tmp_path: Path) -> None:
    """The same cuts on a disk that is not synced so often: else the test above would prove nothing."""
    (tmp_path / "cuts").mkdir()
    found = _cut_everywhere(_recorded(tmp_path, "NORMAL"), tmp_path / "cuts", random.Random(SEED), 100)
    assert found["rows are lost"] > 20
    assert found.keys() <= {"rows are lost", "a loss is told", "all is there"}


# --- disks that fail ---


def _failing_life(path: Path, *, fail_at: int, stays_broken: bool) -> tuple[Disk, Promise, bool]:
    """Live on a disk that fails at its n-th operation; return it, what was promised, and whether the store stopped."""
    disk, promises = Disk(), [Promise({})]
    disk.fail_at, disk.stays_broken = fail_at, stays_broken
    try:
        with closing(SqliteEngine(path, connect=disk.connect)) as engine:
            fold = _folding(engine)

            def promised(promise: Promise) -> None:
                promises.append(promise)
                fold()

            live(engine, 2, promised)
            stopped = False
    except StoreBroken:
        stopped = True
    except sqlite3.OperationalError as error:  # closing
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_IOERR:
            raise
        stopped = True
    return disk, promises[-1], stopped


@pytest.mark.slow
@pytest.mark.parametrize("stays_broken", [False, True], ids=["once", "for ever"])
def test_at_whatever_operation_a_disk_fails_the_store_stops_and_keeps_its_word(
    tmp_path: Path, *, stays_broken: bool
) -> None:
    fail_at = 0
    while True:
        fail_at += 1
        path = tmp_path / f"{fail_at}.db"
        disk, promise, stopped = _failing_life(path, fail_at=fail_at, stays_broken=stays_broken)
        if disk.failed is None:
            break
        assert stopped, f"{fail_at}: {disk.failed}"
        if not path.stat().st_size:
            path.unlink()  # it had not begun: a file of 0 bytes is refused
        with closing(SqliteEngine(path)) as engine:
            assert engine.verify().ok, f"{fail_at}: {disk.failed}"
        assert promise.broken_by(holdings_of(path)) == [], f"{fail_at}: {disk.failed}"
    assert fail_at > 200
