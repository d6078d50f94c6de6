"""The disk of a world: an engine, the time its transactions take, and what goes wrong with them."""

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connector.errors import StoreBroken, StoreFull
from connector.store.batcher import InlineWriter
from connector.store.memory import MemoryEngine
from connector.store.sqlite import SqliteEngine
from connector.store.store import Store

Engine = MemoryEngine | SqliteEngine


class Disk:
    """Keeps what is committed from life to life."""

    def __init__(self, chance: random.Random, commit_s: tuple[float, float], folder: Path | None) -> None:
        """``folder``: where SQLite's files are; without it the store is in memory."""
        self._chance = chance
        self._usual_s = commit_s
        self._commit_s = commit_s
        self._folder = folder
        self._lives = 0
        self._full = 0
        self.breaks_next = False
        """Whether the next transaction meets an input/output error."""
        self.breaks = 0
        self.refusals = 0
        self.engine: Engine = MemoryEngine() if folder is None else SqliteEngine(self._path)

    @property
    def _path(self) -> Path:
        assert self._folder is not None
        return self._folder / f"life-{self._lives}.db"

    def store(self) -> Store:
        """Return the store of a new life."""
        return Store(self.engine, InlineWriter(self.engine, latency=self._latency, faults=self._faults))

    def _latency(self) -> float:
        return self._chance.uniform(*self._commit_s)

    def _faults(self) -> None:
        if self.breaks_next:
            self.breaks_next = False
            self.breaks += 1
            raise StoreBroken("disk I/O error")
        if self._full:
            self.refusals += 1
            raise StoreFull("no room")

    @contextmanager
    def slow(self, commit_s: tuple[float, float]) -> Iterator[None]:
        self._commit_s = commit_s
        yield
        self._commit_s = self._usual_s

    @contextmanager
    def full(self) -> Iterator[None]:
        self._full += 1
        yield
        self._full -= 1

    @property
    def is_well(self) -> bool:
        """Whether it takes what it gets, in its usual time."""
        return not (self._full or self.breaks_next) and self._commit_s == self._usual_s

    def cure(self) -> None:
        self._commit_s, self._full, self.breaks_next = self._usual_s, 0, False

    # --- from life to life ---

    def frozen(self) -> Engine:
        """Return another engine on what is committed at this instant; what the present one still does is lost."""
        if isinstance(self.engine, MemoryEngine):
            return MemoryEngine.restored(self.engine.snapshot())
        old = self._path
        self._lives += 1
        for end in ("", "-wal"):
            if (file := Path(f"{old}{end}")).exists():
                shutil.copyfile(file, f"{self._path}{end}")
        return SqliteEngine(self._path)

    def go_on_with(self, engine: Engine) -> None:
        self.engine.close()
        self.engine = engine

    def reopened(self) -> Engine:
        """Return the engine of a life that follows one which ended by itself."""
        if isinstance(self.engine, MemoryEngine):
            self.engine.rollback()
            return MemoryEngine.restored(self.engine.snapshot())
        self.engine.close()
        return SqliteEngine(self._path)

    def close(self) -> None:
        self.engine.close()
