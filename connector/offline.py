"""What is done to a store's file from outside: beside a connector that runs, or while none does."""

import time
from contextlib import closing
from pathlib import Path
from typing import Any

from connector.model import Erased
from connector.pipeline.privacy import ROWS_PER_STEP, digits_of, erased_of
from connector.store import privacy, sqlite_privacy
from connector.store.backup import Backup
from connector.store.backup import back_up as copy
from connector.store.sqlite import SqliteEngine, open_read_only, translated


def back_up(store: Path, target: Path) -> Backup:
    """Copy a store into a new file, whether or not a connector runs on it.  Raises StoreError."""
    with closing(open_read_only(store)) as source:
        return copy(source, target, now=time.time(), clock=time.monotonic)


def export(store: Path, number: str) -> list[dict[str, Any]]:
    """Return every row that holds something of a number, whether or not a connector runs on the store.

    Raises InputError for what is no number, StoreError if the store cannot be read.
    """
    with closing(open_read_only(store)) as source, translated():
        return sqlite_privacy.export(source, digits_of(number))


def erase(store: Path, number: str) -> Erased:
    """Erase a number and all that was said to it or by it from a store on which no connector runs.

    Raises InputError for what is no number, StoreInUse while a connector runs: ask that one.
    """
    digits = digits_of(number)
    open_read_only(store).close()  # a path without a store is a mistake, and makes none
    with closing(SqliteEngine(store)) as engine:
        found = engine.traces(digits)
        for wish in privacy.pieces(found, ROWS_PER_STEP):
            engine.begin()
            engine.erase(digits, wish)
            engine.commit()
        engine.scrub()
        if engine.remains(digits):
            engine.vacuum()
        return erased_of(found, clean=not engine.remains(digits))
