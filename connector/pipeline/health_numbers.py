"""What carriers have shown of late, as sliding tallies: answers, response times, receipts.  Time is an argument."""

from bisect import bisect
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import accumulate
from typing import Final

import attrs

from connector.lifecycle import Event
from connector.model import Reason

SLOTS: Final = 12
"""Steps in which a window slides: what is forgotten at once is a twelfth of it."""
MOST_KEYS: Final = 200
"""Different things that are counted in one slot: all classes of times, and still 20 words of the carrier, which may
invent command_status numbers."""
SHORTEST_S: Final = 0.001
STEPS_PER_OCTAVE: Final = 8
"""A time is known to within 9 %, and its place between two bounds is estimated."""
BOUNDS_S: Final = tuple(SHORTEST_S * 2 ** (step / STEPS_PER_OCTAVE) for step in range(21 * STEPS_PER_OCTAVE))
"""Upper bounds of the classes that times are counted in: from a millisecond to half an hour."""
SMOOTHING: Final = 0.1
"""Of a look: half of a change is seen after seven of them."""
STEADY: Final = 1.25
"""Ratio by which a smoothed latency must leave the one told before another one is told."""


class Kind(StrEnum):
    """What one answer, or one receipt, says about the carrier."""

    TAKEN = "taken"
    FAILED = "failed"
    """Not taken because of the carrier: temporary, not through it, or the bind is at fault."""
    LOST = "lost"
    """Written and not answered."""
    THROTTLED = "throttled"
    REFUSED = "refused"
    """Not taken for what the message is."""
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    SILENT = "silent"
    """No final receipt in the time that it should be here by."""


_BY_REASON: Final[Mapping[str | None, Kind | None]] = {
    Reason.THROTTLED: Kind.THROTTLED,
    Reason.REFUSED_BY_CARRIER: Kind.REFUSED,
    Reason.SECOND_OPINION: Kind.REFUSED,
    Reason.OUR_ENCODING: None,
}
_BY_EVENT: Final[Mapping[Event, Kind | None]] = {
    Event.ACKNOWLEDGED: Kind.TAKEN,
    Event.DEFERRED: Kind.FAILED,
    Event.REROUTED: Kind.FAILED,
    Event.EXHAUSTED: Kind.FAILED,
}


def kind_of(event: Event, reason: str | None) -> Kind | None:
    """Return what an answer says about the carrier; None for what is our own doing: encoding, policy."""
    if event is Event.ACKNOWLEDGED:
        return Kind.TAKEN
    return _BY_REASON[reason] if reason in _BY_REASON else _BY_EVENT.get(event)


Tally = Counter[str | int]
"""How many of each `Kind`, of each word of the carrier (names of command_status), and of each class of times."""


class Window:
    """A tally of the last ``length_s`` seconds."""

    def __init__(self, length_s: float) -> None:
        self._slot_s = length_s / SLOTS
        self._slots: deque[tuple[int, Tally]] = deque()
        self.total: Tally = Counter()

    def add(self, kind: Kind, now: float, count: int = 1, detail: str | None = None) -> None:
        """Count ``count`` of a kind, with the carrier's word for it."""
        tally = self._tally(now)
        tally[kind] += count
        self.total[kind] += count
        if detail is not None and (detail in tally or len(tally) < MOST_KEYS):
            tally[detail] += count
            self.total[detail] += count

    def time(self, seconds: float, now: float) -> None:
        """Count a time that something took."""
        tally, index = self._tally(now), bisect(BOUNDS_S, seconds)
        tally[index] += 1
        self.total[index] += 1

    def expire(self, now: float) -> None:
        """Forget what is older than the window."""
        oldest = int(now / self._slot_s) - SLOTS
        while self._slots and self._slots[0][0] <= oldest:
            _, tally = self._slots.popleft()
            self.total.subtract(tally)
            self.total = +self.total  # without what came to nothing

    def clear(self) -> None:
        """Forget everything."""
        self._slots.clear()
        self.total.clear()

    def _tally(self, now: float) -> Tally:
        slot = int(now / self._slot_s)
        if not self._slots or self._slots[-1][0] < slot:
            self._slots.append((slot, Counter()))
        return self._slots[-1][1]


def together(tallies: Sequence[tuple[Tally, Tally]]) -> tuple[Tally, Tally]:
    """Return the sums of pairs of tallies."""
    if len(tallies) == 1:
        return tallies[0]
    firsts: Tally = Counter()
    seconds: Tally = Counter()
    for first, second in tallies:
        firsts.update(first)
        if second:
            seconds.update(second)
    return firsts, seconds


def median_s(tally: Tally) -> float | None:
    """Return the median of the times in a tally, in seconds, to within a few per cent; None where there are none."""
    slots = sorted(key for key in tally if type(key) is int)
    if not slots:
        return None
    sums = list(accumulate(tally[slot] for slot in slots))
    place = bisect(sums, sums[-1] / 2)
    index, before = slots[place], sums[place - 1] if place else 0
    low = BOUNDS_S[index - 1] if index else 0.0
    high = BOUNDS_S[min(index, len(BOUNDS_S) - 1)]
    return low + (high - low) * (sums[-1] / 2 - before) / tally[index]


@attrs.frozen(kw_only=True)
class Numbers:
    """What a carrier, or one of its countries, has shown: all that a judgement rests on."""

    taken: int = 0
    failed: int = 0
    lost: int = 0
    throttled: int = 0
    refused: int = 0
    response_p50_s: float | None = None
    """Median time to an acceptance."""
    silent_s: float = 0.0
    """How long requests have been in flight with nothing answered at all."""
    link_ends: int = 0
    """Links that ended and should not have."""
    delivered: int = 0
    undelivered: int = 0
    silent: int = 0
    """Parts without a final receipt in the time that it should be here by."""
    delivered_p50_s: float | None = None
    """Median time from acceptance to the receipt that says delivered."""
    probes_sent: int = 0
    """Parts that it is being probed with."""
    probe_waited_s: float = 0.0
    """How long ago the last of them was let go."""
    details: tuple[tuple[str, int], ...] = ()
    """The carrier's words for what it did not take, the most frequent first."""
    over_s: float = 0.0
    """How far back the answers go."""
    witness: str = ""
    """How it is known that there should be receipts, for people."""

    @property
    def answers(self) -> int:
        """Answers, and requests whose answer will not come."""
        return self.taken + self.failed + self.lost + self.throttled + self.refused

    @property
    def probes_out(self) -> int:
        """Probes that are not answered."""
        return max(0, self.probes_sent - self.answers)

    @property
    def failures(self) -> int:
        """Answers that blame the carrier, throttling apart, and answers that never came."""
        return self.failed + self.lost

    @property
    def finals(self) -> int:
        """Final receipts."""
        return self.delivered + self.undelivered

    @property
    def receipts(self) -> int:
        """Parts that are past their receipt, or past the time for it."""
        return self.finals + self.silent

    @property
    def bad_share(self) -> float:
        """Share of answers that are no acceptance, whatever the reason."""
        return share(self.answers - self.taken, self.answers)


def share(count: int, of: int) -> float:
    """Return a share; 0 of nothing."""
    return count / of if of else 0.0


def read(
    answers: Tally,
    receipts: Tally,
    *,
    over_s: float = 0.0,
    probes_sent: int = 0,
    probe_waited_s: float = 0.0,
    silent_s: float = 0.0,
    link_ends: int = 0,
) -> Numbers:
    """Return the numbers of a tally of answers and one of receipts, with what else is known."""
    of = answers.get
    return Numbers(
        taken=of(Kind.TAKEN, 0),
        failed=of(Kind.FAILED, 0),
        lost=of(Kind.LOST, 0),
        throttled=of(Kind.THROTTLED, 0),
        refused=of(Kind.REFUSED, 0),
        response_p50_s=median_s(answers),
        silent_s=silent_s,
        link_ends=link_ends,
        delivered=receipts.get(Kind.DELIVERED, 0),
        undelivered=receipts.get(Kind.UNDELIVERED, 0),
        silent=receipts.get(Kind.SILENT, 0),
        delivered_p50_s=median_s(receipts),
        probes_sent=probes_sent,
        probe_waited_s=probe_waited_s,
        details=_details(answers),
        over_s=over_s,
    )


def _details(answers: Tally) -> tuple[tuple[str, int], ...]:
    found = [(key, count) for key, count in answers.items() if type(key) is str]
    found.sort(key=lambda detail: (-detail[1], detail[0]))
    return tuple(found)


class Steady:
    """A measured time, smoothed, that is told anew only when it has clearly changed: an order by it does not flap."""

    def __init__(self) -> None:
        self._smoothed: float | None = None
        self.told: float | None = None
        """Seconds; None while nothing was measured."""

    def note(self, measured: float | None) -> None:
        """Take one measurement; None where there was nothing to measure."""
        if measured is None:
            return
        before = measured if self._smoothed is None else self._smoothed
        self._smoothed = smoothed = before + (measured - before) * SMOOTHING
        if self.told is None or not self.told / STEADY <= smoothed <= self.told * STEADY:
            self.told = smoothed
