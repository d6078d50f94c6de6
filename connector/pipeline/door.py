"""What an outer door holds of the pipeline: intake, questions, numbers, and whether messages can be kept."""

from collections.abc import Awaitable, Callable, Mapping

import attrs

from connector.carrier.carrier import CarrierStatistics
from connector.pipeline.intake import Intake
from connector.pipeline.queries import Queries
from connector.store.batcher import BatcherStatistics


@attrs.frozen
class QueueStatistics:
    """What waits in a lane."""

    lane: str
    waiting: int
    """Parts."""


@attrs.frozen
class Statistics:
    """The whole connector at one moment."""

    carriers: tuple[CarrierStatistics, ...]
    queues: tuple[QueueStatistics, ...]
    store: BatcherStatistics
    rows: Mapping[str, int]
    """Rows accepted, replayed and refused since the start."""
    parts: Mapping[str, int]
    """Parts by the status they came to since the start."""
    recovered: int
    """Parts found on the wire at the start."""
    draining: bool


@attrs.frozen
class Door:
    """Handed to every outer door."""

    intake: Intake
    queries: Queries
    statistics: Callable[[], Statistics]
    not_ready: Callable[[], Awaitable[str | None]]
    """Why nothing new can be kept now, or None."""
