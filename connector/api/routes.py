"""The routes of the HTTP door: each decodes, asks a station, and shows what it said."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import attrs
import msgspec
import trio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from connector.api.auth import Keys
from connector.api.filters import flag, message_query
from connector.api.inbound import inbound_query, show_inbound, show_page
from connector.api.previews import show_preview, show_previews
from connector.api.problems import Problem, answer
from connector.api.receipts import receipts_query, show_receipt
from connector.api.schemas import (
    MAX_ROWS,
    BadBody,
    decode_row,
    show_cancellation,
    show_message,
    show_verdict,
    show_verification,
    split_rows,
    why_not_cancelled,
)
from connector.api.status import NOTICES, carrier_state, show_status
from connector.config import KeyConfig
from connector.errors import ConfigError, InputError, IntakeRefused, KeyReused, StoreError
from connector.lifecycle import Status
from connector.metrics import render
from connector.model import InboundQuery, Reason, SendRequest, Verdict, format_id, parse_id
from connector.pipeline.door import Door, Steered
from connector.pipeline.notices import KEPT
from connector.pipeline.preview import Preview, refused
from connector.pipeline.privacy import digits_of
from connector.settings import nearest, shown

log = logging.getLogger("carrierline.api")

MAX_IDEMPOTENCY_KEY = 255
MAX_LENGTH_DIGITS = 12
ROWS_DECODED_AT_ONCE = 250
"""At some 4 µs a row: the event loop is never held longer than a millisecond."""
ROWS_PREVIEWED_AT_ONCE = 25
"""At some 40 µs a row: the same."""

_REFUSED_STATUS = {
    Reason.STILL_RUNNING: 409,
    Reason.QUEUE_FULL: 429,
    Reason.DRAINING: 503,
    Reason.DISK_LOW: 507,
}
# a refusal of the only row that is a matter of rights, not of content
_FORBIDDEN = frozenset({Reason.LANE_NOT_ALLOWED, Reason.OPTION_NOT_ALLOWED})
_MALFORMED = frozenset({Reason.BAD_REQUEST})


class Routes:
    """The handlers, with what they ask."""

    def __init__(self, door: Door, keys: Keys, max_body_bytes: int) -> None:
        self._door = door
        self.keys = keys
        self.max_body_bytes = max_body_bytes

    def _key(self, request: Request) -> KeyConfig:
        given = request.headers.get("authorization")
        key = self.keys.find(given)
        if key is None:
            text = "show an API key: Authorization: Bearer KEY" if given is None else "this API key is not known here"
            raise Problem(401, text, reason="not_authenticated")
        return key

    def _operator(self, request: Request) -> KeyConfig:
        """Return the caller's key if it may see and steer the whole connector."""
        key = self._key(request)
        if not key.operator:
            text = "this API key is not an operator's: its [[api.key]] needs operator = true"
            raise Problem(403, text, reason="not_an_operator")
        return key

    # --- messages ---

    async def messages(self, request: Request) -> Response:
        """Take messages or list them, by the method; one route, so that 405 names both."""
        return await (self.post_messages(request) if request.method == "POST" else self.get_messages(request))

    async def post_messages(self, request: Request) -> Response:
        """Accept one message or a list of them; answered when what was accepted is on disk."""
        key = self._key(request)
        idempotency_key = _idempotency_key(request)
        rows = await self._rows(request)
        if isinstance(rows, msgspec.Raw):
            verdicts = await self._accept(key, [decode_row(rows)], idempotency_key)
            return _one(verdicts[0])
        return _many(await self._accept(key, await _decoded(rows), idempotency_key))

    async def preview(self, request: Request) -> Response:
        """Show what would become of one message or of a list of them; nothing is kept."""
        key = self._key(request)
        rows = await self._rows(request)
        if isinstance(rows, msgspec.Raw):
            return answer(show_preview(self._preview(key, decode_row(rows))))
        previews: list[Preview] = []
        for number, row in enumerate(await _decoded(rows)):
            previews.append(self._preview(key, row))
            if number % ROWS_PREVIEWED_AT_ONCE == ROWS_PREVIEWED_AT_ONCE - 1:
                await trio.lowlevel.checkpoint()
        return answer(show_previews(previews))

    def _preview(self, key: KeyConfig, row: SendRequest | Verdict) -> Preview:
        if isinstance(row, Verdict):
            return refused(row)
        return self._door.intake.preview(key, row, self._door.present)

    async def _rows(self, request: Request) -> list[msgspec.Raw] | msgspec.Raw:
        body = await self._body(request)
        try:
            rows = split_rows(body)
        except BadBody as error:
            raise Problem(400, str(error), reason=Reason.BAD_REQUEST) from None
        if isinstance(rows, list) and len(rows) > MAX_ROWS:
            raise Problem(413, f"{len(rows)} messages in one request, the limit is {MAX_ROWS}", reason="too_many_rows")
        if isinstance(rows, list) and not rows:
            raise Problem(400, "the list holds no message", reason=Reason.BAD_REQUEST)
        return rows

    async def _body(self, request: Request) -> bytes:
        limit = self.max_body_bytes
        too_large = Problem(413, f"the body is larger than {limit // 1000} kB", reason="too_large")
        told = request.headers.get("content-length", "0")
        # no int() of more digits than Python reads
        if told.isdecimal() and (len(told) > MAX_LENGTH_DIGITS or int(told) > limit):
            raise too_large
        chunks, size = [], 0
        try:
            async with aclosing(request.stream()) as stream:
                async for chunk in stream:
                    size += len(chunk)
                    if size > limit:
                        raise too_large
                    chunks.append(chunk)
        except ClientDisconnect:
            raise Problem(400, "the body ended early", reason=Reason.BAD_REQUEST) from None
        return b"".join(chunks)

    async def _accept(
        self, key: KeyConfig, rows: Sequence[SendRequest | Verdict], idempotency_key: str | None
    ) -> list[Verdict]:
        """Return a verdict for each row: those that could not be decoded have theirs already."""
        requests = [row for row in rows if isinstance(row, SendRequest)]
        try:
            verdicts = iter(await self._door.intake.accept(key, requests, idempotency_key=idempotency_key))
        except IntakeRefused as refused:
            status = _REFUSED_STATUS[Reason(refused.reason)]
            raise Problem(status, str(refused), reason=refused.reason, retry_after_s=refused.retry_after_s) from None
        except KeyReused as reused:
            raise Problem(422, str(reused), reason=Reason.KEY_REUSED, field="Idempotency-Key") from None
        return [next(verdicts) if isinstance(row, SendRequest) else row for row in rows]

    async def get_message(self, request: Request) -> Response:
        """Show one message with its timeline, and its text if asked: the caller's own, to an operator's key any."""
        key, message_id = self._key(request), _message_id(request)
        text = flag(_filters(request), "text")
        view = await self._door.queries.message(message_id, api_key=_seen_by(key))
        if view is None:
            raise _no_message()
        return answer(show_message(view, events=True, text=text))

    async def cancel(self, request: Request) -> Response:
        """Take a message back; 409 with how it stands if nothing of it can be."""
        key, message_id = self._key(request), _message_id(request)
        done = await self._door.canceller.cancel(message_id, api_key=key.name)
        if done is None:
            raise await self._not_cancelled(key, message_id)
        if not done.done:
            raise Problem(
                409, why_not_cancelled(done), reason="not_cancellable", field="id", message=show_cancellation(done)
            )
        return answer(show_cancellation(done))

    async def _not_cancelled(self, key: KeyConfig, message_id: int) -> Problem:
        """Return why there is nothing that this key may take back: to see a message is not to own it."""
        view = await self._door.queries.message(message_id) if key.operator else None
        if view is None:
            return _no_message()
        text = f"only its own API key, {shown(view.api_key)}, may take it back"
        return Problem(403, text, reason="not_your_message", field="id")

    async def get_messages(self, request: Request) -> Response:
        """List messages, newest first: the caller's own, to an operator's key those of all keys."""
        key = self._key(request)
        query = message_query(_filters(request), _seen_by(key), country=key.country)
        views = await self._door.queries.messages(query)
        more = format_id(views[-1].id) if len(views) == query.limit else None
        return answer({"messages": [show_message(view, events=False) for view in views], "next": more})

    async def get_inbound(self, request: Request) -> Response:
        """List messages from subscribers: the caller's own, an operator's key all of them."""
        key = self._key(request)
        query = inbound_query(_filters(request), _seen_by(key))
        return answer(show_page(await self._door.queries.inbound(query), query))

    async def get_inbound_message(self, request: Request) -> Response:
        """Show one message from a subscriber."""
        key, message_id = self._key(request), _message_id(request)
        query = InboundQuery(id=message_id, api_key=_seen_by(key), limit=1)
        found = await self._door.queries.inbound(query)
        if not found:
            raise _no_message()
        return answer(show_inbound(found[0]))

    async def key(self, request: Request) -> Response:
        """Show what the caller's key is called and may do."""
        key = self._key(request)
        return answer(
            {
                "name": key.name,
                "lanes": list(key.lanes),
                "country": key.country,
                "sender": key.sender,
                "senders": None if key.senders is None else list(key.senders),
                "options": list(key.options),
                "operator": key.operator,
            }
        )

    # --- for operators ---

    async def get_receipts(self, request: Request) -> Response:
        """List receipts that are kept without a message, and why."""
        self._operator(request)
        after, limit = receipts_query(_filters(request))
        return answer({"receipts": [show_receipt(it) for it in await self._door.queries.parked(after, limit)]})

    async def verify(self, request: Request) -> Response:
        """Show the ledger, and what a recount of the whole store found."""
        self._operator(request)
        return answer(show_verification(await self._door.queries.verify()))

    async def status(self, request: Request) -> Response:
        """Show every carrier and bind as it fares now, what holds it back, its health, and the latest notices."""
        self._operator(request)
        notices = _notices(request)
        return answer(show_status(self._door.statistics(), in_doubt=await self._in_doubt(), notices=notices))

    async def _in_doubt(self) -> int | None:
        """Return how many parts are in doubt now; None where the store cannot say: the rest is told all the same."""
        try:
            ledger = await self._door.queries.ledger()
        except StoreError as error:
            log.warning("the store could not say how many parts are in doubt: %s", error)
            return None
        return ledger.parts.get(Status.IN_DOUBT, 0)

    async def suspend(self, request: Request) -> Response:
        """Send nothing more through a carrier, until it is resumed."""
        return await self._steered(request, self._door.operations.suspend, suspended=True)

    async def resume(self, request: Request) -> Response:
        """Send through a carrier again."""
        return await self._steered(request, self._door.operations.resume, suspended=False)

    async def _steered(self, request: Request, act: Callable[..., Awaitable[Steered]], *, suspended: bool) -> Response:
        by, name = self._operator(request), request.path_params["name"]
        done = await act(name, by=by.name)
        if done is Steered.UNKNOWN:
            known = [carrier.name for carrier in self._door.statistics().carriers]
            text = f"there is no carrier {shown(name)}{nearest(name, known)}"
            raise Problem(404, text, reason="not_found", field="name")
        return answer({"carrier": name, "suspended": suspended, "already": done is Steered.ALREADY})

    async def export(self, request: Request) -> Response:
        """Show every row that holds something of a number; POST, for an address ends in logs."""
        number = await self._number(request)
        return answer({"number": number, "rows": await self._door.queries.privacy.export(number)})

    async def erase(self, request: Request) -> Response:
        """Erase a number and all that was said to it or by it."""
        number = await self._number(request)
        return answer(attrs.asdict(await self._door.queries.privacy.erase(number)))

    async def _number(self, request: Request) -> str:
        """Return the digits of the number that an operator asks about."""
        key = self._operator(request)
        try:
            asked = msgspec.json.decode(await self._body(request), type=dict[str, str])
            return digits_of(asked["number"], key.country)
        except (msgspec.DecodeError, KeyError):
            raise Problem(400, 'the body is {"number": "+447700900123"}', reason=Reason.BAD_REQUEST) from None
        except InputError as error:
            raise Problem(422, str(error), reason=Reason.NUMBER_INVALID, field="number") from None

    async def reload(self, request: Request) -> Response:
        """Read the configuration again and change what differs; 422 with every problem if it is bad."""
        self._operator(request)
        try:
            done = await self._door.operations.reload()
        except ConfigError as error:
            text = "nothing was changed: the configuration has problems"
            raise Problem(422, text, reason="bad_configuration", problems=error.problems) from None
        return answer({"changed": list(done.changed), "unchanged": list(done.unchanged)})

    # --- for machines that watch ---

    async def health(self, request: Request) -> Response:
        """Say that the process answers."""
        return answer({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """Say whether new messages can be kept; how the carriers fare stands in the body and decides nothing."""
        problem = await self._door.not_ready()
        statistics = self._door.statistics()
        carriers = [
            {
                "name": c.name,
                "state": (state := carrier_state(c, statistics.outlooks[c.name])),
                "suspended": c.suspended,
                "draining": state == "draining" or statistics.draining,
                "bound": c.bound,
                "binds": [attrs.asdict(bind) for bind in c.binds],
            }
            for c in statistics.carriers
        ]
        body = {"ready": problem is None, "problem": problem, "carriers": carriers}
        return answer(body, 200 if problem is None else 503)

    async def metrics(self, request: Request) -> Response:
        """Show the numbers for Prometheus."""
        text = render(self._door.statistics(), await self._door.queries.ledger(), tuple(Status))
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def _decoded(rows: Sequence[msgspec.Raw]) -> list[SendRequest | Verdict]:
    decoded: list[SendRequest | Verdict] = []
    for start in range(0, len(rows), ROWS_DECODED_AT_ONCE):
        decoded += [decode_row(row) for row in rows[start : start + ROWS_DECODED_AT_ONCE]]
        await trio.lowlevel.checkpoint()
    return decoded


def _seen_by(key: KeyConfig) -> str | None:
    """Return the API key whose messages this one sees; None for those of all."""
    return None if key.operator else key.name


def _filters(request: Request) -> Mapping[str, str]:
    """Return what a list is narrowed by."""
    given = request.query_params
    for name in given:
        if len(given.getlist(name)) > 1:
            raise Problem(400, f"{name} is given twice", reason=Reason.BAD_REQUEST, field=name)
    return given


def _notices(request: Request) -> int:
    """Return how many notices are asked for."""
    given = request.query_params.get("notices", str(NOTICES))
    if not (given.isascii() and given.isdecimal() and len(given) < 4 and int(given) <= KEPT):
        raise Problem(400, f"notices is a number from 0 to {KEPT}", reason=Reason.BAD_REQUEST, field="notices")
    return int(given)


def _message_id(request: Request) -> int:
    message_id = parse_id(request.path_params["id"])
    if message_id is None:
        raise _no_message()
    return message_id


def _no_message() -> Problem:
    return Problem(404, "there is no message with this id", reason="not_found", field="id")


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= MAX_IDEMPOTENCY_KEY:
        text = f"Idempotency-Key has 1 to {MAX_IDEMPOTENCY_KEY} characters"
        raise Problem(400, text, reason=Reason.BAD_REQUEST, field="Idempotency-Key")
    return key


def _one(verdict: Verdict) -> Response:
    if verdict.accepted:
        return answer(show_verdict(verdict), 200 if verdict.replayed else 202)
    status = 403 if verdict.reason in _FORBIDDEN else 400 if verdict.reason in _MALFORMED else 422
    raise Problem(status, verdict.text or "", reason=verdict.reason, field=verdict.field)


def _many(verdicts: Sequence[Verdict]) -> Response:
    accepted = sum(verdict.accepted and not verdict.replayed for verdict in verdicts)
    replayed = sum(verdict.replayed for verdict in verdicts)
    body: dict[str, Any] = {
        "accepted": accepted,
        "replayed": replayed,
        "refused": len(verdicts) - accepted - replayed,
        "verdicts": [{"row": row, **show_verdict(verdict)} for row, verdict in enumerate(verdicts)],
    }
    if accepted:
        return answer(body, 202)
    if replayed:
        return answer({**body, "replayed_all": True}, 200)
    raise Problem(422, "no row was accepted; each verdict says why", reason="no_row_accepted", **body)
