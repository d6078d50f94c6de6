"""Parts of one carrier that have credit and have not left: on their way to disk, or waiting for their moment.  Pure."""

from collections.abc import Collection, Sequence, ValuesView

from connector.model import Part


class Claimed:
    """Counts them, those of urgent lanes and the others."""

    def __init__(self, urgent_lanes: Collection[str]) -> None:
        self._urgent_lanes = urgent_lanes
        self._parts: dict[int, Part] = {}
        self.others = 0
        """Of them, those of lanes that are not urgent."""

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def parts(self) -> ValuesView[Part]:
        """All of them."""
        return self._parts.values()

    def add(self, parts: Sequence[Part]) -> None:
        """Take credit for these."""
        self._parts.update((part.id, part) for part in parts)
        self.others += sum(part.lane not in self._urgent_lanes for part in parts)

    def release(self, parts: Sequence[Part]) -> None:
        """Give their credit back; nothing happens to those that have none."""
        for part in parts:
            if self._parts.pop(part.id, None) is not None:
                self.others -= part.lane not in self._urgent_lanes
