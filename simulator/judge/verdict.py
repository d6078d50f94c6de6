"""Which messages were lost, doubled or unanswered, with what the scenario's faults explain taken off.

The book is kept by what truly happened: the ledger shows it what was accepted, and the trace of each link which answers
left.  Whatever kept an answer back, a rule, the wire or the end of the link, is seen alike.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs

from connector.smpp import tables
from connector.smpp.codec import HEADER
from connector.smpp.pdu import Pdu
from simulator.ledger import Entry
from simulator.scenario.fields import COMMANDS
from simulator.texts import text_of
from simulator.trace.record import LinkEvent, Packet

REMEMBERED: Final = 1_000_000
"""Accepted messages among which doubles are looked for; about 350 octets of memory each."""
SHOWN: Final = 100
"""Items of each kind that a verdict lists; the counts are exact."""
HEARD_WITHIN_S: Final = 1.0
"""An answer that left so shortly before a fault ended the link may never have been read."""
NUMBER_OCTETS: Final = 24
KINDS: Final = ("lost", "not accepted", "doubled", "unanswered")
"""What may happen to a message, in the order in which a verdict lists it."""

_NUMBER: Final = re.compile(r"#(\d+) ")
_RESPONSES: Final = frozenset(COMMANDS[name] for name in ("submit_sm_resp", "data_sm_resp", "submit_multi_resp"))
_ENQUIRE_LINK: Final = COMMANDS["enquire_link"]
_UNBIND: Final = COMMANDS["unbind"]
_BIND_RESPONSES: Final = frozenset(COMMANDS[name] for name in tables.BIND_RESPONSES)
_CAME, _ACCEPTED = 1, 2
_OWN_ENDS: Final = ("the peer closed the link", "unbound", "the link broke")
"""How links end that the ESME ends."""


@attrs.frozen(kw_only=True)
class Item:
    """One message that something happened to."""

    kind: str
    """One of `KINDS`."""
    id: str
    """The carrier's message_id; of one never accepted, which has none, its number in the load as in "#17"."""
    at_s: float | None = None
    """When it was accepted, in seconds since the start of the simulator."""
    of: str = ""
    """Of a double: message_id of the one before."""
    excuse: str = ""
    """The fault that explains it, in words; empty when there is none."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What became of all messages of a run.  ``lost`` is None where nobody knows what there was to come."""

    accepted: int
    """Doubles included; of the whole run."""
    lost: int | None
    duplicated: int
    unanswered: int
    excused: int
    """Doubled or unanswered: those that are explained by a fault, and counted nowhere else."""
    accept_without_response: int
    """Accepted messages whose answer a fault kept from the ESME."""
    not_accepted: int = 0
    """Of the load: came in and were refused, or kept from the carrier by a fault, and never accepted later.

    Those that its own ESME was refused for good are none of them: it knows."""
    forgotten: int = 0
    """Accepted so long ago that no double of them would have been noticed."""
    items: tuple[Item, ...] = ()
    """Without excuse first; no more than `SHOWN` of each kind, excused or not."""

    @property
    def clean(self) -> bool:
        """Whether nothing was lost or never accepted, and nothing doubled or unanswered but for faults."""
        return not (self.lost or self.not_accepted or self.duplicated or self.unanswered)


@attrs.define(eq=False)
class _Taken:
    """An accepted message."""

    message_id: str
    link: int
    at: float
    """Time of day, as all times in the book."""
    due_at: float | None
    """When its answer was to leave; None: never."""
    held: bool = False
    """A black hole had held it back."""
    told_at: float | None = None
    before: "_Taken | None" = None
    """The same, accepted before."""
    beside: "_Taken | None" = None
    """Another one of the same request: of a submit_multi."""

    @property
    def was_held_back(self) -> bool:
        """Whether its answer left much later than it was to: maybe into a link that nobody listened on any more."""
        return self.told_at is not None and (self.due_at is None or self.told_at - self.due_at > HEARD_WITHIN_S)


@attrs.define(eq=False)
class _Link:
    """What is known of a link."""

    bound: bool = False
    took: bool = False
    """Whether anything was accepted on it."""
    waiting: dict[int, _Taken] = attrs.field(factory=dict)
    """By the sequence_number that their answer will have."""
    spoilt: bool = False
    """Octets left that are no PDU: what came behind them was never understood."""
    sent_away: bool = False
    """The carrier asked to unbind."""
    ended_at: float | None = None
    reason: str = ""

    @property
    def why(self) -> str:
        """Why it ended."""
        return "the carrier asked to unbind" if self.sent_away else self.reason

    @property
    def ended_by_fault(self) -> bool:
        """Whether the carrier ended it, or drove the ESME to it."""
        return self.spoilt or self.sent_away or not self.reason.rpartition("; ")[2].startswith(_OWN_ENDS)


class Book:
    """Follows accepted messages until their answers have left.

    It is a watcher of the ledger (`take`), a sink of the trace, and where a load is played, a judge (`come`).
    ``started_at`` is the time of day from which it tells times; ``numbered`` is the highest number that texts of the
    load begin with.
    """

    def __init__(self, started_at: float, *, remembered: int = REMEMBERED, numbered: int = 0) -> None:
        self._started_at = started_at
        self._half = max(1, remembered // 2)
        self._numbered = numbered
        self._new: dict[int, _Taken] = {}
        self._old: dict[int, _Taken] = {}
        self._doubles: list[_Taken] = []
        self._links: dict[int, _Link] = {}
        self._numbers = bytearray(numbered + 1)
        self.accepted = 0
        self.brought = 0
        """Messages of the load, each counted once."""
        self.forgotten = 0
        self.enquired_before_bind = 0

    # --- what happens

    def take(self, entries: Sequence[Entry]) -> None:
        """Note messages that were accepted."""
        self.accepted += len(entries)
        for entry in entries:
            key = hash((entry.account, entry.source_addr, entry.destination_addr, entry.octets))
            before = self._new.get(key) or self._old.pop(key, None)
            taken = self._new[key] = _Taken(
                entry.message_id, entry.link, entry.accepted_at, entry.answer_due_at, entry.held, before=before
            )
            if before is not None:
                self._doubles.append(taken)
            link, number = self._link(entry.link), entry.pdu.sequence_number
            link.took = True
            taken.beside = link.waiting.get(number)
            link.waiting[number] = taken
            if self._numbered:
                self._mark(entry.pdu, _ACCEPTED)
        if len(self._new) > self._half:
            self.forgotten += len(self._old)
            self._old, self._new = self._new, {}

    def come(self, pdu: Pdu) -> int:
        """Note a message that came in, whatever becomes of it; 0 refuses none."""
        self._mark(pdu, _CAME)
        return 0

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

    def _said(self, link: "_Link", packet: Packet) -> None:
        length = len(packet.octets)
        if length < HEADER.size or int.from_bytes(packet.octets[:4], "big") != length:
            link.spoilt = True
            return
        _, command_id, command_status, sequence_number = HEADER.unpack_from(packet.octets)
        if command_status:
            return
        if command_id in _RESPONSES:
            taken = link.waiting.pop(sequence_number, None)
            while taken is not None:
                taken.told_at = packet.at
                taken = taken.beside
        elif command_id in _BIND_RESPONSES:
            link.bound = True
        elif command_id == _UNBIND:
            link.sent_away = True

    def _end(self, event: LinkEvent) -> None:
        link = self._link(event.link)
        if not link.took:
            del self._links[event.link]
            return
        link.ended_at, link.reason = event.at, event.remark
        link.waiting.clear()

    def _link(self, number: int) -> _Link:
        link = self._links.get(number)
        if link is None:
            link = self._links[number] = _Link()
        return link

    def _mark(self, pdu: Pdu, mark: int) -> None:
        found = _NUMBER.match(text_of(pdu, NUMBER_OCTETS))
        if found is None:
            return
        number = int(found[1])
        if number <= self._numbered:
            self.brought += mark == _ACCEPTED and not self._numbers[number] & _ACCEPTED
            self._numbers[number] |= mark

    # --- judging

    def verdict(
        self, *, expected: Iterable[int] | None = None, after_s: float = 0.0, now_s: float = math.inf
    ) -> Verdict:
        """Return what became of what was accepted from a time on.

        ``expected`` are the numbers of the load's messages that should have come; they are looked for in the whole run.
        ``now_s`` is when it is asked, in seconds since the start: an answer due later may still be waited for.
        """
        now = self._started_at + now_s
        unheard = [item for item in self._unheard(now) if item.at_s is None or item.at_s >= after_s]
        doubles = [self._double(taken, now) for taken in self._doubles if taken.at - self._started_at >= after_s]
        never = [*self._never_accepted(expected or ())]
        findings = [*never, *doubles, *unheard]
        lost = sum(item.kind == "lost" for item in never)
        return Verdict(
            accepted=self.accepted,
            lost=None if expected is None else lost,
            duplicated=sum(not item.excuse for item in doubles),
            unanswered=sum(not item.excuse for item in unheard),
            excused=sum(bool(item.excuse) for item in findings),
            accept_without_response=sum(bool(item.excuse) for item in unheard),
            not_accepted=len(never) - lost,
            forgotten=self.forgotten,
            items=tuple(_listed(findings)),
        )

    def _never_accepted(self, expected: Iterable[int]) -> Iterator[Item]:
        for number in expected:
            marks = self._numbers[number]
            if not marks & _ACCEPTED:
                yield Item(kind="not accepted" if marks & _CAME else "lost", id=f"#{number}")

    def _unheard(self, now: float) -> Iterator[Item]:
        for each in (*self._old.values(), *self._new.values()):
            taken: _Taken | None = each
            while taken is not None:
                if taken.told_at is None and not self._is_under_way(taken, now):
                    excuse = self._why_unheard(taken, now) if self._is_excused(taken) else ""
                    yield Item(kind="unanswered", id=taken.message_id, at_s=taken.at - self._started_at, excuse=excuse)
                taken = taken.before

    def _is_under_way(self, taken: _Taken, now: float) -> bool:
        """Say whether the answer is still to come: its time is not, and the link is there."""
        return self._links[taken.link].ended_at is None and taken.due_at is not None and taken.due_at > now

    def _is_excused(self, taken: _Taken) -> bool:
        """Say whether an ESME that was not answered had waited for it: the answer was to have left by then."""
        link = self._links[taken.link]
        if link.ended_at is None or link.ended_by_fault or taken.held:
            return True
        return taken.due_at is None or taken.due_at < link.ended_at

    def _why_unheard(self, taken: _Taken, now: float) -> str:
        """Say why the ESME cannot know, or need not know, that a message was accepted.

        Nothing when it does, or when it only has to wait.
        """
        link = self._links[taken.link]
        if taken.told_at is None:
            if link.ended_at is None:
                return "" if self._is_under_way(taken, now) else "its answer never left"
            return f"link {taken.link} ended before its answer: {link.why}"
        if link.ended_at is None or not (link.ended_by_fault or taken.was_held_back):
            return ""
        since_s = link.ended_at - taken.told_at
        return "" if since_s > HEARD_WITHIN_S else f"link {taken.link} ended {since_s:.3f} s behind it: {link.why}"

    def _double(self, taken: _Taken, now: float) -> Item:
        """Return a double, excused when none of the same before is known to have been answered, or it came late."""
        before, why = taken.before, ""
        held = f"link {taken.link} was held back until then" if taken.held else ""
        while before is not None:
            why = self._why_unheard(before, now)
            if not why:
                break
            before = before.before
        of = "" if taken.before is None else taken.before.message_id
        return Item(kind="doubled", id=taken.message_id, at_s=taken.at - self._started_at, of=of, excuse=held or why)


def _listed(items: list[Item]) -> Iterator[Item]:
    for kind in KINDS:
        of_kind = [item for item in items if item.kind == kind]
        yield from sorted(of_kind, key=lambda item: bool(item.excuse))[:SHOWN]
