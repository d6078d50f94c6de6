"""The store on SQLite: one file, one writing connection, WAL, every commit on disk before anyone hears of it."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any

from connector.errors import StoreError
from connector.lifecycle import Status, message_status
from connector.model import (
    Aged,
    Claim,
    Conflict,
    DoubtPolicy,
    Due,
    Duplicate,
    EventBatch,
    InboundMessage,
    InboundPart,
    InboundQuery,
    Kept,
    Ledger,
    Message,
    MessageQuery,
    MessageView,
    Move,
    Moved,
    Owner,
    ParkedReceipt,
    Part,
    QueueName,
    QueueState,
    Recipient,
    Refile,
    Refiled,
    Repeat,
    Result,
    Sent,
    Step,
    Traces,
    Unsettled,
    Verification,
    Wanted,
)
from connector.store import privacy, restored, sqlite_privacy, sqlite_receipts
from connector.store import sqlite_inbound as inbound
from connector.store import sqlite_reads as reads
from connector.store.checkpoints import Checkpoints
from connector.store.file import (
    STOPPED,
    Connect,
    check,
    check_version,
    connect,
    lock,
    migrate,
    opening,
    real,
    refuse_empty,
    schemas,
)
from connector.store.file import translated as translated
from connector.store.held import HeldFiles
from connector.store.rules import NO_POLICIES
from connector.store.sqlite_results import Results
from connector.store.sqlite_retention import Retention
from connector.store.sqlite_writes import Writes
from connector.store.tally import Tally, pack_parts
from connector.store.wal import Progress

SCHEMA_VERSION = 1


class SqliteEngine:
    """The verbs of the store on one SQLite file, synchronous; `Store` gives them to the event loop.

    Writing verbs run inside `begin` … `commit`, on one thread at a time.  Reading verbs use connections of their own
    and see what is committed.  The write-ahead log is copied after a commit, or in a thread of its own between
    `start_copying` and `stop_copying`; then whoever writes calls `tidy` between two transactions.
    Raises StoreInUse when another connector has the file, StoreTooNew when a newer version wrote it, StoreBroken where
    it is damaged or cannot be written, StoreError for a file of 0 bytes; the file is as it was then.
    ``path``: a link is followed once, here.  ``connect``: opens the connections, SQLite's own by default.
    """

    def __init__(self, path: str | os.PathLike[str], *, node: str = "one", connect: Connect = connect) -> None:
        self.path = real(path)
        self._tally = Tally()
        self._files = HeldFiles()
        self._interrupts = 0
        refuse_empty(self.path)
        # whatever is open is closed again if the file turns out not to be usable
        with ExitStack() as opened:
            privacy.make_private(self.path)
            opened.enter_context(lock(self.path))
            opened.callback(self._files.close)
            with opening(self.path):
                check(self.path, SCHEMA_VERSION, connect)
                self._db = opened.enter_context(closing(connect(self.path, False)))
                migrate(self._db, schemas())
                self.owner = Owner(node, _next_fence(self._db))
                self._dispatch_reader = opened.enter_context(closing(connect(self.path, True)))
                self._door_reader = opened.enter_context(closing(connect(self.path, True)))
                self._auditor = opened.enter_context(closing(connect(self.path, True)))
                copier = opened.enter_context(closing(connect(self.path, False)))
                self._files.open(self.path, indexed=not _is_alone(self._db))
                self._checkpoints = Checkpoints(self._db, copier, self._files)
                opened.callback(self._checkpoints.stop)
                self._writes = Writes(self._db, self._tally)
                self._results = Results(self._db, self._tally)
                self._retention = Retention(self._db, self._tally)
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Close the file and let go of the lock.  A log that the disk has no room for stays for the next start."""
        self._checkpoints.stop()
        with translated(), ExitStack() as last:
            try:
                if not self._checkpoints.has_room():
                    # whoever closes last copies the log, room or not, unless it is a connection that only reads
                    _look(last.enter_context(closing(connect(self.path, True))))
            finally:
                self._opened.close()

    # --- transactions ---

    def begin(self) -> None:
        self._tally.clear()
        self._results.used = False
        self._writes.now = 0.0
        with translated():
            self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        with translated():
            _write_tally(self._db, self._tally, self._writes.now)
            self._db.execute("COMMIT")
        if not self._checkpoints.in_thread:
            self._checkpoints.tidy()

    def rollback(self) -> None:
        with translated():
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if self._results.used:
                self._results.forget()

    def start_copying(self, ring: Callable[[], None]) -> None:
        self._checkpoints.start(ring)

    def tidy(self) -> None:
        self._checkpoints.tidy()

    def stop_copying(self) -> None:
        self._checkpoints.stop()

    def log_progress(self) -> Progress:
        """Return how long the write-ahead log is and how much of it is in the file."""
        return self._checkpoints.progress()

    def log_bytes(self) -> int:
        """Return the size of the write-ahead log's file."""
        return self._files.log_bytes()

    def interrupt(self) -> None:
        self._interrupts += 1
        self._auditor.interrupt()

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

    def results(
        self, results: Sequence[Result], *, owner: Owner, now: float, policies: Mapping[str, DoubtPolicy] = NO_POLICIES
    ) -> list[Moved]:
        with translated():
            self._writes.now = max(self._writes.now, now)
            return self._results.apply(results, owner=owner, policies=policies)

    def change(self, moves: Sequence[Move], *, now: float) -> list[Moved]:
        with translated():
            return self._writes.change(moves, now=now)

    def recover(self, owner: Owner, *, limit: int, now: float, policies: Mapping[str, DoubtPolicy]) -> list[Moved]:
        with translated():
            moved = self._writes.recover(owner, limit=limit, now=now, policies=policies)
            return moved + self._results.recovered([change.part for change in moved], owner, policies)

    def refile(self, moves: Sequence[Refile]) -> list[Refiled]:
        with translated():
            return self._writes.refile(moves)

    def sweep(self, limit: int, *, before: float) -> int:
        with translated():
            return self._writes.sweep(limit, before=before)

    def erase_bodies(self, limit: int, *, before: Mapping[str, float], now: float | None = None) -> Step:
        with translated():
            return self._retention.erase_bodies(limit, before, now)

    def forget_messages(self, limit: int, *, after: int, until: int, before: float) -> Step:
        with translated():
            step = self._retention.forget_messages(limit, after, until, before)
            if step.gone:
                self._results.drop(self._retention.ids_gone)
            return step

    def forget(self, kind: Aged, limit: int, *, before: float) -> Step:
        with translated():
            return self._retention.forget(kind, limit, before)

    def erase(self, number: str, wish: Traces) -> None:
        with translated():
            alias = privacy.pseudonym(number, privacy.make_key(self.path))
            self._results.drop(sqlite_privacy.erase(self._db, self._tally, number, alias, wish))

    def distrust(self, limit: int, *, now: float, policies: Mapping[str, DoubtPolicy]) -> list[Moved]:
        with translated():
            self._writes.now = max(self._writes.now, now)
            return restored.distrust(self._db, self._tally, limit, now=now, policies=policies)

    def probe(self, *, now: float) -> None:
        with translated():
            self._writes.probe(now)

    def tell(self, messages: Sequence[InboundMessage], repeats: Sequence[Repeat]) -> list[int]:
        with translated():
            return inbound.tell(self._db, self._tally, messages, repeats)

    # --- reading verbs ---

    def heads(self, wanted: Sequence[Wanted]) -> dict[int, list[Part]]:
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
            return reads.messages(self._door_reader, privacy.widened(query, self.path))

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

    def traces(self, number: str) -> Traces:
        with translated():
            return sqlite_privacy.traces(self._auditor, number)

    def export(self, number: str) -> list[dict[str, Any]]:
        with translated():
            return sqlite_privacy.export(self._auditor, number)

    def scrub(self) -> bool:
        return self._checkpoints.cut()

    def remains(self, number: str) -> bool:
        if privacy.remains(number, self._octets()):
            return True
        key = privacy.read_key(self.path)
        with translated():
            return sqlite_privacy.remains(self._auditor, number, privacy.pseudonym(number, key) if key else number)

    def _octets(self) -> Iterator[bytes]:
        before = self._interrupts
        for piece in self._files.octets():
            if self._interrupts != before:
                raise StoreError(STOPPED)
            yield piece

    def vacuum(self) -> None:
        """Write the file anew without free space.  It takes a minute for some gigabytes: only while nobody waits."""
        with translated():
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def restored_from(self) -> float | None:
        with translated():
            return restored.backup_at(self._door_reader)

    def last_id(self) -> int:
        with translated():
            return inbound.last_id(self._door_reader)

    def inbound_open(self, after: int, limit: int) -> list[InboundPart]:
        with translated():
            return inbound.still_open(self._dispatch_reader, after, limit)

    def inbound_told(self, limit: int, *, since: float) -> list[InboundPart]:
        with translated():
            return inbound.told(self._dispatch_reader, limit, since)

    def inbound_parts(self, ids: Sequence[int]) -> list[InboundPart]:
        with translated():
            return inbound.parts(self._dispatch_reader, ids)

    def last_sent(self, recipients: Sequence[Recipient]) -> list[list[Sent]]:
        with translated():
            return inbound.last_sent(self._dispatch_reader, recipients)

    def inbound(self, query: InboundQuery) -> list[InboundMessage]:
        with translated():
            return inbound.messages(self._door_reader, query)

    def parked(self, after: int, limit: int) -> list[ParkedReceipt]:
        with translated():
            return sqlite_receipts.parked(self._door_reader, after, limit)

    def ledger(self) -> Ledger:
        with translated():
            return reads.ledger(self._door_reader)

    def verify(self) -> Verification:
        with translated():
            return reads.verify(self._auditor)


def open_read_only(path: str | os.PathLike[str]) -> sqlite3.Connection:
    """Open a store for reading only, whether or not a connector runs on it.  Raises StoreError if there is none."""
    store = real(path)
    if not store.is_file():
        raise StoreError(f"there is no store at {path}")
    with opening(store), ExitStack() as opened:
        connection = opened.enter_context(closing(connect(store, True)))
        check_version(connection, SCHEMA_VERSION)
        opened.pop_all()
    return connection


def _is_alone(connection: sqlite3.Connection) -> bool:
    """Tell whether a connection keeps all others out of its file, and so keeps the log's index in memory."""
    mode: str = connection.execute("PRAGMA locking_mode").fetchone()[0]
    return mode == "exclusive"


def _look(connection: sqlite3.Connection) -> None:
    """Make a connection open the log as well."""
    connection.execute("SELECT count(*) FROM meta").fetchone()


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
