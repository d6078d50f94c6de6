"""What was found of single messages: exact counts for ever, and the first of each kind as examples."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from simulator.judge.chronicle import Chronicle

SHOWN: Final = 100
"""Items of each kind that a verdict lists; the counts are exact."""
LOST, NOT_ACCEPTED, DOUBLED, UNANSWERED = "lost", "not accepted", "doubled", "unanswered"
KINDS: Final = (LOST, NOT_ACCEPTED, DOUBLED, UNANSWERED)
"""What may happen to a message, in the order in which a verdict lists it."""
UNNAMED: Final = "no fault"
"""What excuses where no fault did: the ESME itself had ended the link."""


@attrs.frozen(kw_only=True)
class Item:
    """One message that something happened to."""

    kind: str
    """One of `KINDS`."""
    id: str
    """The carrier's message_id; of one never accepted, which has none, its number in the load as in "#17"."""
    at_s: float | None = None
    """When it was accepted, in seconds since the start of the simulator."""
    of: str = ""
    """Of a double: message_id of the one before.  Of a long message of which a part is missing: which one."""
    excuse: str = ""
    """What explains it, in words; empty when nothing does."""
    fault: str = ""
    """Name of the fault that does; empty when there is none."""


class Findings:
    """Items by kind and second; of a week at most, as the chronicle keeps it."""

    def __init__(self) -> None:
        self._numbers = Chronicle()
        self._faults: set[str] = set()
        self._examples: dict[tuple[str, bool], list[Item]] = {(kind, it): [] for kind in KINDS for it in (False, True)}

    def add(self, item: Item) -> None:
        """Count one that is accepted, and keep it while there are few."""
        at_s, excused = item.at_s or 0.0, bool(item.excuse)
        self._numbers.count(_name(item.kind, excused), 1, at_s)
        if excused:
            fault = item.fault or UNNAMED
            self._faults.add(fault)
            self._numbers.count(_by(fault), 1, at_s)
        kept = self._examples[item.kind, excused]
        if len(kept) < SHOWN:
            kept.append(item)

    def count(self, kind: str, excused: bool, after_s: float, more: Iterable[Item]) -> int:
        """Return how many of a kind there are from a second on, with these that are not settled yet."""
        here = self._numbers.since(_name(kind, excused), after_s)
        return here + sum(item.kind == kind and bool(item.excuse) is excused for item in more)

    def by_fault(self, after_s: float, more: Iterable[Item]) -> dict[str, int]:
        """Return how many each fault excuses, the most first, those with as many by name."""
        counts = Counter({fault: self._numbers.since(_by(fault), after_s) for fault in self._faults})
        counts.update(item.fault or UNNAMED for item in more if item.excuse)
        order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return {fault: number for fault, number in order if number}

    def listed(self, after_s: float, more: Iterable[Item]) -> Iterator[Item]:
        """Return examples in the order of `KINDS`, those without excuse first, no more than `SHOWN` of each kind."""
        more = list(more)
        for kind in KINDS:
            of_kind = [
                item
                for excused in (False, True)
                for item in (*self._examples[kind, excused], *more)
                if item.kind == kind and bool(item.excuse) is excused and (item.at_s is None or item.at_s >= after_s)
            ]
            yield from of_kind[:SHOWN]

    def left_off(self, items: Iterable[Item], after_s: float, more: Iterable[Item]) -> dict[str, int]:
        """Return how many of each kind there are beyond these, where there are any."""
        more, listed = list(more), Counter(item.kind for item in items)
        there = {kind: sum(self.count(kind, it, after_s, more) for it in (False, True)) for kind in KINDS}
        return {kind: number - listed[kind] for kind, number in there.items() if number > listed[kind]}


def _name(kind: str, excused: bool) -> str:
    return f"{'excused ' if excused else ''}{kind}"


def _by(fault: str) -> str:
    return f"by {fault}"
