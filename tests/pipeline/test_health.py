"""Carriers that turn sick, come back, and are told about."""

import itertools

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.config import HealthConfig
from connector.lifecycle import Event
from connector.model import Answer, Inbound, Lost, NotSent, Reason, Receipt
from connector.pipeline.health import Health, SickBecause, State
from connector.pipeline.health_scopes import MOST_COUNTRIES, MOST_OUTSTANDING
from tests.pipeline.health_world import (
    ELSEWHERE,
    INVALID,
    NO_RECEIPT,
    SILENT,
    SLOW,
    SYSERR,
    TAKEN,
    THROTTLED,
    UNDELIVERED,
    Behaviour,
    World,
    always,
    mixed,
    until,
)

BIND_SICK = attrs.evolve(SYSERR, reason=Reason.BIND_SICK)
BAD_PREFIX = attrs.evolve(ELSEWHERE, after_s=0.3)


def only(country: str, behaviour: Behaviour) -> Behaviour:
    return lambda where, now: behaviour(where, now) if where == country else TAKEN


def drop_link_every_20_s(world: World) -> None:
    if world.now % 20 == 0:
        world.health.link_ended("north", world.now, planned=False)


def health_of(outcomes: list[bool], *, carrier: str = "north", country: str | None = None, now: float = 1.0) -> Health:
    health = Health(HealthConfig())
    for ok in outcomes:
        health.answered(carrier, country, ok, 0.1, now)
    return health


# --- the ways of being sick ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "state", "share", "because", "within_s"),
    [
        (always(BIND_SICK), State.SICK, 0.0, SickBecause.ERRORS, 5),
        (always(THROTTLED), State.SICK, 0.0, SickBecause.THROTTLED, 5),
        (mixed(0.35, SYSERR), State.REDUCED, 0.5, SickBecause.ERRORS, 10),
        (always(SLOW), State.REDUCED, 0.5, SickBecause.SLOW, 12),
        (always(attrs.evolve(SLOW, after_s=12.0)), State.SICK, 0.0, SickBecause.SILENT, 12),
        (always(NO_RECEIPT), State.REDUCED, 0.5, SickBecause.NO_RECEIPTS, 615),
        (always(UNDELIVERED), State.REDUCED, 0.5, SickBecause.UNDELIVERED, 20),
        (always(SILENT), State.SICK, 0.0, SickBecause.SILENT, 12),
        (always(INVALID), State.SICK, 0.0, SickBecause.REFUSED, 5),
        (mixed(0.6, SILENT), State.REDUCED, 0.5, SickBecause.ERRORS, 75),
    ],
)
def test_a_way_of_being_sick_is_told_as_what_it_is(
    behaviour: Behaviour, state: State, share: float, because: SickBecause, within_s: float
) -> None:
    world = World({"north": behaviour, "south": always(TAKEN)})
    switch = world.run(within_s)[0]
    assert (switch.carrier, switch.country) == ("north", None)
    assert (switch.before, switch.state, switch.share, switch.reason) == (State.WELL, state, share, because)
    assert {each.carrier for each in world.switches} == {"north"}
    assert world.health.share("south", "GB") == 1.0
    assert world.health.share("north", "GB") < 1.0


def test_a_carrier_whose_link_keeps_ending_gets_less() -> None:
    world = World({"north": always(TAKEN), "south": always(TAKEN)})
    first = world.run(61, drop_link_every_20_s)
    assert [(each.state, each.share, each.reason) for each in first] == [(State.REDUCED, 0.5, SickBecause.LINKS)]
    assert [each.share for each in world.run(300, drop_link_every_20_s)] == [0.25, 0.1]


def test_links_that_were_meant_to_end_say_nothing() -> None:
    health = Health(HealthConfig())
    for _ in range(10):
        health.link_ended("north", 1.0, planned=True)
    assert health.look(2.0) == []


def test_a_country_that_is_refused_is_judged_apart() -> None:
    world = World({"north": only("GB", always(BAD_PREFIX)), "south": always(TAKEN)})
    switch = world.run(20)[0]
    assert (switch.carrier, switch.country, switch.state) == ("north", "GB", State.SICK)
    assert [world.health.share("north", country) for country in ("GB", "IE", None)] == [0.0, 1.0, 1.0]
    assert {each.country for each in world.run(600)} == {"GB"}
    assert switch.text.startswith("carrier north, country GB: ")


def test_a_carrier_whose_answers_are_good_stays_well_for_hours() -> None:
    world = World({"north": always(TAKEN), "south": mixed(0.1, SYSERR)})
    assert world.run(3_600) == []
    assert world.health.all_well


def test_some_dead_numbers_and_some_throttling_are_no_sickness() -> None:
    world = World({"north": mixed(0.3, INVALID), "south": mixed(0.3, THROTTLED)})
    assert world.run(600) == []


# --- getting it back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fate", "sick_s", "back_s"),
    [
        (SYSERR, 60, 330),
        (SILENT, 60, 330),
        (SILENT, 7_200, 700),
        (INVALID, 60, 330),
        (THROTTLED, 60, 330),
        (SLOW, 60, 330),
        (UNDELIVERED, 60, 330),
        (NO_RECEIPT, 660, 1_500),
    ],
)
def test_a_carrier_that_recovers_gets_everything_again(fate: object, sick_s: float, back_s: float) -> None:
    world = World({"north": until(sick_s, always(fate)), "south": always(TAKEN)})  # type: ignore[arg-type]
    world.run(sick_s)
    assert world.health.share("north", "GB") < 1.0
    shares = [switch.share for switch in world.run(back_s)]
    assert world.health.all_well
    assert shares[-1] == 1.0


def test_a_carrier_with_little_traffic_comes_back_too() -> None:
    world = World({"north": until(120, always(SYSERR)), "south": always(TAKEN)}, rate=1)
    world.run(120)
    assert not world.health.all_well
    world.run(900)
    assert world.health.all_well


def test_what_was_judged_once_is_not_judged_again() -> None:
    health = health_of([True] * 70 + [False] * 30)
    assert [each.share for each in health.look(1.0)] == [0.5]
    assert [health.look(1.0 + second) for second in range(1, 50)] == [[]] * 49


def test_answers_to_what_was_written_before_a_switch_do_not_count() -> None:
    health = health_of([True] * 70 + [False] * 30)
    health.look(1.0)
    late = [
        Answer(part, 1, Event.DEFERRED, 7.0, "north", reason=Reason.TEMPORARY, response_s=6.5) for part in range(50)
    ]
    health.note(late, 7.0)
    assert health.look(7.0) == []
    health.note([attrs.evolve(answer, response_s=0.5) for answer in late], 7.0)
    assert [each.state for each in health.look(7.0)] == [State.SICK]


def test_requests_that_were_lost_just_after_a_switch_were_written_before_it() -> None:
    health = health_of([True] * 70 + [False] * 30)
    health.look(1.0)
    lost = [Lost(part, 1, 31.0, "north", Reason.NO_ANSWER, 0.0) for part in range(50)]
    health.note(lost, 31.0)
    assert health.look(31.0) == []
    health.note(lost, 61.0)
    assert [each.state for each in health.look(61.0)] == [State.SICK]


def test_a_probing_carrier_gets_its_probes_and_no_more() -> None:
    health = health_of([False] * 20)
    assert [each.state for each in health.look(1.0)] == [State.SICK]
    assert not health.probe("north", "GB", 5.0)
    assert [each.state for each in health.look(11.0)] == [State.PROBING]
    assert [health.probe("north", "GB", 11.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert health.share("north", "GB") == 0.0


def test_a_probe_that_never_left_is_given_to_another() -> None:
    health = health_of([False] * 20)
    health.look(1.0)
    health.look(11.0)
    for _ in range(5):
        health.probe("north", None, 11.0)
    health.note([NotSent(1, 1, 11.0, "north", Reason.NO_BIND)], 11.0)
    spoiled = Answer(2, 1, Event.REFUSED, 11.5, "north", reason=Reason.OUR_ENCODING, response_s=0.1)
    health.note([spoiled], 11.5)
    assert [health.probe("north", None, 12.0) for _ in range(3)] == [True, True, False]


def test_a_country_that_is_being_probed_takes_no_probe_of_its_carrier() -> None:
    world = World({"north": only("GB", always(BAD_PREFIX))})
    world.run(8)
    assert world.health.share("north", "GB") == 0.0
    for _ in range(100):
        world.health.answered("north", "IE", False, 0.0, world.now)
    world.health.look(world.now)
    world.health.look(world.now + 10)
    assert not world.health.probe("north", "GB", world.now + 10)
    assert world.health.probe("north", "IE", world.now + 10)


# --- no flapping --------------------------------------------------------------------------------------------------

MOST_SWITCHES_AN_HOUR = 100
"""A carrier at the very limit makes about 75, one that is dead 31: it is probed every five minutes."""


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.integers(0, 1_000), st.sampled_from([SYSERR, THROTTLED, INVALID, UNDELIVERED, SLOW]))
@example(0.2, 1, SYSERR)
@example(0.5, 1, THROTTLED)
@example(0.7, 1, UNDELIVERED)
def test_a_stationary_carrier_does_not_flap(share: float, seed: int, bad: object) -> None:
    world = World({"north": mixed(share, bad, seed)}, rate=4)  # type: ignore[arg-type]
    world.countries = ["GB"]
    assert len(world.run(3_600)) <= MOST_SWITCHES_AN_HOUR


def test_a_carrier_that_is_sick_every_other_minute_is_left_alone_for_longer_and_longer() -> None:
    world = World({"north": lambda _country, now: SYSERR if now % 60 < 30 else TAKEN})
    hours = [sum(each.share == 1.0 for each in world.run(3_600)) for _ in range(2)]
    assert hours[1] <= 3
    assert len(world.switches) <= 2 * MOST_SWITCHES_AN_HOUR


# --- countries ----------------------------------------------------------------------------------------------------


def test_trouble_everywhere_is_the_carriers_and_no_countrys() -> None:
    world = World({"north": always(SYSERR), "south": always(TAKEN)})
    assert {each.country for each in world.run(600)} == {None}
    shown = [each.country for each in world.health.statistics(world.now)]
    assert shown == [None, None]


def test_trouble_in_the_only_country_is_the_carriers() -> None:
    health = health_of([False] * 40, country="GB")
    assert [each.country for each in health.look(1.0)] == [None]


def test_trouble_in_all_but_one_country_is_the_carriers() -> None:
    world = World({"north": lambda country, _now: TAKEN if country == "FR" else SYSERR}, rate=20)
    assert world.run(5)[0].country is None


def test_a_country_keeps_its_standing_while_the_whole_carrier_is_sick() -> None:
    world = World({"north": only("GB", always(BAD_PREFIX)), "south": always(TAKEN)})
    world.run(20)
    for country in ("IE", "FR") * 250:
        world.health.answered("north", country, False, 0.0, world.now)
    assert [each.country for each in world.run(1)] == [None]
    assert [each.country for each in world.health.statistics(world.now)] == [None, None]
    world.run(60)
    assert world.health.share("north", "IE") > 0.0
    assert world.health.share("north", "GB") == 0.0


def test_more_countries_than_there_are_count_for_the_carrier_only() -> None:
    health = Health(HealthConfig())
    for number in range(MOST_COUNTRIES + 50):
        for _ in range(30):
            health.answered("north", f"{number}", number < MOST_COUNTRIES, 0.1, 1.0)
    assert health.look(1.0) == []
    assert [each.samples for each in health.statistics(1.0)] == [(MOST_COUNTRIES + 50) * 30]


# --- receipts -----------------------------------------------------------------------------------------------------


def unreceipted(health: Health, carrier: str, country: str, now: float) -> None:
    for part in range(40):
        health.sent(hash((carrier, country, part, now)), carrier, country, now)


def test_a_carrier_that_never_sends_receipts_is_not_blamed_if_nobody_does() -> None:
    health = Health(HealthConfig())
    unreceipted(health, "north", "GB", 1.0)
    assert health.look(700.0) == []


def test_a_carrier_without_receipts_is_blamed_if_another_has_them_for_the_country() -> None:
    health = Health(HealthConfig())
    unreceipted(health, "north", "GB", 1.0)
    unreceipted(health, "north", "US", 1.0)
    health.sent(1, "south", "GB", 595.0)
    health.final(1, True, 600.0)
    (switch,) = health.look(601.0)
    assert (switch.reason, switch.numbers["receipts"]) == (SickBecause.NO_RECEIPTS, 40)
    assert switch.text == (
        "carrier north: 40 of 40 parts have no final receipt 600 s after they were taken, and carrier south has them:"
        " gets 50 % of its traffic"
    )


def test_a_carrier_whose_receipts_stop_is_blamed_by_what_it_did_before() -> None:
    health = Health(HealthConfig())
    health.sent(1, "north", "GB", 1.0)
    health.final(1, True, 2.0)
    unreceipted(health, "north", "GB", 3.0)
    assert health.look(602.9) == []
    (switch,) = health.look(603.0)
    assert "it sent receipts before" in switch.text


def test_the_parts_whose_receipts_are_watched_for_are_bounded() -> None:
    health = Health(HealthConfig())
    for part in range(100_000):
        health.sent(part, "north", "GB", part / 100)
    assert len(health._outstanding) <= MOST_OUTSTANDING
    for part in range(100_000):
        health.final(part, True, 1_000.0)
    assert len(health._outstanding) == 0


def test_a_receipt_nobody_watches_for_says_nothing() -> None:
    health = Health(HealthConfig())
    health.final(7, False, 1.0)
    assert health.statistics(1.0) == ()


# --- what it is told, and what it tells -----------------------------------------------------------------------------


def test_only_answers_about_the_carrier_count() -> None:
    health = Health(HealthConfig())
    ours = Answer(1, 1, Event.REFUSED, 1.0, "north", reason=Reason.OUR_ENCODING)
    policy = Answer(2, 1, Event.REFUSED, 1.0, "north", reason=Reason.QUIET_HOURS)
    others = [
        NotSent(3, 1, 1.0, "north", Reason.NO_BIND),
        Receipt("north", ("1",), 1.0, Event.DELIVERED),
        Inbound("north", 1.0, "44", "1", "", b"", 0, 0),
    ]
    health.note([ours, policy, *others], 1.0)
    assert sum(each.samples for each in health.statistics(1.0)) == 0


def test_a_switch_says_who_why_and_what_follows() -> None:
    health = Health(HealthConfig())
    answers = [Answer(part, 1, Event.ACKNOWLEDGED, 1.0, "north", response_s=0.4) for part in range(26)]
    failed = [
        Answer(part, 1, Event.DEFERRED, 1.0, "north", reason=Reason.TEMPORARY, detail="ESME_RSYSERR")
        for part in range(10)
    ]
    lost = [Lost(part, 1, 1.0, "north", Reason.LINK_LOST, 0.0) for part in range(4)]
    health.note([*answers, *failed, *lost], 1.0)
    (switch,) = health.look(2.0)
    assert switch.text == (
        "carrier north: 14 of 40 answers in the last 60 s were no acceptance (ESME_RSYSERR 10, no answer 4):"
        " gets 50 % of its traffic"
    )
    assert switch.numbers["samples"] == 40
    assert switch.numbers["bad_share"] == 0.35
    assert switch.numbers["response_p50_s"] == pytest.approx(0.4, rel=0.09)
    (shown,) = health.statistics(2.0)
    assert (shown.text, shown.since, shown.reason, shown.share) == (switch.text, 2.0, SickBecause.ERRORS, 0.5)


def test_every_reason_has_its_words() -> None:
    texts = {}
    for fate in (SYSERR, THROTTLED, INVALID, SILENT, SLOW, NO_RECEIPT, UNDELIVERED):
        world = World({"north": until(700, always(fate)), "south": always(TAKEN)})
        texts |= {each.reason: each.text for each in world.run(1_500)}
    assert set(texts) == set(SickBecause) - {SickBecause.LINKS}
    for text in texts.values():
        assert text.startswith("carrier north: ")
        assert text.count(": ") == 2


def test_old_answers_are_forgotten() -> None:
    health = health_of([False] * 15)
    assert health.look(1.0) == []
    for _ in range(15):
        health.answered("north", None, False, 0.1, 70.0)
    assert health.look(70.0) == []
    assert [each.samples for each in health.statistics(70.0)] == [15]


def test_a_carrier_nobody_knows_is_well() -> None:
    health = Health(HealthConfig())
    assert health.all_well
    assert (health.share("east", "GB"), health.latency_s("east", "GB")) == (1.0, None)
    assert not health.probe("east", "GB", 1.0)


def test_a_forgotten_carrier_ails_no_more() -> None:
    health = health_of([False] * 20)
    unreceipted(health, "north", "GB", 1.0)
    health.look(1.0)
    health.forget("north")
    assert health.all_well
    assert (health.statistics(2.0), len(health._outstanding)) == ((), 0)


def test_another_configuration_judges_from_then_on() -> None:
    health = health_of([True] * 70 + [False] * 30)
    health.change(HealthConfig(bad=0.4))
    assert health.look(1.0) == []
    health.change(HealthConfig(bad=0.25))
    assert [each.share for each in health.look(2.0)] == [0.5]
    health.change(HealthConfig(window_s=30.0))
    assert [each.samples for each in health.statistics(3.0)] == [0]


# --- latency --------------------------------------------------------------------------------------------------------


def test_latency_is_the_answer_and_the_delivery_as_far_as_known() -> None:
    world = World({"north": always(TAKEN), "south": always(attrs.evolve(NO_RECEIPT, after_s=0.5))})
    world.run(120)
    assert world.health.latency_s("north", "GB") == pytest.approx(4.2, rel=0.09)
    assert world.health.latency_s("south", "GB") == pytest.approx(0.5, rel=0.09)
    assert world.health.latency_s("south", "DE") == pytest.approx(0.5, rel=0.09)  # the carrier's


def test_an_order_by_latency_does_not_flap() -> None:
    world = World(
        {
            "north": lambda _country, now: attrs.evolve(TAKEN, after_s=0.9 + (now % 7) / 20),
            "south": lambda _country, now: attrs.evolve(TAKEN, after_s=0.9 + (now % 11) / 30),
        }
    )
    world.run(60)
    orders = []

    def note(here: World) -> None:
        north, south = here.health.latency_s("north", "GB"), here.health.latency_s("south", "GB")
        assert north is not None
        assert south is not None
        orders.append(north < south)

    world.run(1_800, note)
    assert sum(before != after for before, after in itertools.pairwise(orders)) <= 1
