"""The failure table says what the engine does: its numbers are those of `decide`, whatever the configuration."""

import re
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from connector.carrier.setbacks import SETBACKS, Prospect, attempts, backoff_s, pause_s
from connector.config import LANES, Config, LaneConfig, PriceConfig, RetryConfig, RetryRule
from connector.failures import LONGEST_COURSE, FailureRow, course, failure_table
from connector.lifecycle import Event, Status
from connector.model import Reason
from connector.settings import format_duration
from connector.smpp import tables
from connector.smpp.outcomes import Outcome
from simulator import Scenario
from simulator.scenario import Delay, ReceiptRules, Response
from tests.pipeline.world import World, carrier_config, config, world

ALONE, ANOTHER = Prospect(other=False), Prospect(other=True)
pauses = st.lists(st.integers(1, 5_000).map(float), min_size=1, max_size=4).map(tuple)
rules = st.none() | st.builds(RetryRule, attempts=st.none() | st.integers(1, 12), backoff_s=st.none() | pauses)
lanes = st.builds(
    LaneConfig,
    retry=st.builds(
        RetryConfig,
        attempts=st.integers(1, 12),
        backoff_s=pauses,
        within_s=st.none() | st.integers(1, 20_000).map(float),
        second_opinion=st.booleans(),
        set_aside_after=st.integers(1, 6),
        temporary=rules,
        other_route=rules,
        bind_sick=rules,
    ),
    on_doubt=st.sampled_from(["hold", "resend"]),
    resends=st.integers(1, 10),
    resend_after_s=st.integers(1, 600).map(float),
    deadline_s=st.just(90_000.0),
    patience_s=st.just(100_000.0),
)


def row_of(case: str, lane: LaneConfig) -> FailureRow:
    [row] = [row for row in failure_table({"own": lane}) if row.case == case]
    return row


def durations(text: str) -> list[str]:
    """Return the pauses that a row names, each as often as it says."""
    found = []
    for word in text.removeprefix("after ").split(", "):
        pause, count = re.fullmatch(r"(\S+)(?: \((\d+) times\))?", word).groups()  # type: ignore[union-attr]
        found += [pause] * int(count or 1)
    return found


def test_every_lane_has_every_case() -> None:
    rows = failure_table(LANES)
    cases = dict.fromkeys(row.case for row in rows)
    assert [row.case for row in rows] == [case for case in cases for _ in LANES]
    assert {(row.case, row.lane) for row in rows} == {(case, lane) for case in cases for lane in LANES}
    assert set(map(str, SETBACKS)) < set(cases)
    assert all(row.meaning and row.again and row.switch and row.stop and row.told for row in rows)


@given(lane=lanes)
def test_the_pauses_after_not_now_are_those_of_the_retry_table(lane: LaneConfig) -> None:
    row = SETBACKS[Outcome.RETRY_LATER]
    expected, at = [], 0.0
    for tries in range(attempts(lane, row) - 1):
        pause = pause_s(tries, backoff_s(lane, row))
        at += pause
        if lane.retry.within_s is not None and at > lane.retry.within_s:
            break
        expected.append(format_duration(pause))
    told = row_of("retry_later", lane)
    assert durations(told.again) == (expected or ["never"])
    count = len(expected) + 1
    assert told.stop.split(", or")[0].endswith(f"after {count} attempts" if count > 1 else "at once")
    assert f"{Status.FAILED}" in told.told


@given(lane=lanes)
def test_a_course_ends_as_the_row_says(lane: LaneConfig) -> None:
    for outcome in SETBACKS:
        decisions = course(outcome, lane, ALONE)
        told = row_of(str(outcome), lane)
        if outcome is Outcome.SLOW_DOWN:
            assert len(decisions) == LONGEST_COURSE
            assert "deadline" in told.stop
            assert "expired (deadline)" in told.told
            continue
        end = decisions[-1]
        assert end.event in (Event.REFUSED, Event.EXHAUSTED)
        assert all(decision.event is Event.DEFERRED for decision in decisions[:-1])
        assert str(end.reason) in told.stop
        assert str(end.reason) in told.told
        assert ("notice" in told.told) == (end.reason is Reason.SET_ASIDE)


@given(lane=lanes)
def test_a_part_is_set_aside_after_so_many_broken_binds_if_its_time_allows(lane: LaneConfig) -> None:
    decisions = course(Outcome.BIND_SICK, lane, ALONE)
    assert len(decisions) <= lane.retry.set_aside_after
    if lane.retry.within_s is None:
        assert len(decisions) == lane.retry.set_aside_after
        assert decisions[-1].reason is Reason.SET_ASIDE


@given(lane=lanes)
def test_others_are_asked_as_often_as_the_row_says(lane: LaneConfig) -> None:
    asked = sum(decision.event is Event.REROUTED for decision in course(Outcome.OTHER_ROUTE, lane, ANOTHER))
    if lane.retry.within_s is None:  # else its time may end it before
        assert asked == attempts(lane, SETBACKS[Outcome.OTHER_ROUTE]) - 1
    told = row_of("other_route", lane).switch
    assert (f"{asked} of them at most" in told) == bool(asked), told


@given(lane=lanes)
def test_a_refusal_has_a_second_opinion_where_the_row_says_so(lane: LaneConfig) -> None:
    asked = sum(decision.event is Event.REROUTED for decision in course(Outcome.REFUSED, lane, ANOTHER))
    assert asked == (lane.retry.second_opinion and lane.retry.attempts > 1)
    assert ("to one other" in row_of("refused", lane).switch) == bool(asked)


@given(lane=lanes)
def test_a_doubt_is_sent_again_as_the_row_says(lane: LaneConfig) -> None:
    told = row_of("in_doubt", lane)
    if lane.on_doubt == "hold":
        assert told.again.startswith("never")
        return
    times = "once" if lane.resends == 1 else f"at most {lane.resends} times"
    assert told.again.startswith(f"{times}, {format_duration(lane.resend_after_s)} after each doubt")


@pytest.mark.parametrize("name", LANES)
def test_the_deadline_and_the_patience_are_told(name: str) -> None:
    lane: Mapping[str, LaneConfig] = {name: LANES[name]}
    by_case = {row.case: row for row in failure_table(lane)}
    assert format_duration(LANES[name].deadline_s) in by_case[str(Reason.DEADLINE)].stop
    assert format_duration(LANES[name].patience_s) in by_case["no_receipt"].stop


@given(lane=lanes)
def test_who_learns_names_every_reason_that_ends_it(lane: LaneConfig) -> None:
    for outcome in SETBACKS:
        told = row_of(str(outcome), lane)
        courses = [course(outcome, lane, prospect) for prospect in (ALONE, ANOTHER)]
        ends = {decisions[-1].reason for decisions in courses if len(decisions) < LONGEST_COURSE}
        if lane.retry.within_s is not None and any(len(decisions) > 1 for decisions in courses):
            ends.add(Reason.TIME_USED_UP)
        assert all(f"({reason})" in told.told for reason in ends), (outcome, ends, told.told)
        assert ("failed (time_used_up)" in told.told) == ("failed (time_used_up)" in told.stop)


# --- the cost cap, as the engine keeps to it ------------------------------------------------------------------------


def capped(cap: float, prices: Mapping[str, float], **changes: Any) -> Config:
    """A promotional lane that spends so much, and carriers that cost so much."""
    options = {"deadline_s": 600.0, "patience_s": 300.0, "retry": RetryConfig(max_cost=cap), **changes}
    carriers = [
        carrier_config(name, bind={"response_timeout_s": 10.0}, price=(PriceConfig(prefix="", price=price),))
        for name, price in prices.items()
    ]
    return config(*carriers, lane={"promotional": attrs.evolve(LANES["promotional"], **options)})


def cap_row(it: World, case: str = "cost_cap") -> FailureRow:
    return row_of(case, it.config.lane["promotional"])


async def test_what_every_carrier_is_too_dear_for_is_refused_at_the_door(autojump_clock: MockClock) -> None:
    async with world(capped(0.5, {"north": 1.0, "south": 3.0})) as it:
        await it.start()
        [verdict] = await it.verdicts(1)
        assert verdict.reason == Reason.COST_CAP
        assert f"refused at the door ({verdict.reason})" in cap_row(it).stop
        assert str(verdict.reason) in cap_row(it).told


async def test_it_waits_for_the_carrier_it_can_afford_until_its_deadline(autojump_clock: MockClock) -> None:
    async with world(capped(2.0, {"north": 1.0, "south": 3.0})) as it:
        it.down.add("north")
        await it.start()
        await it.bound("south")
        [message] = await it.send()
        await it.counted(Status.EXPIRED, 1)
        view = await it.message(message)
        assert (view.reason, it.arrivals("south")) == (Reason.DEADLINE, [])
        assert "never to a dearer one" in cap_row(it).switch
        assert cap_row(it).again.startswith("as soon as one within 2 a part has room")
        assert "at its deadline" in cap_row(it).stop


async def test_it_is_rejected_at_once_where_only_dearer_ones_are_left(autojump_clock: MockClock) -> None:
    async with world(capped(2.0, {"north": 1.0, "south": 3.0})) as it:
        it.smsc["north"].set_judge(lambda pdu: tables.ESME_RSUBMITFAIL)
        await it.start()
        await it.bound()
        [message] = await it.send()
        await it.counted(Status.REJECTED, 1, within_s=10)
        view = await it.message(message)
        assert view.reason == Reason.REFUSED_BY_CARRIER
        assert f"{view.status} ({view.reason}) at once after `other_route`" in cap_row(it).stop


async def test_a_doubt_is_not_sent_again_where_it_may_cost_too_much(autojump_clock: MockClock) -> None:
    resends = {"on_doubt": "resend", "resend_after_s": 5.0}
    async with world(capped(1.5, {"north": 1.0}, **resends)) as it:
        it.play(Scenario(response=Response(delay=Delay(never=True)), receipt=ReceiptRules(when="never")))
        await it.start()
        await it.bound()
        [message] = await it.send()
        await it.counted(Status.UNKNOWN, 1)
        view = await it.message(message)
        told = cap_row(it, "resend_cost_cap")
        said = [(entry.event, entry.detail) for entry in view.timeline if entry.event in ("claimed", "held", "silence")]
        assert said == [("claimed", None), ("held", Reason.TOO_LATE_TO_RESEND), ("silence", Reason.NO_FINAL_WORD)]
        assert told.again.startswith("not while it may cost more than 1.5 in all")
        words = "held (too_late_to_resend) at its deadline, and unknown (no_final_word) 5m after that"
        assert told.stop == words


@pytest.mark.parametrize("case", ["cost_cap", "resend_cost_cap"])
def test_without_a_cap_it_says_that_there_is_none(case: str) -> None:
    assert row_of(case, LaneConfig(on_doubt="resend")).again == "this never happens: no `retry.max_cost` is set"


def test_a_lane_that_holds_its_doubts_sends_none_again_whatever_it_costs() -> None:
    told = row_of("resend_cost_cap", LaneConfig(retry=RetryConfig(max_cost=0.1)))
    assert told.again == "this never happens: what is in doubt is not sent again"
