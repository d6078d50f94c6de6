"""A scenario with other values for some of its keys, as its timeline sets them for a while."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from connector.errors import ConfigError
from connector.key_lines import KeyPath
from connector.settings import evolved, load_table
from simulator.scenario.fields import Problems
from simulator.scenario.names import name_of
from simulator.scenario.play import SetValue, TimelineEntry

T = TypeVar("T")

FIXED: Final = frozenset({"schema", "name", "extends", "about", "seed", "listen", "load", "timeline", "expect"})
"""Tables and keys that are looked at once, when the simulator starts."""
FIXED_KEYS: Final = frozenset({"response.message_id.start"})
"""The same below tables that may change: numbers go on from where they are."""
_SOURCE: Final = "set"
_FIRST_LINE: Final = 2


def changed(scenario: T, entries: Iterable[TimelineEntry]) -> T:
    """Return a scenario with the values that entries of its timeline set; of two for one key the later counts.

    Raises ConfigError with every problem of these values.
    """
    values = {key: value for entry in entries for key, value in entry.set.items()}
    return _with(scenario, values) if values else scenario


def _with(scenario: T, values: Mapping[str, SetValue]) -> T:
    # Without its timeline: the value that is made is judged, and would judge its timeline by making values for ever.
    plain = evolved(scenario, timeline=())
    made = load_table(nested(values), type(scenario), source=_SOURCE, lines=_lines(values), base=plain)
    return evolved(made, timeline=scenario.timeline)  # type: ignore[attr-defined]


def nested(values: Mapping[str, SetValue]) -> dict[str, Any]:
    """Return the table of tables that dotted keys stand for."""
    table: dict[str, Any] = {}
    for key, value in values.items():
        *steps, last = key.split(".")
        inner = table
        for step in steps:
            if not isinstance(inner.get(step), dict):
                inner[step] = {}
            inner = inner[step]
        inner[last] = list(value) if isinstance(value, tuple) else value
    return table


def _lines(keys: Iterable[str]) -> dict[KeyPath, int]:
    """Return a line for each key and for the tables it is in; what has none has nothing to do with them."""
    steps = [(key.split("."), line) for line, key in enumerate(keys, _FIRST_LINE)]
    return {tuple(path[:depth]): line for path, line in steps for depth in range(1, len(path) + 1)}


def problems_of_timeline(scenario: object, timeline: Sequence[TimelineEntry]) -> Problems:
    """Say which keys no timeline can set, which values they cannot have, and which entries contradict each other."""
    good = set()
    for index, entry in enumerate(timeline):
        found = list(_problems_of(scenario, entry.set))
        yield from ((("timeline", index, "set", key), sentence) for key, sentence in found)
        if not found:
            good.add(index)
    for together in _overlaps(timeline):
        if good.issuperset(together):
            others = ", ".join(name_of(timeline[index].name, "timeline", index) for index in together[:-1])
            values = {key: value for index in together for key, value in timeline[index].set.items()}
            for key, sentence in _problems_of(scenario, values):
                yield ("timeline", together[-1], "set"), f"together with {others}: {key}: {sentence}"


def _problems_of(scenario: object, values: Mapping[str, SetValue]) -> Iterator[tuple[str, str]]:
    fixed = [key for key in values if key.partition(".")[0] in FIXED or key in FIXED_KEYS]
    yield from ((key, "cannot change while the simulator runs") for key in fixed)
    rest = {key: value for key, value in values.items() if key not in fixed}
    try:
        _with(scenario, rest)
    except ConfigError as error:
        for problem in error.problems:
            _, line, text = problem.split(":", 2)
            if int(line) >= _FIRST_LINE:
                key = list(rest)[int(line) - _FIRST_LINE]
                yield key, text.strip().removeprefix(f"{key}: ")


def _overlaps(timeline: Sequence[TimelineEntry]) -> list[tuple[int, ...]]:
    """Return the entries that hold at the same time, wherever there are several, as they follow each other."""
    setting = sorted((index for index, entry in enumerate(timeline) if entry.set), key=lambda it: timeline[it].at_s)
    times = sorted({at_s for index in setting for at_s in (timeline[index].at_s, timeline[index].ends_at_s)})
    held = [tuple(index for index in setting if timeline[index].holds(at_s)) for at_s in times if at_s < math.inf]
    return list(dict.fromkeys(together for together in held if len(together) > 1))
