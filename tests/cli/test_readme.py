"""What the README shows works as it stands there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
import trio

from tests.stories.processes import CONFIG, ENVIRON, KEY, CarrierLedger, carrier, process

pytestmark = pytest.mark.slow
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
TEXT = "Your code is 482913"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


async def test_the_python_block_sends_a_message(tmp_path: Path) -> None:
    (block,) = blocks("python")
    ledger = tmp_path / "ledger.jsonl"
    async with carrier(tmp_path, seed=1, delay='"10ms"', record=ledger) as port:
        config = CONFIG.format(folder=tmp_path, port=port, window=10)
        (tmp_path / "carrierline.toml").write_text(config)
        with trio.fail_after(30):
            ended = await trio.run_process(
                [sys.executable, "-W", "error", "-c", block],
                cwd=tmp_path,
                env=ENVIRON,
                capture_stdout=True,
                stderr=subprocess.STDOUT,
                check=False,
            )
        assert ended.stdout.decode().splitlines() == ["delivered north"]
    assert len(CarrierLedger.read(ledger).accepted[TEXT]) == 1


async def test_the_curl_line_is_accepted_and_safe_to_repeat(tmp_path: Path) -> None:
    (block,) = (block for block in blocks("sh") if "curl" in block)
    call = block.split("\nCARRIERLINE_KEY=")[0].replace("\\\n", " ")
    words = shlex.split(call.replace("$CARRIERLINE_KEY_SHOP", KEY))
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    body = words[words.index("-d") + 1]
    path = next(word for word in words if word.startswith("http")).removeprefix("http://127.0.0.1:8080")
    (tmp_path / "config.toml").write_text(CONFIG.format(folder=tmp_path, port=1, window=10))
    async with process("run", str(tmp_path / "config.toml"), says="listening on") as (_, line):
        url = line.split("listening on ")[1].split(",")[0]
        async with httpx2.AsyncClient(base_url=url) as caller:
            # what curl adds by itself
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            answers = [await caller.post(path, content=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 200]
    assert answers[0].json()["id"] == answers[1].json()["id"]
