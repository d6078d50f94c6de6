"""What worlds hold lanes, retries, operators and stops to: each judgment by itself."""

from connector.config import DialectConfig, LaneConfig, RetryConfig
from connector.lifecycle import Event
from connector.model import InboundMessage, TimelineEntry
from tests.simulation.promises import (
    Farewell,
    LaneClaims,
    Stop,
    Suspended,
    breaks_too_many,
    doubts_of_a_stop,
    is_of,
    misread,
    too_many_tries,
    untold_deadline,
)

FORM = {"from": "447700800{n:03}", "text": "a long one {n}"}


def answered(*said: str, event: Event = Event.DEFERRED) -> list[TimelineEntry]:
    return [
        TimelineEntry(at=float(number), part=1, event=event, carrier="north", attempt=number, detail=each)
        for number, each in enumerate(said, 1)
    ]


def told(sender: str, text: str, missing: tuple[int, ...] = ()) -> InboundMessage:
    return InboundMessage(id=1, carrier="north", at=0.0, sender=sender, to="60777", text=text, missing=missing)


def test_an_attempt_beyond_those_that_count_is_one_too_many() -> None:
    history = answered("ESME_RSYSERR", "ESME_RSYSERR")
    assert too_many_tries(history, RetryConfig(attempts=3)) is None
    assert too_many_tries(history, RetryConfig(attempts=2))


def test_slow_downs_and_sick_binds_do_not_count_as_attempts() -> None:
    history = answered("ESME_RTHROTTLED", "ESME_RMSGQFUL", "ESME_RINVBNDSTS")
    assert too_many_tries(history, RetryConfig(attempts=1)) is None


def test_the_late_answer_of_a_doubt_does_not_count() -> None:
    history = [*answered("no_answer", event=Event.LOST), *answered("ESME_RSYSERR")]
    assert too_many_tries(history, RetryConfig(attempts=1)) is None


def test_a_part_that_broke_its_binds_is_set_aside() -> None:
    history = answered("ESME_RINVBNDSTS", "ESME_RSYSERR")
    assert breaks_too_many(history, RetryConfig(set_aside_after=2)) is None
    assert breaks_too_many(history, RetryConfig(set_aside_after=1))


def test_a_lane_is_too_fast_by_the_claims_of_one_life_in_any_order() -> None:
    lane, claims = LaneConfig(max_rate_per_s=2.0), LaneClaims()
    assert [claims.too_fast(1, "otp", lane, at) for at in (10.0, 11.0, 10.5, 11.5)] == [None] * 4
    assert claims.too_fast(2, "otp", lane, 10.7) is None
    assert claims.too_fast(1, "otp", lane, 10.7)


def test_what_was_claimed_before_a_carrier_was_suspended_may_leave() -> None:
    suspended = Suspended(1, 10.0, kept=False)
    assert not suspended.forbids(1, 10.0)
    assert suspended.forbids(1, 10.1)


def test_a_suspension_holds_for_lives_to_come_if_it_is_kept() -> None:
    assert Suspended(1, 10.0, kept=True).forbids(2, 5.0)
    assert not Suspended(1, 10.0, kept=False).forbids(2, 15.0)


def test_a_carrier_is_told_what_remains_of_a_deadline() -> None:
    relative = DialectConfig(validity_cap_s=60.0)
    assert untold_deadline(None, 30.0, relative)
    assert untold_deadline(20.0, 30.0, relative)
    assert untold_deadline(29.0, 30.0, relative) is None
    assert untold_deadline(60.0, 300.0, relative) is None
    assert untold_deadline(None, 30.0, DialectConfig(validity="none")) is None


def test_a_subscribers_text_is_known_by_the_sender() -> None:
    assert misread(told("447700800012", "a long one 12"), [FORM]) is None
    assert misread(told("447700800012", "one 12 a long "), [FORM])


def test_only_whole_messages_of_the_simulators_handsets_are_judged() -> None:
    assert is_of(told("447700800012", ""), [FORM])
    assert not is_of(told("447700800012", "", missing=(2,)), [FORM])
    assert not is_of(told("447700999012", ""), [FORM])


def test_a_link_without_unbind_is_fine_only_if_it_was_beyond_help() -> None:
    nothing = {"unbound": False, "ended_outside": False, "deaf": False, "blocked": False, "garbled": False}
    assert not Farewell(**nothing).is_fine
    assert all(Farewell(**{**nothing, why: True}).is_fine for why in nothing)


def test_a_doubt_in_a_stop_needs_a_link_in_trouble_or_the_whole_time() -> None:
    lost = TimelineEntry(at=102.0, part=1, event=Event.LOST, carrier="north", attempt=1, detail="link_lost")
    calm = Stop(0.0, 100.0, frozenset(), 0)
    assert doubts_of_a_stop(calm, [lost], 110.0, {"north": 5.0})
    assert not doubts_of_a_stop(calm, [lost], 110.0, {"north": 2.0})
    assert not doubts_of_a_stop(Stop(0.0, 100.0, frozenset(), 0, troubled={"north"}), [lost], 110.0, {"north": 5.0})
