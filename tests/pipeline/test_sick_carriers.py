"""One of two carriers turns sick, in ten ways: nothing is lost or doubled, OTPs are in time, the other is at peace."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext

import attrs
import pytest
import trio
from trio.testing import MockClock

from connector.carrier.refusals import BELIEVED
from connector.config import LANES, Config, HealthConfig, RouteConfig
from connector.lifecycle import Status
from connector.model import MessageView
from connector.pipeline.notices import Kind
from connector.smpp import tables
from simulator import Scenario
from simulator.scenario import Delay, Limits, Rate, ReceiptRules, Response
from tests.pipeline.sickness import (
    NORTH,
    Echo,
    Sickness,
    drops_the_link_every_20_s,
    judged,
    playing,
    refuses_binds,
    some,
)
from tests.pipeline.world import World, carrier_config, config, world

WELL_S, SICK_S, AFTER_S = 60.0, 360.0, 360.0
OTP_EVERY_S, BULK_EVERY_S = 1.0, 0.4
RATE_PER_S = 50
GERMAN = "49"
COUNTRIES = ("GB", "DE")

Told = tuple[Kind, str | None, str | None, str | None]
"""What a notice was about: its kind, the country, the state and why."""


@attrs.frozen
class Way:
    """A way of being sick, what the connector says about it, and what becomes of messages that are not delivered."""

    name: str
    sick: Sickness | None
    told: Sequence[Told] = ()
    """Each where it is said first: a probe that fails is one of many."""
    undelivered: Mapping[Status, int] = attrs.field(factory=dict)
    """The most of each status at the end; of every other one there is none."""


def health(*steps: tuple[str, str], country: str | None = None) -> tuple[Told, ...]:
    return tuple((Kind.HEALTH, country, state, reason) for state, reason in steps)


UNBOUND: Told = (Kind.UNBOUND, None, None, None)
BOUND: Told = (Kind.BOUND, None, None, None)
REDUCED_FOR_ERRORS = ("reduced", "errors")
PROBED = ("probing", "pause_over"), ("sick", "probes_failed")
RECOVERED = ("reduced", "recovered"), ("well", "recovered")

NO_ANSWER = Scenario(response=Response(delay=Delay(never=True)))
SLOW = Scenario(response=Response(delay=Delay(value_s=7.0)))
NO_RECEIPTS = Scenario(receipt=ReceiptRules(missing=1.0))
THROTTLED = Scenario(limits=Limits(rate=Rate(per_second=1e-9)))
IN_FLIGHT = 20
"""The window: what is in it when a carrier falls silent is in doubt, and so is what it is probed with."""
WAYS = (
    Way("refuses binds", refuses_binds, (UNBOUND,)),
    Way("throttles for ever", playing(THROTTLED)),  # its pace falls to next to nothing, and the other one takes over
    Way("answers SYSERR to 30 %", judged(some(0.3)), health(REDUCED_FOR_ERRORS, *RECOVERED)),
    Way("answers slowly", playing(SLOW), health(("reduced", "slow"), *RECOVERED)),
    Way(
        "accepts and never receipts",
        playing(NO_RECEIPTS),
        health(("reduced", "no_receipts"), *RECOVERED),
        {Status.SENT: int(SICK_S / OTP_EVERY_S + SICK_S / BULK_EVERY_S)},
    ),
    Way(
        "drops the link every 20 s",
        drops_the_link_every_20_s,
        (UNBOUND, *health(("reduced", "links")), BOUND, *health(*RECOVERED)),
    ),
    Way(
        "black-holes",
        playing(NO_ANSWER),
        (
            *health(("sick", "silent")),
            UNBOUND,
            *health(PROBED[0]),
            BOUND,
            *health(PROBED[1], *RECOVERED),
        ),
        {Status.IN_DOUBT: 2 * IN_FLIGHT + 5 * 5},
    ),
    Way(
        "refuses one prefix only",
        judged(lambda pdu: tables.ESME_RSUBMITFAIL if pdu.destination_addr.startswith(GERMAN) else 0),
        health(REDUCED_FOR_ERRORS, ("sick", "errors"), *PROBED, *RECOVERED, country="DE"),
    ),
    Way("duplicates every answer", None),
    Way(
        "refuses every number as invalid",
        judged(lambda pdu: tables.ESME_RINVDSTADR),
        health(("sick", "refused"), *PROBED, *RECOVERED),
        {Status.REJECTED: BELIEVED * len(COUNTRIES)},
    ),
)


def _settings() -> Config:
    pace = {"rate_per_s": float(RATE_PER_S), "bind": {"window_size": IN_FLIGHT, "response_timeout_s": 20.0}}
    return config(
        carrier_config("north", **pace),
        carrier_config("south", **pace),
        route=[RouteConfig(carriers=("north", "south"))],
        health=HealthConfig(receipts_within_s=120.0, probe_at_most_s=120.0),
        lane={"promotional": attrs.evolve(LANES["promotional"], deadline_s=3_600.0)},
    )


class Traffic:
    """Messages that come in at an even pace, to numbers of two countries, each to another number."""

    def __init__(self, it: World) -> None:
        self._it = it
        self.numbers: set[str] = set()

    async def run(self, lane: str, every_s: float, first: int) -> None:
        number = first
        while True:
            to = f"+491511{number:07}" if number % 5 == 0 else f"+447400{number:06}"
            [verdict] = await self._it.verdicts_to([to], lane=lane)
            assert verdict.accepted, verdict
            self.numbers.add(to)
            number += 1
            await trio.sleep(every_s)


async def _live(it: World, way: Way) -> set[str]:
    """Send while the carrier is well, sick and well again; return the numbers written to."""
    traffic = Traffic(it)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(traffic.run, "otp", OTP_EVERY_S, 100_000)
        nursery.start_soon(traffic.run, "promotional", BULK_EVERY_S, 500_000)
        await trio.sleep(WELL_S)
        async with nullcontext() if way.sick is None else way.sick(it):
            await trio.sleep(SICK_S)
        await trio.sleep(AFTER_S)
        nursery.cancel_scope.cancel()
    await trio.sleep(LANES["otp"].deadline_s)
    return traffic.numbers


def _told(it: World) -> list[Told]:
    return list(dict.fromkeys((it.kind, it.country, it.state, it.reason) for it in it.connector.notices.latest()))


def _doubts(view: MessageView) -> int:
    return sum(entry.event == "lost" for entry in view.timeline)


def _waited_s(view: MessageView) -> float | None:
    """Return how long a message waited for a carrier to take it."""
    taken = [entry.at for entry in view.timeline if entry.event == "acknowledged"]
    return taken[0] - view.created_at if taken else None


def _is_duplicated(way: Way) -> Callable[[], bool]:
    return lambda: way.sick is None and WELL_S <= trio.current_time() <= WELL_S + SICK_S


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
async def test_a_carrier_turns_sick_and_no_message_suffers(way: Way, autojump_clock: MockClock) -> None:
    async with world(_settings()) as it:
        it.wrap = lambda stream: Echo(stream, _is_duplicated(way))
        north = it.smsc[NORTH]
        await it.start()
        await it.bound()
        numbers = await _live(it, way)
        views = await it.views()
        assert len(views) == len(numbers)
        undelivered = Counter(view.status for view in views if view.status is not Status.DELIVERED)
        assert all(count <= way.undelivered.get(status, 0) for status, count in undelivered.items()), undelivered
        taken = Counter([*(entry.destination_addr for entry in north.ledger), *it.arrivals("south")])
        doubled = [view.timeline for view in views if taken[view.to] > 1 + _doubts(view)]
        assert not doubled
        _otps_are_in_time([view for view in views if view.lane == "otp"])
        assert it.connector.carriers["south"].limits.throttled == 0
        assert _told(it) == list(way.told)


def _otps_are_in_time(views: Sequence[MessageView]) -> None:
    assert not [view.timeline for view in views if view.status in (Status.REJECTED, Status.FAILED, Status.EXPIRED)]
    waits = sorted(waited for view in views if (waited := _waited_s(view)) is not None)
    assert waits[len(waits) * 99 // 100] <= LANES["otp"].deadline_s
