"""Ballast: room on the disk that is kept to be given up: what is under way can still be kept when the disk is full."""

import errno
import logging
import os
import shutil
from pathlib import Path

from connector.store.file import real

log = logging.getLogger("carrierline.store")

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Ballast:
    """A file of ``size_bytes`` beside the store, as long as the disk has it to spare.

    ``keep_free_bytes``: what must be free besides before it is made again.  A size of 0 is none: then there is nothing
    to give up and nothing is missing, and the file of an earlier size goes.
    """

    def __init__(
        self, store: str | os.PathLike[str] | None = None, size_bytes: int = 0, keep_free_bytes: int = 0
    ) -> None:
        self._file = Path("ballast" if store is None else f"{real(store)}.ballast")
        self._size_bytes = size_bytes
        self._keep_free_bytes = keep_free_bytes
        self._whole = not size_bytes
        self._given_up = False
        self._stopped = False
        if store is not None and not size_bytes:
            self._file.unlink(missing_ok=True)
        if not self.restore() or not self._whole:
            log.warning(
                "the disk has no room for a ballast of %d MB: nothing new is taken until %d MB are free",
                size_bytes // 1_000_000,
                self._wanted_bytes // 1_000_000,
            )

    @property
    def _wanted_bytes(self) -> int:
        return self._size_bytes + self._keep_free_bytes

    @property
    def whole(self) -> bool:
        """Whether the room is still there to be given up."""
        return self._whole

    def release(self) -> bool:
        """Give the room up; return whether there was any."""
        if not self._size_bytes or not self._whole:
            return False
        self._whole = False
        self._given_up = True
        self._file.unlink(missing_ok=True)
        log.error(
            "the disk is full: the ballast of %d MB is given up; nothing new is taken or sent until %d MB are free",
            self._size_bytes // 1_000_000,
            self._wanted_bytes // 1_000_000,
        )
        return True

    def restore(self) -> bool:
        """Take the room again if the disk can spare it; return whether what is kept may be sent.

        It may while the ballast is whole, and where there never was room for one, while the disk has what must be free
        besides: only a disk that was full already stops it.  Raises OSError if it fails.
        """
        if self._whole:
            return True
        if self._in_place():
            self._whole = True
            return True
        free_bytes = shutil.disk_usage(self._file.absolute().parent).free
        if free_bytes >= self._wanted_bytes:
            self._whole = self._make()
        if self._whole:
            self._given_up = False
        goes_on = self._whole or (not self._given_up and free_bytes >= self._keep_free_bytes)
        if not goes_on and not self._given_up and not self._stopped:
            log.error(
                "there is no ballast and less than %d MB free: nothing is sent", self._keep_free_bytes // 1_000_000
            )
        self._stopped = not goes_on
        return goes_on

    def _in_place(self) -> bool:
        return self._file.exists() and self._file.stat().st_blocks * 512 >= self._size_bytes

    def _make(self) -> bool:
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(handle, 0, self._size_bytes)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            self._file.unlink(missing_ok=True)
            return False
        finally:
            os.close(handle)
        return True
