"""What a transaction changed, gathered while it runs and written once before it commits.

The ledger's counters, the event log's rows and the statuses of messages of several parts all follow from the same
list of moves, so the verbs only say what moved.
"""

import struct
from collections import Counter
from collections.abc import Iterable, Sequence

from connector.lifecycle import Status
from connector.model import InboundMessage, is_whole


def pack_parts(parts: Sequence[int]) -> bytes:
    """Return part ids as 8 octets each, big endian."""
    return struct.pack(f">{len(parts)}q", *parts)


def unpack_parts(packed: bytes) -> tuple[int, ...]:
    """Return the part ids packed by `pack_parts`."""
    return struct.unpack(f">{len(packed) // 8}q", packed)


class Tally:
    """The moves of one transaction."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.events: list[tuple[str, list[int]]] = []
        """Rows of the event log: parts that came to one status, in an order in which no part's moves are swapped."""
        self._open_rows: dict[str, int] = {}
        self._newest_row: dict[int, int] = {}
        self.split_messages: set[int] = set()
        """Messages of several parts whose status may have changed."""

    def clear(self) -> None:
        self.counters.clear()
        self.events.clear()
        self._open_rows.clear()
        self._newest_row.clear()
        self.split_messages.clear()

    def accepted(self, messages: int, parts: int) -> None:
        """Count newly kept messages and their parts."""
        self.counters["messages"] += messages
        self.counters["parts"] += parts

    def attempted(self, submitted: int = 0, answered: int = 0, doubted: int = 0) -> None:
        """Count attempts that began, were answered, or whose answer was lost; negative ones take that back."""
        self.counters["submitted"] += submitted
        self.counters["answered"] += answered
        self.counters["doubted"] += doubted

    def kept_inbound(self, parts: int) -> None:
        """Count parts of messages from subscribers; none is told yet."""
        self.counters["i:parts"] += parts
        self.counters["i:open"] += parts

    def told_inbound(self, message: InboundMessage) -> None:
        """Count a message joined from parts that were open."""
        self.counters["i:open"] -= len(message.parts)
        self.counters["i:messages"] += 1
        self.counters["i:partial"] += message.partial
        self.counters["i:unmatched"] += message.api_key is None

    def repeated_inbound(self, parts: int) -> None:
        """Count open parts that turned out to be second copies."""
        self.counters["i:open"] -= parts
        self.counters["i:repeats"] += parts

    def entered(self, part: int, status: str) -> None:
        """A new part has this status (and its message too, where it is the only one)."""
        self.counters[f"p:{status}"] += 1
        self.counters["submitted"] += status == Status.SENDING
        self._log(status, [part])
        if is_whole(part):
            self.counters[f"m:{status}"] += 1
        else:
            self.split_messages.add(part >> 8)

    def moved(self, parts: Iterable[int], old: str, new: str) -> None:
        """These parts went from one status to another."""
        moved = list(parts)
        self._log(new, moved)
        if old == new:
            return
        whole = 0
        for part in moved:
            if is_whole(part):
                whole += 1
            else:
                self.split_messages.add(part >> 8)
        self._shift("p", old, new, len(moved))
        self._shift("m", old, new, whole)

    def message_moved(self, old: str | None, new: Status) -> None:
        """The status of a message of several parts changed (None: it is new)."""
        if old is not None:
            self.counters[f"m:{old}"] -= 1
        self.counters[f"m:{new}"] += 1

    def _log(self, status: str, parts: Iterable[int]) -> None:
        """Add to this status's row, or to a new one where the part has moved on in a later row since."""
        newest = self._newest_row
        row = self._open_rows.get(status)
        for part in parts:
            if row is None or newest.get(part, -1) > row:
                row = self._open_rows[status] = len(self.events)
                self.events.append((status, []))
            self.events[row][1].append(part)
            newest[part] = row

    def _shift(self, what: str, old: str, new: str, count: int) -> None:
        self.counters[f"{what}:{old}"] -= count
        self.counters[f"{what}:{new}"] += count
