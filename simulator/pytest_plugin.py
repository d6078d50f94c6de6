"""The simulator as a pytest plugin: name ``smsc`` as a parameter of a test, and there is a carrier.

Installed with the package and without any configuration.  ``smsc`` is a `simulator.testing.TestSmsc`.  An async test
that no other plugin runs is run by trio; ``@pytest.mark.virtual_time`` gives it a clock that jumps over every wait.
Nothing of the simulator is imported before a test asks for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simulator.process import EsmeProcess
    from simulator.testing import TestSmsc

OTHERS = ("trio", "asyncio", "anyio", "twisted")
"""Markers of plugins that run async tests themselves."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "virtual_time: run this async test with a clock that jumps over every wait")


@pytest.fixture
def smsc() -> Iterator[TestSmsc]:
    """Return a simulated carrier that any credentials may bind to; see `simulator.testing.TestSmsc`."""
    from simulator.testing import TestSmsc

    carrier = TestSmsc()
    try:
        yield carrier
    finally:
        carrier.close()


@pytest.fixture
def esme_process(smsc: TestSmsc) -> Iterator[Callable[..., EsmeProcess]]:
    """Return a function that runs an ESME in a process of its own, in whatever language, until the test ends.

    ``esme_process("node", "client.js")`` finds the carrier in SMSC_HOST and SMSC_PORT; ``{host}`` and ``{port}`` in an
    argument stand for them too.
    """
    from simulator.process import EsmeProcess

    running: list[EsmeProcess] = []

    def run(*command: str, **options: Any) -> EsmeProcess:
        process = EsmeProcess(command, host=smsc.host, port=smsc.port, **options)
        running.append(process)
        return process

    try:
        yield run
    finally:
        for process in running:
            process.close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Run an async test that uses the carrier where nobody else would."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj) or "smsc" not in pyfuncitem.fixturenames:
        return None
    if any(pyfuncitem.get_closest_marker(name) for name in OTHERS):
        return None
    import trio
    from trio.testing import MockClock

    virtual = pyfuncitem.get_closest_marker("virtual_time") is not None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: value for name, value in pyfuncitem.funcargs.items() if name in wanted}

    async def test() -> None:
        await pyfuncitem.obj(**arguments)

    trio.run(test, clock=MockClock(autojump_threshold=0) if virtual else None)
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show what crossed the links where a test failed."""
    outcome: Any = yield
    report = outcome.get_result()
    carrier = getattr(item, "funcargs", {}).get("smsc")
    if report.when == "call" and report.failed and carrier is not None and hasattr(carrier, "trace"):
        report.sections.append(("smsc: what crossed the links", carrier.trace or "nothing"))
