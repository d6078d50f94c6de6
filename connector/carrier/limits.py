"""The limits of one account and those that nest in it, and which of them explains a carrier's "too much".  Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

import attrs

from connector.carrier.throttle import Throttle
from connector.config import CarrierConfig
from connector.model import Part


class Scope(StrEnum):
    """What a limit is about, narrowest first."""

    SENDER = "sender"
    COUNTRY = "country"
    BIND = "bind"
    ACCOUNT = "account"


Place = tuple[Scope, str]
"""A scope and which one of it: ``(Scope.SENDER, "ACME")``."""
ACCOUNT: Place = (Scope.ACCOUNT, "")

WINDOW_S = 2.0
"""Answers of the last two to four seconds are evidence."""
WATCH_S = 10.0
"""So long after a refusal every answer is looked at."""
FEW = 3
"""Senders that may be too much each by itself; where more are refused, and nobody passes, it is the account."""
FINE = 0.05
"""A share of refusals that still counts as none."""
HELD_UP_S = 0.25
"""A claimed part whose sender or country must wait longer goes back to its queue."""
ANY_NUMBER = 1 << 30
TIDY_EVERY_S = 1.0


class Evidence:
    """How the carrier answered lately, by sender, country and bind.  Kept only while it refuses."""

    def __init__(self) -> None:
        self._turned_at = 0.0
        self._now: tuple[Counter[Place], Counter[Place]] = (Counter(), Counter())
        self._before: tuple[Counter[Place], Counter[Place]] = (Counter(), Counter())

    def note(self, places: Iterable[Place], now: float, *, refused: bool) -> None:
        """Count one answer for every place it belongs to."""
        if now - self._turned_at >= WINDOW_S:
            self._before = self._now if now - self._turned_at < 2 * WINDOW_S else (Counter(), Counter())
            self._now = (Counter(), Counter())
            self._turned_at = now
        for counter in self._now[: 1 + refused]:
            counter.update(places)

    def outside(self, place: Place, but: Collection[Place]) -> tuple[int, int]:
        """Return (answers, refusals) of everything outside a place, without those that are held responsible already."""
        answers, refusals = (now + before for now, before in zip(self._now, self._before, strict=True))
        others = {other for other in but if other[0] is place[0]} | {place}
        return (
            answers[ACCOUNT] - sum(answers[other] for other in others),
            refusals[ACCOUNT] - sum(refusals[other] for other in others),
        )


class Budget:
    """What the nested limits let through in one turn."""

    def __init__(self, limits: "Limits", claimed: Iterable[Part], now: float, ahead_s: float) -> None:
        self._limits = limits
        self._now = now
        self._ahead_s = ahead_s
        self._left: dict[Place, int] = {}
        self._shut: set[tuple[str, str | None]] = set()
        """Senders and countries for which nothing is left: asked again for every part that waits."""
        self._claimed = Counter(place for part in claimed for place in limits.places(part))

    def admits(self, part: Part) -> bool:
        """Tell whether this part may go, and count it if so."""
        who = part.sender, part.country
        if who in self._shut:
            return False
        places = self._limits.places(part)
        if not all(self._room(place) > 0 for place in places):
            self._shut.add(who)
            return False
        for place in places:
            self._left[place] -= 1
        return True

    def give_back(self, part: Part) -> None:
        """Take back that this part was counted: it does not go."""
        self._shut.discard((part.sender, part.country))
        for place in self._limits.places(part):
            self._left[place] += 1

    def _room(self, place: Place) -> int:
        if place not in self._left:
            coming = self._limits.throttle(place).coming(self._now, self._ahead_s)
            self._left[place] = ANY_NUMBER if coming is None else coming - self._claimed[place]
        return self._left[place]


@attrs.frozen
class ScopeStatistics:
    """How one limit stands."""

    scope: str
    value: str
    rate_per_s: float | None
    """What may leave in a second at present; None means any number."""
    eased: bool
    """Whether the carrier's complaints hold it down."""
    throttled: int


class Limits:
    """All limits of one carrier: the account's, its binds', and those of countries and senders.

    A limit of a country or a sender exists where the configuration has one, or where the carrier has shown one.
    """

    def __init__(self, config: CarrierConfig) -> None:
        self._margin = config.rate_margin
        self._account_rate_per_s = config.rate_per_s
        self.account = Throttle(config.rate_per_s, self._margin, keeps=True)
        self._binds: dict[str, Throttle] = {}
        self._binds_configured = any(bind.rate_per_s is not None for bind in config.bind)
        self._configured = _configured(config)
        self._nested: dict[Place, Throttle] = {}
        self._eased_binds: set[str] = set()
        self._evidence = Evidence()
        self._watching_until = 0.0
        self._tidied_at = 0.0
        self.throttled = 0
        """How often the carrier said that it is too much, of whatever scope."""

    # --- who is limited ---

    def bind(self, name: str, rate_per_s: float | None = None) -> Throttle:
        """Return the limit of one link, made when first asked for."""
        if name not in self._binds:
            self._binds[name] = Throttle(rate_per_s, self._margin, within_per_s=self._account_rate_per_s)
        return self._binds[name]

    def any_bind(self, now: float) -> bool:
        """Tell whether any link is limited by itself now: with hundreds of them it is costly to ask each."""
        self._eased_binds = {name for name in self._eased_binds if self._binds[name].is_eased(now)}
        return self._binds_configured or bool(self._eased_binds)

    @property
    def nested(self) -> bool:
        """Whether any country or sender is limited now."""
        return bool(self._configured or self._nested)

    def places(self, part: Part) -> list[Place]:
        """Return the country and the sender of a part, as far as they are limited."""
        return [place for place in _places(part) if place in self._nested or self._rate_of(place) is not None]

    def throttle(self, place: Place) -> Throttle:
        """Return the limit of a country or a sender, made when first asked for."""
        if place not in self._nested:
            within = self._account_rate_per_s
            self._nested[place] = Throttle(self._rate_of(place), self._margin, within_per_s=within)
        return self._nested[place]

    def _rate_of(self, place: Place) -> float | None:
        return self._configured.get(place, self._configured.get((place[0], "*")))

    def budget(self, claimed: Iterable[Part], now: float, ahead_s: float) -> Budget | None:
        """Return what may be claimed of each country and sender, given what is claimed already; None for anything."""
        if not self.nested:
            return None
        self._tidy(now)
        return Budget(self, claimed, now, ahead_s)

    def take(self, parts: Iterable[Part], now: float) -> None:
        """Count parts that leave now, in their countries and senders."""
        if self.nested:
            for place, count in Counter(place for part in parts for place in self.places(part)).items():
                self.throttle(place).take(count, now)

    def opens_at(self, part: Part, now: float) -> float:
        """Return when the country and the sender of a part let it leave."""
        return max((self.throttle(place).opens_at(now) for place in self.places(part)), default=now)

    def next_opening(self, now: float) -> float | None:
        """Return when a country or a sender that is shut now will let something leave; None where none is shut."""
        times = [throttle.opens_at(now) for throttle in self._nested.values()]
        return min((at for at in times if at > now), default=None)

    def _tidy(self, now: float) -> None:
        """Forget the limits that the carrier had shown and has lifted, and those that hold back nobody now."""
        if now - self._tidied_at < TIDY_EVERY_S:
            return
        self._tidied_at = now
        for place in [place for place, throttle in self._nested.items() if throttle.is_idle(now)]:
            del self._nested[place]

    def change(self, config: CarrierConfig) -> None:
        """Keep to other limits of countries and senders from now on; what has left already counts."""
        self._configured = _configured(config)
        self._account_rate_per_s = config.rate_per_s
        for place, throttle in self._nested.items():
            throttle.set_ceiling(self._rate_of(place), within_per_s=config.rate_per_s)

    # --- what the carrier says ---

    def is_watching(self, now: float) -> bool:
        """Tell whether acceptances are to be reported too: they show who is not to blame."""
        return now < self._watching_until

    def accepted(self, part: Part, bind: str, now: float) -> None:
        """Take note that the carrier took this part."""
        self._evidence.note([*_places(part), (Scope.BIND, bind), ACCOUNT], now, refused=False)

    def refused(self, part: Part, bind: str, now: float, *, sent_at: float) -> Place | None:
        """Charge the narrowest scope that explains why the carrier found this part too much; return it if it was news.

        The narrowest is the one outside of which nearly all still passes.  Where nothing speaks for anybody it is the
        sender: if others are meant too, their refusals will say so.
        """
        self.throttled += 1
        self._watching_until = now + WATCH_S
        self._evidence.note([*_places(part), (Scope.BIND, bind), ACCOUNT], now, refused=True)
        place = self._explanation(part, bind, now)
        return place if self._slow_down(place, now, sent_at) else None

    def cut_off(self, bind: str, now: float, *, sent_at: float) -> None:
        """Take note that the carrier closed this link right after a burst; while little left it was not for that."""
        if self.account.is_busy(now):
            self._slow_down((Scope.BIND, bind), now, sent_at)

    def _slow_down(self, place: Place, now: float, sent_at: float) -> bool:
        if place[0] is Scope.BIND:
            self._eased_binds.add(place[1])
        return self._of(place).slow_down(now, sent_at=sent_at)

    def _explanation(self, part: Part, bind: str, now: float) -> Place:
        charged = [place for place, throttle in self._nested.items() if throttle.is_eased(now)]
        charged += [(Scope.BIND, name) for name, throttle in self._binds.items() if throttle.is_eased(now)]
        sender, country = _places(part)
        for place in (sender, country, (Scope.BIND, bind)):
            answers, refusals = self._evidence.outside(place, charged)
            if answers and refusals <= FINE * answers:
                return place
        guilty = {place for place in charged if place[0] is Scope.SENDER} | {sender}
        _, refusals = self._evidence.outside(sender, charged)
        return ACCOUNT if refusals or len(guilty) > FEW else sender

    def _of(self, place: Place) -> Throttle:
        if place == ACCOUNT:
            return self.account
        return self.bind(place[1]) if place[0] is Scope.BIND else self.throttle(place)

    # --- numbers ---

    def statistics(self, now: float) -> tuple[ScopeStatistics, ...]:
        """Return the account's limit and every other one that is configured or eased."""
        rows: Mapping[Place, Throttle] = {
            ACCOUNT: self.account,
            **{(Scope.BIND, name): it for name, it in self._binds.items() if it.rate_per_s(now) is not None},
            **self._nested,
        }
        return tuple(
            ScopeStatistics(str(scope), value, it.rate_per_s(now), it.is_eased(now), it.throttled)
            for (scope, value), it in rows.items()
        )


def _configured(config: CarrierConfig) -> dict[Place, float]:
    return {(Scope(limit.scope), limit.value): limit.rate_per_s for limit in config.limit}


def _places(part: Part) -> tuple[Place, Place]:
    return (Scope.SENDER, part.sender), (Scope.COUNTRY, part.country or "")
