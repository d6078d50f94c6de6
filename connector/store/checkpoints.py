"""Bringing the write-ahead log into the file, without ever holding the writer for long.

The log begins anew when all of it is in the file at the moment the writer begins a transaction.  A second connection
copies it in bulk while the writer goes on: behind it there is always something left, for the writer is never idle.
What is left the writer copies itself, between two transactions, when it is little.  Somebody who reads for long only
lets the log grow: nothing is asked of the writer until that reader is gone and the bulk is copied.

A store grows when its log is copied.  Where the disk has no room for all of it nothing is copied: half a copy would
take the room, the ballast too, from the commits, and the log could still not begin anew.

Nothing here is needed for a commit to last: that is the log's sync.  A disk that fails here stops the store all the
same, at the next moment of the writer.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
SPARE_BYTES: Final = 16 << 20
"""So much is to be free beside what the store grows by, for what is committed meanwhile; at most as much again."""
CRAMPED_BYTES: Final = 32 << 20
"""With less room than this the writer itself copies all it may, long before the log would be copied elsewhere: a log
that begins anew takes no room, one that grows takes the ballast from what is under way."""
CRAMPED_PAGES: Final = 500
"""2 MB: so long is the log at least then."""
LONG_READ_S: Final = 10.0
"""Pages of lists and scrapes take milliseconds.  Who reads longer, and lets the log grow beyond `KEPT_BYTES`, is told
of: a backup, or somebody's transaction in a shell."""


def is_due(progress: Progress, since_last_s: float) -> bool:
    """Tell whether the log is to be copied, so long after the last time."""
    if progress.frames >= COPY_PAGES:
        return since_last_s >= RETRY_S
    return progress.left > 0 and since_last_s >= QUIET_S


def wanted_bytes(progress: Progress, store_bytes: int) -> int:
    """Return how much room the disk must have before the log is copied into a store of this size.

    Nothing where the store does not grow: then copying costs no room, and the log that begins anew takes none either.
    """
    growth_bytes = progress.growth_bytes(store_bytes)
    return growth_bytes + min(growth_bytes, SPARE_BYTES)


class Checkpoints:
    """Copies the log: in a thread of its own between `start` and `stop`, else all at once after a commit.

    ``writer`` and ``copier``: the connection that commits, and another one.  ``clock``: seconds that only rise.
    `tidy` belongs to the writer's thread, `start`, `stop` and `cut` to whoever has the store.
    """

    def __init__(
        self,
        writer: sqlite3.Connection,
        copier: sqlite3.Connection,
        files: HeldFiles,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files = files
        self._clock = clock
        # set before the threads begin, and left alone while they run
        self._thread: threading.Thread | None = None
        self._ring: Callable[[], None] = lambda: None
        # signals between them; below `_changed` what is only touched while it is held, or only read
        self._wake = threading.Event()
        self._changed = threading.Condition()
        self._stopping = False
        self._wanting_cut = 0
        self._cuts = 0
        # flags of one word, each raised by one thread and lowered by the other: one that is missed is raised again
        self._again = False
        """Whether too much was left for the writer.  Raised by the writer."""
        self._offered = False
        """Whether the bulk is copied, and what is left is the writer's.  Raised by the copier."""
        self._failure: BaseException | None = None
        """What ended the copier: its last word."""
        # the writer's
        self._writer = writer
        self._rest_pages = REST_PAGES
        self._frames_taken = -1
        # the copier's; `stop` alone may interrupt its connection
        self._copier = copier
        self._kept_back_since: float | None = None
        self._told_of_reader = False
        # of whoever copies just then: at worst a line is said twice
        self._was_full = False
        self._full_until = -LOOK_EVERY_S
        self._told_missing_bytes = 0

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
        last = self._clock() - QUIET_S
        while not self._stopping:
            if self._is_wanted(self._clock() - last):
                self._again = False
                whole = self._copy_in_bulk()
                self._watch_readers(whole=whole)
                self._offer(whole=whole)
                last = self._clock()
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

    def _watch_readers(self, *, whole: bool) -> None:
        """Say once that somebody has been in the way for long, and that the log is large for it."""
        if whole or self._was_full:
            self._kept_back_since, self._told_of_reader = None, False
            return
        now = self._clock()
        self._kept_back_since = now if self._kept_back_since is None else self._kept_back_since
        used_bytes, read_s = self.progress().used_bytes, now - self._kept_back_since
        if self._told_of_reader or used_bytes <= KEPT_BYTES or read_s < LONG_READ_S:
            return
        self._told_of_reader = True
        log.warning(
            "somebody has been reading the store for %d s: the write-ahead log of %d MB cannot be copied into it until"
            " that ends, and grows",
            read_s,
            _megabytes(used_bytes),
        )

    def _offer(self, *, whole: bool) -> None:
        self._offered = whole
        if whole and self._wanting_cut:
            self._ring()

    # --- the writer's moments ---

    def tidy(self) -> None:
        """Do what is the writer's to do between two transactions.  Raises StoreBroken where copying has failed."""
        # A file that is too large is cut first: that is possible only while few frames are in use, and soon many are.
        # An offer is taken before anybody is woken: what is left grows with every commit, and one who copies again
        # would only put off the moment when all is copied.
        if self._failure is not None:
            raise self._failure
        progress = self.progress()
        if self._is_cramped(progress):
            self._copied(self._writer, "PASSIVE")
        elif self._thread is None:
            if progress.frames >= COPY_PAGES:
                self._copied(self._writer, "PASSIVE")
        elif progress.frames < COPY_PAGES and self._files.log_bytes() > KEPT_BYTES:
            self._shorten()
        elif self._offered:
            self._take(progress)
        elif progress.frames >= COPY_PAGES:
            self._wake.set()

    def _is_cramped(self, progress: Progress) -> bool:
        return progress.frames >= CRAMPED_PAGES and progress.left > 0 and self._files.free_bytes() < CRAMPED_BYTES

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
        """Run a checkpoint that waits for nobody, if the disk has room; tell whether the whole log is in the file."""
        if connection.in_transaction or not self.has_room():
            return False
        try:
            with translated(), _waiting_for_nobody(connection):
                busy, frames, copied = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        except StoreFull:  # in spite of what the disk said: another program was faster, or it counts otherwise
            self._full_until = self._clock() + LOOK_EVERY_S
            self._note_full(max(1, self._missing_bytes()))
            return False
        if self._was_full:
            log.info("the disk has room again: the write-ahead log is copied into the store")
        self._was_full, self._told_missing_bytes = False, 0
        return not busy and bool(frames == copied)

    # --- room ---

    def has_room(self) -> bool:
        """Tell whether the disk can take all of the log; say it if not."""
        if self._clock() < self._full_until:
            return False
        missing_bytes = self._missing_bytes()
        if missing_bytes > 0:
            self._note_full(missing_bytes)
        return missing_bytes <= 0

    def _missing_bytes(self) -> int:
        return wanted_bytes(self.progress(), self._files.store_bytes()) - self._files.free_bytes()

    def _note_full(self, missing_bytes: int) -> None:
        self._was_full = True
        if missing_bytes >= 2 * self._told_missing_bytes:  # who frees what the first line says would wait in vain
            self._told_missing_bytes = max(1_000_000, missing_bytes)
            log.warning(
                "the disk has too little room: the write-ahead log of %d MB cannot be copied into the store, and grows,"
                " until at least %d MB more are free",
                _megabytes(self.progress().used_bytes),
                _megabytes(missing_bytes),
            )


@contextmanager
def _waiting_for_nobody(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1_000}")


def _megabytes(octets: int) -> int:
    """Return them rounded up: freeing less would not do."""
    return -(-octets // 1_000_000)
