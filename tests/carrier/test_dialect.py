"""One carrier's spellings of the ids it gives, and of how far a message came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.carrier.dialect import Dialect
from connector.config import DialectConfig
from connector.lifecycle import Event
from connector.smpp.receipt import MessageState

HEX_DECIMAL = Dialect(DialectConfig(id_in_response="hex", id_in_receipt="decimal"))
SAME = Dialect(DialectConfig())


@given(st.integers(1, 2**63), st.integers(0, 20))
def test_hex_in_the_response_and_decimal_in_the_receipt_meet(number: int, zeros: int) -> None:
    response = HEX_DECIMAL.key_of_response("0" * zeros + f"{number:X}")
    assert HEX_DECIMAL.keys_of_receipt(None, "0" * zeros + str(number)) == (response,)


@pytest.mark.parametrize("spelling", ["00AB12", "ab12", "AB12 ", "0000000000ab12", "ab12\0"])
def test_zeros_case_and_padding_make_no_difference(spelling: str) -> None:
    assert SAME.key_of_response(spelling) == "ab12"


def test_ids_that_are_not_of_the_base_stay_text() -> None:
    uuid = "6f1c2a34-0000-4c3d-9b1e-1234567890AB"
    assert HEX_DECIMAL.key_of_response(uuid) == uuid.lower()


@pytest.mark.parametrize("nothing", ["", " ", "\0"])
def test_a_response_without_an_id_has_no_key(nothing: str) -> None:
    assert SAME.key_of_response(nothing) is None


def test_zero_is_an_id() -> None:
    assert SAME.key_of_response("0000") == SAME.key_of_response("0") == "0"


def test_the_tlv_is_spelled_as_the_response_and_the_text_as_the_receipt() -> None:
    assert HEX_DECIMAL.keys_of_receipt("FF", "255") == ("255",)
    assert HEX_DECIMAL.keys_of_receipt("FF", "256") == ("255", "256")
    assert SAME.keys_of_receipt(None, None) == ()


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (MessageState.DELIVERED, Event.DELIVERED),
        (MessageState.UNDELIVERABLE, Event.UNDELIVERED),
        (MessageState.DELETED, Event.UNDELIVERED),
        (MessageState.SKIPPED, Event.UNDELIVERED),
        (MessageState.EXPIRED, Event.EXPIRED),
        (MessageState.REJECTED, Event.REJECTED),
        (MessageState.ENROUTE, None),
        (MessageState.SCHEDULED, None),
        (MessageState.ACCEPTED, None),
        (MessageState.UNKNOWN, None),
    ],
)
def test_states_of_receipts(state: MessageState, event: Event | None) -> None:
    assert SAME.event_of(state) is event


def test_acceptd_is_the_last_word_of_some_carriers() -> None:
    assert Dialect(DialectConfig(accepted_is_final=True)).event_of(MessageState.ACCEPTED) is Event.DELIVERED
