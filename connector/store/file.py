"""The file a store lies in: its lock, its connections, its schema, and whether it is whole."""

import fcntl
import logging
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import IO

from connector.errors import StoreBroken, StoreError, StoreFull, StoreInUse, StoreTooNew
from connector.store.wal import lost_tail

log = logging.getLogger("carrierline.store")

Connect = Callable[[Path, bool], sqlite3.Connection]
"""Opens a connection to a file, for reading only or not, in SQLite's autocommit mode.  Raises sqlite3.Error."""

STOPPED = "this was stopped before its end, and says nothing about the store"

START_CHECK_S = 0.5
"""Time a start may take to look for damage: 400 MB of what the system has in its cache (160 MB take 0.19 s).  Of a
larger file the front is looked at, and the rest by `carrierline verify`."""

BUSY_TIMEOUT_S = 10
"""So long a writer waits for another program that writes into the store: there should be none."""

# The writer's cache holds the hot end of the tables and indexes; a reader looks at a few hundred rows at a time.
# What is erased is overwritten: it would else be found in the file's free space.  The log is copied into the file by
# `connector.store.checkpoints`, never in a commit.
_WRITER_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "wal_autocheckpoint = 0",
    "cache_size = -32768",
    "secure_delete = ON",
)
_READER_PRAGMAS = ("cache_size = -4096",)

# the file of the WAL's index could not grow: the disk is full, nothing is wrong with it
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"
_FIXED_AT, _FIXED = 21, b"\x40\x20\x20"
"""The payload fractions of SQLite's file header ("fileformat2", section 1.3.4): the same in every database."""
_BROKEN = _DAMAGED | {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}


def real(path: str | os.PathLike[str]) -> Path:
    """Return where a store lies, whatever links lead to it.

    SQLite puts the log beside the file itself.  So does whoever looks for what belongs to a store: its lock, its log,
    its key and its ballast; under another name it would have a second lock, and a log that nobody copies.
    """
    return Path(os.path.realpath(path))


@contextmanager
def translated() -> Iterator[None]:
    """Turn SQLite's errors into ours: what the caller must do next is in the type."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0)
        if code in _FULL:
            raise StoreFull("the disk is full") from error
        if code & 0xFF in _BROKEN:
            raise StoreBroken(f"the store cannot be read or written: {error}") from error
        if code == sqlite3.SQLITE_INTERRUPT:
            raise StoreError(STOPPED) from error
        raise StoreError(f"the store refused: {error}") from error
    except (UnicodeEncodeError, OverflowError) as error:
        raise StoreError("a value is none that the store can hold") from error


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Turn SQLite's errors while a file is opened into ours, with the file's name and the way out."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_NOTADB and _is_foreign(path):
            raise StoreBroken(
                f"{path} is not a store of Carrierline, it is not a database at all, and was left as it is: name"
                " another path for the store"
            ) from error
        if code in _DAMAGED:
            raise _damaged(path, str(error)) from error
        with translated():
            raise _named(error, path) from error


def _is_foreign(path: Path) -> bool:
    """Tell whether nothing says that this was ever SQLite's: neither its first words nor the octets that are fixed."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    return header[: len(_MAGIC)] != _MAGIC and header[_FIXED_AT : _FIXED_AT + len(_FIXED)] != _FIXED


def _named(error: sqlite3.Error, path: Path) -> sqlite3.Error:
    """Return the same error with the file's name in its sentence."""
    named = type(error)(f"{error} ({path})")
    named.sqlite_errorcode = getattr(error, "sqlite_errorcode", 0)
    return named


def _damaged(path: Path, how: str) -> StoreBroken:
    return StoreBroken(
        f"the store {path} is damaged ({how}) and was left as it is: put a backup in its place,"
        f" or save what can be read with: sqlite3 {path} .recover"
    )


def lock(path: Path) -> IO[str]:
    """Hold the lock file beside the store for as long as this process lives: two writers would both claim."""
    path = real(path)
    if path.is_dir():
        raise StoreError(f"there can be no store at {path}: it is a directory, name a file in it")
    try:
        held = open(f"{path}.lock", "w")  # noqa: SIM115 - held until close()
    except OSError as error:
        raise StoreError(f"there can be no store at {path}: {error.strerror}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise StoreInUse(f"another connector is running on {path}: stop it first") from None
    return held


def _close_to_others(file: Path) -> None:
    if not file.exists() or not (mode := stat.S_IMODE(file.stat().st_mode)) & _OTHERS:
        return
    try:
        file.chmod(mode & ~_OTHERS)
    except OSError as error:
        log.warning("%s is open to other users (mode %03o) and stays so: %s", file, mode, error.strerror)
    else:
        log.warning("%s was open to other users (mode %03o): it is for its owner only now", file, mode)


def connect(path: Path, read_only: bool) -> sqlite3.Connection:
    """Open a connection, with the pragmas a writer or a reader needs.  Raises sqlite3.Error."""
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S)
    try:
        prepare(connection, read_only)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection, read_only: bool) -> None:
    """Set the pragmas of a writer or a reader."""
    for pragma in ("temp_store = MEMORY", *(_READER_PRAGMAS if read_only else _WRITER_PRAGMAS)):
        connection.execute(f"PRAGMA {pragma}")


# --- is it ours, is it whole ---


def schemas() -> list[str]:
    """Return the schema's scripts, oldest first: the file's `user_version` says how many of them were run."""
    folder = resources.files("connector.store").joinpath("schema")
    scripts = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return [script.read_text() for script in scripts]


def check_version(connection: sqlite3.Connection, known: int) -> int:
    """Return the schema's number.  Raises StoreTooNew above ``known``, StoreError for another program's database."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > known:
        raise StoreTooNew(
            f"the store {_file_of(connection)} has schema {version}, this version knows {known}: run the newer version"
        )
    if version == 0 and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise StoreError(f"{_file_of(connection)} is a database of another program: name another path for the store")
    return version


def _file_of(connection: sqlite3.Connection) -> str:
    name: str = connection.execute("PRAGMA database_list").fetchone()[2]
    return name


def migrate(connection: sqlite3.Connection, scripts: Sequence[str]) -> None:
    """Run the scripts the file has not seen, each in one transaction: killed in the midst, it has not happened."""
    version = check_version(connection, len(scripts))
    for number, script in enumerate(scripts, 1):
        if number > version:
            connection.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


def refuse_empty(path: Path) -> None:
    """Raise StoreError for a file of 0 bytes that is there before the start that would make it.

    It may be what a copy that failed has left of a store full of messages: a start that takes it for a new one would
    forget them in silence.  A first start that is killed within its first milliseconds leaves one as well; nothing was
    promised then, and deleting it costs nothing.  With a write-ahead log it is `check` that refuses it.
    """
    if path.is_file() and not path.stat().st_size and not _size(f"{path}-wal"):
        raise StoreError(
            f"the store {path} is empty, 0 bytes: put a backup in its place, or delete it"
            " (and its -journal, if there is one) to begin anew"
        )


def check(path: Path, known: int, connect: Connect = connect) -> None:
    """Look whether this is a store that can be used, and for damage for at most `START_CHECK_S` seconds.

    Reads only, so that what is damaged stays as it was found: closing a writer would fold the log into the file.  From
    one that can be used other users are kept away (mode 0600): it may have been restored, or made by hand.
    Raises StoreTooNew, StoreError for another program's database, StoreBroken where there is damage; sqlite3.Error.
    """
    if not path.exists() or not path.stat().st_size:
        if _size(f"{path}-wal"):
            raise _damaged(path, "it is empty, but its write-ahead log is not")
        return
    if _size(f"{path}-journal"):
        return  # cut off while it was made: nothing is in it, and only a writer may tidy it up
    with ExitStack() as held, closing(connect(path, True)) as connection:
        check_version(connection, known)
        problem = lost_tail(path, held) or _first_damage(connection, START_CHECK_S)
    if problem is not None:
        raise _damaged(path, problem)
    for end in ("", "-wal", "-shm"):
        _close_to_others(Path(f"{path}{end}"))


def _size(path: str) -> int:
    file = Path(path)
    return file.stat().st_size if file.exists() else 0


def _first_damage(connection: sqlite3.Connection, within_s: float) -> str | None:
    stop_at = time.monotonic() + within_s
    connection.set_progress_handler(lambda: time.monotonic() > stop_at, 1_000)
    try:
        return next(damages(connection), None)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return None
    finally:
        connection.set_progress_handler(None, 0)


def damages(connection: sqlite3.Connection) -> Iterator[str]:
    """Return what is wrong with the file's pages; the check itself may trip over it.  Raises sqlite3.Error."""
    try:
        rows: Iterable[tuple[str]] = connection.execute("PRAGMA quick_check")
        yield from (row[0].replace("\n", " ") for row in rows if row[0] != "ok")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        yield str(error)
