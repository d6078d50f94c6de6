"""From what a caller asked to a message ready to be kept, or to the reason why not.  Pure.

Every request goes down one line of steps, `STEPS`, whether it is accepted or only looked at by `preview`: each adds to
a draft what it found out, or ends the line.  What can be used up (ids, references) is taken after the line has ended.
"""

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import attrs

from connector.carrier.options import VendorTlvs, option_problem, vendor_tlvs
from connector.config import Config, KeyConfig, LaneConfig
from connector.model import Message, QueueName, Reason, SendRequest, Verdict
from connector.pipeline.filing import Filing
from connector.pipeline.prices import Prices
from connector.pipeline.router import Traffic, message_class
from connector.policy import numbers, senders
from connector.policy.hours import NEVER, Hours
from connector.policy.texts import Cutter

MAX_METADATA_BYTES = 1_024
MAX_REF_LENGTH = 128
MAX_AHEAD_S = 90 * 86_400.0

_sender_problem = lru_cache(maxsize=1_000)(senders.problem)
"""A caller has few senders: a look-up is cheaper than asking again."""


class Refused(Exception):
    """Ends the line of steps: the row is no message."""

    def __init__(self, reason: Reason, field: str, text: str) -> None:
        super().__init__(text)
        self.verdict = Verdict(reason=reason, field=field, text=text)


class Unopened(Exception):
    """Ends the line of steps too: the message's queue does not exist yet."""

    def __init__(self, name: QueueName) -> None:
        super().__init__(name)
        self.name = name


class Draft:
    """A request on its way down the steps, with what they have found out so far.

    A plain class, whose defaults cost nothing: one is made for each row.
    """

    lane = ""
    policy: LaneConfig
    """The lane's; there is none before the first step has found it."""
    to = ""
    """E.164 digits without the plus."""
    country: str | None = None
    sender = ""
    rule = ""
    alphabet = ""
    bounds: tuple[tuple[int, int], ...] = ()
    """Character offsets of each part."""
    forced_by: tuple[str, ...] = ()
    """Characters of the text that the carriers' default alphabet lacks."""
    send_at: float | None = None
    quiet_until: float | None = None
    """The end of the quiet hours it would have left in; then that is its ``send_at``."""
    deadline = 0.0
    metadata: str | None = None
    options: str | None = None
    queue = 0

    def __init__(self, request: SendRequest, key: KeyConfig, now: float) -> None:
        self.request = request
        self.key = key
        self.now = now

    @property
    def start(self) -> float:
        """The earliest moment it may leave."""
        return self.now if self.send_at is None else self.send_at

    @property
    def traffic(self) -> Traffic:
        """What route rules look at."""
        options = self.request.options
        class_ = "none" if options is None else message_class(options)
        return Traffic(self.lane, self.country, self.to, self.sender, self.key.name, class_)


@attrs.frozen
class _RuleFacts:
    """What the carriers of a rule have in common, and what they differ in."""

    carriers: tuple[str, ...]
    cutter: Cutter
    tlvs: list[VendorTlvs]
    """The own TLVs of each."""


@attrs.define
class Normaliser:
    """The rules of one configuration, applied to one request at a time."""

    config: Config
    queue_ids: Mapping[QueueName, int]
    next_id: Callable[[], int]
    next_reference: Callable[[str, str], int]
    """Concatenation reference for (sender, destination)."""
    filing: Filing = attrs.field(init=False)
    prices: Prices = attrs.field(init=False)
    _hours: Hours = attrs.field(init=False)
    _facts: dict[str, _RuleFacts] = attrs.field(init=False)
    """By the rule's name."""
    _found: dict[tuple[str, str, str, str], int] = attrs.field(init=False, factory=dict)
    """Those of `queue_ids` that were used: a queue keeps its id, and a name costs more to make than this look-up."""

    def __attrs_post_init__(self) -> None:
        self.filing = Filing(self.config)
        self.prices = Prices(self.config.carrier)
        self._hours = Hours(self.config.lane)
        by_name = {carrier.name: carrier for carrier in self.config.carrier}
        self._facts = {}
        for route in self.config.route:
            carriers = [by_name[name] for name in route.carriers]
            tlvs = [vendor_tlvs(carrier.dialect) for carrier in carriers]
            self._facts[str(route.name)] = _RuleFacts(route.carriers, Cutter(carriers), tlvs)

    def normalise(self, request: SendRequest, key: KeyConfig, now: float) -> Message | Verdict | QueueName:
        """Return the message this row asks for, or a verdict that says what is wrong with it and where.

        Or a queue that is to be opened first: of a sender or a country that nothing was sent from or to before.
        """
        draft = Draft(request, key, now)
        try:
            for step in _LINE:
                step(self, draft)
        except Refused as refused:
            return refused.verdict
        except Unopened as unopened:
            return unopened.name
        return self._message(draft)

    def _message(self, draft: Draft) -> Message:
        request = draft.request
        return Message(
            id=self.next_id(),
            api_key=draft.key.name,
            lane=draft.lane,
            queue=draft.queue,
            to=draft.to,
            sender=draft.sender,
            text=request.text or "",
            alphabet=draft.alphabet,
            reference=self.next_reference(draft.sender, draft.to) if len(draft.bounds) > 1 else 0,
            bounds=draft.bounds,
            created_at=draft.now,
            deadline=draft.deadline,
            send_at=draft.send_at,
            country=draft.country,
            client_ref=request.client_ref,
            metadata=draft.metadata,
            options=draft.options,
            receipt=request.receipt,
        )

    # --- the steps, in their order ---

    def lane(self, draft: Draft) -> None:
        """Find the lane: the one asked for, or the API key's first."""
        key, lanes = draft.key, self.config.lane
        draft.lane = lane = draft.request.lane or key.lanes[0]
        policy = lanes.get(lane)
        if policy is None:
            raise Refused(Reason.LANE_UNKNOWN, "lane", f"there is no lane {lane!r}; there are {', '.join(lanes)}")
        if lane not in key.lanes:
            text = f"this API key may use {', '.join(key.lanes)}, not {lane}"
            raise Refused(Reason.LANE_NOT_ALLOWED, "lane", text)
        draft.policy = policy

    def number(self, draft: Draft) -> None:
        """Read the number."""
        country = draft.request.country or draft.key.country
        number = numbers.normalise(draft.request.to, country.upper() if country else None)
        if isinstance(number, numbers.BadNumber):
            field = "country" if number.reason is Reason.COUNTRY_UNKNOWN else "to"
            raise Refused(number.reason, field, number.text)
        draft.to, draft.country = number.e164, number.region

    def sender(self, draft: Draft) -> None:
        """Find the sender, and whether this API key and this lane may send from it."""
        key, asked = draft.key, draft.request.sender
        draft.sender = sender = asked if asked is not None else key.sender or ""
        problem = _sender_problem(sender)
        if problem is not None:
            raise Refused(problem[0], "from", problem[1])
        if key.senders is not None and sender not in key.senders:
            raise Refused(Reason.SENDER_INVALID, "from", f"this API key may send from {', '.join(key.senders)}")
        allowed = draft.policy.senders
        if allowed is not None and sender not in allowed:
            raise Refused(Reason.SENDER_INVALID, "from", f"lane {draft.lane} may send from {', '.join(allowed)}")

    def text(self, draft: Draft) -> None:
        """See that there is a text, and nothing that needs a template."""
        _check_text(draft.request)

    def route(self, draft: Draft) -> None:
        """Find the route rule."""
        rule = self.filing.router.rule(draft.traffic)
        if rule is None:
            raise Refused(Reason.NO_ROUTE, "to", f"no route takes lane {draft.lane} to {draft.country}")
        draft.rule = rule

    def parts(self, draft: Draft) -> None:
        """Cut the text so that every carrier of the rule can take it."""
        cut = self._facts[draft.rule].cutter.cut(draft.request.text or "")
        if isinstance(cut, str):
            raise Refused(Reason.TEXT_TOO_LONG, "text", f"the text {cut}")
        draft.alphabet, draft.bounds, draft.forced_by = cut.alphabet.value, cut.bounds, cut.forced_by

    def cost(self, draft: Draft) -> None:
        """See that one carrier at least takes a part within the lane's cap; an unknown price is not above it."""
        cap = draft.policy.retry.max_cost
        if cap is None:
            return
        prices = [self.prices.price(name, draft.to) for name in self._facts[draft.rule].carriers]
        known = [price for price in prices if price is not None]
        if len(known) == len(prices) and min(known) > cap:
            text = f"a part costs at least {min(known):g} to this number, and lane {draft.lane} spends at most {cap:g}"
            raise Refused(Reason.COST_CAP, "to", text)

    def times(self, draft: Draft) -> None:
        """Find when it is to leave."""
        _check_times(draft.request, draft.now)
        draft.send_at = _send_at(draft.request, draft.now)

    def quiet_hours(self, draft: Draft) -> None:
        """Let it wait for the end of the lane's quiet hours if it would leave in them."""
        if draft.policy.quiet_hours is None:
            return
        opens_at = self._hours.opens_at(draft.lane, draft.country, draft.start)
        if opens_at == NEVER:
            raise Refused(Reason.QUIET_HOURS, "to", _always_quiet(draft))
        if opens_at is not None:
            draft.send_at = draft.quiet_until = opens_at

    def deadline(self, draft: Draft) -> None:
        """Find after when it may not leave."""
        draft.deadline = _deadline(draft)

    def client_ref(self, draft: Draft) -> None:
        """See that the caller's own name for it can be kept."""
        if draft.request.client_ref is not None:
            _check_client_ref(draft.request.client_ref)

    def metadata(self, draft: Draft) -> None:
        """Write the metadata as JSON."""
        if draft.request.metadata is not None:
            draft.metadata = _metadata(draft.request.metadata)

    def options(self, draft: Draft) -> None:
        """See that every option is allowed and fits all carriers of the rule."""
        if draft.request.options:
            draft.options = _options(draft.request.options, draft.key, self._facts[draft.rule].tlvs)

    def queue(self, draft: Draft) -> None:
        """Find the queue it waits in."""
        scope = self.filing.scope(draft.rule, draft.sender, draft.country)
        words = draft.lane, draft.rule, draft.key.name, scope
        queue = self._found.get(words)
        draft.queue = self._find_queue(QueueName(*words)) if queue is None else queue

    def _find_queue(self, name: QueueName) -> int:
        queue = self.queue_ids.get(name)
        if queue is not None:
            self._found[name.lane, name.rule, name.api_key, name.scope] = queue
            return queue
        if attrs.evolve(name, scope="") in self.queue_ids:
            raise Unopened(name)
        # a reload took the key, or gave it other lanes, while the request was read
        raise Refused(Reason.NO_ROUTE, "lane", f"lane {name.lane} is not open to this API key any more: ask again")


Step = Callable[[Normaliser, Draft], None]
STEPS: Final[tuple[tuple[str, Step], ...]] = tuple(
    (step.__name__, step)
    for step in (
        Normaliser.lane,
        Normaliser.number,
        Normaliser.sender,
        Normaliser.text,
        Normaliser.route,
        Normaliser.parts,
        Normaliser.cost,
        Normaliser.times,
        Normaliser.quiet_hours,
        Normaliser.deadline,
        Normaliser.client_ref,
        Normaliser.metadata,
        Normaliser.options,
        Normaliser.queue,
    )
)
"""The whole way of a request, in order, each step with its name.  Each may raise `Refused`, the last `Unopened` too."""
_LINE: Final = tuple(step for _, step in STEPS)


def _check_text(request: SendRequest) -> None:
    if request.template is not None:
        raise Refused(Reason.TEMPLATE_UNKNOWN, "template", f"there is no template {request.template!r}")
    for name, value in (("variables", request.variables), ("locale", request.locale)):
        if value is not None:
            raise Refused(Reason.BAD_REQUEST, name, f"{name} goes with a template")
    if not request.text:
        raise Refused(Reason.TEXT_MISSING, "text", "there is no text")
    _octets(request.text, "text")


def _octets(text: str, field: str) -> bytes:
    """Return the text in UTF-8; half a surrogate pair has no octets, on no disk."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise Refused(Reason.BAD_REQUEST, field, f"{field} holds half a surrogate pair") from None


def _check_times(request: SendRequest, now: float) -> None:
    if request.send_at is None and request.deadline is None and request.deadline_in_s is None:
        return
    for name in ("send_at", "deadline", "deadline_in_s"):
        if not math.isfinite(getattr(request, name) or 0.0):
            raise Refused(Reason.TIME_INVALID, name.removesuffix("_in_s"), "a time is a finite number of seconds")
    if request.send_at is not None and request.send_at > now + MAX_AHEAD_S:
        raise Refused(Reason.TIME_INVALID, "send_at", "send_at is more than 90 days ahead")
    if request.deadline is not None and request.deadline_in_s is not None:
        raise Refused(Reason.TIME_INVALID, "deadline", "the deadline is given twice")


def _send_at(request: SendRequest, now: float) -> float | None:
    """Return when it is to leave; None for now, which a time that is past means too."""
    return request.send_at if request.send_at is not None and request.send_at > now else None


def _deadline(draft: Draft) -> float:
    """Return the moment asked for, or the lane's; both count from when it may leave."""
    request, start, lane_s = draft.request, draft.start, draft.policy.deadline_s
    latest = start + lane_s
    deadline = latest if request.deadline is None else request.deadline
    if request.deadline_in_s is not None:
        deadline = start + request.deadline_in_s
    if deadline <= start:
        raise _too_early(draft, deadline)
    if deadline > latest:
        raise Refused(Reason.TIME_INVALID, "deadline", f"the deadline is later than the lane allows ({lane_s:g} s)")
    return deadline


def _too_early(draft: Draft, deadline: float) -> Refused:
    """Return the refusal for a deadline before the message may leave."""
    asked = _send_at(draft.request, draft.now) or draft.now
    if draft.quiet_until is None or draft.request.deadline is None or deadline <= asked:
        return Refused(Reason.TIME_INVALID, "deadline", "the deadline is past before the message could be sent")
    ends, late = _moment(draft.quiet_until), _moment(deadline)
    text = f"lane {draft.lane} is quiet until {ends} for this number, and the deadline {late} comes first"
    return Refused(Reason.QUIET_HOURS, "deadline", text)


def _always_quiet(draft: Draft) -> str:
    if draft.country in (None, "001"):
        return f"lane {draft.lane} has quiet hours, and what time it is for a number of no country is not known"
    return f"in one time zone or another of {draft.country} it is always a quiet hour of lane {draft.lane}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _check_client_ref(client_ref: str) -> None:
    if not 0 < len(client_ref) <= MAX_REF_LENGTH:
        raise Refused(Reason.BAD_REQUEST, "client_ref", f"client_ref has 1 to {MAX_REF_LENGTH} characters")
    _octets(client_ref, "client_ref")


def _metadata(given: Mapping[str, object]) -> str:
    try:
        text = json.dumps(given, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError):
        raise Refused(Reason.BAD_REQUEST, "metadata", "metadata is not JSON") from None
    if len(_octets(text, "metadata")) > MAX_METADATA_BYTES:
        raise Refused(Reason.METADATA_TOO_LARGE, "metadata", f"metadata is larger than {MAX_METADATA_BYTES} bytes")
    return text


def _options(options: Mapping[str, object], key: KeyConfig, carriers: list[VendorTlvs]) -> str:
    for name, value in options.items():
        if name not in key.options:
            raise Refused(Reason.OPTION_NOT_ALLOWED, f"options.{name}", f"this API key may not set {name}")
        problem = option_problem(name, value, carriers)
        if problem is not None:
            raise Refused(Reason.OPTION_INVALID, f"options.{name}", problem)
    return json.dumps(options, sort_keys=True, separators=(",", ":"))
