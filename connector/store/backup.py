"""A copy of a store while it runs, checked before it counts as one.

The copy is taken page by page from one state, in a transaction that only reads: the writer never waits for it.  While
it lasts the write-ahead log cannot be emptied and grows by what is written meanwhile.  The copy knows that it is one: a
connector that is started on it treats what waits in it as in doubt (see `connector.store.restored`).
"""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import attrs

from connector.errors import StoreError
from connector.model import Verification
from connector.store import sqlite_reads
from connector.store.file import connect, translated
from connector.store.restored import BACKUP

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
    not be written; no file is left then.
    """
    began = clock()
    _reserve(target)
    with ExitStack() as undo:
        undo.callback(target.unlink, missing_ok=True)
        with translated():
            _copy(source, target, now)
            copied = clock()
            verification = _checked(target)
        undo.pop_all()
    return Backup(
        path=target,
        bytes=target.stat().st_size,
        taken_at=now,
        copied_s=copied - began,
        checked_s=clock() - copied,
        verification=verification,
    )


def _reserve(target: Path) -> None:
    """Make the file, for the owner's eyes only; an existing one is never written over."""
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise StoreError(f"{target} is there already: a backup is not written over, name another file") from None
    except OSError as error:
        raise StoreError(f"there can be no backup at {target}: {error.strerror}") from error


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
        copy.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (BACKUP, int(now)))
    with target.open("rb") as file:
        os.fsync(file.fileno())


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
