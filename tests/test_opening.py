"""Opening the configured store: which one it is, and which it cannot be."""

import logging
from pathlib import Path

import attrs
import pytest

from connector.config import EXAMPLE, Config, StoreConfig
from connector.errors import StoreBroken, StoreError
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
