"""The source of message ids: integers that grow with time, unique over nodes, never the database's counters."""

from collections.abc import Callable

EPOCH_S = 1_735_689_600
"""2025-01-01: with 40 bits of milliseconds the ids last until 2059."""
NODE_BITS = 6
COUNTER_BITS = 9


def first_id(at: float) -> int:
    """Return the smallest id that a message of this time can have; 0 before the first of all times."""
    return max(0, int((at - EPOCH_S) * 1000)) << NODE_BITS + COUNTER_BITS


class Ids:
    """Hands out ids: 40 bits of milliseconds, 6 of node, 9 of counter; 55 together, so that a part's id fits in 63.

    More than 512 in a millisecond borrow from the next one.  ``last`` is the largest id of an earlier life: a wall
    clock that was set back never brings an id again.
    """

    def __init__(self, clock: Callable[[], float], *, node: int = 0, last: int = 0) -> None:
        if not 0 <= node < 1 << NODE_BITS:
            raise ValueError(f"node must be 0 to {(1 << NODE_BITS) - 1}")
        self._clock = clock
        self._node = node << COUNTER_BITS
        self._last_ms = last >> (NODE_BITS + COUNTER_BITS)
        self._counter = (1 << COUNTER_BITS) - 1 if last else -1

    def next(self) -> int:
        """Return an id larger than all before."""
        now_ms = int((self._clock() - EPOCH_S) * 1000)
        if now_ms > self._last_ms:
            self._last_ms, self._counter = now_ms, 0
        elif self._counter + 1 < 1 << COUNTER_BITS:
            self._counter += 1
        else:
            self._last_ms, self._counter = self._last_ms + 1, 0
        return self._last_ms << (NODE_BITS + COUNTER_BITS) | self._node | self._counter
