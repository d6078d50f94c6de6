"""An ESME in a process of its own, for a test: what it said is gathered, and it ends with the test.

So does whatever it has started itself: it has a process group of its own.
"""

import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

ENDS_WITHIN_S: Final = 5.0
READ_WITHIN_S: Final = 0.5
"""How long the last words of one that has ended are waited for: another that it started may hold the pipe."""
LAST_LINES: Final = 20
"""How much of what it said is shown where something failed."""


class EsmeProcess:
    """Runs a command until `close`; both its streams are read so that it never waits for a reader."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        host: str,
        port: int,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> None:
        self.command = [part.replace("{host}", host).replace("{port}", str(port)) for part in command]
        self._lines: list[str] = []
        self._is_closed = False
        self._process = subprocess.Popen(  # noqa: S603  (the command is the test's own)
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=cwd,
            start_new_session=True,
            env={**os.environ, "SMSC_HOST": host, "SMSC_PORT": str(port), **(env or {})},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None, "it was asked for"
        with self._process.stdout as said:
            for line in said:
                self._lines.append(line.rstrip("\n"))

    @property
    def lines(self) -> list[str]:
        """What it has said so far, on both its streams."""
        return list(self._lines)

    @property
    def status(self) -> int | None:
        """Its exit status, negative for the signal that ended it; None while it runs."""
        return self._process.poll()

    @property
    def is_gone(self) -> bool:
        """Whether it has ended, and with it all that it has started itself."""
        if self.status is None:
            return False
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # somebody of the group is there who is not ours to ask
            return False
        return False

    @property
    def summary(self) -> str:
        """How it fares and the last that it said, in one line."""
        said = next((line for line in reversed(self._said()) if line.strip()), "nothing")
        return f"{self.command[0]} {self._fares()}, it said last: {said}"

    @property
    def report(self) -> str:
        """Its command, how it fares, and the last lines that it said."""
        return "\n".join([f"$ {shlex.join(self.command)}", f"it {self._fares()}; it said last:", *self._said()])

    def _said(self) -> list[str]:
        if self.status is not None:
            self._reader.join(READ_WITHIN_S)
        return self._lines[-LAST_LINES:]

    def _fares(self) -> str:
        status = self.status
        if status is None:
            return "still runs"
        return (
            f"has ended with status {status}"
            if status >= 0
            else f"was ended by signal {-status} ({signal.strsignal(-status)})"
        )

    def wait(self, within_s: float = 30.0) -> int:
        """Return its exit status; AssertionError with what it said if it does not end within this time."""
        try:
            status = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            said = "\n".join(self._lines[-LAST_LINES:])
            raise AssertionError(f"{self.command[0]} has not ended after {within_s:g} s; it said:\n{said}") from None
        self._reader.join(ENDS_WITHIN_S)
        return status

    def close(self) -> None:
        """End it and what it has started, by force if need be; a second time does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self._process.poll()
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(ENDS_WITHIN_S)
            self._reader.join(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            pass  # the next signal cannot be ignored
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join(ENDS_WITHIN_S)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # nobody of the group is left
            os.killpg(self._process.pid, number)
