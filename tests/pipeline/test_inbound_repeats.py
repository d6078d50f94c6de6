"""The same words twice: one message that the carrier sent again, or two that a person did."""

import itertools
from typing import Any

import pytest

from connector.config import InboundConfig
from connector.model import Inbound, InboundPart, Repeat
from connector.pipeline import inbound_repeats
from connector.pipeline.inbound_join import Joined
from connector.pipeline.inbound_repeats import Repeats

STARTED_AT = 1_000.0


def said(at: float = STARTED_AT + 10, **changes: Any) -> Inbound:
    given: dict[str, Any] = {"carrier": "north", "sender": "447700900123", "to": "60777", "octets": b"1"} | changes
    return Inbound(at=at, text="", data_coding=0, esm_class=0, bind="north-1", **given)


class Desk:
    """The room, with one bind whose link a test may end."""

    def __init__(self, within_s: float = 300.0) -> None:
        ids, self.kept = itertools.count(11), itertools.count(101)
        self.since: float | None = STARTED_AT
        config = InboundConfig(repeat_within_s=within_s)
        self.repeats = Repeats(lambda: next(ids), config, lambda carrier, bind: self.since, started_at=STARTED_AT)

    def take(self, inbound: Inbound, fence: int = 3) -> Joined | Repeat:
        return self.repeats.take(InboundPart(next(self.kept), inbound, fence=fence))


def test_two_votes_over_one_link_are_two_votes() -> None:
    desk = Desk()
    assert desk.take(said()) == Joined(11, (101,))
    assert desk.take(said(STARTED_AT + 11)) == Joined(12, (102,))


@pytest.mark.parametrize("since", [None, STARTED_AT + 15])
def test_after_the_link_of_the_first_has_ended_the_second_is_a_copy(since: float | None) -> None:
    desk = Desk()
    desk.take(said())
    desk.since = since
    assert desk.take(said(STARTED_AT + 20)) == Repeat(102, 11)
    assert desk.take(said(STARTED_AT + 21)) == (Repeat(103, 11) if since is None else Joined(12, (103,)))


@pytest.mark.parametrize(("stood_s", "copies"), [(9.0, 1), (10.0, 0)])
def test_a_link_that_stood_long_enough_has_brought_the_answer_home(stood_s: float, copies: int) -> None:
    desk = Desk()
    desk.take(said())
    assert desk.repeats.next_due_at() == STARTED_AT + 20
    desk.repeats.settle(STARTED_AT + 10 + stood_s)
    desk.since = STARTED_AT + 30
    desk.repeats.settle(STARTED_AT + 31)
    assert desk.repeats.next_due_at() is None
    assert isinstance(desk.take(said(STARTED_AT + 180)), Repeat) is bool(copies)


@pytest.mark.parametrize(
    "other",
    [{"octets": b"2"}, {"sender": "447700900456"}, {"to": "60888"}, {"carrier": "south"}, {"destination_port": 5}],
)
def test_what_says_anything_else_is_no_copy(other: dict[str, Any]) -> None:
    desk = Desk()
    desk.take(said())
    desk.since = None
    assert isinstance(desk.take(said(STARTED_AT + 20, **other)), Joined)


def test_who_writes_the_same_after_some_minutes_means_it() -> None:
    desk = Desk(within_s=60.0)
    desk.take(said())
    desk.since = None
    assert isinstance(desk.take(said(STARTED_AT + 71)), Joined)


def test_what_was_answered_not_now_and_kept_all_the_same_comes_again_over_the_same_link() -> None:
    desk = Desk()
    desk.repeats.refused(said())
    assert desk.take(said()) == Joined(11, (101,))
    assert desk.take(said(STARTED_AT + 20)) == Repeat(102, 11)
    assert desk.take(said(STARTED_AT + 21)) == Joined(12, (103,))


def test_what_an_earlier_life_kept_and_had_no_time_to_answer_is_told_once() -> None:
    desk = Desk()
    desk.repeats.recall([InboundPart(1, said(STARTED_AT - 5), message=7)])
    desk.since = STARTED_AT + 2
    assert desk.take(said(STARTED_AT + 3)) == Repeat(101, 7)


def test_of_the_links_of_an_earlier_life_nothing_is_known_so_two_of_it_are_two() -> None:
    desk = Desk()
    desk.since = STARTED_AT + 2
    assert desk.take(said(STARTED_AT - 5)) == Joined(11, (101,))
    assert desk.take(said(STARTED_AT - 4)) == Joined(12, (102,))


@pytest.mark.parametrize("told", [True, False])
def test_what_a_second_life_kept_again_and_had_no_time_to_tell_is_a_copy_in_the_third(told: bool) -> None:
    desk = Desk()
    first = InboundPart(1, said(STARTED_AT - 9), message=11, fence=1)
    if told:
        desk.repeats.recall([first])
    else:
        assert desk.repeats.take(first) == Joined(11, (1,))
    assert desk.take(said(STARTED_AT - 4), fence=2) == Repeat(101, 11)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbound_repeats, "MOST_REMEMBERED", 3)
    desk = Desk()
    for number in range(10):
        desk.repeats.refused(said(octets=b"other %d" % number))
        desk.take(said(octets=b"%d" % number))
    assert (len(desk.repeats._heard), len(desk.repeats._refused)) == (3, 3)
