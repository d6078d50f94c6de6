"""Parts of one carrier that have credit and have not left: on their way to disk, or waiting for their moment.  Pure."""

from collections.abc import Container, Sequence, ValuesView

from connector.model import Part


class Claimed:
    """Counts them, those of urgent lanes and the others."""

    def __init__(self, urgent_lanes: Container[str]) -> None:
        self._urgent_lanes = urgent_lanes
        self._parts: dict[int, Part] = {}
        self._others: set[int] = set()

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def others(self) -> int:
        """Of them, those of lanes that were not urgent when they took their credit."""
        return len(self._others)

    @property
    def parts(self) -> ValuesView[Part]:
        """All of them."""
        return self._parts.values()

    def add(self, parts: Sequence[Part]) -> None:
        """Take credit for these."""
        self._parts.update((part.id, part) for part in parts)
        self._others.update(part.id for part in parts if part.lane not in self._urgent_lanes)

    def release(self, parts: Sequence[Part]) -> None:
        """Give their credit back; nothing happens to those that have none."""
        for part in parts:
            self._parts.pop(part.id, None)
            self._others.discard(part.id)
