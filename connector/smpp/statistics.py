"""What a session counts."""

import attrs

from connector.smpp.tables import Role, State


@attrs.define
class Tally:
    """Counts since the session began."""

    pdus_sent: int = 0
    pdus_received: int = 0
    octets_received: int = 0
    answered: int = 0
    """Answers that came in time, refusals among them."""
    unanswered: int = 0
    """Requests whose response timer ran out."""
    late: int = 0
    """Answers that came after it."""
    strange: int = 0


@attrs.frozen
class SessionStatistics:
    """A look at the numbers of one session."""

    role: Role
    state: State
    window_size: int
    window_used: int
    """Requests sent and not yet answered."""
    heard_at: float
    """When the last octets came."""
    tally: Tally
