"""What would become of a request, and why, without anything being kept: the dry run.  Pure.

It walks the very steps that `normalise` walks, so it cannot say yes where accepting says no.  What it leaves out is
what only the moment of accepting can tell: whether there is room, and whether the request came before.
"""

from collections.abc import Callable
from typing import Final, Literal

import attrs

from connector.config import KeyConfig
from connector.model import SendRequest, Verdict
from connector.pipeline.normalise import STEPS, Draft, Normaliser, Refused, Unopened
from connector.pipeline.router import Looked, preferred

SenderFrom = Literal["request", "key", "none"]
"""Where a sender comes from; with "none" the carrier fills one in."""


@attrs.frozen
class CarrierOutlook:
    """How a carrier fares now with what goes to one country."""

    bound: bool
    suspended: bool
    state: str
    """Of its health."""
    share: float
    """Of the traffic it would get if it were well, 0 to 1."""
    text: str
    """What limits it, in words."""


def _unknown(*_what: object) -> None:
    return None


@attrs.frozen(kw_only=True)
class Present:
    """What a preview asks about this moment; without a running connector nothing of it is known."""

    outlook: Callable[[str, str | None], CarrierOutlook | None] = _unknown
    """Of (carrier, country)."""
    latency_s: Callable[[str, str | None], float | None] = _unknown
    """Of (carrier, country): how long it has been taking."""


@attrs.frozen
class Check:
    """One step of accepting, and what it said."""

    name: str
    passed: bool
    text: str | None = None
    """Why not."""


@attrs.frozen
class Candidate:
    """A carrier of the message's rule."""

    carrier: str
    price: float | None
    """Of one part; None where its price table has no row for the number."""
    cost: float | None
    """Of all parts."""
    outlook: CarrierOutlook | None
    """None where it is not known."""
    passed_over: str | None
    """Why it would not be tried now."""


@attrs.frozen(kw_only=True)
class Preview:
    """What would become of one request; what was not found out before it was refused is None or empty."""

    accepted: bool
    reason: str | None = None
    field: str | None = None
    text: str | None = None
    """Why it would be refused, in words."""
    to: str | None = None
    """E.164 digits without the plus."""
    country: str | None = None
    lane: str | None = None
    sender: str | None = None
    sender_from: SenderFrom | None = None
    alphabet: str | None = None
    forced_by: tuple[str, ...] = ()
    """Characters that the default alphabet common to the carriers lacks."""
    parts: int | None = None
    leaves_at: float | None = None
    """The earliest moment it may leave: now, ``send_at``, or the end of quiet hours."""
    quiet_until: float | None = None
    """The end of the quiet hours that it would wait for."""
    deadline: float | None = None
    rule: str | None = None
    routes: tuple[Candidate, ...] = ()
    """In the order they would be tried now; those passed over come last."""
    rules: tuple[Looked, ...] = ()
    """Route rules that were looked at: the last one is the message's, unless none fits."""
    checks: tuple[Check, ...] = ()
    """Every check that was made, in order."""


def preview(normaliser: Normaliser, present: Present, request: SendRequest, key: KeyConfig, now: float) -> Preview:
    """Return what would become of this request from this API key if it came now; uses up nothing."""
    draft = Draft(request, key, now)
    checks, refusal = _walk(normaliser, draft)
    passed = {check.name: check.passed for check in checks}
    return Preview(
        accepted=refusal is _NONE,
        reason=refusal.reason,
        field=refusal.field,
        text=refusal.text,
        to=draft.to or None,
        country=draft.country,
        lane=draft.lane,
        sender=draft.sender if "sender" in passed else None,
        sender_from=_sender_from(request, draft) if "sender" in passed else None,
        alphabet=draft.alphabet or None,
        forced_by=draft.forced_by,
        parts=len(draft.bounds) or None,
        leaves_at=draft.start if passed.get("quiet_hours") else None,
        quiet_until=draft.quiet_until,
        deadline=draft.deadline if passed.get("deadline") else None,
        rule=draft.rule or None,
        routes=_candidates(normaliser, present, draft) if draft.rule else (),
        rules=tuple(normaliser.filing.router.trace(draft.traffic)) if "route" in passed else (),
        checks=checks,
    )


def refused(verdict: Verdict) -> Preview:
    """Return the preview of a row that is no request: nothing but why."""
    return Preview(accepted=False, reason=verdict.reason, field=verdict.field, text=verdict.text)


_NONE: Final = Verdict()
"""No refusal."""


def _walk(normaliser: Normaliser, draft: Draft) -> tuple[tuple[Check, ...], Verdict]:
    checks: list[Check] = []
    for name, step in STEPS:
        try:
            step(normaliser, draft)
        except Refused as error:
            return (*checks, Check(name, False, error.verdict.text)), error.verdict
        except Unopened:
            pass  # accepting opens it
        checks.append(Check(name, True))
    return tuple(checks), _NONE


def _sender_from(request: SendRequest, draft: Draft) -> SenderFrom:
    if not draft.sender:
        return "none"
    return "key" if request.sender is None else "request"


# --- carriers -------------------------------------------------------------------------------------------------------


def _candidates(normaliser: Normaliser, present: Present, draft: Draft) -> tuple[Candidate, ...]:
    """Return the rule's carriers: in its preference those that would be tried, then those that would not."""
    route, prices, parts = normaliser.filing.router.route(draft.rule), normaliser.prices, len(draft.bounds)
    if route is None:
        return ()
    found = []
    for carrier in preferred(route, draft.to, draft.country, prices, present.latency_s):
        price = prices.price(carrier, draft.to)
        cost = price * parts if price is not None and parts else None
        outlook = present.outlook(carrier, draft.country)
        found.append(Candidate(carrier, price, cost, outlook, _hindrance(price, draft.policy.retry.max_cost, outlook)))
    # health only decides between carriers: the last one that is up is tried however sick it is
    if any(each.passed_over is None and not _is_sick(each) for each in found):
        found = [_without_sick(each) for each in found]
    return tuple(sorted(found, key=lambda each: each.passed_over is not None))


def _hindrance(price: float | None, cap: float | None, outlook: CarrierOutlook | None) -> str | None:
    """Return why a carrier cannot take the message, whatever the others do."""
    if price is not None and cap is not None and price > cap:
        return f"a part costs {price:g}, and the lane spends at most {cap:g}"
    if outlook is not None and outlook.suspended:
        return "it is suspended"
    if outlook is not None and not outlook.bound:
        return "it is not bound"
    return None


def _is_sick(candidate: Candidate) -> bool:
    return candidate.outlook is not None and candidate.outlook.share <= 0


def _without_sick(candidate: Candidate) -> Candidate:
    if candidate.passed_over is not None or candidate.outlook is None or not _is_sick(candidate):
        return candidate
    return attrs.evolve(candidate, passed_over=f"it is {candidate.outlook.state}, and another one is well")
