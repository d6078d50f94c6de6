"""One turn of dispatch: what carriers offer, who may take what, and what is picked."""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Protocol

import attrs

from connector.model import Part
from connector.pipeline.queue import Queue


@attrs.define
class Offer:
    """What one carrier takes in one turn."""

    credit: int
    """Parts, whoever sends them."""
    kept: int = 0
    """How many of these are only for lanes that keep places free."""
    admits: Callable[[Part], bool] | None = None
    """Whether its countries and senders let a part through, which it then counts; None where all may pass."""
    give_back: Callable[[Part], None] | None = None
    """Takes back that a part was counted which then did not go."""
    kept_from: dict[float, int] = attrs.field(factory=dict)
    """How many are kept from lanes that keep some free themselves, by their part of the window; none unless said."""
    held: int = 0
    """How many are for lanes that take nothing in this turn."""

    @property
    def lent(self) -> int:
        """Places that all lanes share."""
        return max(0, self.credit - self.kept - self.held)

    def kept_for(self, keep_free: float) -> int:
        """Return how many of the places kept free a lane may use that keeps this part of a window free."""
        return self.kept - self.kept_from.get(keep_free, 0) if keep_free else 0

    def usable(self, keep_free: float) -> int:
        """Return how many places are left for such a lane."""
        return self.credit - self.held - self.kept + self.kept_for(keep_free)

    def take(self, count: int, keep_free: float) -> None:
        """Use so many places for such a lane, first of those that are kept from lanes that keep less."""
        self.credit -= count
        own = self.kept_for(keep_free)
        beyond = self.kept_from.get(keep_free, 0)
        for lane, kept in self.kept_from.items():
            if lane < keep_free:
                self.kept_from[lane] -= min(count, kept - beyond)
        self.kept -= min(own, count)


@attrs.define
class Pick:
    """What one turn of dispatch takes: parts by carrier, and parts that are not to leave now."""

    parts: dict[str, list[Part]] = attrs.field(factory=dict)
    expired: list[Part] = attrs.field(factory=list)
    """Found past their deadline."""
    postponed: list[tuple[Part, float]] = attrs.field(factory=list)
    """Found in their lane's quiet hours, each with the end of these."""
    stranded: list[tuple[Part, float]] = attrs.field(factory=list)
    """Found in the way of others while nobody who may have them has a place, each with the time to look again."""


@attrs.define
class Turn:
    """A turn under way."""

    offers: Mapping[str, Offer]
    queues: Mapping[str, Sequence[Queue]]
    """All there are, by lane."""
    now: float
    pick: Pick = attrs.field(factory=Pick)
    open: Mapping[str, Offer] = attrs.field(init=False)
    """Carriers that had places for anybody as it began."""
    stuck: set[tuple[int, str]] = attrs.field(factory=set)
    """Queues, each with a carrier that takes nothing of what is in memory now."""

    def __attrs_post_init__(self) -> None:
        self.open = {name: offer for name, offer in self.offers.items() if offer.credit > 0}

    @property
    def has_places(self) -> bool:
        """Whether anything is left for those whose turn it is."""
        return any(offer.credit > offer.held for offer in self.open.values())


class Chooser(Protocol):
    """Says which carriers a part may take now; see `connector.pipeline.choice`."""

    def is_shut(self, lane: str, now: float) -> bool:
        """Tell whether nothing of this lane may leave now, whoever it is for."""

    def next_change(self, now: float) -> float | None:
        """Return when by time alone more may leave than now; None where it depends on something else."""

    def is_plain(self, queue: Queue) -> bool:
        """Tell whether each part of a queue may take any carrier of its rule now, in the order of the configuration."""

    def is_quiet(self, part: Part, now: float) -> bool:
        """Tell whether a part would leave in quiet hours."""

    def may_follow(self, part: Part, carrier: str, rule: str, now: float) -> bool:
        """Tell whether a part may go now to the carrier that has others of its message."""

    def quiet_until(self, part: Part, now: float) -> float | None:
        """Return until when a part that would leave in quiet hours is to be put off; None where it may leave, or
        cannot be put off."""

    def credit(self, carrier: str, credit: int) -> int:
        """Return what of a carrier's credit may be of use now."""

    def kind(self, part: Part) -> Hashable:
        """Return what `order` looks at in a part: those of one kind that find no room need not be asked again."""

    def order(self, part: Part, rule: str) -> Sequence[str]:
        """Return the carriers that a part may take now, the best first."""

    def is_stranded(self, part: Part, rule: str, carriers: Collection[str]) -> bool:
        """Tell whether none of these carriers may have this part at all."""

    def sure(self, carrier: str, part: Part, rule: str) -> bool:
        """Tell, last of all, whether this carrier takes the part, and count it there."""


class Anyone:
    """Lets every part take every carrier of its rule, in order."""

    def __init__(self, carriers_of: Mapping[str, Sequence[str]]) -> None:
        self._carriers_of = carriers_of

    def is_shut(self, lane: str, now: float) -> bool:
        return False

    def next_change(self, now: float) -> float | None:
        return None

    def is_plain(self, queue: Queue) -> bool:
        return True

    def is_quiet(self, part: Part, now: float) -> bool:
        return False

    def may_follow(self, part: Part, carrier: str, rule: str, now: float) -> bool:
        return True

    def quiet_until(self, part: Part, now: float) -> float | None:
        return None

    def credit(self, carrier: str, credit: int) -> int:
        return credit

    def kind(self, part: Part) -> Hashable:
        return None

    def order(self, part: Part, rule: str) -> Sequence[str]:
        return self._carriers_of.get(rule, ())

    def is_stranded(self, part: Part, rule: str, carriers: Collection[str]) -> bool:
        return False

    def sure(self, carrier: str, part: Part, rule: str) -> bool:
        return True
