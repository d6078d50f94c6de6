"""A bind against a carrier that does, or does not do, what it should."""

import pytest
import trio
from trio.testing import MockClock

from connector.config import DialectConfig
from connector.lifecycle import Event
from connector.model import Answer, Inbound, Lost, NotSent, Reason, Receipt
from connector.smpp import tables
from connector.smpp.pdu import BindTransceiver, DeliverSm, EnquireLink, SubmitSm, Unbind
from tests.carrier.links import now, part, parts, scene

RECEIPT = b"id:7 sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:"


def receipt(number: int = 0) -> DeliverSm:
    return DeliverSm(
        source_addr=f"44791112345{number % 10}", destination_addr="ACME", esm_class=4, short_message=RECEIPT
    )


async def test_it_binds_and_submits(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.link()
        asked = await smsc.accept_bind()
        assert (asked.system_id, asked.password) == ("acme", "secret")
        await it.submit(parts(3))
        submitted = await smsc.requested(SubmitSm, 3)
        assert [pdu.short_message for pdu in submitted] == [b"message 1", b"message 2", b"message 3"]
        await smsc.answer(submitted)
        await it.until(lambda: len(it.desk.results) == 3)
        assert [answer.event for answer in it.desk.of(Answer)] == [Event.ACKNOWLEDGED] * 3


async def test_credit_is_never_more_than_the_window(autojump_clock: MockClock) -> None:
    async with scene({"window_size": 5}) as it:
        smsc = await it.network.bound()
        await it.submit(parts(5))
        assert it.carrier.credit(now()) == 0
        submitted = await smsc.requested(SubmitSm, 5)
        await smsc.answer(submitted[:2])
        await it.until(lambda: it.carrier.credit(now()) == 2)


async def test_reserved_places_are_not_offered_twice(autojump_clock: MockClock) -> None:
    async with scene({"window_size": 5}) as it:
        await it.network.bound()
        await it.until(lambda: it.carrier.credit(now()) == 5)
        it.carrier.reserve(parts(3))
        assert it.carrier.credit(now()) == 2
        it.carrier.release(parts(3))
        assert it.carrier.credit(now()) == 5


async def test_places_kept_free_are_of_the_window_and_not_of_the_pace(autojump_clock: MockClock) -> None:
    async with scene({"window_size": 100}, rate_per_s=10) as it:
        await it.network.bound()
        await it.until(lambda: it.carrier.credit(now()))
        assert it.carrier.credit(now(), keep_free=0.05) == it.carrier.credit(now()) == 1


async def test_answers_out_of_order_find_their_parts(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await it.submit(parts(4))
        submitted = await smsc.requested(SubmitSm, 4)
        await smsc.answer(submitted[::-1])
        await it.until(lambda: len(it.desk.results) == 4)
        found = {answer.part: answer.carrier_message_id for answer in it.desk.of(Answer)}
        assert found == {part(n).id: str(pdu.sequence_number) for n, pdu in enumerate(submitted, 1)}


async def test_only_the_part_without_an_answer_is_lost(autojump_clock: MockClock) -> None:
    async with scene({"response_timeout_s": 20.0}) as it:
        smsc = await it.network.bound()
        it.nursery.start_soon(smsc.closed)
        await it.submit(parts(3))
        await it.until(lambda: len([pdu for pdu in smsc.requests if isinstance(pdu, SubmitSm)]) == 3)
        first, second, third = (pdu for pdu in smsc.requests if isinstance(pdu, SubmitSm))
        await smsc.answer([first, third])
        began = now()
        await it.until(lambda: it.desk.of(Lost))
        [lost] = it.desk.of(Lost)
        assert (lost.part, lost.reason) == (part(2).id, Reason.NO_ANSWER)
        assert 19 <= now() - began <= 22
        # its answer comes after all, and its place in the window was free meanwhile
        await smsc.answer([second])
        await it.until(lambda: len(it.desk.of(Answer)) == 3)
        assert it.desk.of(Answer)[-1].part == part(2).id


async def test_a_cut_link_loses_what_was_written_and_gives_back_what_was_not(autojump_clock: MockClock) -> None:
    async with scene({"window_size": 5}) as it:
        smsc = await it.network.bound()
        await it.submit(parts(3))
        await smsc.requested(SubmitSm, 3)
        await it.submit([part(8), part(9)])  # taken, and no octet of them is written when the link goes
        await smsc.cut()
        await it.until(lambda: len(it.desk.results) == 5)
        assert {lost.part for lost in it.desk.of(Lost)} >= {part(n).id for n in (1, 2, 3)}
        assert {lost.reason for lost in it.desk.of(Lost)} == {Reason.LINK_LOST}
        assert it.states == ["down"]


async def test_parts_for_a_bind_that_is_gone_are_not_sent(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await it.until(lambda: it.carrier.credit(now()))
        it.carrier.reserve(parts(2))
        await smsc.cut()
        await it.until(lambda: it.states == ["down"])
        it.carrier.submit(parts(2))
        assert [result.reason for result in it.desk.of(NotSent)] == [Reason.NO_BIND] * 2
        assert set(it.desk.batches[-1].returned) == {part(1).id, part(2).id}


async def test_a_part_past_its_deadline_is_not_written(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await it.submit([part(1, deadline=now() - 1), part(2)])
        [pdu] = await smsc.requested(SubmitSm)
        assert pdu.short_message == b"message 2"
        [result] = it.desk.of(NotSent)
        assert (result.part, result.reason) == (part(1).id, Reason.DEADLINE)


async def test_one_part_that_cannot_be_written_harms_no_neighbour(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await it.submit([part(1), part(2, text="漢"), part(3, sender="x" * 30), part(4)])
        submitted = await smsc.requested(SubmitSm, 2)
        assert [pdu.short_message for pdu in submitted] == [b"message 1", b"message 4"]
        refused = it.desk.of(Answer)
        assert {(answer.part, answer.reason) for answer in refused} == {
            (part(2).id, Reason.OUR_ENCODING),
            (part(3).id, Reason.OUR_ENCODING),
        }
        await smsc.answer(submitted)
        await it.until(lambda: it.carrier.credit(now()) == 50)


async def test_a_deliver_sm_is_answered_only_after_it_is_on_disk(autojump_clock: MockClock) -> None:
    async with scene() as it:
        it.desk.answering = False
        smsc = await it.network.bound()
        await smsc.deliver(receipt())
        await it.until(lambda: it.desk.of(Receipt))
        with trio.move_on_after(20) as patience:
            await smsc.answered(1)
        assert patience.cancelled_caught
        batch = it.desk.batches[-1]
        batch.respond(batch.responses)
        [answer] = await smsc.answered(1)
        assert answer.command_status == 0


async def test_one_unanswered_deliver_sm_too_many_is_told_to_come_again(autojump_clock: MockClock) -> None:
    async with scene({"max_unanswered": 2}) as it:
        it.desk.answering = False
        smsc = await it.network.bound()
        await smsc.deliver(receipt(1), receipt(2), receipt(3))
        [refused] = await smsc.answered(1)
        assert refused.command_status == tables.ESME_RX_T_APPN
        assert len(it.desk.of(Receipt)) == 2
        for batch in it.desk.batches:
            batch.respond(batch.responses)
        await smsc.answered(3)
        await smsc.deliver(receipt(4))
        await it.until(lambda: len(it.desk.of(Receipt)) == 3)


async def test_too_many_deliver_sm_and_then_no_smpp_ends_one_link_and_nothing_else(autojump_clock: MockClock) -> None:
    async with scene({"max_unanswered": 1}) as it:
        it.desk.answering = False
        smsc = await it.network.bound()
        await smsc.deliver(receipt(1), receipt(2), and_then=bytes.fromhex("00000005" + "00" * 12))
        await smsc.closed()
        assert len(it.desk.of(Receipt)) == 1
        await it.network.bound()


async def test_a_message_from_a_subscriber_is_inbound(autojump_clock: MockClock) -> None:
    async with scene(dialect=DialectConfig(default_alphabet="latin1")) as it:
        smsc = await it.network.bound()
        await smsc.deliver(DeliverSm(source_addr="447911123456", destination_addr="60777", short_message=b"caf\xe9"))
        await it.until(lambda: it.desk.of(Inbound))
        [inbound] = it.desk.of(Inbound)
        assert (inbound.sender, inbound.to, inbound.text) == ("447911123456", "60777", "café")


async def test_a_silent_carrier_is_asked_and_then_given_up(autojump_clock: MockClock) -> None:
    async with scene({"enquire_link_s": 30.0}) as it:
        smsc = await it.network.bound()
        began = now()
        await it.until(lambda: it.states == ["bound"])
        await it.until(lambda: it.states == ["down"])
        assert 30 < now() - began <= 55
        assert "enquire_link" in it.carrier.statistics().binds[0].reason
        await smsc.cut()


async def test_an_enquiring_carrier_is_answered_and_keeps_the_bind(autojump_clock: MockClock) -> None:
    async with scene({"enquire_link_s": 30.0}) as it:
        smsc = await it.network.bound()
        it.nursery.start_soon(smsc.closed)  # reads, and so answers enquire_link
        for _ in range(5):
            await smsc.stream.send_all(smsc.session.request(EnquireLink(), now()))
            await trio.sleep(60)
        assert it.states == ["bound"]
        assert len(it.network.tries) == 1


async def test_an_unbind_by_the_carrier_is_answered_and_followed_by_a_pause(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await it.submit(parts(2))
        await smsc.requested(SubmitSm, 2)
        began = now()
        await smsc.stream.send_all(smsc.session.request(Unbind(), now()))
        await smsc.closed()
        await it.until(lambda: {lost.part for lost in it.desk.of(Lost)} == {part(1).id, part(2).id})
        await it.network.bound()
        assert now() - began >= 30, "an immediate rebind is taken for an attack"


async def test_an_hour_of_refused_connects_is_a_bounded_number_of_tries(autojump_clock: MockClock) -> None:
    async with scene({"reconnect_min_s": 1.0, "reconnect_max_s": 60.0}) as it:
        it.network.down = True
        await trio.sleep(3_600)
        assert 60 <= len(it.network.tries) <= 300
        it.network.down = False
        await it.network.bound()
        await it.until(lambda: it.states == ["bound"])


async def test_a_weekend_of_refused_connects_ends_nothing(autojump_clock: MockClock) -> None:
    async with scene({"reconnect_min_s": 1.0, "reconnect_max_s": 1.0}, binds_per_minute=100) as it:
        it.network.down = True
        await it.until(lambda: len(it.network.tries) > 1_200, within_s=5_000)
        it.network.down = False
        await it.network.bound()


async def test_a_bind_without_an_answer_is_tried_again(autojump_clock: MockClock) -> None:
    async with scene() as it:
        first = await it.network.link()
        await first.requested(BindTransceiver)
        await it.network.bound()
        await it.until(lambda: it.states == ["bound"])
        assert 15 <= it.network.tries[1] - it.network.tries[0] <= 30


async def test_throttled_answers_pause_their_sender_and_burn_no_attempt(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await it.submit(parts(3))
        await smsc.answer(await smsc.requested(SubmitSm, 3), tables.ESME_RTHROTTLED)
        await it.until(lambda: len(it.desk.results) == 3)
        assert {(a.event, a.burned, a.due_at) for a in it.desk.of(Answer)} == {(Event.DEFERRED, 0, None)}
        held_back = it.carrier.budget(now())
        assert held_back is not None
        assert not held_back.admits(part(4))
        assert held_back.admits(part(4, sender="OTHER"))
        assert it.carrier.statistics().throttled == 3
        await trio.sleep(1.1)
        assert it.carrier.budget(now()).admits(part(4))  # type: ignore[union-attr]


async def test_a_sick_bind_hears_what_is_due_before_it_leaves(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await it.submit(parts(5))
        sick, *others = await smsc.requested(SubmitSm, 5)
        await smsc.answer([sick], tables.ESME_RINVBNDSTS)
        await it.until(lambda: it.desk.results)
        assert it.carrier.credit(now()) == 0
        await smsc.answer(others)
        await smsc.unbound()
        await smsc.closed()
        assert it.desk.of(Lost) == []
        assert [answer.event for answer in it.desk.of(Answer)] == [Event.DEFERRED] + [Event.ACKNOWLEDGED] * 4
        await it.until(lambda: it.carrier.statistics().binds[0].reason)
        assert "ESME_RINVBNDSTS" in it.carrier.statistics().binds[0].reason
        assert len(it.network.tries) == 1, "the next try comes after a pause"


async def test_a_drain_waits_for_answers_and_unbinds(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await it.submit(parts(2))
        submitted = await smsc.requested(SubmitSm, 2)
        it.nursery.start_soon(it.carrier.drain)
        await trio.sleep(3)
        assert it.carrier.credit(now()) == 0
        await smsc.answer(submitted)
        await smsc.unbound()
        await smsc.closed()
        await it.until(lambda: it.states == ["down"])
        assert len(it.desk.of(Answer)) == 2
        assert it.desk.of(Lost) == []


async def test_a_drain_is_bounded_and_what_is_unanswered_is_lost(autojump_clock: MockClock) -> None:
    async with scene({"drain_s": 5.0}) as it:
        smsc = await it.network.bound()
        await it.submit(parts(2))
        await smsc.requested(SubmitSm, 2)
        began = now()
        with trio.fail_after(11):
            await it.carrier.drain()
        assert now() - began >= 5
        await it.until(lambda: len(it.desk.of(Lost)) == 2)


async def test_a_drain_does_not_wait_for_a_bind_that_is_not_bound(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.link()
        await smsc.requested(BindTransceiver)
        with trio.fail_after(1):
            await it.carrier.drain()
        await smsc.closed()


async def test_a_drain_ends_a_connect_that_is_under_way(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its link would come up beside those of whoever takes the carrier's place."""
    async with scene() as it:
        smsc = await it.network.bound()
        begun, given_up = trio.Event(), trio.Event()

        async def slow(_host: str, _port: int) -> trio.abc.Stream:
            begun.set()
            try:
                await trio.sleep(4)
            except trio.Cancelled:
                given_up.set()
                raise
            raise AssertionError("it has connected")

        monkeypatch.setattr(it.carrier.binds[0], "_connect", slow)
        await smsc.cut()
        await begun.wait()
        await it.carrier.drain()
        with trio.fail_after(1):
            await given_up.wait()


async def test_draining_twice_is_draining_once(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        it.nursery.start_soon(smsc.closed)
        await it.until(lambda: it.states == ["bound"])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.carrier.drain)
            nursery.start_soon(it.carrier.drain)
        await it.carrier.drain()


async def test_one_bind_that_fails_does_not_touch_another(autojump_clock: MockClock) -> None:
    async with scene({"count": 2, "window_size": 5}) as it:
        first, second = await it.network.bound(), await it.network.bound()
        await it.until(lambda: it.states == ["bound", "bound"])
        await it.submit(parts(10))
        await first.requested(SubmitSm, 5)
        await first.cut()
        submitted = await second.requested(SubmitSm, 5)
        await second.answer(submitted)
        await it.until(lambda: len(it.desk.results) == 10)
        assert len(it.desk.of(Lost)) == len(it.desk.of(Answer)) == 5
        assert it.states[1] == "bound"


async def test_rubbish_ends_the_link_and_not_the_connector(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await smsc.stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await it.until(lambda: it.states == ["down"])
        await it.network.bound()
        await it.until(lambda: it.states == ["bound"])


async def test_those_behind_many_that_are_too_late_still_leave(autojump_clock: MockClock) -> None:
    async with scene({"window_size": 200}) as it:
        smsc = await it.network.bound()
        late = [part(number, deadline=now() - 1) for number in range(1, 121)]
        await it.submit([*late, part(200)])
        [request] = await smsc.requested(SubmitSm)
        assert request.short_message == b"message 200"
        assert len(it.desk.of(NotSent)) == 120
