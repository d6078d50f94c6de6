"""Asking a carrier for a part back: in its window, behind its parts, and never for longer than is bearable."""

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock

from connector.carrier.recall import PLACE_WITHIN_S, Recall
from connector.model import Answer, Reason
from connector.smpp import tables
from connector.smpp.pdu import CancelSm, CancelSmResp, GenericNack, Pdu, SubmitSm
from tests.carrier.links import Scene, Smsc, now, part, parts, scene

RESPONSE_S = 20.0
BIND = {"response_timeout_s": RESPONSE_S}


def recall(carrier_message_id: str = "00fE-1", sender: str = "ACME", to: str = "447911123456") -> Recall:
    return Recall(1, carrier_message_id, sender, to)


async def asked_back(it: Scene, *recalls: Recall) -> list[str]:
    await it.carrier.ask_back(recalls)
    return [recall.said for recall in recalls]


async def answered(smsc: Smsc, response: type[Pdu], command_status: int = 0) -> CancelSm:
    with trio.fail_after(100):
        [asked] = await smsc.requested(CancelSm)
    reply = response(sequence_number=asked.sequence_number, command_status=command_status)
    await smsc.stream.send_all(smsc.session.answer([reply]))
    return asked  # type: ignore[no-any-return]


async def up(it: Scene) -> Smsc:
    smsc = await it.network.bound()
    await it.until(lambda: it.carrier.up)
    return smsc


@pytest.mark.parametrize("sender", ["ACME", "60777", "+447900000001", ""])
async def test_it_names_the_message_as_the_carrier_and_its_submit_sm_did(
    sender: str, autojump_clock: MockClock
) -> None:
    async with scene(BIND) as it:
        smsc = await up(it)
        await it.submit([part(1, sender=sender)])
        [submitted] = await smsc.requested(SubmitSm)
        await smsc.answer([submitted])
        wish = recall(sender=sender)
        it.nursery.start_soon(asked_back, it, wish)
        asked = await answered(smsc, CancelSmResp)
        await wish.told.wait()
        assert wish.said == "ESME_ROK"
        assert (asked.message_id, asked.service_type) == ("00fE-1", "")
        for name in ("source_addr_ton", "source_addr_npi", "source_addr", "dest_addr_ton", "dest_addr_npi"):
            assert getattr(asked, name) == getattr(submitted, name)
        assert asked.destination_addr == submitted.destination_addr


@pytest.mark.parametrize(
    ("response", "status", "said"),
    [
        (CancelSmResp, tables.ESME_RCANCELFAIL, "ESME_RCANCELFAIL"),
        (GenericNack, tables.ESME_RINVCMDID, "ESME_RINVCMDID"),
        (GenericNack, tables.ESME_ROK, "ESME_RUNKNOWNERR"),
    ],
)
async def test_a_refusal_is_told_by_its_name(
    response: type[Pdu], status: int, said: str, autojump_clock: MockClock
) -> None:
    async with scene(BIND) as it:
        smsc = await up(it)
        wish = recall()
        it.nursery.start_soon(asked_back, it, wish)
        await answered(smsc, response, status)
        await wish.told.wait()
        assert wish.said == said
        assert it.states == ["bound"]


async def test_an_answer_that_does_not_come_is_told_so_and_a_late_one_is_not_heard(autojump_clock: MockClock) -> None:
    async with scene({**BIND, "max_lost_in_row": 1, "enquire_link_s": 1_000.0}) as it:
        smsc = await up(it)
        began, wish = now(), recall()
        assert await asked_back(it, wish) == [Reason.NO_ANSWER]
        assert RESPONSE_S <= now() - began < RESPONSE_S + 2
        await answered(smsc, CancelSmResp)
        await trio.sleep(1)
        assert wish.said == Reason.NO_ANSWER
        assert it.states == ["bound"]  # a carrier that does not know cancel_sm is no dead link
        assert it.desk.results == []


async def test_a_link_that_ends_before_the_answer_is_told(autojump_clock: MockClock) -> None:
    async with scene(BIND) as it:
        smsc = await up(it)
        wish = recall()
        it.nursery.start_soon(asked_back, it, wish)
        await smsc.requested(CancelSm)
        await smsc.cut()
        await wish.told.wait()
        assert wish.said == Reason.LINK_LOST
        assert it.desk.results == []


async def test_it_waits_for_a_place_and_the_next_one_is_kept_for_it(autojump_clock: MockClock) -> None:
    async with scene({**BIND, "window_size": 2}) as it:
        smsc = await up(it)
        await it.submit(parts(2))
        submitted = await smsc.requested(SubmitSm, 2)
        wish = recall()
        it.nursery.start_soon(asked_back, it, wish)
        await trio.sleep(1)
        assert smsc.requests == []
        await smsc.answer(submitted[:1])
        await it.until(lambda: len(it.desk.of(Answer)) == 1)
        assert it.carrier.credit(now()) == 0
        await answered(smsc, CancelSmResp)
        await wish.told.wait()
        await it.until(lambda: it.carrier.credit(now()) == 1)
        assert wish.said == "ESME_ROK"


async def test_a_place_that_is_claimed_is_not_taken(autojump_clock: MockClock) -> None:
    async with scene({**BIND, "window_size": 2}) as it:
        smsc = await up(it)
        claimed = parts(2)
        it.carrier.reserve(claimed)
        wish = recall()
        it.nursery.start_soon(asked_back, it, wish)
        await trio.sleep(1)
        assert not wish.written.is_set()
        it.carrier.release(claimed[:1])  # its claim lost
        asked = await answered(smsc, CancelSmResp)
        it.carrier.submit(claimed[1:])
        await smsc.requested(SubmitSm)
        assert asked.message_id == wish.carrier_message_id


async def test_without_a_place_in_time_it_is_given_up_and_never_leaves(autojump_clock: MockClock) -> None:
    async with scene({**BIND, "window_size": 1, "response_timeout_s": 60.0}) as it:
        smsc = await up(it)
        await it.submit(parts(1))
        submitted = await smsc.requested(SubmitSm)
        began = now()
        assert await asked_back(it, recall()) == [Reason.NO_BIND]
        assert now() - began == pytest.approx(PLACE_WITHIN_S, abs=0.1)
        await smsc.answer(submitted)
        await trio.sleep(1)
        assert it.carrier.credit(now()) == 1
        assert smsc.requests == []


async def test_a_bind_that_comes_up_in_time_is_asked(autojump_clock: MockClock) -> None:
    async with scene(BIND) as it:
        wish = recall()
        it.nursery.start_soon(asked_back, it, wish)
        await trio.sleep(PLACE_WITHIN_S / 2)
        smsc = await it.network.bound()
        await answered(smsc, CancelSmResp)
        await wish.told.wait()
        assert wish.said == "ESME_ROK"


async def test_a_bind_that_may_only_receive_is_not_asked(autojump_clock: MockClock) -> None:
    async with scene({**BIND, "mode": "receiver"}) as it:
        smsc = await it.network.bound()
        assert await asked_back(it, recall()) == [Reason.NO_BIND]
        assert smsc.requests == []


async def test_an_id_that_cannot_be_written_harms_nothing_else(autojump_clock: MockClock) -> None:
    async with scene(BIND) as it:
        smsc = await up(it)
        wishes: Sequence[Recall] = (recall("1" * 65), recall("2"))
        it.nursery.start_soon(asked_back, it, *wishes)
        asked = await answered(smsc, CancelSmResp)
        await wishes[1].told.wait()
        assert [wish.said for wish in wishes] == [Reason.OUR_ENCODING, "ESME_ROK"]
        assert asked.message_id == "2"


async def test_a_carrier_that_drains_is_not_asked(autojump_clock: MockClock) -> None:
    async with scene(BIND) as it:
        smsc = await up(it)
        it.nursery.start_soon(it.carrier.drain)
        await smsc.unbound()
        began = now()
        assert await asked_back(it, recall()) == [Reason.NO_BIND]
        assert now() == began


async def test_who_stops_waiting_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    async with scene({**BIND, "window_size": 1, "response_timeout_s": 60.0}) as it:
        smsc = await up(it)
        await it.submit(parts(1))
        submitted = await smsc.requested(SubmitSm)
        with trio.move_on_after(1):
            await asked_back(it, recall())
        await smsc.answer(submitted)
        await it.until(lambda: it.carrier.credit(now()) == 1)
        await trio.sleep(1)
        assert smsc.requests == []
