"""Facts as numbers: what a run came to, in all or from a moment on."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs

from connector.smpp import tables
from simulator.carrier import Carrier
from simulator.judge.expect import Value
from simulator.judge.facts import FAULT_FAMILY, RULE_FAMILY, STATUS_FAMILY, fact_of, slug
from simulator.judge.verdict import Book, Verdict
from simulator.load.tally import Latency, LoadStatistics, Traffic
from simulator.scenario import Expect
from simulator.scenario.names import KINDS, faults_by_name, rule_names
from simulator.scenario.play import QUIET
from simulator.statistics import Statistics

SUBMITS: Final = "submit.count"
ACCEPTED: Final = f"{STATUS_FAMILY}ESME_ROK"
MINUTE_S: Final = 60
EXACT: Final = ("message.lost", "message.not_accepted", "message.unanswered", "faults.accept_without_response")
"""Known of every message, however long ago it was."""


@attrs.frozen
class Unknown:
    """Why a fact cannot be known."""

    reason: str


class Measures:
    """Knows every fact of a run that goes on; ``now_s`` is its time in seconds."""

    def __init__(
        self,
        carrier: Carrier,
        look: Callable[[], Statistics],
        now_s: Callable[[], float],
        *,
        book: Book | None = None,
        load: Traffic | None = None,
    ) -> None:
        self._carrier = carrier
        self._look = look
        self._now_s = now_s
        self._book = book
        self._load = load
        self._faults = faults_by_name(carrier.scenario)
        self._rules = rule_names(carrier.scenario)
        self._marks: dict[str, Counter[str]] = {}
        self.first_fault_s: float | None = None
        """The second in which the first fault happened; None while none has."""

    def mark(self, name: str) -> None:
        """Keep the numbers of this moment, from which those of an ``after`` of this name will count."""
        counted = self._marks[name] = Counter(dict(self._counted()))
        counted["deliver.unanswered"] -= self._look().deliveries_in_flight  # they may still be answered

    def verdict(self, after_s: float = 0.0) -> Verdict | None:
        """Return what became of the messages accepted from a time on; None when nobody keeps the book."""
        book, load = self._book, self._load
        if book is None:
            return None
        if load is None:
            return book.verdict(after_s=after_s, now_s=self._now_s())
        return book.verdict(
            expected=load.expected(),
            unsent=load.unsent(),
            after_s=after_s,
            now_s=self._now_s(),
            nothing=self._why_nothing_came(),
        )

    def load(self) -> LoadStatistics | None:
        """Return the numbers of the load, if there is one."""
        return None if self._load is None else self._load.statistics()

    def value(self, name: str, expect: Expect) -> Value | Unknown:
        """Return a fact as this expectation means it, or why it cannot be known."""
        from_s = self._from_s(expect.after, expect.after_s)
        if isinstance(from_s, Unknown):
            return from_s
        fact = fact_of(name)
        if fact is not None and fact.needs_load and self._load is None:
            return Unknown(f"{name} cannot be known without a [load]")
        computed = _computed(name)
        if computed is not None:
            return computed(self, name, from_s)
        name = _as_counted(name)
        now = Counter(dict(self._counted()))
        if name not in now and not name.startswith(STATUS_FAMILY):
            return Unknown(f"{name} is not known in this scenario")
        return now[name] - (self._marks[expect.after][name] if expect.after else 0)

    def _from_s(self, after: str | None, after_s: float | None) -> float | Unknown:
        if after is None:
            return 0.0
        if after not in self._marks:
            return Unknown("the faults had not ended" if after == QUIET else f"the run ended before {after}")
        return self._quiet_s() if after_s is None else after_s

    def _quiet_s(self) -> float:
        since_s = self._carrier.faults.quiet_since_s
        return math.inf if since_s is None else since_s

    # --- counts

    def _counted(self) -> Iterator[tuple[str, int]]:
        yield from _of_the_carrier(self._look())
        yield "bind.count", self._carrier.chronicle.totals["bind.count"]
        if self._book is not None:
            yield "message.accepted", self._book.accepted
            yield "enquire_link.sent_before_bind", self._book.enquired_before_bind
        matched = self._carrier.rulebook.matched
        for name in self._rules:
            yield f"{RULE_FAMILY}{slug(name)}", matched[name]
        yield from self._faults_counted()
        numbers = self.load()
        if numbers is not None:
            yield from _of_the_load(numbers)

    def _faults_counted(self) -> Iterator[tuple[str, int]]:
        counts: Counter[str] = Counter({f"{FAULT_FAMILY}{slug(kind)}": 0 for kind in KINDS})
        done = self._carrier.faults.done
        for name, kind in self._faults.items():
            for each in {slug(name), slug(kind)}:
                counts[f"{FAULT_FAMILY}{each}"] += done[name]
        yield from counts.items()

    # --- what is computed

    def _rate(self, name: str, from_s: float) -> Value:
        numbers = self._carrier.chronicle.per_second(SUBMITS, from_s)
        if not numbers:
            return 0
        part = name.rpartition(".")[2]
        if part == "mean":
            return statistics.fmean(numbers)
        return max(numbers) if part == "max" else sorted(numbers)[math.ceil(0.99 * len(numbers)) - 1]

    def _throughput(self, name: str, from_s: float) -> Value | Unknown:
        """Return the median second: the first and the last are not whole."""
        if name.endswith("after_quiet"):
            from_s, to_s = math.ceil(self._quiet_s()), math.inf
            if from_s > self._now_s():
                return Unknown("the faults had not ended")
        else:
            to_s = math.inf if self.first_fault_s is None else self.first_fault_s
            if to_s < 1:
                return Unknown("the first fault came in the first second")
        numbers = self._carrier.chronicle.per_second(ACCEPTED, from_s, to_s)
        if not numbers and to_s < math.inf:
            return Unknown("nothing was accepted before the first fault")
        return statistics.median(numbers) if numbers else 0

    def _restored(self, _name: str, from_s: float) -> Value:
        return self._carrier.chronicle.longest_without_bind(self._now_s(), from_s)

    def _attempts(self, _name: str, from_s: float) -> Value:
        return self._carrier.chronicle.most_within("bind.attempts", MINUTE_S, from_s)

    def _message(self, name: str, from_s: float) -> Value | Unknown:
        verdict = self.verdict(from_s)
        if verdict is None:
            return Unknown(f"{name} cannot be known: no book was kept")
        if verdict.nothing and self._load is not None and name.startswith("message."):
            return Unknown(f"{name} cannot be known: {verdict.nothing}")
        part = name.rpartition(".")[2]
        value: int | None = getattr(verdict, part)
        if value is None:
            return Unknown(f"{name} cannot be known without a [load]")
        if verdict.forgotten and name not in EXACT:
            return Unknown(f"{name} cannot be known: the first {verdict.forgotten} messages are forgotten")
        return value

    def _why_nothing_came(self) -> str:
        """Say why a load has brought nothing that could be judged; nothing when it has, or there is none."""
        numbers, load = self.load(), self._carrier.scenario.load
        if numbers is None or load is None:
            return ""
        if not numbers.sent:
            return "nothing was sent"
        return "the door took nothing" if load.target is not None and not numbers.answered else ""

    def _latency(self, name: str, from_s: float) -> Value | Unknown:
        if from_s:
            return Unknown(f"{name} is of the whole run: it has no after")
        numbers, (_, _, which, part) = self.load(), name.split(".")
        assert numbers is not None, "value() has asked"
        latency: Latency = getattr(numbers, which)
        if not latency.count:
            return Unknown(f"{name} cannot be known: nothing was answered")
        value: float = getattr(latency, f"{part}_s")
        return value

    def _crashed(self, _name: str, _from_s: float) -> Value:
        numbers = self.load()
        return numbers is not None and bool(numbers.died_of)


_COMPUTED: Final[Mapping[str, Callable[[Measures, str, float], Value | Unknown]]] = {
    "submit.rate.": Measures._rate,
    "throughput.": Measures._throughput,
    "bind.restored.max": Measures._restored,
    "bind.attempts.per_minute.max": Measures._attempts,
    **dict.fromkeys((*EXACT, "message.duplicated", "message.excused"), Measures._message),
    "load.latency.": Measures._latency,
    "esme.crashed": Measures._crashed,
}
"""By name; one that ends in a dot is a family."""


def _computed(name: str) -> Callable[[Measures, str, float], Value | Unknown] | None:
    exact = _COMPUTED.get(name)
    if exact is not None:
        return exact
    return next((each for key, each in _COMPUTED.items() if key.endswith(".") and name.startswith(key)), None)


def _as_counted(name: str) -> str:
    """Return the fact of a status by the name it is counted under: its number stands for the same."""
    status = name.removeprefix(STATUS_FAMILY)
    if status == name or not status.startswith("0x"):
        return name
    return f"{STATUS_FAMILY}{tables.status_name(int(status, 16))}"


def _of_the_carrier(numbers: Statistics) -> Iterator[tuple[str, int]]:
    yield SUBMITS, sum(numbers.submits.values())
    for name, number in numbers.submits.items():
        yield f"{STATUS_FAMILY}{name}", number
    yield "deliver.sent", numbers.receipts_sent + numbers.mo_sent
    yield "deliver.answered", numbers.receipts_acknowledged + numbers.mo_acknowledged + numbers.deliveries_refused
    yield "deliver.unanswered", numbers.deliveries_unanswered + numbers.deliveries_in_flight
    yield "deliver.refused", numbers.deliveries_refused
    yield "deliver.given_up", numbers.deliveries_given_up
    yield "receipt.sent", numbers.receipts_sent
    yield "receipt.acknowledged", numbers.receipts_acknowledged
    yield "receipt.missing", numbers.receipts_missing
    yield "bind.attempts", numbers.bind_attempts
    yield "conformance.failed", sum(numbers.strange.values())
    yield "carrier.penalties", numbers.penalties


def _of_the_load(numbers: LoadStatistics) -> Iterator[tuple[str, int]]:
    for part in ("planned", "sent", "answered", "failed", "dropped_arrivals"):
        yield f"load.{part}", getattr(numbers, part)
    yield "load.receipts.matched", numbers.receipts_matched
    yield "load.receipts.unmatched", numbers.receipts_unmatched
