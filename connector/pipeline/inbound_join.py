"""Parts of messages from subscribers, in any order, to whole messages: which belong together, and how long to wait.

Pure: parts, ids and time come in, what is to be told comes out.  A part is known here by its id, its number and a mark
of its octets; the octets stay on disk.
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b

import attrs

from connector.config.inbound import InboundConfig, address_of
from connector.model import Inbound, InboundPart, Repeat

REMEMBERED_S = 600.0
"""How long after a message was told its parts are known again: carriers whose answer got lost send within minutes,
while 256 references of a handset may come round again the same day."""
MARK_BYTES = 8


def mark_of(said: Inbound) -> bytes:
    """Return a mark of what a part says: the same octets, read the same way, have the same."""
    how = f"{said.data_coding}|{said.esm_class}|{said.destination_port}|{said.source_port}|".encode()
    return blake2b(how + said.octets, digest_size=MARK_BYTES).digest()


@attrs.frozen
class Key:
    """What the parts of one message share (3GPP TS 23.040, 9.2.3.24.1): an 8-bit reference is not a 16-bit one."""

    carrier: str
    sender: str
    to: str
    reference: int
    wide: bool
    total: int


def key_of(said: Inbound) -> Key | None:
    """Return what a part shares with the others of its message; None where it came whole."""
    if said.reference is None or said.total is None:
        return None
    return Key(said.carrier, address_of(said.sender), address_of(said.to), said.reference, said.wide, said.total)


@attrs.frozen
class Joined:
    """A message to be told: all of its parts, or as many as came."""

    id: int
    parts: tuple[int, ...]
    """Ids in the order of their numbers."""
    total: int = 1
    missing: tuple[int, ...] = ()
    continues: int | None = None
    """The message that was told without these parts."""


@attrs.define
class _Open:
    """A message whose parts are not all here."""

    newest_at: float
    parts: dict[int, tuple[int, bytes]] = attrs.field(factory=dict)
    """(id, mark) by number."""
    copies: list[int] = attrs.field(factory=list)
    """Parts that are here twice."""
    told: dict[int, int] | None = None
    """Message by number, where all parts say what a message under this key has said that was told; else None.

    They come again, or another message says the same in some part: a signature under a reference that never changes.
    The next part shows it.
    """

    @property
    def size(self) -> int:
        return len(self.parts) + len(self.copies)


@attrs.define
class _Told:
    """A message that was told: whatever comes of it now comes again, or too late."""

    message: int
    at: float
    parts: dict[int, tuple[int, bytes]]
    """(message it was told in, mark) by number."""


class Joiner:
    """The open messages of all carriers, the one that was added to longest ago first."""

    def __init__(self, next_id: Callable[[], int], config: InboundConfig) -> None:
        self.config = config
        """How long to wait, and for how many; it may be changed at any time."""
        self._next_id = next_id
        self._open: dict[Key, _Open] = {}
        self._of_sender: dict[tuple[str, str], dict[Key, None]] = {}
        self._told: dict[Key, _Told] = {}
        self._remembered = 0
        self.open_parts = 0

    @property
    def open_messages(self) -> int:
        return len(self._open)

    def recall(self, parts: Iterable[InboundPart]) -> None:
        """Remember what an earlier life told, oldest first."""
        for part in parts:
            key, said = key_of(part.said), part.said
            if key is not None and part.message is not None and said.number is not None and not part.repeated:
                mark, told = mark_of(said), self._told.get(key)
                if told is None or told.parts.get(said.number, (0, mark))[1] != mark:
                    self._remember(key, _Told(part.message, said.at, {}))
                self._note(self._told[key], said.number, part.message, mark)

    def take(self, part: InboundPart, key: Key, now: float) -> list[Joined | Repeat]:
        """Take a part that is kept, and return what is to be told now."""
        number, mark = part.said.number or 1, mark_of(part.said)
        done: list[Joined | Repeat] = []
        group, told = self._open.get(key), self._told.get(key)
        if told is not None and (group is None or group.told is not None) and number not in told.parts:
            return [self._late(told, key, part.id, number, mark)]
        if group is None and told is not None and told.parts[number][1] != mark:
            self._forget(key)
        if group is not None and number in group.parts:
            if group.parts[number][1] == mark:
                if group.told is not None:
                    return [Repeat(part.id, group.told[number])]
                group.copies.append(part.id)
                self.open_parts += 1
                return self._crowded((key.carrier, key.sender), now)
            done += self._close(key, now)  # the handset has begun another message under the same reference
            self._forget(key)
        self._add(key, number, (part.id, mark), now)
        self._compare(key, number, mark)
        if len(self._open[key].parts) == key.total:
            done += self._close(key, now)
        return done + self._crowded((key.carrier, key.sender), now)

    def _late(self, told: _Told, key: Key, part: int, number: int, mark: bytes) -> Joined:
        """Return what becomes of a part that its message was told without."""
        late = Joined(self._next_id(), (part,), key.total, without({number}, key.total), told.message)
        self._note(told, number, late.id, mark)
        return late

    def _compare(self, key: Key, number: int, mark: bytes) -> None:
        """Note whether all that is open under a key may be second copies still."""
        group, told = self._open[key], self._told.get(key)
        known = told.parts.get(number) if told is not None else None
        if known is None or known[1] != mark or (group.told is None and len(group.parts) > 1):
            group.told = None
        else:
            group.told = {**(group.told or {}), number: known[0]}

    def _add(self, key: Key, number: int, part: tuple[int, bytes], now: float) -> None:
        group = self._open.pop(key, None) or _Open(now)
        self._open[key] = group  # at the end: nothing was added to any other one since
        group.newest_at = now
        group.parts[number] = part
        self.open_parts += 1
        others = self._of_sender.setdefault((key.carrier, key.sender), {})
        others.pop(key, None)
        others[key] = None

    def due(self, now: float) -> list[Joined | Repeat]:
        """Return the messages whose missing parts have been waited for long enough."""
        timeout_s = self.config.join_timeout_s
        over = [key for key, group in self._open.items() if group.newest_at + timeout_s <= now]
        while self._told and next(iter(self._told.values())).at + REMEMBERED_S <= now:
            self._forget(next(iter(self._told)))
        return [item for key in over for item in self._close(key, now)]

    def next_due_at(self) -> float | None:
        """Return when the next message is due; None if none is open."""
        return next((group.newest_at + self.config.join_timeout_s for group in self._open.values()), None)

    def _crowded(self, sender: tuple[str, str], now: float) -> list[Joined | Repeat]:
        """Return what is told early, for more is open than may be: what was added to longest ago."""
        done: list[Joined | Repeat] = []
        while len(keys := self._of_sender.get(sender, ())) > self.config.max_open_per_number:
            done += self._close(next(iter(keys)), now)
        while self.open_parts > self.config.max_open_parts:
            done += self._close(next(iter(self._open)), now)
        while self._remembered > self.config.max_open_parts:
            self._forget(next(iter(self._told)))
        return done

    def _close(self, key: Key, now: float) -> Iterator[Joined | Repeat]:
        group = self._open.pop(key)
        self.open_parts -= group.size
        others = self._of_sender[key.carrier, key.sender]
        del others[key]
        if not others:
            del self._of_sender[key.carrier, key.sender]
        if group.told is not None:
            return iter([Repeat(part, group.told[number]) for number, (part, _) in sorted(group.parts.items())])
        missing = without(group.parts, key.total)
        joined = Joined(self._next_id(), tuple(group.parts[n][0] for n in sorted(group.parts)), key.total, missing)
        told = _Told(joined.id, now, {})
        self._remember(key, told)
        for number, (_, mark) in group.parts.items():
            self._note(told, number, joined.id, mark)
        return iter([joined, *(Repeat(copy, joined.id) for copy in group.copies)])

    def _note(self, told: _Told, number: int, message: int, mark: bytes) -> None:
        self._remembered += number not in told.parts
        told.parts[number] = message, mark

    def _remember(self, key: Key, told: _Told) -> None:
        self._forget(key)
        self._told[key] = told

    def _forget(self, key: Key) -> None:
        told = self._told.pop(key, None)
        if told is not None:
            self._remembered -= len(told.parts)


def without(numbers: Iterable[int], total: int) -> tuple[int, ...]:
    """Return the numbers of the parts of a message of ``total`` parts but these."""
    here = set(numbers)
    return tuple(number for number in range(1, total + 1) if number not in here)
