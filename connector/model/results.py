"""What goes to a carrier and what comes back from it, in the order it was read."""

from typing import Final

import attrs

from connector.lifecycle import Event


@attrs.frozen
class Owner:
    """Who writes: a node and its fence, which grows with every start."""

    node: str
    fence: int


@attrs.frozen(slots=True)
class Claim:
    """A wish to have a waiting part for one carrier: attempt number ``attempt`` will be the part's newest."""

    part: int
    attempt: int
    carrier: str
    doubts: int = 0
    """Attempts of the part that are in doubt: above 0 it waits as `in_doubt`, not as `accepted`."""
    carriers: tuple[str, ...] | None = attrs.field(default=None, eq=False)
    """Those that its rule names: that its message was begun on another one counts only while it is one of them.  None:
    it always does."""


@attrs.define
class Answer:
    """What a carrier's answer means for one attempt."""

    part: int
    attempt: int
    event: Event
    at: float
    carrier: str
    carrier_message_id: str | None = None
    key: str | None = None
    """Normal form of the id, by the carrier's dialect: what receipts are looked up by."""
    to: str = ""
    """Digits of the subscriber, to tell a reused id apart."""
    due_at: float | None = None
    """When to look again: end of patience after a `sent`, end of the pause after a `deferred`."""
    burned: int = 0
    """1 if this attempt counts against the retry table."""
    reason: str | None = None
    detail: str | None = None
    """The command_status by name."""
    setback: "Setback | None" = None
    """What the part has to remember of an attempt that came to nothing."""
    country: str | None = None
    """ISO 3166 code of the destination."""
    response_s: float = 0.0
    """From the write to the answer."""
    receipt: bool = False
    """Whether a receipt is to come."""


@attrs.frozen
class DoubtPolicy:
    """What becomes of a part of which nobody knows whether the carrier has it."""

    patience_s: float
    """How long the carrier's word is awaited."""
    resends: int = 0
    """How often it may be sent in spite of that."""
    resend_after_s: float = 0.0

    def due_at(self, now: float, deadline: float, doubts: int) -> float:
        """Return when to look at it again: the moment to send it anew where that is before its deadline, or the end of
        patience, which never is.  ``doubts``: attempts in doubt, this one included."""
        again_at = now + self.resend_after_s
        return again_at if self.is_pending(again_at, deadline, doubts) else now + self.patience_s

    def is_pending(self, due_at: float, deadline: float, doubts: int) -> bool:
        """Tell whether what is due then is another try."""
        return doubts <= self.resends and due_at < deadline


@attrs.frozen
class Setback:
    """What is remembered of an attempt that came to nothing."""

    first_at: float
    """When the part was first claimed."""
    refused: bool = False
    """Whether the carrier is not to be asked again."""
    harmed: bool = False
    """Whether the bind broke over it."""


@attrs.define
class NotSent:
    """A claimed part of which provably no octet left: it goes back to its place and no attempt is counted."""

    part: int
    attempt: int
    at: float
    carrier: str
    reason: str


@attrs.define
class Lost:
    """A part whose octets left and whose answer will not come: in doubt."""

    part: int
    attempt: int
    at: float
    carrier: str
    reason: str
    due_at: float
    """When to look again: the end of patience, or the moment the lane lets it be sent again."""
    country: str | None = None
    """ISO 3166 code of the destination."""


@attrs.frozen
class Clue:
    """What tells a part in doubt by a receipt whose id is that of no answer: the answer was lost."""

    sender: str
    """Address the receipt goes to: the sender of the message."""
    text: str = ""
    """The beginning of the message, as the receipt repeats it."""
    reference: int | None = None
    """user_message_reference as the receipt echoes it (SMPP 3.4, 5.3.2.17)."""


ID_LIFETIME_S: Final = 7 * 86_400.0
"""How long an id is taken to mean one attempt: counters of ten digits, or of eight hexadecimal ones, come round."""


@attrs.define
class Receipt:
    """The carrier's word about the fate of a part."""

    carrier: str
    keys: tuple[str, ...]
    """Normal forms of its id, most trusted first: what attempts are looked up by."""
    at: float
    event: Event | None
    """None for a word that is not final: recorded, nothing moves."""
    number: str = ""
    """Digits of its addresses with a blank between (carriers swap them), to tell messages with a reused id apart."""
    detail: str | None = None
    """The carrier's own words: state and error."""
    reason: str | None = None
    """Why it was not delivered, in words that are the same for all carriers; None where the carrier did not say."""
    temporary: bool | None = None
    """Whether by that reason the same message may pass at another time."""
    done_at: float | None = None
    """When by the carrier's clock it came to that."""
    ids: tuple[str, ...] = ()
    """Its id as the carrier wrote it, one for each key; none where the keys are that."""
    numeric: bool = False
    """Whether the dialect says that ids are numbers: then equal keys of digits are equal ids."""
    lifetime_s: float = ID_LIFETIME_S
    """How long the carrier's ids mean one attempt, where the receipt does not write them as the answer did."""
    hopeful: bool = False
    """Whether this word, though not final, counts as delivery if none follows it within the lane's patience."""
    clue: Clue | None = None
    """What else may tell its part, where the carrier's dialect allows that."""


@attrs.frozen
class ParkedReceipt:
    """A receipt that is kept without a part, and why."""

    id: int
    receipt: Receipt
    why: str


@attrs.define
class Inbound:
    """A message from a subscriber, or one part of it."""

    carrier: str
    at: float
    sender: str
    to: str
    text: str
    """Without its header; empty where the octets are 8-bit data.  Whole only where the part is the message."""
    octets: bytes
    """As they came, header included: `body` is what follows it."""
    data_coding: int
    esm_class: int
    alphabet: str = "gsm"
    """What the text was read as; "binary" for 8-bit data, "uncertain" where a header is broken or a table unknown."""
    header_bytes: int = 0
    """Length of the user data header at the start of the octets."""
    reference: int | None = None
    """Shared by the parts of one message; None where it came whole."""
    wide: bool = False
    """Whether the reference had 16 bits: part of its identity."""
    total: int | None = None
    number: int | None = None
    """Of this part, 1 to ``total``."""
    destination_port: int | None = None
    source_port: int | None = None
    bind: str = ""
    """The bind it came on."""

    @property
    def body(self) -> bytes:
        """The octets behind the header: what the parts of a long message are joined from, before they are read."""
        return self.octets[self.header_bytes :]


Result = Answer | NotSent | Lost | Receipt | Inbound
