"""What the scenario does below the PDU: which links are held back now, and by which fault."""

import math
from collections.abc import Callable
from typing import Final, Protocol

import attrs

from simulator.judge.excuses import HEARD_WITHIN_S, Gate
from simulator.scenario import Scenario, WireRule
from simulator.scenario.names import faults_by_name, name_of

BLACKHOLE: Final = "blackhole"
OUTAGE: Final = "outage"


class Held(Protocol):
    """The carrier's end of a link, as far as octets may be held back on it."""

    @property
    def gate(self) -> Gate:
        """Which is closed in a black hole."""

    @property
    def place(self) -> int:
        """Among the binds, from 1; 0 before it is bound."""

    @property
    def who(self) -> str:
        """system_id of who is bound, or of who asks to bind."""


@attrs.frozen
class Slow:
    """Octets that an ESME had sent, and that are read only now."""

    since_s: float
    """They may have waited from then on, in seconds since the start of the simulator."""
    by: str


class Ways:
    """How octets move, or do not, as a scenario has it; ``peer_of`` returns the carrier's end of a link that is up."""

    def __init__(self, scenario: Scenario, peer_of: Callable[[int], Held | None]) -> None:
        self.peer_of = peer_of
        kinds = faults_by_name(scenario)
        self._wire = [(rule, name_of(rule.name, "wire", index)) for index, rule in enumerate(scenario.wire)]
        self._reads = [(rule, name) for rule, name in self._wire if rule.read is not None]
        self._outages = [
            (entry, name_of(entry.name, "timeline", index))
            for index, entry in enumerate(scenario.timeline)
            if entry.do == OUTAGE and entry.mode == BLACKHOLE
        ]
        self.holes = {name for name, kind in kinds.items() if kind == BLACKHOLE}
        """Names of black holes."""
        self.holders = self.holes | {name for rule, name in self._wire if rule.write is not None}
        """Names of what holds octets back that are to leave."""
        self.may_swallow = bool(self.holes or self._outages)
        self.reads_slowly = bool(self._reads)

    def gate_of(self, number: int) -> Gate | None:
        """Return the gate of a link that is up."""
        peer = self.peer_of(number)
        return None if peer is None else peer.gate

    def slow(self, number: int, now_s: float) -> Slow | None:
        """Return since when the octets of a link may have waited that come now, where they are read slowly."""
        peer = self.peer_of(number)
        for rule, name in self._reads:
            when = rule.when
            if when.starts_at_s <= now_s <= when.ends_at_s + HEARD_WITHIN_S and (peer is None or _is_of(rule, peer)):
                return Slow(when.starts_at_s, name)
        return None

    def hole(self, now_s: float) -> Slow:
        """Return the outage that is a black hole, or was one just now; without a name where there is none."""
        for entry, name in self._outages:
            if entry.at_s <= now_s <= entry.ends_at_s + HEARD_WITHIN_S:
                return Slow(entry.at_s, name)
        return Slow(-math.inf, "")


def _is_of(rule: WireRule, peer: Held) -> bool:
    when = rule.when
    return when.account in (None, peer.who) and when.bind in (None, peer.place)
