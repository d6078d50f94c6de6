"""Looks at every carrier and at the event loop ten times a second: what holds back whom, and how late we are."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

import attrs
import trio

from connector.carrier.bind import BindState
from connector.carrier.carrier import Carrier
from connector.carrier.limits import ScopeStatistics
from connector.pipeline.dispatch import Dispatch
from connector.pipeline.limited import SAMPLES, Facts, History, LimitedBy, scope_words
from connector.pipeline.routing import Routing
from connector.store.store import Store

PERIOD_S = 0.1
NUMBERS_EVERY_S = 1.0
"""Percentiles take sorting: with hundreds of binds ten times a second is too often."""
SMOOTHING = 0.1


@attrs.frozen
class LoopStatistics:
    """How the event loop fares."""

    lag_s: float
    """How much later than asked for it comes round, smoothed."""
    lag_max_s: float
    """The worst of the last ten seconds."""
    busy: float
    """Share of one CPU that its thread used, smoothed."""


class Vitals:
    """Samples; the decision is in `limited`.

    ``cpu_s`` tells how much CPU this thread has used.
    """

    def __init__(
        self,
        carriers: Mapping[str, Carrier],
        routing: Routing,
        dispatch: Dispatch,
        store: Store,
        *,
        clock: Callable[[], float],
        cpu_s: Callable[[], float],
        period_s: float = PERIOD_S,
    ) -> None:
        self._carriers = carriers
        self._routing = routing
        self._lanes = routing.lanes
        self._dispatch = dispatch
        self._store = store
        self._clock = clock
        self._cpu_s = cpu_s
        self._period_s = period_s
        self._histories: dict[str, History] = {}
        self._known: dict[str, _Numbers] = {}
        self._lags: deque[float] = deque([0.0], maxlen=SAMPLES)
        self._lag_s = 0.0
        self._busy = 0.0

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Look until cancelled."""
        task_status.started()
        while True:
            began, used = self._clock(), self._cpu_s()
            await trio.sleep(self._period_s)
            passed = self._clock() - began
            self._look(max(0.0, passed - self._period_s), (self._cpu_s() - used) / max(passed, self._period_s))

    def waiting(self) -> Counter[str]:
        """Return the parts in queues whose rule names a carrier, by carrier; a part may wait for several."""
        by_rule: Counter[str] = Counter()
        for queue in self._lanes.queues():
            by_rule[queue.rule] += queue.waiting
        waiting: Counter[str] = Counter()
        for rule, count in by_rule.items():
            for name in self._routing.carriers_of.get(rule, ()):
                waiting[name] += count
        return waiting

    def _held(self, now: float) -> tuple[Counter[str], Counter[str]]:
        """Return how much of what waits for a carrier is of quiet lanes, and of others with a reached ceiling."""
        quiet: Counter[str] = Counter()
        capped: Counter[str] = Counter()
        ceilings = self._lanes.ceilings
        for queue in self._lanes.queues():
            lane = queue.lane
            shut = self._routing.choice.is_shut(lane, now)
            if not queue.waiting or not (shut or ceilings.limits(lane)):
                continue
            for name in self._routing.carriers_of.get(queue.rule, ()):
                if shut:
                    quiet[name] += queue.waiting
                elif ceilings.room(lane, name, now) == 0:
                    capped[name] += queue.waiting
        return quiet, capped

    def limited_by(self, name: str) -> LimitedBy:
        """Return what held this carrier back in the last ten seconds."""
        return self._histories.get(name, History()).summary()

    def statistics(self) -> LoopStatistics:
        """Return how the loop fares."""
        return LoopStatistics(self._lag_s, max(self._lags), self._busy)

    # --- looking ---

    def _look(self, lag_s: float, busy: float) -> None:
        self._lags.append(lag_s)
        self._lag_s += (lag_s - self._lag_s) * SMOOTHING
        self._busy += (min(1.0, busy) - self._busy) * SMOOTHING
        for name in [name for name in self._histories if name not in self._carriers]:
            del self._histories[name]
            self._known.pop(name, None)
        waiting, (quiet, capped) = self.waiting(), self._held(self._clock())
        for name, carrier in self._carriers.items():
            facts = self._facts(carrier, waiting[name], lag_s, busy)
            if quiet[name] or capped[name]:
                facts = attrs.evolve(facts, quiet=quiet[name], capped=capped[name])
            self._histories.setdefault(name, History()).note(facts)

    def _facts(self, carrier: Carrier, waiting: int, lag_s: float, busy: float) -> Facts:
        now, limits, shown = self._clock(), carrier.limits, self._numbers(carrier)
        up = [bind for bind in carrier.binds if bind.window_size]
        places = sum(bind.window_size for bind in up)
        keep_free = max((lane.keep_free for lane in self._routing.lane.values()), default=0.0)
        slowest = shown.slowest_scope
        return Facts(
            waiting=waiting,
            claimed=carrier.claimed,
            committing=self._dispatch.claiming(carrier.name),
            suspended=carrier.suspended,
            draining=all(bind.draining for bind in carrier.binds),
            binds=len(up),
            places=places,
            free=sum(bind.free for bind in up),
            kept=int(keep_free * places),
            rate_per_s=limits.account.rate_per_s(now),
            contract_per_s=carrier.config.rate_per_s,
            room=_room(carrier, [bind.name for bind in up], now),
            eased=limits.account.is_eased(now) or any(limits.bind(bind.name).is_eased(now) for bind in up),
            nested=limits.nested,
            eased_scope="" if slowest is None else scope_words(slowest.scope, slowest.value),
            eased_rate_per_s=None if slowest is None else slowest.rate_per_s,
            response_p99_s=shown.p99_s,
            best_response_s=shown.best_s,
            silent_s=shown.silent_s,
            busy=busy,
            loop_lag_s=lag_s,
            last_commit_s=self._store.statistics().last_commit_s,
            reason=shown.reason,
        )

    def _numbers(self, carrier: Carrier) -> "_Numbers":
        """Return what takes sorting to know, at most a second old."""
        known, now = self._known.get(carrier.name), self._clock()
        if known is None or now - known.at >= NUMBERS_EVERY_S or carrier is not known.carrier:
            before = known.best_s if known is not None and known.carrier is carrier else 0.0
            known = self._known[carrier.name] = _numbers_of(carrier, before, now)
        return known


@attrs.frozen
class _Numbers:
    """What one carrier has shown of late."""

    carrier: Carrier
    at: float
    p99_s: float
    best_s: float
    """The lowest median response time of its binds so far."""
    silent_s: float
    """How long nothing has been answered on any of its binds while requests wait."""
    slowest_scope: ScopeStatistics | None
    """Of the countries and senders that its complaints hold down."""
    reason: str
    """Why its first bind that is not bound is not."""


def _numbers_of(carrier: Carrier, best_s: float, now: float) -> _Numbers:
    numbers = carrier.statistics()
    up = [bind for bind in numbers.binds if bind.state is BindState.BOUND]
    medians = [median for bind in up if (median := bind.response_p50_s)] + ([best_s] if best_s else [])
    eased = [scope for scope in numbers.limits if scope.eased and scope.scope in ("sender", "country")]
    return _Numbers(
        carrier,
        now,
        p99_s=max((bind.response_p99_s for bind in up or numbers.binds), default=0.0),
        best_s=min(medians, default=0.0),
        silent_s=min((bind.silent_s for bind in up if bind.window_used), default=0.0),
        slowest_scope=min(eased, key=lambda scope: scope.rate_per_s or 0.0, default=None),
        reason=next((bind.reason for bind in numbers.binds if bind.state is not BindState.BOUND), ""),
    )


def _room(carrier: Carrier, binds: Sequence[str], now: float) -> int | None:
    """Return how many parts account and binds let leave now; None means any number."""
    account = carrier.limits.account.room(now)
    each = [carrier.limits.bind(name).room(now) for name in binds]
    if any(room is None for room in each):
        return account
    together = sum(room or 0 for room in each)
    return together if account is None else min(account, together)
