"""The door's inner side: rows are normalised, kept on disk in one commit or a few, and only then answered."""

import hashlib
import json
import random
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import attrs
import trio

from connector.config import KeyConfig
from connector.errors import InputError, IntakeRefused, KeyReused, StoreFull
from connector.model import (
    Claim,
    Conflict,
    Duplicate,
    Kept,
    Message,
    MessageQuery,
    Part,
    QueueName,
    Reason,
    SendRequest,
    Verdict,
)
from connector.pipeline.dispatch import Dispatch
from connector.pipeline.normalise import Normaliser
from connector.pipeline.preview import Present, Preview, preview
from connector.pipeline.routing import Routing
from connector.store.store import Store

SLICE = 50
"""Rows normalised without a pause: no stretch of the event loop may hold an OTP for more than two milliseconds."""
ROWS_PER_COMMIT = 250
REFERENCES_HELD = 10_000
SEPARATOR = "\x1f"
"""Between an Idempotency-Key and a row's number: no header can hold it, so no key is mistaken for another's row."""


class References:
    """Concatenation references: a counter for each (sender, destination), so that two messages on their way to one
    handset never share one.  (Random 8-bit references collide: smpp-facts of practice.)"""

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._newest: OrderedDict[tuple[str, str], int] = OrderedDict()

    def next(self, sender: str, to: str) -> int:
        """Return the next reference, 1 to 65535."""
        pair = (sender, to)
        newest = self._newest.pop(pair, None)
        reference = self._random.randrange(0xFFFF) + 1 if newest is None else newest % 0xFFFF + 1
        self._newest[pair] = reference
        if len(self._newest) > REFERENCES_HELD:
            self._newest.popitem(last=False)
        return reference


class Intake:
    """Accepts requests.  ``accept`` returns when every accepted row is on disk."""

    def __init__(
        self,
        normaliser: Normaliser,
        store: Store,
        routing: Routing,
        dispatch: Dispatch,
        clock: Callable[[], float],
        disk_low: Callable[[], bool],
    ) -> None:
        self._normaliser = normaliser
        self._store = store
        self._routing = routing
        self._dispatch = dispatch
        self._clock = clock
        self._disk_low = disk_low
        self._running: set[tuple[str, str]] = set()
        self.draining = False
        self.counts: dict[str, int] = {"accepted": 0, "replayed": 0, "refused": 0}
        """Rows since the start."""

    def change(self, normaliser: Normaliser) -> None:
        """Take what comes from now on by another configuration; what is being taken now may see both."""
        self._normaliser = normaliser

    async def accept(
        self, key: KeyConfig, requests: Sequence[SendRequest], *, idempotency_key: str | None = None
    ) -> list[Verdict]:
        """Return a verdict for each row, in order; accepted rows are on disk then.

        Raises IntakeRefused when no row was taken (draining, queue full, disk low, the same key still running) and
        KeyReused when the Idempotency-Key came before with another request.  If the caller is cancelled, rows may have
        been kept: the same request with the same key or client_ref finds out.
        """
        self._check_room(key, requests)
        with self._only_once(key, idempotency_key):
            guard = None
            if idempotency_key is not None:
                guard = f"key:{idempotency_key}{SEPARATOR}", _fingerprint(requests)
            verdicts = await self._accept_all(key, requests, guard)
        for verdict in verdicts:
            self.counts["replayed" if verdict.replayed else "accepted" if verdict.accepted else "refused"] += 1
        return verdicts

    def preview(self, key: KeyConfig, request: SendRequest, present: Present) -> Preview:
        """Return what would become of a row if it came now; nothing is kept, counted or used up."""
        return preview(self._normaliser, present, request, key, self._clock())

    async def _accept_all(
        self, key: KeyConfig, requests: Sequence[SendRequest], guard: tuple[str, bytes] | None
    ) -> list[Verdict]:
        """Accept in handfuls; when the disk fills up on the way, the rest is refused row by row."""
        verdicts: list[Verdict] = []
        for start in range(0, len(requests), ROWS_PER_COMMIT):
            rows = requests[start : start + ROWS_PER_COMMIT]
            try:
                verdicts += await self._accept(key, rows, guard, start)
            except IntakeRefused as refused:
                if not start:
                    raise
                verdicts += [Verdict(reason=refused.reason, text=str(refused))] * (len(requests) - start)
                break
        return verdicts

    def _check_room(self, key: KeyConfig, requests: Sequence[SendRequest]) -> None:
        if self.draining:
            raise IntakeRefused(Reason.DRAINING, "the connector is about to stop: try again when it is back", 5)
        if self._disk_low():
            raise IntakeRefused(
                Reason.DISK_LOW, "the disk is nearly full: nothing new is taken until there is room", 30
            )
        for lane in {request.lane or key.lanes[0] for request in requests}:
            if self._routing.lanes.waiting(lane, key.name) >= key.max_waiting:
                text = f"{key.max_waiting} messages of this API key wait in lane {lane}: try again when some have left"
                raise IntakeRefused(Reason.QUEUE_FULL, text, 1)

    @contextmanager
    def _only_once(self, key: KeyConfig, idempotency_key: str | None) -> Iterator[None]:
        if idempotency_key is None:
            yield
            return
        if SEPARATOR in idempotency_key:
            raise InputError("an Idempotency-Key is made of printable characters")
        running = (key.name, idempotency_key)
        if running in self._running:
            raise IntakeRefused(Reason.STILL_RUNNING, "a request with this Idempotency-Key is still running", 1)
        self._running.add(running)
        try:
            yield
        finally:
            self._running.discard(running)

    async def _accept(
        self, key: KeyConfig, requests: Sequence[SendRequest], guard: tuple[str, bytes] | None, offset: int
    ) -> list[Verdict]:
        now = self._clock()
        rows: list[Message | Verdict] = []
        for number, request in enumerate(requests):
            row = self._normaliser.normalise(request, key, now)
            while isinstance(row, QueueName):
                await self._open(row)
                row = self._normaliser.normalise(request, key, now)
            refs = _refs(request, guard, offset + number)
            if isinstance(row, Verdict):
                row = await self._known(key, row, refs)
            elif refs:
                row = attrs.evolve(row, refs=refs, guard=guard)
            rows.append(row)
            if number % SLICE == SLICE - 1:
                await trio.lowlevel.checkpoint()
        messages = [row for row in rows if isinstance(row, Message)]
        kept = iter(await self._keep(messages, now))
        return [row if isinstance(row, Verdict) else _verdict(row, next(kept)) for row in rows]

    async def _open(self, name: QueueName) -> None:
        try:
            await self._routing.open_new(self._store, [name])
        except StoreFull:
            raise _full() from None

    async def _known(self, key: KeyConfig, refusal: Verdict, refs: tuple[tuple[str, bytes], ...]) -> Verdict:
        """Return the message a refused row was kept as before its deadline passed or a rule changed; or the refusal."""
        if not refs:
            return refusal
        for message in await self._store.known(key.name, refs):
            if message:
                found = await self._store.messages(MessageQuery(id=message, limit=1))
                return Verdict(message=message, replayed=True, to=found[0].to, parts=found[0].parts)
        return refusal

    async def _keep(self, messages: list[Message], now: float) -> list[Kept | Duplicate | Conflict]:
        """Commit these and hand their parts on: shielded, for a commit nobody follows up would leave parts behind."""
        if not messages:
            return []
        parts = {message.id: message.parts() for message in messages}
        fused = {
            message.id: claims
            for message in messages
            if message.send_at is None and (claims := self._dispatch.fuse(parts[message.id], now))
        }
        with trio.CancelScope(shield=True):
            done = await self._append(messages, fused, parts, now)
        kept = {verdict.message for verdict in done if isinstance(verdict, Kept)}
        waiting = [m for m in messages if m.id in kept and m.id not in fused and m.send_at is None]
        self._hand_on([part for message in waiting for part in parts[message.id]])
        return done

    async def _append(
        self, messages: list[Message], fused: dict[int, list[Claim]], parts: dict[int, list[Part]], now: float
    ) -> list[Kept | Duplicate | Conflict]:
        urgent = any(self._routing.every_lane[message.lane].urgent for message in messages)
        kept: set[int] = set()
        try:
            claims = [claim for many in fused.values() for claim in many]
            done = await self._store.append(messages, claims, now=now, urgent=urgent)
            kept = {verdict.message for verdict in done if isinstance(verdict, Kept)}
            return done
        except StoreFull:
            raise _full() from None
        finally:
            for message_id, claims in fused.items():
                self._dispatch.fused(parts[message_id], claims, kept=message_id in kept)

    def _hand_on(self, parts: list[Part]) -> None:
        self._routing.lanes.add(parts)
        if parts:
            self._dispatch.wake()


def _verdict(message: Message, kept: Kept | Duplicate | Conflict) -> Verdict:
    if isinstance(kept, Conflict):
        if kept.ref.startswith("key:"):
            raise KeyReused("this Idempotency-Key was used before for another request: use a new key")
        text = "this client_ref was used before for another message"
        return Verdict(reason=Reason.CLIENT_REF_REUSED, field="client_ref", text=text, to=message.to)
    return Verdict(message=kept.message, replayed=isinstance(kept, Duplicate), to=message.to, parts=len(message.bounds))


def _refs(request: SendRequest, guard: tuple[str, bytes] | None, number: int) -> tuple[tuple[str, bytes], ...]:
    """Return what must not be accepted twice: this row of a keyed request, and the caller's own name for it."""
    refs: list[tuple[str, bytes]] = []
    if guard is not None:
        refs.append((f"{guard[0]}{number}", guard[1]))
    if request.client_ref is not None:
        refs.append((f"ref:{request.client_ref}", _fingerprint([request])))
    return tuple(refs)


def _fingerprint(requests: Sequence[SendRequest]) -> bytes:
    """Return what two requests have in common only if they ask for the same."""
    canonical = [attrs.asdict(request) for request in requests]
    text = json.dumps(canonical, sort_keys=True, default=_plain_mapping, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _plain_mapping(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not part of a request")


def _full() -> IntakeRefused:
    return IntakeRefused(Reason.DISK_LOW, "the disk is full: nothing was taken", 30)
