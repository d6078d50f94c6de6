"""Names that a scenario gives and expectations may use: of its rules, and of the faults it does."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol, get_args

from connector.settings import KeyPath, key_text, shown
from simulator.judge.facts import FACT_BY_NAME, FAULT_FAMILY, RULE_FAMILY, problem_of_fact, slug
from simulator.scenario.fields import Problems
from simulator.scenario.play import Expect, TimelineEntry
from simulator.scenario.rules import FaultKind, Reply, Rule
from simulator.scenario.wire import Inject, WireRule

ALTERED: Final = "altered"
"""Kind of the fault that is an answer other than it ought to be."""
INJECTED: Final = "inject"
NO_RESPONSE: Final = "no-response"
NO_RECEIPT: Final = "no-receipt"
WRITTEN, READ = "write", "read"
"""Kinds of the faults that are a way of writing and of reading."""
KINDS: Final = (
    *get_args(FaultKind),
    *(ALTERED, INJECTED, NO_RECEIPT, WRITTEN, READ),
)
RESPONSE_DELAY: Final = "response.delay"
RECEIPT_DELAY: Final = "receipt.delay"
RECEIPT_MISSING: Final = "receipt.missing"
OF_TABLES: Final = {RESPONSE_DELAY: NO_RESPONSE, RECEIPT_DELAY: NO_RECEIPT, RECEIPT_MISSING: NO_RECEIPT}
"""Names of faults that stand in no rule, and their kinds: answers and receipts that never come."""


class Naming(Protocol):
    """The parts of a scenario that have names, and those that use them."""

    @property
    def rule(self) -> tuple[Rule, ...]: ...
    @property
    def wire(self) -> tuple[WireRule, ...]: ...
    @property
    def inject(self) -> tuple[Inject, ...]: ...
    @property
    def timeline(self) -> tuple[TimelineEntry, ...]: ...
    @property
    def expect(self) -> tuple[Expect, ...]: ...


class Named(Protocol):
    """What may have a name."""

    @property
    def name(self) -> str: ...


def name_of(name: str, kind: str, index: int) -> str:
    """Return a name, or where there is none that of its place: "rule 3"."""
    return name or f"{kind} {index + 1}"


def rule_names(scenario: Naming) -> list[str]:
    """Return the name of each rule, or the one of its place: "rule 3"."""
    return [name for _, name in _named("rule", scenario.rule)]


def faults_by_name(scenario: Naming) -> dict[str, str]:
    """Return the kind of each fault that the scenario may do, by the name of who does it."""
    return OF_TABLES | {name: kind for _, name, kind in _faults(scenario)}


def _named(array: str, entries: Sequence[Named]) -> list[tuple[KeyPath, str]]:
    """Return where each entry of an array stands, with its name."""
    return [((array, index), name_of(entry.name, array, index)) for index, entry in enumerate(entries)]


def _faults(scenario: Naming) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield place, name and kind of the faults that rules, wire and inject may do."""
    for (path, name), rule in zip(_named("rule", scenario.rule), scenario.rule, strict=True):
        kind = _kind_of_rule(rule)
        if kind:
            yield path, name, kind
    for (path, name), wire in zip(_named("wire", scenario.wire), scenario.wire, strict=True):
        ways = (WRITTEN if wire.write else READ) if wire.fault is None else wire.fault.kind
        yield path, name, ways
    for path, name in _named("inject", scenario.inject):
        yield path, name, INJECTED


def _kind_of_rule(rule: Rule) -> str:
    """Return what a rule does wrong; nothing where it does what a carrier may."""
    reply, receipt = rule.reply, rule.receipt
    if rule.fault is not None:
        return rule.fault.kind
    if reply is not None and reply != Reply(status=reply.status, message_id=reply.message_id):
        return ALTERED
    if rule.delay is not None and rule.delay.may_be_never:
        return NO_RESPONSE
    silent = receipt is not None and (receipt.missing or (receipt.delay is not None and receipt.delay.may_be_never))
    return NO_RECEIPT if silent else ""


# --- what is wrong with names -----------------------------------------------------------------------------------------


def problems_of_names(scenario: Naming) -> Problems:
    """Say which names an expectation could not tell from another one, or from a fact that there is anyway.

    What is no letter or digit does not count: "a b" and "a_b" are written alike in an expectation.
    """
    together = _named("rule", scenario.rule) + _named("wire", scenario.wire) + _named("inject", scenario.inject)
    yield from _alike(together)
    yield from _alike(_named("timeline", scenario.timeline))
    yield from _misleading(list(_faults(scenario)))


def _alike(things: Sequence[tuple[KeyPath, str]]) -> Problems:
    first: dict[str, tuple[KeyPath, str]] = {}
    for path, name in things:
        where, before = first.setdefault(slug(name), (path, name))
        if where == path:
            continue
        problem = f"{shown(name)} is the name of"
        if before != name:
            problem = f"{shown(name)} and {shown(before)} are one name in an expectation: see"
        yield (*path, "name"), f"{problem} {key_text(where)}"


def _misleading(faults: Sequence[tuple[KeyPath, str, str]]) -> Problems:
    kinds, tables = {slug(kind): kind for kind in KINDS}, {slug(name) for name in OF_TABLES}
    for path, name, kind in faults:
        named = slug(name)
        others = [where for where, _, other in faults if where != path and slug(other) == named]
        if named in tables or f"{FAULT_FAMILY}{named}" in FACT_BY_NAME:
            yield (*path, "name"), f"give another name: {FAULT_FAMILY}{named} is a fact of its own"
        elif named in kinds and others:
            yield (*path, "name"), f"give another name: {shown(name)} is the kind of fault of {key_text(others[0])}"
        elif named in kinds and kinds[named] != kind:
            yield (*path, "name"), f'give another name: {shown(name)} is a kind of fault, and this is a "{kind}"'


def unknown_names(scenario: Naming) -> Problems:
    """Say which expectations ask for a rule or a fault that the scenario does not have."""
    faults = _fault_names(scenario)
    known = {f"{RULE_FAMILY}{slug(name)}" for name in rule_names(scenario)}
    known |= {f"{FAULT_FAMILY}{slug(name)}" for name in (*faults, *KINDS)}
    for index, expect in enumerate(scenario.expect):
        for name in expect.expectation.facts if is_read(expect) else ():
            problem = problem_of_fact(name, known)
            if problem:
                yield ("expect", index, "that"), problem


def _fault_names(scenario: Naming) -> Iterable[str]:
    """Return the names of the faults; where what a rule does could not be read, those of all that might do one."""
    try:
        return faults_by_name(scenario)
    except AttributeError:
        arrays: dict[str, Sequence[Named]] = {"rule": scenario.rule, "wire": scenario.wire, "inject": scenario.inject}
        return [*OF_TABLES, *(name for array, entries in arrays.items() for _, name in _named(array, entries))]


def is_read(expect: Expect) -> bool:
    """Say whether what is expected could be read, whatever else of the entry could not."""
    try:
        return bool(expect.expectation.facts)
    except (AttributeError, ValueError):
        return False
