"""Ways of carriers, as rows: read from `habits.toml`, put together to the scenario of one carrier."""

import random
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, Final

import attrs

from connector.settings import load_table
from simulator import Scenario
from simulator.statistics import Statistics


@attrs.frozen(kw_only=True)
class Habit:
    """One way of a carrier; `habits.toml` says what its fields mean."""

    name: str
    faults: tuple[int, ...]
    scenario: str
    rate: tuple[float, float] | None = None
    met: str | None = None
    least: int = 1
    """The number at least, where ``met`` is one."""
    dialect: str | None = None
    """Profile by which the connector is told of it."""

    def drawn(self, chance: random.Random) -> "Drawn":
        """Return the habit with its rate."""
        return Drawn(self.name, 0.0 if self.rate is None else round(chance.uniform(*self.rate), 4))

    def table(self, rate: float) -> dict[str, Any]:
        """Return its piece of a scenario."""
        return tomllib.loads(Template(self.scenario).substitute(rate=rate))

    def is_met(self, numbers: Statistics) -> bool:
        """Say whether a carrier has shown it."""
        if self.met is not None:
            name, _, key = self.met.partition(".")
            found = getattr(numbers, name)
            return bool((found.get(key, 0) if key else found) >= self.least)
        table = self.table(0.5)
        names = [each["name"] for array in ("rule", "wire", "inject") for each in table.get(array, ())]
        return any(numbers.rules.get(name) or numbers.faults.get(name) for name in names)


@attrs.frozen
class Drawn:
    """A habit that a carrier has."""

    name: str
    rate: float


def _read() -> dict[str, Habit]:
    rows = tomllib.loads(Path(__file__).with_name("habits.toml").read_text(encoding="utf-8"))["habit"]
    return {row["name"]: Habit(**{key: _frozen(value) for key, value in row.items()}) for row in rows}


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


HABITS: Final[Mapping[str, Habit]] = _read()


def scenario_of(drawn: Sequence[Drawn], base: Mapping[str, Any]) -> Scenario:
    """Return the scenario of a carrier with these habits; where two say the same thing the later one is obeyed."""
    merged: dict[str, Any] = dict(base)
    for each in drawn:
        merged = _over(merged, HABITS[each.name].table(each.rate))
    return load_table(merged, Scenario, source="habits", lines={}, base=None)


def _over(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in given.items():
        old = merged.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            merged[key] = _over(old, value)
        elif isinstance(value, list) and isinstance(old, list):
            merged[key] = [*old, *value]
        else:
            merged[key] = value
    return merged
