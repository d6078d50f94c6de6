"""The store on SQLite: one file, one writing connection, WAL, every commit on disk before anyone hears of it."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import IO

from connector.errors import StoreBroken, StoreError, StoreFull, StoreInUse, StoreTooNew
from connector.lifecycle import Status, message_status
from connector.model import (
    Claim,
    Conflict,
    DoubtPolicy,
    Due,
    Duplicate,
    EventBatch,
    Kept,
    Ledger,
    Message,
    MessageQuery,
    MessageView,
    Move,
    Moved,
    Owner,
    Part,
    QueueName,
    QueueState,
    Refile,
    Refiled,
    Result,
    Unsettled,
    Verification,
    Wanted,
)
from connector.store import sqlite_reads as reads
from connector.store.sqlite_results import Results
from connector.store.sqlite_writes import Writes
from connector.store.tally import Tally, pack_parts

SCHEMA_VERSION = 1

# The writer's cache holds the hot end of the tables and indexes; a reader looks at a few hundred rows at a time.
_WRITER_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4000", "cache_size = -32768")
_READER_PRAGMAS = ("cache_size = -4096",)

_FULL = sqlite3.SQLITE_FULL
_BROKEN = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY})


@contextmanager
def translated() -> Iterator[None]:
    """Turn SQLite's errors into ours: what the caller must do next is in the type."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == _FULL:
            raise StoreFull("the disk is full") from error
        if code in _BROKEN:
            raise StoreBroken(f"the store cannot be read or written: {error}") from error
        raise StoreError(f"the store refused: {error}") from error
    except (UnicodeEncodeError, OverflowError) as error:
        raise StoreError("a value is none that the store can hold") from error


class SqliteEngine:
    """The verbs of the store on one SQLite file, synchronous; `Store` gives them to the event loop.

    Writing verbs run inside `begin` … `commit`, on one thread at a time.  Reading verbs use connections of their own
    and see what is committed.  Raises StoreInUse when another connector has the file, StoreTooNew when a newer version
    wrote it.
    """

    def __init__(self, path: str | os.PathLike[str], *, node: str = "one") -> None:
        self.path = Path(path)
        self._tally = Tally()
        # whatever is open is closed again if the file turns out not to be usable
        with ExitStack() as opened:
            opened.enter_context(_lock(self.path))
            with translated():
                self._db = opened.enter_context(closing(_connect(self.path)))
                _migrate(self._db)
                self.owner = Owner(node, _next_fence(self._db))
                self._dispatch_reader = opened.enter_context(closing(_connect(self.path, read_only=True)))
                self._door_reader = opened.enter_context(closing(_connect(self.path, read_only=True)))
                self._auditor = opened.enter_context(closing(_connect(self.path, read_only=True)))
                self._writes = Writes(self._db, self._tally)
                self._results = Results(self._db, self._tally)
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Close the file and let go of the lock."""
        self._opened.close()

    # --- transactions ---

    def begin(self) -> None:
        self._tally.clear()
        self._results.used = False
        with translated():
            self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        with translated():
            _write_tally(self._db, self._tally, self._writes.now)
            self._db.execute("COMMIT")

    def rollback(self) -> None:
        with translated():
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if self._results.used:
                self._results.forget()

    # --- writing verbs ---

    def queues(self, names: Sequence[QueueName]) -> list[QueueState]:
        with translated():
            return self._writes.queues(names)

    def open(self, names: Sequence[QueueName]) -> dict[QueueName, int]:
        with translated():
            return self._writes.open(names)

    def append(
        self, messages: Sequence[Message], claims: Sequence[Claim], *, owner: Owner, now: float
    ) -> list[Kept | Duplicate | Conflict]:
        with translated():
            return self._writes.append(messages, claims, owner=owner, now=now)

    def claim(self, claims: Sequence[Claim], *, owner: Owner, now: float) -> list[Claim]:
        with translated():
            return self._writes.claim(claims, owner=owner, now=now)

    def results(self, results: Sequence[Result], *, owner: Owner, now: float) -> list[Moved]:
        with translated():
            self._writes.now = now
            return self._results.apply(results, owner=owner)

    def change(self, moves: Sequence[Move], *, now: float) -> list[Moved]:
        with translated():
            return self._writes.change(moves, now=now)

    def recover(self, owner: Owner, *, limit: int, now: float, policies: Mapping[str, DoubtPolicy]) -> list[Moved]:
        with translated():
            return self._writes.recover(owner, limit=limit, now=now, policies=policies)

    def refile(self, moves: Sequence[Refile], *, now: float) -> list[Refiled]:
        with translated():
            return self._writes.refile(moves, now=now)

    def sweep(self, limit: int, *, before: float) -> int:
        with translated():
            return self._writes.sweep(limit, before=before)

    def probe(self, *, now: float) -> None:
        with translated():
            self._writes.probe(now)

    # --- reading verbs ---

    def heads(self, wanted: Sequence[Wanted], *, now: float) -> dict[int, list[Part]]:
        with translated():
            return reads.heads(self._dispatch_reader, wanted)

    def due(self, limit: int, *, now: float) -> list[Due]:
        with translated():
            return reads.due(self._dispatch_reader, limit, now)

    def unsettled(self, after: int, limit: int, *, queues: Sequence[int]) -> list[Unsettled]:
        with translated():
            return reads.unsettled(self._dispatch_reader, after, limit, queues)

    def messages(self, query: MessageQuery) -> list[MessageView]:
        with translated():
            return reads.messages(self._door_reader, query)

    def known(self, api_key: str, refs: Sequence[tuple[str, bytes]]) -> list[int | None]:
        with translated():
            return reads.known(self._dispatch_reader, api_key, refs)

    def events(self, after: int, limit: int) -> list[EventBatch]:
        with translated():
            return reads.events(self._door_reader, after, limit)

    def record(self, facts: Mapping[str, str]) -> None:
        with translated():
            self._writes.record(facts)

    def facts(self) -> dict[str, str]:
        with translated():
            return dict(self._door_reader.execute("SELECT name, value FROM fact"))

    def last_id(self) -> int:
        with translated():
            return int(self._door_reader.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()[0])

    def ledger(self) -> Ledger:
        with translated():
            return reads.ledger(self._door_reader)

    def verify(self) -> Verification:
        with translated():
            return reads.verify(self._auditor)


def open_read_only(path: str | os.PathLike[str]) -> sqlite3.Connection:
    """Open a store for reading only, whether or not a connector runs on it.  Raises StoreError if there is none."""
    if not Path(path).is_file():
        raise StoreError(f"there is no store at {path}")
    with translated(), ExitStack() as opened:
        connection = opened.enter_context(closing(_connect(Path(path), read_only=True)))
        _check_version(connection)
        opened.pop_all()
    return connection


def _lock(path: Path) -> IO[str]:
    """Hold the lock file beside the store for as long as this process lives: two writers would both claim."""
    try:
        lock = open(f"{path}.lock", "w")  # noqa: SIM115 - held until close()
    except OSError as error:
        raise StoreError(f"there can be no store at {path}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StoreInUse(f"another connector is running on {path}: stop it first") from None
    return lock


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        for pragma in ("temp_store = MEMORY", *(_READER_PRAGMAS if read_only else _WRITER_PRAGMAS)):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _check_version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise StoreTooNew(f"the store has schema {version}, this version knows {SCHEMA_VERSION}: run the newer version")
    return version


def _migrate(connection: sqlite3.Connection) -> None:
    version = _check_version(connection)
    folder = resources.files("connector.store").joinpath("schema")
    scripts = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    for number, script in enumerate(scripts, 1):
        if number > version:
            connection.executescript(f"BEGIN;\n{script.read_text()}\nPRAGMA user_version = {number};\nCOMMIT;")


def _next_fence(connection: sqlite3.Connection) -> int:
    connection.execute("INSERT INTO meta VALUES ('fence', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1")
    fence: int = connection.execute("SELECT value FROM meta WHERE name = 'fence'").fetchone()[0]
    return fence


def _write_tally(db: sqlite3.Connection, tally: Tally, now: float) -> None:
    for message in sorted(tally.split_messages):
        _refresh_message(db, tally, message)
    if tally.counters:
        db.executemany(
            "INSERT INTO ledger VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = n + excluded.n",
            [(name, n) for name, n in tally.counters.items() if n],
        )
    if tally.events:
        db.executemany(
            "INSERT INTO event (at, status, parts) VALUES (?, ?, ?)",
            [(now, str(status), pack_parts(parts)) for status, parts in tally.events],
        )


def _refresh_message(db: sqlite3.Connection, tally: Tally, message: int) -> None:
    rows = db.execute("SELECT status FROM part WHERE id BETWEEN ? AND ?", (message << 8 | 1, message << 8 | 255))
    new = message_status(Status(row[0]) for row in rows)
    old = db.execute("SELECT status FROM message WHERE id = ?", (message,)).fetchone()[0]
    if new != old:
        db.execute("UPDATE message SET status = ? WHERE id = ?", (new.value, message))
        tally.message_moved(old, new)
