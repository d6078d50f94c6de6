"""Imports point one way, time and chance are handed in, and nothing grows too large."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONNECTOR_TOP = {path.stem for path in (ROOT / "connector").glob("*.py")} - {"__init__"}
CONNECTOR_ROOMS = {path.parent.name for path in (ROOT / "connector").glob("*/__init__.py")}

# who → whom it may import.  A name with a dot is a module, one without is a room or a file of connector/.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "key_lines": {"errors"},
    "settings": {"errors", "key_lines"},
    "lifecycle": {"errors"},
    "model": {"lifecycle"},
    "config": {"settings", "errors", "key_lines", "smpp.tables", "smpp.outcomes", "smpp.delivery_errors", "smpp.tlv"},
    "smpp": {"errors"},
    "store": {"model", "lifecycle", "errors"},
    "carrier": {"smpp", "model", "config", "errors", "lifecycle"},
    "policy": {"model", "errors", "config", "smpp.parts", "smpp.alphabet"},
    "pipeline": {"policy", "carrier", "store", "model", "lifecycle", "config", "errors"},
    "metrics": {"model", "pipeline", "lifecycle"},
    "api": {"pipeline", "model", "lifecycle", "policy", "metrics", "config", "settings", "errors"},
    "delimited": {"errors"},
    "contacts": {"delimited", "policy", "settings", "model", "errors"},
    "client": {"model", "errors"},
    "reader": {"api", "store", "model", "errors"},
    "offline": {"pipeline", "store", "model"},
    "dry_run": {"api", "pipeline", "config", "settings", "model", "errors"},
    "reload": {"config", "errors"},
    "watchdog": set(),
    "disk": {"config", "store"},
    "facts": {"carrier", "store", "errors"},
    "drain": {"pipeline"},
    "clock": set(),
    "failures": {"carrier", "smpp", "config", "lifecycle", "model", "settings"},
    "carriers": {"carrier", "config"},
    "app": CONNECTOR_TOP | CONNECTOR_ROOMS,
    "opening": {"app", "clock", "config", "settings", "store"},
    "simulator": {"smpp", "settings", "errors", "key_lines"},
    "cli": {
        "app",
        "opening",
        "reader",
        "offline",
        "dry_run",
        "failures",
        "client",
        "contacts",
        "config",
        "errors",
        "model",
        "lifecycle",
        "smpp",
        "api.app",
    },
    "perf": CONNECTOR_TOP | CONNECTOR_ROOMS,
}
TOP_LEVEL = {"connector", "simulator", "cli", "perf"}
MAY_IMPORT_TOP: dict[str, set[str]] = {
    "connector": {"connector"},
    "simulator": {"connector", "simulator"},
    "cli": {"connector", "simulator", "perf", "cli"},
    "perf": TOP_LEVEL,
}
FORBIDDEN_IN_THE_ENGINE = {"time", "random", "uuid", "socket", "secrets", "datetime.now"}
ENGINE = ("smpp", "carrier", "pipeline")
LONGEST_MODULE, LONGEST_FUNCTION = 450, 60
TABLES = {"connector/smpp/tables.py", "connector/smpp/pdu.py"}


def _modules() -> Iterator[Path]:
    for top in sorted(TOP_LEVEL):
        yield from sorted((ROOT / top).rglob("*.py"))


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            for alias in node.names:
                target = f"{node.module}.{alias.name}"
                is_module = (ROOT / (target.replace(".", "/") + ".py")).exists()
                yield node.lineno, target if is_module else str(node.module)


def _room(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "connector" and len(parts) > 1 else parts[0]


def _allowed(room: str, imported: str) -> bool:
    _, _, inside = imported.partition(".")
    target = inside.split(".")[0]
    return target == room or target in MAY_IMPORT[room] or inside in MAY_IMPORT[room] or not inside


@pytest.mark.parametrize("path", list(_modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    top = path.relative_to(ROOT).parts[0]
    for line, imported in _imports(path):
        first = imported.split(".")[0]
        if first not in TOP_LEVEL:
            continue
        assert first in MAY_IMPORT_TOP[top], f"{path}:{line}: {top} may not import {imported}"
        if first == "connector" and path.name != "__init__.py":
            assert _allowed(_room(path), imported), f"{path}:{line}: {_room(path)} may not import {imported}"


@pytest.mark.parametrize("room", ENGINE)
def test_the_engine_takes_time_and_chance_as_arguments(room: str) -> None:
    for path in sorted((ROOT / "connector" / room).rglob("*.py")):
        tree = ast.parse(path.read_text())
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        module_calls = {name for name in called if name.split(".")[0] in FORBIDDEN_IN_THE_ENGINE and "." in name}
        parameters = {arg.arg for node in ast.walk(tree) if isinstance(node, ast.arguments) for arg in node.args}
        bad = {name for name in module_calls if name.split(".")[0] not in parameters | {"random"}}
        assert not bad, f"{path} calls {bad}"


def test_smpp_knows_neither_io_nor_time() -> None:
    for path in sorted((ROOT / "connector" / "smpp").rglob("*.py")):
        outside = {name.split(".")[0] for _, name in _imports(path)} & {"trio", "time", "logging", "socket", "random"}
        assert not outside, f"{path} imports {outside}"


def test_only_metrics_knows_prometheus() -> None:
    users = [path for path in _modules() if any(name.startswith("prometheus") for _, name in _imports(path))]
    assert [path.name for path in users] == ["metrics.py"]


@pytest.mark.parametrize("path", list(_modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    if str(path.relative_to(ROOT)) not in TABLES:
        assert len(text.splitlines()) <= LONGEST_MODULE, f"{path} has {len(text.splitlines())} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{path}:{node.lineno}: {node.name} has {length} lines"


def test_no_broad_except_but_at_the_edge_of_a_thread() -> None:
    for path in _modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "everything"
                broad = caught in {"Exception", "BaseException", "everything"}
                assert not broad or path.name == "batcher.py", f"{path}:{node.lineno} catches {caught}"


def test_every_top_level_folder_says_who_lives_there() -> None:
    for folder in (*TOP_LEVEL, "tests"):
        assert (ROOT / folder / "README.md").is_file(), folder
