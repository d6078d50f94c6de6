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
        import sys

        ESME = (
            "import os, types; from client import send;"
            "send(types.SimpleNamespace(host=os.environ['SMSC_HOST'], port={port}), 'hi')"
        )

        def test_it(smsc, esme_process):
            process = esme_process(sys.executable, "-c", ESME)
            assert process.wait() == 0, process.lines
            smsc.wait(submits=1)

        def test_one_that_does_not_end(smsc, esme_process):
            process = esme_process(sys.executable, "-uc", "print('waiting'); import time; time.sleep(60)")
            try:
                process.wait(within_s=1)
            except AssertionError as error:
                assert "has not ended after 1 s; it said:" in str(error)
        """,
    )
    result.assert_outcomes(passed=2)
