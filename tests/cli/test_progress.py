"""The line on a terminal while a run in virtual time goes on."""

import io
import threading

import pytest

from cli import progress
from simulator import Smsc


class Terminal(io.StringIO):
    """Notes what is written, and when so many lines have been."""

    def __init__(self, is_one: bool) -> None:
        super().__init__()
        self.is_one = is_one
        self.said = threading.Event()

    def isatty(self) -> bool:
        return self.is_one

    def write(self, text: str) -> int:
        written = super().write(text)
        if "messages accepted" in text:
            self.said.set()
        return written


def test_a_long_run_shows_on_a_terminal_how_far_it_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(True)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(progress, "FIRST_AFTER_S", 0.01)
    with progress.Progress() as shown:
        shown.watch(Smsc())
        assert terminal.said.wait(10)
    assert "carrierline: 0 s, 0 messages accepted" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\033[K"), "the line is gone when the run is over"


def test_nothing_is_shown_of_a_short_run_nor_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal, first_after_s in ((Terminal(True), 60.0), (Terminal(False), 0.0)):
        monkeypatch.setattr("sys.stderr", terminal)
        monkeypatch.setattr(progress, "FIRST_AFTER_S", first_after_s)
        with progress.Progress():
            pass
        assert terminal.getvalue() == ""
