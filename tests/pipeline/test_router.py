"""The first rule that fits a message is its rule."""

import pytest

from connector.config import RouteConfig
from connector.pipeline.router import Router

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
