"""The simulated carrier as an ESME sees it, over memory streams and a clock that jumps."""

import json
import logging
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from esme import Esme, bound, linked, submit_sm
from trio.testing import MockClock, lockstep_stream_pair

from connector.smpp import tables
from connector.smpp.codec import encode
from connector.smpp.framing import Framer
from connector.smpp.pdu import (
    DataSm,
    DeliverSm,
    EnquireLink,
    GenericNack,
    QuerySm,
    QuerySmResp,
    SubmitSmResp,
    Unbind,
)
from connector.smpp.receipt import parse_receipt
from connector.smpp.tlv import tlv
from simulator import Smsc
from simulator.scenario import (
    STATUS_BY_NAME,
    AccountRules,
    CarrierRules,
    Delay,
    DeliveryRules,
    Duplicate,
    IdForm,
    Limits,
    MessageId,
    MoRate,
    MoRules,
    Rate,
    ReceiptRules,
    Response,
    Scenario,
)

ENQUIRE_LINK, ENQUIRE_LINK_RESP = bytes.fromhex("00000015"), bytes.fromhex("80000015")
EPOCH = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC


def smsc_of(**tables_: Any) -> Smsc:
    return Smsc(Scenario(**tables_), clock=lambda: EPOCH + trio.current_time())


def seconds(value: float) -> Delay:
    return Delay(value_s=value)


ACME = AccountRules(system_id="acme", password="secret", max_binds=2)


# --- binding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["transceiver", "transmitter", "receiver"])
async def test_without_accounts_any_credentials_bind(mode: str, autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with linked(smsc) as esme:
        assert await esme.bind(mode, "whoever", "x") == 0
        assert smsc.statistics().binds == 1
    assert smsc.statistics().binds == 0


@pytest.mark.parametrize(
    ("who", "status"),
    [
        (("transceiver", "acme", "secret"), "ESME_ROK"),
        (("transceiver", "acme", "wrong"), "ESME_RINVPASWD"),
        (("transceiver", "nobody", "secret"), "ESME_RINVSYSID"),
        (("receiver", "sender", ""), "ESME_RBINDFAIL"),
        (("transmitter", "sender", ""), "ESME_RINVSYSTYP"),
    ],
)
async def test_a_bind_is_judged_by_its_account(
    who: tuple[str, str, str], status: str, autojump_clock: MockClock
) -> None:
    typed = AccountRules(system_id="sender", bind_types=("transmitter",), system_type="VMA")
    receiver_only = AccountRules(system_id="sender", bind_types=("transmitter",))
    smsc = smsc_of(account=(ACME, receiver_only if who[0] == "receiver" else typed))
    async with linked(smsc) as esme:
        assert tables.status_name(await esme.bind(*who)) == status


async def test_a_refused_bind_may_be_followed_by_a_good_one_on_the_same_link(
    autojump_clock: MockClock,
) -> None:
    async with linked(smsc_of(account=(ACME,))) as esme:
        assert await esme.bind(password="wrong") == tables.ESME_RINVPASWD
        esme.pdus.clear()
        assert await esme.bind() == 0


async def test_one_bind_too_many_is_refused_until_another_leaves(autojump_clock: MockClock) -> None:
    smsc = smsc_of(account=(ACME,))
    async with bound(smsc):
        async with bound(smsc), linked(smsc) as third:
            assert await third.bind() == tables.ESME_RALYBND
        async with linked(smsc) as fourth:
            assert await fourth.bind() == 0


async def test_a_version_the_carrier_does_not_speak_may_not_bind(autojump_clock: MockClock) -> None:
    smsc = smsc_of(carrier=CarrierRules(versions=("3.4",)))
    for version, status in (
        (0x33, "ESME_RBINDFAIL"),
        (0x34, "ESME_ROK"),
        (0x40, "ESME_ROK"),
        (0x50, "ESME_RBINDFAIL"),
    ):
        async with linked(smsc, interface_version=version) as esme:
            assert tables.status_name(await esme.bind()) == status


async def test_a_session_of_3_3_gets_short_hex_ids_and_no_tlvs(autojump_clock: MockClock) -> None:
    async with linked(smsc_of(), interface_version=0x33) as esme:
        assert await esme.bind() == 0
        assert esme.pdus[0][1].tlvs == ()
        (answer,) = await esme.submitted(submit_sm(registered_delivery=1))
        assert answer.message_id == "00000001"
        (receipt,) = await esme.delivered(1)
        assert receipt.tlvs == ()


async def test_a_link_that_does_not_bind_is_closed_in_time(autojump_clock: MockClock) -> None:
    smsc = smsc_of(carrier=CarrierRules(session_init_s=7.0))
    async with linked(smsc) as esme:
        await esme.closed()
        assert trio.current_time() == pytest.approx(7.0)
    assert smsc.statistics().ends == {"no bind within the session_init timer": 1}


async def test_a_silent_link_is_closed_in_time(autojump_clock: MockClock) -> None:
    async with bound(smsc_of(carrier=CarrierRules(inactivity_s=50.0))) as esme:
        await esme.closed()
        assert trio.current_time() == pytest.approx(50.0)


async def test_the_carrier_asks_a_silent_link_only_where_the_scenario_says_so(
    autojump_clock: MockClock,
) -> None:
    async with bound(smsc_of(carrier=CarrierRules(enquire_link_s=20.0))) as esme:
        with trio.move_on_after(115):
            await esme.closed()
        assert [at for at, octets in esme.reads if octets[4:8] == ENQUIRE_LINK] == [20, 40, 60, 80, 100]


# --- requests ---------------------------------------------------------------------------------------------------------


async def test_a_submit_is_answered_with_an_id_and_entered_in_the_ledger(autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with bound(smsc) as esme:
        first, second = await esme.submitted(submit_sm("one"), submit_sm("two"))
    assert (first.message_id, second.message_id) == ("0000000001", "0000000002")
    assert [(entry.message_id, entry.octets, entry.state) for entry in smsc.ledger] == [
        ("0000000001", b"one", "DELIVRD"),
        ("0000000002", b"two", "DELIVRD"),
    ]
    assert smsc.statistics().submits == {"ESME_ROK": 2}


async def test_data_sm_is_a_message_like_submit_sm(autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with bound(smsc) as esme:
        request = DataSm(destination_addr="447911123456", tlvs=(tlv("message_payload", b"data"),))
        (answer,) = await esme.submitted(request)
    assert answer.message_id == "0000000001"
    assert [entry.octets for entry in smsc.ledger] == [b"data"]


@pytest.mark.parametrize(
    ("form", "ids"),
    [
        (MessageId(form="hex", width=8, start=0xAB), ["000000ab", "000000ac"]),
        (MessageId(form="hex", width=0, case="upper", start=0xAB), ["AB", "AC"]),
        (MessageId(width=0, start=9), ["9", "10"]),
    ],
)
async def test_ids_are_spelled_as_the_scenario_says(form: MessageId, ids: list[str], autojump_clock: MockClock) -> None:
    async with bound(smsc_of(response=Response(message_id=form))) as esme:
        assert [answer.message_id for answer in await esme.submitted(submit_sm(), submit_sm())] == ids


async def test_delays_of_answers_overlap(autojump_clock: MockClock) -> None:
    async with bound(smsc_of(response=Response(delay=seconds(2.0)))) as esme:
        await esme.submitted(*[submit_sm() for _ in range(50)])
        assert trio.current_time() == pytest.approx(2.0)
        assert len(set(esme.times_of(SubmitSmResp))) == 1


async def test_answers_overtake_one_another_and_none_is_lost(autojump_clock: MockClock) -> None:
    delay = Delay(dist="uniform", min_s=1.0, max_s=9.0)
    async with bound(smsc_of(response=Response(delay=delay))) as esme:
        answers = await esme.submitted(*[submit_sm() for _ in range(100)])
    order = [pdu.message_id for pdu in esme.received(SubmitSmResp)]
    assert sorted(order) == [answer.message_id for answer in answers]
    assert order != sorted(order)
    assert 1 <= min(esme.times_of(SubmitSmResp)) < max(esme.times_of(SubmitSmResp)) <= 9.001


async def test_enquire_link_is_answered_while_answers_are_due(autojump_clock: MockClock) -> None:
    async with bound(smsc_of(response=Response(delay=seconds(30.0)))) as esme:
        await esme.submit(submit_sm())
        await trio.sleep(1)
        await esme.stream.send_all(esme.session.request(EnquireLink(), trio.current_time()))
        await esme.read()
        assert esme.reads[-1][1][4:8] == ENQUIRE_LINK_RESP
        assert trio.current_time() == pytest.approx(1.0)


async def test_a_scenario_with_its_seed_plays_the_same_each_time(autojump_clock: MockClock) -> None:
    async def times(seed: int) -> list[float]:
        start = trio.current_time()
        response = Response(delay=Delay(dist="lognormal", median_s=1.0, p99_s=5.0))
        async with bound(smsc_of(seed=seed, response=response)) as esme:
            await esme.submitted(*[submit_sm() for _ in range(20)])
        return [at - start for at in esme.times_of(SubmitSmResp)]

    first = await times(1)
    assert await times(1) == pytest.approx(first, abs=0.002)  # due times are rounded to a millisecond
    assert await times(2) != pytest.approx(first, abs=0.002)


async def test_an_answer_that_never_comes_keeps_its_place_in_the_window(autojump_clock: MockClock) -> None:
    smsc = smsc_of(response=Response(delay=Delay(never=True)), limits=Limits(window=3))
    async with bound(smsc) as esme:
        await esme.submit(submit_sm(), submit_sm(), submit_sm())
        (answer,) = await esme.submitted(submit_sm())
    assert answer.command_status == STATUS_BY_NAME["ESME_RTHROTTLED"]
    assert smsc.statistics().accepted == 3


async def test_what_is_over_the_window_is_refused_and_the_rest_is_not(autojump_clock: MockClock) -> None:
    limits = Limits(window=10, over_window="ESME_RMSGQFUL")
    async with bound(smsc_of(limits=limits, response=Response(delay=seconds(1.0)))) as esme:
        answers = await esme.submitted(*[submit_sm() for _ in range(15)])
        assert [answer.command_status for answer in answers] == [0] * 10 + [STATUS_BY_NAME["ESME_RMSGQFUL"]] * 5
        (again,) = await esme.submitted(submit_sm())
        assert again.command_status == 0


async def test_the_rate_is_a_limit_and_not_a_chance(autojump_clock: MockClock) -> None:
    smsc = smsc_of(limits=Limits(rate=Rate(per_second=10, burst=5)))
    async with bound(smsc) as esme:
        for tick in range(40):
            await trio.sleep_until(tick * 0.05)
            await esme.submitted(submit_sm(), submit_sm())
    assert smsc.statistics().submits == {"ESME_ROK": 5 + math.floor(39 * 0.05 * 10), "ESME_RTHROTTLED": 56}


@pytest.mark.parametrize(("scope", "accepted"), [("bind", 4), ("account", 2), ("carrier", 2), ("sender", 2)])
async def test_a_rate_is_shared_by_its_scope(scope: Any, accepted: int, autojump_clock: MockClock) -> None:
    smsc = smsc_of(limits=Limits(rate=Rate(per_second=1, burst=2, scope=scope)))
    async with bound(smsc) as one, bound(smsc) as two:
        for esme in (one, two):
            await esme.submitted(*[submit_sm() for _ in range(5)])
    assert smsc.statistics().accepted == accepted


async def test_query_sm_tells_the_state_once_a_receipt_told_it(autojump_clock: MockClock) -> None:
    rules = ReceiptRules(delay=seconds(10.0), mix={"UNDELIV": 1})
    async with bound(smsc_of(receipt=rules)) as esme:
        (answer,) = await esme.submitted(submit_sm(registered_delivery=1))
        query = QuerySm(message_id=answer.message_id, source_addr="60777")
        (early,) = await esme.submitted(query)
        await esme.delivered(1)
        (late,) = await esme.submitted(QuerySm(message_id=answer.message_id, source_addr="60777"))
        (other,) = await esme.submitted(QuerySm(message_id="none", source_addr="60777"))
    assert isinstance(early.response, QuerySmResp)
    assert isinstance(late.response, QuerySmResp)
    assert (early.response.message_state, late.response.message_state) == (1, 5)
    assert other.command_status == STATUS_BY_NAME["ESME_RQUERYFAIL"]


# --- bad octets -------------------------------------------------------------------------------------------------------


async def test_a_length_that_cannot_be_is_answered_and_the_link_closed(autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with bound(smsc) as esme:
        await esme.stream.send_all(bytes.fromhex("00000007 00000015 00000000 00000001"))
        await esme.closed()
        (nack,) = esme.received(GenericNack)
    assert (nack.command_status, nack.sequence_number) == (tables.ESME_RINVCMDLEN, 0)
    assert smsc.statistics().binds == 0


async def test_an_unknown_command_is_answered_and_the_link_stays(autojump_clock: MockClock) -> None:
    async with bound(smsc_of()) as esme:
        await esme.stream.send_all(bytes.fromhex("00000010 00000fff 00000000 00000009"))
        await esme.read_until(lambda: bool(esme.received(GenericNack)))
        assert (await esme.submitted(submit_sm()))[0].command_status == 0


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (lambda octets: _with_text(octets, b"\x40"), "ESME_RINVMSGLEN"),  # sm_length beyond the PDU
        (lambda octets: octets[: octets.rindex(b"\x05hello")], "ESME_RINVCMDLEN"),  # ends before its fields
        (lambda octets: octets + b"\0\1", "ESME_RINVTLVSTREAM"),  # too short for a TLV
    ],
)
async def test_a_submit_that_is_wrong_inside_is_refused_and_the_link_stays(
    spoil: Any, status: str, autojump_clock: MockClock
) -> None:
    smsc = smsc_of()
    async with bound(smsc) as esme:
        octets = spoil(encode(submit_sm(), 77))
        await esme.stream.send_all(len(octets).to_bytes(4, "big") + octets[4:])
        assert (await esme.submitted(submit_sm()))[0].command_status == 0
    numbers = smsc.statistics()
    assert numbers.submits == {status: 1, "ESME_ROK": 1}


def _with_text(octets: bytes, sm_length: bytes) -> bytes:
    at = octets.rindex(b"\x05hello")
    return octets[:at] + sm_length + octets[at + 1 :]


@pytest.mark.parametrize("mode", ["receiver", None])
async def test_a_submit_in_the_wrong_state_is_refused(mode: str | None, autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with linked(smsc) as esme:
        if mode is not None:
            await esme.bind(mode)
        await esme.stream.send_all(encode(submit_sm(), 5))
        await esme.read()
        assert smsc.statistics().submits == {}
        assert smsc.statistics().strange == {f"submit_sm in state {'open' if mode is None else 'bound_rx'}": 1}


async def test_submits_before_garbage_are_not_accepted_for_they_cannot_be_answered(
    autojump_clock: MockClock,
) -> None:
    smsc = smsc_of()
    async with bound(smsc) as esme:
        await esme.stream.send_all(encode(submit_sm(), 5) + b"\0\0\0\1garbage garbage")
        await esme.closed()
    assert smsc.statistics().accepted == len(esme.received(SubmitSmResp)) == 0


async def test_unbind_is_answered_behind_what_was_submitted_before_it(autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with bound(smsc) as esme:
        pdus = [submit_sm(), submit_sm()]
        octets = esme.session.submit(pdus, pdus, trio.current_time())
        await esme.stream.send_all(octets + esme.session.request(Unbind(), trio.current_time()))
        await esme.closed()
    assert len(esme.answers) == 2
    commands = [octets[4:8].hex() for octets in Framer().feed(b"".join(octets for _, octets in esme.reads))]
    assert commands == ["80000009", "80000004", "80000004", "80000006"]
    assert smsc.statistics().ends == {"unbound": 1}


async def test_a_pdu_that_is_never_finished_ends_the_link(autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with bound(smsc) as esme:
        await trio.sleep(5)
        await esme.stream.send_all(encode(submit_sm(), 9)[:20])
        await esme.closed()
        assert trio.current_time() == pytest.approx(15.0)
    assert smsc.statistics().ends == {"a PDU was begun and not finished in time": 1}


# --- receipts ---------------------------------------------------------------------------------------------------------


async def test_a_receipt_follows_its_answer(autojump_clock: MockClock) -> None:
    smsc = smsc_of(receipt=ReceiptRules(delay=seconds(3.0)))
    async with bound(smsc) as esme:
        (answer,) = await esme.submitted(submit_sm("some text", registered_delivery=1))
        (pdu,) = await esme.delivered(1)
        assert trio.current_time() == pytest.approx(3.0)
        await smsc.wait_until(lambda numbers: numbers.receipts_acknowledged == 1)
    assert (pdu.esm_class, pdu.source_addr, pdu.destination_addr) == (0x04, "447911123456", "60777")
    assert pdu.short_message == (
        b"id:0000000001 sub:001 dlvrd:001 submit date:2311142213 done date:2311142213 "
        b"stat:DELIVRD err:000 text:some text"
    )
    assert pdu.tlv_value("receipted_message_id") == answer.message_id
    assert pdu.tlv_value("message_state") == 2
    (entry,) = smsc.ledger
    assert entry.receipts_sent == 1
    assert entry.receipt_sent_at == entry.receipt_acknowledged_at == pytest.approx(EPOCH + 3)


async def test_a_receipt_without_delay_comes_right_behind_the_answer(autojump_clock: MockClock) -> None:
    for response_delay in (0.0, 0.0123):
        async with bound(smsc_of(response=Response(delay=seconds(response_delay)))) as esme:
            await esme.submit(*[submit_sm(registered_delivery=1) for _ in range(20)])
            await esme.delivered(20)
            kinds = [type(pdu) for _, pdu in esme.pdus[1:]]
        assert kinds == [SubmitSmResp] * 20 + [DeliverSm] * 20


@pytest.mark.parametrize(
    ("registered_delivery", "state", "words"),
    [
        (0x00, "DELIVRD", []),
        (0x01, "DELIVRD", ["DELIVRD"]),
        (0x01, "UNDELIV", ["UNDELIV"]),
        (0x02, "DELIVRD", []),
        (0x02, "EXPIRED", ["EXPIRED"]),
        (0x03, "DELIVRD", ["DELIVRD"]),
        (0x03, "REJECTD", []),
        (0x10, "DELIVRD", ["ENROUTE"]),
        (0x11, "DELIVRD", ["ENROUTE", "DELIVRD"]),
        (0x04, "DELIVRD", []),  # an acknowledgement by the handset, which nobody holds here
        (0x21, "DELIVRD", ["DELIVRD"]),
    ],
)
async def test_registered_delivery_is_honoured_bit_by_bit(
    registered_delivery: int, state: str, words: list[str], autojump_clock: MockClock
) -> None:
    async with bound(smsc_of(receipt=ReceiptRules(delay=seconds(10.0), mix={state: 1}))) as esme:
        await esme.submit(submit_sm(registered_delivery=registered_delivery))
        with trio.move_on_after(60):
            await esme.closed()
    receipts = esme.received(DeliverSm)
    assert [parse_receipt(pdu.short_message).stat for pdu in receipts] == words
    assert [pdu.esm_class for pdu in receipts] == [0x20 if word == "ENROUTE" else 0x04 for word in words]


async def test_a_datagram_gets_no_receipt(autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with bound(smsc) as esme:
        await esme.submitted(submit_sm(registered_delivery=1, esm_class=0x01), submit_sm(registered_delivery=1))
        await esme.delivered(1)
    assert smsc.statistics().receipts_sent == 1


async def test_the_scenario_may_send_receipts_to_all_or_to_none(autojump_clock: MockClock) -> None:
    shares: list[tuple[Any, int]] = [("always", 2), ("never", 0)]
    for when, sent in shares:
        smsc = smsc_of(receipt=ReceiptRules(when=when))
        async with bound(smsc) as esme:
            await esme.submitted(submit_sm(registered_delivery=1), submit_sm())
        assert smsc.statistics().receipts_sent == sent


async def test_states_come_in_the_shares_of_the_mix(autojump_clock: MockClock) -> None:
    smsc = smsc_of(receipt=ReceiptRules(mix={"DELIVRD": 80, "UNDELIV": 15, "EXPIRED": 5}))
    async with bound(smsc) as esme:
        await esme.submitted(*[submit_sm() for _ in range(1_000)])
        await esme.submitted(*[submit_sm() for _ in range(1_000)])
    states = [entry.state for entry in smsc.ledger]
    for state, share in (("DELIVRD", 0.80), ("UNDELIV", 0.15), ("EXPIRED", 0.05)):
        assert states.count(state) / 2_000 == pytest.approx(share, abs=0.03)


async def test_the_id_in_the_text_may_be_spelled_otherwise_than_in_the_answer(
    autojump_clock: MockClock,
) -> None:
    smsc = smsc_of(
        response=Response(message_id=MessageId(form="hex", width=8, start=0x3860)),
        receipt=ReceiptRules(id=IdForm(form="decimal", width=10), format="id:{id} stat:{stat}", tlv=()),
    )
    async with bound(smsc) as esme:
        (answer,) = await esme.submitted(submit_sm(registered_delivery=1))
        (pdu,) = await esme.delivered(1)
    assert answer.message_id == "00003860"
    assert (pdu.short_message, pdu.tlvs) == (b"id:0000014432 stat:DELIVRD", ())


async def test_an_early_receipt_comes_before_the_answer(autojump_clock: MockClock) -> None:
    for response_delay in (0.0, 5.0):
        smsc = smsc_of(response=Response(delay=seconds(response_delay)), receipt=ReceiptRules(early=1.0))
        async with bound(smsc) as esme:
            await esme.submit(submit_sm(registered_delivery=1))
            await esme.read_until(partial(esme.received, SubmitSmResp))
        assert [type(pdu) for _, pdu in esme.pdus[1:]] == [DeliverSm, SubmitSmResp]


async def test_receipts_are_missing_and_doubled_in_their_shares(autojump_clock: MockClock) -> None:
    rules = ReceiptRules(missing=0.2, duplicate=Duplicate(rate=0.5, gap_s=2.0))
    smsc = smsc_of(receipt=rules)
    async with bound(smsc) as esme:
        await esme.submit(*[submit_sm(registered_delivery=1) for _ in range(1_000)])
        with trio.move_on_after(60):
            await esme.closed()
    numbers, sent = smsc.statistics(), [entry.receipts_sent for entry in smsc.ledger]
    assert numbers.receipts_missing == sent.count(0) == pytest.approx(200, abs=50)
    assert sent.count(2) == pytest.approx(400, abs=60)
    assert numbers.receipts_acknowledged == sum(sent)


async def test_a_receipt_goes_to_any_receiver_of_the_account_and_to_no_other(
    autojump_clock: MockClock,
) -> None:
    smsc = smsc_of()
    async with (
        bound(smsc, "transmitter") as sender,
        linked(smsc) as stranger,
        bound(smsc, "receiver") as receiver,
    ):
        await stranger.bind(system_id="other")
        await sender.submitted(submit_sm(registered_delivery=1))
        assert len(await receiver.delivered(1)) == 1
    assert sender.received(DeliverSm) == stranger.received(DeliverSm) == []


async def test_receipts_wait_until_somebody_may_receive(autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with bound(smsc, "transmitter") as sender:
        await sender.submitted(*[submit_sm(registered_delivery=1) for _ in range(3)])
        assert smsc.statistics().deliveries_pending == 3
    await trio.sleep(3_600)
    async with bound(smsc, "receiver") as receiver:
        await receiver.delivered(3)
    assert smsc.statistics().deliveries_pending == 0


async def test_more_than_may_wait_is_dropped_and_counted(autojump_clock: MockClock) -> None:
    smsc = smsc_of(delivery=DeliveryRules(max_waiting=2))
    async with bound(smsc, "transmitter") as sender:
        await sender.submitted(*[submit_sm(registered_delivery=1) for _ in range(5)])
    numbers = smsc.statistics()
    assert (numbers.deliveries_pending, numbers.deliveries_dropped) == (2, 3)


async def test_receipts_may_keep_to_the_bind_that_submitted(autojump_clock: MockClock) -> None:
    smsc = smsc_of(receipt=ReceiptRules(via="same", delay=seconds(1.0)))
    async with bound(smsc) as one, bound(smsc) as two:
        await one.submit(*[submit_sm("one", registered_delivery=1) for _ in range(10)])
        await two.submit(*[submit_sm("two", registered_delivery=1) for _ in range(10)])
        for esme, text in ((one, b"text:one"), (two, b"text:two")):
            receipts = await esme.delivered(10)
            assert all(pdu.short_message.endswith(text) for pdu in receipts)


async def test_several_receivers_share_the_receipts(autojump_clock: MockClock) -> None:
    smsc = smsc_of(receipt=ReceiptRules(delay=seconds(1.0)), delivery=DeliveryRules(window=5))
    async with (
        bound(smsc, "receiver") as one,
        bound(smsc, "receiver") as two,
        bound(smsc, "transmitter") as sender,
    ):
        await sender.submitted(*[submit_sm(registered_delivery=1) for _ in range(10)])
        assert len(await one.delivered(5)) == len(await two.delivered(5)) == 5


async def test_no_more_receipts_are_in_flight_than_the_window_allows(autojump_clock: MockClock) -> None:
    smsc = smsc_of(delivery=DeliveryRules(window=4))
    async with bound(smsc) as esme:
        esme.status_of = lambda _pdu: None
        await esme.submitted(*[submit_sm(registered_delivery=1) for _ in range(10)])
        numbers = smsc.statistics()
        assert (numbers.deliveries_in_flight, numbers.deliveries_pending) == (4, 6)


async def test_a_temporary_refusal_is_sent_again_and_a_lasting_one_is_not(autojump_clock: MockClock) -> None:
    smsc = smsc_of(delivery=DeliveryRules(retry_s=5.0))
    answers = iter([0x64, 0x58, 0, 0x65])  # temporary, throttled, taken; lasting
    async with bound(smsc) as esme:
        esme.status_of = lambda _pdu: next(answers)
        await esme.submitted(submit_sm(registered_delivery=1))
        await esme.delivered(3)
        assert trio.current_time() == pytest.approx(10.0, abs=0.01)
        await esme.submitted(submit_sm(registered_delivery=1))
        await esme.delivered(4)
        await smsc.wait_until(lambda numbers: numbers.deliveries_refused == 1)
    numbers = smsc.statistics()
    assert (numbers.receipts_sent, numbers.receipts_acknowledged, numbers.deliveries_pending) == (4, 1, 0)


async def test_a_receipt_is_not_offered_for_ever(autojump_clock: MockClock) -> None:
    smsc = smsc_of(delivery=DeliveryRules(attempts=3, retry_s=1.0))
    async with bound(smsc) as esme:
        esme.status_of = lambda _pdu: 0x64
        await esme.submitted(submit_sm(registered_delivery=1))
        with trio.move_on_after(60):
            await esme.closed()
    assert len(esme.received(DeliverSm)) == 3
    assert smsc.statistics().deliveries_given_up == 1


async def test_an_unanswered_receipt_is_sent_again_on_another_bind(autojump_clock: MockClock) -> None:
    smsc = smsc_of(delivery=DeliveryRules(response_timeout_s=10.0))
    async with bound(smsc) as deaf:
        deaf.status_of = lambda _pdu: None
        await deaf.submitted(submit_sm(registered_delivery=1))
        async with bound(smsc, "receiver") as healthy:
            await healthy.delivered(1)
            assert trio.current_time() == pytest.approx(10.0)
            numbers = await smsc.wait_until(lambda numbers: numbers.receipts_acknowledged == 1)
            assert numbers.deliveries_unanswered == 1


async def test_a_late_answer_settles_a_receipt_that_waits_to_be_sent_again(autojump_clock: MockClock) -> None:
    smsc = smsc_of(delivery=DeliveryRules(response_timeout_s=10.0, window=1))
    async with bound(smsc) as esme:
        esme.status_of = lambda _pdu: None
        await esme.submitted(submit_sm("a", registered_delivery=1), submit_sm("b", registered_delivery=1))
        first = (await esme.delivered(1))[0]
        await trio.sleep(10.5)  # the first one is overdue, the second one has its place in the window
        esme.status_of = lambda _pdu: 0
        await esme.stream.send_all(bytes.fromhex(f"00000011 80000005 00000000 {first.sequence_number:08x} 00"))
        await smsc.wait_until(lambda numbers: numbers.receipts_acknowledged == 1)
        await esme.delivered(2)
        await smsc.wait_until(lambda numbers: numbers.receipts_acknowledged == 2)
    assert smsc.statistics().receipts_sent == 2


async def test_what_a_dead_link_had_not_answered_goes_to_another(autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with bound(smsc) as healthy:
        async with bound(smsc) as dying:
            dying.status_of = lambda _pdu: None
            healthy.status_of = lambda _pdu: None
            await dying.submitted(*[submit_sm(registered_delivery=1) for _ in range(6)])
        healthy.status_of = lambda _pdu: 0
        await smsc.wait_until(lambda numbers: numbers.binds == 1)
        await healthy.delivered(6)
    assert smsc.statistics().receipts_sent > 6 - 1


async def test_a_dead_link_harms_nobody_else(autojump_clock: MockClock) -> None:
    smsc = smsc_of(response=Response(delay=seconds(1.0)), receipt=ReceiptRules(delay=seconds(2.0)))
    async with bound(smsc) as healthy:
        async with bound(smsc) as dying:
            await dying.submit(*[submit_sm(registered_delivery=1) for _ in range(20)])
            await smsc.wait_until(lambda numbers: numbers.accepted == 20)
        await healthy.submitted(submit_sm(registered_delivery=1))
        assert len(await healthy.delivered(21)) == 21


async def test_scheduled_receipts_come_in_time_although_the_first_receiver_left(
    autojump_clock: MockClock,
) -> None:
    smsc = smsc_of(receipt=ReceiptRules(delay=seconds(50.0)))
    async with bound(smsc) as first, bound(smsc) as second:
        await trio.sleep(15)  # the timers of the beginning are over: nothing else wakes the second one
        await first.submitted(submit_sm(registered_delivery=1))
        await trio.aclose_forcefully(first.stream)
        await second.delivered(1)
        assert trio.current_time() == pytest.approx(65.0)


async def test_a_reader_that_stalls_holds_up_nobody_else(autojump_clock: MockClock) -> None:
    smsc = smsc_of(delivery=DeliveryRules(window=1))
    async with bound(smsc, "receiver") as stalled, bound(smsc) as healthy:
        await stalled.stream.send_all(b"")  # reads nothing from here on
        answers = await healthy.submitted(*[submit_sm(registered_delivery=1) for _ in range(5)])
        assert all(answer.command_status == 0 for answer in answers)
        await healthy.delivered(4)


async def test_a_peer_that_writes_and_never_reads_is_read_no_further(autojump_clock: MockClock) -> None:
    ours, theirs = lockstep_stream_pair()
    smsc = smsc_of(response=Response(delay=seconds(0.001)), carrier=CarrierRules(inactivity_s=1_000.0))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(smsc.serve_stream, theirs)
        esme = Esme(ours, window_size=10_000)
        await esme.bind()
        with trio.move_on_after(500) as scope:
            for _ in range(5_000):
                await esme.submit(submit_sm())
                await trio.sleep(0.002)
        assert scope.cancelled_caught
        accepted = smsc.statistics().accepted
        assert accepted < 200
        await esme.read_until(lambda: len(esme.answers) >= accepted)
        nursery.cancel_scope.cancel()


# --- messages from subscribers ----------------------------------------------------------------------------------------


async def test_subscribers_write_at_their_rate_and_at_their_time(autojump_clock: MockClock) -> None:
    often = MoRules(from_="447700900{n:03}", to="60777", text="STOP {n}", rate=MoRate(per_minute=2))
    once = MoRules(from_="447911123456", to="60777", text="Grüße ☺", at_s=45.0)
    async with bound(smsc_of(mo=(often, once))) as esme:
        await esme.delivered(3)
        assert trio.current_time() == pytest.approx(60.0)
    first, middle, last = esme.received(DeliverSm)
    assert (first.source_addr, first.destination_addr, first.short_message) == (
        "447700900001",
        "60777",
        b"STOP 1",
    )
    assert (middle.data_coding, middle.short_message.decode("utf-16-be")) == (8, "Grüße ☺")
    assert last.source_addr == "447700900002"
    assert (first.esm_class, first.source_addr_ton, first.dest_addr_ton) == (0, 1, 0)


async def test_a_message_by_hand_reaches_the_account_that_is_named(autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with linked(smsc) as one, linked(smsc) as two:
        await one.bind(system_id="one")
        await two.bind(system_id="two")
        smsc.deliver("447911123456", "60777", "x" * 300, account="two", split="payload")
        (pdu,) = await two.delivered(1)
        await smsc.wait_until(lambda numbers: numbers.mo_acknowledged == 1)
        with pytest.raises(LookupError, match="three"):
            smsc.deliver("447911123456", "60777", "hi", account="three")
    assert (pdu.short_message, pdu.message_octets) == (b"", b"x" * 300)
    assert one.received(DeliverSm) == []


# --- the ledger -------------------------------------------------------------------------------------------------------


async def test_the_record_has_a_message_before_the_esme_has_its_answer(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    record = tmp_path / "ledger.jsonl"
    smsc = Smsc(Scenario(), clock=lambda: EPOCH, record=record, keep=0)
    async with bound(smsc) as esme:
        for number in range(1, 4):
            (answer,) = await esme.submitted(submit_sm(f"n{number}", registered_delivery=1))
            lines = [json.loads(line) for line in record.read_text().splitlines()]
            accepted = [line for line in lines if "accepted" in line]
            assert [line["accepted"] for line in accepted][-1] == answer.message_id
            assert bytes.fromhex(accepted[-1]["octets"]) == f"n{number}".encode()
        await esme.delivered(3)
        await smsc.wait_until(lambda numbers: numbers.receipts_acknowledged == 3)
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    for key in ("accepted", "receipt", "acknowledged"):
        assert [line[key] for line in lines if key in line] == ["0000000001", "0000000002", "0000000003"]
    assert len(smsc.ledger) == 0


async def test_the_ledger_keeps_no_more_than_it_is_asked_to(autojump_clock: MockClock) -> None:
    smsc = Smsc(Scenario(), keep=2)
    async with bound(smsc) as esme:
        await esme.submitted(*[submit_sm(str(n)) for n in range(5)])
    assert [entry.octets for entry in smsc.ledger] == [b"3", b"4"]
    assert smsc.ledger.find("0000000001") is None
    assert smsc.statistics().accepted == 5


# --- what a peer may send without harming anybody ---


async def test_an_address_beyond_ascii_is_refused_and_harms_nobody(autojump_clock: MockClock) -> None:
    smsc = smsc_of()
    async with bound(smsc) as esme:
        octets = esme.session.submit([submit_sm(registered_delivery=1)], ["latin-1"], trio.current_time())
        await esme.stream.send_all(octets.replace(b"60777", b"Caf\xe9s"))
        await esme.read_until(lambda: bool(esme.answers))
        assert esme.answers[0].command_status == tables.ESME_RINVSRCADR
        (answer,) = await esme.submitted(submit_sm(registered_delivery=1))
        assert answer.command_status == 0
        await esme.delivered(1)


async def test_a_text_too_long_for_a_33_peers_short_message_is_delivered_all_the_same(
    autojump_clock: MockClock,
) -> None:
    smsc = smsc_of()
    async with linked(smsc, interface_version=0x33) as esme:
        assert await esme.bind("receiver") == 0
        smsc.deliver("447400123456", "60777", "x" * 300, split="payload")
        (delivered,) = await esme.delivered(1)
        assert len(delivered.message_octets) == 300


async def test_binds_and_their_ends_are_in_the_log_without_passwords(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "carrierline.simulator")
    smsc = Smsc(Scenario(account=(AccountRules(system_id="acme", password="hush"),)))
    async with linked(smsc) as esme:
        assert await esme.bind("receiver", system_id="acme", password="hush") == 0
        assert caplog.messages == ["bound 'acme' as receiver"]
    await smsc.wait_until(lambda numbers: numbers.binds == 0)
    assert caplog.messages[1].startswith("gone 'acme' as receiver: ")
    async with linked(smsc) as esme:
        assert await esme.bind("transmitter", system_id="acme", password="guess") != 0
    assert caplog.messages[2] == "refused 'acme' as transmitter: ESME_RINVPASWD"
    assert "hush" not in caplog.text
    assert "guess" not in caplog.text
