"""carrierline decode."""

import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.smpp.codec import encode
from connector.smpp.pdu import EnquireLink, SubmitSm
from tests.cli.calls import Caller

ENQUIRE_LINK = encode(EnquireLink(sequence_number=7)).hex()
SUBMIT = encode(SubmitSm(sequence_number=8, destination_addr="447700900123", short_message=b"Hi")).hex()
RECEIPT = "id:0123 sub:001 dlvrd:001 submit date:2601310900 done date:2601310901 stat:DELIVRD err:000 text:Hi"


def give(monkeypatch: pytest.MonkeyPatch, octets: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(octets), encoding="utf-8"))


def test_octets_are_shown_as_the_pdu_they_are(carrierline: Caller) -> None:
    ended = carrierline("decode", SUBMIT.upper())
    assert ended.status == 0
    assert "submit_sm" in ended.out
    assert "447700900123" in ended.out


def test_each_pdu_is_one_json_value(carrierline: Caller) -> None:
    ended = carrierline("decode", "--json", ENQUIRE_LINK, f"0x{SUBMIT}")
    first, second = map(json.loads, ended.out.splitlines())
    assert (first["command"], first["sequence_number"]) == ("enquire_link", 7)
    assert second["command"] == "submit_sm"


def test_a_file_and_standard_input_hold_a_pdu_a_line(
    carrierline: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = f"{ENQUIRE_LINK}\r\n\n{SUBMIT}\n".encode()
    (tmp_path / "pdus.txt").write_bytes(lines)
    from_file = carrierline("decode", "--json", str(tmp_path / "pdus.txt"))
    give(monkeypatch, lines)
    assert carrierline("decode", "--json", "-") == from_file
    assert len(from_file.out.splitlines()) == 2


def test_a_bad_line_is_told_and_the_others_are_shown_all_the_same(carrierline: Caller) -> None:
    ended = carrierline("decode", "--json", "xx", ENQUIRE_LINK, "00000010")
    assert ended.status == 1
    assert len(ended.out.splitlines()) == 1
    assert ended.err.count("\n") == 2


def test_a_receipt_text_is_read(carrierline: Caller) -> None:
    ended = carrierline("decode", "--receipt", "--json", RECEIPT)
    shown = json.loads(ended.out)
    assert (shown["id"], shown["stat"], shown["state"], shown["final"]) == (
        "0123",
        "DELIVRD",
        "delivered",
        True,
    )
    assert shown["done_date"] == "2026-01-31T09:01:00"


def test_a_receipt_in_hexadecimal_and_a_zone(carrierline: Caller) -> None:
    ended = carrierline("decode", "--receipt", "--hex", "--zone", "Europe/Berlin", "--json", RECEIPT.encode().hex())
    assert json.loads(ended.out)["done_date"] == "2026-01-31T09:01:00+01:00"


def test_receipts_on_standard_input_may_be_in_any_alphabet(
    carrierline: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, RECEIPT.encode()[:-2] + b"\xe9\xff\n")
    ended = carrierline("decode", "--receipt", "--json", "-")
    assert (ended.status, json.loads(ended.out)["text"]) == (0, "éÿ")


def test_control_characters_of_a_carrier_do_not_reach_the_terminal(carrierline: Caller) -> None:
    ended = carrierline("decode", "--receipt", RECEIPT + "\x1b[31m\x07")
    assert "\x1b" not in ended.out
    assert "\x07" not in ended.out


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(octets=st.binary(max_size=80), head=st.sampled_from(["", "0000001000000015", "0000003000000004"]))
def test_no_octets_end_in_a_traceback(carrierline: Caller, octets: bytes, head: str) -> None:
    text = head + octets.hex()
    if text:
        assert carrierline("decode", text).status in (0, 1)
        assert carrierline("decode", "--receipt", "--hex", text).status in (0, 1)
