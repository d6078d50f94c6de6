"""When a task of a link wakes."""

import trio


class Alarm:
    """Wakes one task at a time that others may move nearer."""

    def __init__(self) -> None:
        self._scope = trio.CancelScope()

    async def wait_until(self, at: float) -> None:
        """Return at this time, or earlier if `ring_by` asked for it meanwhile."""
        with trio.CancelScope(deadline=at) as self._scope:
            await trio.sleep_forever()

    def ring_by(self, at: float) -> None:
        """See to it that the waiting task wakes at this time at the latest."""
        if at < self._scope.deadline:
            self._scope.deadline = at
