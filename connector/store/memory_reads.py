"""The reading verbs in memory: they see what is committed and change nothing."""

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter

import attrs

from connector.lifecycle import LIVE, message_status
from connector.model import (
    Due,
    EventBatch,
    Ledger,
    Message,
    MessageQuery,
    MessageView,
    ParkedReceipt,
    Part,
    Unsettled,
    Verification,
    Wanted,
    is_whole,
)
from connector.store.audit import Standing, first_few, strays
from connector.store.conservation import differences, ledger_of, with_gone, wrong_statuses
from connector.store.history import entries
from connector.store.memory_retention import LAST_GONE
from connector.store.memory_rows import PartRow, Rows


def heads(rows: Rows, wanted: Sequence[Wanted]) -> dict[int, list[Part]]:
    """Return the next waiting parts of each queue, earliest deadline first."""
    return {wish.queue: _heads(rows, wish) for wish in wanted}


def _heads(rows: Rows, wish: Wanted) -> list[Part]:
    parts = rows.parts.committed
    waiting = [parts.rows[part] for part in parts.at(("waiting", wish.queue))]
    after = wish.after or (-1.0, -1)
    places = ((row.deadline, row.id) for row in waiting if (row.deadline, row.id) > after)
    return [_part(rows, part) for _, part in heapq.nsmallest(wish.limit, places)]


def _part(rows: Rows, part: int) -> Part:
    row = rows.parts.committed.rows[part]
    parts = rows.messages.committed.rows[part >> 8].parts()
    kept = parts[0] if is_whole(part) else parts[(part & 0xFF) - 1]
    return attrs.evolve(
        kept,
        queue=row.queue,
        lane=rows.queues.committed.rows[row.queue].lane,
        attempt=row.attempt,
        tries=row.tries,
        pinned=row.pinned,
        last=row.carrier,
        refused=row.refused,
        doubts=row.doubts,
        harms=row.harms,
        first_at=row.first_at,
    )


def unsettled(rows: Rows, after: int, limit: int, queues: Sequence[int]) -> list[Unsettled]:
    """Return the parts of these queues that have not left, with ids behind ``after``, by id."""
    parts = rows.parts.committed
    behind = (part for queue in dict.fromkeys(queues) for part in parts.at(("unsettled", queue)) if part > after)
    return [_unsettled(rows, parts.rows[part]) for part in heapq.nsmallest(limit, behind)]


def _unsettled(rows: Rows, row: PartRow) -> Unsettled:
    kept = rows.messages.committed.rows[row.id >> 8]
    lane = rows.queues.committed.rows[row.queue].lane
    return Unsettled(row.id, row.queue, lane, kept.api_key, kept.to, kept.sender, kept.country, kept.options)


def due(rows: Rows, limit: int, now: float) -> list[Due]:
    """Return parts whose time has come, oldest first."""
    parts = rows.parts.committed
    timed = [parts.rows[part] for part in parts.at("due")]
    times = ((row.due_at, row.id) for row in timed if row.due_at is not None and row.due_at <= now)
    found = [parts.rows[part] for _, part in heapq.nsmallest(limit, times)]
    return [
        Due(row.id, row.status, row.queue, row.due_at or 0.0, row.deadline, row.doubts, row.reason) for row in found
    ]


def events(rows: Rows, after: int, limit: int) -> list[EventBatch]:
    """Return the rows of the event log behind this cursor; what is old is gone from its front."""
    batches = rows.events.committed.rows
    first, last = max(after + 1, next(iter(batches), 1)), next(reversed(batches), 0)
    return [batches[seq] for seq in range(first, min(first + limit, last + 1)) if seq in batches]


# --- messages ---


def messages(rows: Rows, query: MessageQuery) -> list[MessageView]:
    """Return messages, newest first, each with its timeline."""
    kept = rows.messages.committed.rows
    ids = sorted(_looked_at(rows, query), reverse=True)
    found = [kept[message] for message in ids if message in kept and _asked_for(kept[message], query)]
    views: list[MessageView] = []
    for message in found:
        if len(views) == query.limit:
            break
        view = _view(rows, message)
        if query.status in (None, view.status):
            views.append(view)
    return views


def _looked_at(rows: Rows, query: MessageQuery) -> Iterable[int]:
    """Return the messages that may fit a query: by id or number where it names one."""
    if query.id is not None:
        return [query.id]
    if query.to is not None:
        numbers = dict.fromkeys((query.to, query.alias or query.to))
        return [message for number in numbers for message in rows.messages.committed.at(("to", number))]
    return rows.messages.committed.rows


def _asked_for(message: Message, query: MessageQuery) -> bool:
    """Tell whether a message fits a query, its status aside."""
    return (
        query.id in (None, message.id)
        and query.api_key in (None, message.api_key)
        and (query.to is None or message.to in (query.to, query.alias))
        and (query.since is None or message.created_at >= query.since)
        and (query.before is None or message.id < query.before)
    )


def _view(rows: Rows, message: Message) -> MessageView:
    parts = [rows.parts.committed.rows[part.id] for part in message.parts()]
    status = message_status(row.status for row in parts)
    # one for the whole message: what its last part to move says, and why, of those that stand where it stands
    newest = max(parts, key=_moved_at)
    typical = max((row for row in parts if row.status is status), key=_moved_at)
    timeline = [entry for row in parts for entry in entries(row.id, row.history)]
    return MessageView(
        id=message.id,
        status=status,
        to=message.to,
        sender=message.sender,
        lane=rows.queues.committed.rows[message.queue].lane,
        api_key=message.api_key,
        parts=len(parts),
        created_at=message.created_at,
        deadline=message.deadline,
        client_ref=message.client_ref,
        country=message.country,
        send_at=message.send_at,
        metadata=message.metadata,
        carrier=newest.carrier,
        carrier_message_id=newest.carrier_message_id,
        sent_at=newest.sent_at,
        finished_at=None if status in LIVE else newest.finished_at,
        reason=typical.reason,
        temporary=typical.temporary,
        done_at=typical.done_at,
        text=message.text or None,
        part_statuses=tuple(row.status for row in parts),
        timeline=tuple(sorted(timeline, key=lambda entry: entry.at)),
    )


def _moved_at(row: PartRow) -> float:
    return row.finished_at or row.sent_at or 0


# --- the conservation law ---


def ledger(rows: Rows) -> Ledger:
    """Return the counters as they stand."""
    return ledger_of(rows.counters.committed.rows)


def verify(rows: Rows, fence: int) -> Verification:
    """Recount everything, compare it with the counters, and every status with the part's history and the event log."""
    kept = ledger(rows)
    parts = sorted(rows.parts.committed.rows.values(), key=attrgetter("id"))
    stored = rows.statuses.committed.rows
    split = ((row.id >> 8, stored.get(row.id >> 8), str(row.status)) for row in parts if not is_whole(row.id))
    problems = differences(kept, recount(rows)) + first_few(wrong_statuses(split))
    standings = (Standing(row.id, row.status, row.attempt, row.doubts, row.fence, row.history) for row in parts)
    log = rows.events.committed.rows
    strayed = strays(
        standings,
        lambda: ((str(log[seq].status), log[seq].parts) for seq in sorted(log)),
        whole_log=LAST_GONE not in rows.counters.committed.rows,
        fence=fence,
    )
    return Verification(ledger=kept, problems=(*problems, *first_few(strayed)))


def recount(rows: Rows) -> Ledger:
    """Return what the ledger should say, counted from the rows."""
    parts = rows.parts.committed.rows.values()
    statuses = Counter(str(row.status) for row in parts if is_whole(row.id))
    statuses.update(str(status) for status in rows.statuses.committed.rows.values())
    counted = Ledger(
        accepted=len(rows.messages.committed.rows),
        messages=statuses,
        parts_accepted=len(parts),
        parts=Counter(str(row.status) for row in parts),
        parked=len(rows.parked.committed.rows),
        inbound={"open": len(rows.inbound.committed.at("open"))},
    )
    return with_gone(counted, rows.counters.committed.rows)


def parked(rows: Rows, after: int, limit: int) -> list[ParkedReceipt]:
    """Return receipts that are kept without a part, oldest first."""
    found = [number for number in sorted(rows.parked.committed.rows) if number > after][:limit]
    kept = rows.parked.committed.rows
    return [ParkedReceipt(number, kept[number].receipt, kept[number].why) for number in found]
