"""What every engine owes: what attempts that came to nothing have taught, and messages that go on elsewhere."""

import pytest

from connector.lifecycle import Event, Status
from connector.model import Answer, Lost, Moved
from connector.store.rules import REROUTE_LOOK_S
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
    setback,
)

LOOK_AT = 1_011.0


def rerouted(part: int, *, attempt: int = 1, carrier: str = "north", due_at: float | None = None) -> Answer:
    taught = setback(refused=True)
    return answered(part, Event.REROUTED, attempt=attempt, carrier=carrier, due_at=due_at, setback=taught)


# --- what is remembered ---


def test_a_part_nothing_has_happened_to_remembers_nothing(world: World) -> None:
    world.sending(message(5))
    world.results(not_sent(part(5)))
    head = world.head()
    assert (head.refused, head.doubts, head.harms, head.first_at) == ((), 0, 0, None)


def test_a_rerouted_part_waits_and_knows_who_refused_it(world: World) -> None:
    world.sending(message(5))
    assert world.results(rerouted(part(5))) == [Moved(part(5), Status.ACCEPTED)]
    assert (world.head().refused, world.head().first_at, world.head().harms) == (("north",), 1_005.0, 0)
    world.restart()
    assert world.head().refused == ("north",)
    assert world.claim(claim(part(5), 2, "south")) != []


def test_every_carrier_that_refused_is_remembered_once(world: World) -> None:
    world.sending(message(5))
    for attempt, carrier in enumerate(["north", "northwest", "west", "north"], 2):
        world.results(rerouted(part(5), attempt=attempt - 1, carrier=carrier))
        world.claim(claim(part(5), attempt, "south"))
    world.results(not_sent(part(5), attempt=5))
    assert world.head().refused == ("north", "northwest", "west")


@pytest.mark.parametrize("event", [Event.DEFERRED, Event.REROUTED])
def test_the_first_claim_stays_the_first_and_harms_add_up(world: World, event: Event) -> None:
    world.sending(message(5))
    world.results(answered(part(5), event, setback=setback(harmed=True, first_at=1_003.0)))
    world.claim(claim(part(5), 2))
    world.results(answered(part(5), event, attempt=2, setback=setback(harmed=True, first_at=1_008.0)))
    world.claim(claim(part(5), 3))
    world.results(answered(part(5), event, attempt=3, setback=setback(first_at=1_009.0)))
    assert (world.head().first_at, world.head().harms, world.head().refused) == (1_003.0, 2, ())


def test_of_a_whole_list_each_part_remembers_its_own(world: World) -> None:
    world.sending(*(message(n) for n in range(5, 10)))
    world.results(
        acknowledged(part(5), "55"),
        rerouted(part(6)),
        answered(part(7), Event.DEFERRED, setback=setback(harmed=True)),
        answered(part(8), Event.DEFERRED),
        lost(part(9)),
    )
    assert [(head.id, head.refused, head.harms, head.first_at) for head in world.heads()] == [
        (part(6), ("north",), 0, 1_005.0),
        (part(7), (), 1, 1_005.0),
        (part(8), (), 0, None),
    ]


@pytest.mark.parametrize("event", [Event.DEFERRED, Event.REROUTED])
def test_an_answer_that_settles_nothing_teaches_nothing(world: World, event: Event) -> None:
    world.sending(message(5), message(6))
    world.results(answered(part(5), Event.DEFERRED), not_sent(part(6)))
    again = answered(part(5), event, setback=setback(refused=True, harmed=True))
    assert world.results(again, answered(part(77), event, setback=setback())) == []
    assert [(head.refused, head.harms, head.first_at) for head in world.heads()] == [((), 0, None)] * 2


def test_a_late_answer_teaches_as_a_prompt_one_does(world: World) -> None:
    world.to_be_resent(message(5), message(6))
    world.results(rerouted(part(5)))
    world.results(lost(part(6)))
    assert [(head.id, head.refused, head.doubts) for head in world.heads()] == [
        (part(5), ("north",), 0),
        (part(6), (), 1),
    ]


def test_a_resend_that_is_rerouted_waits_in_doubt_and_remembers(world: World) -> None:
    world.resent(message(5), carrier="south")
    world.results(rerouted(part(5), attempt=2, carrier="south"))
    head = world.head()
    assert (head.doubts, head.refused) == (1, ("south",))


def test_what_a_rolled_back_transaction_taught_is_forgotten(world: World) -> None:
    world.sending(message(5))
    world.engine.begin()
    world.engine.results([rerouted(part(5))], owner=world.engine.owner, now=world.now)
    world.engine.rollback()
    world.results(not_sent(part(5)))
    assert (world.head().refused, world.head().first_at) == ((), None)


# --- messages of several parts ---


def turned_away(world: World, *others: Answer, parts: int = 3) -> None:
    """Let north refuse part 1 of message 5, after these answers for its others; those without one stay on the wire."""
    world.sending(message(5, parts=parts))
    world.results(*others)
    assert world.results(rerouted(part(5, 1), due_at=LOOK_AT)) == [Moved(part(5, 1), Status.ACCEPTED)]
    assert part(5, 1) not in world.waiting_parts()
    assert part(5, 1) in world.due(LOOK_AT)
    world.now = LOOK_AT


def test_while_a_sibling_is_on_the_wire_a_part_that_was_turned_away_looks_again(world: World) -> None:
    turned_away(world, acknowledged(part(5, 2), "52"))
    before = world.last_event(), world.view(5)
    assert world.change(Event.DUE, part(5, 1)) == []
    assert world.waiting_parts() == []
    assert (world.last_event(), world.view(5)) == before
    assert world.due(LOOK_AT + REROUTE_LOOK_S - 0.01) == {}
    due = world.due(LOOK_AT + REROUTE_LOOK_S)
    assert (list(due), due[part(5, 1)].status) == ([part(5, 1)], Status.ACCEPTED)
    # and in the end it learns what became of them
    world.results(rerouted(part(5, 3), due_at=world.now))
    assert world.change(Event.DUE, part(5, 1)) == [Moved(part(5, 1), Status.REJECTED)]


@pytest.mark.parametrize("theirs", [acknowledged(part(5, 2), "52"), lost(part(5, 2))])
def test_a_part_whose_sibling_has_left_cannot_go_elsewhere(world: World, theirs: Answer | Lost) -> None:
    world.sending(message(5, parts=2))
    world.results(theirs, rerouted(part(5, 1), due_at=LOOK_AT))
    before = world.last_event()
    assert world.change(Event.DUE, part(5, 1)) == [Moved(part(5, 1), Status.REJECTED)]
    assert world.part_statuses(5)[0] == "rejected"
    assert world.history(5).count("refused") == 1
    assert (world.waiting_parts(), part(5, 1) in world.due(9_999.0)) == ([], False)
    assert world.events_after(before) == [("rejected", (part(5, 1),))]


def test_the_end_of_a_part_that_cannot_go_elsewhere_is_said_in_words(world: World) -> None:
    turned_away(world, acknowledged(part(5, 2), "52"), parts=2)
    world.change(Event.DUE, part(5, 1))
    world.results(receipt("52"))
    view = world.view(5)
    assert (view.status, view.reason, view.finished_at) == (Status.REJECTED, "refused_by_carrier", 1_020.0)
    [entry] = [entry for entry in view.timeline if entry.event == "refused"]
    assert (entry.part, entry.at, entry.detail) == (part(5, 1), LOOK_AT, "refused_by_carrier")


@pytest.mark.parametrize("word", [Event.DELIVERED, Event.UNDELIVERED, Event.EXPIRED, Event.REJECTED])
def test_what_was_sent_has_left_whatever_became_of_it(world: World, word: Event) -> None:
    turned_away(world, acknowledged(part(5, 2), "52"), parts=2)
    world.results(receipt("52", event=word))
    assert world.change(Event.DUE, part(5, 1)) == [Moved(part(5, 1), Status.REJECTED)]


def test_what_was_in_doubt_to_the_end_may_have_left(world: World) -> None:
    turned_away(world, parts=2)
    world.results(lost(part(5, 2)))
    assert world.change(Event.SILENCE, part(5, 2)) == [Moved(part(5, 2), Status.UNKNOWN)]
    assert world.change(Event.DUE, part(5, 1)) == [Moved(part(5, 1), Status.REJECTED)]


def test_a_doubt_that_its_answer_settled_holds_nobody(world: World) -> None:
    turned_away(world, parts=2)
    world.results(lost(part(5, 2)))
    world.results(rerouted(part(5, 2), due_at=LOOK_AT))
    assert world.change(Event.DUE, part(5, 1)) == [Moved(part(5, 1), Status.ACCEPTED)]


def test_a_message_of_which_nothing_has_left_goes_elsewhere_as_a_whole(world: World) -> None:
    world.waiting(message(5, parts=3))
    world.claim(claim(part(5, 1)), claim(part(5, 2)))
    world.results(rerouted(part(5, 1), due_at=LOOK_AT), answered(part(5, 2), Event.DEFERRED, due_at=1_050.0))
    assert [(head.id, head.pinned, head.refused) for head in world.heads()] == [(part(5, 3), None, ("north",))]
    assert world.change(Event.DUE, part(5, 1)) == [Moved(part(5, 1), Status.ACCEPTED)]
    assert world.change(Event.DUE, part(5, 2)) == [Moved(part(5, 2), Status.ACCEPTED)]
    assert [(head.id, head.pinned, head.refused) for head in world.heads()] == [
        (part(5, number), None, ("north",)) for number in (1, 2, 3)
    ]
    # the first carrier that takes a part has them all again
    world.claim(claim(part(5, 2), 2, "south"))
    assert [head.pinned for head in world.heads()] == ["south", "south"]


def test_every_carrier_that_refused_one_part_is_not_asked_for_the_others(world: World) -> None:
    turned_away(world, rerouted(part(5, 2), due_at=LOOK_AT), parts=2)
    world.change(Event.DUE, part(5, 1))
    world.claim(claim(part(5, 1), 2, "south"))
    world.results(rerouted(part(5, 1), attempt=2, carrier="south", due_at=1_020.0))
    assert world.change(Event.DUE, part(5, 2)) == [Moved(part(5, 2), Status.ACCEPTED)]
    assert [(head.pinned, head.refused) for head in world.heads()] == [(None, ("north", "south"))]
    assert world.change(Event.DUE, part(5, 1)) == [Moved(part(5, 1), Status.ACCEPTED)]
    assert [(head.pinned, head.refused) for head in world.heads()] == [(None, ("north", "south"))] * 2


def test_what_has_ended_is_not_freed_with_the_others(world: World) -> None:
    world.waiting(message(5, parts=3))
    world.claim(claim(part(5, 1)))
    world.results(rerouted(part(5, 1), due_at=LOOK_AT))
    world.change(Event.CANCELLED, part(5, 2))
    before = world.last_event()
    assert world.change(Event.DUE, part(5, 1)) == [Moved(part(5, 1), Status.ACCEPTED)]
    assert world.waiting_parts() == [part(5, 1), part(5, 3)]
    assert world.events_after(before) == [("accepted", (part(5, 1),))]


def test_both_parts_of_a_message_are_due_in_one_list(world: World) -> None:
    turned_away(world, rerouted(part(5, 2), due_at=LOOK_AT), parts=2)
    moved = world.change(Event.DUE, part(5, 1), part(5, 2))
    assert moved == [Moved(part(5, number), Status.ACCEPTED) for number in (1, 2)]
    assert [head.refused for head in world.heads()] == [("north",)] * 2


def test_a_pause_of_a_part_that_was_not_refused_is_only_a_pause(world: World) -> None:
    world.sending(message(5, parts=2))
    world.results(answered(part(5, 1), Event.DEFERRED, due_at=LOOK_AT, setback=setback(harmed=True)))
    assert world.change(Event.DUE, part(5, 1)) == [Moved(part(5, 1), Status.ACCEPTED)]
    assert (world.head().pinned, world.head().harms) == ("north", 1)


def test_a_part_refused_by_another_than_its_messages_carrier_goes_on(world: World) -> None:
    world.sending(message(5, parts=2))
    world.results(rerouted(part(5, 1), carrier="south", due_at=LOOK_AT))
    assert world.change(Event.DUE, part(5, 1)) == [Moved(part(5, 1), Status.ACCEPTED)]
    assert world.head().pinned == "north"


def test_a_resend_that_was_turned_away_ends_as_unknown_where_a_sibling_has_left(world: World) -> None:
    world.sending(message(5, parts=2))
    world.results(acknowledged(part(5, 2), "52"), lost(part(5, 1), due_at=1_005.0))
    world.change(Event.DUE, part(5, 1))
    world.claim(claim(part(5, 1), 2, doubts=1))
    assert world.results(rerouted(part(5, 1), attempt=2, due_at=LOOK_AT)) == [Moved(part(5, 1), Status.IN_DOUBT)]
    assert world.change(Event.DUE, part(5, 1)) == [Moved(part(5, 1), Status.UNKNOWN)]
    assert world.part_statuses(5) == ["unknown", "sent"]


def test_a_resend_that_was_turned_away_looks_again_in_doubt(world: World) -> None:
    world.sending(message(5, parts=2))
    world.results(lost(part(5, 1), due_at=1_005.0))
    world.change(Event.DUE, part(5, 1))
    world.claim(claim(part(5, 1), 2, doubts=1))
    world.results(rerouted(part(5, 1), attempt=2, due_at=LOOK_AT))
    assert world.change(Event.DUE, part(5, 1)) == []
    assert world.due(world.now + REROUTE_LOOK_S)[part(5, 1)].doubts == 1
    world.results(rerouted(part(5, 2), due_at=LOOK_AT))
    assert world.change(Event.DUE, part(5, 1)) == [Moved(part(5, 1), Status.IN_DOUBT)]
    assert (world.head().pinned, world.head().doubts) == (None, 1)


def test_a_part_that_was_turned_away_can_be_cancelled(world: World) -> None:
    turned_away(world, parts=2)
    assert world.change(Event.CANCELLED, part(5, 1)) == [Moved(part(5, 1), Status.CANCELLED)]
    assert world.due(9_999.0) == {}


def test_a_message_of_one_part_needs_no_second_look(world: World) -> None:
    world.sending(message(5))
    world.results(rerouted(part(5), due_at=LOOK_AT))
    assert world.change(Event.DUE, part(5)) == [Moved(part(5), Status.ACCEPTED)]
    assert (world.head().queue, world.head().refused) == (QUEUE, ("north",))
