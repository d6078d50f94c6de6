"""One carrier's spellings of the ids it gives, and of how far a message came."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.carrier.dialect import Dialect
from connector.config import DialectConfig
from connector.config.dialect import ErrorConfig, profile_names
from connector.lifecycle import Event
from connector.smpp import tables
from connector.smpp.delivery_errors import DeliveryReason
from connector.smpp.events import Answered
from connector.smpp.outcomes import Outcome
from connector.smpp.pdu import SubmitSmResp, tlv
from connector.smpp.receipt import MessageState
from connector.smpp.versions import Tlvs

HEX_DECIMAL = Dialect(DialectConfig(id_in_response="hex", id_in_receipt="decimal"))
SAME = Dialect(DialectConfig())


def dialect_of(**values: Any) -> Dialect:
    return Dialect(DialectConfig(**values))


@given(st.integers(1, 2**63), st.integers(0, 20))
def test_hex_in_the_response_and_decimal_in_the_receipt_meet(number: int, zeros: int) -> None:
    response = HEX_DECIMAL.key_of_response("0" * zeros + f"{number:X}")
    assert HEX_DECIMAL.ids_of_receipt(None, "0" * zeros + str(number))[0] == (response,)


@pytest.mark.parametrize("spelling", ["00AB12", "ab12", "AB12 ", "0000000000ab12", "ab12\0"])
def test_zeros_case_and_padding_make_no_difference(spelling: str) -> None:
    assert SAME.key_of_response(spelling) == "ab12"


def test_ids_that_are_not_of_the_base_stay_text() -> None:
    uuid = "6f1c2a34-0000-4c3d-9b1e-1234567890AB"
    assert HEX_DECIMAL.key_of_response(uuid) == uuid.lower()


@given(st.integers(1, 2**130), st.integers(0, 20))
def test_decimal_in_the_response_and_hex_in_the_receipt_meet(number: int, zeros: int) -> None:
    dialect = dialect_of(id_in_response="decimal", id_in_receipt="hex")
    response = dialect.key_of_response(str(number))
    assert dialect.ids_of_receipt(None, "0" * zeros + f"{number:x}")[0] == (response,)


@given(st.uuids(), st.sampled_from(["same", "hex", "decimal"]), st.sampled_from(["same", "hex", "decimal"]))
def test_a_uuid_is_found_in_any_case_with_and_without_dashes(uuid: Any, response: Any, receipt: Any) -> None:
    dialect = dialect_of(id_in_response=response, id_in_receipt=receipt)
    for spelling in (str(uuid), uuid.hex):
        if not (spelling.isdecimal() and response != receipt):
            assert dialect.ids_of_receipt(None, spelling.upper())[0] == (dialect.key_of_response(spelling),)


@pytest.mark.parametrize("base", ["hex", "decimal"])
@given(number=st.integers(1, 2**63))
def test_same_on_one_side_means_as_on_the_other(base: Any, number: int) -> None:
    spelled = f"{number:x}" if base == "hex" else str(number)
    for dialect in (dialect_of(id_in_response=base), dialect_of(id_in_receipt=base)):
        assert set(dialect.ids_of_receipt(spelled, "000" + spelled.upper())[0]) == {dialect.key_of_response(spelled)}


def test_the_tlv_may_be_spelled_in_a_way_of_its_own() -> None:
    dialect = dialect_of(id_in_response="decimal", id_in_receipt="decimal", id_in_tlv="hex")
    assert set(dialect.ids_of_receipt("38601FA", "0059113978")[0]) == {dialect.key_of_response("59113978")}


@pytest.mark.parametrize("spelling", ["1_0", "+10", "-10", "\u0661\u0660"])
def test_what_only_python_takes_for_a_number_is_none(spelling: str) -> None:
    assert HEX_DECIMAL.key_of_response("A") == "10"
    assert HEX_DECIMAL.ids_of_receipt(None, spelling)[0] == (spelling,)


def test_a_hexadecimal_id_may_say_that_it_is_one() -> None:
    assert HEX_DECIMAL.key_of_response("0xFF") == "255"


@pytest.mark.parametrize("nothing", ["", " ", "\0"])
def test_a_response_without_an_id_has_no_key(nothing: str) -> None:
    assert SAME.key_of_response(nothing) is None


def test_zero_is_an_id() -> None:
    assert SAME.key_of_response("0000") == SAME.key_of_response("0") == "0"


def test_the_tlv_is_spelled_as_the_response_and_the_text_as_the_receipt() -> None:
    assert HEX_DECIMAL.ids_of_receipt("FF", "255")[0] == ("255", "255")
    assert HEX_DECIMAL.ids_of_receipt("FF", "256")[0] == ("255", "256")
    assert SAME.ids_of_receipt(None, None)[0] == ()


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


# --- statuses ---------------------------------------------------------------------------------------------------------


def answered(status: int, *tlvs: Any) -> Answered:
    return Answered(None, status, "", 0.0, False, SubmitSmResp(command_status=status, tlvs=tlvs))


def test_a_status_means_what_the_table_says_unless_the_carrier_says_otherwise() -> None:
    own = dialect_of(outcomes={"ESME_RSUBMITFAIL": "refused", "0x0400": "slow_down", "1025": "bind_sick"})
    assert SAME.outcome_of(0) is own.outcome_of(0, answered(0)) is Outcome.ACCEPTED
    assert own.outcome_of(tables.ESME_RSUBMITFAIL) is Outcome.REFUSED
    assert SAME.outcome_of(tables.ESME_RSUBMITFAIL) is not Outcome.REFUSED
    assert (SAME.outcome_of(0x400), own.outcome_of(0x400)) == (Outcome.OTHER_ROUTE, Outcome.SLOW_DOWN)
    assert own.outcome_of(0x401) is Outcome.BIND_SICK


def test_why_a_delivery_failed_is_read_from_its_tlv() -> None:
    status = tables.ESME_RDELIVERYFAILURE
    permanent, temporary = (tlv("delivery_failure_reason", number) for number in (2, 3))
    assert SAME.outcome_of(status, answered(status, permanent)) is Outcome.REFUSED
    assert SAME.outcome_of(status, answered(status, temporary)) is Outcome.RETRY_LATER
    own = dialect_of(outcomes={"ESME_RDELIVERYFAILURE": "refused"})
    assert own.outcome_of(status, answered(status, temporary)) is Outcome.REFUSED


# --- errors of receipts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("err", "network_error_code", "reason", "temporary"),
    [
        ("027", None, "absent_subscriber", True),
        ("1", None, "unknown_subscriber", False),
        ("", bytes([3, 0, 32]), "memory_full", True),
        ("999", bytes([3, 0, 13]), "barred", False),
        (None, b"027", "absent_subscriber", True),
        (None, b"\x01", "unknown_subscriber", False),
        ("001", bytes([3, 0, 27]), "absent_subscriber", True),  # the TLV names its network, err does not
    ],
)
def test_codes_of_gsm_come_to_a_reason(
    err: str | None, network_error_code: bytes | None, reason: str, temporary: bool
) -> None:
    found = SAME.error_of(err, network_error_code)
    assert found is not None
    assert (found.reason, found.temporary) == (reason, temporary)


@pytest.mark.parametrize(
    ("err", "network_error_code"),
    [
        (None, None),
        ("000", None),
        ("4A6", None),
        ("E_NET", b""),
        ("999", bytes([8, 0, 1])),
        ("1" * 5000, bytes([3, 0])),
    ],
)
def test_codes_that_say_nothing_have_no_reason(err: str | None, network_error_code: bytes | None) -> None:
    assert SAME.error_of(err, network_error_code) is None


def test_a_carrier_s_own_codes_come_first() -> None:
    errors = {
        "027": ErrorConfig(reason="do_not_disturb", temporary=False),
        "4a6": ErrorConfig(reason="blocked", temporary=False),
        "0x03001b": ErrorConfig(reason="no_credit", temporary=True),
    }
    own = dialect_of(errors=errors)
    for err, code, reason in (
        ("27", None, DeliveryReason.DO_NOT_DISTURB),
        ("00004A6", bytes([3, 0, 1]), DeliveryReason.BLOCKED),
        (None, bytes([3, 0, 27]), DeliveryReason.NO_CREDIT),
        ("001", None, DeliveryReason.UNKNOWN_SUBSCRIBER),
    ):
        found = own.error_of(err, code)
        assert found is not None
        assert found.reason is reason
    assert dialect_of(errors=errors, error_codes="own").error_of("001", None) is None


# --- the rest ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_makes_a_dialect(name: str) -> None:
    assert dialect_of(profile=name).config.profile == name


def test_a_dialect_takes_a_configuration_nobody_has_checked() -> None:
    unchecked = dialect_of(outcomes={"ESME_RTHROTLED": "refused", "0": "refused"}, always={"odd": 1})
    assert unchecked.outcome_of(0) is Outcome.ACCEPTED
    assert unchecked.outcome_of(tables.ESME_RTHROTTLED) is Outcome.SLOW_DOWN


def test_an_id_of_too_many_digits_is_text() -> None:
    assert HEX_DECIMAL.key_of_response("f" * 5_000) == "f" * 5_000
    assert HEX_DECIMAL.ids_of_receipt(None, "9" * 5_000)


def test_whether_tlvs_are_sent_is_the_session_s_to_keep() -> None:
    assert [dialect_of(tlvs=word).tlvs for word in ("auto", "always", "never")] == [
        Tlvs.AUTO,
        Tlvs.ALWAYS,
        Tlvs.NEVER,
    ]
