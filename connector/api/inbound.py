"""Messages from subscribers as the HTTP door shows them, and what a list of them may be narrowed by."""

from collections.abc import Mapping
from typing import Any

import msgspec

from connector.api.filters import LISTED, MAX_LISTED, BadFilter, flag
from connector.api.schemas import show_moment
from connector.config.inbound import address_of
from connector.model import InboundMessage, InboundQuery, format_id, parse_id

FILTERS = ("to", "from", "after", "before", "unmatched", "limit")


def inbound_query(given: Mapping[str, str], api_key: str | None) -> InboundQuery:
    """Return the query these filters make; ``api_key`` None sees the messages of all keys and of nobody.

    Raises BadFilter.
    """
    for name in given:
        if name not in FILTERS:
            raise BadFilter(name, f"there is no filter {name!r}; there are {', '.join(FILTERS)}")
    if "after" in given and "before" in given:
        raise BadFilter("before", "after and before are two ways to turn pages: give one of them")
    return InboundQuery(
        api_key=api_key,
        sender=_address(given, "from"),
        to=_address(given, "to"),
        unmatched=flag(given, "unmatched"),
        limit=_limit(given),
        after=_cursor(given, "after"),
        before=_cursor(given, "before"),
    )


def _address(given: Mapping[str, str], name: str) -> str | None:
    """Return an address as it is kept; an unescaped plus in a query is a blank, and goes with it."""
    text = given.get(name)
    if text is None:
        return None
    if not text.strip():
        raise BadFilter(name, f"{name} is a number or a short code")
    return address_of(text)


def _limit(given: Mapping[str, str]) -> int:
    text = given.get("limit", str(LISTED))
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and 1 <= int(text) <= MAX_LISTED):
        raise BadFilter("limit", f"limit is 1 to {MAX_LISTED}")
    return int(text)


def _cursor(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if name == "after" and text == "0":
        return 0
    found = parse_id(text)
    if found is None:
        more = ", or 0 for all from the first one on" if name == "after" else ""
        raise BadFilter(name, f"{name} is the id of an inbound message{more}")
    return found


def show_inbound(message: InboundMessage) -> dict[str, Any]:
    """Return a message from a subscriber as JSON shows it."""
    return {
        "id": format_id(message.id),
        "at": show_moment(message.at),
        "from": message.sender,
        "to": message.to,
        "text": message.text,
        "data": None if message.data is None else message.data.hex(),
        "alphabet": message.alphabet,
        "destination_port": message.destination_port,
        "carrier": message.carrier,
        "parts": message.total,
        "partial": message.partial,
        "missing": list(message.missing),
        "continues": _id(message.continues),
        "api_key": message.api_key,
        "matched": message.matched,
        "reply_to": _id(message.reply_to),
        "client_ref": message.client_ref,
        "metadata": msgspec.Raw(message.metadata.encode()) if message.metadata else None,
    }


def _id(identity: int | None) -> str | None:
    return None if identity is None else format_id(identity)


def show_page(messages: list[InboundMessage], query: InboundQuery) -> dict[str, Any]:
    """Return a list of them, and the cursor behind it where there may be more."""
    more = format_id(messages[-1].id) if len(messages) == query.limit else None
    return {"inbound": [show_inbound(message) for message in messages], "next": more}
