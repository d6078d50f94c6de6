"""The error codes of receipts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.smpp.delivery_errors import GSM_ERRORS, DeliveryReason, error_of_err, error_of_network_code


def test_a_code_has_one_row() -> None:
    assert len({row.code for row in GSM_ERRORS}) == len(GSM_ERRORS)


@pytest.mark.parametrize("row", GSM_ERRORS, ids=lambda row: str(row.code))
def test_a_code_of_gsm_reads_alike_in_every_form(row: object) -> None:
    code, error = row.code, row.error  # type: ignore[attr-defined]
    assert error_of_network_code(bytes([3, 0, code])) is error
    assert error_of_network_code(bytes([code])) is error
    assert error_of_network_code(b"%03d" % code) is error
    assert error_of_err(f"{code:03}") is error_of_err(str(code)) is error


def test_the_subscriber_who_is_away_may_come_back_and_the_one_who_does_not_exist_may_not() -> None:
    away, nobody = error_of_err("027"), error_of_err("001")
    assert away is not None
    assert nobody is not None
    assert (away.reason, away.temporary) == (DeliveryReason.ABSENT_SUBSCRIBER, True)
    assert (nobody.reason, nobody.temporary) == (DeliveryReason.UNKNOWN_SUBSCRIBER, False)


@pytest.mark.parametrize("value", [b"", b"\x03\x00\x00", b"\x01\x00\x1b", b"\x08\x00\x01", b"000", b"\x03\x1b"])
def test_another_network_and_no_error_have_no_reading(value: bytes) -> None:
    assert error_of_network_code(value) is None


@given(value=st.binary(max_size=6), err=st.text(max_size=12))
def test_nothing_a_carrier_writes_raises(value: bytes, err: str) -> None:
    error_of_network_code(value)
    error_of_err(err)
