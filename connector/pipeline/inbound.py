"""Messages from subscribers, from the parts on disk to whole ones with an owner: joined, read, routed, kept.

The disk is the queue: a part is open until the commit that keeps its message.  So a life that ends at any moment
loses nothing and tells nothing twice, and memory holds no text.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import attrs
import trio

from connector.carrier.arrivals import read_parts
from connector.carrier.carrier import Carrier
from connector.config import Config, DialectConfig
from connector.config.inbound import address_of
from connector.lifecycle import TRANSITIONS, Status
from connector.model import (
    Inbound,
    InboundMessage,
    InboundPart,
    Moved,
    Receipt,
    Recipient,
    Repeat,
    Result,
    format_id,
)
from connector.pipeline.inbound_join import REMEMBERED_S, Joined, Joiner, key_of, without
from connector.pipeline.inbound_repeats import Repeats
from connector.pipeline.inbound_routes import Rules, answered
from connector.store.history import NOT_FINAL
from connector.store.store import Store

log = logging.getLogger("carrierline.inbound")

Note = Callable[[Sequence[Result], Sequence[Moved], float], None]

PARTS_PER_TURN = 100
"""Small enough to find room in a transaction beside claims and results."""
MOST_RECALLED = 10_000
"""Newest parts looked at after a start, for what may come again."""
SHORTEST_NAP_S = 0.05
_WORDS: tuple[str, ...] = (*TRANSITIONS[Status.UNKNOWN], NOT_FINAL)
"""What receipts say: all that still moves a part of which nothing was known, and what is no final word."""


@attrs.frozen
class InboundStatistics:
    """How messages from subscribers fare; what was kept is counted in the ledger."""

    open_messages: int = 0
    """Those of which parts are missing and waited for; what looks like a second copy of one waits among them."""
    open_parts: int = 0
    """Parts of these that are here."""
    counts: Mapping[str, int] = attrs.field(factory=dict)
    """Messages told since the start, and how many of them were partial or unmatched; parts that were repeats."""
    receipts: Mapping[str, int] = attrs.field(factory=dict)
    """Receipts kept since the start, every repeat too, by the word of the history: ``receipt`` is not a final one."""
    refused: int = 0
    """deliver_sm left to their carriers since the start, for the disk did not take them in time; receipts too."""


class Inbounds:
    """Tells what subscribers wrote: one station for all carriers."""

    def __init__(
        self,
        store: Store,
        config: Config,
        next_id: Callable[[], int],
        carriers: Mapping[str, Carrier],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._clock = clock
        self._joiner = Joiner(next_id, config.inbound)
        self._carriers = carriers
        self._repeats = Repeats(next_id, config.inbound, self._link_since, started_at=clock())
        self._last_seen = 0
        self._wake = trio.Event()
        self._counts = {"messages": 0, "partial": 0, "unmatched": 0, "repeats": 0}
        self._receipts = dict.fromkeys(_WORDS, 0)
        self.change(config)

    def change(self, config: Config) -> None:
        """Go on with this configuration; what is open stays open."""
        self._joiner.config = self._repeats.config = config.inbound
        self._rules = Rules(config.inbound.route)
        self._reply_within_s = config.inbound.reply_within_s
        self._keys = frozenset(key.name for key in config.api.key)
        self._dialects = {carrier.name: carrier.dialect for carrier in config.carrier}

    def _link_since(self, carrier: str, bind: str) -> float | None:
        """Return when the present link of a bind was bound; None while it is down."""
        held = self._carriers.get(carrier)
        return None if held is None else held.bound_since(bind)

    def statistics(self, *, refused: int = 0) -> InboundStatistics:
        """Return the numbers of this moment; ``refused``: deliver_sm that were left to their carriers."""
        return InboundStatistics(
            self._joiner.open_messages, self._joiner.open_parts, dict(self._counts), dict(self._receipts), refused
        )

    def noting(self, note: Note) -> Note:
        """Return who hears with another one of what every commit has brought."""

        def heard(results: Sequence[Result], moved: Sequence[Moved], now: float) -> None:
            note(results, moved, now)
            if any(isinstance(result, Inbound) for result in results):
                self._wake.set()
            for result in results:
                if type(result) is Receipt:
                    self._receipts[result.event or NOT_FINAL] += 1

        return heard

    def refused(self, said: Inbound) -> None:
        """Hear that the carrier was told to send this again, while it may be kept after all."""
        if key_of(said) is None:
            self._repeats.refused(said)

    # --- its life ---

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Tell what comes until cancelled, beginning with what an earlier life left open."""
        await self._recall()
        task_status.started()
        while True:
            self._wake = trio.Event()
            while await self._turn():
                pass
            await self._rest()

    async def _recall(self) -> None:
        since = self._clock() - max(REMEMBERED_S, self._joiner.config.repeat_within_s)
        told = (await self._store.inbound_told(MOST_RECALLED, since=since))[::-1]
        self._joiner.recall(told)
        self._repeats.recall(told)

    async def _rest(self) -> None:
        """Wait for a part, or until a message that lacks some is due, or a link is to be looked at."""
        due = [at for at in (self._joiner.next_due_at(), self._repeats.next_due_at()) if at is not None]
        if not due:
            await self._wake.wait()
            return
        with trio.move_on_after(max(SHORTEST_NAP_S, min(due) - self._clock())):
            await self._wake.wait()

    async def _turn(self) -> bool:
        """Take a handful of open parts and tell what they complete; return whether there may be more."""
        parts = await self._store.inbound_open(self._last_seen, PARTS_PER_TURN)
        now = self._clock()
        self._repeats.settle(now)
        items = [item for part in parts for item in self._take(part, now)] + self._joiner.due(now)
        if parts:
            self._last_seen = parts[-1].id
        at_hand = {part.id: part for part in parts}
        for handful in _handfuls(items):
            # a commit is shielded: whoever is cancelled in one must not begin another on a store about to close
            await trio.lowlevel.checkpoint_if_cancelled()
            await self._tell(handful, at_hand)
        return len(parts) == PARTS_PER_TURN

    def _take(self, part: InboundPart, now: float) -> list[Joined | Repeat]:
        key = key_of(part.said)
        return [self._repeats.take(part)] if key is None else self._joiner.take(part, key, now)

    # --- telling ---

    async def _tell(self, items: Sequence[Joined | Repeat], at_hand: Mapping[int, InboundPart]) -> None:
        joined = [item for item in items if isinstance(item, Joined)]
        repeats = [item for item in items if isinstance(item, Repeat)]
        told = await self._tell_what_is_here(joined, repeats, at_hand)
        # whoever erases a number while this reads takes parts away: what is left of their messages is told after all
        left = [item for item in joined if item.id not in told]
        if left:
            await self._tell_what_is_here(left, [], {})

    async def _tell_what_is_here(
        self, joined: Sequence[Joined], repeats: Sequence[Repeat], at_hand: Mapping[int, InboundPart]
    ) -> frozenset[int]:
        found = dict(at_hand)
        missing = [part for item in joined for part in item.parts if part not in found]
        if missing:
            found |= {part.id: part for part in await self._store.inbound_parts(missing) if part.message is None}
        here = [item for item in (_without_erased(item, found) for item in joined) if item.parts]
        messages = [self._message(item, [found[part].said for part in item.parts]) for item in here]
        messages = await self._routed(messages)
        told = frozenset(await self._store.tell(messages, repeats)) if messages or repeats else frozenset[int]()
        self._count([message for message in messages if message.id in told], len(repeats))
        return told

    def _message(self, item: Joined, parts: Sequence[Inbound]) -> InboundMessage:
        first = parts[0]
        reading = read_parts(parts, self._dialects.get(first.carrier) or DialectConfig())
        return InboundMessage(
            id=item.id,
            carrier=first.carrier,
            at=min(part.at for part in parts),
            sender=address_of(first.sender),
            to=address_of(first.to),
            text=reading.text,
            data=reading.data,
            alphabet=reading.alphabet,
            total=item.total,
            missing=item.missing,
            continues=item.continues,
            destination_port=first.destination_port,
            parts=item.parts,
        )

    async def _routed(self, messages: Iterable[InboundMessage]) -> list[InboundMessage]:
        """Return the messages with their owners: by rule, else by what they answer."""
        ruled = [self._rules.apply(message) for message in messages]
        asked = [message for message in ruled if message.api_key is None]
        if not asked:
            return ruled
        sent = await self._store.last_sent([Recipient(it.sender, it.at - self._reply_within_s) for it in asked])
        found = {it.id: answered(it, ours, self._keys) for it, ours in zip(asked, sent, strict=True)}
        return [found.get(message.id, message) for message in ruled]

    def _count(self, told: Sequence[InboundMessage], repeats: int) -> None:
        self._counts["messages"] += len(told)
        self._counts["partial"] += sum(message.partial for message in told)
        self._counts["unmatched"] += sum(message.api_key is None for message in told)
        self._counts["repeats"] += repeats
        for message in told:
            if message.api_key is None:
                log.info("inbound %s from carrier %s is nobody's: no rule fits", format_id(message.id), message.carrier)


def _without_erased(item: Joined, found: Collection[int]) -> Joined:
    """Return a message without the parts that are not there any more: they count as missing."""
    numbered = list(zip(without(item.missing, item.total), item.parts, strict=True))
    gone = {number for number, part in numbered if part not in found}
    if not gone:
        return item
    parts = tuple(part for number, part in numbered if number not in gone)
    return attrs.evolve(item, parts=parts, missing=tuple(sorted({*item.missing, *gone})))


def _handfuls(items: Sequence[Joined | Repeat]) -> Iterator[list[Joined | Repeat]]:
    """Cut a list so that each piece makes a small transaction; a message is never cut."""
    rows, numbered = 0, []
    for item in items:
        rows += 1 + (len(item.parts) if isinstance(item, Joined) else 0)
        numbered.append((rows // (2 * PARTS_PER_TURN), item))
    for _, handful in groupby(numbered, key=lambda pair: pair[0]):
        yield [item for _, item in handful]
