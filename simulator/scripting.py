"""What a script may say to a carrier, and from when its times count.  No I/O.

A script changes what a carrier does.  Where it listens is the test's, and a load or an expectation belongs to a run
with a beginning and an end: such tables are refused by name, for silence would look like success.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from connector.errors import ConfigError
from connector.key_lines import KeyPath, key_lines
from connector.settings import format_duration, key_text, parse_duration, parse_table
from simulator.scenario import Inject, MoRules, Rule, Scenario, TimelineEntry, WireRule, scenario_of
from simulator.scenario.rules import Period

SOURCE: Final = "<script>"
REFUSED: Final[Mapping[KeyPath, str]] = {
    ("load",): "nobody plays it here: the test is the load; played(scenario) of simulator.play plays one",
    ("expect",): "nobody asks it here: write an assert, of smsc.inbox and what smsc.wait returns",
    ("listen",): "it listens on a free port of the test's own, smsc.port; simulator.Smsc listens anywhere",
}
"""Of the text of a script; with what to do instead."""
REFUSED_LATER: Final[Mapping[KeyPath, str]] = {
    ("outbind",): "calls begin with the carrier: script it before the first look at smsc.port",
    ("seed",): "draws have begun: script it before the first look at smsc.port",
    ("response", "message_id", "start"): "numbers go on: script it before the first look at smsc.port",
}
"""The same, once the carrier has started."""
TIMED: Final = ("rule", "wire", "inject", "timeline", "mo", "quiet_after")


def script_of(text: str, base: Scenario, *, started: bool) -> tuple[Scenario, frozenset[str]]:
    """Return the scenario that a script makes of ``base``, and those of its tables whose times count from now.

    Raises ConfigError with every problem of the text, with its line.
    """
    table = parse_table(text, SOURCE)
    problems = list(_refused(table, key_lines(text), started))
    try:
        made = scenario_of(text, source=SOURCE, base=base)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return made, frozenset(TIMED if "extends" in table else set(TIMED) & set(table))


def _refused(table: Mapping[str, Any], lines: Mapping[KeyPath, int], started: bool) -> Iterator[str]:
    for path, sentence in {**REFUSED, **(REFUSED_LATER if started else {})}.items():
        if _has(table, path):
            yield f"{SOURCE}:{lines.get(path) or lines.get((*path, 0), 1)}: {key_text(path)}: {sentence}"


def _has(table: Any, path: KeyPath) -> bool:
    for step in path:
        if not isinstance(table, dict) or step not in table:
            return False
        table = table[step]
    return True


# --- times ------------------------------------------------------------------------------------------------------------


def from_then_on(scenario: Scenario, said: frozenset[str], then_s: float) -> Scenario:
    """Return a scenario whose times in these tables count from a moment, in seconds since the carrier's start."""
    if not then_s:
        return scenario
    changes: dict[str, Any] = {}
    if "rule" in said:
        changes["rule"] = tuple(_with_period(rule, then_s) for rule in scenario.rule)
    if "wire" in said:
        changes["wire"] = tuple(_with_period(rule, then_s) for rule in scenario.wire)
    if "inject" in said:
        changes["inject"] = tuple(_at_later(inject, then_s) for inject in scenario.inject)
    if "mo" in said:
        changes["mo"] = tuple(_at_later(mo, then_s) for mo in scenario.mo)
    if "timeline" in said:
        changes["timeline"] = tuple(_entry(entry, then_s) for entry in scenario.timeline)
    if "quiet_after" in said and scenario.quiet_after_s is not None:
        changes["quiet_after_s"] = scenario.quiet_after_s + then_s
    return attrs.evolve(scenario, **changes)


def _with_period(rule: Any, then_s: float) -> Rule | WireRule:
    when = _later(rule.when, then_s)
    return rule if when is rule.when else attrs.evolve(rule, when=when)  # type: ignore[no-any-return]


def _later(when: Period, then_s: float) -> Period:
    if when.between_s is not None:
        return attrs.evolve(when, between_s=tuple(at_s + then_s for at_s in when.between_s))
    if when.at_s is not None:
        return attrs.evolve(when, at_s=when.at_s + then_s)
    if when.after_s is None and when.for_s is None:
        return when
    return attrs.evolve(when, after_s=(when.after_s or 0.0) + then_s)


def _at_later(entry: Any, then_s: float) -> Inject | MoRules:
    return entry if entry.at_s is None else attrs.evolve(entry, at_s=entry.at_s + then_s)  # type: ignore[no-any-return]


def _entry(entry: TimelineEntry, then_s: float) -> TimelineEntry:
    values = entry.set
    if isinstance(quiet := values.get("quiet_after"), str):
        values = {**values, "quiet_after": format_duration(parse_duration(quiet) + then_s)}
    return attrs.evolve(entry, at_s=entry.at_s + then_s, set=values)
