"""The simulator as a pytest plugin: name ``smsc`` as a parameter of a test, and there is a carrier.

Installed with the package and without any configuration.  ``smsc`` is a `simulator.testing.TestSmsc`.  An async test
with it that no other plugin runs is run by trio; ``@pytest.mark.virtual_time`` gives it a clock that jumps over every
wait, and an async test that has only the mark is run so too.  Where the mark would do nothing, the test is refused.
Nothing of the simulator is imported before a test asks for it, and a project that has an ``smsc`` fixture of its own is
left alone.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeGuard

import pytest

if TYPE_CHECKING:
    from simulator.process import EsmeProcess
    from simulator.testing import TestSmsc

OTHERS = ("trio", "asyncio", "anyio", "twisted")
"""Markers of plugins that run async tests themselves."""
MARK = "virtual_time"
PROCESSES = pytest.StashKey["list[EsmeProcess]"]()
"""The processes that a test has started."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", f"{MARK}: run this async test with a clock that jumps over every wait")


def _is_marked(item: pytest.Item) -> bool:
    """Say whether a test has the mark, and the mark is this plugin's: a project may know one of the same name."""
    known = [line for line in item.config.getini("markers") if line.partition(":")[0].strip() == MARK]
    return item.get_closest_marker(MARK) is not None and len(known) == 1


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a test whose mark would do nothing."""
    if _is_marked(item):
        _refuse_a_clock_of_others(item)


@pytest.fixture
def smsc(request: pytest.FixtureRequest) -> Iterator[TestSmsc]:
    """Return a simulated carrier that any credentials may bind to; see `simulator.testing.TestSmsc`."""
    from simulator.testing import TestSmsc

    virtual = request.node.get_closest_marker(MARK) is not None
    if virtual:
        _refuse_a_clock_of_others(request.node)
    carrier = TestSmsc(virtual_time=virtual)
    try:
        yield carrier
    finally:
        carrier.close()


def _refuse_a_clock_of_others(item: Any) -> None:
    """Fail a test whose mark virtual_time would do nothing, and say what does."""
    if item.get_closest_marker("trio"):
        pytest.fail(
            "pytest-trio runs this test: take its fixture autojump_clock, not the mark virtual_time", pytrace=False
        )
    if not _is_run_here(item):
        pytest.fail(
            "the mark virtual_time is for async tests that this plugin runs, with trio: nothing else has a clock that "
            "jumps",
            pytrace=False,
        )


def _is_run_here(item: Any) -> bool:
    others = any(item.get_closest_marker(name) for name in OTHERS) or "anyio_backend" in getattr(
        item, "fixturenames", ()
    )
    return inspect.iscoroutinefunction(getattr(item, "obj", None)) and not others


def _is_ours(carrier: object) -> TypeGuard[TestSmsc]:
    """Say whether it is the carrier of this plugin, which somebody's fixture of the same name is not."""
    module = sys.modules.get("simulator.testing")
    return module is not None and isinstance(carrier, module.TestSmsc)


@pytest.fixture
def esme_process(smsc: TestSmsc, request: pytest.FixtureRequest) -> Iterator[Callable[..., EsmeProcess]]:
    """Return a function that runs an ESME in a process of its own, in whatever language, until the test ends.

    ``esme_process("node", "client.js")`` finds the carrier in SMSC_HOST and SMSC_PORT; ``{host}`` and ``{port}`` in an
    argument stand for them too.  A failed test shows how each of them fares and what it said last.
    """
    from simulator.process import EsmeProcess

    running: list[EsmeProcess] = []
    request.node.stash[PROCESSES] = running

    def run(*command: str, **options: Any) -> EsmeProcess:
        process = EsmeProcess(command, host=smsc.host, port=smsc.port, **options)
        running.append(process)
        if _is_ours(smsc):
            smsc.watch(process)
        return process

    try:
        yield run
    finally:
        for process in running:
            process.close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Run an async test that uses the carrier or virtual time where nobody else would."""
    if not _is_run_here(pyfuncitem):
        return None
    if not _is_ours(pyfuncitem.funcargs.get("smsc")) and not _is_marked(pyfuncitem):
        return None
    import trio
    from trio.testing import MockClock

    virtual = pyfuncitem.get_closest_marker(MARK) is not None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: value for name, value in pyfuncitem.funcargs.items() if name in wanted}

    async def test() -> None:
        await pyfuncitem.obj(**arguments)

    trio.run(test, clock=MockClock(autojump_threshold=0) if virtual else None)
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show what crossed the links, and how its processes fare, where a test failed."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.when == "teardown" or not report.failed:
        return
    carrier = getattr(item, "funcargs", {}).get("smsc")
    if _is_ours(carrier):
        report.sections.append(("smsc: what crossed the links", carrier.trace or "nothing"))
    started: list[EsmeProcess] = item.stash.get(PROCESSES, [])
    for number, process in enumerate(started, 1):
        report.sections.append((f"esme_process {number}", process.report))
