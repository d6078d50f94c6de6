"""What an outer door holds of the pipeline: intake, questions, numbers, and the verbs of an operator."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import attrs

# a door knows the pipeline and nothing behind it: what it is to show comes through here
from connector.carrier.bind import BindState as BindState
from connector.carrier.bind import BindStatistics as BindStatistics
from connector.carrier.carrier import CarrierStatistics as CarrierStatistics
from connector.carrier.limits import ScopeStatistics as ScopeStatistics
from connector.pipeline.cancel import Cancellation as Cancellation
from connector.pipeline.cancel import Canceller
from connector.pipeline.health import HealthStatistics as HealthStatistics
from connector.pipeline.inbound import InboundStatistics as InboundStatistics
from connector.pipeline.intake import Intake
from connector.pipeline.limited import LimitedBy
from connector.pipeline.notices import Kind as NoticeKind
from connector.pipeline.notices import Notice as Notice
from connector.pipeline.preview import Present
from connector.pipeline.queries import Queries
from connector.pipeline.routing import QueueStatistics as QueueStatistics
from connector.pipeline.vitals import LoopStatistics
from connector.store.batcher import BatcherStatistics


@attrs.frozen
class Outlook:
    """What stands before one carrier, and what holds it back."""

    contract_per_s: float | None
    """Its configured rate; None means any number."""
    waiting: int
    """Parts in queues whose rule names it; a part may wait for several carriers."""
    limited_by: LimitedBy


@attrs.frozen
class Statistics:
    """The whole connector at one moment."""

    carriers: tuple[CarrierStatistics, ...]
    outlooks: Mapping[str, Outlook]
    """By carrier."""
    queues: tuple[QueueStatistics, ...]
    store: BatcherStatistics
    loop: LoopStatistics
    processing_s: float
    """From the read of an answer to its commit, smoothed."""
    health: tuple[HealthStatistics, ...]
    """Of each carrier that was ever used, and after it of each of its countries that does not stand as it does."""
    notices: Sequence[Notice]
    """The latest, oldest first."""
    notice_counts: Mapping[NoticeKind, int]
    """Notices since the start, every kind."""
    rows: Mapping[str, int]
    """Rows accepted, replayed and refused since the start."""
    parts: Mapping[str, int]
    """Parts by the status they came to since the start."""
    recovered: int
    """Parts found on the wire at the start."""
    draining: bool
    at: float
    """When this was."""
    started_at: float
    inbound: InboundStatistics = attrs.field(factory=InboundStatistics)


@attrs.frozen
class Reloaded:
    """What a reload of the configuration did, one sentence each."""

    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    """Names of the carriers that kept everything they had, their secrets included."""


class Steered(StrEnum):
    """What came of an operator's word to a carrier."""

    DONE = "done"
    ALREADY = "already"
    """It was so before."""
    UNKNOWN = "unknown"
    """There is no carrier of this name."""


def steered(*, already: bool) -> Steered:
    """Return what came of a word to a carrier that is there."""
    return Steered.ALREADY if already else Steered.DONE


class Operations(Protocol):
    """What an operator may do to a running connector."""

    async def suspend(self, carrier: str, *, by: str = "") -> Steered:
        """Send nothing more through this carrier, over restarts too.  ``by``: the API key that says so."""

    async def resume(self, carrier: str, *, by: str = "") -> Steered:
        """Send through this carrier again."""

    async def reload(self) -> Reloaded:
        """Read the configuration again and change what differs; ConfigError, and nothing changed, if it is bad."""


@attrs.frozen
class Door:
    """Handed to every outer door."""

    intake: Intake
    queries: Queries
    statistics: Callable[[], Statistics]
    not_ready: Callable[[], Awaitable[str | None]]
    """Why nothing new can be kept now, or None."""
    operations: Operations
    present: Present = attrs.field(factory=Present)
    """What a preview may ask about this moment."""
    canceller: Canceller = attrs.field(kw_only=True)
