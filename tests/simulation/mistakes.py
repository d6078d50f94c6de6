"""Mistakes of an engine: each as the swaps that plant it, with the numbers of the invariants that are to find it."""

import copy
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
import trio

from connector import lifecycle
from connector.carrier import dialect, serving, setbacks, submissions, translate
from connector.carrier.bind import Bind, BindState
from connector.carrier.carrier import Carrier
from connector.carrier.limits import Limits
from connector.carrier.serving import Serving
from connector.carrier.submissions import Submissions
from connector.carrier.throttle import Throttle
from connector.carriers import Carriers
from connector.errors import IntakeRefused, StoreError, StoreFull
from connector.lifecycle import Event, Status
from connector.model import DoubtPolicy, Kept, Lost, NotSent, Part, Reason
from connector.pipeline import dispatch, inbound_join
from connector.pipeline.ceilings import Ceilings
from connector.pipeline.choice import Choice
from connector.pipeline.dispatch import Dispatch
from connector.pipeline.intake import Intake
from connector.pipeline.queue import Queue
from connector.pipeline.recover import recover
from connector.pipeline.results import Results
from connector.pipeline.routing import Routing
from connector.smpp.events import Unanswered
from connector.smpp.window import Window
from connector.store import memory, rules, sqlite
from connector.store.memory import MemoryEngine
from connector.store.memory_receipts import Receipts
from connector.store.parking import other_forms
from connector.store.store import Store

EARLY_S: Final = 1.0
LATE_S: Final = 20.0

Swap = tuple[Any, str, Any]
"""Where, the name there, and what stands there instead."""


def _everywhere(function: Any, instead: Any) -> list[Swap]:
    """Return the swaps of a function in every module that has imported it by its name."""
    rooms = [room for name, room in list(sys.modules.items()) if name.startswith("connector")]
    found = [room for room in rooms if vars(room).get(function.__name__) is function]
    assert found, f"nobody uses {function.__name__} any more"
    return [(room, function.__name__, instead) for room in found]


def _handling(event: type, instead: Any) -> list[Swap]:
    """Return the swap of what a link does with an event: its table holds the function itself."""
    assert event in serving._HANDLERS
    return [(serving, "_HANDLERS", {**serving._HANDLERS, event: instead})]


# --- in and out ---


def _answer_before_the_commit() -> list[Swap]:
    keep = Intake._keep

    async def soon(self: Any, messages: Any, now: float) -> Any:
        known = [each for message in messages for each in await self._store.known(message.api_key, message.refs)]
        if any(known):
            return await keep(self, messages, now)
        trio.lowlevel.spawn_system_task(_silently, keep, self, messages, now)
        return [Kept(message.id) for message in messages]

    return [(Intake, "_keep", soon)]


async def _silently(keep: Any, *arguments: Any) -> None:
    try:
        await keep(*arguments)
    except (StoreError, IntakeRefused):
        return


def _write_before_the_claim() -> list[Swap]:
    async def claim(self: Any, urgent: bool, chosen: dict[str, list[Part]]) -> None:
        claims = [self._claim_of(part, name) for name, parts in chosen.items() for part in parts]
        for name, parts in chosen.items():
            self._hand_over(name, parts, {part.id for part in parts})
        try:
            await self._store.claim(claims, now=self._clock())
        finally:
            del self._claiming[urgent]
            self._claimed.unpark_all()
            self.wake()

    return [(Dispatch, "_claim", claim)]


def _look_at_deadlines_when_claimed_only() -> list[Swap]:
    octets = Submissions.octets

    def written(self: Any, batch: Any) -> bytes:
        now, terms = self._terms.clock(), self._terms
        late = [part for part in self._parts[: submissions.PARTS_PER_WRITE] if part.deadline <= now]
        self._parts = [part for part in self._parts if part not in late]
        requests = [terms.translator.submit_sm(part, now) for part in late]
        too_late: bytes = self._session.submit(requests, late, now)
        return too_late + octets(self, batch)

    return [(Submissions, "octets", written)]


def _leave_early() -> list[Swap]:
    due = Store.due

    async def early(self: Store, limit: int, *, now: float) -> Any:
        return await due(self, limit, now=now + EARLY_S)

    return [(Store, "due", early)]


def _ask_no_quiet_hours() -> list[Swap]:
    return [
        (Choice, "is_shut", lambda self, lane, now: False),
        (Choice, "is_quiet", lambda self, part, now: False),
        (Choice, "quiet_until", lambda self, part, now: None),
    ]


def _ask_no_quiet_hours_before_the_wire() -> list[Swap]:
    return [(Routing, "last_look", lambda self, part, now: None)]


def _shut_a_lane_for_ever() -> list[Swap]:
    is_shut = Choice.is_shut
    return [(Choice, "is_shut", lambda self, lane, now: lane == "otp" or is_shut(self, lane, now))]


def _expire(ahead_s: float) -> list[Swap]:
    """Return the swap of what looks for passed deadlines, and looks at another time than now."""
    expired = Queue.expired
    return [(Queue, "expired", lambda self, now: expired(self, now + ahead_s))]


def _tell_no_validity() -> list[Swap]:
    return [(translate, "validity_of", lambda config: lambda deadline, now: "")]


def _send_a_lane_as_fast_as_it_goes() -> list[Swap]:
    return [(Ceilings, "room", lambda self, lane, carrier, now: None)]


def _send_through_what_is_suspended() -> list[Swap]:
    return [(Carrier, "suspend", lambda self: None)]


def _pace_each_bind() -> list[Swap]:
    make = Limits.__init__

    def made(self: Any, config: Any) -> None:
        make(self, config)
        self.account = Throttle(None, self._margin, keeps=True)
        self._binds_configured = config.rate_per_s is not None

    def bind(self: Any, name: str, rate_per_s: float | None = None) -> Throttle:
        if name not in self._binds:
            self._binds[name] = Throttle(self._account_rate_per_s, self._margin)
        found: Throttle = self._binds[name]
        return found

    return [(Limits, "__init__", made), (Limits, "bind", bind), (Carrier, "_set_ceiling", lambda self: None)]


def _cancel_what_is_out() -> list[Swap]:
    real = rules.after_wish

    def after(status: Status, due_at: float | None, wish: Any) -> Status | None:
        taken = status is Status.SENDING and wish.event is Event.CANCELLED
        return Status.CANCELLED if taken else real(status, due_at, wish)

    return _everywhere(real, after)


def _send_what_others_took() -> list[Swap]:
    hand_over = Dispatch._hand_over
    return [
        (Dispatch, "_hand_over", lambda self, name, parts, won: hand_over(self, name, parts, {p.id for p in parts}))
    ]


def _try_for_ever() -> list[Swap]:
    return [(setbacks, "attempts", lambda lane, row: 1_000_000)]


def _set_nothing_aside() -> list[Swap]:
    used_up = setbacks._used_up
    return [(setbacks, "_used_up", lambda part, row, lane: None if row.harms else used_up(part, row, lane))]


# --- doubt ---


def _resend_in_every_lane() -> list[Swap]:
    def policy(lane: Any) -> DoubtPolicy:
        return DoubtPolicy(lane.patience_s, lane.resends, lane.resend_after_s)

    return _everywhere(setbacks.doubt_policy, policy)


def _split_anew_in_doubt() -> list[Swap]:
    claimed = dispatch._claimed

    def anew(part: Part, carrier: str) -> None:
        claimed(part, carrier)
        part.reference += bool(part.doubts)

    return [(dispatch, "_claimed", anew)]


def _take_a_lost_link_for_unsent() -> list[Swap]:
    leftovers = Serving.leftovers

    def unsent(self: Any) -> Any:
        parts = [item.token for item in self._session.window._in_flight.values() if isinstance(item.token, Part)]
        batch = leftovers(self)
        for part in parts:
            part.doubts -= 1
        batch.results = [
            NotSent(each.part, each.attempt, each.at, each.carrier, each.reason) if isinstance(each, Lost) else each
            for each in batch.results
        ]
        batch.returned.update((part.id, part) for part in parts)
        return batch

    return [(Serving, "leftovers", unsent)]


def _take_silence_for_unsent() -> list[Swap]:
    unanswered = Serving._on_unanswered

    def unsent(self: Any, event: Any, batch: Any, now: float) -> None:
        unanswered(self, event, batch, now)
        part = event.token
        if isinstance(part, Part):
            part.doubts -= 1
            batch.results[-1] = NotSent(part.id, part.attempt, now, self._terms.carrier, Reason.NO_ANSWER)
            batch.returned[part.id] = part

    return _handling(Unanswered, unsent)


def _forget_who_has_the_first_part() -> list[Swap]:
    def claimed(part: Part, carrier: str) -> None:
        part.attempt += 1
        part.last = carrier

    return [
        (dispatch, "_claimed", claimed),
        (Queue, "begin", lambda self, messages, carrier: None),
        (MemoryEngine, "_pin", lambda self, claim: None),
    ]


def _believe_what_is_held() -> list[Swap]:
    return [(Queue, "read_again", lambda self, message: self.grew_on_disk(0))]


# --- what comes back ---


def _drop_what_the_disk_refuses() -> list[Swap]:
    results = Store.results

    async def dropped(self: Store, items: Any, *, now: float, insist: bool = True) -> Any:
        try:
            return await results(self, items, now=now, insist=False)
        except StoreFull:
            return []

    return [(Store, "results", dropped)]


def _answer_receipts_before_the_commit() -> list[Swap]:
    put = Results.put

    def soon(self: Any, batch: Any) -> None:
        responses, batch.responses = batch.responses, []
        if responses:
            batch.respond(responses)
        put(self, batch)

    return [(Results, "put", soon)]


def _know_ids_as_written_only() -> list[Swap]:
    return [
        *_everywhere(other_forms, lambda written: (written,)),
        (dialect, "_form", lambda *said: str),
    ]


def _match_in_every_carrier() -> list[Swap]:
    held = Receipts._held

    def anywhere(self: Any, carrier: str, key: str) -> Any:
        names = sorted({row.carrier for row in self._rows.parts.working.rows.values() if row.carrier})
        return [each for name in names for each in held(self, name, key)]

    return [(Receipts, "_held", anywhere), *_everywhere(rules.is_another_number, lambda ours, theirs: False)]


def _let_the_first_part_speak() -> list[Swap]:
    return [(room, "message_status", lambda parts: next(iter(parts))) for room in (memory, sqlite)]


def _change_a_final_status() -> list[Swap]:
    table = {**lifecycle.TRANSITIONS, Status.DELIVERED: lifecycle._RECEIPTS, Status.FAILED: lifecycle._RECEIPTS}
    return [(lifecycle, "TRANSITIONS", table)]


def _join_backwards() -> list[Swap]:
    joined = inbound_join.Joined
    return [(inbound_join, "Joined", lambda message, parts, *rest: joined(message, parts[::-1], *rest))]


def _leak_a_place() -> list[Swap]:
    take_late = Window.take_late

    def leaked(self: Window, sequence_number: int) -> Any:
        found = take_late(self, sequence_number)
        self.size -= found is not None
        return found

    return [(Window, "take_late", leaked)]


# --- from life to life ---


def _forgotten(*tables: str) -> list[Swap]:
    restored = MemoryEngine.restored.__func__  # type: ignore[attr-defined]

    def without(cls: Any, snapshot: Any) -> Any:
        rows = {name: copy.copy(kept) for name, kept in snapshot.rows.items()}
        for table in tables:
            rows[table] = {}
        rows["counters"]["parked"] = len(rows["parked"])
        return restored(cls, attrs.evolve(snapshot, rows=rows))

    return [(MemoryEngine, "restored", classmethod(without))]


def _leave_in_sending() -> list[Swap]:
    async def nothing(*_arguments: Any) -> int:
        return 0

    return _everywhere(recover, nothing)


def _unbind_at_once() -> list[Swap]:
    return [(Serving, "settled", _at_once)]


def _end_before_the_answers_are_kept() -> list[Swap]:
    return [(Results, "settled", _at_once)]


async def _at_once(_self: Any) -> None:
    await trio.lowlevel.checkpoint()


def _hang_up() -> list[Swap]:
    async def drain(self: Any) -> None:
        self._draining = True
        self._stirred.set()
        if self._serving is not None:
            self.state = BindState.DRAINING
            self._serving.abort()
            await self._gone.wait()

    return [(Bind, "drain", drain)]


def _take_what_comes_in_a_drain() -> list[Swap]:
    return [(Intake, "_check_room", lambda self, key, requests: None)]


def _open_before_the_old_ones_close() -> list[Swap]:
    async def soon(_self: Any, carrier: Any) -> None:
        trio.lowlevel.spawn_system_task(carrier.drain)
        await trio.lowlevel.checkpoint()

    return [(Carriers, "_empty", soon)]


def _log_a_number() -> list[Swap]:
    unanswered = Serving._on_unanswered

    def told(self: Any, event: Any, batch: Any, now: float) -> None:
        unanswered(self, event, batch, now)
        logging.getLogger("carrierline.bind").info("no answer for %s", getattr(event.token, "to", "a recall"))

    return _handling(Unanswered, told)


MISTAKES: Final[Sequence[tuple[str, tuple[int, ...], Callable[[], list[Swap]]]]] = (
    ("accepted before its commit", (1,), _answer_before_the_commit),
    ("on the wire before its claim's commit", (8,), _write_before_the_claim),
    ("receipts are matched by the id as it is written only", (10,), _know_ids_as_written_only),
    ("a doubt is sent again in a lane that holds", (6,), _resend_in_every_lane),
    ("answers are dropped when the disk is full", (3, 11, 25), _drop_what_the_disk_refuses),
    ("deadlines are looked at when a part is claimed only", (14,), _look_at_deadlines_when_claimed_only),
    ("the rate is each bind's", (17,), _pace_each_bind),
    ("receipts are matched across carriers", (9, 10), _match_in_every_carrier),
    ("a message stands where its first part does", (4,), _let_the_first_part_speak),
    ("a doubt is sent again under another reference", (7,), _split_anew_in_doubt),
    ("a late answer leaks a place of the window", (18, 26), _leak_a_place),
    ("parked receipts are forgotten at a restart", (10, 11), lambda: _forgotten("parked")),
    ("references are forgotten at a restart", (2,), lambda: _forgotten("refs")),
    ("deliver_sm is answered before its commit", (10, 11), _answer_receipts_before_the_commit),
    ("parts left in sending are not looked at after a restart", (3,), _leave_in_sending),
    ("scheduled messages leave early", (16,), _leave_early),
    ("quiet hours are not asked", (15,), _ask_no_quiet_hours),
    ("a drain does not wait for answers", (25,), _unbind_at_once),
    ("a drain ends before what came is kept", (25,), _end_before_the_answers_are_kept),
    ("a number is logged", (24,), _log_a_number),
    ("what is out is cancelled", (4, 71), _cancel_what_is_out),
    ("a claim that lost is sent", (8, 71), _send_what_others_took),
    ("binds are opened while the old ones still close", (21,), _open_before_the_old_ones_close),
    ("what was on a link that ended counts as not sent", (5, 6), _take_a_lost_link_for_unsent),
    ("what was not answered counts as not sent", (5, 6), _take_silence_for_unsent),
    ("the parts of a message take any carrier each", (7,), _forget_who_has_the_first_part),
    ("a claim in vain is not read again", (26,), _believe_what_is_held),
    ("quiet hours are not asked before the wire", (15,), _ask_no_quiet_hours_before_the_wire),
    ("a part is tried without end", (70,), _try_for_ever),
    ("what breaks binds is not set aside", (70,), _set_nothing_aside),
    ("the ceiling of a lane is not heeded", (17,), _send_a_lane_as_fast_as_it_goes),
    ("a carrier suspended by hand sends", (67,), _send_through_what_is_suspended),
    ("carriers are not told how long a message is of use", (14,), _tell_no_validity),
    ("a drain hangs up", (25,), _hang_up),
    ("a drain takes what comes", (25,), _take_what_comes_in_a_drain),
    ("what a subscriber wrote is joined backwards", (57,), _join_backwards),
    ("a later word changes a final status", (4, 12), _change_a_final_status),
    ("messages expire early", (3,), lambda: _expire(EARLY_S)),
    ("messages expire late", (3,), lambda: _expire(-LATE_S)),
    ("a lane is shut for ever", (26,), _shut_a_lane_for_ever),
)
