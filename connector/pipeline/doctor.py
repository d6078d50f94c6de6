"""Looks at every carrier once a second and lets `Health` judge it; what changes is told, and dispatch goes by it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import trio

from connector.carrier.carrier import Carrier
from connector.lifecycle import Event, Status
from connector.model import Answer, Moved, Reason, Result, format_id
from connector.pipeline.health import Health
from connector.pipeline.notices import Kind, Notices

LOOK_EVERY_S: Final = 1.0
_DELIVERED_OR_NOT: Final = {Status.DELIVERED: True, Status.FAILED: False, Status.EXPIRED: False, Status.REJECTED: False}
_TOLD: Final = {Reason.SET_ASIDE: Kind.SET_ASIDE, Reason.OUR_ENCODING: Kind.OUR_ENCODING}


class Doctor:
    """Feeds `Health` with what comes back and what links show, and tells what it says."""

    def __init__(
        self,
        health: Health,
        carriers: Mapping[str, Carrier],
        notices: Notices,
        wake_dispatch: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._health = health
        self._carriers = carriers
        self._notices = notices
        self._wake_dispatch = wake_dispatch
        self._clock = clock
        self._link_ends: dict[str, tuple[Carrier, int]] = {}
        self._down_since: dict[str, float | None] = {}
        """Of carriers that were up once: when their last bind went down, None while one is up."""

    def note(self, results: Sequence[Result], moved: Iterable[Moved], now: float) -> None:
        """Take what one commit brought."""
        health = self._health
        health.note(results, now)
        for result in results:
            if type(result) is Answer:
                if result.event is Event.ACKNOWLEDGED:
                    if result.receipt:
                        health.sent(result.part, result.carrier, result.country, result.at)
                elif result.reason in _TOLD:
                    self._tell(result)
        for change in moved:
            if change.status is not Status.SENT and change.status in _DELIVERED_OR_NOT:
                health.final(change.part, _DELIVERED_OR_NOT[change.status], now)

    def _tell(self, answer: Answer) -> None:
        kind = _TOLD[Reason(str(answer.reason))]
        what = "ended: it broke its bind too often" if kind is Kind.SET_ASIDE else "was found badly made"
        text = f"message {format_id(answer.part >> 8)} {what} ({answer.detail or 'no status'})"
        self._notices.give(kind, text, answer.at, carrier=answer.carrier, country=answer.country, reason=answer.reason)

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Look until cancelled."""
        task_status.started()
        while True:
            await trio.sleep(LOOK_EVERY_S)
            self.look(self._clock())

    def look(self, now: float) -> None:
        """Look once."""
        for name in [name for name in self._link_ends if name not in self._carriers]:
            del self._link_ends[name]
            self._down_since.pop(name, None)
            self._health.forget(name)
        for name, carrier in self._carriers.items():
            self._look_at_binds(carrier, now)
            self._health.silent(name, carrier.silent_s, now)
            known, ends = self._link_ends.get(name, (carrier, 0))
            self._link_ends[name] = carrier, carrier.link_ends
            for _ in range(carrier.link_ends - (ends if known is carrier else 0)):
                self._health.link_ended(name, now, planned=False)
        switches = self._health.look(now)
        for it in switches:
            self._notices.give(
                Kind.HEALTH,
                it.text,
                it.at,
                carrier=it.carrier,
                country=it.country,
                state=it.state,
                reason=it.reason,
                numbers=it.numbers,
            )
        if switches or not self._health.all_well:
            self._wake_dispatch()

    def _look_at_binds(self, carrier: Carrier, now: float) -> None:
        """Tell when a carrier that was up has no bind any more, and when it has one again."""
        name, bound = carrier.name, carrier.is_bound
        since = self._down_since.get(name)
        if bound:
            if since is not None:
                text = f"carrier {name}: bound again after {now - since:.0f} s"
                self._notices.give(Kind.BOUND, text, now, carrier=name, numbers={"down_s": now - since})
            self._down_since[name] = None
        elif since is None and name in self._down_since and not carrier.draining:
            self._down_since[name] = now
            self._notices.give(Kind.UNBOUND, f"carrier {name}: no bind is up: {carrier.reason}", now, carrier=name)
