"""The rules every engine follows, by themselves."""

import itertools

import pytest

from connector.lifecycle import FINAL, Event, Status, move
from connector.model import Move
from connector.store.rules import (
    after_answer,
    after_wish,
    onward,
    same_number,
    split_refused,
    waits,
    with_refused,
)


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("447700900123", "447700900123", True),
        ("447700900123", "07700900123", True),  # national spelling
        ("447700900123", "7700900123", True),
        ("447700900123", "447700900124", False),
        ("60300", "60300", True),  # a short code has fewer digits than are compared
        ("60300", "0060300", False),
        ("447700900123", "", False),
        ("", "447700900123", False),
        ("", "", False),  # two unknowns are not one subscriber
    ],
)
def test_numbers_are_compared_by_their_last_digits(ours: str, theirs: str, same: bool) -> None:
    assert same_number(ours, theirs) is same


BEFORE_IT_LEFT = {Event.DUE, Event.CANCELLED, Event.EXPIRED, Event.REFUSED}
FROM_OUTSIDE = {
    Status.SCHEDULED: BEFORE_IT_LEFT,
    Status.ACCEPTED: BEFORE_IT_LEFT | {Event.POSTPONED},
    Status.SENT: {Event.SILENCE, Event.RECALLED},
    Status.IN_DOUBT: {Event.DUE, Event.HELD, Event.SILENCE},
}


@pytest.mark.parametrize(("status", "event"), list(itertools.product(Status, Event)))
def test_a_wish_goes_along_the_table_or_nowhere(status: Status, event: Event) -> None:
    new = after_wish(status, 1.0, Move(5, event, None, 2.0))
    assert new == (move(status, event) if event in FROM_OUTSIDE.get(status, ()) else None)
    assert (new is not None) == (event in FROM_OUTSIDE.get(status, ()))
    if status in FINAL | {Status.SENDING} or event is Event.CLAIMED:
        assert new is None
    if event in (Event.CANCELLED, Event.EXPIRED):
        assert (new is not None) == (status in (Status.SCHEDULED, Status.ACCEPTED))


@pytest.mark.parametrize(("status", "event"), list(itertools.product(Status, Event)))
def test_what_is_not_paused_cannot_become_due(status: Status, event: Event) -> None:
    wish = Move(5, event, None, 2.0)
    assert after_wish(status, None, wish) == (None if event is Event.DUE else after_wish(status, 1.0, wish))


@pytest.mark.parametrize(("status", "event"), list(itertools.product(Status, Event)))
def test_nothing_is_put_off_without_a_time(status: Status, event: Event) -> None:
    put_off = event in (Event.POSTPONED, Event.HELD)
    timed, untimed = Move(5, event, None, 2.0), Move(5, event)
    assert after_wish(status, 1.0, untimed) == (None if put_off else after_wish(status, 1.0, timed))


@pytest.mark.parametrize("status", Status)
def test_only_what_is_not_paused_waits(status: Status) -> None:
    assert waits(status, None) == (status in (Status.ACCEPTED, Status.IN_DOUBT))
    assert not waits(status, 0.0)


@pytest.mark.parametrize(
    ("status", "event", "doubts", "was_lost", "expected"),
    [
        # on the wire: what it says of this attempt says nothing of those in doubt
        (Status.SENDING, Event.ACKNOWLEDGED, 0, False, (Status.SENT, 0)),
        (Status.SENDING, Event.ACKNOWLEDGED, 2, False, (Status.SENT, 2)),
        (Status.SENDING, Event.DEFERRED, 0, False, (Status.ACCEPTED, 0)),
        (Status.SENDING, Event.DEFERRED, 1, False, (Status.IN_DOUBT, 1)),
        (Status.SENDING, Event.REFUSED, 1, False, (Status.UNKNOWN, 1)),
        (Status.SENDING, Event.LOST, 0, False, (Status.IN_DOUBT, 1)),
        (Status.SENDING, Event.LOST, 1, False, (Status.IN_DOUBT, 2)),
        # lost, and answered after all: one doubt less
        (Status.IN_DOUBT, Event.ACKNOWLEDGED, 1, True, (Status.SENT, 0)),
        (Status.IN_DOUBT, Event.ACKNOWLEDGED, 2, True, (Status.SENT, 1)),
        (Status.IN_DOUBT, Event.DEFERRED, 1, True, (Status.ACCEPTED, 0)),
        (Status.IN_DOUBT, Event.REROUTED, 2, True, (Status.IN_DOUBT, 1)),
        (Status.IN_DOUBT, Event.REFUSED, 1, True, (Status.REJECTED, 0)),
        (Status.IN_DOUBT, Event.EXHAUSTED, 2, True, (Status.UNKNOWN, 1)),
        # answered already: no doubt less
        (Status.IN_DOUBT, Event.ACKNOWLEDGED, 1, False, (Status.SENT, 1)),
        (Status.IN_DOUBT, Event.DEFERRED, 1, False, (None, 1)),
        (Status.IN_DOUBT, Event.REFUSED, 1, False, (None, 1)),
        # what moves nothing settles nothing
        (Status.IN_DOUBT, Event.LOST, 1, True, (None, 1)),
        (Status.IN_DOUBT, Event.NOT_WRITTEN, 1, True, (None, 1)),
        (Status.SENT, Event.ACKNOWLEDGED, 1, True, (None, 1)),
    ],
)
def test_an_answer_settles_the_doubt_of_its_own_attempt_and_no_other(
    status: Status, event: Event, doubts: int, was_lost: bool, expected: tuple[Status | None, int]
) -> None:
    assert after_answer(status, event, doubts=doubts, was_lost=was_lost) == expected


WAITING, ON_THE_WIRE = (Status.ACCEPTED, None, 0), (Status.SENDING, None, 0)
ENDED_HERE, CANCELLED = (Status.REJECTED, None, 0), (Status.CANCELLED, None, 0)


@pytest.mark.parametrize(
    ("siblings", "expected"),
    [
        ([], Event.DUE),
        ([WAITING, (Status.SCHEDULED, None, 0), ENDED_HERE, CANCELLED], Event.DUE),
        ([WAITING, ON_THE_WIRE], None),
        ([(Status.SENT, 1_010.0, 0), ON_THE_WIRE], None),
        ([WAITING, (Status.SENT, 1_010.0, 0)], Event.REFUSED),
        ([WAITING, (Status.DELIVERED, 1_010.0, 0)], Event.REFUSED),
        ([(Status.FAILED, 1_010.0, 0)], Event.REFUSED),
        ([(Status.IN_DOUBT, None, 1)], Event.REFUSED),
        ([(Status.UNKNOWN, None, 1), WAITING], Event.REFUSED),
    ],
)
def test_a_message_goes_elsewhere_only_as_a_whole(
    siblings: list[tuple[Status, float | None, int]], expected: Event | None
) -> None:
    assert onward(siblings) is expected
    assert onward(reversed(siblings)) is expected


def test_a_carrier_refuses_once_however_often_it_says_so() -> None:
    assert split_refused(None) == split_refused("") == ()
    assert split_refused("north|south") == ("north", "south")
    assert with_refused(("north",), ["south", "north"]) == ("north", "south")
    assert with_refused((), ()) == ()
