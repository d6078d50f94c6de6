"""Which lanes are urgent, as the configuration has it now."""

from collections.abc import Container, Mapping

from connector.config import LaneConfig


class UrgentLanes(Container[str]):
    """The names of the lanes that are urgent; a reload changes them by changing ``lanes``."""

    def __init__(self, lanes: Mapping[str, LaneConfig]) -> None:
        self._lanes = lanes

    def __contains__(self, name: object) -> bool:
        lane = self._lanes.get(name) if isinstance(name, str) else None
        return lane is not None and lane.urgent
