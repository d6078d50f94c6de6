"""Both engines, under one contract."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector.store.memory import MemoryEngine
from connector.store.sqlite import SqliteEngine
from connector.store.store import Engine
from tests.store.world import World


def _reborn_in_memory(engine: Engine) -> Engine:
    assert isinstance(engine, MemoryEngine)
    return MemoryEngine.restored(engine.snapshot())


def _reborn_on_disk(engine: Engine) -> Engine:
    assert isinstance(engine, SqliteEngine)
    engine.close()
    return SqliteEngine(engine.path)


@pytest.fixture(params=["sqlite", "memory"])
def reopened(request: pytest.FixtureRequest) -> Callable[[Engine], Engine]:
    return _reborn_on_disk if request.param == "sqlite" else _reborn_in_memory


@pytest.fixture
def world(reopened: Callable[[Engine], Engine], tmp_path: Path) -> Iterator[World]:
    on_disk = reopened is _reborn_on_disk
    world = World(SqliteEngine(tmp_path / "store.db") if on_disk else MemoryEngine(), reopened)
    yield world
    world.engine.close()
