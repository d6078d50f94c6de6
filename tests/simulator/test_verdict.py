"""The verdict: which messages were lost, doubled or unanswered, and which of them a fault explains."""

import gc

import pytest
import trio
import trio.lowlevel
from esme import Esme, bound, linked, submit_sm
from trio.testing import MockClock

from connector.settings import load
from connector.smpp.pdu import EnquireLink, SubmitSm
from simulator import Smsc
from simulator.judge.excuses import Link, Taken
from simulator.judge.verdict import SHOWN, Book
from simulator.judge.ways import Ways
from simulator.link.peer import Peer
from simulator.scenario import Scenario

EPOCH = 1_700_000_000.0


def judged(text: str = "", *, remembered: int = 1_000, numbered: int = 0) -> tuple[Smsc, Book]:
    scenario = load(text, Scenario)

    def peer_of(number: int) -> Peer | None:
        linked = smsc._director.links.get(number)
        return None if linked is None else linked.peer

    book = Book(EPOCH, remembered=remembered, numbered=numbered, ways=Ways(scenario, peer_of))
    smsc = Smsc(scenario, clock=lambda: EPOCH + trio.current_time(), trace=(book,))
    smsc.ledger.watcher, smsc._carrier.on_remark = book.take, book.blame
    smsc._carrier.intake.on_refusal = book.refused
    return smsc, book


def rule(what: str, when: str = "nth = 1") -> str:
    return f'[[rule]]\nname = "odd"\nwhen = {{ command = "submit_sm", {when} }}\n{what}\n'


async def submitted_unheard(smsc: Smsc, *pdus: SubmitSm) -> None:
    """Submit on a link of its own that the carrier ends."""
    async with bound(smsc) as esme:
        await esme.submit(*pdus)
        await esme.closed()


async def submitted(smsc: Smsc, *pdus: SubmitSm) -> None:
    async with bound(smsc) as esme:
        await esme.submitted(*pdus)


async def test_messages_that_differ_are_no_doubles(autojump_clock: MockClock) -> None:
    smsc, book = judged()
    other = submit_sm("hello")
    other.destination_addr = "447911000000"
    await submitted(smsc, submit_sm("hello"), submit_sm("hello!"), other)
    verdict = book.verdict()
    assert (verdict.accepted, verdict.duplicated, verdict.unanswered, verdict.excused) == (3, 0, 0, 0)
    assert verdict.clean
    assert verdict.items == ()


async def test_the_same_accepted_again_after_its_answer_is_a_double(autojump_clock: MockClock) -> None:
    smsc, book = judged()
    await submitted(smsc, submit_sm("one"), submit_sm("two"))
    await trio.sleep(7)
    await submitted(smsc, submit_sm("two"))
    verdict = book.verdict()
    assert (verdict.accepted, verdict.duplicated, verdict.excused) == (3, 1, 0)
    [item] = verdict.items
    assert (item.kind, item.of, item.id, item.excuse) == ("doubled", "0000000002", "0000000003", "")
    assert item.at_s == pytest.approx(7, abs=0.01)
    assert not verdict.clean


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ('{ kind = "close", point = "after-accept-before-response" }', "fault: close"),
        ('{ kind = "reset", point = "after-accept-before-response" }', "fault: reset"),
        ('{ kind = "truncate", point = "after-response" }', "fault: truncate"),
        ('{ kind = "unbind", point = "after-accept-before-response" }', "the carrier asked to unbind"),
        ('{ kind = "close", point = "after-response" }', "behind it"),
    ],
)
async def test_a_double_is_excused_when_a_fault_ended_the_link_of_the_first(
    fault: str, reason: str, autojump_clock: MockClock
) -> None:
    smsc, book = judged(rule(f"fault = {fault}"))
    await submitted_unheard(smsc, submit_sm("one"))
    await submitted(smsc, submit_sm("one"))
    verdict = book.verdict()
    assert (verdict.accepted, verdict.duplicated) == (2, 0)
    double = next(item for item in verdict.items if item.kind == "doubled")
    assert reason in double.excuse


async def test_a_link_that_lives_on_for_more_than_a_second_has_brought_the_answer(autojump_clock: MockClock) -> None:
    smsc, book = judged()
    async with bound(smsc) as esme:
        await esme.submitted(submit_sm("one"))
        await trio.sleep(1.5)
        smsc.drop_links()
        await trio.lowlevel.checkpoint()
    await submitted(smsc, submit_sm("one"))
    assert book.verdict().duplicated == 1


@pytest.mark.parametrize(
    "what",
    [
        'fault = { kind = "no-response", point = "after-accept-before-response" }',
        'fault = { kind = "blackhole", point = "after-accept-before-response", for = "5s" }',
        'fault = { kind = "blackhole", point = "after-response", for = "5s" }',
        'fault = { kind = "garbage", point = "after-accept-before-response" }',
        'reply = { status = "ESME_ROK", sequence = "+4096" }',
        'reply = { status = "ESME_ROK", command = "generic_nack" }',
        "delay = { never = true }",
    ],
)
async def test_a_double_is_excused_when_nothing_told_of_the_first(what: str, autojump_clock: MockClock) -> None:
    smsc, book = judged(rule(what))
    async with bound(smsc) as esme:
        await esme.submit(submit_sm("one"))
        await trio.sleep(2)
    await submitted(smsc, submit_sm("one"))
    verdict = book.verdict()
    assert (verdict.accepted, verdict.duplicated, verdict.unanswered) == (2, 0, 0)
    assert verdict.items[0].kind == "doubled"
    assert verdict.items[0].excuse


async def test_an_answer_that_comes_twice_is_an_answer(autojump_clock: MockClock) -> None:
    smsc, book = judged(rule('reply = { status = "ESME_ROK", times = 2 }'))
    await submitted(smsc, submit_sm("one"))
    await submitted(smsc, submit_sm("one"))
    assert (book.verdict().duplicated, book.verdict().accept_without_response) == (1, 0)


async def test_who_leaves_before_the_answer_leaves_a_message_unanswered(autojump_clock: MockClock) -> None:
    smsc, book = judged('[response]\ndelay = "5s"')
    async with bound(smsc) as esme:
        await esme.submit(submit_sm("one"))
        await trio.sleep(1)
    await trio.sleep(1)
    verdict = book.verdict()
    assert (verdict.unanswered, verdict.excused, verdict.accept_without_response) == (1, 0, 0)
    await submitted(smsc, submit_sm("one"))
    again = book.verdict()
    assert (again.duplicated, again.unanswered, again.excused) == (0, 1, 1)
    assert "ended before its answer: the peer closed the link" in again.items[0].excuse


async def test_who_does_not_wait_for_a_late_answer_makes_a_double(autojump_clock: MockClock) -> None:
    smsc, book = judged('[response]\ndelay = "5s"')
    async with bound(smsc) as first:
        await first.submit(submit_sm("one"))
        await trio.sleep(1)
        await submitted(smsc, submit_sm("one"))
        await trio.sleep(10)
    assert book.verdict().duplicated == 1


async def test_one_answer_that_was_heard_makes_all_that_follow_doubles(autojump_clock: MockClock) -> None:
    silent = 'fault = { kind = "no-response", point = "after-accept-before-response" }'
    smsc, book = judged(rule(silent, "nth = 2"))
    async with bound(smsc) as esme:
        for _ in range(3):
            await esme.submit(submit_sm("one"))
            await trio.sleep(1)
    verdict = book.verdict()
    assert (verdict.accepted, verdict.duplicated) == (3, 2)


async def test_a_time_leaves_out_what_was_accepted_before_it(autojump_clock: MockClock) -> None:
    smsc, book = judged()
    await submitted(smsc, submit_sm("one"), submit_sm("two"))
    await submitted(smsc, submit_sm("one"))
    await trio.sleep(10)
    await submitted(smsc, submit_sm("two"))
    assert (book.verdict().duplicated, book.verdict(after_s=5).duplicated, book.verdict(after_s=15).duplicated) == (
        2,
        1,
        0,
    )


async def test_doubles_further_apart_than_what_is_remembered_are_told_to_be_unknown(autojump_clock: MockClock) -> None:
    smsc, book = judged(remembered=10)
    for start in range(0, 30, 5):
        await submitted(smsc, *(submit_sm(f"text {number}") for number in range(start, start + 5)))
    assert book.verdict().forgotten > 0
    assert book.verdict().accepted == 30


async def test_a_verdict_lists_a_bounded_number_and_counts_them_all(autojump_clock: MockClock) -> None:
    smsc, book = judged()
    many = [submit_sm(f"text {number}") for number in range(SHOWN + 20)]
    await submitted(smsc, *many)
    await submitted(smsc, *many)
    assert book.verdict().duplicated == SHOWN + 20
    assert len(book.verdict().items) == SHOWN
    await trio.sleep(5)
    await submitted(smsc, *many[:1])  # by now those before are settled
    assert book.verdict().duplicated == SHOWN + 21
    assert len(book.verdict().items) == SHOWN


async def test_a_numbered_message_that_never_came_is_lost(autojump_clock: MockClock) -> None:
    smsc, book = judged(rule('fault = { kind = "no-response" }', 'text = "^#3 "'), numbered=5)
    smsc.set_judge(book.come)
    async with bound(smsc) as esme:
        await esme.submit(*(submit_sm(f"#{number} hello") for number in (1, 3)), submit_sm("#77777777777 hello"))
        await trio.sleep(1)
    verdict = book.verdict(expected=[1, 2, 3])
    assert (verdict.lost, verdict.not_accepted) == (1, 1)
    assert [(item.kind, item.id) for item in verdict.items] == [("lost", "#2"), ("not accepted", "#3")]
    assert book.verdict().lost is None


async def test_a_numbered_message_that_was_refused_and_never_accepted_leaves_no_clean_verdict(
    autojump_clock: MockClock,
) -> None:
    smsc, book = judged(rule('reply = "ESME_RTHROTTLED"', 'text = "^#[12] ", first = 2'), numbered=3)
    smsc.set_judge(book.come)
    pdus = [submit_sm(f"#{number} hello") for number in (1, 2, 3)]
    async with bound(smsc) as esme:
        await esme.submit(*pdus)
        await trio.sleep(1)
    verdict = book.verdict(expected=[1, 2, 3])
    assert (verdict.lost, verdict.not_accepted, verdict.clean) == (0, 2, False)
    assert [(item.kind, item.id, item.excuse) for item in verdict.items] == [
        ("not accepted", "#1", ""),
        ("not accepted", "#2", ""),
    ]
    await submitted(smsc, *pdus[:2])
    again = book.verdict(expected=[1, 2, 3])
    assert (again.not_accepted, again.clean) == (0, True)


async def test_an_answer_that_is_not_due_yet_is_waited_for_and_explains_nothing(autojump_clock: MockClock) -> None:
    smsc, book = judged('[response]\ndelay = "5s"')
    async with bound(smsc) as esme:
        await esme.submit(submit_sm("one"))
        await trio.sleep(1)
        await esme.submit(submit_sm("one"))
        await trio.sleep(1)
        verdict = book.verdict(now_s=trio.current_time())
        late = book.verdict(now_s=trio.current_time() + 10)
    assert (verdict.unanswered, verdict.excused, verdict.accept_without_response) == (0, 0, 0)
    assert [(item.kind, item.excuse) for item in verdict.items] == [("doubled", "")]
    assert late.accept_without_response == 2  # had they been due, and nothing come, it would have been a fault


# --- which fault it was


@pytest.mark.parametrize(
    "what",
    [
        'fault = { kind = "close", point = "after-accept-before-response" }',
        'fault = { kind = "reset", point = "after-response" }',
        'fault = { kind = "unbind", point = "after-accept-before-response" }',
        'fault = { kind = "truncate", point = "after-response" }',
        'fault = { kind = "no-response", point = "after-accept-before-response" }',
        'fault = { kind = "blackhole", point = "after-accept-before-response" }',
        'fault = { kind = "blackhole", point = "after-response", for = "5s" }',
        'fault = { kind = "garbage", point = "after-accept-before-response" }',
        'reply = { status = "ESME_ROK", sequence = "+4096" }',
        "delay = { never = true }",
    ],
)
async def test_what_a_rule_explains_is_told_with_its_name(what: str, autojump_clock: MockClock) -> None:
    smsc, book = judged(rule(what))
    async with bound(smsc) as esme:
        await esme.submit(submit_sm("one"))
        await trio.sleep(2)
        await submitted(smsc, submit_sm("one"))
        await trio.sleep(10)
    verdict = book.verdict()
    assert (verdict.duplicated, verdict.unanswered) == (0, 0)
    assert dict(verdict.excused_by) == {"odd": verdict.excused}
    assert {item.fault for item in verdict.items} == {"odd"}


async def test_a_link_that_a_rule_had_marked_long_ago_did_not_end_by_it(autojump_clock: MockClock) -> None:
    smsc, book = judged(rule('reply = { status = "ESME_ROK", times = 2 }') + '[response]\ndelay = "10s"')
    async with bound(smsc) as esme:
        await esme.submit(submit_sm("one"))
        await trio.sleep(15)
        await esme.submit(submit_sm("two"))
        await trio.sleep(1)
        smsc.drop_links()
        await trio.lowlevel.checkpoint()
    assert dict(book.verdict().excused_by) == {"dropped": 1}


# --- answers that the wire holds up

SLOW = '[[wire]]\nname = "slow"\nwhen = { between = ["0s", "5s"] }\nwrite = { chunk = 1, gap = "200ms" }\n'
"""A bind_resp and an answer take some ten seconds."""


async def test_a_double_is_excused_while_the_wire_holds_the_answer_up(autojump_clock: MockClock) -> None:
    smsc, book = judged(SLOW)
    async with bound(smsc) as esme:
        await esme.submit(submit_sm("one"))
        await trio.sleep(2)
        await submitted(smsc, submit_sm("one"))
        await esme.read_until(lambda: esme.answers)
        await trio.sleep(2)
        await submitted(smsc, submit_sm("one"))  # the answer has been there for two seconds
    verdict = book.verdict()
    assert (verdict.accepted, verdict.duplicated) == (3, 1)
    excused = [item for item in verdict.items if item.excuse]
    assert [(item.kind, item.fault) for item in excused] == [("doubled", "slow")]
    assert "late" in excused[0].excuse


async def test_a_double_before_the_answer_was_due_has_no_excuse_in_what_the_wire_does_later(
    autojump_clock: MockClock,
) -> None:
    hole = '[[wire]]\nname = "hole"\nwhen = { at = "3s" }\nfault = { kind = "blackhole", for = "20s" }\n'
    smsc, book = judged(hole + '[response]\ndelay = "4s"\n')
    async with bound(smsc) as esme:
        await esme.submit(submit_sm("one"))
        await trio.sleep(1)
        await esme.submit(submit_sm("one"))
        await trio.sleep(40)
    assert book.verdict().duplicated == 1


async def test_a_double_that_a_hole_held_back_is_excused_only_by_an_answer_behind_its_beginning(
    autojump_clock: MockClock,
) -> None:
    hole = '[[wire]]\nname = "hole"\nwhen = { at = "10s" }\nfault = { kind = "blackhole", for = "20s" }\n'
    smsc, book = judged(hole)
    async with bound(smsc) as esme:
        await esme.submitted(submit_sm("heard"))
        await trio.sleep(12)
        await esme.submit(submit_sm("heard"), submit_sm("into the hole"))
        await trio.sleep(5)
        await esme.submit(submit_sm("into the hole"))
        await trio.sleep(20)
    verdict = book.verdict()
    assert (verdict.accepted, verdict.duplicated) == (4, 1)
    assert [(item.fault, item.of) for item in verdict.items] == [("", "0000000001"), ("hole", "0000000003")]


async def test_a_double_that_was_read_slowly_is_excused(autojump_clock: MockClock) -> None:
    slow = '[[wire]]\nname = "slow reader"\nwhen = { after = "1s" }\nread = { bytes_per_second = 10 }\n'
    smsc, book = judged(slow)
    async with bound(smsc) as esme:
        await trio.sleep(2)
        await esme.submit(submit_sm("one"))  # it takes some six seconds to be read
        await trio.sleep(3)
        await esme.submit(submit_sm("one"))
        await trio.sleep(60)
    verdict = book.verdict()
    assert (verdict.accepted, verdict.duplicated, dict(verdict.excused_by)) == (2, 0, {"slow reader": 1})


@pytest.mark.parametrize(
    ("command", "status"), [("generic_nack", "ESME_RSYSERR"), ("submit_sm_resp", "ESME_RTHROTTLED")]
)
async def test_a_double_is_excused_when_an_injected_error_had_answered_the_first(
    command: str, status: str, autojump_clock: MockClock
) -> None:
    pdu = f'pdu = {{ command = "{command}", status = "{status}", sequence = 2, body = "" }}'
    smsc, book = judged(f'[response]\ndelay = "5s"\n[[inject]]\nname = "lie"\nat = "1s"\n{pdu}\n')
    async with bound(smsc) as esme:
        await esme.submit(submit_sm("one"), submit_sm("two"))
        await trio.sleep(2)
        await esme.submit(submit_sm("one"), submit_sm("two"))
        await trio.sleep(20)
    verdict = book.verdict()
    assert (verdict.accepted, verdict.duplicated) == (4, 1)
    assert dict(verdict.excused_by) == {"lie": 1}


# --- what a hole swallows


@pytest.mark.parametrize(
    "hole",
    [
        '[[wire]]\nname = "hole"\nwhen = { at = "2s" }\nfault = { kind = "blackhole" }\n',
        '[[rule]]\nname = "hole"\nwhen = { text = "^#1 ", after = "1s" }\nfault = { kind = "blackhole" }\n',
    ],
)
async def test_what_a_black_hole_swallowed_is_excused_and_what_never_came_is_lost(
    hole: str, autojump_clock: MockClock
) -> None:
    smsc, book = judged(hole, numbered=5)
    smsc.set_judge(book.come)
    async with bound(smsc) as esme:
        await trio.sleep(3)
        await esme.submit(submit_sm("#1 hello"))
        await trio.sleep(1)
        await esme.submit(submit_sm("#2 hello"), submit_sm("#3 hello"))
        await trio.sleep(1)
        verdict = book.verdict(expected=[2, 3, 4], now_s=trio.current_time())
    assert verdict.lost == 1
    assert dict(verdict.excused_by) == {"hole": 2}
    assert [(item.id, item.fault) for item in verdict.items] == [("#4", ""), ("#2", "hole"), ("#3", "hole")]
    assert not verdict.clean


async def test_a_message_that_was_refused_for_good_is_not_missed(autojump_clock: MockClock) -> None:
    smsc, book = judged(rule('reply = "ESME_RINVDSTADR"', 'text = "^#2 "'), numbered=3)
    smsc.set_judge(book.come)
    await submitted(smsc, submit_sm("#1 hello"), submit_sm("#2 hello"))
    verdict = book.verdict(expected=[1, 2, 3])
    assert (verdict.lost, verdict.not_accepted, book.brought) == (1, 0, 2)


async def test_of_nothing_no_verdict_is_clean(autojump_clock: MockClock) -> None:
    smsc, book = judged(numbered=3)
    assert (book.verdict().clean, book.verdict().nothing) == (False, "nothing was accepted")
    assert not book.verdict(expected=[], nothing="nothing was sent").clean
    await submitted(smsc, submit_sm("#1 hello"))
    assert book.verdict().clean


# --- bounds


async def test_however_often_links_come_and_the_same_is_said_the_book_does_not_grow(autojump_clock: MockClock) -> None:
    smsc, book = judged(remembered=10)

    async def rounds(count: int) -> int:
        for _ in range(count):
            await submitted(smsc, submit_sm("the same"))
            await trio.sleep(2)
        gc.collect()
        return sum(isinstance(each, Taken | Link) for each in gc.get_objects())

    few = await rounds(20)
    assert await rounds(100) <= few
    assert book.verdict().duplicated == 119


async def test_answers_that_never_leave_on_a_link_that_lives_are_counted_and_forgotten(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.judge.verdict.MOST_WAITING", 10)
    smsc, book = judged("[response]\ndelay = { never = true }", remembered=10)
    async with bound(smsc) as esme:
        for number in range(100):
            await esme.submit(submit_sm(f"text {number}"))
            await trio.sleep(1)
        gc.collect()
        assert sum(isinstance(each, Taken) for each in gc.get_objects()) < 30
        assert book.verdict(now_s=trio.current_time()).accept_without_response == 100


async def test_enquiries_are_counted_before_the_bind_only(autojump_clock: MockClock) -> None:
    smsc, book = judged()
    async with linked(smsc) as esme:
        await ask(esme)
        await ask(esme)
        assert await esme.bind() == 0
        await ask(esme)
    assert book.enquired_before_bind == 2


async def ask(esme: Esme) -> None:
    await esme.stream.send_all(esme.session.request(EnquireLink(), trio.current_time()))
    await esme.read()
