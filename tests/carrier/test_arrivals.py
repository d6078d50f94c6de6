"""Parts of a message from a subscriber, read together."""

from typing import Any

import pytest

from connector.carrier.arrivals import UNCERTAIN, Arrivals, Reading, read_parts
from connector.carrier.dialect import Dialect
from connector.config import DialectConfig
from connector.model import Inbound
from connector.smpp.alphabet import fill_bits, pack
from connector.smpp.pdu import DeliverSm
from connector.smpp.tlv import tlv
from connector.smpp.udh import udh
from simulator.mo import subscriber_parts

SOURCE, CODE = "447700900123", "60777"


def arrived(pdus: list[DeliverSm], config: DialectConfig | None = None) -> list[Inbound]:
    arrivals = Arrivals("north", Dialect(config or DialectConfig()))
    found = [arrivals.read(pdu, 1_000.0) for pdu in pdus]
    assert all(isinstance(each, Inbound) for each in found)
    return found  # type: ignore[return-value]


def read(pdus: list[DeliverSm], config: DialectConfig | None = None) -> Reading:
    return read_parts(arrived(pdus, config), config or DialectConfig())


def part(octets: bytes, number: int, total: int = 2, *, data_coding: int = 0, **shifts: Any) -> DeliverSm:
    header = udh(7, total, number, **shifts)
    return DeliverSm(
        source_addr=SOURCE,
        destination_addr=CODE,
        esm_class=0x40,
        data_coding=data_coding,
        short_message=header + octets,
    )


@pytest.mark.parametrize("text", ["short", "long and plain " * 30, "with € and [brackets] " * 20, "mit 🙂 und Ж " * 30])
@pytest.mark.parametrize("wide", [False, True])
def test_what_a_handset_cut_is_whole_again(text: str, wide: bool) -> None:
    assert read(subscriber_parts(SOURCE, CODE, text, wide=wide)).text == text


def test_a_character_that_was_cut_in_two_is_read_whole() -> None:
    octets = "ab🙂cd".encode("utf-16-be")
    assert read([part(octets[:6], 1, data_coding=8), part(octets[6:], 2, data_coding=8)]).text == "ab🙂cd"
    assert read([part(b"price \x1b", 1), part(b"e", 2)]).text == "price €"


def test_a_missing_part_joins_no_halves_of_different_characters() -> None:
    assert read([part(b"a\x1b", 1, 3), part(b"e", 3, 3)]).text == "a e"


def test_each_part_is_read_by_the_shift_tables_it_names() -> None:
    assert read([part(b"\x1b\x73", 1, single=1), part(b"\x1b\x65", 2)]).text == "ş€"


def test_packed_septets_are_unpacked_part_by_part() -> None:
    config = DialectConfig(gsm_packed=True)
    packed = [pack(text, fill_bits(6)) for text in (b"hello wor", b"ld and all")]
    assert read([part(octets, number) for number, octets in enumerate(packed, 1)], config).text == "hello world and all"


def test_octets_that_are_no_text_stay_octets() -> None:
    found = read([part(b"\x00\xff", 1, data_coding=4), part(b"\x80", 2, data_coding=4)])
    assert found == Reading("", b"\x00\xff\x80", "binary")
    assert read([DeliverSm(source_addr=SOURCE, data_coding=4, short_message=b"\x01")]).data == b"\x01"


def test_a_text_in_the_payload_is_read_as_any_other() -> None:
    long = b"x" * 400
    assert read([DeliverSm(source_addr=SOURCE, tlvs=(tlv("message_payload", long),))]).text == "x" * 400


def test_parts_joined_by_tlvs_are_read_together() -> None:
    pdus = [
        DeliverSm(
            source_addr=SOURCE,
            short_message=octets,
            tlvs=(tlv("sar_msg_ref_num", 9), tlv("sar_total_segments", 2), tlv("sar_segment_seqnum", number)),
        )
        for number, octets in enumerate((b"a\x1b", b"eb"), 1)
    ]
    assert read(pdus).text == "a€b"


def test_a_guess_stays_a_guess() -> None:
    assert read([part(b"abc", 1, single=99), part(b"def", 2)]).alphabet == UNCERTAIN
    broken = DeliverSm(source_addr=SOURCE, esm_class=0x40, short_message=b"\xffabc")
    assert read([broken]).alphabet == UNCERTAIN


def test_an_empty_message_is_an_empty_message() -> None:
    assert read([DeliverSm(source_addr=SOURCE)]) == Reading("", None, "gsm")
