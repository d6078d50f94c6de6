"""A short life of a store that uses every kind of row, and what it has promised after each commit."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs

from connector.lifecycle import Event
from connector.model import Move
from connector.store.sqlite import SqliteEngine
from tests.store.world import NAMES, acknowledged, answered, claim, inbound, lost, message, part, receipt

FAR_BEHIND = 1_000_000


@attrs.frozen
class Promise:
    """What a store held when a commit returned: none of it may ever be gone."""

    histories: dict[int, str]
    """By part; a history only grows."""
    parked: int = 0
    inbound: int = 0

    def broken_by(self, found: "Promise") -> list[str]:
        """Return what of this is not there."""
        gone = [
            str(part) for part, told in self.histories.items() if not found.histories.get(part, "").startswith(told)
        ]
        if found.parked < self.parked:
            gone.append(f"{self.parked - found.parked} parked receipts")
        if found.inbound < self.inbound:
            gone.append(f"{self.inbound - found.inbound} inbound")
        return gone


def holdings(db: sqlite3.Connection) -> Promise:
    """Return what a store holds."""
    [parked], [received] = (db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("parked", "inbound"))
    return Promise(dict(db.execute("SELECT id, history FROM part")), parked, received)


def holdings_of(path: Path) -> Promise:
    with closing(sqlite3.connect(path)) as db:
        return holdings(db)


def steps(number: int, engine: SqliteEngine) -> Iterator[Callable[[], Any]]:
    """Return the verbs of one round; each is to be committed by itself."""
    owner, first = engine.owner, number * 10
    one, two, three, other, split = (part(first + n) for n in range(1, 6))
    now = 1_000.0 + number
    texts = [message(first + n, text=f"text {first + n} " + "x" * 300) for n in range(1, 5)]
    yield lambda: engine.append([*texts, message(first + 5, parts=3)], (), owner=owner, now=now)
    yield lambda: engine.claim([claim(one), claim(two), claim(three)], owner=owner, now=now)
    yield lambda: engine.results(
        [acknowledged(one, str(first)), answered(two, Event.DEFERRED), lost(three)], owner=owner, now=now
    )
    yield lambda: engine.results(
        [receipt(str(first)), receipt(str(FAR_BEHIND + first)), inbound()], owner=owner, now=now
    )
    cancelled = [Move(each, Event.CANCELLED) for each in (other, split | 1)]
    yield lambda: engine.change(cancelled, now=now)


def live(engine: SqliteEngine, rounds: int, promised: Callable[[Promise], None]) -> None:
    """Live through so many rounds and tell after each commit what may be relied on."""
    _commit(engine, lambda: engine.queues(NAMES))
    for number in range(1, rounds + 1):
        for step in steps(number, engine):
            _commit(engine, step)
            promised(holdings(engine._db))


def _commit(engine: SqliteEngine, work: Callable[[], Any]) -> None:
    engine.begin()
    work()
    engine.commit()
