"""What every engine owes where a clock was set back between two lives: answers dated later than their receipts."""

from typing import Any

import pytest

from connector.lifecycle import Event, Status
from connector.model import Clue, Moved, user_message_reference
from connector.store.joining import LATE_ANSWER_S
from tests.store.world import OTHER_NUMBER, World, acknowledged, answered, claim, lost, message, part, receipt

AHEAD = 1_010.0 + 2 * LATE_ANSWER_S
"""By the clock of the earlier life; receipts come by the next one's, at 1,020."""


def sent_earlier(world: World, number: int, key: str, **changes: Any) -> int:
    """Bring a message to `sent` in a life whose clock was ahead, under this id of north's; return the part."""
    world.sending(message(number, **changes))
    world.results(acknowledged(part(number), key, at=AHEAD, to=changes.get("to", "447700900123")))
    return part(number)


def kept(world: World) -> list[str]:
    return [each.why for each in world.engine.parked(0, 100)]


@pytest.mark.parametrize("event", [Event.DELIVERED, None])
@pytest.mark.parametrize("number", ["447700900123", "07700900123", ""])
def test_a_fresh_receipt_comes_after_its_answer_whatever_the_dates_say(
    world: World, number: str, event: Event | None
) -> None:
    sent_earlier(world, 5, "77")
    world.restart()
    moved = world.results(receipt("77", number=number, event=event))
    assert moved == ([Moved(part(5), Status.DELIVERED)] if event else [])
    assert ("delivered" if event else "receipt") in world.history(5)
    assert kept(world) == []


def test_it_may_have_been_written_by_several_names(world: World) -> None:
    sent_earlier(world, 5, "77")
    world.restart()
    assert world.results(receipt("4d", "77", ids=("4D", "77"))) == [Moved(part(5), Status.DELIVERED)]


@pytest.mark.parametrize("lifetime_s", [5.0, 86_400.0])
def test_an_id_in_another_form_is_young_where_its_answer_is_dated_ahead(world: World, lifetime_s: float) -> None:
    sent_earlier(world, 5, "77")
    world.restart()
    word = receipt("0077", ids=("0077",), lifetime_s=lifetime_s)
    assert world.results(word) == [Moved(part(5), Status.DELIVERED)]


def test_two_that_are_dated_ahead_are_several_as_ever(world: World) -> None:
    sent_earlier(world, 5, "77")
    sent_earlier(world, 6, "4d")
    world.restart()
    assert world.results(receipt("0077", ids=("0077",))) == []
    assert kept(world) == ["several"]


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("at", [1_000.0, 1_019.0])
def test_of_a_reused_id_the_attempt_of_the_later_life_is_the_newest(world: World, crash: bool, at: float) -> None:
    """It may have been answered earlier by the clock, and kept later."""
    sent_earlier(world, 6, "77")
    world.restart()
    world.sending(message(5), message(7, to=OTHER_NUMBER))
    world.results(acknowledged(part(5), "77", at=at), acknowledged(part(7), "77", at=at, to=OTHER_NUMBER))
    if crash:
        world.restart()
    assert world.results(receipt("77")) == [Moved(part(5), Status.DELIVERED)]
    assert world.results(receipt("77", number=OTHER_NUMBER)) == [Moved(part(7), Status.DELIVERED)]
    assert world.status(6) is Status.SENT


def test_one_that_names_somebody_else_is_parked_as_ever(world: World) -> None:
    sent_earlier(world, 5, "77")
    world.restart()
    assert world.results(receipt("77", number=OTHER_NUMBER)) == []
    assert kept(world) == ["other_number"]


def test_an_earlier_attempts_id_may_be_dated_ahead(world: World) -> None:
    world.sending(message(5))
    world.results(answered(part(5), Event.DEFERRED, at=AHEAD))
    world.claim(claim(part(5), 2))
    world.results(acknowledged(part(5), "old", at=AHEAD), acknowledged(part(5), "new", at=AHEAD, attempt=2))
    world.restart()
    assert world.results(receipt("old")) == [Moved(part(5), Status.DELIVERED)]
    assert kept(world) == []


@pytest.mark.parametrize("reference", [None, user_message_reference(part(5))])
def test_a_message_that_was_accepted_ahead_of_time_is_told_by_what_else_a_receipt_says(
    world: World, reference: int | None
) -> None:
    world.sending(message(5, created_at=AHEAD, deadline=AHEAD + 60))
    world.results(lost(part(5), at=AHEAD + 1))
    world.restart()
    told = receipt("77", clue=Clue("Shop", "your code is", reference))
    assert world.results(told)[-1] == Moved(part(5), Status.DELIVERED)


def test_a_receipt_that_was_parked_is_compared_by_time(world: World) -> None:
    """Its id may have come round: the answer that is dated so much later is another message's."""
    world.results(receipt("77"))
    world.sending(message(5))
    assert world.results(acknowledged(part(5), "77", at=AHEAD)) == [Moved(part(5), Status.SENT)]
    assert kept(world) == ["other_number"]
    assert world.results(receipt("77", at=AHEAD + 1)) == [Moved(part(5), Status.DELIVERED)]


def test_both_in_one_read_are_told_apart(world: World) -> None:
    """One was parked before the clock was set, and one comes fresh."""
    world.results(receipt("77", event=Event.UNDELIVERED))
    world.sending(message(5))
    moved = world.results(acknowledged(part(5), "77", at=AHEAD), receipt("77"))
    assert moved == [Moved(part(5), Status.SENT), Moved(part(5), Status.DELIVERED)]
    assert kept(world) == ["other_number"]
