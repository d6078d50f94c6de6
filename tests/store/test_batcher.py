"""Waiting makes the batch: who is taken when, who suffers for whom, and who hears of the end."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from connector.errors import StoreBroken, StoreError, StoreFull
from connector.store.batcher import (
    PASSED_OVER,
    ROWS_PER_COMMIT,
    Batcher,
    InlineWriter,
    ThreadWriter,
    Urgency,
)
from connector.store.file import translated
from connector.store.memory import MemoryEngine
from connector.store.sqlite import SqliteEngine
from connector.store.store import Store
from tests.store.world import NAMES, message


@attrs.define
class Diary:
    """A store that only writes down what it is asked, and fails where it is told to."""

    lines: list[str] = attrs.field(factory=list)
    fails: dict[str, Exception] = attrs.field(factory=dict)
    threads: set[int] = attrs.field(factory=set)

    def begin(self) -> None:
        self._write("begin")

    def commit(self) -> None:
        self._write("commit")

    def rollback(self) -> None:
        self._write("rollback")

    def start_copying(self, ring: Callable[[], None]) -> None: ...
    def tidy(self) -> None: ...
    def stop_copying(self) -> None: ...

    def log_bytes(self) -> int:
        return 4_152

    def interrupt(self) -> None:
        self.lines.append("interrupt")

    def work(self, name: str) -> Callable[[], str]:
        def work() -> str:
            self._write(name)
            return name.upper()

        return work

    def _write(self, line: str) -> None:
        self.threads.add(threading.get_ident())
        self.lines.append(line)
        if line in self.fails:
            raise self.fails[line]


async def _put(writer: Any, diary: Diary, into: dict[str, Any], name: str, urgency: Urgency, rows: int = 1) -> None:
    try:
        into[name] = await writer.put(urgency, rows, diary.work(name))
    except StoreError as error:
        into[name] = error


# --- what goes into a transaction ---


async def _lines_of(puts: list[tuple[str, Urgency, int]]) -> list[str]:
    """Let these wait together and return what the store then saw."""
    diary = Diary()
    writer = InlineWriter(diary)
    async with trio.open_nursery() as nursery:
        for name, urgency, rows in puts:
            nursery.start_soon(_put, writer, diary, {}, name, urgency, rows)
            await wait_all_tasks_blocked()
        assert writer.statistics().waiting == len(puts)
        await nursery.start(writer.run)
        await wait_all_tasks_blocked()
        assert writer.statistics().waiting == 0
        nursery.cancel_scope.cancel()
    return diary.lines


async def test_the_most_urgent_goes_first() -> None:
    puts = [(urgency.name, urgency, 1) for urgency in reversed(Urgency)]
    lines = await _lines_of(puts)
    order = ["URGENT_APPEND", "CLAIM", "RESULTS", "APPEND", "REST"]
    assert lines == ["begin", *order, "commit"]


async def test_within_one_urgency_who_came_first_goes_first() -> None:
    lines = await _lines_of([(name, Urgency.APPEND, 1) for name in "abc"])
    assert lines == ["begin", "a", "b", "c", "commit"]


async def test_a_transaction_has_a_bounded_number_of_rows() -> None:
    half = ROWS_PER_COMMIT // 2
    lines = await _lines_of([(name, Urgency.RESULTS, half) for name in "abc"])
    assert lines == ["begin", "a", "b", "commit", "begin", "c", "commit"]


async def test_a_piece_larger_than_the_bound_goes_alone() -> None:
    lines = await _lines_of(
        [
            ("large", Urgency.CLAIM, ROWS_PER_COMMIT * 3),
            ("small", Urgency.APPEND, 1),
            ("other", Urgency.REST, 1),
        ]
    )
    assert lines == ["begin", "large", "commit", "begin", "small", "other", "commit"]


async def test_a_large_piece_does_not_keep_small_ones_from_the_room_that_is_left() -> None:
    lines = await _lines_of(
        [
            ("claim", Urgency.CLAIM, 100),
            ("large", Urgency.APPEND, ROWS_PER_COMMIT),
            ("rest", Urgency.REST, 100),
        ]
    )
    assert lines == ["begin", "claim", "rest", "commit", "begin", "large", "commit"]


def test_nothing_waiting_is_nothing_to_take() -> None:
    assert Batcher().take() == []


# --- InlineWriter ---


def test_a_large_piece_of_little_urgency_is_not_passed_over_for_ever() -> None:
    batcher = Batcher()
    large = batcher.add(Urgency.REST, ROWS_PER_COMMIT, lambda: None)
    turns = 0
    while True:
        batcher.add(Urgency.CLAIM, ROWS_PER_COMMIT // 2, lambda: None)
        batcher.add(Urgency.RESULTS, ROWS_PER_COMMIT // 2, lambda: None)
        turns += 1
        if large in batcher.take():
            break
        assert turns <= PASSED_OVER
    assert turns == PASSED_OVER + 1


@attrs.define
class Inline:
    """A writer at work, and what became of what was put to it."""

    diary: Diary
    writer: InlineWriter
    nursery: trio.Nursery
    done: dict[str, Any] = attrs.field(factory=dict)

    def put(self, name: str, urgency: Urgency = Urgency.APPEND) -> None:
        self.nursery.start_soon(_put, self.writer, self.diary, self.done, name, urgency)


async def test_a_failing_piece_does_not_harm_its_neighbours() -> None:
    diary = Diary(fails={"b": StoreFull("no room")})
    async with trio.open_nursery() as nursery:
        inline = Inline(diary, InlineWriter(diary), nursery)
        for name in "abc":
            inline.put(name)
            await wait_all_tasks_blocked()
        await nursery.start(inline.writer.run)
        await wait_all_tasks_blocked()
        assert (inline.done["a"], inline.done["c"]) == ("A", "C")
        assert isinstance(inline.done["b"], StoreFull)
        nursery.cancel_scope.cancel()
    together = ["begin", "a", "b", "rollback"]
    apart = ["begin", "a", "commit", "begin", "b", "rollback", "begin", "c", "commit"]
    assert diary.lines == together + apart


async def test_pieces_are_tried_apart_when_their_commit_fails() -> None:
    diary = Diary(fails={"commit": StoreFull("no room")})
    async with trio.open_nursery() as nursery:
        inline = Inline(diary, InlineWriter(diary), nursery)
        inline.put("a")
        inline.put("b")
        await wait_all_tasks_blocked()
        await nursery.start(inline.writer.run)
        await wait_all_tasks_blocked()
        assert [str(inline.done[name]) for name in "ab"] == ["no room", "no room"]
        diary.fails.clear()
        inline.put("c")
        await wait_all_tasks_blocked()
        assert inline.done["c"] == "C"
        nursery.cancel_scope.cancel()


async def test_a_commit_takes_its_time_and_the_next_gathers_meanwhile(mock_clock: MockClock) -> None:
    diary = Diary()
    async with trio.open_nursery() as nursery:
        inline = Inline(diary, InlineWriter(diary, latency=lambda: 3.0), nursery)
        await nursery.start(inline.writer.run)
        inline.put("a")
        await wait_all_tasks_blocked()
        inline.put("b")
        inline.put("c", Urgency.CLAIM)
        mock_clock.jump(2.9)
        await wait_all_tasks_blocked()
        assert inline.done == {}
        mock_clock.jump(0.2)
        await wait_all_tasks_blocked()
        assert inline.done == {"a": "A"}
        mock_clock.jump(3.0)
        await wait_all_tasks_blocked()
        assert inline.done == {"a": "A", "b": "B", "c": "C"}
        nursery.cancel_scope.cancel()
    assert diary.lines == ["begin", "a", "commit", "begin", "c", "b", "commit"]


async def test_a_fault_of_the_disk_fails_what_was_being_written_and_no_more() -> None:
    diary = Diary()
    faults = [StoreFull("no room"), None]

    def fault() -> None:
        error = faults.pop(0)
        if error:
            raise error

    async with trio.open_nursery() as nursery:
        inline = Inline(diary, InlineWriter(diary, faults=fault), nursery)
        await nursery.start(inline.writer.run)
        inline.put("a")
        await wait_all_tasks_blocked()
        inline.put("b")
        await wait_all_tasks_blocked()
        assert (str(inline.done["a"]), inline.done["b"]) == ("no room", "B")
        nursery.cancel_scope.cancel()
    assert diary.lines == ["begin", "b", "commit"]


async def test_everyone_hears_of_a_broken_store(mock_clock: MockClock) -> None:
    diary = Diary(fails={"commit": StoreBroken("input/output error")})
    writer = InlineWriter(diary, latency=lambda: 1.0)
    done: dict[str, Any] = {}

    async def shielded(name: str) -> None:
        with trio.CancelScope(shield=True):
            await _put(writer, diary, done, name, Urgency.CLAIM)

    with pytest.RaisesGroup(StoreBroken):
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            nursery.start_soon(shielded, "a")
            await wait_all_tasks_blocked()
            nursery.start_soon(shielded, "late")  # waits while a's transaction is under way
            await wait_all_tasks_blocked()
            mock_clock.jump(1.0)
            await trio.sleep_forever()
    assert {name: type(error) for name, error in done.items()} == {"a": StoreBroken, "late": StoreBroken}
    with pytest.raises(StoreBroken):
        await writer.put(Urgency.REST, 1, diary.work("after"))
    assert diary.lines == ["begin", "a", "commit"]


async def test_what_waits_is_finished_before_the_writer_stops(autojump_clock: MockClock) -> None:
    diary = Diary()
    writer = InlineWriter(diary, latency=lambda: 1.0)
    done: dict[str, Any] = {}

    async def shielded(name: str) -> None:
        with trio.CancelScope(shield=True):
            await _put(writer, diary, done, name, Urgency.RESULTS)

    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        nursery.start_soon(shielded, "a")
        await wait_all_tasks_blocked()
        nursery.start_soon(shielded, "b")
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert done == {"a": "A", "b": "B"}
    with pytest.raises(StoreBroken):
        await writer.put(Urgency.REST, 1, diary.work("after"))


async def test_a_cancelled_waiter_s_commit_stands(mock_clock: MockClock) -> None:
    engine = MemoryEngine()
    store = Store(engine, InlineWriter(engine, latency=lambda: 1.0))
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        async with trio.open_nursery() as asking:
            asking.start_soon(partial(store.append, [message(5)], now=0.0))
            await wait_all_tasks_blocked()
            asking.cancel_scope.cancel()
        assert await store.last_id() == 0
        mock_clock.jump(1.0)
        await wait_all_tasks_blocked()
        assert await store.last_id() == 5
        nursery.cancel_scope.cancel()


async def test_a_writer_counts_what_it_does(autojump_clock: MockClock) -> None:
    diary = Diary()
    async with trio.open_nursery() as nursery:
        inline = Inline(diary, InlineWriter(diary, latency=lambda: 0.5), nursery)
        await nursery.start(inline.writer.run)
        inline.put("a")
        inline.put("b")
        await trio.sleep(5)
        inline.put("c")
        await trio.sleep(5)
        statistics = inline.writer.statistics()
        nursery.cancel_scope.cancel()
    assert (statistics.commits, statistics.rows, statistics.waiting) == (2, 3, 0)


# --- ThreadWriter ---


async def test_a_thread_of_its_own_commits() -> None:
    diary = Diary()
    writer = ThreadWriter(diary, lambda: 0.0)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        assert await writer.put(Urgency.APPEND, 1, diary.work("a")) == "A"
        assert await writer.put(Urgency.APPEND, 1, diary.work("b")) == "B"
        nursery.cancel_scope.cancel()
    assert len(diary.threads) == 1
    assert threading.get_ident() not in diary.threads
    assert diary.lines == ["begin", "a", "commit", "begin", "b", "commit"]


async def test_while_one_commits_the_next_gathers() -> None:
    diary = Diary()
    writer = ThreadWriter(diary, lambda: 0.0)
    done: dict[str, Any] = {}
    held, go = threading.Event(), threading.Event()

    def slow() -> None:
        held.set()
        assert go.wait(10)

    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        nursery.start_soon(writer.put, Urgency.APPEND, 1, slow)
        await trio.to_thread.run_sync(held.wait)
        for name in "abc":
            nursery.start_soon(_put, writer, diary, done, name, Urgency.APPEND)
        nursery.start_soon(_put, writer, diary, done, "urgent", Urgency.URGENT_APPEND)
        await wait_all_tasks_blocked()
        assert writer.statistics().waiting == 4
        go.set()
        await writer.put(Urgency.REST, 1, diary.work("last"))
        nursery.cancel_scope.cancel()
    assert diary.lines[:3] == ["begin", "commit", "begin"]
    assert diary.lines[3] == "urgent"
    assert done == {"urgent": "URGENT", "a": "A", "b": "B", "c": "C"}


async def test_a_thread_stops_when_all_that_waits_is_done() -> None:
    diary = Diary()
    writer = ThreadWriter(diary, lambda: 0.0)
    done: dict[str, Any] = {}
    held, go = threading.Event(), threading.Event()

    def slow() -> None:
        held.set()
        assert go.wait(10)

    async def shielded(name: str) -> None:
        with trio.CancelScope(shield=True):
            await _put(writer, diary, done, name, Urgency.RESULTS, ROWS_PER_COMMIT)

    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        nursery.start_soon(writer.put, Urgency.APPEND, 1, slow)
        await trio.to_thread.run_sync(held.wait)
        for name in "abc":
            nursery.start_soon(shielded, name)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        await _cancelled()
        go.set()
    assert done == {"a": "A", "b": "B", "c": "C"}
    assert "store-writer" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(StoreBroken):
        await writer.put(Urgency.REST, 1, diary.work("after"))


async def _cancelled() -> None:
    with trio.CancelScope(shield=True):
        await wait_all_tasks_blocked()


async def test_everyone_hears_when_the_disk_fails_under_the_thread() -> None:
    diary = Diary(fails={"commit": StoreBroken("input/output error")})
    writer = ThreadWriter(diary, lambda: 0.0)
    done: dict[str, Any] = {}
    held, go = threading.Event(), threading.Event()

    def slow() -> None:
        held.set()
        assert go.wait(10)

    async def shielded(name: str) -> None:
        with trio.CancelScope(shield=True):
            await _put(writer, diary, done, name, Urgency.CLAIM, ROWS_PER_COMMIT)

    with pytest.RaisesGroup(StoreBroken, StoreBroken):
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            nursery.start_soon(writer.put, Urgency.APPEND, 1, slow)
            await trio.to_thread.run_sync(held.wait)
            nursery.start_soon(shielded, "a")
            nursery.start_soon(shielded, "b")
            await wait_all_tasks_blocked()
            go.set()
    assert {name: type(error) for name, error in done.items()} == {"a": StoreBroken, "b": StoreBroken}


async def test_a_mistake_in_the_thread_is_not_swallowed() -> None:
    diary = Diary(fails={"a": ZeroDivisionError("a defect")})
    writer = ThreadWriter(diary, lambda: 0.0)
    with pytest.RaisesGroup(ZeroDivisionError, StoreBroken):
        async with trio.open_nursery() as nursery:
            await nursery.start(writer.run)
            nursery.start_soon(writer.put, Urgency.APPEND, 1, diary.work("a"))


async def test_the_verbs_work_through_the_thread(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "store.db")
    store = Store(engine, ThreadWriter(engine, lambda: 0.0))
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(store.run)
            await store.queues(NAMES)
            await store.append([message(5), message(6)], now=1_000.0)
            assert (await store.verify()).ok
            assert await store.last_id() == 6
            with pytest.raises(StoreError):
                await store.append([message(6)], now=1_000.0)
            assert store.statistics().commits == 2
            nursery.cancel_scope.cancel()
    finally:
        engine.close()
    with sqlite3.connect(tmp_path / "store.db") as db:
        assert db.execute("SELECT count(*) FROM message").fetchone() == (2,)
    db.close()


# --- looks at everything ---

ENDLESS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
TOO_LATE_S = 30.0


async def test_a_recount_ends_at_once_when_nobody_waits_for_it(tmp_path: Path) -> None:
    with closing(SqliteEngine(tmp_path / "store.db")) as engine:
        began = time.monotonic()
        engine._auditor.set_progress_handler(lambda: time.monotonic() - began > TOO_LATE_S, 1_000)
        begun = trio.Event()
        token = trio.lowlevel.current_trio_token()

        def recount() -> None:
            token.run_sync_soon(begun.set)
            with translated():
                engine._auditor.execute(ENDLESS).fetchone()

        writer = ThreadWriter(engine, lambda: 0.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer.audit, recount)
            await begun.wait()
            nursery.cancel_scope.cancel()
        assert time.monotonic() - began < TOO_LATE_S
        assert engine.verify().ok


async def test_who_waits_for_a_recount_that_was_stopped_is_told(tmp_path: Path) -> None:
    with closing(SqliteEngine(tmp_path / "store.db")) as engine:
        engine._auditor.set_progress_handler(lambda: True, 1)
        with pytest.raises(StoreError, match="stopped before its end, and says nothing about the store"):
            await ThreadWriter(engine, lambda: 0.0).audit(engine.verify)


async def test_who_goes_while_another_ones_recount_runs_does_not_end_that_one() -> None:
    diary = Diary()
    writer = ThreadWriter(diary, lambda: 0.0)
    held, go = threading.Event(), threading.Event()

    def slow() -> None:
        held.set()
        assert go.wait(10)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.audit, slow)
        await trio.to_thread.run_sync(held.wait)
        async with trio.open_nursery() as other:
            other.start_soon(writer.audit, diary.work("never"))
            await wait_all_tasks_blocked()
            other.cancel_scope.cancel()
        go.set()
    assert diary.lines == []
