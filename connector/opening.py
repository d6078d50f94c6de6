"""Opening a connector: its store, and the whole of it in another program's own process."""

import fcntl
import logging
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path

import trio

from connector.app import Connector
from connector.clock import steady_wall_clock as steady_wall_clock
from connector.config import Config
from connector.settings import check
from connector.store.ballast import Ballast
from connector.store.batcher import ThreadWriter
from connector.store.file import real, refuse_empty
from connector.store.sqlite import SqliteEngine
from connector.store.store import Store

log = logging.getLogger("carrierline.store")


def open_store(config: Config) -> tuple[SqliteEngine, Store]:
    """Open the configured store and say which one it is.

    Raises StoreInUse, StoreTooNew or StoreBroken, and StoreError for a file of 0 bytes; no file is left of such a start
    that was not there before.
    """
    kept = config.store
    path = real(kept.path)
    refuse_empty(path)
    is_new = not path.exists()
    with _leaving_nothing(path):
        engine = SqliteEngine(path)
    accepted = engine.ledger().accepted
    log.info("the store is %s, %s", path, "new" if is_new else f"known: {accepted} messages accepted since it was made")
    ballast = Ballast(path, kept.ballast_mb * 1_000_000, kept.min_free_mb * 1_000_000)
    return engine, Store(engine, ThreadWriter(engine, time.monotonic), ballast)


@contextmanager
def _leaving_nothing(store: Path) -> Iterator[None]:
    """Take the files that were made beside a store away again if the start is refused."""
    beside = {end: Path(f"{store}{end}") for end in ("", ".lock", "-wal", "-shm")}
    made = [end for end, file in beside.items() if not file.exists()]
    with ExitStack() as refused:
        refused.callback(_take_away, beside, made)
        yield
        refused.pop_all()


def _take_away(beside: Mapping[str, Path], made: Collection[str]) -> None:
    """Take away what was made, unless another connector has the store: then it is that one's."""
    if not made or not beside[".lock"].exists():
        return
    with suppress(OSError), beside[".lock"].open("a") as lock:  # what cannot be taken away stays; the refusal is told
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if {"-wal", "-shm"} <= set(made) or "" in made:
            schema = _leave(beside[""])
            if "" in made and schema == 0:  # nothing was ever kept in it
                beside[""].unlink()
        if ".lock" in made:
            beside[".lock"].unlink()


def _leave(store: Path) -> int | None:
    """Let SQLite take its log and the log's index away, and return the schema's number; None if there is none to read.

    Only SQLite knows whether another program reads by them: whoever has used them, and leaves last, takes them away.
    """
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{store.as_uri()}?mode=rw", uri=True, timeout=0)) as db:
        number: int = db.execute("PRAGMA user_version").fetchone()[0]
        return number
    return None


@asynccontextmanager
async def open_connector(config: Config) -> AsyncIterator[Connector]:
    """Run a connector in this process, without its HTTP door, for as long as the block lasts; drain it at the end.

    Raises ConfigError for a configuration built in Python that is none.
    """
    check(config)
    engine, store = open_store(config)
    try:
        connector = Connector(config, store, clock=steady_wall_clock(), random=random.Random(), wall=time.time)
        async with trio.open_nursery() as nursery:
            await nursery.start(connector.run)
            try:
                yield connector
            finally:
                with trio.CancelScope(shield=True):
                    await connector.drain()
                nursery.cancel_scope.cancel()
    finally:
        engine.close()
