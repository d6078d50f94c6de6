"""What every engine owes: changes from outside the carrier's word, time, death and forgetting."""

import pytest

from connector.lifecycle import Event, Status
from connector.model import Duplicate, Kept, Moved
from tests.store.world import (
    NUMBER,
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

# --- changes from outside ---


def test_what_waits_can_be_cancelled(world: World) -> None:
    world.waiting(message(5), message(6, send_at=1_500.0))
    moved = world.change(Event.CANCELLED, part(5), part(6), reason="cancelled_by_caller")
    assert moved == [Moved(part(5), Status.CANCELLED, QUEUE), Moved(part(6), Status.CANCELLED)]
    view = world.view(5)
    assert (view.status, view.finished_at, view.reason) == (Status.CANCELLED, 1_000.0, "cancelled_by_caller")
    assert world.waiting_parts() == []
    assert world.engine.due(10, now=9_999.0) == []


@pytest.mark.parametrize("event", [Event.CANCELLED, Event.EXPIRED, Event.REFUSED, Event.POSTPONED, Event.CLAIMED])
def test_what_has_left_cannot_be_taken_back(world: World, event: Event) -> None:
    """A deadline that passes while the carrier has the part is the carrier's affair."""
    world.sending(message(5), message(6))
    world.results(lost(part(6)))
    world.sent(7, "77")
    before = [world.view(n) for n in (5, 6, 7)]
    assert world.change(event, part(5), part(6), part(7), due_at=1_500.0) == []
    assert [world.view(n) for n in (5, 6, 7)] == before


@pytest.mark.parametrize("event", [Event.DELIVERED, Event.UNDELIVERED, Event.ACKNOWLEDGED, Event.CLAIMED])
def test_nobody_outside_can_speak_for_the_carrier(world: World, event: Event) -> None:
    world.waiting(message(5))
    world.sent(6, "66")
    assert world.change(event, part(5), part(6)) == []


@pytest.mark.parametrize("event", list(Event))
def test_a_final_part_is_not_changed(world: World, event: Event) -> None:
    world.waiting(message(5))
    world.change(Event.EXPIRED, part(5), reason="deadline")
    assert world.change(event, part(5)) == []
    assert world.history(5) == ["accepted", "expired"]


def test_a_change_of_nothing_is_nothing(world: World) -> None:
    before = world.last_event()
    assert world.change(Event.CANCELLED, part(77)) == []
    assert world.change(Event.CANCELLED) == []
    assert world.last_event() == before


def test_a_scheduled_message_waits_for_its_time(world: World) -> None:
    world.waiting(message(5, send_at=1_500.0), message(6, parts=2, send_at=1_400.0))
    assert world.waiting_parts() == []
    assert world.status(6) is Status.SCHEDULED
    assert world.engine.due(10, now=1_399.0) == []
    due = world.engine.due(10, now=1_500.0)
    assert [(item.part, item.status, item.queue) for item in due] == [
        (part(6, 1), Status.SCHEDULED, QUEUE),
        (part(6, 2), Status.SCHEDULED, QUEUE),
        (part(5), Status.SCHEDULED, QUEUE),
    ]
    assert [item.part for item in world.engine.due(1, now=1_500.0)] == [part(6, 1)]
    world.change(Event.DUE, *(item.part for item in due))
    assert world.engine.due(10, now=9_999.0) == []
    assert world.waiting_parts() == [part(5), part(6, 1), part(6, 2)]


def test_a_paused_part_is_due_once(world: World) -> None:
    world.sending(message(5))
    world.results(answered(part(5), Event.DEFERRED, due_at=1_050.0, burned=1))
    assert [item.part for item in world.engine.due(10, now=1_050.0)] == [part(5)]
    assert world.change(Event.DUE, part(5)) == [Moved(part(5), Status.ACCEPTED)]
    assert world.change(Event.DUE, part(5)) == []
    [head] = world.heads()
    assert (head.attempt, head.tries) == (1, 1)


def test_patience_ends_as_unknown(world: World) -> None:
    world.sent(5, "55")
    world.sending(message(6))
    world.results(lost(part(6)))
    due = world.engine.due(10, now=5_000.0)
    assert [(item.part, item.status) for item in due] == [
        (part(5), Status.SENT),
        (part(6), Status.IN_DOUBT),
    ]
    assert world.change(Event.SILENCE, part(5), part(6), reason="no_final_word") == [
        Moved(part(5), Status.UNKNOWN),
        Moved(part(6), Status.UNKNOWN),
    ]
    assert world.view(6).finished_at == world.now


# --- after a crash ---


def test_what_was_on_the_wire_is_in_doubt_after_a_restart(world: World) -> None:
    world.sending(message(5), message(6, parts=2), message(7, queue=OTHER_QUEUE))
    world.waiting(message(8))
    world.restart()
    moved = world.recover()
    assert moved == [Moved(found, Status.IN_DOUBT) for found in (part(5), part(6, 1), part(6, 2), part(7))]
    assert world.status(6) is Status.IN_DOUBT
    last = world.view(5).timeline[-1]
    assert (last.event, last.carrier, last.attempt, last.detail) == ("lost", "north", 1, "restarted")
    assert world.status(8) is Status.ACCEPTED
    # each lane has its own patience
    assert {item.part for item in world.engine.due(10, now=1_600.0)} == {part(5), part(6, 1), part(6, 2)}
    assert len(world.engine.due(10, now=4_600.0)) == 4


def test_recovery_goes_in_steps_and_ends(world: World) -> None:
    world.sending(message(5), message(6), message(7))
    world.restart()
    assert [moved.part for moved in world.recover(limit=2)] == [part(5), part(6)]
    assert [moved.part for moved in world.recover(limit=2)] == [part(7)]
    before = world.last_event()
    assert world.recover(limit=2) == []
    assert world.last_event() == before


def test_recovery_leaves_its_own_life_alone(world: World) -> None:
    world.sending(message(5))
    assert world.recover() == []
    world.restart()
    world.sending(message(6))
    assert [moved.part for moved in world.recover()] == [part(5)]
    assert world.status(6) is Status.SENDING


def test_the_fence_grows_with_every_life(world: World) -> None:
    fences = [world.engine.owner.fence]
    for _ in range(3):
        world.restart()
        fences.append(world.engine.owner.fence)
    assert fences == sorted(set(fences))


def test_an_answer_of_an_earlier_life_settles_nothing(world: World) -> None:
    world.sending(message(5))
    earlier = world.engine.owner
    world.restart()
    world.engine.begin()
    assert world.engine.claim([claim(part(5))], owner=earlier, now=world.now) == []
    world.engine.commit()
    assert world.results(acknowledged(part(5), "55")) == []
    assert world.status(5) is Status.SENDING
    assert world.history(5)[-1] == "acknowledged"


# --- forgetting ---


def test_old_references_are_forgotten_but_never_of_live_messages(world: World) -> None:
    world.append(message(5, refs=(("ref:a", b"x"),)), message(6, refs=(("ref:b", b"x"),)))
    world.append(message(7, parts=2, refs=(("ref:c", b"x"), ("ref:d", b"x"))))
    world.change(Event.CANCELLED, part(5), part(7, 1))
    assert world.sweep(before=1_000.0) == 0
    assert world.sweep(before=1_001.0) == 1
    world.change(Event.CANCELLED, part(7, 2))
    assert world.sweep(before=1_001.0, limit=1) == 1
    assert world.sweep(before=1_001.0, limit=9) == 1
    assert world.append(message(8, refs=(("ref:a", b"y"),)), message(9, refs=(("ref:b", b"x"),))) == [
        Kept(8),
        Duplicate(6),
    ]


def test_a_probe_changes_nothing_anyone_sees(world: World) -> None:
    world.waiting(message(5, to=NUMBER))
    before = world.view(5), world.engine.ledger(), world.last_event()
    world.transaction(lambda: world.engine.probe(now=1_500.0))
    assert (world.view(5), world.engine.ledger(), world.last_event()) == before


def test_the_references_of_one_keyed_request_are_forgotten_together(world: World) -> None:
    guard = ("key:k\x1f", b"request")
    rows = [message(5 + n, guard=guard, refs=((f"key:k\x1f{n}", b"request"),)) for n in range(2)]
    world.append(*rows)
    world.append(message(8, guard=("key:kk\x1f", b"other"), refs=(("key:kk\x1f0", b"other"),)))
    world.change(Event.CANCELLED, part(5))
    world.change(Event.CANCELLED, part(8))
    later = world.now + 1
    assert world.sweep(before=later) == 2, "only the request of which nothing lives"
    assert world.engine.known("shop", (("key:k\x1f0", b"request"), ("key:kk\x1f0", b"other"))) == [5, None]
    world.change(Event.CANCELLED, part(6))
    assert world.sweep(before=later) == 3
