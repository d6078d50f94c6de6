"""What every engine owes: texts and rows go by their age, in steps, and the books still balance."""

from functools import partial
from typing import Any

import attrs
import pytest

from connector.lifecycle import Event, Status
from connector.model import Aged, Move, Moved, Step, Traces
from connector.store.privacy import pieces
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
    part,
    receipt,
)

LATER = 9_999.0
OTP, PROMOTIONAL = 1, 2


def _bodies(world: World, limit: int = 100, **before: float) -> Step:
    step: Step = world.transaction(lambda: world.engine.erase_bodies(limit, before=before))[0]
    return step


def _old(world: World, before: float, *, limit: int = 100, after: int = 0, until: int = 1_000) -> Step:
    verb = world.engine.forget_messages
    step: Step = world.transaction(lambda: verb(limit, after=after, until=until, before=before))[0]
    return step


def _aged(world: World, kind: Aged, before: float = LATER, limit: int = 100) -> Step:
    step: Step = world.transaction(lambda: world.engine.forget(kind, limit, before=before))[0]
    return step


def _texts(world: World) -> dict[str, str | None]:
    return {row["id"]: row["text"] for row in world.engine.export(NUMBER) if row["table"] == "message"}


def _delivered(world: World, number: int, at: float = 1_020.0, **changes: Any) -> None:
    world.sent(number, str(number), **changes)
    world.now = at
    word = receipt(str(number), at=at, number=changes.get("to", NUMBER))
    assert world.results(word) == [Moved(part(number), Status.DELIVERED)]


# --- bodies ---


def test_a_text_goes_when_its_message_has_ended_for_so_long(world: World) -> None:
    _delivered(world, 5)
    assert _bodies(world, otp=1_020.0) == Step(0, more=False)
    assert list(_texts(world).values()) == ["your code is 1234"]
    assert _bodies(world, otp=1_020.1) == Step(1, more=False)
    assert list(_texts(world).values()) == [None]
    assert world.status(5) is Status.DELIVERED


def test_a_text_that_is_gone_is_not_counted_again(world: World) -> None:
    _delivered(world, 5)
    assert _bodies(world, otp=LATER).gone == 1
    assert _bodies(world, otp=LATER).gone == 0


def test_every_lane_keeps_its_texts_for_its_own_time(world: World) -> None:
    _delivered(world, 5)
    _delivered(world, 6, queue=PROMOTIONAL, lane="promotional")
    assert _bodies(world, otp=LATER, promotional=0.0).gone == 1
    assert sorted(_texts(world).values(), key=str) == [None, "your code is 1234"]
    assert _bodies(world, otp=LATER, promotional=LATER).gone == 1


def test_a_lane_that_nobody_names_keeps_its_texts_as_long_as_any(world: World) -> None:
    _delivered(world, 6, queue=PROMOTIONAL, lane="promotional")
    assert _bodies(world, otp=0.0, slow=LATER).gone == 0
    assert _bodies(world, otp=LATER).gone == 1


def test_the_text_of_a_live_message_stays(world: World) -> None:
    world.waiting(message(4, send_at=3_000.0), message(5))
    world.sent(6, "6")
    world.doubted(message(7))
    assert _bodies(world, otp=LATER).gone == 0


def test_the_text_of_several_parts_goes_with_the_last_of_them(world: World) -> None:
    world.sending(message(5, 2))
    world.results(acknowledged(part(5, 1), "a"), acknowledged(part(5, 2), "b"))
    world.now = 1_020.0
    world.results(receipt("a"))
    assert _bodies(world, otp=LATER).gone == 0
    world.now = 1_030.0
    world.results(receipt("b", at=1_030.0))
    assert _bodies(world, otp=1_025.0).gone == 0
    assert _bodies(world, otp=LATER).gone == 1


def test_a_step_looks_at_no_more_parts_than_it_may_and_the_next_goes_on(world: World) -> None:
    numbers = range(1, 6)
    world.sending(*(message(n) for n in numbers))
    world.results(*(acknowledged(part(n), str(n)) for n in numbers))
    world.now = 1_020.0
    world.results(*(receipt(str(n)) for n in numbers))
    steps = [_bodies(world, limit=2, otp=LATER, promotional=LATER) for _ in range(3)]
    assert [step.gone for step in steps] == [2, 2, 1]
    assert [step.more for step in steps] == [True, True, False]


def test_where_a_walk_was_is_known_after_a_restart(world: World) -> None:
    _delivered(world, 5)
    assert _bodies(world, otp=LATER).gone == 1
    world.restart()
    _delivered(world, 6, at=1_040.0)
    assert _bodies(world, otp=LATER).gone == 1


# --- messages ---


def test_old_messages_go_whole_and_the_books_remember_them(world: World) -> None:
    _delivered(world, 5)
    world.sending(message(6, 2))
    world.results(acknowledged(part(6, 1), "a"), acknowledged(part(6, 2), "b"))
    world.results(receipt("a"), receipt("b", event=Event.REJECTED))
    before = world.engine.ledger()
    assert _old(world, LATER) == Step(2, more=False, after=6)
    assert world.engine.ledger() == attrs.evolve(before, gone=2)
    assert (before.accepted, before.parts_accepted) == (2, 3)
    assert world.engine.export(NUMBER) == []
    world.waiting(message(7))
    assert world.engine.ledger().accepted == 3


def test_a_message_goes_by_its_end_not_by_its_beginning(world: World) -> None:
    _delivered(world, 5, at=1_500.0)
    assert _old(world, 1_500.0).gone == 0
    assert _old(world, 1_500.1).gone == 1


def test_live_messages_stay_however_old(world: World) -> None:
    world.waiting(message(4, send_at=3_000.0), message(5))
    world.sent(6, "6")
    assert _old(world, LATER) == Step(0, more=False, after=6)


def test_a_walk_over_old_messages_has_small_steps(world: World) -> None:
    for number in (1, 2, 3, 4, 5):
        _delivered(world, number)
    first = _old(world, LATER, limit=2)
    assert first == Step(2, more=True, after=2)
    assert _old(world, LATER, limit=2, after=2, until=5) == Step(2, more=True, after=4)
    assert _old(world, LATER, limit=2, after=4, until=5) == Step(0, more=False, after=4)


def test_a_receipt_for_a_message_that_is_gone_is_parked(world: World) -> None:
    world.sent(5, "77")
    world.change(Event.SILENCE, part(5))
    assert world.status(5) is Status.UNKNOWN
    assert _old(world, LATER).gone == 1
    assert world.results(receipt("77")) == []
    assert world.engine.ledger().parked == 1


# --- what goes by its age alone ---


def test_a_parked_receipt_waits_its_time_and_no_longer(world: World) -> None:
    world.results(receipt("88", at=1_020.0), receipt("99", at=1_500.0))
    assert _aged(world, Aged.RECEIPTS, 1_020.0).gone == 0
    assert _aged(world, Aged.RECEIPTS, 1_400.0) == Step(1, more=False)
    assert world.engine.ledger().parked == 1
    world.sending(message(5), message(6))
    moved = world.results(acknowledged(part(5), "88"), acknowledged(part(6), "99"))
    assert Moved(part(6), Status.DELIVERED) in moved
    assert world.status(5) is Status.SENT


def test_steps_by_age_are_small(world: World) -> None:
    world.results(*(receipt(f"n{n}") for n in range(5)))
    assert [_aged(world, Aged.RECEIPTS, limit=2).more for _ in range(3)] == [True, True, False]


def test_an_inbound_part_that_nobody_was_told_of_stays(world: World) -> None:
    world.results(inbound())
    assert _aged(world, Aged.INBOUND_PARTS).gone == 0
    assert len(world.engine.inbound_open(0, 10)) == 1


def test_events_of_a_clock_that_was_set_back_stay_behind_those_that_look_younger(world: World) -> None:
    world.sent(5, "5")
    world.now = 3_000.0
    world.change(Event.SILENCE, part(5), reason="no_final_word")
    world.now = 1_100.0
    assert world.results(receipt("5", at=1_100.0)) == [Moved(part(5), Status.DELIVERED)]
    _bodies(world, otp=LATER, promotional=LATER)
    _aged(world, Aged.EVENTS, 2_000.0)
    assert world.engine.verify().problems == ()
    _aged(world, Aged.EVENTS)
    assert world.events_after(0) == []


def test_events_go_only_behind_every_walk_along_them(world: World) -> None:
    _delivered(world, 5)
    assert _aged(world, Aged.EVENTS).gone == 0
    last = world.last_event()
    _bodies(world, otp=LATER, promotional=0.0)
    assert _aged(world, Aged.EVENTS).gone == 0
    _bodies(world, otp=LATER, promotional=LATER)
    assert _aged(world, Aged.EVENTS, 1_010.0).gone > 0
    assert _aged(world, Aged.EVENTS).more is False
    assert world.events_after(0) == []
    world.waiting(message(6))
    assert world.last_event() == last + 1


def test_what_is_rolled_back_is_not_erased(world: World) -> None:
    _delivered(world, 5)
    world.engine.begin()
    world.engine.erase_bodies(10, before={"otp": LATER})
    world.engine.forget_messages(10, after=0, until=1_000, before=LATER)
    world.engine.rollback()
    assert list(_texts(world).values()) == ["your code is 1234"]
    assert world.engine.verify().ok


def test_the_clock_of_another_ticket_lets_no_text_escape(world: World) -> None:
    """A transaction holds tickets of several moments, and what ran last may have been asked first."""
    world.sent(1, "k1")
    world.waiting(message(2))
    engine = world.engine
    world.transaction(
        lambda: engine.results([receipt("k1", at=1_050.5)], owner=engine.owner, now=1_050.5),
        lambda: engine.change([Move(part(2), Event.CANCELLED)], now=1_049.0),
    )
    _bodies(world, otp=1_050.0)
    _bodies(world, otp=LATER)
    assert set(_texts(world).values()) == {None}


def test_a_text_whose_end_is_younger_than_its_event_is_waited_for(world: World) -> None:
    world.sent(1, "k1")
    engine = world.engine
    world.transaction(lambda: engine.results([receipt("k1", at=1_060.0)], owner=engine.owner, now=1_050.0))
    assert _bodies(world, otp=1_055.0).gone == 0
    assert _bodies(world, otp=LATER).gone == 1


def test_an_end_in_the_far_future_stops_no_erasure_and_keeps_no_text(world: World) -> None:
    world.now = 1_000.0 + 30 * 86_400
    world.waiting(message(1))
    world.change(Event.CANCELLED, part(1))
    world.now = 1_000.0
    world.sent(2, "k2")
    world.now = 1_020.0
    world.results(receipt("k2", at=1_020.0))
    _bodies(world, otp=1_030.0)
    assert set(_texts(world).values()) == {None}


def test_messages_of_very_many_parts_go_in_smaller_steps(world: World) -> None:
    bounds = tuple((at, at + 1) for at in range(255))
    for number in range(1, 7):
        world.waiting(message(number, text="x" * 255, bounds=bounds))
        world.change(Event.CANCELLED, *(it.id for it in message(number, text="x" * 255, bounds=bounds).parts()))
    forget = world.engine.forget_messages
    first = world.transaction(lambda: forget(100, after=0, until=1_000, before=LATER))[0]
    assert first == Step(3, more=True, after=3)
    assert world.transaction(lambda: forget(100, after=3, until=1_000, before=LATER))[0] == Step(3, False, 6)
    assert world.engine.verify().ok


# --- by number ---


@pytest.fixture
def crowd(world: World) -> World:
    """One person and another one, in every place where a number can stand."""
    _delivered(world, 5, client_ref="order-1", metadata='{"name": "Ann"}', refs=(("order-1", b"x"),))
    _delivered(world, 6, to=OTHER_NUMBER, refs=(("order-2", b"x"),))
    world.waiting(message(7))
    world.results(receipt("88", number=NUMBER), receipt("89", number=f"{OTHER_NUMBER} Shop"), inbound())
    return world


def test_everything_of_a_number_is_found_and_nothing_of_another(crowd: World) -> None:
    found = crowd.engine.traces(NUMBER)
    assert found.messages == (5,)
    assert found.refs == (("shop", "order-1"),)
    assert (len(found.receipts), len(found.inbound_parts), found.live) == (1, 1, 1)
    tables = [row["table"] for row in crowd.engine.export(NUMBER)]
    assert sorted(tables) == ["inbound", "message", "message", "parked", "ref"]


def test_an_erased_number_is_nowhere_but_its_messages_are_traced(crowd: World) -> None:
    crowd.change(Event.CANCELLED, part(7))
    found = crowd.engine.traces(NUMBER)
    crowd.transaction(lambda: crowd.engine.erase(NUMBER, found))
    assert crowd.engine.traces(NUMBER) == Traces()
    assert crowd.engine.scrub()
    assert not crowd.engine.remains(NUMBER)
    assert crowd.engine.remains(OTHER_NUMBER)
    assert (crowd.status(5), crowd.view(5).client_ref, crowd.view(5).metadata) == (Status.DELIVERED, None, None)
    assert crowd.view(5).to.startswith("#")
    assert crowd.engine.ledger().parked == 1


def test_the_hash_finds_an_erased_message_by_its_number(crowd: World) -> None:
    crowd.transaction(lambda: crowd.engine.erase(NUMBER, crowd.engine.traces(NUMBER)))
    assert [view.id for view in crowd.to(NUMBER)] == [7, 5]
    assert [view.id for view in crowd.to(OTHER_NUMBER)] == [6]
    crowd.restart()
    assert [view.id for view in crowd.to(NUMBER)] == [7, 5]


def test_a_message_under_way_is_counted_and_left_as_it_is(crowd: World) -> None:
    crowd.transaction(lambda: crowd.engine.erase(NUMBER, crowd.engine.traces(NUMBER)))
    left = crowd.engine.traces(NUMBER)
    assert (left.messages, left.live) == ((), 1)
    assert crowd.head().text == "your code is 1234"


def test_messages_under_way_are_named_and_keep_their_receipts(crowd: World) -> None:
    found = crowd.engine.traces(NUMBER)
    assert found.under_way == (7,)
    [wish] = pieces(found, 100)
    crowd.transaction(lambda: crowd.engine.erase(NUMBER, wish))
    assert len(crowd.engine.traces(NUMBER).receipts) == 1


@pytest.mark.parametrize("sender", [NUMBER, f"+{NUMBER}", f"00{NUMBER}"])
def test_a_sender_is_erased_however_it_was_written(world: World, sender: str) -> None:
    world.waiting(message(1, to=OTHER_NUMBER, sender=sender))
    world.change(Event.CANCELLED, part(1))
    assert len(world.engine.export(NUMBER)) == 1
    world.transaction(lambda: world.engine.erase(NUMBER, world.engine.traces(NUMBER)))
    world.engine.scrub()
    assert not world.engine.remains(NUMBER)


def test_a_national_spelling_in_the_words_of_a_carrier_goes_too(world: World) -> None:
    world.sent(1, "k1")
    world.results(receipt("k1", detail="DELIVRD 000 to 07700900123"))
    assert world.engine.remains(NUMBER)
    world.transaction(lambda: world.engine.erase(NUMBER, world.engine.traces(NUMBER)))
    world.engine.scrub()
    assert not world.engine.remains(NUMBER)
    assert "700900123" not in str(world.view(1))


def _with_an_earlier_id(world: World, number: int) -> None:
    """Its first attempt was answered twice, late with the subscriber's number in its id; the second one is its own."""
    world.sending(message(number))
    world.results(answered(part(number), Event.DEFERRED))
    world.claim(claim(part(number), 2))
    world.results(acknowledged(part(number), f"{NUMBER}-{number}"), acknowledged(part(number), f"k{number}", attempt=2))


def test_an_id_of_an_earlier_attempt_that_spells_a_number_goes_with_it(world: World) -> None:
    for number in (5, 6):
        _with_an_earlier_id(world, number)
    assert world.engine.traces(NUMBER).other_ids == ()  # they are under way
    world.results(receipt("k5"), receipt("k6"))
    found = world.engine.traces(NUMBER)
    assert found.other_ids == (("north", f"{NUMBER}-5", part(5)), ("north", f"{NUMBER}-6", part(6)))
    for wish in pieces(found, 1):
        world.transaction(partial(world.engine.erase, NUMBER, wish))
    assert world.engine.traces(NUMBER) == Traces()
    assert world.engine.scrub()
    assert not world.engine.remains(NUMBER)


def test_a_national_spelling_is_the_same_number(world: World) -> None:
    world.results(receipt("88", number="07700900123"), receipt("89", number="900123"))
    assert len(world.engine.traces(NUMBER).receipts) == 1


def test_an_idempotency_key_is_not_forgotten_with_a_number(world: World) -> None:
    _delivered(world, 5, refs=(("key\x1f0", b"x"),))
    assert world.engine.traces(NUMBER).refs == ()


def test_the_id_of_an_earlier_attempt_stays_as_long_as_its_message(world: World) -> None:
    world.doubted(message(5))
    world.change(Event.DUE, part(5))
    world.claim(claim(part(5), attempt=2, doubts=1))
    world.results(acknowledged(part(5), "51"))
    assert world.transaction(lambda: world.engine.forget(Aged.OTHER_IDS, 100, before=9e9))[0].gone == 0
    world.results(lost(part(5), attempt=2))
    assert world.results(receipt("51"))[-1] == Moved(part(5), Status.DELIVERED)
