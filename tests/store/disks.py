"""Disks under the real engine: one that remembers every write and sync, so that its power can be cut at any moment,
and that may fail at its n-th operation.

SQLite's VFS is the seam; `apsw` lets Python be one.  Without shared memory WAL wants one connection in exclusive mode:
the engine's readers use the writer's, which is right in a test that does one thing at a time.
"""

import random
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import attrs

from connector.store.file import prepare

SECTOR_BYTES = 512


@attrs.frozen
class Write:
    file: str
    offset: int
    octets: bytes = attrs.field(repr=False)


@attrs.frozen
class Truncate:
    file: str
    size: int


@attrs.frozen
class Sync:
    file: str


@attrs.frozen
class Delete:
    file: str
    synced: bool


Operation = Write | Truncate | Sync | Delete


class Disk(apsw.VFS):
    """A disk that keeps a log of what was written and synced, and fails at its ``fail_at``-th operation from now."""

    def __init__(self) -> None:
        self.name = f"disk-{id(self)}"
        super().__init__(self.name, "")
        self.log: list[Operation] = []
        self.fail_at: int | None = None
        self.stays_broken = False
        self.operations = 0
        self.failed: str | None = None
        """The first operation that failed."""
        self._writer: Connection | None = None

    def connect(self, path: Path, read_only: bool) -> sqlite3.Connection:
        """Open a connection as the engine wants it; readers get the writer's."""
        if self._writer is None or not self._writer.is_open:
            with translated():
                self._writer = Connection(apsw.Connection(str(path), vfs=self.name))
                self._writer.execute("PRAGMA locking_mode = EXCLUSIVE")
                prepare(self._writer, read_only)  # type: ignore[arg-type]
            return self._writer  # type: ignore[return-value]
        return Borrowed(self._writer)  # type: ignore[return-value]

    def xOpen(self, name: Any, flags: list[int]) -> "File":  # noqa: N802 - SQLite's name
        return File(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(filename, syncdir)
        self.log.append(Delete(Path(filename).name, bool(syncdir)))

    def may_fail(self, what: str, code: int) -> None:
        """Count an operation; raise where it is the one that fails."""
        self.operations += 1
        if self.fail_at is None:
            return
        if self.operations == self.fail_at or (self.stays_broken and self.operations > self.fail_at):
            self.failed = self.failed or what
            raise apsw.exception_for(code)


class File(apsw.VFSFile):
    """A file on such a disk; what is written really goes to the file of that name as well."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._name = Path(name.filename() if isinstance(name, apsw.URIFilename) else str(name)).name
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._disk.may_fail(f"read {self._name}", apsw.SQLITE_IOERR_READ)
        return super().xRead(amount, offset)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        self._disk.may_fail(f"write {self._name}", apsw.SQLITE_IOERR_WRITE)
        super().xWrite(data, offset)
        self._disk.log.append(Write(self._name, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.may_fail(f"truncate {self._name}", apsw.SQLITE_IOERR_TRUNCATE)
        super().xTruncate(newsize)
        self._disk.log.append(Truncate(self._name, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.may_fail(f"sync {self._name}", apsw.SQLITE_IOERR_FSYNC)
        self._disk.log.append(Sync(self._name))  # the real disk need not be waited for


# --- the part of sqlite3 that the engine uses, on apsw's library ---


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        ours = sqlite3.OperationalError(str(error) or type(error).__name__)
        ours.sqlite_errorcode = getattr(error, "extendedresult", 0) or getattr(error, "result", 0)
        raise ours from error


class Rows:
    """A cursor that has fetched everything."""

    def __init__(self, rows: list[Any], rowcount: int, lastrowid: int) -> None:
        self._rows = iter(rows)
        self.rowcount = rowcount
        self.lastrowid = lastrowid

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)


class Connection:
    """A connection of apsw's in the manner of sqlite3's."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self.is_open = True

    def _run(self, step: Any) -> Rows:
        with translated():
            before = self._db.total_changes()
            rows = list(step())
            return Rows(rows, self._db.total_changes() - before, self._db.last_insert_rowid())

    def execute(self, sql: str, arguments: Any = ()) -> Rows:
        return self._run(lambda: self._db.execute(sql, arguments))

    def executemany(self, sql: str, arguments: Iterable[Any]) -> Rows:
        return self._run(lambda: self._db.executemany(sql, arguments))

    executescript = execute

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def rollback(self) -> None:
        if self.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        self.is_open = False
        with translated():
            self._db.close(True)


class Borrowed(Connection):
    """Somebody else's connection: closing it does nothing."""

    def __init__(self, owner: Connection) -> None:
        super().__init__(owner._db)

    def close(self) -> None:
        self.is_open = False


# --- power cuts ---


class Platter:
    """What lies on the disk while a log is told again: what was synced, and what might still be in a cache."""

    def __init__(self) -> None:
        self._durable: dict[str, bytearray] = {}
        self._pending: dict[str, list[Write | Truncate]] = {}

    def apply(self, operation: Operation) -> None:
        """Let this operation happen."""
        name = operation.file
        if isinstance(operation, Sync):
            octets = self._durable.setdefault(name, bytearray())
            for change in self._pending.pop(name, ()):
                _put(octets, change)
        elif isinstance(operation, Delete):
            self._pending.pop(name, None)
            self._durable.pop(name, None)
        else:
            self._pending.setdefault(name, []).append(operation)

    def cut(self, folder: Path, draw: random.Random) -> None:
        """Cut the power and write what is left: of what was not synced some sectors, all or none."""
        share = draw.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        folder.mkdir()
        for name in self._durable.keys() | self._pending.keys():
            octets = bytearray(self._durable.get(name, b""))
            for change in self._pending.get(name, ()):
                for piece in _sectors(change):
                    if draw.random() < share:
                        _put(octets, piece)
            if name in self._durable or octets:
                (folder / name).write_bytes(octets)


def _sectors(change: Write | Truncate) -> Sequence[Write | Truncate]:
    """Cut a write where a disk may: at the edges of its sectors."""
    if isinstance(change, Truncate):
        return [change]
    pieces, at = [], 0
    while at < len(change.octets):
        size = SECTOR_BYTES - (change.offset + at) % SECTOR_BYTES
        pieces.append(Write(change.file, change.offset + at, change.octets[at : at + size]))
        at += size
    return pieces


def _put(octets: bytearray, change: Write | Truncate) -> None:
    if isinstance(change, Truncate):
        del octets[change.size :]
        return
    if len(octets) < change.offset:
        octets.extend(bytes(change.offset - len(octets)))
    octets[change.offset : change.offset + len(change.octets)] = change.octets
