"""Notices from outside when the event loop stands still, and says where: a stalled loop cannot tell of itself."""

import logging
import sys
import threading
import traceback

import trio

log = logging.getLogger("carrierline.watchdog")

STALL_S = 1.0
"""An enquire_link may wait a second, an OTP should not."""
BEAT_S = 0.1
LOOK_S = 0.1


class Watchdog:
    """A plain thread that looks whether a task of the loop still gets its turn.

    It counts its own looks and not the seconds, so that a process that was stopped as a whole is not taken for a loop
    that stalls.  One stall is told once, with the stack of the loop's thread, and once more when it is over.
    """

    def __init__(self, *, stall_s: float = STALL_S) -> None:
        self._looks_of_a_stall = max(1, round(stall_s / LOOK_S))
        self._beats = 0
        self._over = threading.Event()
        self.stalls = 0
        """Stalls since the start."""

    async def run(self, *, task_status: "trio.TaskStatus[None]" = trio.TASK_STATUS_IGNORED) -> None:
        """Watch the loop that runs this, until cancelled; the thread ends with it."""
        thread = threading.Thread(target=self._watch, args=(threading.get_ident(),), name="watchdog", daemon=True)
        thread.start()
        task_status.started()
        try:
            while True:
                self._beats += 1
                await trio.sleep(BEAT_S)
        finally:
            self._over.set()
            thread.join()

    def _watch(self, loop_thread: int) -> None:
        beats, looks = -1, 0
        while not self._over.wait(LOOK_S):
            if self._beats != beats:
                if looks >= self._looks_of_a_stall:
                    log.warning("the event loop goes on, after about %.1f s", looks * LOOK_S)
                beats, looks = self._beats, 0
                continue
            looks += 1
            if looks == self._looks_of_a_stall:
                self.stalls += 1
                log.error(
                    "the event loop has stood still for %.1f s; it is at\n%s", looks * LOOK_S, _stack(loop_thread)
                )


def _stack(thread: int) -> str:
    """Return where a thread is, innermost call last; the lines of code, and no values."""
    frame = sys._current_frames().get(thread)
    return "(the thread is gone)" if frame is None else "".join(traceback.format_stack(frame)).rstrip()
