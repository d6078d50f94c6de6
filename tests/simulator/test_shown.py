"""The trace for people, and what refused a message, in every trace there is."""

import json
from pathlib import Path

import pytest
import trio
from esme import bound, linked, submit_sm
from trio.testing import MockClock

from connector.settings import load
from connector.smpp import tables
from connector.smpp.codec import encode
from connector.smpp.pdu import DeliverSm, Pdu, SubmitMulti, SubmitSm
from connector.smpp.pdu import DestAddress as Address
from connector.smpp.tlv import tlv
from simulator import Smsc
from simulator.mo import subscriber_parts, subscriber_segments
from simulator.scenario import Scenario
from simulator.trace.lines import json_lines
from simulator.trace.pcapng import capture
from simulator.trace.record import LinkEvent, Packet, Recent
from simulator.trace.shown import line_of

RECEIPT = (
    b"id:0123456789ABCDEF0123456789ABCDEF0123 sub:001 dlvrd:001 submit date:2311142213 done date:2311142213 "
    b"stat:UNDELIV err:0C7 text:hello"
)


def line(pdu: Pdu) -> str:
    return line_of(Packet(at=1.0, link=1, outgoing=True, octets=encode(pdu), bound=True), 0.0).partition("<- ")[2]


def test_a_receipt_is_shown_by_what_it_says_and_nothing_of_that_is_cut() -> None:
    pdu = DeliverSm(esm_class=4, short_message=RECEIPT, sequence_number=7)
    assert line(pdu) == ("deliver_sm #7 esm_class=0x04 id:0123456789ABCDEF0123456789ABCDEF0123 stat:UNDELIV err:0C7")


def test_the_tlvs_of_a_receipt_stand_beside_its_text() -> None:
    tlvs = (tlv("receipted_message_id", "0c7"), tlv("message_state", 2))
    pdu = DeliverSm(esm_class=4, short_message=b"id:199 stat:DELIVRD", tlvs=tlvs, sequence_number=7)
    assert line(pdu).endswith(" id:199 stat:DELIVRD receipted_message_id=0c7 message_state=2")


def test_a_receipt_that_cannot_be_read_is_shown_as_it_is() -> None:
    text = "well, it has been delivered, more or less, as far as anybody here can tell"
    assert repr(text) in line(DeliverSm(esm_class=4, short_message=text.encode()))


def test_fields_that_are_not_as_usual_are_shown_and_the_others_are_not() -> None:
    assert line(SubmitSm(short_message=b"hi")) == "submit_sm #0 'hi'"
    shown = line(SubmitSm(short_message="hi".encode("utf-16-be"), data_coding=8, registered_delivery=17, esm_class=3))
    assert shown == "submit_sm #0 esm_class=0x03 data_coding=8 registered_delivery=17 'hi'"


def test_a_part_says_which_it_is() -> None:
    second = subscriber_parts("1", "2", "x" * 300, reference=9)[1]
    assert " esm_class=0x40 part 2/2 of 9 'xxx" in line(second)
    assert " part 2/2 'xxx" in line(subscriber_segments("1", "2", "x" * 300)[1])


def test_a_payload_is_shown_with_its_length() -> None:
    pdu = SubmitSm(tlvs=(tlv("message_payload", b"y" * 300),))
    assert " message_payload=300 octets 'yyy" in line(pdu)


LIMITS = {
    "limits.rate": "[limits]\nrate = {{ per_second = 1, burst = 2{} }}",
    "limits.window": '[limits]\nwindow = 2\n[response]\ndelay = "1s"{}',
    "queue": "[queue]\ncapacity = 2\ndrain = {{ per_second = 0.01 }}{}",
}


def smsc_of(text: str, *sinks: object) -> Smsc:
    return Smsc(load(text, Scenario), clock=lambda: 1_700_000_000.0 + trio.current_time(), trace=sinks)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limit", "more"),
    [*((limit, "") for limit in LIMITS), ("limits.rate", ', scope = "sender"')],
)
async def test_the_limit_that_refused_is_named_in_text_json_and_capture(
    limit: str, more: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    recent, lines, pcap = Recent(), json_lines(tmp_path / "t.jsonl"), capture(tmp_path / "t.pcapng")
    async with bound(smsc_of(LIMITS[limit].format(more), recent, lines, pcap)) as esme:
        answers = await esme.submitted(*(submit_sm() for _ in range(4)))
    lines.close()
    pcap.close()
    assert [answer.command_status != 0 for answer in answers] == [False, False, True, True]
    responses = [each for each in recent.events if isinstance(each, Packet) and each.octets[4:8].hex() == "80000004"]
    assert [each.remark for each in responses if each.octets[8:12] != bytes(4)] == [f"refused by {limit}"] * 2
    assert [each.remark for each in responses if each.octets[8:12] == bytes(4)] == ["", ""]
    told = [json.loads(text) for text in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [each.get("remark") for each in told if each.get("status") in ("ESME_RTHROTTLED", "ESME_RMSGQFUL")] == [
        f"refused by {limit}",
        f"refused by {limit}",
    ]
    assert (tmp_path / "t.pcapng").read_bytes().count(f"refused by {limit}".encode()) == 2


async def test_what_refused_some_of_a_submit_multi_is_said_of_its_one_answer(autojump_clock: MockClock) -> None:
    recent = Recent()
    addresses = tuple(Address(destination_addr=f"4479111234{n}") for n in range(10, 14))
    async with bound(smsc_of("[limits]\nrate = { per_second = 1, burst = 2 }", recent)) as esme:
        await esme.submitted(SubmitMulti(source_addr="1", dest_addresses=addresses, short_message=b"hi"))
    (response,) = [each for each in recent.events if isinstance(each, Packet) and each.octets[4:8].hex() == "80000021"]
    assert response.remark == "refused by limits.rate"


async def test_a_penalty_is_named_where_it_ends_a_link_and_where_it_keeps_one_away(autojump_clock: MockClock) -> None:
    recent = Recent()
    smsc = smsc_of('[limits]\nrate = { per_second = 1, burst = 1 }\npenalty = { after = 3, within = "10s" }', recent)
    async with bound(smsc) as esme:
        await esme.submit(*(submit_sm() for _ in range(5)))
        await esme.closed()
        async with linked(smsc) as again:
            assert tables.status_name(await again.bind()) == "ESME_RBINDFAIL"
    assert [each.remark for each in recent.events if isinstance(each, LinkEvent) and each.noted] == [
        "limits.penalty ends it"
    ]
    shown = "\n".join(line_of(event, 0.0) for event in recent.events)
    assert "bind_transceiver_resp #1 ESME_RBINDFAIL  (refused by limits.penalty)" in shown


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[carrier]\nversions = ["5.0"]', "carrier.versions"),
        ('[[account]]\nsystem_id = "acme"\npassword = "secret"\nbind_types = ["receiver"]', "account.bind_types"),
        ('[[timeline]]\nat = "0s"\nfor = "1h"\ndo = "outage"', "an outage"),
    ],
)
async def test_a_bind_that_fails_says_why(text: str, key: str, autojump_clock: MockClock) -> None:
    recent = Recent()
    async with linked(smsc_of(text, recent)) as esme:
        assert tables.status_name(await esme.bind()) == "ESME_RBINDFAIL"
    assert [each.remark for each in recent.events if isinstance(each, Packet) and each.outgoing] == [
        f"refused by {key}"
    ]


def test_a_long_trace_counts_from_its_first_packet_and_says_what_it_has_left_out() -> None:
    recent = Recent(most=2)
    for number in range(5):
        recent(LinkEvent(at=100.0 + number, link=1, ended=False))
    assert ([event.at for event in recent.events], recent.seen, recent.started_at) == ([103.0, 104.0], 5, 100.0)
