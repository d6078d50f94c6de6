"""Last words about attempts whose part was sent again: kept until the newest attempt is settled, then weighed.  Pure.

| the newest attempt | an earlier one was delivered | an earlier one came to another end |
| --- | --- | --- |
| was taken by the carrier | delivered: the subscriber has it | noted: the newest one's own word decides |
| is lost | delivered | that end: nothing better is known |
| came to nothing, or was not written | delivered, and not sent again | that end |

In the last row the part goes the way of one that the carrier took, for by its own word it did: an end that was written
before could not be moved any more, and what waits again would be sent again.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from connector.lifecycle import Event
from connector.model import Answer, Lost, Receipt
from connector.store.history import Settled, event_of, receipt_line, said_in, settled_line

NO_CARRIER: Final = ""
"""In place of the carrier, where the key of a parked receipt is a part: no carrier has this name."""

_CAME_TO_NOTHING: Final = frozenset({Event.DEFERRED, Event.REROUTED, Event.NOT_WRITTEN, Event.REFUSED, Event.EXHAUSTED})


def part_key(part: int) -> str:
    """Return the key under which the words about a part's earlier attempts are parked."""
    return f"part {part}"


def is_off_the_wire(result: Settled) -> bool:
    """Tell whether a part that was sent again is settled without the carrier having taken it: what tells it of an
    earlier attempt may be looked at again."""
    return isinstance(result, Lost) or (result.attempt > 1 and event_of(result) in _CAME_TO_NOTHING)


@attrs.define
class Earlier:
    """Last words about earlier attempts, by part, while the newest attempts of these parts are settled."""

    words: dict[int, list[Receipt]] = attrs.field(factory=dict)

    def weigh(self, result: Settled) -> tuple[Settled, str]:
        """Return what this result of a part's newest attempt means beside the words about earlier ones, and what the
        history says of it.  What is in that history needs not be applied any more, and is forgotten here."""
        words = self.words.get(result.part)
        if not words:
            return result, settled_line(result)
        event = event_of(result)
        if event in _CAME_TO_NOTHING:
            taken = _taken(result)
            return taken, settled_line(taken) + settled_line(result)
        if event is Event.LOST or _is_known_again(result, words):
            return result, settled_line(result)
        self.words[result.part] = [word for word in words if word.event is Event.DELIVERED]
        lines = [receipt_line(word) for word in words if word.event is not Event.DELIVERED]
        # before the answer, as they came: behind it they would read as the end of the newest attempt
        return result, "".join({said_in(line): line for line in lines}.values()) + settled_line(result)

    def in_order(self) -> Iterator[tuple[Receipt, int]]:
        """Return the words with their parts, of each part those of delivery first, the others as they came."""
        for part, words in self.words.items():
            for word in sorted(words, key=lambda it: it.event is not Event.DELIVERED):
                yield word, part


def _taken(result: Settled) -> Answer:
    detail = "by the receipt of an earlier attempt"
    return Answer(result.part, result.attempt, Event.ACKNOWLEDGED, result.at, result.carrier, detail=detail)


def _is_known_again(result: Settled, words: Sequence[Receipt]) -> bool:
    """Tell whether the carrier gave the newest attempt the id of an earlier one: then there is one end for both."""
    return isinstance(result, Answer) and any(result.key in word.keys for word in words)
