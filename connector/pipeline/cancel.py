"""What a caller takes back: parts that wait, at once and on disk; parts a carrier has, if it gives them back."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import attrs
import trio

from connector.carrier.carrier import Carrier
from connector.carrier.recall import Recall
from connector.errors import StoreError
from connector.lifecycle import CAME_TO_NOTHING, FINAL, Event, Status
from connector.model import MessageView, Move, Moved, Reason, TimelineEntry, part_id
from connector.pipeline.queries import Queries
from connector.pipeline.routing import Routing
from connector.store.store import Store

TAKEN_BACK: Final = "ESME_ROK"
"""The only answer to cancel_sm by which a part is cancelled."""
MOST_ASKING: Final = 8
"""Callers who wait for one carrier at a time: one that never answers may not fill the door with them."""


class NotAsked(StrEnum):
    """Why a carrier was not asked to give a part back.  Users read these words: they never change."""

    NOT_OFFERED = "not_offered"
    """The carrier's dialect does not say that it knows cancel_sm, or the carrier is not in the configuration now."""
    NO_ID = "no_id"
    """The carrier gave it no message_id, and without one cancel_sm means everything to this number."""
    SENT_AGAIN = "sent_again"
    """It was sent again in doubt: one carrier's word about one of them does not stop the other."""
    BUSY = "busy"
    """So many callers wait for this carrier already that this one was not let in: ask again."""


@attrs.frozen
class Heard:
    """What came of the wish to have a part back that had been sent."""

    part: int
    carrier: str
    said: str
    """Name of the carrier's command_status; one of `NotAsked`; or no_bind, our_encoding, no_answer, link_lost."""


@attrs.frozen
class Cancellation:
    """How a message stands after its caller took it back."""

    view: MessageView
    heard: tuple[Heard, ...] = ()
    """One for each part that was `sent` when it was asked."""

    @property
    def cancelled(self) -> int:
        """Parts that are cancelled, now or before."""
        return self.view.part_statuses.count(Status.CANCELLED)

    @property
    def recalled(self) -> int:
        """Of these, parts that their carrier gave back."""
        return sum(entry.event == Event.RECALLED for entry in self.view.timeline)

    @property
    def already_out(self) -> int:
        """Parts that had left and are not cancelled, whatever has become of them."""
        left = {entry.part for entry in self.view.timeline if entry.event == Event.CLAIMED}
        return sum(part in left and status is not Status.CANCELLED for part, status in _parts(self.view))

    @property
    def done(self) -> bool:
        """Whether anything of it was taken back; that the carrier deleted it, a receipt may have told first."""
        failed = {part for part, status in _parts(self.view) if status is Status.FAILED}
        return bool(self.cancelled) or any(heard.said == TAKEN_BACK and heard.part in failed for heard in self.heard)


class Canceller:
    """Takes messages back, each for one caller at a time."""

    def __init__(
        self,
        store: Store,
        routing: Routing,
        carriers: Mapping[str, Carrier],
        clock: Callable[[], float],
        count: Callable[[Iterable[Moved]], None],
    ) -> None:
        """``count`` is told where parts came to."""
        self._store = store
        self._queries = Queries(store)
        self._lanes = routing.lanes
        self._carriers = carriers
        self._settings = routing.every_lane
        self._clock = clock
        self._count = count
        self._busy: dict[int, trio.Event] = {}
        """Messages that somebody is taking back, with the end of it."""
        self._asking: Counter[str] = Counter()
        """Callers who wait for carriers, by carrier."""

    async def cancel(self, message_id: int, *, api_key: str | None = None) -> Cancellation | None:
        """Take back what can be of a message; None if there is none, or it is another API key's.

        Parts that wait are cancelled on disk on return: who commits first, this or a claim, has them.  Parts that were
        sent are asked for where the carrier's dialect says so, which takes its response timer and a few seconds at
        most.  Asking again is harmless: what was cancelled before is told again.  Raises StoreError where the store
        could not do it.  If the caller is cancelled, what carriers
        say later is not heard: those parts stay `sent`.
        """
        while (busy := self._busy.get(message_id)) is not None:
            await busy.wait()
        over = self._busy[message_id] = trio.Event()
        try:
            return await self._cancel(message_id, api_key)
        finally:
            del self._busy[message_id]
            over.set()

    def _holds(self, view: MessageView) -> list[Move]:
        """Return the moves by which what is in doubt is not sent again, where its lane would."""
        lane, now = self._settings[view.lane], self._clock()
        if lane.on_doubt == "hold":
            return []
        until = max(now + lane.patience_s, view.deadline)
        doubtful = [part for part, status in _parts(view) if status is Status.IN_DOUBT]
        return [Move(part, Event.HELD, Reason.CANCELLED_BY_CALLER, until) for part in doubtful]

    async def _cancel(self, message_id: int, api_key: str | None) -> Cancellation | None:
        view = await self._queries.message(message_id, api_key=api_key)
        if view is None:
            return None
        moves = [
            Move(part, Event.CANCELLED, Reason.CANCELLED_BY_CALLER)
            for part, status in _parts(view)
            if status not in FINAL
        ]
        if not moves:
            return Cancellation(view)
        await self._move([*moves, *self._holds(view)])  # of those that have left, nothing moves
        view = await self._present(message_id)
        heard = await self._recall(view)
        return Cancellation(await self._present(message_id) if heard else view, heard)

    async def _present(self, message_id: int) -> MessageView:
        view = await self._queries.message(message_id)
        assert view is not None  # messages are never forgotten while somebody asks for them
        return view

    async def _move(self, moves: Sequence[Move]) -> None:
        moved = await self._store.change(moves, now=self._clock())
        self._lanes.left(moved)
        self._count(moved)

    # --- what carriers have ---

    async def _recall(self, view: MessageView) -> tuple[Heard, ...]:
        heard, recalls = self._sort(view)
        if recalls:
            self._asking.update(recalls.keys())
            try:
                await self._ask(recalls)
            finally:
                self._asking.subtract(recalls.keys())
        told = [Heard(recall.part, name, recall.said) for name, some in recalls.items() for recall in some]
        return tuple(sorted((*heard, *told), key=lambda each: each.part))

    def _sort(self, view: MessageView) -> tuple[list[Heard], dict[str, list[Recall]]]:
        """Return what is known of the parts that were sent without asking, and what to ask, by carrier."""
        heard: list[Heard] = []
        recalls: dict[str, list[Recall]] = {}
        for part, status in _parts(view):
            if status is not Status.SENT:
                continue
            copy = newest_copy(entry for entry in view.timeline if entry.part == part)
            name = copy.carrier or ""
            why = self._not_asked(copy, name, view, part)
            if why is None:
                recalls.setdefault(name, []).append(Recall(part, copy.detail or "", view.sender, view.to))
            else:
                heard.append(Heard(part, name, why))
        return heard, recalls

    def _not_asked(self, copy: TimelineEntry, carrier: str, view: MessageView, part: int) -> NotAsked | None:
        held = self._carriers.get(carrier)
        if held is None or not held.gives_back:
            return NotAsked.NOT_OFFERED
        if not copy.detail:
            return NotAsked.NO_ID
        if copies(entry for entry in view.timeline if entry.part == part) > 1:
            return NotAsked.SENT_AGAIN
        return NotAsked.BUSY if self._asking[carrier] >= MOST_ASKING else None

    async def _ask(self, recalls: Mapping[str, Sequence[Recall]]) -> None:
        """Ask all carriers at once, and commit what each gives back as soon as it has.

        Raises the first StoreError, when all have answered: what one gave back is not undone by another's commit.
        """
        failed: list[StoreError] = []
        async with trio.open_nursery() as nursery:
            for name, some in recalls.items():
                nursery.start_soon(self._ask_one, self._carriers[name], some, failed)
        if failed:
            raise failed[0]

    async def _ask_one(self, carrier: Carrier, recalls: Sequence[Recall], failed: list[StoreError]) -> None:
        await carrier.ask_back(recalls)
        given = [recall for recall in recalls if recall.said == TAKEN_BACK]
        try:
            if given:
                await self._move([Move(recall.part, Event.RECALLED, Reason.RECALLED_BY_CARRIER) for recall in given])
        except StoreError as error:
            failed.append(error)


def _parts(view: MessageView) -> list[tuple[int, Status]]:
    """Return the parts of a message with their statuses."""
    first = 1 if view.parts > 1 else 0
    return [(part_id(view.id, number), status) for number, status in enumerate(view.part_statuses, first)]


def newest_copy(timeline: Iterable[TimelineEntry]) -> TimelineEntry:
    """Return the newest entry by which a carrier took a part that is `sent`."""
    return max((entry for entry in timeline if entry.event == Event.ACKNOWLEDGED), key=lambda entry: entry.attempt)


def copies(timeline: Iterable[TimelineEntry]) -> int:
    """Return how many attempts of a part a carrier has or may have: taken, or lost and never answered."""
    said: dict[int, Counter[str]] = {}
    for entry in timeline:
        said.setdefault(entry.attempt, Counter())[entry.event] += 1
    return sum(
        bool(events[Event.ACKNOWLEDGED] or (events[Event.LOST] and not events.keys() & CAME_TO_NOTHING))
        for events in said.values()
    )
