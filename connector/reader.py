"""A store read without a connector: for the person who asks while it is down, or from beside it."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import msgspec

from connector.api.filters import BadFilter, message_query
from connector.api.schemas import show_message, show_verification
from connector.errors import InputError
from connector.model import MessageQuery, parse_id
from connector.store import sqlite_reads
from connector.store.sqlite import open_read_only, translated


@attrs.frozen
class Reader:
    """Answers as the HTTP door does, for all API keys."""

    _db: sqlite3.Connection

    def messages(self, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return messages, newest first.  Raises InputError for a filter that makes no sense."""
        try:
            query = message_query(filters, None)
        except BadFilter as error:
            raise InputError(str(error)) from None
        with translated():
            return [_plain(show_message(view, events=False)) for view in sqlite_reads.messages(self._db, query)]

    def message(self, message_id: str) -> dict[str, Any]:
        """Return one message with its timeline.  Raises InputError if there is none."""
        number = parse_id(message_id)
        found = []
        if number is not None:
            with translated():
                found = sqlite_reads.messages(self._db, MessageQuery(id=number, limit=1))
        if not found:
            raise InputError(f"there is no message {message_id}")
        return _plain(show_message(found[0], events=True))

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
        yield Reader(connection)
    finally:
        connection.close()
