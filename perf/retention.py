"""Is the file flat when as much is erased as comes in, and does erasing ever hold the writer up?

Days of traffic go straight through the verbs of the store on a real file, an hour at a time, with the clock in the
messages and not on the wall: kept, claimed, answered, a receipt each, some receipts that fit nothing.  After each hour
what has grown old is erased, in the steps the connector takes: the texts of one lane at once, those of the others after
six hours, messages, events and parked receipts after a day.  So from the second day on every hour brings as many rows
as it takes.  At the end every row is recounted.

Then the writer is never idle for some seconds, with the log's copier beside it as in a connector that runs: alone,
while somebody looks at one state all the time, after that, and while the log is cut again and again.  Each commit is
timed together with what the writer does for the log behind it.
"""

import json
import sqlite3
import tempfile
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import click

from connector.lifecycle import Event
from connector.model import Aged, Answer, Claim, Message, QueueName, Receipt, Result, Step, part_id
from connector.pipeline.ids import EPOCH_S, first_id
from connector.pipeline.retention import ROWS_PER_STEP
from connector.store.batcher import ROWS_PER_COMMIT
from connector.store.checkpoints import COPY_PAGES
from connector.store.sqlite import SqliteEngine

LANES: Final = ("otp", "transactional", "promotional")
KEEP_BODIES_S: Final = {"otp": 0.0, "transactional": 21_600.0, "promotional": 21_600.0}
KEEP_ROWS_S: Final = 86_400.0
FIRST_S: Final = EPOCH_S + 30 * 86_400.0
HOUR_S: Final = 3_600.0
UNMATCHED_EVERY: Final = 200
"""Receipts that fit nothing: one after so many messages."""
TEXT: Final = "Your parcel comes today between nine and noon; follow it on our page."
GOAL_STEP_S, GOAL_DRIFT = 0.05, 0.05
MESSAGES_A_DAY, FULL_A_DAY, DAYS = 50_000, 1_000_000, 7
PHASE_S: Final = 3.0
EDGES_MS: Final = (2, 5, 10, 20, 50, 100)
BACK_PAGES: Final = 2 * COPY_PAGES
"""A log of so few pages is brought back."""


@attrs.define
class Times:
    """How long transactions took, fsync included."""

    all_s: list[float] = attrs.field(factory=list)

    def shown(self) -> dict[str, float | int]:
        ordered = sorted(self.all_s) or [0.0]
        return {
            "transactions": len(self.all_s),
            "p50_ms": _ms(ordered[len(ordered) // 2]),
            "p99_ms": _ms(ordered[len(ordered) * 99 // 100]),
            "max_ms": _ms(ordered[-1]),
            "over_50_ms": sum(each > GOAL_STEP_S for each in ordered),
            "total_s": round(sum(ordered), 2),
        }

    def histogram(self) -> dict[str, int]:
        """Return how many took up to so many milliseconds."""
        counts = [0] * (len(EDGES_MS) + 1)
        for each in self.all_s:
            counts[bisect_left(EDGES_MS, each * 1_000)] += 1
        return dict(zip([*(f"<= {edge} ms" for edge in EDGES_MS), "more"], counts, strict=True))


def _ms(seconds: float) -> float:
    return round(seconds * 1_000, 2)


@attrs.define
class Life:
    """A store and its traffic."""

    engine: SqliteEngine
    queues: dict[str, int]
    now: float = FIRST_S
    number: int = 0
    traffic: Times = attrs.field(factory=Times)
    erasing: Times = attrs.field(factory=Times)
    scrubbing: Times = attrs.field(factory=Times)
    gone: dict[str, int] = attrs.field(factory=dict)

    def write(self, times: Times, work: Callable[[], Any]) -> Any:
        """Run one transaction."""
        began = time.perf_counter()
        self.engine.begin()
        done = work()
        self.engine.commit()
        self.engine.tidy()
        times.all_s.append(time.perf_counter() - began)
        return done

    def hour(self, messages: int) -> None:
        """Let an hour pass: so many messages to their end, evenly, then what has grown old goes."""
        begins, left = self.now, messages
        while left:
            count = min(ROWS_PER_COMMIT, left)
            left -= count
            self.now = begins + HOUR_S * (messages - left) / messages
            self.batch(count)
        self.now = begins + HOUR_S
        self._retain()

    def batch(self, count: int) -> None:
        """Let so many messages live, all at this moment."""
        engine, now = self.engine, self.now
        kept = [self._message() for _ in range(count)]
        self.write(self.traffic, lambda: engine.append(kept, (), owner=engine.owner, now=now))
        claims = [Claim(part_id(it.id, 0), 1, "north") for it in kept]
        self.write(self.traffic, lambda: engine.claim(claims, owner=engine.owner, now=now))
        answers = [_answer(it, now) for it in kept]
        self.write(self.traffic, lambda: engine.results(answers, owner=engine.owner, now=now))
        receipts = [receipt for it in kept for receipt in _receipts(it, now)]
        self.write(self.traffic, lambda: engine.results(receipts, owner=engine.owner, now=now))

    def _message(self) -> Message:
        self.number += 1
        lane = LANES[self.number % len(LANES)]
        return Message(
            id=first_id(self.now) + self.number % ROWS_PER_COMMIT,
            api_key="shop",
            lane=lane,
            queue=self.queues[lane],
            to=str(447_400_000_000 + self.number * 7_919 % 50_000_000),
            sender="Carrierline",
            text=TEXT,
            alphabet="gsm",
            reference=0,
            bounds=((0, len(TEXT)),),
            created_at=self.now,
            deadline=self.now + HOUR_S,
        )

    # --- what goes ---

    def _retain(self) -> None:
        now, engine, before = self.now, self.engine, self.now - KEEP_ROWS_S
        bodies = {lane: now - keep_s for lane, keep_s in KEEP_BODIES_S.items()}
        self._walk("bodies", lambda _after: engine.erase_bodies(ROWS_PER_STEP, before=bodies))
        until = first_id(before)
        self._walk(
            "messages", lambda after: engine.forget_messages(ROWS_PER_STEP, after=after, until=until, before=before)
        )
        for kind in (Aged.RECEIPTS, Aged.EVENTS):
            self._walk(kind, partial(self._forget, kind, before))
        began = time.perf_counter()
        engine.scrub()
        self.scrubbing.all_s.append(time.perf_counter() - began)

    def _forget(self, kind: Aged, before: float, _after: int) -> Step:
        return self.engine.forget(kind, ROWS_PER_STEP, before=before)

    def _walk(self, what: str, verb: Callable[[int], Step]) -> None:
        step = Step(0, more=True)
        while step.more:
            step = self.write(self.erasing, partial(verb, step.after))
            self.gone[what] = self.gone.get(what, 0) + step.gone


def _answer(message: Message, now: float) -> Result:
    key = f"{message.id:x}"
    return Answer(
        part_id(message.id, 0), 1, Event.ACKNOWLEDGED, now, "north", key, key, message.to, now + 86_400.0, receipt=True
    )


def _receipts(message: Message, now: float) -> Iterator[Result]:
    yield Receipt("north", (f"{message.id:x}",), now, Event.DELIVERED, message.to, "DELIVRD 000")
    if message.id % UNMATCHED_EVERY == 0:
        yield Receipt("north", (f"none-{message.id:x}",), now, Event.DELIVERED, message.to, "DELIVRD 000")


# --- a writer that is never idle ---


@attrs.define
class Phase:
    """What was measured while something else went on."""

    holds: Times = attrs.field(factory=Times)
    log_pages: int = 0
    """Of the log at its longest."""

    def shown(self) -> dict[str, Any]:
        return {**self.holds.shown(), "log_pages": self.log_pages, "histogram": self.holds.histogram()}


class Pressure:
    """A life at full rate in a thread; `phase` says what its times are counted under."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._stop = threading.Event()
        self.phases: dict[str, Phase] = {}
        self.phase = ""

    def pages(self) -> int:
        return self._life.engine.log_progress().frames

    def begin(self, name: str, seconds: float) -> None:
        """Count under this name from now on, and return after so long."""
        self.phases[name] = Phase()
        self.phase = name
        time.sleep(seconds)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Write for as long as the block lasts."""
        engine, thread = self._life.engine, threading.Thread(target=self._run)
        engine.start_copying(lambda: None)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            engine.stop_copying()

    def _run(self) -> None:
        while not self._stop.is_set():
            phase = self.phases[self.phase]
            self._life.now += 1.0
            self._life.traffic = phase.holds
            self._life.batch(ROWS_PER_COMMIT)
            phase.log_pages = max(phase.log_pages, self.pages())


def press(path: Path, phase_s: float) -> dict[str, Any]:
    """Let the writer of a new store at this path never be idle, and return how long it was held in each phase."""
    with closing(SqliteEngine(path)) as engine:
        life = born(engine)
        pressure = Pressure(life)
        pressure.phases[""] = Phase()
        with pressure.running():
            pressure.begin("alone", phase_s)
            with closing(sqlite3.connect(path, isolation_level=None)) as reader:
                reader.execute("BEGIN")
                reader.execute("SELECT n FROM ledger").fetchall()
                pressure.begin("a long reader", 2 * phase_s)
            ended = time.perf_counter()
            pressure.begin("after it", 0.0)
            while pressure.pages() > BACK_PAGES and time.perf_counter() - ended < 10 * phase_s:
                time.sleep(0.01)
            back_s = time.perf_counter() - ended
            time.sleep(phase_s)
            pressure.begin("erasing", 0.0)
            cuts = Times()
            clean = [_cut(engine, cuts) for _ in range(5)]
            pressure.begin("", 0.0)
        problems = list(engine.verify().problems)
    return {
        "messages": life.number,
        "log_back_s": round(back_s, 2),
        "cut_of": f"{sum(clean)} of {len(clean)}",
        "cut": cuts.shown(),
        "phases": {name: phase.shown() for name, phase in pressure.phases.items() if name},
        "problems": problems,
    }


def _cut(engine: SqliteEngine, times: Times) -> bool:
    began = time.perf_counter()
    done = engine.scrub()
    times.all_s.append(time.perf_counter() - began)
    return done


def born(engine: SqliteEngine) -> Life:
    """Return a life on a new store."""
    names = [QueueName(lane, "default", "shop") for lane in LANES]
    engine.begin()
    opened = engine.open(names)
    engine.commit()
    return Life(engine, {name.lane: queue for name, queue in opened.items()})


def measure(path: Path, a_day: int, days: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Live these days on a new store at this path, and return the figures."""
    began, sizes = time.perf_counter(), []
    with closing(SqliteEngine(path)) as engine:
        life = born(engine)
        for day in range(1, days + 1):
            for _ in range(24):
                life.hour(a_day // 24)
            sizes.append(_megabytes(path))
            say(f"day {day}: {sizes[-1]:.1f} MB after {life.number} messages")
        lived_s = time.perf_counter() - began
        verification = engine.verify()
    return {
        "question": "retention",
        "messages": life.number,
        "days": days,
        "size_mb": sizes,
        "drift": round(max(abs(size / sizes[1] - 1) for size in sizes[1:]), 4),
        "gone": life.gone,
        "traffic": life.traffic.shown(),
        "erasing": life.erasing.shown(),
        "emptying_log": life.scrubbing.shown(),
        "messages_per_second": round(life.number / lived_s),
        "erasing_us_per_message": round(sum(life.erasing.all_s) / life.gone["messages"] * 1e6, 1),
        "problems": list(verification.problems),
    }


def missed(found: dict[str, Any]) -> list[str]:
    """Return the goals that were not met, in words."""
    return [
        *([f"the file drifts by {found['drift']:.1%} from its second day on"] if found["drift"] > GOAL_DRIFT else []),
        *([f"{found['erasing']['over_50_ms']} steps held the writer for more than 50 ms"]
          if found["erasing"]["p99_ms"] > GOAL_STEP_S * 1_000 else []),
        *found["problems"],
    ]  # fmt: skip


def missed_under_pressure(found: dict[str, Any]) -> list[str]:
    """Return the goals that were not met while the writer was never idle, in words."""
    held = [
        f"{name}: {phase['over_50_ms']} commits held the writer for more than 50 ms"
        for name, phase in found["phases"].items()
        if phase["p99_ms"] > GOAL_STEP_S * 1_000
    ]
    alone = found["phases"]["alone"]["log_pages"]
    return [
        *held,
        *([f"the log grew to {alone} pages though nobody read"] if alone > BACK_PAGES else []),
        *([] if found["cut_of"] == "5 of 5" else [f"the log was cut {found['cut_of']} times"]),
        *found["problems"],
    ]


def _megabytes(path: Path) -> float:
    return round(sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*")) / 1e6, 2)


@click.command()
@click.option("--full", is_flag=True, help="Seven million messages: some ten minutes and 2 GB.")
@click.option("--per-day", type=click.IntRange(min=240), default=MESSAGES_A_DAY, show_default=True)
@click.option("--days", type=click.IntRange(min=3), default=DAYS, show_default=True)
@click.option("--phase-s", type=click.FloatRange(min=0.1), default=PHASE_S, show_default=True, help="Of a busy writer.")
def main(full: bool, per_day: int, days: int, phase_s: float) -> None:
    """Is the file flat, and does anything hold the writer up?"""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder) / "store.db", FULL_A_DAY if full else per_day, days, click.echo)
    with tempfile.TemporaryDirectory() as folder:
        pressed = press(Path(folder) / "store.db", phase_s)
    click.echo(json.dumps({**found, "busy": pressed, "missed": missed(found) + missed_under_pressure(pressed)}))


if __name__ == "__main__":
    main()
