"""A carrier in seconds: parts go out as health lets them, answers and receipts come back as a behaviour has it."""

import heapq
import itertools
import random
from collections.abc import Callable

import attrs

from connector.config import HealthConfig
from connector.lifecycle import Event
from connector.model import Answer, Lost, Reason, Result
from connector.pipeline.health import Health, State, Switch


@attrs.frozen
class Fate:
    """What becomes of one part."""

    event: Event | None = Event.ACKNOWLEDGED
    """None: no answer ever."""
    reason: Reason | None = None
    after_s: float = 0.2
    receipt_s: float | None = 4.0
    delivered: bool = True


TAKEN = Fate()
SYSERR = Fate(Event.DEFERRED, Reason.TEMPORARY)
THROTTLED = Fate(Event.DEFERRED, Reason.THROTTLED)
INVALID = Fate(Event.REFUSED, Reason.REFUSED_BY_CARRIER)
ELSEWHERE = Fate(Event.REROUTED, Reason.OTHER_ROUTE)
SILENT = Fate(None)
SLOW = Fate(after_s=7.0)
NO_RECEIPT = Fate(receipt_s=None)
UNDELIVERED = Fate(delivered=False)

Behaviour = Callable[[str, float], Fate]
"""Of the country and the moment."""


def always(fate: Fate) -> Behaviour:
    return lambda _country, _now: fate


def mixed(share: float, bad: Fate, seed: int = 1) -> Behaviour:
    chance = random.Random(seed)
    return lambda _country, _now: bad if chance.random() < share else TAKEN


def until(end: float, bad: Behaviour) -> Behaviour:
    return lambda country, now: bad(country, now) if now < end else TAKEN


class World:
    """Carriers at a steady rate, one second at a time."""

    def __init__(self, behaviours: dict[str, Behaviour], *, rate: int = 10, config: HealthConfig | None = None) -> None:
        self.health = Health(config or HealthConfig())
        self.now = 0.0
        self.switches: list[Switch] = []
        self.answered_at = dict.fromkeys(behaviours, 0.0)
        self.countries = ["GB", "GB", "IE", "FR"]
        self._behaviours = behaviours
        self._rate = rate
        self._ids = itertools.count(1)
        self._coming: list[tuple[float, int, str, object]] = []
        self._flying: dict[str, set[int]] = {name: set() for name in behaviours}
        self._owed: dict[str, float] = dict.fromkeys(behaviours, 0.0)

    def run(self, seconds: float, each: Callable[["World"], None] | None = None) -> list[Switch]:
        """Let time pass, and return what switched in it."""
        before, end = len(self.switches), self.now + seconds
        while self.now < end:
            self.now += 1.0
            self._come_back()
            for name in self._behaviours:
                if self._flying[name]:
                    self.health.silent(name, self.now - self.answered_at[name], self.now)
                self._go_out(name)
            if each is not None:
                each(self)
            self.switches += self.health.look(self.now)
        return self.switches[before:]

    def _go_out(self, name: str) -> None:
        if not self._flying[name]:
            self.answered_at[name] = self.now
        for number in range(self._rate):
            country = self.countries[number % len(self.countries)]
            self._owed[name] += self.health.share(name, country)
            if self._owed[name] >= 1.0:
                self._owed[name] -= 1.0
            elif not self.health.probe(name, country, self.now):
                continue
            self._send(name, country)

    def _send(self, name: str, country: str) -> None:
        fate, part = self._behaviours[name](country, self.now), next(self._ids)
        self._flying[name].add(part)
        if fate.event is None:
            lost = Lost(part, 1, self.now + 60, name, Reason.NO_ANSWER, 0.0, country)
            heapq.heappush(self._coming, (self.now + 60, part, name, lost))
            return
        at = self.now + fate.after_s
        detail = None if fate.event is Event.ACKNOWLEDGED else "ESME_RSYSERR"
        answer = Answer(
            part, 1, fate.event, at, name, reason=fate.reason, detail=detail, country=country, response_s=fate.after_s
        )
        heapq.heappush(self._coming, (at, part, name, answer))
        if fate.event is Event.ACKNOWLEDGED and fate.receipt_s is not None:
            heapq.heappush(self._coming, (at + fate.receipt_s, part, name, fate.delivered))

    def _come_back(self) -> None:
        results: list[Result] = []
        while self._coming and self._coming[0][0] <= self.now:
            at, part, name, what = heapq.heappop(self._coming)
            if isinstance(what, bool):
                self.health.final(part, what, at)
                continue
            self._flying[name].discard(part)
            if isinstance(what, Answer):
                self.answered_at[name] = at
                if what.event is Event.ACKNOWLEDGED:
                    self.health.sent(part, name, what.country, at)
            assert isinstance(what, Answer | Lost)
            results.append(what)
        self.health.note(results, self.now)

    def state(self, name: str) -> State:
        return next(each.state for each in self.health.statistics(self.now) if each.carrier == name)
