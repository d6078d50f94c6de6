"""The rules every engine follows, by themselves."""

import itertools

import pytest

from connector.lifecycle import FINAL, Event, Status, move
from connector.store.rules import after_wish, fitting, same_number


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


@pytest.mark.parametrize(
    ("candidates", "number", "sure", "found"),
    [
        ([], "447700900123", True, None),
        ([(5, "447700900123")], "", True, 5),
        ([(5, "447700900123")], "447700900999", True, None),
        ([(5, "447700900123")], "900999", True, 5),
        ([(5, "447700900123")], "447700900999 447700900123", True, 5),
        ([(5, "447700900123")], "07700900123", False, 5),
        ([(5, "447700900123")], "447700900999", False, None),
        ([(5, "447700900123")], "447700900123", False, 5),
        ([(6, "447700900999"), (5, "447700900123")], "447700900123", True, 5),
        ([(6, "447700900123"), (5, "447700900123")], "447700900123", True, 6),
        ([(6, "447700900999"), (5, "447700900123")], "", True, None),
    ],
)
def test_a_receipt_fits_one_part_or_none(
    candidates: list[tuple[int, str]], number: str, sure: bool, found: int | None
) -> None:
    assert fitting(candidates, number, sure=sure) == found


@pytest.mark.parametrize(("status", "event"), list(itertools.product(Status, Event)))
def test_a_wish_goes_along_the_table_or_nowhere(status: Status, event: Event) -> None:
    new = after_wish(status, 1.0, event)
    assert new in (None, move(status, event))
    if status in FINAL | {Status.SENDING} or event is Event.CLAIMED:
        assert new is None
    if event in (Event.CANCELLED, Event.EXPIRED):
        assert (new is not None) == (status in (Status.SCHEDULED, Status.ACCEPTED))
    assert (after_wish(status, None, event) is None) == (new is None or event is Event.DUE)
