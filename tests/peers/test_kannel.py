"""Kannel, the oldest free gateway: its ``drive_smpp`` as the carrier, and its ``bearerbox`` as the ESME."""

import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx2
import pytest
import trio

from tests.peers.foreign import Foreign, foreign
from tests.peers.load import COUNT, Carrying, all_are, carrying, number_of
from tests.stories.processes import ENVIRON, until

DRIVE_SMPP = shutil.which("drive_smpp", path="/usr/lib/kannel/test")
SMSBOX_PORT = 13_001
"""Where drive_smpp, made to test a bearerbox, looks for one; it has no option for it and dies where nobody listens."""
WITH_ITS_WORDS = re.compile(r"Number of messages sent to (\w+): (\d+)")

pytestmark = [pytest.mark.peer, pytest.mark.slow]
needs_drive_smpp = pytest.mark.skipif(
    DRIVE_SMPP is None, reason="drive_smpp is not installed (Debian package kannel-extras)"
)


@asynccontextmanager
async def bearerbox_of_its_own() -> AsyncIterator[None]:
    """Be the bearerbox that drive_smpp wants to talk to, with nothing to say."""

    async def keep(stream: trio.SocketStream) -> None:
        async for _ in stream:
            pass

    async with trio.open_nursery() as nursery:
        await nursery.start(partial(trio.serve_tcp, keep, SMSBOX_PORT, host="127.0.0.1"))
        yield
        nursery.cancel_scope.cancel()


async def free_port() -> int:
    """Return a port that is free now, for programs that cannot say which one they took."""
    with trio.socket.socket() as free:
        await free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@asynccontextmanager
async def drive_smpp(messages: int) -> AsyncIterator[tuple[Foreign, int]]:
    """Run it, to send so many messages to a receiver; yield it with its port."""
    assert DRIVE_SMPP
    port = await free_port()
    async with bearerbox_of_its_own(), foreign(DRIVE_SMPP, "-v", "1", "-p", str(port), "-m", str(messages)) as smsc:
        await smsc.line_with("Starting")
        yield smsc, port


async def counts(smsc: Foreign) -> dict[str, int]:
    """Return what it counted, which it says when its link has ended."""
    return {who: int(number) for who, number in WITH_ITS_WORDS.findall("\n".join(await smsc.ended()))}


@needs_drive_smpp
async def test_drive_smpp_takes_ten_thousand_messages_which_it_gives_no_ids(tmp_path: Path) -> None:
    async with drive_smpp(COUNT) as (smsc, port), carrying(tmp_path, port, "transmitter") as carried:
        await carried.send(receipt=False)
        await all_are(carried, "sent")
        await carried.stop()
        counted = await counts(smsc)
        found = await carried.verified()
    assert counted == {"ESME": 0, "smsbox": 0, "bearerbox": 0, "SMSC": COUNT}
    assert (found["messages"], found["parked"]) == ({"sent": COUNT}, 0)


@needs_drive_smpp
async def test_what_drive_smpp_sends_as_receipts_of_nothing_is_parked_while_ten_thousand_leave(tmp_path: Path) -> None:
    """It waits for no answer to its deliver_sm, so all of them may be here before the first is on disk."""
    binds, room = ("transmitter", "receiver"), f"max_unanswered = {COUNT}"
    async with drive_smpp(COUNT) as (smsc, port), carrying(tmp_path, port, *binds, more=room) as carried:
        await carried.send(receipt=False)
        await all_are(carried, "sent")
        await until(lambda: parked(carried, COUNT))
        await carried.stop()
        counted = await counts(smsc)
        found = await carried.verified()
    assert counted == {"ESME": COUNT, "smsbox": 0, "bearerbox": 0, "SMSC": COUNT}
    assert (found["messages"], found["parked"]) == ({"sent": COUNT}, COUNT)


async def parked(carried: Carrying, count: int) -> bool:
    return bool((await carried.client.verify())["parked"] == count)


# --- as the ESME ---

BEARERBOX = """
group = core
admin-port = {admin}
admin-password = story
smsbox-port = {smsbox}

group = smsc
smsc = smpp
smsc-id = north
host = 127.0.0.1
port = {smpp}
transceiver-mode = true
smsc-username = acme
smsc-password = secret
system-type = ""
max-pending-submits = 50

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {smsbox}
"""


BOXES = [shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("bearerbox", "smsbox", "mtbatch")]
FINAL = 3
"""dlr-mask: word of the delivery, good or bad."""
MESSAGES = 1_000


@asynccontextmanager
async def simulator() -> AsyncIterator[tuple[Foreign, int]]:
    """Run ours; yield it with its port."""
    arguments = (sys.executable, "-m", "cli", "simulate", "--smpp", "127.0.0.1:0", "--json")
    async with foreign(*arguments, environ=ENVIRON) as smsc:
        line = await smsc.line_with("listening on")
        yield smsc, int(line.rsplit(":", 1)[1])


@asynccontextmanager
async def bearerbox(folder: Path, smpp: int) -> AsyncIterator[tuple[Foreign, int, int]]:
    """Run it with a bind to this port and a box that takes the receipts; yield it with its ports for the
    administrator and for boxes."""
    admin, smsbox = await free_port(), await free_port()
    path = folder / "kannel.conf"
    path.write_text(BEARERBOX.format(admin=admin, smsbox=smsbox, smpp=smpp))
    assert BOXES[0]
    assert BOXES[1]
    async with foreign(BOXES[0], "-v", "1", str(path)) as box:
        await box.line_with("MAIN: Start-up done")
        async with foreign(BOXES[1], "-v", "1", str(path)):
            await box.line_with("Client connected")
            yield box, admin, smsbox


async def hand_over(folder: Path, smsbox: int) -> None:
    """Let Kannel's own bulk sender hand a text for each of a thousand numbers to the bearerbox."""
    (folder / "text").write_text("hello from elsewhere")
    (folder / "numbers").write_text("".join(f"{number_of(n)[1:]}\n" for n in range(MESSAGES)))
    given = ("-b", "127.0.0.1", "-p", str(smsbox), "-f", "60777", "-D", str(FINAL), "-u", "http://127.0.0.1:1/")
    assert BOXES[2]
    async with foreign(BOXES[2], "-v", "1", *given, str(folder / "text"), str(folder / "numbers")) as sender:
        assert any(f"processed {MESSAGES} messages with 0 errors" in line for line in await sender.ended())


async def told(http: httpx2.AsyncClient, admin: int) -> bool:
    """Tell whether the bearerbox knows the fate of all."""
    answer = await http.get(f"http://127.0.0.1:{admin}/status.xml", params={"password": "story"})
    return f"<dlr><received><total>{MESSAGES}</total>" in re.sub(r"\s", "", answer.text)


@pytest.mark.skipif(None in BOXES, reason="bearerbox is not installed (Debian package kannel)")
async def test_bearerbox_sends_a_thousand_messages_to_the_simulator_and_understands_every_receipt(
    tmp_path: Path,
) -> None:
    async with simulator() as (smsc, port), bearerbox(tmp_path, port) as (box, admin, smsbox):
        await hand_over(tmp_path, smsbox)
        async with httpx2.AsyncClient(trust_env=False) as http:
            await until(lambda: told(http, admin))
        box.running.terminate()
        await box.ended()
        smsc.running.terminate()
        counted = json.loads((await smsc.ended())[-1])
    assert (counted["accepted"], counted["receipts_sent"], counted["receipts_acknowledged"]) == (MESSAGES,) * 3
    assert (counted["strange"], counted["ends"]) == ({}, {"unbound": 1})
