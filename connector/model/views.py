"""What the read doors show: messages, their timelines, the ledger."""

from collections.abc import Mapping

import attrs

from connector.lifecycle import Status


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
    text: str | None = attrs.field(default=None, repr=False)
    """None once it is erased, by its lane's ``keep_body`` or with its number."""
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
    gone: int = 0
    """Messages among ``accepted`` that have no rows any more: they were kept for as long as they are."""
    gone_parked: int = 0
    """Receipts that were parked, and went for their age with no message found."""

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
