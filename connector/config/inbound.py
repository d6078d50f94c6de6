"""Messages from subscribers: how their parts are joined, and whose they are."""

import re
from collections.abc import Callable
from typing import Final

import attrs

from connector.config import checks
from connector.config.checks import Problems, Rules
from connector.settings import above, duration, evolved, shown, within

_WORD: Final = re.compile(r"\w+")
_NUMBER: Final = re.compile(r"\+?[0-9*#]+")
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._&-]*[A-Za-z0-9.])?")
"""Alphanumeric addresses as carriers grant them: letters and digits, with blanks and few signs between."""
MAX_ADDRESS: Final = 20
"""Characters of an address field of deliver_sm (SMPP 3.4, 4.6.1)."""


def address_of(spelling: str) -> str:
    """Return an address as it is compared and kept: digits without plus or 00, a name as it is.

    Carriers write the same number either way; a 0 alone stays, for whose trunk prefix it is nobody says.
    """
    text = spelling.strip()
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal()):
        return text
    return digits.removeprefix("00") or digits


def keyword_of(text: str) -> str | None:
    """Return the first word of a text, in the case of comparisons; None where there is none."""
    found = _WORD.search(text)
    return found and found[0].casefold()


def _keyword_problem(keyword: str) -> str | None:
    if _WORD.fullmatch(keyword):
        return None
    return f'must be one word of letters and digits such as "STOP", not {shown(keyword)}'


def _address_problem(address: str) -> str | None:
    if len(address) <= MAX_ADDRESS and (_NUMBER.fullmatch(address) or _NAME.fullmatch(address)):
        return None
    return f'must be a number or short code such as "60777" or "+447700900100", not {shown(address)}'


@attrs.frozen(kw_only=True)
class InboundRouteConfig:
    """A rule that says whose a message from a subscriber is; the first rule that fits is taken."""

    api_key: str
    """Name of the API key it belongs to."""
    name: str | None = attrs.field(default=None, validator=attrs.validators.optional(checks.name))
    """Shown with every message it decided; `Config` gives "inbound-1" and so on to those without one."""
    to: tuple[str, ...] | None = None
    """Numbers and short codes it is for, with or without a plus; without it all."""
    keywords: tuple[str, ...] | None = None
    """First words of the texts it is for, in any case; without it all."""
    carriers: tuple[str, ...] | None = None
    """Names of the carriers it is for (two of them may have the same short code); without it all."""

    def problems(self) -> Rules:
        for key in ("to", "keywords", "carriers"):
            yield checks.not_empty(self, key)
        yield checks.items(self, "to", _address_problem)
        yield checks.items(self, "keywords", _keyword_problem)
        yield _twice(self, "to", address_of)
        yield _twice(self, "keywords", str.casefold)

    @property
    def places(self) -> frozenset[str] | None:
        """The numbers and short codes as they are compared; None for all."""
        return None if self.to is None else frozenset(address_of(each) for each in self.to)

    @property
    def words(self) -> frozenset[str] | None:
        """The keywords as they are compared; None for all."""
        return None if self.keywords is None else frozenset(each.casefold() for each in self.keywords)

    @property
    def through(self) -> frozenset[str] | None:
        """The names of the carriers; None for all."""
        return None if self.carriers is None else frozenset(self.carriers)

    def covers(self, other: "InboundRouteConfig") -> bool:
        """Tell whether this rule takes every message that the other one would."""
        pairs = (
            (self.places, other.places),
            (self.words, other.words),
            (self.through, other.through),
        )
        return all(ours is None or (theirs is not None and theirs <= ours) for ours, theirs in pairs)


def _twice(route: InboundRouteConfig, key: str, form: Callable[[str], str]) -> Problems:
    seen: set[str] = set()
    for index, value in enumerate(getattr(route, key) or ()):
        if form(value) in seen:
            yield (key, index), f"{shown(value)} is named before"
        seen.add(form(value))


@attrs.frozen(kw_only=True)
class InboundConfig:
    """Messages from subscribers: how their parts are joined, and whose they are.

    Whose a message is, say the rules, in their order; where none fits, the last message to that subscriber from the
    number that was written to; where there is none, it is kept as nobody's.
    """

    join_timeout_s: float = duration("2m", validator=above(0))
    """How long after its newest part the parts a long message lacks are waited for; then it is told as it is, and says
    what is missing.  A handset takes seconds a part, a carrier tries again within a minute or so."""
    reply_within_s: float = duration("7d", validator=above(0))
    """How old the message may be that a subscriber replies to."""
    repeat_within_s: float = duration("5m", validator=above(0))
    """How long after a message whose answer may not have reached the carrier the same octets are taken for its second
    copy."""
    max_open_parts: int = attrs.field(default=20_000, validator=within(1))
    """Parts of unfinished messages that are held; above it the message that was added to longest ago is told as it
    is."""
    max_open_per_number: int = attrs.field(default=10, validator=within(1))
    """Unfinished messages of one subscriber; above it the same."""
    route: tuple[InboundRouteConfig, ...] = ()
    """In order of precedence."""

    def __attrs_post_init__(self) -> None:
        numbered = enumerate(self.route, 1)
        named = (it if it.name else evolved(it, name=f"inbound-{number}") for number, it in numbered)
        object.__setattr__(self, "route", tuple(named))

    def problems(self) -> Rules:
        yield checks.repeated(self, "route")
        for index in range(len(self.route)):
            yield self._hidden(index)

    def _hidden(self, index: int) -> Problems:
        before = next((each for each in self.route[:index] if each.covers(self.route[index])), None)
        if before is not None:
            yield ("route", index), f"never fits: {shown(str(before.name))} before it takes everything it would"
