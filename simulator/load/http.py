"""A load through an HTTP door: rows posted in batches to what takes them as the connector's /v1/messages does."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import httpx2
import trio

from connector.errors import ConfigError
from simulator.load.arrivals import length_s
from simulator.load.messages import Message, Messages
from simulator.load.supply import Supply
from simulator.load.tally import Durations, LoadStatistics
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


@attrs.define(eq=False)
class _Batch:
    """Rows that go together, each time under the same Idempotency-Key."""

    key: str
    messages: Sequence[Message]
    rows: list[dict[str, str]]
    tries: int = 0


class HttpLoad:
    """Plays the ``[load]`` of a scenario against ``target``; ``binds`` is how many requests are under way at most."""

    def __init__(self, load: Load, target: str, *, seed: int, started_at: float) -> None:
        self._load = load
        self._target = target
        self._started_at = started_at
        self._messages = Messages(load, seed)
        self._supply = Supply(load, seed, started_at)
        self._should_come = bytearray(self._supply.most + 1)
        self._headers = _headers_of(load)
        self._run = f"load-{time.time_ns():x}"
        self._batches = 0
        self._open = 0
        self._numbers = dict.fromkeys(("sent", "answered", "failed", "resent"), 0)
        self._service, self._corrected = Durations(), Durations()
        self._done = trio.Event()
        self._died_of = ""

    async def run(self) -> None:
        """Post all there is to post, and stay until cancelled."""
        async with (
            httpx2.AsyncClient(headers=self._headers, timeout=self._load.response_timeout_s, trust_env=False) as http,
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
                await trio.sleep(min(LONGEST_PAUSE_S, math.ldexp(FIRST_PAUSE_S, batch.tries - 1)))
            batch.tries += 1
            posted_at = trio.current_time()
            verdicts = await self._posted(http, batch)
            if verdicts is not None:
                self._take(batch, verdicts, posted_at, trio.current_time())
                return
        self._close(len(batch.messages), taken=0)

    async def _posted(self, http: httpx2.AsyncClient, batch: _Batch) -> Sequence[bool] | None:
        """Return for each row whether it was taken; None where it is worth another try."""
        try:
            answer = await http.post(self._target, json=batch.rows, headers={"Idempotency-Key": batch.key})
        except httpx2.TransportError as error:
            self._died_of = f"{self._target} does not answer: {type(error).__name__}"
            return None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            self._died_of = f"{self._target} does not answer as a door does: {type(error).__name__}"
            return None
        self._died_of = ""
        verdicts = _verdicts(answer)
        if verdicts is not None and len(verdicts) == len(batch.rows):
            return [isinstance(row, Mapping) and row.get("id") is not None for row in verdicts]
        if answer.is_success:
            return [True] * len(batch.rows)
        is_final = answer.status_code in REFUSED_ONCE and answer.status_code not in PATIENCE
        return [False] * len(batch.rows) if is_final else None

    def _take(self, batch: _Batch, verdicts: Sequence[bool], posted_at: float, now: float) -> None:
        self._service.record(now - posted_at)
        taken = 0
        for message, is_taken in zip(batch.messages, verdicts, strict=True):
            if is_taken:
                taken += 1
                self._should_come[message.number] = 1
                self._corrected.record(now - message.planned_at)
        self._close(len(batch.messages), taken=taken)

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
            **self._numbers,
        )


def _headers_of(load: Load) -> dict[str, str]:
    if load.token_env is None:
        return {}
    token = os.environ.get(load.token_env)
    if not token:
        raise ConfigError([f"load.token_env: the environment has no {load.token_env}"])
    return {"Authorization": f"Bearer {token}"}


def _verdicts(answer: httpx2.Response) -> list[Any] | None:
    try:
        body = answer.json()
    except ValueError:
        return None
    found = body.get("verdicts") if isinstance(body, dict) else None
    return found if isinstance(found, list) else None
