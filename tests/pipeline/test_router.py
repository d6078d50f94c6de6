"""The first rule that fits a message is its rule; which of its carriers goes first is the rule's preference."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config import ApiConfig, BindConfig, CarrierConfig, Config, KeyConfig, RouteConfig
from connector.config.carrier import LimitConfig, PriceConfig
from connector.model import QueueName
from connector.pipeline.prices import Prices
from connector.pipeline.router import Router, Scopes, Traffic, message_class, preferred, queue_names

ROUTER = Router(
    [
        RouteConfig(name="islands", carriers=("south",), countries=("GB", "IE"), lanes=("otp",)),
        RouteConfig(name="otp", carriers=("north", "south"), lanes=("otp",)),
        RouteConfig(name="home", carriers=("north",), countries=("GB",)),
    ]
)
EVERYTHING: Mapping[str, Any] = {
    "lanes": ("otp", "promotional"),
    "countries": ("GB", "IE"),
    "prefixes": ("4474", "353"),
    "senders": ("ACME", "60777"),
    "keys": ("shop",),
    "classes": ("flash", "none"),
}
FITTING = Traffic("otp", "GB", "447400123456", "ACME", "shop", "none")


@pytest.mark.parametrize(
    ("lane", "country", "rule"),
    [
        ("otp", "GB", "islands"),
        ("otp", "FR", "otp"),
        ("otp", None, "otp"),
        ("promotional", "GB", "home"),
        ("promotional", "FR", None),
        ("promotional", None, None),
    ],
)
def test_the_first_rule_that_fits(lane: str, country: str | None, rule: str | None) -> None:
    assert ROUTER.rule(Traffic(lane, country)) == rule


@pytest.mark.parametrize(
    ("other", "why_not"),
    [
        ({"lane": "transactional"}, "lane transactional is not otp or promotional"),
        ({"country": "FR"}, "country FR is not GB or IE"),
        ({"country": None}, "country unknown is not GB or IE"),
        ({"to": "447700900123"}, "the number does not begin with 353 or 4474"),
        ({"sender": "OTHER"}, "sender OTHER is not 60777 or ACME"),
        ({"sender": ""}, "sender unknown is not 60777 or ACME"),
        ({"api_key": "bank"}, "API key bank is not shop"),
        ({"message_class": "sim"}, "message class sim is not flash or none"),
    ],
)
def test_a_rule_fits_only_if_each_of_its_criteria_does(other: dict[str, Any], why_not: str) -> None:
    router = Router([RouteConfig(name="narrow", carriers=("north",), **EVERYTHING)])
    assert router.rule(FITTING) == "narrow"
    traffic = FITTING._replace(**other)
    assert router.rule(traffic) is None
    assert router.trace(traffic) == [("narrow", False, why_not)]


def test_a_trace_ends_with_the_rule_that_fits() -> None:
    assert ROUTER.trace(Traffic("otp", "FR")) == [
        ("islands", False, "country FR is not GB or IE"),
        ("otp", True, None),
    ]


_RULES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={key: st.sets(st.sampled_from(values), min_size=1).map(tuple) for key, values in EVERYTHING.items()},
    ),
    max_size=4,
)
_TRAFFIC = st.builds(
    Traffic,
    st.sampled_from(("otp", "promotional", "transactional")),
    st.sampled_from(("GB", "IE", "FR", None)),
    st.sampled_from(("447400123456", "353851234567", "33612345678")),
    st.sampled_from(("ACME", "60777", "")),
    st.sampled_from(("shop", "bank")),
    st.sampled_from(("flash", "none", "sim")),
)


@given(_RULES, _TRAFFIC)
def test_a_trace_and_the_rule_agree_with_what_the_keys_say(rules: list[dict[str, Any]], traffic: Traffic) -> None:
    def fits(rule: dict[str, Any]) -> bool:
        looked_at = zip(("lanes", "countries", "senders", "keys", "classes"), (0, 1, 3, 4, 5), strict=True)
        equal = all(key not in rule or traffic[place] in rule[key] for key, place in looked_at)
        return equal and ("prefixes" not in rule or any(traffic.to.startswith(p) for p in rule["prefixes"]))

    router = Router([RouteConfig(name=str(n), carriers=("north",), **rule) for n, rule in enumerate(rules)])
    expected = next((str(n) for n, rule in enumerate(rules) if fits(rule)), None)
    assert router.rule(traffic) == expected
    trace = router.trace(traffic)
    assert next((looked.rule for looked in trace if looked.fits), None) == expected
    assert [looked.rule for looked in trace] == [str(n) for n in range(len(trace))]
    assert all((looked.why_not is None) is looked.fits for looked in trace)


@pytest.mark.parametrize(
    ("options", "class_"),
    [
        (None, "none"),
        ({}, "none"),
        ({"priority_flag": 1}, "none"),
        ({"data_coding": 0x00}, "none"),
        ({"data_coding": 0x08}, "none"),
        ({"data_coding": 0x03}, "none"),  # bits 1 and 0 say nothing without bit 4
        ({"data_coding": 0x10}, "flash"),
        ({"data_coding": 0x18}, "flash"),
        ({"data_coding": 0x31}, "device"),
        ({"data_coding": 0x52}, "sim"),
        ({"data_coding": 0x7B}, "terminal"),
        ({"data_coding": 0x90}, "none"),  # reserved
        ({"data_coding": 0xC8}, "none"),  # message waiting
        ({"data_coding": 0xD8}, "none"),
        ({"data_coding": 0xE0}, "none"),
        ({"data_coding": 0xF0}, "flash"),
        ({"data_coding": 0xF6}, "sim"),
        ({"data_coding": 0x110}, "none"),
        ({"data_coding": "16"}, "none"),
        ({"data_coding": True}, "none"),
    ],
)
def test_the_class_is_what_data_coding_says(options: dict[str, Any] | None, class_: str) -> None:
    assert message_class(options) == class_


def test_a_rule_s_carriers_are_in_order_and_an_old_rule_has_none() -> None:
    assert list(ROUTER.carriers("otp")) == ["north", "south"]
    assert list(ROUTER.carriers("removed")) == []
    assert ROUTER.route("removed") is None


def test_rules_a_lane_can_fall_under() -> None:
    assert ROUTER.rules("otp") == ["islands", "otp", "home"]
    assert ROUTER.rules("promotional") == ["home"]


def test_a_rule_of_one_key_needs_no_queue_for_the_others() -> None:
    keys = tuple(KeyConfig(name=name, secret_env="X", lanes=("otp",)) for name in ("shop", "bank"))
    config = Config(
        api=ApiConfig(key=keys),
        carrier=(carrier("north"),),
        route=(
            RouteConfig(name="own", carriers=("north",), keys=("bank",)),
            RouteConfig(name="all", carriers=("north",)),
        ),
    )
    assert queue_names(config) == [
        QueueName("otp", "all", "shop"),
        QueueName("otp", "own", "bank"),
        QueueName("otp", "all", "bank"),
    ]


# --- preference -----------------------------------------------------------------------------------------------------


def carrier(name: str, *limits: LimitConfig, price: Mapping[str, float] | None = None) -> CarrierConfig:
    rows = tuple(PriceConfig(prefix=prefix, price=price) for prefix, price in (price or {}).items())
    return CarrierConfig(name=name, bind=(BindConfig(host="127.0.0.1", system_id="acme"),), limit=limits, price=rows)


PRICES = Prices(
    [carrier("a", price={"44": 3.0}), carrier("b"), carrier("c", price={"44": 1.0, "447": 2.0}), carrier("d")]
)
LATENCIES = {("a", "GB"): 0.2, ("d", "GB"): 0.1, ("a", "FR"): 0.1}


@pytest.mark.parametrize(
    ("prefer", "to", "country", "order"),
    [
        ("order", "447400123456", "GB", "abcd"),
        ("cost", "447400123456", "GB", "cabd"),
        ("cost", "33612345678", "FR", "abcd"),
        ("speed", "447400123456", "GB", "dabc"),
        ("speed", "33612345678", "FR", "abcd"),
    ],
)
def test_what_is_not_known_comes_last_and_ties_keep_the_order_of_the_rule(
    prefer: Any, to: str, country: str, order: str
) -> None:
    rule = RouteConfig(name="all", carriers=("a", "b", "c", "d"), prefer=prefer)
    found = preferred(rule, to, country, PRICES, lambda carrier, country: LATENCIES.get((carrier, str(country))))
    assert found == list(order)


# --- limits ---------------------------------------------------------------------------------------------------------


def limited(*limits: LimitConfig) -> CarrierConfig:
    return carrier("north", *limits)


def test_what_a_carrier_of_the_rule_limits_waits_in_a_queue_of_its_own() -> None:
    scopes = Scopes(
        [limited(LimitConfig(sender="ACME", rate_per_s=1)), limited(LimitConfig(country="*", rate_per_s=1))]
    )
    assert scopes.of("ACME", "GB") == "sender ACME, country GB"
    assert scopes.of("OTHER", "GB") == "country GB"
    assert scopes.of("OTHER", None) == ""


def test_where_nothing_is_limited_all_senders_share_a_queue() -> None:
    assert Scopes([limited(), limited()]).of("ACME", "GB") == ""
