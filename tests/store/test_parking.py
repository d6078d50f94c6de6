"""The keys under which answers find parked receipts again."""

import pytest

from connector.lifecycle import Event
from connector.model import Lost, NotSent, Receipt
from connector.store.history import Settled
from connector.store.parking import keys_of, other_forms, tie_keys
from tests.store.world import NUMBER, acknowledged, answered, lost, not_sent, part


@pytest.mark.parametrize(
    "written", ["", " ", "\0", "0", "000", "²", "x" * 65, "9" * 65, "f" * 65, "9" * 5_000, "f" * 5_000]
)
def test_forms_of_anything_are_a_few(written: str) -> None:
    assert len(other_forms(written)) <= 3


@pytest.mark.parametrize("numbers", [NUMBER, f"0{NUMBER[2:]}", f"60300 00{NUMBER}", f"{NUMBER} {NUMBER}"])
def test_a_receipt_that_may_be_anothers_is_found_by_every_answer_to_its_number_however_it_is_spelled(
    numbers: str,
) -> None:
    said = Receipt("north", ("15",), 1_020.0, Event.DELIVERED, numbers)
    found = {("north", key) for key in keys_of(acknowledged(part(5), "77"), lambda: None)}
    assert len(found & set(tie_keys(said))) == 1
    assert len(set(tie_keys(said))) == len(tie_keys(said))


@pytest.mark.parametrize(
    ("result", "keys"),
    [
        (acknowledged(part(5), "77"), ["77", "ends 00900123"]),
        (acknowledged(part(5)), ["ends 00900123"]),
        (answered(part(5), Event.REFUSED, to=""), ["ends 00900123"]),
        (answered(part(5), Event.REFUSED, attempt=2, to=""), [f"to {NUMBER}", "ends 00900123"]),
        (not_sent(part(5)), ["ends 00900123"]),
        (lost(part(5)), [f"to {NUMBER}"]),
    ],
)
def test_each_result_asks_for_what_it_was_missing_for(result: Settled, keys: list[str]) -> None:
    assert keys_of(result, lambda: NUMBER) == keys


def test_what_has_no_message_any_more_asks_for_nothing_but_its_id() -> None:
    results: list[Lost | NotSent] = [lost(part(5)), not_sent(part(5))]
    assert [keys_of(result, lambda: None) for result in results] == [[], []]
    assert keys_of(acknowledged(part(5), "77", to=""), lambda: None) == ["77"]
