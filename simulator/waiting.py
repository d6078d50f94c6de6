"""What a test can wait for, when that has come, and when it can come no more.  No I/O."""

from collections.abc import Callable, Mapping
from typing import Final

from connector.smpp import tables
from simulator.smsc import Smsc
from simulator.statistics import Statistics

SUBMITS: Final = "submits"
ACCEPTED: Final = tables.status_name(tables.ESME_ROK)


class CountingSmsc(Smsc):
    """A carrier of a test: it remembers its binds, and may be given what happens by the clock at any time."""

    @property
    def bound(self) -> int:
        """Binds ever let in: those that have gone count as well."""
        return self._carrier.chronicle.totals["bind.count"]

    @property
    def _is_attended(self) -> bool:
        return True  # a script may bring a timeline to links that came up without one

    def has(self, counts: Mapping[str, int], numbers: Statistics) -> bool:
        """Say whether there are as many of everything, and none of what is to be none."""
        return all(self._has(name, wanted, numbers) for name, wanted in counts.items())

    def _has(self, name: str, wanted: int, numbers: Statistics) -> bool:
        there = COUNTED[name](self, numbers)
        return there >= wanted if wanted else not there

    def missing(self, counts: Mapping[str, int], numbers: Statistics) -> str:
        """Say how many there are of what is waited for, and what was refused instead."""
        pairs = [(name, wanted, COUNTED[name](self, numbers)) for name, wanted in counts.items()]
        there = ", ".join(
            f"{there} of {wanted} {name}" if wanted else f"{there} {name} instead of none"
            for name, wanted, there in pairs
        )
        return there + (_refused(numbers) if SUBMITS in counts else "")

    def may_yet_have(self, counts: Mapping[str, int]) -> bool:
        """Say whether without anybody who could still come there may be as many: somebody is here, or is to go."""
        return self.open_links > 0 or not any(counts.values())


def _refused(numbers: Statistics) -> str:
    refused = {name: count for name, count in numbers.submits.items() if count and name != ACCEPTED}
    said = ", ".join(f"{count} with {name}" for name, count in refused.items())
    return f" ({sum(refused.values())} refused: {said})" if refused else ""


NOW: Final[dict[str, Callable[[CountingSmsc, Statistics], int]]] = {
    "binds": lambda _, numbers: numbers.binds,
    "open": lambda smsc, _: smsc.open_links,
}
"""Those of this moment; 0 is none left."""
COUNTED: Final[dict[str, Callable[[CountingSmsc, Statistics], int]]] = {
    "links": lambda _, numbers: numbers.links,
    **NOW,
    "bound": lambda smsc, _: smsc.bound,
    SUBMITS: lambda _, numbers: numbers.accepted,
    "refused": lambda _, numbers: sum(numbers.submits.values()) - numbers.accepted,
    "receipts": lambda _, numbers: numbers.receipts_acknowledged,
    "mo": lambda _, numbers: numbers.mo_acknowledged,
    "penalties": lambda _, numbers: numbers.penalties,
}
"""What `TestSmsc.wait` and `TestSmsc.wait_for` can wait for."""


def check(counts: Mapping[str, int]) -> None:
    """Raise TypeError or ValueError, one line, for what nobody can wait for."""
    __tracebackhide__ = True
    if not counts:
        others = ", ".join(name for name in COUNTED if name != SUBMITS)
        raise TypeError(f"say what to wait for: {SUBMITS}=1, or as many {others}")
    unknown = sorted(set(counts) - set(COUNTED))
    if unknown:
        raise TypeError(f"can wait for {', '.join(COUNTED)}, not for {', '.join(unknown)}")
    for name, wanted in counts.items():
        if type(wanted) is not int:
            raise TypeError(f"{name} is a whole number, not {wanted!r}")
        if wanted < (name not in NOW):
            raise ValueError(f"{name}={wanted} waits for nothing: {_instead(name)}")


def _instead(name: str) -> str:
    if name in NOW:
        return f"{name}=0 waits until none is left"
    return f"{name} only ever grows; {' and '.join(f'{each}=0' for each in NOW)} wait until none is left"
