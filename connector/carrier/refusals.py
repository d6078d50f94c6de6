"""Whether a carrier's refusals are to be believed: who refuses everything says nothing about a message.  Pure."""

from typing import Final

BELIEVED: Final = 5
"""Refusals in a row, nothing to the same country accepted between them, that are still taken for the messages' fault:
of a list with a third of dead numbers, one row in two hundred is longer."""


class Refusals:
    """Counts the refusals in a row, by country."""

    def __init__(self) -> None:
        self._in_row: dict[str | None, int] = {}

    def accepted(self, country: str | None) -> None:
        """Take note of a message that the carrier took."""
        if self._in_row:
            self._in_row.pop(country, None)

    def refused(self, country: str | None) -> bool:
        """Take note of a message that was refused for what it is; tell whether that is to be believed."""
        self._in_row[country] = count = self._in_row.get(country, 0) + 1
        return count <= BELIEVED
