"""Whether every part stands where its own history and the event log have left it.

The rows say where a part stands; its history says what happened to it, and the table of moves where that leads; the
event log says where it was last seen.  Three witnesses of one fact, written in one transaction: they must agree.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

import attrs

from connector.lifecycle import Event, Status, move
from connector.model import Reason, format_id
from connector.store.rules import after_answer

WINDOW_PARTS: Final = 1_000_000
"""Parts compared with the event log at once: 9 octets each are held.  Of more parts the log is read once a window."""
MOST_NAMED: Final = 20
"""Problems told in full."""

_ORDER: Final = tuple(Status)
_CODES: Final = {str(status): code for code, status in enumerate(_ORDER)}
_UNSEEN: Final = len(_ORDER)

_EVENTS: Final = {str(event): event for event in Event}
_BEGINNINGS: Final = {str(status): status for status in (Status.SCHEDULED, Status.ACCEPTED)}
_OF_AN_ATTEMPT: Final = frozenset(
    {
        Event.ACKNOWLEDGED,
        Event.DEFERRED,
        Event.REROUTED,
        Event.NOT_WRITTEN,
        Event.REFUSED,
        Event.EXHAUSTED,
        Event.LOST,
    }
)
"""What a line with a carrier's name says of one attempt."""


@attrs.frozen
class Standing:
    """One part as its row has it."""

    part: int
    status: str
    attempt: int
    doubts: int
    fence: int
    history: str


@attrs.define
class Replay:
    """A part's life told again from its history."""

    status: Status
    attempt: int = 0
    doubts: int = 0
    lost: int = 0
    """The attempt that was lost last, until its answer comes after all; 0 for none."""
    sending: tuple[int, int] | None = None
    """Doubts and lost attempt before an answer ended `sending`, until we do something: if the claim was of an earlier
    life than the answer, that was only written down, and what came behind it too."""

    def happen(self, event: Event, attempt: int, *, by_carrier: bool, restarted: bool = False) -> None:
        """Let this happen.  What the table does not allow was only written down, and moves nothing."""
        if restarted and self.sending is not None:
            self.status, (self.doubts, self.lost) = Status.SENDING, self.sending
        if by_carrier and event in _OF_AN_ATTEMPT:
            self._answer(event, attempt)
            return
        new = move(self.status, event, doubts=self.doubts)
        if new is not None:
            self.status = new
            if event is Event.CLAIMED:
                self.attempt = attempt
            if event is Event.CLAIMED or not by_carrier:
                self.sending = None

    def _answer(self, event: Event, attempt: int) -> None:
        if attempt != self.attempt:
            return
        new, doubts = after_answer(self.status, event, doubts=self.doubts, was_lost=self.lost == attempt)
        if new is not None:
            if self.status is Status.SENDING:
                self.sending = self.doubts, self.lost
            self.status, self.doubts = new, doubts
            self.lost = attempt if event is Event.LOST else 0


def replayed(history: str) -> Replay | None:
    """Return where a history leads by the table of moves; None for one without a beginning."""
    first, *rest = history.split("\n")[:-1] or [""]
    status = _BEGINNINGS.get(first.split("|", 2)[1]) if "|" in first else None
    if status is None:
        return None
    replay = Replay(status)
    for line in rest:
        _, name, carrier, attempt, detail = line.split("|", 4)
        event = _EVENTS.get(name)
        if event is not None:
            restarted = event is Event.LOST and detail == Reason.RESTARTED
            replay.happen(event, int(attempt), by_carrier=bool(carrier), restarted=restarted)
    return replay


def strays(
    standings: Iterable[Standing],
    events: Callable[[], Iterable[tuple[str, Sequence[int]]]],
    *,
    whole_log: bool,
    fence: int,
) -> Iterator[str]:
    """Return a line for each part that is not where its history or the event log has left it.

    ``standings``: all parts, by id.  ``events``: opens the event log anew, (status, parts) a row.  ``whole_log``: the
    log still has its first row, so that no part may be missing in it.  ``fence``: of the present life.
    """
    remaining = iter(standings)
    while True:
        ids, codes = array("q"), bytearray()
        for standing in islice(remaining, WINDOW_PARTS):
            ids.append(standing.part)
            codes.append(_CODES.get(standing.status, _UNSEEN))
            yield from _against_history(standing, fence)
        if not ids:
            return
        yield from _against_log(ids, codes, events(), whole_log=whole_log)


def _against_history(standing: Standing, fence: int) -> Iterator[str]:
    replay = replayed(standing.history)
    if replay is None:
        yield f"{named(standing.part)}: status {standing.status}, its history does not say how it began"
    elif standing.status == Status.SENDING and standing.fence < fence and replay.sending is not None:
        return  # to be recovered: what has been said since of that attempt was only written down
    elif replay.status != standing.status:
        yield f"{named(standing.part)}: status {standing.status}, its history gives {replay.status}"
    elif replay.attempt != standing.attempt:
        yield f"{named(standing.part)}: attempt {standing.attempt}, its history has {replay.attempt}"
    elif replay.doubts != standing.doubts:
        # attempts submitted = answered + in flight + in doubt, for each part
        yield f"{named(standing.part)}: doubts {standing.doubts}, its history has {replay.doubts}"


def _against_log(
    ids: "array[int]", codes: bytearray, events: Iterable[tuple[str, Sequence[int]]], *, whole_log: bool
) -> Iterator[str]:
    last = bytearray([_UNSEEN]) * len(ids)
    low, high = ids[0], ids[-1]
    for status, parts in events:
        code = _CODES.get(status, _UNSEEN)
        for part in parts:
            if low <= part <= high:
                at = bisect_left(ids, part)
                if ids[at] == part:
                    last[at] = code
    if last == codes:
        return
    for part, code, seen in zip(ids, codes, last, strict=True):
        if seen == _UNSEEN:
            if whole_log:
                yield f"{named(part)}: the event log does not have it"
        elif seen != code:
            yield f"{named(part)}: status {_word(code)}, the event log ends with {_word(seen)}"


def _word(code: int) -> str:
    return str(_ORDER[code]) if code < _UNSEEN else "none that we know"


def named(part: int) -> str:
    """Return a part's name for people: its message's id, and its number where it is one of several."""
    number = part & 0xFF
    return f"message {format_id(part >> 8)}" + (f", part {number}" if number else "")


def first_few(problems: Iterable[str]) -> list[str]:
    """Return the first problems in full, and how many more there are."""
    remaining = iter(problems)
    few = list(islice(remaining, MOST_NAMED))
    more = sum(1 for _ in remaining)
    return [*few, f"and {more} more of this kind"] if more else few
