"""Captures, read by a program that nobody here wrote: tshark."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trio
from esme import bound, linked, submit_sm
from trio.testing import MockClock

from connector.settings import load
from connector.smpp.codec import encode
from connector.smpp.pdu import BindTransceiver, EnquireLink
from connector.smpp.tlv import tlv
from simulator import Smsc
from simulator.scenario import Scenario
from simulator.trace.lines import TraceFile, json_lines
from simulator.trace.pcapng import capture, checksum

RULES = """
[[rule]]
name = "barred prefix"
when = { to = "^4470" }
reply = "ESME_RINVDSTADR"
[[rule]]
name = "silent"
when = { text = "nobody hears" }
fault = { kind = "no-response" }
[[rule]]
name = "reset"
when = { text = "reset" }
fault = { kind = "reset" }
"""


def tshark() -> str:
    found = shutil.which("tshark")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("tshark is part of the test set-up")
        pytest.skip("tshark is not installed")
    return found


def read(path: Path, *fields: str) -> list[dict[str, list[str]]]:
    """Return what tshark makes of each packet: its fields with all their values."""
    wanted = [each for field in fields for each in ("-e", field)]
    options = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    command = [tshark(), "-r", str(path), *options, "-T", "json", *wanted]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [packet["_source"]["layers"] for packet in json.loads(said)]


async def played(*sinks: TraceFile) -> None:
    """Play a link with everything in it."""
    smsc = Smsc(load(RULES, Scenario), clock=lambda: 1_700_000_000.0 + trio.current_time(), trace=sinks)
    async with bound(smsc) as esme:
        barred = submit_sm("barred")
        barred.destination_addr = "447012345678"
        await esme.submitted(submit_sm("hello", registered_delivery=1), barred)
        long = submit_sm("")
        long.short_message = b""
        long.tlvs = (tlv("message_payload", b"a" * 65_000),)
        await esme.submitted(long)
        await esme.submit(submit_sm("nobody hears"))
        await trio.sleep(1)
        await esme.stream.send_all(encode(EnquireLink(sequence_number=77)))
        await esme.read()
        await esme.submit(submit_sm("reset"))
        await esme.closed()
    for sink in sinks:
        sink.close()


NAMES = {"0x00000009", "0x80000009", "0x00000004", "0x80000004", "0x00000005", "0x80000005", "0x00000015", "0x80000015"}


async def test_tshark_reads_every_pdu_with_good_checksums(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "trace.pcapng"
    await played(capture(path))
    packets = read(
        path, "smpp.command_id", "smpp.sequence_number", "tcp.checksum.status", "ip.checksum.status", "tcp.len"
    )
    assert {status for packet in packets for status in packet["tcp.checksum.status"]} == {"1"}
    assert {status for packet in packets for status in packet["ip.checksum.status"]} == {"1"}
    carrying = [packet for packet in packets if packet["tcp.len"] != ["0"]]
    commands = [packet["smpp.command_id"] for packet in carrying if "smpp.command_id" in packet]
    assert {command for each in commands for command in each} == NAMES
    assert all(len(each) == 1 for each in commands)
    assert len(carrying) - len(commands) == 1, "only the first half of the PDU that no packet can hold is none"


async def test_comments_say_which_rule_was_at_work(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "trace.pcapng"
    await played(capture(path))
    packets = read(path, "frame.comment", "smpp.command_id")
    remarks = [
        (packet["frame.comment"][0], packet.get("smpp.command_id")) for packet in packets if "frame.comment" in packet
    ]
    assert remarks == [
        ("rule 'barred prefix'", ["0x80000004"]),
        ("rule 'silent'", None),
        ("rule 'reset'; fault: reset", None),
    ]


async def test_no_password_is_written_and_no_person_where_that_is_asked_for(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    plain, discreet = tmp_path / "plain", tmp_path / "discreet"
    await played(
        capture(plain.with_suffix(".pcapng")),
        json_lines(plain.with_suffix(".jsonl")),
        capture(discreet.with_suffix(".pcapng"), redact=True),
        json_lines(discreet.with_suffix(".jsonl"), redact=True),
    )
    check_secrets(tmp_path)
    discreet_packets = read(tmp_path / "discreet.pcapng", "smpp.command_id")
    assert {packet["smpp.command_id"][0] for packet in discreet_packets if packet} == NAMES


def check_secrets(folder: Path) -> None:
    for path in folder.iterdir():
        octets = path.read_bytes()
        for secret in (b"secret", b"secret".hex().encode()):
            assert secret not in octets, path
        found = [word in octets for word in (b"447911123456", b"447911123456".hex().encode())]
        assert any(found) == path.name.startswith("plain"), path
        assert path.stat().st_mode & 0o777 == 0o600


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_line_has_the_pdu_its_octets_and_the_reason(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "trace.jsonl"
    await played(json_lines(path))
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    assert (lines[0]["event"], lines[-1]["event"], lines[-1]["remark"]) == (
        "began",
        "ended",
        "rule 'reset'; fault: reset",
    )
    bind, submit = lines[1], lines[3]
    assert bind["fields"]["password"] == "xxxxxx"
    assert submit | {"at": 0, "octets": ""} == {
        "at": 0,
        "link": 1,
        "from": "esme",
        "account": "acme",
        "command": "submit_sm",
        "status": "ESME_ROK",
        "sequence": 2,
        "length": 55,
        "fields": {
            "source_addr": "60777",
            "dest_addr_ton": 1,
            "dest_addr_npi": 1,
            "destination_addr": "447911123456",
            "registered_delivery": 1,
            "short_message": b"hello".hex(),
        },
        "tlvs": {},
        "oddities": [],
        "octets": "",
    }
    assert len(submit["octets"]) == 2 * 55
    [refused] = [line for line in lines if line.get("status") == "ESME_RINVDSTADR"]
    assert refused["remark"] == "rule 'barred prefix'"


NO_PDU = b"GET / HTTP/1.1\r\n\r\n"


def told_of_the_esme(path: Path) -> list[tuple[str | None, bytes]]:
    """The command and the octets of each line about what the ESME said."""
    return [(line["command"], bytes.fromhex(line["octets"])) for line in lines_of(path) if line.get("from") == "esme"]


async def test_octets_of_a_bound_esme_that_are_no_pdu_are_kept_as_they_came(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    path = tmp_path / "trace.jsonl"
    async with bound(Smsc(trace=[json_lines(path)])) as esme:
        await esme.stream.send_all(NO_PDU)
        await esme.closed()
    assert told_of_the_esme(path)[-1] == (None, NO_PDU)


async def test_of_octets_ahead_of_a_bind_that_are_no_pdu_only_the_number_is_kept(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    path = tmp_path / "trace.jsonl"
    async with linked(Smsc(trace=[json_lines(path)])) as esme:
        await esme.stream.send_all(NO_PDU)
        await esme.closed()
    assert told_of_the_esme(path) == [(None, bytes(len(NO_PDU)))]


async def test_a_capture_can_be_read_though_its_end_is_missing(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "trace.pcapng"
    async with linked(Smsc(trace=[capture(path)])) as esme:
        await esme.stream.send_all(encode(BindTransceiver(system_id="a", sequence_number=1)))
        await esme.read()
        assert [packet for packet in read(path, "smpp.command_id") if packet] == [
            {"smpp.command_id": ["0x00000009"]},
            {"smpp.command_id": ["0x80000009"]},
        ]


async def test_a_file_that_cannot_be_written_any_more_is_told_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with bound(Smsc(trace=[json_lines(Path("/dev/full"))])) as esme:
        await esme.submitted(submit_sm())
    told = [record.message for record in caplog.records if "no more is written" in record.message]
    assert told == ["no more is written to /dev/full: No space left on device"]


def test_the_checksum_is_that_of_the_rfc() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D


async def test_a_remark_stands_at_no_packet_but_its_own(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "trace.jsonl"
    sink = json_lines(path)
    text = (
        '[[rule]]\nname = "silent"\nwhen = { nth = 2 }\nfault = { kind = "no-response" }\n'
        '[[rule]]\nname = "barred"\nwhen = { nth = 3 }\nreply = "ESME_RINVDSTADR"\n'
        '[[inject]]\nname = "welcome"\non = "bind"\n'
        'pdu = { command = "deliver_sm", from = "1", to = "2", text = "hi" }\n'
    )
    async with bound(Smsc(load(text, Scenario), trace=[sink])) as esme:
        await esme.submit(*[submit_sm() for _ in range(4)])
        await esme.read_until(lambda: len(esme.answers) == 3)
    remarks = [(line.get("command"), line.get("status"), line["remark"]) for line in lines_of(path) if "remark" in line]
    assert sorted(remarks[:-1], key=lambda remark: remark[2]) == [
        ("submit_sm_resp", "ESME_RINVDSTADR", "rule 'barred'"),
        (None, None, "rule 'silent'"),
        ("deliver_sm", "ESME_ROK", "rule 'welcome'"),
    ]
