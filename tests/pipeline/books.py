"""What carriers' ledgers and messages' timelines say together, and whether the lanes' counts are the store's."""

import operator
from collections import Counter
from collections.abc import Iterable, Mapping

import attrs
import trio

from connector.lifecycle import FINAL
from connector.model import MessageView
from connector.pipeline.router import queue_names
from simulator.ledger import Entry
from tests.pipeline.world import World

HEADER = bytes.fromhex("050003")
QUIET_WITHIN_S = 5.0


@attrs.frozen
class Place:
    """Which part of which message a submit_sm was; the destination tells the message."""

    to: str
    number: int = 1


@attrs.frozen
class Taken:
    """A part that a carrier took."""

    place: Place
    carrier: str
    at: float
    reference: int | None
    """Of a part of several."""


def read(carrier: str, entry: Entry) -> Taken:
    octets = entry.octets
    if not octets.startswith(HEADER):
        return Taken(Place(entry.destination_addr), carrier, entry.accepted_at, None)
    reference, _, number = octets[3:6]
    return Taken(Place(entry.destination_addr, number), carrier, entry.accepted_at, reference)


def taken(it: World) -> list[Taken]:
    """Return what all carriers took."""
    return [read(name, entry) for name, smsc in it.smsc.items() for entry in smsc.ledger]


def events(view: MessageView, number: int = 0) -> list[str]:
    """Return what happened to one part, 0 for that of a message of one."""
    return [entry.event for entry in view.timeline if entry.part & 0xFF == number]


def doubts(view: MessageView) -> Counter[int]:
    """Return how often each part was in doubt, by its number."""
    return Counter((entry.part & 0xFF) or 1 for entry in view.timeline if entry.event == "lost")


def all_final(views: Iterable[MessageView]) -> bool:
    return all(view.status in FINAL for view in views)


async def counts_hold(it: World) -> None:
    """The lanes count in each queue what waits in it on disk, but for what is being committed at this moment."""

    def counts() -> tuple[dict[int, int], dict[int, int]]:
        states = it.engine.queues(queue_names(it.config))
        on_disk = {state.queue: state.waiting for state in states if state.waiting}
        return {queue.id: queue.waiting for queue in it.connector._routing.lanes.queues() if queue.waiting}, on_disk

    with trio.move_on_after(QUIET_WITHIN_S):
        await it.until(lambda: operator.eq(*counts()))
    counted, on_disk = counts()
    assert counted == on_disk, f"in memory {counted}, on disk {on_disk}"


def bare(view: MessageView) -> str:
    """Return a message's destination as it stands in submit_sm."""
    return view.to.removeprefix("+")


def by_number(views: Iterable[MessageView]) -> Mapping[str, MessageView]:
    """Return messages by destination; no two go to one."""
    return {bare(view): view for view in views}
