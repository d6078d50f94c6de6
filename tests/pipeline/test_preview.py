"""A preview says what accepting would do, why, and does nothing of it."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config import LANES, ApiConfig, BindConfig, CarrierConfig, Config, KeyConfig, RouteConfig
from connector.config.carrier import LimitConfig, PriceConfig
from connector.config.lane import QuietHours, RetryConfig
from connector.model import Message, QueueName, Reason, SendRequest, Verdict
from connector.pipeline.normalise import MAX_AHEAD_S, STEPS, Normaliser
from connector.pipeline.preview import CarrierOutlook, Present, Preview, preview, refused
from connector.pipeline.router import queue_names

NOW = 1_800_000_000.0
SHOP = KeyConfig(name="shop", secret_env="X", country="GB", sender="Shop", options=("data_coding", "priority_flag"))
BANK = KeyConfig(name="bank", secret_env="Y", lanes=("otp",), senders=("Bank", "Code"))


def carrier(name: str, prices: Mapping[str, float], **more: Any) -> CarrierConfig:
    rows = tuple(PriceConfig(prefix=prefix, price=price) for prefix, price in prices.items())
    return CarrierConfig(name=name, bind=(BindConfig(host=name, system_id="acme"),), price=rows, max_parts=3, **more)


CONFIG = Config(
    api=ApiConfig(key=(SHOP, BANK)),
    carrier=(
        carrier("north", {"44": 0.04}, limit=(LimitConfig(sender="Limited", rate_per_s=1),)),
        carrier("south", {"447": 0.03}),
        carrier("east", {}),
    ),
    route=(
        RouteConfig(name="flash", carriers=("south",), classes=("flash",)),
        RouteConfig(name="codes", carriers=("north", "south"), lanes=("otp",), countries=("GB",)),
        RouteConfig(name="home", carriers=("north", "south", "east"), countries=("GB",), prefer="cost"),
        RouteConfig(name="abroad", carriers=("east",), countries=("FR",), senders=("Shop",)),
    ),
    lane={
        **LANES,
        "promotional": attrs.evolve(LANES["promotional"], quiet_hours=QuietHours(start="21:00", end="08:00")),
        "otp": attrs.evolve(LANES["otp"], retry=RetryConfig(max_cost=0.03), senders=("Code", "Shop")),
    },
)
QUEUES = {name: number for number, name in enumerate(queue_names(CONFIG), 1)}


def used_up(*_what: object) -> int:
    raise AssertionError("a preview uses up nothing")


def previewed(present: Present | None = None, key: KeyConfig = SHOP, **request: Any) -> Preview:
    normaliser = Normaliser(CONFIG, QUEUES, used_up, used_up)
    values = {"to": "07400 123456", "text": "hello", **request}
    return preview(normaliser, present or Present(), SendRequest(**values), key, NOW)


def fares(**outlooks: CarrierOutlook) -> Present:
    return Present(outlook=lambda carrier, _country: outlooks.get(carrier))


WELL = CarrierOutlook(bound=True, suspended=False, state="well", share=1.0, text="nothing")
SICK = CarrierOutlook(bound=True, suspended=False, state="sick", share=0.0, text="its health")
DOWN = attrs.evolve(WELL, bound=False)
SUSPENDED = attrs.evolve(WELL, suspended=True)

# --- what it says ---------------------------------------------------------------------------------------------------


def test_an_accepted_message_shows_everything_that_was_found_out() -> None:
    found = previewed(text="x" * 200)
    assert found.accepted
    assert (found.reason, found.field, found.text) == (None, None, None)
    assert (found.to, found.country, found.lane) == ("447400123456", "GB", "transactional")
    assert (found.alphabet, found.parts, found.forced_by) == ("gsm", 2, ())
    assert (found.leaves_at, found.quiet_until, found.deadline) == (NOW, None, NOW + 3_600)
    assert found.rule == "home"
    assert [(route.carrier, route.price, route.cost) for route in found.routes] == [
        ("south", 0.03, 0.06),
        ("north", 0.04, 0.08),
        ("east", None, None),
    ]
    assert [(looked.rule, looked.fits) for looked in found.rules] == [
        ("flash", False),
        ("codes", False),
        ("home", True),
    ]
    assert [(check.name, check.passed) for check in found.checks] == [(name, True) for name, _ in STEPS]


@pytest.mark.parametrize(
    ("key", "sender", "shown", "given_by"),
    [(SHOP, None, "Shop", "key"), (SHOP, "Acme", "Acme", "request"), (SHOP, "", "", "none")],
)
def test_a_sender_comes_with_where_it_is_from(key: KeyConfig, sender: str | None, shown: str, given_by: str) -> None:
    found = previewed(key=key, sender=sender)
    assert (found.sender, found.sender_from) == (shown, given_by)


def test_what_forced_another_alphabet_is_named() -> None:
    found = previewed(text="It’s “fine”")
    assert (found.alphabet, found.forced_by) == ("ucs2", ("’", "“", "”"))


def test_a_refusal_ends_the_checks_and_keeps_what_was_found_before_it() -> None:
    found = previewed(sender="much too long a name")
    assert (found.accepted, found.reason, found.field) == (False, Reason.SENDER_INVALID, "from")
    assert [check.name for check in found.checks] == ["lane", "number", "sender"]
    assert (found.checks[-1].passed, found.checks[-1].text) == (False, found.text)
    assert (found.to, found.sender, found.parts, found.rule, found.rules) == (
        "447400123456",
        "much too long a name",
        None,
        None,
        (),
    )


def test_without_a_route_every_rule_says_why_not() -> None:
    found = previewed(to="+4930123456")
    assert (found.reason, found.rule, found.routes) == (Reason.NO_ROUTE, None, ())
    assert [looked.rule for looked in found.rules] == ["flash", "codes", "home", "abroad"]
    assert all(looked.why_not for looked in found.rules)


def test_a_carrier_above_the_lane_s_cap_is_passed_over() -> None:
    found = previewed(lane="otp", to="020 7946 0000")
    assert found.accepted  # south has no price for it: it may be within the cap
    assert [(route.carrier, bool(route.passed_over)) for route in found.routes] == [("south", False), ("north", True)]


def test_a_row_that_is_no_request_shows_nothing_but_why() -> None:
    found = refused(Verdict(reason=Reason.BAD_REQUEST, field="to", text="to is missing"))
    assert found == Preview(accepted=False, reason=Reason.BAD_REQUEST, field="to", text="to is missing")


# --- when -----------------------------------------------------------------------------------------------------------


def test_it_leaves_when_it_may_be_sent() -> None:
    assert previewed(send_at=NOW + 60).leaves_at == NOW + 60
    assert previewed(send_at=NOW - 60).leaves_at == NOW


def test_it_shows_the_end_of_the_quiet_hours_it_would_wait_for() -> None:
    shop = attrs.evolve(SHOP, lanes=("promotional",))
    found = previewed(key=shop, send_at=NOW + 14 * 3_600)
    morning = 1_800_000_000 + 24 * 3_600
    assert (found.leaves_at, found.quiet_until, found.deadline) == (morning, morning, morning + 86_400)
    assert [check.name for check in found.checks if check.name in ("times", "quiet_hours", "deadline")] == [
        "times",
        "quiet_hours",
        "deadline",
    ]


def test_a_refusal_for_quiet_hours_shows_their_end() -> None:
    shop = attrs.evolve(SHOP, lanes=("promotional",))
    found = previewed(key=shop, send_at=NOW + 14 * 3_600, deadline=NOW + 20 * 3_600)
    assert (found.accepted, found.reason, found.field) == (False, Reason.QUIET_HOURS, "deadline")
    assert (found.quiet_until, found.deadline) == (NOW + 24 * 3_600, None)


# --- through whom ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outlooks", "order"),
    [
        ({"south": DOWN, "north": WELL}, {"north": None, "east": None, "south": "it is not bound"}),
        ({"south": SUSPENDED}, {"north": None, "east": None, "south": "it is suspended"}),
        (
            {"south": SICK, "north": WELL, "east": DOWN},
            {"north": None, "south": "it is sick, and another one is well", "east": "it is not bound"},
        ),
        # health decides between carriers only
        (
            {"south": SICK, "north": DOWN, "east": DOWN},
            {"south": None, "north": "it is not bound", "east": "it is not bound"},
        ),
    ],
)
def test_carriers_come_as_they_would_be_tried_and_those_passed_over_say_why(
    outlooks: dict[str, CarrierOutlook], order: dict[str, str | None]
) -> None:
    found = previewed(fares(**outlooks))
    assert [(route.carrier, route.passed_over) for route in found.routes] == list(order.items())
    assert {route.carrier: route.outlook for route in found.routes if route.outlook} == outlooks


def test_health_is_asked_for_the_country_of_the_number() -> None:
    asked = set()

    def outlook(carrier: str, country: str | None) -> None:
        asked.add((carrier, country))

    previewed(Present(outlook=outlook), to="+33612345678")
    assert asked == {("east", "FR")}


# --- and accepting --------------------------------------------------------------------------------------------------

_REQUESTS = st.builds(
    SendRequest,
    to=st.sampled_from(("07400 123456", "+33612345678", "020 7946 0000", "+4930123456", "12", "", "abc")),
    text=st.sampled_from(("hello", "It’s", "x" * 200, "x" * 500, "", None, "\ud83d")),
    template=st.sampled_from((None, None, None, "welcome")),
    sender=st.sampled_from((None, "Shop", "Code", "Limited", "", "much too long a name")),
    lane=st.sampled_from((None, "otp", "promotional", "express")),
    country=st.sampled_from((None, "GB", "XX")),
    client_ref=st.sampled_from((None, "order-1", "")),
    send_at=st.sampled_from((None, NOW - 5, NOW + 60, NOW + MAX_AHEAD_S + 1)),
    deadline_in_s=st.sampled_from((None, 30.0, 0.0, 1e9)),
    metadata=st.sampled_from((None, {"a": 1}, {"a": "x" * 2_000})),
    options=st.sampled_from((None, {"data_coding": 0x10}, {"priority_flag": 300}, {"esm_class": 1})),
)


@given(_REQUESTS, st.sampled_from((SHOP, BANK)))
def test_a_preview_and_accepting_agree(request_: SendRequest, key: KeyConfig) -> None:
    ids = count(1)
    accepting = Normaliser(CONFIG, QUEUES, lambda: next(ids), lambda _sender, _to: 77)
    kept = accepting.normalise(request_, key, NOW)
    looking = Normaliser(CONFIG, QUEUES, used_up, used_up)
    found = preview(looking, Present(), request_, key, NOW)
    if isinstance(kept, Verdict):
        assert (found.accepted, found.reason, found.field, found.text) == (False, kept.reason, kept.field, kept.text)
        return
    assert found.accepted
    if isinstance(kept, Message):
        same = ("to", "country", "lane", "sender", "alphabet", "deadline")
        assert [getattr(found, name) for name in same] == [getattr(kept, name) for name in same]
        assert found.parts == len(kept.bounds)
        assert found.leaves_at == (kept.send_at or NOW)
        assert QUEUES[QueueName(kept.lane, str(found.rule), key.name)] == kept.queue
    else:
        assert kept.rule == found.rule


def test_a_queue_that_accepting_would_open_stays_closed() -> None:
    before = dict(QUEUES)
    found = previewed(sender="Limited")
    assert (found.accepted, found.checks[-1].name) == (True, "queue")
    assert before == QUEUES
