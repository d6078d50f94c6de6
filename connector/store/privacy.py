"""Numbers that were erased: the keyed hash they are traced by, and whether any byte of them is left.

The key lies in a file of its own beside the store, ``carrierline.db.key``, made when the first number is erased.
Without it a hash says nothing, and with it only whether a number that one has already is the one that was erased.  It
is in no backup of the store.  Who deletes it makes all erasures so far anonymous for good.
"""

import hmac
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from connector.errors import StoreError
from connector.model import MessageQuery, Traces, format_id
from connector.store.file import real

KEY_BYTES: Final = 32
LEAST_DIGITS: Final = 8
"""A shorter address is a short code or a name, and no spelling of a subscriber's number."""
NATIONAL_DIGITS: Final = 9
"""So many at the end of a number are looked for in what a carrier said of its message."""

_HASH_BITS = 55


def pseudonym(number: str, key: bytes) -> str:
    """Return what stands in place of an erased number: ``#`` and 55 bits of its HMAC-SHA256, no longer than a number.

    >>> pseudonym("447700900123", b"key")
    '#gkp4r6mny5b'
    """
    digest = hmac.digest(key, number.encode(), "sha256")
    return f"#{format_id(int.from_bytes(digest[:7]) >> 56 - _HASH_BITS)}"


def names(number: str, address: str) -> bool:
    """Tell whether an address as a carrier wrote it is this number (E.164 digits): international, or national."""
    digits = address.lstrip("+0")
    return digits == number or (len(digits) >= LEAST_DIGITS and digits.isdecimal() and number.endswith(digits))


def national(number: str) -> str:
    """Return the end of a number (E.164 digits) that a national spelling has, whatever stands before it."""
    return number[-NATIONAL_DIGITS:]


def spellings(number: str) -> tuple[str, str, str]:
    """Return what a customer may have written for a sender that is this number (E.164 digits)."""
    return number, f"+{number}", f"00{number}"


def is_of(number: str, to: str, sender: str) -> bool:
    """Tell whether a message is to this number (E.164 digits), or from it."""
    return to == number or sender in spellings(number)


def spells(number: str, texts: Iterable[object]) -> bool:
    """Tell whether any of these holds the digits of the number."""
    return any(number in text for text in texts if isinstance(text, str))


def pieces(found: Traces, limit: int) -> Iterator[Traces]:
    """Return what of it is to be erased, in pieces of at most ``limit`` rows of a kind each.

    While a message is under way, receipts that are parked for the number stay: one of them may tell its end.
    """
    receipts = () if found.live else found.receipts
    kinds = (found.messages, found.refs, receipts, found.inbound_parts, found.inbound, found.other_ids)
    longest = max(map(len, kinds))
    for at in range(0, longest, limit):
        yield Traces(
            messages=found.messages[at : at + limit],
            refs=found.refs[at : at + limit],
            receipts=receipts[at : at + limit],
            inbound_parts=found.inbound_parts[at : at + limit],
            inbound=found.inbound[at : at + limit],
            other_ids=found.other_ids[at : at + limit],
        )


def key_path(store: Path) -> Path:
    """Return where the key of a store's erased numbers lies."""
    return Path(f"{real(store)}.key")


def make_private(store: Path) -> None:
    """Make the files of a new store for the owner's eyes only, whatever the umask; those beside it take after it.

    A place where no file can be made is for whoever opens it to say.
    """
    for path in (store, Path(f"{store}.lock")):
        with suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def read_key(store: Path) -> bytes | None:
    """Return the key of a store's erased numbers, or None if nothing was erased.  Raises StoreError if it is none."""
    try:
        key = key_path(store).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"the key of erased numbers, {key_path(store)}, cannot be read: {error.strerror}") from error
    if not key:
        return None  # made, and never written: nothing was erased with it
    if len(key) != KEY_BYTES:
        raise StoreError(f"the key of erased numbers, {key_path(store)}, is no key: put the right one back")
    return key


def make_key(store: Path) -> bytes:
    """Return the key, made anew for the first erasure: on disk, for the owner's eyes only, before it is used."""
    known = read_key(store)
    if known is not None:
        return known
    key = os.urandom(KEY_BYTES)
    path, new = key_path(store), Path(f"{key_path(store)}.new")
    new.unlink(missing_ok=True)  # of a try that was cut off
    target = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(target, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(target)
    new.replace(path)
    _sync_folder(path.parent)
    return key


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def widened(query: MessageQuery, store: Path) -> MessageQuery:
    """Return a query that also finds the messages whose number was erased."""
    key = None if query.to is None else read_key(store)
    return query if key is None or query.to is None else attrs.evolve(query, alias=pseudonym(query.to, key))


def remains(number: str, octets: Iterable[bytes]) -> bool:
    """Tell whether these octets, in pieces as `HeldFiles` reads them, hold these digits: in a row, in free space, or in
    the log."""
    needle, overlap = number.encode(), b""
    for piece in octets:
        if needle in overlap + piece:
            return True
        overlap = (overlap + piece)[-len(needle) :] if piece else b""
    return False
