"""Timers as values: lines of numbers."""

import pytest

from connector.smpp.tables import Role
from connector.smpp.timers import ESME_TIMERS, SMSC_TIMERS, Expiry, LinkTimers, Timers


def bound(timers: Timers, now: float = 0.0) -> LinkTimers:
    clock = LinkTimers.started(timers, now)
    clock.became_bound(now)
    return clock


def test_the_defaults_of_both_roles() -> None:
    assert Timers.defaults(Role.ESME) is ESME_TIMERS
    assert Timers.defaults(Role.SMSC) is SMSC_TIMERS
    assert (ESME_TIMERS.session_init_s, ESME_TIMERS.inactivity_s, ESME_TIMERS.enquire_link_s) == (
        None,
        None,
        30,
    )
    assert (SMSC_TIMERS.session_init_s, SMSC_TIMERS.inactivity_s) == (10, 120)


@pytest.mark.parametrize("field", ["response_s", "enquire_link_s", "partial_pdu_s", "unbind_s"])
def test_a_timer_of_zero_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        Timers(**{field: 0})


def test_an_smsc_waits_ten_seconds_for_a_bind() -> None:
    clock = LinkTimers.started(SMSC_TIMERS, 100.0)
    assert clock.next_due() == 110.0
    assert clock.expired(109.9) == []
    assert clock.expired(110.0) == [Expiry.SESSION_INIT]


def test_nothing_runs_on_an_esme_before_it_binds() -> None:
    assert LinkTimers.started(ESME_TIMERS, 100.0).next_due() is None


def test_the_bind_response_timer_stops_when_the_session_is_bound() -> None:
    clock = LinkTimers.started(ESME_TIMERS, 0.0)
    clock.bind_sent_at = 1.0
    assert clock.expired(16.0) == [Expiry.BIND_RESPONSE]
    clock.became_bound(2.0)
    assert clock.expired(16.0) == []


def test_silence_brings_an_enquire_link_and_any_octets_put_it_off() -> None:
    clock = bound(ESME_TIMERS)
    assert clock.next_due() == 30.0
    clock.heard(20.0)
    assert clock.expired(49.9) == []
    assert clock.expired(50.0) == [Expiry.ENQUIRE_LINK]


def test_one_unanswered_enquire_link_is_forgiven_and_the_second_is_not() -> None:
    clock = bound(ESME_TIMERS)
    clock.enquired(30.0)
    assert clock.expired(39.9) == []
    assert clock.expired(40.0) == [Expiry.ENQUIRE_LINK_RESPONSE]
    assert not clock.enquiry_failed
    clock.enquired(40.0)
    assert clock.expired(50.0) == [Expiry.ENQUIRE_LINK_RESPONSE]
    assert clock.enquiry_failed


def test_other_traffic_answers_an_enquire_link() -> None:
    clock = bound(ESME_TIMERS)
    clock.enquired(30.0)
    clock.heard(35.0)
    assert clock.expired(40.0) == []
    assert clock.next_due() == 65.0


def test_inactivity_counts_from_the_last_real_pdu() -> None:
    clock = bound(Timers(inactivity_s=120.0, enquire_link_s=None))
    clock.active_at = 50.0
    clock.heard(100.0)
    assert clock.expired(169.9) == []
    assert clock.expired(170.0) == [Expiry.INACTIVITY]


def test_the_partial_pdu_timer_counts_from_the_first_octets_of_that_pdu() -> None:
    clock = bound(Timers(enquire_link_s=None))
    clock.received(1.0, whole=False, partial=True)
    clock.received(9.0, whole=False, partial=True)
    assert clock.next_due() == 11.0
    clock.received(10.0, whole=True, partial=True)
    assert clock.next_due() == 20.0
    clock.received(12.0, whole=True, partial=False)
    assert clock.next_due() is None


def test_after_unbind_only_its_own_timer_runs() -> None:
    clock = bound(SMSC_TIMERS)
    clock.enquired(30.0)
    clock.ended()
    assert clock.next_due() is None
    clock.unbind_sent_at = 31.0
    assert clock.expired(36.0) == [Expiry.UNBIND]


def test_every_timer_can_be_switched_off_that_may_be() -> None:
    clock = bound(Timers(session_init_s=None, enquire_link_s=None, inactivity_s=None, partial_pdu_s=None))
    clock.received(1.0, whole=False, partial=True)
    assert clock.next_due() is None
