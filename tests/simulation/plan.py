"""A world's plan: everything that will happen to it, as lists that can be printed, kept, and made shorter."""

from typing import Final

import attrs

from connector.config import Config
from tests.simulation.habits import Drawn
from tests.simulation.network import Weather

ENGINES: Final = ("memory", "sqlite")
"""Of the store."""


@attrs.frozen(kw_only=True)
class CarrierPlan:
    """One carrier and its ways."""

    name: str
    habits: tuple[Drawn, ...]
    seed: int
    receipt_s: float
    """From acceptance to the handset, unless a habit says otherwise."""


@attrs.frozen(kw_only=True)
class Send:
    """A request of a caller: so many messages to numbers of their own."""

    at_s: float
    key: str
    lane: str
    first: int
    """The number of the first recipient."""
    count: int
    text: str
    again_s: float | None = None
    """After it the caller, who is not sure, says the same once more."""
    deadline_in_s: float | None = None
    send_in_s: float | None = None
    sender: str | None = None


@attrs.frozen(kw_only=True)
class Moment:
    """A fault at a time; `tests.simulation.faults.ACTS` says what each does."""

    at_s: float
    act: str
    host: str = ""
    for_s: float = 0.0
    size: float = 0.0

    def __str__(self) -> str:
        where = f" at {self.host}" if self.host else ""
        return f"{self.at_s:7.2f} s  {self.act}{where} (for {self.for_s:g} s, size {self.size:g})"


@attrs.frozen(kw_only=True)
class Plan:
    """One world."""

    seed: int
    span_s: float
    """How long callers call and faults happen; then all is well, and everything has to come to its end."""
    settings: Config
    carriers: tuple[CarrierPlan, ...]
    weather: Weather
    commit_s: tuple[float, float]
    """How long a transaction takes."""
    engine: str = "memory"
    sends: tuple[Send, ...]
    moments: tuple[Moment, ...]

    @property
    def messages(self) -> int:
        return sum(send.count for send in self.sends)

    def describe(self) -> list[str]:
        """Return the plan in lines."""
        lines = [
            f"{len(self.carriers)} carriers, {self.messages} messages, {len(self.moments)} faults in"
            f" {self.span_s:g} s; {self.engine} store, a commit takes {self.commit_s[0]:g}-{self.commit_s[1]:g} s"
        ]
        for carrier in self.carriers:
            ways = ", ".join(f"{each.name} {each.rate:g}" for each in carrier.habits)
            lines.append(f"  {carrier.name}: {ways or 'no bad habits'}")
        return [*lines, *(f"  {moment}" for moment in self.moments)]
