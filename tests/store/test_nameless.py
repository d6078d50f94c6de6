"""Attempts whose id nobody knows."""

from typing import Any

import pytest

from connector.lifecycle import Event, Status
from connector.model import Clue, Receipt, user_message_reference
from connector.store.history import line, settled_line
from connector.store.nameless import may_be_anothers, nameless
from connector.store.restored import unsure_lines
from tests.store.world import acknowledged, answered, lost, not_sent, part


def claimed(attempt: int = 1, carrier: str = "north", at: float = 1_005.0) -> str:
    return line(at, Event.CLAIMED, carrier, attempt, None)


LOST, AGAIN = settled_line(lost(part(5))), claimed(2, at=1_007.0)


def test_an_attempt_on_the_wire_has_no_id_yet() -> None:
    assert nameless(claimed(), "north") == [1_005.0]
    assert nameless(claimed(), "south") == []


@pytest.mark.parametrize(
    ("said", "times"),
    [
        (LOST, [1_005.0]),
        (LOST + line(1_006.0, Event.DUE, None, 1, None) + AGAIN, [1_005.0, 1_007.0]),
        (LOST + AGAIN + settled_line(acknowledged(part(5), "77", attempt=2)), [1_005.0]),
        (LOST + AGAIN + settled_line(acknowledged(part(5), "77")), [1_007.0]),
        (settled_line(acknowledged(part(5))), [1_005.0]),
        (LOST + line(1_090.0, Event.SILENCE, None, 1, None), [1_005.0]),
        (LOST + line(1_090.0, Event.REFUSED, None, 1, "refused_by_carrier"), [1_005.0]),
        (LOST + line(1_090.0, Event.DELIVERED, "north", 0, "DELIVRD"), [1_005.0]),
    ],
)
def test_what_was_lost_has_none_until_its_own_answer_comes(said: str, times: list[float]) -> None:
    assert nameless(claimed() + said, "north") == times


@pytest.mark.parametrize("event", [Event.DEFERRED, Event.REROUTED, Event.REFUSED, Event.EXHAUSTED])
def test_what_came_to_nothing_needs_none(event: Event) -> None:
    assert nameless(claimed() + settled_line(answered(part(5), event)), "north") == []
    assert nameless(claimed() + settled_line(not_sent(part(5))), "north") == []


def test_an_attempt_that_nobody_can_name_may_be_any_carriers() -> None:
    unsure = unsure_lines(Status.ACCEPTED, None, 1, 1_005.0)
    assert nameless(unsure, "north") == nameless(unsure, "south") == [1_005.0]
    assert nameless(unsure + settled_line(acknowledged(part(5), "77", carrier="south")), "north") == []


# --- whether a receipt may be about one of them ---------------------------------------------------------------------


def receipt(event: Event | None = Event.DELIVERED, **changes: Any) -> Receipt:
    return Receipt("north", ("15",), 1_020.0, event, "447700900123", **changes)


@pytest.mark.parametrize("event", [Event.DELIVERED, Event.UNDELIVERED, None])
def test_a_receipt_may_be_about_any_attempt_to_its_number_that_has_no_id(event: Event | None) -> None:
    assert may_be_anothers(receipt(event), part(5), [(part(6), claimed())])
    assert not may_be_anothers(receipt(event), part(5), [(part(6), claimed(carrier="south"))])
    assert not may_be_anothers(receipt(event), part(5), [])


def test_an_attempt_of_which_no_id_can_be_valid_any_more_is_none_of_them() -> None:
    assert not may_be_anothers(receipt(lifetime_s=10.0), part(5), [(part(6), claimed())])


@pytest.mark.parametrize(("event", "differs"), [(Event.DELIVERED, False), (None, False), (Event.UNDELIVERED, True)])
def test_another_attempt_of_the_same_part_counts_only_where_the_word_means_something_else_for_it(
    event: Event | None, differs: bool
) -> None:
    assert may_be_anothers(receipt(event), part(5), [(part(5), claimed())]) is differs


def test_our_own_reference_tells_the_part_but_not_the_attempt() -> None:
    echoed = Clue("", "", user_message_reference(part(5)))
    assert not may_be_anothers(receipt(clue=echoed), part(5), [(part(6), claimed())])
    assert may_be_anothers(receipt(clue=echoed), part(6), [(part(5), claimed())])
    assert may_be_anothers(receipt(Event.EXPIRED, clue=echoed), part(5), [(part(5), claimed())])
