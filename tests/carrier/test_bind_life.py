"""How a bind comes back: by reason, in turn, and never like a storm."""

import logging
from collections import Counter

import pytest
import trio
from trio.testing import MockClock

from connector.carrier.bind import BindState, BindStatistics
from connector.config import Credentials
from connector.model import Answer, Lost, Reason, Receipt
from connector.smpp import tables
from connector.smpp.pdu import AlertNotification, BindReceiver, BindTransmitter, DeliverSm, Outbind, SubmitSm, Unbind
from tests.carrier.links import Scene, Smsc, now, part, parts, scene
from tests.carrier.test_bind import RECEIPT, receipt


def only(it: Scene) -> BindStatistics:
    [bind] = it.carrier.statistics().binds
    return bind


def gaps(it: Scene) -> list[float]:
    return [later - earlier for earlier, later in zip(it.network.tries, it.network.tries[1:], strict=False)]


async def refuse(it: Scene, command_status: int) -> None:
    smsc = await it.network.link()
    await smsc.accept_bind(command_status)
    await smsc.closed()


# --- who we say we are ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [tables.ESME_RINVPASWD, tables.ESME_RINVSYSID, tables.ESME_RINVSYSTYP])
async def test_wrong_credentials_stop_a_bind_with_one_alarm(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    async with scene() as it:
        with caplog.at_level(logging.WARNING):
            await refuse(it, status)
            await trio.sleep(86_400)
        assert len(it.network.tries) == 1
        assert (it.states, only(it).next_try_at) == (["stopped"], None)
        [record] = caplog.records
        assert record.levelno == logging.ERROR
        assert "smsc:2775 refused system_id acme or its password" in record.getMessage()
        assert "secret" not in record.getMessage()
        assert "acme" in only(it).reason


async def test_a_stopped_bind_tries_again_with_new_credentials(autojump_clock: MockClock) -> None:
    async with scene() as it:
        await refuse(it, tables.ESME_RINVPASWD)
        await it.until(lambda: it.states == ["stopped"])
        it.carrier.renew([Credentials("rotated")])
        smsc = await it.network.link()
        asked = await smsc.accept_bind()
        assert asked.password == "rotated"
        await it.until(lambda: it.states == ["bound"])


async def test_new_credentials_leave_a_link_alone_until_the_next_bind(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await it.until(lambda: it.states == ["bound"])
        it.carrier.renew([Credentials("rotated")])
        await trio.sleep(20)
        assert (it.states, len(it.network.tries)) == (["bound"], 1)
        await smsc.cut()
        asked = await (await it.network.link()).accept_bind()
        assert asked.password == "rotated"


async def test_a_bind_that_was_up_waits_too_when_another_one_was_refused_meanwhile(autojump_clock: MockClock) -> None:
    async with scene({"count": 2}) as it:
        links = [await it.network.link(), await it.network.link()]
        for smsc in links:
            it.nursery.start_soon(serve, smsc)
        await it.until(lambda: it.states == ["bound", "bound"])
        it.carrier.renew([Credentials("wrong")])
        await links[0].cut()
        await refuse(it, tables.ESME_RINVPASWD)
        await links[1].cut()
        await trio.sleep(3_600)
        assert it.states == ["stopped", "stopped"]
        assert len(it.network.tries) == 3
        it.carrier.renew([Credentials("right")])
        assert [(await (await it.network.link()).accept_bind()).password for _ in range(2)] == ["right", "right"]


async def test_credentials_that_come_while_older_ones_are_refused_are_tried(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.link()
        it.carrier.renew([Credentials("rotated")])
        await smsc.accept_bind(tables.ESME_RINVPASWD)
        asked = await (await it.network.link()).accept_bind()
        assert asked.password == "rotated"


async def test_new_credentials_end_no_pause_they_have_nothing_to_do_with(autojump_clock: MockClock) -> None:
    async with scene() as it:
        await refuse(it, tables.ESME_RALYBND)
        it.carrier.renew([Credentials("rotated")])
        await it.network.bound()
        assert gaps(it)[0] >= 60


async def test_one_wrong_password_is_tried_once_however_many_binds_have_it(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene({"count": 5}) as it:
        with caplog.at_level(logging.WARNING):
            await refuse(it, tables.ESME_RINVPASWD)
            await trio.sleep(3_600)
        assert len(it.network.tries) == 1, "every further try brings the account nearer to its lock"
        assert it.states == ["stopped"] * 5
        assert len(caplog.records) == 1
        assert "another bind" in it.carrier.statistics().binds[4].reason
        it.carrier.renew([Credentials("rotated")])
        for _ in range(5):
            await it.network.bound()


async def test_a_bind_that_waits_for_its_turn_hears_of_the_wrong_password(autojump_clock: MockClock) -> None:
    async with scene({"count": 2}, binds_per_minute=1) as it:
        smsc = await it.network.link()
        await trio.sleep(1)
        await smsc.accept_bind(tables.ESME_RINVPASWD)
        await trio.sleep(300)
        assert len(it.network.tries) == 1
        assert it.states == ["stopped", "stopped"]


async def test_a_wrong_password_of_one_bind_stops_no_bind_with_other_settings(autojump_clock: MockClock) -> None:
    async with scene({}, {"system_id": "other"}) as it:
        await refuse(it, tables.ESME_RINVPASWD)
        await it.network.bound()
        await it.until(lambda: it.states == ["stopped", "bound"])


async def test_a_stopped_bind_can_be_drained(autojump_clock: MockClock) -> None:
    async with scene() as it:
        await refuse(it, tables.ESME_RINVPASWD)
        await it.until(lambda: it.states == ["stopped"])
        with trio.fail_after(1):
            await it.carrier.drain()
        await it.until(lambda: it.states == ["down"])


# --- pauses by reason -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "status", "shortest", "longest"),
    [
        ({}, tables.ESME_RALYBND, 60, 90),
        ({"rebind_after_s": 120.0}, tables.ESME_RALYBND, 120, 180),
        ({}, tables.ESME_RBINDFAIL, 60, 300),
        ({}, tables.ESME_RTHROTTLED, 60, 300),
        ({}, tables.ESME_RSYSERR, 10, 60),
    ],
)
async def test_a_refused_bind_waits_as_its_status_asks(
    autojump_clock: MockClock, settings: dict[str, float], status: int, shortest: float, longest: float
) -> None:
    async with scene(settings) as it:
        for _ in range(4):
            await refuse(it, status)
        await it.network.bound()
        assert shortest <= min(gaps(it))
        assert max(gaps(it)) <= longest + 1
        assert len(set(gaps(it))) == 4, "drawn anew each time"


async def test_a_bind_that_fails_without_a_word_is_an_alarm_at_the_third_time(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene() as it:
        with caplog.at_level(logging.WARNING):
            for _ in range(6):
                await refuse(it, tables.ESME_RBINDFAIL)
        assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]


async def test_an_unbind_is_followed_by_the_customary_pause(autojump_clock: MockClock) -> None:
    async with scene({"unbind_pause_s": 45.0}) as it:
        smsc = await it.network.bound()
        began = now()
        await smsc.stream.send_all(smsc.session.request(Unbind(), now()))
        await smsc.closed()
        await it.until(lambda: only(it).next_try_at)
        assert only(it).reason == "the carrier said unbind"
        await it.network.bound()
        assert 45 <= now() - began <= 68


async def test_a_pause_says_when_it_ends(autojump_clock: MockClock) -> None:
    async with scene() as it:
        await refuse(it, tables.ESME_RSYSERR)
        await it.until(lambda: only(it).next_try_at is not None)
        foretold = only(it).next_try_at
        await it.network.bound()
        assert it.network.tries[1] == pytest.approx(foretold, abs=0.1)
        await it.until(lambda: it.states == ["bound"])
        assert only(it).next_try_at is None


# --- several hosts ----------------------------------------------------------------------------------------------------


async def test_hosts_are_tried_in_turn_the_first_one_first(autojump_clock: MockClock) -> None:
    async with scene({"hosts": ("a", "b:1", "[::1]:2")}) as it:
        it.network.dead = {"a", "b"}
        await it.network.bound()
        await it.until(lambda: it.states == ["bound"])
        assert it.network.places == ["a:2775", "b:1", "::1:2"]
        assert only(it).host == "[::1]:2"


async def test_nothing_goes_back_to_the_first_host_while_bound_to_another(autojump_clock: MockClock) -> None:
    async with scene({"hosts": ("a", "b")}) as it:
        it.network.dead = {"a"}
        smsc = await it.network.link()
        it.nursery.start_soon(serve, smsc)
        await it.until(lambda: it.states == ["bound"])
        it.network.dead = set()
        await trio.sleep(3_600)
        assert it.network.places == ["a:2775", "b:2775"]
        await smsc.cut()
        await it.network.bound()
        assert it.network.places[2] == "a:2775", "after an hour of service the first choice is the first again"


async def test_a_host_that_binds_and_drops_at_once_is_left_for_the_next(autojump_clock: MockClock) -> None:
    async with scene({"hosts": ("a", "b")}) as it:
        smsc = await it.network.bound()
        await it.until(lambda: it.states == ["bound"])
        await trio.sleep(5)
        await smsc.cut()
        await it.network.bound()
        assert it.network.places == ["a:2775", "b:2775"]


# --- never like a storm -----------------------------------------------------------------------------------------------


def busiest_minute(tries: list[float]) -> int:
    return max(sum(at <= other < at + 60 for other in tries) for at in tries)


async def test_all_binds_of_an_account_share_the_tries_of_a_minute(autojump_clock: MockClock) -> None:
    async with scene({"count": 8}, {"count": 2, "mode": "receiver"}, binds_per_minute=7) as it:
        it.network.down = True
        await trio.sleep(3_600)
        assert busiest_minute(it.network.tries) == 7
        assert len(it.network.tries) > 6 * 55, "the turns are used"
        it.network.down = False
        for _ in range(10):
            await it.network.bound()


async def test_a_carrier_that_restarts_gets_all_binds_back_and_no_storm(autojump_clock: MockClock) -> None:
    async with scene({"count": 100}, {"count": 100}) as it:
        links: list[Smsc] = []

        async def accept() -> None:
            while True:
                links.append(await it.network.link())
                it.nursery.start_soon(serve, links[-1])

        it.nursery.start_soon(accept)
        await it.until(lambda: set(it.states) == {"bound"})
        await trio.sleep(61)
        began, before = now(), len(it.network.tries)
        it.network.down = True
        for smsc in links:
            await smsc.cut()
        await trio.sleep(30)
        it.network.down = False
        await it.until(lambda: set(it.states) == {"bound"})
        tries = it.network.tries[before:]
        assert max(Counter(map(int, tries)).values()) <= 6, "spread, not in one blow"
        assert busiest_minute(tries) <= 300
        assert now() - began <= 120


async def test_a_bind_that_waits_for_its_turn_can_be_drained(autojump_clock: MockClock) -> None:
    async with scene({"count": 2}, binds_per_minute=1) as it:
        it.network.down = True
        await trio.sleep(2)
        with trio.fail_after(1):
            await it.carrier.drain()


# --- links that are no good -------------------------------------------------------------------------------------------


async def test_a_half_open_link_is_found_by_two_enquiries(autojump_clock: MockClock) -> None:
    async with scene({"enquire_link_s": 20.0, "response_timeout_s": 600.0}) as it:
        smsc = await it.network.bound()
        await it.until(lambda: it.states == ["bound"])
        began = now()
        await it.submit(parts(3))  # swallowed, as by a firewall that forgot the connection
        await it.until(lambda: it.desk.of(Lost))
        # 20 s of silence, 10 s for the answer, and the same once more
        assert now() - began == pytest.approx(40, abs=0.5)
        assert len(it.desk.of(Lost)) == 3
        await it.network.bound()
        await smsc.cut()


async def test_a_pdu_that_is_begun_and_not_finished_ends_the_link(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await it.until(lambda: it.states == ["bound"])
        began = now()
        await smsc.stream.send_all(bytes.fromhex("0000004000000005"))
        await it.until(lambda: it.states == ["down"])
        assert now() - began == pytest.approx(10, abs=0.5)
        assert only(it).reason == "a PDU was begun and not finished in time"


async def test_a_live_link_that_answers_no_submit_is_bound_again(autojump_clock: MockClock) -> None:
    async with scene({"window_size": 1, "response_timeout_s": 10.0}) as it:
        smsc = await it.network.bound()
        it.nursery.start_soon(smsc.closed)  # answers enquire_link and unbind, and no submit_sm
        for number in (1, 2, 3):
            assert it.states == ["bound"] or number == 1
            await it.submit([part(number)])
            await it.until(lambda: len(it.desk.of(Lost)) == number)  # noqa: B023 - waited for within the turn
        await it.until(lambda: it.states == ["down"])
        assert only(it).reason == "3 requests in a row were not answered"
        await it.network.bound()


async def test_a_link_that_answers_no_submit_is_not_kept_for_what_is_still_due(autojump_clock: MockClock) -> None:
    async with scene({"response_timeout_s": 10.0}) as it:
        smsc = await it.network.bound()
        it.nursery.start_soon(smsc.closed)
        await it.submit(parts(3))
        await trio.sleep(5)
        await it.submit([part(number) for number in (4, 5)])
        began = now()
        await it.until(lambda: len(it.desk.of(Lost)) == 5)
        assert now() - began == pytest.approx(5, abs=0.5)
        assert [lost.reason for lost in it.desk.of(Lost)] == [Reason.NO_ANSWER] * 3 + [Reason.LINK_LOST] * 2


async def test_lost_answers_between_others_do_not_end_a_link(autojump_clock: MockClock) -> None:
    async with scene({"response_timeout_s": 10.0}) as it:
        smsc = await it.network.bound()
        await it.submit(parts(9))
        submitted = await smsc.requested(SubmitSm, 9)
        await smsc.answer([*submitted[:2], *submitted[7:]])
        it.nursery.start_soon(smsc.closed)
        await it.until(lambda: len(it.desk.of(Lost)) == 5)
        await trio.sleep(60)
        assert it.states == ["bound"]


async def test_outbind_on_our_link_ends_it(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.link()
        await smsc.stream.send_all(smsc.session.request(Outbind(system_id="SIM", password="x"), now()))
        await smsc.closed()
        await it.until(lambda: "outbind" in only(it).reason)
        await it.network.bound()
        assert gaps(it)[0] >= 10


async def test_outbind_on_a_bound_link_ends_it_by_unbind(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await smsc.stream.send_all(bytes.fromhex("0000001A0000000B0000000000000009") + b"SIM\0secret\0"[:10])
        await smsc.unbound()
        await smsc.closed()
        await it.until(lambda: "outbind" in only(it).reason)


async def test_an_alert_notification_changes_nothing(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await smsc.stream.send_all(smsc.session.request(AlertNotification(source_addr="447911123456"), now()))
        await it.submit(parts(1))
        await smsc.answer(await smsc.requested(SubmitSm))
        await it.until(lambda: it.desk.of(Answer))
        assert it.states == ["bound"]


@pytest.mark.parametrize(("count", "held_back"), [(10, True), (2, False)])
async def test_a_link_closed_right_after_a_burst_counts_as_throttling(
    autojump_clock: MockClock, count: int, held_back: bool
) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await it.submit(parts(count))
        await smsc.requested(SubmitSm, count)
        await smsc.cut()
        await it.until(lambda: len(it.desk.of(Lost)) == count)
        assert it.carrier.limits.bind("north/1").is_eased(now()) is held_back


async def test_a_link_closed_a_while_after_a_burst_was_not_throttled(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await it.submit(parts(20))
        await smsc.requested(SubmitSm, 20)
        await trio.sleep(2)
        await smsc.cut()
        await it.until(lambda: len(it.desk.of(Lost)) == 20)
        assert not it.carrier.limits.bind("north/1").is_eased(now())


async def test_the_request_that_waits_longest_is_told(autojump_clock: MockClock) -> None:
    async with scene() as it:
        smsc = await it.network.bound()
        await it.submit(parts(2))
        submitted = await smsc.requested(SubmitSm, 2)
        await trio.sleep(7)
        assert only(it).oldest_in_flight_s == pytest.approx(7, abs=0.1)
        await smsc.answer(submitted)
        await it.until(lambda: len(it.desk.of(Answer)) == 2)
        assert only(it).oldest_in_flight_s == 0


# --- one sick bind and its neighbours ---------------------------------------------------------------------------------

STREAM_ERRORS = [
    trio.BrokenResourceError("broken"),
    trio.ClosedResourceError("closed"),
    ConnectionResetError(104, "Connection reset by peer"),
    BrokenPipeError(32, "Broken pipe"),
    TimeoutError(110, "Connection timed out"),
    OSError(113, "No route to host"),
    OSError(12, "Cannot allocate memory"),
]
CONNECT_ERRORS = [
    *STREAM_ERRORS,
    OSError("all attempts to connect failed"),
    OSError(24, "Too many open files"),
    OSError(-2, "Name or service not known"),
    PermissionError(1, "Operation not permitted"),
]


class Failing(trio.abc.Stream):
    """A stream that fails in one of its verbs as often as it is asked to."""

    def __init__(self, stream: trio.abc.Stream, verb: str, error: Exception, after: int) -> None:
        self._stream, self._verb, self._error, self._left = stream, verb, error, after

    def _fail(self, verb: str) -> None:
        if verb == self._verb:
            self._left -= 1
            if self._left < 0:
                raise self._error

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self._fail("write")
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        self._fail("read")
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()
        self._fail("close")


@pytest.mark.parametrize("error", STREAM_ERRORS, ids=repr)
@pytest.mark.parametrize(("verb", "after"), [("read", 0), ("read", 1), ("write", 0), ("write", 1), ("close", 0)])
async def test_whatever_a_stream_raises_ends_one_link_and_its_neighbour_goes_on(
    autojump_clock: MockClock, error: Exception, verb: str, after: int
) -> None:
    async with scene({"count": 2}) as it:

        def second_fails(stream: trio.abc.Stream) -> trio.abc.Stream:
            return Failing(stream, verb, error, after) if len(it.network.tries) == 2 else stream

        it.network.between = second_fails
        it.nursery.start_soon(serve, await it.network.link())
        sick = await it.network.link()
        it.nursery.start_soon(serve, sick)
        if verb == "close":
            await it.until(lambda: it.states == ["bound", "bound"])
            await sick.stream.send_all(sick.session.request(Unbind(), now()))
        it.nursery.start_soon(serve, await it.network.link())
        await it.until(lambda: it.states == ["bound", "bound"])
        assert [bind.attempts for bind in it.carrier.statistics().binds] == [1, 2]


async def serve(smsc: Smsc) -> None:
    """Accept the bind and answer every submit_sm until the link ends."""
    try:
        await smsc.accept_bind()
        while True:
            await smsc.answer(await smsc.requested(SubmitSm))
    except (EOFError, trio.BrokenResourceError, trio.ClosedResourceError):
        return


@pytest.mark.parametrize("error", CONNECT_ERRORS, ids=repr)
async def test_whatever_a_connect_raises_is_a_reason_and_another_try(
    autojump_clock: MockClock, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene({"count": 2}) as it:
        first = await it.network.bound()
        it.nursery.start_soon(first.closed)

        async def fail(_host: str, _port: int) -> trio.abc.Stream:
            await trio.lowlevel.checkpoint()
            raise error

        second = it.carrier.binds[1]
        monkeypatch.setattr(second, "_connect", fail)
        await it.until(lambda: second.statistics().reason.startswith("cannot connect to smsc:2775: "))
        monkeypatch.setattr(second, "_connect", it.network.connect)
        await it.network.bound()
        await it.until(lambda: it.states == ["bound", "bound"])
        assert first.session.state is tables.State.BOUND_TRX


# --- a transmitter and a receiver -------------------------------------------------------------------------------------


async def test_a_pair_submits_on_one_bind_and_hears_receipts_on_the_other(autojump_clock: MockClock) -> None:
    async with scene({"mode": "transmitter", "window_size": 5}, {"mode": "receiver", "window_size": 50}) as it:
        sending, receiving = await it.network.link(), await it.network.link()
        assert isinstance(await sending.accept_bind(), BindTransmitter)
        assert isinstance(await receiving.accept_bind(), BindReceiver)
        await it.until(lambda: it.states == ["bound", "bound"])
        assert it.carrier.credit(now()) == 5, "a receiver offers no places"
        await it.submit(parts(5))
        await sending.answer(await sending.requested(SubmitSm, 5))
        await receiving.deliver(receipt())
        await it.until(lambda: it.desk.of(Receipt))
        [delivered] = it.desk.of(Receipt)
        assert delivered.carrier == {answer.carrier for answer in it.desk.of(Answer)}.pop() == "north"
        assert delivered.keys == ("7",)


async def test_a_receiver_alone_takes_receipts_and_offers_nothing(autojump_clock: MockClock) -> None:
    async with scene({"mode": "transmitter"}, {"mode": "receiver"}) as it:
        sending = await it.network.bound()
        receiving = await it.network.bound()
        await it.until(lambda: it.states == [BindState.BOUND, BindState.BOUND])
        it.network.down = True
        await sending.cut()
        await it.until(lambda: it.states[0] == "down")
        assert it.carrier.credit(now()) == 0
        await receiving.deliver(DeliverSm(source_addr="447911123456", esm_class=4, short_message=RECEIPT))
        await receiving.answered(1)


async def test_what_the_bind_is_to_serve_is_in_its_pdu(autojump_clock: MockClock) -> None:
    async with scene({"addr_ton": 1, "addr_npi": 1, "address_range": "^44", "system_type": "SMPP"}) as it:
        asked = await (await it.network.link()).accept_bind()
        assert (asked.addr_ton, asked.addr_npi, asked.address_range, asked.system_type) == (1, 1, "^44", "SMPP")
