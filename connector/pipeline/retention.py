"""What does not stay: texts after the end of their message, by lane, and rows by age.  In small steps, all the time.

A step is a hundred rows in a transaction of little urgency, one at a time: an OTP never waits behind more than one of
them, and what is under load is erased at the pace at which it comes in, for free pages are used again before the file
grows.  So the file is flat without being vacuumed; what it once needed it keeps.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Final

import trio

from connector.config import LaneConfig, StoreConfig
from connector.errors import StoreError
from connector.model import Aged
from connector.pipeline.ids import first_id
from connector.store.store import Store

log = logging.getLogger("carrierline.retention")

PERIOD_S: Final = 1.0
"""A text that is not to be kept is gone so soon after the end of its message."""
ROWS_PER_STEP: Final = 100
LOOK_EVERY_S: Final = 60.0
"""Between two looks at what has grown old, after which the write-ahead log is emptied of what was erased."""
WALK_ANEW_S: Final = 3_600.0
"""Between two walks from the oldest message on, which look again at those that had not ended long enough ago."""
BUSY_PAUSE_S: Final = 0.05
"""Between two steps while other work waits for the writer."""


class Retention:
    """Erases what is old enough, until it is cancelled."""

    def __init__(
        self, store: Store, settings: StoreConfig, lanes: Mapping[str, LaneConfig], clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._settings = settings
        self._lanes = lanes
        self._clock = clock
        self._commits = -1
        """Commits of the store when bodies were looked at: without another one nothing has come to its end."""
        self._look_at = 0.0
        self._walk_at = 0.0
        self._walked = 0
        self._in_log = False
        """Whether the write-ahead log may hold something that was erased."""

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Erase until cancelled.  Raises StoreError if the store fails."""
        task_status.started()
        while True:
            await trio.sleep(PERIOD_S)
            now = self._clock()
            look = now >= self._look_at
            if look or self._store.statistics().commits != self._commits:
                await self._erase_bodies(now)
            if look:
                self._look_at = now + LOOK_EVERY_S
                await self._forget_messages(now)
                await self._forget_others(now)
                await self._scrub()

    # --- steps ---

    async def _erase_bodies(self, now: float) -> None:
        before = {name: now - lane.keep_body_s for name, lane in self._lanes.items()}
        self._commits = self._store.statistics().commits
        more = True
        while more:
            step = await self._store.erase_bodies(ROWS_PER_STEP, before=before, now=now)
            self._commits += 1
            self._in_log = self._in_log or step.gone > 0
            more = step.more
            await self._yield(more)

    async def _forget_messages(self, now: float) -> None:
        before = now - self._settings.keep_messages_s
        if now >= self._walk_at:
            self._walk_at, self._walked = now + WALK_ANEW_S, 0
        gone, more = 0, True
        while more:
            step = await self._store.forget_messages(
                ROWS_PER_STEP, after=self._walked, until=first_id(before), before=before
            )
            gone, self._walked, more = gone + step.gone, step.after, step.more
            await self._yield(more)
        self._note(gone, "messages")

    async def _forget_others(self, now: float) -> None:
        settings = self._settings
        for kind, keep_s in (
            (Aged.RECEIPTS, settings.keep_receipts_s),
            (Aged.INBOUND_PARTS, settings.keep_inbound_s),
            (Aged.INBOUND, settings.keep_inbound_s),
            (Aged.EVENTS, settings.keep_events_s),
            (Aged.OTHER_IDS, settings.keep_messages_s),
        ):
            gone, more = 0, True
            while more:
                step = await self._store.forget(kind, ROWS_PER_STEP, before=now - keep_s)
                gone, more = gone + step.gone, step.more
                await self._yield(more)
            self._note(gone, kind)

    async def _scrub(self) -> None:
        """Empty the log of what was erased; where a reader is in the way, the next look tries again."""
        if not self._in_log:
            return
        try:
            self._in_log = not await self._store.scrub()
        except StoreError as error:
            log.warning("the write-ahead log could not be emptied, erased texts are still in it: %s", error)

    async def _yield(self, more: bool) -> None:
        """Let others come first: between two steps, longer while they wait for the writer."""
        if more:
            await trio.sleep(BUSY_PAUSE_S if self._store.statistics().waiting else 0)

    def _note(self, gone: int, kind: str) -> None:
        if not gone:
            return
        self._in_log = True
        if kind == Aged.RECEIPTS:
            log.warning("%d parked receipts were erased: no message came for them in %g days", gone, self._days())
        else:
            log.info("%d rows erased for their age: %s", gone, kind.replace("_", " "))

    def _days(self) -> float:
        return self._settings.keep_receipts_s / 86_400
