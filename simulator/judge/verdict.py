"""Which messages were lost, doubled or unanswered, with what the scenario's faults explain taken off.

The book is kept by what truly happened: the ledger shows it what was accepted, and the trace of each link which answers
left.  Whatever kept an answer back, a rule, the wire or the end of the link, is seen alike.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from connector.smpp import tables
from connector.smpp.codec import HEADER, decode
from connector.smpp.outcomes import Outcome, outcome_of
from connector.smpp.pdu import Pdu
from simulator.judge.excuses import HEARD_WITHIN_S, Excuse, Link, Taken, is_under_way, why_again, why_unanswered
from simulator.judge.findings import DOUBLED, KINDS, LOST, NOT_ACCEPTED, SHOWN, UNANSWERED, Findings, Item
from simulator.judge.numbered import ACCEPTED, CAME, Missing, Numbered, Part
from simulator.judge.ways import Ways
from simulator.ledger import Entry
from simulator.scenario.fields import COMMANDS
from simulator.trace.record import LinkEvent, Packet

__all__ = ["KINDS", "SHOWN", "Book", "Item", "Verdict"]

REMEMBERED: Final = 1_000_000
"""Accepted messages among which doubles are looked for; about 400 octets of memory each."""
MOST_WAITING: Final = 10_000
"""Answers of one link that are waited for; of more, those that were due first are given up."""
FINAL: Final = frozenset({Outcome.REFUSED, Outcome.OTHER_ROUTE})
"""Refusals behind which an ESME does not send a message here again."""

_SUBMITS: Final = frozenset(COMMANDS[name] for name in ("submit_sm", "data_sm"))
_RESPONSES: Final = frozenset(COMMANDS[name] for name in ("submit_sm_resp", "data_sm_resp", "submit_multi_resp"))
_NACK: Final = COMMANDS["generic_nack"]
_ENQUIRE_LINK: Final = COMMANDS["enquire_link"]
_UNBIND: Final = COMMANDS["unbind"]
_BIND_RESPONSES: Final = frozenset(COMMANDS[name] for name in tables.BIND_RESPONSES)


@attrs.frozen(kw_only=True)
class Verdict:
    """What became of all messages of a run.  ``lost`` is None where nobody knows what there was to come."""

    accepted: int
    """Doubles included; of the whole run."""
    lost: int | None
    """Of the load: handed over, never seen here, and not swallowed by a fault.  A long one is lost with any part."""
    duplicated: int
    unanswered: int
    excused: int
    """Lost, doubled or unanswered: those that are explained by a fault, and counted nowhere else."""
    excused_by: Mapping[str, int] = attrs.field(factory=dict)
    """The same by the name of the fault, or by what ended the link in words; the most first."""
    accept_without_response: int
    """Accepted messages whose answer a fault kept from the ESME."""
    not_accepted: int = 0
    """Of the load: came in and were refused, or kept from the carrier by a fault, and never accepted later.

    Those that were refused for good are none of them: the ESME knows."""
    forgotten: int = 0
    """Accepted so long ago that no double of them would have been noticed."""
    nothing: str = ""
    """Why there was nothing to judge, as in "nothing was sent"; empty where there was something."""
    items: tuple[Item, ...] = ()
    """Without excuse first; no more than `SHOWN` of each kind, excused or not."""
    left_off: Mapping[str, int] = attrs.field(factory=dict)
    """How many more there are of each kind than ``items`` has; none of a kind that is all there."""

    @property
    def not_excused(self) -> int:
        """How many messages something happened to that no fault explains."""
        return (self.lost or 0) + self.not_accepted + self.duplicated + self.unanswered

    @property
    def clean(self) -> bool:
        """Whether something was judged, and nothing lost or never accepted, or doubled or unanswered but for faults."""
        return not (self.nothing or self.not_excused)


class Book:
    """Follows accepted messages until their answers have left.

    It is a watcher of the ledger (`take`), a sink of the trace, is told of what acts on links (`blame`), and where a
    load is played, is a judge (`come`) and told of what is `refused`.  ``started_at`` is the time of day from which it
    tells times; ``numbered`` is the highest number that texts of the load begin with; ``ways`` knows what the scenario
    does to octets, without which no black hole excuses.
    """

    def __init__(
        self, started_at: float, *, remembered: int = REMEMBERED, numbered: int = 0, ways: Ways | None = None
    ) -> None:
        self._started_at = started_at
        self._half = max(1, remembered // 2)
        self._numbered = Numbered(numbered) if numbered else None
        self._ways = ways
        self._may_swallow = ways is not None and ways.may_swallow and numbered > 0
        self._reads_slowly = ways is not None and ways.reads_slowly
        self._new: dict[int, Taken] = {}
        self._old: dict[int, Taken] = {}
        self._doubles: deque[Taken] = deque()
        """Those of the last second: why an ESME did not know is not sure before."""
        self._links: dict[int, Link] = {}
        """Those that are up."""
        self._findings = Findings()
        self.accepted = 0
        self.forgotten = 0
        self.enquired_before_bind = 0

    @property
    def brought(self) -> int:
        """Messages of the load that were accepted in all their parts, or refused for good."""
        return 0 if self._numbered is None else self._numbered.settled

    # --- what happens

    def take(self, entries: Sequence[Entry]) -> None:
        """Note messages that were accepted."""
        self.accepted += len(entries)
        for entry in entries:
            part = None if self._numbered is None else self._numbered.note(entry.pdu, ACCEPTED)
            taken = self._taken(entry)
            key = _key_of(entry, part)
            before = self._new.get(key) or self._old.pop(key, None)
            self._new[key] = taken
            if before is not None:
                taken.follow(before)
                self._settle_doubles(taken.at)
                self._doubles.append(taken)
            self._await(taken, entry.pdu.sequence_number)
        if len(self._new) > self._half:
            self.forgotten += len(self._old)
            self._old, self._new = self._new, {}

    def _taken(self, entry: Entry) -> Taken:
        link = self._link(entry.link)
        taken = Taken(entry.message_id, link, entry.accepted_at, entry.answer_due_at, entry.fault)
        if entry.held:
            self._note_hole(taken)
        elif self._reads_slowly and self._ways is not None:
            slow = self._ways.slow(entry.link, entry.accepted_at - self._started_at)
            if slow is not None:
                taken.held_since, taken.held_by = self._started_at + slow.since_s, slow.by
        return taken

    def _note_hole(self, taken: Taken) -> None:
        link, since = taken.link, taken.link.held_since
        outage = None if self._ways is None else self._ways.hole(taken.at - self._started_at)
        if outage is not None and outage.by:
            taken.held_since, taken.held_by = self._started_at + outage.since_s, outage.by
        else:
            taken.held_since, taken.held_by = -math.inf if since is None else since, link.held_by

    def _await(self, taken: Taken, sequence_number: int) -> None:
        waiting = taken.link.waiting
        taken.beside = waiting.get(sequence_number)
        waiting[sequence_number] = taken
        if len(waiting) > MOST_WAITING:
            first = next(iter(waiting))
            if not is_under_way(waiting[first], taken.at):
                self._give_up(waiting.pop(first))

    def come(self, pdu: Pdu) -> int:
        """Note a message that came in, whatever becomes of it; 0 refuses none."""
        if self._numbered is not None:
            self._numbered.note(pdu, CAME)
        return 0

    def refused(self, pdus: Sequence[Pdu], command_status: int) -> None:
        """Note messages that are answered with an error."""
        if self._numbered is not None and outcome_of(command_status) in FINAL:
            for pdu in pdus:
                self._numbered.refused(pdu)

    def blame(self, number: int, fault: str, octets: bytes, at: float) -> None:
        """Note that a rule or fault acts on a link, or makes the packet what it is that these octets begin."""
        link = self._link(number)
        link.blame(fault, octets[: HEADER.size], at)
        if self._ways is not None and fault in self._ways.holders:
            link.held_by = fault
            if fault in self._ways.holes:
                link.held_since = at

    def __call__(self, event: Packet | LinkEvent) -> None:
        """Note what crossed a link, as a sink of the trace."""
        if isinstance(event, LinkEvent):
            if event.ended:
                self._end(event)
            return
        link = self._link(event.link)
        if event.outgoing:
            if not link.spoilt:
                self._said(link, event)
        elif not link.bound and len(event.octets) >= HEADER.size:
            self.enquired_before_bind += HEADER.unpack_from(event.octets)[1] == _ENQUIRE_LINK
        elif self._may_swallow and link.gate is not None and link.gate.is_closed:
            self._swallow(link, event)

    def _said(self, link: Link, packet: Packet) -> None:
        length = len(packet.octets)
        if length < HEADER.size or int.from_bytes(packet.octets[:4], "big") != length:
            link.spoilt, link.spoilt_by = True, link.culprit(packet.at, packet.octets[: HEADER.size])
            return
        _, command_id, command_status, sequence_number = HEADER.unpack_from(packet.octets)
        if command_id in _RESPONSES and not command_status:
            for taken in _all_beside(link.waiting.pop(sequence_number, None)):
                taken.told_at = packet.at
                if taken.left_late:
                    taken.told_by = self._holder_of(link, packet)
        elif command_id in _RESPONSES or command_id == _NACK:
            for taken in _all_beside(link.waiting.get(sequence_number)):
                if taken.denied_at is None:
                    taken.denied_at = packet.at
                    taken.denied_by = taken.fault or link.culprit(packet.at, packet.octets[: HEADER.size])
        elif command_id in _BIND_RESPONSES and not command_status:
            link.bound = True
        elif command_id == _UNBIND:
            link.sent_away, link.sent_away_by = True, link.culprit(packet.at, packet.octets[: HEADER.size])

    def _holder_of(self, link: Link, packet: Packet) -> str:
        """Return what has held back an answer that leaves now."""
        outage = "" if self._ways is None else self._ways.hole(packet.at - self._started_at).by
        return outage or link.held_by or link.culprit(packet.at, packet.octets[: HEADER.size])

    def _swallow(self, link: Link, packet: Packet) -> None:
        """Note a message that came to a link on which nothing passes."""
        if self._numbered is None or len(packet.octets) < HEADER.size:
            return
        if HEADER.unpack_from(packet.octets)[1] in _SUBMITS:
            self._numbered.swallowed(decode(packet.octets), self._holder_of(link, packet))

    def _end(self, event: LinkEvent) -> None:
        link = self._links.pop(event.link, None)
        if link is None:
            return
        link.end(event.at, event.remark)
        for taken in link.waiting.values():
            self._give_up(taken)
        link.waiting.clear()

    def _link(self, number: int) -> Link:
        link = self._links.get(number)
        if link is None:
            gate = None if self._ways is None else self._ways.gate_of(number)
            link = self._links[number] = Link(number, gate)
        return link

    # --- judging

    def _give_up(self, taken: Taken) -> None:
        """Settle that the answer to a request never left."""
        for each in _all_beside(taken):
            self._findings.add(self._unanswered(each))

    def _settle_doubles(self, now: float) -> None:
        while self._doubles and self._doubles[0].at + HEARD_WITHIN_S < now:
            self._findings.add(self._double(self._doubles.popleft()))

    def verdict(
        self,
        *,
        expected: Iterable[int] | None = None,
        unsent: Mapping[int, int] | None = None,
        after_s: float = 0.0,
        now_s: float = math.inf,
        nothing: str = "",
    ) -> Verdict:
        """Return what became of what was accepted from a time on.

        ``expected`` are the numbers of the load's messages that should have come; they are looked for in the whole run.
        Of those in ``unsent`` these parts were never sent, a bit for each.  ``now_s`` is when it is asked, in seconds
        since the start: an answer due later may still be waited for.  ``nothing`` says why there is nothing to judge.
        """
        findings, missing = self._findings, self._missing(expected or (), unsent or {})
        more = [*self._unsettled(now_s, after_s), *missing]
        unexcused = {kind: findings.count(kind, False, after_s, more) for kind in KINDS}
        excused = {kind: findings.count(kind, True, after_s, more) for kind in KINDS}
        items = tuple(findings.listed(after_s, more))
        return Verdict(
            accepted=self.accepted,
            lost=None if expected is None else unexcused[LOST],
            duplicated=unexcused[DOUBLED],
            unanswered=unexcused[UNANSWERED],
            excused=sum(excused.values()),
            excused_by=findings.by_fault(after_s, more),
            accept_without_response=excused[UNANSWERED],
            not_accepted=unexcused[NOT_ACCEPTED],
            forgotten=self.forgotten,
            nothing=nothing or ("" if self.accepted or expected is not None else "nothing was accepted"),
            items=items,
            left_off=findings.left_off(items, after_s, more),
        )

    def _missing(self, expected: Iterable[int], unsent: Mapping[int, int]) -> Iterator[Item]:
        if self._numbered is not None:
            yield from map(_item_of, self._numbered.missing(expected, unsent))

    def _unsettled(self, now_s: float, after_s: float) -> Iterator[Item]:
        """Return what may still become otherwise, as it is now."""
        now = self._started_at + now_s
        waiting = [taken for link in self._links.values() for taken in link.waiting.values()]
        doubles = [self._double(taken) for taken in self._doubles]
        unheard = [
            self._unanswered(each)
            for taken in waiting
            for each in _all_beside(taken)
            if not is_under_way(each, now - HEARD_WITHIN_S)
        ]
        yield from (item for item in (*doubles, *unheard) if item.at_s is None or item.at_s >= after_s)

    def _unanswered(self, taken: Taken) -> Item:
        return self._item(UNANSWERED, taken, why_unanswered(taken))

    def _double(self, taken: Taken) -> Item:
        of = "" if taken.before is None else taken.before.message_id
        return self._item(DOUBLED, taken, why_again(taken), of)

    def _item(self, kind: str, taken: Taken, excuse: Excuse | None, of: str = "") -> Item:
        excuse = excuse or Excuse("", "")
        at_s = taken.at - self._started_at
        return Item(kind=kind, id=taken.message_id, at_s=at_s, of=of, excuse=excuse.words, fault=excuse.fault)


def _item_of(missing: Missing) -> Item:
    by = missing.swallowed_by
    return Item(
        kind=NOT_ACCEPTED if missing.came else LOST,
        id=f"#{missing.number}",
        of=missing.parts,
        excuse=f"{by} swallowed it" if by else "",
        fault=by,
    )


def _key_of(entry: Entry, part: Part | None) -> int:
    """Return what two of the same have alike: of the load's own the number, whichever way its text was cut."""
    if part is not None:
        return hash((part, entry.destination_addr))
    return hash((entry.account, entry.source_addr, entry.destination_addr, entry.octets))


def _all_beside(taken: Taken | None) -> Iterator[Taken]:
    while taken is not None:
        yield taken
        taken = taken.beside
