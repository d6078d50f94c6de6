"""The part of a configuration that is about messages from subscribers."""

from typing import Any

import pytest

from connector.config import ApiConfig, BindConfig, CarrierConfig, Config, InboundConfig, InboundRouteConfig, KeyConfig
from connector.config.inbound import address_of, keyword_of
from connector.errors import ConfigError
from connector.settings import check


def rule(**changes: Any) -> InboundRouteConfig:
    return InboundRouteConfig(**{"api_key": "shop", **changes})


def config(*routes: InboundRouteConfig, **changes: Any) -> Config:
    return Config(
        api=ApiConfig(key=(KeyConfig(name="shop", secret_env="X"), KeyConfig(name="poll", secret_env="X"))),
        carrier=(CarrierConfig(name="north", bind=(BindConfig(host="localhost", system_id="acme"),)),),
        inbound=InboundConfig(route=routes, **changes),
    )


def problems(*routes: InboundRouteConfig) -> list[str]:
    try:
        check(config(*routes))
    except ConfigError as error:
        return error.problems
    return []


def test_rules_without_a_name_are_numbered() -> None:
    routes = config(rule(to=("1001",)), rule(name="vote", to=("1002",)), rule()).inbound.route
    assert [route.name for route in routes] == ["inbound-1", "vote", "inbound-3"]


@pytest.mark.parametrize("address", ["60777", "+447700900100", "00447700900100", "*100#", "Shop", "Ann & Co.", "7-Up"])
def test_what_carriers_grant_as_an_address_may_be_written_to(address: str) -> None:
    assert problems(rule(to=(address,))) == []


def test_rules_that_each_take_something_are_in_order() -> None:
    assert (
        problems(rule(to=("60777",), keywords=("VOTE",)), rule(to=("60777",)), rule(keywords=("VOTE",)), rule()) == []
    )


@pytest.mark.parametrize(
    ("routes", "said"),
    [
        ([rule(api_key="shpo")], 'there is no API key "shpo", did you mean "shop"?'),
        ([rule(carriers=("nort",))], 'there is no carrier "nort", did you mean "north"?'),
        ([rule(name="a", to=("1",)), rule(name="a", to=("2",))], '"a" is the name of another route'),
        ([rule(), rule(to=("60777",))], 'never fits: "inbound-1" before it takes everything it would'),
        ([rule(to=("60777",), name="b"), rule(to=("60777",), keywords=("x",))], 'never fits: "b" before it'),
        ([rule(keywords=("Stop",)), rule(keywords=("STOP",), to=("1",))], "never fits"),
        ([rule(to=())], "an empty list fits nothing: leave the key out for all"),
        ([rule(keywords=())], "an empty list fits nothing"),
        ([rule(to=("60777", "+60777"))], '"+60777" is named before'),
        ([rule(keywords=("STOP", "stop"))], '"stop" is named before'),
        ([rule(keywords=("STOP ALL",))], 'must be one word of letters and digits such as "STOP", not "STOP ALL"'),
        ([rule(keywords=("",))], "must be one word"),
        ([rule(to=(" 60777",))], "must be a number or short code"),
        ([rule(to=("1" * 21,))], "must be a number or short code"),
        ([rule(to=("60777", "abc!"))], 'inbound.route[0].to[1]: must be a number or short code such as "60777"'),
        ([rule(to=("+44 7700 900100",))], "must be a number or short code"),
        ([rule(to=("",))], "must be a number or short code"),
    ],
)
def test_what_cannot_be_meant_is_told(routes: list[InboundRouteConfig], said: str) -> None:
    found = problems(*routes)
    assert len(found) == 1, found
    assert said in found[0]


@pytest.mark.parametrize(
    ("spelling", "address"),
    [
        ("+447700900123", "447700900123"),
        ("00447700900123", "447700900123"),
        ("447700900123", "447700900123"),
        ("07700900123", "07700900123"),
        (" 60777 ", "60777"),
        ("00", "00"),
        ("Shop", "Shop"),
        ("+Shop", "+Shop"),
        ("", ""),
    ],
)
def test_an_address_has_one_form(spelling: str, address: str) -> None:
    assert address_of(spelling) == address


@pytest.mark.parametrize(
    ("text", "keyword"), [("STOP all", "stop"), (" ¡Sí!", "sí"), ("ВОТ 1", "вот"), ("?", None), ("", None)]
)
def test_the_keyword_of_a_text_is_its_first_word(text: str, keyword: str | None) -> None:
    assert keyword_of(text) == keyword
