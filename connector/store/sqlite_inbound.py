"""Messages from subscribers on SQLite: the parts as they came, and what was joined from them."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from connector.model import Inbound, InboundMessage, InboundPart, InboundQuery, Recipient, Repeat, Sent
from connector.store.rules import SENT_LOOKED_AT
from connector.store.tally import Tally

_PART = """
    SELECT id, carrier, at, from_addr, to_addr, text, octets, data_coding, esm_class, alphabet, header_bytes, reference,
        wide, total, number, destination_port, source_port, bind, message, repeated, fence
    FROM inbound
"""
_MESSAGE = """
    SELECT inbound_message.id, inbound_message.carrier, at, from_addr, inbound_message.to_addr, inbound_message.text,
        data, inbound_message.alphabet, total, missing, continues, destination_port, inbound_message.api_key, matched,
        reply_to, message.client_ref, message.metadata
    FROM inbound_message LEFT JOIN message ON message.id = inbound_message.reply_to
"""
_KEEP = "INSERT INTO inbound_message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_TAKE = "UPDATE inbound SET message = ?, repeated = ? WHERE id = ? AND message IS NULL"
# a part tells which carrier has its message: all parts of one have the same
_LAST_SENT = """
    SELECT id, api_key, sender, (SELECT carrier FROM part WHERE part.id BETWEEN it.id << 8 AND it.id << 8 | 255 LIMIT 1)
    FROM (SELECT id, api_key, sender, created_at FROM message WHERE to_addr = ? ORDER BY id DESC LIMIT ?) AS it
    WHERE created_at >= ? ORDER BY id DESC
"""


def tell(
    db: sqlite3.Connection, tally: Tally, messages: Sequence[InboundMessage], repeats: Sequence[Repeat]
) -> list[int]:
    """Keep these messages, each with its parts, unless one of them was told before; return those kept."""
    told = []
    for message in messages:
        db.execute("SAVEPOINT tell")
        taken = db.executemany(_TAKE, [(message.id, 0, part) for part in message.parts]).rowcount
        if taken == len(message.parts):
            db.execute(_KEEP, _message_row(message))
            tally.told_inbound(message)
            told.append(message.id)
        else:
            db.execute("ROLLBACK TO tell")
        db.execute("RELEASE tell")
    taken = db.executemany(_TAKE, [(it.message, 1, it.part) for it in repeats]).rowcount if repeats else 0
    tally.repeated_inbound(taken)
    return told


def _message_row(message: InboundMessage) -> tuple[object, ...]:
    return (
        message.id,
        message.carrier,
        message.at,
        message.sender,
        message.to,
        message.text,
        message.data,
        message.alphabet,
        message.total,
        ",".join(map(str, message.missing)),
        message.continues,
        message.destination_port,
        message.api_key,
        message.matched,
        message.reply_to,
    )


def still_open(db: sqlite3.Connection, after: int, limit: int) -> list[InboundPart]:
    """Return parts behind this id that no message has yet, in the order they were kept."""
    rows = db.execute(f"{_PART} WHERE message IS NULL AND id > ? ORDER BY id LIMIT ?", (after, limit))
    return [_part(row) for row in rows]


def told(db: sqlite3.Connection, limit: int, since: float) -> list[InboundPart]:
    """Return the newest parts that were told and came since then, newest first."""
    newest = [_part(row) for row in db.execute(f"{_PART} ORDER BY id DESC LIMIT ?", (limit,))]
    return [part for part in newest if part.message is not None and part.said.at >= since]


def parts(db: sqlite3.Connection, ids: Sequence[int]) -> list[InboundPart]:
    """Return these parts, in this order; ids that are not there are passed over."""
    found = (db.execute(f"{_PART} WHERE id = ?", (identity,)).fetchone() for identity in ids)
    return [_part(row) for row in found if row is not None]


def _part(row: Any) -> InboundPart:
    identity, *said, message, repeated, fence = row
    inbound = Inbound(*said)
    inbound.wide = bool(inbound.wide)
    return InboundPart(identity, inbound, message, bool(repeated), fence)


def last_sent(db: sqlite3.Connection, recipients: Sequence[Recipient]) -> list[list[Sent]]:
    """Return the newest messages to each of these numbers, newest first."""
    return [[Sent(*row) for row in db.execute(_LAST_SENT, (it.to, SENT_LOOKED_AT, it.since))] for it in recipients]


def messages(db: sqlite3.Connection, query: InboundQuery) -> list[InboundMessage]:
    """Return inbound messages: newest first, or behind a cursor oldest first."""
    conditions, arguments = _conditions(query)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = "DESC" if query.after is None else "ASC"
    sql = f"{_MESSAGE}{where} ORDER BY inbound_message.id {order} LIMIT ?"
    return [_message(db, row) for row in db.execute(sql, (*arguments, query.limit)).fetchall()]


def _conditions(query: InboundQuery) -> tuple[list[str], list[Any]]:
    asked = [
        (condition, value)
        for condition, value in (
            ("inbound_message.id = ?", query.id),
            ("inbound_message.api_key = ?", query.api_key),
            ("from_addr = ?", query.sender),
            ("inbound_message.to_addr = ?", query.to),
            ("inbound_message.id > ?", query.after),
            ("inbound_message.id < ?", query.before),
        )
        if value is not None
    ]
    nobodys = ["inbound_message.api_key IS NULL"] if query.unmatched else []
    return [*(condition for condition, _ in asked), *nobodys], [value for _, value in asked]


def _message(db: sqlite3.Connection, row: Any) -> InboundMessage:
    identity, carrier, at, sender, to, text, data, alphabet, total, missing, continues, port, *found = row
    api_key, matched, reply_to, client_ref, metadata = found
    return InboundMessage(
        id=identity,
        carrier=carrier,
        at=at,
        sender=sender,
        to=to,
        text=text,
        data=data,
        alphabet=alphabet,
        total=total,
        missing=tuple(int(number) for number in missing.split(",") if number),
        continues=continues,
        destination_port=port,
        api_key=api_key,
        matched=matched,
        reply_to=reply_to,
        parts=tuple(_parts_of(db, identity)),
        client_ref=client_ref,
        metadata=metadata,
    )


def _parts_of(db: sqlite3.Connection, message: int) -> Iterator[int]:
    rows = db.execute("SELECT id FROM inbound WHERE message = ? AND NOT repeated ORDER BY number, id", (message,))
    yield from (row[0] for row in rows)


def last_id(db: sqlite3.Connection) -> int:
    """Return the largest id of a message, of ours or of a subscriber; 0 if there is none."""
    sql = "SELECT max(coalesce((SELECT max(id) FROM message), 0), coalesce((SELECT max(id) FROM inbound_message), 0))"
    return int(db.execute(sql).fetchone()[0])
