"""Callers: they send, they hang up when the connector dies, and say the same again until they know."""

from itertools import product
from typing import TYPE_CHECKING, Final

import trio

from connector.errors import IntakeRefused, StoreError
from connector.lifecycle import Event
from connector.model import SendRequest, Verdict
from tests.simulation.drawing import SHORT
from tests.simulation.plan import Send
from tests.simulation.times import quiet_for_s

if TYPE_CHECKING:
    from tests.simulation.world import World

AGAIN_S: Final = 1.0
LATER_S: Final = 2.0


class Callers:
    """Says every request of the plan until it has an answer."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._scopes: dict[int, trio.CancelScope] = {}
        self._calls = 0
        self._said: dict[int, Send] = {}
        self._begun: dict[int, Send] = {}
        self._first_said: dict[int, float] = {}
        self.unproven: dict[int, Send] = {}
        """Probes of which no carrier has been seen to take them."""

    @property
    def all_said(self) -> bool:
        """Whether every request that was begun has its answer."""
        return len(self._said) == len(self._begun)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for send in self._world.plan.sends:
                nursery.start_soon(self._call, send)

    def start_again(self, nursery: trio.Nursery) -> None:
        """Say once more what has no answer yet, when all is well."""
        for first, send in self._begun.items():
            if first not in self._said:
                nursery.start_soon(self._say, send)

    def hang_up(self) -> None:
        """The connector is no more: nobody hears an answer."""
        for scope in self._scopes.values():
            scope.cancel()

    async def _call(self, send: Send) -> None:
        await trio.sleep(send.at_s)
        self._begun[send.first] = send
        await self._say(send)
        if send.again_s is not None:
            await trio.sleep(send.again_s)
            self._world.met(61)
            await self._say(send)

    def probe(self, nursery: trio.Nursery) -> None:
        """Send two messages more in each lane for each key, to numbers that nobody has sent to: one is for at once,
        and one for a little later, so that it waits in its queue and cannot be claimed as it is kept."""
        settings, sends = self._world.settings, self._world.plan.sends
        first, now = max((send.first + send.count for send in sends), default=0), self._world.now()
        ways = product(sorted(settings.lane), settings.api.key, (None, LATER_S))
        for number, (name, key, send_in_s) in enumerate(ways, first):
            lane = settings.lane[name]
            wait_s = quiet_for_s(now, lane.deadline_s + LATER_S, lane.quiet_hours)
            send = Send(at_s=now - self._world.epoch_s + wait_s, key=key.name, lane=name, first=number, count=1,
                        text=SHORT, send_in_s=send_in_s)  # fmt: skip
            self._begun[number] = self.unproven[number] = send
            nursery.start_soon(self._probe, send, wait_s)

    async def _probe(self, send: Send, wait_s: float) -> None:
        """Send it when it has all its time outside of quiet hours."""
        await trio.sleep(wait_s)
        await self._say(send)

    def look_at_probes(self) -> None:
        """Cross out the probes that a carrier has taken."""
        for number in list(self.unproven):
            view = self._world.book.view_of(recipient(number).removeprefix("+"))
            if view is not None and any(entry.event == Event.ACKNOWLEDGED for entry in view.timeline):
                del self.unproven[number]

    async def _say(self, send: Send) -> None:
        """Say it until somebody answers."""
        requests = [self._request(send, number) for number in range(send.first, send.first + send.count)]
        began = self._world.now()
        while True:
            verdicts = await self._try(send, requests)
            if verdicts is not None:
                break
            await trio.sleep(AGAIN_S)
        self._said[send.first] = send
        self._world.book.accepted(self._first_said.setdefault(send.first, began), requests, verdicts)

    async def _try(self, send: Send, requests: list[SendRequest]) -> list[Verdict] | None:
        life = await self._world.alive()
        key = next(key for key in self._world.settings.api.key if key.name == send.key)
        self._calls += 1
        call, scope = self._calls, trio.CancelScope()
        self._scopes[call] = scope
        try:
            with scope:
                verdicts = await life.connector.send(requests, key=key)
            return None if scope.cancel_called else verdicts  # nobody hears an answer of the dead
        except (IntakeRefused, StoreError):
            return None
        finally:
            del self._scopes[call]

    def _request(self, send: Send, number: int) -> SendRequest:
        begun_at = self._world.begun_at(send)
        return SendRequest(
            to=recipient(number),
            text=f"{send.text} ({number})",
            lane=send.lane,
            client_ref=f"ref-{number}",
            sender=send.sender,
            send_at=None if send.send_in_s is None else begun_at + send.send_in_s,
            deadline_in_s=send.deadline_in_s,
        )


def recipient(number: int) -> str:
    """Return the number of a recipient: each message of a world has one of its own."""
    return f"+4479111{number:05}"
