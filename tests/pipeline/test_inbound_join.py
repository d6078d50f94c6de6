"""Parts of long messages from subscribers find each other, in whatever order they come."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config import InboundConfig
from connector.model import Inbound, InboundPart, Repeat
from connector.pipeline.inbound_join import REMEMBERED_S, Joined, Joiner, key_of

HANDSET, OTHER_HANDSET = "447700900123", "447700900456"
WAIT_S = 120.0


def said(number: int, total: int, *, octets: bytes = b"", **changes: Any) -> Inbound:
    """Part ``number`` of ``total``; what it says follows from its number unless given."""
    given: dict[str, Any] = {"sender": HANDSET, "to": "60777", "reference": 7, "wide": False} | changes
    return Inbound(
        carrier=given.pop("carrier", "north"),
        at=0.0,
        text="",
        octets=octets or f"part {number}".encode(),
        data_coding=0,
        esm_class=0x40,
        total=total,
        number=number,
        **given,
    )


class Desk:
    """A joiner, and everything it was given and has told."""

    def __init__(self, **changes: Any) -> None:
        self.ids = itertools.count(1)
        self.joiner = Joiner(lambda: next(self.ids), InboundConfig(join_timeout_s=WAIT_S, **changes))
        self.kept = itertools.count(101)
        self.said: dict[int, Inbound] = {}
        self.told: list[Joined] = []
        self.repeats: list[Repeat] = []

    def take(self, *parts: Inbound, now: float = 0.0) -> list[Joined | Repeat]:
        items: list[Joined | Repeat] = []
        for inbound in parts:
            identity, key = next(self.kept), key_of(inbound)
            assert key is not None
            self.said[identity] = inbound
            items += self.joiner.take(InboundPart(identity, inbound), key, now)
        return self._note(items)

    def due(self, now: float) -> list[Joined | Repeat]:
        return self._note(self.joiner.due(now))

    def _note(self, items: list[Joined | Repeat]) -> list[Joined | Repeat]:
        self.told += [item for item in items if isinstance(item, Joined)]
        self.repeats += [item for item in items if isinstance(item, Repeat)]
        return items


def numbers(desk: Desk, joined: Joined) -> list[int | None]:
    return [desk.said[part].number for part in joined.parts]


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
def test_parts_come_in_any_order_and_are_told_in_theirs(order: tuple[int, ...]) -> None:
    desk = Desk()
    desk.take(*(said(number, 3) for number in order))
    [joined] = desk.told
    assert numbers(desk, joined) == [1, 2, 3]
    assert (joined.total, joined.missing, joined.continues) == (3, (), None)
    assert (desk.joiner.open_messages, desk.joiner.open_parts) == (0, 0)


@pytest.mark.parametrize(
    "other",
    [
        {"sender": OTHER_HANDSET},
        {"to": "60888"},
        {"carrier": "south"},
        {"reference": 8},
        {"wide": True},
    ],
)
def test_parts_of_different_messages_never_meet(other: dict[str, Any]) -> None:
    desk = Desk()
    assert desk.take(said(1, 2), said(2, 2, **other)) == []
    desk.take(said(2, 2), said(1, 2, **other))
    assert [numbers(desk, joined) for joined in desk.told] == [[1, 2], [1, 2]]


def test_parts_of_another_total_are_of_another_message() -> None:
    desk = Desk()
    assert desk.take(said(1, 2), said(2, 3)) == []


def test_one_spelling_of_a_number_is_as_good_as_another() -> None:
    desk = Desk()
    desk.take(said(1, 2, sender="+447700900123"), said(2, 2, sender="00447700900123"))
    assert len(desk.told) == 1


def test_a_part_that_comes_twice_is_told_once() -> None:
    desk = Desk()
    desk.take(said(1, 2), said(1, 2), said(2, 2))
    [joined] = desk.told
    assert numbers(desk, joined) == [1, 2]
    assert desk.repeats == [Repeat(102, joined.id)]


def test_a_part_that_comes_again_after_its_message_was_told_is_none_of_another_one() -> None:
    """Unless another one comes behind it: that is waited for."""
    desk = Desk()
    desk.take(said(1, 2), said(2, 2))
    assert desk.take(said(2, 2), now=REMEMBERED_S - 1) == []
    assert desk.take(said(2, 2), now=REMEMBERED_S - 1) == [Repeat(104, desk.told[0].id)]
    assert desk.due(REMEMBERED_S - 1 + WAIT_S) == [Repeat(103, desk.told[0].id)]
    assert (desk.joiner.open_messages, desk.joiner.open_parts) == (0, 0)


def test_a_message_that_comes_again_as_a_whole_is_told_once() -> None:
    desk = Desk()
    desk.take(said(1, 3), said(2, 3), said(3, 3))
    desk.take(said(3, 3), said(1, 3), said(2, 3), now=100.0)
    assert len(desk.told) == 1
    assert sorted(repeat.part for repeat in desk.repeats) == [104, 105, 106]
    assert (desk.joiner.open_messages, desk.joiner.open_parts) == (0, 0)


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
def test_a_second_message_under_one_reference_may_end_as_the_first_did(order: tuple[int, ...]) -> None:
    """A handset that never changes its reference, and a signature that fills the last parts."""
    desk = Desk()
    desk.take(said(1, 3), said(2, 3), said(3, 3))
    anew = {1: said(1, 3, octets=b"anew"), 2: said(2, 3), 3: said(3, 3)}
    desk.take(*(anew[number] for number in order), now=100.0)
    desk.due(100.0 + WAIT_S)
    assert [(numbers(desk, joined), joined.missing) for joined in desk.told] == [([1, 2, 3], ())] * 2
    assert desk.repeats == []


def test_a_copy_of_the_part_in_whose_place_another_comes_is_a_copy_after_all() -> None:
    desk = Desk()
    desk.take(said(1, 2), said(2, 2))
    desk.take(said(1, 2), said(1, 2, octets=b"anew"), said(2, 2, octets=b"too"), now=100.0)
    assert desk.repeats == [Repeat(103, desk.told[0].id)]
    assert [numbers(desk, joined) for joined in desk.told] == [[1, 2], [1, 2]]


def test_a_part_that_comes_too_late_is_told_behind_a_copy_of_one_that_did_not() -> None:
    desk = Desk()
    desk.take(said(1, 2))
    desk.due(WAIT_S)
    desk.take(said(1, 2), said(2, 2), now=WAIT_S + 1)
    desk.due(2 * WAIT_S + 1)
    assert [joined.continues for joined in desk.told] == [None, desk.told[0].id]
    assert desk.repeats == [Repeat(102, desk.told[0].id)]


def test_a_reference_is_free_again_after_some_minutes() -> None:
    desk = Desk()
    desk.take(said(1, 2), said(2, 2))
    desk.due(REMEMBERED_S)
    desk.take(said(1, 2), said(2, 2), now=REMEMBERED_S)
    assert len(desk.told) == 2


def test_other_octets_under_the_same_number_begin_another_message() -> None:
    desk = Desk()
    desk.take(said(1, 3), said(2, 3))
    desk.take(said(1, 3, octets=b"anew"))
    [first] = desk.told
    assert (numbers(desk, first), first.missing) == ([1, 2], (3,))
    desk.take(said(2, 3), said(3, 3))
    assert numbers(desk, desk.told[1]) == [1, 2, 3]
    assert desk.said[desk.told[1].parts[0]].octets == b"anew"


def test_a_message_told_whole_makes_room_for_another_one_under_its_reference() -> None:
    desk = Desk()
    desk.take(said(1, 2), said(2, 2))
    desk.take(said(1, 2, octets=b"a"), said(2, 2, octets=b"b"))
    assert [joined.missing for joined in desk.told] == [(), ()]


def test_what_lacks_a_part_is_told_when_nothing_came_for_long_enough() -> None:
    desk = Desk()
    desk.take(said(1, 4), now=0.0)
    desk.take(said(3, 4), now=100.0)
    assert desk.joiner.next_due_at() == 100.0 + WAIT_S
    assert desk.due(99.0 + WAIT_S) == []
    desk.due(100.0 + WAIT_S)
    [joined] = desk.told
    assert (numbers(desk, joined), joined.total, joined.missing) == ([1, 3], 4, (2, 4))
    assert desk.joiner.next_due_at() is None


def test_a_second_copy_does_not_make_the_wait_longer() -> None:
    desk = Desk()
    desk.take(said(1, 2), now=0.0)
    desk.take(said(1, 2), now=100.0)
    desk.due(WAIT_S)
    assert [joined.missing for joined in desk.told] == [(2,)]
    assert desk.repeats == [Repeat(102, desk.told[0].id)]


def test_a_part_that_comes_too_late_is_told_alone_and_says_what_it_continues() -> None:
    desk = Desk()
    desk.take(said(1, 3))
    desk.due(WAIT_S)
    desk.take(said(3, 3), now=WAIT_S + 1)
    partial, late = desk.told
    assert (numbers(desk, late), late.missing, late.continues) == ([3], (1, 2), partial.id)
    assert desk.take(said(3, 3), said(1, 3), now=WAIT_S + 2) == []
    assert desk.due(2 * WAIT_S + 2) == [Repeat(104, partial.id), Repeat(103, late.id)]


def test_one_subscriber_cannot_fill_the_table() -> None:
    desk = Desk(max_open_per_number=3)
    desk.take(said(1, 2, sender=OTHER_HANDSET))
    for reference in range(5):
        desk.take(said(1, 2, reference=reference))
    assert desk.joiner.open_messages == 4
    assert [desk.said[joined.parts[0]].reference for joined in desk.told] == [0, 1]
    assert all(joined.missing == (2,) for joined in desk.told)


def test_the_table_is_bounded_and_what_was_added_to_longest_ago_leaves_it() -> None:
    desk = Desk(max_open_parts=4)
    desk.take(said(1, 3, sender="1001"), said(1, 3, sender="1002"), said(1, 3, sender="1003"))
    desk.take(said(2, 3, sender="1001"))
    desk.take(said(1, 3, sender="1004"))
    assert [desk.said[joined.parts[0]].sender for joined in desk.told] == ["1002"]
    assert desk.joiner.open_parts == 4


def test_second_copies_count_against_the_bound() -> None:
    desk = Desk(max_open_parts=4)
    desk.take(*[said(1, 3)] * 10)
    assert desk.joiner.open_parts <= 4


def test_what_is_remembered_is_bounded_too() -> None:
    desk = Desk(max_open_parts=4)
    for reference in range(50):
        desk.take(said(1, 1, reference=reference))
    assert len(desk.told) == 50
    assert desk.joiner._remembered <= 4


def test_a_life_remembers_what_the_one_before_it_told() -> None:
    parts = [
        InboundPart(1, said(1, 3), message=11),
        InboundPart(2, said(1, 3), message=11, repeated=True),
        InboundPart(3, said(3, 3), message=12),
    ]
    desk = Desk()
    desk.joiner.recall(parts)
    desk.take(said(1, 3), said(3, 3))
    [late] = [item for item in desk.take(said(2, 3)) if isinstance(item, Joined)]
    assert late.continues == 11
    assert desk.due(WAIT_S) == [Repeat(101, 11), Repeat(102, 12)]


def test_of_two_messages_under_one_reference_the_newer_one_is_remembered() -> None:
    parts = [
        InboundPart(1, said(1, 2), message=11),
        InboundPart(2, said(2, 2), message=11),
        InboundPart(3, said(1, 2, octets=b"anew"), message=12),
    ]
    desk = Desk()
    desk.joiner.recall(parts)
    desk.take(said(1, 2, octets=b"anew"))
    assert desk.due(WAIT_S) == [Repeat(101, 12)]


# --- any order, copies, losses, several at once -----------------------------------------------------------------------

MESSAGES = st.lists(st.tuples(st.sampled_from([HANDSET, OTHER_HANDSET]), st.integers(1, 5)), min_size=1, max_size=6)


@st.composite
def streams(draw: st.DrawFn) -> tuple[dict[tuple[str, int], set[int]], list[Inbound]]:
    """Some messages of several handsets, each under a reference of its own; each part comes 0, 1 or 2 times."""
    sent: dict[tuple[str, int], set[int]] = {}
    stream: list[Inbound] = []
    for reference, (sender, total) in enumerate(draw(MESSAGES)):
        for number in range(1, total + 1):
            copies = draw(st.sampled_from([0, 1, 1, 1, 2]))
            stream += [said(number, total, sender=sender, reference=reference)] * copies
            if copies:
                sent.setdefault((sender, reference), set()).add(number)
    return sent, draw(st.permutations(stream))


def _heads(desk: Desk, told: Iterable[Joined]) -> list[tuple[str, int | None]]:
    return sorted((desk.said[it.parts[0]].sender, desk.said[it.parts[0]].reference) for it in told)


@given(streams())
def test_every_part_is_told_exactly_once(stream: tuple[dict[tuple[str, int], set[int]], list[Inbound]]) -> None:
    sent, parts = stream
    desk = Desk()
    for now, part in enumerate(parts):
        desk.take(part, now=float(now))
    desk.due(len(parts) + WAIT_S)
    told = [part for joined in desk.told for part in joined.parts]
    assert sorted([*told, *(repeat.part for repeat in desk.repeats)]) == sorted(desk.said)
    assert len(set(told)) == len(told)
    # one message for each that had any part come, and it says itself what it lacks
    assert _heads(desk, desk.told) == sorted(sent)
    for joined in desk.told:
        first = desk.said[joined.parts[0]]
        here = sent[first.sender, first.reference]  # type: ignore[index]
        assert numbers(desk, joined) == sorted(here)
        assert set(joined.missing) == set(range(1, joined.total + 1)) - here
    assert (desk.joiner.open_messages, desk.joiner.open_parts) == (0, 0)


@given(streams(), st.integers(1, 6), st.integers(1, 3))
def test_however_little_room_there_is_no_part_is_lost(
    stream: tuple[dict[tuple[str, int], set[int]], list[Inbound]], parts: int, each: int
) -> None:
    desk = Desk(max_open_parts=parts, max_open_per_number=each)
    for now, part in enumerate(stream[1]):
        desk.take(part, now=float(now))
        assert desk.joiner.open_parts <= parts
    desk.due(len(stream[1]) + WAIT_S)
    told = [part for joined in desk.told for part in joined.parts]
    assert sorted([*told, *(repeat.part for repeat in desk.repeats)]) == sorted(desk.said)
