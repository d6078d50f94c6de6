"""Worlds that failed once, kept as plans in files, each with what it found.  They are lived through in every run.

A seed names a world only for as long as nothing new is drawn; its plan stays the same world.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from connector.errors import ConfigError
from connector.settings import nearest
from tests.simulation.faults import ACTS
from tests.simulation.habits import HABITS
from tests.simulation.plan import ENGINES, Plan

FOLDER: Final = Path(__file__).with_name("worlds")


@attrs.frozen(kw_only=True)
class Kept:
    """A world that failed."""

    found: str
    """What of the engine it has found wrong, in one sentence."""
    plan: Plan


def files(folder: Path = FOLDER) -> list[Path]:
    """Return the files of the worlds in a folder, by name."""
    return sorted(folder.glob("*.json"))


def write(path: Path, kept: Kept) -> None:
    """Write a world with everything that its plan says, defaults too: what a default becomes later changes no life."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(msgspec.to_builtins(kept), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(path: Path) -> Kept:
    """Return the world in a file; a field that came after it has its default.

    Raises ConfigError with a line for each problem: what is no world, fields and names that nobody knows.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        kept = msgspec.convert(raw, Kept)
    except (ValueError, ConfigError) as error:  # of JSON, of msgspec, of a part of the configuration
        raise ConfigError([f"{path}: {error}"]) from error
    if problems := [*_unknown_fields(raw, msgspec.to_builtins(kept)), *_unknown_names(kept.plan)]:
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    return kept


def _unknown_fields(raw: Any, known: Any, place: str = "") -> Iterator[str]:
    """Compare what was read with what is written again: nothing may have been passed over."""
    if isinstance(raw, dict):
        for key, value in raw.items():
            if key in known:
                yield from _unknown_fields(value, known[key], f"{place}.{key}" if place else key)
            else:
                yield f"{place}: there is no field {key!r}{nearest(key, known)}"
    elif isinstance(raw, list):
        for index, (value, same) in enumerate(zip(raw, known, strict=True)):
            yield from _unknown_fields(value, same, f"{place}[{index}]")


def _unknown_names(plan: Plan) -> Iterator[str]:
    carriers = [carrier.name for carrier in plan.carriers]
    settings = plan.settings
    rows: tuple[tuple[str, Iterable[str], Iterable[str]], ...] = (
        ("habit", (habit.name for carrier in plan.carriers for habit in carrier.habits), HABITS),
        ("act", (moment.act for moment in plan.moments), ACTS),
        ("carrier", (moment.host for moment in plan.moments if moment.host), carriers),
        ("carrier", carriers, [carrier.name for carrier in settings.carrier]),
        ("lane", (send.lane for send in plan.sends), settings.lane),
        ("API key", (send.key for send in plan.sends), [key.name for key in settings.api.key]),
        ("engine", (plan.engine,), ENGINES),
    )
    for what, used, known in rows:
        for name in dict.fromkeys(used):
            if name not in known:
                yield f"plan: there is no {what} {name!r}{nearest(name, known)}"
