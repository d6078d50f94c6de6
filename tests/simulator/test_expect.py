"""Expectations: what can be said, what cannot, and what it means."""

import pytest

from connector.errors import ConfigError
from connector.settings import load
from simulator.judge.expect import parse
from simulator.judge.facts import FACTS, fact_of
from simulator.scenario import Scenario


@pytest.mark.parametrize(
    ("text", "values", "holds"),
    [
        ("message.lost == 0", {"message.lost": 0}, True),
        ("message.lost == 0", {"message.lost": 1}, False),
        ("bind.restored.max <= 1m30s", {"bind.restored.max": 90.0}, True),
        ("bind.restored.max <= 1m30s", {"bind.restored.max": 90.5}, False),
        ("load.latency.service.p99 < 150ms", {"load.latency.service.p99": 0.149}, True),
        ("0 < submit.count <= 10", {"submit.count": 10}, True),
        ("0 < submit.count <= 10", {"submit.count": 11}, False),
        ("deliver.sent - deliver.answered >= 2 * 3 / 2", {"deliver.sent": 8, "deliver.answered": 5}, True),
        ("not esme.crashed and submit.count > 1", {"esme.crashed": False, "submit.count": 2}, True),
        ("esme.crashed == false or submit.count == -1", {"esme.crashed": True, "submit.count": 0}, False),
        ('rule["barred prefix"] == 1', {"rule.barred_prefix": 1}, True),
        ("rule.barred_prefix == 1", {"rule.barred_prefix": 1}, True),
        ("esme.crashed", {"esme.crashed": True}, True),
        ("submit.count / 10s > 3", {"submit.count": 31}, True),
        ("bind.restored.max / submit.count < 5ms", {"bind.restored.max": 1.0, "submit.count": 100}, False),
        ("bind.restored.max - 2 * 5s <= 10", {"bind.restored.max": 20.0}, True),
    ],
)
def test_an_expectation_is_true_of_some_values_and_not_of_others(
    text: str, values: dict[str, float], holds: bool
) -> None:
    assert parse(text).holds(values) is holds


def test_it_names_the_facts_it_asks_for_once_each() -> None:
    said = "submit.count > 1 and (message.lost == 0 or submit.count < 5) and true"
    assert parse(said).facts == ("submit.count", "message.lost")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("submit.count", "is a count, and must be a comparison"),
        ("submit.cuont == 1", 'there is no fact "submit.cuont", did you mean "submit.count"?'),
        ("submit.status.ESME_RTHROTLED == 0", 'did you mean "submit.status.ESME_RTHROTTLED"?'),
        ("submit.status.ESME == 0", "there is no fact"),
        ("faults. == 0", "is no expectation"),
        ("submit.count ** 2 == 4", "only + - * / can be computed"),
        ("submit.count == 'many'", "has no place in an expectation"),
        ("submit.count in (1, 2)", "has no place in an expectation"),
        ("submit.count is 1", "cannot be compared so"),
        ("esme.crashed == 1", "compares a number with true or false"),
        ("esme.crashed < true", "cannot be compared so"),
        ("submit.count and esme.crashed", '"submit.count" must be true or false'),
        ("not submit.count", '"submit.count" must be true or false'),
        ("-esme.crashed == 1", '"esme.crashed" must be a number'),
        ("~submit.count == 1", "has no place in an expectation"),
        ("__import__('os').getpid() == 1", "has no place in an expectation"),
        ("submit[0] == 1", "is no fact"),
        ("submit.count == 1 if true else 2", "has no place in an expectation"),
        ("(((((", "is no expectation"),
        ("message.lost == \x00", "is no expectation"),
        ("", "is no expectation"),
        ("-" * 900 + "1 == submit.count", "is no expectation"),
        ("true", '"true" asks for no fact'),
        ("1 < 2", "asks for no fact"),
        ("foo == 1", 'there is no fact "foo": carrierline simulate --keys ends with all there are'),
        ("load.sent >= 5m", '"load.sent >= 5m" compares a count with a duration'),
        ("load.sent > 2 * bind.restored.max", "compares a count with a duration"),
        ("load.latency.service.p99 <= submit.count / 2", "compares a count with a duration"),
        ("load.sent + 5s > 1", "adds a count and a duration"),
        ("esme.crashed == 5s", "compares a duration with true or false"),
        ("3j == submit.count", "3j is no number"),
        ("message.lost = 0", "(use == to compare)"),
        ("bind.restored.max <= 10 s", "(write 10s, without the space)"),
        ("1 +" * 400 + "1 == 1", "must not be longer than 1000 characters"),
    ],
)
def test_what_is_not_of_the_language_is_refused_in_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse(text)
    assert words in str(refused.value)


def test_a_division_by_zero_is_told() -> None:
    with pytest.raises(ZeroDivisionError):
        parse("submit.count / deliver.sent > 1").holds({"submit.count": 1, "deliver.sent": 0})


def test_every_fact_can_be_asked_for() -> None:
    for fact in FACTS:
        name = fact.name.replace("<NAME>", "ESME_ROK").replace("<kind or name>", "reset").replace("<name>", "x")
        assert fact_of(name) == fact
        parse(f"{name} == {'true' if fact.unit == '' else '0'}")


SCENARIO = """
[[rule]]
name = "barred prefix"
when = { to = "^4470" }
reply = "ESME_RINVDSTADR"

[[rule]]
when = { every = 10 }
fault = { kind = "no-response" }
"""


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ('that = "rule.bared_prefix == 0"', 'that: there is no fact "rule.bared_prefix", did you mean'),
        ('that = "faults.rule_3 == 0"', 'that: there is no fact "faults.rule_3", did you mean "faults.rule_2"?'),
        ('that = "message.lots == 0"', 'that: there is no fact "message.lots", did you mean "message.lost"?'),
        ('that = "message.lost == 0"\nafter = "soon"', 'after: must be a duration such as "150ms"'),
    ],
)
def test_a_wrong_expectation_is_a_problem_of_the_file_with_its_line(expect: str, problem: str) -> None:
    text = f"{SCENARIO}[[expect]]\n{expect}\n"
    with pytest.raises(ConfigError) as wrong:
        load(text, Scenario, source="x.toml")
    line = len(text.rstrip().splitlines())
    assert len(wrong.value.problems) == 1
    assert wrong.value.problems[0].startswith(f"x.toml:{line}: expect[0].{problem}")


def test_faults_are_known_by_kind_and_by_name_and_rules_by_place() -> None:
    that = "faults.no_response == faults.rule_2 and faults.reset == 0 and rule.rule_2 == 0"
    scenario = load(f'{SCENARIO}[[expect]]\nthat = "{that}"\nafter = "quiet"\n', Scenario)
    assert scenario.expect[0].expectation.facts == (
        "faults.no_response",
        "faults.rule_2",
        "faults.reset",
        "rule.rule_2",
    )
