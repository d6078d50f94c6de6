"""Bringing the write-ahead log into the file, without ever holding the writer for long.

The log begins anew when all of it is in the file at the moment the writer begins a transaction.  A second connection
copies it in bulk while the writer goes on: behind it there is always something left, for the writer is never idle.
What is left the writer copies itself, between two transactions, when it is little.  Somebody who reads for long only
lets the log grow: nothing is asked of the writer until that reader is gone and the bulk is copied.

Nothing here is needed for a commit to last: that is the log's sync.  A disk that fails here stops the store all the
same, at the next moment of the writer.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Final

import outcome

from connector.errors import StoreFull
from connector.store.file import BUSY_TIMEOUT_S, translated
from connector.store.held import HeldFiles
from connector.store.wal import Progress

log = logging.getLogger("carrierline.store")

COPY_PAGES: Final = 4_000
"""16 MB: a log of so many pages is copied.  Pages that are written again and again are copied once."""
REST_PAGES: Final = 250
"""1 MB, a few milliseconds: so much the writer copies itself.  A disk so slow that more is always left behind gets more
time with every try, twice as much each: the log must end somewhere."""
KEPT_BYTES: Final = 64 << 20
"""A log's file that grew beyond it is made shorter again when most of it is not in use any more."""
CUT_AT_ONCE_BYTES: Final = 16 << 20
"""So much at a time: some five milliseconds.  Half a gigabyte at once takes 0.15 s."""
QUIET_S: Final = 10.0
"""A smaller log is copied after so long."""
RETRY_S: Final = 0.1
"""Between two tries while a reader is in the way."""
LOOK_EVERY_S: Final = 1.0
"""Between two looks of a thread that nobody wakes: a reader that was in the way ends without a word."""
STOP_LOOK_S: Final = 0.01
CUT_WITHIN_S: Final = 1.0
"""So long `cut` waits for readers to get out of the way."""


def is_due(progress: Progress, since_last_s: float) -> bool:
    """Tell whether the log is to be copied, so long after the last time."""
    if progress.frames >= COPY_PAGES:
        return since_last_s >= RETRY_S
    return progress.left > 0 and since_last_s >= QUIET_S


class Checkpoints:
    """Copies the log: in a thread of its own between `start` and `stop`, else all at once after a commit.

    ``writer`` and ``copier``: the connection that commits, and another one.  `tidy` belongs to the writer's thread.
    """

    def __init__(self, writer: sqlite3.Connection, copier: sqlite3.Connection, files: HeldFiles) -> None:
        self._writer = writer
        self._copier = copier
        self._files = files
        self._thread: threading.Thread | None = None
        self._ring: Callable[[], None] = lambda: None
        self._wake = threading.Event()
        self._changed = threading.Condition()
        self._stopping = False
        self._failure: BaseException | None = None
        self._again = False
        """Whether too much was left for the writer."""
        self._offered = False
        """Whether the bulk is copied, and what is left is the writer's."""
        self._rest_pages = REST_PAGES
        self._frames_taken = -1
        self._wanting_cut = 0
        self._cuts = 0
        self._was_full = False

    @property
    def in_thread(self) -> bool:
        return self._thread is not None

    def progress(self) -> Progress:
        """Return how long the log is and how much of it is in the file."""
        return self._files.progress()

    # --- its thread ---

    def start(self, ring: Callable[[], None]) -> None:
        """Copy in a thread from now on.  ``ring`` makes an idle writer's thread call `tidy`."""
        self._ring, self._stopping = ring, False
        self._thread = threading.Thread(target=self._run, name="store-checkpoints", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, in the midst of its work if need be, and return when it has ended."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._wake.set()
        while self._thread is not None and self._thread.is_alive():
            self._copier.interrupt()  # it is heard only while something runs, so again and again
            self._thread.join(STOP_LOOK_S)
        self._thread, self._offered = None, False

    def _run(self) -> None:
        ended = outcome.capture(self._copy_until_stopped)  # nobody above would hear of an error
        if isinstance(ended, outcome.Error) and not self._stopping:
            self._failure = ended.error
            self._ring()

    def _copy_until_stopped(self) -> None:
        last = time.monotonic() - QUIET_S
        while not self._stopping:
            if self._is_wanted(time.monotonic() - last):
                self._again = False
                self._offer(whole=self._copy_in_bulk())
                last = time.monotonic()
            self._wake.wait(RETRY_S if self._wanting_cut else LOOK_EVERY_S)
            self._wake.clear()

    def _is_wanted(self, since_last_s: float) -> bool:
        if self._again or (self._wanting_cut and since_last_s >= RETRY_S):
            return True
        return is_due(self.progress(), since_last_s)

    def _copy_in_bulk(self) -> bool:
        """Copy what is there by now and sync it; tell whether no reader kept anything back."""
        before = self.progress().copied
        whole = self._copied(self._copier, "PASSIVE")
        if self.progress().copied != before:
            # SQLite leaves it to whoever copies the last page: the writer would wait for the sync of all this
            self._files.sync_store()
        return whole

    def _offer(self, *, whole: bool) -> None:
        self._offered = whole
        if whole and self._wanting_cut:
            self._ring()

    # --- the writer's moments ---

    def tidy(self) -> None:
        """Do what is the writer's to do between two transactions.  Raises StoreBroken where copying has failed."""
        if self._failure is not None:
            raise self._failure
        progress = self.progress()
        if self._thread is None:
            if progress.frames >= COPY_PAGES:
                self._copied(self._writer, "PASSIVE")
        elif progress.frames < COPY_PAGES and self._files.log_bytes() > KEPT_BYTES:
            self._shorten()
        elif self._offered:
            self._take(progress)
        elif progress.frames >= COPY_PAGES:
            self._wake.set()

    def _take(self, progress: Progress) -> None:
        """Copy what was left behind, if it is little; else the other one comes again at once."""
        self._offered = False
        cut = self._wanting_cut > 0
        if not cut and progress.frames < COPY_PAGES:
            return
        if progress.left > self._rest_pages:
            self._rest_pages *= 2
            self._again = True
            self._wake.set()
            return
        self._rest_pages = REST_PAGES
        # a large file is cut piece by piece when the log has begun anew, unless nobody writes and so nobody waits
        at_once = self._files.log_bytes() <= KEPT_BYTES or progress.frames == self._frames_taken
        self._frames_taken = progress.frames
        if self._copied(self._writer, "TRUNCATE" if cut and at_once else "PASSIVE") and cut and at_once:
            with self._changed:
                self._cuts += 1
                self._changed.notify_all()

    def _shorten(self) -> None:
        """Cut a piece off the log's file, behind what is in use; whoever else might write into it is kept out."""
        with translated():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                if self.progress().frames < COPY_PAGES:
                    self._files.shorten_log(max(KEPT_BYTES, self._files.log_bytes() - CUT_AT_ONCE_BYTES))
            finally:
                self._writer.execute("ROLLBACK")
        if self._wanting_cut:
            self._ring()  # the next piece at once, though nobody writes

    # --- cutting it off ---

    def cut(self) -> bool:
        """Copy the whole log and cut it to nothing; False if a reader was in the way, try again then.

        Waits up to `CUT_WITHIN_S`, in whatever thread; without a thread of its own it is done by the caller, at once.
        """
        if self._thread is None:
            return self._copied(self._copier, "PASSIVE") and self._copied(self._writer, "TRUNCATE")
        with self._changed:
            self._wanting_cut += 1
            before = self._cuts
            self._wake.set()
            self._changed.wait_for(lambda: self._cuts > before or self._stopping, CUT_WITHIN_S)
            self._wanting_cut -= 1
            return self._cuts > before

    # --- SQLite ---

    def _copied(self, connection: sqlite3.Connection, mode: str) -> bool:
        """Run a checkpoint that waits for nobody; tell whether the whole log is in the file."""
        if connection.in_transaction:
            return False
        try:
            with translated():
                connection.execute("PRAGMA busy_timeout = 0")
                busy, frames, copied = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
                connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1_000}")
        except StoreFull:
            if not self._was_full:
                log.warning("the disk is full: the write-ahead log cannot be copied into the store, and grows")
            self._was_full = True
            return False
        self._was_full = False
        return not busy and bool(frames == copied)
