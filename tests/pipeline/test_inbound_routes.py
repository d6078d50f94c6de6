"""Whose a message from a subscriber is."""

from typing import Any

import pytest

from connector.config import InboundRouteConfig
from connector.model import InboundMessage, Sent
from connector.pipeline.inbound_routes import Rules, answered


def message(text: str = "hello", to: str = "60777", carrier: str = "north") -> InboundMessage:
    return InboundMessage(id=1, carrier=carrier, at=0.0, sender="447700900123", to=to, text=text)


def rule(name: str, key: str = "shop", **changes: Any) -> InboundRouteConfig:
    return InboundRouteConfig(name=name, api_key=key, **changes)


def owner(found: InboundMessage) -> tuple[str | None, str | None]:
    return found.api_key, found.matched


def test_the_first_rule_that_fits_is_taken() -> None:
    rules = Rules([rule("vote", "poll", to=("60777",), keywords=("VOTE",)), rule("rest", to=("60777",))])
    assert owner(rules.apply(message("vote 4"))) == ("poll", "rule vote")
    assert owner(rules.apply(message("hello"))) == ("shop", "rule rest")
    assert owner(rules.apply(message("vote 4", to="60888"))) == (None, None)


@pytest.mark.parametrize("text", ["STOP", "stop", "  Stop.", "«stop» please", "stop,all"])
def test_a_keyword_is_the_first_word_in_any_case(text: str) -> None:
    assert Rules([rule("stop", keywords=("Stop",))]).apply(message(text)).api_key == "shop"


@pytest.mark.parametrize("text", ["", "?!", "unstop", "please stop", "stopp"])
def test_a_keyword_is_no_other_word(text: str) -> None:
    assert Rules([rule("stop", keywords=("Stop",))]).apply(message(text)).api_key is None


@pytest.mark.parametrize("to", ["+447700900100", "00447700900100", "447700900100"])
def test_a_number_fits_however_the_rule_spells_it(to: str) -> None:
    assert Rules([rule("long", to=(to,))]).apply(message(to="447700900100")).api_key == "shop"


def test_the_same_short_code_of_two_carriers_has_two_owners() -> None:
    rules = Rules([rule("uk", carriers=("north",)), rule("us", "store", carriers=("south",))])
    assert rules.apply(message(carrier="north")).api_key == "shop"
    assert rules.apply(message(carrier="south")).api_key == "store"


def test_a_reply_belongs_to_who_wrote_last_from_that_number() -> None:
    sent = [Sent(9, "poll", "60888", "north"), Sent(8, "store", "60777", "north"), Sent(7, "shop", "60777", "north")]
    found = answered(message(), sent, ["shop", "store", "poll"])
    assert (*owner(found), found.reply_to) == ("store", "reply", 8)


def test_a_message_without_a_sender_is_answered_through_its_carrier_only() -> None:
    sent = [Sent(9, "store", "", "south"), Sent(8, "shop", "", "north")]
    assert answered(message(), sent, ["shop", "store"]).reply_to == 8


def test_what_nobody_wrote_from_that_number_is_nobodys() -> None:
    assert owner(answered(message(), [Sent(9, "shop", "Shop", "north")], ["shop"])) == (None, None)
    assert owner(answered(message(), [], ["shop"])) == (None, None)


def test_a_key_that_is_gone_owns_nothing_new() -> None:
    sent = [Sent(9, "gone", "60777", "north"), Sent(8, "shop", "+60777", "north")]
    assert answered(message(), sent, ["shop"]).reply_to == 8
