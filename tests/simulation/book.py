"""What is seen from outside while a world lives: every octet at the connector's door, every verdict, every death."""

from collections import deque
from math import ceil
from typing import TYPE_CHECKING, Final

import attrs
import trio

from connector.app import Connector
from connector.config import BindConfig
from connector.lifecycle import Event, Status
from connector.model import MessageQuery, MessageView, SendRequest, TimelineEntry, Verdict
from connector.pipeline.cancel import Cancellation
from connector.smpp.codec import decode
from connector.smpp.pdu import SubmitSm
from tests.simulation import ends, promises
from tests.simulation.network import Link
from tests.simulation.times import Finals
from tests.simulation.wire import RESPONSE, SUBMIT_SM, UNBIND, Wire

if TYPE_CHECKING:
    from tests.simulation.world import World

HEADER: Final = bytes.fromhex("050003")
OUTCOMES: Final = frozenset(
    {
        Event.ACKNOWLEDGED,
        Event.DEFERRED,
        Event.REROUTED,
        Event.NOT_WRITTEN,
        Event.REFUSED,
        Event.EXHAUSTED,
        Event.LOST,
    }
)
SECOND_S: Final = 1.0
TICK_S: Final = 0.01
DRAIN_MORE_S: Final = 20.0
"""Beyond twice the longest drain: claims and last commits before and after it, 5 s each, and a last word."""
LOOKS_IN_SENDING: Final = 12
"""A minute: the longest response timer, the longest write and some commits."""
MOST_HEADS: Final = 1_200
"""Parts a queue may have in memory: what it asks for at once, and what came in meanwhile."""


@attrs.frozen
class Place:
    """A part of a message, as a carrier sees it: the destination tells the message."""

    to: str
    number: int


class Book:
    """The witness of a world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._judge = world.judge
        self._wires: dict[int, Wire] = {}
        self.written: dict[tuple[int, int], str] = {}
        """Parts and attempts that were handed to a link, with the link's host."""
        self._recent: dict[str, deque[tuple[float, float]]] = {host: deque() for host in world.hosts}
        self.ids: dict[str, list[int]] = {}
        """What callers were told, by reference."""
        self.refused: dict[str, str] = {}
        """What callers were told that it is not taken, and why."""
        self.accepted_at: dict[int, float] = {}
        self.stale: set[str] = set()
        """Numbers to which a request was repeated when its references were no longer kept."""
        self.stale_refs: set[str] = set()
        self.cancelled: dict[int, float] = {}
        """Parts that were taken back before they left."""
        self._story: dict[int, list[str]] = {}
        self._finals = Finals()
        self._in_sending: dict[tuple[int, int, int], int] = {}
        """Looks in a row that have seen an attempt without an end, by life, part and attempt."""
        self._stop: promises.Stop | None = None
        self._lane_claims = promises.LaneClaims()
        self.suspended: dict[str, promises.Suspended] = {}
        """Carriers that an operator has suspended, by name."""
        self.taken_away: set[str] = set()
        """Carriers that a reload took away for a while."""

    # --- callers ---

    def accepted(self, begun_at: float, requests: list[SendRequest], verdicts: list[Verdict]) -> None:
        """Note what a caller was told who said this first at a moment: too late, the same may be another message."""
        remembered_s = self._world.plan.settings.store.idempotency_s
        if self._world.now() - begun_at + self._world.wrong_by_s > remembered_s:
            self.stale.update(request.to.removeprefix("+") for request in requests)
            self.stale_refs.update(request.client_ref or "" for request in requests)
        for request, verdict in zip(requests, verdicts, strict=True):
            ref = request.client_ref or ""
            if verdict.message is None:
                self.refused[ref] = str(verdict.reason)
                continue
            self.ids.setdefault(ref, []).append(verdict.message)
            self.accepted_at.setdefault(verdict.message, self._world.now())
            self._world.note(f"accepted {verdict.message}")

    def taken_back(self, done: Cancellation) -> None:
        view = done.view
        first = 1 if view.parts > 1 else 0
        for number, status in enumerate(view.part_statuses, first):
            left = any(entry.part & 0xFF == number and entry.event == Event.CLAIMED for entry in view.timeline)
            if status is Status.CANCELLED and not left:
                self.cancelled[(view.id << 8) | number] = trio.current_time()
                self._judge.looked[71] += 1

    # --- links ---

    def opened(self, link: Link) -> None:
        bind = self._binds(link.host)[0]
        self._wires[link.number] = Wire(link, bind.response_timeout_s)
        self._world.note(f"{link.number} opened to {link.host}")
        most = sum(bind.count for bind in self._binds(link.host))
        open_ = len(self._world.network.at(link.host))
        self._judge.holds(21, open_ <= most, f"{open_} links to {link.host}, {most} binds")

    def _binds(self, host: str) -> tuple[BindConfig, ...]:
        """Return a carrier's binds as the plan has them: what a reload changes is never more."""
        return next(carrier for carrier in self._world.plan.settings.carrier if carrier.name == host).bind

    def closed(self, link: Link) -> None:
        wire = self._wires.pop(link.number, None)
        if wire is not None and self._stop is not None:
            self._left(wire, self._stop)
        self._world.note(f"{link.number} closed")

    def read(self, link: Link, data: bytes) -> None:
        self._world.note(f"{link.number} <", data)
        if (wire := self._wires.get(link.number)) is None:
            return
        for came in wire.read(data):
            if wire.is_overtaken(came):
                self._world.met(40)

    def wrote(self, link: Link, data: bytes) -> None:
        self._world.note(f"{link.number} >", data)
        wire = self._wires.get(link.number)
        if wire is None:
            return
        for pdu, said in wire.wrote(data):
            if said.command & RESPONSE:
                continue
            self._one_more_in_flight(wire, said.command, said.sequence)
            if said.command == SUBMIT_SM:
                self._submitted(wire, pdu)
            elif said.command == UNBIND:
                wire.unbound = True
                if self.draining_since is not None:
                    self._said_goodbye(wire, self.draining_since)

    def _one_more_in_flight(self, wire: Wire, command: int, sequence: int) -> None:
        now = self._world.now()  # the connector's timers count the time it was suspended
        waiting = wire.asked.get(sequence)
        self._judge.holds(18, waiting is None, f"link {wire.link.number} has two requests number {sequence}")
        wire.asked[sequence] = (command, now)
        if command == SUBMIT_SM:
            flying = sum(it == SUBMIT_SM and now - at < wire.timeout_s for it, at in wire.asked.values())
            window = self._binds(wire.link.host)[0].window_size
            self._judge.holds(18, flying <= window, f"{flying} in flight, the window is {window}")

    def _said_goodbye(self, wire: Wire, since: float) -> None:
        """Look, in an orderly stop, whether all answers are there; of a link that went deaf they are not waited for.

        A carrier that is replaced or taken away may have begun to wait before the stop.
        """
        drain_s, reloaded_s = self._binds(wire.link.host)[0].drain_s, self._world.reloaded_s
        begun_s = reloaded_s if since - reloaded_s <= drain_s else since
        now, waited_s = self._world.now(), trio.current_time() - begun_s
        ages_s = [now - at for command, at in wire.asked.values() if command == SUBMIT_SM]
        is_deaf = any(age_s >= wire.timeout_s for age_s in ages_s)
        fine = not ages_s or is_deaf or waited_s >= drain_s - TICK_S
        self._judge.holds(25, fine, f"unbind after {waited_s:.3f} s of waiting, {len(ages_s)} answers are due")

    # --- orderly stops ---

    @property
    def draining_since(self) -> float | None:
        """When the orderly stop under way began."""
        return None if self._stop is None else self._stop.since_s

    @draining_since.setter
    def draining_since(self, since_s: float | None) -> None:
        bound = frozenset(number for number, wire in self._wires.items() if wire.is_bound)
        last_id = self._world.disk.engine.last_id()
        clock = self._world.clock()
        self._stop = None if since_s is None else promises.Stop(since_s, clock, bound, last_id)

    def _left(self, wire: Wire, stop: promises.Stop) -> None:
        """Note how a link ended in a stop."""
        farewell = ends.farewell(wire, self._world.now())
        waits_too_long = any(self._world.now() - at >= wire.timeout_s - TICK_S for _, at in wire.asked.values())
        if not wire.left_in_order or waits_too_long:
            stop.troubled.add(wire.link.host)
        if wire.link.number in stop.bound:
            stop.farewells[wire.link.number] = farewell

    # --- a part leaves ---

    def _submitted(self, wire: Wire, octets: bytes) -> None:
        pdu = decode(octets)
        assert isinstance(pdu, SubmitSm)
        place, host = place_of(pdu), wire.link.host
        self._paced(host)
        view = self.view_of(place.to)
        self._judge.holds(8, view is not None, f"{place} is on the wire, and not on disk")
        if view is None:
            return
        part = (view.id << 8) | (place.number if view.parts > 1 else 0)
        history = [entry for entry in view.timeline if entry.part == part]
        status = view.part_statuses[max(0, (part & 0xFF) - 1)]
        self._claimed(host, part, status, history, view)
        self._in_time(pdu, view, host)
        if part in self.cancelled:
            self._judge.broke(71, "it was taken back before it left", view.id)

    def _claimed(self, host: str, part: int, status: Status, history: list[TimelineEntry], view: MessageView) -> None:
        # by attempt: by time they are in disorder where the wall clock was set between two lives
        claims = sorted((it for it in history if it.event == Event.CLAIMED), key=lambda it: it.attempt)
        newest = claims[-1] if claims else None
        fine = newest is not None and status is Status.SENDING and newest.carrier == host
        self._judge.holds(8, fine, f"part {part & 0xFF} is {status} on disk, and on the wire to {host}", view.id)
        if newest is None:
            return
        before = self.written.get((part, newest.attempt))
        self._judge.holds(5, before is None, f"attempt {newest.attempt} left twice: to {before}, to {host}", view.id)
        self.written[part, newest.attempt] = host
        lane = self._world.settings.lane[view.lane]
        self._as_promised(host, newest, history, view)
        for claim in claims[:-1]:
            said = [entry.event for entry in history if entry.attempt == claim.attempt and entry.event in OUTCOMES]
            self._judge.holds(5, said, f"attempt {claim.attempt} is followed by another, and has no end", view.id)
            if said == [Event.LOST]:
                self._judge.holds(6, lane.on_doubt == "resend", f"sent again in doubt in {view.lane}", view.id)

    def _as_promised(self, host: str, claim: TimelineEntry, history: list[TimelineEntry], view: MessageView) -> None:
        """Look at what lane and operators say to this attempt."""
        lane, life = self._world.settings.lane[view.lane], self._world.lives
        for wrong in (promises.too_many_tries(history, lane.retry), promises.breaks_too_many(history, lane.retry)):
            self._judge.holds(70, wrong is None, wrong or "", view.id)
        if lane.max_rate_per_s is not None:
            too_fast = self._lane_claims.too_fast(life, view.lane, lane, claim.at)
            self._judge.holds(17, too_fast is None, too_fast or "", view.id)
        if host in self.suspended:
            forbidden = self.suspended[host].forbids(life, claim.at)
            self._judge.holds(67, not forbidden, f"it left for {host}, which is suspended", view.id)

    def _in_time(self, pdu: SubmitSm, view: MessageView, host: str) -> None:
        now = self._world.clock()
        self._judge.holds(14, now <= view.deadline, f"left {now - view.deadline:.3f} s late", view.id)
        said_s = _relative_s(pdu.validity_period)
        if said_s is not None:
            left_s = max(1.0, view.deadline - now)
            self._judge.holds(14, said_s <= left_s + 1, f"valid for {said_s} s, {left_s:.3f} s remain", view.id)
        dialect = next(carrier.dialect for carrier in self._world.plan.settings.carrier if carrier.name == host)
        untold = promises.untold_deadline(said_s, view.deadline - now, dialect)
        self._judge.holds(14, untold is None, untold or "", view.id)
        if view.send_at is not None:
            # it may have been due already in a life whose clock was ahead
            latest = max(now, self._world.now() + self._world.wrong_by_s)
            self._judge.holds(16, latest >= view.send_at, f"left {view.send_at - latest:.3f} s early", view.id)
        hours = self._world.settings.lane[view.lane].quiet_hours
        if hours is not None:
            quiet = _is_quiet(now, hours.start, hours.end)
            self._judge.holds(15, not quiet, f"left in the quiet hours of {view.lane}", view.id)

    def _paced(self, host: str) -> None:
        """Look at the last second, by the kernel's clock: what the carrier's window of a second could see."""
        rate = self._world.rate_of(host)
        now, recent = self._world.now(), self._recent[host]
        recent.append((now, float("inf") if rate is None else rate))
        while recent[0][0] <= now - SECOND_S + 1e-6:
            recent.popleft()
        most = max(limit for _, limit in recent)
        blocked_until = self._world.network.blocked_until.get(host, -SECOND_S)
        if trio.current_time() - blocked_until <= SECOND_S:
            return  # what was paced behind a carrier that did not read comes at once when it does
        if rate is not None:
            # a life that has just begun keeps its own spaces, and does not know of the one before
            more = trio.current_time() - self._world.begun_s <= SECOND_S
            fine = len(recent) <= ceil(most) + more if most < float("inf") else True
            self._judge.holds(17, fine, f"{len(recent)} in a second to {host}, the rate is {most:g}")

    def view_of(self, to: str) -> MessageView | None:
        """Return the message to a number as it is on disk."""
        found = self._world.disk.engine.messages(MessageQuery(to=to, limit=1))
        return found[0] if found else None

    # --- lives ---

    def at_death(self) -> list[int]:
        """Return the rows of the fault catalogue that this moment is of."""
        sending = [view for view in self._world.disk.engine.messages(MessageQuery(limit=10_000))
                   if Status.SENDING in view.part_statuses]  # fmt: skip
        met = []
        for view in sending:
            newest = max((it for it in view.timeline if it.event == Event.CLAIMED), key=lambda it: it.attempt)
            met.append(3 if (newest.part, newest.attempt) in self.written else 2)
        return met

    def has_answers_due(self) -> bool:
        """Say whether a submit_sm waits for its answer."""
        return any(command == SUBMIT_SM for wire in self._wires.values() for command, _ in wire.asked.values())

    def look_at_what_is_left(self) -> None:
        """Look, after a death, for what callers had been told."""
        ends.all_kept(self._world, self._world.disk.engine.messages(MessageQuery(limit=100_000)))

    def drained(self, took_s: float) -> None:
        """Look at how an orderly stop went, which took so long without the time in which the process stood still."""
        left = self._world.disk.engine.ledger().parts.get(Status.SENDING, 0)
        fine = not (left and self._world.disk.is_well)
        self._judge.holds(25, fine, f"the stop is over, and {left} parts are still sending on disk")
        drain_s = max(bind.drain_s for carrier in self._world.settings.carrier for bind in carrier.bind)
        most_s = 2 * drain_s + DRAIN_MORE_S
        self._judge.holds(25, took_s <= most_s, f"the stop took {took_s:.1f} s, at most {most_s:.1f} s are allowed")
        if self._stop is not None and self._world.disk.is_well:
            ends.stopped(self._world, self._stop)

    def look(self, connector: Connector) -> None:
        """Look at what must hold at every moment."""
        ledger = self._world.disk.engine.ledger()
        self._judge.holds(27, ledger.imbalance == 0, f"the books are out by {ledger.imbalance}")
        if self._finals.has_news(ledger.parts):
            self._finals.see(self._world.disk.engine.messages(MessageQuery(limit=100_000)), self._judge)
        self._look_for_lost_attempts(ledger.parts.get(Status.SENDING, 0))
        self._look_for_lost_places(connector)
        for queue in connector._routing.lanes.queues():
            held = len(queue.heads)
            self._judge.holds(22, held <= MOST_HEADS, f"{held} parts of one queue in memory")
        for carrier in connector.carriers.values():
            most = max(bind.max_unanswered for bind in carrier.config.bind)
            held = max(bind.unanswered for bind in carrier.statistics().binds)
            self._judge.holds(22, held <= most, f"{held} deliver_sm of one bind to {carrier.name} are held")

    def _look_for_lost_attempts(self, sending: int) -> None:
        """Look for attempts that nobody has in hand any more: of every claim somebody says in time what came of it."""
        world, seen = self._world, dict[tuple[int, int, int], int]()
        views = world.disk.engine.messages(MessageQuery(limit=100_000)) if sending and world.disk.is_well else []
        for view in (view for view in views if Status.SENDING in view.part_statuses):
            for number, status in enumerate(view.part_statuses, view.parts > 1):
                if status is Status.SENDING:
                    part = (view.id << 8) | number
                    attempt = max(it.attempt for it in view.timeline if it.part == part)
                    key = world.lives, part, attempt
                    seen[key] = self._in_sending.get(key, 0) + 1
                    text = f"attempt {attempt} has had no end for {seen[key]} looks"
                    self._judge.holds(3, seen[key] < LOOKS_IN_SENDING, text, view.id)
        self._in_sending = seen

    def _look_for_lost_places(self, connector: Connector) -> None:
        """Look whether each place of a window is free, or somebody has it."""
        for bind in (bind for carrier in connector.carriers.values() for bind in carrier.binds if bind.window_size):
            serving = bind._serving
            if serving is not None and serving._end is None and serving._leaving is None:
                places = bind.free + serving.window_used + serving.queued
                text = f"{bind.name} has {places} of {bind.window_size} places"
                self._judge.holds(18, places == bind.window_size, text)

    def timelines(self) -> dict[int, list[str]]:
        """Return what happened to the messages that a violation names."""
        named = {each.message for each in self._judge.violations if each.message is not None}
        return {message: self._story.get(message, []) for message in sorted(named)}

    def _tell_stories(self, views: list[MessageView]) -> None:
        named = {each.message for each in self._judge.violations}
        for view in views:
            if view.id in named:
                self._story[view.id] = [_told(entry, self._world.epoch_s) for entry in view.timeline]

    async def judge_all(self, connector: Connector) -> None:
        """Judge the world at its end."""
        self.look(connector)
        views = self._world.disk.engine.messages(MessageQuery(limit=100_000))
        for view in views:
            self._world.note(f"{view.id} {view.status} {[(it.at, it.event, it.detail) for it in view.timeline]}")
        await ends.judge(self._world, views, connector)
        self._tell_stories(views)


def _told(entry: TimelineEntry, epoch_s: float) -> str:
    by = f" {entry.carrier}" if entry.carrier else ""
    attempt = f" attempt {entry.attempt}" if entry.attempt else ""
    detail = f": {entry.detail}" if entry.detail else ""
    return f"{entry.at - epoch_s:9.3f} s  part {entry.part & 0xFF or 1} {entry.event}{by}{attempt}{detail}"


def place_of(pdu: SubmitSm) -> Place:
    """Return which part of which message this is."""
    octets = pdu.message_octets
    number = octets[5] if octets.startswith(HEADER) else 1
    return Place(pdu.destination_addr, number)


def _relative_s(period: str) -> float | None:
    """Return the seconds of a relative time (SMPP 3.4, 7.1.1.2) of less than a month."""
    if not period.endswith("R"):
        return None
    days, hours, minutes, seconds = (int(period[at : at + 2]) for at in (4, 6, 8, 10))
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _is_quiet(now: float, start: str, end: str) -> bool:
    """Say whether a moment lies in hours of the UTC day; both ends as minutes, the end not included."""
    minute = now % 86_400 / 60
    first, last = (int(text[:2]) * 60 + int(text[3:]) for text in (start, end))
    return first <= minute < last if first < last else minute >= first or minute < last
