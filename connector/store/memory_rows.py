"""Rows in dicts: as the open transaction has them, and as they are committed."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import attrs

from connector.lifecycle import Event, Status
from connector.model import (
    Answer,
    Claim,
    EventBatch,
    InboundMessage,
    InboundPart,
    Message,
    Owner,
    Part,
    QueueName,
    Receipt,
)
from connector.store.earlier import NO_CARRIER, part_key
from connector.store.history import line
from connector.store.joining import Why
from connector.store.parking import parking_keys
from connector.store.rules import UNSETTLED, waits, with_refused

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@attrs.frozen(kw_only=True)
class PartRow:
    """A part's present attempt and its whole history; what never changes is in its message."""

    id: int
    queue: int
    status: Status
    deadline: float
    due_at: float | None
    history: str
    attempt: int = 0
    tries: int = 0
    fence: int = 0
    carrier: str | None = None
    pinned: str | None = None
    key: str | None = None
    carrier_message_id: str | None = None
    sent_at: float | None = None
    finished_at: float | None = None
    reason: str | None = None
    temporary: bool | None = None
    done_at: float | None = None
    refused: tuple[str, ...] = ()
    doubts: int = 0
    lost: int = 0
    """The attempt that was lost last, until its answer comes after all; 0 for none."""
    harms: int = 0
    first_at: float | None = None
    hopeful: bool = False

    @property
    def waits(self) -> bool:
        return waits(self.status, self.due_at)

    @classmethod
    def new(cls, part: Part, send_at: float | None, now: float) -> "PartRow":
        """Return the row of a part that is just kept."""
        status = Status.ACCEPTED if send_at is None else Status.SCHEDULED
        return cls(
            id=part.id,
            queue=part.queue,
            status=status,
            deadline=part.deadline,
            due_at=send_at,
            history=line(now, status, None, 0, None),
        )

    def claimed(self, claim: Claim, owner: Owner, now: float) -> "PartRow":
        """Return the row with its next attempt."""
        return attrs.evolve(
            self,
            status=Status.SENDING,
            attempt=claim.attempt,
            carrier=claim.carrier,
            fence=owner.fence,
            history=self.history + line(now, Event.CLAIMED, claim.carrier, claim.attempt, None),
        )

    def named(self, answer: Answer) -> "PartRow":
        """Return the row with the id its late answer gives it; its status stays."""
        return attrs.evolve(self, key=answer.key, carrier_message_id=answer.carrier_message_id, sent_at=answer.at)

    def with_hope(self, hopeful: bool) -> "PartRow":
        """Return the row as a carrier's word that is not its last leaves it."""
        return attrs.evolve(self, hopeful=hopeful)

    def set_back(self, answer: Answer) -> "PartRow":
        """Return the row with what an attempt that came to nothing has taught."""
        setback = answer.setback
        if setback is None:
            return self
        return attrs.evolve(
            self,
            first_at=setback.first_at if self.first_at is None else self.first_at,
            refused=with_refused(self.refused, [answer.carrier] if setback.refused else []),
            harms=self.harms + setback.harmed,
        )

    def places(self) -> list[Hashable]:
        """Return where this row is looked for."""
        found: list[Hashable] = []
        if self.waits:
            found.append(("waiting", self.queue))
        if self.status in UNSETTLED:
            found.append(("unsettled", self.queue))
        if self.due_at is not None:
            found.append("due")
        if self.status is Status.SENDING:
            found.append("sending")
        if self.key is not None:
            found.append((self.carrier, self.key))
        return found


@attrs.frozen
class RefRow:
    """A reference that may not be accepted twice; ``message`` is 0 for the key of a whole request."""

    fingerprint: bytes
    message: int
    at: float


@attrs.frozen
class OtherId:
    """The id of an attempt that is not its part's present one."""

    carrier: str
    key: str
    part: int
    carrier_message_id: str
    sent_at: float


@attrs.frozen
class ParkedRow:
    """A receipt that means no attempt we know."""

    receipt: Receipt
    why: Why
    part: int | None = None
    """The part whose earlier attempt it is about, where that is known."""
    also: tuple[tuple[str, str], ...] = ()
    """(carrier, key) under which it is found besides."""


class _View(Generic[K, V]):
    """Rows by key, and keys by place."""

    def __init__(self, rows: Mapping[K, V], places: Callable[[V], Iterable[Hashable]]) -> None:
        self.rows: dict[K, V] = {}
        self._places = places
        # inner dicts, not sets: the order of iteration must not depend on the process
        self._index: dict[Hashable, dict[K, None]] = {}
        for key, row in rows.items():
            self.set(key, row)

    def at(self, place: Hashable) -> list[K]:
        return list(self._index.get(place, ()))

    def set(self, key: K, row: V | None) -> None:
        old = self.rows.get(key)
        if old is not None:
            for place in self._places(old):
                del self._index[place][key]
        if row is None:
            self.rows.pop(key, None)
            return
        self.rows[key] = row
        for place in self._places(row):
            self._index.setdefault(place, {})[key] = None


def _nowhere(_row: object) -> Iterable[Hashable]:
    return ()


class Table(Generic[K, V]):
    """Rows of one kind.  Writers see ``working``, readers ``committed``; rows are frozen, so both may hold the same."""

    def __init__(self, rows: Mapping[K, V], places: Callable[[V], Iterable[Hashable]] = _nowhere) -> None:
        self.committed = _View(rows, places)
        self.working = _View(rows, places)
        self._touched: dict[K, None] = {}

    def get(self, key: K) -> V | None:
        """Return the row as the open transaction has it."""
        return self.working.rows.get(key)

    def set(self, key: K, row: V | None) -> None:
        """Write a row, or None to delete it."""
        self._touched[key] = None
        self.working.set(key, row)

    def commit(self) -> None:
        self._copy(self.working, self.committed)

    def rollback(self) -> None:
        self._copy(self.committed, self.working)

    def _copy(self, source: _View[K, V], target: _View[K, V]) -> None:
        for key in self._touched:
            target.set(key, source.rows.get(key))
        self._touched.clear()


def append_row(table: Table[int, V], row: V) -> int:
    """Write a row under the number after the largest, and return that."""
    number = max(table.working.rows, default=0) + 1
    table.set(number, row)
    return number


def _parked_under(row: ParkedRow) -> list[Hashable]:
    told: list[Hashable] = [] if row.part is None else [(NO_CARRIER, part_key(row.part))]
    keys = ((row.receipt.carrier, key) for key in parking_keys(row.receipt))
    return list(dict.fromkeys([*keys, *told, *row.also]))


def _inbound_under(part: InboundPart) -> list[Hashable]:
    return ["open"] if part.message is None else [("told", part.message)]


class Rows:
    """All tables."""

    def __init__(self, kept: Mapping[str, Mapping[Any, Any]]) -> None:
        self.queues: Table[int, QueueName] = Table(kept.get("queues", {}))
        self.messages: Table[int, Message] = Table(kept.get("messages", {}), lambda row: [("to", row.to)])
        self.statuses: Table[int, Status] = Table(kept.get("statuses", {}))
        """Of messages of several parts only; for one part it is the part's."""
        self.parts: Table[int, PartRow] = Table(kept.get("parts", {}), PartRow.places)
        self.refs: Table[tuple[str, str], RefRow] = Table(kept.get("refs", {}))
        self.other_ids: Table[tuple[str, str, int], OtherId] = Table(
            kept.get("other_ids", {}), lambda row: [(row.carrier, row.key)]
        )
        self.parked: Table[int, ParkedRow] = Table(kept.get("parked", {}), _parked_under)
        self.inbound: Table[int, InboundPart] = Table(kept.get("inbound", {}), _inbound_under)
        self.inbound_messages: Table[int, InboundMessage] = Table(kept.get("inbound_messages", {}))
        self.events: Table[int, EventBatch] = Table(kept.get("events", {}))
        self.facts: Table[str, str] = Table(kept.get("facts", {}))
        self.counters: Table[str, int] = Table(kept.get("counters", {}))

    def commit(self) -> None:
        for table in vars(self).values():
            table.commit()

    def rollback(self) -> None:
        for table in vars(self).values():
            table.rollback()

    def kept(self) -> dict[str, dict[Any, Any]]:
        """Return what is committed, ready for another `Rows`."""
        return {name: dict(table.committed.rows) for name, table in vars(self).items()}


@attrs.frozen
class Snapshot:
    """What a disk would hold after a power cut: everything committed, nothing else."""

    node: str
    fence: int
    rows: Mapping[str, Mapping[Any, Any]] = attrs.field(repr=False)
