"""Names in a scenario: which an expectation could not tell apart, and what is known by its content."""

from pathlib import Path
from typing import Any

import pytest

from connector.errors import ConfigError
from connector.settings import load
from simulator.play import played
from simulator.scenario import Rule, Scenario, load_scenario
from simulator.scenario.identity import content, identities

REPLY = '[[rule]]\nname = "{}"\nreply = "ESME_RSYSERR"\n'
FAULT = '[[rule]]\nname = "{}"\nfault = {{ kind = "{}" }}\n'
WRITE = '[[wire]]\nname = "{}"\nwrite = {{ chunk = 1 }}\n'
INJECT = '[[inject]]\nname = "{}"\nat = "1s"\nbytes = "x"\n'
LOAD = '[load]\nmodel = "closed"\nmessages = 200\n'


def problems_of(text: str, folder: Path) -> list[str]:
    path = folder / "it.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_scenario(path)
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            REPLY.format("a b") + WRITE.format("a_b"),
            'it.toml:5: wire[0].name: "a_b" and "a b" are one name in an expectation: see rule[0] (line 2)',
        ),
        (
            WRITE.format("odd") + INJECT.format("odd"),
            'it.toml:5: inject[0].name: "odd" is the name of wire[0] (line 2)',
        ),
        (
            '[[rule]]\nreply = "ESME_RSYSERR"\n' + INJECT.format("rule 1"),
            'it.toml:4: inject[0].name: "rule 1" is the name of rule[0] (line 1)',
        ),
        (
            FAULT.format("accept without response", "close"),
            "it.toml:2: rule[0].name: give another name: faults.accept_without_response is a fact of its own",
        ),
        (
            INJECT.format("receipt missing"),
            "it.toml:2: inject[0].name: give another name: faults.receipt_missing is a fact of its own",
        ),
        (
            FAULT.format("gone", "close") + INJECT.format("close"),
            'it.toml:5: inject[0].name: give another name: "close" is the kind of fault of rule[0] (line 2)',
        ),
        (
            FAULT.format("no response", "close"),
            'it.toml:2: rule[0].name: give another name: "no response" is a kind of fault, and this is a "close"',
        ),
    ],
)
def test_two_things_with_one_name_are_told_with_both_lines(text: str, problem: str, tmp_path: Path) -> None:
    assert problems_of(text, tmp_path) == [problem]


def test_the_other_line_may_be_in_the_file_that_is_extended(tmp_path: Path) -> None:
    (tmp_path / "parent.toml").write_text("\n" + REPLY.format("odd"))
    [problem] = problems_of('extends = "parent"\n' + WRITE.format("odd"), tmp_path)
    assert problem == f'it.toml:3: wire[0].name: "odd" is the name of rule[0] ({tmp_path}/parent.toml:3)'


@pytest.mark.parametrize(
    "text",
    [
        FAULT.format("close", "close"),  # all that are of this kind
        REPLY.format("reset") + FAULT.format("gone", "reset"),  # a rule that does no fault is a fact of rules alone
        REPLY.format("squeeze") + '[[timeline]]\nname = "squeeze"\nat = "1s"\ndo = "drop"\n',
    ],
)
def test_what_can_be_told_apart_is_let_pass(text: str) -> None:
    load(text, Scenario)


# --- faults of tables -------------------------------------------------------------------------------------------------


def values(text: str, *facts: str) -> list[Any]:
    expects = "".join(f"[[expect]]\nthat = '{fact} >= 0'\n" for fact in facts)
    expectations = played(load(text + LOAD + expects, Scenario), virtual=True).expectations
    return [checked.values[fact] for checked, fact in zip(expectations, facts, strict=True)]


def test_receipts_that_never_come_are_faults_by_name_and_by_kind() -> None:
    rule = "[[rule]]\nname = 'swallowed'\nwhen = { every = 10 }\nreceipt = { missing = true }\n"
    missing, own, by_kind, by_rule = values(
        "[receipt]\nmissing = 0.5\n" + rule,
        "receipt.missing",
        "faults.receipt_missing",
        "faults.no_receipt",
        "faults.swallowed",
    )
    assert by_rule == 20
    assert missing == by_kind == own + by_rule
    assert 70 < own < 110


def test_ways_of_writing_are_faults_by_name_and_by_kind() -> None:
    assert values(WRITE.format("in pieces"), "faults.in_pieces", "faults.write") == [1, 1]


# --- what is known by its content -------------------------------------------------------------------------------------


def rule(text: str) -> Rule:
    return load(f"[[rule]]\n{text}", Scenario).rule[0]


def test_a_rule_without_a_name_is_known_by_what_it_says() -> None:
    drawn = rule("when = { rate = 0.5, after = '1m' }\nreply = 'ESME_RSYSERR'")
    assert content(drawn) == content(rule("reply = { status = 'ESME_RSYSERR' }\nwhen = { after = '60s', rate = 0.5 }"))
    assert content(drawn) == "{when={after=60.0, rate=0.5}, reply={status='ESME_RSYSERR'}}"
    other = rule("when = { rate = 0.6 }\nreply = 'ESME_RSYSERR'")
    assert identities([other, drawn]) == [content(other), content(drawn)]


def test_twins_are_told_apart_by_their_order_alone() -> None:
    twin, other = rule("delay = '1s'"), rule("name = 'other'\ndelay = '1s'")
    assert identities([twin, other, twin]) == [content(twin), "other", f"{content(twin)} #2"]
