"""A load through an HTTP door: rows posted in batches to what takes them as the connector's /v1/messages does."""

import math
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import attrs
import httpx2
import trio

from connector.errors import ConfigError
from simulator.load.arrivals import length_s
from simulator.load.messages import Message, Messages
from simulator.load.supply import Supply
from simulator.load.tally import Durations, LoadStatistics, Refusals
from simulator.scenario import Load

MOST_ROWS: Final = 1_000
"""Rows that the connector takes in one request."""
BATCH_S: Final = 0.05
"""How long rows gather while a request could go: a request costs the door far more than a row."""
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 15.0
REFUSED_ONCE: Final = range(400, 500)
"""Statuses that no repetition cures, but for those below."""
PATIENCE: Final = frozenset({408, 409, 425, 429})
TELL_WHEN: Final = frozenset({429, 503})
"""Statuses whose Retry-After is heeded (RFC 9110, 10.2.3)."""
_A_WORD: Final = re.compile(r"[\w.-]{1,64}")


@attrs.define(eq=False)
class _Batch:
    """Rows that go together, each time under the same Idempotency-Key."""

    key: str
    messages: Sequence[Message]
    rows: list[dict[str, str]]
    tries: int = 0
    again_at: float = 0.0
    """When the door wants it again at the earliest."""


class HttpLoad:
    """Plays the ``[load]`` of a scenario against ``target``; ``binds`` is how many requests are under way at most.

    A target that says ``user:password@`` is asked with them, and shown without.  ``clock`` gives the time of day.
    Raises ConfigError when the environment has no token where the load names one.
    """

    def __init__(
        self,
        load: Load,
        target: str,
        *,
        seed: int,
        started_at: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._load = load
        self._url, self._auth = _without_userinfo(target)
        self._shown = shown_target(target)
        self._clock = clock
        self._started_at = started_at
        self._messages = Messages(load, seed)
        self._supply = Supply(load, seed, started_at)
        self._should_come = bytearray(self._supply.most + 1)
        self._headers = _headers_of(load)
        self._run = f"load-{int(clock() * 1_000_000_000):x}"
        self._batches = 0
        self._open = 0
        self._numbers = dict.fromkeys(("sent", "answered", "failed", "resent"), 0)
        self._service, self._corrected = Durations(), Durations()
        self._refusals = Refusals()
        self._done = trio.Event()
        self._died_of = ""

    async def run(self) -> None:
        """Post all there is to post, and stay until cancelled."""
        async with (
            httpx2.AsyncClient(
                headers=self._headers, auth=self._auth, timeout=self._load.response_timeout_s, trust_env=False
            ) as http,
            trio.open_nursery() as nursery,
        ):
            for _ in range(self._load.binds):
                nursery.start_soon(self._keep_posting, http)
            await trio.sleep_forever()

    async def _keep_posting(self, http: httpx2.AsyncClient) -> None:
        while not self._supply.is_exhausted:
            batch = self._next_batch()
            if batch is None:
                await trio.sleep_until(max(self._supply.next_at, trio.current_time()) + BATCH_S)
            else:
                await self._bring(http, batch)

    def _next_batch(self) -> _Batch | None:
        messages = self._supply.begin(MOST_ROWS, trio.current_time())
        if not messages:
            return None
        self._batches += 1
        self._open += len(messages)
        self._numbers["sent"] += len(messages)
        return _Batch(f"{self._run}-{self._batches}", messages, [self._row(each.number) for each in messages])

    def _row(self, number: int) -> dict[str, str]:
        return {
            "to": self._messages.destination(number),
            "text": self._messages.text(number),
            "client_ref": f"{self._run}-{number}",
        }

    async def _bring(self, http: httpx2.AsyncClient, batch: _Batch) -> None:
        """Post a batch until it is answered for good, or given up."""
        while batch.tries < self._load.attempts:
            if batch.tries:
                self._numbers["resent"] += len(batch.messages)
                pause_s = min(LONGEST_PAUSE_S, math.ldexp(FIRST_PAUSE_S, batch.tries - 1))
                await trio.sleep_until(max(batch.again_at, trio.current_time() + pause_s))
            batch.tries += 1
            posted_at = trio.current_time()
            reasons = await self._posted(http, batch)
            if reasons is not None:
                self._take(batch, reasons, posted_at, trio.current_time())
                return
        self._close(len(batch.messages), taken=0)

    async def _posted(self, http: httpx2.AsyncClient, batch: _Batch) -> Sequence[str] | None:
        """Return for each row why it was refused, or nothing; None where they are worth another try."""
        try:
            answer = await http.post(self._url, json=batch.rows, headers={"Idempotency-Key": batch.key})
        except httpx2.TransportError as error:
            self._died_of = f"{self._shown} does not answer: {type(error).__name__}"
            return None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            self._died_of = f"{self._shown} does not answer as a door does: {type(error).__name__}"
            return None
        self._died_of = ""
        if answer.status_code in TELL_WHEN:
            wait_s = retry_after_s(answer.headers.get("Retry-After", ""), self._clock())
            batch.again_at = trio.current_time() + min(wait_s, self._load.settle_s)
        return reasons_of(answer, len(batch.rows))

    def _take(self, batch: _Batch, reasons: Sequence[str], posted_at: float, now: float) -> None:
        self._service.record(now - posted_at)
        for message, reason in zip(batch.messages, reasons, strict=True):
            if reason:
                self._refusals.count(reason)
            else:
                self._should_come[message.number] = 1
                self._corrected.record(now - message.planned_at)
        self._close(len(batch.messages), taken=sum(not reason for reason in reasons))

    def _close(self, number: int, *, taken: int) -> None:
        self._numbers["answered"] += taken
        self._numbers["failed"] += number - taken
        self._open -= number
        if not self._open and self._supply.is_exhausted:
            self._done.set()

    async def finished(self) -> None:
        """Return when every row has its last answer or never will."""
        with trio.move_on_at(
            self._started_at + length_s(self._load.stages) + self._load.settle_s if self._load.stages else math.inf
        ):
            await self._done.wait()
        self._supply.stop()

    async def leave(self) -> None:
        """There is nobody to take leave of."""

    def expected(self) -> list[int]:
        """Return the numbers of the messages that the door took."""
        return [number for number, should in enumerate(self._should_come) if should]

    def unsent(self) -> Mapping[int, int]:
        """What is posted is posted whole."""
        return {}

    def statistics(self) -> LoadStatistics:
        """Return the numbers of this moment."""
        planned = self._supply.planned(trio.current_time())
        return LoadStatistics(
            planned=planned,
            dropped_arrivals=max(0, planned - self._numbers["sent"]),
            binds=0,
            receipts_matched=0,
            receipts_unmatched=0,
            service=self._service.latency(),
            corrected=self._corrected.latency(),
            died_of=self._died_of,
            refusals=self._refusals.numbers,
            **self._numbers,
        )


def shown_target(target: str) -> str:
    """Return where a load goes without what is secret in it: user, password, and what stands behind a "?"."""
    parts = urlsplit(target)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _without_userinfo(target: str) -> tuple[str, tuple[str, str] | None]:
    """Return an address that may be logged, and who asks there, if it says so."""
    parts = urlsplit(target)
    url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    if parts.username is None:
        return url, None
    return url, (unquote(parts.username), unquote(parts.password or ""))


def retry_after_s(value: str, now: float) -> float:
    """Return how long a Retry-After asks to wait, in seconds or until a date; 0 for what is neither.

    ``now`` is the time of day in seconds since the epoch.
    """
    if value.strip().isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, until.replace(tzinfo=until.tzinfo or UTC).timestamp() - now)


def problem_of_token(load: Load) -> str:
    """Say in a sentence that the environment has no token where the load names one; empty when all is well."""
    if load.token_env is None or os.environ.get(load.token_env):
        return ""
    return f"the environment has no {load.token_env}"


def _headers_of(load: Load) -> dict[str, str]:
    problem = problem_of_token(load)
    if problem:
        raise ConfigError([f"load.token_env: {problem}"])
    return {} if load.token_env is None else {"Authorization": f"Bearer {os.environ[load.token_env]}"}


def reasons_of(answer: httpx2.Response, rows: int) -> list[str] | None:
    """Return for each row why a door refused it, or nothing where it took it; None where all are to be posted again."""
    status, verdicts = answer.status_code, _verdicts(answer)
    if status in PATIENCE or not (answer.is_success or status in REFUSED_ONCE):
        return None
    if verdicts is not None and len(verdicts) == rows:
        return [_reason(row) for row in verdicts]
    return ["" if answer.is_success else f"HTTP {status}"] * rows


def _reason(verdict: object) -> str:
    """Return why a row was refused, as far as a word for it is given; nothing where it was taken."""
    if not isinstance(verdict, Mapping) or verdict.get("id") is not None:
        return "" if isinstance(verdict, Mapping) else "refused"
    reason = verdict.get("reason")
    return reason if isinstance(reason, str) and _A_WORD.fullmatch(reason) else "refused"


def _verdicts(answer: httpx2.Response) -> list[Any] | None:
    try:
        body = answer.json()
    except ValueError:
        return None
    found = body.get("verdicts") if isinstance(body, dict) else None
    return found if isinstance(found, list) else None
