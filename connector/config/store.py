"""Where messages are kept."""

import attrs

from connector.settings import above, duration, within


@attrs.frozen(kw_only=True)
class StoreConfig:
    """Where messages are kept."""

    path: str = "carrierline.db"
    """SQLite file; a relative path starts at the working directory."""
    min_free_mb: int = attrs.field(default=200, validator=within(0))
    """Megabytes free on the disk below which intake is refused."""
    idempotency_s: float = duration("24h", validator=above(0))
    """How long an Idempotency-Key is remembered."""
