"""Which messages of a load came, and which were accepted, in all their parts: told by the numbers in their texts."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import attrs

from connector.smpp.parts import parse_udh
from connector.smpp.pdu import Pdu
from connector.smpp.udh import UDH_INDICATOR
from simulator.texts import text_of

NUMBER_OCTETS: Final = 24
"""What is looked at of a text in one part: it begins with its number."""
MOST_GROUPS: Final = 100_000
"""Long messages of which is remembered what number goes with their reference."""
CAME, ACCEPTED, REFUSED = 1, 2, 4
"""What is known of a message in all its parts; of a refusal one part is enough."""

_NUMBER: Final = re.compile(r"#(\d+) ")
_AT_THE_END: Final = re.compile(r"#(\d+)(?: |\Z)")
_TOTAL_BITS: Final = 8
EVERY: Final = -1
"""The bits of all parts, where nobody knows how many there are."""

_Bits = tuple[int, int] | None
"""Number of parts, and a bit for each that is meant."""
Group = tuple[str, str, int, int, bool]
"""Addresses, reference, number of parts, and whether the reference is in a 16-bit header."""


class Part(NamedTuple):
    """One submit of a message of the load."""

    number: int
    """Of the message."""
    total: int
    place: int
    """From 1 to ``total``."""


@attrs.frozen
class Missing:
    """A message of the load that was never accepted as a whole."""

    number: int
    came: bool
    """Whether all of it came that was sent."""
    parts: str
    """Which of its parts are missing, in words; empty when all are."""
    swallowed_by: str
    """The fault that swallowed what never came; empty when none swallowed it all."""


class Numbered:
    """Keeps the roll of messages 1 to ``most``: an octet each, and more only of long ones that are not complete yet.

    A part tells its number by its text.  One too short for that goes with the others of its reference; where that is
    reused before the message is complete, such a part may be taken for one of the message before.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.settled = 0
        """Messages that were accepted in all their parts, or refused for good."""
        self._marks = bytearray(most + 1)
        self._unseen: dict[int, int] = {}
        self._missing: dict[int, int] = {}
        self._swallowed: dict[int, int] = {}
        """Bits of parts, by number and total."""
        self._swallowed_by: dict[int, str] = {}
        self._siblings: dict[Group, int] = {}
        self._early: dict[Group, list[tuple[int, int]]] = {}
        """Place and mark of parts that came before any other that tells the number."""

    # --- who it is

    def part_of(self, pdu: Pdu) -> Part | None:
        """Return which part of which message a submit is; None for what is none of the load's, or not known yet."""
        joined = _joined(pdu)
        if joined is not None:
            return self._long(pdu, *joined)
        found = _NUMBER.match(text_of(pdu, NUMBER_OCTETS))
        number = 0 if found is None else int(found[1])
        return Part(number, 1, 1) if 1 <= number <= self.most else None

    def _long(self, pdu: Pdu, group: Group, place: int) -> Part | None:
        total = group[3]
        found = (_AT_THE_END if place == total else _NUMBER).search(text_of(pdu))
        number = self._siblings.get(group, 0) if found is None else int(found[1])
        if not 1 <= number <= self.most:
            return None
        if found is not None:
            self._remember(group, number)
        return Part(number, total, place)

    def _remember(self, group: Group, number: int) -> None:
        self._siblings[group] = number
        if len(self._siblings) > MOST_GROUPS:
            del self._siblings[next(iter(self._siblings))]
        for place, mark in self._early.pop(group, ()) if self._early else ():
            part = Part(number, group[3], place)
            self._mark(part, CAME)
            self._mark(part, mark)

    # --- what became of it

    def note(self, pdu: Pdu, mark: int) -> Part | None:
        """Note that a submit came, or was accepted, and return which it is."""
        part = self.part_of(pdu)
        if part is not None:
            self._mark(part, CAME)
            if mark != CAME:
                self._mark(part, mark)
        elif (joined := _joined(pdu)) is not None and len(self._early) < MOST_GROUPS:
            self._early.setdefault(joined[0], []).append((joined[1], mark))
        return part

    def refused(self, pdu: Pdu) -> None:
        """Note that a submit was refused for good."""
        part = self.part_of(pdu)
        if part is not None:
            self._settle(part.number, REFUSED)

    def swallowed(self, pdu: Pdu, by: str) -> None:
        """Note that a fault swallowed a submit before the carrier saw it."""
        part = self.part_of(pdu)
        if part is not None and not self._marks[part.number] & CAME:
            key = _key(part)
            self._swallowed[key] = self._swallowed.get(key, 0) | _bit(part)
            self._swallowed_by[part.number] = by

    def _mark(self, part: Part, mark: int) -> None:
        if self._marks[part.number] & mark:
            return
        if part.total > 1:
            store, key = (self._unseen if mark == CAME else self._missing), _key(part)
            left = store.get(key, _all(part.total)) & ~_bit(part)
            if left:
                store[key] = left
                return
            store.pop(key, None)
        self._settle(part.number, mark)
        if mark == CAME and self._swallowed_by:
            self._swallowed.pop(_key(part), None)
            self._swallowed_by.pop(part.number, None)

    def _settle(self, number: int, mark: int) -> None:
        marks = self._marks[number]
        self.settled += mark != CAME and not marks & (ACCEPTED | REFUSED)
        self._marks[number] = marks | mark

    # --- what is missing

    def missing(self, expected: Iterable[int], unsent: Mapping[int, int]) -> Iterator[Missing]:
        """Return which of these messages were neither accepted nor refused for good.

        ``unsent`` has a bit for each part that was never sent, the lowest for the first, by message.
        """
        stores = [_by_number(each) for each in (self._unseen, self._missing, self._swallowed)]
        for number in expected:
            if not self._marks[number] & (ACCEPTED | REFUSED):
                found = self._missing_of(number, unsent.get(number, 0), *(each.get(number) for each in stores))
                if found is not None:
                    yield found

    def _missing_of(
        self, number: int, unsent: int, unseen: "_Bits", unaccepted: "_Bits", swallowed: "_Bits"
    ) -> Missing | None:
        total, never = unseen or (swallowed[0] if swallowed else 0, EVERY)
        never = 0 if self._marks[number] & CAME else never & ~unsent
        if never:
            eaten = (_all(total) if unseen is None else never) & ~unsent
            by = self._swallowed_by[number] if swallowed and not eaten & ~swallowed[1] else ""
            return Missing(number, False, _parts(never, total), by)
        total, kept = unaccepted or (unseen[0] if unseen else 0, EVERY)
        return Missing(number, True, _parts(kept & ~unsent, total), "") if kept & ~unsent else None


def _joined(pdu: Pdu) -> tuple[Group, int] | None:
    """Return what the parts of one message share, and which of them this is; None for a message in one part."""
    wide, sar = False, None
    if getattr(pdu, "esm_class", 0) & UDH_INDICATOR:
        header = parse_udh(getattr(pdu, "message_octets", b""))
        if header is None or header.number is None or header.reference is None or header.total is None:
            return None
        sar, wide = (header.reference, header.total, header.number), header.wide
    elif pdu.tlvs:
        sar = _sar(pdu)
    if sar is None or sar[1] < 2:
        return None
    reference, total, place = sar
    addresses = getattr(pdu, "source_addr", ""), getattr(pdu, "destination_addr", "")
    return (*addresses, reference, total, wide), place


def _sar(pdu: Pdu) -> tuple[int, int, int] | None:
    """Return reference, total and place by TLV (SMPP 3.4, 5.3.2.22 to 5.3.2.25)."""
    reference, total, place = (
        pdu.tlv_value(f"sar_{name}") for name in ("msg_ref_num", "total_segments", "segment_seqnum")
    )
    if isinstance(reference, int) and isinstance(total, int) and isinstance(place, int) and 1 <= place <= total:
        return reference, total, place
    return None


def _key(part: Part) -> int:
    return part.number << _TOTAL_BITS | part.total


def _bit(part: Part) -> int:
    return 1 << part.place - 1


def _all(total: int) -> int:
    return (1 << total) - 1


def _by_number(store: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """Return total and bits by number; of a message that was cut in several ways those of the last."""
    return {key >> _TOTAL_BITS: (key & _all(_TOTAL_BITS), bits) for key, bits in store.items()}


def _parts(bits: int, total: int) -> str:
    """Return which parts are meant, in words: "parts 2, 3 of 4"."""
    places = [str(place) for place in range(1, total + 1) if bits & 1 << place - 1]
    if len(places) == total or not places:
        return ""
    return f"part{'s' if len(places) > 1 else ''} {', '.join(places)} of {total}"
