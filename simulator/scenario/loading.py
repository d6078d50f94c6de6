"""From a file to a scenario, with what it extends."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final

from connector.errors import ConfigError
from connector.key_lines import key_lines
from connector.settings import load_table, nearest, parse_table, shown
from simulator.scenario.whole import Scenario

PROFILE: Final = "profile:"
MOST_GENERATIONS: Final = 10


def profiles() -> Mapping[str, str]:
    """Return the TOML text of each behaviour profile that is shipped, by its name."""
    folder = resources.files("simulator") / "profiles"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return {file.name.removesuffix(".toml"): file.read_text(encoding="utf-8") for file in files}


def load_scenario(origin: str | Path) -> Scenario:
    """Return the scenario in a file, or of a profile that is shipped (``"profile:hex-dec"``).

    ConfigError holds every problem of the file and of those it extends, one line each, with its line number.
    """
    return _load(str(origin), Path(), ())


def scenario_of(text: str, *, source: str, base: Scenario) -> Scenario:
    """Return the scenario in a text: as ``base`` where it says nothing, or as what it ``extends`` where it does.

    ConfigError holds every problem, as `load_scenario` has them; files are looked for in the working directory.
    """
    return _made(text, source, Path(), (), base)


def _load(origin: str, beside: Path, heirs: tuple[str, ...]) -> Scenario:
    text, source, folder = _text_of(origin, beside)
    return _made(text, source, folder, heirs, None)


def _made(text: str, source: str, folder: Path, heirs: tuple[str, ...], base: Scenario | None) -> Scenario:
    if source in heirs or len(heirs) >= MOST_GENERATIONS:
        raise ConfigError([f"{source}:1: extends: goes in a circle: {' → '.join((*heirs, source))}"])
    table, lines = parse_table(text, source), key_lines(text)
    problems: list[str] = []
    parent = table.get("extends")
    if isinstance(parent, str):
        try:
            base = _load(parent, folder, (*heirs, source))
        except _Unreadable as error:
            problems = [f"{source}:{lines.get(('extends',), 1)}: extends: {error}"]
        except ConfigError as error:
            problems = list(error.problems)
    try:
        scenario = load_table(table, Scenario, source=source, lines=lines, base=base)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return scenario


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
