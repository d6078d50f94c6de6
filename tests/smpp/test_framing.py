"""Cutting a stream into PDUs."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import FramingError
from connector.smpp.codec import decode, encode
from connector.smpp.framing import Framer
from connector.smpp.pdu import EnquireLink, GenericNack, SubmitSm

STREAM = [encode(SubmitSm(short_message=b"x" * n), n + 1) for n in range(0, 200, 7)] + [encode(EnquireLink(), 9)]


@given(st.lists(st.integers(0, sum(map(len, STREAM)))))
def test_pdus_come_out_whole_however_the_stream_is_torn(cuts: list[int]) -> None:
    octets = b"".join(STREAM)
    places = [0, *sorted(cuts), len(octets)]
    framer = Framer()
    assert [pdu for start, end in pairwise(places) for pdu in framer.feed(octets[start:end])] == STREAM
    assert framer.partial == 0


def test_single_octets_add_up_and_the_held_ones_are_counted() -> None:
    framer = Framer()
    pdu = STREAM[-1]
    for count, octet in enumerate(pdu[:-1], start=1):
        assert framer.feed(bytes([octet])) == []
        assert framer.partial == count
    assert framer.feed(pdu[-1:]) == [pdu]
    assert framer.partial == 0


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_octets_is_taken(kind: type) -> None:
    assert Framer().feed(kind(STREAM[0])) == [STREAM[0]]


@pytest.mark.parametrize(
    ("length", "reason"),
    [
        (0, "command_length 0 is less than the 16 octets of a header"),
        (15, "command_length 15 is less than the 16 octets of a header"),
        (70_001, "command_length 70001 is more than the 70000 allowed here"),
        (0xF0000010, "command_length 4026531856 is more than the 70000 allowed here"),
    ],
)
def test_an_impossible_length_is_refused_at_once_with_the_nack_to_send(length: int, reason: str) -> None:
    with pytest.raises(FramingError) as broken:
        Framer().feed(length.to_bytes(4, "big"))
    assert broken.value.reason == reason
    nack = decode(broken.value.answer)
    assert isinstance(nack, GenericNack)
    assert (nack.command_status, nack.sequence_number) == (2, 0)


@pytest.mark.parametrize("length", [16, 70_000])
def test_the_shortest_and_the_longest_legal_length_are_waited_for(length: int) -> None:
    framer = Framer()
    assert framer.feed(length.to_bytes(4, "big")) == []
    assert framer.error is None


@pytest.mark.parametrize(
    ("octets", "protocol"),
    [
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"POST /sms HTTP/1.1\r\n", "HTTP"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "TLS: the peer starts TLS on a plain port"),
        (b"\x15\x03\x01\x00\x02\x02", "a TLS alert"),
        (b"SSH-2.0-OpenSSH", "SSH"),
        (b"AMQP\0\0\x09\x01", "AMQP"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 2775\r\n", "the PROXY protocol"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", "the PROXY protocol, version 2"),
        (b"\x03\x00\x00\x2f\x2a\xe0", "TPKT"),
    ],
)
def test_another_protocol_is_named_and_gets_no_answer(octets: bytes, protocol: str) -> None:
    with pytest.raises(FramingError, match=f"this is not SMPP but {protocol}") as broken:
        Framer().feed(octets)
    assert broken.value.answer == b""


def test_pdus_before_a_broken_one_are_returned_first() -> None:
    framer = Framer()
    assert framer.feed(STREAM[0] + STREAM[1] + bytes(4)) == STREAM[:2]
    assert framer.error is not None
    with pytest.raises(FramingError):
        framer.feed(STREAM[2])


def test_no_more_than_the_longest_pdu_is_ever_held() -> None:
    framer = Framer(max_length=1000)
    framer.feed((1000).to_bytes(4, "big"))
    for _ in range(995):
        framer.feed(b"x")
        assert framer.partial <= 1000
    assert [len(pdu) for pdu in framer.feed(b"x")] == [1000]


def test_the_limit_can_be_raised_when_the_session_is_bound() -> None:
    framer = Framer(max_length=1024)
    framer.max_length = 70_000
    assert framer.feed((2000).to_bytes(4, "big")) == []
