"""What holds a carrier back: from the facts of a moment to a cause, and from many moments to words.  Pure."""

import math
from collections import Counter, deque
from collections.abc import Mapping
from enum import StrEnum

import attrs

SAMPLES = 100
"""Moments that are remembered: the last ten seconds, looked at ten times a second."""
SLOW_FACTOR = 3.0
"""A carrier whose p99 is so many times its best median answers slowly; below that its window is too small."""
BUSY_SHARE = 0.9
"""Of one CPU: above it the loop is the limit, whatever else is full."""
HURRIED_SHARE = 0.5
"""Of one CPU: below it a carrier with room and parts that wait is not held back by the loop."""
SILENT_S = 5.0
"""A carrier that has never answered is taken to be silent after so long ..."""
SHORTEST_SILENCE_S = 1.0
"""... and one that has, after `SLOW_FACTOR` times its best, but never sooner: silence is looked at once a second."""
LAGGING_S = 0.25
"""A loop that comes so late is held up by something else on the machine, or by ourselves."""
LARGEST_WINDOW = 1_000
"""What a bind's ``window_size`` may be."""


class Cause(StrEnum):
    """What a carrier waits for.  Metrics and status carry these words: they never change."""

    NOTHING_WAITING = "nothing_waiting"
    RATE = "rate"
    """The contract's rate, or one of a bind, a country or a sender, is used in full."""
    WINDOW = "window"
    """Every place of the windows is taken, and the carrier answers as fast as ever."""
    RESPONSE_TIME = "response_time"
    """Every place of the windows is taken, because the carrier answers slower than it can."""
    LANE_CEILING = "lane_ceiling"
    """It has room, and all that waits for it is of lanes that may send no more for now: ``max_rate_per_s``."""
    QUIET_HOURS = "quiet_hours"
    """All that waits for it is of lanes in their quiet hours."""
    THROTTLED = "throttled"
    """The carrier said that it is too much, and has not been quiet for long enough."""
    UNBOUND = "unbound"
    DRAINING = "draining"
    """It takes nothing more: the connector is about to stop, or a reload changes or removes this carrier."""
    SUSPENDED = "suspended"
    STORE = "store"
    """Claims are on their way to disk."""
    CHOICE = "choice"
    """What waits is not for it now: it has refused it, it is too dear for it, or another carrier is to have it."""
    CPU = "cpu"
    """The event loop does not get round to it."""


@attrs.frozen(kw_only=True)
class Facts:
    """One carrier at one moment."""

    waiting: int = 0
    """Parts in queues whose rule names it."""
    quiet: int = 0
    """Of these, parts of lanes in their quiet hours."""
    capped: int = 0
    """Of these, parts of other lanes whose ceiling is reached."""
    claimed: int = 0
    """Parts that have credit and have not left."""
    committing: int = 0
    """Of these, parts whose claim is on its way to disk."""
    suspended: bool = False
    draining: bool = False
    binds: int = 0
    """Binds that are up and submit."""
    places: int = 0
    """Places of their windows."""
    free: int = 0
    """Places that nothing is in flight for."""
    kept: int = 0
    """Free places that only urgent lanes may take."""
    rate_per_s: float | None = None
    """What the account may send now; None means any number."""
    contract_per_s: float | None = None
    room: int | None = None
    """Parts that account and binds let leave at this moment; None means any number."""
    eased: bool = False
    """Whether the carrier's complaints hold the account or a bind down."""
    nested: bool = False
    """Whether any country or sender is limited."""
    eased_scope: str = ""
    """A country or a sender that the carrier's complaints hold down, the slowest of them, as `scope_words` say it."""
    eased_rate_per_s: float | None = None
    """What that one may send now."""
    response_p99_s: float = 0.0
    best_response_s: float = 0.0
    """The lowest median seen; 0 while nothing was answered."""
    silent_s: float = 0.0
    """How long nothing has been answered on any bind while requests wait for it; 0 where none wait."""
    busy: float = 0.0
    """Share of one CPU that the loop's thread used since the last look."""
    loop_lag_s: float = 0.0
    last_commit_s: float = 0.0
    reason: str = ""
    """Why the first bind is not bound."""


def limited_by(facts: Facts) -> Cause:
    """Return what holds the carrier back at this moment.

    In this order: what somebody decided or what is broken, then that there is nothing to do, then our own limits
    (a loop that is late makes everything behind it look full), then the carrier's.
    """
    if facts.suspended:
        return Cause.SUSPENDED
    if facts.draining:
        return Cause.DRAINING
    if not facts.places:
        return Cause.UNBOUND
    if not facts.waiting and not facts.claimed:
        return Cause.NOTHING_WAITING
    if 0 < facts.waiting <= facts.quiet and not facts.claimed:
        return Cause.QUIET_HOURS
    if facts.busy >= BUSY_SHARE or facts.loop_lag_s >= LAGGING_S:
        return Cause.CPU
    if facts.free <= facts.kept:
        return Cause.RESPONSE_TIME if _slow(facts) or is_silent(facts) else Cause.WINDOW
    return _inside_the_window(facts)


def _slow(facts: Facts) -> bool:
    return 0.0 < facts.best_response_s * SLOW_FACTOR < facts.response_p99_s


def is_silent(facts: Facts) -> bool:
    """Tell whether the carrier has answered nothing for longer than its best median explains."""
    best = facts.best_response_s
    return facts.silent_s > (max(SHORTEST_SILENCE_S, SLOW_FACTOR * best) if best else SILENT_S)


def _inside_the_window(facts: Facts) -> Cause:
    """Return the cause where places are free."""
    if facts.room == 0:
        return Cause.THROTTLED if facts.eased else Cause.RATE
    if facts.committing:
        return Cause.STORE
    if facts.capped and facts.waiting <= facts.capped + facts.quiet:
        return Cause.LANE_CEILING
    if facts.eased_scope:
        return Cause.THROTTLED
    if facts.nested or facts.claimed:
        return Cause.RATE  # held back by the limit of a country or a sender, or for the next slice
    return Cause.CPU if facts.busy >= HURRIED_SHARE else Cause.CHOICE


_STATES = frozenset({Cause.SUSPENDED, Cause.DRAINING, Cause.UNBOUND})
"""Nothing leaves in them, whatever the last ten seconds were like."""


@attrs.frozen
class LimitedBy:
    """What held a carrier back in the last ten seconds."""

    cause: Cause
    """Suspended, draining and unbound at once and while they last; otherwise the largest share, of equal ones the
    latest; but as soon as something waits the present cause, where most of the time nothing did."""
    share: float
    shares: Mapping[Cause, float]
    """Every cause with its share of the time; they sum to 1."""
    text: str
    """The same for people, with what to do."""
    advised_window: int | None
    """Window of each bind that the rate needs at the present p99: None where either is not known."""


class History:
    """The causes of the last ten seconds."""

    def __init__(self) -> None:
        self._causes: deque[Cause] = deque(maxlen=SAMPLES)
        self._seen: dict[Cause, Facts] = {}
        """The latest moment of each cause: its words are about that one."""

    def note(self, facts: Facts) -> None:
        """Take note of one moment."""
        cause = limited_by(facts)
        self._seen[cause] = facts
        self._causes.append(cause)

    def summary(self) -> LimitedBy:
        """Return what held the carrier back; before the first look that is taken to be its binds."""
        causes = self._causes or (Cause.UNBOUND,)
        counts = Counter(reversed(causes))  # of equal counts the one met first comes first: the latest
        cause = _foremost(counts, causes[-1])
        shares = {each: counts[each] / len(causes) for each in Cause}
        facts = self._seen.get(cause, Facts())
        advised = advised_window(facts)
        return LimitedBy(cause, shares[cause], shares, _WORDS[cause](facts, shares[cause], advised), advised)


def _foremost(counts: Counter[Cause], now: Cause) -> Cause:
    """Return the cause to tell: a state at once and for as long as it lasts, of all others the most frequent.

    That nothing waited says nothing about what is in the way of what waits now.
    """
    if now in _STATES:
        return now
    most = next(cause for cause, _ in counts.most_common() if cause not in _STATES)
    return now if most is Cause.NOTHING_WAITING else most


def advised_window(facts: Facts) -> int | None:
    """Return the window each bind needs to carry the contract's rate at the present p99: rate × p99, rounded up."""
    rate = facts.contract_per_s
    if rate is None or not facts.response_p99_s or not facts.binds:
        return None
    needed = round(rate * facts.response_p99_s, 6)  # 100 × 0.45 is a hair above 45
    return min(LARGEST_WINDOW, max(1, math.ceil(math.ceil(needed) / facts.binds)))


# --- words -----------------------------------------------------------------------------------------------------------


def shown_s(seconds: float) -> str:
    """Return a short time for people: "450 ms", "1.8 s"."""
    if seconds >= 999.5:
        return f"{seconds:.0f} s"
    return f"{seconds * 1000:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"


def scope_words(scope: str, value: str) -> str:
    """Return a country or a sender for people: ``sender "Shop"``; a message may have neither."""
    if value:
        return f'{scope} "{value}"'
    return "messages without a sender" if scope == "sender" else f"messages without a {scope}"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _windows(facts: Facts) -> str:
    size = facts.places // max(1, facts.binds)
    return f"the window of {size} is" if facts.binds == 1 else f"the {facts.binds} windows of {size} are"


def _need(facts: Facts, advised: int | None) -> str:
    if advised is None:
        return "a larger window takes more" if facts.contract_per_s is None else "nothing was answered yet"
    each = "it" if facts.binds == 1 else "each"
    at = f"at {facts.contract_per_s:g}/s and a p99 of {shown_s(facts.response_p99_s)}"
    if advised >= LARGEST_WINDOW:
        return f"{at} {each} should be {advised}, the most there is: more binds are needed"
    if advised * facts.binds > facts.places:
        return f"{at} {each} should be {advised}"
    return f"{at} {advised} would do: look at what is longest in flight"


def _say_nothing(facts: Facts, share: float, advised: int | None) -> str:
    return "nothing waits for it" if share >= 1 else f"nothing waited {_percent(share)} of the time"


def _say_rate(facts: Facts, share: float, advised: int | None) -> str:
    if facts.room == 0 and facts.rate_per_s is not None:
        return f"its {facts.rate_per_s:g}/s are used in full {_percent(share)} of the time"
    return f"a limit of binds, countries or senders is used in full {_percent(share)} of the time"


def _say_window(facts: Facts, share: float, advised: int | None) -> str:
    return f"{_windows(facts)} full {_percent(share)} of the time: {_need(facts, advised)}"


def _say_response(facts: Facts, share: float, advised: int | None) -> str:
    if is_silent(facts):
        return f"it has answered nothing for {shown_s(facts.silent_s)}: ask the carrier"
    slow = f"it answers slowly, p99 {shown_s(facts.response_p99_s)} where {shown_s(facts.best_response_s)} is its best"
    return f"{slow}: {_windows(facts)} full {_percent(share)} of the time"


def _say_ceiling(facts: Facts, share: float, advised: int | None) -> str:
    return f"the ceilings of the lanes that wait for it are reached {_percent(share)} of the time: max_rate_per_s"


def _say_quiet(facts: Facts, share: float, advised: int | None) -> str:
    return "all that waits for it is of lanes in their quiet hours: it leaves when they end"


def _say_throttled(facts: Facts, share: float, advised: int | None) -> str:
    what, rate, contract = "it", facts.rate_per_s, facts.contract_per_s
    if facts.eased_scope and not facts.eased:
        what, rate, contract = facts.eased_scope, facts.eased_rate_per_s, None
    now = "less" if rate is None else f"{rate:.3g}/s"
    of = "" if contract is None else f" of {contract:g}/s"
    verb = "are" if what.startswith("messages ") else "is"
    return f"it said that {what} {verb} too much: {now}{of} for now, more again as it stays quiet"


def _say_unbound(facts: Facts, share: float, advised: int | None) -> str:
    return f"no bind is up: {facts.reason}" if facts.reason else "no bind is up"


def _say_draining(facts: Facts, share: float, advised: int | None) -> str:
    return "draining: it takes nothing more, answers that are due are waited for"


def _say_suspended(facts: Facts, share: float, advised: int | None) -> str:
    return "suspended by an operator: nothing is sent until `carrierline carrier resume` with its name"


def _say_store(facts: Facts, share: float, advised: int | None) -> str:
    return (
        f"claims wait for the disk {_percent(share)} of the time; the last commit took {shown_s(facts.last_commit_s)}"
    )


def _say_choice(facts: Facts, share: float, advised: int | None) -> str:
    waits = f"what waits is not for it now {_percent(share)} of the time"
    return f"{waits}: refused by it, too dear, kept for another carrier, or of a lane that is gone"


def _say_cpu(facts: Facts, share: float, advised: int | None) -> str:
    lag = f"the event loop comes {shown_s(facts.loop_lag_s)} late"
    return f"this process has no time left {_percent(share)} of the time: {lag}, its CPU is {_percent(facts.busy)} busy"


_WORDS = {
    Cause.NOTHING_WAITING: _say_nothing,
    Cause.RATE: _say_rate,
    Cause.WINDOW: _say_window,
    Cause.RESPONSE_TIME: _say_response,
    Cause.LANE_CEILING: _say_ceiling,
    Cause.QUIET_HOURS: _say_quiet,
    Cause.THROTTLED: _say_throttled,
    Cause.UNBOUND: _say_unbound,
    Cause.DRAINING: _say_draining,
    Cause.SUSPENDED: _say_suspended,
    Cause.STORE: _say_store,
    Cause.CHOICE: _say_choice,
    Cause.CPU: _say_cpu,
}
