"""What may be written down of a link: never a password, and nobody's number or text where that is asked for."""

import json
from pathlib import Path

import pytest
import trio
import trio.testing
from esme import bound, linked, submit_sm
from trio.testing import MockClock

from connector.settings import load
from connector.smpp import tables
from connector.smpp.codec import encode
from connector.smpp.pdu import (
    BindTransceiver,
    DeliverSm,
    DestAddress,
    DistributionList,
    Pdu,
    SubmitMulti,
    SubmitMultiResp,
    UnknownPdu,
    UnsuccessSme,
)
from connector.smpp.tlv import Tlv, tlv
from simulator import Smsc
from simulator.scenario import Scenario
from simulator.trace.discreet import as_written, without_people
from simulator.trace.lines import json_lines
from simulator.trace.pcapng import Capture, capture
from simulator.trace.record import LinkEvent, Packet, Recent, Trace
from simulator.trace.shown import line_of

BIND = encode(BindTransceiver(system_id="me", password="hunter22", sequence_number=1))
PERSON = "447911999999"


def with_length(length: int, octets: bytes = BIND) -> bytes:
    return length.to_bytes(4, "big") + octets[4:]


MISSHAPEN = {
    "garbage ahead of it in the same write": b"\0\0\0\5abcdefghijkl" + BIND,
    "a length that ends within the password": with_length(20) + bytes(40),
    "a length that ends within the system_id": with_length(18) + bytes(40),
    "a length of less than a header": with_length(8),
    "a length that has a half come": with_length(200),
    "no NUL behind system_id": with_length(26, BIND[:16]) + b"mehunter22",
    "a PDU ahead of it that is too long": with_length(30, bytes(4) + encode(submit_sm(sequence_number=1))[4:16]) + BIND,
    "a PDU of a vendor around it": with_length(16 + len(BIND), BIND[:4] + b"\0\1\2\3" + bytes(8)) + BIND,
}


@pytest.mark.parametrize("octets", MISSHAPEN.values(), ids=MISSHAPEN)
def test_no_octet_of_a_password_is_told_however_a_bind_is_misshapen(octets: bytes) -> None:
    recent = Recent()
    trace = Trace(lambda: 0.0, recent)
    trace.crossed(1, octets, outgoing=False)
    trace.ended(1, "closed")
    packets = [event for event in recent.events if isinstance(event, Packet)]
    written = b"".join(as_written(packet) for packet in packets)
    assert len(written) == len(octets)
    assert b"hunt" not in written
    assert b"er22" not in written
    shown = "\n".join(line_of(packet, 0.0) for packet in packets)
    assert "hunt" not in shown
    assert b"hunt".hex() not in shown


@pytest.mark.parametrize("octets", [BIND, encode(submit_sm("hello", sequence_number=1))], ids=["bind", "submit"])
def test_a_clean_pdu_ahead_of_a_bind_is_told_but_for_its_password(octets: bytes) -> None:
    packet = Packet(at=0.0, link=1, outgoing=False, octets=octets)
    assert as_written(packet) == octets.replace(b"hunter22", b"xxxxxxxx")


async def test_a_link_whose_bind_was_refused_is_still_not_bound(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "trace.jsonl"
    smsc = Smsc(load("[[account]]\nsystem_id = 'other'\n", Scenario), trace=[json_lines(path), capture(tmp_path / "c")])
    async with linked(smsc) as esme:
        assert await esme.bind() != 0
        await esme.stream.send_all(MISSHAPEN["garbage ahead of it in the same write"])
        await esme.closed()
    last = [line for line in map(json.loads, path.read_text().splitlines()) if line.get("from") == "esme"][-1]
    assert set(bytes.fromhex(last["octets"])) == {0}
    assert b"hunter22" not in (tmp_path / "c").read_bytes()


# --- people -----------------------------------------------------------------------------------------------------------

WITH_PEOPLE: dict[str, Pdu] = {
    "dest_addresses": SubmitMulti(source_addr="1", dest_addresses=(DestAddress(destination_addr=PERSON),)),
    "dl_name": SubmitMulti(source_addr="1", dest_addresses=(DistributionList(dl_name=PERSON),)),
    "unsuccess_smes": SubmitMultiResp(
        message_id="1", unsuccess_smes=(UnsuccessSme(destination_addr=PERSON, error_status_code=8),)
    ),
    "unknown": UnknownPdu(command_id=0x00010203, body=PERSON.encode()),
} | {
    name: DeliverSm(source_addr="1", destination_addr="2", tlvs=(Tlv(tag, PERSON.encode()),))
    for name, tag in {
        **{
            name: tables.TLV_BY_NAME[name].tag
            for name in (
                "source_subaddress",
                "dest_subaddress",
                "additional_status_info_text",
                "billing_identification",
                "callback_num",
                "callback_num_atag",
                "message_payload",
                "source_port",  # two octets by right
            )
        },
        "vendor": 0x1403,
    }.items()
}


@pytest.mark.parametrize("pdu", WITH_PEOPLE.values(), ids=WITH_PEOPLE)
def test_no_person_is_told_wherever_its_number_stands(pdu: Pdu) -> None:
    octets = encode(pdu, 1)
    assert PERSON.encode() in octets
    told = without_people(octets)
    assert len(told) == len(octets)
    assert PERSON[4:].encode() not in told


def test_what_tells_nothing_of_a_person_stays() -> None:
    about_nobody = (
        tlv("receipted_message_id", "0000000001"),
        tlv("message_state", 2),
        tlv("network_error_code", b"\3\0\1"),
        tlv("user_message_reference", 77),
        tlv("sar_total_segments", 3),
    )
    octets = encode(DeliverSm(source_addr="6077", destination_addr="2", tlvs=about_nobody), 1)
    assert without_people(octets) == octets


def test_octets_that_are_no_pdu_tell_of_nobody() -> None:
    octets = encode(DeliverSm(source_addr="1", destination_addr=PERSON), 1)[20:]
    assert without_people(octets) == bytes(len(octets))


# --- how links end ----------------------------------------------------------------------------------------------------

RST_ACK, FIN_ACK = b"\x50\x14", b"\x50\x11"


@pytest.mark.parametrize("reset", [False, True])
def test_a_reset_is_drawn_where_there_was_one_whatever_the_rules_are_called(reset: bool) -> None:
    drawn = Capture()
    drawn.blocks(LinkEvent(at=0, link=1, ended=False))
    end = drawn.blocks(LinkEvent(at=1, link=1, ended=True, remark="rule 'no resets please'; gone", reset=reset))
    assert (RST_ACK in end, FIN_ACK in end) == (reset, not reset)


@pytest.mark.parametrize("kind", ["close", "reset"])
@pytest.mark.parametrize("by", ["rule", "wire"])
async def test_a_link_tells_whether_it_was_reset(kind: str, by: str, autojump_clock: MockClock) -> None:
    made = {
        "rule": f"[[rule]]\nname = 'no reset'\nfault = {{ kind = '{kind}' }}\n",
        "wire": f"[[wire]]\nname = 'no reset'\nwhen = {{ at = '5s' }}\nfault = {{ kind = '{kind}' }}\n",
    }
    recent = Recent()
    async with bound(Smsc(load(made[by], Scenario), trace=[recent])) as esme:
        if by == "rule":
            await esme.submit(submit_sm())
        await esme.closed()
        await trio.testing.wait_all_tasks_blocked()
    (end,) = [event for event in recent.events if isinstance(event, LinkEvent) and event.ended]
    assert end.reset is (kind == "reset")


def test_a_comment_that_no_block_can_hold_says_that_it_was_cut() -> None:
    drawn = Capture()
    blocks = drawn.blocks(Packet(at=0, link=1, outgoing=True, octets=BIND, remark="rule 'x'; " * 10_000, bound=True))
    assert b" [cut]" in blocks
