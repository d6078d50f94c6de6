"""What a part costs through a carrier: its price table, by the longest prefix of the number.  Pure."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from connector.config import CarrierConfig
from connector.config.carrier import PriceConfig

CACHED_PREFIXES: Final = 20_000
"""Of each carrier.  A table's rows are some 2 to 7 digits long, so a campaign's numbers share few beginnings."""


class Prices:
    """The price tables of all carriers; they are in one currency."""

    def __init__(self, carriers: Iterable[CarrierConfig]) -> None:
        self._look_ups = {carrier.name: _look_up(carrier.price) for carrier in carriers if carrier.price}

    def price(self, carrier: str, to: str) -> float | None:
        """Return what one part to this number (E.164 digits) costs; None where the carrier's table has no row for it.

        As many steps as the longest prefix has digits, however long the table is.
        """
        found = self._look_ups.get(carrier)
        return None if found is None else found(to)


def _look_up(rows: Iterable[PriceConfig]) -> Callable[[str], float | None]:
    by_prefix = {row.prefix: row.price for row in rows}
    longest = max(map(len, by_prefix))

    @lru_cache(maxsize=CACHED_PREFIXES)
    def price_of(beginning: str) -> float | None:
        for end in range(len(beginning), -1, -1):
            price = by_prefix.get(beginning[:end])
            if price is not None:
                return price
        return None

    return lambda to: price_of(to[:longest])
