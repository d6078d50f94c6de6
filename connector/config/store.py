"""Where messages are kept."""

import attrs

from connector.config.checks import Problems
from connector.settings import above, duration, within


@attrs.frozen(kw_only=True)
class StoreConfig:
    """Where messages are kept."""

    path: str = "carrierline.db"
    """SQLite file; a relative path starts at the working directory."""
    min_free_mb: int = attrs.field(default=200, validator=within(0))
    """Megabytes free on the disk below which intake is refused."""
    ballast_mb: int = attrs.field(default=16, validator=within(0))
    """Megabytes beside the store that are given up when the disk is full all the same, so that answers and receipts can
    still be kept; nothing new is taken until they are free again."""
    idempotency_s: float = duration("24h", validator=above(0))
    """How long an Idempotency-Key is remembered."""
    keep_messages_s: float = duration("90d", validator=above(0))
    """How long after its end a message is kept, with all that happened to it, and up to an hour more: so often all that
    is old is looked at.  Its text goes by ``keep_body`` of its lane."""
    keep_events_s: float = duration("30d", validator=above(0))
    """How long the log of changes of status is kept."""
    keep_receipts_s: float = duration("7d", validator=above(0))
    """How long a receipt waits for its message: as long as a carrier's answer or receipt may come."""
    keep_inbound_s: float = duration("90d", validator=above(0))
    """How long messages from subscribers are kept."""

    def problems(self) -> Problems:
        if self.keep_messages_s < self.idempotency_s:
            yield (
                ("keep_messages",),
                "must not be less than idempotency: a request that comes again asks for its message",
            )
