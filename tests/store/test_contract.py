"""What every engine owes: accepting, transactions, what waits, and claims."""

from typing import Any

import attrs
import pytest

from connector.errors import StoreError
from connector.lifecycle import Event, Status
from connector.model import Conflict, Duplicate, Kept, MessageQuery, Moved, QueueName, Result
from tests.store.world import (
    NAMES,
    OTHER_QUEUE,
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

REF = ("ref:order-1", b"asked")
GUARD = ("key:abc\x1f", b"whole request")


# --- accepting ---


def test_a_kept_message_waits_under_its_id(world: World) -> None:
    assert world.append(message(5)) == [Kept(5)]
    assert world.status(5) is Status.ACCEPTED
    assert world.waiting_parts() == [part(5)]
    assert world.engine.last_id() == 5
    assert world.history(5) == ["accepted"]


def test_a_waiting_part_holds_all_that_is_needed_to_write_it(world: World) -> None:
    kept = message(5, parts=3, options='{"priority_flag":1}', receipt=False)
    world.waiting(kept, message(6))
    assert world.heads() == [*kept.parts(), *message(6).parts()]
    assert [found.text for found in world.heads()] == ["a", "b", "c", "your code is 1234"]


def test_a_message_outlives_its_process(world: World) -> None:
    world.waiting(message(5, parts=2), message(6, metadata='{"order":1}', client_ref="order-1"))
    before = [world.view(5), world.view(6)]
    world.restart()
    assert [world.view(5), world.view(6)] == before
    assert world.engine.last_id() == 6
    assert world.engine.verify().ok


def test_the_same_reference_makes_one_message(world: World) -> None:
    assert world.append(message(5, refs=(REF,))) == [Kept(5)]
    assert world.append(message(6, refs=(REF,))) == [Duplicate(5)]
    assert world.engine.messages(MessageQuery(id=6)) == []
    assert world.waiting_parts() == [part(5)]


def test_the_same_reference_in_one_list_makes_one_message(world: World) -> None:
    assert world.append(message(5, refs=(REF,)), message(6, refs=(REF,)), message(7)) == [
        Kept(5),
        Duplicate(5),
        Kept(7),
    ]
    assert world.waiting_parts() == [part(5), part(7)]


def test_a_reference_is_remembered_after_a_restart(world: World) -> None:
    world.append(message(5, refs=(REF,)))
    world.restart()
    assert world.append(message(6, refs=(REF,))) == [Duplicate(5)]


def test_a_reference_used_for_something_else_is_a_conflict(world: World) -> None:
    world.append(message(5, refs=(REF,)))
    assert world.append(message(6, refs=((REF[0], b"something else"),))) == [Conflict(5, REF[0])]
    assert world.waiting_parts() == [part(5)]


def test_a_conflict_writes_none_of_its_references(world: World) -> None:
    world.append(message(5, refs=(REF,)))
    fresh = ("ref:order-2", b"asked")
    assert world.append(message(6, refs=(fresh, (REF[0], b"something else")))) == [Conflict(5, REF[0])]
    assert world.append(message(7, refs=(fresh,))) == [Kept(7)]


def test_a_reference_belongs_to_its_api_key(world: World) -> None:
    world.append(message(5, refs=(REF,)))
    assert world.append(message(6, refs=(REF,), api_key="bank")) == [Kept(6)]


def test_a_request_key_with_another_request_is_a_conflict(world: World) -> None:
    world.append(message(5, guard=GUARD, refs=(("key:abc\x1f0", GUARD[1]),)))
    other = message(6, guard=(GUARD[0], b"another"), refs=(("key:abc\x1f0", b"another"),))
    assert world.append(other) == [Conflict(0, GUARD[0])]
    assert world.waiting_parts() == [part(5)]


def test_a_repeated_request_finds_each_of_its_rows(world: World) -> None:
    def rows(first: int) -> list[Any]:
        return [message(first + n, guard=GUARD, refs=((f"key:abc\x1f{n}", GUARD[1]),)) for n in range(3)]

    assert world.append(*rows(5)) == [Kept(5), Kept(6), Kept(7)]
    assert world.append(*rows(15)) == [Duplicate(5), Duplicate(6), Duplicate(7)]
    world.restart()
    assert world.append(*rows(25)) == [Duplicate(5), Duplicate(6), Duplicate(7)]


def test_a_duplicate_under_a_new_key_is_found_by_that_key_too(world: World) -> None:
    world.append(message(5, refs=(REF,)))
    row = ("key:abc\x1f0", GUARD[1])
    assert world.append(message(6, guard=GUARD, refs=(row, REF))) == [Duplicate(5)]
    assert world.append(message(7, guard=GUARD, refs=(row,))) == [Duplicate(5)]


def test_what_a_reference_stands_for_can_be_asked(world: World) -> None:
    world.append(message(5, guard=GUARD, refs=(REF,)))
    asked = (REF, (REF[0], b"something else"), ("ref:new", b"asked"))
    assert world.engine.known("shop", asked) == [5, None, None]
    assert world.engine.known("bank", (REF,)) == [None]


def test_an_id_that_is_taken_fails_the_whole_transaction(world: World) -> None:
    world.waiting(message(5))
    world.engine.begin()
    with pytest.raises(StoreError):
        world.engine.append([message(6), message(5)], (), owner=world.engine.owner, now=world.now)
    world.engine.rollback()
    assert world.waiting_parts() == [part(5)]
    assert world.engine.verify().ok


# --- transactions ---


def test_readers_see_only_what_is_committed(world: World) -> None:
    world.waiting(message(5))
    owner = world.engine.owner
    before = world.view(5), world.waiting_parts(), world.engine.ledger(), world.last_event()
    world.engine.begin()
    world.engine.append([message(6)], (), owner=owner, now=world.now)
    world.engine.claim([claim(part(5))], owner=owner, now=world.now)
    assert (world.view(5), world.waiting_parts(), world.engine.ledger(), world.last_event()) == before
    world.engine.commit()
    assert world.status(5) is Status.SENDING
    assert world.waiting_parts() == [part(6)]


def test_a_rollback_undoes_everything(world: World) -> None:
    world.sending(message(5, parts=2), message(6, refs=(REF,)))
    world.results(acknowledged(part(6), "77"), receipt("88"))
    before = world.view(5), world.view(6), world.engine.ledger(), world.last_event()
    owner = world.engine.owner
    world.engine.begin()
    world.engine.append([message(7, refs=(("ref:new", b"x"),))], (), owner=owner, now=world.now)
    results: list[Result] = [acknowledged(part(5, 1), "88"), receipt("77"), receipt("99")]
    world.engine.results(results, owner=owner, now=world.now)
    world.engine.rollback()
    assert (world.view(5), world.view(6), world.engine.ledger(), world.last_event()) == before
    assert world.engine.verify().ok
    assert world.append(message(8, refs=(("ref:new", b"x"),))) == [Kept(8)]


def test_what_a_rolled_back_transaction_learned_is_forgotten(world: World) -> None:
    """The answer was not kept, so its receipt belongs to nobody yet; and a receipt taken out of parking is back."""
    world.sending(message(5), message(6))
    world.results(receipt("88"))
    world.engine.begin()
    answers = [acknowledged(part(5), "77"), acknowledged(part(6), "88")]
    world.engine.results(answers, owner=world.engine.owner, now=world.now)
    world.engine.rollback()
    assert world.results(receipt("77")) == []
    assert world.engine.ledger().parked == 2
    assert world.results(acknowledged(part(5), "77"), acknowledged(part(6), "88")) == [
        Moved(part(5), Status.SENT),
        Moved(part(6), Status.SENT),
        Moved(part(5), Status.DELIVERED),
        Moved(part(6), Status.DELIVERED),
    ]


# --- queues and what waits ---


def test_queues_are_made_once_and_keep_their_ids(world: World) -> None:
    world.waiting(message(5), message(6, parts=2), message(7, queue=OTHER_QUEUE))
    again = world.queues([QueueName("otp", "all", "bank"), NAMES[0]])
    assert [(state.queue, state.name, state.waiting) for state in again] == [
        (1, NAMES[0], 3),
        (2, NAMES[1], 1),
        (3, QueueName("otp", "all", "bank"), 0),
    ]
    world.restart()
    assert world.queues() == again


def test_only_what_can_leave_now_counts_as_waiting(world: World) -> None:
    world.sending(message(5), message(6))
    world.waiting(message(7, send_at=1_500.0), message(8))
    world.results(answered(part(5), Event.DEFERRED, due_at=1_050.0), not_sent(part(6)))
    assert [state.waiting for state in world.queues()] == [2, 0]
    assert world.waiting_parts() == [part(6), part(8)]


def test_heads_come_by_deadline_and_then_by_age(world: World) -> None:
    world.waiting(
        message(5, deadline=1_900.0),
        message(6, deadline=1_800.0),
        message(7, deadline=1_900.0),
        message(8, deadline=1_800.0),
        message(9, deadline=1_700.0, queue=OTHER_QUEUE),
    )
    assert world.waiting_parts() == [part(6), part(8), part(5), part(7)]
    assert world.waiting_parts(OTHER_QUEUE) == [part(9)]


def test_heads_go_on_behind_the_place_already_held(world: World) -> None:
    world.waiting(*(message(n, deadline=1_900.0 - n % 2) for n in range(5, 11)))
    whole = world.heads()
    first = world.heads(limit=2)
    rest = world.heads(after=(first[-1].deadline, first[-1].id))
    assert first + rest == whole
    assert world.heads(after=(1_900.0, part(10))) == []


def test_parts_of_a_message_keep_their_order_at_the_head(world: World) -> None:
    world.waiting(message(6), message(5, parts=3))
    assert world.waiting_parts() == [part(5, 1), part(5, 2), part(5, 3), part(6)]


# --- claims ---


def test_a_claim_is_an_attempt_on_disk(world: World) -> None:
    world.sending(message(5))
    assert world.status(5) is Status.SENDING
    assert world.waiting_parts() == []
    entry = world.view(5).timeline[-1]
    assert (entry.event, entry.carrier, entry.attempt) == ("claimed", "north", 1)


def test_a_part_is_claimed_only_once(world: World) -> None:
    world.sending(message(5), message(6))
    assert world.claim(claim(part(5))) == []
    assert world.claim(claim(part(5), attempt=2)) == []
    world.results(not_sent(part(5)), lost(part(6)))
    again = claim(part(5), attempt=2)
    assert world.claim(claim(part(5)), again, claim(part(6), attempt=2)) == [again]


def test_of_two_claims_of_one_list_the_first_wins(world: World) -> None:
    world.waiting(message(5), message(6))
    first, second, other = claim(part(5)), claim(part(5), carrier="south"), claim(part(6))
    assert world.claim(first, second, other) == [first, other]
    assert world.view(5).carrier == "north"


def test_a_claim_of_what_was_cancelled_or_never_kept_loses(world: World) -> None:
    world.waiting(message(5), message(6))
    world.change(Event.CANCELLED, part(5))
    assert world.claim(claim(part(5)), claim(part(6)), claim(part(77))) == [claim(part(6))]


def test_claims_that_all_lose_leave_no_trace(world: World) -> None:
    world.sending(message(5))
    before = world.view(5), world.last_event()
    assert world.claim(claim(part(5))) == []
    assert world.claim() == []
    assert (world.view(5), world.last_event()) == before


def test_accept_and_claim_share_one_commit(world: World) -> None:
    verdicts = world.append(message(5), message(6, parts=2), claims=[claim(part(5))])
    assert verdicts == [Kept(5), Kept(6)]
    assert world.status(5) is Status.SENDING
    assert world.history(5) == ["accepted", "claimed"]
    assert world.waiting_parts() == [part(6, 1), part(6, 2)]
    assert world.results(acknowledged(part(5), "77")) == [Moved(part(5), Status.SENT)]


def test_the_claim_of_a_duplicate_or_a_scheduled_message_is_not_made(world: World) -> None:
    world.append(message(5, refs=(REF,)))
    late = message(7, send_at=1_500.0)
    verdicts = world.append(message(6, refs=(REF,)), late, claims=[claim(part(6)), claim(part(7))])
    assert verdicts == [Duplicate(5), Kept(7)]
    assert world.part_statuses(5) == ["accepted"]
    assert world.part_statuses(7) == ["scheduled"]
    assert world.history(7) == ["scheduled"]


def test_the_first_claimed_part_ties_the_message_to_its_carrier(world: World) -> None:
    world.waiting(message(5, parts=3), message(6))
    world.claim(claim(part(5, 2), carrier="south"), claim(part(6), carrier="south"))
    assert [(found.id, found.pinned) for found in world.heads()] == [
        (part(5, 1), "south"),
        (part(5, 3), "south"),
    ]
    assert world.claim(claim(part(5, 1), carrier="north")) == [], "one that knew nothing of it comes too late"
    world.claim(claim(part(5, 1), carrier="south"))
    world.results(not_sent(part(5, 1)))
    assert [found.pinned for found in world.heads()] == ["south", "south"]
    # nothing of it has left, and nothing is on its way: it may go anywhere
    moved = world.results(not_sent(part(5, 2)), not_sent(part(6)))
    assert [change.freed for change in moved] == [(), None]
    assert [found.pinned for found in world.heads()] == [None] * 4


def test_of_two_carriers_in_one_list_the_first_has_the_message(world: World) -> None:
    world.waiting(message(5, parts=3))
    first, second = claim(part(5, 1), carrier="south"), claim(part(5, 2), carrier="north")
    assert world.claim(first, second) == [first]
    assert [(found.id, found.pinned) for found in world.heads()] == [(part(5, 2), "south"), (part(5, 3), "south")]


def test_a_part_goes_where_its_rule_still_leads_when_the_carrier_of_its_siblings_is_named_no_more(world: World) -> None:
    world.waiting(message(5, parts=2))
    world.claim(claim(part(5, 1), carrier="south"))
    other = attrs.evolve(claim(part(5, 2), carrier="north"), carriers=("north", "south"))
    assert world.claim(other) == []
    alone = attrs.evolve(other, carriers=("north",))
    assert world.claim(alone) == [alone]


def test_once_its_carrier_is_named_no_more_a_message_goes_to_one_other_carrier_as_a_whole(world: World) -> None:
    """Whoever claims the next part has the rest; it stays so when the rule names the first one again."""
    world.waiting(message(5, parts=4))
    world.claim(claim(part(5, 1), carrier="south"))
    second, third = (
        attrs.evolve(claim(part(5, number), carrier=carrier), carriers=("north", "west"))
        for number, carrier in ((2, "north"), (3, "west"))
    )
    assert world.claim(second) == [second]
    assert world.claim(third) == []
    assert [found.pinned for found in world.heads()] == ["north", "north"]
    for carrier, won in (("south", False), ("north", True)):
        again = attrs.evolve(claim(part(5, 4), carrier=carrier), carriers=("south", "north", "west"))
        assert world.claim(again) == [again] * won


def test_a_fused_claim_ties_the_other_parts_too(world: World) -> None:
    world.append(message(5, parts=2), claims=[claim(part(5, 1), carrier="south")])
    assert [(found.id, found.pinned) for found in world.heads()] == [(part(5, 2), "south")]
