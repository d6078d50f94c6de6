"""What every engine owes: answers, doubts and receipts, in whatever order they come."""

import pytest

from connector.lifecycle import Event, Status
from connector.model import Clue, Moved, Receipt
from connector.store.joining import MOST_HELD
from tests.store.world import (
    NUMBER,
    OTHER_NUMBER,
    World,
    acknowledged,
    answered,
    claim,
    inbound,
    lost,
    message,
    not_sent,
    part,
    receipt,
)

# --- answers ---


def test_an_accepted_part_is_sent_and_waits_for_its_receipt(world: World) -> None:
    world.sending(message(5))
    moved = world.results(acknowledged(part(5), "77", due_at=4_000.0))
    assert moved == [Moved(part(5), Status.SENT)]
    view = world.view(5)
    assert (view.carrier, view.carrier_message_id, view.sent_at) == ("north", "77", 1_010.0)
    assert view.finished_at is None
    assert [item.part for item in world.engine.due(9, now=4_000.0)] == [part(5)]


def test_an_answer_without_an_id_is_an_answer(world: World) -> None:
    world.sending(message(5))
    assert world.results(acknowledged(part(5))) == [Moved(part(5), Status.SENT)]
    assert world.results(receipt("77")) == []


def test_a_deferred_part_waits_again_and_its_attempt_may_count(world: World) -> None:
    world.sending(message(5), message(6))
    moved = world.results(
        answered(part(5), Event.DEFERRED, reason="throttled"),
        answered(part(6), Event.DEFERRED, due_at=1_050.0, burned=1, reason="temporary"),
    )
    assert moved == [Moved(part(5), Status.ACCEPTED), Moved(part(6), Status.ACCEPTED)]
    [head] = world.heads()
    assert (head.id, head.attempt, head.tries) == (part(5), 1, 0)
    world.now = 1_050.0
    world.change(Event.DUE, part(6))
    assert [(found.id, found.attempt, found.tries) for found in world.heads()] == [
        (part(5), 1, 0),
        (part(6), 1, 1),
    ]
    assert world.view(6).timeline[-2].detail == "ESME_RSYSERR"


def test_refused_and_exhausted_parts_are_at_their_end(world: World) -> None:
    world.sending(message(5), message(6))
    moved = world.results(
        answered(part(5), Event.REFUSED, reason="refused_by_carrier", detail="ESME_RINVDSTADR"),
        answered(part(6), Event.EXHAUSTED, reason="attempts_used_up"),
    )
    assert moved == [Moved(part(5), Status.REJECTED), Moved(part(6), Status.FAILED)]
    assert (world.view(5).reason, world.view(5).finished_at) == ("refused_by_carrier", 1_010.0)
    assert world.waiting_parts() == []


@pytest.mark.parametrize("late", [False, True])
def test_what_has_ended_is_never_due_again(world: World, late: bool) -> None:
    world.sending(message(5))
    if late:
        world.results(lost(part(5)))
    world.results(answered(part(5), Event.REFUSED, due_at=1_050.0))
    assert world.engine.due(9, now=9_999.0) == []


def test_a_part_that_was_not_written_goes_back_to_its_place(world: World) -> None:
    world.sending(message(5, deadline=1_500.0))
    world.waiting(message(6, deadline=1_600.0))
    assert world.results(not_sent(part(5))) == [Moved(part(5), Status.ACCEPTED)]
    assert [(found.id, found.tries) for found in world.heads()] == [(part(5), 0), (part(6), 0)]
    assert world.view(5).timeline[-1].detail == "no_bind"


def test_a_lost_answer_is_a_doubt(world: World) -> None:
    world.sending(message(5))
    assert world.results(lost(part(5))) == [Moved(part(5), Status.IN_DOUBT)]
    assert world.view(5).reason == "link_lost"
    assert world.waiting_parts() == []
    assert world.claim(claim(part(5), attempt=2)) == []


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (Event.ACKNOWLEDGED, Status.SENT),
        (Event.DEFERRED, Status.ACCEPTED),
        (Event.REFUSED, Status.REJECTED),
        (Event.EXHAUSTED, Status.FAILED),
    ],
)
def test_a_late_answer_ends_the_doubt(world: World, event: Event, status: Status) -> None:
    world.sending(message(5), message(6))
    assert world.results(lost(part(5)), lost(part(6))) != []
    assert world.results(answered(part(5), event)) == [Moved(part(5), status)]
    assert world.status(6) is Status.IN_DOUBT


def test_a_doubt_and_its_late_answer_in_one_read(world: World) -> None:
    world.sending(message(5), message(6))
    moved = world.results(acknowledged(part(6), "66"), lost(part(5)), acknowledged(part(5), "55"))
    assert moved == [
        Moved(part(6), Status.SENT),
        Moved(part(5), Status.IN_DOUBT),
        Moved(part(5), Status.SENT),
    ]
    assert world.results(receipt("55")) == [Moved(part(5), Status.DELIVERED)]


def test_an_answer_for_an_old_attempt_changes_nothing_but_the_history(world: World) -> None:
    world.sending(message(5), message(6))
    world.results(answered(part(5), Event.DEFERRED))
    world.claim(claim(part(5), attempt=2))
    before = world.view(5), world.last_event()
    late = acknowledged(part(5), "old", attempt=1)
    assert world.results(late, acknowledged(part(6), "66")) == [Moved(part(6), Status.SENT)]
    view = world.view(5)
    assert (view.status, view.carrier_message_id) == (Status.SENDING, None)
    assert view.timeline[:-1] == before[0].timeline
    assert (view.timeline[-1].event, view.timeline[-1].attempt) == ("acknowledged", 1)
    assert world.events_after(before[1]) == [("sent", (part(6),))]


@pytest.mark.parametrize("crash", [False, True])
def test_a_receipt_for_an_old_attempt_settles_the_part_in_doubt(world: World, crash: bool) -> None:
    world.sending(message(5))
    world.results(lost(part(5)))
    world.claim(claim(part(5), attempt=2, doubts=1))
    world.results(acknowledged(part(5), "old", attempt=1), lost(part(5), attempt=2))
    if crash:
        world.restart()
    assert world.results(receipt("old")) == [Moved(part(5), Status.DELIVERED)]
    assert world.engine.verify().ok


def test_the_second_of_two_answers_is_only_noted(world: World) -> None:
    world.sending(message(5))
    moved = world.results(acknowledged(part(5), "55"), acknowledged(part(5), "56"))
    assert moved == [Moved(part(5), Status.SENT)]
    assert world.view(5).carrier_message_id == "55"
    assert world.history(5) == ["accepted", "claimed", "acknowledged", "acknowledged"]
    assert world.results(receipt("56")) == [Moved(part(5), Status.DELIVERED)], "the carrier has both"
    assert world.results(receipt("55")) == []
    assert world.engine.ledger().parked == 0


def test_an_answer_to_nothing_we_know_is_nothing(world: World) -> None:
    before = world.engine.ledger(), world.last_event()
    assert world.results(acknowledged(part(77), "77"), lost(part(78)), not_sent(part(79))) == []
    assert world.results() == []
    assert (world.engine.ledger(), world.last_event()) == before


def test_a_resent_part_keeps_only_its_newest_id(world: World) -> None:
    world.sending(message(5))
    world.results(lost(part(5)))
    world.results(answered(part(5), Event.DEFERRED))
    world.claim(claim(part(5), attempt=2, carrier="south"))
    world.results(acknowledged(part(5), "77", attempt=2, carrier="south"))
    assert world.results(receipt("77")) == []
    assert world.results(receipt("77", carrier="south")) == [Moved(part(5), Status.DELIVERED)]


# --- receipts ---


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (Event.DELIVERED, Status.DELIVERED),
        (Event.UNDELIVERED, Status.FAILED),
        (Event.EXPIRED, Status.EXPIRED),
        (Event.REJECTED, Status.REJECTED),
    ],
)
def test_a_final_receipt_ends_the_part(world: World, event: Event, status: Status) -> None:
    world.sent(5, "77")
    assert world.results(receipt("77", event=event, detail="its words")) == [Moved(part(5), status)]
    view = world.view(5)
    assert (view.status, view.finished_at, view.timeline[-1].detail) == (status, 1_020.0, "its words")
    assert world.engine.due(9, now=9_999.0) == []


def test_a_receipt_finds_its_part_after_a_restart(world: World) -> None:
    world.sent(5, "77")
    world.restart()
    assert world.results(receipt("77")) == [Moved(part(5), Status.DELIVERED)]


def test_a_receipt_in_the_same_read_as_its_answer_finds_it(world: World) -> None:
    world.sending(message(5))
    moved = world.results(receipt("77"), acknowledged(part(5), "77"))
    assert moved == [Moved(part(5), Status.SENT), Moved(part(5), Status.DELIVERED)]
    assert world.engine.ledger().parked == 0


@pytest.mark.parametrize("crash", [False, True])
def test_a_receipt_before_its_answer_is_parked_and_joined(world: World, crash: bool) -> None:
    world.sending(message(5))
    assert world.results(receipt("77")) == []
    assert world.engine.ledger().parked == 1
    if crash:
        world.restart()
        world.recover()
    moved = world.results(acknowledged(part(5), "77"))
    assert moved == [Moved(part(5), Status.SENT), Moved(part(5), Status.DELIVERED)]
    assert world.engine.ledger().parked == 0
    assert world.history(5)[-2:] == ["acknowledged", "delivered"]
    assert world.results(receipt("77")) == []


def test_several_parked_receipts_are_joined_in_the_order_they_came(world: World) -> None:
    world.sending(message(5))
    world.results(receipt("77", event=None, detail="ACCEPTD"))
    world.results(receipt("77", detail="first word"), receipt("77", event=Event.EXPIRED))
    assert world.engine.ledger().parked == 3
    world.results(acknowledged(part(5), "77"))
    assert world.engine.ledger().parked == 0
    assert (world.status(5), world.view(5).timeline[-2].detail) == (Status.DELIVERED, "first word")
    assert world.history(5)[2:] == ["acknowledged", "receipt", "delivered", "expired"]


def test_the_same_receipt_twice_is_a_no_op(world: World) -> None:
    world.sent(5, "77")
    world.results(receipt("77"), receipt("77"))
    before = world.view(5), world.last_event()
    assert world.history(5).count("delivered") == 1
    assert world.results(receipt("77", at=1_500.0)) == []
    world.restart()
    assert world.results(receipt("77", at=1_600.0)) == []
    assert (world.view(5), world.last_event()) == before


def test_a_contradicting_receipt_is_recorded_and_not_applied(world: World) -> None:
    world.sent(5, "77")
    world.results(receipt("77"))
    before = world.last_event()
    assert world.results(receipt("77", event=Event.EXPIRED, detail="EXPIRED 001")) == []
    assert world.status(5) is Status.DELIVERED
    assert [entry.detail for entry in world.view(5).timeline[-2:]] == ["DELIVRD 000", "EXPIRED 001"]
    assert world.last_event() == before


def test_a_word_that_is_not_final_is_only_noted(world: World) -> None:
    world.sent(5, "77")
    before = world.last_event()
    assert world.results(receipt("77", event=None, detail="ENROUTE")) == []
    assert (world.status(5), world.history(5)[-1]) == (Status.SENT, "receipt")
    world.results(receipt("77"))
    assert world.results(receipt("77", event=None, detail="ACCEPTD")) == []
    assert (world.status(5), world.history(5)[-2:]) == (Status.DELIVERED, ["delivered", "receipt"])
    assert world.events_after(before) == [("delivered", (part(5),))]


def test_a_late_receipt_ends_the_unknown(world: World) -> None:
    world.sent(5, "77")
    world.change(Event.SILENCE, part(5), reason="no_final_word")
    assert world.results(receipt("77")) == [Moved(part(5), Status.DELIVERED)]
    assert world.view(5).finished_at == 1_020.0


# --- which part a receipt means ---


def test_an_id_means_something_only_within_its_carrier(world: World) -> None:
    world.sent(5, "77")
    assert world.results(receipt("77", carrier="south")) == []
    assert world.engine.ledger().parked == 1
    assert world.status(5) is Status.SENT


def test_an_id_given_once_needs_no_number(world: World) -> None:
    world.sent(5, "77")
    world.sent(6, "78")
    assert world.results(receipt("77", number="60777"), receipt("78", number="")) == [
        Moved(part(5), Status.DELIVERED),
        Moved(part(6), Status.DELIVERED),
    ]


def test_a_receipt_that_names_another_subscriber_waits_for_its_own_message(world: World) -> None:
    world.sent(5, "77")
    assert world.results(receipt("77", number=OTHER_NUMBER)) == []
    assert world.status(5) is Status.SENT
    world.sending(message(6, to=OTHER_NUMBER))
    assert world.results(acknowledged(part(6), "77", to=OTHER_NUMBER)) == [
        Moved(part(6), Status.SENT),
        Moved(part(6), Status.DELIVERED),
    ]


@pytest.mark.parametrize("crash", [False, True])
def test_a_reused_id_is_told_apart_by_the_number(world: World, crash: bool) -> None:
    world.sent(5, "77")
    world.sent(6, "77", to=OTHER_NUMBER)
    if crash:
        world.restart()
    assert world.results(receipt("77", number=NUMBER[2:])) == [Moved(part(5), Status.DELIVERED)]
    assert world.results(receipt("77", number="00" + OTHER_NUMBER)) == [Moved(part(6), Status.DELIVERED)]


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("number", ["447700900789", ""])
def test_a_reused_id_with_no_fitting_number_is_parked(world: World, number: str, crash: bool) -> None:
    world.sent(5, "77")
    world.sent(6, "77", to=OTHER_NUMBER)
    if crash:
        world.restart()
    assert world.results(receipt("77", number=number)) == []
    assert world.engine.ledger().parked == 1
    assert (world.status(5), world.status(6)) == (Status.SENT, Status.SENT)


@pytest.mark.parametrize("crash", [False, True])
def test_of_two_messages_to_one_number_the_last_sent_has_the_id(world: World, crash: bool) -> None:
    """The older one waited for a retry and left after the younger: what counts is when the carrier gave the id."""
    world.sending(message(5), message(6))
    world.results(acknowledged(part(6), "77", at=1_010.0))
    world.results(acknowledged(part(5), "77", at=1_011.0))
    if crash:
        world.restart()
    assert world.results(receipt("77")) == [Moved(part(5), Status.DELIVERED)]
    # it has had its word: whose second one this is nobody can tell
    assert world.results(receipt("77", event=Event.EXPIRED)) == []
    assert world.status(6) is Status.SENT


@pytest.mark.parametrize("crash", [False, True])
def test_of_two_messages_answered_in_one_read_the_younger_has_the_id(world: World, crash: bool) -> None:
    world.sending(message(5), message(6))
    world.results(acknowledged(part(6), "77"), acknowledged(part(5), "77"))
    if crash:
        world.restart()
    assert world.results(receipt("77")) == [Moved(part(6), Status.DELIVERED)]


@pytest.mark.parametrize("crash", [False, True])
def test_of_two_readings_of_an_id_only_one_that_fits_the_number_counts(world: World, crash: bool) -> None:
    world.sent(5, "12", to=OTHER_NUMBER)
    world.sent(6, "18")
    if crash:
        world.restart()
    assert world.results(receipt("12", "18")) == [Moved(part(6), Status.DELIVERED)]
    assert world.results(receipt("12", "18", number="")) == []
    assert world.status(5) is Status.SENT


def test_the_most_trusted_reading_comes_first(world: World) -> None:
    world.sent(5, "12")
    world.sent(6, "18")
    assert world.results(receipt("18", "12")) == [Moved(part(6), Status.DELIVERED)]


@pytest.mark.parametrize("crash", [False, True])
def test_a_receipt_that_was_unsure_when_parked_is_unsure_when_joined(world: World, crash: bool) -> None:
    world.sending(message(5, to=OTHER_NUMBER), message(6))
    world.results(receipt("12", "18"))
    if crash:
        world.restart()
        world.recover()
    assert world.results(acknowledged(part(5), "18", to=OTHER_NUMBER)) == [Moved(part(5), Status.SENT)]
    assert world.engine.ledger().parked == 1
    assert world.results(acknowledged(part(6), "12")) == [
        Moved(part(6), Status.SENT),
        Moved(part(6), Status.DELIVERED),
    ]
    assert world.engine.ledger().parked == 0


def test_a_receipt_without_an_id_is_parked_and_nothing_else(world: World) -> None:
    world.sent(5, "77")
    assert world.results(receipt(), receipt()) == []
    assert world.engine.ledger().parked == 2
    assert world.results(receipt("77")) == [Moved(part(5), Status.DELIVERED)]


def test_an_inbound_message_moves_nothing(world: World) -> None:
    world.sent(5, "77")
    before = world.last_event()
    assert world.results(inbound(), receipt("77"), inbound()) == [Moved(part(5), Status.DELIVERED)]
    assert world.events_after(before) == [("delivered", (part(5),))]


# --- many at once ---


def test_a_whole_window_is_settled_at_once(world: World) -> None:
    numbers = range(5, 55)
    world.sending(*(message(n) for n in numbers))
    answers = [acknowledged(part(n), str(n)) for n in numbers]
    assert world.results(*answers) == [Moved(part(n), Status.SENT) for n in numbers]
    receipts: list[Receipt] = [
        receipt(str(n), event=Event.EXPIRED if n % 10 == 0 else Event.DELIVERED) for n in numbers
    ]
    moved = world.results(*receipts)
    assert [change.status for change in moved] == [Status.EXPIRED if n % 10 == 0 else Status.DELIVERED for n in numbers]
    assert world.engine.ledger().messages == {"delivered": 45, "expired": 5}


def test_one_odd_answer_does_not_hold_the_others_up(world: World) -> None:
    world.sending(*(message(n) for n in range(5, 9)))
    world.results(lost(part(6)))
    moved = world.results(*(acknowledged(part(n), str(n)) for n in range(5, 10)))
    assert moved == [Moved(part(n), Status.SENT) for n in range(5, 9)]
    moved = world.results(receipt("5"), receipt("5"), receipt("9"), receipt("7"))
    assert moved == [Moved(part(5), Status.DELIVERED), Moved(part(7), Status.DELIVERED)]


# --- messages of several parts ---


def test_a_message_is_live_while_any_part_is(world: World) -> None:
    world.sending(message(5, parts=3))
    seen = [world.status(5)]
    for n in (1, 2, 3):
        world.results(acknowledged(part(5, n), f"5{n}"))
        seen.append(world.status(5))
    for n, event in ((1, Event.DELIVERED), (2, Event.UNDELIVERED), (3, Event.DELIVERED)):
        world.results(receipt(f"5{n}", event=event, at=1_020.0 + n))
        seen.append(world.status(5))
    sending, sent = Status.SENDING, Status.SENT
    assert seen == [sending, sending, sending, sent, sent, sent, Status.FAILED]
    view = world.view(5)
    assert (view.parts, view.finished_at) == (3, 1_023.0)
    assert world.engine.ledger().messages == {"failed": 1}
    assert world.engine.ledger().parts == {"delivered": 2, "failed": 1}


def test_one_part_in_doubt_puts_the_message_in_doubt(world: World) -> None:
    world.sending(message(5, parts=2), message(6))
    world.results(acknowledged(part(5, 1), "51"), lost(part(5, 2)))
    assert (world.status(5), world.part_statuses(5)) == (Status.IN_DOUBT, ["sent", "in_doubt"])
    world.change(Event.SILENCE, part(5, 2))
    assert world.status(5) is Status.SENT
    world.results(receipt("51"))
    assert world.status(5) is Status.UNKNOWN
    assert world.engine.ledger().messages == {"unknown": 1, "sending": 1}


def test_all_parts_delivered_is_delivered(world: World) -> None:
    world.sending(message(5, parts=2))
    world.results(acknowledged(part(5, 1), "51"), acknowledged(part(5, 2), "52"), receipt("51"), receipt("52"))
    assert world.status(5) is Status.DELIVERED


# --- receipts that are kept without a part ---


@pytest.mark.parametrize("crash", [False, True])
def test_a_receipt_without_a_part_is_kept_with_the_reason(world: World, crash: bool) -> None:
    world.sent(5, "77")
    clue = Clue("Bank", "your code", None)
    kept = [receipt("78", ids=("78",), clue=clue), receipt("77", number=OTHER_NUMBER), receipt(), receipt("079")]
    assert world.results(*kept) == []
    if crash:
        world.restart()
    found = world.engine.parked(0, 10)
    assert [(each.receipt, each.why) for each in found] == list(
        zip(kept, ["unknown_id", "other_number", "no_id", "unknown_id"], strict=True)
    )
    assert world.engine.parked(found[0].id, 2) == found[1:3]


def test_receipts_under_one_key_are_joined_a_few_at_a_time(world: World) -> None:
    """A carrier that gives every message the same id costs an answer no more than others do."""
    world.results(*(receipt("77", number=OTHER_NUMBER) for _ in range(MOST_HELD + 10)))
    world.sent(5, "77")
    assert world.engine.ledger().parked == MOST_HELD + 10
    assert world.engine.verify().ok


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("before", [False, True])
def test_a_receipt_that_tells_a_part_in_doubt_settles_it(world: World, crash: bool, before: bool) -> None:
    told = receipt("78", clue=Clue("Bank", "your code is 1", None), number=NUMBER, at=1_020.0)
    world.sending(message(5, sender="Bank", text="your code is 1234"))
    if before:
        assert world.results(told) == []
        if crash:
            world.restart()
            assert world.recover()[-1] == Moved(part(5), Status.DELIVERED)
        else:
            assert world.results(lost(part(5)))[-1] == Moved(part(5), Status.DELIVERED)
    else:
        world.results(lost(part(5)))
        if crash:
            world.restart()
        assert world.results(told) == [Moved(part(5), Status.SENT, None, 1), Moved(part(5), Status.DELIVERED)]
    assert world.view(5).carrier_message_id == "78"
    assert world.results(receipt("78")) == []
    assert world.engine.ledger().parked == 0
    assert world.engine.verify().ok


def test_a_receipt_that_an_answer_does_not_mean_keeps_its_place_among_those_kept(world: World) -> None:
    world.results(receipt("77", number=OTHER_NUMBER), receipt("78"))
    before = [each.id for each in world.engine.parked(0, 10)]
    world.sent(5, "77")
    assert [each.id for each in world.engine.parked(0, 10)] == before
    assert world.engine.ledger().parked == 2
    assert world.engine.verify().ok


# --- the same said again ---


@pytest.mark.parametrize("crash", [False, True])
def test_a_word_on_the_way_that_is_said_again_adds_no_line(world: World, crash: bool) -> None:
    world.sent(5, "77")
    world.results(receipt("77", event=None, detail="ENROUTE"), receipt("77", event=None, detail="ENROUTE"))
    if crash:
        world.restart()
    for second in range(100):
        assert world.results(receipt("77", event=None, detail="ENROUTE", at=1_100.0 + second)) == []
    assert world.history(5) == ["accepted", "claimed", "acknowledged", "receipt"]


def test_every_state_on_the_way_has_its_line(world: World) -> None:
    world.sent(5, "77")
    for state in ("ENROUTE", "ACCEPTD", "ENROUTE", "ENROUTE 001", "ACCEPTD"):
        world.results(receipt("77", event=None, detail=state))
    assert [entry.detail for entry in world.view(5).timeline[3:]] == ["ENROUTE", "ACCEPTD", "ENROUTE 001"]


def test_the_same_state_of_another_attempt_has_its_line(world: World) -> None:
    world.resent(message(5))
    world.results(acknowledged(part(5), "old"))
    word = receipt("old", event=None, detail="ENROUTE")
    world.results(word, word)
    world.results(lost(part(5), attempt=2, due_at=1_060.0))
    world.change(Event.DUE, part(5))
    assert world.claim(claim(part(5), 3, doubts=2)) != []
    world.results(acknowledged(part(5), "new", attempt=3))
    again = receipt("new", event=None, detail="ENROUTE")
    world.results(again, again)
    assert world.history(5).count("receipt") == 2


def test_a_word_that_counts_as_delivery_counts_though_it_was_said_before(world: World) -> None:
    """What its last word was decides, not what was written down last."""
    world.sent(5, "77")
    accepted, on_its_way = (
        receipt("77", event=None, detail="ACCEPTD", hopeful=True),
        receipt("77", event=None, detail="ENROUTE"),
    )
    for word in (accepted, on_its_way, accepted):
        world.results(word)
    assert world.history(5).count("receipt") == 2
    assert world.change(Event.SILENCE, part(5)) == [Moved(part(5), Status.DELIVERED)]


def test_another_last_word_said_again_adds_no_line(world: World) -> None:
    world.sent(5, "77")
    world.results(receipt("77"))
    for _ in range(3):
        world.results(receipt("77", event=Event.EXPIRED, detail="EXPIRED"))
    assert world.history(5)[2:] == ["acknowledged", "delivered", "expired"]
