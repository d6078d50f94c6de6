"""A script in a test: from when its times count, what it may not say, and how it is undone."""

import pytest
import trio
from esme import Esme, submit_sm
from trio.testing import MockClock

from connector.errors import ConfigError
from connector.smpp import tables
from connector.smpp.pdu import DeliverSm
from connector.smpp.udh import parse_udh
from simulator.scenario import STATUS_BY_NAME
from simulator.testing import TestSmsc

PATIENT = '[carrier]\nsession_init = "2h"\ninactivity = "2h"\n'


async def bound(stream: trio.abc.Stream) -> Esme:
    esme = Esme(stream)
    assert await esme.bind() == 0
    return esme


async def test_times_of_a_script_count_from_the_call(autojump_clock: MockClock) -> None:
    smsc = TestSmsc()
    smsc.script(PATIENT)
    async with smsc.linked() as stream:
        esme = await bound(stream)
        await trio.sleep_until(1_000)
        smsc.script(
            '[[timeline]]\nat = "5s"\nset = { "limits.window" = 1 }\n'
            '[[mo]]\nfrom = "447"\nto = "60777"\ntext = "now"\nat = "0s"\n'
            '[[mo]]\nfrom = "447"\nto = "60777"\ntext = "soon"\nat = "2s"\n'
            '[[inject]]\nat = "3s"\npdu = { command = "enquire_link" }\n'
            '[[rule]]\nwhen = { between = ["1s", "2s"] }\nreply = "ESME_RSYSERR"\n'
        )
        await trio.sleep_until(1_001)
        (refused,) = await esme.submitted(submit_sm())
        await esme.delivered(2)
        await trio.sleep_until(1_004)
        passed = await esme.submitted(submit_sm(), submit_sm())
        await trio.sleep_until(1_005)
        squeezed = await esme.submitted(submit_sm(), submit_sm())
    assert tables.status_name(refused.command_status) == "ESME_RSYSERR"
    assert [pdu.short_message for pdu in esme.received(DeliverSm)] == [b"now", b"soon"]
    assert esme.times_of(DeliverSm)[1] == 1_002
    assert "  1003.000  link 1  <- enquire_link" in smsc.trace
    assert [answer.command_status for answer in passed] == [0, 0]
    assert tables.ESME_RTHROTTLED in [answer.command_status for answer in squeezed]


async def test_what_was_scripted_before_keeps_its_times(autojump_clock: MockClock) -> None:
    smsc = TestSmsc()
    smsc.script(PATIENT + '[[mo]]\nfrom = "447"\nto = "60777"\ntext = "late"\nat = "100s"\n')
    async with smsc.linked() as stream:
        esme = await bound(stream)
        await trio.sleep_until(50)
        smsc.script('[[timeline]]\nat = "1h"\ndo = "drop"\n')
        await esme.delivered(1)
        assert trio.current_time() == 100
        await esme.closed()
        assert trio.current_time() == 50 + 3_600


@pytest.mark.parametrize(
    ("mode", "ends_at"), [("unbind-then-refuse", 500), ("drop", 500), ("blackhole", None), ("refuse-bind", None)]
)
async def test_an_outage_that_is_scripted_for_now_begins_now(
    mode: str, ends_at: float | None, autojump_clock: MockClock
) -> None:
    smsc = TestSmsc()
    smsc.script(PATIENT)
    async with smsc.linked() as stream:
        esme = await bound(stream)
        await trio.sleep_until(500)
        smsc.script(f'[[timeline]]\nat = "0s"\nfor = "30s"\ndo = "outage"\nmode = "{mode}"\n')
        if ends_at is not None:
            await esme.closed()
            assert trio.current_time() == ends_at
        elif mode == "blackhole":
            await esme.submitted(submit_sm())
            assert trio.current_time() == 530
        async with smsc.linked() as other:
            if mode in ("unbind-then-refuse", "refuse-bind"):
                assert await Esme(other).bind() == STATUS_BY_NAME["ESME_RBINDFAIL"]
            elif mode == "drop":
                assert await other.receive_some() == b""


REFUSED = """
[load]
messages = 5
model = "closed"
[[expect]]
that = "submit.count == 5"
[listen]
smpp = "127.0.0.1:2775"
"""


def test_what_no_script_can_do_is_refused_by_name_with_what_to_do_instead() -> None:
    with pytest.raises(ConfigError) as caught:
        TestSmsc().script(REFUSED + "[receipt]\nearli = 1\n")
    load, expect, listen, other = caught.value.problems
    assert load.startswith("<script>:2: load: nobody plays it here: the test is the load")
    assert expect.startswith("<script>:5: expect: nobody asks it here: write an assert")
    assert listen.startswith("<script>:7: listen: ")
    assert other.startswith("<script>:10: receipt.earli: ")


async def test_what_is_looked_at_once_is_refused_when_the_carrier_has_started() -> None:
    smsc = TestSmsc()
    begins = 'seed = 7\n[[outbind]]\nto = "127.0.0.1:1"\n[response.message_id]\nstart = 5\n'
    smsc.script(begins)
    async with smsc.linked():
        with pytest.raises(ConfigError) as caught:
            smsc.script(begins)
    assert [problem.split(": ")[1] for problem in caught.value.problems] == [
        "outbind",
        "seed",
        "response.message_id.start",
    ]


@pytest.mark.parametrize("nothing", [(), (None,)])
async def test_a_script_of_nothing_makes_the_carrier_plain_again(
    nothing: tuple[None, ...], autojump_clock: MockClock
) -> None:
    smsc = TestSmsc()
    smsc.script('[[rule]]\nreply = "ESME_RSYSERR"\n[[account]]\nsystem_id = "acme"\npassword = "secret"\n')
    async with smsc.linked() as stream:
        esme = await bound(stream)
        (before,) = await esme.submitted(submit_sm())
        smsc.script(*nothing)
        (after,) = await esme.submitted(submit_sm())
        async with smsc.linked() as other:
            assert await Esme(other).bind(system_id="anybody") == 0
    assert [before.command_status, after.command_status] == [tables.ESME_RSYSERR, 0]


async def test_a_script_adds_to_what_was_before_and_an_empty_array_takes_it_away(autojump_clock: MockClock) -> None:
    smsc = TestSmsc()
    smsc.script('[[rule]]\nreply = "ESME_RSYSERR"\n')
    async with smsc.linked() as stream:
        esme = await bound(stream)
        statuses = []
        for text in ("[limits]\nwindow = 50\n", "rule = []\n"):
            smsc.script(text)
            (answer,) = await esme.submitted(submit_sm())
            statuses.append(answer.command_status)
    assert statuses == [tables.ESME_RSYSERR, 0]


@pytest.mark.parametrize(("split", "parts"), [(None, 2), ("udh16", 2), ("sar", 2), ("payload", 1)])
async def test_a_long_text_of_a_subscriber_is_split_as_that_of_the_file_is(
    split: str | None, parts: int, autojump_clock: MockClock
) -> None:
    smsc = TestSmsc()
    async with smsc.linked() as stream:
        esme = await bound(stream)
        smsc.mo("447911123456", "60777", "x" * 300, **({} if split is None else {"split": split}))  # type: ignore[arg-type]
        first, *_ = came = await esme.delivered(parts)
        with pytest.raises(ValueError, match='not "udh9", did you mean "udh8"'):
            smsc.mo("447911123456", "60777", "hi", split="udh9")  # type: ignore[arg-type]
    assert len(came) == parts
    header = parse_udh(first.short_message) if first.esm_class & 0x40 else None
    assert (header is not None, header is not None and header.wide) == (split in (None, "udh16"), split == "udh16")


async def test_two_long_texts_have_references_of_their_own(autojump_clock: MockClock) -> None:
    smsc = TestSmsc()
    async with smsc.linked() as stream:
        esme = await bound(stream)
        for _ in range(2):
            smsc.mo("447911123456", "60777", "x" * 300)
        headers = [parse_udh(pdu.short_message) for pdu in await esme.delivered(4)]
    assert [header and header.reference for header in headers] == [1, 1, 2, 2]
