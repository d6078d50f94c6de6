"""A load through the door of a connector of ours, which runs as users run it: what it takes comes here, and once."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from connector.settings import load
from simulator.play import Outcome, play
from simulator.scenario import Scenario
from tests.stories.processes import CONFIG, KEY, process

WITHIN_S = 60.0
SCENARIO = """
[listen]
smpp = "127.0.0.1:{port}"
[response]
delay = "20ms"
[receipt]
delay = "100ms"
{more}
[load]
target = "{url}/v1/messages"
token_env = "STORY_KEY"
model = "closed"
messages = 300
binds = 2
to = "4479110{{n:05}}"
text = [{{ weight = 2, gsm7 = 40 }}, {{ weight = 1, gsm7 = 400 }}]
settle = "30s"
[[expect]]
that = "message.lost == 0 and message.duplicated == 0"
[[expect]]
that = "receipt.acknowledged == submit.status.ESME_ROK"
within = "10s"
"""


@pytest.fixture
def port() -> Iterator[int]:
    """A port that stays reserved until the carrier takes it."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


async def played(folder: Path, port: int, more: str = "") -> Outcome:
    with trio.fail_after(WITHIN_S):
        config = folder / "config.toml"
        config.write_text(CONFIG.format(folder=folder, port=port, window=50))
        async with process("run", str(config), says="listening on") as (_, line):
            url = line.split("listening on ")[1].split(",")[0]
            return await play(load(SCENARIO.format(port=port, url=url, more=more), Scenario))


async def test_what_a_connector_takes_by_http_comes_to_the_carrier_once_and_whole(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORY_KEY", KEY)
    outcome = await played(tmp_path, port)
    assert outcome.ok, (outcome.expectations, outcome.load)
    assert outcome.load is not None
    assert (outcome.load.sent, outcome.load.answered, outcome.load.died_of) == (300, 300, "")
    assert outcome.verdict is not None
    assert outcome.verdict.clean, outcome.verdict
    assert 300 < outcome.verdict.accepted < 900  # some are in three parts


async def test_a_carrier_that_refuses_some_for_good_keeps_nobody_waiting(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORY_KEY", KEY)
    refusing = '[[rule]]\nwhen = { to = "7$" }\nreply = "ESME_RINVDSTADR"\n'
    outcome = await played(tmp_path, port, refusing)
    assert outcome.ok, outcome.expectations
    assert outcome.verdict is not None
    assert outcome.verdict.clean, outcome.verdict
    assert outcome.ran_s < 25  # and not the 30 s that it settles
