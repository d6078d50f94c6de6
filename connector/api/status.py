"""The whole connector at one moment, as JSON shows it to an operator."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from connector.api.schemas import show_moment
from connector.pipeline.door import (
    BindState,
    BindStatistics,
    CarrierStatistics,
    HealthStatistics,
    Notice,
    Outlook,
    ScopeStatistics,
    Statistics,
)
from connector.pipeline.limited import Cause, LimitedBy

NOTICES: Final = 20
"""As many of the latest are shown unless another number is asked for."""
_UNKNOWN: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("response_p50_s", "delivered_share", "delivered_p50_s", "silent_share", "since", "reason")),
    "state": "well",
    "share": 1.0,
    "samples": 0,
    "bad_share": 0.0,
    "receipts": 0,
    "text": "",
}
"""Health of a carrier that was never used."""


_COUNTED: Final = {"messages": 0, "partial": 0, "unmatched": 0, "repeats": 0}


def _no_counts(field: "attrs.Attribute[Any]", _value: object) -> bool:
    return field.name != "counts"


def show_status(statistics: Statistics, *, in_doubt: int | None = None, notices: int = NOTICES) -> dict[str, Any]:
    """Return carriers and binds, lanes, store and event loop, and the latest notices.

    ``in_doubt``: parts of which it is not known now whether their carrier has them; None where the store could not
    say.  Times in it that end in ``_s`` are seconds, shares are of 1.
    """
    health: dict[str, list[HealthStatistics]] = {}
    for each in statistics.health:
        health.setdefault(each.carrier, []).append(each)
    latest = statistics.notices[-notices:] if notices else ()
    return {
        "at": show_moment(statistics.at),
        "up_s": round(statistics.at - statistics.started_at, 3),
        "draining": statistics.draining,
        "carriers": [
            {
                **_carrier(each, statistics.outlooks[each.name], statistics.at),
                "health": _health_of(health.get(each.name, ())),
            }
            for each in statistics.carriers
        ],
        "lanes": [attrs.asdict(queue) for queue in statistics.queues],
        "in_doubt": in_doubt,
        "parts": dict(statistics.parts),
        "recovered": statistics.recovered,
        "inbound": {**_COUNTED, **attrs.asdict(statistics.inbound, filter=_no_counts), **statistics.inbound.counts},
        "processing_s": round(statistics.processing_s, 6),
        "store": attrs.asdict(statistics.store),
        "notices": [_notice(each) for each in latest],
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


def _health_of(found: Sequence[HealthStatistics]) -> dict[str, Any]:
    """Return how a carrier stands, with those of its countries that stand otherwise."""
    whole = next((each for each in found if each.country is None), None)
    countries = [{"country": each.country, **_health(each)} for each in found if each.country is not None]
    return {**(_UNKNOWN if whole is None else _health(whole)), "countries": countries}


def _health(health: HealthStatistics) -> dict[str, Any]:
    shown = {
        "state": health.state,
        "share": health.share,
        "samples": health.samples,
        "bad_share": health.bad_share,
        "response_p50_s": health.response_p50_s,
        "receipts": health.receipts,
        "delivered_share": health.delivered_share,
        "delivered_p50_s": health.delivered_p50_s,
        "silent_share": health.silent_share,
        "since": None if health.since is None else show_moment(health.since),
        "reason": health.reason,
        "text": health.text,
    }
    return {name: _rounded(value) for name, value in shown.items()}


def _rounded(value: object) -> object:
    return round(value, 6) if type(value) is float else value


def _notice(notice: Notice) -> dict[str, Any]:
    return {
        "seq": notice.seq,
        "at": show_moment(notice.at),
        "kind": notice.kind,
        "carrier": notice.carrier,
        "country": notice.country,
        "state": notice.state,
        "reason": notice.reason,
        "text": notice.text,
        "numbers": {name: _rounded(value) for name, value in notice.numbers.items()},
    }


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
