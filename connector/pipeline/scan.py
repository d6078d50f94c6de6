"""A look at the parts of one queue, one by one: which carrier each takes in this turn, if any.  Pure."""

from collections.abc import Collection, Hashable, Mapping
from typing import Final

from connector.model import Part
from connector.pipeline.turn import Chooser, Offer

ELSEWHERE: Final = ""
"""No carrier: a part goes on waiting where the one it is tied to finds it."""


class Scan:
    """Gives each part to the best carrier that has room for it.

    ``names``: the carriers of the rule; ``rooms``: how many parts each of them takes now: what is given is taken out.
    """

    def __init__(
        self,
        choice: Chooser,
        rule: str,
        names: Collection[str],
        rooms: dict[str, int],
        offers: Mapping[str, Offer],
        now: float,
    ) -> None:
        self._choice = choice
        self._rule = rule
        self._names = names
        self._rooms = rooms
        self._offers = offers
        self._now = now
        self._begun: dict[int, str] = {}
        """Messages of several parts of which the first is given."""
        self._shut: dict[Hashable, bool] = {}
        """Kinds of parts that no carrier has room for."""
        self.chosen: dict[str, list[Part]] = {}
        """By carrier; under `ELSEWHERE` those that wait for the one they are tied to."""
        self.postponed: list[tuple[Part, float]] = []

    def admits(self, part: Part) -> bool:
        """Tell whether a part leaves its place in the queue, and note where it goes."""
        until = self._choice.quiet_until(part, self._now)
        if until is not None:
            self.postponed.append((part, until))
            return True
        tied = self._tie_of(part) if part.total > 1 else None
        carrier = self._best(part) if tied is None else self._tied(part, tied)
        if carrier is None:
            return False
        self.chosen.setdefault(carrier, []).append(part)
        return True

    def _tie_of(self, part: Part) -> str | None:
        """Return the carrier that has other parts of the message, unless its rule names that no more."""
        if part.pinned is not None and part.pinned not in self._names:
            part.pinned = None
        return part.pinned or self._begun.get(part.message_id)

    def _tied(self, part: Part, carrier: str) -> str:
        part.pinned = carrier
        may_go = self._choice.may_follow(part, carrier, self._rule, self._now)
        return carrier if may_go and self._takes(carrier, part) else ELSEWHERE

    def _best(self, part: Part) -> str | None:
        kind = self._choice.kind(part)
        if kind in self._shut:
            return None
        names = [name for name in self._choice.order(part, self._rule) if self._rooms.get(name, 0) > 0]
        if not names and kind is not None:
            self._shut[kind] = True
        carrier = next((name for name in names if self._takes(name, part)), None)
        if carrier is not None and part.total > 1:
            self._begun[part.message_id] = carrier
        return carrier

    def _takes(self, carrier: str, part: Part) -> bool:
        """Tell whether a carrier takes a part, and take the room for it."""
        if self._rooms.get(carrier, 0) <= 0:
            return False
        offer = self._offers[carrier]
        if offer.admits is not None and not offer.admits(part):
            return False
        if not self._choice.sure(carrier, part, self._rule):  # last: it counts the part where a carrier is probed
            if offer.give_back is not None:
                offer.give_back(part)
            return False
        self._rooms[carrier] -= 1
        return True
