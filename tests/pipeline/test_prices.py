"""A part costs what the longest prefix of its number says."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from connector.config import BindConfig, CarrierConfig
from connector.config.carrier import PriceConfig
from connector.pipeline.prices import Prices


def carrier(name: str, prices: Mapping[str, float]) -> CarrierConfig:
    rows = tuple(PriceConfig(prefix=prefix, price=price) for prefix, price in prices.items())
    return CarrierConfig(name=name, bind=(BindConfig(host="127.0.0.1", system_id="acme"),), price=rows)


def test_the_longest_prefix_counts_whatever_the_order_of_the_rows() -> None:
    prices = Prices([carrier("north", {"447": 0.03, "44": 0.02, "44740": 0.05})])
    assert prices.price("north", "447400123456") == 0.05
    assert prices.price("north", "447700900123") == 0.03
    assert prices.price("north", "442079460000") == 0.02


def test_a_number_without_a_row_has_no_price_unless_there_is_one_for_all() -> None:
    prices = Prices([carrier("north", {"44": 0.02}), carrier("south", {"44": 0.02, "": 0.09}), carrier("bare", {})])
    assert prices.price("north", "33612345678") is None
    assert prices.price("south", "33612345678") == 0.09
    assert prices.price("bare", "33612345678") is None
    assert prices.price("nobody", "33612345678") is None


def test_free_is_a_price() -> None:
    assert Prices([carrier("north", {"44": 0.0})]).price("north", "447400123456") == 0.0


_DIGITS = st.text("0123", max_size=6)


@given(st.dictionaries(_DIGITS, st.floats(0, 1)), st.lists(_DIGITS, min_size=1, max_size=5))
def test_it_is_the_same_as_trying_every_row(table: dict[str, float], numbers: list[str]) -> None:
    prices = Prices([carrier("north", table)])
    for to in (*numbers, *numbers):  # the second time they are known
        rows = [prefix for prefix in table if to.startswith(prefix)]
        assert prices.price("north", to) == (table[max(rows, key=len)] if rows else None)
