"""How the outcome of a simulated run is shown."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from cli import output
from simulator.durations import spelled
from simulator.judge.expect import Value
from simulator.judge.facts import fact_of
from simulator.judge.verdict import SHOWN, Verdict
from simulator.load.tally import LoadStatistics
from simulator.play import Checked, Outcome
from simulator.statistics import Statistics

MOST_LINES = 20
"""Of messages that a fault does not explain; --json has more."""
ALWAYS: Final = ("binds",)
"""Numbers that say something when they are 0, too."""
LABELS: Final = {"links": "links in all", "binds": "bound at the end"}
LOAD_LABELS: Final = {"binds": "times bound"}
"""What numbers are called where two tables would otherwise call two things alike."""


def show(outcome: Outcome, *, json_: bool) -> None:
    """Print what a run came to: the numbers, the load, the verdict, and each expectation."""
    for warning in outcome.warnings:
        output.note(f"carrierline: warning: {warning}")
    if json_:
        output.as_json(as_dict(outcome))
        return
    _show_numbers(outcome.statistics)
    if outcome.load is not None:
        _show_load(outcome.load)
    if outcome.verdict is not None:
        _show_verdict(outcome.verdict)
    _show_expectations(outcome)


def _show_numbers(statistics: Statistics) -> None:
    numbers = attrs.asdict(statistics)
    if not any(numbers.values()):
        output.line("nothing happened")
        return
    rows = [(_label(name), _counts(value)) for name, value in numbers.items() if value or name in ALWAYS]
    output.table(("what", "count"), rows)


def _label(name: str) -> str:
    return LABELS.get(name, name.replace("_", " "))


def _counts(value: int | Mapping[str, int]) -> str:
    """Return a number, or each of many behind what it counts."""
    if isinstance(value, int):
        return str(value)
    return ", ".join(f"{name} {number}" for name, number in value.items())


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome for programs: the numbers on top, the rest under its own names."""
    return {
        **attrs.asdict(outcome.statistics),
        "scenario": outcome.scenario,
        "seed": outcome.seed,
        "virtual": outcome.virtual,
        "ran_s": outcome.ran_s,
        "load": None if outcome.load is None else attrs.asdict(outcome.load),
        "verdict": None
        if outcome.verdict is None
        else attrs.asdict(outcome.verdict, value_serializer=_to_milliseconds),
        "expectations": [attrs.asdict(checked) for checked in outcome.expectations],
        "warnings": list(outcome.warnings),
        "ok": outcome.ok,
    }


def _to_milliseconds(_of: object, field: "attrs.Attribute[Any] | None", value: Any) -> Any:
    """Return a moment as exactly as it is known: the time of day that it was reckoned from leaves a tail of digits."""
    return round(value, 3) if field is not None and field.name == "at_s" and value is not None else value


def _show_load(load: LoadStatistics) -> None:
    output.line()
    counts = {name: value for name, value in attrs.asdict(load).items() if isinstance(value, int) and value}
    rows: list[tuple[str, object]] = [
        (LOAD_LABELS.get(name, name.replace("_", " ")), value) for name, value in counts.items()
    ]
    if load.refusals:
        rows.append(("refused for good", _counts(load.refusals)))
    output.table(("load", "count"), rows)
    if load.died_of:
        output.line(f"it died: {load.died_of}")
    latencies = [(name, getattr(load, name)) for name in ("service", "corrected")]
    output.table(
        ("latency", "p50", "p99", "max"),
        [(name, *map(spelled, (each.p50_s, each.p99_s, each.max_s))) for name, each in latencies if each.count],
    )


def _show_verdict(verdict: Verdict) -> None:
    output.line()
    counts = {
        "accepted": verdict.accepted,
        "lost": "not known without a load" if verdict.lost is None else verdict.lost,
        "duplicated": verdict.duplicated,
        "unanswered": verdict.unanswered,
        "excused by faults": _excused(verdict),
    }
    if verdict.not_accepted:
        counts["came and not accepted"] = verdict.not_accepted
    if verdict.forgotten:
        counts["forgotten"] = verdict.forgotten
    output.table(("messages", "count"), counts.items())
    if verdict.nothing:
        output.line(f"there is nothing to judge: {verdict.nothing}")
    rows = [(item.kind, item.id, item.of, _moment(item.at_s)) for item in verdict.items if not item.excuse]
    if rows:
        output.table(("what", "message_id", "of", "after"), rows[:MOST_LINES])
        more = verdict.not_excused - len(rows[:MOST_LINES])
        if more > 0:
            output.line(f"and {more:,} more; --json lists up to {SHOWN} of each kind")


def _excused(verdict: Verdict) -> str:
    if not verdict.excused:
        return "0"
    return f"{verdict.excused}: {_counts(verdict.excused_by)}"


def _show_expectations(outcome: Outcome) -> None:
    if outcome.expectations:
        output.line()
    for checked in outcome.expectations:
        output.line(f"{'✓' if checked.ok else '✗'} {_one_line(checked)}")


def _one_line(checked: Checked) -> str:
    after = f", after {checked.after}" if checked.after else ""
    values = [f"{name} is {_shown(name, value)}" for name, value in checked.values.items()]
    said = ", ".join(values if not checked.reason else [checked.reason])
    return f"{checked.that}{after}  ({said})"


def _shown(name: str, value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    fact = fact_of(name)
    return spelled(value) if fact is not None and fact.unit == "s" else f"{value:g}" if value < 1e6 else str(value)


def _moment(at_s: float | None) -> str:
    return "" if at_s is None else spelled(at_s)
