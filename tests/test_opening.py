"""Opening the configured store: which one it is, and which it cannot be."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from connector.config import EXAMPLE, Config, StoreConfig
from connector.errors import StoreBroken, StoreError, StoreFull, StoreInUse, StoreTooNew
from connector.opening import open_store
from connector.settings import load


@pytest.fixture
def config(tmp_path: Path) -> Config:
    plain = load(EXAMPLE, Config, source="c.toml")
    return attrs.evolve(plain, store=StoreConfig(path=str(tmp_path / "store.db"), ballast_mb=0, min_free_mb=0))


def _opened(config: Config) -> None:
    engine, _ = open_store(config)
    engine.close()


def test_a_start_says_which_store_it_opened_and_whether_it_is_new(
    config: Config, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.chdir(tmp_path)
    relative = attrs.evolve(config, store=attrs.evolve(config.store, path="store.db"))
    _opened(relative)
    _opened(relative)
    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith("the store is")]
    assert said == [
        f"the store is {tmp_path}/store.db, new",
        f"the store is {tmp_path}/store.db, known: 0 messages accepted since it was made",
    ]


@pytest.mark.parametrize("journal", [False, True])
def test_a_store_of_no_bytes_is_not_taken_for_a_new_one(config: Config, tmp_path: Path, journal: bool) -> None:
    path = tmp_path / "store.db"
    path.touch()
    if journal:
        (tmp_path / "store.db-journal").write_bytes(bytes(512))
    with pytest.raises(StoreError, match=r"store\.db is empty, 0 bytes: .*delete it"):
        open_store(config)
    path.unlink()
    (tmp_path / "store.db-journal").unlink(missing_ok=True)
    _opened(config)


def test_a_store_of_no_bytes_with_a_log_is_damaged(config: Config, tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    (tmp_path / "store.db-wal").write_bytes(b"x" * 100)
    with pytest.raises(StoreBroken, match="its write-ahead log is not"):
        open_store(config)


# --- a start that is refused ---


def _another_program_s(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE other (a)")


def _too_new(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA user_version = 99")


def _no_database(path: Path) -> None:
    path.write_text("a letter " * 500)


def _damaged(path: Path) -> None:
    _another_program_s(path)
    with path.open("r+b") as file:
        file.seek(100)
        file.write(bytes(500))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (_another_program_s, StoreError),
        (_too_new, StoreTooNew),
        (_no_database, StoreBroken),
        (_damaged, StoreBroken),
        (Path.mkdir, StoreError),
    ],
)
def test_a_refused_start_leaves_no_file_that_was_not_there(
    config: Config, tmp_path: Path, make: Callable[[Path], object], error: type[StoreError]
) -> None:
    path = tmp_path / "store.db"
    make(path)
    was = None if path.is_dir() else path.read_bytes()
    with pytest.raises(error):
        open_store(config)
    assert [file.name for file in tmp_path.iterdir()] == ["store.db"]
    assert was is None or path.read_bytes() == was


def test_a_refused_start_leaves_the_files_that_others_use(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    _another_program_s(path)
    with closing(sqlite3.connect(path)) as other:
        other.execute("INSERT INTO other VALUES (1)")
        other.commit()
        with pytest.raises(StoreError, match="another program"):
            open_store(config)
        assert sorted(file.name for file in tmp_path.iterdir()) == ["store.db", "store.db-shm", "store.db-wal"]
        assert other.execute("SELECT count(*) FROM other").fetchone() == (1,)


def test_a_second_start_leaves_what_the_first_one_made(config: Config, tmp_path: Path) -> None:
    engine, _ = open_store(config)
    files = sorted(tmp_path.iterdir())
    with pytest.raises(StoreInUse):
        open_store(config)
    assert sorted(tmp_path.iterdir()) == files
    engine.close()
    _too_new(tmp_path / "store.db")
    with pytest.raises(StoreTooNew):
        open_store(config)
    assert (tmp_path / "store.db.lock").exists()


def test_a_start_that_cannot_make_its_store_leaves_none_of_it(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_what: object) -> None:
        raise StoreFull("the disk is full")

    with monkeypatch.context() as disk:
        disk.setattr("connector.store.sqlite.connect", full)
        disk.setattr("connector.store.sqlite.migrate", full)
        with pytest.raises(StoreFull):
            open_store(config)
    assert list(tmp_path.iterdir()) == []
    _opened(config)
