"""Requests other than binds and plain messages, and what versions make of them."""

from typing import Any

import pytest
import trio
from esme import Esme, bound, linked, submit_sm
from trio.testing import MockClock

from connector.settings import load
from connector.smpp import tables
from connector.smpp.pdu import (
    BroadcastSm,
    CancelBroadcastSm,
    CancelSm,
    DestAddress,
    DistributionList,
    Pdu,
    QueryBroadcastSm,
    QueryBroadcastSmResp,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    SubmitMulti,
    SubmitMultiResp,
)
from connector.smpp.tlv import tlv
from simulator import Smsc
from simulator.scenario import Scenario


def smsc_of(text: str = "") -> Smsc:
    return Smsc(load(text, Scenario), clock=lambda: 1_700_000_000.0 + trio.current_time())


async def asked(esme: Esme, pdu: Pdu) -> Any:
    [answer] = await esme.submitted(pdu)
    return answer.response


def name(pdu: Pdu) -> str:
    return tables.status_name(pdu.command_status)


# --- query_sm ---------------------------------------------------------------------------------------------------------


async def test_a_message_is_on_its_way_until_it_ends_asked_for_a_receipt_or_not(autojump_clock: MockClock) -> None:
    async with bound(smsc_of("[receipt]\ndelay = '30s'\nmix = { EXPIRED = 1 }")) as esme:
        [answer] = await esme.submitted(submit_sm())
        query = QuerySm(message_id=answer.message_id, source_addr="60777")
        early = await asked(esme, query)
        assert (early.message_state, early.final_date, early.error_code) == (1, "", 0)
        await trio.sleep(31)
        late = await asked(esme, query)
        assert (late.message_state, late.final_date, late.error_code) == (3, "231114221350000+", 27)


async def test_only_who_knows_the_source_is_told(autojump_clock: MockClock) -> None:
    async with bound(smsc_of()) as esme:
        [answer] = await esme.submitted(submit_sm())
        for source, ton in (("60778", 0), ("60777", 1)):
            query = QuerySm(message_id=answer.message_id, source_addr=source, source_addr_ton=ton)
            assert name(await asked(esme, query)) == "ESME_RQUERYFAIL"
        assert isinstance(await asked(esme, QuerySm(message_id="nobody's", source_addr="60777")), QuerySmResp)


# --- replace_sm -------------------------------------------------------------------------------------------------------


async def test_the_text_of_what_is_on_its_way_can_be_replaced(autojump_clock: MockClock) -> None:
    smsc = smsc_of("[receipt]\ndelay = '30s'")
    async with bound(smsc) as esme:
        [answer] = await esme.submitted(submit_sm("before", registered_delivery=1))
        replace = ReplaceSm(
            message_id=answer.message_id, source_addr="60777", short_message=b"after", registered_delivery=1
        )
        assert name(await asked(esme, replace)) == "ESME_ROK"
        [receipt] = await esme.delivered(1)
        assert receipt.short_message.endswith(b"text:after")
        assert name(await asked(esme, replace)) == "ESME_RREPLACEFAIL"
    assert [entry.octets for entry in smsc.ledger] == [b"after"]


async def test_what_was_never_sent_cannot_be_replaced(autojump_clock: MockClock) -> None:
    async with bound(smsc_of()) as esme:
        assert name(await asked(esme, ReplaceSm(message_id="7", source_addr="60777"))) == "ESME_RREPLACEFAIL"


# --- submit_multi -----------------------------------------------------------------------------------------------------


def multi(*numbers: str, lists: tuple[str, ...] = (), **fields: Any) -> SubmitMulti:
    addresses = [DestAddress(destination_addr=number) for number in numbers]
    return SubmitMulti(
        source_addr="60777",
        dest_addresses=(*addresses, *(DistributionList(dl_name=each) for each in lists)),
        short_message=b"to all",
        **fields,
    )


async def test_one_id_for_all_and_a_receipt_from_each(autojump_clock: MockClock) -> None:
    smsc = smsc_of("[receipt]\ndelay = '5s'")
    async with bound(smsc) as esme:
        response = await asked(esme, multi("4471", "4472", "4473", registered_delivery=1))
        assert isinstance(response, SubmitMultiResp)
        assert (response.message_id, response.unsuccess_smes) == ("0000000001", ())
        receipts = await esme.delivered(3)
        assert [pdu.source_addr for pdu in receipts] == ["4471", "4472", "4473"]
        assert {pdu.tlv_value("receipted_message_id") for pdu in receipts} == {"0000000001"}
    assert smsc.statistics().accepted == 3


async def test_addresses_that_are_refused_are_named_each_with_its_status(autojump_clock: MockClock) -> None:
    barred = '[[rule]]\nwhen = { to = "^4470" }\nreply = "ESME_RINVDSTADR"'
    async with bound(smsc_of(barred)) as esme:
        response = await asked(esme, multi("44701", "4472", lists=("friends",)))
        rows = [(row.destination_addr, tables.status_name(row.error_status_code)) for row in response.unsuccess_smes]
        assert rows == [("friends", "ESME_RINVDLNAME"), ("44701", "ESME_RINVDSTADR")]
        assert response.message_id
        nobody = await asked(esme, multi("44701"))
        assert (name(nobody), nobody.message_id) == ("ESME_RINVDSTADR", "")


async def test_a_limit_counts_each_address(autojump_clock: MockClock) -> None:
    async with bound(smsc_of("[limits]\nrate = { per_second = 1, burst = 2 }")) as esme:
        response = await asked(esme, multi("1", "2", "3"))
        rows = [(row.destination_addr, tables.status_name(row.error_status_code)) for row in response.unsuccess_smes]
        assert rows == [("3", "ESME_RTHROTTLED")]


async def test_the_answer_to_all_comes_when_the_last_is_due(autojump_clock: MockClock) -> None:
    async with bound(smsc_of("[response]\ndelay = '2s'")) as esme:
        await asked(esme, multi("1", "2"))
        assert esme.times_of(SubmitMultiResp) == [2]


async def test_one_that_is_never_answered_leaves_the_whole_unanswered(autojump_clock: MockClock) -> None:
    async with bound(smsc_of("[response]\ndelay = { never = true }")) as esme:
        await esme.submit(multi("1", "2"))
        await trio.sleep(60)
        with trio.move_on_after(0):
            await esme.read()
        assert esme.received(SubmitMultiResp) == []


@pytest.mark.parametrize("via", ["same", "other"])
async def test_receipts_of_all_leave_by_the_bind_they_should(via: str, autojump_clock: MockClock) -> None:
    smsc = smsc_of(f"[receipt]\nvia = '{via}'\nid = {{ form = 'hex', width = 8 }}")
    async with bound(smsc) as esme, bound(smsc) as other:
        await esme.submit(multi("1", "2", "3", "4", registered_delivery=1))
        receipts = await (esme if via == "same" else other).delivered(4)
        assert {pdu.short_message[:12] for pdu in receipts} == {b"id:00000001 "}


async def test_a_rule_for_the_whole_changes_the_one_answer(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[rule]]\nwhen = { command = "submit_multi" }\nreply = { times = 2, message_id = "ABC" }')
    async with bound(smsc) as esme:
        await esme.submit(multi("1", "2"))
        await esme.read_until(lambda: len(esme.received(SubmitMultiResp)) == 2)
        assert {response.message_id for response in esme.received(SubmitMultiResp)} == {"ABC"}


async def test_a_rule_without_a_command_is_about_each_destination_once(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[rule]]\nname = "slow"\ndelay = "1s"')
    async with bound(smsc) as esme:
        await asked(esme, multi("1", "2"))
        assert esme.times_of(SubmitMultiResp) == [1]
    assert smsc.statistics().rules == {"slow": 2}


# --- who may ask ------------------------------------------------------------------------------------------------------


async def test_another_account_is_told_nothing_and_cancels_nothing(autojump_clock: MockClock) -> None:
    smsc = smsc_of("[receipt]\ndelay = '30s'")
    async with bound(smsc) as esme, linked(smsc) as stranger:
        [answer] = await esme.submitted(submit_sm())
        assert await stranger.bind(system_id="stranger") == 0
        query = QuerySm(message_id=answer.message_id, source_addr="60777")
        assert name(await asked(stranger, query)) == "ESME_RQUERYFAIL"
        cancel = CancelSm(message_id=answer.message_id, source_addr="60777")
        assert name(await asked(stranger, cancel)) == "ESME_RCANCELFAIL"


async def test_a_message_in_the_queue_is_on_its_way(autojump_clock: MockClock) -> None:
    async with bound(smsc_of("[queue]\ncapacity = 10\ndrain = { per_second = 1 }")) as esme:
        answers = await esme.submitted(*[submit_sm() for _ in range(3)])
        states = []
        for second in (0.5, 2.5, 3.5):
            await trio.sleep_until(second)
            states.append(
                (await asked(esme, QuerySm(message_id=answers[2].message_id, source_addr="60777"))).message_state
            )
        assert states == [1, 1, 2]


# --- broadcasts -------------------------------------------------------------------------------------------------------

AREA = tlv("broadcast_area_identifier", b"\x00town")
NEEDED = (
    AREA,
    tlv("broadcast_content_type", b"\x01\x00\x10"),
    tlv("broadcast_rep_num", 1),
    tlv("broadcast_frequency_interval", b"\x08\x00\x05"),
)


async def test_a_broadcast_is_taken_told_of_and_given_back(autojump_clock: MockClock) -> None:
    async with bound(smsc_of(), interface_version=0x50) as esme:
        taken = await asked(esme, BroadcastSm(source_addr="60777", tlvs=NEEDED))
        query = QueryBroadcastSm(message_id=taken.message_id, source_addr="60777")
        told = await asked(esme, query)
        assert isinstance(told, QueryBroadcastSmResp)
        assert (told.tlv_value("message_state"), told.tlv_value("broadcast_area_success")) == (2, 100)
        cancel = CancelBroadcastSm(message_id=taken.message_id, source_addr="60777")
        assert name(await asked(esme, cancel)) == "ESME_ROK"
        assert name(await asked(esme, cancel)) == "ESME_RBCASTCANCELFAIL"
        assert name(await asked(esme, query)) == "ESME_RBCASTQUERYFAIL"


# --- versions ---------------------------------------------------------------------------------------------------------

LATER = [("data_sm", 0x33), ("broadcast_sm", 0x33), ("broadcast_sm", 0x34)]


@pytest.mark.parametrize(("command", "version"), LATER)
async def test_a_command_that_a_version_does_not_have_is_unknown_to_it(
    command: str, version: int, autojump_clock: MockClock
) -> None:
    requests = {
        "data_sm": "00000018 00000103 00000000 00000009 00 0000 00 0000 00 00",
        "broadcast_sm": "00000021 00000111 00000000 00000009 00 0000 00 00 00 00 00 00 00 00" + "0606000100",
    }
    async with linked(smsc_of(), interface_version=version) as esme:
        assert await esme.bind("transmitter") == 0
        request = bytes.fromhex(requests[command])
        await esme.stream.send_all(len(request).to_bytes(4, "big") + request[4:])
        response = bytes(await esme.stream.receive_some())
        assert response[8:12] == tables.ESME_RINVCMDID.to_bytes(4, "big")
