"""Receipts as carriers send them: each key of ``[receipt]`` as the ESME sees it."""

import re
from collections import Counter
from typing import Any

import pytest
import trio
from esme import Esme, bound, submit_sm
from trio.testing import MockClock

from connector.settings import load
from connector.smpp.parts import read_user_data
from connector.smpp.pdu import DataSm, DataSmResp, DeliverSm
from simulator import Smsc
from simulator.scenario import Scenario

FINAL, INTERMEDIATE, BOTH = 1, 0x10, 0x11


def smsc_of(text: str) -> Smsc:
    return Smsc(load(text, Scenario), clock=lambda: 1_700_000_000.0 + trio.current_time())


async def receipts(text: str, messages: int = 1, *, asks: int = FINAL, count: int | None = None) -> list[str]:
    """Return the texts of the receipts, each with its time in front."""
    async with bound(smsc_of(text)) as esme:
        await esme.submit(*[submit_sm(f"text {n}", registered_delivery=asks) for n in range(messages)])
        await esme.delivered(messages if count is None else count)
        return said(esme)


def said(esme: Esme) -> list[str]:
    return [f"{at:g} {pdu.short_message.decode()}" for at, pdu in esme.pdus if isinstance(pdu, DeliverSm)]


def words(texts: list[str]) -> list[str]:
    return [re.sub(r"(\S+) .*stat:(\w+).*", r"\1 \2", text) for text in texts]


async def test_of_several_texts_each_message_draws_one_and_keeps_it(autojump_clock: MockClock) -> None:
    texts = await receipts(
        "[receipt]\nformat = ['A id:{id}', 'B id:{id}']\nduplicate = { rate = 1.0, gap = '1s' }", 20, count=40
    )
    kinds = Counter(text.split()[1] for text in texts)
    assert set(kinds) == {"A", "B"}
    assert sorted(text.split(" ", 1)[1] for text in texts[:20]) == sorted(text.split(" ", 1)[1] for text in texts[20:])


@pytest.mark.parametrize(
    ("form", "spelled"),
    [
        ('{ form = "decimal", width = 10 }', "0000048879"),
        ('{ form = "decimal", pad = "strip" }', "48879"),
        ('{ form = "hex", width = 8 }', "0000beef"),
        ('{ form = "hex", pad = "strip", case = "upper" }', "BEEF"),
        ('{ form = "hex", width = 0, prefix = "ns%:" }', "ns%:beef"),
    ],
)
async def test_an_id_is_spelled_in_each_place_as_the_carrier_does(
    form: str, spelled: str, autojump_clock: MockClock
) -> None:
    smsc = smsc_of(f"[response]\nmessage_id = {{ start = 48879, width = 5 }}\n[receipt]\nid = {form}\ntlv_id = {form}")
    async with bound(smsc) as esme:
        [answer] = await esme.submitted(submit_sm(registered_delivery=1))
        [receipt] = await esme.delivered(1)
        assert answer.message_id == "48879"
        assert receipt.short_message.startswith(f"id:{spelled} ".encode())
        assert receipt.tlv_value("receipted_message_id") == spelled


async def test_uuids_are_the_same_for_the_same_seed(autojump_clock: MockClock) -> None:
    ids = []
    for seed in (1, 1, 2):
        async with bound(smsc_of(f"seed = {seed}\n[response]\nmessage_id = {{ form = 'uuid' }}")) as esme:
            ids.append([answer.message_id for answer in await esme.submitted(submit_sm(), submit_sm())])
    assert ids[0] == ids[1] != ids[2]
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", it) for it in ids[0]
    )


async def test_ids_come_round_again(autojump_clock: MockClock) -> None:
    async with bound(smsc_of("[response]\nmessage_id = { width = 0, start = 7, reuse_after = 3 }")) as esme:
        answers = await esme.submitted(*[submit_sm() for _ in range(7)])
        assert [answer.message_id for answer in answers] == ["7", "8", "9", "7", "8", "9", "7"]


@pytest.mark.parametrize("asks", [FINAL, BOTH])
async def test_a_word_on_the_way_comes_to_all_where_the_carrier_sends_it_unasked(
    asks: int, autojump_clock: MockClock
) -> None:
    text = "[receipt]\ndelay = '10s'\nintermediate = { ACCEPTD = 1.0 }\nintermediate_unasked = true"
    assert words(await receipts(text, asks=asks, count=2)) == ["5 ACCEPTD", "10 DELIVRD"]


async def test_a_word_on_the_way_may_come_after_the_last_one(autojump_clock: MockClock) -> None:
    text = "[receipt]\ndelay = '10s'\nreorder = { rate = 1.0, by = '30s' }"
    assert words(await receipts(text, asks=BOTH, count=2)) == ["10 DELIVRD", "40 ENROUTE"]


async def test_errors_are_those_of_the_carrier(autojump_clock: MockClock) -> None:
    smsc = smsc_of("[receipt]\nmix = { UNDELIV = 1 }\nerr = { UNDELIV = 203 }\ntlv = ['network_error_code']")
    async with bound(smsc) as esme:
        await esme.submit(submit_sm(registered_delivery=1))
        [receipt] = await esme.delivered(1)
        assert b"err:203 " in receipt.short_message
        assert receipt.tlv_octets("network_error_code") == bytes((3, 0, 203))


@pytest.mark.parametrize(("esm_class", "marks"), [("receipt", [0x20, 0x04]), ("none", [0, 0])])
async def test_esm_class_tells_what_it_is_or_does_not(
    esm_class: str, marks: list[int], autojump_clock: MockClock
) -> None:
    async with bound(smsc_of(f"[receipt]\nesm_class = '{esm_class}'\ndelay = '1s'")) as esme:
        await esme.submit(submit_sm(registered_delivery=BOTH))
        assert [pdu.esm_class for pdu in await esme.delivered(2)] == marks


async def test_a_receipt_may_come_as_data_sm(autojump_clock: MockClock) -> None:
    smsc = smsc_of("[receipt]\ncarrier_pdu = { data_sm = 1 }")
    async with bound(smsc) as esme:
        await esme.submit(submit_sm(registered_delivery=1))
        await esme.read_until(lambda: esme.received(DataSm))
        [receipt] = esme.received(DataSm)
        assert receipt.esm_class == 0x04
        assert receipt.message_octets.startswith(b"id:0000000001 ")
        response = DataSmResp(sequence_number=receipt.sequence_number)
        await esme.stream.send_all(esme.session.answer([response]))
        await smsc.wait_until(lambda numbers: numbers.receipts_acknowledged == 1)


async def test_one_receipt_more_names_an_id_that_was_never_given(autojump_clock: MockClock) -> None:
    texts = await receipts("[receipt]\nunknown_id = 1.0", count=2)
    ids = {re.findall(r"id:(\S+)", text)[0] for text in texts}
    assert ids == {"0000000001", "2147483649"}


async def test_receipts_gather_and_are_let_go_at_once(autojump_clock: MockClock) -> None:
    text = (
        "[receipt]\ndelay = { dist = 'uniform', min = '1s', max = '50s' }\n"
        "burst = { hold = '60s', release_per_second = 10 }"
    )
    times = [float(text.split()[0]) for text in await receipts(text, 20)]
    assert times == pytest.approx([60 + n / 10 for n in range(20)])


async def test_a_burst_is_never_faster_than_it_is_let_go(autojump_clock: MockClock) -> None:
    text = (
        "[receipt]\ndelay = { dist = 'uniform', min = '0s', max = '30s' }\n"
        "burst = { hold = '10s', release_per_second = 1 }"
    )
    times = [float(text.split()[0]) for text in await receipts(text, 60)]
    assert all(later - earlier >= 0.32 for earlier, later in zip(times, times[3:], strict=False))


async def test_two_binds_get_receipts_in_turn(autojump_clock: MockClock) -> None:
    smsc = smsc_of("")
    async with bound(smsc) as first, bound(smsc) as second:
        for _ in range(10):
            await second.submitted(submit_sm(registered_delivery=1))
        await smsc.wait_until(lambda numbers: numbers.receipts_sent == 10)
        await first.delivered(5)
        await second.delivered(5)


async def test_what_can_leave_at_once_is_not_dropped(autojump_clock: MockClock) -> None:
    assert len(await receipts("[delivery]\nmax_waiting = 10", 90)) == 90


@pytest.mark.parametrize(("via", "second"), [("same", 0), ("other", 5)])
async def test_a_receipt_leaves_by_the_bind_it_should(via: str, second: int, autojump_clock: MockClock) -> None:
    smsc = smsc_of(f"[receipt]\nvia = '{via}'\ndelay = '1s'")
    async with bound(smsc) as first, bound(smsc) as other:
        await first.submit(*[submit_sm(registered_delivery=1) for _ in range(5)])
        asked, silent = (other, first) if second else (first, other)
        assert len(await asked.delivered(5)) == 5
        assert silent.received(DeliverSm) == []


async def test_a_receipt_that_wants_another_bind_takes_the_only_one(autojump_clock: MockClock) -> None:
    assert len(await receipts("[receipt]\nvia = 'other'")) == 1


@pytest.mark.parametrize(
    ("receipt", "told"),
    [
        ('"UNDELIV"', ["10 UNDELIV"]),
        ('{ stat = "EXPIRED", delay = "3s" }', ["3 EXPIRED"]),
        ("{ duplicate = 2 }", ["10 DELIVRD", "11 DELIVRD", "12 DELIVRD"]),
    ],
)
async def test_a_rule_decides_what_becomes_of_a_message(
    receipt: str, told: list[str], autojump_clock: MockClock
) -> None:
    text = f'[receipt]\ndelay = "10s"\n[[rule]]\nwhen = {{ text = "0" }}\nreceipt = {receipt}'
    assert words(await receipts(text, count=len(told))) == told


async def test_a_rule_gives_the_error_or_lets_the_receipt_go_missing(autojump_clock: MockClock) -> None:
    smsc = smsc_of(
        '[[rule]]\nwhen = { text = "0" }\nreceipt = { missing = true }\n'
        '[[rule]]\nwhen = { text = "1" }\nreceipt = { stat = "REJECTD", err = 77 }'
    )
    async with bound(smsc) as esme:
        await esme.submit(*[submit_sm(f"text {n}", registered_delivery=1) for n in range(3)])
        texts = [pdu.short_message.decode() for pdu in await esme.delivered(2)]
        assert "stat:REJECTD err:077" in texts[0]
        assert "stat:DELIVRD err:000" in texts[1]
    assert smsc.statistics().receipts_missing == 1


async def test_a_session_of_version_3_3_sees_no_tlvs(autojump_clock: MockClock) -> None:
    async with bound(smsc_of("[receipt]\ncarrier_pdu = { data_sm = 1 }"), interface_version=0x33) as esme:
        await esme.submit(submit_sm(registered_delivery=1))
        [receipt] = await esme.delivered(1)
        assert receipt.tlvs == ()


# --- subscribers ------------------------------------------------------------------------------------------------------


def long_message(split: str) -> str:
    text = "{lorem:400}"
    return f"[[mo]]\nat = '1s'\nfrom = '447700900999'\nto = '60777'\ntext = '{text}'\nsplit = '{split}'"


@pytest.mark.parametrize("split", ["udh8", "udh16", "sar", "payload"])
async def test_a_long_message_of_a_subscriber_travels_as_the_scenario_says(
    split: str, autojump_clock: MockClock
) -> None:
    async with bound(smsc_of(long_message(split))) as esme:
        pdus: list[Any] = await esme.delivered(1 if split == "payload" else 3)
        read = [read_user_data(pdu.message_octets, esm_class=pdu.esm_class) for pdu in pdus]
        assert len("".join(part.text for part in read)) == 400
        if split.startswith("udh"):
            assert [part.udh.wide for part in read if part.udh] == [split == "udh16"] * 3
        elif split == "sar":
            assert [pdu.tlv_value("sar_segment_seqnum") for pdu in pdus] == [1, 2, 3]
            assert {pdu.tlv_value("sar_total_segments") for pdu in pdus} == {3}
