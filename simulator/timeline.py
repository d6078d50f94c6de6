"""What begins and ends by the clock.  No I/O, and no time of its own."""

import math
from collections.abc import Sequence

import attrs

from simulator.scenario import TimelineEntry
from simulator.scenario.names import name_of


@attrs.frozen
class Moment:
    """An entry of the timeline begins or ends."""

    at_s: float
    """Since the start of the simulator."""
    begins: bool
    place: int
    """Of the entry in the file, from 0."""
    entry: TimelineEntry

    @property
    def name(self) -> str:
        """Name of the entry, or of its place."""
        return name_of(self.entry.name, "timeline", self.place)


class Timeline:
    """The entries of a timeline, as far as the clock has come.

    What ends and what begins at the same time do so in this order, and several entries in that of the file.
    """

    def __init__(self, entries: Sequence[TimelineEntry]) -> None:
        begins = [Moment(entry.at_s, True, place, entry) for place, entry in enumerate(entries)]
        ends = [Moment(moment.entry.ends_at_s, False, moment.place, moment.entry) for moment in begins]
        finite = [moment for moment in [*begins, *ends] if moment.at_s < math.inf]
        self._ahead = sorted(finite, key=lambda moment: (moment.at_s, moment.begins, moment.place))
        self.active: list[TimelineEntry] = []
        """Entries that have begun and not ended, in the order in which they began."""

    @property
    def next_at_s(self) -> float:
        """When something begins or ends next; infinity if nothing does any more."""
        return self._ahead[0].at_s if self._ahead else math.inf

    def advance(self, now_s: float) -> list[Moment]:
        """Return what has begun and ended by now, in order, and take it into account."""
        passed: list[Moment] = []
        while self._ahead and self._ahead[0].at_s <= now_s:
            moment = self._ahead.pop(0)
            passed.append(moment)
            if moment.begins:
                self.active.append(moment.entry)
            else:
                self.active = [entry for entry in self.active if entry is not moment.entry]
        return passed
