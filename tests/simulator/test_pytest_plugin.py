"""The pytest plugin, as somebody uses it whose project knows nothing of us."""

import sys
import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CLIENT = """
import smpplib.client, smpplib.consts

def send(smsc, *texts, receipts=False):
    client = smpplib.client.Client(smsc.host, smsc.port, allow_unknown_opt_params=True)
    client.connect()
    client.bind_transceiver(system_id="somebody", password="else")
    for text in texts:
        client.send_message(source_addr="60777", destination_addr="447911123456", short_message=text.encode(),
                            registered_delivery=int(receipts))
    return client
"""


def ran(pytester: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    """Run a test file in a process of its own, with the plugin as an installation would load it."""
    pytester.makepyfile(client=CLIENT, test_it=textwrap.dedent(test))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        environment.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # an installation would load it a second time
        return pytester.run(sys.executable, "-m", "pytest", "-q", "-p", "simulator.pytest_plugin", *options)


def test_a_plain_test_has_a_carrier_on_a_free_port(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        from client import send

        def test_one_message(smsc):
            send(smsc, "hello", "and again")
            assert smsc.wait(submits=2).binds == 1
            assert [(it.account, it.source, it.destination, it.text) for it in smsc.inbox] == [
                ("somebody", "60777", "447911123456", "hello"),
                ("somebody", "60777", "447911123456", "and again"),
            ]

        def test_another_carrier_in_each_test(smsc):
            assert smsc.inbox == []
        """,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("options", [(), ("-p", "pytest_trio.plugin")], ids=["alone", "beside pytest-trio"])
def test_an_async_test_needs_no_plugin_of_its_own(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    result = ran(
        pytester,
        """
        import trio
        from client import send

        async def test_x(smsc):
            client = await trio.to_thread.run_sync(send, smsc, "1", "2", "3")
            numbers = await smsc.wait_for(submits=3)
            assert numbers.accepted == 3
        """,
        *options,
    )
    result.assert_outcomes(passed=1)


def test_a_script_decides_what_the_carrier_does(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        '''
        import pytest, smpplib.exceptions
        from client import send

        def test_before_it_runs_and_while_it_does(smsc):
            smsc.script("""
                [[rule]]
                when = { text = "barred" }
                reply = "ESME_RINVDSTADR"
            """)
            client = send(smsc, "fine", "barred")
            smsc.wait(submits=1, refused=1)
            smsc.script('[[rule]]\\nreply = "ESME_RTHROTTLED"')
            client.send_message(source_addr="1", destination_addr="2", short_message=b"fine")
            assert smsc.wait(refused=2).submits == {"ESME_ROK": 1, "ESME_RINVDSTADR": 1, "ESME_RTHROTTLED": 1}

        def test_a_wrong_script_says_so(smsc):
            with pytest.raises(Exception, match='is not known here, did you mean "reply"'):
                smsc.script('[[rule]]\\nreplay = "ESME_RTHROTTLED"')
        ''',
    )
    result.assert_outcomes(passed=2)


def test_what_a_script_has_for_now_happens_on_a_port_too(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        from client import send

        MO = '[[mo]]\\nfrom = "447"\\nto = "60777"\\ntext = "now"\\nat = "0s"\\n'

        def test_a_message_of_a_subscriber(smsc):
            client = send(smsc)
            smsc.wait(binds=1)
            smsc.script(MO)
            client.set_message_received_handler(lambda pdu: 0)
            client.read_once()
            smsc.wait(mo=1)

        def test_an_outage(smsc):
            client = send(smsc)
            smsc.wait(binds=1)
            smsc.script('[[timeline]]\\nat = "0s"\\nfor = "1m"\\ndo = "outage"\\nmode = "drop"')
            smsc.wait(binds=0, open=0)
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_script_names_the_line_and_may_extend_another_scenario(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import pytest
        from connector.errors import ConfigError
        from client import send

        def test_the_line(smsc):
            with pytest.raises(ConfigError, match="^<script>:4: receipt.earli: is not known here"):
                smsc.script('[limits]\\nwindow = 3\\n[receipt]\\nearli = 1')

        def test_a_profile(smsc):
            smsc.script('[[rule]]\\nreply = "ESME_RSYSERR"')
            smsc.script('extends = "profile:hex-dec"\\n[carrier]\\nsystem_id = "MINE"')
            send(smsc, *"0123456789x")
            smsc.wait(submits=11)
            assert smsc.inbox[10].message_id.lower() == "1000000a"
            assert "system_id=MINE" in smsc.trace

        def test_without_one_it_changes_what_was(smsc):
            smsc.script('[response.message_id]\\nprefix = "A"')
            smsc.script('[carrier]\\nsystem_id = "MINE"')
            send(smsc, "hello")
            smsc.wait(submits=1)
            assert smsc.inbox[0].message_id == "A0000000001"
            assert "system_id=MINE" in smsc.trace
        """,
    )
    result.assert_outcomes(passed=3)


def test_what_cannot_be_sent_is_told_where_it_was_asked_for(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import pytest
        from connector.errors import EncodeError
        from client import send

        def test_it(smsc):
            client = send(smsc)
            with pytest.raises(EncodeError, match="source_addr: 30 characters, the limit is 20"):
                smsc.mo("4" * 30, "60777", "hello")
            smsc.mo("4" * 20, "60777", "hello")
            client.set_message_received_handler(lambda pdu: 0)
            client.read_once()
            smsc.wait(mo=1)
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_fixture_of_the_project_s_own_that_has_the_same_name_is_left_alone(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import pytest
        from unittest.mock import MagicMock
        import simulator.testing

        class Mine:
            @property
            def trace(self):
                raise RuntimeError("not connected")

        @pytest.fixture(params=[MagicMock, Mine])
        def smsc(request):
            return request.param()

        def test_it(smsc):
            assert False, "its own failure"
        """,
    )
    result.assert_outcomes(failed=2)
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    result.stdout.no_fnmatch_line("*what crossed the links*")


def test_what_is_raised_inside_a_link_comes_out_as_it_is(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import pytest, trio

        async def test_skipped(smsc):
            async with smsc.linked():
                pytest.skip("not here")

        async def test_raised(smsc):
            with pytest.raises(ValueError) as caught:
                async with smsc.linked():
                    raise ValueError("x") from KeyError("y")
            assert caught.value.__context__ is None
            assert isinstance(caught.value.__cause__, KeyError)

        @pytest.mark.xfail(raises=AssertionError, strict=True)
        async def test_expected(smsc):
            async with smsc.linked():
                assert 1 == 2

        async def test_cancelled(smsc):
            with trio.move_on_after(0.01) as scope:
                async with smsc.linked():
                    await trio.sleep_forever()
            assert scope.cancelled_caught

        async def test_interrupted(smsc):
            with pytest.raises(KeyboardInterrupt):
                async with smsc.linked():
                    raise KeyboardInterrupt

        async def test_of_two_both_are_told(smsc):
            with pytest.raises(ExceptionGroup):
                async with smsc.linked():
                    raise ExceptionGroup("two", [ValueError(), KeyError()])
        """,
    )
    result.assert_outcomes(passed=4, skipped=1, xfailed=1)


BROKEN = """
import pytest, trio
from simulator import Smsc

@pytest.fixture(autouse=True)
def broken(monkeypatch):
    async def run(self, *, task_status):
        self.port = 1
        task_status.started(self)
        await trio.sleep(0.05)
        raise LookupError("the cable is cut")
    monkeypatch.setattr(Smsc, "run", run)
"""


def test_a_simulator_that_broke_says_why(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(conftest=BROKEN)
    result = ran(
        pytester,
        """
        import pytest, threading

        WHY = "the simulator broke: LookupError: the cable is cut"

        def ended(smsc):
            assert smsc.port == 1
            for thread in threading.enumerate():
                if thread.name == "smsc":
                    thread.join(5)

        @pytest.mark.parametrize("look", ["statistics", "inbox"])
        def test_to_who_looks(smsc, look):
            ended(smsc)
            with pytest.raises(RuntimeError, match=WHY):
                getattr(smsc, look)

        def test_to_who_waits(smsc):
            with pytest.raises(RuntimeError, match=WHY):
                smsc.wait(binds=1)

        async def test_to_who_waits_in_an_async_test(smsc):
            with pytest.raises(RuntimeError, match=WHY):
                await smsc.wait_for(binds=1)

        def test_at_the_end_to_who_did_not_look(smsc):
            ended(smsc)
        """,
    )
    result.assert_outcomes(passed=5, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_at_the_end_to_who_did_not_look*", "E *LookupError*"])


def test_it_may_be_closed_twice_and_is_closed_then(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import pytest

        def test_it(smsc):
            smsc.port
            smsc.close()
            smsc.close()
            with pytest.raises(RuntimeError, match="the simulator has been closed"):
                smsc.inbox
        """,
    )
    result.assert_outcomes(passed=1)


def test_virtual_time_is_refused_where_it_would_do_nothing(pytester: pytest.Pytester) -> None:
    test = """
        import pytest

        pytestmark = pytest.mark.virtual_time

        def test_plain(smsc):
            pass

        @pytest.mark.asyncio
        async def test_of_asyncio(smsc):
            pass

        async def test_port(smsc):
            with pytest.raises(RuntimeError, match=r"a socket knows no virtual time: use smsc.linked\\(\\)"):
                smsc.port
    """
    result = ran(pytester, test)
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(["*virtual_time is for async tests that this plugin runs, with trio*"] * 2)


def test_virtual_time_is_refused_under_pytest_trio_which_has_a_clock_of_its_own(pytester: pytest.Pytester) -> None:
    test = """
        import pytest, trio

        @pytest.mark.virtual_time
        async def test_refused(smsc):
            pass

        async def test_instead(smsc, autojump_clock):
            async with smsc.linked():
                await trio.sleep(3600)
    """
    result = ran(pytester, test, "-p", "pytest_trio.plugin", "-o", "trio_mode=true")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*pytest-trio runs this test: take its fixture autojump_clock*"])


def test_a_subscriber_writes_and_receipts_come(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        from client import send

        def test_it(smsc):
            client = send(smsc, "hello", receipts=True)
            heard = []
            client.set_message_received_handler(lambda pdu: heard.append(pdu.short_message) or 0)
            smsc.wait(submits=1)
            smsc.mo("447911123456", "60777", "STOP")
            while len(heard) < 2:
                client.read_once()
            assert heard[1] == b"STOP" and b"stat:DELIVRD" in heard[0]
            smsc.wait(receipts=1, mo=1)
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_failed_test_shows_what_crossed_the_links(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        from client import send

        def test_it(smsc):
            send(smsc, "hello")
            smsc.wait(submits=2, within_s=0.2)
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*after 0.2 s there are 1 of 2 submits*",
            "*smsc: what crossed the links*",
            "*link 1  -> bind_transceiver #* system_id=somebody*",
            "*link 1  -> submit_sm #* source_addr=60777 destination_addr=447911123456 'hello'*",
            "*link 1  <- submit_sm_resp #* ESME_ROK message_id=0000000001*",
        ]
    )
    assert not [line for line in result.outlines if "link 1" in line and "else" in line], "a password is shown"


def test_a_failed_wait_for_messages_says_how_many_were_refused(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        from client import send

        def test_it(smsc):
            smsc.script("[[rule]]\\nreply = 'ESME_RTHROTTLED'")
            send(smsc, "hello")
            smsc.wait(submits=1, within_s=0.2)
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*after 0.2 s there are 0 of 1 submits (1 refused: 1 with ESME_RTHROTTLED)*"])


def test_a_day_of_traffic_takes_seconds_on_a_clock_that_jumps(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import pytest, trio
        from connector.smpp.codec import encode
        from connector.smpp.pdu import BindTransmitter, SubmitSm

        @pytest.mark.virtual_time
        async def test_it(smsc):
            smsc.script("[carrier]\\ninactivity = '2h'")
            async with smsc.linked() as stream:
                await stream.send_all(encode(BindTransmitter(system_id="a", interface_version=0x34, sequence_number=1)))
                await stream.receive_some()
                for minute in range(24 * 60):
                    await stream.send_all(encode(SubmitSm(destination_addr="447911123456", sequence_number=minute + 2)))
                    await trio.sleep(60)
                await smsc.wait_for(submits=24 * 60)
                assert trio.current_time() >= 24 * 3600
        """,
    )
    result.assert_outcomes(passed=1)
    assert result.duration < 20


def test_an_esme_in_a_process_of_its_own(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import os, sys, time
        import pytest

        OTHERS = []
        ESME = (
            "import os, types; from client import send;"
            "send(types.SimpleNamespace(host=os.environ['SMSC_HOST'], port={port}), 'hi')"
        )

        def test_it(smsc, esme_process):
            process = esme_process(sys.executable, "-c", ESME)
            assert process.wait() == 0, process.lines
            smsc.wait(submits=1)

        def test_one_that_starts_others(smsc, esme_process, tmp_path):
            script = "trap '' TERM; sleep 3131 & echo $! > new; mv new pid; wait"
            esme_process("sh", "-c", script, cwd=tmp_path)
            while not (tmp_path / "pid").exists():
                time.sleep(0.01)
            OTHERS.append(int((tmp_path / "pid").read_text()))

        def test_that_they_are_gone():
            with pytest.raises(ProcessLookupError):
                for _ in range(1_000):  # until somebody has reaped it
                    os.kill(OTHERS[0], 0)
                    if "State:\tZ" in open(f"/proc/{OTHERS[0]}/status").read():
                        raise ProcessLookupError
                    time.sleep(0.01)

        def test_one_that_does_not_end(smsc, esme_process):
            process = esme_process(sys.executable, "-uc", "print('waiting'); import time; time.sleep(60)")
            try:
                process.wait(within_s=1)
            except AssertionError as error:
                assert "has not ended after 1 s; it said:" in str(error)
        """,
    )
    result.assert_outcomes(passed=4)


@pytest.mark.parametrize("runner", ["trio", "pytest-trio", "asyncio"])
def test_on_a_port_every_name_can_be_used_in_an_async_test(pytester: pytest.Pytester, runner: str) -> None:
    test = """
        import asyncio
        import pytest
        from connector.errors import EncodeError
        from client import send

        async def use(smsc):
            client = send(smsc, "hello")
            assert smsc.wait(submits=1, binds=1).accepted == 1
            assert [it.text for it in smsc.inbox] == ["hello"]
            smsc.script('[[rule]]\\nreply = "ESME_RTHROTTLED"')
            smsc.mo("447911123456", "60777", "STOP")
            with pytest.raises(EncodeError):
                smsc.mo("4" * 30, "60777", "STOP")
            client.set_message_received_handler(lambda pdu: 0)
            client.read_once()  # the answer
            client.read_once()
            assert smsc.wait(mo=1).mo_acknowledged == smsc.statistics.mo_acknowledged == 1
            assert smsc.drop_links() == 1
            client.disconnect()
            with pytest.raises(AssertionError, match="0 of 7 refused; nothing else in the test's loop ran meanwhile"):
                smsc.wait(refused=7, within_s=0.05)
            with pytest.raises(AssertionError, match="0 of 7 refused$"):
                await smsc.wait_for(refused=7, within_s=0.05)
            smsc.close()
            with pytest.raises(RuntimeError, match="the simulator has been closed"):
                smsc.inbox
    """
    as_is = "async def test_it(smsc):\n    await use(smsc)\n"
    inside = "def test_it(smsc):\n    asyncio.run(use(smsc))\n"
    written = textwrap.dedent(test) + (inside if runner == "asyncio" else as_is)
    options = ("-p", "pytest_trio.plugin", "-o", "trio_mode=true") if runner == "pytest-trio" else ()
    ran(pytester, written, *options).assert_outcomes(passed=1)


def test_virtual_time_needs_no_carrier(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import pytest, trio

        @pytest.mark.virtual_time
        @pytest.mark.parametrize("days", [1, 365])
        async def test_it(days):
            await trio.sleep(days * 86_400)
            assert trio.current_time() >= days * 86_400

        @pytest.mark.virtual_time
        def test_plain():
            pass
        """,
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*virtual_time is for async tests that this plugin runs, with trio*"])
    assert result.duration < 20


def test_a_mark_of_the_project_s_own_that_has_the_same_name_is_left_alone(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import pytest

        @pytest.mark.virtual_time
        def test_it():
            pass
        """,
        *("-o", "markers=virtual_time: time stands still"),
    )
    result.assert_outcomes(passed=1)


def test_a_failed_test_tells_of_each_process(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import sys

        def test_it(smsc, esme_process):
            loud = "import sys; print(*range(100), sep=chr(10)); sys.exit('no such host')"
            esme_process(sys.executable, "-uc", loud).wait()
            esme_process("sh", "-c", "kill -9 $$").wait()
            esme_process("sleep", "3131")
            smsc.wait(submits=1, within_s=0.1)
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *after 0.1 s there are 0 of 1 submits; */python* has ended with status 1, it said last: no such host; "
            "sh was ended by signal 9 (Killed), it said last: nothing",
            "*- esme_process 1 -*",
            "$ */python* -uc *",
            "it has ended with status 1; it said last:",
            "81",
            "99",
            "no such host",
            "*- esme_process 2 -*",
            "it was ended by signal 9 (Killed); it said last:",
            "*- esme_process 3 -*",
            "$ sleep 3131",
            "it still runs; it said last:",
        ]
    )
    assert "80" not in result.outlines, "more than the last 20 lines are shown"


def test_a_bind_that_has_gone_was_bound_and_is_no_bind(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import pytest
        from client import send

        def test_it(smsc):
            first = send(smsc)
            first.unbind()
            first.disconnect()
            kept = send(smsc)
            assert smsc.wait(bound=2, binds=1).binds == 1
            smsc.drop_links()
            with pytest.raises(AssertionError, match="there are 2 of 3 bound, 0 of 1 binds"):
                smsc.wait(bound=3, binds=1, within_s=0.3)
        """,
    )
    result.assert_outcomes(passed=1)


def test_none_left_is_waited_for_and_what_only_grows_is_never_none(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import threading, time
        import pytest
        from client import send

        def test_they_have_gone_when_they_were_dropped(smsc):
            kept = [send(smsc) for _ in range(5)]
            assert smsc.drop_links() == 5
            assert smsc.statistics.binds == 0

        def test_until_the_last_has_gone(smsc):
            client = send(smsc)
            threading.Timer(0.2, client.disconnect).start()
            assert smsc.wait(binds=0, open=0).links == 1

        def test_one_stays(smsc):
            client = send(smsc)
            with pytest.raises(AssertionError, match="there are 1 binds instead of none"):
                smsc.wait(binds=0, within_s=0.1)

        async def test_none_of_what_only_grows(smsc):
            with pytest.raises(ValueError, match="^links=0 waits .*: links only ever grows; binds=0 and open=0"):
                smsc.wait(links=0)
            with pytest.raises(ValueError, match="^submits=0 waits for nothing"):
                await smsc.wait_for(submits=0)
            with pytest.raises(ValueError, match="^binds=-1 waits for nothing: binds=0 waits until none is left$"):
                smsc.wait(binds=-1)
            with pytest.raises(TypeError, match="^submits is a whole number, not True$"):
                smsc.wait(submits=True)

        @pytest.mark.virtual_time
        async def test_in_memory(smsc):
            async with smsc.linked():
                await smsc.wait_for(open=1)
                assert smsc.drop_links() == 1
                await smsc.wait_for(open=0)
        """,
    )
    result.assert_outcomes(passed=5)


def test_a_wait_ends_early_when_nobody_is_left_to_bring_it_about(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import sys, threading, time
        import pytest
        from client import send

        ONE = "import os, types; from client import send; at = os.environ; "
        ONE += "send(types.SimpleNamespace(host=at['SMSC_HOST'], port=int(at['SMSC_PORT'])), 'hi').disconnect()"

        def test_it_has_crashed(smsc, esme_process):
            esme_process(sys.executable, "-c", "raise SystemExit('no such host')")
            began = time.monotonic()
            with pytest.raises(AssertionError, match="s there are 0 of 1 submits; .* with status 1, .*no such host"):
                smsc.wait(submits=1, within_s=30)
            assert time.monotonic() - began < 15

        def test_it_has_done_its_work_which_was_not_enough(smsc, esme_process):
            esme_process(sys.executable, "-c", ONE)
            began = time.monotonic()
            with pytest.raises(AssertionError, match="there are 1 of 2 submits"):
                smsc.wait(submits=2, within_s=30)
            assert time.monotonic() - began < 15

        def test_one_that_it_has_started_itself_is_there(smsc, esme_process, tmp_path):
            (tmp_path / "one.py").write_text("import time; time.sleep(1.5); " + ONE)
            esme_process("sh", "-c", f"{sys.executable} {tmp_path}/one.py &")
            smsc.wait(submits=1, within_s=30)

        def test_somebody_else_is_there(smsc, esme_process):
            client = send(smsc)
            esme_process("true").wait()
            message = dict(source_addr="1", destination_addr="2", short_message=b"late")
            threading.Timer(1, lambda: client.send_message(**message)).start()
            smsc.wait(submits=1, within_s=30)
        """,
    )
    result.assert_outcomes(passed=4)


def test_a_link_in_memory_is_trio_s(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import asyncio
        import pytest

        def test_asyncio(smsc):
            async def link():
                async with smsc.linked():
                    pass

            with pytest.raises(RuntimeError, match=r"^linked\\(\\) is trio's; use smsc.port$"):
                asyncio.run(link())

        async def test_who_blocks_would_stop_it(smsc):
            async with smsc.linked():
                with pytest.raises(RuntimeError, match=r"linked in memory .*: await smsc.wait_for\\(\\)"):
                    smsc.wait(binds=1)
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_link_in_memory_goes_by_the_time_of_day_unless_the_clock_jumps(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import re, time
        import pytest
        from connector.smpp.codec import encode
        from connector.smpp.pdu import BindTransceiver, SubmitSm

        async def submitted(smsc):
            async with smsc.linked() as stream:
                bind = BindTransceiver(system_id="a", interface_version=0x34, sequence_number=1)
                await stream.send_all(encode(bind))
                await stream.receive_some()
                submit = SubmitSm(destination_addr="447911123456", registered_delivery=1, sequence_number=2)
                await stream.send_all(encode(submit))
                seen = b""
                while not (dates := re.search(rb"submit date:(\\d{6})", seen)):
                    seen += await stream.receive_some()
                return dates[1].decode()

        async def test_real(smsc):
            before = time.strftime("%y%m%d", time.gmtime())
            assert before <= await submitted(smsc) <= time.strftime("%y%m%d", time.gmtime())

        @pytest.mark.virtual_time
        async def test_mock(smsc):
            assert await submitted(smsc) == "231114"
        """,
    )
    result.assert_outcomes(passed=2)


def test_what_fails_is_shown_at_the_line_of_the_test(pytester: pytest.Pytester) -> None:
    result = ran(
        pytester,
        """
        import trio

        def test_wait(smsc):
            smsc.wait(binds=1, within_s=0.05)

        async def test_wait_in_a_loop(smsc):
            smsc.wait(binds=1, within_s=0.05)

        async def test_wait_for(smsc):
            await smsc.wait_for(binds=1, within_s=0.05)

        def test_script(smsc):
            smsc.script("[nothing]")

        def test_mo(smsc):
            smsc.mo("447911123456", "60777", "STOP")

        def test_mo_to_nobody_by_name(smsc):
            smsc.mo("447911123456", "60777", "STOP", account="acme")

        def test_wait_for_nothing(smsc):
            smsc.wait()

        async def test_wait_for_what_is_not_counted(smsc):
            await smsc.wait_for(submit=1)
        """,
        "--tb=short",
    )
    result.assert_outcomes(failed=8)
    for line in result.outlines:
        if ": in " in line:  # a frame
            assert line.startswith("test_it.py:"), line
    result.stdout.fnmatch_lines(
        [
            "E *nobody has bound yet: smsc.wait(binds=1) first*",
            "E *nobody has bound yet: smsc.wait(binds=1) first*",
            "E *say what to wait for: submits=1, or as many *bound*",
            "E *can wait for links, binds, *, not for submit",
        ]
    )
