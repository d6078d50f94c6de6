"""Opening a connector: its store, and the whole of it in another program's own process."""

import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from connector.app import Connector
from connector.clock import steady_wall_clock as steady_wall_clock
from connector.config import Config
from connector.settings import check
from connector.store.ballast import Ballast
from connector.store.batcher import ThreadWriter
from connector.store.file import refuse_empty
from connector.store.sqlite import SqliteEngine
from connector.store.store import Store

log = logging.getLogger("carrierline.store")


def open_store(config: Config) -> tuple[SqliteEngine, Store]:
    """Open the configured store and say which one it is.

    Raises StoreInUse, StoreTooNew or StoreBroken, and StoreError for a file of 0 bytes.
    """
    kept = config.store
    path = Path(kept.path).absolute()
    refuse_empty(path)
    is_new = not path.exists()
    engine = SqliteEngine(kept.path)
    accepted = engine.ledger().accepted
    log.info("the store is %s, %s", path, "new" if is_new else f"known: {accepted} messages accepted since it was made")
    ballast = Ballast(kept.path, kept.ballast_mb * 1_000_000, kept.min_free_mb * 1_000_000)
    return engine, Store(engine, ThreadWriter(engine, time.monotonic), ballast)


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
