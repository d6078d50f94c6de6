"""What does not stay: rows that go by age, and what an erasure by number finds and does."""

from enum import StrEnum

import attrs


class Aged(StrEnum):
    """Rows that go by their age alone."""

    RECEIPTS = "receipts"
    """Parked ones: their part never came."""
    INBOUND_PARTS = "inbound_parts"
    """Those that were told."""
    INBOUND = "inbound"
    EVENTS = "events"
    """As far as the bodies of the parts they name were looked after."""
    OTHER_IDS = "other_ids"
    """Ids of attempts that are not their part's present one."""


@attrs.frozen
class Step:
    """What one step of retention did."""

    gone: int
    """Bodies or rows that are no more."""
    more: bool
    """Whether there may be more to do at once."""
    after: int = 0
    """Where the next step of the same walk begins."""


@attrs.frozen(kw_only=True)
class Traces:
    """What is kept of a number, by ids; also a wish to erase it."""

    messages: tuple[int, ...] = ()
    """Final ones to it or from it."""
    refs: tuple[tuple[str, str], ...] = ()
    """(API key, reference): client_refs of these messages, and whatever reference spells the number."""
    receipts: tuple[int, ...] = ()
    """Parked ones."""
    inbound_parts: tuple[int, ...] = ()
    inbound: tuple[int, ...] = ()
    other_ids: tuple[tuple[str, str, int], ...] = ()
    """(carrier, key, part) of ids of earlier attempts that spell the number, but of messages under way."""
    live: int = 0
    """Messages not at their end: they need the number until then."""
    under_way: tuple[int, ...] = ()
    """The ids of these."""

    @property
    def rows(self) -> int:
        kinds = (self.messages, self.refs, self.receipts, self.inbound_parts, self.inbound, self.other_ids)
        return sum(map(len, kinds))


@attrs.frozen(kw_only=True)
class Erased:
    """What an erasure by number did."""

    messages: int
    receipts: int
    inbound: int
    """Messages from the number, and parts of such."""
    live: int
    """Messages that are under way and were left as they are: erase again when they are at their end."""
    under_way: tuple[str, ...] = ()
    """The ids of some of these."""
    receipts_left: int = 0
    """Parked receipts that were left with them, for they may be theirs."""
    clean: bool
    """Whether the bytes of the store's files were searched and hold the number no more."""
