"""Last words about attempts whose part was sent again: what they do to the part, by what came of the newest one.  Pure.

| the newest attempt | an earlier one was delivered | an earlier one came to another end |
| --- | --- | --- |
| is on the wire | kept until that one is settled | kept until that one is settled |
| was taken by the carrier, or is lost | delivered: the subscriber has it | noted: the newest one may still arrive |
| came to nothing, or was not written | delivered, and not sent again | that end |

So it is the same whether the word comes before the answer or after it.  In the last row a part whose word was kept goes
the way of one that the carrier took, for by its own word it did: an end that was written before could not be moved any
more, and what waits again would be sent again.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import attrs

from connector.lifecycle import CAME_TO_NOTHING, Event, Status
from connector.model import Answer, Lost, Receipt
from connector.store.history import (
    NOT_FINAL,
    Settled,
    event_of,
    is_said,
    line,
    receipt_line,
    said_by,
    said_in,
    settled_line,
    since_claimed,
)
from connector.store.rules import after_answer

NO_CARRIER: Final = ""
"""In place of the carrier, where the key of a parked receipt is a part: no carrier has this name."""

OF_EARLIER: Final = "of an earlier attempt: "
"""How the details of words begin that are not about a part's newest attempt."""


class Word(NamedTuple):
    """A receipt and the part it is about."""

    receipt: Receipt
    part: int
    is_earlier: bool = False
    """Whether it is about another attempt than the one whose id the part has now."""
    is_last: bool = False
    """Whether it counts all the same: the newest attempt has come to nothing."""


def part_key(part: int) -> str:
    """Return the key under which the words about a part's earlier attempts are parked."""
    return f"part {part}"


def is_off_the_wire(result: Settled) -> bool:
    """Tell whether a part that was sent again is settled without the carrier having taken it: what tells it of an
    earlier attempt may be looked at again."""
    return isinstance(result, Lost) or (result.attempt > 1 and event_of(result) in CAME_TO_NOTHING)


def is_only_noted(word: Word, *, sent_at: float | None, is_lost: bool) -> bool:
    """Tell whether a word does not end its part, for the newest attempt may still arrive.

    ``sent_at``: when a carrier took the part; ``is_lost``: its newest attempt is lost.
    """
    if not word.is_earlier or word.is_last or word.receipt.event is Event.DELIVERED:
        return False
    return sent_at is not None or is_lost


def word_line(word: Word, *, moves: bool = False) -> str:
    """Return the line for a word.  One about an earlier attempt that does not move its part is written as none that is
    final, or it would read as the end of the newest one; and it has the id, which tells of which attempt it is."""
    receipt = word.receipt
    if not word.is_earlier:
        return receipt_line(receipt)
    end = "" if moves or receipt.event is None else str(receipt.event)
    told = (end, said_by(receipt) or "", *(f"id {written}" for written in (receipt.ids or receipt.keys)[:1]))
    event = receipt.event if moves and receipt.event is not None else NOT_FINAL
    return line(receipt.at, event, receipt.carrier, 0, OF_EARLIER + ", ".join(filter(None, told)))


def is_repeated(word: Word, history: str, carrier: str | None, attempt: int, *, is_end: bool) -> bool:
    """Tell whether the same carrier has said this last word of the same attempt before.

    ``attempt``: the newest one, through ``carrier``; ``is_end``: whether the part has come to this end.  Then another
    spelling of the word is no other word.
    """
    if word.is_earlier:
        return any(said_in(word_line(word, moves=moves)) in history for moves in (False, True))
    if not is_end:
        return is_said(history, carrier, attempt, receipt_line(word.receipt))
    said = f"|{word.receipt.event}|{word.receipt.carrier}|0|"
    since = since_claimed(history, carrier, attempt)
    return since.count(said) > since.count(said + OF_EARLIER)


@attrs.define
class Earlier:
    """Last words about earlier attempts, by part, while the newest attempts of these parts are settled."""

    words: dict[int, list[Receipt]] = attrs.field(factory=dict)
    _taken: set[tuple[int, int]] = attrs.field(factory=set)
    """(part, attempt) of which any of these results says that the carrier took it."""
    _again: set[int] = attrs.field(factory=set)
    """Parts whose newest attempt has the id of an earlier one: then there is one end for both."""
    _nothing: set[int] = attrs.field(factory=set)
    """Parts whose newest attempt came to nothing."""

    def read(self, results: Iterable[Settled]) -> None:
        """Take note of all that is to be settled: a carrier may answer twice in one read, and the word that it took
        the part counts."""
        for result in results if self.words else ():
            if isinstance(result, Answer) and result.event is Event.ACKNOWLEDGED:
                self._taken.add((result.part, result.attempt))

    def _weigh(self, result: Settled) -> tuple[Settled, str]:
        """Return what a result that moves a part's newest attempt means beside the words about earlier ones, and what
        the history says of it."""
        words = self.words.get(result.part, [])
        event = event_of(result)
        if isinstance(result, Answer) and event is Event.ACKNOWLEDGED and any(result.key in it.keys for it in words):
            self._again.add(result.part)
        if not words or event not in CAME_TO_NOTHING:
            return result, settled_line(result)
        is_delivered = any(word.event is Event.DELIVERED for word in words)
        if (result.part, result.attempt) in self._taken and not is_delivered:
            return result, settled_line(result)
        self._nothing.add(result.part)
        taken = _as_taken(result)
        return taken, settled_line(taken) + settled_line(result)

    def settle(
        self, result: Settled, status: Status, *, doubts: int, was_lost: bool
    ) -> tuple[Settled, str, Status | None, int]:
        """Return what a result of a part's newest attempt means, what the history says of it, and where it leads with
        how many doubts: see `connector.store.rules.after_answer`."""
        new, left = after_answer(status, event_of(result), doubts=doubts, was_lost=was_lost)
        if new is None:
            return result, settled_line(result), None, left
        meant, said = self._weigh(result)
        if meant is not result:
            new, left = after_answer(status, event_of(meant), doubts=doubts, was_lost=was_lost)
        return meant, said, new, left

    def in_order(self) -> Iterator[Word]:
        """Return the words, of each part those of delivery first, the others as they came."""
        for part, words in self.words.items():
            is_earlier = part not in self._again
            for word in sorted(words, key=lambda it: it.event is not Event.DELIVERED):
                yield Word(word, part, is_earlier, part in self._nothing)


def _as_taken(result: Settled) -> Answer:
    detail = "by the receipt of an earlier attempt"
    return Answer(result.part, result.attempt, Event.ACKNOWLEDGED, result.at, result.carrier, detail=detail)
