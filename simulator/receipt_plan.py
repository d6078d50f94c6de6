"""What becomes of each accepted message, and which words about it are sent when.  Pure: nothing is sent here."""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from connector.smpp.pdu import DataSm, SubmitSm
from simulator import draws
from simulator.delays import certain_sampler, sampler
from simulator.faults import Faults
from simulator.handset import Handset
from simulator.ledger import Entry
from simulator.receipts import Delivery
from simulator.rules import Play
from simulator.scenario import Burst, ReceiptRules, Scenario
from simulator.scenario.names import RECEIPT_DELAY, RECEIPT_MISSING
from simulator.times import times_of

DATAGRAM: Final = 0x01
EXPIRED: Final = "EXPIRED"

WANTS_SUCCESS: Final = (False, True, False, True)
WANTS_FAILURE: Final = (False, True, True, False)
"""By bits 1-0 of registered_delivery: none, both, failure only, success only (SMPP 5.0, 4.7.21)."""
WANTS_INTERMEDIATE: Final = 0x10
MOST_OPENINGS: Final = 1_000
"""Of a floodgate that are kept; beyond it those of the past are forgotten."""


class Planned(NamedTuple):
    """A delivery and how many seconds after the answer it is due; an early one does not wait for the answer."""

    delivery: Delivery
    after_s: float
    early: bool = False


class Planner:
    """Decides what each accepted message comes to."""

    def __init__(self, scenario: Scenario, faults: Faults) -> None:
        rules, seed = scenario.receipt, scenario.seed
        self._rules = rules
        self._faults = faults
        self.state_of = draws.choice(rules.mix, draws.stream(seed, "receipt.mix"))
        self._delay = sampler(rules.delay, seed, "receipt.delay")
        self._certain_delay = certain_sampler(rules.delay, seed, "receipt.delay")
        self._early = draws.chance(rules.early, draws.stream(seed, "receipt.early"))
        self._missing = draws.chance(rules.missing, draws.stream(seed, "receipt.missing"))
        self._duplicate = draws.chance(rules.duplicate.rate, draws.stream(seed, "receipt.duplicate"))
        self._reorder = draws.chance(rules.reorder.rate, draws.stream(seed, "receipt.reorder"))
        self._stranger = draws.chance(rules.unknown_id, draws.stream(seed, "receipt.unknown_id"))
        self._intermediate = _word_or_none(rules.intermediate, draws.stream(seed, "receipt.intermediate"))
        self._handset = Handset(rules.handset, seed)
        self.has_handsets = bool(self._handset.answers)
        """Whether any handset says anything itself."""
        self._asked_by = 3 | WANTS_INTERMEDIATE | self._handset.answers
        """Bits of registered_delivery that may bring a word."""
        self._never = rules.when == "never"
        self._always = rules.when == "always"
        self._plain = _is_plain(rules)

    def wanted(self, pdu: SubmitSm | DataSm) -> bool:
        """Say whether any word about this message may ever be sent (SMPP 3.4, 5.2.17; 5.2.12 for datagrams)."""
        if self._never or pdu.esm_class & 3 == DATAGRAM:
            return False
        return self._always or bool(pdu.registered_delivery & self._asked_by)

    def ends_at(self, entry: Entry) -> float | None:
        """Return when a message comes to its final state, by the time of day; None if it never does."""
        delay = self._delay_of(entry, None)
        return None if delay is None else entry.accepted_at + entry.waits_s + delay

    def plan(self, entry: Entry, via: object, now_s: float, play: Play | None = None) -> list[Planned] | None:
        """Return the words about a message that asked for some; None when the scenario lets them go missing.

        ``now_s`` is the time since the start of the simulator, for the book of faults.
        """
        n, asked = entry.number, entry.pdu.registered_delivery
        delay, final = self._delay_of(entry, play), self._wants_final(asked, entry.state)
        if not final and not asked & WANTS_INTERMEDIATE:
            return []
        if delay is None or self._missing(n) or (play and play.missing):
            if self._goes_missing(delay, play, now_s):
                return None
            if delay is None:
                delay = entry.delay_s = self._certain_delay(n)
        if self._plain and final and not asked & WANTS_INTERMEDIATE and play is None:
            return [Planned(Delivery(entry, entry.state), delay)]
        planned = self._words(entry, delay, play, final=final)
        for each in planned if self._rules.via != "any" else ():
            each.delivery.via, each.delivery.avoids = via, self._rules.via == "other"
        return planned

    def heed_times(self, entry: Entry, answered_s: float, play: Play | None) -> None:
        """Have a message wait for its schedule_delivery_time, and end with its validity if it has not before.

        It does not end ahead of its answer, ``answered_s`` from now; and what a rule or an early receipt says of it
        is said whatever its validity.
        """
        times = times_of(entry.pdu, entry.accepted_at)
        entry.waits_s = max(entry.waits_s, times.waits_s)
        delay = self._delay_of(entry, play)
        if times.valid_s is None or delay is None or (play and play.stat) or self._early(entry.number):
            return
        if entry.waits_s + delay > times.valid_s:
            entry.state = EXPIRED
            entry.delay_s = max(times.valid_s, answered_s) - entry.waits_s

    def acknowledged(self, entry: Entry) -> list[Planned]:
        """Return what the handset says itself about a message, as its registered_delivery asks."""
        if not entry.pdu.registered_delivery & self._handset.answers:
            return []
        delay = self._delay_of(entry, None)
        words = self._handset.words(entry) if delay is not None else ()
        return [Planned(word, (delay or 0.0) + after_s) for word, after_s in words]

    def _delay_of(self, entry: Entry, play: Play | None) -> float | None:
        """Return how long it takes to the final state from when a message is on its way; None: for ever."""
        if entry.delay_s is None and play and play.receipt_delay:
            entry.delay_s = play.receipt_delay(entry.number)
            return entry.delay_s
        return self._delay(entry.number) if entry.delay_s is None else entry.delay_s

    def _goes_missing(self, delay: float | None, play: Play | None, now_s: float) -> bool:
        """Count a receipt that is not to come as a fault of its rule or table, and say whether it may be one."""
        if play and (play.missing or (play.receipt_delay and delay is None)):
            # What a rule does wrong to one message is one fault, and that of the answer is in the book already.
            return play.is_fault or self._faults.happens(play.name, now_s)
        return self._faults.happens(RECEIPT_DELAY if delay is None else RECEIPT_MISSING, now_s)

    def _words(self, entry: Entry, delay: float, play: Play | None, *, final: bool) -> list[Planned]:
        n, planned = entry.number, []
        asked = entry.pdu.registered_delivery & WANTS_INTERMEDIATE
        word = self._intermediate(n) if asked or (final and self._rules.intermediate_unasked) else None
        if word is not None:
            late = final and self._reorder(n)
            halfway = min(delay / 2, delay)  # of what ends while it still waits there is no half
            planned.append(Planned(Delivery(entry, word), delay + self._rules.reorder.by_s if late else halfway))
        if not final:
            return planned
        early, err = self._early(n), None if play is None else play.err
        times = 1 + self._duplicate(n) + (0 if play is None else play.duplicate)
        first_s = 0.0 if early else delay
        for count in range(times):
            again_s = first_s + count * self._rules.duplicate.gap_s
            planned.append(
                Planned(Delivery(entry, entry.state, err=err), again_s if count else delay, early and not count)
            )
        if self._stranger(n):
            planned.append(Planned(Delivery(entry, entry.state, stranger=True), delay))
        return planned

    def _wants_final(self, registered_delivery: int, state: str) -> bool:
        wants = WANTS_SUCCESS if state == "DELIVRD" else WANTS_FAILURE
        return self._always or wants[registered_delivery & 3]


def _is_plain(rules: ReceiptRules) -> bool:
    """Say whether each message that asks for the final word alone gets it once, on any bind, after its delay."""
    odd = (rules.early, rules.duplicate.rate, rules.unknown_id, rules.intermediate_unasked)
    return rules.via == "any" and not any(odd)


def _word_or_none(chances: dict[str, float], draw: draws.Draw) -> Callable[[int], str | None]:
    rest = 1 - sum(chances.values())
    pick = draws.choice({**chances, "": max(rest, 0.0)}, draw)
    return lambda ordinal: pick(ordinal) or None


class Floodgate:
    """Lets receipts gather, and lets them go one behind the other at multiples of a time."""

    def __init__(self, rules: Burst) -> None:
        self.rules = rules
        self._free_at_s: dict[int, float] = {}
        """By the number of an opening, when it lets the next one through."""

    def passes_at(self, due_s: float, now_s: float) -> float:
        """Return when one passes that is due then; all times are seconds since the start.

        What one opening does not let through before the next one goes on through that, ahead of what is due there.
        """
        hold_s, gap_s = self.rules.hold_s, 1 / self.rules.release_per_second
        number = math.ceil(due_s / hold_s)
        at = max(number * hold_s, self._free_at_s.get(number, 0.0), self._free_at_s.get(number - 1, 0.0))
        self._free_at_s[number] = at + gap_s
        if len(self._free_at_s) > MOST_OPENINGS:
            self._free_at_s = {each: free for each, free in self._free_at_s.items() if free > now_s}
        return at
