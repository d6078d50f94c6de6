"""What health remembers: of a carrier, of each of its countries, and of parts whose receipt is due."""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable
from typing import Final

from connector.config import HealthConfig
from connector.pipeline.health_numbers import Kind, Numbers, Steady, Window, read, together
from connector.pipeline.health_rules import Standing, State, receipt_window_s

MOST_COUNTRIES: Final = 300
"""Countries that are judged apart at one carrier; there are about 250.  Others count for the carrier only."""
MOST_OUTSTANDING: Final = 1_000
"""Parts of one carrier whose receipt is watched for."""
UNPACED: Final = 100
"""While fewer are, every part is; after that only so many as keep places free until the first are overdue."""
SILENCE_HOLDS_S: Final = 5.0
"""How long a word about silence is believed; it comes once a second."""


class Judged:
    """What has a standing: a carrier as a whole, or one of its countries."""

    def __init__(self, carrier: str, country: str | None) -> None:
        self.carrier = carrier
        self.country = country
        self.standing = Standing()
        self.probes = 0
        """Parts that it has been given to try it."""
        self.probed_at = 0.0
        self.text = ""
        """About its last change."""
        self.response = Steady()
        self.delivered = Steady()

    @property
    def is_well(self) -> bool:
        return self.standing.state is State.WELL

    def counts_from(self) -> float:
        """Return the time of writing from which answers count: what was written before a switch says nothing new."""
        if self.standing.state is State.SICK:
            return float("inf")
        return float("-inf") if self.standing.state is State.WELL else self.standing.since

    def measure(self, numbers: Numbers, least: int) -> None:
        """Take its latency from these numbers, if there are enough of them."""
        if numbers.taken >= least:
            self.response.note(numbers.response_p50_s)
        if numbers.delivered >= least:
            self.delivered.note(numbers.delivered_p50_s)


class Scope(Judged):
    """One carrier's traffic to one country; that without a country is never judged apart."""

    def __init__(self, carrier: str, country: str | None, config: HealthConfig) -> None:
        super().__init__(carrier, country)
        self.receipted = False
        """Whether it has ever sent a final receipt."""
        self.resize(config)

    def resize(self, config: HealthConfig) -> None:
        """Begin anew, with windows of the lengths now configured."""
        self.answers = Window(config.window_s)
        self.receipts = Window(receipt_window_s(config))

    def expire(self, now: float) -> None:
        self.answers.expire(now)
        self.receipts.expire(now)

    def clear(self) -> None:
        self.answers.clear()
        self.receipts.clear()

    @property
    def sends_receipts(self) -> bool:
        """Whether final receipts have come of late."""
        return bool(self.receipts.total[Kind.DELIVERED] or self.receipts.total[Kind.UNDELIVERED])

    @property
    def bad(self) -> int:
        """How much of what it has shown is not as it should be."""
        answers, receipts = self.answers.total, self.receipts.total
        bad = sum(answers[kind] for kind in (Kind.FAILED, Kind.LOST, Kind.THROTTLED, Kind.REFUSED))
        return bad + receipts[Kind.UNDELIVERED] + receipts[Kind.SILENT]

    def has(self, least: int) -> bool:
        """Tell whether there may be enough samples to judge it."""
        return sum(self.answers.total.values()) >= least or sum(self.receipts.total.values()) >= least


class Watched(Judged):
    """One carrier as a whole: its countries together, and what has no country."""

    def __init__(self, carrier: str) -> None:
        super().__init__(carrier, None)
        self.scopes: dict[str | None, Scope] = {}
        self.links: deque[float] = deque(maxlen=1_000)
        """When links ended that should not have."""
        self._silent_s = 0.0
        self._silent_told_at = float("-inf")

    def scope(self, country: str | None, config: HealthConfig) -> Scope:
        """Return what is remembered of a country, from now on at least."""
        found = self.scopes.get(country)
        if found is None:
            if len(self.scopes) >= MOST_COUNTRIES:
                country = None
            found = self.scopes.setdefault(country, Scope(self.carrier, country, config))
        return found

    def told_silent(self, seconds: float, now: float) -> None:
        self._silent_s, self._silent_told_at = seconds, now

    def silent_s(self, now: float) -> float:
        """Return how long nothing has been answered, of the time since its last change."""
        if now - self._silent_told_at > SILENCE_HOLDS_S:
            return 0.0
        return min(self._silent_s, now - self.standing.since)

    def link_ends(self, now: float, window_s: float) -> int:
        """Return how many links ended in the window."""
        while self.links and self.links[0] <= now - window_s:
            self.links.popleft()
        return len(self.links)


def numbers_of(judged: Judged, scopes: Iterable[Scope], config: HealthConfig, now: float) -> Numbers:
    """Return what these countries of it have shown; the carrier's links and silence where it is the carrier."""
    answers, receipts = together([(scope.answers.total, scope.receipts.total) for scope in scopes])
    since = judged.standing.since
    if judged.standing.state is State.WELL and judged.country is not None:
        return read(answers, receipts, over_s=min(config.window_s, now - since))
    whole = judged if isinstance(judged, Watched) else None
    out = judged.probes if judged.standing.state is State.PROBING else 0
    return read(
        answers,
        receipts,
        over_s=min(config.window_s, now - since),
        probes_sent=out,
        probe_waited_s=now - judged.probed_at if out else 0.0,
        silent_s=whole.silent_s(now) if whole else 0.0,
        link_ends=whole.link_ends(now, config.window_s) if whole else 0,
    )


class Outstanding:
    """A sample of the parts whose receipt is due: all of them while they are few.  Every verb takes constant time."""

    def __init__(self) -> None:
        self._parts: OrderedDict[int, tuple[float, Scope]] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._next_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._parts)

    def add(self, part: int, scope: Scope, now: float, within_s: float) -> None:
        """Watch for a part's receipt, if there is a place."""
        count = self._counts[scope.carrier]
        if count >= UNPACED:
            if count >= MOST_OUTSTANDING or now < self._next_at.get(scope.carrier, 0.0):
                return
            self._next_at[scope.carrier] = now + within_s / (MOST_OUTSTANDING - UNPACED)
        if part not in self._parts:
            self._parts[part] = (now, scope)
            self._counts[scope.carrier] = count + 1

    def take(self, part: int) -> tuple[float, Scope] | None:
        """Return when a part was taken and where, and watch for it no more; None if nobody does."""
        found = self._parts.pop(part, None)
        if found is not None:
            self._counts[found[1].carrier] -= 1
        return found

    def overdue(self, before: float) -> list[Scope]:
        """Return where the parts were taken that were taken before this moment, and watch for them no more."""
        found: list[Scope] = []
        while self._parts:
            part, (at, scope) = next(iter(self._parts.items()))
            if at > before:
                break
            self.take(part)
            found.append(scope)
        return found

    def forget(self, carrier: str) -> None:
        """Watch no more for the parts of a carrier."""
        for part in [part for part, (_, scope) in self._parts.items() if scope.carrier == carrier]:
            del self._parts[part]
        self._counts.pop(carrier, None)
        self._next_at.pop(carrier, None)
