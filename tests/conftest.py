"""Under CI a skipped test is a failure: everything it needs is installed there."""

import os

import pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and os.environ.get("CI"):
        reporter.write_line(f"{len(skipped)} tests were skipped, and under CI none may be", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
