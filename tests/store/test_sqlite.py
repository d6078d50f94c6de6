"""What is SQLite's own: the file, its lock, its schema, a full disk, a bad one, and death at any moment."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connector.errors import StoreBroken, StoreError, StoreFull, StoreInUse, StoreTooNew
from connector.lifecycle import Status
from connector.model import Duplicate, Inbound, Kept, MessageQuery, Moved
from connector.store import sqlite_reads
from connector.store.sqlite import SCHEMA_VERSION, SqliteEngine, open_read_only
from tests.store.world import World, acknowledged, message, part, receipt

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def disk(path: Path) -> Iterator[World]:
    world = World(SqliteEngine(path), lambda _engine: SqliteEngine(path))
    yield world
    world.engine.close()


def _fill(path: Path, count: int = 50) -> None:
    world = World(SqliteEngine(path), lambda engine: engine)
    world.waiting(*(message(n) for n in range(1, count + 1)))
    world.engine.close()


# --- who may open it ---


def test_a_second_connector_is_refused(path: Path, disk: World) -> None:
    with pytest.raises(StoreInUse, match="another connector is running"):
        SqliteEngine(path)
    disk.waiting(message(5))  # the first does not mind


def test_the_lock_ends_with_its_holder(path: Path) -> None:
    SqliteEngine(path).close()
    SqliteEngine(path).close()


def test_the_fence_grows_with_every_start(path: Path) -> None:
    fences = []
    for _ in range(3):
        engine = SqliteEngine(path, node="left")
        fences.append((engine.owner.node, engine.owner.fence))
        engine.close()
    assert fences == [("left", 1), ("left", 2), ("left", 3)]


def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(path: Path) -> None:
    _fill(path)
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.commit()
    db.close()
    for _ in range(2):  # a refused start lets go of the lock
        with pytest.raises(StoreTooNew, match="run the newer version"):
            SqliteEngine(path)
    with pytest.raises(StoreTooNew):
        open_read_only(path)


def test_a_folder_that_is_not_there_is_said_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        SqliteEngine(tmp_path / "nowhere" / "store.db")


def test_every_commit_is_on_disk_before_anyone_hears_of_it(disk: World) -> None:
    """WAL with synchronous = FULL (2): with NORMAL, power cuts lose acknowledged rows."""
    db = disk.engine._db  # type: ignore[attr-defined]
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)


# --- looking without touching ---


def _count(path: Path) -> int:
    connection = open_read_only(path)
    try:
        assert sqlite_reads.verify(connection).ok
        return len(sqlite_reads.messages(connection, MessageQuery(limit=1_000)))
    finally:
        connection.close()


def test_a_running_store_can_be_read(path: Path, disk: World) -> None:
    disk.waiting(message(5))
    assert _count(path) == 1
    disk.waiting(message(6))
    assert _count(path) == 2


def test_a_store_at_rest_can_be_read(path: Path) -> None:
    _fill(path, 3)
    assert _count(path) == 3


def test_who_reads_cannot_write(path: Path) -> None:
    _fill(path)
    connection = open_read_only(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM message")
    connection.close()


def test_reading_does_not_make_a_store(path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        open_read_only(path)
    assert not path.exists()


# --- a full disk ---


def test_a_full_disk_refuses_messages_and_the_store_goes_on(path: Path, disk: World) -> None:
    disk.sending(message(5))
    db = disk.engine._db  # type: ignore[attr-defined]
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 4}")
    kept, full = 5, False
    while not full:
        batch = [message(kept + n, text="x" * 900) for n in range(1, 11)]
        disk.engine.begin()
        try:
            disk.engine.append(batch, (), owner=disk.engine.owner, now=1_000.0)
            disk.engine.commit()
            kept += len(batch)
        except StoreFull:
            disk.engine.rollback()
            full = True
    # nothing of the refused batch is there, and what needs no room goes on
    assert disk.engine.last_id() == kept
    assert disk.engine.verify().ok
    assert disk.results(acknowledged(part(5), "77")) == [Moved(part(5), Status.SENT)]
    assert disk.results(receipt("77")) == [Moved(part(5), Status.DELIVERED)]
    db.execute("PRAGMA max_page_count = 1000000")
    assert disk.append(message(kept + 1)) == [Kept(kept + 1)]


# --- a bad disk ---


def test_a_file_that_is_no_store_is_refused(path: Path) -> None:
    path.write_bytes(b"To: everyone\n" * 1_000)
    for _ in range(2):
        with pytest.raises(StoreBroken, match="not a database"):
            SqliteEngine(path)


def test_a_torn_file_is_refused(path: Path) -> None:
    _fill(path, 200)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))
    with pytest.raises(StoreBroken, match="malformed"):
        SqliteEngine(path)


def test_verify_finds_a_page_that_rotted_where_a_start_does_not_look(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.store.file.START_CHECK_S", 0.0)
    _fill(path, 2_000)
    octets = bytearray(path.read_bytes())
    at = octets.index(b"your code is 1234")
    page = at - at % 4096
    octets[page : page + 8] = b"\xa5" * 8
    path.write_bytes(octets)
    engine = SqliteEngine(path)
    problems = engine.verify().problems
    engine.close()
    assert problems[0].startswith("file: ")


def test_a_value_the_file_cannot_hold_is_an_error_of_the_store(disk: World) -> None:
    disk.engine.begin()
    with pytest.raises(StoreError, match="a value"):
        disk.engine.append([message(5, text="\ud800")], (), owner=disk.engine.owner, now=1_000.0)
    disk.engine.rollback()
    assert disk.append(message(5)) == [Kept(5)]


def test_books_that_were_tampered_with_do_not_balance(path: Path) -> None:
    _fill(path, 3)
    db = sqlite3.connect(path)
    db.execute("DELETE FROM part WHERE id = ?", (part(2),))
    db.execute("UPDATE part SET status = 'sent' WHERE id = ?", (part(3),))
    db.commit()
    db.close()
    engine = SqliteEngine(path)
    problems = "\n".join(engine.verify().problems)
    engine.close()
    assert "parts accepted, all: the ledger says 3, the rows say 2" in problems
    assert "messages, sent: the ledger says 0, the rows say 1" in problems
    assert "messages, accepted: the ledger says 3, the rows say 1" in problems


# --- what is held in memory is only a hint ---


def test_receipts_are_matched_without_the_memory_of_recent_ids(disk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.store.sqlite_receipts.KNOWN_IDS", 2)
    disk.sending(*(message(n) for n in range(5, 15)))
    disk.results(*(acknowledged(part(n), str(n)) for n in range(5, 15)))
    moved = disk.results(*(receipt(str(n)) for n in range(5, 15)))
    assert moved == [Moved(part(n), Status.DELIVERED) for n in range(5, 15)]


def test_parked_receipts_are_joined_however_many_there_are(disk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.store.sqlite_receipts.PARKED_KEYS", 2)
    disk.results(*(receipt(str(n)) for n in range(5, 15)))
    disk.sending(message(5), message(6))
    assert Moved(part(5), Status.DELIVERED) in disk.results(acknowledged(part(5), "5"))
    disk.engine.close()
    disk.restart()
    disk.recover()
    assert Moved(part(6), Status.DELIVERED) in disk.results(acknowledged(part(6), "6"))
    assert disk.engine.ledger().parked == 8


# --- death ---


def _kill_after(path: Path, lines: int) -> list[int]:
    """Let a process append, kill it after this many printed ids, and return all it printed."""
    command = [sys.executable, "-m", "tests.store.appender", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as child:
        assert child.stdout is not None
        printed = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        printed += child.stdout.readlines()
    # the last line may be cut
    return [int(line) for line in printed if line.endswith("\n")]


def test_no_acknowledged_message_is_lost_when_the_process_is_killed(path: Path) -> None:
    acknowledged_ids: list[int] = []
    for lines in (5, 60, 111, 222, 333):
        acknowledged_ids += _kill_after(path, lines)
        assert _count_after_death(path) >= len(acknowledged_ids)
    engine = SqliteEngine(path)
    assert engine.owner.fence == 6
    kept = {view.id for view in engine.messages(MessageQuery(limit=1_000_000))}
    verification = engine.verify()
    again = message(1_000_000, refs=((f"ref:{acknowledged_ids[-1]}", b"x"),))
    engine.begin()
    verdicts = engine.append([again], (), owner=engine.owner, now=1_000.0)
    engine.commit()
    engine.close()
    assert set(acknowledged_ids) - kept == set()
    assert verification.ok, verification.problems
    assert verdicts == [Duplicate(acknowledged_ids[-1])]


def _count_after_death(path: Path) -> int:
    """Count by a reader that finds the file as the killed process left it."""
    connection = open_read_only(path)
    count: int = connection.execute("SELECT count(*) FROM message").fetchone()[0]
    connection.close()
    return count


# --- inbound ---


def test_an_inbound_part_is_kept_with_all_that_joins_it_to_the_others(path: Path, disk: World) -> None:
    octets = bytes.fromhex("0b 05 04 0b84 23f0 00 03 2a 02 01".replace(" ", "")) + b"Hello"
    split = Inbound("north", 1_020.0, "447700900123", "60300", "Hello", octets, 0, 0x40, "gsm", 12, 42, False, 2, 1)
    split.destination_port, split.source_port = 2_948, 9_200
    whole = Inbound("south", 1_021.0, "447700900123", "60300", "", b"\x01", 4, 0, "binary")
    disk.results(split, whole)
    with closing(open_read_only(path)) as reader:
        rows = reader.execute(
            "SELECT carrier, at, from_addr, to_addr, text, octets, data_coding, esm_class, alphabet, header_bytes,"
            " reference, wide, total, number, destination_port, source_port FROM inbound ORDER BY id"
        ).fetchall()
    assert [Inbound(*row) for row in rows] == [split, whole]
    assert split.body == b"Hello"


# --- what a look costs ---


def _plan(disk: World, sql: str, arguments: object) -> str:
    return " ".join(row[3] for row in disk.engine._db.execute(f"EXPLAIN QUERY PLAN {sql}", arguments))  # type: ignore[attr-defined]


def test_what_waits_is_found_without_a_look_at_what_does_not(disk: World) -> None:
    plan = _plan(disk, sqlite_reads._HEADS, (1, 0.0, 0, 10))
    assert "SEARCH part USING INDEX part_waiting (queue=? AND deadline>?)" in plan
    assert "ORDER BY" not in plan


def test_what_has_not_left_is_found_without_a_look_at_what_has(disk: World) -> None:
    plan = _plan(disk, sqlite_reads._UNSETTLED_IDS, {"queue": 1, "after": 0, "limit": 10})
    assert "SEARCH part USING INDEX part_waiting (queue=?)" in plan
    assert "SEARCH part USING INDEX part_paused (queue=? AND id>?)" in plan
    assert "SCAN" not in plan
