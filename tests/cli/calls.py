"""Calls of the command line in this process, as the entry point makes them."""

import attrs
import pytest

from cli import main


@attrs.frozen
class Ended:
    """How a call ended."""

    status: int
    out: str
    err: str


@attrs.frozen
class Caller:
    """Calls, and hands over what was printed."""

    _printed: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Ended:
        self._printed.readouterr()
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        printed = self._printed.readouterr()
        return Ended(int(end.value.code or 0), printed.out, printed.err)
