"""The first rule that fits a message is its rule."""

import pytest

from connector.config import BindConfig, CarrierConfig, RouteConfig
from connector.config.carrier import LimitConfig
from connector.pipeline.router import Router, Scopes

ROUTER = Router(
    [
        RouteConfig(name="islands", carriers=("south",), countries=("GB", "IE"), lanes=("otp",)),
        RouteConfig(name="otp", carriers=("north", "south"), lanes=("otp",)),
        RouteConfig(name="home", carriers=("north",), countries=("GB",)),
    ]
)


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
    assert ROUTER.rule(lane, country) == rule


def test_a_rule_s_carriers_are_in_order_and_an_old_rule_has_none() -> None:
    assert list(ROUTER.carriers("otp")) == ["north", "south"]
    assert list(ROUTER.carriers("removed")) == []


def test_rules_a_lane_can_fall_under() -> None:
    assert ROUTER.rules("otp") == ["islands", "otp", "home"]
    assert ROUTER.rules("promotional") == ["home"]


def limited(*limits: LimitConfig) -> CarrierConfig:
    return CarrierConfig(name="north", bind=(BindConfig(host="127.0.0.1", system_id="acme"),), limit=limits)


def test_what_a_carrier_of_the_rule_limits_waits_in_a_queue_of_its_own() -> None:
    scopes = Scopes(
        [limited(LimitConfig(sender="ACME", rate_per_s=1)), limited(LimitConfig(country="*", rate_per_s=1))]
    )
    assert scopes.of("ACME", "GB") == "sender ACME, country GB"
    assert scopes.of("OTHER", "GB") == "country GB"
    assert scopes.of("OTHER", None) == ""


def test_where_nothing_is_limited_all_senders_share_a_queue() -> None:
    assert Scopes([limited(), limited()]).of("ACME", "GB") == ""
