"""What is judged at the end of a world, and after each death: carriers' ledgers against the store's own story."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import attrs
import trio

from connector.app import Connector
from connector.lifecycle import FINAL, Event, Status
from connector.model import InboundQuery, MessageQuery, MessageView
from connector.smpp.misuse import STRAY_NACKS
from simulator.ledger import Entry
from tests.simulation import promises, times
from tests.simulation.habits import HABITS
from tests.simulation.wire import ENQUIRE_LINK, Wire

if TYPE_CHECKING:
    from tests.simulation.world import World

TICK_S: Final = 0.01
HEADER: Final = bytes.fromhex("050003")
WORDS: Final[Mapping[str, tuple[Event, Status]]] = {
    "DELIVRD": (Event.DELIVERED, Status.DELIVERED),
    "UNDELIV": (Event.UNDELIVERED, Status.FAILED),
    "DELETED": (Event.UNDELIVERED, Status.FAILED),
    "EXPIRED": (Event.EXPIRED, Status.EXPIRED),
    "REJECTD": (Event.REJECTED, Status.REJECTED),
}
"""What a receipt's word does to the part it is about; other words end nothing."""
FINAL_WORDS: Final = frozenset(event for event, _ in WORDS.values())
NOT_THERE: Final = frozenset({Event.DEFERRED, Event.REROUTED, Event.REFUSED, Event.EXHAUSTED, Event.NOT_WRITTEN})
"""Answers, late ones too, that say the carrier does not have the part."""


@attrs.frozen
class Taken:
    """A part that a carrier took."""

    host: str
    entry: Entry
    to: str
    number: int
    reference: int | None
    """Of a part of several."""


def taken(world: "World") -> list[Taken]:
    """Return everything that carriers took."""
    found = []
    for host, smsc in world.smsc.items():
        for entry in smsc.ledger:
            octets = entry.octets
            reference, number = (octets[3], octets[5]) if octets.startswith(HEADER) else (None, 1)
            found.append(Taken(host, entry, entry.destination_addr, number, reference))
    return found


def all_kept(world: "World", views: Sequence[MessageView]) -> None:
    """I1: whatever a caller was told is there, but for what is so old that it went."""
    there = {view.id for view in views}
    oldest = world.now() + world.wrong_by_s - world.plan.settings.store.keep_messages_s
    for message, at in world.book.accepted_at.items():
        gone = message not in there
        world.judge.holds(1, not gone or at < oldest, f"message {message} was accepted and is not there", message)


async def judge(world: "World", views: Sequence[MessageView], connector: Connector) -> None:
    """Judge a world that is over."""
    all_kept(world, views)
    _ended(world, views)
    times.judge(world, views)
    views = [view for view in views if bare(view) not in world.book.stale]
    found = [each for each in taken(world) if each.to not in world.book.stale]
    _references(world, views)
    by_place: defaultdict[tuple[str, int], list[Taken]] = defaultdict(list)
    for each in found:
        by_place[each.to, each.number].append(each)
    for view in views:
        _doubles(world, view, by_place)
        _together(world, view, by_place)
        _words(world, view, by_place)
    _receipts(world, views, found)
    _subscribers(world)
    problems = world.disk.engine.verify().problems
    world.judge.holds(4, not problems, "; ".join(problems[:3]))
    world.judge.holds(12, not problems, "; ".join(problems[:3]))
    await trio.lowlevel.checkpoint()


def _references(world: "World", views: Sequence[MessageView]) -> None:
    for ref, ids in world.book.ids.items():
        one = len(set(ids)) == 1 or ref in world.book.stale_refs
        world.judge.holds(2, one, f"{ref} is {len(set(ids))} messages: {sorted(set(ids))}", ids[0])
    twice = Counter(view.client_ref for view in views)
    for kept, count in twice.items():
        world.judge.holds(2, count == 1, f"{kept} is kept {count} times")


def _ended(world: "World", views: Sequence[MessageView]) -> None:
    for view in views:
        world.judge.holds(3, view.status in FINAL, f"message {view.id} is still {view.status}", view.id)
        world.judge.holds(26, view.status in FINAL, f"message {view.id} did not come to its end", view.id)


def _doubles(world: "World", view: MessageView, by_place: Mapping[tuple[str, int], list[Taken]]) -> None:
    """I5, I6: taken no more often than it was doubted, and once where the lane holds."""
    lane = world.plan.settings.lane[view.lane]
    lost = Counter((entry.part & 0xFF) or 1 for entry in view.timeline if entry.event == Event.LOST)
    for number in range(1, view.parts + 1):
        count = len(by_place.get((bare(view), number), ()))
        allowed = 1 + min(lost[number], lane.resends) if lane.on_doubt == "resend" else 1
        invariant = 5 if lane.on_doubt == "resend" else 6
        world.judge.holds(invariant, count <= allowed, f"part {number} was taken {count} times, {allowed} may be",
                          view.id)  # fmt: skip


def _together(world: "World", view: MessageView, by_place: Mapping[tuple[str, int], list[Taken]]) -> None:
    """I7: all parts of one message are, or may be, with one carrier, under one reference."""
    if view.parts == 1:
        return
    found = [each for number in range(1, view.parts + 1) for each in by_place.get((bare(view), number), ())]
    references = {each.reference for each in found}
    world.judge.holds(7, len(references) <= 1, f"parts have the references {references}", view.id)
    newest: Counter[int] = Counter()
    for entry in view.timeline:
        newest[entry.part] = max(newest[entry.part], entry.attempt)
    said: defaultdict[int, dict[str, str | None]] = defaultdict(dict)
    for entry in view.timeline:
        if entry.attempt == newest[entry.part] and entry.carrier:
            said[entry.part][entry.event] = entry.carrier
    where = {carrier for events in said.values() if (carrier := _may_have_it(events)) is not None}
    where -= world.book.taken_away  # what it had not sent yet goes on elsewhere
    world.judge.holds(7, len(where) <= 1, f"parts are with {sorted(map(str, where))}", view.id)


def _may_have_it(events: Mapping[str, str | None]) -> str | None:
    """Return the carrier that has a part, or may have it, by what happened to one attempt."""
    if Event.ACKNOWLEDGED in events:
        return events[Event.ACKNOWLEDGED]
    return None if events.keys() & NOT_THERE else events.get(Event.LOST)


def _words(world: "World", view: MessageView, by_place: Mapping[tuple[str, int], list[Taken]]) -> None:
    """I9: what a receipt did to a part, a carrier has said of that part."""
    said = {
        (entry.part & 0xFF or 1, entry.carrier, entry.event)
        for entry in view.timeline
        if entry.event in FINAL_WORDS and entry.attempt == 0 and entry.carrier
    }
    for number, host, event in said:
        if host in _hosts_with_one_id_twice(view, by_place):
            continue
        truth = [
            each.entry.state
            for each in by_place.get((bare(view), number), ())
            if each.host == host and each.entry.receipts_sent
        ]
        truth += _other_words(world, host) if truth else ()
        fine = any(WORDS.get(state, (None,))[0] == event for state in truth)
        world.judge.holds(9, fine, f"part {number} has {event} from {host}, which said {truth}", view.id)


def _hosts_with_one_id_twice(view: MessageView, by_place: Mapping[tuple[str, int], list[Taken]]) -> set[str]:
    """Return the carriers whose ids came round again within one message: nobody can tell its receipts apart."""
    found = [each for number in range(1, view.parts + 1) for each in by_place.get((bare(view), number), ())]
    ids = Counter((each.host, each.entry.message_id) for each in found)
    return {host for (host, _), count in ids.items() if count > 1}


def _other_words(world: "World", host: str) -> Iterable[str]:
    """Return the words a carrier may say by habit beside that of the state it has a part in."""
    plan = next(carrier for carrier in world.plan.carriers if carrier.name == host)
    receipts = (HABITS[each.name].table(each.rate).get("receipt", {}) for each in plan.habits)
    return [word for rules in receipts for word in rules.get("intermediate", ()) if word in WORDS]


def _receipts(world: "World", views: Sequence[MessageView], found: Iterable[Taken]) -> None:
    """I10, I11: a receipt that we answered is on its message, or kept; and what it says counts where one was taken."""
    by_number = {bare(view): view for view in views}
    found = list(found)
    if any(_is_early(each.entry) for each in found):
        world.met(41)
    places = Counter((each.to, each.number) for each in found)
    named = Counter((each.host, each.to, each.entry.message_id) for each in found)
    missing: Counter[str] = Counter()
    for each in found:
        view = by_number.get(each.to)
        is_sole = named[each.host, each.to, each.entry.message_id] == 1  # or ids came round again to one number
        if view is None or each.entry.receipt_acknowledged_at is None or not is_sole:
            continue
        entries = [it for it in view.timeline if (it.part & 0xFF or 1) == each.number and it.carrier == each.host]
        traced = any(it.event in FINAL_WORDS or it.event == "receipt" for it in entries)
        if not traced:
            missing[each.host] += 1
            known = any(it.event == Event.ACKNOWLEDGED and it.detail for it in entries)
            if known and places[each.to, each.number] == 1:
                world.judge.broke(10, f"the receipt of part {each.number} was answered and is not on it", view.id)
            world.judge.looked[10] += known
        else:
            world.judge.looked[10] += 1
    parked = Counter(each.receipt.carrier for each in world.disk.engine.parked(0, 1_000_000))
    for host, count in missing.items():
        world.judge.holds(
            11, count <= parked[host], f"{count} receipts of {host} were answered, {parked[host]} are kept apart"
        )


def _is_early(entry: Entry) -> bool:
    """Say whether a receipt left before the answer was due."""
    return None not in (entry.answer_due_at, entry.receipt_sent_at) and entry.receipt_sent_at < entry.answer_due_at  # type: ignore[operator]


def _subscribers(world: "World") -> None:
    """I11, I57: whatever subscribers wrote and we answered is kept, each once at least, and whole as it was written."""
    answered = sum(smsc.statistics().mo_acknowledged for smsc in world.smsc.values())
    if answered:
        kept = world.disk.engine.ledger().inbound.get("parts", 0)
        world.judge.holds(11, kept >= answered, f"{answered} parts of subscribers were answered, {kept} are kept")
    forms = {
        carrier.name: [form for each in carrier.habits for form in HABITS[each.name].table(each.rate).get("mo", ())]
        for carrier in world.plan.carriers
    }
    for message in world.disk.engine.inbound(InboundQuery(limit=100_000)):
        if promises.is_of(message, forms[message.carrier]):
            wrong = promises.misread(message, forms[message.carrier])
            world.judge.holds(57, wrong is None, wrong or "")


def bare(view: MessageView) -> str:
    """Return a message's destination as it stands in submit_sm."""
    return view.to.removeprefix("+")


# --- orderly stops ---


def farewell(wire: Wire, now: float) -> promises.Farewell:
    """Return how a link ends, if it ends now."""
    into, out = wire.link.ours.into, wire.link.ours.out
    return promises.Farewell(
        unbound=wire.unbound,
        ended_outside=into.is_ended or into.is_broken,
        deaf=any(it == ENQUIRE_LINK and now - at >= wire.timeout_s - TICK_S for it, at in wire.asked.values()),
        blocked=out._octets >= out._room,
        garbled=wire.into is None or wire.stray_nacks >= STRAY_NACKS,
    )


def stopped(world: "World", stop: promises.Stop) -> None:
    """I25: judge what callers, carriers and parts in flight were left with."""
    drain_s = {carrier.name: carrier.bind[0].drain_s for carrier in world.plan.settings.carrier}
    for number in sorted(stop.bound):
        ended = stop.farewells.get(number)
        fine = ended is not None and ended.is_fine
        world.judge.holds(25, fine, f"link {number} was bound, and the stop is over without unbind: {ended}")
    until = world.clock()
    for view in world.disk.engine.messages(MessageQuery(limit=100_000)):
        late = view.id > stop.last_id and view.created_at > stop.since + promises.ROUNDED_S
        world.judge.holds(25, not late, "it was accepted after the stop began", view.id)
        for text in promises.doubts_of_a_stop(stop, view.timeline, until, drain_s):
            world.judge.broke(25, text, view.id)
