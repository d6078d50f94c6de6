"""A store under test: each verb in a transaction of its own, and after each the books must balance."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from connector.lifecycle import Event, Status
from connector.model import (
    Answer,
    Claim,
    DoubtPolicy,
    Due,
    Inbound,
    Lost,
    Message,
    MessageQuery,
    MessageView,
    Move,
    Moved,
    NotSent,
    Part,
    QueueName,
    QueueState,
    Receipt,
    Refile,
    Refiled,
    Result,
    Setback,
    Unsettled,
    Wanted,
    part_id,
)
from connector.store.store import Engine

T = TypeVar("T")

NUMBER, OTHER_NUMBER = "447700900123", "447700900456"
QUEUE, OTHER_QUEUE = 1, 2
NAMES = [QueueName("otp", "all", "shop"), QueueName("promotional", "all", "shop")]
POLICIES = {"otp": DoubtPolicy(600.0), "promotional": DoubtPolicy(3_600.0)}


def message(number: int, parts: int = 1, **changes: Any) -> Message:
    """A message with a short text, or one of as many letters as it has parts."""
    given: dict[str, Any] = {
        "id": number,
        "api_key": "shop",
        "lane": "otp",
        "queue": QUEUE,
        "to": NUMBER,
        "sender": "Shop",
        "text": "abcdefghij"[:parts] if parts > 1 else "your code is 1234",
        "alphabet": "gsm",
        "reference": 7 if parts > 1 else 0,
        "bounds": tuple((at, at + 1) for at in range(parts)) if parts > 1 else ((0, 17),),
        "created_at": 1_000.0,
        "deadline": 2_000.0,
    }
    return Message(**given | changes)


def part(number: int, of: int = 0) -> int:
    return part_id(number, of)


def claim(part: int, attempt: int = 1, carrier: str = "north", *, doubts: int = 0) -> Claim:
    return Claim(part, attempt, carrier, doubts)


def acknowledged(part: int, key: str | None = None, *, attempt: int = 1, **changes: Any) -> Answer:
    given: dict[str, Any] = {"carrier": "north", "at": 1_010.0, "to": NUMBER, "due_at": 5_000.0} | changes
    return Answer(part, attempt, Event.ACKNOWLEDGED, carrier_message_id=key, key=key, **given)


def answered(part: int, event: Event, *, attempt: int = 1, **changes: Any) -> Answer:
    given: dict[str, Any] = {
        "carrier": "north",
        "at": 1_010.0,
        "to": NUMBER,
        "detail": "ESME_RSYSERR",
    } | changes
    return Answer(part, attempt, event, **given)


def lost(part: int, *, attempt: int = 1, at: float = 1_010.0, due_at: float = 5_000.0) -> Lost:
    return Lost(part, attempt, at, "north", "link_lost", due_at)


def not_sent(part: int, *, attempt: int = 1) -> NotSent:
    return NotSent(part, attempt, 1_010.0, "north", "no_bind")


def setback(*, refused: bool = False, harmed: bool = False, first_at: float = 1_005.0) -> Setback:
    return Setback(first_at, refused, harmed)


def receipt(*keys: str, event: Event | None = Event.DELIVERED, **changes: Any) -> Receipt:
    given: dict[str, Any] = {
        "carrier": "north",
        "at": 1_020.0,
        "number": NUMBER,
        "detail": "DELIVRD 000",
    } | changes
    return Receipt(keys=keys, event=event, **given)


def inbound() -> Inbound:
    return Inbound("north", 1_020.0, NUMBER, "60300", "STOP", b"STOP", 0, 0)


@attrs.define
class World:
    """An engine and what it takes to use it: two queues are open, the clock stands at 1,000."""

    engine: Engine
    reopened: Callable[[Engine], Engine]
    now: float = 1_000.0
    policies: Mapping[str, DoubtPolicy] = POLICIES

    def __attrs_post_init__(self) -> None:
        self.queues()

    # --- verbs, a transaction each ---

    def transaction(self, *works: Callable[[], Any]) -> list[Any]:
        """Run these in one transaction and check the conservation law."""
        self.engine.begin()
        results = [work() for work in works]
        self.engine.commit()
        verification = self.engine.verify()
        assert verification.ok, verification.problems
        assert verification.ledger.imbalance == 0
        assert verification.ledger == self.engine.ledger()
        return results

    def queues(self, names: Sequence[QueueName] = NAMES) -> list[QueueState]:
        return self._one(lambda: self.engine.queues(names))

    def append(self, *messages: Message, claims: Sequence[Claim] = ()) -> list[Any]:
        return self._one(lambda: self.engine.append(messages, claims, owner=self.engine.owner, now=self.now))

    def claim(self, *claims: Claim) -> list[Claim]:
        return self._one(lambda: self.engine.claim(claims, owner=self.engine.owner, now=self.now))

    def results(self, *results: Result) -> list[Moved]:
        owner, policies = self.engine.owner, self.policies
        return self._one(lambda: self.engine.results(results, owner=owner, now=self.now, policies=policies))

    def change(self, event: Event, *parts: int, reason: str | None = None, due_at: float | None = None) -> list[Moved]:
        moves = [Move(part, event, reason, due_at) for part in parts]
        return self._one(lambda: self.engine.change(moves, now=self.now))

    def recover(self, limit: int = 100) -> list[Moved]:
        owner = self.engine.owner
        return self._one(lambda: self.engine.recover(owner, limit=limit, now=self.now, policies=self.policies))

    def refile(self, *moves: Refile) -> list[Refiled]:
        return self._one(lambda: self.engine.refile(moves))

    def sweep(self, before: float, limit: int = 100) -> int:
        return self._one(lambda: self.engine.sweep(limit, before=before))

    def _one(self, work: Callable[[], T]) -> T:
        answer: T = self.transaction(work)[0]
        return answer

    # --- ways to a state ---

    def waiting(self, *messages: Message) -> None:
        """Keep messages that must all be new."""
        assert [verdict.message for verdict in self.append(*messages)] == [message.id for message in messages]

    def sending(self, *messages: Message) -> None:
        """Keep messages and claim all their parts for north."""
        self.waiting(*messages)
        claims = [claim(part.id) for message in messages for part in message.parts()]
        assert self.claim(*claims) == claims

    def sent(self, number: int, key: str, **changes: Any) -> int:
        """Bring one message of one part to `sent`, under this id of north's; return the part."""
        self.sending(message(number, **changes))
        self.results(acknowledged(part(number), key, to=changes.get("to", NUMBER)))
        return part(number)

    def doubted(self, *messages: Message, due_at: float = 1_050.0) -> None:
        """Bring all parts of these in doubt, not to be looked at before ``due_at``."""
        self.sending(*messages)
        parts = [part.id for message in messages for part in message.parts()]
        moved = self.results(*(lost(part, due_at=due_at) for part in parts))
        assert moved == [Moved(part, Status.IN_DOUBT) for part in parts]

    def to_be_resent(self, *messages: Message) -> None:
        """Bring all parts of these in doubt and back into their queue."""
        self.doubted(*messages)
        parts = [part.id for message in messages for part in message.parts()]
        assert self.change(Event.DUE, *parts) == [Moved(part, Status.IN_DOUBT) for part in parts]

    def resent(self, *messages: Message, carrier: str = "north") -> None:
        """Bring all parts of these on the wire a second time, the first one being in doubt."""
        self.to_be_resent(*messages)
        claims = [claim(part.id, 2, carrier, doubts=1) for message in messages for part in message.parts()]
        assert self.claim(*claims) == claims

    def restart(self) -> None:
        """End this life as a crash would, and begin the next."""
        self.engine = self.reopened(self.engine)

    # --- questions ---

    def view(self, number: int) -> MessageView:
        [view] = self.engine.messages(MessageQuery(id=number))
        return view

    def to(self, number: str) -> list[MessageView]:
        """The messages to a number, newest first."""
        return self.engine.messages(MessageQuery(to=number))

    def status(self, number: int) -> Status:
        return self.view(number).status

    def part_statuses(self, number: int) -> list[str]:
        return [str(status) for status in self.view(number).part_statuses]

    def history(self, number: int) -> list[str]:
        return [entry.event for entry in self.view(number).timeline]

    def heads(self, queue: int = QUEUE, limit: int = 100, after: tuple[float, int] | None = None) -> list[Part]:
        return self.engine.heads([Wanted(queue, after, limit)])[queue]

    def head(self, queue: int = QUEUE) -> Part:
        """The only part that waits in this queue."""
        [head] = self.heads(queue)
        return head

    def due(self, now: float) -> dict[int, Due]:
        """What is due at this time, by part."""
        return {item.part: item for item in self.engine.due(1_000, now=now)}

    def unsettled(self, *queues: int, after: int = 0, limit: int = 100) -> list[Unsettled]:
        return self.engine.unsettled(after, limit, queues=queues or (QUEUE, OTHER_QUEUE))

    def waiting_parts(self, queue: int = QUEUE) -> list[int]:
        return [part.id for part in self.heads(queue)]

    def events_after(self, seq: int) -> list[tuple[str, tuple[int, ...]]]:
        return [(str(batch.status), batch.parts) for batch in self.engine.events(seq, 1_000)]

    def last_event(self) -> int:
        return max((batch.seq for batch in self.engine.events(0, 100_000)), default=0)
