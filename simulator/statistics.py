"""The simulator's numbers: counted while it runs, shown as a frozen value."""

from collections import Counter
from collections.abc import Mapping

import attrs


@attrs.define
class Counts:
    """What happened so far."""

    links: int = 0
    bind_attempts: int = 0
    binds: int = 0
    penalties: int = 0
    submits: Counter[int] = attrs.field(factory=Counter)
    receipts_sent: int = 0
    receipts_acknowledged: int = 0
    receipts_missing: int = 0
    mo_sent: int = 0
    mo_acknowledged: int = 0
    deliveries_dropped: int = 0
    deliveries_refused: int = 0
    deliveries_unanswered: int = 0
    deliveries_given_up: int = 0
    strange: Counter[str] = attrs.field(factory=Counter)
    ends: Counter[str] = attrs.field(factory=Counter)


@attrs.frozen(kw_only=True)
class Statistics:
    """A look at one moment."""

    links: int
    """TCP links accepted so far."""
    bind_attempts: int
    """Bind requests, good and bad."""
    binds: int
    """Sessions bound now."""
    penalties: int
    """Times that an account was sent away for not heeding the limits."""
    submits: Mapping[str, int]
    """submit_sm and data_sm by the command_status decided for them."""
    accepted: int
    """Those with ESME_ROK."""
    receipts_sent: int
    """deliver_sm with a receipt, repetitions included."""
    receipts_acknowledged: int
    receipts_missing: int
    """Receipts that were asked for and that the scenario swallowed."""
    mo_sent: int
    """deliver_sm with a message from a subscriber, repetitions included."""
    mo_acknowledged: int
    deliveries_pending: int
    """deliver_sm not sent yet: not due, or nobody may receive, or all windows are full."""
    deliveries_in_flight: int
    """deliver_sm sent and not answered yet."""
    deliveries_dropped: int
    """Lost because more than ``delivery.max_waiting`` waited."""
    deliveries_refused: int
    """Answered with an error that no repetition cures."""
    deliveries_unanswered: int
    """Times that the response timer ran out."""
    deliveries_given_up: int
    """Not answered well in ``delivery.attempts`` tries."""
    strange: Mapping[str, int]
    """Odd things that peers sent, by a sentence."""
    ends: Mapping[str, int]
    """How links ended, by a sentence."""
    rules: Mapping[str, int]
    """Requests that a rule decided, by its name."""
    faults: Mapping[str, int]
    """Wrong things done on purpose, by the name of the rule, wire or inject entry."""
