"""What of a load is to be sent now: messages whose time has come, and those that have to be sent again."""

import math
from collections import deque
from typing import Final

from simulator.calendar import Calendar, on_tick
from simulator.load.arrivals import arrivals, length_s, most_messages
from simulator.load.messages import Message, Messages, Part
from simulator.scenario import Load

MOST_WAITING: Final = 10_000
"""Parts that wait to be sent again, above which no new message is begun."""
BEHIND_S: Final = 0.05
"""A closed load that is so late had to wait for a place: from then on all its plan is later."""


class Supply:
    """Gives out parts; time is an argument.  ``started_at`` is when the load began."""

    def __init__(self, load: Load, seed: int, started_at: float) -> None:
        self._messages = Messages(load, seed)
        self._started_at = started_at
        self._closed = load.model == "closed"
        self._staged = bool(load.stages)
        self._ends_at = started_at + length_s(load.stages) if load.stages else math.inf
        self._times = arrivals(load, seed)
        self._counting = arrivals(load, seed)
        self._counted = 0
        self._counted_next = next(self._counting, math.inf)
        self._ready: deque[Part] = deque()
        self._again: Calendar[Part] = Calendar()
        self.most = most_messages(load)
        self.begun = 0
        """Messages given out in part at least."""
        self._next_at = self._due_at = -math.inf
        self._move_on()

    def _move_on(self) -> None:
        at = next(self._times, None) if self.begun < self.most else None
        self._plan(math.inf if at is None else self._started_at + at)

    def _plan(self, at: float) -> None:
        """Note when the next message is planned; it is due on the tick, together with its neighbours."""
        self._next_at = at
        self._due_at = at if at == math.inf else on_tick(at)

    @property
    def is_exhausted(self) -> bool:
        """Whether no message is left to begin."""
        return self._due_at == math.inf

    @property
    def next_at(self) -> float:
        """When something is due next; infinity when nothing is."""
        if self._ready:
            return -math.inf
        begins_at = self._due_at if len(self._again) < MOST_WAITING else math.inf
        return min(self._again.next_at, begins_at)

    def planned(self, now: float) -> int:
        """Return how many messages were to be sent by now."""
        if self._closed:
            return self.begun
        while self._counted < self.most and self._started_at + self._counted_next <= now:
            self._counted += 1
            self._counted_next = next(self._counting, math.inf)
        return self._counted

    def take(self, room: int, now: float) -> list[Part]:
        """Return up to so many parts that are due."""
        ready = self._ready
        ready.extend(self._again.take_due(now))
        while len(ready) < room and len(self._again) < MOST_WAITING and (message := self._begun(now)) is not None:
            ready.extend(self._messages.parts(message))
        batch: list[Part] = []
        while ready and len(batch) < room:
            part = ready.popleft()
            if not (part.is_answered or part.message.is_over):
                batch.append(part)
        return batch

    def begin(self, room: int, now: float) -> list[Message]:
        """Return up to so many messages that are due, for a door that takes them whole."""
        messages: list[Message] = []
        while len(messages) < room and (message := self._begun(now)) is not None:
            messages.append(message)
        return messages

    def _begun(self, now: float) -> Message | None:
        """Return the next message if it is due."""
        if self._due_at > now:
            return None
        if self._closed and now >= self._ends_at:
            self.stop()
            return None
        planned_at = self._next_at
        if self._closed:
            self._started_at += now - planned_at if self._staged and now - planned_at > BEHIND_S else 0.0
            planned_at = now
        self.begun += 1
        self._move_on()
        return Message(self.begun, planned_at)

    def put_back(self, part: Part, at: float) -> None:
        """Have a part sent again, not before this time."""
        self._again.put(on_tick(at), part)

    def stop(self) -> None:
        """Begin no message any more."""
        self._plan(math.inf)
