"""A carrier that answers with generic_nack: to a request by its number, or to nothing that can be told."""

import logging

import pytest
from trio.testing import MockClock

from connector.lifecycle import Event
from connector.model import Answer, Lost, Reason
from connector.smpp import tables
from connector.smpp.codec import encode
from connector.smpp.pdu import GenericNack, SubmitSm
from tests.carrier.links import Scene, Smsc, now, parts, scene


async def nack(smsc: Smsc, command_status: int, sequence_number: int = 0) -> None:
    await smsc.stream.send_all(encode(GenericNack(command_status=command_status, sequence_number=sequence_number)))


async def submitted(it: Scene, smsc: Smsc, count: int) -> list[SubmitSm]:
    await it.submit(parts(count))
    return await smsc.requested(SubmitSm, count)


@pytest.mark.parametrize(
    ("status", "event", "burned", "reason", "detail"),
    [
        (tables.ESME_RTHROTTLED, Event.DEFERRED, 0, Reason.THROTTLED, "ESME_RTHROTTLED"),
        (tables.ESME_RSYSERR, Event.DEFERRED, 1, Reason.TEMPORARY, "ESME_RSYSERR"),
        (tables.ESME_RINVCMDLEN, Event.REFUSED, 1, Reason.OUR_ENCODING, "ESME_RINVCMDLEN"),
        (tables.ESME_RINVDSTADR, Event.REFUSED, 1, Reason.REFUSED_BY_CARRIER, "ESME_RINVDSTADR"),
        (0, Event.DEFERRED, 1, Reason.TEMPORARY, "ESME_RUNKNOWNERR"),  # no acceptance: nobody gave an id
    ],
)
async def test_by_number_it_is_the_answer_to_that_request(
    autojump_clock: MockClock, status: int, event: Event, burned: int, reason: Reason, detail: str
) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        first, second, third = await submitted(it, smsc, 3)
        await nack(smsc, status, second.sequence_number)
        await smsc.answer([first, third])
        await it.until(lambda: len(it.desk.results) == 3)
        refused, *accepted = it.desk.of(Answer)
        assert (refused.part, refused.event, refused.burned) == (parts(3)[1].id, event, burned)
        assert (refused.reason, refused.detail) == (reason, detail)
        assert [answer.event for answer in accepted] == [Event.ACKNOWLEDGED] * 2
        assert it.states == ["bound"]


async def test_without_a_number_it_says_nothing_about_any_request(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        requests = await submitted(it, smsc, 3)
        with caplog.at_level(logging.DEBUG, "carrierline.bind"):
            await nack(smsc, tables.ESME_RINVCMDLEN)
            await nack(smsc, tables.ESME_RINVCMDLEN, 4_711)
            await smsc.answer(requests)
            await it.until(lambda: len(it.desk.results) == 3)
        assert [answer.event for answer in it.desk.of(Answer)] == [Event.ACKNOWLEDGED] * 3
        told = [record.getMessage() for record in caplog.records if "generic_nack" in record.getMessage()]
        assert len(told) == 2
        assert it.states == ["bound"]


async def test_three_of_them_in_a_minute_end_the_link_and_leave_what_is_in_flight_in_doubt(
    autojump_clock: MockClock,
) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await submitted(it, smsc, 2)
        for _ in range(3):
            await nack(smsc, tables.ESME_RINVCMDLEN)
        await smsc.closed()
        await it.until(lambda: len(it.desk.results) == 2)
        assert [lost.reason for lost in it.desk.of(Lost)] == [Reason.LINK_LOST] * 2
        again = await it.network.bound()
        assert "framing is suspect" in str(it.carrier.statistics())
        await again.answer(await submitted(it, again, 1))
        await it.until(lambda: len(it.desk.of(Answer)) == 1)


async def test_three_of_them_in_more_than_a_minute_end_nothing(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        began = now()
        for _ in range(4):
            await nack(smsc, tables.ESME_RINVCMDLEN)
            target = now() + 31
            await smsc.answer(await submitted(it, smsc, 1))
            await it.until(lambda target=target: now() >= target)  # type: ignore[misc]
        assert now() - began > 60
        assert (it.states, len(it.network.tries)) == (["bound"], 1)


async def test_an_answer_after_the_response_timer_is_an_answer_still(autojump_clock: MockClock) -> None:
    async with scene({"response_timeout_s": 10.0}) as it:
        smsc = await it.network.bound()
        first, second = await submitted(it, smsc, 2)
        await it.until(lambda: len(it.desk.of(Lost)) == 2)
        assert [lost.reason for lost in it.desk.of(Lost)] == [Reason.NO_ANSWER] * 2
        await smsc.answer([first])
        await nack(smsc, tables.ESME_RINVDSTADR, second.sequence_number)
        await it.until(lambda: len(it.desk.of(Answer)) == 2)
        taken, refused = it.desk.of(Answer)
        assert (taken.event, taken.carrier_message_id) == (Event.ACKNOWLEDGED, str(first.sequence_number))
        assert taken.key is not None
        assert refused.event is Event.REFUSED
