"""ESMEs that nobody here wrote, bound to the simulator: a message, a long one, receipts, a subscriber's message."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import smpplib.client
import smpplib.consts
import smpplib.gsm

from simulator.process import EsmeProcess
from simulator.testing import TestSmsc
from tests.peers.test_kannel import BEARERBOX, BOXES
from tests.peers.test_node_smpp import modules as modules

pytestmark = [pytest.mark.peer, pytest.mark.slow]

HERE = Path(__file__).parent
LONG = "a text that is longer than one part can hold, said four times over; " * 6
WITH_UDH = 0x40


@pytest.fixture
def smsc() -> Iterator[TestSmsc]:
    carrier = TestSmsc()
    try:
        yield carrier
    finally:
        carrier.close()


def joined(smsc: TestSmsc) -> str:
    """Return the text of the parts of the long message, in their order."""
    parts = [message for message in smsc.inbox if message.pdu.esm_class & WITH_UDH]
    return "".join(message.text for message in sorted(parts, key=lambda it: it.pdu.message_octets[5]))


def check_nothing_strange(smsc: TestSmsc) -> None:
    numbers = smsc.statistics
    assert numbers.strange == {}
    assert numbers.ends == {"unbound": 1}
    asked = sum(message.pdu.registered_delivery & 1 for message in smsc.inbox)
    assert numbers.receipts_acknowledged == numbers.receipts_sent == asked


# --- smpplib ----------------------------------------------------------------------------------------------------------


def test_smpplib_sends_a_long_message_and_takes_receipts_and_a_subscriber_s_message(smsc: TestSmsc) -> None:
    heard: list[bytes] = []
    client = smpplib.client.Client(smsc.host, smsc.port, allow_unknown_opt_params=True)
    client.set_message_received_handler(lambda pdu: heard.append(pdu.short_message) or smpplib.consts.SMPP_ESME_ROK)
    client.connect()
    client.bind_transceiver(system_id="python", password="secret")
    parts, data_coding, esm_class = smpplib.gsm.make_parts(LONG)
    for part in (*parts, b"short"):
        client.send_message(
            source_addr="60777",
            destination_addr="447911123456",
            short_message=part,
            data_coding=data_coding,
            esm_class=esm_class if part != b"short" else 0,
            registered_delivery=True,
        )
    smsc.wait(submits=len(parts) + 1)
    smsc.mo("447911123456", "60777", "STOP")
    while len(heard) < len(parts) + 2:
        client.read_once()
    client.unbind()
    client.disconnect()
    smsc.wait(receipts=len(parts) + 1, mo=1)
    assert joined(smsc) == LONG
    assert heard[-1] == b"STOP" or b"STOP" in heard
    assert sum(b"stat:DELIVRD" in text for text in heard) == len(parts) + 1
    check_nothing_strange(smsc)


# --- node-smpp --------------------------------------------------------------------------------------------------------


def test_node_smpp_sends_a_long_message_and_takes_receipts_and_a_subscriber_s_message(
    smsc: TestSmsc, modules: str
) -> None:
    command = ("node", str(HERE / "node_esme.js"), "short", LONG)
    esme = EsmeProcess(command, host=smsc.host, port=smsc.port, env={"NODE_PATH": modules})
    try:
        smsc.wait(submits=4)
        smsc.mo("447911123456", "60777", "STOP")
        assert esme.wait() == 0, esme.lines
        said: dict[str, Any] = json.loads(esme.lines[-1])
    finally:
        esme.close()
    assert [status for status, _ in said["answers"]] == [0] * 4
    assert sorted(re.findall(r"id:(\d+)", " ".join(said["receipts"]))) == sorted(id_ for _, id_ in said["answers"])
    assert said["messages"] == ["STOP"]
    assert joined(smsc) == LONG
    check_nothing_strange(smsc)


# --- Kannel -----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(None in BOXES, reason="bearerbox is not installed (Debian package kannel)")
def test_bearerbox_sends_a_long_message_and_takes_receipts_and_a_subscriber_s_message(
    smsc: TestSmsc, tmp_path: Path
) -> None:
    admin, boxes = free_port(), free_port()
    path = tmp_path / "kannel.conf"
    path.write_text(BEARERBOX.format(admin=admin, smsbox=boxes, smpp=smsc.port))
    bearerbox, smsbox, mtbatch = BOXES
    assert bearerbox
    assert smsbox
    assert mtbatch
    running = [EsmeProcess((bearerbox, "-v", "1", str(path)), host=smsc.host, port=smsc.port)]
    try:
        smsc.wait(binds=1, within_s=30)
        running.append(EsmeProcess((smsbox, "-v", "1", str(path)), host=smsc.host, port=smsc.port))
        (tmp_path / "text").write_text(LONG)
        (tmp_path / "numbers").write_text("447911123456\n")
        given = ("-b", "127.0.0.1", "-p", str(boxes), "-f", "60777", "-D", "3", "-u", "http://127.0.0.1:1/")
        batch = (mtbatch, "-v", "1", *given, str(tmp_path / "text"), str(tmp_path / "numbers"))
        running.append(EsmeProcess(batch, host=smsc.host, port=smsc.port))
        smsc.wait(submits=3, receipts=1, within_s=30)  # of several parts it asks about one
        smsc.mo("447911123456", "60777", "STOP")
        smsc.wait(mo=1, within_s=30)
    finally:
        for process in reversed(running):
            process.close()
    assert joined(smsc) == LONG
    check_nothing_strange(smsc)


def free_port() -> int:
    """Return a port that is free now, for programs that cannot say which one they took."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
