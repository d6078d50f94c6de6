"""A typed client of the HTTP API: what the command line uses, and anybody's Python may."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import attrs
import httpx2

from connector.errors import ApiError, ConfigError, InputError
from connector.model import SendRequest

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_S = 60.0
PRIVACY_TIMEOUT_S = 600.0
"""A number is looked for in every row and in every byte: a few seconds for each million messages."""
CANCEL_TIMEOUT_S = 300.0
"""A carrier that is asked to give a message back may take its whole response timer."""


@attrs.frozen
class RowVerdict:
    """What became of one row."""

    id: str | None
    """The message's id where the row was accepted, now or before."""
    replayed: bool = False
    parts: int = 0
    to: str | None = None
    reason: str | None = None
    """Reason code of a refusal."""
    field: str | None = None
    detail: str | None = None

    @property
    def accepted(self) -> bool:
        return self.id is not None


class Client:
    """A connection to a running connector; use it in ``async with``, under trio or asyncio.

    Every call raises ApiError with the status and the connector's own sentence when it answers with an error, and with
    status 0 when it cannot be reached or something else answers.  Making one raises InputError for an address or a key
    that cannot be one.
    """

    def __init__(self, url: str = DEFAULT_URL, *, key: str) -> None:
        if not (key.isascii() and key.isprintable()):
            raise InputError("the API key holds signs that no HTTP header can carry")  # and no word of the key itself
        self._url = url.rstrip("/")
        self._http = httpx2.AsyncClient(
            base_url=_checked(self._url),
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def send(self, requests: Sequence[SendRequest], *, idempotency_key: str | None = None) -> list[RowVerdict]:
        """Hand over up to 1,000 messages; return a verdict for each, in order, when the accepted ones are on disk.

        Where no row at all was accepted the verdicts are returned all the same.
        """
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        body = [request_body(request) for request in requests]
        answer = await self._ask("POST", "/v1/messages", json=body, headers=headers, allow_verdicts=True)
        if len(answer.get("verdicts", ())) != len(requests):
            raise ApiError(0, f"what answers at {self._url} is no connector: it gave no verdict on each row")
        return [
            RowVerdict(
                id=verdict.get("id"),
                replayed=verdict.get("replayed", False),
                parts=verdict.get("parts", 0),
                to=verdict.get("to"),
                reason=verdict.get("reason"),
                field=verdict.get("field"),
                detail=verdict.get("detail"),
            )
            for verdict in answer["verdicts"]
        ]

    async def preview(self, requests: Sequence[SendRequest]) -> list[dict[str, Any]]:
        """Return what would become of each of up to 1,000 messages, in order; nothing is kept or sent.

        Each is what ``POST /v1/messages/preview`` shows: ``status`` ("accepted" or "refused"), ``reason``, ``field``
        and ``detail``; ``to``, ``country``, ``lane``, ``from``, ``alphabet``, ``parts``, ``leaves_at``, ``deadline``;
        ``route`` and its ``carriers``; the ``rules`` that were looked at and the ``checks`` that were made.
        """
        body = [request_body(request) for request in requests]
        answer = await self._ask("POST", "/v1/messages/preview", json=body)
        previews: list[dict[str, Any]] = answer.get("previews", [])
        if len(previews) != len(requests):
            raise ApiError(0, f"what answers at {self._url} is no connector: it gave no preview of each row")
        return previews

    async def message(self, message_id: str, *, text: bool = False) -> dict[str, Any]:
        """Return one message with its timeline; an operator's key sees any, another one its own.

        ``text``: with its ``text`` too, which is None once it is gone; then ``text_gone`` says why: "not_kept" so long
        by its lane, or "erased" with its number.
        """
        return await self._ask(
            "GET", f"/v1/messages/{quote(message_id, safe='')}", params={"text": "true"} if text else {}
        )

    async def messages(self, **filters: str | int | None) -> dict[str, Any]:
        """Return ``{"messages": [...], "next": cursor}``; filters are to, status, since, api_key, limit and before.

        An operator's key sees the messages of all API keys, any other its own.
        """
        given = {name: value for name, value in filters.items() if value is not None}
        return await self._ask("GET", "/v1/messages", params=given)

    async def receipts(self, *, after: int = 0, limit: int = 100) -> dict[str, Any]:
        """Return ``{"receipts": [...]}``: those that are kept without a message, behind this id, oldest first."""
        return await self._ask("GET", "/v1/receipts", params={"after": after, "limit": limit})

    async def inbound(self, **filters: str | int | None) -> dict[str, Any]:
        """Return ``{"inbound": [...], "next": cursor}``; filters are to, from, after, before, unmatched and limit.

        Newest first; behind the id ``after`` (0: from the first one on) oldest first, to follow what comes.
        """
        given = {name: value for name, value in filters.items() if value is not None}
        return await self._ask("GET", "/v1/inbound", params=given)

    async def inbound_message(self, message_id: str) -> dict[str, Any]:
        """Return one message from a subscriber."""
        return await self._ask("GET", f"/v1/inbound/{quote(message_id, safe='')}")

    async def cancel(self, message_id: str) -> dict[str, Any]:
        """Take a message back: what waits at once, what was sent if its carrier gives it back.

        Returns ``id``, ``status``, ``parts``, how many of them are ``cancelled``, were ``already_out``, and were
        ``recalled`` from a carrier, and what ``carriers`` said.  Raises ApiError with status 409 where nothing of it
        could be taken back, with the reason in its sentence.
        """
        return await self._ask("POST", f"/v1/messages/{quote(message_id, safe='')}/cancel", timeout=CANCEL_TIMEOUT_S)

    async def ready(self) -> dict[str, Any]:
        """Return what ``/ready`` says, ready or not."""
        return self._body_of(await self._request("GET", "/ready"))

    async def key(self) -> dict[str, Any]:
        """Return what this API key is called and may do: name, lanes, country, sender, options, operator."""
        return await self._ask("GET", "/v1/key")

    async def verify(self) -> dict[str, Any]:
        """Return the ledger and what a recount of the store found wrong; an operator's key is needed."""
        return await self._ask("GET", "/v1/verify")

    # --- for operators ---

    async def status(self, *, notices: int | None = None) -> dict[str, Any]:
        """Return how every carrier and bind fares now, what holds it back, how healthy it is, and the latest notices.

        ``in_doubt`` counts the parts that were sent, never answered, and are undecided; None if the store cannot say.
        ``notices``: how many of these, 0 to 500; 20 unless given.
        """
        params = {} if notices is None else {"notices": notices}
        return await self._ask("GET", "/v1/status", params=params)

    async def export(self, number: str) -> dict[str, Any]:
        """Return ``{"number": digits, "rows": [...]}``: every row that holds something of this number."""
        return await self._ask("POST", "/v1/privacy/export", json={"number": number}, timeout=PRIVACY_TIMEOUT_S)

    async def erase(self, number: str) -> dict[str, Any]:
        """Erase a number and all that was said to it or by it.

        Returns how many ``messages``, ``receipts`` and ``inbound`` rows that were, and whether the files are ``clean``
        of the number.  Messages that have not come to their end are left as they are: ``live`` counts them,
        ``under_way`` names the first ten by their ids, and ``receipts_left`` counts the parked receipts that were left
        with them, for they may belong to one.  Where ``live`` is not 0, erase again when these have come to their end.
        """
        return await self._ask("POST", "/v1/privacy/erase", json={"number": number}, timeout=PRIVACY_TIMEOUT_S)

    async def suspend(self, carrier: str) -> dict[str, Any]:
        """Send nothing more through this carrier, until `resume`; its binds stay up.

        Returns ``{"carrier": name, "suspended": True, "already": whether it was so before}``.
        """
        return await self._ask("POST", f"/v1/carriers/{quote(carrier, safe='')}/suspend")

    async def resume(self, carrier: str) -> dict[str, Any]:
        """Send through this carrier again; returns the same as `suspend`."""
        return await self._ask("POST", f"/v1/carriers/{quote(carrier, safe='')}/resume")

    async def reload(self) -> dict[str, Any]:
        """Read the configuration again and change what differs; return ``{"changed": [...], "unchanged": [...]}``.

        Raises ConfigError with every problem, and then nothing has changed.
        """
        answer = await self._request("POST", "/v1/reload")
        body = self._body_of(answer)
        if answer.status_code == 422 and "problems" in body:
            raise ConfigError([str(problem) for problem in body["problems"]])
        if answer.status_code >= 400:
            raise ApiError(answer.status_code, _sentence(answer.status_code, body))
        return body

    async def _ask(self, method: str, path: str, *, allow_verdicts: bool = False, **how: Any) -> dict[str, Any]:
        answer = await self._request(method, path, **how)
        body = self._body_of(answer)
        if answer.status_code >= 400 and not (allow_verdicts and "verdicts" in body):
            raise ApiError(answer.status_code, _sentence(answer.status_code, body))
        return body

    def _body_of(self, answer: httpx2.Response) -> dict[str, Any]:
        body: object = None
        if "json" in answer.headers.get("content-type", ""):
            with suppress(ValueError):  # half an answer is none
                body = answer.json()
        if not isinstance(body, dict):
            status = answer.status_code if answer.status_code >= 400 else 0
            raise ApiError(status, f"what answers at {self._url} is no connector (status {answer.status_code})")
        return body

    async def _request(self, method: str, path: str, **how: Any) -> httpx2.Response:
        try:
            return await self._http.request(method, path, **how)
        except httpx2.TransportError as error:
            raise ApiError(0, f"no connector answers at {self._url}") from error


def _checked(url: str) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise InputError(f"{url!r} is no address of a connector: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InputError(f"{url!r} is no address of a connector such as {DEFAULT_URL}")
    return parsed


def _sentence(status: int, body: Mapping[str, Any]) -> str:
    detail = body.get("detail") or f"the connector answered {status}"
    return f"{body['field']}: {detail}" if body.get("field") else str(detail)


def request_body(request: SendRequest) -> dict[str, Any]:
    """Return a request as the API wants it, without what is not set."""
    deadline = _duration(request.deadline_in_s) or _moment(request.deadline)
    body: dict[str, Any] = {
        "to": request.to,
        "text": request.text,
        "template": request.template,
        "variables": request.variables,
        "locale": request.locale,
        "from": request.sender,
        "lane": request.lane,
        "client_ref": request.client_ref,
        "country": request.country,
        "send_at": _moment(request.send_at),
        "deadline": deadline,
        "metadata": request.metadata,
        "options": request.options,
    }
    body = {name: value for name, value in body.items() if value is not None}
    return body if request.receipt else {**body, "receipt": False}


def _duration(seconds: float | None) -> str | None:
    return None if seconds is None else f"{Decimal(repr(float(seconds))):f}s"  # every digit, and never an exponent


def _moment(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
