"""The verdict: which messages were lost, doubled or unanswered, and which of them a fault explains."""

import pytest
import trio
import trio.lowlevel
from esme import Esme, bound, linked, submit_sm
from trio.testing import MockClock

from connector.settings import load
from connector.smpp.pdu import EnquireLink, SubmitSm
from simulator import Smsc
from simulator.judge.verdict import SHOWN, Book
from simulator.scenario import Scenario

EPOCH = 1_700_000_000.0


def judged(text: str = "", *, remembered: int = 1_000, numbered: int = 0) -> tuple[Smsc, Book]:
    book = Book(EPOCH, remembered=remembered, numbered=numbered)
    smsc = Smsc(load(text, Scenario), clock=lambda: EPOCH + trio.current_time(), trace=(book,))
    smsc.ledger.watcher = book.take
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
