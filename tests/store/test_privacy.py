"""What was erased is nowhere in the store's files, which are nobody else's to read."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connector.errors import InputError, StoreError, StoreInUse
from connector.lifecycle import Status
from connector.model import Aged, Traces
from connector.offline import erase, export
from connector.store.file import schemas
from connector.store.privacy import KEY_BYTES, key_path, make_key, names, pseudonym, read_key
from connector.store.sqlite import SqliteEngine
from connector.store.sqlite_privacy import HOLD_NO_NUMBER, SHOWN
from connector.store.sqlite_results import Results
from tests.store.world import NUMBER, OTHER_NUMBER, World, inbound, message, part, receipt

SECRET = "your code is 471193"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def disk(path: Path) -> Iterator[World]:
    world = World(SqliteEngine(path), lambda _engine: SqliteEngine(path))
    yield world
    world.engine.close()


def _octets(path: Path) -> bytes:
    """Everything the store's files hold."""
    return b"".join(file.read_bytes() for file in path.parent.glob("store.db*"))


def _delivered(world: World, numbers: range, **changes: str) -> None:
    for number in numbers:
        to = changes.get("to", NUMBER)
        world.sent(number, str(number), to=to, text=f"{SECRET} {number}", bounds=((0, 20),))
        world.now += 1
        moved = world.results(receipt(str(number), at=world.now, number=to))
        assert [it.status for it in moved] == [Status.DELIVERED]


# --- the bytes ---


def test_an_erased_text_is_in_no_file(path: Path, disk: World) -> None:
    _delivered(disk, range(1, 40))
    assert SECRET.encode() in _octets(path)
    while disk.transaction(lambda: disk.engine.erase_bodies(10, before={"otp": 9_999.0}))[0].more:
        pass
    assert disk.engine.scrub()
    assert SECRET.encode() not in _octets(path)
    assert NUMBER.encode() in _octets(path)


def test_erased_rows_are_in_no_file(path: Path, disk: World) -> None:
    _delivered(disk, range(1, 200))
    forget = disk.engine.forget_messages
    disk.transaction(lambda: forget(300, after=0, until=1_000, before=9_999.0))
    disk.results(receipt("none"), inbound())
    disk.transaction(lambda: disk.engine.forget(Aged.RECEIPTS, 10, before=9_999.0))
    disk.transaction(lambda: disk.engine.erase(NUMBER, disk.engine.traces(NUMBER)))
    assert disk.engine.scrub()
    assert not [needle for needle in (SECRET, NUMBER) if needle.encode() in _octets(path)]


def test_a_reader_in_the_way_is_told_and_the_next_try_does_it(path: Path, disk: World) -> None:
    _delivered(disk, range(1, 3))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM part").fetchone()
        disk.transaction(lambda: disk.engine.erase_bodies(10, before={"otp": 9_999.0}))
        assert not disk.engine.scrub()
        disk.waiting(message(7))  # and the writer does not mind
        reader.execute("ROLLBACK")
    assert disk.engine.scrub()
    assert f"{SECRET} 1".encode() not in _octets(path)


def test_a_number_is_erased_from_a_store_that_rests(path: Path, disk: World) -> None:
    _delivered(disk, range(1, 500))
    _delivered(disk, range(500, 510), to=OTHER_NUMBER)
    disk.results(receipt("none"), inbound())
    with pytest.raises(StoreInUse):
        erase(path, f"+{NUMBER}")
    disk.engine.close()
    done = erase(path, f"+{NUMBER}")
    assert (done.messages, done.receipts, done.inbound, done.live, done.clean) == (499, 1, 1, 0, True)
    assert NUMBER.encode() not in _octets(path)
    assert f"{SECRET} 499".encode() not in _octets(path)
    assert f"{SECRET} 505".encode() in _octets(path)
    disk.engine = SqliteEngine(path)
    assert disk.engine.verify().ok
    assert len(disk.to(NUMBER)) == 100
    assert {view.status for view in disk.to(NUMBER)} == {Status.DELIVERED}


def test_digits_in_the_words_of_a_carrier_go_too(path: Path, disk: World) -> None:
    disk.sent(5, f"{NUMBER}-77")
    disk.results(receipt(f"{NUMBER}-77", detail=f"DELIVRD {NUMBER}"))
    disk.transaction(lambda: disk.engine.erase(NUMBER, disk.engine.traces(NUMBER)))
    disk.engine.scrub()
    assert not disk.engine.remains(NUMBER)
    assert disk.view(5).carrier_message_id == "#-77"
    assert disk.engine.verify().ok
    assert disk.results(receipt("77")) == []
    assert disk.status(5) is Status.DELIVERED
    assert disk.part_statuses(5) == ["delivered"]
    assert part(5) not in disk.waiting_parts()


def test_an_export_shows_what_is_kept(path: Path, disk: World) -> None:
    _delivered(disk, range(1, 2))
    [row] = export(path, f"+{NUMBER}")
    assert (row["to_addr"], row["text"], row["parts"][0]["status"]) == (NUMBER, f"{SECRET} 1", "delivered")
    with pytest.raises(InputError):
        export(path, "nobody")


def test_every_table_is_either_looked_through_or_holds_no_number() -> None:
    """A table that comes later has to say which it is."""
    with closing(sqlite3.connect(":memory:")) as db:
        for script in schemas():
            db.executescript(script)
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    looked_through = {table for table, *_ in SHOWN} | {"part", "ref", "other_id", "parked_key"}
    assert tables - HOLD_NO_NUMBER == looked_through


# --- the key ---


def test_the_hash_of_a_number_needs_its_key(path: Path, disk: World) -> None:
    assert read_key(path) is None
    _delivered(disk, range(1, 2))
    disk.transaction(lambda: disk.engine.erase(NUMBER, disk.engine.traces(NUMBER)))
    key = read_key(path)
    assert key is not None
    assert len(key) == KEY_BYTES
    assert disk.view(1).to == pseudonym(NUMBER, key)
    key_path(path).unlink()
    assert disk.to(NUMBER) == []
    key_path(path).write_bytes(b"half a key")
    with pytest.raises(StoreError, match="is no key"):
        disk.to(NUMBER)


@pytest.mark.parametrize(
    ("address", "same"),
    [
        (NUMBER, True),
        (f"+{NUMBER}", True),
        (f"00{NUMBER}", True),
        ("07700900123", True),
        ("7700900123", True),
        ("900123", False),
        ("", False),
        ("Shop", False),
        (OTHER_NUMBER, False),
        (f"1{NUMBER}", False),
    ],
)
def test_an_address_names_a_number_or_not(address: str, same: bool) -> None:
    assert names(NUMBER, address) is same


def test_a_key_that_was_never_written_is_none(path: Path, disk: World) -> None:
    _delivered(disk, range(1, 2))
    key_path(path).touch(0o600)
    assert disk.to(OTHER_NUMBER) == []
    disk.transaction(lambda: disk.engine.erase(NUMBER, disk.engine.traces(NUMBER)))
    assert len(read_key(path) or b"") == KEY_BYTES


def test_a_key_is_whole_or_not_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_target: int) -> None:
        raise OSError("the power is gone")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="power"):
            make_key(path)
    assert not key_path(path).exists()
    assert make_key(path) == read_key(path)


# --- beside other programs ---


def test_whoever_searches_the_files_does_not_lose_their_locks(path: Path, disk: World) -> None:
    """Else another program takes itself for the only one and deletes the log under the writer, which goes on."""
    _delivered(disk, range(1, 3))
    assert disk.engine.remains(NUMBER)
    reading = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT * FROM part').fetchall()"
    subprocess.run([sys.executable, "-c", f"{reading}; db.close()", str(path)], check=True)
    _delivered(disk, range(3, 5))
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM part").fetchone() == (4,)


def test_a_search_that_nobody_waits_for_any_more_ends(disk: World) -> None:
    engine = disk.engine
    assert isinstance(engine, SqliteEngine)
    octets = engine._octets()
    next(octets)
    engine.interrupt()
    with pytest.raises(StoreError, match="stopped before its end"):
        next(octets)


# --- many rows ---


def test_ids_of_earlier_attempts_are_erased_by_their_key(disk: World) -> None:
    """A look at all of them would hold the writer."""
    engine = disk.engine
    executed: list[str] = []
    assert isinstance(engine, SqliteEngine)
    wish = Traces(other_ids=(("north", f"{NUMBER}-1", part(1)),))
    engine._db.set_trace_callback(executed.append)
    disk.transaction(lambda: engine.erase(NUMBER, wish))
    engine._db.set_trace_callback(None)
    [delete] = [sql for sql in executed if sql.startswith("DELETE FROM other_id")]
    plan = engine._db.execute(f"EXPLAIN QUERY PLAN {delete}").fetchall()
    assert [row[3].split()[0] for row in plan] == ["SEARCH"]


def test_old_other_ids_are_found_behind_a_thousand_young_ones(disk: World) -> None:
    rows = [("north", f"{n:05}", part(n), "x", 2_000.0 if n < 2_500 else 10.0) for n in range(2_600)]
    engine = disk.engine
    assert isinstance(engine, SqliteEngine)
    disk.transaction(lambda: engine._db.executemany("INSERT INTO other_id VALUES (?, ?, ?, ?, ?)", rows))
    gone = [disk.transaction(lambda: engine.forget(Aged.OTHER_IDS, 100, before=1_000.0))[0].gone for _ in range(4)]
    assert gone == [0, 0, 100, 0]
    assert engine._db.execute("SELECT count(*), min(sent_at) FROM other_id").fetchone() == (2_500, 2_000.0)


def test_an_erasure_does_not_read_all_that_is_parked_anew(disk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _delivered(disk, range(1, 3))
    monkeypatch.setattr(Results, "forget", lambda _results: pytest.fail("everything was read anew"))
    disk.transaction(lambda: disk.engine.erase(NUMBER, disk.engine.traces(NUMBER)))
    assert disk.results(receipt("1")) == []
    assert disk.engine.verify().ok


# --- the files ---


def test_files_are_for_their_owner_only_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        world = World(SqliteEngine(path), lambda engine: engine)
        _delivered(world, range(1, 3))
        world.transaction(lambda: world.engine.erase(NUMBER, world.engine.traces(NUMBER)))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        world.engine.close()
    finally:
        os.umask(before)
    assert modes == {f"store.db{end}": 0o600 for end in ("", "-wal", "-shm", ".lock", ".key")}
