"""What holds a carrier back, from facts alone."""

import attrs
import pytest

from connector.pipeline.limited import (
    LARGEST_WINDOW,
    SAMPLES,
    Cause,
    Facts,
    History,
    advised_window,
    limited_by,
    scope_words,
    shown_s,
)

FREE = Facts(waiting=10, binds=1, places=50, free=50)
"""Something waits, and every place is free."""
FULL = attrs.evolve(FREE, free=0, contract_per_s=100.0, response_p99_s=0.45, best_response_s=0.4)


@pytest.mark.parametrize(
    ("cause", "facts"),
    [
        (Cause.SUSPENDED, Facts(suspended=True)),
        (Cause.SUSPENDED, Facts(suspended=True, draining=True)),
        (Cause.DRAINING, Facts(draining=True)),
        (Cause.DRAINING, attrs.evolve(FULL, draining=True)),
        (Cause.UNBOUND, Facts()),
        (Cause.UNBOUND, Facts(waiting=5)),
        (Cause.NOTHING_WAITING, attrs.evolve(FREE, waiting=0)),
        (Cause.CPU, attrs.evolve(FREE, busy=0.95)),
        (Cause.CPU, attrs.evolve(FULL, busy=0.95)),
        (Cause.CPU, attrs.evolve(FREE, loop_lag_s=0.3)),
        (Cause.WINDOW, FULL),
        (Cause.WINDOW, attrs.evolve(FULL, free=2, kept=2)),
        (Cause.RESPONSE_TIME, attrs.evolve(FULL, best_response_s=0.1)),
        (Cause.RATE, attrs.evolve(FREE, room=0)),
        (Cause.THROTTLED, attrs.evolve(FREE, room=0, eased=True)),
        (Cause.STORE, attrs.evolve(FREE, room=5, committing=5, claimed=5)),
        (Cause.THROTTLED, attrs.evolve(FREE, nested=True, eased_scope='sender "Shop"')),
        (Cause.RATE, attrs.evolve(FREE, nested=True)),
        (Cause.RATE, attrs.evolve(FREE, waiting=0, claimed=3, room=1)),
        (Cause.CHOICE, FREE),
        (Cause.CPU, attrs.evolve(FREE, busy=0.6)),
        (Cause.QUIET_HOURS, attrs.evolve(FREE, waiting=5, quiet=5)),
        (Cause.QUIET_HOURS, attrs.evolve(FREE, waiting=5, quiet=5, busy=0.95)),
        (Cause.WINDOW, attrs.evolve(FULL, waiting=5, quiet=4)),
        (Cause.RATE, attrs.evolve(FREE, waiting=5, quiet=5, claimed=1)),
        (Cause.LANE_CEILING, attrs.evolve(FREE, waiting=5, capped=5)),
        (Cause.LANE_CEILING, attrs.evolve(FREE, waiting=5, capped=3, quiet=2, claimed=1, nested=True)),
        (Cause.CHOICE, attrs.evolve(FREE, waiting=5, capped=4)),
        (Cause.WINDOW, attrs.evolve(FULL, waiting=5, capped=5)),
        (Cause.RATE, attrs.evolve(FREE, waiting=5, capped=5, room=0)),
    ],
)
def test_the_facts_of_a_moment_have_one_cause(cause: Cause, facts: Facts) -> None:
    assert limited_by(facts) is cause


@pytest.mark.parametrize(
    ("silent_s", "best_s", "cause"),
    [
        (5.1, 0.0, Cause.RESPONSE_TIME),
        (4.9, 0.0, Cause.WINDOW),
        (1.3, 0.4, Cause.RESPONSE_TIME),
        (1.1, 0.4, Cause.WINDOW),
        (0.9, 0.01, Cause.WINDOW),
        (6.0, 3.0, Cause.WINDOW),
    ],
)
def test_a_full_window_nobody_answers_is_no_window_too_small(silent_s: float, best_s: float, cause: Cause) -> None:
    facts = attrs.evolve(FULL, silent_s=silent_s, best_response_s=best_s, response_p99_s=best_s, contract_per_s=None)
    assert limited_by(facts) is cause


def test_silence_is_told_and_whom_to_ask() -> None:
    facts = attrs.evolve(FULL, silent_s=10.0, contract_per_s=None)
    assert summary(facts).summary().text == "it has answered nothing for 10 s: ask the carrier"
    facts = attrs.evolve(FULL, silent_s=4_000.0, contract_per_s=None)
    assert "for 4000 s: ask" in summary(facts).summary().text


def test_what_waits_now_counts_more_than_that_nothing_waited() -> None:
    idle = attrs.evolve(FREE, waiting=0)
    found = summary(*[idle] * 95, *[FULL] * 5).summary()
    assert (found.cause, found.share) == (Cause.WINDOW, 0.05)
    found = summary(*[FULL] * 35, *[idle] * 65).summary()
    assert (found.cause, found.text) == (Cause.NOTHING_WAITING, "nothing waited 65 % of the time")


@pytest.mark.parametrize(
    ("scope", "value", "words"),
    [
        ("sender", "Shop", 'sender "Shop"'),
        ("sender", "", "messages without a sender"),
        ("country", "", "messages without a country"),
    ],
)
def test_a_sender_without_a_name_has_words(scope: str, value: str, words: str) -> None:
    assert scope_words(scope, value) == words


def test_what_lanes_may_not_send_is_told_as_theirs() -> None:
    found = summary(attrs.evolve(FREE, waiting=5, capped=5)).summary()
    assert found.text == "the ceilings of the lanes that wait for it are reached 100 % of the time: max_rate_per_s"
    found = summary(attrs.evolve(FREE, waiting=5, quiet=5)).summary()
    assert found.text == "all that waits for it is of lanes in their quiet hours: it leaves when they end"


def test_an_operators_word_counts_before_anything_else() -> None:
    assert limited_by(attrs.evolve(FULL, suspended=True, busy=1.0)) is Cause.SUSPENDED


def test_a_carrier_that_has_never_answered_is_not_called_slow() -> None:
    assert limited_by(attrs.evolve(FULL, best_response_s=0.0, response_p99_s=30.0)) is Cause.WINDOW


@pytest.mark.parametrize(
    ("rate_per_s", "p99_s", "binds", "advised"),
    [
        (100, 0.45, 1, 45),
        (100, 0.451, 1, 46),
        (100, 0.45, 2, 23),
        (100, 0.45, 4, 12),
        (1, 0.01, 1, 1),
        (10_000, 2.0, 1, LARGEST_WINDOW),
        (None, 0.45, 1, None),
        (100, 0.0, 1, None),
        (100, 0.45, 0, None),
    ],
)
def test_the_advised_window_is_rate_times_p99(
    rate_per_s: float | None, p99_s: float, binds: int, advised: int | None
) -> None:
    facts = attrs.evolve(FULL, contract_per_s=rate_per_s, response_p99_s=p99_s, binds=binds)
    assert advised_window(facts) == advised


def summary(*facts: Facts) -> History:
    history = History()
    for each in facts:
        history.note(each)
    return history


def test_the_largest_share_is_the_cause() -> None:
    found = summary(*[FULL] * 93, *[attrs.evolve(FREE, waiting=0)] * 7).summary()
    assert (found.cause, found.share) == (Cause.WINDOW, 0.93)
    assert found.shares[Cause.NOTHING_WAITING] == 0.07


def test_of_equal_shares_the_latest_is_the_cause() -> None:
    idle = attrs.evolve(FREE, waiting=0)
    assert summary(FULL, idle).summary().cause is Cause.NOTHING_WAITING
    assert summary(idle, FULL).summary().cause is Cause.WINDOW


def test_a_state_is_told_at_once_and_no_longer_than_it_lasts() -> None:
    found = summary(*[FULL] * 90, Facts(suspended=True)).summary()
    assert found.cause is Cause.SUSPENDED
    assert found.share == pytest.approx(1 / 91)
    found = summary(*[Facts()] * 90, FULL).summary()
    assert found.cause is Cause.WINDOW
    assert found.share == pytest.approx(1 / 91)


def test_the_words_are_about_the_latest_moment_of_the_cause() -> None:
    found = summary(*[FULL] * 9, attrs.evolve(FREE, waiting=0)).summary()
    assert found.text.endswith("look at what is longest in flight")
    assert found.advised_window == 45


def test_what_is_older_than_ten_seconds_is_forgotten() -> None:
    found = summary(*[FULL] * SAMPLES, *[Facts(suspended=True)] * SAMPLES).summary()
    assert found.shares == {each: float(each is Cause.SUSPENDED) for each in Cause}


def test_before_the_first_look_nothing_is_bound() -> None:
    assert History().summary().cause is Cause.UNBOUND


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (
            attrs.evolve(FULL, places=10),
            "the window of 10 is full 100 % of the time: at 100/s and a p99 of 450 ms it should be 45",
        ),
        (
            attrs.evolve(FULL, places=10, binds=2),
            "the 2 windows of 5 are full 100 % of the time: at 100/s and a p99 of 450 ms each should be 23",
        ),
        (
            FULL,
            "the window of 50 is full 100 % of the time: at 100/s and a p99 of 450 ms 45 would do: "
            "look at what is longest in flight",
        ),
        (
            attrs.evolve(FULL, contract_per_s=None),
            "the window of 50 is full 100 % of the time: a larger window takes more",
        ),
        (
            attrs.evolve(FULL, contract_per_s=1e6),
            "the window of 50 is full 100 % of the time: at 1e+06/s and a p99 of 450 ms it should be 1000, "
            "the most there is: more binds are needed",
        ),
        (
            attrs.evolve(FULL, response_p99_s=0.0),
            "the window of 50 is full 100 % of the time: nothing was answered yet",
        ),
        (
            attrs.evolve(FULL, response_p99_s=1.84, best_response_s=0.09),
            "it answers slowly, p99 1.84 s where 90 ms is its best: the window of 50 is full 100 % of the time",
        ),
        (attrs.evolve(FREE, room=0, rate_per_s=100.0), "its 100/s are used in full 100 % of the time"),
        (
            attrs.evolve(FREE, room=0, eased=True, rate_per_s=12.5, contract_per_s=100.0),
            "it said that it is too much: 12.5/s of 100/s for now, more again as it stays quiet",
        ),
        (
            attrs.evolve(FREE, eased_scope='sender "Shop"', eased_rate_per_s=2.0, rate_per_s=100.0),
            'it said that sender "Shop" is too much: 2/s for now, more again as it stays quiet',
        ),
        (Facts(reason="the carrier closed the link"), "no bind is up: the carrier closed the link"),
        (
            attrs.evolve(FREE, committing=3, last_commit_s=0.08),
            "claims wait for the disk 100 % of the time; the last commit took 80 ms",
        ),
        (
            attrs.evolve(FREE, busy=0.98, loop_lag_s=0.12),
            "this process has no time left 100 % of the time: the event loop comes 120 ms late, its CPU is 98 % busy",
        ),
    ],
)
def test_the_words_say_what_to_do(facts: Facts, text: str) -> None:
    assert summary(facts).summary().text == text


def test_short_times_are_readable() -> None:
    assert [shown_s(seconds) for seconds in (0.0004, 0.45, 0.9999, 1.84)] == ["0.4 ms", "450 ms", "1 s", "1.84 s"]
