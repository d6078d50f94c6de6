"""A load by an ESME of the simulator's own: it binds, sends what is due, and sends again what was not answered."""

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import trio

from connector.errors import SmppError
from connector.settings import format_duration
from connector.smpp import tables
from connector.smpp.events import Answered
from connector.smpp.outcomes import Outcome, outcome_of
from connector.smpp.pdu import DataSm, DeliverSm
from simulator import draws
from simulator.load.arrivals import length_s
from simulator.load.link import Link, Login
from simulator.load.messages import Message, Part
from simulator.load.pace import Pace
from simulator.load.receipts import Receipts
from simulator.load.supply import Supply
from simulator.load.tally import Durations, LoadStatistics, Refusals
from simulator.scenario import AccountRules, Load, Scenario

Connect = Callable[[], Awaitable[trio.abc.Stream]]
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0
"""Between two tries to bind, or to send a part that the carrier asked patience for: each is twice the last."""
STEADY_S: Final = 1.0
"""A bind that stood so long, or on which anything was accepted, was a good one: the next pause is the first again.  A
carrier that resets a link now and then does not keep the ESME away."""
GOODBYE_S: Final = 5.0
PATIENCE_S: Final = 120.0
"""How long at least a load goes on trying to bind: most outages and most penalties are over by then."""
SENDERS: Final = ("transmitter", "transceiver")
_PATIENCE: Final = (Outcome.SLOW_DOWN, Outcome.RETRY_LATER, Outcome.BIND_SICK)


class EsmeLoad:
    """Plays the ``[load]`` of a scenario over links that ``connect`` opens; OSError from it is tried again."""

    def __init__(self, scenario: Scenario, load: Load, connect: Connect, *, started_at: float) -> None:
        self._load = load
        self._connect = connect
        self._started_at = started_at
        self._login, self._modes = login_of(scenario, load)
        self._draw = draws.stream(scenario.seed, "load.pause")
        self._pauses = 0
        self._pace = Pace()
        self._links: list[Link] = []
        self._turn = 0
        self._supply = Supply(load, scenario.seed, started_at)
        self._should_come = bytearray(self._supply.most + 1)
        self._unsent: dict[int, int] = {}
        self._receipts = Receipts(scenario)
        self._open = 0
        self._numbers = dict.fromkeys(("sent", "answered", "failed", "resent", "binds"), 0)
        self._service, self._corrected = Durations(), Durations()
        self._refusals = Refusals()
        self._done = trio.Event()
        self._leaving = False
        self._woken = trio.lowlevel.ParkingLot()
        self._gone = trio.lowlevel.ParkingLot()
        self._has_no_room = True
        self._died_of = ""
        self._patience_s = max(PATIENCE_S, load.settle_s)
        self._alone_since = started_at
        """When the last link that may send was lost."""
        self._refused_with = ""

    # --- the tasks

    async def run(self) -> None:
        """Send all there is to send, and stay bound until cancelled or asked to `leave`."""
        try:
            async with trio.open_nursery() as nursery:
                for mode in self._modes:
                    nursery.start_soon(self._keep_bound, mode)
                nursery.start_soon(self._keep_handing_out)
        except* SmppError as group:
            self._died_of = _first_words(group)
            self._done.set()

    async def _keep_bound(self, mode: str) -> None:
        failures = 0
        while not self._leaving:
            failures = 0 if await self._had_good_link(mode) else failures + 1
            if self._has_lost_patience(trio.current_time()):
                self._died_of = f"no bind was let in for {format_duration(self._patience_s)}: {self._refused_with}"
                self._leaving = True
                self._done.set()
            if not self._leaving:
                await trio.sleep(self._pause_s(max(0, failures - 1)))

    def _has_lost_patience(self, now: float) -> bool:
        """Say whether there has been no bind for so long that there will be none: at all, or before all is sent.

        A load with stages that has been bound waits on: it ends by itself, and an outage may be what it is for.
        """
        if self._has_sender or now - self._alone_since < self._patience_s:
            return False
        return not (self._numbers["binds"] and self._load.stages)

    @property
    def _has_sender(self) -> bool:
        return any(link.bound_at is not None and link.mode in SENDERS for link in self._links)

    async def _had_good_link(self, mode: str) -> bool:
        """Serve one link to its end and say whether it was good for anything."""
        try:
            stream = await self._connect()
        except OSError as error:
            self._refused_with = f"nothing listens: {error.strerror or error}"
            return False
        link = Link(stream, self._login, mode, self)
        self._links.append(link)
        try:
            await link.run()
        finally:
            self._links.remove(link)
            self._gone.unpark_all()
            self._refused_with = link.ended_with
            if link.bound_at is not None and mode in SENDERS and not self._has_sender:
                self._alone_since = trio.current_time()
        return link.was_heard or (link.bound_at is not None and trio.current_time() - link.bound_at >= STEADY_S)

    async def _keep_handing_out(self) -> None:
        while not self._leaving:
            now = trio.current_time()
            self.hand_out(now)
            self._has_no_room = not any(link.room for link in self._links)
            next_at = math.inf if self._has_no_room else max(self._supply.next_at, self._pace.next_at(now))
            with trio.move_on_at(next_at):
                await self._woken.park()

    async def finished(self) -> None:
        """Return when every message has its last answer or never will, or the load has died."""
        if self._load.stages:
            with trio.move_on_at(self._started_at + length_s(self._load.stages) + self._load.settle_s):
                await self._done.wait()
        else:
            await self._done.wait()
        self._supply.stop()

    async def leave(self) -> None:
        """Unbind all links, and return when they have ended."""
        self._leaving = True
        self._woken.unpark_all()
        for link in self._links:
            link.leave()
        with trio.move_on_after(GOODBYE_S):
            while self._links:
                await self._gone.park()

    def _pause_s(self, failures: int) -> float:
        """Return how long to wait after so many failures; drawn, so that not all come back at once."""
        self._pauses += 1
        longest = min(LONGEST_PAUSE_S, math.ldexp(FIRST_PAUSE_S, min(failures, 10)))
        return longest * (0.5 + self._draw(self._pauses) / 2)

    # --- the desk

    def hand_out(self, now: float) -> None:
        """Give every link with room what is due, each its share."""
        if self._has_no_room:
            self._woken.unpark_all()  # it waits for a place, from now on also for the time
        if self._supply.next_at > now or self._leaving:
            return
        links = [link for link in self._links if link.room]
        batch = self._supply.take(self._pace.room(sum(link.room for link in links), now), now)
        if batch:
            self._pace.sent(len(batch), now)
        self._turn += 1
        for place in range(len(links)):
            link = links[(self._turn + place) % len(links)]
            share = min(link.room, math.ceil(len(batch) / (len(links) - place)))
            self._send(link, batch[:share], now)
            batch = batch[share:]
        for part in batch:  # a link with less room than its share left these
            self._supply.put_back(part, now)
        self._look_whether_done()

    def _send(self, link: Link, parts: list[Part], now: float) -> None:
        if not parts:
            return
        for part in parts:
            if not part.tries:
                self._note_sent(part)
            self._numbers["resent"] += part.tries > 0
            part.tries += 1
        link.send(parts, now)

    def _note_sent(self, part: Part) -> None:
        message = part.message
        if not message.is_sent:
            message.is_sent = True
            self._numbers["sent"] += 1
            self._open += 1
            self._should_come[message.number] = 1
        if part.total > 1:
            left = self._unsent.pop(message.number, (1 << part.total) - 1) & ~(1 << part.place - 1)
            if left:
                self._unsent[message.number] = left

    def bound(self, now: float) -> None:
        """Count a link that is bound, and give it what is due."""
        self._numbers["binds"] += 1
        self._woken.unpark_all()

    def answered(self, event: Answered, now: float) -> None:
        """Take the answer to a part: it is accepted, has to wait, or is refused for good."""
        part = event.token
        assert isinstance(part, Part), "the link hands on no other answers"
        if part.is_answered or part.message.is_over:
            return
        if event.command_status == tables.ESME_ROK:
            self._accepted(part, event, now)
        elif event.late:
            return  # it is under way again
        elif (outcome := outcome_of(event.command_status)) in _PATIENCE and part.tries < self._load.attempts:
            if outcome is Outcome.SLOW_DOWN:
                self._pace.refused(now)
            self._supply.put_back(part, now + self._pause_s(part.tries - 1))
            self._woken.unpark_all()
        else:
            self._should_come[part.message.number] = 0
            self._refusals.count(tables.status_name(event.command_status))
            self._fail(part.message)

    def _accepted(self, part: Part, event: Answered, now: float) -> None:
        part.is_answered = True
        message = part.message
        message.left -= 1
        self._service.record(now - event.sent_at)
        if self._load.receipts:
            self._receipts.expect(event.message_id)
        if not message.left:
            self._numbers["answered"] += 1
            self._corrected.record(now - message.planned_at)
            self._close(message)

    def unanswered(self, part: Part, now: float) -> None:
        """Have a part sent again whose answer is lost, or give its message up."""
        if part.is_answered or part.message.is_over:
            return
        if part.tries < self._load.attempts:
            self._supply.put_back(part, now)
            self._woken.unpark_all()
        else:
            self._fail(part.message)

    def _fail(self, message: Message) -> None:
        self._numbers["failed"] += 1
        self._close(message)

    def _close(self, message: Message) -> None:
        message.is_over = True
        self._open -= 1
        self._look_whether_done()

    def _look_whether_done(self) -> None:
        if not self._open and self._supply.is_exhausted:
            self._done.set()

    def delivered(self, pdu: DeliverSm | DataSm) -> None:
        """Count a receipt."""
        self._receipts.take(pdu)

    # --- the numbers

    def expected(self) -> list[int]:
        """Return the numbers of the messages that were sent and not refused."""
        return [number for number, should in enumerate(self._should_come) if should]

    def unsent(self) -> Mapping[int, int]:
        """Return a bit for each part that was never sent, by message."""
        return self._unsent

    def statistics(self) -> LoadStatistics:
        """Return the numbers of this moment."""
        planned = self._supply.planned(trio.current_time())
        return LoadStatistics(
            planned=planned,
            dropped_arrivals=max(0, planned - self._numbers["sent"]),
            receipts_matched=self._receipts.matched,
            receipts_unmatched=self._receipts.unmatched,
            service=self._service.latency(),
            corrected=self._corrected.latency(),
            died_of=self._died_of,
            refusals=self._refusals.numbers,
            **self._numbers,
        )


def _first_words(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)


def login_of(scenario: Scenario, load: Load) -> tuple[Login, list[str]]:
    """Return how the load binds, and how each of its links does: receivers come on top where nothing is both."""
    accounts = {rules.system_id: rules for rules in scenario.account}
    chosen = load.account or next(iter(accounts), "load")
    rules = accounts.get(chosen, AccountRules(system_id=chosen))
    versions = scenario.carrier.versions
    version = tables.SMPP_34 if "3.4" in versions else tables.SMPP_50 if "5.0" in versions else tables.SMPP_33
    login = Login(
        system_id=rules.system_id,
        password=rules.password,
        system_type=rules.system_type or "",
        interface_version=version,
        window=load.window,
        response_timeout_s=load.response_timeout_s,
    )
    if "transceiver" in rules.bind_types and version != tables.SMPP_33:
        return login, ["transceiver"] * load.binds
    return login, ["transmitter"] * load.binds + ["receiver"] * (load.receipts and "receiver" in rules.bind_types)
