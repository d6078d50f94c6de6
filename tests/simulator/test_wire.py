"""Rules of the wire: how octets move, as the ESME sees it."""

import struct
from itertools import pairwise

import pytest
import trio
from esme import Esme, bound, linked, submit_sm
from trio.testing import MockClock, memory_stream_pair

from connector.errors import ConfigError
from connector.settings import load
from connector.smpp.codec import encode
from connector.smpp.pdu import BindTransceiverResp, SubmitSmResp, Unbind, UnbindResp
from simulator import Smsc
from simulator.link.wire import WireStream, pieces_of, reset
from simulator.scenario import Listen, Read, Scenario, WireFault, WireRule, WireWhen, Write
from simulator.trace.record import Packet, Recent, Trace, TracedStream

ALL = WireWhen()
PATIENT = '[carrier]\nsession_init = "1h"\ninactivity = "1h"\n'
RESPONSE = 27  # octets of a submit_sm_resp with an id of ten digits


def smsc_of(text: str, **options: object) -> Smsc:
    return Smsc(load(text, Scenario), clock=lambda: 1_700_000_000.0 + trio.current_time(), **options)  # type: ignore[arg-type]


def sizes(esme: Esme) -> list[int]:
    return [len(data) for _, data in esme.reads]


# --- how a write is cut -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "pieces"),
    [
        (Write(), [b"0123456789"]),
        (Write(chunk=4), [b"0123", b"4567", b"89"]),
        (Write(chunk=10), [b"0123456789"]),
        (Write(chunk=5), [b"01234", b"56789"]),
        (Write(split_at=(2, 9)), [b"01", b"2345678", b"9"]),
        (Write(split_at=(2, 10, 16)), [b"01", b"23456789"]),
        (Write(bytes_per_second=40), [b"0123", b"4567", b"89"]),
        (Write(bytes_per_second=0.5), [b"%d" % digit for digit in range(10)]),
        (Write(bytes_per_second=40, chunk=9), [b"012345678", b"9"]),
    ],
)
def test_a_write_is_cut_as_the_rule_says(write: Write, pieces: list[bytes]) -> None:
    assert pieces_of(b"0123456789", write) == pieces


def test_nothing_is_in_no_pieces() -> None:
    assert b"".join(pieces_of(b"", Write(chunk=1))) == b""


# --- writing ----------------------------------------------------------------------------------------------------------


async def test_one_octet_at_a_time_with_a_gap_between_them(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[wire]]\nwhen = { bind = 1 }\nwrite = { chunk = 1, gap = "1ms" }')
    async with bound(smsc) as esme:
        esme.reads.clear()
        await esme.submitted(submit_sm(), submit_sm())
        assert sizes(esme) == [1] * (2 * RESPONSE)
        times = [at for at, _ in esme.reads]
        assert times == pytest.approx([times[0] + 0.001 * number for number in range(2 * RESPONSE)])


async def test_the_gap_is_kept_from_one_write_to_the_next(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[wire]]\nwrite = { split_at = [16], gap = "1s" }')
    async with bound(smsc) as esme:
        await esme.submitted(submit_sm())
        await esme.submitted(submit_sm())
        times = [at for at, _ in esme.reads]
        assert [later - sooner for sooner, later in pairwise(times)] == [1] * 5


async def test_octets_leave_no_faster_than_the_rule_lets_them(autojump_clock: MockClock) -> None:
    smsc = smsc_of("[[wire]]\nwhen = { bind = 1 }\nwrite = { bytes_per_second = 270 }")
    async with bound(smsc) as esme:
        begun = trio.current_time()
        await esme.submitted(*[submit_sm() for _ in range(100)])
        assert trio.current_time() - begun == pytest.approx(RESPONSE * 100 / 270, abs=0.2)


async def test_what_is_gathered_leaves_together(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[wire]]\nwhen = { bind = 1 }\nwrite = { coalesce = "200ms" }')
    async with bound(smsc) as esme:
        esme.reads.clear()
        begun = trio.current_time()
        for _ in range(4):
            await esme.submit(submit_sm())
            await trio.sleep(0.04)
        await esme.read_until(lambda: len(esme.answers) == 4)
        assert sizes(esme) == [4 * RESPONSE]
        assert esme.reads[0][0] == pytest.approx(begun + 0.2)


async def test_of_two_rules_for_a_write_the_first_that_holds_counts(autojump_clock: MockClock) -> None:
    smsc = smsc_of(
        '[[wire]]\nwhen = { bind = 2 }\nwrite = { chunk = 5, gap = "1s" }\n'
        '[[wire]]\nwhen = { account = "acme" }\nwrite = { chunk = 20, gap = "1s" }'
    )
    async with bound(smsc) as first, bound(smsc) as second:
        first.reads.clear()
        second.reads.clear()
        await first.submitted(submit_sm())
        await second.submitted(submit_sm())
        assert sizes(first) == [20, 7]
        assert sizes(second) == [5, 5, 5, 5, 5, 2]


async def test_a_rule_holds_only_in_its_period(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[wire]]\nname = "slow"\nwhen = { between = ["1m", "2m"] }\nwrite = { split_at = [2], gap = "1s" }')
    async with bound(smsc) as esme:
        for at in (59, 61, 119, 121):
            await trio.sleep_until(at)
            esme.reads.clear()
            await esme.submitted(submit_sm())
            assert sizes(esme) == ([2, RESPONSE - 2] if 60 <= at < 120 else [RESPONSE])
    assert smsc.statistics().faults == {"slow": 1}


async def test_a_moment_without_a_length_is_one_write(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[wire]]\nwhen = { at = "10s" }\nwrite = { split_at = [2], gap = "1s" }')
    async with bound(smsc) as esme:
        await trio.sleep(11)
        esme.reads.clear()
        await esme.submitted(submit_sm())
        await esme.submitted(submit_sm())
        assert sizes(esme) == [2, RESPONSE - 2, RESPONSE]


async def test_a_rate_picks_writes_and_each_of_them_counts(autojump_clock: MockClock) -> None:
    async def cut() -> tuple[list[bool], int]:
        smsc = smsc_of(
            'seed = 3\n[[wire]]\nname = "cut"\nwhen = { rate = 0.2 }\nwrite = { split_at = [2], gap = "1s" }'
        )
        async with bound(smsc) as esme:
            pieces = []
            for _ in range(100):
                esme.reads.clear()
                await esme.submitted(submit_sm())
                pieces.append(len(esme.reads) == 2)
            return pieces, smsc.statistics().faults["cut"]

    pieces, counted = await cut()
    assert 10 < sum(pieces) < 30
    assert counted - sum(pieces) in (0, 1)  # the answer to the bind is a write too
    assert await cut() == (pieces, counted)


async def test_what_the_budget_has_no_room_for_does_not_happen_and_a_period_that_began_goes_on(
    autojump_clock: MockClock,
) -> None:
    smsc = smsc_of('fault_budget = 1\n[[wire]]\nwhen = { account = "acme" }\nwrite = { split_at = [2], gap = "1s" }')
    async with bound(smsc) as first, bound(smsc) as second:
        for esme, pieces in ((first, 2), (first, 2), (second, 1)):
            esme.reads.clear()
            await esme.submitted(submit_sm())
            assert len(esme.reads) == pieces
    assert smsc.statistics().faults == {"wire 1": 1}


async def test_when_all_is_to_be_quiet_octets_move_as_usual(autojump_clock: MockClock) -> None:
    smsc = smsc_of('quiet_after = "1m"\n[[wire]]\nwhen = { bind = 1 }\nwrite = { split_at = [2], gap = "1s" }')
    async with bound(smsc) as esme:
        await esme.submitted(submit_sm())
        await trio.sleep_until(60)
        esme.reads.clear()
        await esme.submitted(submit_sm())
        assert len(esme.reads) == 1


async def test_the_last_words_leave_slowly_too(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[wire]]\nwhen = { bind = 1 }\nwrite = { chunk = 1, gap = "10ms" }')
    async with bound(smsc) as esme:
        await esme.submit(submit_sm())
        await esme.stream.send_all(esme.session.request(Unbind(), trio.current_time()))
        await esme.closed()
    assert sum(sizes(esme)) == len(encode(BindTransceiverResp(system_id="SIM"))) + 5 + RESPONSE + len(
        encode(UnbindResp())
    )
    assert smsc.statistics().ends == {"unbound": 1}


# --- reading ----------------------------------------------------------------------------------------------------------


async def test_a_slow_reader_takes_no_more_than_its_rate(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[wire]]\nwhen = { after = "1s" }\nread = { bytes_per_second = 400 }')
    async with bound(smsc) as esme:
        await trio.sleep(2)
        await esme.submitted(submit_sm())  # what is read when the period begins was asked for before it
        batch = [submit_sm() for _ in range(100)]
        octets = sum(len(encode(pdu)) for pdu in batch)
        begun = trio.current_time()
        await esme.submitted(*batch)
        assert trio.current_time() - begun == pytest.approx(octets / 400, rel=0.02)
    assert smsc.statistics().faults == {"wire 1": 1}


async def test_a_slow_reader_brings_the_writes_of_the_esme_to_a_stop() -> None:
    scenario = Scenario(listen=Listen(smpp="127.0.0.1:0"), wire=(WireRule(when=ALL, read=Read(bytes_per_second=1e4)),))
    async with trio.open_nursery() as nursery:
        smsc = await nursery.start(Smsc(scenario).run)
        stream = await trio.open_tcp_stream("127.0.0.1", smsc.port)
        stream.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_SNDBUF, 4_096)
        esme = Esme(stream)
        assert await esme.bind() == 0
        with trio.move_on_after(0.3) as patience:
            await stream.send_all(encode(submit_sm("x" * 200, sequence_number=9)) * 10_000)
        assert patience.cancelled_caught
        await trio.aclose_forcefully(stream)
        nursery.cancel_scope.cancel()


# --- faults -----------------------------------------------------------------------------------------------------------


async def test_a_black_hole_begins_with_its_period_and_what_it_held_back_moves_on(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[wire]]\nname = "half-open"\nwhen = { at = "1m" }\nfault = { kind = "blackhole", for = "20s" }')
    async with bound(smsc) as esme:
        await trio.sleep_until(61)
        await esme.submitted(submit_sm())
        assert esme.times_of(SubmitSmResp) == [80]
        async with bound(smsc) as later:
            assert later.times_of(BindTransceiverResp) == [80]
            await later.submitted(submit_sm())
            assert later.times_of(SubmitSmResp) == [80]
    assert smsc.statistics().faults == {"half-open": 1}


@pytest.mark.parametrize("kind", ["close", "reset"])
async def test_all_links_end_at_a_moment_and_those_that_come_later_live(kind: str, autojump_clock: MockClock) -> None:
    smsc = smsc_of(PATIENT + f'[[wire]]\nwhen = {{ at = "1m" }}\nfault = {{ kind = "{kind}" }}')
    async with bound(smsc) as first, linked(smsc) as unbound:
        await first.closed()
        await unbound.closed()
        assert trio.current_time() == 60
        async with bound(smsc) as later:
            await later.submitted(submit_sm())
    assert smsc.statistics().ends[f"fault: {kind}"] == 2
    assert smsc.statistics().faults == {"wire 1": 2}


async def test_in_a_period_each_link_is_hit_as_soon_as_it_is_meant(autojump_clock: MockClock) -> None:
    smsc = smsc_of(PATIENT + '[[wire]]\nwhen = { bind = 2, between = ["1m", "2m"] }\nfault = { kind = "close" }')
    async with bound(smsc) as first:
        async with bound(smsc) as second:
            await second.closed()
            assert trio.current_time() == 60
        async with bound(smsc) as third:
            await third.closed()
            assert trio.current_time() == 60
        await trio.sleep_until(120)
        async with bound(smsc) as fourth:
            await fourth.submitted(submit_sm())
            await first.submitted(submit_sm())
    assert smsc.statistics().faults == {"wire 1": 2}


async def test_a_rate_picks_the_write_behind_which_the_link_ends(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[wire]]\nwhen = { rate = 0.1 }\nfault = { kind = "close" }')
    async with linked(smsc) as esme:
        await esme.bind()
        for _ in range(200):
            if smsc.statistics().ends:
                break
            await esme.submit(submit_sm())
            await esme.read()
    assert smsc.statistics().ends == {"fault: close": 1}
    assert smsc.statistics().faults == {"wire 1": 1}


async def test_garbage_comes_between_whole_pdus(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[wire]]\nwhen = { at = "5s" }\nfault = { kind = "garbage" }')
    async with bound(smsc) as esme:
        await esme.submitted(submit_sm())
        assert bytes(await esme.stream.receive_some()).startswith(b"HTTP/1.1 400")
        assert trio.current_time() == 5


async def test_a_black_hole_holds_back_the_rest_of_a_write(autojump_clock: MockClock) -> None:
    smsc = smsc_of(
        '[[wire]]\nwhen = { bind = 1 }\nwrite = { split_at = [16], gap = "2s" }\n'
        '[[wire]]\nwhen = { at = "1m" }\nfault = { kind = "blackhole", for = "1m" }'
    )
    async with bound(smsc) as esme:
        await trio.sleep_until(59)
        esme.reads.clear()
        await esme.submitted(submit_sm())
        assert [at for at, _ in esme.reads] == [59, 120]


@pytest.mark.parametrize(
    "rule",
    [
        '[[wire]]\nwhen = { at = "5s" }\nfault = { kind = "blackhole" }',
        '[[rule]]\nwhen = { command = "submit_sm", nth = 2 }\nfault = { kind = "blackhole" }',
        '[[wire]]\nwhen = { at = "6s" }\nfault = { kind = "blackhole" }\n'
        '[[wire]]\nwhen = { at = "5s" }\nfault = { kind = "blackhole", for = "30s" }',
    ],
)
async def test_a_black_hole_for_ever_holds_a_link_until_the_esme_gives_it_up(
    rule: str, autojump_clock: MockClock
) -> None:
    smsc = smsc_of(rule)
    async with bound(smsc) as esme:
        await trio.sleep_until(5.5)
        for _ in range(3):
            await esme.submit(submit_sm(), submit_sm())
            await trio.sleep(1_000)
            assert smsc.statistics().binds == 1
    assert smsc.statistics().ends == {"the peer closed the link": 1}
    assert smsc._director.links == {}


async def test_a_reset_is_seen_as_one_through_all_that_is_wrapped_around_the_socket() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    client = await trio.open_tcp_stream(*listeners[0].socket.getsockname())
    server = await listeners[0].accept()
    traced = TracedStream(server, Trace(lambda: 0.0), 1)
    reset(WireStream(traced, Smsc()._carrier, 1))
    assert server.socket.getsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, 8) == struct.pack("ii", 1, 0)
    for each in (client, server, listeners[0]):
        await each.aclose()


async def test_the_trace_says_which_rule_changed_a_write(autojump_clock: MockClock) -> None:
    recent = Recent()
    smsc = smsc_of('[[wire]]\nname = "cut"\nwrite = { split_at = [2] }', trace=(recent,))
    async with bound(smsc):
        pass
    sent = [event for event in recent.events if isinstance(event, Packet) and event.outgoing]
    assert [(packet.remark, len(packet.octets)) for packet in sent] == [("rule 'cut'", 25)]


async def test_a_scenario_without_rules_of_the_wire_leaves_the_stream_as_it_is(autojump_clock: MockClock) -> None:
    smsc = smsc_of("")
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(smsc.serve_stream, theirs)
        await Esme(ours).bind()
        (link,) = smsc._director.links.values()
        assert link.wire is None
        await trio.aclose_forcefully(ours)


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("write = { chunk = 1, split_at = [2] }", "wire[0].write.split_at: chunk cuts already"),
        ('fault = { kind = "close", for = "1s" }', "wire[0].fault.for: is of blackhole only"),
        ("when = { rate = 0.5 }\nread = { bytes_per_second = 1 }", "wire[0].when.rate: is a chance of writes"),
        ('when = { at = "1s" }\nread = { bytes_per_second = 1 }', "wire[0].when.at: is one moment"),
    ],
)
def test_what_cannot_be_is_told_when_the_file_is_read(rule: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem.replace("[", r"\[")):
        load(f"[[wire]]\n{rule}", Scenario)


def test_a_fault_may_stand_beside_a_way_to_write() -> None:
    rule = WireRule(write=Write(chunk=1), fault=WireFault(kind="close"))
    assert list(rule.problems()) == []
