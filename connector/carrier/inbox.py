"""What comes back from a carrier, and where it is put."""

from collections.abc import Callable, Sequence
from typing import Protocol

import attrs

from connector.model import Part, Result
from connector.smpp import tables
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

    def refuse(self) -> int:
        """Answer "not now" (SMPP 3.4, 5.1.3) to all that is owed: the carrier keeps it and sends it again.

        Returns how many that were; nothing is owed after it.
        """
        responses, self.responses = self.responses, []
        for response in responses:
            response.command_status = tables.ESME_RX_T_APPN
        if responses:
            self.respond(responses)
        return len(responses)


class Inbox(Protocol):
    """Where a carrier puts what comes back; both calls return at once."""

    def put(self, batch: Batch) -> None:
        """Take these results to disk, then answer what is owed."""

    def credit_changed(self) -> None:
        """Places became free, or a bind came or went."""
