"""A store read without a connector: for the person who asks while it is down, or from beside it."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import msgspec

from connector.api.filters import BadFilter, message_query
from connector.api.inbound import inbound_query, show_inbound
from connector.api.receipts import show_receipt
from connector.api.schemas import show_message, show_verification
from connector.errors import InputError
from connector.model import InboundQuery, MessageQuery, parse_id
from connector.store import sqlite_inbound, sqlite_reads, sqlite_receipts
from connector.store.privacy import widened
from connector.store.sqlite import open_read_only, translated


@attrs.frozen
class Reader:
    """Answers as the HTTP door does, for all API keys."""

    _db: sqlite3.Connection
    _path: Path

    def messages(self, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return messages, newest first.  Raises InputError for a filter that makes no sense."""
        try:
            query = widened(message_query(filters, None), self._path)
        except BadFilter as error:
            raise InputError(str(error)) from None
        with translated():
            return [_plain(show_message(view, events=False)) for view in sqlite_reads.messages(self._db, query)]

    def message(self, message_id: str, *, text: bool = False) -> dict[str, Any]:
        """Return one message with its timeline, and its text if asked.  Raises InputError if there is none."""
        number = parse_id(message_id)
        found = []
        if number is not None:
            with translated():
                found = sqlite_reads.messages(self._db, MessageQuery(id=number, limit=1))
        if not found:
            raise InputError(f"there is no message {message_id}")
        return _plain(show_message(found[0], events=True, text=text))

    def inbound(self, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return messages from subscribers.  Raises InputError for a filter that makes no sense."""
        try:
            query = inbound_query(filters, None)
        except BadFilter as error:
            raise InputError(str(error)) from None
        with translated():
            return [_plain(show_inbound(message)) for message in sqlite_inbound.messages(self._db, query)]

    def inbound_message(self, message_id: str) -> dict[str, Any]:
        """Return one message from a subscriber.  Raises InputError if there is none."""
        number = parse_id(message_id)
        found = []
        if number is not None:
            with translated():
                found = sqlite_inbound.messages(self._db, InboundQuery(id=number, limit=1))
        if not found:
            raise InputError(f"there is no inbound message {message_id}")
        return _plain(show_inbound(found[0]))

    def receipts(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Return receipts that are kept without a message, oldest first."""
        with translated():
            return [_plain(show_receipt(parked)) for parked in sqlite_receipts.parked(self._db, after, limit)]

    def verify(self) -> dict[str, Any]:
        """Return the ledger and what a recount found."""
        with translated():
            return show_verification(sqlite_reads.verify(self._db))


def _plain(shown: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(msgspec.json.decode(msgspec.json.encode(shown)))
    return plain


@contextmanager
def open_reader(path: Path) -> Iterator[Reader]:
    """Open a store for reading, whether or not a connector runs on it.  Raises StoreError if it cannot be read."""
    connection = open_read_only(path)
    try:
        yield Reader(connection, path)
    finally:
        connection.close()
