"""What holds in every world: the invariants by number, how often each had something to judge, and what broke them."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import attrs

INVARIANTS: Final[Mapping[int, str]] = {
    0: "nothing falls that nobody felled",
    1: "what was accepted is in the store, whatever died",
    2: "one reference is one message, with one id",
    3: "every message comes to one final status, in time",
    4: "statuses move along the table, and every move is written down",
    5: "no part is sent again but for a doubt that is on disk before",
    6: "a lane that holds sends nothing in doubt again",
    7: "all parts of a message are with one carrier, under one reference",
    8: "nothing is written to a carrier before its claim is on disk",
    9: "a receipt moves only the message it is about",
    10: "a receipt that is known to us is on its message, or kept and counted",
    11: "nothing that a carrier was told we have is lost",
    12: "a final word stays",
    14: "nothing leaves after its deadline, and the carrier is told what remains",
    15: "nothing leaves in quiet hours",
    16: "nothing leaves before its time",
    17: "no second sees more than the carrier's rate, or the lane's",
    18: "no more in flight than the window, no sequence number twice",
    21: "no more links than binds",
    22: "memory is bounded",
    24: "no number, no text and no password in the log",
    25: "an orderly stop is in time, and leaves nothing unsaid",
    26: "when faults end, binds are up and messages leave",
    27: "the books balance at every look",
    57: "what a subscriber wrote in parts is told as it was written",
    67: "operators are obeyed: a suspended carrier sends nothing, a reload takes nothing that needs a restart",
    70: "no more attempts that count, and no more broken binds, than the lane allows",
    71: "nothing is sent of what was taken back",
}
"""Number in the list of invariants (from 29 on: of the fault it answers), and what it says."""

ELSEWHERE: Final[Mapping[int, str]] = {
    13: "opt-outs are not built yet",
    19: "perf.lanes measures it",
    20: "tests/pipeline/test_lane_shares.py",
    23: "callbacks are not built yet",
    28: "tests/store/migrator.py, with real processes",
}
"""Invariants that no world judges, and who does."""
MOST_KEPT: Final = 20


@attrs.frozen
class Violation:
    """Something that must not happen."""

    invariant: int
    at_s: float
    text: str
    message: int | None = None

    def __str__(self) -> str:
        return f"I{self.invariant} ({INVARIANTS[self.invariant]}) at {self.at_s:.3f} s: {self.text}"


@attrs.define
class Judge:
    """Counts what was looked at, and keeps what was wrong."""

    clock: Callable[[], float]
    looked: Counter[int] = attrs.field(factory=Counter)
    violations: list[Violation] = attrs.field(factory=list)

    def holds(self, invariant: int, fine: object, text: str, message: int | None = None) -> None:
        """Look once."""
        self.looked[invariant] += 1
        if not fine:
            self.broke(invariant, text, message)

    def broke(self, invariant: int, text: str, message: int | None = None) -> None:
        if len(self.violations) < MOST_KEPT:
            self.violations.append(Violation(invariant, self.clock(), text, message))
