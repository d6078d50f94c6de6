"""The command line as people use it: processes, sockets, signals."""

import json
import signal
import struct
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from connector.client import Client
from connector.model import SendRequest
from tests.stories.processes import CONFIG, KEY, carrier, command, connector, process, until

pytestmark = pytest.mark.slow
NUMBER = "+447911123456"
KEY_ENV = ("--key-env", "STORY_KEY")


def config(
    where: Path, *, folder: Path | None = None, port: int = 1, listen: str = "127.0.0.1:0", bind: str = ""
) -> str:
    """Write a configuration with a carrier at this port; return its path."""
    text = CONFIG.format(folder=folder or where, port=port, window=10).replace(
        'listen = "127.0.0.1:0"', f'listen = "{listen}"'
    )
    (where / "config.toml").write_text(f"{text}{bind}\n")
    return str(where / "config.toml")


@asynccontextmanager
async def running(path: str) -> AsyncIterator[tuple[trio.Process, str]]:
    """Run a connector of this configuration; yield it with its address."""
    async with process("run", path, says="listening on") as (started, line):
        yield started, line.split("listening on ")[1].split(",")[0]


async def asked(*arguments: str) -> Any:
    """Run a command with --json that must succeed; return its answer."""
    ended = await command(*arguments, "--json")
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


def one_line(ended: "subprocess.CompletedProcess[bytes]") -> str:
    text = ended.stderr.decode()
    assert text.count("\n") == 1, text
    return text


async def test_a_message_is_sent_shown_listed_and_verified(tmp_path: Path) -> None:
    async with (
        carrier(tmp_path, seed=1, delay='"10ms"', record=tmp_path / "ledger") as port,
        running(config(tmp_path, port=port)) as (_, url),
    ):
        door = ("--url", url, *KEY_ENV)
        sent = await command("send", "--to", "07911 123456", "--text", "Hello", "--ref", "order-1", *door)
        message_id, word = sent.stdout.decode().split()
        assert (sent.returncode, word) == (0, "accepted")
        again = await command("send", "--to", "07911 123456", "--text", "Hello", "--ref", "order-1", *door)
        assert again.stdout.decode().split() == [message_id, "accepted", "before"]

        async def delivered() -> bool:
            return bool((await asked("messages", "show", message_id, *door))["status"] == "delivered")

        await until(delivered)
        message = await asked("messages", "show", message_id, *door)
        assert [event["event"] for event in message["events"]] == [
            "accepted",
            "claimed",
            "acknowledged",
            "delivered",
        ]
        store = ("--store", str(tmp_path / "store.db"))
        assert await asked("messages", "show", message_id, *store) == message
        assert await asked("messages", "list", *store) == await asked("messages", "list", *door)
        assert await asked("verify", *store) == await asked("verify", *door)
        table = (await command("messages", "list", "--to", NUMBER, *door)).stdout.decode().splitlines()
        assert table[0].split()[:3] == ["id", "status", "to"]
        assert table[1].split()[:3] == [message_id, "delivered", NUMBER[1:]]
        timeline = (await command("messages", "show", message_id, *door)).stdout.decode()
        assert "acknowledged" in timeline
    assert (await command("verify", *store)).stdout.decode().splitlines() == [
        "accepted 1 message in 1 part",
        "  delivered  1",
        "submitted 1 attempt: 1 answered",
        "the ledger balances",
    ]


async def test_a_carrier_that_is_down_does_not_keep_messages_out(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as (_, url), Client(url, key=KEY) as client:
        (verdict,) = await client.send([SendRequest(to=NUMBER, text="Hello")])
        assert verdict.accepted
        ready = await client.ready()
        assert (ready["ready"], ready["carriers"][0]["bound"]) == (True, 0)


async def test_a_list_is_sent_and_what_was_not_is_told_and_written(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"to,text\n{NUMBER},One\n{NUMBER},Two\n12,Three\n{NUMBER},One\n")
    report = tmp_path / "report.csv"
    async with running(config(tmp_path)) as (_, url):
        given = ("send", "--csv", str(tmp_path / "list.csv"), "--url", url, *KEY_ENV)
        ended = await command(*given, "--report", str(report))
        assert ended.returncode == 1, "a refused row must not pass unseen"
        first, *others = ended.stdout.decode().splitlines()
        assert first == "4 rows: 2 accepted in 2 parts, 1 refused, 1 repeated"
        assert "number_invalid" in others[0]
        assert report.read_text().splitlines()[0] == "line,verdict,field,reason,text"
        assert len(report.read_text().splitlines()) == 3
        ended = await command(*given, "--json")
        summary = json.loads(ended.stdout)
        assert (summary["rows"], summary["accepted"], summary["refused"], summary["duplicates"]) == (
            4,
            2,
            1,
            1,
        )


async def test_a_refused_message_is_one_line_and_status_1(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as (_, url):
        door = ("--url", url, *KEY_ENV)
        ended = await command("send", "--to", "12", "--text", "x", *door)
        assert (ended.returncode, ended.stdout) == (1, b"")
        assert one_line(ended) == "carrierline: to: the number is too short for GB (number_invalid)\n"
        ended = await command("messages", "show", "00000000000", *door)
        assert (ended.returncode, one_line(ended)) == (
            1,
            "carrierline: there is no message 00000000000\n",
        )
        ended = await command("messages", "list", "--status", "deliverd", *door)
        assert (ended.returncode, 'did you mean "delivered"?' in one_line(ended)) == (2, True)
        ended = await command("messages", "list", "--url", url, "--key-env", "WRONG", WRONG="wrong-key")
        assert (ended.returncode, "this API key is not known here" in one_line(ended)) == (1, True)
        assert b"wrong-key" not in ended.stderr


async def test_a_list_cut_by_its_limit_says_so_and_how_to_go_on(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as (_, url), Client(url, key=KEY) as client:
        verdicts = await client.send([SendRequest(to=NUMBER, text=str(number)) for number in range(3)])
        door = ("--url", url, *KEY_ENV)
        page = await command("messages", "list", "--limit", "2", *door)
        assert f"--before {verdicts[1].id}" in page.stderr.decode()
        rest = await asked("messages", "list", "--limit", "2", "--before", str(verdicts[1].id), *door)
        assert [message["id"] for message in rest] == [verdicts[0].id]


async def test_sigterm_unbinds_and_ends_with_0_in_bounded_time(tmp_path: Path) -> None:
    commands: list[int] = []
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(lambda task_status: _serve(commands, task_status))
        port = listeners[0].socket.getsockname()[1]
        async with running(config(tmp_path, port=port)) as (started, url), Client(url, key=KEY) as client:
            await until(lambda: _bound(client))
            await client.send([SendRequest(to=NUMBER, text="never answered")])
            await until(lambda: _seen(commands, SUBMIT_SM))
            started.send_signal(signal.SIGTERM)
            with trio.fail_after(20):
                assert await started.wait() == 0
        assert commands[-1] == UNBIND
        nursery.cancel_scope.cancel()
    found = await asked("messages", "list", "--store", str(tmp_path / "store.db"))
    assert [message["status"] for message in found] == ["in_doubt"]


BIND_TRANSCEIVER, SUBMIT_SM, UNBIND = 0x09, 0x04, 0x06


async def _serve(commands: list[int], task_status: Any) -> None:
    """Be a carrier that binds and unbinds, and answers nothing else."""

    async def talk(stream: trio.SocketStream) -> None:
        octets = b""
        async for chunk in stream:
            octets += chunk
            while len(octets) >= 16 and len(octets) >= (length := int.from_bytes(octets[:4], "big")):
                _, command_id, _, number = struct.unpack(">4L", octets[:16])
                octets = octets[length:]
                commands.append(command_id)
                if command_id in (BIND_TRANSCEIVER, UNBIND):
                    body = b"\0" if command_id == BIND_TRANSCEIVER else b""
                    head = struct.pack(">4L", 16 + len(body), command_id | 0x80000000, 0, number)
                    await stream.send_all(head + body)

    await trio.serve_tcp(talk, 0, host="127.0.0.1", task_status=task_status)


async def _bound(client: Client) -> bool:
    return bool((await client.ready())["carriers"][0]["bound"])


async def _seen(commands: list[int], command_id: int) -> bool:
    return command_id in commands


async def test_sigterm_right_at_the_start_ends_it_in_order_too(tmp_path: Path) -> None:
    for _ in range(3):
        async with running(config(tmp_path)) as (started, _):
            started.send_signal(signal.SIGTERM)
            with trio.fail_after(20):
                assert await started.wait() == 0


async def test_ctrl_c_is_an_orderly_end(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as (started, _):
        started.send_signal(signal.SIGINT)
        with trio.fail_after(20):
            assert await started.wait() == 0


async def test_a_port_in_use_is_one_line_that_names_it(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as (_, url):
        address = url.removeprefix("http://")
        other = tmp_path / "other"
        other.mkdir()
        ended = await command("run", config(other, listen=address))
        assert ended.returncode == 1
        said = ended.stderr.decode().splitlines()
        assert said[-1] == f"carrierline: api.listen: cannot listen on {address}: Address already in use"
        assert [line for line in said[:-1] if " INFO " not in line] == []
        ended = await command("simulate", "--smpp", address)
        assert ended.returncode == 3, "it could not run here: 1 is for what a scenario expects"
        assert one_line(ended) == f"carrierline: cannot listen on {address}: Address already in use\n"


async def test_a_second_connector_on_one_store_is_refused(tmp_path: Path) -> None:
    async with connector(tmp_path, 1):
        ended = await command("run", str(tmp_path / "config.toml"))
        assert ended.returncode == 1
        assert f"another connector is running on {tmp_path}/store.db" in one_line(ended)


async def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    path = config(tmp_path, folder=tmp_path / "nowhere")
    ended = await command("run", path)
    assert ended.returncode == 1
    assert "nowhere/store.db: No such file or directory" in one_line(ended)


async def test_a_wrong_password_is_one_clear_line_and_it_stops(tmp_path: Path) -> None:
    scenario = tmp_path / "account.toml"
    scenario.write_text(
        'schema = 1\nname = "strict"\n[listen]\nsmpp = "127.0.0.1:0"\n'
        '[[account]]\nsystem_id = "acme"\npassword = "the-good"\n'
    )
    async with process("simulate", str(scenario), says="listening on") as (_, line):
        port = int(line.rsplit(":", 1)[1])
        (tmp_path / "password").write_text("the-bad\n")
        path = config(tmp_path, port=port, bind=f'password_file = "{tmp_path}/password"')
        async with process("run", path, says="ESME_RINVPASWD") as (_, told):
            assert "north/1" in told
            assert "stopped until it gets other credentials" in told
            assert "the-bad" not in told


async def test_decode_reads_standard_input(tmp_path: Path) -> None:
    ended = await command("decode", "--json", "-", stdin=b"00000010000000150000000000000001\n\xff\n")
    assert (ended.returncode, json.loads(ended.stdout)["command"]) == (1, "enquire_link")
    assert b"Traceback" not in ended.stderr


async def test_repetitions_are_found_by_the_country_of_the_api_key(tmp_path: Path) -> None:
    contacts = tmp_path / "list.csv"
    contacts.write_text("to,text\n07400123470,One\n07400 123470,One\n+447400123470,One\n")
    async with connector(tmp_path, 1) as (_, client):
        url = str(client._http.base_url)
        first = await command("send", "--csv", str(contacts), "--json", "--url", url, CARRIERLINE_KEY=KEY)
        found = json.loads(first.stdout)
        assert (found["rows"], found["accepted"], found["duplicates"]) == (3, 1, 2)


async def test_a_list_sent_again_is_not_sent_twice_unless_asked(tmp_path: Path) -> None:
    contacts = tmp_path / "list.csv"
    contacts.write_text("to,text\n+447400123470,One\n+447400123471,Two\n")
    async with connector(tmp_path, 1) as (_, client):
        call = ("send", "--csv", str(contacts), "--json", "--url", str(client._http.base_url))
        for more, replayed in (((), 0), ((), 2), (("--again",), 0)):
            ended = await command(*call, *more, CARRIERLINE_KEY=KEY)
            assert json.loads(ended.stdout)["replayed"] == replayed, ended.stderr
        assert (await client.verify())["accepted"] == 4


async def test_a_list_cut_short_says_where_and_still_writes_its_report(tmp_path: Path) -> None:
    contacts, report = tmp_path / "list.csv", tmp_path / "report.csv"
    contacts.write_text("to,text\nnobody,One\n+447400123471,Two\n")
    async with connector(tmp_path, 1) as (_, client):
        url = str(client._http.base_url)
    contacts_call = ("send", "--csv", str(contacts), "--country", "GB", "--report", str(report), "--url", url)
    ended = await command(*contacts_call, CARRIERLINE_KEY=KEY)
    assert ended.returncode == 1
    assert b"stopped after line 0" in ended.stderr
    assert report.exists()
