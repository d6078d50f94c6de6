"""Everything that is kept of a number on SQLite: found, shown, erased.

What is found by an index: messages to the number.  The rest is looked for in every row, by a reader, which nobody waits
for: it is asked seldom, and an index for it would cost every message.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final

from connector.model import Traces, format_id
from connector.store.privacy import names, national, spells
from connector.store.sqlite_retention import Retention
from connector.store.tally import Tally

_MESSAGES = """
    SELECT id, EXISTS (SELECT 1 FROM part WHERE part.id BETWEEN message.id << 8 AND message.id << 8 | 255
        AND finished_at IS NULL)
    FROM message WHERE to_addr = :number OR sender IN (:number, '+' || :number, '00' || :number) ORDER BY id
"""
_REFS = """
    SELECT api_key, ref FROM ref WHERE message NOT IN (SELECT value FROM json_each(:live)) AND (instr(ref, :number)
        OR (instr(ref, char(31)) = 0 AND message IN (SELECT value FROM json_each(:final))))
"""
_ERASE_MESSAGE = """
    UPDATE message SET text = NULL, client_ref = NULL, metadata = NULL, options = NULL,
        to_addr = iif(to_addr = :number, :alias, to_addr),
        sender = iif(sender IN (:number, '+' || :number, '00' || :number), :alias, sender)
    WHERE id = :message
"""
# carriers may put a number into their ids and into what they say
_ERASE_FROM_PARTS = """
    UPDATE part SET history = replace(replace(history, :number, '#'), :national, '#'),
        key = replace(key, :number, '#'), carrier_message_id = replace(carrier_message_id, :number, '#')
    WHERE id BETWEEN :message << 8 AND :message << 8 | 255
        AND (instr(history, :national) OR instr(coalesce(key, '') || ' ' || coalesce(carrier_message_id, ''), :number))
"""
_REMAINS_IN_HISTORY = """
    SELECT EXISTS (SELECT 1 FROM message JOIN part ON part.id BETWEEN message.id << 8 AND message.id << 8 | 255
        WHERE (to_addr IN (:number, :alias) OR sender IN (:number, '+' || :number, '00' || :number, :alias))
            AND instr(history, :national))
"""
_OTHER_IDS = """
    SELECT carrier, key, part FROM other_id WHERE (instr(key, :number) OR instr(carrier_message_id, :number))
        AND part >> 8 NOT IN (SELECT value FROM json_each(:live))
"""
_KEYS = "SELECT carrier, key FROM part WHERE id BETWEEN ? AND ?"

SHOWN: Final = (
    ("message", "id", "messages"),
    ("parked", "id", "receipts"),
    ("inbound", "id", "inbound_parts"),
    ("inbound_message", "id", "inbound"),
)
"""(table, its key, where `Traces` has it) of all that an export shows, a message with its parts."""

HOLD_NO_NUMBER: Final = frozenset({"meta", "fact", "queue", "event", "ledger", "sqlite_sequence"})
"""Tables in which no number of a subscriber can stand; a test asks for every other one."""


def traces(db: sqlite3.Connection, number: str) -> Traces:
    """Return what is kept of a number."""
    found = db.execute(_MESSAGES, {"number": number}).fetchall()
    final, live = [row[0] for row in found if not row[1]], [row[0] for row in found if row[1]]
    given = {"number": number, "live": json.dumps(live), "final": json.dumps(final)}
    return Traces(
        messages=tuple(final),
        refs=tuple(db.execute(_REFS, given).fetchall()),
        receipts=tuple(_receipts(db, number)),
        inbound_parts=tuple(_addressed(db, "inbound", number)),
        inbound=tuple(_addressed(db, "inbound_message", number)),
        other_ids=tuple(db.execute(_OTHER_IDS, given).fetchall()),
        live=len(live),
        under_way=tuple(live),
    )


def _receipts(db: sqlite3.Connection, number: str) -> Iterator[int]:
    for parked, addresses, *said in db.execute("SELECT id, number, keys, detail, more FROM parked"):
        if any(names(number, address) for address in addresses.split()) or spells(number, said):
            yield parked


def _addressed(db: sqlite3.Connection, table: str, number: str) -> Iterator[int]:
    for identity, sender, to in db.execute(f"SELECT id, from_addr, to_addr FROM {table}"):  # noqa: S608 - names of our own
        if names(number, sender) or names(number, to):
            yield identity


def export(db: sqlite3.Connection, number: str) -> list[dict[str, Any]]:
    """Return every row of a number as plain values; octets are hexadecimal, live messages are among them."""
    found = traces(db, number)
    shown = [
        row
        for table, key, name in SHOWN
        for identity in getattr(found, name)
        for row in _rows(db, table, f"{key} = ?", identity)
    ]
    live = db.execute(_MESSAGES, {"number": number}).fetchall() if found.live else []
    shown += [row for identity, is_live in live if is_live for row in _rows(db, "message", "id = ?", identity)]
    shown += [row for ref in found.refs for row in _rows(db, "ref", "api_key = ? AND ref = ?", *ref)]
    return shown


def _rows(db: sqlite3.Connection, table: str, condition: str, *values: object) -> Iterator[dict[str, Any]]:
    cursor = db.execute(f"SELECT * FROM {table} WHERE {condition}", values)  # noqa: S608 - names of our own
    columns = [column[0] for column in cursor.description]
    for row in cursor.fetchall():
        plain = {
            name: value.hex() if isinstance(value, bytes) else value for name, value in zip(columns, row, strict=True)
        }
        if table == "message":
            span = row[0] << 8, row[0] << 8 | 255
            plain |= {"id": format_id(row[0]), "parts": list(_rows(db, "part", "id BETWEEN ? AND ?", *span))}
        yield {"table": table, **plain}


def erase(
    db: sqlite3.Connection, tally: Tally, number: str, alias: str, wish: Traces
) -> list[tuple[str | None, str | None]]:
    """Erase these rows; of messages statuses and times stay, under the alias.

    Returns the (carrier, key) of their parts as they were, and of other ids that spelled the number.
    """
    spans = ((message << 8, message << 8 | 255) for message in wish.messages)
    changed = [key for span in spans for key in db.execute(_KEYS, span).fetchall()]
    given = {"number": number, "national": national(number), "alias": alias}
    rows = [{"message": message, **given} for message in wish.messages]
    db.executemany(_ERASE_MESSAGE, rows)
    db.executemany(_ERASE_FROM_PARTS, rows)
    db.executemany("DELETE FROM ref WHERE api_key = ? AND ref = ?", wish.refs)
    db.executemany("DELETE FROM other_id WHERE (carrier, key, part) = (?, ?, ?)", wish.other_ids)
    changed += [(carrier, key) for carrier, key, _ in wish.other_ids]
    Retention(db, tally).erase_receipts(wish.receipts)
    _delete(db, "inbound_message", wish.inbound)
    open_parts = sum(
        db.execute("SELECT count(*) FROM inbound WHERE id = ? AND message IS NULL", (part,)).fetchone()[0]
        for part in wish.inbound_parts
    )
    _delete(db, "inbound", wish.inbound_parts)
    tally.counters["i:open"] -= open_parts
    return changed


def remains(db: sqlite3.Connection, number: str, alias: str) -> bool:
    """Tell whether the history of a message of this number, erased or not, holds its national digits."""
    given = {"number": number, "national": national(number), "alias": alias}
    return bool(db.execute(_REMAINS_IN_HISTORY, given).fetchone()[0])


def _delete(db: sqlite3.Connection, table: str, ids: Sequence[int]) -> None:
    db.executemany(f"DELETE FROM {table} WHERE id = ?", [(identity,) for identity in ids])  # noqa: S608 - names of our own
