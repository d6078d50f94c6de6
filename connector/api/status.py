"""The whole connector at one moment, as JSON shows it to an operator."""

from typing import Any

import attrs

from connector.api.schemas import show_moment
from connector.pipeline.door import (
    BindState,
    BindStatistics,
    CarrierStatistics,
    Outlook,
    ScopeStatistics,
    Statistics,
)
from connector.pipeline.limited import Cause, LimitedBy


def show_status(statistics: Statistics) -> dict[str, Any]:
    """Return carriers and binds, lanes, store and event loop.  Times in it that end in ``_s`` are seconds."""
    return {
        "at": show_moment(statistics.at),
        "up_s": round(statistics.at - statistics.started_at, 3),
        "draining": statistics.draining,
        "carriers": [_carrier(each, statistics.outlooks[each.name], statistics.at) for each in statistics.carriers],
        "lanes": [attrs.asdict(queue) for queue in statistics.queues],
        "parts": dict(statistics.parts),
        "recovered": statistics.recovered,
        "processing_s": round(statistics.processing_s, 6),
        "store": attrs.asdict(statistics.store),
        "loop": {name: round(value, 6) for name, value in attrs.asdict(statistics.loop).items()},
    }


def _carrier(carrier: CarrierStatistics, outlook: Outlook, now: float) -> dict[str, Any]:
    account = carrier.limits[0]
    return {
        "name": carrier.name,
        "state": carrier_state(carrier, outlook),
        "bound": carrier.bound,
        "suspended": carrier.suspended,
        "eased": carrier.eased,
        "rate_per_s": account.rate_per_s,
        "contract_per_s": outlook.contract_per_s,
        "credit": carrier.credit,
        "claimed": carrier.claimed,
        "waiting": outlook.waiting,
        "wait_s": round(carrier.wait_s, 6),
        "throttled": carrier.throttled,
        "ramp_stage": carrier.ramp_stage,
        "ramp_halted": carrier.ramp_halted or None,
        "limited_by": _limited_by(outlook.limited_by),
        "limits": [_limit(limit) for limit in carrier.limits[1:] if limit.eased or limit.rate_per_s is not None],
        "binds": [_bind(bind, now) for bind in carrier.binds],
    }


def carrier_state(carrier: CarrierStatistics, outlook: Outlook) -> str:
    """Return the one word that matters most; a drained carrier is draining until it is gone or back."""
    if carrier.suspended:
        return "suspended"
    leaving = outlook.limited_by.cause is Cause.DRAINING
    if leaving or any(bind.state is BindState.DRAINING for bind in carrier.binds):
        return "draining"
    if not carrier.bound:
        return "down"
    if carrier.eased:
        return "eased"
    return "bound" if carrier.bound == len(carrier.binds) else "partly bound"


def _limited_by(held: LimitedBy) -> dict[str, Any]:
    return {
        "cause": held.cause,
        "share": round(held.share, 3),
        "text": held.text,
        "advised_window": held.advised_window,
        "shares": {str(cause): round(share, 3) for cause, share in held.shares.items() if share},
    }


def _limit(limit: ScopeStatistics) -> dict[str, Any]:
    return {
        "scope": limit.scope,
        "value": limit.value,
        "rate_per_s": limit.rate_per_s,
        "eased": limit.eased,
        "throttled": limit.throttled,
    }


def _bind(bind: BindStatistics, now: float) -> dict[str, Any]:
    return {
        "name": bind.name,
        "state": bind.state,
        "host": bind.host,
        "window_used": bind.window_used,
        "window_size": bind.window_size,
        "queued": bind.queued,
        "unanswered": bind.unanswered,
        "response_s": round(bind.response_time_s, 6),
        "response_p50_s": round(bind.response_p50_s, 6),
        "response_p99_s": round(bind.response_p99_s, 6),
        "oldest_in_flight_s": round(bind.oldest_in_flight_s, 3),
        "silent_s": round(bind.silent_s, 3),
        "bound_for_s": round(bind.bound_for_s, 3),
        "attempts": bind.attempts,
        "next_try_in_s": None if bind.next_try_at is None else round(max(0.0, bind.next_try_at - now), 3),
        "reason": bind.reason or None,
    }
