"""What every engine owes: parts that have not left, and putting them into other queues."""

from connector.lifecycle import Event, Status
from connector.model import Moved, QueueName, Refile, Refiled, Unsettled
from tests.store.world import (
    NAMES,
    NUMBER,
    OTHER_NUMBER,
    OTHER_QUEUE,
    QUEUE,
    World,
    acknowledged,
    answered,
    claim,
    lost,
    message,
    part,
)

NEW_QUEUE = 3


def parts_of(found: list[Unsettled]) -> list[int]:
    return [item.part for item in found]


def every_status(world: World) -> list[int]:
    """Keep one message in each live status, and one that has ended; return the parts that have not left."""
    world.waiting(message(5), message(6, send_at=1_500.0), message(14, queue=OTHER_QUEUE))
    world.sending(message(7), message(8), message(10))
    world.results(answered(part(7), Event.DEFERRED, due_at=1_050.0), acknowledged(part(8), "88"))
    world.doubted(message(9))
    world.to_be_resent(message(11))
    world.waiting(message(12), message(13))
    world.change(Event.CANCELLED, part(12))
    world.change(Event.POSTPONED, part(13), due_at=1_500.0)
    return [part(n) for n in (5, 6, 7, 9, 11, 13)]


# --- what has not left ---


def test_what_has_not_left_is_named_with_what_its_queue_is_chosen_by(world: World) -> None:
    world.waiting(
        message(5, country="GB", options='{"priority_flag":1}'),
        message(6, queue=OTHER_QUEUE, lane="promotional", to=OTHER_NUMBER, sender="Bank", api_key="bank"),
    )
    assert world.unsettled() == [
        Unsettled(part(5), QUEUE, "otp", "shop", NUMBER, "Shop", "GB", '{"priority_flag":1}'),
        Unsettled(part(6), OTHER_QUEUE, "promotional", "bank", OTHER_NUMBER, "Bank", None, None),
    ]


def test_what_may_come_back_has_not_left(world: World) -> None:
    expected = every_status(world)
    assert parts_of(world.unsettled(QUEUE)) == expected
    assert parts_of(world.unsettled(OTHER_QUEUE)) == [part(14)]
    world.restart()
    assert parts_of(world.unsettled(QUEUE)) == expected


def test_what_has_not_left_comes_by_id_in_pages(world: World) -> None:
    expected = sorted([*every_status(world), part(14)])
    both = (OTHER_QUEUE, QUEUE, QUEUE)
    found: list[int] = []
    while page := world.unsettled(*both, after=found[-1] if found else 0, limit=2):
        found += parts_of(page)
    assert found == expected
    # deadlines have no say in it
    world.waiting(message(21, deadline=1_900.0), message(22, deadline=1_100.0))
    assert parts_of(world.unsettled(QUEUE, after=part(20), limit=1)) == [part(21)]


def test_no_queues_hold_nothing(world: World) -> None:
    every_status(world)
    assert world.engine.unsettled(0, 100, queues=[]) == []
    assert world.unsettled(77) == []


def test_each_part_of_a_message_is_named(world: World) -> None:
    world.waiting(message(5, parts=3))
    world.claim(claim(part(5, 2)))
    assert parts_of(world.unsettled()) == [part(5, 1), part(5, 3)]


def test_what_is_not_committed_is_not_named(world: World) -> None:
    world.waiting(message(5))
    world.engine.begin()
    world.engine.append([message(6)], (), owner=world.engine.owner, now=world.now)
    world.engine.refile([Refile(part(5), QUEUE, OTHER_QUEUE)])
    assert [(item.part, item.queue) for item in world.unsettled()] == [(part(5), QUEUE)]
    world.engine.rollback()
    assert world.waiting_parts() == [part(5)]


# --- refiling ---


def open_another(world: World) -> None:
    """Open a queue of the same lane under another rule."""
    names = [*NAMES, QueueName("otp", "abroad", "shop")]
    assert [state.queue for state in world.queues(names)] == [QUEUE, OTHER_QUEUE, NEW_QUEUE]


def test_a_part_that_waits_is_claimed_out_of_its_new_queue(world: World) -> None:
    open_another(world)
    world.waiting(message(5), message(6))
    before = world.last_event(), world.view(5), world.engine.ledger()
    assert world.refile(Refile(part(5), QUEUE, NEW_QUEUE)) == [Refiled(part(5), QUEUE, NEW_QUEUE, True)]
    assert (world.waiting_parts(), world.waiting_parts(NEW_QUEUE)) == ([part(6)], [part(5)])
    assert (world.head(NEW_QUEUE).queue, world.head(NEW_QUEUE).lane) == (NEW_QUEUE, "otp")
    assert [state.waiting for state in world.queues()] == [1, 0, 1]
    assert (world.last_event(), world.view(5), world.engine.ledger()) == before
    assert world.claim(claim(part(5))) == [claim(part(5))]


def test_what_pauses_comes_back_into_its_new_queue(world: World) -> None:
    open_another(world)
    world.sending(message(5))
    world.results(answered(part(5), Event.DEFERRED, due_at=1_050.0))
    world.waiting(message(6, send_at=1_050.0))
    world.doubted(message(7), due_at=1_050.0)
    parts = [part(n) for n in (5, 6, 7)]
    moved = world.refile(*(Refile(found, QUEUE, NEW_QUEUE) for found in parts))
    assert moved == [Refiled(found, QUEUE, NEW_QUEUE, False) for found in parts]
    assert {item.queue for item in world.due(1_050.0).values()} == {NEW_QUEUE}
    world.change(Event.DUE, *parts)
    assert world.waiting_parts(NEW_QUEUE) == parts


def test_only_what_has_not_left_is_refiled(world: World) -> None:
    open_another(world)
    expected = every_status(world)
    everything = [part(n) for n in range(5, 15)]
    moved = world.refile(*(Refile(found, QUEUE, NEW_QUEUE) for found in [*everything, part(77)]))
    assert [move.part for move in moved] == expected
    assert [move.part for move in moved if move.waited] == [part(5), part(11)]
    assert parts_of(world.unsettled(NEW_QUEUE)) == expected
    assert parts_of(world.unsettled(QUEUE)) == []


def test_a_part_that_is_in_another_queue_by_now_stays_there(world: World) -> None:
    open_another(world)
    world.waiting(message(5))
    wish = Refile(part(5), QUEUE, NEW_QUEUE)
    assert len(world.refile(wish, wish)) == 1
    assert world.refile(wish) == []
    assert world.refile(Refile(part(5), NEW_QUEUE, QUEUE)) == [Refiled(part(5), NEW_QUEUE, QUEUE, True)]


def test_a_part_leaves_the_queue_it_was_put_into(world: World) -> None:
    open_another(world)
    world.to_be_resent(message(5))
    world.waiting(message(6))
    assert all(move.waited for move in world.refile(*(Refile(part(n), QUEUE, NEW_QUEUE) for n in (5, 6))))
    assert world.results(acknowledged(part(5), "55")) == [Moved(part(5), Status.SENT, left=NEW_QUEUE)]
    assert world.change(Event.CANCELLED, part(6)) == [Moved(part(6), Status.CANCELLED, left=NEW_QUEUE)]


def test_what_is_refiled_keeps_its_doubts_and_its_lessons(world: World) -> None:
    open_another(world)
    world.resent(message(5))
    world.results(lost(part(5), attempt=2, due_at=1_060.0))
    world.refile(Refile(part(5), QUEUE, NEW_QUEUE))
    world.restart()
    world.change(Event.DUE, part(5))
    assert (world.head(NEW_QUEUE).doubts, world.head(NEW_QUEUE).attempt) == (2, 2)
