"""What becomes of one row: a message, or a reason that names the field."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import attrs
import pytest

from connector.config import LANES, ApiConfig, BindConfig, CarrierConfig, Config, DialectConfig, KeyConfig, RouteConfig
from connector.config.carrier import PriceConfig
from connector.config.dialect import TlvConfig
from connector.config.lane import RetryConfig
from connector.model import Message, QueueName, Reason, SendRequest, Verdict
from connector.pipeline.normalise import MAX_AHEAD_S, Normaliser
from connector.pipeline.router import queue_names

NOW = 1_800_000_000.0
KEY = KeyConfig(
    name="shop",
    secret_env="X",
    lanes=("transactional", "otp"),
    country="GB",
    sender="ACME",
    options=("priority_flag", "user_message_reference"),
)
CONFIG = Config(
    api=ApiConfig(key=(KEY,)),
    carrier=(CarrierConfig(name="north", bind=(BindConfig(host="smsc", system_id="acme"),), max_parts=3),),
    route=(RouteConfig(name="home", carriers=("north",), countries=("GB",)),),
)
QUEUES = {QueueName("transactional", "home", "shop"): 1, QueueName("otp", "home", "shop"): 2}


def normalise(request: Mapping[str, Any], key: KeyConfig = KEY) -> Message | Verdict | QueueName:
    ids = count(1)
    normaliser = Normaliser(CONFIG, QUEUES, lambda: next(ids), lambda _sender, _to: 77)
    values = {"to": "07400 123456", "text": "hello", **request}
    return normaliser.normalise(SendRequest(**values), key, NOW)


def message(key: KeyConfig = KEY, **request: Any) -> Message:
    found = normalise(request, key)
    assert isinstance(found, Message), found
    return found


def refused(key: KeyConfig = KEY, **request: Any) -> tuple[str | None, str | None]:
    found = normalise(request, key)
    assert isinstance(found, Verdict), found
    assert found.text
    assert not found.accepted
    return found.reason, found.field


def test_defaults_come_from_the_key_and_the_lane() -> None:
    found = message()
    assert (found.to, found.country, found.sender, found.lane, found.queue) == (
        "447400123456",
        "GB",
        "ACME",
        "transactional",
        1,
    )
    assert found.deadline == NOW + LANES["transactional"].deadline_s
    assert (found.send_at, found.receipt, found.reference) == (None, True, 0)


def test_a_long_text_gets_a_reference_and_bounds() -> None:
    found = message(text="x" * 200)
    assert found.reference == 77
    assert found.bounds == ((0, 153), (153, 200))


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        ({"to": ""}, Reason.NUMBER_MISSING, "to"),
        ({"to": "12"}, Reason.NUMBER_INVALID, "to"),
        ({"country": "XX"}, Reason.COUNTRY_UNKNOWN, "country"),
        ({"to": "+33 6 12 34 56 78"}, Reason.NO_ROUTE, "to"),
        ({"text": None}, Reason.TEXT_MISSING, "text"),
        ({"text": ""}, Reason.TEXT_MISSING, "text"),
        ({"text": "x" * 500}, Reason.TEXT_TOO_LONG, "text"),
        ({"text": "\ud83d"}, Reason.BAD_REQUEST, "text"),
        ({"template": "welcome"}, Reason.TEMPLATE_UNKNOWN, "template"),
        ({"variables": {"a": "b"}}, Reason.BAD_REQUEST, "variables"),
        ({"locale": "en"}, Reason.BAD_REQUEST, "locale"),
        ({"sender": "much too long a name"}, Reason.SENDER_INVALID, "from"),
        ({"lane": "express"}, Reason.LANE_UNKNOWN, "lane"),
        ({"lane": "promotional"}, Reason.LANE_NOT_ALLOWED, "lane"),
        ({"send_at": NOW + MAX_AHEAD_S + 1}, Reason.TIME_INVALID, "send_at"),
        ({"deadline": NOW}, Reason.TIME_INVALID, "deadline"),
        ({"deadline": NOW + 3_601}, Reason.TIME_INVALID, "deadline"),
        ({"deadline_in_s": 0.0}, Reason.TIME_INVALID, "deadline"),
        ({"deadline": NOW + 5, "deadline_in_s": 5.0}, Reason.TIME_INVALID, "deadline"),
        ({"deadline": float("nan")}, Reason.TIME_INVALID, "deadline"),
        ({"deadline_in_s": float("nan")}, Reason.TIME_INVALID, "deadline"),
        ({"send_at": float("inf")}, Reason.TIME_INVALID, "send_at"),
        ({"client_ref": ""}, Reason.BAD_REQUEST, "client_ref"),
        ({"client_ref": "x" * 129}, Reason.BAD_REQUEST, "client_ref"),
        ({"client_ref": "\ud83d"}, Reason.BAD_REQUEST, "client_ref"),
        ({"metadata": {"a": "x" * 1_024}}, Reason.METADATA_TOO_LARGE, "metadata"),
        ({"metadata": {"a": "\ud83d"}}, Reason.BAD_REQUEST, "metadata"),
        ({"metadata": {"a": float("nan")}}, Reason.BAD_REQUEST, "metadata"),
        ({"metadata": {"a": object()}}, Reason.BAD_REQUEST, "metadata"),
        ({"options": {"esm_class": 64}}, Reason.OPTION_NOT_ALLOWED, "options.esm_class"),
        ({"options": {"priority_flag": 300}}, Reason.OPTION_INVALID, "options.priority_flag"),
    ],
)
def test_every_refusal_has_its_reason_and_its_field(request_: dict[str, Any], reason: Reason, field: str) -> None:
    assert refused(**request_) == (reason, field)


def test_a_key_may_be_held_to_its_senders() -> None:
    key = KeyConfig(name="shop", secret_env="X", country="GB", senders=("ACME", "60777"))
    assert message(key, sender="60777").sender == "60777"
    assert refused(key, sender="OTHER") == (Reason.SENDER_INVALID, "from")
    assert refused(key) == (Reason.SENDER_INVALID, "from")


def by(config: Config, **request: Any) -> Message | Verdict | QueueName:
    queues = {name: number for number, name in enumerate(queue_names(config), 1)}
    normaliser = Normaliser(config, queues, lambda: 1, lambda _sender, _to: 77)
    values = {"to": "07400 123456", "text": "hello", **request}
    return normaliser.normalise(SendRequest(**values), config.api.key[0], NOW)


def test_a_lane_may_be_held_to_its_senders() -> None:
    config = attrs.evolve(CONFIG, lane={**LANES, "otp": attrs.evolve(LANES["otp"], senders=("BANK", "CODE"))})
    found = by(config, lane="otp")
    assert isinstance(found, Verdict)
    assert (found.reason, found.field) == (Reason.SENDER_INVALID, "from")
    assert found.text == "lane otp may send from BANK, CODE"
    assert isinstance(by(config, lane="otp", sender="CODE"), Message)
    assert isinstance(by(config, lane="transactional"), Message)


@pytest.mark.parametrize(
    ("prices", "refused"),
    [((0.03, 0.05), True), ((0.03, 0.01), False), ((0.03, None), False), ((0.02, 0.03), False), ((None, None), False)],
)
def test_what_no_carrier_takes_within_the_lane_s_cap_is_refused(
    prices: tuple[float | None, ...], refused: bool
) -> None:
    carriers = tuple(
        CarrierConfig(
            name=name,
            bind=(BindConfig(host="smsc", system_id="acme"),),
            price=() if price is None else (PriceConfig(prefix="44", price=price),),
        )
        for name, price in zip(("north", "south"), prices, strict=True)
    )
    capped = attrs.evolve(LANES["otp"], retry=RetryConfig(max_cost=0.02))
    route = RouteConfig(name="home", carriers=("north", "south"))
    config = attrs.evolve(CONFIG, carrier=carriers, route=(route,), lane={**LANES, "otp": capped})
    found = by(config, lane="otp")
    assert isinstance(found, Verdict) is refused
    assert isinstance(by(config, lane="transactional"), Message)
    if isinstance(found, Verdict):
        assert (found.reason, found.field) == (Reason.COST_CAP, "to")
        assert "at least 0.03" in str(found.text)
        assert "at most 0.02" in str(found.text)


def test_the_rule_follows_from_number_sender_key_and_class() -> None:
    rules = (
        RouteConfig(name="flash", carriers=("north",), classes=("flash",)),
        RouteConfig(name="mobile", carriers=("north",), prefixes=("447400",), senders=("ACME",)),
        RouteConfig(name="other", carriers=("north",), keys=("shop",)),
    )
    key = attrs.evolve(KEY, options=("data_coding",))
    config = attrs.evolve(CONFIG, route=rules, api=ApiConfig(key=(key,)))
    numbers = {name: number for number, name in enumerate(queue_names(config), 1)}

    def rule(**request: Any) -> str:
        found = by(config, **request)
        assert isinstance(found, Message), found
        return next(name.rule for name, number in numbers.items() if number == found.queue)

    assert rule() == "mobile"
    assert rule(sender="OTHER") == "other"
    assert rule(to="07911 123456") == "other"
    assert rule(options={"data_coding": 0x10}) == "flash"


def test_a_refused_row_uses_up_no_id_and_no_reference() -> None:
    def never(*_what: object) -> int:
        raise AssertionError("used up")

    normaliser = Normaliser(CONFIG, QUEUES, never, never)
    for wrong in ({"metadata": {"a": "x" * 1_024}}, {"options": {"priority_flag": 300}}, {"client_ref": ""}):
        asked = SendRequest(to="07400 123456", text="x" * 200, **wrong)
        assert isinstance(normaliser.normalise(asked, KEY, NOW), Verdict)


def test_a_key_without_a_country_takes_international_numbers_only() -> None:
    key = KeyConfig(name="shop", secret_env="X")
    assert refused(key) == (Reason.COUNTRY_UNKNOWN, "country")
    assert message(key, to="+447400123456").to == "447400123456"
    assert message(key, country="gb").to == "447400123456"


def test_a_time_that_is_past_means_now_and_the_deadline_counts_from_the_sending() -> None:
    assert message(send_at=NOW - 5).send_at is None
    found = message(send_at=NOW + 100, deadline_in_s=60.0)
    assert (found.send_at, found.deadline) == (NOW + 100, NOW + 160)


def test_an_option_may_name_a_tlv_that_all_carriers_of_its_rule_have() -> None:
    bind = BindConfig(host="smsc", system_id="acme")
    dlt = DialectConfig(tlv={"dlt_entity_id": TlvConfig(tag=0x1400, kind="c-octets")})
    key = attrs.evolve(KEY, options=("dlt_entity_id",))
    for dialects, kept in (((dlt, dlt), True), ((dlt, DialectConfig()), False)):
        names = [f"c{number}" for number in range(len(dialects))]
        carriers = [CarrierConfig(name=n, bind=(bind,), dialect=d) for n, d in zip(names, dialects, strict=True)]
        config = attrs.evolve(
            CONFIG,
            carrier=tuple(carriers),
            route=(RouteConfig(name="home", carriers=tuple(names), countries=("GB",)),),
        )
        normaliser = Normaliser(config, QUEUES, lambda: 1, lambda _sender, _to: 77)
        asked = SendRequest(to="07400 123456", text="hello", options={"dlt_entity_id": "1101"})
        found = normaliser.normalise(asked, key, NOW)
        assert isinstance(found, Message) is kept


def test_metadata_and_options_are_kept_as_json() -> None:
    found = message(metadata={"order": "é"}, options={"user_message_reference": 5, "priority_flag": 1})
    assert found.metadata == '{"order":"é"}'
    assert found.options == '{"priority_flag":1,"user_message_reference":5}'
