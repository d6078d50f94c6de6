"""What lanes may send in a second at most, everywhere and at one carrier, whatever carriers could take.  Pure."""

from collections.abc import Iterator, Mapping

from connector.carrier.pace import Pace
from connector.config import LaneConfig

MARGIN = 0.98
"""Share of a ceiling that is used: what is claimed evenly leaves a little less evenly."""


class Ceilings:
    """The ceilings of all lanes; a lane without any costs a look-up."""

    def __init__(self, lanes: Mapping[str, LaneConfig]) -> None:
        self._paces: dict[str, dict[str | None, Pace]] = {}
        """By lane: under None that of the lane, under a carrier's name that of the lane there."""
        self.change(lanes)

    def change(self, lanes: Mapping[str, LaneConfig]) -> None:
        """Keep to these from now on; what has passed already counts."""
        before, self._paces = self._paces, {}
        for name, lane in lanes.items():
            for place, rate in _rates(lane):
                pace = before.get(name, {}).get(place) or Pace(rate, MARGIN)
                pace.change(rate)
                self._paces.setdefault(name, {})[place] = pace

    def limits(self, lane: str) -> bool:
        """Tell whether this lane has any ceiling."""
        return lane in self._paces

    def room(self, lane: str, carrier: str | None, now: float) -> int | None:
        """Return how many parts of the lane may be claimed now, at this carrier if one is named; None: any number."""
        paces = self._paces.get(lane)
        if paces is None:
            return None
        each = [paces[place].room(now) for place in {None, carrier} if place in paces]
        return min(each, default=None)

    def take(self, lane: str, carrier: str, count: int, now: float) -> None:
        """Count parts that are claimed now."""
        paces = self._paces.get(lane, {})
        for place in (None, carrier):
            if place in paces:
                paces[place].take(count, now)

    def next_opening(self, now: float) -> float | None:
        """Return when a ceiling that is reached lets something through again; None where none is."""
        times = [pace.opens_at(now) for paces in self._paces.values() for pace in paces.values()]
        return min((at for at in times if at > now), default=None)


def _rates(lane: LaneConfig) -> Iterator[tuple[str | None, float]]:
    if lane.max_rate_per_s is not None:
        yield None, lane.max_rate_per_s
    for carrier, share in lane.carrier.items():
        yield carrier, share.max_rate_per_s
