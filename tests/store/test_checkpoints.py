"""The log is brought into the file while the writer goes on, whoever reads meanwhile, and nobody waits for it."""

import logging
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio

from connector.errors import StoreBroken, StoreFull
from connector.lifecycle import Event
from connector.model import Move
from connector.store import checkpoints
from connector.store.batcher import ThreadWriter
from connector.store.checkpoints import (
    CRAMPED_BYTES,
    LOOK_EVERY_S,
    QUIET_S,
    RETRY_S,
    SPARE_BYTES,
    Checkpoints,
    is_due,
    wanted_bytes,
)
from connector.store.file import BUSY_TIMEOUT_S
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
KIB = 1 << 10
NO_ROOM = "the disk has too little room"
LONG_READ = "somebody has been reading the store for"


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
        self.tries = 0

    def execute(self, sql: str) -> Any:
        self.tries += "wal_checkpoint" in sql
        if self.is_full and "wal_checkpoint" in sql:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return self._connection.execute(sql)


def test_a_full_disk_only_puts_it_off(engine: SqliteEngine, caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    engine._checkpoints._clock = lambda: now
    disk = FullDisk(engine._checkpoints._writer)
    engine._checkpoints._writer = disk  # type: ignore[assignment]
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            _append(engine)
    assert caplog.text.count(NO_ROOM) == 1
    assert _progress(engine).frames > 2 * PAGES
    assert disk.tries == 1  # the next one after a second
    assert _busy_timeout_s(engine) == BUSY_TIMEOUT_S
    disk.is_full = False
    now += LOOK_EVERY_S
    _append(engine)
    assert _progress(engine).left == 0
    assert engine.verify().ok


def _busy_timeout_s(engine: SqliteEngine) -> float:
    found: int = engine._db.execute("PRAGMA busy_timeout").fetchone()[0]
    return found / 1_000


# --- disks without room for the copy ---


def _fact(engine: SqliteEngine, name: str, value: str = "v" * 3_900) -> None:
    """Commit about a page."""
    engine.begin()
    engine.record({name: value})
    engine.commit()


def _page(engine: SqliteEngine) -> int:
    found: int = engine._db.execute("PRAGMA page_size").fetchone()[0]
    return found


def test_the_index_says_how_large_the_store_will_be(engine: SqliteEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "COPY_PAGES", MANY)
    for n in range(50):
        _fact(engine, f"{n}")
    progress = _progress(engine)
    assert progress.page_bytes == _page(engine)
    assert progress.pages == engine._db.execute("PRAGMA page_count").fetchone()[0]
    assert progress.growth_bytes(engine._files.store_bytes()) > 50 * progress.page_bytes
    assert 0 < progress.used_bytes < engine.log_bytes()
    assert engine.scrub()
    assert _progress(engine).growth_bytes(engine._files.store_bytes()) == 0


@pytest.mark.parametrize(
    ("pages", "store_bytes", "wanted"),
    [
        (100, 100 * KIB, 0),  # pages that are there already cost nothing
        (100, 200 * KIB, 0),  # it even becomes shorter
        (110, 100 * KIB, 20 * KIB),
        (1 << 20, 0, (1 << 30) + SPARE_BYTES),
    ],
)
def test_a_copy_wants_room_for_what_the_store_grows_by_and_some_beside(
    pages: int, store_bytes: int, wanted: int
) -> None:
    assert wanted_bytes(Progress(5, 0, pages, KIB), store_bytes) == wanted


class Room:
    """What the disk says it has free."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free_bytes = 0
        monkeypatch.setattr(HeldFiles, "free_bytes", lambda _files: self.free_bytes)


def test_nothing_is_copied_into_a_store_that_cannot_grow(
    engine: SqliteEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a copy would eat what the next commits need."""
    room, before = Room(monkeypatch), engine._files.store_bytes()
    room.free_bytes = 100 * _page(engine)
    for n in range(4 * PAGES):
        _fact(engine, f"{n}")
    assert (engine._files.store_bytes(), _progress(engine).copied) == (before, 0)
    first, *_ = [record.getMessage() for record in caplog.records if NO_ROOM in record.getMessage()]
    assert "until at least 1 MB more are free" in first
    assert not engine.scrub()
    room.free_bytes = 1 << 30
    _fact(engine, "last")
    assert _progress(engine).left == 0
    assert engine._files.store_bytes() > before + 4 * PAGES * _page(engine)
    assert engine.verify().ok


def test_it_says_again_what_is_missing_only_when_that_has_doubled(
    engine: SqliteEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Room(monkeypatch)
    for n in range(8 * PAGES):
        _fact(engine, f"{n}")
    said = [int(record.getMessage().split("at least ")[1].split()[0]) for record in caplog.records]
    assert said[0] == 1
    assert said[-1] >= 4
    assert len(said) <= 4


def test_a_log_of_pages_that_are_there_already_is_copied_on_a_full_disk(
    engine: SqliteEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _fact(engine, "same")
    assert engine.scrub()
    Room(monkeypatch)
    frames = []
    for n in range(3 * PAGES):
        _fact(engine, "same", f"{n}" * 500)
        frames.append(_progress(engine).frames)
    assert _restarts(frames) >= 2
    assert NO_ROOM not in caplog.text


@pytest.mark.parametrize(("free_bytes", "begins_anew"), [(CRAMPED_BYTES - 1, True), (CRAMPED_BYTES, False)])
def test_where_the_disk_has_little_room_a_short_log_is_copied_too(
    engine: SqliteEngine, monkeypatch: pytest.MonkeyPatch, free_bytes: int, begins_anew: bool
) -> None:
    """The ballast is for what is under way, and not for a log that nobody has begun anew."""
    monkeypatch.setattr(checkpoints, "COPY_PAGES", MANY)
    monkeypatch.setattr(checkpoints, "CRAMPED_PAGES", PAGES)
    Room(monkeypatch).free_bytes = free_bytes
    engine.start_copying(lambda: None)
    frames = []
    for n in range(4 * PAGES):
        _fact(engine, "same", f"{n}" * 500)
        frames.append(_progress(engine).frames)
        engine.tidy()
    assert (_restarts(frames) >= 2) is begins_anew
    assert (max(frames) < 2 * PAGES) is begins_anew
    assert engine.verify().ok


def test_a_thread_copies_when_there_is_room_again(
    engine: SqliteEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    room, before = Room(monkeypatch), engine._files.store_bytes()
    engine.start_copying(lambda: None)
    _never_idle(engine, lambda: _progress(engine).frames > 20 * PAGES and NO_ROOM in caplog.text)
    assert (engine._files.store_bytes(), _progress(engine).copied) == (before, 0)
    room.free_bytes = 1 << 30
    _never_idle(engine, lambda: _progress(engine).frames < PAGES)
    assert engine.verify().ok


def test_a_close_without_room_leaves_the_log_for_the_next_start(
    path: Path, engine: SqliteEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(monkeypatch)
    for n in range(2 * PAGES):
        _fact(engine, f"{n}")
    before = path.stat().st_size
    engine.close()
    assert path.stat().st_size == before
    room.free_bytes = 1 << 30
    with closing(SqliteEngine(path)) as again:
        assert len(again.facts()) == 2 * PAGES
        assert again.verify().ok
    assert not Path(f"{path}-wal").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("only root may mount a disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def _try(engine: SqliteEngine, name: str) -> bool:
    try:
        _fact(engine, name)
    except StoreFull:
        engine.rollback()
        return False
    engine.tidy()
    return True


def test_what_a_ballast_gave_is_there_for_commits_and_no_copy_eats_it(small_disk: Path) -> None:
    """A reader let the log grow to more than half a small disk; then it went away."""
    path, ballast = small_disk / "store.db", small_disk / "ballast"
    ballast.write_bytes(bytes(2 << 20))
    with closing(SqliteEngine(path)) as engine:
        engine.start_copying(lambda: None)
        with _reading(path):
            n = 0
            while engine.log_bytes() < 10 << 20:
                assert _try(engine, f"{n}")
                n += 1
        engine._checkpoints._again = True
        engine._checkpoints._wake.set()
        while _try(engine, f"{n}"):
            n += 1
        assert engine._files.store_bytes() < 1 << 20
        ballast.unlink()
        assert all(_try(engine, f"{n + more}") for more in range(100))
        assert engine.verify().ok
    with closing(SqliteEngine(path)) as engine:
        assert len(engine.facts()) == n + 100


# --- readers that stay ---


def test_who_reads_for_long_is_told_of_once(
    path: Path, engine: SqliteEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(checkpoints, "KEPT_BYTES", 1_000_000)
    monkeypatch.setattr(checkpoints, "LONG_READ_S", 0.2)
    monkeypatch.setattr(checkpoints, "LOOK_EVERY_S", 0.01)
    engine.start_copying(lambda: None)
    with _reading(path):
        _never_idle(engine, lambda: LONG_READ in caplog.text)
        assert _progress(engine).used_bytes > 1_000_000
        longer = _progress(engine).frames + 20 * PAGES
        _never_idle(engine, lambda: _progress(engine).frames > longer)
    _never_idle(engine, lambda: _progress(engine).frames < PAGES)
    assert caplog.text.count(LONG_READ) == 1
