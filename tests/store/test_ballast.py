"""Room that is kept to be given up."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from trio.testing import MockClock

from connector.config import StoreConfig
from connector.disk import Disk
from connector.errors import StoreFull
from connector.lifecycle import Status
from connector.model import Moved
from connector.store.ballast import Ballast
from connector.store.batcher import InlineWriter
from connector.store.memory import MemoryEngine
from connector.store.store import Store
from tests.store.world import NAMES, acknowledged, claim, message, part

MB = 1_000_000


def _free(monkeypatch: pytest.MonkeyPatch, octets: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=octets))


def test_it_is_there_from_the_start_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "store.db", 2 * MB)
    file = tmp_path / "store.db.ballast"
    assert ballast.whole
    assert file.stat().st_blocks * 512 >= 2 * MB
    assert file.stat().st_mode & 0o777 == 0o600


def test_it_is_given_up_once_and_taken_again_when_the_disk_can_spare_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ballast = Ballast(tmp_path / "store.db", 2 * MB, keep_free_bytes=MB)
    assert ballast.release()
    assert not (tmp_path / "store.db.ballast").exists()
    assert not ballast.release()
    _free(monkeypatch, 3 * MB - 1)
    assert not ballast.restore()
    _free(monkeypatch, 3 * MB)
    assert ballast.restore()
    assert ballast.whole


def test_none_is_always_whole_and_gives_nothing(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "store.db")
    assert ballast.whole
    assert ballast.restore()
    assert not ballast.release()
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_turned_off_leaves_no_file_behind(tmp_path: Path) -> None:
    Ballast(tmp_path / "store.db", MB)
    Ballast(tmp_path / "store.db", 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("free", "goes_on"), [(200 * MB - 1, False), (200 * MB, True), (216 * MB - 1, True)])
async def test_where_there_never_was_room_for_it_what_is_kept_is_sent_and_nothing_new_is_taken(
    free: int,
    goes_on: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
) -> None:
    _free(monkeypatch, free)
    ballast, engine = Ballast(tmp_path / "store.db", 16 * MB, 200 * MB), MemoryEngine()
    assert "no room for a ballast of 16 MB: nothing new is taken until 216 MB are free" in caplog.text
    assert not ballast.whole
    assert Disk(StoreConfig(path=str(tmp_path / "store.db")), trio.current_time, ballast).low()
    store = Store(engine, InlineWriter(engine), ballast)
    await nursery.start(store.run)
    await store.queues(NAMES)
    await store.append([message(5)], now=1_000.0)
    with trio.move_on_after(60) as waited:
        assert await store.claim([claim(part(5))], now=1_000.0) == [claim(part(5))]
    assert waited.cancelled_caught is not goes_on
    assert caplog.text.count("there is no ballast and less than 200 MB free: nothing is sent") == (not goes_on)
    nursery.cancel_scope.cancel()


async def test_results_get_its_room_and_new_messages_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Claims wait until it is whole again: they would only make more work."""
    ballast, engine = Ballast(tmp_path / "store.db", MB), MemoryEngine()

    def faults() -> None:
        if full and ballast.whole:
            raise StoreFull("the disk is full")

    full = False
    store = Store(engine, InlineWriter(engine, faults=faults), ballast)
    await nursery.start(store.run)
    await store.queues(NAMES)
    await store.append([message(5), message(6)], now=1_000.0)
    await store.claim([claim(part(5))], now=1_000.0)
    full = True
    with pytest.raises(StoreFull):
        await store.append([message(7)], now=1_000.0)
    assert ballast.whole
    assert await store.results([acknowledged(part(5), "5")], now=1_000.0) == [Moved(part(5), Status.SENT)]
    assert not ballast.whole
    _free(monkeypatch, 0)
    with trio.move_on_after(60) as waited:
        await store.claim([claim(part(6))], now=1_000.0)
    assert waited.cancelled_caught
    _free(monkeypatch, 10 * MB)
    full = False
    assert await store.claim([claim(part(6))], now=1_000.0) == [claim(part(6))]
    nursery.cancel_scope.cancel()
