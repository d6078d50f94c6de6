"""Messages from subscribers, as they are kept, joined, routed and listed."""

import attrs

from connector.model.results import Inbound


@attrs.frozen
class InboundPart:
    """A deliver_sm from a subscriber as it is kept."""

    id: int
    """Grows with the order in which they were kept, and never comes again."""
    said: Inbound
    message: int | None = None
    """The message it was told in; None while it is open."""
    repeated: bool = False
    """Whether that message had it already: the carrier sent it again."""
    fence: int = 0
    """Fence of the life that kept it: of two lives the later one has the larger."""


@attrs.frozen(kw_only=True)
class InboundMessage:
    """What a subscriber wrote: joined, read and routed."""

    id: int
    """Of the same kind as the ids of messages: a cursor."""
    carrier: str
    at: float
    """When its first part came."""
    sender: str
    """The subscriber.  Both addresses are digits without plus or 00; a name stays as it came."""
    to: str
    text: str
    """Empty where the octets are 8-bit data.  Where parts are missing, the others follow each other directly."""
    data: bytes | None = None
    """The octets behind the headers, where they are no text."""
    alphabet: str = "gsm"
    """What the text was read as; see `Inbound.alphabet`."""
    total: int = 1
    """Parts it should have."""
    missing: tuple[int, ...] = ()
    """Numbers of those that did not come in time."""
    continues: int | None = None
    """The partial message that these parts came too late for."""
    destination_port: int | None = None
    api_key: str | None = None
    """Whose it is; None if no rule and no message of ours says so."""
    matched: str | None = None
    """What decided: "rule NAME", or "reply" for the last message to that subscriber from that number."""
    reply_to: int | None = None
    """That message."""
    parts: tuple[int, ...] = ()
    """Ids of its `InboundPart`s by their number; of one without a number, that one."""
    client_ref: str | None = attrs.field(default=None, eq=False)
    """Of the message it replies to, when it is read."""
    metadata: str | None = attrs.field(default=None, eq=False)
    """The same: JSON text."""

    @property
    def partial(self) -> bool:
        return bool(self.missing)


@attrs.frozen
class Repeat:
    """A part that is the carrier's second copy of one that was told in this message."""

    part: int
    message: int


@attrs.frozen
class Recipient:
    """A question: what was last sent to this number since then?"""

    to: str
    since: float


@attrs.frozen
class Sent:
    """A message of ours that a subscriber may be answering."""

    id: int
    api_key: str
    sender: str
    carrier: str | None
    """Of its newest attempt."""


@attrs.frozen(kw_only=True)
class InboundQuery:
    """Which inbound messages to list.  ``api_key`` None means all of them, those of nobody included."""

    api_key: str | None = None
    id: int | None = None
    sender: str | None = None
    to: str | None = None
    unmatched: bool = False
    """Only those of nobody."""
    limit: int = 100
    after: int | None = None
    """Cursor: only larger ids, oldest first; without it the newest come first."""
    before: int | None = None
    """Cursor: only smaller ids."""
