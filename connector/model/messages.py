"""A message on its way in: the request, the row it becomes, its parts, and what became of the request."""

from collections.abc import Mapping
from typing import Any

import attrs

from connector.model.ids import part_id
from connector.model.results import Answer

REROUTE_LOOK_S = 1.0
"""A part of several that its carrier does not take is looked at again after so long: its siblings are answered then."""


@attrs.frozen(kw_only=True)
class SendRequest:
    """What a caller asks, before anything is normalised."""

    to: str
    text: str | None = None
    template: str | None = None
    """Name of a text kept by us; no templates are known yet, so naming one is refused."""
    variables: Mapping[str, str] | None = None
    locale: str | None = None
    sender: str | None = None
    """``from`` at the doors."""
    lane: str | None = None
    client_ref: str | None = None
    """The caller's own name for this message: a second request with it creates no second message."""
    country: str | None = None
    """ISO 3166 code that national spellings of ``to`` are read by."""
    send_at: float | None = None
    deadline: float | None = None
    """A moment after which it is of no use."""
    deadline_in_s: float | None = None
    """The same counted from the moment it may be sent; not both."""
    metadata: Mapping[str, Any] | None = None
    receipt: bool = True
    options: Mapping[str, Any] | None = None
    """Named SMPP fields and TLVs, as far as the API key may set them."""


@attrs.frozen(kw_only=True)
class Message:
    """One text to one person, normalised, ready to be kept."""

    id: int
    api_key: str
    lane: str
    queue: int
    to: str
    """E.164 digits without the plus."""
    sender: str
    text: str
    alphabet: str
    reference: int
    """Concatenation reference of its parts; 0 for a single part."""
    bounds: tuple[tuple[int, int], ...]
    """Character offsets of each part in ``text``."""
    created_at: float
    deadline: float
    send_at: float | None = None
    country: str | None = None
    client_ref: str | None = None
    refs: tuple[tuple[str, bytes], ...] = ()
    """What may not be accepted twice: (reference within the API key, fingerprint of what was asked under it)."""
    guard: tuple[str, bytes] | None = None
    """The Idempotency-Key of the whole request and its fingerprint: another fingerprint under it is a conflict."""
    metadata: str | None = None
    """JSON text."""
    options: str | None = None
    """JSON text."""
    receipt: bool = True

    def parts(self) -> list["Part"]:
        """Return its parts as they wait, none tried yet."""
        total = len(self.bounds)
        return [
            Part(
                id=part_id(self.id, number if total > 1 else 0),
                number=number,
                total=total,
                queue=self.queue,
                lane=self.lane,
                to=self.to,
                sender=self.sender,
                text=self.text[start:end] if total > 1 else self.text,
                alphabet=self.alphabet,
                reference=self.reference,
                deadline=self.deadline,
                receipt=self.receipt,
                options=self.options,
                country=self.country,
            )
            for number, (start, end) in enumerate(self.bounds, 1)
        ]


@attrs.define(kw_only=True)
class Part:
    """One submit_sm to be, with all that is needed to write it.  Treated as a value; unfrozen because frozen costs
    a microsecond a part on the hot path."""

    id: int
    number: int
    total: int
    queue: int
    lane: str
    to: str
    sender: str
    text: str
    alphabet: str
    reference: int
    deadline: float
    receipt: bool = True
    options: str | None = None
    country: str | None = None
    """ISO 3166 code of the destination."""
    attempt: int = 0
    """Claims so far; a claim is made with the next number."""
    tries: int = 0
    """Attempts that count against the lane's retry table."""
    pinned: str | None = None
    """The carrier that has other parts of the same message."""
    last: str | None = None
    """The carrier it was last claimed for."""
    refused: tuple[str, ...] = ()
    """Carriers that do not take it."""
    doubts: int = 0
    """Attempts that are in doubt: above 0, claiming it is sending it again in spite of that."""
    harms: int = 0
    """How often the bind broke that it was sent on."""
    first_at: float | None = None
    """When it was first claimed, once an attempt has come to nothing."""

    @property
    def message_id(self) -> int:
        return self.id >> 8

    def remember(self, answer: "Answer") -> None:
        """Note here what the answer's commit notes on disk."""
        self.tries += answer.burned
        setback = answer.setback
        if setback is None:
            return
        if self.first_at is None:
            self.first_at = setback.first_at
        if setback.refused and answer.carrier not in self.refused:
            self.refused += (answer.carrier,)
        self.harms += setback.harmed


@attrs.frozen(kw_only=True)
class Verdict:
    """What became of one row of a request.  ``message`` is set when it is kept, now or before."""

    message: int | None = None
    replayed: bool = False
    reason: str | None = None
    field: str | None = None
    text: str | None = None
    """One sentence for the caller."""
    to: str | None = None
    parts: int = 0

    @property
    def accepted(self) -> bool:
        return self.message is not None and self.reason is None


@attrs.frozen
class Kept:
    """The message is on disk."""

    message: int


@attrs.frozen
class Duplicate:
    """The same request was kept before, as this message."""

    message: int


@attrs.frozen
class Conflict:
    """The reference was used before for another request: that message."""

    message: int
    ref: str
