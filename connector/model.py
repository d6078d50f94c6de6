"""The values that travel through the connector: frozen, with units in their names.

Times are seconds since the Unix epoch, as floats.  Ids are integers ordered by time; their text form is `format_id`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import attrs

from connector.lifecycle import Event, Status

MAX_PARTS = 255
"""Parts of one message: the concatenation header counts in one octet."""

REROUTE_LOOK_S = 1.0
"""A part of several that its carrier does not take is looked at again after so long: its siblings are answered then."""

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_ID_LENGTH = 11


def format_id(message_id: int) -> str:
    """Return the text form of a message id: 11 characters, sorting as the ids do, nothing to mistake for another."""
    return "".join(_DIGITS[message_id >> shift & 31] for shift in range(50, -1, -5))


def parse_id(text: str) -> int | None:
    """Return the id whose text form this is, or None if it is not one."""
    if len(text) != _ID_LENGTH or any(character not in _VALUES for character in text):
        return None
    value = 0
    for character in text:
        value = value << 5 | _VALUES[character]
    return value


def part_id(message_id: int, number: int) -> int:
    """Return the id of a part: number 0 for the only part of a message, 1 to 255 for one of several.

    So an id alone tells whether its part *is* the message, and no look-up is needed to know it.
    """
    return message_id << 8 | number


def is_whole(part: int) -> bool:
    """Tell whether this part id is the only part of its message."""
    return part & 0xFF == 0


def user_message_reference(part: int) -> int:
    """Return our own number for a part, of 16 bits, that carriers may echo (SMPP 3.4, 5.3.2.17)."""
    return (part >> 8) * 0x9E37 + (part & 0xFF) & 0xFFFF


class Reason(StrEnum):
    """Why a row was refused, a request not taken, or a message ended.  Users read these words: they never change."""

    # a row at the door
    BAD_REQUEST = "bad_request"
    NUMBER_MISSING = "number_missing"
    NUMBER_INVALID = "number_invalid"
    COUNTRY_UNKNOWN = "country_unknown"
    TEXT_MISSING = "text_missing"
    TEXT_TOO_LONG = "text_too_long"
    SENDER_INVALID = "sender_invalid"
    LANE_UNKNOWN = "lane_unknown"
    LANE_NOT_ALLOWED = "lane_not_allowed"
    OPTION_NOT_ALLOWED = "option_not_allowed"
    OPTION_INVALID = "option_invalid"
    METADATA_TOO_LARGE = "metadata_too_large"
    TIME_INVALID = "time_invalid"
    TEMPLATE_UNKNOWN = "template_unknown"
    NO_ROUTE = "no_route"
    CLIENT_REF_REUSED = "client_ref_reused"
    DUPLICATE = "duplicate"
    # a whole request
    QUEUE_FULL = "queue_full"
    DRAINING = "draining"
    DISK_LOW = "disk_low"
    STILL_RUNNING = "still_running"
    KEY_REUSED = "key_reused"
    # the end of a part
    DEADLINE = "deadline"
    REFUSED_BY_CARRIER = "refused_by_carrier"
    OUR_ENCODING = "our_encoding"
    ATTEMPTS_USED_UP = "attempts_used_up"
    TIME_USED_UP = "time_used_up"
    COST_CAP = "cost_cap"
    SET_ASIDE = "set_aside"
    NO_ANSWER = "no_answer"
    LINK_LOST = "link_lost"
    RESTARTED = "restarted"
    NO_FINAL_WORD = "no_final_word"
    ACCEPTED_ONLY = "accepted_only"
    CANCELLED_BY_CALLER = "cancelled_by_caller"
    RECALLED_BY_CARRIER = "recalled_by_carrier"
    # an attempt that did not come about
    THROTTLED = "throttled"
    TEMPORARY = "temporary"
    OTHER_ROUTE = "other_route"
    SECOND_OPINION = "second_opinion"
    BIND_SICK = "bind_sick"
    QUIET_HOURS = "quiet_hours"
    TOO_LATE_TO_RESEND = "too_late_to_resend"
    NO_BIND = "no_bind"
    SUSPENDED = "suspended"


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


# --- what comes back, in the order it was read --------------------------------------------------------------------


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


# --- what the store answers -----------------------------------------------------------------------------------------


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


@attrs.frozen
class Move:
    """A change asked for from outside the carrier's word: cancel, expire, give up waiting, make due."""

    part: int
    event: Event
    reason: str | None = None
    due_at: float | None = None
    """When to look again, for what is postponed or held."""


@attrs.frozen
class Due:
    """A part whose time has come: scheduled, pausing before another try, to be sent again, or out of patience."""

    part: int
    status: Status
    queue: int
    due_at: float = 0.0
    deadline: float = 0.0
    doubts: int = 0
    reason: str | None = None
    """Why it stands where it stands."""


@attrs.frozen
class Unsettled:
    """A live part that has not left, with what decides the queue it belongs in."""

    part: int
    queue: int
    lane: str
    api_key: str
    to: str
    sender: str
    country: str | None
    options: str | None


@attrs.frozen
class Refile:
    """A wish to put a part that has not left into another queue: it still is in ``old``."""

    part: int
    old: int
    new: int


@attrs.frozen
class Refiled:
    """A part that really came into another queue."""

    part: int
    old: int
    new: int
    waited: bool
    """Whether it could have been claimed out of the old queue, as now out of the new one."""


@attrs.frozen
class Wanted:
    """A wish for the next waiting parts of a queue, after the place (deadline, id) already held in memory."""

    queue: int
    after: tuple[float, int] | None
    limit: int


@attrs.frozen
class EventBatch:
    """Parts that came to one status in one commit: a row of the event log."""

    seq: int
    at: float
    status: Status
    parts: tuple[int, ...]


@attrs.frozen
class Moved:
    """A part that really changed its status."""

    part: int
    status: Status
    left: int | None = None
    """The queue it waited in until now, where it was no claim that took it from there.  A part that waits again after a
    late answer has left too: whoever has it brings it back."""
    queue: int | None = attrs.field(default=None, eq=False)
    """The queue it is in; None where it was on the wire until now, and so is where it was when it left."""
    freed: tuple[str, ...] | None = attrs.field(default=None, eq=False)
    """Of a part of several that waits again: no carrier has anything of its message, so all of it may go anywhere but
    through these, which have refused it; None where it stays where it is."""


@attrs.frozen
class QueueName:
    """What a queue is: traffic of one lane, under one route rule, from one API key."""

    lane: str
    rule: str
    api_key: str
    scope: str = ""
    """The sender and the country, as far as a carrier of the rule limits them: "sender ACME".  So the backlog of one
    that may send little stands in nobody's way."""


@attrs.frozen
class QueueState:
    """A queue as it stands on disk."""

    queue: int
    name: QueueName
    waiting: int


@attrs.frozen(kw_only=True)
class TimelineEntry:
    """One thing that happened to a part."""

    at: float
    part: int
    event: str
    carrier: str | None = None
    attempt: int = 0
    detail: str | None = None


@attrs.frozen(kw_only=True)
class MessageView:
    """A message as the read doors show it."""

    id: int
    status: Status
    to: str
    sender: str
    lane: str
    api_key: str
    parts: int
    created_at: float
    deadline: float
    client_ref: str | None
    country: str | None
    send_at: float | None
    metadata: str | None
    carrier: str | None
    carrier_message_id: str | None
    sent_at: float | None
    finished_at: float | None
    reason: str | None
    """Why it stands where it stands: one of `Reason`, or of the words receipts are put into, the same for all
    carriers.  None where nobody gave one; what a carrier said itself is in the timeline."""
    temporary: bool | None = None
    """Whether by that reason the same message may pass at another time; None where no receipt said so."""
    done_at: float | None = None
    """When by the carrier's clock it came to its end, where a receipt said so."""
    part_statuses: tuple[Status, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()


@attrs.frozen(kw_only=True)
class MessageQuery:
    """Which messages to list, newest first.  ``api_key`` None means all of them (the operator's view)."""

    api_key: str | None = None
    id: int | None = None
    to: str | None = None
    alias: str | None = None
    """What messages to the same number are kept under where it was erased."""
    status: Status | None = None
    since: float | None = None
    limit: int = 100
    before: int | None = None
    """Cursor: only messages with a smaller id."""


@attrs.frozen(kw_only=True)
class Ledger:
    """The conservation law in numbers: accepted = Σ by status, of messages and of parts; and of attempts, submitted =
    answered + in flight + in doubt."""

    accepted: int
    messages: Mapping[str, int]
    parts_accepted: int
    parts: Mapping[str, int]
    parked: int
    inbound: Mapping[str, int] = attrs.field(factory=dict)
    """Since the store is: ``parts`` kept and ``repeats`` among them, ``messages`` told and how many of these were
    ``partial`` or ``unmatched``.  At this moment: ``open`` parts, in no message yet."""

    submitted: int = 0
    """Attempts: claims of which nobody has proved that no octet left."""
    answered: int = 0
    doubted: int = 0
    """Attempts whose answer was lost and has not come since, whatever became of their parts."""

    @property
    def in_flight(self) -> int:
        """Attempts whose answer is awaited."""
        return self.parts.get("sending", 0)

    @property
    def unaccounted_attempts(self) -> int:
        """How many attempts are unaccounted for: zero, or there is a defect."""
        return abs(self.submitted - self.answered - self.in_flight - self.doubted)

    @property
    def imbalance(self) -> int:
        """How many messages, parts and attempts are unaccounted for: zero, or there is a defect."""
        messages = abs(self.accepted - sum(self.messages.values()))
        return messages + abs(self.parts_accepted - sum(self.parts.values())) + self.unaccounted_attempts


@attrs.frozen(kw_only=True)
class Verification:
    """What a recount of the whole store found.  ``problems`` is empty when all is well."""

    ledger: Ledger
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


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


# --- messages from subscribers ----------------------------------------------------------------------------------------


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


# --- what does not stay -----------------------------------------------------------------------------------------------


class Aged(StrEnum):
    """Rows that go by their age alone."""

    RECEIPTS = "receipts"
    """Parked ones: their part never came."""
    INBOUND_PARTS = "inbound_parts"
    """Those that were told."""
    INBOUND = "inbound"
    EVENTS = "events"
    """As far as the bodies of the parts they name were looked after."""
    OTHER_IDS = "other_ids"
    """Ids of attempts that are not their part's present one."""


@attrs.frozen
class Step:
    """What one step of retention did."""

    gone: int
    """Bodies or rows that are no more."""
    more: bool
    """Whether there may be more to do at once."""
    after: int = 0
    """Where the next step of the same walk begins."""


@attrs.frozen(kw_only=True)
class Traces:
    """What is kept of a number, by ids; also a wish to erase it."""

    messages: tuple[int, ...] = ()
    """Final ones to it or from it."""
    refs: tuple[tuple[str, str], ...] = ()
    """(API key, reference): client_refs of these messages, and whatever reference spells the number."""
    receipts: tuple[int, ...] = ()
    """Parked ones."""
    inbound_parts: tuple[int, ...] = ()
    inbound: tuple[int, ...] = ()
    live: int = 0
    """Messages not at their end: they need the number until then."""
    under_way: tuple[int, ...] = ()
    """The ids of these."""

    @property
    def rows(self) -> int:
        return sum(map(len, (self.messages, self.refs, self.receipts, self.inbound_parts, self.inbound)))


@attrs.frozen(kw_only=True)
class Erased:
    """What an erasure by number did."""

    messages: int
    receipts: int
    inbound: int
    """Messages from the number, and parts of such."""
    live: int
    """Messages that are under way and were left as they are: erase again when they are at their end."""
    under_way: tuple[str, ...] = ()
    """The ids of some of these."""
    receipts_left: int = 0
    """Parked receipts that were left with them, for they may be theirs."""
    clean: bool
    """Whether the bytes of the store's files were searched and hold the number no more."""
