"""The write-ahead log as it lies on disk: whether something was lost in it that SQLite would pass over in silence.

SQLite reads the log up to the first frame whose checksum is wrong, as it must: after a power cut the last transaction
may be torn.  A frame that rotted looks the same, and everything behind it would be gone without a word.  The two can be
told apart: every commit is on disk before the next one begins, so what a cut tears is the last transaction.

Source: the WAL file format in SQLite's documentation ("fileformat2", section 4).
"""

import os
import struct
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import attrs

_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
"""First word of the log: the byte order its checksums are computed in."""
INDEX_BYTES = 100
"""So much of the index's beginning is looked at."""
_INDEX_MX_FRAME, _INDEX_SALTS, _INDEX_BACKFILL = slice(16, 20), slice(32, 40), slice(96, 100)
"""Where the index beside the log says how many frames of it are good, of which round of the log it speaks, and how many
frames were copied ("walformat", section 2.1: nBackfill)."""
_INDEX_PAGE_SIZE, _INDEX_PAGES = slice(14, 16), slice(20, 24)
"""Where it says how large a page is (1 stands for 65536), and how many the store has when all is copied (nPage)."""

Sums = tuple[int, int]


@attrs.frozen
class Progress:
    """How far the log is copied into the file, in frames: one page each."""

    frames: int = 0
    copied: int = 0
    pages: int = 0
    """Of the store when all is copied."""
    page_bytes: int = 0

    @property
    def left(self) -> int:
        return max(0, self.frames - self.copied)

    @property
    def used_bytes(self) -> int:
        """So much of the log's file is in use."""
        return self.frames * (_FRAME_HEADER_BYTES + self.page_bytes)

    def growth_bytes(self, store_bytes: int) -> int:
        """Return by how much a store of this size grows when all is copied."""
        return max(0, self.pages * self.page_bytes - store_bytes)


def progress(index: bytes) -> Progress:
    """Return what the beginning of the index says; nothing where it is too short to be one."""
    if len(index) < INDEX_BYTES:
        return Progress()
    places = (_INDEX_MX_FRAME, _INDEX_BACKFILL, _INDEX_PAGES, _INDEX_PAGE_SIZE)
    frames, copied, pages, page_bytes = (int.from_bytes(index[place], sys.byteorder) for place in places)
    return Progress(frames, copied, pages, 65_536 if page_bytes == 1 else page_bytes)


def lost_tail(path: Path, held: ExitStack) -> str | None:
    """Return what is wrong with the log of this store, or None.  Look while a connection has it open: then its index
    says how far SQLite could read it.

    ``held``: closes the files, and has to do it after that connection, whose locks would go with them.
    """
    try:
        log, index = (held.enter_context(open(f"{path}{end}", "rb")) for end in ("-wal", "-shm"))  # noqa: SIM115
    except FileNotFoundError:
        return None
    return _problem(log, index.read(INDEX_BYTES))


def _problem(log: BinaryIO, index: bytes) -> str | None:
    header = log.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not any(header):
        return None  # made, and never written to
    words = struct.unpack(">8I", header)
    order = _MAGIC.get(words[0])
    # 32 octets of one sector: a power cut leaves the old ones or the new ones
    if order is None or checksum(header[:24], (0, 0), order) != words[6:]:
        return "the header of its write-ahead log is wrong"
    salts, good = header[16:24], int.from_bytes(index[_INDEX_MX_FRAME], sys.byteorder)
    if index[_INDEX_SALTS] != salts:
        return None  # all of it is in the store, and the next commit begins it anew
    if _goes_on(log, good, page_bytes=words[2], salts=salts, order=order):
        return "its write-ahead log is broken in the midst"
    return None


def _goes_on(log: BinaryIO, good: int, *, page_bytes: int, salts: bytes, order: str) -> bool:
    """Tell whether behind the last good frame a commit is followed by a frame that was written after it."""
    size = _FRAME_HEADER_BYTES + page_bytes
    frames = (os.fstat(log.fileno()).st_size - _HEADER_BYTES) // size
    commit: Sums | None = None
    for number in range(good, frames):
        log.seek(_HEADER_BYTES + number * size)
        frame = log.read(_FRAME_HEADER_BYTES)
        if frame[8:16] != salts:
            commit = None
            continue
        sums = struct.unpack(">2I", frame[16:])
        if commit is not None and checksum(log.read(page_bytes), checksum(frame[:8], commit, order), order) == sums:
            return True
        commit = sums if any(frame[4:8]) else None
    return False


def checksum(octets: bytes, sums: Sums, order: str) -> Sums:
    """Return SQLite's running checksum over these octets (a multiple of 8)."""
    first, second = sums
    words = struct.unpack(f"{order}{len(octets) // 4}I", octets)
    for at in range(0, len(words), 2):
        first = first + words[at] + second & 0xFFFFFFFF
        second = second + words[at + 1] + first & 0xFFFFFFFF
    return first, second
