"""The small rules of the values: ids, parts, and the conservation law."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model import (
    Ledger,
    Message,
    SendRequest,
    Verdict,
    Verification,
    format_id,
    is_whole,
    parse_id,
    part_id,
)

IDS = st.integers(0, 2**55 - 1)


@given(IDS)
def test_an_id_survives_its_text(message_id: int) -> None:
    assert parse_id(format_id(message_id)) == message_id
    assert len(format_id(message_id)) == 11


@given(IDS, IDS)
def test_texts_of_ids_sort_as_the_ids(one: int, other: int) -> None:
    assert (format_id(one) < format_id(other)) == (one < other)


@pytest.mark.parametrize(
    "text",
    ["", "0" * 10, "0" * 12, "0" * 10 + "i", "0" * 10 + "O", "0" * 10 + " ", "0" * 10 + "é", "-" + "0" * 10],
)
def test_what_is_no_id_is_none(text: str) -> None:
    assert parse_id(text) is None


def test_an_id_of_a_part_tells_whether_it_is_the_whole_message() -> None:
    assert is_whole(part_id(5, 0))
    assert not is_whole(part_id(5, 1))
    assert part_id(5, 255) >> 8 == 5


def message(bounds: tuple[tuple[int, int], ...], text: str = "hello") -> Message:
    return Message(
        id=7,
        api_key="shop",
        lane="otp",
        queue=1,
        to="447911123456",
        sender="ACME",
        text=text,
        alphabet="gsm",
        reference=9,
        bounds=bounds,
        created_at=0,
        deadline=60,
    )


def test_one_part_is_numbered_as_the_whole() -> None:
    [part] = message(((0, 5),)).parts()
    assert (part.id, part.number, part.total, part.text) == (7 << 8, 1, 1, "hello")


def test_parts_are_slices_of_the_text_in_order() -> None:
    parts = message(((0, 3), (3, 5))).parts()
    assert [(part.id & 0xFF, part.number, part.total, part.text) for part in parts] == [
        (1, 1, 2, "hel"),
        (2, 2, 2, "lo"),
    ]
    assert {part.message_id for part in parts} == {7}


def test_a_request_and_a_message_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        SendRequest(to="1").to = "2"  # type: ignore[misc]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        message(((0, 5),)).to = "2"  # type: ignore[misc]


def test_the_imbalance_counts_what_is_missing_and_what_is_too_much() -> None:
    whole = Ledger(accepted=3, messages={"sent": 2, "failed": 1}, parts_accepted=4, parts={"sent": 4}, parked=0)
    assert whole.imbalance == 0
    assert attrs.evolve(whole, accepted=4).imbalance == 1
    assert attrs.evolve(whole, accepted=2, parts={"sent": 2}).imbalance == 3


def test_a_verification_with_a_problem_is_not_ok() -> None:
    ledger = Ledger(accepted=0, messages={}, parts_accepted=0, parts={}, parked=0)
    assert Verification(ledger=ledger, problems=()).ok
    assert not Verification(ledger=ledger, problems=("one row too many",)).ok


def test_a_row_is_accepted_when_it_is_kept_and_nothing_speaks_against_it() -> None:
    assert Verdict(message=5).accepted
    assert Verdict(message=5, replayed=True).accepted
    assert not Verdict(reason="number_invalid").accepted
    assert not Verdict(message=5, reason="client_ref_reused").accepted
