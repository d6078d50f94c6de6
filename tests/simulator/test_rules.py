"""Rules: what a scenario does to certain requests, as the ESME sees it."""

import re
from typing import Any

import pytest
import trio
from esme import bound, linked, submit_sm
from trio.testing import MockClock

from connector.errors import ConfigError
from connector.settings import load
from connector.smpp import tables
from connector.smpp.codec import encode
from connector.smpp.pdu import DestAddress, EnquireLink, QuerySm, SubmitMulti, SubmitMultiResp, SubmitSmResp
from simulator import Smsc
from simulator.scenario import Scenario


def smsc_of(text: str) -> Smsc:
    return Smsc(load(text, Scenario), clock=lambda: 1_700_000_000.0 + trio.current_time())


def to(number: str, text: str = "hello", **fields: Any) -> Any:
    pdu = submit_sm(text, **fields)
    pdu.destination_addr = number
    return pdu


def statuses(answers: list[Any]) -> list[str]:
    return [tables.status_name(answer.command_status) for answer in answers]


BARRED = """
[[rule]]
name = "barred prefix"
when = { command = "submit_sm", to = "^4470" }
reply = "ESME_RINVDSTADR"
"""


async def test_a_rule_refuses_the_numbers_it_names_and_no_others(autojump_clock: MockClock) -> None:
    smsc = smsc_of(BARRED)
    async with bound(smsc) as esme:
        answers = await esme.submitted(to("447012"), to("447112"), to("447099"))
        assert statuses(answers) == ["ESME_RINVDSTADR", "ESME_ROK", "ESME_RINVDSTADR"]
    assert smsc.statistics().rules == {"barred prefix": 2}
    assert smsc.statistics().faults == {}


async def test_the_first_rule_that_matches_wins(autojump_clock: MockClock) -> None:
    smsc = smsc_of(BARRED + '[[rule]]\nwhen = { text = "hell" }\nreply = "ESME_RSYSERR"')
    async with bound(smsc) as esme:
        answers = await esme.submitted(to("447012"), to("447112"), to("447112", "other"))
        assert statuses(answers) == ["ESME_RINVDSTADR", "ESME_RSYSERR", "ESME_ROK"]


@pytest.mark.parametrize(
    ("when", "hit"),
    [
        ("every = 3", [3, 6, 9]),
        ("nth = 4", [4]),
        ("first = 2", [1, 2]),
        ('after = "1h"', []),
        ('account = "acme"', list(range(1, 11))),
        ('account = "other"', []),
        ("bind = 1", list(range(1, 11))),
        ("bind = 2", []),
        ('version = "3.4"', list(range(1, 11))),
        ('version = "5.0"', []),
        ('command = "submit_*"', list(range(1, 11))),
        ('command = "data_sm"', []),
        ('from = "^607"', list(range(1, 11))),
        ('from = "^6078"', []),
    ],
)
@pytest.mark.parametrize("together", [1, 4, 10])
async def test_a_rule_counts_alike_however_requests_arrive(
    when: str, hit: list[int], together: int, autojump_clock: MockClock
) -> None:
    smsc = smsc_of(f'[[rule]]\nwhen = {{ {when} }}\nreply = "ESME_RSYSERR"')
    async with bound(smsc) as esme:
        answers: list[Any] = []
        for start in range(0, 10, together):
            answers += await esme.submitted(*[submit_sm() for _ in range(min(together, 10 - start))])
        assert [n for n, name in enumerate(statuses(answers), 1) if name == "ESME_RSYSERR"] == hit


@pytest.mark.parametrize(
    ("when", "from_s", "to_s"),
    [
        ('between = ["10s", "20s"]', 10, 20),
        ('after = "10s", for = "5s"', 10, 15),
        ('at = "10s", for = "5s"', 10, 15),
        ('after = "30s"', 30, 40),
    ],
)
async def test_a_rule_holds_in_its_time_only(when: str, from_s: int, to_s: int, autojump_clock: MockClock) -> None:
    smsc = smsc_of(f'[[rule]]\nwhen = {{ {when} }}\nreply = "ESME_RSYSERR"')
    async with bound(smsc) as esme:
        hit = []
        for second in range(40):
            await trio.sleep_until(second + 0.5)
            if statuses(await esme.submitted(submit_sm())) == ["ESME_RSYSERR"]:
                hit.append(second)
        assert hit == list(range(from_s, to_s))


async def test_at_a_time_it_happens_once(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[rule]]\nwhen = { at = "10s" }\nreply = "ESME_RSYSERR"')
    async with bound(smsc) as esme:
        await trio.sleep(12)
        answers = await esme.submitted(submit_sm(), submit_sm())
        assert statuses(answers) == ["ESME_RSYSERR", "ESME_ROK"]


async def test_another_rule_does_not_shift_what_a_rule_draws(autojump_clock: MockClock) -> None:
    drawn = '[[rule]]\nname = "drawn"\nwhen = { rate = 0.3 }\nreply = "ESME_RSYSERR"\n'
    other = '[[rule]]\nname = "other"\nwhen = { rate = 0.5, to = "7$" }\nreply = "ESME_RSUBMITFAIL"\n'

    async def hits(text: str) -> list[int]:
        async with bound(smsc_of(text)) as esme:
            names = statuses(await esme.submitted(*[submit_sm() for _ in range(100)]))
        return [n for n, name in enumerate(names) if name == "ESME_RSYSERR"]

    alone = await hits(drawn)
    assert alone == await hits(other + drawn)
    assert 15 < len(alone) < 45


async def test_what_a_rule_refuses_shifts_nothing_of_what_becomes_of_the_others(autojump_clock: MockClock) -> None:
    mix = (
        "[receipt]\nmix = { DELIVRD = 1, UNDELIV = 1 }\n[response]\ndelay = { dist = 'mix', of = [{ value = '1s' }] }\n"
    )

    async def ends(text: str) -> dict[bytes, tuple[str, bytes]]:
        smsc = smsc_of(text)
        async with bound(smsc) as esme:
            await esme.submitted(*[submit_sm(f"{n:03}", registered_delivery=1) for n in range(60)])
        return {entry.octets: (entry.message_id, entry.state.encode()) for entry in smsc.ledger}

    all_, some = await ends(mix), await ends(mix + '[[rule]]\nwhen = { text = "7$" }\nreply = "ESME_RSYSERR"')
    assert len(some) == 54
    assert some == {text: end for text, end in all_.items() if text in some}


async def test_a_limit_refuses_what_comes_too_fast_by_its_key(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[rule]]\nlimit = { per_second = 1, key = "destination_addr" }\nreply = "ESME_RTHROTTLED"')
    async with bound(smsc) as esme:
        assert statuses(await esme.submitted(to("1"), to("1"), to("2"))) == ["ESME_ROK", "ESME_RTHROTTLED", "ESME_ROK"]
        await trio.sleep(1)
        assert statuses(await esme.submitted(to("1"))) == ["ESME_ROK"]


# --- answers that are changed -----------------------------------------------------------------------------------------


async def raw_answer(reply: str) -> bytes:
    """Return the octets with which a submit_sm of sequence_number 7 is answered."""
    smsc = smsc_of(f'[[rule]]\nwhen = {{ command = "submit_sm" }}\nreply = {reply}')
    async with bound(smsc) as esme:
        request = submit_sm()
        request.sequence_number = 7
        await esme.stream.send_all(encode(request))
        return bytes(await esme.stream.receive_some())


OK, ERROR = "00000000", "00000008"


@pytest.mark.parametrize(
    ("reply", "octets"),
    [
        ('"ESME_RSYSERR"', f"00000010 80000004 {ERROR} 00000007"),
        ('{ status = "ESME_RSYSERR", body = "keep" }', f"00000011 80000004 {ERROR} 00000007 00"),
        ('{ body = "drop" }', f"00000010 80000004 {OK} 00000007"),
        ('{ sequence = "+4096" }', f"0000001b 80000004 {OK} 00001007 {b'0000000001'.hex()} 00"),
        ("{ sequence = 0 }", f"0000001b 80000004 {OK} 00000000 {b'0000000001'.hex()} 00"),
        ('{ times = 2, message_id = "A" }', f"00000012 80000004 {OK} 00000007 4100" * 2),
        (
            '{ command = "generic_nack", status = "ESME_RINVCMDLEN", sequence = 0 }',
            "00000010 80000000 00000002 00000000",
        ),
        ('{ message_id = "A", length = "+1" }', f"00000013 80000004 {OK} 00000007 4100"),
        ('{ message_id = "A", tail = "0501" }', f"00000014 80000004 {OK} 00000007 41000501"),
        ("{ command = 0x80000009 }", f"0000001b 80000009 {OK} 00000007 {b'0000000001'.hex()} 00"),
    ],
)
async def test_an_answer_is_wrong_in_the_way_the_rule_says(reply: str, octets: str, autojump_clock: MockClock) -> None:
    assert (await raw_answer(reply)).hex() == octets.replace(" ", "")


async def test_a_delay_holds_one_answer_back_and_no_other(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[rule]]\nwhen = { nth = 1 }\ndelay = "5s"')
    async with bound(smsc) as esme:
        first, second = submit_sm("first"), submit_sm("second")
        await esme.submit(first, second)
        await esme.read_until(lambda: len(esme.answers) == 2)
        assert [answer.token.short_message for answer in esme.answers] == [b"second", b"first"]
        assert esme.times_of(SubmitSmResp) == [0, 5]


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("point", "accepted", "answered"),
    [("before-response", 0, 0), ("after-accept-before-response", 1, 0), ("after-response", 1, 1)],
)
@pytest.mark.parametrize("kind", ["close", "reset"])
async def test_a_link_ends_before_or_after_the_message_was_taken(
    kind: str, point: str, accepted: int, answered: int, autojump_clock: MockClock
) -> None:
    smsc = smsc_of(
        f'[[rule]]\nname = "cut"\nfault = {{ kind = "{kind}", point = "{point}" }}\nwhen = {{ text = "cut" }}'
    )
    async with bound(smsc) as esme:
        await esme.submit(submit_sm("before"), submit_sm("cut"), submit_sm("behind"))
        await esme.closed()
        assert len(esme.received(SubmitSmResp)) == 1 + answered
    numbers = smsc.statistics()
    assert numbers.accepted == 1 + accepted
    assert numbers.ends == {f"fault: {kind}": 1}
    assert numbers.faults == {"cut": 1}


async def test_a_request_that_is_never_answered_is_not_taken(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[rule]]\nwhen = { nth = 2 }\nfault = { kind = "no-response" }')
    async with bound(smsc) as esme:
        await esme.submit(submit_sm("1"), submit_sm("2"), submit_sm("3"))
        await esme.read_until(lambda: len(esme.answers) == 2)
        assert [answer.token.short_message for answer in esme.answers] == [b"1", b"3"]
    assert smsc.statistics().accepted == 2


async def test_a_black_hole_keeps_the_link_up_and_moves_nothing_for_its_time(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[rule]]\nwhen = { nth = 1 }\nfault = { kind = "blackhole", for = "30s" }')
    async with bound(smsc) as esme:
        await esme.submit(submit_sm("1"))
        await esme.submit(submit_sm("2"))
        await esme.read_until(lambda: esme.answers)
        assert esme.times_of(SubmitSmResp) == [30]
        assert esme.answers[0].token.short_message == b"2"


async def test_half_an_answer_and_then_the_end(autojump_clock: MockClock) -> None:
    smsc = smsc_of(
        '[[rule]]\nfault = { kind = "truncate", point = "after-response" }\nwhen = { command = "submit_sm" }'
    )
    async with bound(smsc) as esme:
        await esme.submit(submit_sm())
        await esme.closed()
        assert sum(len(data) for _, data in esme.reads[1:]) == 13


async def test_garbage_comes_where_an_answer_was_due(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[rule]]\nfault = { kind = "garbage" }\nwhen = { command = "submit_sm" }')
    async with bound(smsc) as esme:
        await esme.stream.send_all(encode(submit_sm(sequence_number=2)))
        assert bytes(await esme.stream.receive_some()).startswith(b"HTTP/1.1 400")


async def test_the_carrier_asks_to_unbind_behind_an_answer(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[rule]]\nfault = { kind = "unbind", point = "after-response" }\nwhen = { command = "submit_sm" }')
    async with bound(smsc) as esme:
        await esme.submit(submit_sm())
        await esme.closed()
        assert len(esme.answers) == 1
    assert smsc.statistics().ends == {"sent away": 1}


async def test_deaf_to_enquire_link_for_a_while(autojump_clock: MockClock) -> None:
    smsc = smsc_of(
        '[[rule]]\nwhen = { command = "enquire_link", after = "10s", for = "20s" }\nfault = { kind = "no-response" }'
    )
    async with bound(smsc) as esme:
        heard = []
        for second in (5, 15, 25, 35):
            await trio.sleep_until(second)
            await esme.stream.send_all(encode(EnquireLink(sequence_number=second)))
            with trio.move_on_after(1):
                await esme.stream.receive_some()
                heard.append(second)
        assert heard == [5, 35]


async def test_binds_are_refused_twice_and_then_slow(autojump_clock: MockClock) -> None:
    smsc = smsc_of(
        '[[rule]]\nwhen = { command = "bind_*", first = 2 }\nreply = "ESME_RSYSERR"\n'
        '[[rule]]\nwhen = { command = "bind_*", nth = 3 }\ndelay = "5s"\n'
    )
    for status, at in ((8, 0.0), (8, 0.0), (0, 5.0)):
        async with linked(smsc) as esme:
            assert await esme.bind() == status
            assert trio.current_time() == at
            if not status:
                assert statuses(await esme.submitted(submit_sm())) == ["ESME_ROK"]


async def test_no_fault_happens_beyond_the_budget(autojump_clock: MockClock) -> None:
    smsc = smsc_of('fault_budget = 3\n[[rule]]\nname = "silent"\nfault = { kind = "no-response" }\n')
    async with bound(smsc) as esme:
        await esme.submit(*[submit_sm() for _ in range(10)])
        await esme.read_until(lambda: len(esme.answers) == 7)
    assert smsc.statistics().faults == {"silent": 3}


async def test_faults_end_when_it_is_to_be_quiet_and_refusals_do_not(autojump_clock: MockClock) -> None:
    smsc = smsc_of('quiet_after = "10s"\n[[rule]]\nwhen = { text = "late" }\nreply = { sequence = "+1" }\n' + BARRED)
    async with bound(smsc) as esme:
        await trio.sleep(10)
        answers = await esme.submitted(to("447112", "late"), to("447012"))
        assert statuses(answers) == ["ESME_ROK", "ESME_RINVDSTADR"]


# --- limits with teeth ------------------------------------------------------------------------------------------------


async def test_the_queue_fills_and_drains(autojump_clock: MockClock) -> None:
    smsc = smsc_of("[queue]\ncapacity = 5\ndrain = { per_second = 2 }")
    async with bound(smsc) as esme:
        answers = await esme.submitted(*[submit_sm() for _ in range(7)])
        assert statuses(answers) == ["ESME_ROK"] * 5 + ["ESME_RMSGQFUL"] * 2
        await trio.sleep(1)
        answers = await esme.submitted(*[submit_sm() for _ in range(4)])
        assert statuses(answers) == ["ESME_ROK"] * 2 + ["ESME_RMSGQFUL"] * 2


async def test_a_receipt_waits_for_its_message_to_leave_the_queue(autojump_clock: MockClock) -> None:
    smsc = smsc_of("[queue]\ncapacity = 100\ndrain = { per_second = 2 }\n[receipt]\ndelay = '10s'")
    async with bound(smsc) as esme:
        await esme.submit(*[submit_sm(registered_delivery=1) for _ in range(4)])
        await esme.delivered(4)
        assert [at for at, pdu in esme.pdus if pdu.command == "deliver_sm"] == [10.5, 11.0, 11.5, 12.0]


PENALTY = """
[limits]
rate = { per_second = 1 }
penalty = { after = 5, within = "10s", action = "%s", refuse_for = "30s" }
[[account]]
system_id = "acme"
password = "secret"
"""


@pytest.mark.parametrize(("action", "end"), [("unbind", "sent away"), ("drop", "penalty")])
async def test_who_does_not_heed_the_limits_is_sent_away_for_a_while(
    action: str, end: str, autojump_clock: MockClock
) -> None:
    smsc = smsc_of(PENALTY % action)
    async with bound(smsc) as esme:
        await esme.submit(*[submit_sm() for _ in range(6)])
        await esme.closed()
    assert smsc.statistics().ends == {end: 1}
    assert smsc.statistics().penalties == 1
    async with linked(smsc) as esme:
        assert tables.status_name(await esme.bind()) == "ESME_RBINDFAIL"
    await trio.sleep_until(31)
    async with linked(smsc) as esme:
        assert await esme.bind() == 0


async def test_a_few_refusals_are_no_offence(autojump_clock: MockClock) -> None:
    smsc = smsc_of(PENALTY % "unbind")
    async with bound(smsc) as esme:
        for second in range(0, 60, 10):
            await trio.sleep_until(second)
            await esme.submitted(*[submit_sm() for _ in range(4)])
    assert smsc.statistics().penalties == 0


async def test_congestion_is_told_to_sessions_that_know_it(autojump_clock: MockClock) -> None:
    smsc = smsc_of("[carrier]\ncongestion = true\n[queue]\ncapacity = 10\ndrain = { per_second = 1 }")
    async with bound(smsc, interface_version=0x50) as esme:
        await esme.submitted(*[submit_sm() for _ in range(5)])
        assert esme.received(SubmitSmResp)[0].tlv_value("congestion_state") == 50
    async with bound(smsc, interface_version=0x34) as esme:
        await esme.submitted(submit_sm())
        assert esme.received(SubmitSmResp)[0].tlvs == ()


@pytest.mark.parametrize(
    ("text", "refused", "state"),
    [
        ("[queue]\ncapacity = 2\ndrain = { per_second = 1 }", "ESME_RMSGQFUL", 100),
        ("[limits]\nrate = { per_second = 1, burst = 2 }", "ESME_RTHROTTLED", 100),
        ("[limits]\nrate = { per_second = 1, burst = 2, scope = 'sender' }", "ESME_RTHROTTLED", 100),
        ("[limits]\nwindow = 2", "ESME_RTHROTTLED", 0),
        ("[queue]\ncapacity = 4\ndrain = { per_second = 1 }\n" + BARRED, "ESME_RINVDSTADR", 50),
    ],
)
async def test_congestion_is_told_in_refusals_too(
    text: str, refused: str, state: int, autojump_clock: MockClock
) -> None:
    smsc = smsc_of(f"[carrier]\ncongestion = true\n{text}")
    for version in (0x50, 0x34):
        async with bound(smsc, interface_version=version) as esme:
            await esme.submitted(to("1"), to("1"), to("4470"))
            [no] = [pdu for pdu in esme.received(SubmitSmResp) if pdu.command_status]
            assert tables.status_name(no.command_status) == refused
            assert no.tlv_value("congestion_state") == (state if version == 0x50 else None)
            assert len(no.tlvs) == (version == 0x50)
        await trio.sleep(60)


async def test_congestion_is_told_though_all_of_a_submit_multi_are_refused(autojump_clock: MockClock) -> None:
    smsc = smsc_of("[carrier]\ncongestion = true\n[queue]\ncapacity = 1\ndrain = { per_second = 1 }")
    async with bound(smsc, interface_version=0x50) as esme:
        await esme.submitted(submit_sm())
        await esme.submitted(SubmitMulti(dest_addresses=(DestAddress(destination_addr="4471"),)))
        [answer] = esme.received(SubmitMultiResp)
        assert (tables.status_name(answer.command_status), answer.tlv_value("congestion_state")) == (
            "ESME_RMSGQFUL",
            100,
        )


async def test_some_carriers_send_a_body_with_an_error(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[carrier]\nerror_body = "keep"\n' + BARRED)
    async with bound(smsc) as esme:
        await esme.submitted(to("447012"))
        (response,) = esme.received(SubmitSmResp)
        assert not response.body_omitted


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[rule]]\nname = 'x'", "1: rule[0]: does nothing"),
        (
            "[[rule]]\nreply = 'ESME_RTHROTLED'",
            'rule[0].reply.status: "ESME_RTHROTLED" is no command_status, did you mean',
        ),
        ("[[rule]]\nwhen = { comand = 'x' }\nreply = 1", 'when.comand: is not known here, did you mean "command"?'),
        ("[[rule]]\nwhen = { command = 'submit' }\nreply = 1", '"submit" is no command, did you mean "submit_sm"?'),
        (
            "[[rule]]\nreply = { command = 'enquire_lnk' }",
            'reply.command: "enquire_lnk" is no command, did you mean "enquire_link"?',
        ),
        ("[[rule]]\nwhen = { to = '(' }\nreply = 1", '"(" is no regular expression'),
        ("[[rule]]\nwhen = { every = 2, nth = 3 }\nreply = 1", "only one of every, nth and first can be"),
        ("[[rule]]\nwhen = { between = ['3m', '2m'] }\nreply = 1", "must be two times, the earlier one first"),
        ("[[rule]]\nreply = { sequence = 'x' }", "reply.sequence: must be a number"),
        ("[[rule]]\nlimit = { per_second = 1 }", "rule[0].limit: needs a reply or a fault"),
        ("[[rule]]\nfault = { kind = 'close', for = '1s' }", "fault.for: is of blackhole only"),
    ],
)
def test_a_rule_that_cannot_be_played_is_told_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        load(text, Scenario)


# --- what is behind a fault -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
async def test_what_is_behind_the_end_of_a_link_was_never_read(together: bool, autojump_clock: MockClock) -> None:
    smsc = smsc_of(
        '[[rule]]\nname = "cut"\nwhen = { every = 2 }\nfault = { kind = "close" }\n'
        '[[rule]]\nname = "fifth"\nwhen = { nth = 5 }\nreply = "ESME_RSYSERR"\n'
    )
    for _ in range(4):
        async with bound(smsc) as esme:
            for pdus in [[submit_sm() for _ in range(3)]] if together else [[submit_sm()], [submit_sm()]]:
                await esme.submit(*pdus)
                await trio.sleep(0.01)
            await esme.closed()
    numbers = smsc.statistics()
    assert numbers.faults == {"cut": 4}
    assert numbers.rules == {"cut": 4, "fifth": 1}
    assert numbers.submits == {"ESME_ROK": 3, "ESME_RSYSERR": 1}


@pytest.mark.parametrize("fault", ['{ kind = "blackhole", for = "5s" }', '{ kind = "garbage" }'])
async def test_a_fault_that_does_not_end_the_link_loses_nothing_behind_it(
    fault: str, autojump_clock: MockClock
) -> None:
    smsc = smsc_of(f"[[rule]]\nwhen = {{ nth = 1 }}\nfault = {fault}")
    async with bound(smsc) as esme:
        await esme.submit(*[submit_sm() for _ in range(3)])
        await trio.sleep(10)
    assert smsc.statistics().accepted == 2


async def test_a_delayed_fault_ends_the_link_only_then(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[rule]]\nwhen = { nth = 1 }\ndelay = "5s"\nfault = { kind = "close" }')
    async with bound(smsc) as esme:
        await esme.submit(*[submit_sm() for _ in range(3)])
        await esme.closed()
        assert len(esme.received(SubmitSmResp)) == 2
        assert trio.current_time() == 5


async def test_requests_of_one_read_are_taken_in_their_order(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[[rule]]\nwhen = { command = "query_sm" }\nfault = { kind = "close" }')
    async with bound(smsc) as esme:
        await esme.submit(submit_sm(), QuerySm(message_id="1"), submit_sm(), submit_sm())
        await esme.closed()
    assert smsc.statistics().accepted == 1


async def test_a_rule_that_lets_a_message_pass_does_not_carry_it_past_the_limits(autojump_clock: MockClock) -> None:
    smsc = smsc_of(
        "[queue]\ncapacity = 2\ndrain = { per_second = 0.001 }\n"
        '[[rule]]\nwhen = { text = "hello" }\nreceipt = "UNDELIV"\n'
    )
    async with bound(smsc) as esme:
        answers = await esme.submitted(*[submit_sm() for _ in range(5)])
        assert statuses(answers) == ["ESME_ROK"] * 2 + ["ESME_RMSGQFUL"] * 3


async def test_a_rule_in_the_midst_leaves_the_window_as_it_is(autojump_clock: MockClock) -> None:
    smsc = smsc_of('[limits]\nwindow = 2\n[[rule]]\nwhen = { nth = 3 }\nreply = "ESME_RSYSERR"')
    async with bound(smsc) as esme:
        answers = await esme.submitted(*[submit_sm() for _ in range(6)])
        assert statuses(answers) == ["ESME_ROK"] * 2 + ["ESME_RSYSERR"] + ["ESME_RTHROTTLED"] * 3


async def test_the_limit_of_a_rule_counts_what_earlier_rules_decide(autojump_clock: MockClock) -> None:
    limited = '[[rule]]\nlimit = { per_second = 1, burst = 3 }\nreply = "ESME_RTHROTTLED"\n'
    earlier = '[[rule]]\nwhen = { first = 2 }\nreply = "ESME_RSYSERR"\n'
    hits = []
    for text in (limited, earlier + limited):
        async with bound(smsc_of(text)) as esme:
            names = statuses(await esme.submitted(*[submit_sm() for _ in range(6)]))
            hits.append([n for n, name in enumerate(names) if name == "ESME_RTHROTTLED"])
    assert hits == [[3, 4, 5], [3, 4, 5]]


async def test_rules_that_stay_go_on_counting_when_others_change(autojump_clock: MockClock) -> None:
    kept = '[[rule]]\nname = "kept"\nwhen = { nth = 5 }\nreply = "ESME_RSYSERR"\n'
    smsc = smsc_of(kept)
    async with bound(smsc) as esme:
        await esme.submitted(*[submit_sm() for _ in range(3)])
        smsc.change(load(kept + BARRED, Scenario))
        assert statuses(await esme.submitted(submit_sm(), submit_sm())) == ["ESME_ROK", "ESME_RSYSERR"]


async def test_another_rate_is_no_gift_of_a_full_bucket(autojump_clock: MockClock) -> None:
    text = "[limits]\nrate = {{ per_second = {}, burst = 10 }}"
    smsc = smsc_of(text.format(1))
    async with bound(smsc) as esme:
        await esme.submitted(*[submit_sm() for _ in range(10)])
        smsc.change(load(text.format(2), Scenario))
        assert statuses(await esme.submitted(submit_sm())) == ["ESME_RTHROTTLED"]


# --- leaving and holes ------------------------------------------------------------------------------------------------


async def test_who_is_asked_to_leave_is_asked_once_and_sent_nothing_more(autojump_clock: MockClock) -> None:
    smsc = smsc_of(
        '[receipt]\ndelay = "0s"\n'
        '[[rule]]\nwhen = { command = "submit_sm" }\nfault = { kind = "unbind", point = "after-response" }\n'
    )
    async with bound(smsc) as esme:
        await esme.submit(*[submit_sm(registered_delivery=1) for _ in range(3)])
        await esme.closed()
        assert len(esme.answers) == 3
    assert smsc.statistics().ends == {"sent away": 1}
    async with bound(smsc) as esme:
        assert len(await esme.delivered(3)) == 3


@pytest.mark.parametrize("for_", ["", ', for = "10m"'])
async def test_what_a_black_hole_swallowed_is_offered_on_another_bind(for_: str, autojump_clock: MockClock) -> None:
    smsc = smsc_of(f'[[rule]]\nwhen = {{ text = "hole" }}\nfault = {{ kind = "blackhole"{for_} }}')
    async with bound(smsc) as held, bound(smsc) as other:
        await held.submit(submit_sm("hole"))
        await trio.sleep(1)
        await other.submit(*[submit_sm(registered_delivery=1) for _ in range(10)])
        await other.delivered(10)
        assert trio.current_time() < 60
    assert smsc.statistics().deliveries_unanswered > 0


@pytest.mark.parametrize("seed", range(5))
async def test_a_hole_longer_than_the_inactivity_timer_does_not_end_the_link(
    seed: int, autojump_clock: MockClock
) -> None:
    smsc = smsc_of(f'seed = {seed}\n[[rule]]\nwhen = {{ nth = 1 }}\nfault = {{ kind = "blackhole", for = "3m" }}')
    async with bound(smsc) as esme:
        await esme.submit(submit_sm())
        await trio.sleep_until(181)
        assert statuses(await esme.submitted(submit_sm())) == ["ESME_ROK"]


# --- answers and receipts that never come -----------------------------------------------------------------------------

SILENT_RULE = '[[rule]]\nname = "silent"\ndelay = { never = true }\n'
SILENT_TABLE = "[response]\ndelay = { never = true }\n"
MOSTLY_SILENT = '[response]\ndelay = { dist = "mix", of = [{ weight = 9, never = true }, { value = "2s" }] }\n'


@pytest.mark.parametrize(
    ("text", "name"), [(SILENT_RULE, "silent"), (SILENT_TABLE, "response.delay"), (MOSTLY_SILENT, "response.delay")]
)
async def test_answers_that_never_come_are_faults_of_the_budget(
    text: str, name: str, autojump_clock: MockClock
) -> None:
    smsc = smsc_of("fault_budget = 3\n" + text)
    async with bound(smsc) as esme:
        await esme.submit(*[submit_sm() for _ in range(10)])
        await esme.read_until(lambda: len(esme.answers) == 7)
        assert trio.current_time() in (0, 2)
    assert smsc.statistics().faults == {name: 3}


@pytest.mark.parametrize("text", [SILENT_RULE, SILENT_TABLE, MOSTLY_SILENT])
async def test_answers_come_when_it_is_to_be_quiet(text: str, autojump_clock: MockClock) -> None:
    smsc = smsc_of('quiet_after = "10s"\n' + text)
    async with bound(smsc) as esme:
        await trio.sleep(10)
        assert statuses(await esme.submitted(submit_sm(), submit_sm())) == ["ESME_ROK"] * 2
    assert smsc.statistics().faults == {}


async def test_a_rule_may_be_deaf_to_what_is_no_message(autojump_clock: MockClock) -> None:
    smsc = smsc_of('fault_budget = 1\n[[rule]]\nwhen = { command = "enquire_link" }\ndelay = { never = true }')
    async with bound(smsc) as esme:
        for sequence_number in (500, 501):
            await esme.stream.send_all(encode(EnquireLink(sequence_number=sequence_number)))
        with trio.move_on_after(5):
            await esme.read()
        assert b"".join(octets for _, octets in esme.reads).endswith(b"\x80\0\0\x15\0\0\0\0" + (501).to_bytes(4, "big"))
    assert smsc.statistics().faults == {"rule 1": 1}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[receipt]\nmissing = 1.0\ndelay = '1s'", "receipt.missing"),
        ("[receipt]\ndelay = { never = true }", "receipt.delay"),
        ("[receipt]\ndelay = { dist='mix', of = [{ weight = 1e9, never = true }, { value='9s' }] }", "receipt.delay"),
        ("[[rule]]\nname = 'none'\nreceipt = { missing = true }", "none"),
        ("[[rule]]\nname = 'none'\nreceipt = { delay = { never = true } }", "none"),
    ],
)  # fmt: skip
async def test_receipts_that_never_come_are_faults_of_the_budget(
    text: str, name: str, autojump_clock: MockClock
) -> None:
    smsc = smsc_of(f"fault_budget = 3\n{text}")
    async with bound(smsc) as esme:
        await esme.submit(*[submit_sm(registered_delivery=n % 2) for n in range(10)])
        await esme.delivered(2)
    numbers = smsc.statistics()
    assert (numbers.faults, numbers.receipts_missing, numbers.receipts_sent) == ({name: 3}, 3, 2)


async def test_a_rule_that_does_two_things_wrong_to_a_message_does_one_fault(autojump_clock: MockClock) -> None:
    smsc = smsc_of("[[rule]]\nname = 'odd'\nreply = { times = 2 }\nreceipt = { missing = true }")
    async with bound(smsc) as esme:
        await esme.submitted(submit_sm(registered_delivery=1))
    assert (smsc.statistics().faults, smsc.statistics().receipts_missing) == ({"odd": 1}, 1)


# --- rules without a name ---------------------------------------------------------------------------------------------


async def test_a_rule_without_a_name_draws_alike_wherever_it_stands(autojump_clock: MockClock) -> None:
    drawn = '[[rule]]\nwhen = { rate = 0.3 }\nreply = "ESME_RSYSERR"\n'
    other = '[[rule]]\nwhen = { rate = 0.5, to = "^000" }\nreply = "ESME_RSUBMITFAIL"\n'
    hit = []
    for text in (drawn, other + drawn, drawn + other):
        async with bound(smsc_of(text)) as esme:
            hit.append(statuses(await esme.submitted(*[submit_sm() for _ in range(100)])))
    assert hit[0] == hit[1] == hit[2]
    assert 15 < hit[0].count("ESME_RSYSERR") < 45


async def test_a_rule_without_a_name_goes_on_counting_when_its_place_changes(autojump_clock: MockClock) -> None:
    counted = '[[rule]]\nwhen = { nth = 3 }\nreply = "ESME_RSYSERR"\n'
    smsc = smsc_of(counted)
    async with bound(smsc) as esme:
        await esme.submitted(submit_sm(), submit_sm())
        smsc.change(load(BARRED + counted, Scenario))
        assert statuses(await esme.submitted(submit_sm())) == ["ESME_RSYSERR"]
    assert smsc.statistics().rules == {"rule 2": 1}
