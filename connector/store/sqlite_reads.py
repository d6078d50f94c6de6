"""The reading verbs on SQLite: they see what is committed and change nothing."""

import heapq
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from connector.lifecycle import LIVE, Status
from connector.model import (
    Due,
    EventBatch,
    Ledger,
    MessageQuery,
    MessageView,
    Part,
    Unsettled,
    Verification,
    Wanted,
)
from connector.store.audit import Standing, first_few, strays
from connector.store.conservation import differences, ledger_of, with_gone, wrong_statuses
from connector.store.file import damages
from connector.store.history import entries
from connector.store.rules import split_refused
from connector.store.tally import unpack_parts

_HEADS = """
    SELECT part.id, part.deadline, part.attempt, part.tries, part.pinned, part.carrier, message.to_addr, message.sender,
        message.text, message.alphabet, message.reference, message.bounds, message.receipt, message.options,
        message.country, queue.lane, part.refused, part.doubts, part.harms, part.first_at
    FROM part JOIN message ON message.id = part.id >> 8 JOIN queue ON queue.id = part.queue
    WHERE part.queue = ? AND part.status IN ('accepted', 'in_doubt') AND part.due_at IS NULL
        AND (part.deadline, part.id) > (?, ?)
    ORDER BY part.deadline, part.id LIMIT ?
"""
# what waits and what is paused has no order of ids in common: of the first, the lowest are found by looking at all
_UNSETTLED_IDS = """
    SELECT id FROM part INDEXED BY part_waiting
    WHERE queue = :queue AND id > :after AND status IN ('accepted', 'in_doubt') AND due_at IS NULL
    UNION ALL SELECT id FROM part INDEXED BY part_paused
    WHERE queue = :queue AND id > :after AND due_at IS NOT NULL
        AND (status = 'scheduled' OR status = 'accepted' OR status = 'in_doubt')
    ORDER BY id LIMIT :limit
"""
_UNSETTLED = """
    SELECT part.id, part.queue, queue.lane, message.api_key, message.to_addr, message.sender, message.country,
        message.options
    FROM part JOIN message ON message.id = part.id >> 8 JOIN queue ON queue.id = part.queue WHERE part.id = ?
"""
_VIEW = """
    SELECT message.id, coalesce(message.status, part.status), message.to_addr, message.sender, queue.lane,
        message.api_key, message.bounds, message.created_at, message.deadline, message.client_ref, message.country,
        message.send_at, message.metadata, message.text
    FROM {source} JOIN queue ON queue.id = message.queue
"""
_ALL = "message LEFT JOIN part ON part.id = message.id << 8"
_PARTS = """
    SELECT id, status, carrier, carrier_message_id, sent_at, finished_at, reason, temporary, done_at, history
    FROM part WHERE id BETWEEN ? AND ? ORDER BY id
"""


def heads(db: sqlite3.Connection, wanted: Sequence[Wanted]) -> dict[int, list[Part]]:
    """Return the next waiting parts of each queue, earliest deadline first."""
    return {wish.queue: [_part(row, wish.queue) for row in _head_rows(db, wish)] for wish in wanted}


def _head_rows(db: sqlite3.Connection, wish: Wanted) -> list[Any]:
    deadline, part = wish.after or (-1.0, -1)
    return db.execute(_HEADS, (wish.queue, deadline, part, wish.limit)).fetchall()


def _part(row: Any, queue: int) -> Part:
    (
        identity,
        deadline,
        attempt,
        tries,
        pinned,
        last,
        to,
        sender,
        text,
        alphabet,
        reference,
        bounds,
        receipt,
        options,
        country,
        lane,
        refused,
        doubts,
        harms,
        first_at,
    ) = row
    cuts = json.loads(bounds) if bounds else None
    number = identity & 0xFF
    if cuts:
        start, end = cuts[number - 1]
        text = text[start:end]
    return Part(
        id=identity,
        number=number or 1,
        total=len(cuts) if cuts else 1,
        queue=queue,
        lane=lane,
        to=to,
        sender=sender,
        text=text,
        alphabet=alphabet,
        reference=reference,
        deadline=deadline,
        receipt=bool(receipt),
        options=options,
        country=country,
        attempt=attempt,
        tries=tries,
        pinned=pinned,
        last=last,
        refused=split_refused(refused),
        doubts=doubts,
        harms=harms,
        first_at=first_at,
    )


def unsettled(db: sqlite3.Connection, after: int, limit: int, queues: Sequence[int]) -> list[Unsettled]:
    """Return the parts of these queues that have not left, with ids behind ``after``, by id.

    A page costs a look at each index entry of what waits in these queues (0.1 s for a million), and none at what is
    elsewhere or has left: an index by id would cost every part that is kept and claimed.
    """
    with _snapshot(db):
        wanted = [{"queue": queue, "after": after, "limit": limit} for queue in dict.fromkeys(queues)]
        ids = heapq.nsmallest(limit, (row[0] for wish in wanted for row in db.execute(_UNSETTLED_IDS, wish)))
        return [Unsettled(*db.execute(_UNSETTLED, (part,)).fetchone()) for part in ids]


@contextmanager
def _snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """Let all reads within see one commit."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.rollback()


def due(db: sqlite3.Connection, limit: int, now: float) -> list[Due]:
    """Return parts whose time has come, oldest first."""
    rows = db.execute(
        "SELECT id, status, queue, due_at, deadline, doubts, reason FROM part WHERE due_at <= ?"
        " ORDER BY due_at, id LIMIT ?",
        (now, limit),
    ).fetchall()
    return [Due(part, Status(status), *rest) for part, status, *rest in rows]


def known(db: sqlite3.Connection, api_key: str, refs: Sequence[tuple[str, bytes]]) -> list[int | None]:
    """Return the message each reference stands for, or None where it is new or was used for something else."""
    found: list[int | None] = []
    for ref, fingerprint in refs:
        row = db.execute(
            "SELECT message FROM ref WHERE api_key = ? AND ref = ? AND fingerprint = ?", (api_key, ref, fingerprint)
        ).fetchone()
        found.append(row[0] if row else None)
    return found


def events(db: sqlite3.Connection, after: int, limit: int) -> list[EventBatch]:
    """Return the rows of the event log behind this cursor."""
    rows = db.execute("SELECT seq, at, status, parts FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
    return [EventBatch(seq, at, Status(status), unpack_parts(parts)) for seq, at, status, parts in rows]


# --- messages ---

_RARE = {
    Status.IN_DOUBT: "message.id IN (SELECT id >> 8 FROM part WHERE part.status = 'in_doubt')",
    Status.SENDING: "message.id IN (SELECT id >> 8 FROM part WHERE part.status = 'sending')",
}


def messages(db: sqlite3.Connection, query: MessageQuery) -> list[MessageView]:
    """Return messages, newest first, each with its timeline."""
    conditions: list[str] = []
    arguments: list[Any] = []
    for column, value in (
        ("message.id = ?", query.id),
        ("message.api_key = ?", query.api_key),
        ("message.created_at >= ?", query.since),
        ("message.id < ?", query.before),
    ):
        if value is not None:
            conditions.append(column)
            arguments.append(value)
    if query.to is not None:
        conditions.append("message.to_addr IN (?, ?)")
        arguments += [query.to, query.alias or query.to]
    if query.status is not None:
        condition, values = _status_condition(query.status)
        conditions.append(condition)
        arguments += values
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = f"{_VIEW.format(source=_ALL)}{where} ORDER BY message.id DESC LIMIT ?"
    rows = db.execute(sql, (*arguments, query.limit)).fetchall()
    return [_view(db, row) for row in rows]


def _status_condition(status: Status) -> tuple[str, list[str]]:
    """Return the condition for a status; the rare ones go by their partial index, not through the whole table."""
    by_index = _RARE.get(status)
    if by_index is not None:
        return f"{by_index} AND coalesce(message.status, part.status) = ?", [status.value]
    return "coalesce(message.status, part.status) = ?", [status.value]


def _view(db: sqlite3.Connection, row: Any) -> MessageView:
    identity, status, to, sender, lane, api_key, bounds, created, deadline, ref, country, send_at, metadata, text = row
    parts = db.execute(_PARTS, (identity << 8, identity << 8 | 255)).fetchall()
    timeline = [entry for part in parts for entry in entries(part[0], part[-1])]
    # one for the whole message: what its last part to move says, and why, of those that stand where it stands
    newest = max(parts, key=_moved_at)
    # none of them may: a commit has come between the two looks
    reason, temporary, done_at = max([part for part in parts if part[1] == status] or parts, key=_moved_at)[6:9]
    return MessageView(
        id=identity,
        status=Status(status),
        to=to,
        sender=sender,
        lane=lane,
        api_key=api_key,
        parts=len(json.loads(bounds)) if bounds else 1,
        created_at=created,
        deadline=deadline,
        client_ref=ref,
        country=country,
        send_at=send_at,
        metadata=metadata,
        carrier=newest[2],
        carrier_message_id=newest[3],
        sent_at=newest[4],
        finished_at=None if Status(status) in LIVE else newest[5],
        reason=reason,
        temporary=None if temporary is None else bool(temporary),
        done_at=done_at,
        text=text,
        part_statuses=tuple(Status(part[1]) for part in parts),
        timeline=tuple(sorted(timeline, key=lambda entry: entry.at)),
    )


def _moved_at(part: Any) -> float:
    return part[5] or part[4] or 0.0


# --- the conservation law ---


def ledger(db: sqlite3.Connection) -> Ledger:
    """Return the counters as they stand."""
    return ledger_of(dict(db.execute("SELECT name, n FROM ledger").fetchall()))


def verify(db: sqlite3.Connection) -> Verification:
    """Recount everything, compare it with the counters, and every status with the part's history and the event log.

    Where the file itself is damaged, only that is said.  It takes some 10 µs a part, and all of it sees one commit.
    """
    with _snapshot(db):
        kept = ledger(db)
        problems = first_few(f"file: {damage}" for damage in damages(db))
        if not problems:
            problems = differences(kept, recount(db))
            problems += first_few(wrong_statuses(db.execute(_SPLIT)))
            problems += first_few(_strays(db))
    return Verification(ledger=kept, problems=tuple(problems))


# the first event of the log, or the next one where all were erased for their age
_BEGINS = """
    SELECT coalesce((SELECT min(seq) FROM event), (SELECT seq + 1 FROM sqlite_sequence WHERE name = 'event'), 1)
"""
_SPLIT = """
    SELECT message.id, message.status, part.status FROM part JOIN message ON message.id = part.id >> 8
    WHERE part.id & 255 > 0 ORDER BY part.id
"""
_STANDINGS = "SELECT id, status, attempt, doubts, fence, history FROM part ORDER BY id"


def _strays(db: sqlite3.Connection) -> Iterator[str]:
    begins = db.execute(_BEGINS).fetchone()[0]
    standings = (Standing(*row) for row in db.execute(_STANDINGS))
    fence = db.execute("SELECT value FROM meta WHERE name = 'fence'").fetchone()[0]

    def log() -> Iterator[tuple[str, Sequence[int]]]:
        rows = db.execute("SELECT status, parts FROM event ORDER BY seq")
        return ((status, unpack_parts(parts)) for status, parts in rows)

    return strays(standings, log, whole_log=begins == 1, fence=fence)


def recount(db: sqlite3.Connection) -> Ledger:
    """Return what the ledger should say, counted from the rows."""
    statuses = dict(
        db.execute(
            "SELECT coalesce(message.status, part.status), count(*) FROM message"
            " LEFT JOIN part ON part.id = message.id << 8 GROUP BY 1"
        ).fetchall()
    )
    counted = Ledger(
        accepted=db.execute("SELECT count(*) FROM message").fetchone()[0],
        messages={str(name): n for name, n in statuses.items()},
        parts_accepted=db.execute("SELECT count(*) FROM part").fetchone()[0],
        parts=dict(db.execute("SELECT status, count(*) FROM part GROUP BY status").fetchall()),
        parked=db.execute("SELECT count(*) FROM parked").fetchone()[0],
        inbound={"open": db.execute("SELECT count(*) FROM inbound WHERE message IS NULL").fetchone()[0]},
    )
    return with_gone(counted, dict(db.execute("SELECT name, n FROM ledger").fetchall()))
