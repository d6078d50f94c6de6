"""Messages from subscribers, as a handset and its carrier make them."""

import pytest

from connector.errors import EncodeError
from connector.smpp.parts import read_user_data
from simulator.mo import subscriber_message, subscriber_parts

LONG = "a text of more than one part " * 12


@pytest.mark.parametrize("wide", [False, True])
def test_a_long_text_is_cut_and_each_part_says_which_it_is(wide: bool) -> None:
    parts = subscriber_parts("447700900123", "60777", LONG, reference=201, wide=wide)
    read = [read_user_data(part.short_message, esm_class=part.esm_class) for part in parts]
    headers = [each.udh for each in read]
    assert [(it.reference, it.total, it.number, it.wide) for it in headers if it] == [
        (201, len(parts), number, wide) for number in range(1, len(parts) + 1)
    ]
    assert "".join(each.text for each in read) == LONG
    assert all(len(part.short_message) <= 160 for part in parts)


def test_a_short_text_is_one_without_a_header() -> None:
    [part] = subscriber_parts("447700900123", "60777", "hello")
    assert (part.esm_class, part.short_message) == (0, b"hello")
    assert part == subscriber_message("447700900123", "60777", "hello")


def test_a_reference_that_does_not_fit_is_refused() -> None:
    with pytest.raises(EncodeError):
        subscriber_parts("447700900123", "60777", LONG, reference=256)
    assert subscriber_parts("447700900123", "60777", LONG, reference=256, wide=True)
