"""What goes wrong at a time of its own, as a table of acts; and the rows of the fault catalogue that worlds meet.

What carriers do wrong by habit is in `habits.toml`.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import attrs
import trio

from connector.errors import IntakeRefused, StoreError
from connector.lifecycle import FINAL, Status
from connector.model import Claim, MessageQuery, SendRequest
from connector.pipeline.door import Steered
from simulator.scenario import Rate
from tests.simulation.network import Cut
from tests.simulation.plan import Moment
from tests.simulation.promises import Suspended

if TYPE_CHECKING:
    from connector.config import Config, RouteConfig
    from tests.simulation.world import Life, World

CATALOGUE: Final[Mapping[int, str]] = {
    1: "kill -9 at a random instant",
    2: "kill -9 between write-ahead and wire",
    3: "kill -9, or the link cut, after the wire and before the answer is committed",
    4: "orderly stop with full windows",
    5: "the process stands still, then every timer fires at once",
    7: "an unhandled exception in one task: the process ends, and its next life goes on",
    8: "everything is cancelled",
    10: "a message that breaks its bind",
    12: "the disk is full",
    13: "an input/output error of the disk",
    14: "a disk that takes seconds",
    25: "the wall clock is set",
    27: "the machine is suspended",
    28: "links that end by FIN or RST, or only seem to stand",
    29: "latency, jitter, fragments, glued PDUs",
    30: "a network that works in one direction only",
    31: "a carrier that reads slowly or not at all",
    33: "connections are refused or never come about",
    35: "every bind comes back at once",
    36: "throttled, queue full",
    37: "errors without a reason",
    38: "answers that never come",
    39: "answers twice, late, or to nothing",
    40: "answers out of order",
    41: "a receipt before its answer",
    42: "receipts twice, late, elsewhere, never",
    43: "ids in other spellings, ids that come again",
    44: "receipts in other words",
    45: "binds refused or slow",
    46: "unbind, floods of enquire_link, and none answered",
    47: "a carrier that accepts all and delivers nothing",
    48: "a rate or window other than promised",
    49: "generic_nack with sequence 0",
    50: "PDUs out of place",
    51: "impossible lengths",
    52: "lying lengths inside a PDU",
    55: "another protocol on the link",
    57: "long messages of subscribers, in parts",
    61: "a caller who repeats what was accepted",
    67: "the configuration changes, well and badly",
    70: "retries that never lead anywhere",
    71: "messages taken back while they are under way",
}
"""Number in the fault catalogue, and what it is."""
NOT_YET: Final[Mapping[int, str]] = {
    65: "a receiver of callbacks that is down: callbacks are not built yet",
    72: "templates and opt-outs that change under way: not built yet",
}
"""Rows that worlds ought to meet, and cannot."""
SEEN_WHERE_IT_BITES: Final = frozenset({4, 7, 12, 13, 28, 30, 31, 33, 35, 67, 71})
"""Rows that count as met only where something came of them."""
KNOCK_AFTER_S: Final = 0.02
RELOAD_AGAIN_S: Final = 1.0
TROUBLE_S: Final = 3.0
"""So long a carrier is down or slow before an operator does something about it."""
IS_SLOW: Final = 0.5
"""Of a size from this on it is slow; below it is down."""
SHORT_WHILES_S: Final = (0.0, 0.05, 0.3)
"""A carrier is left out for so long, one time after the other: only some of what waits for it goes elsewhere."""
BACK_S: Final = 0.7
"""And so long it is back in between."""
MOST_IN_VAIN: Final = 6
"""Claims of one part in one life: each shows that somebody moved it meanwhile, and nobody moves it so often."""
NOBODY: Final = "+447911199999"
"""Gets nothing, for nothing is sent to it while the connector is up."""
A_STORM: Final = 8
"""Links."""
SICK: Final = ("read", "write", "connect")
"""What a task of ours may be about when it fails."""


@attrs.frozen(kw_only=True)
class Act:
    """One sort of moment."""

    faults: tuple[int, ...]
    do: Callable[["World", Moment], Awaitable[None]]
    weight: float = 1.0
    for_s: tuple[float, float] = (0.0, 0.0)
    size: tuple[float, float] = (0.0, 0.0)
    at_host: bool = False
    least_hosts: int = 1
    """In a world of fewer it does not happen."""


# --- the process ---


async def _kill(world: "World", moment: Moment) -> None:
    await world.end_life(world.kill, pause_s=moment.for_s)


async def _stop(world: "World", moment: Moment) -> None:
    async def stop(life: "Life") -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_knock, world, life)
            await world.stop(life)
            nursery.cancel_scope.cancel()

    await world.end_life(stop, pause_s=moment.for_s)


async def _knock(world: "World", life: "Life") -> None:
    """Ask a connector that stops for one more message."""
    await trio.sleep(KNOCK_AFTER_S)
    with suppress(IntakeRefused, StoreError):
        await life.connector.send([SendRequest(to=NOBODY, text="too late", lane="otp")])
        world.judge.broke(25, "a message was taken after the stop began")
    world.judge.looked[25] += 1


async def _cancel(world: "World", moment: Moment) -> None:
    await world.end_life(world.cancel, pause_s=moment.for_s)


async def _raise(world: "World", moment: Moment) -> None:
    """Let the next task that connects, reads or writes fail as none expects."""
    world.network.sick = SICK[int(moment.size)]
    await trio.sleep(moment.for_s)


async def _stand_still(world: "World", moment: Moment) -> None:
    world.mock.jump(moment.size)
    world.stood_still_s += moment.size
    await trio.lowlevel.checkpoint()


async def _suspend(world: "World", moment: Moment) -> None:
    world.suspended_s += moment.size
    await trio.lowlevel.checkpoint()


async def _set_wall(world: "World", moment: Moment) -> None:
    world.wall_ahead_s = moment.size
    await trio.sleep(moment.for_s)
    world.wall_ahead_s = 0.0


# --- the disk ---


async def _slow_disk(world: "World", moment: Moment) -> None:
    with world.disk.slow((moment.size / 3, moment.size)):
        await trio.sleep(moment.for_s)


async def _full_disk(world: "World", moment: Moment) -> None:
    with world.disk.full():
        await trio.sleep(moment.for_s)


async def _broken_disk(world: "World", moment: Moment) -> None:
    world.disk.breaks_next = True
    await trio.lowlevel.checkpoint()


# --- the network ---


def _cutting(how: Cut) -> Callable[["World", Moment], Awaitable[None]]:
    async def cut(world: "World", moment: Moment) -> None:
        links = world.network.at(moment.host)
        for link in links[: max(1, round(moment.size))]:
            link.cut(how)
        if links:
            world.met(28)
        await trio.lowlevel.checkpoint()

    return cut


async def _storm(world: "World", moment: Moment) -> None:
    world.network.refusing.update(world.hosts)
    links = list(world.network.links.values())
    if len(links) >= A_STORM:
        world.met(35)
    for link in links:
        link.cut("rst")
    await trio.sleep(moment.for_s)
    world.network.refusing.difference_update(world.hosts)


async def _refuse(world: "World", moment: Moment) -> None:
    world.network.refusing.add(moment.host)
    for link in world.network.at(moment.host):
        link.cut("fin")
    await trio.sleep(moment.for_s)
    world.network.refusing.discard(moment.host)


async def _unreachable(world: "World", moment: Moment) -> None:
    world.network.unreachable.add(moment.host)
    for link in world.network.at(moment.host):
        link.cut("half-open")
    await trio.sleep(moment.for_s)
    world.network.unreachable.discard(moment.host)


async def _one_way(world: "World", moment: Moment) -> None:
    for link in world.network.at(moment.host):
        pipe = link.ours.into if moment.size < 0.5 else link.ours.out
        pipe.hold(trio.current_time() + moment.for_s)
        world.met(30)
    await trio.lowlevel.checkpoint()


async def _stalled_reader(world: "World", moment: Moment) -> None:
    for link in world.network.at(moment.host):
        link.ours.out.hold(trio.current_time() + moment.for_s, reading=True)
        world.met(31)
    await trio.lowlevel.checkpoint()


# --- carriers, callers, operators ---


async def _slower(world: "World", moment: Moment) -> None:
    world.smsc[moment.host].set_rate(Rate(per_second=max(1.0, moment.size), burst=2))
    await trio.sleep(moment.for_s)
    world.smsc[moment.host].set_rate(None)


async def _take_back(world: "World", moment: Moment) -> None:
    """Take back some of what is under way."""
    life = await world.alive()
    views = await life.connector.queries.messages(MessageQuery(limit=1_000))
    live = [view for view in views if view.status not in FINAL]
    live = [view for view in live if view.status is not Status.SENT] or live
    chance = random.Random(moment.at_s)
    chosen = chance.sample(live, min(len(live), round(moment.size)))
    for view in chosen:
        world.met(71)
        await world.take_back(life, view.id)


async def _reload(world: "World", moment: Moment) -> None:
    """Go on with other rates, windows and lanes for a while."""
    old = world.settings
    slower = tuple(
        attrs.evolve(
            carrier,
            rate_per_s=moment.size,
            bind=tuple(attrs.evolve(bind, window_size=max(1, bind.window_size // 2)) for bind in carrier.bind),
        )
        if carrier.name == moment.host
        else carrier
        for carrier in old.carrier
    )
    lanes = {name: attrs.evolve(lane, reserve=0.2) for name, lane in old.lane.items()}
    if await world.reload(attrs.evolve(old, carrier=slower, lane=lanes)):
        world.met(67)
    await trio.sleep(moment.for_s)
    await world.reload(old)


async def _take_away(world: "World", moment: Moment) -> None:
    """Go on without a carrier, whatever waits for it, and have it back after a while."""
    old = world.settings
    routes = _routes_without(old, moment.host)
    if routes is None:
        return  # another reload under way has left it alone in a route
    carriers = tuple(carrier for carrier in old.carrier if carrier.name != moment.host)
    world.book.taken_away.add(moment.host)
    if await world.reload(attrs.evolve(old, carrier=carriers, route=routes)):
        world.met(67)
        await trio.sleep(moment.for_s)
    await _back_to(world, old)


async def _leave_out(world: "World", moment: Moment) -> None:
    """Take a carrier that is in trouble out of every route and back in, soon and again and again; then for a while."""
    async with trio.open_nursery() as nursery:
        trouble = _refuse if moment.size < IS_SLOW else _slower
        nursery.start_soon(trouble, world, attrs.evolve(moment, for_s=TROUBLE_S + 2 * moment.for_s, size=1.0))
        await trio.sleep(TROUBLE_S)
        _count_claims(world, await world.alive())
        old = world.settings
        routes = _routes_without(old, moment.host)
        if routes is None:
            return  # another reload under way has left it alone in a route
        world.book.taken_away.add(moment.host)
        for link in [link for link in world.network.links.values() if link.host != moment.host]:
            link.cut("rst")  # nobody takes over at once
        for pause_s in (*SHORT_WHILES_S, moment.for_s):
            if await world.reload(attrs.evolve(old, route=routes)):
                world.met(67)
                await trio.sleep(pause_s)
            await _back_to(world, old)
            await trio.sleep(BACK_S)


def _routes_without(settings: "Config", host: str) -> "tuple[RouteConfig, ...] | None":
    """Return the routes without one carrier, None where one would be left with none."""
    if any(route.carriers == (host,) for route in settings.route):
        return None
    return tuple(
        attrs.evolve(route, carriers=tuple(name for name in route.carriers if name != host)) for route in settings.route
    )


async def _back_to(world: "World", settings: "Config") -> None:
    while not await world.reload(settings):  # noqa: ASYNC110 - what is drained first tells nobody
        await trio.sleep(RELOAD_AGAIN_S)


def _count_claims(world: "World", life: "Life") -> None:
    """Look from now on, in this life, whether a part is claimed in vain for ever: who waits behind it never leaves."""
    store, in_vain = life.connector._store, Counter[int]()
    claim = store.claim

    async def counted(claims: Sequence[Claim], *, now: float) -> list[Claim]:
        won = await claim(claims, now=now)
        lost = {each.part for each in claims} - {each.part for each in won}
        in_vain.update(lost)
        for part in lost:
            if in_vain[part] == MOST_IN_VAIN:
                world.judge.broke(26, f"part {part & 0xFF} was claimed in vain {MOST_IN_VAIN} times", part >> 8)
        return won

    if "claim" not in vars(store):
        vars(store)["claim"] = counted


async def _bad_reload(world: "World", _moment: Moment) -> None:
    """Ask for what needs a restart: nothing may change."""
    store = attrs.evolve(world.settings.store, path="elsewhere.db")
    taken = await world.reload(attrs.evolve(world.settings, store=store))
    world.judge.holds(67, not taken, "a reload that needs a restart was taken")


async def _hold_carrier(world: "World", moment: Moment) -> None:
    try:
        await _suspend_carrier(world, moment.host)
        await trio.sleep(moment.for_s)
    finally:
        world.book.suspended.pop(moment.host, None)
    life = await world.alive()
    with suppress(StoreError):  # obeyed, and not kept
        await life.connector.resume(moment.host)


async def _suspend_carrier(world: "World", host: str) -> None:
    life, number = await world.alive(), world.lives
    steered, kept = Steered.DONE, False
    with suppress(StoreError):  # obeyed, and not kept
        steered, kept = await life.connector.suspend(host), True
    if steered is not Steered.UNKNOWN and world.lives == number:
        world.book.suspended[host] = Suspended(number, world.clock(), kept)
        world.judge.looked[67] += 1


ACTS: Final[Mapping[str, Act]] = {
    "kill -9": Act(faults=(1,), do=_kill, weight=4, for_s=(0.0, 6.0)),
    "orderly stop": Act(faults=(4,), do=_stop, weight=3, for_s=(0.0, 3.0)),
    "cancel everything": Act(faults=(8,), do=_cancel, for_s=(0.0, 1.0)),
    "an exception nobody expects": Act(faults=(7,), do=_raise, for_s=(5.0, 5.0), size=(0.0, 2.999)),
    "the process stands still": Act(faults=(5,), do=_stand_still, size=(1.0, 60.0)),
    "the machine is suspended": Act(faults=(27,), do=_suspend, size=(5.0, 90.0)),
    "the wall clock is set": Act(faults=(25,), do=_set_wall, for_s=(1.0, 60.0), size=(-3600.0, 3600.0)),
    "slow disk": Act(faults=(14,), do=_slow_disk, for_s=(1.0, 15.0), size=(1.0, 5.0)),
    "full disk": Act(faults=(12,), do=_full_disk, weight=3, for_s=(0.5, 10.0)),
    "broken disk": Act(faults=(13,), do=_broken_disk),
    "links reset": Act(faults=(28,), do=_cutting("rst"), weight=3, size=(1.0, 4.0), at_host=True),
    "links closed": Act(faults=(28,), do=_cutting("fin"), weight=2, size=(1.0, 4.0), at_host=True),
    "links half-open": Act(faults=(28,), do=_cutting("half-open"), weight=2, size=(1.0, 4.0), at_host=True),
    "all links at once": Act(faults=(28,), do=_storm, for_s=(0.0, 10.0)),
    "connections refused": Act(faults=(33,), do=_refuse, for_s=(1.0, 60.0), at_host=True),
    "host unreachable": Act(faults=(33,), do=_unreachable, for_s=(1.0, 30.0), at_host=True),
    "one way only": Act(faults=(30,), do=_one_way, for_s=(0.5, 30.0), size=(0.0, 1.0), at_host=True),
    "nobody reads": Act(faults=(31,), do=_stalled_reader, for_s=(1.0, 40.0), at_host=True),
    "a slower carrier": Act(faults=(48,), do=_slower, for_s=(2.0, 30.0), size=(1.0, 10.0), at_host=True),
    "messages taken back": Act(faults=(71,), do=_take_back, weight=3, size=(1.0, 20.0)),
    "reload": Act(faults=(67,), do=_reload, weight=3, for_s=(2.0, 30.0), size=(2.0, 50.0), at_host=True),
    "a carrier taken away": Act(faults=(67,), do=_take_away, weight=3, for_s=(0.0, 15.0), at_host=True, least_hosts=2),
    "a carrier left out": Act(
        faults=(67,), do=_leave_out, weight=10, for_s=(0.0, 8.0), size=(0.0, 1.0), at_host=True, least_hosts=2
    ),
    "bad reload": Act(faults=(67,), do=_bad_reload, weight=0.3),
    "carrier suspended by hand": Act(faults=(), do=_hold_carrier, for_s=(1.0, 20.0), weight=0.3, at_host=True),
}
