import pytest

from tests.cli.calls import Caller


@pytest.fixture
def carrierline(capsys: pytest.CaptureFixture[str]) -> Caller:
    """The command line, to be called with its arguments."""
    return Caller(capsys)
