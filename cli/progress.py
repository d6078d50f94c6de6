"""A line on a terminal while a run in virtual time goes on, which prints nothing itself before its end.

A thread of its own writes it: a task beside the others would be one more in the order that a seed decides.
"""

import sys
import threading
import time
from types import TracebackType
from typing import Final

from simulator.smsc import Smsc

FIRST_AFTER_S: Final = 5.0
EVERY_S: Final = 1.0
_AWAY: Final = "\r\033[K"
"""Back to the beginning of the line, and what stands there is gone."""


class Progress:
    """Shows on standard error how far a run has come, from its fifth second on, where that is a terminal."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, name="progress", daemon=True)
        self._smsc: Smsc | None = None

    def watch(self, smsc: Smsc) -> None:
        """Tell of this carrier."""
        self._smsc = smsc

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _show(self) -> None:
        began_at, shown, wait_s = time.monotonic(), False, FIRST_AFTER_S
        while not self._over.wait(wait_s):
            wait_s, shown = EVERY_S, True
            messages = 0 if self._smsc is None else self._smsc.ledger.accepted
            self._say(f"{_AWAY}carrierline: {time.monotonic() - began_at:.0f} s, {messages:,} messages accepted")
        if shown:
            self._say(_AWAY)

    def _say(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
