"""The roll of a load's messages: a long one is there when all its parts are."""

from collections.abc import Sequence

import pytest

from connector.smpp.alphabet import data_coding_of
from connector.smpp.parts import MOST_PARTS, Concatenation, Profile, cut, short_message
from connector.smpp.pdu import SubmitSm
from connector.smpp.tlv import tlv
from connector.smpp.udh import UDH_INDICATOR
from simulator.judge.numbered import ACCEPTED, CAME, Missing, Numbered, Part
from simulator.load.messages import Message, Messages
from simulator.scenario import Load, LoadText


def parts_of(number: int, *, to: str = "447700900000", **text: int) -> list[SubmitSm]:
    load = Load(model="closed", messages=9_999_999, to=to, text=(LoadText(**(text or {"gsm7": 400})),))
    return [part.pdu for part in Messages(load, 1).parts(Message(number, 0.0))]


def foreign_parts(text: str, way: Concatenation, reference: int) -> list[SubmitSm]:
    """A text as another ESME cuts it."""
    made = cut(text, Profile(concatenation=way, max_parts=MOST_PARTS))
    pdus = []
    for place in range(1, len(made.bounds) + 1):
        octets, has_header = short_message(text, made, place, reference=reference, way=way)
        coding = data_coding_of(made.alphabet)
        pdu = SubmitSm(destination_addr="447700900000", short_message=octets, data_coding=coding)
        pdu.esm_class = UDH_INDICATOR if has_header else 0
        if way is Concatenation.SAR:
            numbers = {"msg_ref_num": reference, "total_segments": len(made.bounds), "segment_seqnum": place}
            pdu.tlvs = tuple(tlv(f"sar_{name}", value) for name, value in numbers.items())
        pdus.append(pdu)
    return pdus


def roll_of(*accepted: SubmitSm, came: Sequence[SubmitSm] = (), most: int = 100) -> Numbered:
    roll = Numbered(most)
    for pdu in came:
        roll.note(pdu, CAME)
    for pdu in accepted:
        roll.note(pdu, ACCEPTED)
    return roll


def missing(roll: Numbered, *expected: int, unsent: dict[int, int] | None = None) -> list[Missing]:
    return list(roll.missing(expected, unsent or {}))


@pytest.mark.parametrize("way", [Concatenation.UDH8, Concatenation.UDH16, Concatenation.SAR])
@pytest.mark.parametrize("text", [{"gsm7": 400}, {"gsm7": 161}, {"gsm7": 1_600}, {"ucs2": 71}, {"ucs2": 300}])
@pytest.mark.parametrize("number", [1, 42, 9_876_543])
def test_every_part_is_known_however_the_text_is_cut(way: Concatenation, text: dict[str, int], number: int) -> None:
    whole = Messages(Load(model="closed", messages=1, text=(LoadText(**text),)), 1).text(number)
    assert len(whole) == next(iter(text.values()))
    roll, pdus = Numbered(9_999_999), foreign_parts(whole, way, 7)
    found = [roll.note(pdu, ACCEPTED) for pdu in pdus]
    assert found == [Part(number, len(pdus), place) for place in range(1, len(pdus) + 1)]
    assert roll.settled == 1
    assert missing(roll, number) == []


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_message_of_which_any_part_never_came_is_missing(lost: int) -> None:
    pdus = parts_of(7)
    kept = [pdu for place, pdu in enumerate(pdus, 1) if place != lost]
    roll = roll_of(*kept, came=kept)
    assert missing(roll, 7) == [Missing(7, False, f"part {lost} of 3", "")]
    assert roll.settled == 0


def test_a_part_that_came_and_was_not_accepted_is_told_from_one_that_never_came() -> None:
    pdus = parts_of(7)
    roll = roll_of(pdus[0], came=pdus)
    assert missing(roll, 7) == [Missing(7, True, "parts 2, 3 of 3", "")]


def test_parts_that_were_never_sent_are_not_missing() -> None:
    pdus = parts_of(7)
    roll = roll_of(pdus[0], came=pdus[:1])
    assert missing(roll, 7, unsent={7: 0b110}) == []
    assert missing(roll, 7, unsent={7: 0b100}) == [Missing(7, False, "part 2 of 3", "")]


def test_parts_come_in_any_order_and_more_than_once() -> None:
    first, second, third = parts_of(7)
    roll = roll_of(third, second, third, first, first)
    assert missing(roll, 7) == []
    assert roll.settled == 1


def test_messages_to_one_number_differ_in_every_part() -> None:
    roll = Numbered(70_000)
    for number in (17, 17 + 65_536):  # whose reference is the same
        found = [roll.note(pdu, ACCEPTED) for pdu in parts_of(number)]
        assert found == [Part(number, 3, place) for place in (1, 2, 3)]


def test_a_last_part_too_short_for_a_number_goes_with_the_others_of_its_reference() -> None:
    parts = [parts_of(number, gsm7=305) for number in (98, 99)]
    assert len(parts[0][2].short_message) == 7 + 1  # the header, and the last digit
    roll = roll_of(*parts[0], *parts[1])
    assert missing(roll, 98, 99) == []


def test_such_a_part_that_came_first_waits_for_the_others() -> None:
    first, second, third = parts_of(99, gsm7=305)
    roll = roll_of(third, first)
    assert missing(roll, 99) == [Missing(99, False, "part 2 of 3", "")]
    roll.note(second, ACCEPTED)
    assert missing(roll, 99) == []


def test_a_refusal_of_one_part_settles_the_message() -> None:
    first, second, _ = parts_of(7)
    roll = roll_of(first, came=[first, second])
    roll.refused(second)
    assert (missing(roll, 7), roll.settled) == ([], 1)
    roll.note(second, ACCEPTED)
    assert roll.settled == 1


def test_what_was_swallowed_and_never_came_is_told_with_the_fault() -> None:
    pdus = parts_of(7)
    roll = roll_of(*pdus[:1], came=pdus[:1])
    roll.swallowed(pdus[1], "hole")
    assert missing(roll, 7) == [Missing(7, False, "parts 2, 3 of 3", "")]  # the third was lost elsewhere
    roll.swallowed(pdus[2], "hole")
    assert missing(roll, 7) == [Missing(7, False, "parts 2, 3 of 3", "hole")]


def test_what_was_swallowed_and_came_later_is_not_missing() -> None:
    [pdu] = parts_of(7, gsm7=40)
    roll = Numbered(100)
    roll.swallowed(pdu, "hole")
    assert missing(roll, 7) == [Missing(7, False, "", "hole")]
    roll.note(pdu, ACCEPTED)
    assert missing(roll, 7) == []


def test_a_number_beyond_the_load_is_none_of_it() -> None:
    assert roll_of(*parts_of(101), most=100).part_of(parts_of(101)[0]) is None
