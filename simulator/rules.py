"""Rules made into functions: which requests of a batch something else happens to, and what.

Each rule is looked at for the whole batch: most rules that match nothing cost the same for one message as for a
hundred.  What a rule counts and draws does not depend on the other rules.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final, Protocol

import attrs

from connector.smpp import tables
from connector.smpp.pdu import PDU_BY_ID, Pdu
from simulator import draws
from simulator.delays import Sampler, sampler
from simulator.faults import Faults
from simulator.limits import Bucket
from simulator.scenario import ENDING, Fault, Rate, Reply, Rule, RuleLimit, When
from simulator.scenario.identity import identities
from simulator.scenario.names import name_of
from simulator.texts import text_of

MESSAGES: Final = ("submit_sm", "data_sm")
"""Requests that a rule without a command is about; each destination of a submit_multi is a submit_sm of its own."""
MOST_BUCKETS: Final = 10_000
"""Of a rule's limit; beyond it those that are full are forgotten."""
Test = Callable[[Pdu], bool]


class Asker(Protocol):
    """The link that a request came on, as far as rules look at it."""

    @property
    def who(self) -> str:
        """system_id of who is bound, or of who asks to bind."""

    @property
    def place(self) -> int:
        """Its place among the binds, from 1; 0 before it is bound."""

    @property
    def version(self) -> str:
        """Interface version: "3.3", "3.4" or "5.0"."""


@attrs.frozen(eq=False)
class Play:
    """What one rule does with a request that it matches."""

    name: str
    reply: Reply | None
    fault: Fault | None
    delay: Sampler | None
    """By the ordinal of the request."""
    stat: str | None
    receipt_delay: Sampler | None
    err: int | None
    missing: bool
    duplicate: int
    is_fault: bool = False
    """Whether it is a wrong thing done on purpose, whatever the request; an honest refusal is none."""
    may_be_silent: bool = False
    """Whether its delay may be that no answer ever comes."""

    def is_fault_of(self, ordinal: int) -> bool:
        """Say whether it is a wrong thing that it does with the request of this ordinal."""
        silent = self.may_be_silent and self.delay is not None and self.delay(ordinal) is None
        return self.is_fault or silent

    @property
    def ends_the_link(self) -> bool:
        """Whether nothing that comes behind the request is read any more."""
        return self.fault is not None and self.delay is None and ends_the_link(self.fault)


def ends_the_link(fault: Fault) -> bool:
    """Say whether nothing is read behind a fault; a hole that ends only holds back what comes."""
    return fault.kind in ENDING or (fault.kind == "blackhole" and fault.for_s is None)


def is_altered(reply: Reply | None) -> bool:
    """Say whether an answer is more than another status or id."""
    if reply is None:
        return False
    return reply != Reply(status=reply.status, message_id=reply.message_id)


_Used = list[tuple[Bucket, float, float]]
"""Buckets with their tokens and time as they were before they were used, in the order of use."""


@attrs.frozen
class _Before:
    """What the rules had counted before a batch."""

    asked: int
    seen: list[int]
    matched: Counter[str]
    done: Counter[str]
    last_at_s: float | None
    buckets: _Used = attrs.field(factory=list)


class Rulebook:
    """All rules of a scenario; the first that matches a request wins."""

    def __init__(self, rules: Sequence[Rule], seed: int, faults: Faults) -> None:
        self._seed = seed
        self.faults = faults
        """The book of what rules, and what comes of them, do wrong on purpose."""
        self._rules: list[_Compiled] = []
        self.change(rules)
        self.matched: Counter[str] = Counter()
        """How many requests each rule decided."""
        self.asked: Counter[str] = Counter()
        """Requests looked at so far, by stream: draws of one are not shifted by the other."""

    def change(self, rules: Sequence[Rule]) -> None:
        """Go by other rules from now on; those that stay go on counting, wherever they stand."""
        old = {(each.rule, each.identity): each for each in self._rules}
        known = zip(rules, identities(rules), strict=True)
        self._rules = [old.get(each) or _Compiled(*each, self._seed) for each in known]
        for index, each in enumerate(self._rules):
            each.play = attrs.evolve(each.play, name=name_of(each.rule.name, "rule", index))
        self._may_end_links = any(rule.play.ends_the_link for rule in self._rules)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def knows(self, command: str) -> bool:
        """Say whether any rule may match this command."""
        return any(rule.may_match(command) for rule in self._rules)

    def choose(self, asker: Asker, pdus: Sequence[Pdu], stream: str, now_s: float) -> dict[int, tuple[Play, int]]:
        """Return what is done with which of these requests, by their place; with most, nothing.

        With it goes the ordinal of the request in its ``stream``; ``now_s`` is the time since the start.  What is
        behind a request with which the link ends was never read: it is neither counted nor decided.
        """
        if not self._may_end_links:
            return self._chosen(asker, pdus, stream, now_s, [])
        before = _Before(
            self.asked[stream],
            [rule.seen for rule in self._rules],
            self.matched.copy(),
            self.faults.done.copy(),
            self.faults.last_at_s,
        )
        chosen = self._chosen(asker, pdus, stream, now_s, before.buckets)
        last = min((index for index, (play, _) in chosen.items() if play.ends_the_link), default=len(pdus))
        if last < len(pdus) - 1:
            self._restore(stream, before)
            return self._chosen(asker, pdus[: last + 1], stream, now_s, [])
        return chosen

    def _restore(self, stream: str, before: "_Before") -> None:
        self.asked[stream] = before.asked
        for rule, seen in zip(self._rules, before.seen, strict=True):
            rule.seen = seen
        for bucket, tokens, filled_at in reversed(before.buckets):
            bucket.tokens, bucket.filled_at = tokens, filled_at
        self.matched = before.matched
        self.faults.done, self.faults.last_at_s = before.done, before.last_at_s

    def _chosen(
        self, asker: Asker, pdus: Sequence[Pdu], stream: str, now_s: float, used: "_Used"
    ) -> dict[int, tuple[Play, int]]:
        chosen: dict[int, tuple[Play, int]] = {}
        first = self.asked[stream]
        self.asked[stream] += len(pdus)
        kinds = {type(pdu) for pdu in pdus}
        for rule in self._rules:
            for index in rule.matching(asker, pdus, kinds, first, now_s):
                if rule.takes(asker, pdus[index], now_s, used) and index not in chosen:
                    play = rule.play
                    if not play.is_fault_of(first + index) or self.faults.happens(play.name, now_s):
                        chosen[index] = play, first + index
                        self.matched[play.name] += 1
        return chosen


class _Compiled:
    """One rule."""

    def __init__(self, rule: Rule, identity: str, seed: int) -> None:
        when, receipt = rule.when, rule.receipt
        self.rule = rule
        self.identity = identity
        """What its draws go by."""
        purpose = f"rule/{identity}"
        self.when = when
        self._starts, self._ends = when.starts_at_s, when.ends_at_s
        self._kinds = _kinds(when.command)
        self._tests = list(_tests(when))
        self._chance = None if when.rate is None else draws.chance(when.rate, draws.stream(seed, f"{purpose}/when"))
        self._first = 1 if when.at_s is not None and when.for_s is None and when.first is None else when.first
        self._counts = bool(self._first or when.every or when.nth)
        self.seen = 0
        self._limit = rule.limit
        self._buckets: dict[str, Bucket] = {}
        self.play = Play(
            name=rule.name,
            reply=rule.reply,
            fault=rule.fault,
            delay=None if rule.delay is None else sampler(rule.delay, seed, f"{purpose}/delay"),
            stat=receipt.stat if receipt else None,
            receipt_delay=sampler(receipt.delay, seed, f"{purpose}/receipt") if receipt and receipt.delay else None,
            err=receipt.err if receipt else None,
            missing=bool(receipt and receipt.missing),
            duplicate=receipt.duplicate if receipt else 0,
            is_fault=rule.fault is not None or is_altered(rule.reply),
            may_be_silent=rule.delay is not None and rule.delay.may_be_never,
        )

    def may_match(self, command: str) -> bool:
        return _is_meant(command, self.when.command)

    def matching(
        self, asker: Asker, pdus: Sequence[Pdu], kinds: set[type[Pdu]], first: int, now_s: float
    ) -> Iterable[int]:
        """Return the places of those that fulfil the conditions."""
        if not self._starts <= now_s < self._ends or not self._is_of(asker):
            return ()
        indices: Iterable[int] = range(len(pdus))
        if not kinds <= self._kinds:
            if kinds.isdisjoint(self._kinds):
                return ()
            indices = [index for index in indices if type(pdus[index]) in self._kinds]
        for test in self._tests:
            indices = [index for index in indices if test(pdus[index])]
        if self._chance is not None:
            happens = self._chance
            indices = [index for index in indices if happens(first + index)]
        return self._counted(list(indices)) if self._counts else indices

    def _is_of(self, asker: Asker) -> bool:
        when = self.when
        return (
            (when.account is None or when.account == asker.who)
            and (when.bind is None or when.bind == asker.place)
            and (when.version is None or when.version == asker.version)
        )

    def _counted(self, indices: list[int]) -> list[int]:
        """Return those of the matches whose number is one that counts; the first match ever is number 1."""
        before = self.seen
        self.seen += len(indices)
        when = self.when
        if self._first is not None:
            return indices[: max(0, self._first - before)]
        if when.nth is not None:
            place = when.nth - before - 1
            return indices[place : place + 1] if place >= 0 else []
        assert when.every is not None, "something is counted"
        return indices[-(before + 1) % when.every :: when.every]

    def takes(self, asker: Asker, pdu: Pdu, now_s: float, used: _Used) -> bool:
        """Say whether a match is one: with a limit only what comes too fast is.  ``used`` gets the bucket as it was."""
        limit = self._limit
        if limit is None:
            return True
        key = _KEYS[limit.key](asker, pdu)
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= MOST_BUCKETS:
                self._buckets = {name: each for name, each in self._buckets.items() if not each.is_full(now_s)}
            bucket = self._buckets[key] = Bucket.full(_rate(limit), now_s)
        used.append((bucket, bucket.tokens, bucket.filled_at))
        return not bucket.take(1, now_s)


def _rate(limit: RuleLimit) -> Rate:
    return Rate(per_second=limit.per_second, burst=limit.burst)


_KEYS: Final[dict[str, Callable[[Asker, Pdu], str]]] = {
    "source_addr": lambda _asker, pdu: getattr(pdu, "source_addr", ""),
    "destination_addr": lambda _asker, pdu: getattr(pdu, "destination_addr", ""),
    "account": lambda asker, _pdu: asker.who,
    "bind": lambda asker, _pdu: str(asker.place),
    "carrier": lambda _asker, _pdu: "",
}


def _kinds(pattern: str | None) -> frozenset[type[Pdu]]:
    return frozenset(
        PDU_BY_ID[row.command_id]
        for row in tables.COMMANDS
        if _is_meant(row.name, pattern) and row.command_id in PDU_BY_ID
    )


def _is_meant(command: str, pattern: str | None) -> bool:
    return command in MESSAGES if pattern is None else fnmatchcase(command, pattern)


def _tests(when: When) -> Iterable[Test]:
    if when.from_ is not None:
        yield _found(when.from_, lambda pdu: getattr(pdu, "source_addr", ""))
    if when.to is not None:
        yield _found(when.to, lambda pdu: getattr(pdu, "destination_addr", ""))
    if when.text is not None:
        yield _found(when.text, text_of)


def _found(pattern: str, what: Callable[[Pdu], str]) -> Test:
    search = re.compile(pattern).search
    return lambda pdu: search(what(pdu)) is not None
