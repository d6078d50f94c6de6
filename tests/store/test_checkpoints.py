"""The log is brought into the file while the writer goes on, whoever reads meanwhile, and nobody waits for it."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio

from connector.errors import StoreBroken
from connector.lifecycle import Event
from connector.model import Move
from connector.store import checkpoints
from connector.store.batcher import ThreadWriter
from connector.store.checkpoints import QUIET_S, RETRY_S, Checkpoints, is_due
from connector.store.held import HeldFiles
from connector.store.sqlite import SqliteEngine
from connector.store.store import Store
from connector.store.wal import Progress
from tests.store.world import NAMES, NUMBER, message, part

PAGES = 100
"""Of a log that is copied in these tests."""
MANY = 5_000
"""Commits after which a test gives up."""
SECRET = "your code is 471193"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "COPY_PAGES", PAGES)


@pytest.fixture
def engine(path: Path) -> Iterator[SqliteEngine]:
    with closing(SqliteEngine(path)) as engine:
        engine.begin()
        engine.queues(NAMES)
        engine.commit()
        yield engine


def _append(engine: SqliteEngine, count: int = 5) -> None:
    first = engine.last_id() + 1
    engine.begin()
    engine.append([message(first + n, text="x" * 900) for n in range(count)], (), owner=engine.owner, now=1_000.0)
    engine.commit()


def _progress(engine: SqliteEngine) -> Progress:
    return engine._checkpoints.progress()


def _never_idle(engine: SqliteEngine, until: Callable[[], bool]) -> list[int]:
    """Commit as a writer's thread does, until this is true; return how long the log was after each commit."""
    frames = []
    for _ in range(MANY):
        _append(engine)
        frames.append(_progress(engine).frames)
        engine.tidy()
        if until():
            return frames
    raise AssertionError(f"after {MANY} commits it is not so; the log was {max(frames)} pages long")


def _restarts(frames: list[int]) -> int:
    return sum(now < before for before, now in pairwise(frames))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Look at one state for as long as this lasts."""
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM part").fetchone()
        yield


# --- when ---


@pytest.mark.parametrize(
    ("progress", "since_s", "due"),
    [
        (Progress(PAGES, 0), RETRY_S, True),
        (Progress(PAGES, 0), RETRY_S / 2, False),  # a reader may be in the way
        (Progress(PAGES, PAGES), RETRY_S, True),  # all copied, and yet it did not begin anew
        (Progress(PAGES - 1, 0), QUIET_S / 2, False),
        (Progress(PAGES - 1, 0), QUIET_S, True),
        (Progress(PAGES - 1, PAGES - 1), QUIET_S, False),
        (Progress(), QUIET_S, False),
    ],
)
def test_a_log_is_copied_when_it_is_long_or_old(progress: Progress, since_s: float, due: bool) -> None:
    assert is_due(progress, since_s) is due


# --- the log of a writer that is never idle ---


def test_without_a_thread_a_commit_copies_a_long_log(engine: SqliteEngine) -> None:
    frames = []
    for _ in range(200):
        _append(engine)
        frames.append(_progress(engine).frames)
    assert _restarts(frames) > 5
    assert max(frames) < 2 * PAGES


def test_the_log_begins_anew_though_the_writer_is_never_idle(engine: SqliteEngine) -> None:
    engine.start_copying(lambda: None)
    frames: list[int] = []

    def often_enough() -> bool:
        frames.append(_progress(engine).frames)
        return _restarts(frames) >= 5

    _never_idle(engine, often_enough)
    assert max(frames) < 50 * PAGES
    assert engine.verify().ok


def test_behind_a_long_reader_the_log_is_brought_back(path: Path, engine: SqliteEngine) -> None:
    engine.start_copying(lambda: None)
    with _reading(path):
        _never_idle(engine, lambda: _progress(engine).frames > 20 * PAGES)
        assert _progress(engine).left > 10 * PAGES  # of what the reader does not see nothing can be copied
    _never_idle(engine, lambda: _progress(engine).frames < PAGES)
    assert engine.verify().ok


def test_while_a_reader_is_in_the_way_the_writer_copies_nothing(
    path: Path, engine: SqliteEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_writer: list[str] = []
    copied = Checkpoints._copied

    def watched(self: Checkpoints, connection: sqlite3.Connection, mode: str) -> bool:
        if connection is engine._db:
            by_writer.append(mode)
        return copied(self, connection, mode)

    monkeypatch.setattr(Checkpoints, "_copied", watched)
    with _reading(path):
        _append(engine)
        engine.start_copying(lambda: None)
        _never_idle(engine, lambda: _progress(engine).frames > 10 * PAGES)
        assert by_writer == []


def test_a_long_file_is_cut_piece_by_piece(path: Path, engine: SqliteEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, piece = 16_000_000, 1_000_000
    monkeypatch.setattr(checkpoints, "KEPT_BYTES", kept)
    monkeypatch.setattr(checkpoints, "CUT_AT_ONCE_BYTES", piece)
    engine.start_copying(lambda: None)
    with _reading(path):
        _never_idle(engine, lambda: _progress(engine).frames > 60 * PAGES)
    log, sizes = Path(f"{path}-wal"), []

    def short() -> bool:
        sizes.append(log.stat().st_size)
        return sizes[-1] <= kept

    _never_idle(engine, short)
    assert len(sizes) > 5
    assert max(before - after for before, after in pairwise(sizes)) <= piece
    assert engine.verify().ok


# --- what was erased ---


async def test_an_erased_text_is_gone_from_the_disk_under_constant_load(path: Path) -> None:
    with closing(SqliteEngine(path)) as engine:
        store = Store(engine, ThreadWriter(engine, lambda: 0.0))
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run)
            await store.queues(NAMES)
            await store.append([message(1, text=SECRET)], now=1_000.0)
            nursery.start_soon(_load, store)
            nursery.start_soon(_load, store, 1_000_000)
            await store.change([Move(part(1), Event.CANCELLED)], now=1_001.0)
            await store.erase(NUMBER, await store.traces(NUMBER))
            with trio.fail_after(30):
                while not await store.scrub():
                    pass
            octets = b"".join(file.read_bytes() for file in path.parent.glob("store.db*"))
            nursery.cancel_scope.cancel()
    assert SECRET.encode() not in octets


async def _load(store: Store, number: int = 1_000) -> None:
    while True:
        number += 5
        await store.append([message(number + n, to="447700900456") for n in range(5)], now=1_000.0)


async def test_an_idle_writer_cuts_the_log_too(path: Path) -> None:
    with closing(SqliteEngine(path)) as engine:
        store = Store(engine, ThreadWriter(engine, lambda: 0.0))
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run)
            await store.queues(NAMES)
            assert await store.scrub()
            assert engine._files.log_bytes() == 0
            with _reading(path):
                await store.append([message(1)], now=1_000.0)
                assert not await store.scrub()
            assert await store.scrub()
            nursery.cancel_scope.cancel()


# --- its end ---


def _threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_the_thread_ends_in_the_midst_of_its_work(path: Path, engine: SqliteEngine) -> None:
    for _ in range(100):
        _append(engine, 20)
    for _ in range(20):
        engine.start_copying(lambda: None)
        _append(engine, 50)
        engine.tidy()
        engine.stop_copying()
        assert "store-checkpoints" not in _threads()
    assert engine.verify().ok


def test_closing_ends_the_thread_first(path: Path) -> None:
    engine = SqliteEngine(path)
    engine.start_copying(lambda: None)
    engine.close()
    assert "store-checkpoints" not in _threads()
    assert not Path(f"{path}-wal").exists()


def test_who_waits_for_the_log_to_be_cut_hears_of_the_end(engine: SqliteEngine, path: Path) -> None:
    engine.start_copying(lambda: None)
    heard: list[bool] = []
    with _reading(path):
        _append(engine)
        waiting = threading.Thread(target=lambda: heard.append(engine.scrub()))
        waiting.start()
        engine.stop_copying()
        waiting.join(10)
    assert heard == [False]


# --- disks that fail ---


async def test_a_disk_that_fails_while_the_log_is_copied_stops_an_idle_store(
    engine: SqliteEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_files: HeldFiles) -> None:
        raise StoreBroken("input/output error")

    monkeypatch.setattr(HeldFiles, "sync_store", fail)
    store = Store(engine, ThreadWriter(engine, lambda: 0.0))
    with pytest.RaisesGroup(pytest.RaisesExc(StoreBroken, match="input/output error")), trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.run)
    assert store.is_broken


class FullDisk:
    """A connection whose checkpoints find no room, for a while."""

    in_transaction = False

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.is_full = True

    def execute(self, sql: str) -> Any:
        if self.is_full and "wal_checkpoint" in sql:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return self._connection.execute(sql)


def test_a_full_disk_only_puts_it_off(path: Path, engine: SqliteEngine, caplog: pytest.LogCaptureFixture) -> None:
    disk = FullDisk(engine._checkpoints._writer)
    engine._checkpoints._writer = disk  # type: ignore[assignment]
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            _append(engine)
    assert caplog.text.count("the disk is full") == 1
    assert _progress(engine).frames > 2 * PAGES
    disk.is_full = False
    _append(engine)
    assert _progress(engine).left == 0
    assert engine.verify().ok
