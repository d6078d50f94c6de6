"""Where one configuration files a message, and which queues another one leaves as they are."""

from collections.abc import Sequence

import attrs
from hypothesis import given
from hypothesis import strategies as st

from connector.config import Config, RouteConfig
from connector.config.carrier import LimitConfig
from connector.model import QueueName, Unsettled
from connector.pipeline.filing import Filing
from tests.pipeline.world import carrier_config, config

PLAIN = Unsettled(1 << 8, 1, "otp", "shop", "447911123456", "Shop", "GB", None)
NORTH = carrier_config("north")


def filing(*routes: RouteConfig, limit: Sequence[LimitConfig] = ()) -> Filing:
    return Filing(config(attrs.evolve(NORTH, limit=tuple(limit)), carrier_config("south"), route=routes))


def route(name: str, carrier: str = "north", **criteria: tuple[str, ...]) -> RouteConfig:
    return RouteConfig(name=name, carriers=(carrier,), **criteria)  # type: ignore[arg-type]


def test_the_first_rule_that_fits_names_the_queue() -> None:
    found = filing(route("french", countries=("FR",)), route("all"))
    assert found.name(PLAIN) == QueueName("otp", "all", "shop")
    assert found.name(attrs.evolve(PLAIN, country="FR")) == QueueName("otp", "french", "shop")


def test_the_message_class_is_read_from_the_options() -> None:
    found = filing(route("flash", classes=("flash",)), route("all"))
    assert found.name(attrs.evolve(PLAIN, options='{"data_coding":16}')) == QueueName("otp", "flash", "shop")
    assert found.name(attrs.evolve(PLAIN, options='{"priority_flag":1}')) == QueueName("otp", "all", "shop")


def test_what_a_carrier_of_the_rule_limits_has_a_queue_of_its_own() -> None:
    found = filing(route("all"), limit=[LimitConfig(rate_per_s=1, sender="Shop")])
    assert found.name(PLAIN) == QueueName("otp", "all", "shop", "sender Shop")
    assert found.name(attrs.evolve(PLAIN, sender="Bank")) == QueueName("otp", "all", "shop")


def test_what_no_rule_takes_and_what_is_of_no_lane_belongs_nowhere() -> None:
    found = filing(route("french", countries=("FR",)))
    assert found.name(PLAIN) is None
    assert filing(route("all")).name(attrs.evolve(PLAIN, lane="gone")) is None


def test_a_rule_behind_a_queues_own_decides_nothing_about_it() -> None:
    before, after = filing(route("a"), route("b")), filing(route("a"), route("c", countries=("FR",)))
    queue = QueueName("otp", "a", "shop")
    assert before.decides(queue) == after.decides(queue) is not None
    assert after.decides(QueueName("otp", "b", "shop")) is None, "it is gone"
    assert before.digest() != after.digest()


def test_a_rule_in_front_that_is_not_for_the_lane_or_the_key_decides_nothing() -> None:
    before = filing(route("all"))
    queue = QueueName("otp", "all", "shop")
    for other in (route("x", lanes=("promotional",)), route("x", keys=("bank",))):
        assert filing(other, route("all")).decides(queue) == before.decides(queue)
    assert filing(route("x", senders=("Bank",)), route("all")).decides(queue) != before.decides(queue)


def test_other_carriers_decide_nothing_but_their_limits_do() -> None:
    queue = QueueName("otp", "all", "shop")
    before = filing(route("all"))
    assert filing(route("all", "south")).decides(queue) == before.decides(queue)
    limited = filing(route("all"), limit=[LimitConfig(rate_per_s=1, sender="Shop")])
    assert limited.decides(queue) != before.decides(queue)
    faster = filing(route("all"), limit=[LimitConfig(rate_per_s=9, sender="Shop")])
    assert faster.decides(queue) == limited.decides(queue)
    assert faster.digest() == limited.digest() != before.digest()


def some(*values: str) -> st.SearchStrategy[tuple[str, ...] | None]:
    return st.none() | st.lists(st.sampled_from(values), min_size=1, unique=True).map(tuple)


ROUTES = st.lists(
    st.builds(
        RouteConfig,
        carriers=st.sampled_from([("north",), ("south",), ("north", "south")]),
        name=st.sampled_from("abc"),
        lanes=some("otp", "promotional"),
        countries=some("GB", "FR"),
        prefixes=some("44", "4479"),
        senders=some("Shop", "Bank"),
        keys=some("shop", "bank"),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda it: it.name,
)
LIMITS = st.lists(
    st.builds(LimitConfig, rate_per_s=st.just(1.0), sender=st.sampled_from(["Shop", "*"])), max_size=1
).map(tuple)
ITEMS = st.builds(
    Unsettled,
    part=st.just(256),
    queue=st.just(1),
    lane=st.sampled_from(["otp", "promotional"]),
    api_key=st.sampled_from(["shop", "bank"]),
    to=st.sampled_from(["447911123456", "448000000000", "33612345678"]),
    sender=st.sampled_from(["Shop", "Bank"]),
    country=st.sampled_from(["GB", "FR", None]),
    options=st.none(),
)
SETTINGS = st.builds(
    lambda routes, limit: config(attrs.evolve(NORTH, limit=limit), carrier_config("south"), route=routes),
    ROUTES,
    LIMITS,
)


@given(before=SETTINGS, after=SETTINGS, item=ITEMS)
def test_a_queue_about_which_all_that_decides_is_the_same_keeps_its_messages(
    before: Config, after: Config, item: Unsettled
) -> None:
    old, new = Filing(before), Filing(after)
    queue = old.name(item)
    if queue is not None and old.decides(queue) == new.decides(queue):
        assert new.name(item) == queue
    if old.digest() == new.digest():
        assert new.name(item) == queue
