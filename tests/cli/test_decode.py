"""carrierline decode."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.decode import _cut
from connector.smpp.codec import encode
from connector.smpp.pdu import BindTransceiver, DeliverSm, EnquireLink, SubmitSm, SubmitSmResp, Tlv, tlv
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


def test_octets_that_hold_several_pdus_are_shown_one_by_one(carrierline: Caller) -> None:
    ended = carrierline("decode", "--json", ENQUIRE_LINK + SUBMIT + "ff")
    first, second = map(json.loads, ended.out.splitlines())
    assert (first["command"], first["oddities"]) == ("enquire_link", [])
    assert second["command"] == "submit_sm"
    assert second["oddities"] == ["1 octet left over"]


def test_every_field_has_its_specification_name_and_octets_are_hexadecimal(carrierline: Caller) -> None:
    pdu = DeliverSm(esm_class=4, short_message=b"\xff", tlvs=(tlv("message_state", 2), Tlv(0x1403, b"a\0")))
    shown = json.loads(carrierline("decode", "--json", encode(pdu, 9).hex()).out)
    assert (shown["command"], shown["command_id"]) == ("deliver_sm", "0x00000005")
    assert (shown["command_status"], shown["command_status_name"]) == (0, "ESME_ROK")
    assert (shown["body"]["esm_class"], shown["body"]["sm_length"], shown["body"]["short_message_hex"]) == (4, 1, "ff")
    assert shown["tlvs"] == [
        {"tag": "0x0427", "name": "message_state", "length": 1, "value_hex": "02", "value": 2},
        {"tag": "0x1403", "name": None, "length": 2, "value_hex": "6100", "value": None},
    ]
    assert shown["oddities"] == []


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "this is not SMPP but HTTP"),
        (bytes.fromhex("16030100c2010000be0303") + bytes(20), "this is not SMPP but TLS"),
        (bytes.fromhex("0000000f000000150000000000000001"), "command_length 15 is less than"),
    ],
)
def test_octets_no_stream_survives_say_why(carrierline: Caller, octets: bytes, reason: str) -> None:
    shown = json.loads(carrierline("decode", "--json", octets.hex()).out)
    assert any(reason in oddity for oddity in shown["oddities"])


def test_a_password_is_shown_only_when_asked_for(carrierline: Caller) -> None:
    bind = encode(BindTransceiver(system_id="acme", password="hunter2"), 1).hex()
    assert "hunter2" not in carrierline("decode", bind).out
    assert "hunter2" in carrierline("decode", "--show-secrets", bind).out


@pytest.mark.parametrize(
    ("stat", "state", "final"),
    [
        ("DELIVRD", "delivered", True),
        ("undeliv", "undeliverable", True),
        ("EXPIRED", "expired", True),
        ("DELETED", "deleted", True),
        ("REJECTD", "rejected", True),
        ("SKIPPED", "skipped", True),
        ("ENROUTE", "enroute", False),
        ("SCHEDULED", "scheduled", False),
        ("UNKNOWN", "unknown", False),
        ("DND_REJECTED", "unknown", False),
        ("ACCEPTD", "accepted", None),
    ],
)
def test_a_state_is_smpps_word_and_whether_it_is_the_last(
    carrierline: Caller, stat: str, state: str, final: bool | None
) -> None:
    shown = json.loads(carrierline("decode", "--receipt", "--json", f"id:7 stat:{stat} err:000").out)
    assert (shown["stat"], shown["state"], shown["final"]) == (stat, state, final)


def test_a_receipt_without_a_state_leaves_open_whether_it_is_the_last(carrierline: Caller) -> None:
    shown = json.loads(carrierline("decode", "--receipt", "--json", "id:7 err:000").out)
    assert (shown["stat"], shown["state"], shown["final"], shown["sub"]) == (None, "unknown", None, None)


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


# --- what the text says ----------------------------------------------------------------------------------------------

PART = encode(SubmitSm(esm_class=0x40, short_message=bytes([5, 0, 3, 0x34, 3, 2]) + b"caf\x05"), 1).hex()
RECEIPT_PDU = encode(DeliverSm(esm_class=4, short_message=RECEIPT.encode()), 1).hex()


def reading(carrierline: Caller, octets: str) -> Any:
    return json.loads(carrierline("decode", "--json", octets).out)["reading"]


def test_the_text_is_told_apart_from_its_header(carrierline: Caller) -> None:
    said = reading(carrierline, PART)
    assert (said["text"], said["alphabet"], said["receipt"]) == ("café", "gsm", None)
    assert (said["udh"]["reference"], said["udh"]["total"], said["udh"]["number"]) == (0x34, 3, 2)
    assert said["udh"]["elements"] == [{"identifier": "0x00", "data_hex": "340302"}]


def test_a_text_is_read_by_its_data_coding_and_from_message_payload(carrierline: Caller) -> None:
    wide = SubmitSm(data_coding=8, tlvs=(tlv("message_payload", "漢字".encode("utf-16-be")),))
    assert reading(carrierline, encode(wide, 1).hex())["text"] == "漢字"
    data = reading(carrierline, encode(SubmitSm(data_coding=4, short_message=b"\1\2"), 1).hex())
    assert (data["text"], data["alphabet"]) == (None, "binary")


def test_a_pdu_without_a_text_has_no_reading(carrierline: Caller) -> None:
    assert reading(carrierline, ENQUIRE_LINK) is None
    assert reading(carrierline, encode(SubmitSm(), 1).hex()) is None


def test_a_receipt_is_read_where_it_is_one(carrierline: Caller) -> None:
    receipt = reading(carrierline, RECEIPT_PDU)["receipt"]
    assert (receipt["id"], receipt["state"], receipt["final"]) == ("0123", "delivered", True)
    submitted = encode(SubmitSm(esm_class=4, short_message=RECEIPT.encode()), 1).hex()
    assert reading(carrierline, submitted)["receipt"] is None
    only_tlvs = DeliverSm(esm_class=4, tlvs=(tlv("receipted_message_id", "77"), tlv("message_state", 5)))
    receipt = reading(carrierline, encode(only_tlvs, 1).hex())["receipt"]
    assert (receipt["effective_id"], receipt["state"], receipt["final"]) == ("77", "undeliverable", True)


def test_what_the_text_says_is_no_field_among_the_fields(carrierline: Caller) -> None:
    lines = carrierline("decode", PART).out.splitlines()
    assert "# text, read as gsm: 'café'" in lines
    assert any(line.startswith("# header of 6 octets") and "number 2" in line for line in lines)
    assert not any(line.startswith(("reading", "text")) for line in lines)
    assert any(line.startswith("# receipt: id 0123") for line in carrierline("decode", RECEIPT_PDU).out.splitlines())


def test_a_status_is_shown_by_name_and_number(carrierline: Caller) -> None:
    assert "ESME_RTHROTTLED (88)" in carrierline("decode", encode(SubmitSmResp(command_status=88), 1).hex()).out


@pytest.mark.parametrize("text", ["hello", "see you at 9: bring wine", "text:hello"])
def test_a_text_that_is_no_receipt_is_said_to_be_none(carrierline: Caller, text: str) -> None:
    ended = carrierline("decode", "--receipt", text)
    assert (ended.status, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert "no receipt" in ended.err


@pytest.mark.parametrize("text", ["id:7", "DELIVRD", "stat:odd", "id: stat:DELIVRD", "err:0 foo:bar"])
def test_a_receipt_that_leaves_most_out_is_one(carrierline: Caller, text: str) -> None:
    assert carrierline("decode", "--receipt", text).status == 0


# --- what is left over, and what stands between octets ------------------------------------------------------------


@pytest.mark.parametrize("octets", range(1, 16))
def test_octets_behind_the_last_pdu_are_counted(carrierline: Caller, octets: int) -> None:
    ended = carrierline("decode", "--json", ENQUIRE_LINK + "00" * min(octets, 3) + "ff" * (octets - 3))
    assert ended.status == 0
    assert f"{octets} octet{'s' if octets > 1 else ''} left over" in json.loads(ended.out)["oddities"]


def test_another_protocol_behind_a_pdu_is_named(carrierline: Caller) -> None:
    ended = carrierline("decode", "--json", ENQUIRE_LINK + b"GET / HTTP/1.1\r\n\r\n".hex())
    (shown,) = map(json.loads, ended.out.splitlines())
    left_over, reason = shown["oddities"]
    assert left_over == "18 octets left over"
    assert "HTTP" in reason


def test_a_pdu_whose_end_is_missing_is_shown_behind_a_whole_one(carrierline: Caller) -> None:
    ended = carrierline("decode", "--json", ENQUIRE_LINK + SUBMIT[:-4])
    first, second = map(json.loads, ended.out.splitlines())
    assert first["oddities"] == []
    assert second["body"]["destination_addr"] == "447700900123"
    assert any("octets are here" in oddity for oddity in second["oddities"])


def test_a_long_row_of_pdus_is_cut_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sliced = 0

    class Counted(bytes):
        def __getitem__(self, key: Any) -> Any:
            nonlocal sliced
            found = super().__getitem__(key)
            sliced += len(found) if isinstance(found, bytes) else 1
            return found

    octets = bytes.fromhex(ENQUIRE_LINK) * 2_000
    pieces, rest = _cut(Counted(octets))
    assert (len(pieces), rest) == (2_000, b"")
    assert sliced <= 2 * len(octets)


PAIRS = [ENQUIRE_LINK[n : n + 2] for n in range(0, len(ENQUIRE_LINK), 2)]


@pytest.mark.parametrize(
    "text",
    [
        ":".join(PAIRS),
        " ".join(PAIRS),
        ", ".join(PAIRS),
        ",".join(f"0x{pair}" for pair in PAIRS),
        " ".join(f"0X{pair}" for pair in PAIRS),
        "".join(f"\\x{pair}" for pair in PAIRS),
        f"  0x{ENQUIRE_LINK.upper()}\t",
    ],
)
def test_octets_are_read_however_they_are_set_apart(carrierline: Caller, text: str) -> None:
    assert carrierline("decode", "--json", text).out == carrierline("decode", "--json", ENQUIRE_LINK).out


@pytest.mark.parametrize("arguments", [("",), ("  ",), ("--receipt", "")])
def test_an_empty_text_is_said_to_be_empty(carrierline: Caller, arguments: tuple[str, ...]) -> None:
    ended = carrierline("decode", *arguments)
    assert ended.status == 1
    assert "the text is empty" in ended.err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("receipt", [False, True])
def test_a_file_may_say_how_it_is_encoded(carrierline: Caller, tmp_path: Path, encoding: str, receipt: bool) -> None:
    (tmp_path / "file.txt").write_text(f"{RECEIPT if receipt else ENQUIRE_LINK}\n", encoding=encoding)
    ended = carrierline("decode", "--json", *(["--receipt"] if receipt else []), str(tmp_path / "file.txt"))
    shown = json.loads(ended.out)
    assert (shown["id"], shown["text"]) == ("0123", "Hi") if receipt else shown["command"] == "enquire_link"


def test_a_text_of_another_script_is_read_too(carrierline: Caller) -> None:
    shown = json.loads(carrierline("decode", "--receipt", "--json", RECEIPT.replace("Hi", "Привет")).out)
    assert (shown["id"], shown["text"]) == ("0123", "Привет")


def test_a_receipt_in_utf_16_is_found_without_being_told(carrierline: Caller) -> None:
    octets = RECEIPT.replace("Hi", "Привет").encode("utf-16-be").hex()
    assert json.loads(carrierline("decode", "--receipt", "--hex", "--json", octets).out)["text"] == "Привет"


def test_an_error_in_a_file_has_its_line(carrierline: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pdus.txt"
    path.write_text(f"{ENQUIRE_LINK}\n\nxx\n{SUBMIT}\n", encoding="utf-8")
    ended = carrierline("decode", "--json", str(path))
    assert ended.status == 1
    assert len(ended.out.splitlines()) == 2
    assert f"{path}:3: neither hexadecimal octets nor a file" in ended.err
    give(monkeypatch, path.read_bytes())
    assert "-:3: neither" in carrierline("decode", "--json", "-").err


def test_an_empty_file_is_said_to_be_empty_and_the_next_is_read(carrierline: Caller, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    ended = carrierline("decode", "--json", str(tmp_path / "empty"), ENQUIRE_LINK)
    assert (ended.status, len(ended.out.splitlines())) == (1, 1)
    assert "there is nothing in it" in ended.err


@pytest.mark.parametrize("option", [("--hex",), ("--zone", "Europe/Berlin")])
def test_options_of_receipts_alone_are_refused_for_pdus(carrierline: Caller, option: tuple[str, ...]) -> None:
    ended = carrierline("decode", *option, ENQUIRE_LINK)
    assert ended.status == 2
    assert "--receipt" in ended.err


def test_a_contradiction_of_tlv_and_text_is_shown(carrierline: Caller) -> None:
    pdu = DeliverSm(
        esm_class=4, short_message=b"id:7 stat:UNDELIV err:001", tlvs=(tlv("message_state", 2),), sequence_number=1
    )
    assert reading(carrierline, encode(pdu).hex())["receipt"]["contradiction"] == (
        "TLV says delivered, text says UNDELIV"
    )
    assert "contradiction" not in reading(carrierline, RECEIPT_PDU)["receipt"]
    assert "TLV says delivered, text says UNDELIV" in carrierline("decode", encode(pdu).hex()).out
