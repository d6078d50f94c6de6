"""What is in time, and what stays: pure judgments over timelines, and over what is seen of a world again and again."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import attrs

from connector.config.lane import QuietHours
from connector.lifecycle import FINAL, Event, Status
from connector.model import MessageView, TimelineEntry
from tests.simulation.judge import Judge

if TYPE_CHECKING:
    from tests.simulation.world import World

STAYS: Final[Mapping[Status, frozenset[Status]]] = {
    Status.DELIVERED: frozenset(),
    Status.FAILED: frozenset(),
    Status.EXPIRED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.UNKNOWN: frozenset({Status.DELIVERED, Status.FAILED, Status.EXPIRED, Status.REJECTED}),
}
"""Where a part may still go from a final status, as it is published; not read from the engine's own table."""
BEAT_S: Final = 1.0
SETTLED_S: Final = 6.0
"""A commit that has begun on a slow disk takes up to 5 s more when it is well."""
LATE_S: Final = 5.0
"""The engine looks four times a second at what is due; a handful of moves is a commit, which takes 0.3 s at most."""
PAUSE_S: Final = 10.0
"""The longest pause of a plan before another try."""
MILLISECONDS_S: Final = 0.002
"""Timelines are kept in milliseconds, cut."""
BESIDE_S: Final = 10.0
"""What is dated so shortly before the end of patience may have been committed after it."""
DAY_S: Final = 86_400.0
_PAUSES: Final = frozenset({Event.DEFERRED, Event.REROUTED})
_MAY_END_UNKNOWN: Final = frozenset({Event.SILENCE, Event.REFUSED, Event.EXHAUSTED})
_DEEDS: Final = frozenset({Event.CLAIMED, Event.ACKNOWLEDGED, Event.LOST, Event.HELD}) | _PAUSES


@attrs.define
class Beats:
    """The seconds in which a connector lived on a disk that was well: only these count as its delay."""

    _at: list[float] = attrs.field(factory=list)
    _last: float = 0.0
    _well_since: float | None = None

    def beat(self, now: float, *, well: bool) -> None:
        """Take note of a second; a longer one was none in which anybody could do anything."""
        if not well or now - self._last > 1.5 * BEAT_S:
            self._well_since = now if well else None
        elif self._well_since is None:
            self._well_since = now
        self._last = now
        if self._well_since is not None and now - self._well_since >= SETTLED_S:
            self._at.append(now)

    def between(self, start: float, end: float) -> float:
        """Return how many of them lie between two moments, in seconds."""
        return BEAT_S * max(0, bisect_right(self._at, end) - bisect_right(self._at, start))


@attrs.define
class Finals:
    """Remembers what final statuses were seen."""

    _seen: dict[int, Status] = attrs.field(factory=dict)
    _counts: Mapping[str, int] | None = None

    def has_news(self, counts: Mapping[str, int]) -> bool:
        """Say whether parts stand elsewhere than at the last look."""
        old, self._counts = self._counts, dict(counts)
        return old != self._counts

    def see(self, views: Iterable[MessageView], judge: Judge) -> None:
        """I12: a final status changes from unknown only."""
        for view in views:
            for number, status in enumerate(view.part_statuses, view.parts > 1):
                part = (view.id << 8) | number
                old = self._seen.get(part)
                if old is not None:
                    fine = status is old or status in STAYS[old]
                    judge.holds(12, fine, f"part {number} was {old} and is {status}", view.id)
                if status in FINAL:
                    self._seen[part] = status


def judge(world: "World", views: Sequence[MessageView]) -> None:
    """I3: nothing is given up before its time, nor much later."""
    for view in views:
        patience_s = world.plan.settings.lane[view.lane].patience_s
        for entry in view.timeline:
            if entry.event == Event.EXPIRED and entry.carrier is None:
                _expired(world, view, entry)
            elif entry.event == Event.SILENCE:
                _silent(world, view, entry, patience_s)
        if not world.wrong_by_s and view.finished_at is not None:
            _finished(world, view, view.finished_at, patience_s)


def _expired(world: "World", view: MessageView, entry: TimelineEntry) -> None:
    early_s = view.deadline - entry.at
    world.judge.holds(3, early_s <= MILLISECONDS_S, f"expired {early_s:.3f} s before its deadline", view.id)
    if world.wrong_by_s:
        return  # lives with other clocks disagree on what is late
    late_s = world.beats.between(max(view.deadline, _last_deed(view, entry)), entry.at)
    world.judge.holds(3, late_s <= LATE_S, f"expired {late_s:g} s after it could", view.id)


def _last_deed(view: MessageView, end: TimelineEntry) -> float:
    """Return when, before this, something was done about the message, with the pause behind it."""
    deeds = (it.at + (PAUSE_S if it.event in _PAUSES else 0.0) for it in view.timeline
             if it.at <= end.at and it.event in (_DEEDS | {Event.NOT_WRITTEN}))  # fmt: skip
    return max(deeds, default=0.0)


def _silent(world: "World", view: MessageView, entry: TimelineEntry, patience_s: float) -> None:
    if world.wrong_by_s:
        return  # times of several clocks stand in no order
    bases = _awaited_since(view, entry)
    old = [at for at in bases if at < entry.at - BESIDE_S] or [entry.at]
    early_s = old[0] + patience_s - entry.at  # what is noted late begins no new wait
    world.judge.holds(3, early_s <= MILLISECONDS_S, f"given up {early_s:.3f} s before its patience ends", view.id)
    newest = max(bases[-1] if bases else entry.at, view.deadline if _is_held(view, entry) else 0.0)
    due_at = max(newest, _last_pause(view, entry)) + patience_s
    late_s = world.beats.between(due_at, entry.at)
    world.judge.holds(3, late_s <= LATE_S, f"given up {late_s:g} s after its patience has ended", view.id)


def _last_pause(view: MessageView, end: TimelineEntry) -> float:
    """Return when the part was last told "not now": in doubt and too late after its pause, it waits from then on."""
    told = (it.at for it in view.timeline if it.part == end.part and it.event in _PAUSES and it.at <= end.at)
    return max(told, default=0.0)


def _is_held(view: MessageView, end: TimelineEntry) -> bool:
    return any(it.event == Event.HELD and it.part == end.part for it in view.timeline)


def _awaited_since(view: MessageView, end: TimelineEntry) -> list[float]:
    """Return the moments from which on a carrier's word about the part was awaited anew."""
    newest, sent, bases = 0, False, list[float]()
    for it in view.timeline:
        if it.part != end.part or it.at > end.at:
            continue
        if it.event == Event.CLAIMED:
            newest, sent = max(newest, it.attempt), False
        elif it.event == Event.HELD or (it.event == Event.LOST and it.attempt == newest):
            bases.append(it.at)
        elif it.event == Event.ACKNOWLEDGED and it.attempt == newest and not sent:
            bases.append(it.at)
            sent = True
    return bases


def _finished(world: "World", view: MessageView, at: float, patience_s: float) -> None:
    """Judge the whole: from the last deed, or the deadline, the end is not farther than patience."""
    last = max((it.at for it in view.timeline if it.event in _DEEDS), default=0.0)
    late_s = world.beats.between(max(view.deadline, last) + patience_s + PAUSE_S, at)
    late_word = any(it.event in _MAY_END_UNKNOWN for it in view.timeline)  # then a receipt may come at any time
    world.judge.holds(3, late_word or late_s <= LATE_S, f"ended {late_s:g} s after it had to", view.id)


def quiet_for_s(now: float, ahead_s: float, hours: QuietHours | None) -> float:
    """Return how long to wait until what is sent has so many seconds outside of quiet hours (of the UTC day)."""
    if hours is None:
        return 0.0
    start_s, end_s = (60.0 * (int(text[:2]) * 60 + int(text[3:])) for text in (hours.start, hours.end))
    quiet_s = (end_s - start_s) % DAY_S
    since_s = (now + ahead_s - start_s) % DAY_S
    return quiet_s + ahead_s - since_s + 1.0 if since_s < quiet_s + ahead_s else 0.0
