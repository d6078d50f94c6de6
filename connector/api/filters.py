"""What a list of messages may be narrowed by, from text to a query."""

from collections.abc import Mapping

from connector.api.schemas import parse_moment
from connector.lifecycle import Status
from connector.model import MessageQuery, parse_id

MAX_LISTED = 1_000
LISTED = 100
FILTERS = ("to", "status", "since", "limit", "before")


class BadFilter(Exception):
    """A filter that does not exist, or a value it cannot have."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def message_query(given: Mapping[str, str], api_key: str | None) -> MessageQuery:
    """Return the query these filters make; ``api_key`` None sees the messages of all keys.  Raises BadFilter."""
    for name in given:
        if name not in FILTERS:
            raise BadFilter(name, f"there is no filter {name}; there are {', '.join(FILTERS)}")
    return MessageQuery(
        api_key=api_key,
        to=_digits(given.get("to")),
        status=_status(given.get("status")),
        since=_since(given.get("since")),
        limit=_limit(given.get("limit")),
        before=_before(given.get("before")),
    )


def _digits(text: str | None) -> str | None:
    return None if text is None else "".join(c for c in text if c.isdecimal()).removeprefix("00")


def _status(text: str | None) -> Status | None:
    if text is None:
        return None
    if text not in set(Status):
        raise BadFilter("status", f"there is no status {text}; there are {', '.join(Status)}")
    return Status(text)


def _since(text: str | None) -> float | None:
    if text is None:
        return None
    moment = parse_moment(text.replace(" ", "+"))  # an unescaped plus in a query is a blank
    if moment is None:
        raise BadFilter("since", "since must be a time with its offset such as 2026-01-31T09:00:00Z")
    return moment


def _limit(text: str | None) -> int:
    if text is None:
        return LISTED
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_LISTED):
        raise BadFilter("limit", f"limit is 1 to {MAX_LISTED}")
    return int(text)


def _before(text: str | None) -> int | None:
    if text is None:
        return None
    message_id = parse_id(text)
    if message_id is None:
        raise BadFilter("before", "before is the id of a message")
    return message_id
