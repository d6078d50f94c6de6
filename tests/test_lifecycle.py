"""Every pair of status and event is either in the table or refused; a message's status follows from its parts'."""

import itertools

import pytest

from connector.lifecycle import FINAL, LIVE, STILL_IN_DOUBT, TRANSITIONS, Event, Status, message_status, move

RECEIPTS = {Event.DELIVERED, Event.UNDELIVERED, Event.EXPIRED, Event.REJECTED}
UNSURE = {Event.DEFERRED, Event.REROUTED, Event.NOT_WRITTEN, Event.REFUSED, Event.EXHAUSTED}
"""What says of one attempt that the carrier does not have the part."""


@pytest.mark.parametrize(("status", "event"), list(itertools.product(Status, Event)))
def test_every_pair_is_either_in_the_table_or_refused(status: Status, event: Event) -> None:
    assert move(status, event) == TRANSITIONS[status].get(event)


def test_every_status_is_live_or_final_and_has_a_row() -> None:
    assert LIVE | FINAL == set(Status) == set(TRANSITIONS)
    assert not LIVE & FINAL


@pytest.mark.parametrize("status", sorted(FINAL - {Status.UNKNOWN}))
@pytest.mark.parametrize("event", Event)
def test_a_final_status_never_moves(status: Status, event: Event) -> None:
    assert move(status, event) is None


@pytest.mark.parametrize("event", Event)
def test_unknown_moves_by_a_late_receipt_only(event: Event) -> None:
    assert (move(Status.UNKNOWN, event) is not None) == (event in RECEIPTS)


@pytest.mark.parametrize("status", sorted(LIVE))
def test_every_live_status_can_end(status: Status) -> None:
    reached, grown = {status}, True
    while grown:
        more = {new for old in reached for new in TRANSITIONS[old].values()}
        grown = not more <= reached
        reached |= more
    assert reached & FINAL


def test_only_a_claim_puts_a_part_on_the_wire() -> None:
    doors = {(status, event) for status in Status for event in Event if move(status, event) is Status.SENDING}
    assert doors == {(Status.ACCEPTED, Event.CLAIMED), (Status.IN_DOUBT, Event.CLAIMED)}


def test_a_carrier_that_does_not_have_the_part_lets_it_wait_again() -> None:
    assert move(Status.SENDING, Event.DEFERRED) is Status.ACCEPTED
    assert move(Status.SENDING, Event.NOT_WRITTEN) is Status.ACCEPTED
    assert move(Status.IN_DOUBT, Event.DEFERRED) is Status.ACCEPTED


@pytest.mark.parametrize("event", [Event.CANCELLED, Event.POSTPONED])
def test_what_may_be_out_is_not_taken_back(event: Event) -> None:
    for status in (Status.SENDING, Status.SENT, Status.IN_DOUBT):
        assert move(status, event) is None


def test_only_the_carrier_takes_back_what_it_has() -> None:
    assert [status for status in Status if move(status, Event.RECALLED)] == [Status.SENT]
    assert move(Status.SENT, Event.RECALLED) is Status.CANCELLED


@pytest.mark.parametrize("doubts", [1, 2, 7])
@pytest.mark.parametrize(
    ("status", "event"), list(itertools.product([Status.SENDING, Status.IN_DOUBT], sorted(UNSURE)))
)
def test_while_an_attempt_is_in_doubt_no_answer_says_that_the_carrier_has_nothing(
    status: Status, event: Event, doubts: int
) -> None:
    """Neither that the part may be sent as if it never was, nor that it surely came to nothing."""
    without, new = move(status, event), move(status, event, doubts=doubts)
    assert (new is None) == (without is None)
    assert new in (None, Status.IN_DOUBT, Status.UNKNOWN)
    assert (new in FINAL) == (without in FINAL)


@pytest.mark.parametrize("doubts", [0, 1, 7])
@pytest.mark.parametrize(("status", "event"), list(itertools.product(Status, sorted(set(Event) - UNSURE))))
def test_doubts_change_nothing_of_what_is_not_an_answer_of_that_kind(status: Status, event: Event, doubts: int) -> None:
    assert move(status, event, doubts=doubts) is move(status, event)


@pytest.mark.parametrize("doubts", [1, 7])
@pytest.mark.parametrize(("status", "event"), list(itertools.product(Status, Event)))
def test_doubts_open_no_way_that_is_not_in_the_table(status: Status, event: Event, doubts: int) -> None:
    new = move(status, event, doubts=doubts)
    assert new in (move(status, event), STILL_IN_DOUBT.get(move(status, event)))  # type: ignore[arg-type]
    assert status in LIVE or new is move(status, event)


def test_what_is_sent_again_is_sent_in_spite_of_its_doubt() -> None:
    assert move(Status.IN_DOUBT, Event.DUE) is Status.IN_DOUBT
    assert move(Status.IN_DOUBT, Event.HELD) is Status.IN_DOUBT
    assert move(Status.SENDING, Event.ACKNOWLEDGED, doubts=3) is Status.SENT
    assert move(Status.SENDING, Event.LOST, doubts=3) is Status.IN_DOUBT


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([Status.DELIVERED], Status.DELIVERED),
        ([Status.DELIVERED, Status.DELIVERED], Status.DELIVERED),
        ([Status.DELIVERED, Status.SENT], Status.SENT),
        ([Status.DELIVERED, Status.ACCEPTED], Status.ACCEPTED),
        ([Status.SENT, Status.SENDING], Status.SENDING),
        ([Status.REJECTED, Status.SENT], Status.SENT),  # live while any part is
        ([Status.SENDING, Status.IN_DOUBT], Status.IN_DOUBT),  # somebody should look at it
        ([Status.SCHEDULED, Status.SCHEDULED], Status.SCHEDULED),
        ([Status.DELIVERED, Status.FAILED], Status.FAILED),
        ([Status.FAILED, Status.REJECTED], Status.REJECTED),
        ([Status.EXPIRED, Status.FAILED], Status.FAILED),
        ([Status.UNKNOWN, Status.EXPIRED], Status.EXPIRED),
        ([Status.CANCELLED, Status.UNKNOWN], Status.UNKNOWN),
        ([Status.CANCELLED, Status.DELIVERED], Status.CANCELLED),
    ],
)
def test_a_message_is_what_its_parts_are(parts: list[Status], expected: Status) -> None:
    assert message_status(parts) is expected
    assert message_status(reversed(parts)) is expected


@pytest.mark.parametrize("pair", list(itertools.combinations_with_replacement(Status, 2)))
def test_a_message_is_final_only_when_all_its_parts_are(pair: tuple[Status, Status]) -> None:
    assert (message_status(pair) in FINAL) == (set(pair) <= FINAL)
