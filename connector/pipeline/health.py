"""Which carriers can be trusted with how much: takes what comes back, looks once a second, tells what changes.

Pure: no clock of its own, no I/O.  The rules are in `health_rules`; here the numbers of carriers and of their countries
are kept apart, so that trouble in one country is that country's, and trouble everywhere the carrier's.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final

import attrs

from connector.config import HealthConfig
from connector.model import Answer, Lost, NotSent, Result
from connector.pipeline.health_numbers import Kind, Numbers, kind_of, share
from connector.pipeline.health_rules import SIGNS, Level, Standing, judge, receipt_window_s, samples, worst_sign
from connector.pipeline.health_rules import SickBecause as SickBecause
from connector.pipeline.health_rules import State as State
from connector.pipeline.health_scopes import Judged, Outstanding, Scope, Watched, numbers_of
from connector.pipeline.health_words import measured, sentence

TIMED: Final = 32
"""Answers of one list whose response time is measured, evenly spread over it: a median takes no more."""
GATHERED: Final = 256
"""Answers that are counted together while all is well: counting a list of ten costs five times as much for each."""
PATIENCE: Final = 4
"""While a carrier has shown less than so many times the samples that are judged, and a country may be all its trouble
by the first of so many parts of them elsewhere, it is not judged yet."""
_what = attrgetter("carrier", "country", "event", "reason", "detail")
_CUT: Final = frozenset({State.SICK, State.PROBING})


@attrs.frozen(kw_only=True)
class Switch:
    """A change of what a carrier, or one of its countries, gets."""

    at: float
    carrier: str
    country: str | None
    """ISO 3166 code; None for the carrier as a whole."""
    state: State
    before: State
    share: float
    """What it gets of its traffic from now on, 0 to 1; while it is probed 0, `Health.probe` tells what it may have."""
    reason: SickBecause | None
    numbers: Mapping[str, float]
    """What decided: samples, shares of 1, medians in seconds."""
    text: str
    """The same for people."""


@attrs.frozen(kw_only=True)
class HealthStatistics:
    """How a carrier, or one of its countries, stands."""

    carrier: str
    country: str | None
    """None for the carrier as a whole."""
    state: State
    share: float
    """What it gets of its traffic, 0 to 1."""
    samples: int
    """Answers in the window, and requests whose answer will not come."""
    bad_share: float
    """Of these, the share that is no acceptance."""
    response_p50_s: float | None
    """Median time to an acceptance; None while nothing was taken."""
    receipts: int
    """Parts in the sample that are past their final receipt, or past the time for it."""
    delivered_share: float | None
    """Of the final receipts; None while there are none."""
    delivered_p50_s: float | None
    """Median time from the acceptance to a receipt that says delivered."""
    silent_share: float | None
    """Of ``receipts``, those that never came; None while there are none."""
    since: float | None
    """When it last changed; None if it never did."""
    reason: SickBecause | None
    text: str
    """About its last change; empty if there was none."""


class Health:
    """Judges carriers.  All times are seconds of one clock that never goes back."""

    def __init__(self, config: HealthConfig) -> None:
        self._config = config
        self._carriers: dict[str, Watched] = {}
        self._outstanding = Outstanding()
        self._gathered: list[Answer] = []
        self._ailing: frozenset[str] = frozenset()
        """Carriers that are not well, or not for every country."""

    def change(self, config: HealthConfig) -> None:
        """Judge by another configuration from now on; windows of another length begin empty."""
        before, self._config = self._config, config
        if (before.window_s, receipt_window_s(before)) == (config.window_s, receipt_window_s(config)):
            return
        for watched in self._carriers.values():
            for scope in watched.scopes.values():
                scope.resize(config)

    def forget(self, carrier: str) -> None:
        """Drop all that is known of a carrier that is no longer configured."""
        self._gathered = [answer for answer in self._gathered if answer.carrier != carrier]
        self._carriers.pop(carrier, None)
        self._outstanding.forget(carrier)
        self._weigh()

    # --- what comes back ---

    def note(self, results: Sequence[Result], now: float) -> None:
        """Take what one commit settled; receipts and inbound messages in it are passed over."""
        answers = [result for result in results if type(result) is Answer]
        self._gathered += answers
        if len(self._gathered) >= GATHERED or self._ailing:
            self._count(now)
        if len(answers) < len(results):
            self._note_others(results, now)

    def _count(self, now: float) -> None:
        """Take the answers gathered so far."""
        answers, self._gathered, ailing = self._gathered, [], self._ailing
        fresh = [each for each in answers if each.carrier not in ailing or self._is_fresh(each)] if ailing else answers
        for (carrier, country, event, reason, detail), count in Counter(map(_what, fresh)).items():
            kind = kind_of(event, reason)
            scope = self._scope(carrier, country)
            if kind is not None:
                scope.answers.add(kind, now, count, None if kind is Kind.TAKEN else detail)
            else:
                self._give_back(carrier, country, count)
        for answer in fresh[:: len(fresh) // TIMED + 1]:
            if kind_of(answer.event, answer.reason) is Kind.TAKEN:
                self._scope(answer.carrier, answer.country).answers.time(answer.response_s, now)

    def _note_others(self, results: Iterable[Result], now: float) -> None:
        for result in results:
            if type(result) is Lost:
                self.lost(result.carrier, result.country, now, detail=None)
            elif type(result) is NotSent and result.carrier in self._ailing:
                self._give_back(result.carrier, None, 1)

    def answered(self, carrier: str, country: str | None, outcome_ok: bool, response_s: float, now: float) -> None:
        """Take one answer: whether the carrier has the part, and if not that it is to blame."""
        if now - response_s < self._counts_from(carrier, country):
            return
        scope = self._scope(carrier, country)
        scope.answers.add(Kind.TAKEN if outcome_ok else Kind.FAILED, now)
        if outcome_ok:
            scope.answers.time(response_s, now)

    def lost(self, carrier: str, country: str | None, now: float, *, detail: str | None = None) -> None:
        """Take a request whose answer will not come.

        It does not say when it was written: within a window after a switch it is taken to be older than that, and an
        unanswered probe fails by its own time.
        """
        since = self._counts_from(carrier, country)
        watched = self._carriers.get(carrier)
        if watched is not None and watched.standing.state in _CUT:
            return
        scope = self._scope(carrier, country)
        if scope.standing.state not in _CUT and now - since >= self._config.window_s:
            scope.answers.add(Kind.LOST, now, 1, detail)

    def link_ended(self, carrier: str, now: float, *, planned: bool) -> None:
        """Take the end of a link; one that we or a reload wanted says nothing."""
        if not planned:
            self._watched(carrier).links.append(now)

    def silent(self, carrier: str, seconds: float, now: float) -> None:
        """Take for how long requests have been in flight with nothing answered at all; to be told once a second."""
        self._watched(carrier).told_silent(seconds, now)

    def sent(self, part_id: int, carrier: str, country: str | None, now: float) -> None:
        """Take that the carrier has a part of which it shall send a receipt."""
        self._outstanding.add(part_id, self._scope(carrier, country), now, self._config.receipts_within_s)

    def final(self, part_id: int, delivered: bool, now: float) -> None:
        """Take the final receipt of a part."""
        found = self._outstanding.take(part_id)
        if found is None:
            return
        sent_at, scope = found
        scope.receipted = True
        if self._is_cut(scope):
            return
        scope.receipts.add(Kind.DELIVERED if delivered else Kind.UNDELIVERED, now)
        if delivered:
            scope.receipts.time(now - sent_at, now)

    # --- what follows ---

    @property
    def all_well(self) -> bool:
        """Whether every carrier gets everything: then nothing more needs asking."""
        return not self._ailing

    def share(self, carrier: str, country: str | None) -> float:
        """Return what a carrier gets of its traffic to a country: 1.0, 0.5, 0.25, 0.1, or 0.0."""
        watched = self._carriers.get(carrier)
        if watched is None:
            return 1.0
        scope = watched.scopes.get(country)
        whole = watched.standing.share
        return whole if scope is None else min(whole, scope.standing.share)

    def state(self, carrier: str, country: str | None) -> State:
        """Return how a carrier stands for a country: the worse of how it stands there and as a whole."""
        return self._worse(carrier, country).standing.state

    def text(self, carrier: str, country: str | None) -> str:
        """Return why it stands as `state` says, in words; empty if nothing ever changed."""
        return self._worse(carrier, country).text

    def _worse(self, carrier: str, country: str | None) -> Judged:
        watched = self._watched(carrier)
        scope = watched.scopes.get(country, watched)
        return scope if scope.standing.share < watched.standing.share else watched

    def probing_since(self, carrier: str, country: str | None) -> float | None:
        """Return since when parts to a country are to probe a carrier; None where none are."""
        probed = self._probed(carrier, country)
        return None if probed is None else probed.standing.since

    def probe(self, carrier: str, country: str | None, now: float) -> bool:
        """Tell whether one more part may go to a carrier that is being probed, and count it as gone."""
        probed = self._probed(carrier, country)
        if probed is None or probed.probes >= self._config.probes:
            return False
        probed.probes += 1
        probed.probed_at = now
        return True

    def latency_s(self, carrier: str, country: str | None) -> float | None:
        """Return the median seconds from the write to delivery as far as known, or None if nothing was answered.

        To the answer only, while no receipt has said delivered.  Smoothed, and told anew only when it has changed by a
        quarter, so that an order by it does not flap.
        """
        watched = self._carriers.get(carrier)
        if watched is None:
            return None
        scope = watched.scopes.get(country, watched)
        sent_s = watched.response.told if scope.response.told is None else scope.response.told
        delivered_s = watched.delivered.told if scope.delivered.told is None else scope.delivered.told
        return None if sent_s is None else sent_s + (delivered_s or 0.0)

    def statistics(self, now: float) -> tuple[HealthStatistics, ...]:
        """Return how each carrier stands, and after it each of its countries that does not stand as the carrier does.

        Countries of a carrier that gets nothing are left out.
        """
        self._count(now)
        found = []
        for watched in self._carriers.values():
            found.append(self._statistics_of(watched, watched.scopes.values(), now))
            if watched.standing.state not in _CUT:
                apart = [scope for scope in watched.scopes.values() if not scope.is_well]
                found += [self._statistics_of(scope, [scope], now) for scope in apart]
        return tuple(found)

    def _statistics_of(self, judged: Judged, scopes: Iterable[Scope], now: float) -> HealthStatistics:
        numbers, standing = numbers_of(judged, scopes, self._config, now), judged.standing
        return HealthStatistics(
            carrier=judged.carrier,
            country=judged.country,
            state=standing.state,
            share=standing.share,
            samples=numbers.answers,
            bad_share=numbers.bad_share,
            response_p50_s=numbers.response_p50_s,
            receipts=numbers.receipts,
            delivered_share=share(numbers.delivered, numbers.finals) if numbers.finals else None,
            delivered_p50_s=numbers.delivered_p50_s,
            silent_share=share(numbers.silent, numbers.receipts) if numbers.receipts else None,
            since=standing.since if standing.reason is not None else None,
            reason=standing.reason,
            text=judged.text,
        )

    # --- looking ---

    def look(self, now: float) -> list[Switch]:
        """Judge every carrier and country, and return what changed; to be called once a second."""
        self._count(now)
        for scope in self._outstanding.overdue(now - self._config.receipts_within_s):
            if not self._is_cut(scope) and self._witness(scope):
                scope.receipts.add(Kind.SILENT, now)
        switches = [switch for watched in self._carriers.values() for switch in self._look_at(watched, now)]
        if switches:
            self._weigh()
        return switches

    def _look_at(self, watched: Watched, now: float) -> list[Switch]:
        for scope in watched.scopes.values():
            scope.expire(now)
        well = [scope for scope in watched.scopes.values() if scope.is_well]
        moves: list[Switch | None] = []
        if watched.standing.state not in _CUT:
            moves = [self._judge(scope, [scope], now) for scope in watched.scopes.values() if not scope.is_well]
            for scope in self._troubled(watched, well, now):
                moves.append(self._judge(scope, [scope], now))
                well.remove(scope)
            if self._may_be_a_country(watched, well, now):
                return [move for move in moves if move is not None]
        moves.append(self._judge(watched, well, now))
        return [move for move in moves if move is not None]

    def _troubled(self, watched: Watched, well: Sequence[Scope], now: float) -> list[Scope]:
        """Return the countries that are in trouble while the rest of the carrier is good at the same thing."""
        least = self._config.min_samples
        bad: list[tuple[Scope, SickBecause]] = []
        for scope in well:
            if scope.country is None or not scope.has(least):
                continue
            numbers = numbers_of(scope, [scope], self._config, now)
            scope.measure(numbers, least)
            level, because = worst_sign(numbers, self._config)
            if level >= Level.BAD and because is not None:
                bad.append((scope, because))
        if not bad:
            return []
        troubled = {scope.country for scope, _ in bad}
        rest = numbers_of(watched, [scope for scope in well if scope.country not in troubled], self._config, now)
        return [scope for scope, because in bad if SIGNS[because](rest, self._config, least) is Level.GOOD]

    def _may_be_a_country(self, watched: Watched, well: Sequence[Scope], now: float) -> bool:
        """Tell whether a carrier's trouble may be that of one country, which a few more samples will show."""
        least = self._config.min_samples
        numbers = numbers_of(watched, well, self._config, now)
        level, because = worst_sign(numbers, self._config)
        if level < Level.BAD or because is None or samples(because, numbers) >= PATIENCE * least:
            return False
        worst = max(well, key=lambda scope: scope.bad, default=None)
        if worst is None or worst.country is None:
            return False
        rest = numbers_of(watched, [scope for scope in well if scope is not worst], self._config, now)
        return SIGNS[because](rest, self._config, max(1, least // PATIENCE)) is Level.GOOD

    def _judge(self, judged: Judged, scopes: Sequence[Scope], now: float) -> Switch | None:
        """Judge a carrier or a country by these tallies, and clear them if that changes what it gets."""
        old, numbers = judged.standing, numbers_of(judged, scopes, self._config, now)
        if old.state not in _CUT:
            judged.measure(numbers, self._config.min_samples)
        new = judged.standing = judge(numbers, old, self._config, now)
        if (new.state, new.share) == (old.state, old.share):
            return None
        if new.reason is SickBecause.NO_RECEIPTS:
            numbers = attrs.evolve(numbers, witness=self._witnesses(scopes))
        for scope in scopes:
            scope.clear()
        if isinstance(judged, Watched):
            judged.links.clear()
        judged.probes = 0
        return self._switch(judged, old, numbers, now)

    def _switch(self, judged: Judged, old: Standing, numbers: Numbers, now: float) -> Switch:
        new = judged.standing
        judged.text = sentence(judged.carrier, judged.country, numbers, new, self._config)
        return Switch(
            at=now,
            carrier=judged.carrier,
            country=judged.country,
            state=new.state,
            before=old.state,
            share=new.share,
            reason=new.reason,
            numbers=measured(numbers),
            text=judged.text,
        )

    def _weigh(self) -> None:
        self._ailing = frozenset(
            name
            for name, watched in self._carriers.items()
            if not (watched.is_well and all(scope.is_well for scope in watched.scopes.values()))
        )

    # --- receipts that should be there ---

    def _witness(self, scope: Scope) -> str:
        """Return how it is known that receipts come for this country; empty where it is not.

        Some countries never send any, through no carrier.
        """
        if scope.receipted:
            return "it sent receipts before"
        for name, other in self._carriers.items():
            if name != scope.carrier and scope.country in other.scopes and other.scopes[scope.country].sends_receipts:
                return f"carrier {name} has them"
        return ""

    def _witnesses(self, scopes: Iterable[Scope]) -> str:
        silent = [scope for scope in scopes if scope.receipts.total[Kind.SILENT]]
        return next((witness for scope in silent if (witness := self._witness(scope))), "")

    # --- who ---

    def _watched(self, carrier: str) -> Watched:
        found = self._carriers.get(carrier)
        if found is None:
            found = self._carriers[carrier] = Watched(carrier)
        return found

    def _scope(self, carrier: str, country: str | None) -> Scope:
        return self._watched(carrier).scope(country, self._config)

    def _is_cut(self, scope: Scope) -> bool:
        return scope.standing.state in _CUT or self._watched(scope.carrier).standing.state in _CUT

    def _counts_from(self, carrier: str, country: str | None) -> float:
        """Return the time of writing from which answers count."""
        return max(self._watched(carrier).counts_from(), self._scope(carrier, country).counts_from())

    def _is_fresh(self, answer: Answer) -> bool:
        return answer.at - answer.response_s >= self._counts_from(answer.carrier, answer.country)

    def _probed(self, carrier: str, country: str | None) -> Judged | None:
        """Return what a part to this country would probe: the country, or the carrier if nothing else is in the way."""
        watched = self._watched(carrier)
        scope = watched.scopes.get(country)
        if watched.standing.state is State.PROBING:
            return watched if scope is None or scope.is_well else None
        if watched.standing.state is State.SICK or scope is None:
            return None
        return scope if scope.standing.state is State.PROBING else None

    def _give_back(self, carrier: str, country: str | None, count: int) -> None:
        """Let others be tried instead of parts that say nothing: they never left, or we spoiled them."""
        watched = self._watched(carrier)
        candidates: list[Judged] = [watched, *(watched.scopes.values() if country is None else ())]
        if country is not None and country in watched.scopes:
            candidates.append(watched.scopes[country])
        for judged in candidates:
            if judged.standing.state is State.PROBING and judged.probes:
                judged.probes = max(0, judged.probes - count)
                return
