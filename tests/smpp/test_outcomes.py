"""What a status means."""

import pytest

from connector.smpp import tables
from connector.smpp.outcomes import (
    OUTCOME_OF_CLASS,
    Outcome,
    class_of,
    is_our_encoding,
    outcome_of,
    status_name,
)
from connector.smpp.tables import StatusClass


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (tables.ESME_ROK, Outcome.ACCEPTED),
        (tables.ESME_RTHROTTLED, Outcome.SLOW_DOWN),
        (tables.ESME_RMSGQFUL, Outcome.SLOW_DOWN),
        (tables.ESME_RSYSERR, Outcome.RETRY_LATER),
        (tables.ESME_RX_T_APPN, Outcome.RETRY_LATER),
        (tables.ESME_RINVSRCADR, Outcome.OTHER_ROUTE),
        (tables.ESME_RSUBMITFAIL, Outcome.OTHER_ROUTE),
        (tables.ESME_RINVDSTADR, Outcome.REFUSED),
        (tables.ESME_RINVESMCLASS, Outcome.REFUSED),
        (tables.ESME_RINVBNDSTS, Outcome.BIND_SICK),
        (0x00000499, Outcome.OTHER_ROUTE),
        (0x00000022, Outcome.OTHER_ROUTE),
        (0xFFFFFFFF, Outcome.OTHER_ROUTE),
    ],
)
def test_a_status_asks_for_one_thing(status: int, outcome: Outcome) -> None:
    assert outcome_of(status) is outcome


def test_every_listed_status_and_every_class_has_an_outcome() -> None:
    assert set(OUTCOME_OF_CLASS) == set(StatusClass)
    assert {outcome_of(row.command_status) for row in tables.STATUSES} == set(Outcome)


def test_the_carriers_own_table_wins() -> None:
    overrides = {0x401: Outcome.BIND_SICK, tables.ESME_RINVDSTADR: Outcome.OTHER_ROUTE}
    assert outcome_of(0x401, overrides) is Outcome.BIND_SICK
    assert outcome_of(tables.ESME_RINVDSTADR, overrides) is Outcome.OTHER_ROUTE
    assert outcome_of(tables.ESME_RTHROTTLED, overrides) is Outcome.SLOW_DOWN


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (0, Outcome.RETRY_LATER),
        (1, Outcome.REFUSED),
        (2, Outcome.REFUSED),
        (3, Outcome.RETRY_LATER),
        (9, Outcome.RETRY_LATER),
    ],
)
def test_a_failed_delivery_is_judged_by_its_reason(reason: int, outcome: Outcome) -> None:
    assert outcome_of(tables.ESME_RDELIVERYFAILURE, delivery_failure_reason=reason) is outcome


def test_a_refusal_that_blames_our_octets_is_told_apart_from_one_that_blames_the_message() -> None:
    assert is_our_encoding(tables.ESME_RINVESMCLASS)
    assert not is_our_encoding(tables.ESME_RINVDSTADR)
    assert not is_our_encoding(0x499)
    assert not is_our_encoding(tables.ESME_RINVTLVVAL, {tables.ESME_RINVTLVVAL: Outcome.REFUSED})


def test_names_of_known_and_unknown_statuses() -> None:
    assert status_name(0x58) == "ESME_RTHROTTLED"
    assert status_name(0x499) == "0x00000499"
    assert class_of(0x499) is StatusClass.ROUTE
