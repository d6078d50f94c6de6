"""What every engine owes: parts in doubt that are sent again, and what becomes of their doubts."""

import pytest

from connector.lifecycle import Event, Status
from connector.model import Clue, Moved
from tests.store.world import (
    QUEUE,
    World,
    acknowledged,
    answered,
    claim,
    lost,
    message,
    not_sent,
    part,
    receipt,
)

UNSURE = [Event.DEFERRED, Event.REROUTED, Event.REFUSED, Event.EXHAUSTED]
"""Answers that say of one attempt that the carrier does not have the part."""

# --- in doubt, and waiting ---


def test_a_doubt_is_looked_at_when_it_said_and_remembers_why(world: World) -> None:
    world.doubted(message(5, deadline=1_900.0), due_at=1_050.0)
    assert world.due(1_049.0) == {}
    due = world.due(1_050.0)[part(5)]
    assert (due.status, due.queue, due.due_at, due.deadline) == (Status.IN_DOUBT, QUEUE, 1_050.0, 1_900.0)
    assert due.doubts == 1
    assert due.reason == "link_lost"


def test_a_doubt_that_is_due_waits_in_its_place_and_stays_in_doubt(world: World) -> None:
    world.doubted(message(5, deadline=1_800.0))
    world.waiting(message(6, deadline=1_900.0), message(7, deadline=1_700.0))
    before = world.last_event()
    assert world.change(Event.DUE, part(5)) == [Moved(part(5), Status.IN_DOUBT)]
    assert [(head.id, head.doubts) for head in world.heads()] == [(part(7), 0), (part(5), 1), (part(6), 0)]
    assert world.queues()[0].waiting == 3
    assert (world.status(5), world.history(5).count("due")) == (Status.IN_DOUBT, 1)
    assert world.due(9_999.0) == {}
    assert world.events_after(before) == [("in_doubt", (part(5),))]
    # once is enough
    assert world.change(Event.DUE, part(5)) == []


def test_what_is_to_be_resent_waits_still_after_a_restart(world: World) -> None:
    world.to_be_resent(message(5))
    world.restart()
    assert (world.head().id, world.head().doubts) == (part(5), 1)
    assert world.queues()[0].waiting == 1
    assert world.recover() == []


def test_a_doubt_is_claimed_only_as_a_doubt(world: World) -> None:
    world.to_be_resent(message(5))
    world.waiting(message(6))
    assert world.claim(claim(part(5), 2), claim(part(6), doubts=1)) == []
    again, fresh = claim(part(5), 2, "south", doubts=1), claim(part(6))
    assert world.claim(fresh, again) == [fresh, again]
    assert (world.status(5), world.view(5).carrier) == (Status.SENDING, "south")
    assert world.history(5).count("claimed") == 2


def test_claims_of_both_kinds_win_and_lose_each_for_itself(world: World) -> None:
    world.to_be_resent(message(5), message(6))
    world.waiting(message(7), message(8))
    before = world.last_event()
    claims = [claim(part(7)), claim(part(5), 2, doubts=1), claim(part(5), 2, doubts=1), claim(part(8), 2)]
    assert world.claim(*claims, claim(part(6), 2, doubts=1)) == [*claims[:2], claim(part(6), 2, doubts=1)]
    assert world.events_after(before) == [("sending", (part(7), part(5), part(6)))]
    assert world.engine.ledger().parts == {"sending": 3, "accepted": 1}


def test_a_doubt_is_not_claimed_before_it_is_due(world: World) -> None:
    world.doubted(message(5))
    assert world.claim(claim(part(5), 2, doubts=1)) == []
    assert world.waiting_parts() == []


def test_a_part_that_pauses_is_not_claimed(world: World) -> None:
    world.sending(message(5))
    world.results(answered(part(5), Event.DEFERRED, due_at=1_050.0))
    assert world.claim(claim(part(5), 2)) == []
    world.change(Event.DUE, part(5))
    assert world.claim(claim(part(5), 2)) == [claim(part(5), 2)]


def test_each_lost_attempt_is_a_doubt(world: World) -> None:
    world.resent(message(5))
    assert world.results(lost(part(5), attempt=2, due_at=1_060.0)) == [Moved(part(5), Status.IN_DOUBT)]
    assert world.due(1_060.0)[part(5)].doubts == 2
    world.change(Event.DUE, part(5))
    assert (world.head().doubts, world.head().attempt) == (2, 2)


def test_dying_with_a_part_on_the_wire_is_a_doubt_too(world: World) -> None:
    world.resent(message(5))
    world.sending(message(6))
    world.restart()
    assert {moved.part for moved in world.recover()} == {part(5), part(6)}
    assert {item.part: item.doubts for item in world.due(9_999.0).values()} == {part(5): 2, part(6): 1}
    # and the answer of either, had it come, would have settled one
    assert world.results(answered(part(6), Event.DEFERRED)) == [Moved(part(6), Status.ACCEPTED)]
    assert (world.head().id, world.head().doubts) == (part(6), 0)


# --- answers to what was sent again ---


def test_a_resend_that_is_taken_is_sent(world: World) -> None:
    world.resent(message(5), carrier="south")
    taken = acknowledged(part(5), "77", attempt=2, carrier="south")
    assert world.results(taken) == [Moved(part(5), Status.SENT)]
    assert world.results(receipt("77", carrier="south")) == [Moved(part(5), Status.DELIVERED)]


@pytest.mark.parametrize("event", [Event.DEFERRED, Event.REROUTED])
@pytest.mark.parametrize("due_at", [None, 1_060.0])
def test_a_resend_that_is_put_off_stays_in_doubt(world: World, event: Event, due_at: float | None) -> None:
    world.resent(message(5))
    moved = world.results(answered(part(5), event, attempt=2, due_at=due_at, burned=1, reason="throttled"))
    assert moved == [Moved(part(5), Status.IN_DOUBT)]
    if due_at is not None:
        assert world.waiting_parts() == []
        assert world.due(due_at)[part(5)].doubts == 1
        world.change(Event.DUE, part(5))
    assert (world.head().doubts, world.head().attempt, world.head().tries) == (1, 2, 1)
    assert world.claim(claim(part(5), 3, doubts=1)) != []


def test_a_resend_that_was_not_written_waits_again_in_doubt(world: World) -> None:
    world.resent(message(5))
    assert world.results(not_sent(part(5), attempt=2)) == [Moved(part(5), Status.IN_DOUBT)]
    assert (world.head().id, world.head().doubts) == (part(5), 1)


@pytest.mark.parametrize("event", [Event.REFUSED, Event.EXHAUSTED])
def test_a_resend_that_is_refused_leaves_the_first_attempt_unknown(world: World, event: Event) -> None:
    world.resent(message(5))
    moved = world.results(answered(part(5), event, attempt=2, due_at=9.0, reason="refused_by_carrier"))
    assert moved == [Moved(part(5), Status.UNKNOWN)]
    assert (world.view(5).finished_at, world.view(5).reason) == (1_010.0, "refused_by_carrier")
    assert world.due(9_999.0) == {}


def test_resends_and_others_are_settled_in_one_list(world: World) -> None:
    world.resent(message(5), message(6))
    world.sending(message(7), message(8))
    moved = world.results(
        answered(part(7), Event.REFUSED),
        answered(part(5), Event.REFUSED, attempt=2),
        acknowledged(part(6), "66", attempt=2),
        acknowledged(part(8), "88"),
    )
    statuses = [Status.REJECTED, Status.UNKNOWN, Status.SENT, Status.SENT]
    assert moved == [Moved(part(n), status) for n, status in zip((7, 5, 6, 8), statuses, strict=True)]
    assert len(world.results(receipt("66"), receipt("88"))) == 2


# --- answers that come late ---


@pytest.mark.parametrize("event", UNSURE)
def test_a_late_answer_settles_one_doubt_of_two(world: World, event: Event) -> None:
    world.resent(message(5))
    world.results(lost(part(5), attempt=2))
    [moved] = world.results(answered(part(5), event, attempt=2, due_at=1_060.0))
    assert moved.status is (Status.UNKNOWN if event in (Event.REFUSED, Event.EXHAUSTED) else Status.IN_DOUBT)
    if moved.status is Status.IN_DOUBT:
        assert world.due(1_060.0)[part(5)].doubts == 1


@pytest.mark.parametrize("event", UNSURE)
def test_a_second_answer_to_one_attempt_settles_nothing(world: World, event: Event) -> None:
    world.resent(message(5))
    world.results(answered(part(5), Event.DEFERRED, attempt=2, due_at=1_060.0))
    before = world.last_event()
    assert world.results(answered(part(5), event, attempt=2, burned=1)) == []
    assert (world.due(1_060.0)[part(5)].doubts, world.history(5)[-1]) == (1, str(event))
    world.change(Event.DUE, part(5))
    assert (world.head().doubts, world.head().tries) == (1, 0)
    assert world.events_after(before) == [("in_doubt", (part(5),))]


@pytest.mark.parametrize("event", UNSURE)
def test_a_late_answer_that_comes_twice_settles_one_doubt(world: World, event: Event) -> None:
    """Three attempts lost: after the last one's answer two are still in doubt, however often it is repeated."""
    world.resent(message(5))
    world.results(lost(part(5), attempt=2, due_at=1_060.0))
    world.change(Event.DUE, part(5))
    world.claim(claim(part(5), 3, doubts=2))
    world.results(lost(part(5), attempt=3, due_at=1_070.0))
    late = answered(part(5), Event.DEFERRED, attempt=3, due_at=1_080.0)
    world.results(late, answered(part(5), event, attempt=3))
    world.results(answered(part(5), event, attempt=3))
    assert world.due(1_080.0)[part(5)].doubts == 2


@pytest.mark.parametrize("answered_before", [False, True])
def test_the_word_that_it_has_the_part_is_heard_in_whatever_doubt(world: World, answered_before: bool) -> None:
    world.resent(message(5))
    if answered_before:
        world.results(answered(part(5), Event.DEFERRED, attempt=2, due_at=1_060.0))
    else:
        world.results(lost(part(5), attempt=2))
    assert world.results(acknowledged(part(5), "77", attempt=2)) == [Moved(part(5), Status.SENT)]
    assert world.due(5_000.0)[part(5)].doubts == 1, "the first attempt: nobody has heard of it since"
    assert world.results(receipt("77")) == [Moved(part(5), Status.DELIVERED)]


def test_a_late_answer_to_an_attempt_that_is_over_settles_nothing(world: World) -> None:
    world.resent(message(5))
    world.results(lost(part(5), attempt=2, due_at=1_060.0))
    assert world.results(answered(part(5), Event.REFUSED, attempt=1)) == []
    assert world.due(1_060.0)[part(5)].doubts == 2


def test_a_doubt_its_resend_and_both_answers_in_one_list(world: World) -> None:
    world.resent(message(5))
    moved = world.results(lost(part(5), attempt=2), answered(part(5), Event.DEFERRED, attempt=2, due_at=1_060.0))
    assert moved == [Moved(part(5), Status.IN_DOUBT), Moved(part(5), Status.IN_DOUBT)]
    assert world.due(1_060.0)[part(5)].doubts == 1


def test_patience_is_as_long_for_what_was_sent_again(world: World) -> None:
    world.resent(message(5))
    world.results(acknowledged(part(5), "77", attempt=2, due_at=4_000.0))
    assert world.due(4_000.0)[part(5)].status is Status.SENT
    assert world.change(Event.SILENCE, part(5)) == [Moved(part(5), Status.UNKNOWN)]


# --- what leaves its queue without a claim ---


@pytest.mark.parametrize(
    ("event", "status"),
    [(Event.ACKNOWLEDGED, Status.SENT), (Event.REFUSED, Status.REJECTED), (Event.EXHAUSTED, Status.FAILED)],
)
def test_a_late_answer_takes_a_part_out_of_its_queue(world: World, event: Event, status: Status) -> None:
    world.to_be_resent(message(5))
    assert world.results(answered(part(5), event)) == [Moved(part(5), status, left=QUEUE)]
    assert world.waiting_parts() == []
    assert world.claim(claim(part(5), 2, doubts=1)) == []


def test_a_late_answer_that_lets_a_part_pause_takes_it_out_of_its_queue(world: World) -> None:
    world.to_be_resent(message(5), message(6))
    moved = world.results(answered(part(5), Event.DEFERRED, due_at=1_060.0), answered(part(6), Event.DEFERRED))
    assert moved == [Moved(part(5), Status.ACCEPTED, left=QUEUE), Moved(part(6), Status.ACCEPTED, left=QUEUE)]
    assert (world.head().id, world.head().doubts) == (part(6), 0)


def test_a_receipt_takes_a_part_out_of_its_queue(world: World) -> None:
    """A carrier that gives an id with its "not now", and delivers all the same."""
    world.resent(message(5))
    world.results(answered(part(5), Event.DEFERRED, attempt=2, key="77"))
    assert world.waiting_parts() == [part(5)]
    assert world.results(receipt("77")) == [Moved(part(5), Status.DELIVERED, left=QUEUE)]
    assert world.waiting_parts() == []


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (Event.CANCELLED, Status.CANCELLED),
        (Event.REFUSED, Status.REJECTED),
        (Event.POSTPONED, Status.SCHEDULED),
        (Event.EXPIRED, Status.EXPIRED),
    ],
)
def test_whoever_takes_a_part_out_of_its_queue_is_told_which(world: World, event: Event, status: Status) -> None:
    world.waiting(message(5))
    assert world.change(event, part(5), due_at=1_500.0) == [Moved(part(5), status, left=QUEUE)]


def test_a_part_that_is_held_leaves_its_queue_too(world: World) -> None:
    world.to_be_resent(message(6))
    assert world.change(Event.HELD, part(6), due_at=1_500.0) == [Moved(part(6), Status.IN_DOUBT, left=QUEUE)]


@pytest.mark.parametrize("event", [Event.CANCELLED, Event.REFUSED, Event.POSTPONED])
def test_what_did_not_wait_leaves_no_queue(world: World, event: Event) -> None:
    world.sending(message(5))
    world.results(answered(part(5), Event.DEFERRED, due_at=1_050.0))
    [moved] = world.change(event, part(5), due_at=1_500.0)
    assert moved.left is None


def test_silence_takes_a_part_that_is_to_be_resent_out_of_its_queue(world: World) -> None:
    world.to_be_resent(message(5))
    assert world.change(Event.SILENCE, part(5)) == [Moved(part(5), Status.UNKNOWN, left=QUEUE)]


# --- wishes ---


@pytest.mark.parametrize("waits", [False, True])
def test_a_doubt_is_held_until_the_end_of_patience(world: World, waits: bool) -> None:
    world.doubted(message(5))
    if waits:
        world.change(Event.DUE, part(5))
    moved = world.change(Event.HELD, part(5), reason="too_late_to_resend", due_at=3_000.0)
    assert moved == [Moved(part(5), Status.IN_DOUBT, left=QUEUE if waits else None)]
    assert world.waiting_parts() == []
    due = world.due(3_000.0)[part(5)]
    assert (due.status, due.doubts, due.reason) == (Status.IN_DOUBT, 1, "too_late_to_resend")
    assert world.due(2_999.0) == {}
    assert (world.view(5).reason, world.history(5).count("held")) == ("too_late_to_resend", 1)
    # its answer still settles it
    assert world.results(acknowledged(part(5), "77")) == [Moved(part(5), Status.SENT)]


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("event", [Event.CANCELLED, Event.EXPIRED, Event.REFUSED, Event.POSTPONED])
def test_what_a_carrier_may_have_is_not_taken_back(world: World, event: Event, waits: bool) -> None:
    world.doubted(message(5))
    if waits:
        world.change(Event.DUE, part(5))
    before = world.view(5)
    assert world.change(event, part(5), due_at=1_500.0) == []
    assert world.view(5) == before


def test_a_part_that_would_leave_in_quiet_hours_waits_for_their_end(world: World) -> None:
    world.waiting(message(5))
    world.change(Event.POSTPONED, part(5), reason="quiet_hours", due_at=1_500.0)
    assert (world.status(5), world.view(5).reason, world.waiting_parts()) == (Status.SCHEDULED, "quiet_hours", [])
    assert world.due(1_500.0)[part(5)].reason == "quiet_hours"
    assert world.change(Event.DUE, part(5)) == [Moved(part(5), Status.ACCEPTED)]
    assert world.claim(claim(part(5))) != []


@pytest.mark.parametrize("event", [Event.POSTPONED, Event.HELD])
def test_nothing_is_put_off_for_ever(world: World, event: Event) -> None:
    world.waiting(message(5))
    world.to_be_resent(message(6))
    assert world.change(event, part(5), part(6)) == []
    assert world.waiting_parts() == [part(5), part(6)]


def test_what_the_carrier_took_back_is_cancelled(world: World) -> None:
    world.sent(5, "77")
    moved = world.change(Event.RECALLED, part(5), reason="cancelled_by_caller")
    assert moved == [Moved(part(5), Status.CANCELLED)]
    view = world.view(5)
    assert (view.status, view.finished_at, view.reason) == (Status.CANCELLED, world.now, "cancelled_by_caller")
    assert world.due(9_999.0) == {}
    assert world.results(receipt("77")) == []


def test_only_what_a_carrier_has_is_recalled(world: World) -> None:
    world.waiting(message(5), message(6, send_at=1_500.0))
    world.sending(message(7))
    world.doubted(message(8))
    assert world.change(Event.RECALLED, *(part(n) for n in range(5, 9))) == []


# --- receipts that tell a part by its text ---


def test_a_text_tells_no_part_while_another_with_it_has_an_attempt_that_nobody_named(world: World) -> None:
    """The carrier may have taken what was lost, though the part was sent again since, and it is that one's receipt."""
    text = "your code is 1234"
    world.doubted(message(6, sender="Bank", text=text))
    world.change(Event.DUE, part(6))
    world.claim(claim(part(6), attempt=2, doubts=1))
    world.results(acknowledged(part(6), "61", attempt=2))
    world.doubted(message(5, sender="Bank", text=text))
    told = receipt("78", clue=Clue("Bank", text, None), at=1_020.0)
    assert world.results(told) == []
    assert [parked.receipt for parked in world.engine.parked(0, 10)] == [told]
    assert (world.status(5), world.status(6)) == (Status.IN_DOUBT, Status.SENT)
