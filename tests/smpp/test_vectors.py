"""The project's own vectors, and that checking them can fail."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector.smpp import tables
from connector.smpp.receipt import MessageState
from tests.smpp.vectors import write_pdus, write_receipts
from tests.smpp.vectors.__main__ import HERE, main
from tests.smpp.vectors.check import pdu_differences, read, receipt_differences

PDUS = read(HERE / "pdus.jsonl")
RECEIPTS = read(HERE / "receipts.jsonl")


def by_name(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (row,) = [row for row in rows if row["name"] == name]
    return copy.deepcopy(row)


@pytest.mark.parametrize("row", PDUS, ids=lambda row: row["name"])
def test_a_pdu_is_what_its_vector_says(row: dict[str, Any]) -> None:
    assert pdu_differences(row) == []


@pytest.mark.parametrize("row", RECEIPTS, ids=lambda row: row["name"])
def test_a_receipt_is_what_its_vector_says(row: dict[str, Any]) -> None:
    assert receipt_differences(row) == []


def test_the_files_are_what_the_scripts_write() -> None:
    assert write_pdus.FILE.read_text(encoding="utf-8") == write_pdus.text()
    assert write_receipts.FILE.read_text(encoding="utf-8") == write_receipts.text()


@pytest.mark.parametrize("rows", [PDUS, RECEIPTS])
def test_every_vector_has_a_name_of_its_own(rows: list[dict[str, Any]]) -> None:
    names = [row["name"] for row in rows]
    assert len(names) == len(set(names))


def test_every_command_tlv_and_state_is_among_them() -> None:
    assert {row["pdu"]["command"] for row in PDUS if "command" in row["pdu"]} >= set(tables.COMMAND_NAMES.values())
    seen = {tlv["name"] for row in PDUS if row["valid"] for tlv in row["pdu"].get("tlvs", [])}
    assert seen >= {row.name for row in tables.TLVS if row.tag < tables.FIRST_VENDOR_TAG}
    assert {row["expected"]["state"] for row in RECEIPTS} >= set(MessageState)


# Each: which vector, how it is told wrongly, and the word of the difference that must be noticed.
Lie = Callable[[dict[str, Any]], Any]
PDU_LIES: list[tuple[str, Lie, str]] = [
    ("submit_sm, usual", lambda row: row["pdu"].update(command_status=1), "command_status"),
    ("submit_sm, usual", lambda row: row["pdu"].update(sequence_number=8), "sequence_number"),
    ("submit_sm, usual", lambda row: row["pdu"]["body"].update(source_addr="Other"), "source_addr"),
    ("submit_sm, usual", lambda row: row["pdu"]["body"].pop("data_coding"), "data_coding"),
    ("submit_sm, usual", lambda row: row["pdu"].update(body_omitted=True), "body_omitted"),
    ("submit_sm, usual", lambda row: row["pdu"].update(tlvs=[{"tag": "0x0204"}]), "number of TLVs"),
    ("submit_sm, usual", lambda row: row["pdu"].update(following_hex="00"), "octets behind it"),
    ("TLV message_state, 1 octets", lambda row: row["pdu"]["tlvs"][0].update(value=3), "TLV 0x0427 value"),
    ("TLV message_state, 1 octets", lambda row: row["pdu"].pop("tlvs"), "number of TLVs"),
    ("submit_sm, no body", lambda row: row.update(valid=True), "strict"),
    ("submit_sm, no body", lambda row: row.update(expect="submit_sm_resp ESME_RINVDSTADR"), "ESME_RINVDSTADR"),
    ("submit_sm, no body", lambda row: row.update(expect="submit_sm_resp ESME_ROK, then close"), "then close"),
    ("submit_sm, no body", lambda row: row.update(expect="whistle"), "whistle"),
    ("half a submit_sm", lambda row: row.update(expect="log and drop, then close"), "then close"),
    ("half a submit_sm", lambda row: row["pdu"].update(command_length=40), "first PDU"),
    ("command_length 15", lambda row: row.update(expect="stay connected"), "stay connected"),
    ("command_length 15", lambda row: row["pdu"].update(command_length=16), "first PDU"),
    ("command_length 15", lambda row: row.update(expect="say nothing; following_hex"), "say nothing"),
    ("a web client", lambda row: row.update(expect="generic_nack ESME_RINVCMDLEN; following_hex"), "generic_nack"),
    ("request 0x0000000a", lambda row: row.update(expect="generic_nack ESME_RINVCMDID seq 0"), "seq 0"),
    ("unbind", lambda row: row.update(expect="unbind_resp ESME_RSYSERR"), "unbind_resp"),
]
RECEIPT_LIES: list[tuple[str, str, object]] = [
    ("Appendix B", "id", "123456789"),
    ("Appendix B", "stat", "UNDELIV"),
    ("Appendix B", "text", "Your code"),
    ("Appendix B", "state", None),
    ("Appendix B", "final", False),
    ("Appendix B", "done_date", "2026-01-31T09:02:00"),
    ("Appendix B", "is_receipt", False),
    ("Appendix B", "sub", None),
]


@pytest.mark.parametrize(("name", "lie", "noticed"), PDU_LIES)
def test_a_wrong_word_in_a_pdu_vector_is_noticed(name: str, lie: Lie, noticed: str) -> None:
    row = by_name(PDUS, name)
    lie(row)
    assert any(noticed in difference for difference in pdu_differences(row))


@pytest.mark.parametrize(("name", "field", "value"), RECEIPT_LIES)
def test_a_wrong_word_in_a_receipt_vector_is_noticed(name: str, field: str, value: object) -> None:
    row = by_name(RECEIPTS, name)
    row["expected"][field] = value
    assert [difference.partition(":")[0] for difference in receipt_differences(row)] == [field]


def test_a_folder_with_a_difference_ends_in_1_and_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("pdus", "receipts"):
        (tmp_path / f"{kind}.jsonl").write_bytes((HERE / f"{kind}.jsonl").read_bytes())
    assert main(tmp_path) == 0
    path = tmp_path / "receipts.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace('"delivered"', '"lost"', 1), encoding="utf-8")
    assert main(tmp_path) == 1
    printed = capsys.readouterr().out.splitlines()
    assert "receipts Appendix B: state: we have 'delivered', the vector 'lost'" in printed
    assert printed[-1].startswith('{"question": "vectors", "pdus": ')
