"""What an operator should know of is kept, counted and logged."""

import logging

import pytest

from connector.pipeline.notices import KEPT, Kind, Notices


def test_a_notice_has_a_number_that_only_grows() -> None:
    notices = Notices()
    for number in range(3):
        notices.give(Kind.UNBOUND, f"carrier {number}: no bind is up", 10.0 + number, carrier="north")
    assert [(notice.seq, notice.at) for notice in notices.latest()] == [(1, 10.0), (2, 11.0), (3, 12.0)]


def test_only_the_latest_are_kept_and_all_are_counted() -> None:
    notices = Notices()
    for number in range(KEPT + 10):
        notices.give(Kind.BOUND, "again", float(number))
    found = notices.latest()
    assert (len(found), found[0].seq, found[-1].seq, notices.count) == (KEPT, 11, KEPT + 10, KEPT + 10)


@pytest.mark.parametrize("kind", Kind)
def test_each_is_logged_and_what_ended_a_message_as_an_error(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    Notices().give(kind, "one sentence", 0.0)
    [record] = caplog.records
    assert record.getMessage() == f"{kind}: one sentence"
    alarming = kind in (Kind.SET_ASIDE, Kind.OUR_ENCODING)
    assert record.levelno == (logging.ERROR if alarming else logging.WARNING)
