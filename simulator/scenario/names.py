"""Names that a scenario gives and expectations may use: of its rules, and of the faults it does."""

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from simulator.judge.facts import FAULT_FAMILY, RULE_FAMILY, problem_of_fact, slug
from simulator.scenario.fields import Problems
from simulator.scenario.play import Expect
from simulator.scenario.rules import Reply, Rule
from simulator.scenario.wire import Inject, WireRule

ALTERED: Final = "altered"
"""Kind of the fault that is an answer other than it ought to be."""
INJECTED: Final = "inject"
KINDS: Final = ("no-response", "close", "reset", "blackhole", "unbind", "garbage", "truncate", ALTERED, INJECTED)


class Naming(Protocol):
    """The parts of a scenario that have names, and those that use them."""

    @property
    def rule(self) -> tuple[Rule, ...]: ...
    @property
    def wire(self) -> tuple[WireRule, ...]: ...
    @property
    def inject(self) -> tuple[Inject, ...]: ...
    @property
    def expect(self) -> tuple[Expect, ...]: ...


def rule_names(scenario: Naming) -> list[str]:
    """Return the name of each rule, or the one of its place: "rule 3"."""
    return _names("rule", [rule.name for rule in scenario.rule])


def faults_by_name(scenario: Naming) -> dict[str, str]:
    """Return the kind of each fault that the scenario may do, by the name of who does it."""
    return dict(_faults(scenario))


def _faults(scenario: Naming) -> Iterator[tuple[str, str]]:
    for name, rule in zip(rule_names(scenario), scenario.rule, strict=True):
        if rule.fault is not None:
            yield name, rule.fault.kind
        elif rule.reply is not None and rule.reply != Reply(status=rule.reply.status, message_id=rule.reply.message_id):
            yield name, ALTERED
    for name, wire in zip(_names("wire", [each.name for each in scenario.wire]), scenario.wire, strict=True):
        if wire.fault is not None:
            yield name, wire.fault.kind
    for name in _names("inject", [each.name for each in scenario.inject]):
        yield name, INJECTED


def _names(kind: str, names: Sequence[str]) -> list[str]:
    return [name or f"{kind} {index + 1}" for index, name in enumerate(names)]


def unknown_names(scenario: Naming) -> Problems:
    """Say which expectations ask for a rule or a fault that the scenario does not have."""
    faults = faults_by_name(scenario)
    known = {f"{RULE_FAMILY}{slug(name)}" for name in rule_names(scenario)}
    known |= {f"{FAULT_FAMILY}{slug(name)}" for name in (*faults, *faults.values(), *KINDS)}
    for index, expect in enumerate(scenario.expect):
        for name in () if any(expect.problems()) else expect.expectation.facts:
            problem = problem_of_fact(name, known)
            if problem:
                yield ("expect", index, "that"), problem
