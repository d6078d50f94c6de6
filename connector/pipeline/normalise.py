"""From what a caller asked to a message ready to be kept, or to the reason why not.  Pure."""

import json
import math
from collections.abc import Callable, Mapping

import attrs

from connector.carrier.options import VendorTlvs, option_problem, vendor_tlvs
from connector.config import Config, KeyConfig
from connector.model import Message, QueueName, Reason, SendRequest, Verdict
from connector.pipeline.router import Router, Scopes
from connector.policy import numbers, senders
from connector.policy.texts import Cutter

MAX_METADATA_BYTES = 1_024
MAX_REF_LENGTH = 128
MAX_AHEAD_S = 90 * 86_400.0


class _Refused(Exception):
    """Ends the line of steps below: the row is no message."""

    def __init__(self, reason: Reason, field: str, text: str) -> None:
        super().__init__(text)
        self.verdict = Verdict(reason=reason, field=field, text=text)


class _Unopened(Exception):
    """Ends the line of steps too: the message's queue does not exist yet."""

    def __init__(self, name: QueueName) -> None:
        super().__init__(name)
        self.name = name


@attrs.define
class Normaliser:
    """The rules of one configuration, applied to one request at a time."""

    config: Config
    router: Router
    queue_ids: Mapping[QueueName, int]
    next_id: Callable[[], int]
    next_reference: Callable[[str, str], int]
    """Concatenation reference for (sender, destination)."""
    _cutters: dict[str, Cutter] = attrs.field(init=False)
    _tlvs: dict[str, list[VendorTlvs]] = attrs.field(init=False)
    """The own TLVs of each carrier of a rule."""
    _scopes: dict[str, Scopes] = attrs.field(init=False)
    """What the carriers of a rule limit."""

    def __attrs_post_init__(self) -> None:
        carriers = {carrier.name: carrier for carrier in self.config.carrier}
        self._cutters = {
            str(route.name): Cutter([carriers[name] for name in route.carriers]) for route in self.config.route
        }
        self._tlvs = {
            str(route.name): [vendor_tlvs(carriers[name].dialect) for name in route.carriers]
            for route in self.config.route
        }
        self._scopes = {
            str(route.name): Scopes([carriers[name] for name in route.carriers]) for route in self.config.route
        }

    def normalise(self, request: SendRequest, key: KeyConfig, now: float) -> Message | Verdict | QueueName:
        """Return the message this row asks for, or a verdict that says what is wrong with it and where.

        Or a queue that is to be opened first: of a sender or a country that nothing was sent from or to before.
        """
        try:
            return self._message(request, key, now)
        except _Refused as refused:
            return refused.verdict
        except _Unopened as unopened:
            return unopened.name

    def _message(self, request: SendRequest, key: KeyConfig, now: float) -> Message:
        lane = _lane(request, key, self.config)
        number = _number(request, key)
        sender = _sender(request, key)
        text = _text(request)
        rule = self.router.rule(lane, number.region)
        if rule is None:
            raise _Refused(Reason.NO_ROUTE, "to", f"no route takes lane {lane} to {number.region}")
        cuts = self._cutters[rule].cut(text)
        if isinstance(cuts, str):
            raise _Refused(Reason.TEXT_TOO_LONG, "text", f"the text {cuts}")
        send_at, deadline = _times(request, self.config.lane[lane].deadline_s, now)
        return Message(
            id=self.next_id(),
            api_key=key.name,
            lane=lane,
            queue=self._queue(lane, rule, key, sender, number.region),
            to=number.e164,
            sender=sender,
            text=text,
            alphabet=cuts.alphabet.value,
            reference=self.next_reference(sender, number.e164) if len(cuts.bounds) > 1 else 0,
            bounds=cuts.bounds,
            created_at=now,
            deadline=deadline,
            send_at=send_at,
            country=number.region,
            client_ref=_client_ref(request),
            metadata=_metadata(request),
            options=_options(request, key, self._tlvs[rule]),
            receipt=request.receipt,
        )

    def _queue(self, lane: str, rule: str, key: KeyConfig, sender: str, country: str | None) -> int:
        scope = self._scopes[rule].of(sender, country)
        queue = self.queue_ids.get(QueueName(lane, rule, key.name, scope))
        if queue is not None:
            return queue
        if QueueName(lane, rule, key.name) in self.queue_ids:
            raise _Unopened(QueueName(lane, rule, key.name, scope))
        # a reload took the key, or gave it other lanes, while the request was read
        raise _Refused(Reason.NO_ROUTE, "lane", f"lane {lane} is not open to this API key any more: ask again")


def _lane(request: SendRequest, key: KeyConfig, config: Config) -> str:
    lane = request.lane or key.lanes[0]
    if lane not in config.lane:
        raise _Refused(Reason.LANE_UNKNOWN, "lane", f"there is no lane {lane!r}; there are {', '.join(config.lane)}")
    if lane not in key.lanes:
        raise _Refused(Reason.LANE_NOT_ALLOWED, "lane", f"this API key may use {', '.join(key.lanes)}, not {lane}")
    return lane


def _number(request: SendRequest, key: KeyConfig) -> numbers.Number:
    country = request.country or key.country
    number = numbers.normalise(request.to, country.upper() if country else None)
    if isinstance(number, numbers.BadNumber):
        raise _Refused(number.reason, "country" if number.reason is Reason.COUNTRY_UNKNOWN else "to", number.text)
    return number


def _sender(request: SendRequest, key: KeyConfig) -> str:
    sender = request.sender if request.sender is not None else key.sender or ""
    problem = senders.problem(sender)
    if problem is not None:
        raise _Refused(problem[0], "from", problem[1])
    if key.senders is not None and sender not in key.senders:
        raise _Refused(Reason.SENDER_INVALID, "from", f"this API key may send from {', '.join(key.senders)}")
    return sender


def _text(request: SendRequest) -> str:
    if request.template is not None:
        raise _Refused(Reason.TEMPLATE_UNKNOWN, "template", f"there is no template {request.template!r}")
    for name, value in (("variables", request.variables), ("locale", request.locale)):
        if value is not None:
            raise _Refused(Reason.BAD_REQUEST, name, f"{name} goes with a template")
    if not request.text:
        raise _Refused(Reason.TEXT_MISSING, "text", "there is no text")
    _octets(request.text, "text")
    return request.text


def _octets(text: str, field: str) -> bytes:
    """Return the text in UTF-8; half a surrogate pair has no octets, on no disk."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise _Refused(Reason.BAD_REQUEST, field, f"{field} holds half a surrogate pair") from None


def _times(request: SendRequest, lane_deadline_s: float, now: float) -> tuple[float | None, float]:
    """Return (send_at, deadline); a time to send that is past means now."""
    for name in ("send_at", "deadline", "deadline_in_s"):
        if not math.isfinite(getattr(request, name) or 0.0):
            raise _Refused(Reason.TIME_INVALID, name.removesuffix("_in_s"), "a time is a finite number of seconds")
    send_at = request.send_at if request.send_at is not None and request.send_at > now else None
    if send_at is not None and send_at > now + MAX_AHEAD_S:
        raise _Refused(Reason.TIME_INVALID, "send_at", "send_at is more than 90 days ahead")
    start = send_at or now
    latest = start + lane_deadline_s
    deadline = latest if request.deadline is None else request.deadline
    if request.deadline_in_s is not None:
        if request.deadline is not None:
            raise _Refused(Reason.TIME_INVALID, "deadline", "the deadline is given twice")
        deadline = start + request.deadline_in_s
    if deadline <= start:
        raise _Refused(Reason.TIME_INVALID, "deadline", "the deadline is past before the message could be sent")
    if deadline > latest:
        raise _Refused(
            Reason.TIME_INVALID, "deadline", f"the deadline is later than the lane allows ({lane_deadline_s:g} s)"
        )
    return send_at, deadline


def _client_ref(request: SendRequest) -> str | None:
    if request.client_ref is not None and not 0 < len(request.client_ref) <= MAX_REF_LENGTH:
        raise _Refused(Reason.BAD_REQUEST, "client_ref", f"client_ref has 1 to {MAX_REF_LENGTH} characters")
    _octets(request.client_ref or "", "client_ref")
    return request.client_ref


def _metadata(request: SendRequest) -> str | None:
    if request.metadata is None:
        return None
    try:
        text = json.dumps(request.metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError):
        raise _Refused(Reason.BAD_REQUEST, "metadata", "metadata is not JSON") from None
    if len(_octets(text, "metadata")) > MAX_METADATA_BYTES:
        raise _Refused(Reason.METADATA_TOO_LARGE, "metadata", f"metadata is larger than {MAX_METADATA_BYTES} bytes")
    return text


def _options(request: SendRequest, key: KeyConfig, carriers: list[VendorTlvs]) -> str | None:
    if not request.options:
        return None
    for name, value in request.options.items():
        if name not in key.options:
            raise _Refused(Reason.OPTION_NOT_ALLOWED, f"options.{name}", f"this API key may not set {name}")
        problem = option_problem(name, value, carriers)
        if problem is not None:
            raise _Refused(Reason.OPTION_INVALID, f"options.{name}", problem)
    return json.dumps(request.options, sort_keys=True, separators=(",", ":"))
