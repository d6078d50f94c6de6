"""What comes back from a carrier, and where it is put."""

from collections.abc import Callable, Sequence
from typing import Protocol

import attrs

from connector.model import Part, Result
from connector.smpp.pdu import Pdu


@attrs.define
class Batch:
    """What came back at once: results in read order, and the answers owed once they are on disk."""

    respond: "Callable[[Sequence[Pdu]], None]"
    """To be called with ``responses`` when the results are on disk."""
    results: list[Result] = attrs.field(factory=list)
    responses: list[Pdu] = attrs.field(factory=list)
    returned: dict[int, Part] = attrs.field(factory=dict)
    """Parts that may wait again at once, by id."""
    put_at: float = 0.0
    """When it was put into the inbox."""


class Inbox(Protocol):
    """Where a carrier puts what comes back; both calls return at once."""

    def put(self, batch: Batch) -> None:
        """Take these results to disk, then answer what is owed."""

    def credit_changed(self) -> None:
        """Places became free, or a bind came or went."""
