"""What a list of messages may be narrowed by, from text to a query."""

from collections.abc import Mapping

from connector.api.schemas import parse_moment
from connector.lifecycle import Status
from connector.model import MessageQuery, parse_id
from connector.policy import numbers
from connector.settings import nearest

MAX_LISTED = 1_000
LISTED = 100
FILTERS = ("to", "status", "since", "api_key", "limit", "before")


class BadFilter(Exception):
    """A filter that does not exist, or a value it cannot have."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def message_query(given: Mapping[str, str], api_key: str | None, *, country: str | None = None) -> MessageQuery:
    """Return the query these filters make.

    ``api_key``: whose messages are seen; None sees those of all keys, and may narrow them to one by the filter
    ``api_key``.  ``country``: ISO 3166 code that a national spelling of ``to`` is read by.  Raises BadFilter.
    """
    for name in given:
        if name not in FILTERS:
            raise BadFilter(name, f"there is no filter {name!r}; there are {', '.join(FILTERS)}")
    return MessageQuery(
        api_key=_whose(given.get("api_key"), api_key),
        to=_to(given.get("to"), country),
        status=_status(given.get("status")),
        since=_since(given.get("since")),
        limit=_limit(given.get("limit")),
        before=_before(given.get("before")),
    )


def flag(given: Mapping[str, str], name: str) -> bool:
    """Return a switch, which is off unless it is given.  Raises BadFilter."""
    text = given.get(name, "false")
    if text not in ("true", "false"):
        raise BadFilter(name, f"{name} is true or false")
    return text == "true"


def _whose(asked: str | None, seen: str | None) -> str | None:
    if asked == "":
        raise BadFilter("api_key", "api_key is the name of an API key")
    if seen is not None and asked not in (None, seen):
        raise BadFilter("api_key", "only an operator's API key sees the messages of others")
    return seen or asked


def _to(text: str | None, country: str | None) -> str | None:
    """Return the digits messages to this number are kept under; what is no number is refused."""
    if text is None:
        return None
    spelling = f"+{text[1:]}" if text.startswith(" ") else text  # an unescaped plus in a query is a blank
    number = numbers.normalise(spelling, country)
    if isinstance(number, numbers.Number):
        return number.e164
    digits = "".join(c for c in spelling if c.isdecimal()).removeprefix("00")
    if digits != spelling.removeprefix("+").removeprefix("00") or not digits or digits.startswith("0"):
        raise BadFilter("to", number.text)
    return digits  # international, if not valid today: what is kept may be older than the numbering plan


def _status(text: str | None) -> Status | None:
    if text is None:
        return None
    if text not in set(Status):
        near = nearest(text, list(Status))
        raise BadFilter("status", f"there is no status {text!r}{near}; there are {', '.join(Status)}")
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
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and 1 <= int(text) <= MAX_LISTED):
        raise BadFilter("limit", f"limit is 1 to {MAX_LISTED}")
    return int(text)


def _before(text: str | None) -> int | None:
    if text is None:
        return None
    message_id = parse_id(text)
    if message_id is None:
        raise BadFilter("before", "before is the id of a message")
    return message_id
