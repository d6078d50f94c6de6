"""What happens to links by the clock: the timeline, what is injected, faults of the wire.

Whoever runs tells it the time, as often as it likes; what is due by then happens once, on all links in their order.
"""

import logging
import math
from typing import Final

import attrs
import trio

from simulator.carrier import Carrier, Occasion
from simulator.inject import Injections
from simulator.link.peer import Peer
from simulator.link.wire import WireStream
from simulator.scenario import Scenario, TimelineEntry
from simulator.scenario.changes import changed
from simulator.timeline import Moment, Timeline

log = logging.getLogger("carrierline.simulator")

JUST_S: Final = 1e-6
"""A sum of times falls short of what was meant by less than this."""
OUTAGE: Final = "outage"
_REFUSING: Final = ("unbind-then-refuse", "refuse-bind")


@attrs.frozen(eq=False)
class Linked:
    """A link, and its stream where rules of the wire shape it."""

    peer: Peer
    wire: WireStream | None


class Director:
    """Plays what a scenario has by the clock on the links of a carrier."""

    def __init__(self, carrier: Carrier) -> None:
        self.links: dict[int, Linked] = {}
        """By number."""
        self._carrier = carrier
        self._scenario = carrier.scenario
        self._timeline = Timeline(self._scenario.timeline)
        self._injections = Injections(self._scenario.inject, carrier)
        self._changed = trio.lowlevel.ParkingLot()
        self._started = False
        """Whether time has begun to count."""
        carrier.on_occasion = self._happened

    @property
    def has_work(self) -> bool:
        """Whether the scenario has anything that happens by the clock."""
        scenario = self._scenario
        return bool(scenario.timeline or scenario.inject or scenario.wire)

    @property
    def cuts_links(self) -> bool:
        """Whether no new link comes up, as in an outage."""
        return any(entry.mode == "drop" for entry in self._outages())

    @property
    def now_s(self) -> float:
        """Time since the start of the carrier; 0 before it."""
        return self._carrier.since_start(trio.current_time()) if self._started else 0.0

    def change(self, scenario: Scenario, since_s: float | None = None) -> None:
        """Play another scenario from now on; of a timeline that is new, what lies behind has been, without effect.

        An outage that has begun and lasts is none of that: it begins now.  ``since_s``, in time since the start of the
        carrier, is from when on nothing lies behind.  Rules of the wire count for links still to come.
        """
        before, self._scenario = self._scenario, scenario
        now = self._time_of(self.now_s if since_s is None else since_s) if self._started else 0.0
        just_s = JUST_S if since_s is None else -JUST_S
        behind_s = self._carrier.since_start(now) + just_s if self._started else -math.inf
        lasting: list[Moment] = []
        if scenario.timeline != before.timeline:
            old, self._timeline = self._outages(), Timeline(scenario.timeline)
            passed = self._timeline.advance(behind_s)
            lasting = [it for it in passed if it.begins and it.entry in self._outages() and it.entry not in old]
        if scenario.inject != before.inject:
            self._injections = Injections(scenario.inject, self._carrier)
            self._injections.advance((), behind_s, now)
        self._apply(now)
        for moment in lasting:
            self._begin(moment, now)
        self._changed.unpark_all()

    # --- links

    def joined(self, peer: Peer, wire: WireStream | None, now: float) -> None:
        """Take a new link into account."""
        self.links[peer.number] = Linked(peer, wire)
        for entry in self._outages():
            if entry.mode == "blackhole":
                self._silence(peer, entry, now)
        self._carrier.happened(peer.number, "connect")

    def left(self, number: int) -> None:
        """Forget a link that has ended."""
        self.links.pop(number, None)

    def _happened(self, number: int, occasion: Occasion) -> None:
        linked, now = self.links.get(number), trio.current_time()
        if linked is not None:
            self._injections.happened(occasion, linked.peer, self._carrier.since_start(now), now)

    # --- time

    def advance(self, now: float) -> None:
        """Let all happen that is due by now."""
        self._started = True
        now_s = self._carrier.since_start(now) + JUST_S
        moments = self._timeline.advance(now_s)
        if moments:
            self._apply(now)
        for moment in moments:
            log.info("%s %s", moment.name, "begins" if moment.begins else "ends")
            if moment.begins:
                self._begin(moment, now)
        self._injections.advance([linked.peer for linked in self.links.values()], now_s, now)
        for linked in list(self.links.values()):
            if linked.wire is not None:
                linked.wire.strike(now_s)

    def _next_at(self, now: float) -> float:
        now_s = self._carrier.since_start(now) + JUST_S
        wires = [linked.wire.next_at_s(now_s) for linked in self.links.values() if linked.wire is not None]
        next_at_s = min([self._timeline.next_at_s, self._injections.next_at_s, *wires])
        return self._time_of(next_at_s)

    def _time_of(self, at_s: float) -> float:
        """Return the time by the clock of a time since the start."""
        return at_s - self._carrier.since_start(0.0)

    async def attend(self) -> None:
        """Let everything happen in its time, until cancelled; one who attends is enough, more do no harm."""
        while True:
            now = trio.current_time()
            self.advance(now)
            with trio.move_on_at(self._next_at(now)):
                await self._changed.park()

    # --- the timeline

    def _apply(self, now: float) -> None:
        """Have the carrier and its links be as the entries say that hold now."""
        active = [entry for entry in self._timeline.active if entry.set]
        wanted = changed(self._scenario, active)
        if wanted != self._carrier.scenario:
            self._carrier.change(wanted, now)
            for linked in self.links.values():
                linked.peer.heed_change()
        self._carrier.closed_to_binds = any(entry.mode in _REFUSING for entry in self._outages())

    def _outages(self) -> list[TimelineEntry]:
        return [entry for entry in self._timeline.active if entry.do == OUTAGE]

    def _begin(self, moment: Moment, now: float) -> None:
        entry = moment.entry
        kind = entry.mode if entry.do == OUTAGE else entry.do
        for linked in list(self.links.values()):
            peer = linked.peer
            if kind == "drop":
                self._carrier.remark(peer.number, moment.name)
                peer.stop("dropped" if entry.do == "drop" else OUTAGE)
            elif kind == "blackhole":
                self._silence(peer, entry, now)
            elif kind in ("unbind", "unbind-then-refuse") and peer.account is not None:
                self._carrier.remark(peer.number, moment.name)
                peer.ask_to_unbind(now)

    def _silence(self, peer: Peer, entry: TimelineEntry, now: float) -> None:
        peer.gate.close_until(now - self._carrier.since_start(now) + entry.ends_at_s)
