"""Parts handed to one link and not yet written: encoded a handful at a time, after a last look at each."""

from collections.abc import Sequence

from connector.carrier.inbox import Batch
from connector.carrier.signs import Signs
from connector.carrier.terms import Terms
from connector.errors import EncodeError
from connector.model import NotSent, Part, Reason
from connector.smpp.pdu import Pdu
from connector.smpp.session import Session

PARTS_PER_WRITE = 50
"""One write takes few enough for a narrow line, so that what we owe in answers never waits behind a whole window."""


class Submissions:
    """What waits to be written on one link.  Everything that is not written is put into the batch it is given."""

    def __init__(self, terms: Terms, session: Session, signs: Signs) -> None:
        self._terms = terms
        self._session = session
        self._signs = signs
        self._parts: list[Part] = []

    def __len__(self) -> int:
        return len(self._parts)

    def add(self, parts: Sequence[Part]) -> None:
        """Let these be written with the next ones."""
        self._parts += parts

    def give_back(self, reason: Reason, batch: Batch) -> None:
        """Let none of them be written."""
        now = self._terms.clock()
        parts, self._parts = self._parts, []
        for part in parts:
            self._not_sent(part, reason, batch, now)

    def octets(self, batch: Batch) -> bytes:
        """Return the octets of the next handful; of one that is all too late there are none."""
        now, submit_sm = self._terms.clock(), self._terms.translator.submit_sm
        last_look = self._terms.translator.last_look
        parts, self._parts = self._parts[:PARTS_PER_WRITE], self._parts[PARTS_PER_WRITE:]
        requests: list[Pdu] = []
        tokens: list[Part] = []
        for part in parts:
            against = Reason.DEADLINE if part.deadline <= now else last_look(part, now)
            if against is not None:
                self._not_sent(part, against, batch, now)
                continue
            try:
                requests.append(submit_sm(part, now))
                tokens.append(part)
            except EncodeError as error:
                batch.results.append(self._terms.translator.unencodable(part, error, now))
        self._signs.submitted_at = now
        try:
            return self._session.submit(requests, tokens, now)
        except EncodeError:
            return b"".join(self._one(*pair, batch, now) for pair in zip(requests, tokens, strict=True))

    def _one(self, request: Pdu, part: Part, batch: Batch, now: float) -> bytes:
        """Encode apart from its neighbours what came with one that does not fit."""
        try:
            return self._session.submit([request], [part], now)
        except EncodeError as error:
            batch.results.append(self._terms.translator.unencodable(part, error, now))
            return b""

    def _not_sent(self, part: Part, reason: Reason, batch: Batch, now: float) -> None:
        batch.results.append(NotSent(part.id, part.attempt, now, self._terms.carrier, reason))
        batch.returned[part.id] = part
