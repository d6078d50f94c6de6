"""What a connector says when it is stopped while its carrier neither reads nor answers."""

import sys
from pathlib import Path

import pytest
import trio

from connector.client import Client
from connector.model import SendRequest
from connector.reader import open_reader
from connector.smpp.pdu import SubmitSm
from tests.peers.foreign import foreign
from tests.peers.load import number_of, text_of
from tests.sockets.tcp import listener
from tests.stories.processes import CONFIG, ENVIRON, KEY

WINDOW, COUNT = 10, 15


@pytest.mark.slow
async def test_the_last_line_counts_what_falls_in_doubt_when_the_links_end(tmp_path: Path) -> None:
    async with listener() as carrier:
        text = CONFIG.format(folder=tmp_path, port=carrier.port, window=WINDOW).replace('drain = "5s"', 'drain = "1s"')
        (tmp_path / "config.toml").write_text(text)
        command = (sys.executable, "-m", "cli", "run", str(tmp_path / "config.toml"))
        with trio.fail_after(20):
            async with foreign(*command, environ=ENVIRON) as running:
                smsc = await carrier.bound()
                url = (await running.line_with("listening on")).split("listening on ")[1].split(",")[0]
                async with Client(url, key=KEY) as client:
                    requests = [SendRequest(to=number_of(n), text=text_of(n), lane="otp") for n in range(COUNT)]
                    await client.send(requests)
                await smsc.requested(SubmitSm, WINDOW)
                running.running.terminate()
                report = "\n".join(await running.ended())
    with open_reader(tmp_path / "store.db") as reader:
        assert reader.verify()["messages"] == {"in_doubt": WINDOW, "accepted": COUNT - WINDOW}
    assert f"next start: {COUNT - WINDOW} parts" in report
    assert f"in this run: {WINDOW} parts" in report
