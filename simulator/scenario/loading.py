"""From a file to a scenario, with what it extends."""

import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Final

import attrs

from connector.errors import ConfigError
from connector.key_lines import KeyPath, key_lines
from connector.settings import Problems, Rules, key_text, load_table, nearest, parse_table, shown
from simulator.judge.facts import fact_of
from simulator.scenario.names import is_read
from simulator.scenario.whole import Scenario

PROFILE: Final = "profile:"
MOST_GENERATIONS: Final = 10
_OTHER_ENTRY: Final = re.compile(r" (rule|wire|inject|timeline)\[(\d+)\]$")
"""What a problem ends with that is one of two entries."""


def profiles() -> Mapping[str, str]:
    """Return the TOML text of each behaviour profile that is shipped, by its name."""
    folder = resources.files("simulator") / "profiles"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return {file.name.removesuffix(".toml"): file.read_text(encoding="utf-8") for file in files}


def load_scenario(origin: str | Path, *, to_play: bool = False) -> Scenario:
    """Return the scenario in a file, or of a profile that is shipped (``"profile:hex-dec"``).

    ConfigError holds every problem of the file and of those it extends, one line each, with its line number; of one
    that is ``to_play`` as it stands also each expectation that needs a load where there is none.
    """
    try:
        loaded = _load(str(origin), Path(), ())
    except ConfigError:
        if to_play:
            _load(str(origin), Path(), (), _ToPlay)  # which has more to say
        raise
    problems = list(without_load(loaded.scenario)) if to_play else []
    if problems:
        raise loaded.places.error(problems, str(origin))
    return loaded.scenario


def placed(origin: str | Path, problems: Iterable[tuple[KeyPath, str]]) -> ConfigError:
    """Return problems of the scenario that was read from there, each with the file and line of its key."""
    return _load(str(origin), Path(), ()).places.error(problems, str(origin))


def scenario_of(text: str, *, source: str, base: Scenario) -> Scenario:
    """Return the scenario in a text: as ``base`` where it says nothing, or as what it ``extends`` where it does.

    ConfigError holds every problem, as `load_scenario` has them; files are looked for in the working directory.
    """
    return _made(text, source, Path(), (), _Loaded(base, _Places({}))).scenario


@attrs.frozen(kw_only=True)
class _ToPlay(Scenario):
    """A scenario that is to be played as it stands."""

    def problems(self) -> Rules:
        yield super().problems()
        yield without_load(self)


def without_load(scenario: Scenario) -> Problems:
    """Say which expectations could never be decided, since nobody knows what there was to come."""
    for index, expect in enumerate(scenario.expect if scenario.load is None else ()):
        for name in expect.expectation.facts if is_read(expect) else ():
            fact = fact_of(name)
            if fact is not None and fact.needs_load:
                yield ("expect", index, "that"), f"{name} cannot be known without a [load]: add one"


@attrs.frozen
class _Places:
    """In which file and line each key of a scenario stands."""

    known: Mapping[KeyPath, tuple[str, int]]

    def find(self, path: KeyPath) -> tuple[str, int] | None:
        """Return where a key stands, or the nearest table it is in."""
        steps = (path[:end] for end in range(len(path), 0, -1))
        return next((self.known[each] for each in steps if each in self.known), None)

    def under(self, table: Mapping[str, object], lines: Mapping[KeyPath, int], source: str) -> "_Places":
        """Return them with those of a file that extends this one: where it has an array none of the old one stays."""
        replaced = {key for key, value in table.items() if isinstance(value, list)}
        inherited = {path: place for path, place in self.known.items() if path[0] not in replaced}
        return _Places({**inherited, **{path: (source, line) for path, line in lines.items()}})

    def error(self, problems: Iterable[tuple[KeyPath, str]], source: str) -> ConfigError:
        """Return problems as one error, each with the file and line of its key, else with the first line here."""
        found = ((path, problem, self.find(path) or (source, 1)) for path, problem in problems)
        return ConfigError([f"{file}:{line}: {key_text(path)}: {problem}" for path, problem, (file, line) in found])

    def with_other(self, problem: str) -> str:
        """Return a problem with the line of the other entry too, where it is one of two."""
        found = _OTHER_ENTRY.search(problem)
        place = None if found is None else self.find((found[1], int(found[2]), "name"))
        if place is None:
            return problem
        source, line = place
        where = f"line {line}" if problem.startswith(f"{source}:") else f"{source}:{line}"
        return f"{problem} ({where})"


@attrs.frozen
class _Loaded:
    """A scenario, and where each of its keys stands."""

    scenario: Scenario
    places: _Places


def _load(origin: str, beside: Path, heirs: tuple[str, ...], made: type[Scenario] = Scenario) -> _Loaded:
    text, source, folder = _text_of(origin, beside)
    return _made(text, source, folder, heirs, None, made)


def _made(
    text: str,
    source: str,
    folder: Path,
    heirs: tuple[str, ...],
    base: _Loaded | None,
    made: type[Scenario] = Scenario,
) -> _Loaded:
    if source in heirs or len(heirs) >= MOST_GENERATIONS:
        raise ConfigError([f"{source}:1: extends: goes in a circle: {' → '.join((*heirs, source))}"])
    table, lines = parse_table(text, source), key_lines(text)
    problems: list[str] = []
    parent = table.get("extends")
    if isinstance(parent, str):
        if base is None:
            table.setdefault("name", Path(source).stem)  # a file is not the one it extends
        try:
            base = _load(parent, folder, (*heirs, source))
        except _Unreadable as error:
            problems = [f"{source}:{lines.get(('extends',), 1)}: extends: {error}"]
        except ConfigError as error:
            problems = list(error.problems)
    places = (_Places({}) if base is None else base.places).under(table, lines, source)
    try:
        value = load_table(table, made, source=source, lines=lines, base=base.scenario if base else None)
    except ConfigError as error:
        problems += map(places.with_other, error.problems)
    if problems:
        raise ConfigError(problems)
    return _Loaded(value, places)


class _Unreadable(ConfigError):
    """There is no such file or profile."""


def _text_of(origin: str, beside: Path) -> tuple[str, str, Path]:
    """Return the text, the name for problems, and the folder where what it extends is looked for."""
    if origin.startswith(PROFILE):
        known, name = profiles(), origin.removeprefix(PROFILE)
        if name not in known:
            raise _Unreadable([f"there is no profile {shown(name)}{nearest(name, known)}"])
        return known[name], origin, Path()
    path = beside / origin
    if not path.suffix and path.with_suffix(".toml").exists():
        path = path.with_suffix(".toml")
    try:
        return path.read_text(encoding="utf-8"), str(path), path.parent
    except OSError as error:
        raise _Unreadable([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise _Unreadable([f"{path}: is not UTF-8 text (octet {error.start})"]) from error
