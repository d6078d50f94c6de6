"""A file that is not as it was left: a start refuses it with one sentence and the way out, and leaves it as it is.
And a schema that grows: forward, whole or not at all."""

import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from connector.errors import StoreBroken, StoreError, StoreTooNew
from connector.store import sqlite
from connector.store.file import migrate
from connector.store.sqlite import SqliteEngine, open_read_only
from tests.store.lives import Promise, holdings_of, live
from tests.store.migrator import newer

ROOT = Path(__file__).parents[2]
PAGE_BYTES, HEADER_BYTES = 4096, 32
FRAME_BYTES = PAGE_BYTES + 24
ROUNDS = 6


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store as a closed process leaves it."""
    path = tmp_path / "store.db"
    with closing(SqliteEngine(path)) as engine:
        live(engine, ROUNDS, lambda _: None)
    return path


@pytest.fixture
def killed(tmp_path: Path) -> tuple[Path, list[Promise]]:
    """A store as a killed process leaves it, nearly all of it still in the write-ahead log; and its promises."""
    promises: list[Promise] = []
    path = tmp_path / "killed" / "store.db"
    path.parent.mkdir()
    with closing(SqliteEngine(tmp_path / "alive.db")) as engine:
        live(engine, ROUNDS, promises.append)
        for end in ("", "-wal"):
            shutil.copy(f"{tmp_path}/alive.db{end}", f"{path}{end}")
    return path, promises


def _octets(path: Path) -> dict[str, bytes]:
    files = {end: Path(f"{path}{end}") for end in ("", "-wal")}
    return {end: file.read_bytes() for end, file in files.items() if file.exists() and file.stat().st_size}


def _refused(path: Path, how: str) -> None:
    """Check that it is refused, in one line that says how it is damaged and what to do, and left as it is."""
    before = _octets(path)
    for _ in range(2):
        with pytest.raises(StoreBroken, match=how) as refused:
            SqliteEngine(path)
        assert "put a backup in its place" in str(refused.value)
        assert "\n" not in str(refused.value)
        assert _octets(path) == before


# --- the file ---


def test_a_page_that_rotted_is_found_wherever_it_is(store: Path) -> None:
    whole = store.read_bytes()
    for page in range(len(whole) // PAGE_BYTES):
        octets = bytearray(whole)
        octets[page * PAGE_BYTES : page * PAGE_BYTES + 8] = b"\xa5" * 8
        store.write_bytes(octets)
        _refused(store, "malformed|not a database|is damaged")


def test_a_file_that_was_cut_short_is_refused(store: Path) -> None:
    store.write_bytes(store.read_bytes()[: 5 * PAGE_BYTES])
    _refused(store, "malformed|is damaged")


def test_a_file_that_is_gone_while_its_log_is_not_is_refused(killed: tuple[Path, list[Promise]]) -> None:
    path, _ = killed
    path.write_bytes(b"")
    _refused(path, "its write-ahead log is not")
    path.unlink()
    with pytest.raises(StoreBroken, match="its write-ahead log is not"):
        SqliteEngine(path)


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE photo (id)")
    with pytest.raises(StoreError, match=r"photos\.db is a database of another program"):
        SqliteEngine(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("photo",)]


def test_a_file_that_is_no_database_is_no_store_and_nothing_to_recover(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("a line of text\n" * 500)
    path.chmod(0o644)
    with pytest.raises(StoreError, match=r"notes\.txt is not a store of Carrierline") as refused:
        SqliteEngine(path)
    assert ".recover" not in str(refused.value)
    assert path.read_text() == "a line of text\n" * 500
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_file_of_no_bytes_is_not_taken_for_a_new_store(tmp_path: Path) -> None:
    """It may be what a copy that failed has left of a store full of messages."""
    path = tmp_path / "store.db"
    path.touch()
    with pytest.raises(StoreError, match=r"store\.db is empty, 0 bytes"):
        SqliteEngine(path)
    assert [file.name for file in tmp_path.iterdir()] == ["store.db"]
    path.unlink()
    SqliteEngine(path).close()


def test_a_directory_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(StoreError, match="data: it is a directory"):
        SqliteEngine(tmp_path / "data")


def test_a_store_that_others_may_read_is_closed_to_them_at_a_start(
    killed: tuple[Path, list[Promise]], caplog: pytest.LogCaptureFixture
) -> None:
    path, _ = killed
    for end in ("", "-wal"):
        Path(f"{path}{end}").chmod(0o644)
    with closing(SqliteEngine(path)):
        modes = {stat.S_IMODE(Path(f"{path}{end}").stat().st_mode) for end in ("", "-wal", "-shm")}
    assert modes == {0o600}
    assert "was open to other users (mode 644)" in caplog.text


def test_a_large_file_is_looked_at_for_a_bounded_time(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the time does not suffice for is left to verify."""
    monkeypatch.setattr("connector.store.file.START_CHECK_S", -1.0)
    with closing(SqliteEngine(store)) as engine:
        assert engine.verify().ok


# --- the write-ahead log ---


def test_what_a_killed_process_has_left_in_the_log_is_there(killed: tuple[Path, list[Promise]]) -> None:
    path, promises = killed
    SqliteEngine(path).close()
    assert promises[-1].broken_by(holdings_of(path)) == []


def test_a_log_whose_header_is_wrong_is_refused(killed: tuple[Path, list[Promise]]) -> None:
    path, _ = killed
    for at in range(HEADER_BYTES):
        _flip(path, at)
        _refused(path, "header of its write-ahead log is wrong")
        _flip(path, at)


def test_a_log_that_is_broken_in_the_midst_is_refused(killed: tuple[Path, list[Promise]]) -> None:
    """SQLite would take it for the end of the log, and all commits behind it would be gone without a word."""
    path, _ = killed
    draw, size = random.Random(7), len(_octets(path)["-wal"])
    for _ in range(60):
        at = draw.randrange(HEADER_BYTES, size // 2)
        _flip(path, at)
        _refused(path, "its write-ahead log is broken in the midst")
        _flip(path, at)


def test_a_log_that_lost_its_end_is_what_a_power_cut_leaves(killed: tuple[Path, list[Promise]]) -> None:
    path, promises = killed
    log = Path(f"{path}-wal")
    log.write_bytes(log.read_bytes()[: -FRAME_BYTES // 2])
    SqliteEngine(path).close()
    assert promises[-2].broken_by(holdings_of(path)) == []


def test_a_log_of_zeros_is_an_empty_one(killed: tuple[Path, list[Promise]]) -> None:
    path, _ = killed
    SqliteEngine(path).close()
    Path(f"{path}-wal").write_bytes(bytes(100))
    SqliteEngine(path).close()


def test_a_log_that_was_emptied_and_begun_anew_is_read(tmp_path: Path) -> None:
    """A reader keeps the log's index in place while the writer dies behind a checkpoint that emptied the log."""
    path = tmp_path / "store.db"
    engine = SqliteEngine(path)
    live(engine, ROUNDS, lambda _: None)
    engine._db.execute("PRAGMA wal_checkpoint(RESTART)")
    image = tmp_path / "image"
    image.mkdir()
    for end in ("", "-wal", "-shm"):
        shutil.copy(f"{path}{end}", f"{image}/store.db{end}")
    with closing(open_read_only(image / "store.db")) as reader:
        assert reader.execute("SELECT count(*) FROM part").fetchone() == (ROUNDS * 7,)
        with closing(SqliteEngine(image / "store.db")) as other:
            assert other.verify().ok
    engine.close()


def _flip(path: Path, at: int) -> None:
    with open(f"{path}-wal", "r+b") as log:
        log.seek(at)
        [octet] = log.read(1)
        log.seek(at)
        log.write(bytes([octet ^ 0x10]))


# --- a schema that grows ---


def _grown(path: Path) -> None:
    """Open it with a version that knows one script more."""
    number, scripts = newer()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, scripts)
        assert db.execute("PRAGMA user_version").fetchone() == (number,)
        assert db.execute("SELECT DISTINCT invented FROM part").fetchall() == [(1,)]
        assert db.execute("SELECT count(*) FROM invention").fetchone() == (ROUNDS * 7,)


def test_a_store_with_messages_grows_with_its_schema_and_loses_none(store: Path) -> None:
    before = holdings_of(store)
    _grown(store)
    assert before.broken_by(holdings_of(store)) == []
    _grown(store)  # a second time it has nothing to do
    with pytest.raises(StoreTooNew, match=r"store\.db has schema .*run the newer version"):
        SqliteEngine(store)


def test_a_kill_in_the_midst_of_a_migration_leaves_the_old_schema_whole(store: Path) -> None:
    before = holdings_of(store)
    died = subprocess.run([sys.executable, "-m", "tests.store.migrator", str(store)], cwd=ROOT)
    assert died.returncode == -signal.SIGKILL
    with closing(SqliteEngine(store)) as engine:
        columns = [row[1] for row in engine._db.execute("PRAGMA table_info(part)")]
        assert "invented" not in columns
        assert engine.verify().ok
    assert before.broken_by(holdings_of(store)) == []
    _grown(store)


def test_a_script_that_fails_changes_nothing(store: Path) -> None:
    number, scripts = newer("SELECT no_such_function();\n")
    with closing(sqlite3.connect(store, isolation_level=None)) as db, pytest.raises(sqlite3.OperationalError):
        migrate(db, scripts)
    assert number == sqlite.SCHEMA_VERSION + 1
    with closing(SqliteEngine(store)) as engine:
        assert engine.verify().ok
