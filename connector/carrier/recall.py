"""Parts that a caller wants back from the carrier that took them: cancel_sm, in the window like any other request."""

from collections.abc import Callable, Sequence

import attrs
import trio

from connector.carrier.translate import Translator
from connector.errors import EncodeError
from connector.model import Reason
from connector.smpp.session import Session

PLACE_WITHIN_S = 5.0
"""How long a cancel_sm waits for a bind with a free place: somebody waits for the answer."""


@attrs.define(eq=False)
class Recall:
    """A wish to have one part back, and what came of it."""

    part: int
    carrier_message_id: str
    """As the carrier gave it.  Never empty: without one a cancel_sm means all that waits for these addresses (SMPP 3.4,
    4.9)."""
    sender: str = attrs.field(repr=False)
    to: str = attrs.field(repr=False)
    said: str = ""
    """Name of the command_status in the answer, or why there is none: no_bind, our_encoding, no_answer, link_lost."""
    written: trio.Event = attrs.field(factory=trio.Event, repr=False)
    """Set when it is in a window, or never will be."""
    told: trio.Event = attrs.field(factory=trio.Event, repr=False)
    """Set with what was said."""

    def tell(self, said: str) -> None:
        """Note what came of it; the first word counts, for somebody has acted on it."""
        if not self.told.is_set():
            self.said = said
            self.written.set()
            self.told.set()


class Recalls:
    """The cancel_sm of one carrier that wait for a place; its links fetch them."""

    def __init__(self, room: Callable[[], int], stir: Callable[[], None]) -> None:
        """``room`` tells how many places nothing is claimed for; ``stir`` wakes the links."""
        self._room = room
        self._stir = stir
        self._waiting: list[Recall] = []

    def __len__(self) -> int:
        return len(self._waiting)

    async def ask(self, recalls: Sequence[Recall]) -> None:
        """Return when each has been told what came of it: in `PLACE_WITHIN_S` and a response timer at most."""
        self._waiting += recalls
        self._stir()
        try:
            with trio.move_on_after(PLACE_WITHIN_S):
                for recall in recalls:
                    await recall.written.wait()
        finally:
            self._withdraw(recalls)
        for recall in recalls:
            await recall.told.wait()

    def _withdraw(self, recalls: Sequence[Recall]) -> None:
        late = [recall for recall in recalls if not recall.written.is_set()]
        self._waiting = [recall for recall in self._waiting if recall not in late]
        for recall in late:
            recall.tell(Reason.NO_BIND)

    def stir(self) -> None:
        """Say that there may be a place now."""
        if self._waiting:
            self._stir()

    def octets(self, session: Session, free: int, translator: Translator, now: float) -> bytes:
        """Return the octets of as many as a link with so many ``free`` places takes without taking one from a part."""
        count = max(0, min(free, self._room()))
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return b"".join(_octets(recall, session, translator, now) for recall in taken)


def _octets(recall: Recall, session: Session, translator: Translator, now: float) -> bytes:
    try:
        request = translator.cancel_sm(recall.carrier_message_id, recall.sender, recall.to)
        octets = session.submit([request], [recall], now)
    except EncodeError:
        recall.tell(Reason.OUR_ENCODING)
        return b""
    recall.written.set()
    return octets
