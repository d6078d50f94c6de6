"""The store's files, held open beside its connections: to be synced, measured and searched without SQLite.

SQLite keeps its file locks the POSIX way: when a process closes any handle of a file, it loses all its locks on that
file.  Another program would then take itself for the only one, and delete the write-ahead log under a writer that goes
on writing into it.  So whoever looks at these files while they are in use does it through here, and they are closed
after the last connection.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from connector.errors import StoreBroken
from connector.store.wal import INDEX_BYTES, Progress, progress

_SUFFIXES: Final = ("", "-wal", "-shm")
READ_AT_ONCE_BYTES: Final = 1 << 20


class HeldFiles:
    """Handles of a store, its log and the log's index; those that are there.  Close it after the last connection.

    What fails on them raises StoreBroken.
    """

    def __init__(self) -> None:
        self._handles: dict[str, int] = {}

    def open(self, store: Path, *, indexed: bool = True) -> None:
        """Take hold of the files, when something was committed and so all are there.

        ``indexed``: whether the log's index is a file; who has a store for himself keeps it in memory.
        Raises StoreBroken where one is missing: the log would grow without end, and nobody would see it.
        """
        with _translated():
            for suffix in _SUFFIXES if indexed else _SUFFIXES[:2]:
                if not os.path.exists(f"{store}{suffix}"):
                    raise StoreBroken(
                        f"{store}{suffix} is missing beside the store that is just in use: it was deleted, or the file"
                        " system cannot share memory between programs; put the store on a local disk"
                    )
                self._handles[suffix] = os.open(f"{store}{suffix}", os.O_RDWR)

    def close(self) -> None:
        """Let go of them."""
        while self._handles:
            os.close(self._handles.popitem()[1])

    def sync_store(self) -> None:
        """Return when what was written into the store itself is on disk."""
        with _translated():
            os.fsync(self._handles[""])

    def progress(self) -> Progress:
        """Return how long the log is and how much of it is copied; nothing where there is no index."""
        handle = self._handles.get("-shm")
        if handle is None:
            return Progress()
        with _translated():
            return progress(os.pread(handle, INDEX_BYTES, 0))

    def log_bytes(self) -> int:
        """Return the size of the log's file, whatever of it is in use; 0 where there is none."""
        return self._size_bytes("-wal")

    def store_bytes(self) -> int:
        """Return the size of the store itself, without what is only in the log yet."""
        return self._size_bytes("")

    def free_bytes(self) -> int:
        """Return how much room the store's disk has for us; 0 where no store is held."""
        handle = self._handles.get("")
        if handle is None:
            return 0
        with _translated():
            disk = os.fstatvfs(handle)
            return disk.f_bavail * disk.f_frsize

    def _size_bytes(self, suffix: str) -> int:
        handle = self._handles.get(suffix)
        with _translated():
            return 0 if handle is None else os.fstat(handle).st_size

    def shorten_log(self, size_bytes: int) -> None:
        """Cut the log's file to this size: nothing behind it may be in use, nor come into use meanwhile."""
        with _translated():
            os.ftruncate(self._handles["-wal"], size_bytes)

    def octets(self) -> Iterator[bytes]:
        """Return each file's octets in pieces, an empty one behind each file."""
        with _translated():
            for handle in self._handles.values():
                at = 0
                while piece := os.pread(handle, READ_AT_ONCE_BYTES, at):
                    yield piece
                    at += len(piece)
                yield b""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreBroken(f"the store cannot be read or written: {error.strerror}") from error
