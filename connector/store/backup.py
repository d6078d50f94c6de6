"""A copy of a store while it runs, checked before it counts as one.

The copy is taken page by page from one state, in a transaction that only reads: the writer never waits for it.  While
it lasts the write-ahead log cannot be emptied and grows by what is written meanwhile.  The copy knows that it is one: a
connector that is started on it treats what waits in it as in doubt (see `connector.store.restored`).

It is made as ``FILE.part`` and has its name last, when it is marked, checked and on disk: what a killed run leaves can
be taken neither for a backup nor for an original.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import attrs

from connector.errors import StoreError
from connector.model import Verification
from connector.store import sqlite_reads
from connector.store.file import connect, translated
from connector.store.restored import BACKUP, DOUBTED_TO

PAGES_PER_STEP: Final = 1_000
"""4 MB: a few milliseconds of the disk."""
STEP_PAUSE_S: Final = 0.002
"""Between two steps the disk is the writer's alone."""


@attrs.frozen(kw_only=True)
class Backup:
    """A finished copy."""

    path: Path
    bytes: int
    taken_at: float
    copied_s: float
    """Until the copy was whole; checking it took the rest."""
    checked_s: float
    verification: Verification
    """What a recount of the copy found."""


def back_up(source: sqlite3.Connection, target: Path, *, now: float, clock: Callable[[], float]) -> Backup:
    """Copy the store behind a connection into a new file, mode 0600, and check every page and every counter of it.

    ``now``: wall clock, seconds.  Raises StoreError if the file is there already, and if the copy is no good or could
    not be written; no file is left then.  Only a killed run leaves ``FILE.part``, which the next one writes over.
    """
    began = clock()
    if os.path.lexists(target):
        raise _taken(target)
    part = Path(f"{target}.part")
    with _written(target), ExitStack() as undo:
        undo.callback(os.close, _reserved(part, target))
        undo.callback(_remove, part)
        with translated():
            _copy(source, part, now)
            copied = clock()
            verification = _checked(part)
        _named(part, target)
    return Backup(
        path=target,
        bytes=target.stat().st_size,
        taken_at=now,
        copied_s=copied - began,
        checked_s=clock() - copied,
        verification=verification,
    )


def _taken(target: Path) -> StoreError:
    return StoreError(f"{target} is there already: a backup is not written over, name another file")


@contextmanager
def _written(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"there can be no backup at {target}: {error.strerror}") from error


def _reserved(part: Path, target: Path) -> int:
    """Make the file of a copy in the making, empty and for the owner's eyes only, and keep other copies from it."""
    held = os.open(part, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _beside(part)
        os.fchmod(held, 0o600)
        os.ftruncate(held, 0)
    except BlockingIOError:
        os.close(held)
        raise StoreError(f"another backup is just being written to {target}") from None
    except OSError:
        os.close(held)
        raise
    return held


def _beside(part: Path) -> None:
    """Remove what a killed run left beside its copy: SQLite would play an old journal back into the new one."""
    for suffix in ("-journal", "-wal", "-shm"):
        Path(f"{part}{suffix}").unlink(missing_ok=True)


def _remove(part: Path) -> None:
    part.unlink(missing_ok=True)
    _beside(part)


def _named(part: Path, target: Path) -> None:
    """Give the finished copy its name as well, on disk, and never in place of another file."""
    _synced(part)
    try:
        os.link(part, target)
    except FileExistsError:
        raise _taken(target) from None
    _synced(target.parent)


def _synced(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _copy(source: sqlite3.Connection, target: Path, now: float) -> None:
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        source.execute("BEGIN")
        try:
            source.execute("SELECT count(*) FROM meta").fetchone()  # from here on one state, whatever is written
            source.backup(copy, pages=PAGES_PER_STEP, progress=_pause)
        finally:
            source.rollback()
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute("PRAGMA synchronous = FULL")
        copy.execute("DELETE FROM meta WHERE name = ?", (DOUBTED_TO,))
        copy.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (BACKUP, int(now)))


def _pause(_status: int, remaining: int, _total: int) -> None:
    if remaining:
        time.sleep(STEP_PAUSE_S)


def _checked(target: Path) -> Verification:
    """Return the recount of a copy.  Raises StoreError if its pages are not whole."""
    with closing(connect(target, True)) as copy:
        problems = [row[0] for row in copy.execute("PRAGMA integrity_check(3)") if row[0] != "ok"]
        if problems:
            raise StoreError(f"the copy is damaged, and so is the store: {problems[0]}")
        return sqlite_reads.verify(copy)
