"""Messages on their way in, and the link they come on, as the rooms that take them see both."""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import attrs

from connector.smpp.pdu import DataSm, Pdu, SubmitSm
from simulator.accounts import Account
from simulator.limits import Bucket
from simulator.link.answers import Changed
from simulator.receipts import Delivery
from simulator.rules import Asker

Submit = SubmitSm | DataSm


@attrs.frozen
class Batch:
    """Messages that came together, each with its number: the nth that came in all, whatever becomes of it.

    What is drawn for one goes by its number, so that a rule that refuses another shifts nothing.
    """

    pdus: Sequence[Submit]
    numbers: Sequence[int]

    def __len__(self) -> int:
        return len(self.pdus)

    def cut(self, start: int, end: int | None) -> "Batch":
        """Return those from one place up to another."""
        return Batch(self.pdus[start:end], self.numbers[start:end])

    def only(self, places: Sequence[int]) -> "Batch":
        """Return those at these places."""
        return Batch([self.pdus[place] for place in places], [self.numbers[place] for place in places])


class Submitter(Asker, Protocol):
    """A bound session as the intake sees it."""

    number: int
    """Of its link."""

    account: Account | None
    bucket: Bucket | None
    shared_number: int | None
    """The number whose id all messages of a submit_multi have; None for messages with ids of their own."""
    unanswered: int
    """Requests of the peer whose answer is still due."""
    own: deque[Delivery]

    def spell(self, number: int, /) -> str:
        """Return the id of a message of this number."""

    @property
    def held(self) -> bool:
        """Whether what comes was held back by a black hole: the ESME may have given it up long ago."""

    @property
    def origin(self) -> object:
        """The link itself."""

    def answer(self, responses: Sequence[Pdu | Changed]) -> None:
        """Send them with what goes out next."""

    def answer_at(self, at: float, response: Pdu | Changed) -> None:
        """Send one at this time."""

    def offended(self, number: int, now: float) -> None:
        """Take note of messages refused for the limits' sake."""
