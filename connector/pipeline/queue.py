"""The head of one queue in memory: the next few hundred parts of what waits on disk, earliest deadline first."""

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from operator import itemgetter

import attrs

from connector.model import Part, Wanted

HEADS = 500
"""Parts of one queue held in memory.  A million waiting messages cost no more memory than this."""
MOST_HEADS = 4_000
"""Where many are held back because their sender or country is limited: so many may stand before one that may go."""
BEGUN_HELD = 1_000
"""Messages of a queue: more than all claims that may be under way at once begin."""
UNHEARD_HELD = 2_000
"""Parts of a queue: more than are committed while one read goes on."""

Entry = tuple[float, int, Part]


@attrs.define
class _Refill:
    """A read of more heads under way, and what happened meanwhile."""

    taken: set[int]
    """Parts that left memory: the snapshot may still show them."""
    limit: int
    """Parts asked for: enough of them are new, though all that left memory stood first."""
    came: list[Part] = attrs.field(factory=list)
    """Parts that began to wait, or wait again: the snapshot may not show them."""
    void: bool = False
    """Parts appeared on disk in no known place: the snapshot is of no use."""


@attrs.define
class Queue:
    """The head of one queue: (lane, route rule, API key, limited sender or country)."""

    id: int
    lane: str
    rule: str
    api_key: str
    waiting: int
    """Parts that wait, on disk and here."""
    heads: list[Entry] = attrs.field(factory=list, repr=False)
    complete: bool = True
    """Whether `heads` is all that waits; if not, everything else on disk sorts behind its last entry."""
    alike: bool = False
    """Whether all that waits here is limited by the same: where one is held back, all are."""
    reach: int = attrs.field(factory=lambda: HEADS)
    """How many heads it holds."""
    begun: dict[int, str] = attrs.field(factory=dict, repr=False)
    """The messages of several parts that were last begun, and on which carrier: a read that began before the claim's
    commit brings their other parts without it."""
    unheard: dict[int, bool] = attrs.field(factory=dict, repr=False)
    """Parts never tried that the last reads brought: of some, nobody has told us yet that they wait."""
    tied: dict[str, list[Entry]] = attrs.field(factory=dict, repr=False)
    """Parts that wait for the carrier that has others of their message, by carrier; they are not among `heads`."""
    look_for_stranded_at: float = 0.0
    """When to look next for parts that no carrier that is up may have."""
    choosy: dict[int, bool] = attrs.field(factory=dict, repr=False)
    """Parts in memory that are not for just any carrier: one could not take them, or they go in spite of a doubt."""
    is_shut: bool = False
    """Whether nothing is held or read, because what waits is being moved on disk."""
    _refill: _Refill | None = attrs.field(default=None, repr=False)

    def add(self, part: Part) -> None:
        """Take note of a part that waits, newly or again, and hold it if it belongs among the heads."""
        self.waiting += 1
        if part.attempt == 0 and self.unheard.pop(part.id, False):
            return  # a read that began after its commit brought it before we heard of the commit
        self.bring(part)

    def bring(self, part: Part) -> None:
        """Hold a part that is counted already, if it belongs among the heads."""
        if self._refill is not None:
            self._refill.came.append(part)
        elif not self.is_shut:
            self._hold(part)

    def _hold(self, part: Part) -> None:
        self._mark(part)
        heads, place = self.heads, (part.deadline, part.id)
        at = bisect_left(heads, place)
        if at < len(heads):
            if heads[at][:2] != place:
                heads.insert(at, (*place, part))
                self._trim(self.reach)
        elif self.complete and at < self.reach:
            heads.append((*place, part))
        else:
            self.complete = False

    def _mark(self, part: Part) -> None:
        if part.refused or part.doubts or part.tries:
            self.choosy[part.id] = True

    def _trim(self, limit: int) -> None:
        if len(self.heads) > limit:
            del self.heads[limit:]
            self.complete = False

    def grew_on_disk(self, count: int) -> None:
        """Say that parts began to wait on disk that nobody brought here; they may sort before everything held."""
        self.waiting += count
        self.complete = False
        self.heads.clear()
        self.choosy.clear()
        if self._refill is not None:
            self._refill.void = True

    def shut(self) -> None:
        """Hold nothing and read nothing until `reopen`: so nothing can leave that is being moved on disk."""
        self.is_shut = True
        self.tied.clear()
        self.grew_on_disk(0)

    def reopen(self) -> None:
        """Hold again what waits, as it stands on disk now."""
        self.is_shut = False
        self.complete = False

    def gone(self, parts: Collection[int]) -> None:
        """Say that parts that waited here wait no more: somebody moved them on disk."""
        self.waiting -= len(parts)
        for part in parts:
            self.choosy.pop(part, None)
            self.unheard.pop(part, None)
        self.heads = _without(self.heads, lambda entry: entry[1] in parts)
        self._untie(lambda entry: entry[1] in parts)
        if self._refill is not None:
            self._refill.taken.update(parts)
            self._refill.came = [came for came in self._refill.came if came.id not in parts]

    # --- messages of several parts ---

    def tie(self, carrier: str, part: Part) -> None:
        """Let a part that was taken out wait for the carrier that has others of its message."""
        self.waiting += 1
        insort(self.tied.setdefault(carrier, []), (part.deadline, part.id, part), key=itemgetter(0, 1))

    def take_tied(self, carrier: str, count: int, may_go: Callable[[Entry], bool]) -> list[Part]:
        """Take out up to ``count`` parts that wait for this carrier and may go, earliest deadline first."""
        taken = list(islice(filter(may_go, self.tied[carrier]), max(0, count)))
        gone = {entry[1] for entry in taken}
        self._untie(lambda entry: entry[1] in gone, carrier)
        self.waiting -= len(taken)
        return [entry[2] for entry in taken]

    def free(self, messages: Collection[int], refused: tuple[str, ...] | None = None) -> None:
        """Forget which carrier messages were begun on.

        What waits of them may go to any, but for those that ``refused`` it; None: the disk knows, and is to be read.
        """
        for message in messages:
            self.begun.pop(message, None)
        loose = self._untie(lambda entry: entry[2].message_id in messages)
        if refused is None:
            return
        for part in [entry[2] for entry in self.heads if entry[2].message_id in messages] + loose:
            part.pinned, part.refused = None, refused
            self._mark(part)
        for part in loose:
            self.bring(part)
        if self._refill is not None:
            self._refill.void = True  # it may bring its parts as they were

    def read_again(self, message: int) -> None:
        """Believe nothing held here of a message of several parts: the disk knows better which carrier has it."""
        self.free([message])
        self.grew_on_disk(0)

    def keep_to(self, carriers: Collection[str]) -> None:
        """Free what is tied to other carriers than these: the rule names them no more."""
        self.begun = {message: carrier for message, carrier in self.begun.items() if carrier in carriers}
        for carrier in [name for name in self.tied if name not in carriers]:
            for _, _, part in self.tied.pop(carrier):
                part.pinned = None
                self.bring(part)

    def _untie(self, which: Callable[[Entry], bool], only: str | None = None) -> list[Part]:
        """Take out what is tied; the caller counts it."""
        loose: list[Part] = []
        for carrier in [only] if only is not None else list(self.tied):
            loose += [entry[2] for entry in self.tied[carrier] if which(entry)]
            self.tied[carrier] = _without(self.tied[carrier], which)
            if not self.tied[carrier]:
                del self.tied[carrier]
        return loose

    # --- reading and leaving ---

    def wanted(self, in_hand: Iterable[int]) -> Wanted | None:
        """Return the wish for more heads, or None while there are enough.  ``in_hand``: parts being claimed now."""
        if 4 * len(self.heads) <= self.reach:
            self.reach = max(HEADS, self.reach // 2)
        if self.complete or self.is_shut or self._refill is not None or len(self.heads) >= self._enough:
            return None
        busy = {*in_hand, *(entry[1] for entries in self.tied.values() for entry in entries)}
        self._refill = _Refill(busy, HEADS + len(busy))
        return Wanted(self.id, self.heads[-1][:2] if self.heads else None, self._refill.limit)

    @property
    def _enough(self) -> int:
        """How many heads are so many that no more are read: half, but where many are held back all there may be."""
        return self.reach // 2 if self.reach == HEADS else self.reach

    def refill(self, parts: Sequence[Part]) -> None:
        """Take in what `wanted` asked for."""
        state, self._refill = self._refill, None
        assert state is not None
        if state.void:
            return  # `complete` is False, so it will be asked for again, with what came meanwhile
        whole = len(parts) < state.limit
        last = (parts[-1].deadline, parts[-1].id) if parts else (0.0, 0)
        held = {entry[1] for entry in self.heads}
        new = {part.id: part for part in parts if part.id not in state.taken}
        new.update((part.id, part) for part in state.came if whole or (part.deadline, part.id) < last)
        for part in new.values():
            if part.total > 1 and part.message_id in self.begun:
                part.pinned = self.begun[part.message_id]
        self.unheard.update((part.id, True) for part in parts if part.attempt == 0 and part.id not in state.taken)
        for identity in list(self.unheard)[: max(0, len(self.unheard) - UNHEARD_HELD)]:
            del self.unheard[identity]
        for part in new.values():
            self._mark(part)
        self.heads += [(part.deadline, part.id, part) for part in new.values() if part.id not in held]
        self.heads.sort(key=itemgetter(0, 1))
        self.complete = whole
        self._trim(self.reach + HEADS)

    def begin(self, messages: Collection[int], carrier: str) -> None:
        """Keep the other parts of these messages for the carrier that has their first ones."""
        for message in messages:
            self.begun.pop(message, None)
            self.begun[message] = carrier
        for message in list(self.begun)[: max(0, len(self.begun) - BEGUN_HELD)]:
            del self.begun[message]
        for _, _, part in self.heads:
            if part.total > 1 and part.message_id in messages:
                part.pinned = carrier

    def expired(self, now: float) -> list[Part]:
        """Take out the parts whose deadline has passed."""
        count = 0
        while count < len(self.heads) and self.heads[count][0] <= now:
            count += 1
        late = self._untie(lambda entry: entry[0] <= now) if self.tied else []
        self.waiting -= len(late)
        return self.take(count) + late

    def take(self, count: int) -> list[Part]:
        """Take out up to ``count`` parts, earliest deadline first."""
        if not count:
            return []
        taken = [entry[2] for entry in self.heads[:count]]
        del self.heads[:count]
        self._left(taken)
        return taken

    def take_where(self, count: int, admits: Callable[[Part], bool], *, alike: bool = True) -> list[Part]:
        """Take out up to ``count`` parts that are admitted, earliest deadline first; the others keep their places.

        ``alike``: in a queue of parts that are limited by the same, the first that is held back speaks for all.  Where
        those held back fill the memory, more of what waits behind them is held from then on.
        """
        taken: list[Part] = []
        kept: list[Entry] = []
        for number, entry in enumerate(self.heads):
            if len(taken) == count:
                kept += self.heads[number:]
                break
            if admits(entry[2]):
                taken.append(entry[2])
            elif self.alike and alike:
                kept += self.heads[number:]
                break
            else:
                kept.append(entry)
        if len(taken) < count and not self.complete and not (self.alike and alike):
            self.reach = min(MOST_HEADS, max(self.reach, 2 * len(kept) + 1))
        self.heads = kept
        self._left(taken)
        return taken

    def take_out(self, wanted: Callable[[Part], bool]) -> list[Part]:
        """Take out all parts in memory that are wanted elsewhere."""
        taken = [entry[2] for entry in self.heads if wanted(entry[2])]
        gone = {part.id for part in taken}
        self.heads = _without(self.heads, lambda entry: entry[1] in gone)
        self._left(taken)
        return taken

    def _left(self, taken: list[Part]) -> None:
        self.waiting -= len(taken)
        if self.choosy:
            for part in taken:
                self.choosy.pop(part.id, None)
        if self._refill is not None:
            self._refill.taken.update(part.id for part in taken)


def _without(entries: list[Entry], which: Callable[[Entry], bool]) -> list[Entry]:
    return [entry for entry in entries if not which(entry)]
