"""A store may be named by a link: what belongs to it lies beside the file itself, as SQLite's own log does."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connector.config import StoreConfig
from connector.disk import Disk
from connector.errors import StoreBroken, StoreError, StoreInUse
from connector.offline import back_up
from connector.store import privacy
from connector.store.ballast import Ballast
from connector.store.file import lock, real
from connector.store.held import HeldFiles
from connector.store.sqlite import SqliteEngine, open_read_only


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of its own folder."""
    path = tmp_path / "disk" / "store.db"
    path.parent.mkdir()
    SqliteEngine(path).close()
    return path


@pytest.fixture(params=["file", "folder", "two links"])
def link(request: pytest.FixtureRequest, store: Path, tmp_path: Path) -> Iterator[Path]:
    """Another name of it."""
    if request.param == "folder":
        (tmp_path / "here").symlink_to("disk")
        yield tmp_path / "here" / "store.db"
        return
    (tmp_path / "linked.db").symlink_to("disk/store.db")
    (tmp_path / "again.db").symlink_to(tmp_path / "linked.db")
    yield tmp_path / ("linked.db" if request.param == "file" else "again.db")


def _write(engine: SqliteEngine, number: int) -> None:
    engine.begin()
    engine.record({f"{number}": "v" * 3_900})
    engine.commit()


def test_the_log_of_a_linked_store_is_seen_and_copied(store: Path, link: Path) -> None:
    with closing(SqliteEngine(link)) as engine:
        for number in range(20):
            _write(engine, number)
        assert engine.log_bytes() == Path(f"{store}-wal").stat().st_size > 0
        assert engine.log_progress().frames >= 20
        assert engine.scrub()
        assert Path(f"{store}-wal").stat().st_size == 0
    assert not Path(f"{store}-wal").exists()


@pytest.mark.parametrize("first_by_link", [True, False])
def test_two_connectors_under_two_names_are_two_all_the_same(store: Path, link: Path, first_by_link: bool) -> None:
    first, second = (link, store) if first_by_link else (store, link)
    with closing(SqliteEngine(first)), pytest.raises(StoreInUse):
        SqliteEngine(second)
    with lock(first), pytest.raises(StoreInUse):
        lock(second)


def test_a_link_to_nothing_makes_the_store_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "linked.db").symlink_to("disk/store.db")
    SqliteEngine(tmp_path / "linked.db").close()
    made = tmp_path / "disk" / "store.db"
    assert made.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["disk", "linked.db"]


def test_a_link_to_itself_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "round.db").symlink_to("round.db")
    with pytest.raises(StoreError, match="round"):
        SqliteEngine(tmp_path / "round.db")


def test_the_key_of_erased_numbers_is_one(store: Path, link: Path) -> None:
    key = privacy.make_key(link)
    assert privacy.read_key(store) == key
    assert privacy.key_path(link) == Path(f"{store}.key")


def test_the_ballast_lies_on_the_disk_of_the_store(store: Path, link: Path) -> None:
    assert Ballast(link, 4_096).whole
    assert Path(f"{store}.ballast").stat().st_size == 4_096


def test_the_disk_that_is_watched_is_that_of_the_store(
    store: Path, link: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    class Free:
        free = 0

    def usage(folder: Path) -> Free:
        asked.append(folder)
        return Free()

    monkeypatch.setattr("connector.disk.shutil.disk_usage", usage)
    assert Disk(StoreConfig(path=str(link)), lambda: 0.0, Ballast()).low()
    assert asked == [store.parent]


def test_it_is_read_and_copied_by_a_link_too(link: Path, tmp_path: Path) -> None:
    with closing(SqliteEngine(link)) as engine:
        _write(engine, 1)
        with closing(open_read_only(link)) as reader:
            assert reader.execute("SELECT count(*) FROM fact").fetchone() == (1,)
        assert back_up(link, tmp_path / "copy.db").verification.ok


def test_a_path_is_real_whatever_it_is_made_of(store: Path, link: Path) -> None:
    assert real(str(link)) == real(store) == store


# --- what has to be there while a store is in use ---


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_store_in_use_without_its_log_or_index_is_refused(store: Path, suffix: str) -> None:
    for beside in {"-wal", "-shm"} - {suffix}:
        Path(f"{store}{beside}").touch()
    files = HeldFiles()
    with pytest.raises(StoreBroken, match=f"store.db{suffix} is missing"):
        files.open(store)
    files.close()
